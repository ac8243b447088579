"""Writing files: whole or not at all, and not without need."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from prototools import files


def test_write_new(tmp_path: Path) -> None:
    """A new file gets the permissions that any program would give it."""
    target = tmp_path / "new"
    assert files.write(str(target), b"text")
    (tmp_path / "plain").write_bytes(b"")
    assert target.read_bytes() == b"text"
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["new", "plain"]


def test_the_mask_is_asked_for_nothing(tmp_path: Path, monkeypatch) -> None:
    """It is that of the whole process: another thread that writes a file must not find it changed."""
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the mask was set"))
    files.write(str(tmp_path / "new"), b"text")
    files.write(str(tmp_path / "new"), b"other")


def test_unchanged_is_not_touched(tmp_path: Path) -> None:
    """The same bytes leave the file's time alone."""
    target = tmp_path / "net"
    target.write_bytes(b"text")
    os.utime(target, (1, 1))
    assert not files.write(str(target), b"text")
    assert target.stat().st_mtime == 1


def test_mode_survives(tmp_path: Path) -> None:
    """Permissions of an old file stay."""
    target = tmp_path / "net"
    target.write_bytes(b"old")
    target.chmod(0o640)
    files.write(str(target), b"new")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_symlink_survives(tmp_path: Path) -> None:
    """The file behind a symlink is replaced, not the link."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to(real)
    files.write(str(link), b"new")
    assert link.is_symlink() and real.read_bytes() == b"new"


def test_failed_write_keeps_the_old(tmp_path: Path, monkeypatch) -> None:
    """A disk that is full leaves the old file whole, and no temporary file."""
    target = tmp_path / "net"
    target.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(files.FileError, match="No space left"):
        files.write(str(target), b"new")
    assert target.read_bytes() == b"old" and os.listdir(tmp_path) == ["net"]


@pytest.mark.parametrize("path, words", [("missing", "No such file"), (".", "directory")])
def test_read_errors(path: str, words: str, tmp_path: Path, monkeypatch) -> None:
    """What cannot be read is an error with the file and the system's reason."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(files.FileError, match=f"{path}: cannot be read: .*{words}"):
        files.read(path)
