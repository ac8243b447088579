"""The carrier for binary nets: fields on the wire, with blobs as ranges of bytes that nobody reads.

A message is read one level deep when somebody asks for its fields; what nobody asked for is copied.
What two readings of protobuf agree on is kept: a scalar that stands again counts with its last value,
a message that stands again is merged.
"""

from __future__ import annotations

import struct
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from prototools import schema, weights
from prototools.prototext import Word
from prototools.upgrading import message
from prototools.upgrading.message import Value
from prototools.weights import BYTES, FIXED32, FIXED64, VARINT, Piece, decode_varint, encode_varint

Range = Tuple[int, int]

_FIXED = {"float": (FIXED32, "<f"), "double": (FIXED64, "<d")}


class Known(NamedTuple):
    """A field of Caffe's definitions: its number, how it is written, and what it takes."""

    number: int
    wire: int
    field: schema.Field

    @property
    def single(self) -> bool:
        """Whether it may have one value only."""
        return not self.field.repeated


_KNOWN: Dict[str, Dict[str, Known]] = {}


def known_fields(descriptor: Any) -> Dict[str, Known]:
    """The fields of a message of Caffe by name."""
    found = _KNOWN.get(descriptor.full_name)
    if found is None:
        fields = schema.fields(descriptor)
        found = _KNOWN[descriptor.full_name] = {
            one.name: Known(one.number, _wire(fields[one.name]), fields[one.name]) for one in descriptor.fields
        }
    return found


def _wire(field: schema.Field) -> int:
    if field.kind in ("message", "str", "bytes"):
        return BYTES
    return _FIXED[field.type_name][0] if field.type_name in _FIXED else VARINT


def net(model: weights.BinaryNet) -> WireMessage:
    """A whole binary net."""
    return WireMessage(model.data, [(0, model.size)], schema.message("NetParameter").DESCRIPTOR)


class WireField(message.Field):
    """A field of a file, or a new one (`known` and `ranges` are empty).

    `ranges` are those of its value, several where a message stands again; `whole` is the range of the
    field with its key, where it stands once and alone.
    """

    __slots__ = ("name", "data", "known", "ranges", "whole", "value", "inside")

    def __init__(self, name: str, data: Any = b"", known: Optional[Known] = None, ranges: Sequence[Range] = (),
                 whole: Optional[Range] = None):
        self.name = name
        self.data, self.known, self.ranges, self.whole = data, known, list(ranges), whole
        #: A value given by a step.
        self.value: Optional[Value] = None
        self.inside: Optional[WireMessage] = None

    @property
    def portable(self) -> bool:  # type: ignore[override]
        """Whether Caffe's definitions have the field."""
        return self.known is not None or not self.ranges

    @property
    def changed(self) -> bool:
        """Whether the value differs from the file's."""
        return self.value is not None or self.inside is not None and self.inside.changed

    @property
    def is_message(self) -> bool:
        """Whether the field holds a message."""
        return self.inside is not None or self.known is not None and self.known.field.kind == "message"

    @property
    def message(self) -> WireMessage:  # type: ignore[override]
        """The fields inside."""
        if self.inside is None:
            if not self.is_message:
                raise self.error(f"{self.name} must be a message")
            self.inside = WireMessage(self.data, self.ranges, self.known.field.message_type)  # type: ignore[union-attr]
        return self.inside

    def count(self, name: str) -> int:
        """How many messages of that name are inside, without a closer look."""
        if self.inside is not None:
            return len(self.inside.all(name))
        number = known_fields(self.known.field.message_type)[name].number  # type: ignore[union-attr]
        return sum(span.number == number and span.value is None for span in _spans(self.data, self.ranges))

    def _bytes(self) -> bytes:
        start, stop = self.ranges[-1]
        return bytes(self.data[start:stop])

    def _integer(self) -> int:
        return decode_varint(self.data, *self.ranges[-1])[0]

    def string(self) -> str:
        """The value of a string."""
        if self.value is not None:
            return str(self.value)
        return self._bytes().decode("utf-8", "surrogateescape")

    def word(self) -> str:
        """The name of an enumeration's value."""
        if self.value is not None or self.known.field.kind != "enum":  # type: ignore[union-attr]
            return self.string()
        return self.known.field.enum_type.values_by_number[self._integer()].name  # type: ignore[union-attr]

    def number(self) -> float:
        """The value of a float."""
        if self.value is not None:
            return float(self.value)
        return struct.unpack("<f", self._bytes())[0]

    def assign(self, value: Value) -> None:
        """Give a scalar another value."""
        self.value = value

    def copy(self, other: message.Field) -> None:
        """Give a scalar another one's value."""
        self.value, self.data, self.ranges, self.whole = (
            other.value, other.data, other.ranges, None)  # type: ignore[attr-defined]
        self.known = self.known or other.known  # type: ignore[attr-defined]

    def error(self, sentence: str) -> weights.WeightsError:
        """An error; a binary net has no lines."""
        return weights.WeightsError(sentence)


