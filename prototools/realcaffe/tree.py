"""Make the tree: fetch, unpack, add the stand-ins, try it, and only then give it its name."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Callable

from ..errors import EngineError
from . import fetch, stubs
from .installation import _PROBE, DIRECTORY_VARIABLE, MARKER, Installation, at, default_directory
from .unpack import unpack_all

BLAS = ("openblas", "reference")


def setup(directory: str | Path | None = None, blas: str = "openblas", force: bool = False,
          progress: Callable[[str], None] | None = None, extras: bool = False,
          mirrors: Sequence[str] | None = None, table: Path = fetch.TABLE,
          ) -> Installation:  # fmt: skip
    """Real Caffe in `directory` (default: `default_directory()`), made where it is not there yet.

    `blas` is `openblas` or `reference` (smaller, thirteen times slower). `force` makes it again.
    `extras` adds pytest, Jinja2 and their like, to run other software inside the tree.
    `progress` gets a line of text at each step. `mirrors` replaces the list of `fetch.mirrors()`.
    Needs Linux on x86-64; no root, no compiler. The tree is built beside its place and renamed at
    the end: a failure leaves nothing, and two setups at once do not disturb each other.

    Raises EngineError with a sentence: another system, a folder that cannot be written or holds
    something else, no mirror with the pinned packages, a wrong SHA-256, a tree that does not start.
    """
    _check_machine(blas)
    place = Path(os.path.abspath(os.path.expanduser(str(directory or default_directory()))))
    _check_place(place)
    sets = ["base", blas] + (["extras"] if extras else [])
    present = at(place)
    if present and not force and _satisfies(present, sets, table):
        return present
    parent = _writable_parent(place)
    work = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=str(parent)))
    try:
        tree = _build(work, sets, mirrors, table, progress or _silent)
        return _give_name(tree, place, work, sets, table, force)
    except OSError as error:
        raise EngineError(f"Caffe's tree must be written below {parent}, but the system says: "
                          f"{error.strerror or error}.") from error  # fmt: skip
    finally:
        shutil.rmtree(str(work), ignore_errors=True)


def _silent(line: str) -> None:
    """The progress of a caller who wants none."""


def _check_machine(blas: str) -> None:
    if blas not in BLAS:
        raise EngineError(f"blas must be one of {', '.join(BLAS)}, but it is {blas!r}.")
    machine = platform.machine()
    if not sys.platform.startswith("linux") or machine not in ("x86_64", "amd64"):
        raise EngineError(
            f"The packaged Caffe runs on Linux on x86-64, but this is {sys.platform} on {machine}. "
            f"Set {DIRECTORY_VARIABLE} to a Python that can import caffe."
        )


def _check_place(place: Path) -> None:
    if ":" in str(place):
        raise EngineError(f"The tree's path must hold no colon, because it becomes part of a "
                          f"library path, but it is {place}. Give another folder.")  # fmt: skip
    if place.is_dir() and any(place.iterdir()) and not (place / MARKER).is_file():
        raise EngineError(f"{place} must be empty or a Caffe tree, but it holds other files. "
                          f"Give another folder.")  # fmt: skip
    if place.exists() and not place.is_dir():
        raise EngineError(f"{place} must be a folder, but it is a file. Give another folder.")


def _satisfies(present: Installation, sets: Sequence[str], table: Path) -> bool:
    same = present.facts.get("made_of") == _digest(table)
    return same and set(sets) <= set(present.facts.get("sets", ()))


def _digest(table: Path) -> str:
    """Of all that decides what is in a tree: a newer prototools makes it again."""
    return hashlib.sha256(table.read_bytes() + Path(stubs.__file__).read_bytes()).hexdigest()


def _writable_parent(place: Path) -> Path:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        writable = os.access(str(place.parent), os.W_OK | os.X_OK)
        reason = "it is not writable"
    except OSError as error:
        writable, reason = False, str(error.strerror)
    if not writable:
        raise EngineError(
            f"{place.parent} must be a folder that you can write, but: {reason}. "
            f"Give another folder, or set {DIRECTORY_VARIABLE} or XDG_CACHE_HOME."
        )
    return place.parent


def _build(work: Path, sets: Sequence[str], mirrors: Sequence[str] | None, table: Path,
           progress: Callable[[str], None]) -> Path:  # fmt: skip
    packages = [package for package in fetch.read_table(table) if package.set in sets]
    archives, tree = work / "packages", work / "tree"
    archives.mkdir()
    tree.mkdir(mode=0o755)
    sources = fetch.mirrors() if mirrors is None else list(mirrors)
    fetch.fetch(packages, archives, sources, progress)
    progress(f"unpacking {len(packages)} packages")
    unpack_all([archives / package.file_name for package in packages], tree)
    stubs.write_stubs(tree)
    progress("starting Caffe for the first time")
    _try_out(tree, sets, table)
    return tree


def _try_out(tree: Path, sets: Sequence[str], table: Path) -> None:
    """Import Caffe, which also compiles its Python modules, and write the marker."""
    versions: list[str] = json.loads(Installation("tree", tree).python(_PROBE))
    facts = {
        "caffe": versions[0], "python": versions[1], "numpy": versions[2],
        "blas": sets[1], "sets": list(sets), "made_of": _digest(table),
    }  # fmt: skip
    (tree / MARKER).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


def _give_name(tree: Path, place: Path, work: Path, sets: Sequence[str], table: Path,
               force: bool) -> Installation:  # fmt: skip
    """Rename the finished tree into place; where another setup was quicker, use its tree."""
    if place.exists():
        present = at(place)
        if present and not force and _satisfies(present, sets, table):
            return present
        # Another setup may have taken it away in the meantime.
        with contextlib.suppress(FileNotFoundError):
            os.rename(str(place), str(work / "old"))
    try:
        os.rename(str(tree), str(place))
    except OSError:
        present = at(place)
        if not present:
            raise
        return present
    finished = at(place)
    if finished is None:
        raise EngineError(f"{place} must hold a finished tree, but its marker file is gone.")
    return finished
