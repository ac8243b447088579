"""Unpack Debian packages with Python alone: an `ar` archive that holds a compressed tar."""

from __future__ import annotations

import io
import lzma
import os
import re
import shutil
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import EngineError

_LEFT_OUT = re.compile(
    r"usr/share/(?!doc/[^/]+/copyright$|doc/[^/]+$|doc$)"  # licences stay
    r"|usr/lib/[^/]+/(gconv|audit|engines-1\.1)(/|$)"
    r"|usr/lib/python3/dist-packages/numpy/(.*/)?tests(/|$)"
    r"|lib64(/|$)"
)


def unpack_all(files: Sequence[Path], root: Path) -> None:
    """Unpack every package below `root`, a few at a time; maintainer scripts are never run."""
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        # Large packages first, so that none of them is left to run alone at the end.
        order = sorted(files, key=lambda file: -file.stat().st_size)
        list(pool.map(lambda file: unpack(file, root), order))


def unpack(file: Path, root: Path) -> None:
    """Unpack one package below `root`, without manuals, tests and character set tables."""
    data = lzma.decompress(_data_member(file))
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for member in archive:
            name = os.path.normpath(member.name)
            if not _LEFT_OUT.match(name) and not name.startswith(("..", "/")):
                _place(archive, member, root / name, root)


def _place(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path, root: Path) -> None:
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
    elif member.issym():
        target = member.linkname
        if target.startswith("/"):
            target = os.path.relpath(root / target.lstrip("/"), path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    elif member.islnk():
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(root / os.path.normpath(member.linkname), path)
    elif member.isfile():
        path.parent.mkdir(parents=True, exist_ok=True)
        source = archive.extractfile(member)
        with open(path, "wb") as out:
            shutil.copyfileobj(source, out)  # type: ignore[arg-type]
        path.chmod(0o755 if member.mode & 0o100 else 0o644)


def _data_member(file: Path) -> bytes:
    """The bytes of `data.tar.xz`, read by the layout of `ar` archives (60-byte headers)."""
    content = file.read_bytes()
    position = 8
    while content.startswith(b"!<arch>\n") and position + 60 <= len(content):
        name = content[position : position + 16].rstrip()
        digits = content[position + 48 : position + 58].strip()
        if not digits.isdigit():
            break
        size, start = int(digits), position + 60
        if name.rstrip(b"/") == b"data.tar.xz":
            return content[start : start + size]
        position = start + size + size % 2
    raise EngineError(f"{file.name} must be a Debian package with a data.tar.xz, but it is not.")
