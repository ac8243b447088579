"""Reading and writing files so that nothing is lost: whole or not at all, and not without need."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager, suppress
from mmap import PAGESIZE
from typing import IO, Iterator, Optional, Tuple

from prototools.errors import PrototoolsError


class FileError(PrototoolsError):
    """A file that cannot be read or written."""


def read(path: str, limit: int = -1) -> bytes:
    """A file's bytes, or the first `limit` of them; `-` is standard input.

    Raises `FileError` with the system's reason.
    """
    try:
        if path == "-":
            return sys.stdin.buffer.read(limit)
        with open(path, "rb") as file:
            return file.read(limit)
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None


def write(path: str, data: bytes, was: Optional[bytes] = None) -> bool:
    """Write a file as `replacing` does; true where it changed.

    `was` is what the file held when it was read: where it holds something else by now, the other's work is
    not written over, and `FileError` is raised.
    """
    with replacing(path, was) as out:
        out.write(data)
    return out.changed


class Replacement:
    """A file in the making: `write` to it; `changed` says in the end whether the target is another now."""

    def __init__(self, file: IO[bytes]):
        self.file = file
        self.write = file.write
        self.changed = True

    def begin_to_store(self, size: int) -> None:
        """Have the last `size` bytes stored while more is written, so that the sync at the end is short.

        Nothing is waited for and nothing is promised; a pipe has nothing to store.
        """
        # Linux writes pages to the disk before it gives them up, and gives up none that are not there yet.
        # A page that is still being filled is left for the next call.
        with suppress(AttributeError, OSError):
            end = self.file.tell()
            begin, end = (position // PAGESIZE * PAGESIZE for position in (end - size, end))
            os.posix_fadvise(self.file.fileno(), begin, end - begin, os.POSIX_FADV_DONTNEED)


@contextmanager
def replacing(path: str, was: Optional[bytes] = None) -> Iterator[Replacement]:
    """Write a file whole or not at all.

    The bytes go to a temporary file beside the target, are synced, and take its name.
    A target with these bytes already is not touched, so Make's times stay true.
    A symlink's target is replaced, not the link; mode bits and, where the user may set it, the owner survive;
    a device or a pipe is written to. Other hard links of the file keep the old bytes. `was` is that of `write`.
    Raises `FileError` with the system's reason, and leaves the old file as it was.
    """
    target = os.path.realpath(path)
    try:
        # Asked of the path as it is given: /dev/stdout has no name of its own where it is a pipe.
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as file:
                yield Replacement(file)
            return
        yield from _temporary(target, was)
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from None


def _temporary(target: str, was: Optional[bytes]) -> Iterator[Replacement]:
    old = _status(target)
    # A new file gets the permissions that the system gives any; what replaces an old one is for the user alone, till
    # it has those of that one.
    handle, temporary = _new_file_beside(target, 0o600 if old else 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            replacement = Replacement(file)
            yield replacement
            file.flush()
            os.fsync(file.fileno())
        replacement.changed = not (os.path.isfile(target) and _same(temporary, target))
        if replacement.changed:
            if old:
                _set_owner_and_mode(temporary, old)
            if was is not None and read(target) != was:
                raise FileError(f"{target}: was changed by another while it was worked on, and is left so; run again")
            os.replace(temporary, target)
        else:
            os.unlink(temporary)
    except BaseException:
        os.unlink(temporary)
        raise


def _new_file_beside(target: str, mode: int) -> Tuple[int, str]:
    """An open file that nobody else has; like tempfile's, which takes longer to import."""
    folder, name = os.path.split(target)
    while True:
        # Not all of the name, which may be as long already as the file system allows.
        begin = os.fsdecode(os.fsencode(name)[:200])
        path = os.path.join(folder, f".{begin}.{os.urandom(6).hex()}")
        with suppress(FileExistsError):
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), path


def _same(one: str, other: str) -> bool:
    """Whether two files hold the same bytes."""
    if os.path.getsize(one) != os.path.getsize(other):
        return False
    with open(one, "rb") as first, open(other, "rb") as second:
        while True:
            block = first.read(1 << 20)
            if block != second.read(1 << 20):
                return False
            if not block:
                return True


def _status(path: str) -> Optional[os.stat_result]:
    """A file's owner and permissions; None where there is none."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _set_owner_and_mode(temporary: str, old: os.stat_result) -> None:
    """Those of the old file."""
    new = os.stat(temporary)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        with suppress(PermissionError):
            os.chown(temporary, old.st_uid, old.st_gid)
    os.chmod(temporary, stat.S_IMODE(old.st_mode))
