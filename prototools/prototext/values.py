"""What a literal means, by the rules of protobuf's C++ reader, which are Caffe's.

Python's own protobuf readers differ from it in small ways: `010` is eight, `08` is an error,
`1F` is a float, `\\?` is a question mark and a float is rounded to 32 bits.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

from prototools.prototext import grammar

if TYPE_CHECKING:
    from prototools.prototext.tree import Scalar

SIMPLE = dict(zip(b"abfnrtv", b"\a\b\f\n\r\t\v"))
#: The largest 32-bit float, and half its distance to the next power of two above it.
LARGEST = float.fromhex("0x1.fffffep+127")
HALF_A_STEP_MORE = float.fromhex("0x1.ffffffp+127")
TRUE, FALSE = (b"true", b"True", b"t"), (b"false", b"False", b"f")


def _signed(scalar: Scalar) -> bytes:
    """The literal with blanks and comments between a sign and its number left out."""
    literal = scalar.literal
    if literal[:1] != b"-":
        return literal
    return b"-" + literal[grammar.LEADING_BLANK.match(literal, 1).end() :]


def _integer(literal: bytes):
    """The value of an integer literal, or None where it is none."""
    found = grammar.INTEGER.match(literal)
    if found is None:
        return None
    sign, hexadecimal, octal, decimal = found.groups()
    size = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal)
    return -size if sign else size


def integer(scalar: Scalar) -> int:
    """A whole number: decimal, `0x` hexadecimal, or octal after a leading zero."""
    value = _integer(_signed(scalar))
    if value is None:
        raise scalar.error("a whole number")
    return value


def number(scalar: Scalar) -> float:
    """A float, rounded to the nearest 32-bit float as Caffe stores it; out of range is infinite.

    Half a step above the largest float is still that float (protobuf's SafeDoubleToFloat).
    """
    value = double(scalar)
    if abs(value) > LARGEST and math.isfinite(value):
        value = math.copysign(LARGEST if abs(value) <= HALF_A_STEP_MORE else math.inf, value)
    return struct.unpack("f", struct.pack("f", value))[0]


def double(scalar: Scalar) -> float:
    """A number of 64 bits."""
    literal = _signed(scalar)
    if grammar.INFINITY_OR_NAN.match(literal):
        return float(literal)
    if grammar.OCTAL_OR_HEX.match(literal) or not grammar.DECIMAL.match(literal):
        raise scalar.error("a decimal number")
    return float(literal.rstrip(b"fF"))


def boolean(scalar: Scalar) -> bool:
    """A truth value: true, True, t or 1; false, False, f or 0, the digits in any base."""
    literal = scalar.literal
    if literal in TRUE:
        return True
    if literal in FALSE:
        return False
    value = None if literal.startswith(b"-") else _integer(literal)
    if value not in (0, 1):
        raise scalar.error("true or false")
    return bool(value)


def word(scalar: Scalar) -> str:
    """An enumeration's name as it is written, or its number in decimal."""
    literal = _signed(scalar)
    value = _integer(literal)
    if value is not None:
        return str(value)
    if literal[:1] in b"\"'-." or literal[:1].isdigit():
        raise scalar.error("the name of a choice, without quotes")
    return literal.decode("ascii")


def string(scalar: Scalar) -> str:
    """A string: adjacent pieces joined, escapes decoded, bytes outside UTF-8 as surrogates."""
    return string_bytes(scalar).decode("utf-8", "surrogateescape")


def string_bytes(scalar: Scalar) -> bytes:
    """A string's bytes as Caffe's reader stores them."""
    literal = scalar.literal
    if literal[:1] not in (b'"', b"'"):
        raise scalar.error("a string in quotes")
    if literal.find(literal[:1], 1) == len(literal) - 1 and b"\\" not in literal:
        return literal[1:-1]
    pieces, position = [], 0
    while position < len(literal):
        found = grammar.ONE_QUOTED.match(literal, position)
        pieces.append(grammar.ESCAPED.sub(_unescape, found.group()[1:-1]))
        position = grammar.LEADING_BLANK.match(literal, found.end()).end()
    return b"".join(pieces)


def _unescape(found) -> bytes:
    """One escape as bytes: octal wraps at 256, a surrogate pair becomes one code point."""
    escape, high, low = found.group(0, 1, 2)
    if high:
        return _utf8(0x10000 + ((int(high, 16) - 0xD800) << 10) + (int(low, 16) - 0xDC00))
    letter = escape[1:2]
    if letter in b"01234567":
        return bytes([int(escape[1:], 8) & 0xFF])
    if letter == b"x":
        return bytes([int(escape[2:], 16)])
    if letter in (b"u", b"U"):
        return _utf8(int(escape[2:], 16))
    return bytes([SIMPLE.get(letter[0], letter[0])])


def _utf8(code: int) -> bytes:
    """The UTF-8 pattern of any code up to 0x1FFFFF, as the C++ reader writes it unchecked."""
    if code < 0x110000:
        return chr(code).encode("utf-8", "surrogatepass")
    return bytes([0xF0 | code >> 18, *(0x80 | code >> shift & 0x3F for shift in (12, 6, 0))])
