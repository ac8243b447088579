"""How a file writes things, and writing new fields the same way."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Dict, Iterator, List, NamedTuple, Union

if TYPE_CHECKING:
    from fractions import Fraction

Value = Union[str, "Word", bool, int, float, "Fraction", dict, list, tuple]


class Word(str):
    """The name of a choice (an enumeration's value), written without quotes."""


class Style(NamedTuple):
    """A file's habits: its newline, one step of indent, and what stands before a brace."""

    newline: bytes = b"\n"
    indent: bytes = b"  "
    brace: bytes = b" {"

    @classmethod
    def of(cls, data: bytes) -> Style:
        """The habits that the most lines of a file agree on."""
        return _style(data)


@lru_cache(maxsize=1)
def _style(data: bytes) -> Style:
    """The last file's habits are kept, because every layer that is placed in it asks for them."""
    sample = data[:50_000]
    newline = b"\r\n" if sample.count(b"\r\n") * 2 > sample.count(b"\n") else b"\n"
    if b"\n" not in sample and b"\r" in sample:
        newline = b"\r"
    return Style(newline, _indent(sample), _brace(sample))


def _indent(sample: bytes) -> bytes:
    """The smallest indent that is used for many lines; two spaces where there is none."""
    seen: Dict[bytes, int] = {}
    for found in re.finditer(rb"(?:\A|[\r\n])([ \t]+)[A-Za-z_]", sample):
        seen[found.group(1)] = seen.get(found.group(1), 0) + 1
    often = [indent for indent, count in seen.items() if count * 20 >= sum(seen.values())]
    return min(often, key=len) if often else b"  "


def _brace(sample: bytes) -> bytes:
    found = re.findall(rb"[A-Za-z0-9_]([ \t]*:?[ \t]*\{)", sample)
    return max(sorted(set(found)), key=found.count) if found else b" {"


def write_fields(
    fields: Dict[str, Value], style: Style, depth: int = 0, one_line: bool = False
) -> bytes:
    """Fields as text: a dictionary in its order, a list for a repeated field, a dictionary for a message.

    Every line but the first is indented by `depth` steps, and there is no newline at the end.
    With `one_line` everything stands on one line.
    Only spellings that every protobuf reader takes are written.
    """
    joint = b" " if one_line else style.newline + style.indent * depth
    return joint.join(_field(*pair, style, depth, one_line) for pair in _pairs(fields))


def _pairs(fields: Dict[str, Value]) -> Iterator[tuple]:
    for name, value in fields.items():
        for element in value if isinstance(value, (list, tuple)) else [value]:
            yield name, element


def _field(name: str, value: Value, style: Style, depth: int, one_line: bool) -> bytes:
    start = name.encode("ascii")
    if not isinstance(value, dict):
        return start + b": " + literal(value)
    brace = start + style.brace
    if not value:
        return brace + b" }"
    inner = write_fields(value, style, depth + 1, one_line)
    if one_line:
        return brace + b" " + inner + b" }"
    inside, outside = style.newline + style.indent * (depth + 1), style.newline + style.indent * depth
    return brace + inside + inner + outside + b"}"


def literal(value: Value) -> bytes:
    """One value as text: a string in double quotes, a Word bare, a float in its shortest form."""
    if isinstance(value, Word):
        return value.encode("latin-1")
    if isinstance(value, str):
        return quoted(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, bool):
        return b"true" if value else b"false"
    number = float(value)
    if isinstance(value, int) or number.is_integer() and abs(number) < 1e15:
        return b"%d" % int(value)
    return repr(number).encode("ascii")


def quoted(value: bytes) -> bytes:
    """Bytes as a string literal: printable ASCII as it is, the rest in octal."""
    pieces: List[bytes] = []
    for byte in value:
        if byte in b'"\\':
            pieces.append(b"\\" + bytes([byte]))
        elif 0x20 <= byte < 0x7F:
            pieces.append(bytes([byte]))
        else:
            pieces.append(b"\\%03o" % byte)
    return b'"' + b"".join(pieces) + b'"'
