"""The text carrier: a prototxt's fields, each with the blanks and comments that belong to it.

What stands behind a field on its last line is its `trail`; what stands between the field before it and
itself is its `lead`. A field that stays where it is keeps both, byte for byte. One that is moved takes
its comments along, as lines `above` it and as a remark `behind` it. `layout` writes the result.
"""

from __future__ import annotations

import re
from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple

from prototools.errors import PrototoolsError
from prototools.prototext import Document, Scalar, grammar, values
from prototools.prototext import Message as Tree
from prototools.prototext.places import error_at, place_of
from prototools.prototext.style import literal
from prototools.upgrading import message
from prototools.upgrading.message import Value
from prototools.upgrading.statements import REST_OF_LINE, Span, Statement, statements


class TextField(message.Field):
    """A field of a file, or a new one, which has no `home` and no span.

    `data[start:stop]` is the field with its separator, or the whole list where it stands in one;
    `data[begin:end]` is the value of a scalar or of a list's element, or the message with its name.
    `home` is the message that it stands in as the author put it, None once it was moved.
    `fresh` says that it begins a line.
    """

    data = lead = trail = behind = b""
    start = stop = begin = end = 0
    fresh = False
    home: Optional[TextMessage] = None
    #: The message's place in the tree; None for a scalar.
    tree: Optional[Tree] = None
    listed: Optional[Listed] = None
    above: Sequence[bytes] = ()
    #: A scalar's value as it is to be written, where it is not that of the file.
    given: Optional[bytes] = None
    #: The message inside, once somebody looked into it.
    inside: Optional[TextMessage] = None

    def __init__(self, name: str):
        self.name = self.written = name

    @property
    def changed(self) -> bool:
        """Whether the field differs from what the file says."""
        if self.name != self.written:
            return True
        if self.inside is not None:
            return self.inside.changed
        return self.given is not None and self.given != self.data[self.begin : self.end]

    @property
    def literal(self) -> bytes:
        """A scalar's value as it is to be written."""
        return self.data[self.begin : self.end] if self.given is None else self.given

    @property
    def line(self) -> Optional[int]:  # type: ignore[override]
        """The line of the file that the field begins on."""
        return place_of(self.data, self._first())[0] if self.stop else None

    def _first(self) -> int:
        """The first byte of the field, or of its value where it stands in a list."""
        return self.start if self.listed is None else self.begin

    # ------------------------------------------------------------ reading

    @property
    def message(self) -> TextMessage:  # type: ignore[override]
        """The fields inside; an error where the field is a scalar."""
        if self.inside is None:
            if self.tree is None:
                raise self.error(f"{self.name} must be a message in braces")
            self.inside = TextMessage(self.tree)
        return self.inside

    @property
    def is_message(self) -> bool:
        """Whether the field holds a message."""
        return self.inside is not None or self.tree is not None

    def count(self, name: str) -> int:
        """How many messages of that name are inside, without a closer look."""
        if self.inside is not None:
            return sum(field.is_message for field in self.inside.all(name))
        return 0 if self.tree is None else sum(child.name == name for child in self.tree.children)

    def mentions(self, word: bytes) -> bool:
        """Whether a word may stand inside; true where only a closer look can tell."""
        return self.inside is not None or self.data.find(word, self.begin, self.end) >= 0

    def all_match(self, name: str, pattern: re.Pattern[bytes]) -> bool:
        """Whether all messages of that name are written as a pattern has it."""
        return self.inside is None and self.tree is not None and all(
            pattern.fullmatch(child.data, child.body_start, child.body_stop)
            for child in self.tree.children if child.name == name
        )

    def _scalar(self) -> Scalar:
        """The value as a scalar of the tree, for the rules of reading values."""
        if self.is_message:
            raise self.error(f"{self.name} must be a value, but found a message")
        if self.given is None:
            return Scalar(self.name, self.start, self.begin, self.end, self.data)
        return Scalar(self.name, 0, 0, len(self.given), self.given)

    def string(self) -> str:
        """The value of a string."""
        return values.string(self._scalar())

    def word(self) -> str:
        """The name of an enumeration's value, or its number; a name in quotes counts too."""
        return self.string() if self.literal[:1] in (b'"', b"'") else values.word(self._scalar())

    def number(self) -> float:
        """The value of a float."""
        return values.number(self._scalar())

    def error(self, sentence: str) -> PrototoolsError:
        """An error at this field's place."""
        return error_at(self.data, self.begin, sentence) if self.stop else PrototoolsError(sentence)

    # ------------------------------------------------------------ editing

    def assign(self, value: Value) -> None:
        """Give a scalar another value."""
        self.given = literal(value)

    def copy(self, other: message.Field) -> None:
        """Give a scalar another one's value, spelt as there."""
        self.given = other.literal  # type: ignore[attr-defined]

    def leave(self) -> None:
        """Stand no longer where the author put it: only its comments come along."""
        if self.home is not None:
            between = self.listed.loose(self) if self.listed else self.data[self.end : self.stop]
            self.above = _lines(self.lead) + comments(between)
            self.behind = self.trail.rstrip() if b"#" in self.trail else b""
            self.home = None

    def comments(self) -> List[bytes]:
        """Every comment above, inside and behind a field that has left its place."""
        inside = self.data[self._first() : self.end]
        return [line for line in self.above if line] + comments(inside) + comments(self.behind)


