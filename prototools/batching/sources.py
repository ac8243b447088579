"""Which files a batch takes, and where each of them goes.

A folder or a pattern is mirrored: what is fixed of it is cut off, and the rest stands below the target
folder. Names that begin with a dot are left out, symlinks are followed but not in circles, and a target
folder that lies inside a source is not read.
"""

from __future__ import annotations

import os
import re
from errno import ENOENT
from fnmatch import fnmatchcase
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from prototools import files
from prototools.errors import PrototoolsError

#: How the names of networks end, and those of templates.
NETWORK, TEMPLATE = ".prototxt", ".j2"

#: What makes a source a pattern.
MAGIC = re.compile(r"[*?[]")

#: How many collisions are told.
SHOWN = 5


class BatchError(PrototoolsError):
    """Sources or a target folder with which no batch can begin. Nothing has been written."""


class Task(NamedTuple):
    """One file to be rewritten: its path and its target's, or why it cannot be."""

    source: str
    target: str
    problem: str = ""


def find(sources: Iterable[str], out: str) -> List[Task]:
    """Every file of the sources with its target below `out`, in order and each once.

    A source is a file, a folder, or a pattern with `*`, `?`, `[...]` and `**` (any folders). Of a folder
    all `*.prototxt` and `*.j2` below it are taken; a plain `.j2` that another template of the batch imports
    is a part of that one, and no network. A source that cannot be read is a task with a problem.
    Raises `BatchError` where two files would go to one target, or a target is itself a source.
    """
    if os.path.exists(out) and not os.path.isdir(out):
        raise BatchError(f"{out}: the results must go to a folder, but this is a file")
    walk = _Walk(out)
    tasks = list(dict.fromkeys(task for source in sources for task in walk.tasks(source)))
    parts = _parts(tasks, walk.named)
    # Where each is a part of another, what is wrong with them is told when they are rendered.
    tasks = [task for task in tasks if task.source not in parts] or tasks
    _refuse_collisions(tasks)
    return tasks


