"""A report over many networks: what was rewritten, into what, and what was refused and why.

`python -m prototools.corpus FOLDER` (or `make corpus-report CORPUS=FOLDER`) tries every file below
a folder, writes nothing, and prints three tables.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from typing import Dict, Iterator, List, NamedTuple, Tuple

from prototools.changes import Result
from prototools.dialects import UNREAD_TYPES
from prototools.errors import PrototoolsError
from prototools.files import read
from prototools.rewriter import rewrite


class Outcome(NamedTuple):
    """One file: its result, or why it could not be read."""

    path: str
    result: Result
    error: str = ""


NOTHING = Result(b"", (), (), ())


def outcomes(folder: str) -> Iterator[Outcome]:
    """Every file below a folder, in order of its path."""
    for path in sorted(_files(folder)):
        name = os.path.relpath(path, folder)
        try:
            yield Outcome(name, rewrite(read(path)))
        except PrototoolsError as error:
            yield Outcome(name, NOTHING, str(error))


def _files(folder: str) -> Iterator[str]:
    for here, _, names in os.walk(folder):
        for name in names:
            if ".prototxt" in name:
                yield os.path.join(here, name)


def tables(found: List[Outcome]) -> Iterator[Tuple[str, List[str], List[tuple]]]:
    """The report as tables: title, headers, rows."""
    custom = [one for one in found if one.result.changes or one.result.refusals]
    yield "Rewritten layers", ["type", "dialect", "lowering", "layers", "files"], _rewritten(custom)
    yield "Refused layers", ["type", "reason", "layers", "files"], _refused(custom)
    yield "Files with custom resize layers", ["file", "rewritten", "refused"], [
        (one.path, len(one.result.changes), len(one.result.refusals)) for one in custom
    ]
    errors = [(one.path, one.error) for one in found if one.error]
    yield "Files that are no text format", ["file", "error"], errors


def _rewritten(found: List[Outcome]) -> List[tuple]:
    layers: Counter = Counter()
    files: Dict[tuple, set] = {}
    for one in found:
        for change in one.result.changes:
            key = (change.type, change.dialect, change.lowering)
            layers[key] += 1
            files.setdefault(key, set()).add(one.path)
    return [(*key, count, len(files[key])) for key, count in layers.most_common()]


def _refused(found: List[Outcome]) -> List[tuple]:
    layers: Counter = Counter()
    files: Dict[tuple, set] = {}
    for one in found:
        for refusal in one.result.refusals:
            key = (refusal.type, _general(refusal.reason))
            layers[key] += 1
            files.setdefault(key, set()).add(one.path)
    return [(*key, count, len(files[key])) for key, count in layers.most_common()]


def _general(reason: str) -> str:
    """A reason without the blob's name and the sizes, so that like reasons are counted together."""
    reason = re.sub(r"^\S+: ", "BLOB: ", reason)
    return re.sub(r"--shape \S+=", "--shape BLOB=", re.sub(r"\b\d+\b", "n", reason))


def main(arguments: List[str]) -> int:
    """Print the report for one folder; 2 where there is nothing to report."""
    from tabulate import tabulate

    found = list(outcomes(arguments[0])) if len(arguments) == 1 and os.path.isdir(arguments[0]) else []
    if not found:
        print("give a folder with prototxt files", file=sys.stderr)
        return 2
    for title, headers, rows in tables(found):
        print(f"{title}\n\n{tabulate(rows, headers)}\n")
    print(_summary(found))
    return 0


def _summary(found: List[Outcome]) -> str:
    custom = [one for one in found if one.result.changes or one.result.refusals]
    whole = [one for one in custom if not one.result.refusals]
    changes = sum(len(one.result.changes) for one in custom)
    refusals = sum(len(one.result.refusals) for one in custom)
    unread = sum(refusal.type in UNREAD_TYPES for one in custom for refusal in one.result.refusals)
    return (
        f"{len(found)} files, {sum(bool(one.error) for one in found)} of them no text format; "
        f"{len(custom)} with custom resize layers, {len(whole)} of these rewritten whole; "
        f"{changes} layers rewritten, {refusals} refused "
        f"({unread} of types that no dialect can read)"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
