"""What the type of a V1 layer means: Caffe's enumeration, forks' additions, and loose spellings."""

from __future__ import annotations

from typing import Mapping, Optional

from prototools.legacy import FORK_TYPES
from prototools.net import V1_NUMBERS, V1_TYPES
from prototools.upgrading.message import Field

_CURRENT = frozenset(V1_TYPES.values()) - {""}


def v1_type(field: Field) -> str:
    """The enumeration's name, whether it is written as name or as number, bare or in quotes."""
    written = field.word()
    if written.isdigit() and int(written) < len(V1_NUMBERS):
        return V1_NUMBERS[int(written)]
    return written


def current_type(field: Field, given: Mapping[str, str]) -> str:
    """The type of today for a V1 type; `given` are the user's own answers.

    Raises an error at the field's place where the name is not known.
    """
    written = v1_type(field)
    for known in (given, V1_TYPES, FORK_TYPES):
        if written in known:
            return known[written]
    found = written if written in _CURRENT else _stock_type(written)
    if found is None:
        raise field.error(f"type must be a V1 type of Caffe or of a known fork, but found {written}; "
                          f"say what it is called today with --type {written}=NAME")
    return found


def _stock_type(written: str) -> Optional[str]:
    """A stock layer younger than V1, in the current spelling or in V1's manner: BATCH_NORM."""
    from prototools.shapes import STOCK_TYPES

    squeezed = {name.lower(): name for name in STOCK_TYPES}
    return squeezed.get(written.replace("_", "").lower())
