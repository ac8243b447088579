"""Caffemodels on the wire: which layers they have, their blobs, and replacing some of them.

Forks number their own fields as they like, and 143 is one thing upstream and another in PSPNet.
So of a foreign file only the name and the blobs of each layer are believed. No message is parsed:
lengths are walked where they lie, and what stays is copied as ranges of bytes.
Field numbers are those of `proto/caffe.proto`.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import IO, Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from prototools import files
from prototools.errors import PrototoolsError

#: Caffe reads caffemodels of up to this many bytes (io.cpp, kProtoReadBytesLimit).
LIMIT = 2**31 - 1

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class WeightsError(PrototoolsError):
    """A file that is no caffemodel, or none that Caffe could read."""


class Form(NamedTuple):
    """How layers are entered: NetParameter's field, and the layer's fields for name, type and blobs."""

    field: int
    name: int
    type: int
    blobs: int


#: LayerParameter and V1LayerParameter.
CURRENT, V1 = Form(100, 1, 2, 7), Form(2, 4, 5, 6)
FORMS = {form.field: form for form in (CURRENT, V1)}

#: Numbers of V1's types that a rewrite may create.
V1_TYPES = {"Convolution": 4, "Deconvolution": 39, "InnerProduct": 14}

#: BlobProto's fields: the four old dims, and the shape and values of today.
LEGACY_DIMS, DATA, SHAPE, DOUBLE_DATA = (1, 2, 3, 4), 5, 7, 8


class Span(NamedTuple):
    """One field of one message: its number, where it begins, and the range of its value.

    `value` is a varint's value, and None where the field is a range of bytes.
    """

    number: int
    begin: int
    start: int
    stop: int
    value: Optional[int]


class Entry(NamedTuple):
    """One layer of a caffemodel: its name, its form, its whole field, and its blobs."""

    name: str
    form: Form
    span: Span
    blobs: Tuple[Span, ...]


def spans(data: Any, start: int, stop: int) -> Iterator[Span]:
    """The fields of the message that is data[start:stop]; raises ValueError where it is broken."""
    position = start
    while position < stop:
        begin = position
        key, position = decode_varint(data, position, stop)
        number, kind = key >> 3, key & 7
        value: Optional[int] = None
        if kind == VARINT:
            first = position
            value, position = decode_varint(data, position, stop)
            length, position = position - first, first
        elif kind == BYTES:
            length, position = decode_varint(data, position, stop)
        else:
            length = {FIXED64: 8, FIXED32: 4}.get(kind, -1)
        if not number or length < 0 or position + length > stop:
            raise ValueError(f"the field at byte {begin} is broken, or the file ends inside it")
        yield Span(number, begin, position, position + length, value)
        position += length


def decode_varint(data: Any, position: int, stop: int) -> Tuple[int, int]:
    """The number that begins at a byte, and the byte behind it; raises ValueError where it is broken."""
    value = shift = 0
    while position < stop and shift < 70:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError(f"the number at byte {position} is broken, or the file ends inside it")


class Pages:
    """A file's bytes by their places: `pages[7]` is a number, `pages[7:9]` are bytes. A page is read at a time.

    A memory map would do the same, but a file that becomes shorter under it ends the process by a signal;
    here it is a `WeightsError`.
    """

    SIZE = 4096

    def __init__(self, file: IO[bytes]):
        self.file = file
        self.start, self.page = 0, b""

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return self._read(place.start, place.stop - place.start, place.stop - place.start)
        if not 0 <= place - self.start < len(self.page):
            self.start, self.page = place, self._read(place, self.SIZE, 1)
        return self.page[place - self.start]

    def _read(self, start: int, size: int, least: int) -> bytes:
        self.file.seek(start)
        data = self.file.read(size)
        while len(data) < least:
            more = self.file.read(size - len(data))
            if not more:
                raise _changed(self.file.name)
            data += more
        return data


@contextmanager
def _whole(path: str) -> Iterator[None]:
    """What a broken caffemodel raises as a `WeightsError` that names it."""
    try:
        yield
    except WeightsError:
        raise
    except ValueError as error:
        raise WeightsError(f"{path}: must be a whole binary caffemodel, but is not: {error}") from None


def _changed(path: str) -> WeightsError:
    return WeightsError(f"{path}: was changed by another while it was read; run again")


class BinaryNet:
    """A binary net, its bytes in `data`, none of them read yet.

    Use it in a `with` block. Raises `WeightsError` for a file that is HDF5, empty, or larger than
    Caffe reads (2 GB).
    """

    def __init__(self, path: str):
        self.path = path
        try:
            self.file = open(path, "rb", buffering=0)
        except OSError as error:
            raise WeightsError(f"{path}: cannot be read: {error.strerror}") from None
        self.state = self._state()
        self.size = self.state[0]
        try:
            self._check_size()
            self.data = Pages(self.file)
        except BaseException as error:
            self.file.close()
            if isinstance(error, OSError):
                raise WeightsError(f"{path}: cannot be read: {error.strerror}") from None
            raise

    def _state(self) -> Tuple[int, int]:
        """What changes when somebody writes to the file: its size, and its time in nanoseconds."""
        now = os.fstat(self.file.fileno())
        return now.st_size, now.st_mtime_ns

    def require_unchanged(self) -> None:
        """Raise `WeightsError` where the file was written to since it was opened."""
        if self._state() != self.state:
            raise _changed(self.path)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def _check_size(self) -> None:
        if not stat.S_ISREG(os.fstat(self.file.fileno()).st_mode):
            raise WeightsError(f"{self.path}: must be a file, but is a pipe or a device; save it as a file first")
        start = self.file.read(8)
        if start.startswith(b"\x89HDF"):
            raise WeightsError(f"{self.path}: must be a binary caffemodel, but is HDF5; save it as a caffemodel first")
        if not start:
            raise WeightsError(f"{self.path}: must be a binary caffemodel, but is empty")
        if self.size > LIMIT:
            raise WeightsError(f"{self.path}: must have at most 2 GB, as Caffe reads no more; it has {self.size} bytes")


class Caffemodel(BinaryNet):
    """A caffemodel: its entries, in the order of the file.

    Raises `WeightsError` as `BinaryNet` does, and for a file that is truncated or corrupt.
    """

    def __init__(self, path: str):
        super().__init__(path)
        try:
            self.entries = self._entries()
        except BaseException:
            self.__exit__()
            raise

    def _entries(self) -> List[Entry]:
        with _whole(self.path):
            found = [
                self._entry(span, FORMS[span.number]) for span in spans(self.data, 0, self.size)
                if span.number in FORMS and span.value is None
            ]
        if not found:
            raise WeightsError(f"{self.path}: must be a binary caffemodel, but no layer is in it")
        return found

    def _entry(self, span: Span, form: Form) -> Entry:
        name, blobs = b"", []
        for inner in spans(self.data, span.start, span.stop):
            if inner.number == form.name and inner.value is None:
                name = self.data[inner.start : inner.stop]
            elif inner.number == form.blobs and inner.value is None:
                for _ in spans(self.data, inner.start, inner.stop):
                    pass
                blobs.append(inner)
        return Entry(name.decode("utf-8", "surrogateescape"), form, span, tuple(blobs))

    def shape(self, blob: Span) -> Tuple[Tuple[int, ...], bool]:
        """A blob's shape, and whether it is in the old form of four dims."""
        legacy: Dict[int, int] = {}
        for field in spans(self.data, blob.start, blob.stop):
            if field.number == SHAPE and field.value is None:
                return _dims(self.data, field), False
            if field.number in LEGACY_DIMS and field.value is not None:
                legacy[field.number] = field.value
        return tuple(legacy.get(number, 0) for number in LEGACY_DIMS), True

    def array(self, blob: Span) -> Any:
        """A blob as a numpy array in its shape: float32, or float64 where it is stored so."""
        import numpy as np

        pieces = [
            np.frombuffer(self.data[field.start : field.stop], "<f4" if field.number == DATA else "<f8")
            for field in spans(self.data, blob.start, blob.stop) if field.number in (DATA, DOUBLE_DATA)
        ]
        values = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
        shape, legacy = self.shape(blob)
        return values.reshape(values.shape if legacy and not any(shape) else shape)


