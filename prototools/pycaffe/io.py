"""Arrays to and from Caffe's BlobProto and Datum."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from prototools import schema


def blobproto_to_array(blob: Any, return_diff: bool = False) -> np.ndarray:
    """A BlobProto's data, or its gradients, in its shape; also in the old form of four dims."""
    values = np.array(blob.diff if return_diff else blob.data)
    old = any(blob.HasField(name) for name in ("num", "channels", "height", "width"))
    shape = (blob.num, blob.channels, blob.height, blob.width) if old else tuple(blob.shape.dim)
    return values.reshape(shape)


def array_to_blobproto(array: np.ndarray, diff: Any = None) -> Any:
    """A BlobProto with an array's values, and gradients of the same shape."""
    blob = schema.message("BlobProto")()
    blob.shape.dim.extend(array.shape)
    blob.data.extend(array.astype(float).flat)
    if diff is not None:
        blob.diff.extend(diff.astype(float).flat)
    return blob


def arraylist_to_blobprotovector_str(arrays: Sequence[np.ndarray]) -> bytes:
    """Arrays as a serialised BlobProtoVector."""
    vector = schema.message("BlobProtoVector")()
    vector.blobs.extend([array_to_blobproto(array) for array in arrays])
    return vector.SerializeToString()


def blobprotovector_str_to_arraylist(data: bytes) -> list:
    """The arrays of a serialised BlobProtoVector."""
    return [blobproto_to_array(blob) for blob in schema.message("BlobProtoVector").FromString(data).blobs]


def array_to_datum(array: np.ndarray, label: Any = None) -> Any:
    """A Datum of an image (channels, height, width); bytes for uint8, floats for other types."""
    if array.ndim != 3:
        raise ValueError("Incorrect array shape.")
    datum = schema.message("Datum")()
    datum.channels, datum.height, datum.width = array.shape
    if array.dtype == np.uint8:
        datum.data = array.tobytes()
    else:
        datum.float_data.extend(array.astype(float).flat)
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: Any) -> np.ndarray:
    """A Datum's image, (channels, height, width)."""
    shape = datum.channels, datum.height, datum.width
    if len(datum.data):
        return np.frombuffer(datum.data, dtype=np.uint8).reshape(shape)
    return np.array(datum.float_data).astype(float).reshape(shape)
