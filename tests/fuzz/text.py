"""Fuzz the parser and the rewriter: `python tests/fuzz/text.py [-max_total_time=600] FOLDER...`.

Needs atheris (`pip install atheris`). Seeds are files, such as the corpus; what libFuzzer finds is
stored as crash-* in the current folder, and kept as a case in tests/cases/fuzz when it is mended.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["prototools"]):
    from prototools import parse, rewrite
    from prototools.errors import PrototoolsError


def judge(data: bytes) -> None:
    """A tree is its text; a rewrite is a result or an error of ours, and doing it again changes nothing."""
    try:
        document = parse(data)
    except PrototoolsError:
        return
    if document.source() != data:
        raise AssertionError("the tree lost bytes")
    try:
        result = rewrite(data)
    except PrototoolsError:
        return
    again = rewrite(result.text)
    if again.text != result.text or len(again.refusals) != len(result.refusals):
        raise AssertionError("a second run is not the same")


if __name__ == "__main__":
    atheris.Setup(sys.argv, judge)
    atheris.Fuzz()
