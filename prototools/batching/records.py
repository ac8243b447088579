"""What a batch remembers, so that a file whose inputs and targets are the same is not done again.

One file of JSON in the target folder has a record for each target that was made whole.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from time import monotonic
from typing import Any, Dict, Iterable, List, NamedTuple, Optional

from prototools import __version__, files
from prototools.batching.sources import Task, is_template, make_folder, weights_beside

#: Where the records stand, below the target folder.
STATE = os.path.join(".prototools", "batch.json")


#: How often they are written while a batch runs.
SECONDS = 10.0


class Record(NamedTuple):
    """How a target was made: the hash of all that went in, the templates asked for, the hashes of what came out."""

    key: str
    parts: List[str]
    made: List[Optional[str]]


def fresh(before: Record, task: Task, data: bytes, weights: Optional[str], settings: Any) -> bool:
    """Whether doing a file again would give the targets that are there."""
    return (
        before.made == [file_hash(task.target), file_hash(weights_beside(task.target)) if weights else None]
        and before.made[0] is not None and (not weights or before.made[1] is not None)
        and before.key == seen(task, data, weights, settings, before.parts)
    )


def record(task: Task, key: str, parts: Iterable[str], weights: Optional[str], text: bytes) -> Record:
    """The record of a target that has just been written, from what was `seen` before."""
    made = [sha256(text).hexdigest(), file_hash(weights_beside(task.target)) if weights else None]
    return Record(key, list(parts), made)


def seen(task: Task, data: bytes, weights: Optional[str], settings: Any, parts: Iterable[str]) -> str:
    """The hash of all that a result depends on: this version, the options, and the inputs' bytes."""
    import json

    inputs = [__version__, settings, is_template(task.source), sha256(data).hexdigest(), weights and file_hash(weights)]
    for part in parts:
        from prototools.rendering import find_part

        inputs.append([part, file_hash(find_part(task.source, part))])
    return sha256(json.dumps(inputs, sort_keys=True, default=repr).encode("ascii")).hexdigest()


def file_hash(path: Optional[str]) -> Optional[str]:
    """The SHA-256 of a file's bytes, in hexadecimal; None where it cannot be read."""
    digest = sha256()
    try:
        with open(path or "", "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()


class Records:
    """The records of one target folder. What cannot be read of them is as if it were not there."""

    def __init__(self, out: str):
        self.out = out
        self.path = os.path.join(out, STATE)
        self.changed = False
        self.saved = monotonic()
        self.records: Dict[str, Record] = {}
        self._load()

    def _load(self) -> None:
        import json

        try:
            for target, (key, parts, made) in json.loads(files.read(self.path))["targets"].items():
                self.records[target] = Record(key, list(map(os.fspath, parts)), made)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self.records = {}

    def get(self, task: Task) -> Optional[Record]:
        """What is remembered of a task's target."""
        return self.records.get(self._name(task))

    def put(self, task: Task, new: Optional[Record]) -> None:
        """Remember a target, or forget it."""
        if self.get(task) != new:
            self.changed = True
            self.records.pop(self._name(task), None)
            if new:
                self.records[self._name(task)] = new

    def _name(self, task: Task) -> str:
        return os.path.relpath(task.target, self.out)

    def save(self) -> None:
        """Write the records if they changed."""
        if self.changed:
            import json

            make_folder(self.path)
            text = json.dumps({"prototools": __version__, "targets": self.records}, indent=0, sort_keys=True)
            files.write(self.path, text.encode("ascii") + b"\n")
            self.changed = False

    def save_now_and_then(self) -> None:
        """Write the records if that was long ago, so that a batch that is killed is not forgotten."""
        if monotonic() - self.saved > SECONDS:
            self.saved = monotonic()
            with suppress(files.FileError):
                self.save()
