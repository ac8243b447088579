"""Layers without bottoms: Input, Data and its kin, DummyData, MemoryData, Parameter; and HDF5Output."""

from __future__ import annotations

import os
from typing import List, Sequence, Tuple

from prototools.net import Layer
from prototools.prototext import Message
from prototools.shapes.blob import Answer, Dim, Missing, Shape, count, int32, refuse, require


def blob_shape(message: Message) -> Tuple[Dim, ...]:
    """A BlobShape message; Caffe keeps its 64-bit dims in 32 bits."""
    return tuple(None if dim is None else int32(dim) for dim in message.dims("dim"))


def input_(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """The shapes as they are given: none, one for all tops, or one for each."""
    return Answer(_for_each_top(layer, layer.param("input_param").messages("shape"), needed=False))


def _for_each_top(layer: Layer, shapes: List[Message], needed: bool) -> List[Shape]:
    tops = len(layer.tops)
    fits = len(shapes) in (1, tops) or not (shapes or needed)
    require(fits, f"shape must be given once, or once for each of {tops} tops, but is given {len(shapes)} times")
    given = [blob_shape(shape) for shape in shapes] or [()]
    return list(given * tops if len(given) == 1 else given)


def parameter(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """A learned blob as a top."""
    shape = blob_shape(layer.param("parameter_param").message("shape"))
    return Answer([shape], [shape])


def dummy_data(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """`shape`, or num, channels, height and width; each once, or once for each top."""
    param, tops = layer.param("dummy_data_param"), len(layer.tops)
    fillers = len(param.messages("data_filler"))
    require(fillers in (0, 1, tops), f"data_filler must be given once, or once for each of {tops} tops")
    names = ("num", "channels", "height", "width")
    columns = [param.integers(name) for name in names]
    if not any(columns):
        shapes = _for_each_top(layer, param.messages("shape"), needed=True)
    else:
        require(not param.has("shape"), "give shape, or num, channels, height and width, but not both")
        for name, column in zip(names, columns):
            require(len(column) in (1, tops), f"{name} must be given once, or once for each of {tops} tops")
        full = [column * tops if len(column) == 1 else column for column in columns]
        shapes = list(zip(*full))
    return Answer(shapes, touched=[count(shape) for shape in shapes])


def memory_data(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """Images (N, C, H, W) and labels (N), from memory."""
    param = layer.param("memory_data_param")
    shape = tuple(param.integer(name) for name in ("batch_size", "channels", "height", "width"))
    require(all(dim > 0 for dim in shape), f"batch_size, channels, height and width must be positive: {shape}")
    return Answer([shape, shape[:1]])


# ---------------------------------------------------------------- layers that read files

#: The file that every database of a kind has in its folder.
_DATABASES = {"LEVELDB": "CURRENT", "0": "CURRENT", "LMDB": "data.mdb", "1": "data.mdb"}


def data(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """A database: (batch, ?, crop, crop) and (batch); the channels stand in the database."""
    batch, crop = layer.param("data_param").integer("batch_size"), _crop(layer, "data_param")
    transform = layer.param("transform_param")
    color, gray = transform.boolean("force_color"), transform.boolean("force_gray")
    require(not (color and gray), "force_color and force_gray must not both be set")
    channels = 3 if color else 1 if gray else None
    backend = _DATABASES.get(layer.param("data_param").word("backend", "LEVELDB"), "")
    source = layer.param("data_param").string("source")
    return _from_file(layer, source, (batch, channels, crop, crop), backend)


def image_data(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """A list of images: cropped, or resized to new_height x new_width, or as large as they are."""
    param, crop = layer.param("image_data_param"), _crop(layer, "image_data_param")
    height, width = param.integer("new_height"), param.integer("new_width")
    require((height == 0) == (width == 0), "new_height and new_width must be given together")
    channels = 3 if param.boolean("is_color", True) else 1
    shape = (param.integer("batch_size", 1), channels, crop or height or None, crop or width or None)
    return _from_file(layer, param.string("source"), shape)


def window_data(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """Windows of images, warped to crop_size."""
    param, crop = layer.param("window_data_param"), _crop(layer, "window_data_param")
    require(bool(crop), "crop_size must be given in transform_param")
    return _from_file(layer, param.string("source"), (param.integer("batch_size"), None, crop, crop))


def hdf5_data(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """Data sets of a file, `batch_size` rows at a time."""
    require(not layer.message.has("transform_param"), "it takes no transform_param")
    param = layer.param("hdf5_data_param")
    _require_file(param.string("source"), [None] * len(layer.tops))
    return Answer([None] * len(layer.tops))


def hdf5_output(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """No top; the file is created when the net is."""
    param = layer.param("hdf5_output_param")
    require(bool(param.string("file_name")), "file_name must be given in hdf5_output_param")
    return Answer([])


def _crop(layer: Layer, own: str) -> Dim:
    """crop_size, which layers of the old form keep in their own parameters."""
    crop = layer.param("transform_param").integer("crop_size")
    if layer.version != 2 and layer.param(own).has("crop_size"):
        crop = layer.param(own).integer("crop_size")
    return crop or None


def _from_file(layer: Layer, source: str, shape: Tuple[Dim, ...], inside: str = "") -> Answer:
    tops: List[Shape] = [shape, shape[:1]][: len(layer.tops)]
    _require_file(source, tops, inside)
    return Answer(tops)


def _require_file(source: str, tops: List[Shape], inside: str = "") -> None:
    """Caffe opens the file when it builds the net."""
    if not source:
        refuse("source must be given")
    if not os.path.exists(os.path.join(source, inside) if inside else source):
        raise Missing(f"its source {source!r} must be there, but is not; --shape can stand in for it", tops)
