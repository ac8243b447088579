"""Placeholders of templates in plain prototxt: `$NAME`, `${NAME}` and `$NAME$`, as FlowNet's scripts have them.

A text with placeholders is read through a mask of the same length: where one stands for a value the mask
has a word, so that every place stays what it is. Inside strings and comments nothing is masked.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping

from prototools.prototext import grammar

_SIGNS = bytes.maketrans(b"${}", b"___")


class Masked(bytes):
    """A text with words in place of its placeholders; `original` is the text itself."""

    original: bytes


def masked(data: bytes) -> bytes:
    """The text as it is parsed; the text itself where no placeholder stands for a value."""
    if b"$" not in data:
        return data
    mask = grammar.PLACEHOLDER_OR_QUOTED.sub(_as_word, data)
    if mask == data:
        return data
    text = Masked(mask)
    text.original = data
    return text


def _as_word(found: re.Match) -> bytes:
    text = found.group()
    return text.translate(_SIGNS) if text[:1] == b"$" else text


def original(data: bytes) -> bytes:
    """The text behind a mask."""
    return data.original if isinstance(data, Masked) else data


def names(data: bytes) -> List[str]:
    """The names of a text's placeholders, each once, in order."""
    return list(dict.fromkeys(map(_name, grammar.PLACEHOLDER.finditer(data))))


def values_of(data: bytes, start: int, stop: int) -> List[str]:
    """The names of the placeholders that stand for values in a span of a masked text, each once, in order."""
    if not isinstance(data, Masked):
        return []
    found = grammar.PLACEHOLDER.finditer(data.original, start, stop)
    return list(dict.fromkeys(_name(one) for one in found if data[one.start()] != ord("$")))


def _name(found: re.Match) -> str:
    return (found.group(1) or found.group(2)).decode("ascii")


def texts(values: Mapping[str, Any]) -> Dict[str, str]:
    """Values as they stand in prototxt."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}


def filled(data: bytes, values: Mapping[str, str]) -> bytes:
    """The text with the placeholders replaced, wherever they stand, for which there is a value."""
    def value(found: re.Match) -> bytes:
        name = _name(found)
        return values[name].encode("utf-8", "surrogateescape") if name in values else found.group()

    return grammar.PLACEHOLDER.sub(value, data) if values else data
