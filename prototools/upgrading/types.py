"""What the type of a V1 layer means: Caffe's enumeration, forks' additions, and loose spellings."""

from __future__ import annotations

import re
from typing import Mapping, Optional

from prototools.legacy import FORK_TYPES
from prototools.net import V1_NUMBERS, V1_TYPES
from prototools.upgrading.message import Field

#: A name in the current spelling; V1's have no small letters, V0's no capitals.
CURRENT = re.compile(r"[A-Z]\w*[a-z]\w*\Z")


def v1_type(field: Field) -> str:
    """The enumeration's name, whether it is written as name or as number, bare or in quotes."""
    written = field.word()
    if written.isdigit() and int(written) < len(V1_NUMBERS):
        return V1_NUMBERS[int(written)]
    return written


def current_type(field: Field, given: Mapping[str, str]) -> str:
    """The type of today for a V1 type; `given` are the user's own answers.

    A name in the current spelling, which Caffe would refuse in V1, is taken as it is.
    Raises an error at the field's place where the name is not known.
    """
    written = v1_type(field)
    for known in (given, V1_TYPES, FORK_TYPES):
        if written in known:
            return known[written]
    found = written if CURRENT.match(written) else _younger(written)
    if found is None:
        raise field.error(f"type must be a V1 type of Caffe or of a known fork, but found {written}; "
                          f"say what it is called today with --type {written}=NAME")
    return found


def _younger(written: str) -> Optional[str]:
    """A stock layer that came after V1, written in V1's manner: BATCH_NORM."""
    from prototools.layer_types import STOCK_TYPES

    return {name.lower(): name for name in STOCK_TYPES}.get(written.replace("_", "").lower())