def _dims(data: Any, field: Span) -> Tuple[int, ...]:
    """BlobShape's dims, packed or one by one."""
    dims: List[int] = []
    for inner in spans(data, field.start, field.stop):
        if inner.number == 1 and inner.value is not None:
            dims.append(inner.value)
        elif inner.number == 1:
            position = inner.start
            while position < inner.stop:
                dim, position = decode_varint(data, position, inner.stop)
                dims.append(dim)
    return tuple(dims)


def read(path: str) -> Dict[str, List[Any]]:
    """The blobs of every layer that has some, by layer name, as numpy arrays.

    Current and V1 entries alike; where a name stands twice the last one counts, as in Caffe.
    Raises as `Caffemodel` does.
    """
    with Caffemodel(path) as model, _whole(path):
        return {entry.name: [model.array(blob) for blob in entry.blobs] for entry in model.entries if entry.blobs}


# ---------------------------------------------------------------- writing


class NewLayer(NamedTuple):
    """A layer to enter: its name and type, and each blob as (shape, float32 values, little-endian)."""

    name: str
    type: str
    blobs: Sequence[Tuple[Sequence[int], bytes]]


def patch(source: str, target: str, replaced: Mapping[str, Sequence[NewLayer]]) -> bool:
    """Copy a caffemodel with some layers replaced; true where the target changed.

    `replaced` gives new layers by the name of the old one. An old entry gives its place to the new
    ones; where there is none they stand at the end. New layers that the file has already are entered
    anew. Every other byte stays as it is and where it is.
    The target is written whole or not at all. Raises as `Caffemodel` does.
    """
    with Caffemodel(source) as model:
        form = model.entries[0].form
        old = {entry.name for entry in model.entries}
        # A file that was patched before has the new layers in the place of the old one.
        place = {layer.name: name for name, layers in replaced.items() for layer in layers if name not in old}
        new = {layer.name for layers in replaced.values() for layer in layers}
        pieces, position, left = [], 0, dict(replaced)
        for entry in model.entries:
            if entry.name in replaced or entry.name in new:
                layers = left.pop(place.get(entry.name, entry.name), ())
                pieces += [(position, entry.span.begin), *_encoded(layers, form)]
                position = entry.span.stop
        pieces += [(position, model.size), *(piece for layers in left.values() for piece in _encoded(layers, form))]
        return write(model, target, pieces)


