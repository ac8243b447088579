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
from prototools.prototext.style import literal
from prototools.prototext.tree import Node, error_at, place_of
from prototools.upgrading import message
from prototools.upgrading.message import Value

#: The rest of a line: blanks, a comment, the line's end; nothing where another field stands on it.
REST_OF_LINE = re.compile(rb"[ \t\f\v]*(?:#[^\n]*(?:\n|\Z)|\r\n?|\n)|")
SEPARATOR = re.compile(grammar.BLANK + rb"[,;]")
LIST = re.compile(grammar.NAME + grammar.COLON + rb"\[")


class Statement(NamedTuple):
    """A field as it is written: its span, separator included, and its values; several in a list."""

    start: int
    stop: int
    nodes: List[Node]
    is_list: bool


class TextField(message.Field):
    """A field of a file (`node` is its place in the tree), or a new one.

    `home` is the message that it stands in as the author put it, None once it was moved.
    `fresh` says that it begins a line.
    """

    __slots__ = ("name", "written", "data", "node", "home", "start", "stop", "lead", "trail", "fresh", "list",
                 "above", "behind", "literal", "inside")

    def __init__(self, name: str, data: bytes = b"", node: Optional[Node] = None, home: Optional[TextMessage] = None):
        self.name = self.written = name
        self.data, self.node, self.home = data, node, home
        self.start = self.stop = 0
        self.lead = self.trail = self.behind = b""
        self.fresh = False
        self.list: Optional[Listed] = None
        self.above: List[bytes] = []
        #: A scalar's value as it is to be written.
        self.literal = node.literal if isinstance(node, Scalar) else b""
        #: The message inside, once somebody looked into it.
        self.inside: Optional[TextMessage] = None

    @property
    def changed(self) -> bool:
        """Whether the field differs from what the file says."""
        if self.name != self.written:
            return True
        if isinstance(self.node, Scalar):
            return self.literal is not self.node.literal and self.literal != self.node.literal
        return self.inside is not None and self.inside.changed

    @property
    def line(self) -> Optional[int]:  # type: ignore[override]
        """The line of the file that the field begins on."""
        return place_of(self.data, self.begin)[0] if self.node is not None else None

    @property
    def begin(self) -> int:
        """The first byte of the field, or of its value where it stands in a list."""
        return self.node.start if self.list is not None and self.node is not None else self.start

    # ------------------------------------------------------------ reading

    @property
    def message(self) -> TextMessage:  # type: ignore[override]
        """The fields inside; an error where the field is a scalar."""
        if self.inside is None:
            if not isinstance(self.node, Tree):
                raise self.error(f"{self.name} must be a message in braces")
            self.inside = TextMessage(self.node)
        return self.inside

    @property
    def is_message(self) -> bool:
        """Whether the field holds a message."""
        return self.inside is not None or isinstance(self.node, Tree)

    def count(self, name: str) -> int:
        """How many messages of that name are inside, without a closer look."""
        if self.inside is not None:
            return sum(field.is_message for field in self.inside.all(name))
        return sum(child.name == name for child in self.node.children) if isinstance(self.node, Tree) else 0

    def _scalar(self) -> Scalar:
        """The value as a scalar of the tree, for the rules of reading values."""
        if self.is_message:
            raise self.error(f"{self.name} must be a value, but found a message")
        if isinstance(self.node, Scalar) and self.literal == self.node.literal:
            return self.node
        return Scalar(self.name, 0, 0, len(self.literal), self.literal)

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
        return PrototoolsError(sentence) if self.node is None else error_at(self.data, self.node.start, sentence)

    # ------------------------------------------------------------ editing

    def assign(self, value: Value) -> None:
        """Give a scalar another value."""
        self.literal = literal(value)

    def copy(self, other: message.Field) -> None:
        """Give a scalar another one's value, spelt as there."""
        self.literal = other.literal  # type: ignore[attr-defined]

    def leave(self) -> None:
        """Stand no longer where the author put it: only its comments come along."""
        if self.home is not None:
            between = self.list.loose(self) if self.list else b""
            self.above = _lines(self.lead) + comments(between)
            self.behind = self._remark()
            self.home = None

    def _remark(self) -> bytes:
        """The comments behind the field on its line, with the blanks in front of them."""
        if self.list is None and b"#" in self.data[self._value_stop() : self.stop]:
            return b"  " + b" ".join(comments(self.data[self._value_stop() : self.stop] + self.trail))
        return self.trail.rstrip() if b"#" in self.trail else b""

    def _value_stop(self) -> int:
        return self.node.stop if self.node is not None else self.stop

    def comments(self) -> List[bytes]:
        """Every comment above, inside and behind a field that has left its place."""
        inside = self.data[self.begin : self._value_stop()]
        return [line for line in self.above if line] + comments(inside) + comments(self.behind)