class _Walk:
    """The sources of one batch; `named` are the files that the user gave one by one."""

    def __init__(self, out: str):
        self.out = out
        self.avoided = _identity(out)
        self.named: Dict[str, None] = {}
        self.problems: List[Task] = []

    def tasks(self, source: str) -> List[Task]:
        """The files of one source, and after them what could not be read of it."""
        self.problems = []
        found = list(self._tasks(source)) + self.problems
        return found or [Task(source, self.out, f"{source}: holds no {NETWORK} and no {TEMPLATE} file")]

    def _tasks(self, source: str) -> Iterator[Task]:
        if os.path.isdir(source):
            for path in self._below(source):
                yield self._task(path, source)
        elif MAGIC.search(source) and not os.path.lexists(source):
            fixed, pattern = _split(source)
            for path in self._matching(fixed, pattern):
                yield self._task(path, fixed)
        elif os.path.lexists(source):
            self.named[source] = None
            yield self._task(source, os.path.dirname(source))
        else:
            yield Task(source, self.out, f"{source}: cannot be read: {os.strerror(ENOENT)}")

    def _task(self, path: str, fixed: str) -> Task:
        return Task(path, os.path.join(self.out, target_name(os.path.relpath(path, fixed or os.curdir))))

    def _below(self, folder: str) -> Iterator[str]:
        """All networks below a folder."""
        for here in self._folders(folder):
            yield from (path for path, is_folder in self._entries(here) if not is_folder and _is_network(path))

    def _folders(self, folder: str, above: Tuple[Tuple[int, int], ...] = ()) -> Iterator[str]:
        """A folder and all below it; none inside itself, and not the target folder."""
        identity = _identity(folder or os.curdir)
        if identity is None or identity in above or above and identity == self.avoided:
            return
        yield folder
        for path, is_folder in self._entries(folder):
            if is_folder:
                yield from self._folders(path, (*above, identity))

    def _matching(self, folder: str, pattern: List[str]) -> Iterator[str]:
        """The networks that a pattern means; a folder that matches stands for all below it."""
        first, rest = pattern[0], pattern[1:]
        if first == "**":
            for here in self._folders(folder):
                yield from self._matching(here, rest) if rest else self._below(here)
            return
        for path, is_folder in self._entries(folder, hidden=first.startswith(".")):
            if not fnmatchcase(os.path.basename(path), first):
                continue
            if is_folder:
                if _identity(path) != self.avoided:
                    yield from self._matching(path, rest) if rest else self._below(path)
            elif not rest and (_is_network(path) or "." in first and not path.endswith(".caffemodel")):
                yield path

    def _entries(self, folder: str, hidden: bool = False) -> List[Tuple[str, bool]]:
        """What stands in a folder, by name: paths, and whether each is a folder."""
        try:
            with os.scandir(folder or os.curdir) as found:
                entries = sorted((one for one in found if hidden or not one.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            self.problems.append(Task(folder, self.out, f"{folder}: cannot be read: {error.strerror}"))
            return []
        # A link to nowhere stays, so that it is told; a pipe or a device would be waited for.
        return [
            (os.path.join(folder, one.name), one.is_dir()) for one in entries
            if one.is_dir() or one.is_file() or one.is_symlink() and not os.path.exists(one.path)
        ]


def _split(pattern: str) -> Tuple[str, List[str]]:
    """The fixed folder at a pattern's head, and the parts behind it."""
    parts = pattern.split("/")
    first = next(i for i, part in enumerate(parts) if MAGIC.search(part))
    return "/".join(parts[:first]) or ("/" if first else ""), [part for part in parts[first:] if part]


def _identity(path: str) -> Optional[Tuple[int, int]]:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_network(path: str) -> bool:
    return path.endswith((NETWORK, TEMPLATE))


def is_template(path: str) -> bool:
    """Whether a source is rendered before it is rewritten."""
    return path.endswith(TEMPLATE)


def target_name(path: str) -> str:
    """What a source's result is called: `net.prototxt` for `net.prototxt`, `net.prototxt.j2` and `net.j2`."""
    if not is_template(path):
        return path
    stem = path[: -len(TEMPLATE)]
    return stem if stem.endswith(NETWORK) else stem + NETWORK


def beside(path: str, suffix: str) -> str:
    """The file of the same folder and stem as a network: `net.caffemodel` for `net.prototxt` and `net.prototxt.j2`."""
    return os.path.splitext(target_name(path))[0] + suffix


def weights_beside(path: str) -> str:
    """The caffemodel that goes with a network, whether it exists or not."""
    return beside(path, ".caffemodel")


# ---------------------------------------------------------------- what is no network of its own


def _parts(tasks: List[Task], named: Iterable[str]) -> Dict[str, None]:
    """The plain `.j2` files that only serve other templates."""
    templates = [task.source for task in tasks if not task.problem and is_template(task.source)]
    plain = {
        os.path.realpath(path): path for path in templates
        if not path.endswith(NETWORK + TEMPLATE) and path not in named
    }
    if not plain:
        return {}
    from prototools.rendering import parts_named

    used = {os.path.realpath(part) for path in templates for part in _readable(parts_named, path)}
    return {path: None for real, path in plain.items() if real in used}


def _readable(parts_named, path: str) -> List[str]:
    """A template's parts; a broken template has none, and says so when it is rendered."""
    try:
        return parts_named(path)
    except PrototoolsError:
        return []


# ---------------------------------------------------------------- targets


def _refuse_collisions(tasks: List[Task]) -> None:
    """One file for each target, and no target that is a source."""
    sound = [task for task in tasks if not task.problem]
    sources = {os.path.realpath(task.source): task.source for task in sound}
    weighed = {task: weights_beside(task.source) for task in sound if os.path.isfile(weights_beside(task.source))}
    sources.update((os.path.realpath(weights), weights) for weights in weighed.values())
    makers: Dict[str, str] = {}
    found = []
    for task in sound:
        for target in (task.target, *([weights_beside(task.target)] if task in weighed else [])):
            real = os.path.realpath(target)
            other = makers.setdefault(real, task.source)
            if other != task.source:
                found.append(f"{other} and {task.source} would both go to {target}")
                break
            if real in sources:
                found.append(f"{task.source} would be written over {sources[real]}")
                break
    if found:
        more = f"; and {len(found) - SHOWN} more" * (len(found) > SHOWN)
        raise BatchError(f"every file must have a target of its own, but {'; '.join(found[:SHOWN])}{more}. "
                         "Give another folder, or the sources one by one")


def make_folder(target: str) -> None:
    """The folder of a target; raises `FileError` with the system's reason."""
    try:
        os.makedirs(os.path.dirname(target) or os.curdir, exist_ok=True)
    except OSError as error:
        raise files.FileError(f"{target}: cannot be written: {error.filename}: {error.strerror}") from None
