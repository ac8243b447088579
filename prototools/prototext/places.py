"""Places in a text, for people: lines and columns, and errors that know theirs."""

from __future__ import annotations

from typing import Tuple

from prototools.errors import ProtoTextError
from prototools.prototext.placeholders import original


def place_of(data: bytes, position: int) -> Tuple[int, int]:
    """Line and column of a byte, both from 1, columns in bytes."""
    return data.count(b"\n", 0, position) + 1, position - data.rfind(b"\n", 0, position)


def error_at(data: bytes, position: int, message: str) -> ProtoTextError:
    """An error at a byte of a text, with its line for the caret."""
    data = original(data)
    line, column = place_of(data, position)
    start = position - column + 1
    stop = data.find(b"\n", start)
    source = data[start : len(data) if stop < 0 else stop]
    return ProtoTextError(message, line, column, source.rstrip(b"\r"))