class Listed(NamedTuple):
    """A field with a list of values in brackets, which stays one field as long as all of it stays."""

    start: int
    stop: int
    fields: Tuple[TextField, ...]

    def whole(self, fields: Sequence[TextField]) -> bool:
        """Whether all values stand in their order and unchanged among these."""
        kept = [field for field in fields if field.list is self]
        return tuple(kept) == self.fields and not any(field.changed or field.home is None for field in kept)

    def loose(self, field: TextField) -> bytes:
        """What stands in the brackets between the value before a field and the field itself."""
        place = self.fields.index(field)
        start = self.fields[place - 1]._value_stop() if place else self.start
        stop = field.node.start if field.node is not None else self.stop
        rest = field.data[field._value_stop() : self.stop] if place == len(self.fields) - 1 else b""
        return field.data[start:stop] + b"\n" + rest


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
        if not isinstance(tree, Document):
            position = REST_OF_LINE.match(data, position, stop).end()
        self.head = data[tree.body_start : position]
        fresh = isinstance(tree, Document) or bool(self.head)
        for start, end, nodes, is_list in _statements(tree):
            fields = [TextField(node.name, data, node, self) for node in nodes]
            shared = Listed(start, end, tuple(fields)) if is_list else None
            for field in fields:
                field.start, field.stop, field.list = start, end, shared
            after = REST_OF_LINE.match(data, end, stop).end()
            fields[0].lead, fields[-1].trail = data[position:start], data[end:after]
            fields[0].fresh = fresh or b"\n" in fields[0].lead or b"\r" in fields[0].lead
            yield from fields
            position, fresh = after, after > end
        self.tail = data[position:stop]

    @property
    def changed(self) -> bool:
        """Whether the message differs from what the file says."""
        if self._fields is None:
            return False
        return len(self._fields) != len(self.written) or any(
            now is not then or now.changed for now, then in zip(self._fields, self.written)
        )

    def take(self, field: message.Field) -> message.Field:
        """Take a field out, with its comments, to put it elsewhere."""
        field.leave()  # type: ignore[attr-defined]
        return super().take(field)

    def drop(self, field: message.Field) -> None:
        """Take a field out for good; its comments stay in its place."""
        place = self.fields.index(field)  # type: ignore[arg-type]
        self._remark(place, self.take(field).comments())  # type: ignore[attr-defined]

    def scalar(self, name: str, value: Value) -> TextField:
        """A new field, not yet entered."""
        made = TextField(name)
        made.assign(value)
        return made

    def group(self, name: str, fields: Sequence[message.Field], flat: bool = False) -> TextField:
        """A new message of fields, not yet entered."""
        made = TextField(name)
        made.inside = TextMessage(None, fields, flat)  # type: ignore[arg-type]
        return made

    def gather(self, name: str, fields: Sequence[message.Field], flat: bool = False) -> TextField:
        """Move fields into a new message; what stands above the topmost then stands above the message."""
        topmost = min(fields, key=self.fields.index)  # type: ignore[arg-type]
        group: TextField = super().gather(name, fields, flat)  # type: ignore[assignment]
        group.above, topmost.above = topmost.above, []  # type: ignore[attr-defined]
        for field in fields:
            field.above = [line for line in field.above if line]  # type: ignore[attr-defined]
        return group

    def unwrap(self, field: message.Field) -> None:
        """Put the fields of a message in its place; its own comments stay above and below them."""
        place, inner = self.fields.index(field), field.message  # type: ignore[arg-type]
        count = len(inner.fields)
        field.leave()  # type: ignore[attr-defined]
        super().unwrap(field)
        self._remark(place + count, comments(inner.tail) + comments(field.behind))  # type: ignore[attr-defined]
        self._remark(place, field.above + comments(inner.head))  # type: ignore[attr-defined]

    def _remark(self, place: int, lines: List[bytes]) -> None:
        """Enter comments alone."""
        if any(lines):
            remark = TextField("")
            remark.above = lines
            self.fields.insert(place, remark)


def _statements(tree: Tree) -> Iterator[Statement]:
    """Every field as it is written; an empty list counts as a blank."""
    data, stop, end = tree.data, tree.body_stop, tree.body_start
    nodes: List[Node] = []
    for node in tree:
        nodes.append(node)
        if isinstance(node, Scalar):
            start, listed = node.field_start, LIST.match(data, node.field_start, stop) is not None
        else:
            listed = data[node.start] in b"{<"
            start = _skip(data, end, stop) if listed else node.start
        end_of_value = _skip(data, node.stop, stop) if listed else node.stop
        if listed and data[end_of_value] == 0x2C:
            continue
        separator = SEPARATOR.match(data, end_of_value + listed, stop)
        end = separator.end() if separator else end_of_value + listed
        yield Statement(start, end, nodes, listed)
        nodes = []


def _skip(data: bytes, position: int, stop: int) -> int:
    return grammar.LEADING_BLANK.match(data, position, stop).end()


def _lines(lead: bytes) -> List[bytes]:
    """The whole lines in front of a field: comments, and empty ones."""
    newline = b"\n" if b"\n" in lead else b"\r"
    return [line.strip() for line in lead.split(newline)[:-1]]


def comments(data: bytes) -> List[bytes]:
    """The comments in a span, each without its line's end."""
    return [found.group(1).rstrip() for found in grammar.STRING_OR_COMMENT.finditer(data) if found.group(1)]
