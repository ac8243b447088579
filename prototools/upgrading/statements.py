"""Where every field of a message stands: its name, its value, its separator and the rest of its line."""

from __future__ import annotations

import re
from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple

from prototools.prototext import Message, Scalar, grammar

_REST = rb"(?:[ \t\f\v]*(?:#[^\n]*(?:\n|\Z)|\r\n?|\n)|)"
#: The rest of a line: blanks, a comment, the line's end; nothing where another field stands on it.
REST_OF_LINE = re.compile(_REST)
#: Behind a value: a separator, its end as an empty group, and the rest of the line.
AFTER_VALUE = re.compile(rb"(?:" + grammar.BLANK + rb"[,;])?()" + _REST)
LIST_START, LIST_END = 0x5B, 0x5D

#: A value: its field's name, where it begins and ends, and the message itself where it is one.
Span = Tuple[str, int, int, Optional[Message]]


class Statement(NamedTuple):
    """A field as it is written: from its name to its separator, to the end of the line; several values in a list."""

    start: int
    stop: int
    end: int
    values: Sequence[Span]
    is_list: bool


def statements(message: Message) -> Iterator[Statement]:
    """Every field of a message of a file; an empty list counts as a blank."""
    data, stop = message.data, message.body_stop
    children = message.children[::-1]
    start = grammar.LEADING_BLANK.match(data, message.body_start, stop).end()
    while start < stop:
        values, end, is_list = _values(message, start, children)
        after = AFTER_VALUE.match(data, end, stop)
        if values:
            yield Statement(start, after.start(1), after.end(), values, is_list)
        start = grammar.LEADING_BLANK.match(data, after.end(), stop).end()


def _values(message: Message, start: int, children: List[Message]) -> Tuple[Sequence[Span], int, bool]:
    """The values of the field that begins at a byte, where they end, and whether they are a list.

    `children` are the messages from there on, the last first.
    """
    if children and children[-1].start == start:
        child = children.pop()
        return ((child.name, start, child.stop, child),), child.stop, False
    scalar = grammar.SCALAR_PARTS.match(message.data, start, message.body_stop)
    if scalar is None:
        return (*_messages(message, start, children), True)
    begin, end = scalar.span(2)
    name = scalar.group(1).decode("ascii", "replace")
    if message.data[begin] == LIST_START:
        nodes = (node for node in message.all(name) if isinstance(node, Scalar) and node.field_start == start)
        return [(name, node.start, node.stop, None) for node in nodes], end, True
    return ((name, begin, end, None),), end, False


def _messages(message: Message, start: int, children: List[Message]) -> Tuple[Sequence[Span], int]:
    """The values of a list of messages, and where it ends."""
    data, stop = message.data, message.body_stop
    empty = grammar.EMPTY_LIST.match(data, start, stop)
    if empty is not None:
        return (), empty.end()
    values: List[Span] = []
    end = start
    while not values or data[end - 1] != LIST_END:
        child = children.pop()
        values.append((child.name, child.start, child.stop, child))
        end = grammar.LEADING_BLANK.match(data, child.stop, stop).end() + 1
    return values, end
