"""`parse` and what it gives: a document of messages and scalars that know their places."""

from __future__ import annotations

from typing import Dict, Iterable, Iterator, List, Optional, Tuple, Union

from prototools.collecting import collecting_later
from prototools.errors import ProtoTextError, UnresolvedError, shortened
from prototools.prototext import grammar, values
from prototools.prototext.complaint import complain
from prototools.prototext.placeholders import masked, original, values_of
from prototools.prototext.places import error_at

Edit = Tuple[int, int, bytes]


class Scalar:
    """One value of one field: `name` and the span of the literal, `data[start:stop]`.

    `field_start` is where the field's name begins; the elements of a list share it.
    """

    __slots__ = ("name", "field_start", "start", "stop", "data")

    def __init__(self, name: str, field_start: int, start: int, stop: int, data: bytes):
        self.name = name
        self.field_start = field_start
        self.start = start
        self.stop = stop
        self.data = data

    @property
    def literal(self) -> bytes:
        """The literal as it is written, quotes, signs and inner comments included."""
        return self.data[self.start : self.stop]

    @property
    def placeholder(self) -> Optional[str]:
        """The name of the placeholder, `$NAME`, that stands in place of the literal; None where none does."""
        found = values_of(self.data, self.start, self.stop)
        return found[0] if found else None

    def error(self, expected: str) -> ProtoTextError:
        """The error that this field must hold something else, with the field's place."""
        name = self.placeholder
        if name is not None:
            error = error_at(self.data, self.start, f"{self.name} must be known; give -D {name}=VALUE")
            return UnresolvedError(error.message, error.line, error.column, error.source_line)
        found = shortened(self.literal.decode("utf-8", "replace"))
        return error_at(self.data, self.start, f"{self.name} must be {expected}, but found {found}")

    def __repr__(self) -> str:
        return f"Scalar({self.name}: {self.literal.decode('utf-8', 'replace')})"