class WireMessage(message.Message):
    """The fields of a message in a file, or of a new one, which has no `descriptor`."""

    def __init__(self, data: Any, ranges: Sequence[Range], descriptor: Any, fields: Sequence[WireField] = ()):
        self.data, self.ranges, self.descriptor = data, ranges, descriptor
        self.written: Sequence[Tuple[WireField, str]] = ()
        self._fields: Optional[List[WireField]] = list(fields) if descriptor is None else None

    @property
    def fields(self) -> List[WireField]:  # type: ignore[override]
        """All fields, read from the file when they are first asked for."""
        if self._fields is None:
            self._fields = _once(self._from_file())
            self.written = [(field, field.name) for field in self._fields]
        return self._fields

    def _from_file(self) -> Iterator[WireField]:
        by_number = {known.number: known for known in known_fields(self.descriptor).values()}
        for span in _spans(self.data, self.ranges):
            known = by_number.get(span.number)
            whole, value = (span.begin, span.stop), (span.start, span.stop)
            wire = self.data[span.begin] & 7
            if known is not None and known.wire == wire and _has(known, span):
                yield WireField(known.field.name, self.data, known, [value], whole)
            elif known is not None and known.field.repeated and wire == BYTES and known.wire != BYTES:
                for one in _packed(self.data, value, known):
                    yield WireField(known.field.name, self.data, known, [one])
            else:
                # Never the field's own name: nobody may take this for its value.
                shown = "bytes" if span.value is None else span.value
                name = f"field {span.number}" if known is None else f"{known.field.name} {shown}"
                yield WireField(name, self.data, None, [value], whole)

    @property
    def changed(self) -> bool:
        """Whether the message differs from what the file says."""
        if self._fields is None:
            return False
        return len(self._fields) != len(self.written) or any(
            now is not then or now.name != name or now.changed
            for now, (then, name) in zip(self._fields, self.written)
        )

    def scalar(self, name: str, value: Value) -> WireField:
        """A new field, not yet entered."""
        made = WireField(name)
        made.assign(value)
        return made

    def group(self, name: str, fields: Sequence[message.Field], flat: bool = False) -> WireField:
        """A new message of fields, not yet entered."""
        made = WireField(name)
        made.inside = WireMessage(b"", (), None, fields)  # type: ignore[arg-type]
        return made


def _spans(data: Any, ranges: Sequence[Range]) -> Iterator[weights.Span]:
    for start, stop in ranges:
        yield from weights.spans(data, start, stop)


def _has(known: Known, span: weights.Span) -> bool:
    """Whether an enumeration has the value; protobuf treats others as unknown fields."""
    return known.field.kind != "enum" or span.value in known.field.enum_type.values_by_number


def _packed(data: Any, span: Range, known: Known) -> Iterator[Range]:
    """The values of a packed field one by one."""
    position, stop = span
    while position < stop:
        start = position
        if known.wire == VARINT:
            position = decode_varint(data, position, stop)[1]
        else:
            position += 4 if known.wire == FIXED32 else 8
        yield start, position


def _once(fields: Iterator[WireField]) -> List[WireField]:
    """Fields that may have one value only: of scalars the last, of messages all of them as one."""
    found: List[WireField] = []
    singles: Dict[str, WireField] = {}
    for field in fields:
        first = singles.get(field.name)
        if field.known is None or not field.known.single:
            found.append(field)
        elif first is None:
            singles[field.name] = field
            found.append(field)
        else:
            first.whole = None
            first.ranges = first.ranges + field.ranges if field.is_message else field.ranges
    return found


# ---------------------------------------------------------------- writing


def pieces(root: WireMessage) -> List[Piece]:
    """A whole net: ranges of the old file and new bytes."""
    return _joined(_body(root, schema.message("NetParameter").DESCRIPTOR))


def _body(inside: WireMessage, descriptor: Any) -> List[Piece]:
    """A message's fields, as those of a message of that kind; untouched ones as they stand in the file."""
    own = inside.descriptor
    if own is not None and own.full_name == descriptor.full_name and not inside.changed:
        return list(inside.ranges)
    return [piece for field in inside.fields for piece in _field(field, descriptor)]


def _field(field: WireField, descriptor: Any) -> List[Piece]:
    """One field, as a field of a message of that kind."""
    if field.known is None and field.whole is not None:
        return [field.whole]
    target = known_fields(descriptor)[field.name]
    if field.whole is not None and not field.changed and field.known.number == target.number:  # type: ignore[union-attr]
        return [field.whole]
    value: List[Piece]
    if field.value is not None:
        value = [_encoded(field.value, target)]
    elif field.is_message:
        value = _body(field.message, target.field.message_type)
    else:
        value = list(field.ranges)
    key = encode_varint(target.number << 3 | target.wire)
    size = encode_varint(sum(map(weights.size_of, value))) if target.wire == BYTES else b""
    return [key + size, *value]


def _encoded(value: Value, target: Known) -> bytes:
    """A new value, without a length."""
    if target.field.kind == "enum":
        return encode_varint(target.field.enum_type.values_by_name[str(value)].number)
    if isinstance(value, (str, Word)):
        return value.encode("utf-8", "surrogateescape")
    if target.field.type_name in _FIXED:
        return struct.pack(_FIXED[target.field.type_name][1], value)
    return encode_varint(value)


def _joined(parts: Sequence[Piece]) -> List[Piece]:
    """Neighbouring ranges as one, and neighbouring bytes as one, so that little is left to copy."""
    found: List[Piece] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, bytes) and isinstance(last, bytes):
            found[-1] = last + part
        elif isinstance(part, tuple) and isinstance(last, tuple) and last[1] == part[0]:
            found[-1] = (last[0], part[1])
        else:
            found.append(part)
    return found