class Listed(NamedTuple):
    """A field with a list of values in brackets, which stays one field as long as all of it stays."""

    start: int
    stop: int
    fields: Tuple[TextField, ...]

    def whole(self, fields: Sequence[TextField]) -> bool:
        """Whether all values stand in their order and unchanged among these."""
        kept = [field for field in fields if field.listed is self]
        return tuple(kept) == self.fields and not any(field.changed or field.home is None for field in kept)

    def loose(self, field: TextField) -> bytes:
        """What stands in the brackets between the value before a field and the field itself."""
        place = self.fields.index(field)
        start = self.fields[place - 1].end if place else self.start
        rest = field.data[field.end : self.stop] if place == len(self.fields) - 1 else b""
        return field.data[start : field.begin] + b"\n" + rest


class TextMessage(message.Message):
    """The fields of a message in a file (`tree`), or of a new one.

    `head` is the rest of the line behind the opening bracket, `tail` what stands before the closing one.
    `flat` asks for one line.
    """

    def __init__(self, tree: Optional[Tree], fields: Sequence[TextField] = (), flat: bool = False):
        self.tree, self.flat = tree, flat
        self.head = self.tail = b""
        self.written: Sequence[TextField] = ()
        self._fields: Optional[List[TextField]] = list(fields) if tree is None else None

    @property
    def fields(self) -> List[TextField]:  # type: ignore[override]
        """All fields, read from the file when they are first asked for."""
        if self._fields is None:
            self._fields = list(self._from_file())
            self.written = tuple(self._fields)
        return self._fields

    def _from_file(self) -> Iterator[TextField]:
        tree: Tree = self.tree  # type: ignore[assignment]
        data, stop, position = tree.data, tree.body_stop, tree.body_start
        fresh = isinstance(tree, Document)
        if not fresh:
            position = REST_OF_LINE.match(data, position, stop).end()
            self.head = data[tree.body_start : position]
            fresh = bool(self.head)
        for statement in statements(tree):
            fields = [self._field(data, statement, value) for value in statement.values]
            if statement.is_list:
                shared = Listed(statement.start, statement.stop, tuple(fields))
                for field in fields:
                    field.listed = shared
            first, last = fields[0], fields[-1]
            first.lead, last.trail = data[position : statement.start], data[statement.stop : statement.end]
            first.fresh = fresh or b"\n" in first.lead or b"\r" in first.lead
            yield from fields
            position, fresh = statement.end, statement.end > statement.stop
        self.tail = data[position:stop]

    def _field(self, data: bytes, statement: Statement, value: Span) -> TextField:
        field = TextField(value[0])
        field.data, field.home, field.start, field.stop = data, self, statement.start, statement.stop
        field.begin, field.end, field.tree = value[1:]
        return field

    @property
    def changed(self) -> bool:
        """Whether the message differs from what the file says."""
        if self._fields is None:
            return False
        return len(self._fields) != len(self.written) or any(
            now is not then or now.changed for now, then in zip(self._fields, self.written)
        )

    def take(self, field: TextField) -> TextField:  # type: ignore[override]
        """Take a field out, with its comments, to put it elsewhere."""
        field.leave()
        self.fields.remove(field)
        return field

    def drop(self, field: TextField) -> None:  # type: ignore[override]
        """Take a field out for good; its comments stay in its place."""
        place = self.fields.index(field)
        self._remark(place, self.take(field).comments())

    def scalar(self, name: str, value: Value) -> TextField:
        """A new field, not yet entered."""
        made = TextField(name)
        made.assign(value)
        return made

    def group(self, name: str, fields: Sequence[TextField], flat=False) -> TextField:  # type: ignore[override]
        """A new message of fields, not yet entered."""
        made = TextField(name)
        made.inside = TextMessage(None, fields, flat)
        return made

    def gather(self, name: str, fields: Sequence[TextField], flat=False) -> TextField:  # type: ignore[override]
        """Move fields into a new message; what stands above the topmost then stands above the message."""
        topmost = min(fields, key=self.fields.index)
        group = super().gather(name, fields, flat)
        group.above, topmost.above = topmost.above, []
        for field in fields:
            field.above = [line for line in field.above if line]
        return group

    def unwrap(self, field: TextField) -> None:  # type: ignore[override]
        """Put the fields of a message in its place; its own comments stay above and below them."""
        place, inner = self.fields.index(field), field.message
        count = len(inner.fields)
        field.leave()
        super().unwrap(field)
        self._remark(place + count, comments(inner.tail) + comments(field.behind))
        opening = field.data[field._first() : inner.tree.body_start] + inner.head
        self._remark(place, field.above + comments(opening))

    def _remark(self, place: int, lines: List[bytes]) -> None:
        """Enter comments alone."""
        if any(lines):
            remark = TextField("")
            remark.above = lines
            self.fields.insert(place, remark)


def _lines(lead: bytes) -> List[bytes]:
    """The whole lines in front of a field: comments, and empty ones."""
    newline = b"\n" if b"\n" in lead else b"\r"
    return [line.strip() for line in lead.split(newline)[:-1]]


def comments(data: bytes) -> List[bytes]:
    """The comments in a span, each without its line's end."""
    return [found.group(1).rstrip() for found in grammar.STRING_OR_COMMENT.finditer(data) if found.group(1)]