class Message:
    """One message: the span from its name to its closing bracket, and the fields inside.

    `data[start:stop]` is the whole field without the separator behind it;
    `data[body_start:body_stop]` is what stands between the brackets.
    """

    __slots__ = ("name", "start", "stop", "body_start", "body_stop", "children", "data", "_index")

    def __init__(self, name: str, start: int, body_start: int, data: bytes):
        self.name = name
        self.start = start
        self.stop = -1
        self.body_start = body_start
        self.body_stop = -1
        self.children: List[Message] = []
        self.data = data
        self._index: Optional[Dict[str, List[Node]]] = None

    def __iter__(self) -> Iterator[Node]:
        """All fields in the order of the file, a list's elements one by one."""
        return iter(self._nodes())

    def _nodes(self) -> List[Node]:
        data, match, after = self.data, grammar.SCALAR_PARTS.match, grammar.AFTER_MESSAGE.match
        nodes: List[Node] = []
        position = _skip(data, self.body_start, self.body_stop)
        for child in (*self.children, None):
            stop = self.body_stop if child is None else child.start
            while position < stop:
                found = match(data, position, stop)
                if found is None:
                    empty = grammar.EMPTY_LIST.match(data, position, stop)
                    if empty is None:
                        # The name before a list of messages, which begin at their brackets.
                        break
                    position = empty.end()
                    continue
                start, end = found.span(2)
                name = _name(found.group(1))
                if data[start] == 0x5B:
                    nodes += _elements(data, name, position, start + 1, end - 1)
                else:
                    nodes.append(Scalar(name, position, start, end, data))
                position = found.end()
            if child is not None:
                nodes.append(child)
                position = after(data, child.stop).end()
        return nodes

    def all(self, name: str) -> List[Node]:
        """Every value of a field, in order; an empty list where the field is not written."""
        if self._index is None:
            self._index = {}
            for node in self._nodes():
                self._index.setdefault(node.name, []).append(node)
        return self._index.get(name, [])

    def has(self, name: str) -> bool:
        """Whether the field is written at all, whatever its value."""
        return bool(self.all(name))

    def names(self) -> List[str]:
        """The names of the fields that are written, each once, in order."""
        self.all("")
        return list(self._index or ())

    def one(self, name: str) -> Optional[Node]:
        """The value of a field that may be written once; None where it is not written.

        Raises `ProtoTextError` where it is written again, as Caffe's own reader does.
        """
        found = self.all(name)
        if len(found) > 1:
            raise error_at(self.data, _place(found[1]), f"{name} must be given once, but stands again")
        return found[0] if found else None

    def message(self, name: str) -> Message:
        """The message in a singular field; an empty one where it is not written."""
        node = self.one(name)
        if node is None:
            return EMPTY
        if isinstance(node, Message):
            return node
        raise node.error("a message in braces")

    def messages(self, name: str) -> List[Message]:
        """The messages of a repeated field."""
        for node in self.all(name):
            if not isinstance(node, Message):
                raise node.error("a message in braces")
        return self.all(name)  # type: ignore[return-value]

    def scalars(self, name: str) -> List[Scalar]:
        """The scalars of a repeated field."""
        for node in self.all(name):
            if isinstance(node, Message):
                raise error_at(self.data, node.start, f"{name} must be a value, but found a message")
        return self.all(name)  # type: ignore[return-value]

    def _scalar(self, name: str) -> Optional[Scalar]:
        node = self.one(name)
        if isinstance(node, Message):
            raise error_at(self.data, node.start, f"{name} must be a value, but found a message")
        return node

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number, decimal, octal or hexadecimal; `default` where it is not written."""
        scalar = self._scalar(name)
        return default if scalar is None else values.integer(scalar)

    def number(self, name: str, default: float = 0.0) -> float:
        """A float as Caffe stores it, rounded to 32 bits; `default` where it is not written."""
        scalar = self._scalar(name)
        return default if scalar is None else values.number(scalar)

    def boolean(self, name: str, default: bool = False) -> bool:
        """A truth value: true, t, 1, false, f, 0; `default` where it is not written."""
        scalar = self._scalar(name)
        return default if scalar is None else values.boolean(scalar)

    def string(self, name: str, default: str = "") -> str:
        """A string, its escapes decoded; bytes that are not UTF-8 survive as surrogates."""
        scalar = self._scalar(name)
        return default if scalar is None else values.string(scalar)

    def word(self, name: str, default: str = "") -> str:
        """An enumeration's name, or its number as it is written."""
        scalar = self._scalar(name)
        return default if scalar is None else values.word(scalar)

    def integers(self, name: str) -> List[int]:
        """The whole numbers of a repeated field."""
        return [values.integer(scalar) for scalar in self.scalars(name)]

    def dim(self, name: str, default: int = 0) -> Optional[int]:
        """A whole number, or None where a placeholder stands for it."""
        return (self.dims(name) or [default])[0] if len(self.all(name)) < 2 else self.integer(name)

    def dims(self, name: str) -> List[Optional[int]]:
        """The whole numbers of a repeated field, None where a placeholder stands for one."""
        return [None if scalar.placeholder else values.integer(scalar) for scalar in self.scalars(name)]

    def numbers(self, name: str) -> List[float]:
        """The floats of a repeated field, each rounded to 32 bits."""
        return [values.number(scalar) for scalar in self.scalars(name)]

    def booleans(self, name: str) -> List[bool]:
        """The truth values of a repeated field."""
        return [values.boolean(scalar) for scalar in self.scalars(name)]

    def strings(self, name: str) -> List[str]:
        """The strings of a repeated field."""
        return [values.string(scalar) for scalar in self.scalars(name)]

    def comments(self) -> List[bytes]:
        """Every comment between the brackets, at any depth, from `#` to the end of its line."""
        return list(_comments(self.data, self.start, self.stop))

    def error(self, message: str) -> ProtoTextError:
        """An error at the place where this message begins."""
        return error_at(self.data, self.start, message)

    def __repr__(self) -> str:
        return f"Message({self.name} at {self.start})"


Node = Union[Scalar, Message]


class Document(Message):
    """A whole file: a message without brackets.

    `source()` is the file, byte for byte.
    """

    __slots__ = ()

    def source(self) -> bytes:
        """The text as it came in."""
        return original(self.data)

    def edited(self, edits: Iterable[Edit]) -> bytes:
        """The text with some spans replaced: (start, stop, new bytes), none over another.

        A span without length inserts; several insertions at one byte stay in their order.
        Raises `ValueError` for spans that overlap.
        """
        data = self.source()
        pieces: List[bytes] = []
        position = 0
        for start, stop, replacement in sorted(edits, key=lambda edit: edit[:2]):
            if start < position:
                raise ValueError(f"two edits overlap at byte {start}")
            pieces += (data[position:start], replacement)
            position = stop
        return b"".join(pieces) + data[position:]


