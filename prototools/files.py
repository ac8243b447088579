"""Reading and writing files so that nothing is lost: whole or not at all, and not without need."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from typing import Optional

from prototools.errors import PrototoolsError


class FileError(PrototoolsError):
    """A file that cannot be read or written."""


def read(path: str) -> bytes:
    """A file's bytes; `-` is standard input.

    Raises `FileError` with the system's reason.
    """
    try:
        if path == "-":
            return sys.stdin.buffer.read()
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None


def write(path: str, data: bytes) -> bool:
    """Write a file whole or not at all; true where it changed.

    The bytes go to a temporary file beside the target, are synced, and take its name.
    A target with these bytes already is not touched, so Make's times stay true.
    A symlink's target is replaced, not the link; mode bits survive.
    Raises `FileError` with the system's reason, and leaves the old file as it was.
    """
    target = os.path.realpath(path)
    try:
        if _holds(target, data):
            return False
        if os.path.exists(target) and not os.path.isfile(target):
            with open(target, "wb") as file:
                file.write(data)
            return True
        _replace(target, data)
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from None
    return True


def _holds(target: str, data: bytes) -> bool:
    if not os.path.isfile(target) or os.path.getsize(target) != len(data):
        return False
    with open(target, "rb") as file:
        return file.read() == data


def _replace(target: str, data: bytes) -> None:
    folder = os.path.dirname(target)
    mode = _mode(target)
    handle, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(target)}.", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _mode(target: str) -> int:
    """The old file's permissions, or those of a new file."""
    found: Optional[int] = stat.S_IMODE(os.stat(target).st_mode) if os.path.exists(target) else None
    if found is None:
        mask = os.umask(0)
        os.umask(mask)
        found = 0o666 & ~mask
    return found
