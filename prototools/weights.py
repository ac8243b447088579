"""Weights in a caffemodel: blobs by layer name, read and written on the wire.

Forks number their own fields as they like, and 143 is one thing upstream and another in PSPNet.
So of a foreign file only the name, the type and the blobs of each layer are believed, and no
message is parsed as a whole. Field numbers are those of `proto/caffe.proto`.
"""

from __future__ import annotations

from typing import Dict, Iterator, List, Mapping, NamedTuple, Sequence, Tuple, Union

import numpy as np

from prototools.errors import PrototoolsError
from prototools.files import read as read_file

#: NetParameter's fields with layers, each beside the layer's fields for its name and its blobs.
LAYER_FIELDS = {100: (1, 7), 2: (4, 6)}
_TYPE = 2

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Value = Union[int, bytes]


class WeightsError(PrototoolsError):
    """The bytes are no caffemodel."""


class BlobField(NamedTuple):
    """BlobProto's fields."""

    dims: int = 7
    data: int = 5
    double_data: int = 8
    legacy: Tuple[int, ...] = (1, 2, 3, 4)


BLOB = BlobField()


def read(path: str) -> Dict[str, List[np.ndarray]]:
    """The blobs of every layer that has some, by layer name, float32 (float64 where it is stored so).

    Current and V1 entries alike; where a name stands twice the last one counts, as in Caffe.
    Raises `WeightsError` for a file that is truncated, HDF5, or no caffemodel.
    """
    data = read_file(path)
    if data[:4] == b"\x89HDF":
        raise WeightsError(f"{path}: weights must be a binary caffemodel, but this is HDF5")
    layers: Dict[str, List[np.ndarray]] = {}
    try:
        for number, value in fields(data):
            if number in LAYER_FIELDS and isinstance(value, bytes):
                name, blobs = _layer(value, *LAYER_FIELDS[number])
                if blobs:
                    layers[name] = blobs
    except (IndexError, ValueError) as error:
        raise WeightsError(f"{path}: must be a binary caffemodel, but is not: {error}") from None
    return layers


def fields(data: bytes) -> Iterator[Tuple[int, Value]]:
    """The fields of one message: number and value; raises ValueError or IndexError where it is broken."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if kind == BYTES:
            length, position = _varint(data, position)
        else:
            length = {FIXED64: 8, FIXED32: 4}.get(kind, -1)
        if not number or length < 0 or position + length > len(data):
            raise ValueError(f"byte {position} is no field")
        yield number, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7


def _layer(data: bytes, name_field: int, blob_field: int) -> Tuple[str, List[np.ndarray]]:
    name, blobs = "", []
    for number, value in fields(data):
        if number == name_field and isinstance(value, bytes):
            name = value.decode("utf-8", "surrogateescape")
        elif number == blob_field and isinstance(value, bytes):
            blobs.append(_blob(value))
    return name, blobs


def _blob(data: bytes) -> np.ndarray:
    """A BlobProto's values in its shape; the four old dims where it has no shape."""
    shape, legacy, pieces = None, {}, []
    for number, value in fields(data):
        if number == BLOB.dims and isinstance(value, bytes):
            shape = _dims(value)
        elif number in BLOB.legacy and isinstance(value, int):
            legacy[number] = value
        elif number in (BLOB.data, BLOB.double_data) and isinstance(value, bytes):
            pieces.append(np.frombuffer(value, "<f4" if number == BLOB.data else "<f8"))
    values = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    if shape is None:
        shape = [legacy.get(number, 0) for number in BLOB.legacy] if legacy else [len(values)]
    return values.reshape(shape)


def _dims(data: bytes) -> List[int]:
    """BlobShape: its dims stand packed, or one by one."""
    dims: List[int] = []
    for number, value in fields(data):
        if number == 1 and isinstance(value, int):
            dims.append(value)
        elif number == 1 and isinstance(value, bytes):
            position = 0
            while position < len(value):
                dim, position = _varint(value, position)
                dims.append(dim)
    return dims


def encode(layers: Mapping[str, Tuple[str, Sequence[np.ndarray]]]) -> bytes:
    """A caffemodel with a type and blobs for each layer name; blobs are stored as float32."""
    return b"".join(
        _field(100, _field(1, name.encode("utf-8", "surrogateescape")) + _field(_TYPE, kind.encode())
               + b"".join(_field(7, _encoded_blob(blob)) for blob in blobs))
        for name, (kind, blobs) in layers.items()
    )


def _encoded_blob(blob: np.ndarray) -> bytes:
    dims = b"".join(_number(dim) for dim in blob.shape)
    values = np.ascontiguousarray(blob, "<f4").tobytes()
    return _field(BLOB.data, values) + _field(BLOB.dims, _field(1, dims))


def _field(number: int, value: bytes) -> bytes:
    return _number(number << 3 | BYTES) + _number(len(value)) + value


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytearray([value]))