def parse(data: bytes, placeholders: bool = False) -> Document:
    """Read protobuf text format into a lossless tree.

    `data` is the file's bytes; it is never decoded as a whole, so comments in any encoding are kept.
    Accepts what Caffe's own loader (protobuf's C++ reader) accepts lexically, for any schema, and with
    `placeholders` also `$NAME`, `${NAME}` and `$NAME$` where a value may stand.
    Raises `ProtoTextError`, with line and column, for anything else.
    """
    if not isinstance(data, bytes):
        data = bytes(data) if isinstance(data, (bytearray, memoryview)) else data.encode("utf-8")
    if placeholders:
        data = masked(data)
    root = Document("", 0, 0, data)
    with collecting_later():
        _read(data, root)
    root.stop = root.body_stop = len(data)
    return root


def _read(data: bytes, root: Message) -> None:
    """Check the whole text and hang every message below its parent."""
    run, opener, after = grammar.SCALAR_RUN.match, grammar.OPENER.match, grammar.AFTER_FIELD.match
    names: Dict[bytes, str] = {}
    # Above a message stands its parent, and whether it is an element of a list.
    above: List[Tuple[Message, bool]] = []
    here, in_list = root, False
    size = len(data)
    position = _skip(data, 0, size)
    while True:
        found = run(data, position)
        if found:
            position = found.end()
        if position == size:
            break
        byte = data[position]
        if byte == 0x7D or byte == 0x3E:
            if not above or data[here.body_start - 1] != byte - 2:
                raise complain(data, position, root if not above else here)
            here.body_stop = position
            here.stop = position = position + 1
            parent = above[-1][0]
            if in_list:
                element = grammar.NEXT_ELEMENT.match(data, position)
                if element is None:
                    raise complain(data, position, parent, in_list=True)
                position = element.end()
                if element.group(1):
                    here = _open(parent, here.name, element.start(1), element.end(1))
                    continue
            else:
                position = after(data, position).end()
            here, in_list = above.pop()
            continue
        opened = opener(data, position)
        if opened is None:
            found = found or grammar.LIST_FIELD.match(data, position)
            if found:
                position = found.end()
                continue
            raise complain(data, position, here)
        position = opened.end()
        if opened["bracket"] == b"]":
            if not opened["list"]:
                raise complain(data, opened.start(), here)
            position = after(data, opened.end("bracket")).end()
            continue
        written = opened["name"]
        name = names.get(written)
        if name is None:
            name = names[written] = _name(written)
        above.append((here, in_list))
        in_list = opened["list"] is not None
        start = opened.start("bracket") if in_list else opened.start()
        here = _open(here, name, start, opened.end("bracket"))
    if above:
        raise error_at(
            data, here.start, f"{here.name} must be closed, but the file ends inside its brackets"
        )


def _open(parent: Message, name: str, start: int, body_start: int) -> Message:
    message = Message(name, start, body_start, parent.data)
    parent.children.append(message)
    return message


def _name(written: bytes) -> str:
    return written.decode("ascii", "replace")


def _place(node: Node) -> int:
    return node.start if isinstance(node, Message) else node.field_start


def _skip(data: bytes, position: int, stop: int) -> int:
    return grammar.LEADING_BLANK.match(data, position, stop).end()


def _elements(data: bytes, name: str, field: int, position: int, stop: int) -> Iterator[Scalar]:
    """The scalars of a list between its brackets."""
    position = _skip(data, position, stop)
    while position < stop:
        found = grammar.LIST_ELEMENT.match(data, position, stop)
        yield Scalar(name, field, found.start(), found.end(), data)
        position = _skip(data, found.end(), stop)
        if position < stop:
            position = _skip(data, position + 1, stop)


def _comments(data: bytes, position: int, stop: int) -> Iterator[bytes]:
    """The comments in a span: a `#` inside a string is none."""
    for found in grammar.STRING_OR_COMMENT.finditer(data, position, stop):
        if found.group(1):
            yield found.group(1).rstrip(b"\r")


EMPTY = Message("", 0, 0, b"")
EMPTY.stop = EMPTY.body_stop = 0