#: A range of the old file, or new bytes.
Piece = Union[Tuple[int, int], bytes]


def write(source: BinaryNet, target: str, pieces: Sequence[Piece]) -> bool:
    """Write a file of ranges of an old one and new bytes, whole or not at all; true where it changed.

    Raises `WeightsError` where it would be larger than Caffe reads.
    """
    size = sum(map(size_of, pieces))
    if size > LIMIT:
        raise WeightsError(f"{target}: would have {size} bytes, more than the 2 GB that Caffe reads")
    with files.replacing(target) as out:
        _copy(source.file, out, pieces)
        source.require_unchanged()
    return out.changed


def size_of(piece: Piece) -> int:
    """A piece's number of bytes."""
    return len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]


def _encoded(layers: Iterable[NewLayer], form: Form) -> Iterator[bytes]:
    return (encode(layer, form) for layer in layers)


#: Bytes copied at a time; the system stores one lot while the next is copied.
CHUNK = 1 << 22


def _copy(source: IO[bytes], out: files.Replacement, pieces: Sequence[Piece]) -> None:
    """Ranges of the source and new bytes, one behind the other."""
    lot = memoryview(bytearray(CHUNK))
    for piece in pieces:
        if isinstance(piece, bytes):
            out.write(piece)
            continue
        position, stop = piece
        source.seek(position)
        while position < stop:
            copied = source.readinto(lot[: stop - position])
            if not copied:
                raise WeightsError(f"{source.name}: became shorter while it was copied")
            out.write(lot[:copied])
            out.begin_to_store(copied)
            position += copied


def blob(array: Any) -> Tuple[Sequence[int], bytes]:
    """A numpy array as a new layer's blob."""
    return array.shape, array.astype("<f4").tobytes()


def encode(layer: NewLayer, form: Form = CURRENT) -> bytes:
    """A layer's entry, as a field of NetParameter."""
    kind = _field(form.type, layer.type.encode()) if form is CURRENT else encode_varint(form.type << 3) + encode_varint(
        V1_TYPES[layer.type])
    blobs = b"".join(_field(form.blobs, _blob(shape, values, form)) for shape, values in layer.blobs)
    name = _field(form.name, layer.name.encode("utf-8", "surrogateescape"))
    return _field(form.field, name + kind + blobs)


def _blob(shape: Sequence[int], values: bytes, form: Form) -> bytes:
    """A BlobProto; files of the old form were read by Caffes that know only the four old dims."""
    data = _field(DATA, values)
    if form is V1 and len(shape) == 4:
        dims = (encode_varint(number << 3) + encode_varint(dim) for number, dim in zip(LEGACY_DIMS, shape))
        return b"".join(dims) + data
    return data + _field(SHAPE, _field(1, b"".join(map(encode_varint, shape))))


def _field(number: int, value: bytes) -> bytes:
    return encode_varint(number << 3 | BYTES) + encode_varint(len(value)) + value


def encode_varint(value: int) -> bytes:
    """A number that is not negative, as protobuf writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytearray([value]))
