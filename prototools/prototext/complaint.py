"""Why a text is no text format: the parser only knows where, this module finds the words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, List, Tuple

from prototools.errors import ProtoTextError, shortened
from prototools.prototext import grammar
from prototools.prototext.places import error_at

if TYPE_CHECKING:
    from prototools.prototext.tree import Message

#: What stands at the place, and the sentence for it; the first row that matches is used.
AT_FIELD: List[Tuple[bytes, str]] = [
    (rb"\xef\xbb\xbf", "the file must not begin with a byte order mark; save it as UTF-8 without BOM"),
    (rb"\xff\xfe|\xfe\xff", "the file must not be UTF-16; save it as UTF-8 without BOM"),
    (rb"\0", "a NUL byte is not allowed; is this a binary file?"),
    (rb"<<<<<<<|=======|>>>>>>>", "a merge conflict marker; resolve the conflict first"),
    (rb"\{[{%#]|(?<=\{)[{%]", "template code ({{ or {%) must be rendered first (prototools render)"),
    (rb"//|/\*", "comments must begin with #"),
    (rb"\$", "a placeholder must be filled in first (prototools render -D): the name of a field must stand here"),
    (rb"[,;]", "a separator must follow a field, and only one"),
    (rb"[{<]", "a message must have a field's name before its bracket"),
    (rb"\]", "a closing ] has no opening ["),
    (grammar.QUOTED, "a field's name must stand here, without quotes, but a string was found"),
    (rb"[+-]?\.?[0-9]", "a field's name must stand here, but a number was found"),
    (rb"[\x80-\xff]", "only ASCII is allowed outside strings and comments"),
]
AFTER_NAME: List[Tuple[bytes, str]] = [
    (rb"\Z", "the file ends after {name}; a value must follow"),
    (rb"=", "{name} must be followed by a colon, not by ="),
    (rb"::", "{name} must be followed by one colon"),
    (rb":(?=\s*\Z)", "the file ends after {name}; a value must follow"),
    (rb"(?=[^:])", "{name} must be followed by a colon and a value, or by a message in braces"),
]
AS_VALUE: List[Tuple[bytes, str]] = [
    (rb"\Z", "the file ends after {name}; a value must follow"),
    (rb"\$", "{name}: a placeholder must be filled in first (prototools render -D)"),
    (rb"\{[{%]", "{name}: template code must be rendered first (prototools render)"),
    (rb"[-+]?[0-9.]", "{name}: not a number that text format knows"),
    (rb"-", "{name}: a number must follow the minus sign"),
    (rb"[\x80-\xff]", "{name}: only ASCII is allowed outside strings and comments"),
    (rb"\0", "{name}: a NUL byte is not allowed"),
]
IN_LIST: List[Tuple[bytes, str]] = [
    (rb"\Z", "{name}: the file ends inside a list; a ] must close it"),
    (rb"[\[{<]", "{name}: a list of values must hold no list and no message"),
    (rb"[,\]]", "{name}: a list must hold values with one comma between them, and none behind the last"),
]
IN_STRING: List[Tuple[bytes, str]] = [
    (rb"\\(?!\n|\Z)", "an escape in a string must be \\a \\b \\f \\n \\r \\t \\v \\\\ \\' \\\" \\? or octal,"
     " or \\x, \\u or \\U with the hexadecimal digits it needs"),
    (rb"\0", "a NUL byte is not allowed in a string"),
]


def complain(data: bytes, position: int, message: Message, in_list: bool = False) -> ProtoTextError:
    """The error for the first byte that cannot be right.

    `position` is where the parser stopped, a field's first byte; `message` is the one it stands in.
    """
    place, sentence = _diagnose(data, position, message, in_list)
    return error_at(data, place, sentence)


def _diagnose(data: bytes, position: int, message: Message, in_list: bool) -> Tuple[int, str]:
    if in_list:
        place = grammar.LEADING_BLANK.match(data, position).end()
        return place, "messages in a list must have one comma between them and ] at the end"
    if data[position : position + 1] in (b"}", b">") and not message.name:
        return position, _of(AT_FIELD[3:4], data, position) or "a closing bracket has no opening one"
    if data[position : position + 1] in (b"}", b">"):
        opened = data[message.body_start - 1 :][:1].decode()
        return position, f"{message.name} was opened with {opened} and must be closed with its partner"
    name = grammar.ONE_NAME.match(data, position)
    if name is None:
        if _begins_string(data, position) and not grammar.ONE_QUOTED.match(data, position):
            return _in_string(data, position)
        return position, _of(AT_FIELD, data, position) or (
            "the name of a field must stand here, but found " + _shown(data, position)
        )
    return _after_name(data, name.end(), name.group().decode("ascii", "replace"))


def _after_name(data: bytes, position: int, name: str) -> Tuple[int, str]:
    place = grammar.LEADING_BLANK.match(data, position).end()
    sentence = _of(AFTER_NAME, data, place)
    if sentence is None:
        place = grammar.LEADING_BLANK.match(data, place + 1).end()
        if data[place : place + 1] == b"[":
            place, sentence = _in_list(data, place)
        else:
            place, sentence = _as_value(data, place)
    return place, sentence.replace("{name}", shortened(name))


def _as_value(data: bytes, place: int) -> Tuple[int, str]:
    if _begins_string(data, place):
        place, sentence = _in_string(data, place)
        return place, "{name}: " + sentence
    sentence = _of(AS_VALUE, data, place)
    return place, sentence or "{name} must be followed by a value, but found " + _shown(data, place)


def _shown(data: bytes, place: int) -> str:
    return ascii(data[place : place + 1].decode("latin-1"))


def _in_list(data: bytes, place: int) -> Tuple[int, str]:
    """The first place in a list of values, from its bracket on, that cannot be right."""
    blank, scalar = grammar.LEADING_BLANK.match, grammar.ONE_SCALAR.match
    place = blank(data, place + 1).end()
    element = scalar(data, place)
    while element:
        place = blank(data, element.end()).end()
        if data[place : place + 1] != b",":
            return place, _of(IN_LIST, data, place) or IN_LIST[-1][1]
        place = blank(data, place + 1).end()
        element = scalar(data, place)
    sentence = _of(IN_LIST, data, place)
    return (place, sentence) if sentence else _as_value(data, place)


def _begins_string(data: bytes, place: int) -> bool:
    return data[place : place + 1] in (b'"', b"'")


def _in_string(data: bytes, place: int) -> Tuple[int, str]:
    """The escape or the byte that a string must not hold, or its first quote where it has no last."""
    stop = grammar.BROKEN_STRING.match(data, place).end()
    sentence = _of(IN_STRING, data, stop)
    return (stop, sentence) if sentence else (
        place, "a string must end on its line, with the quote it began with"
    )


def _of(table: List[Tuple[bytes, str]], data: bytes, place: int):
    for pattern, sentence in table:
        if re.compile(pattern).match(data, place):
            return sentence
    return None
