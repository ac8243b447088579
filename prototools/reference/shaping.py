"""Layers that move numbers without changing them, and layers that make blobs."""

from __future__ import annotations

from typing import List

import numpy as np

from prototools.prototext import Message
from prototools.reference.call import Call, axis_of, need_bottoms, written
from prototools.reference.fillers import fill


def concat(call: Call) -> List[np.ndarray]:
    """Bottoms one behind the other along `axis`, or the older `concat_dim` (concat_layer.cpp)."""
    axis = _axis_or_dim(call, call.param("concat_param"), "concat_dim")
    return [np.concatenate(call.bottoms, axis=axis)]


def slice_layer(call: Call) -> List[np.ndarray]:
    """One bottom cut along `axis` at `slice_point`s, or into equal parts (slice_layer.cpp)."""
    param, bottom = call.param("slice_param"), call.bottoms[0]
    axis, count = _axis_or_dim(call, param, "slice_dim"), len(call.layer.tops)
    points = param.integers("slice_point")
    if not points:
        if bottom.shape[axis] % count:
            raise call.error(f"{bottom.shape[axis]} rows cannot be cut into {count} equal parts")
        points = [bottom.shape[axis] // count * i for i in range(1, count)]
    edges = [0] + points + [bottom.shape[axis]]
    if len(points) != count - 1 or sorted(edges) != edges:
        raise call.error(f"needs {count - 1} rising slice_points within the blob, but has {points}")
    return np.split(bottom, points, axis=axis)


def _axis_or_dim(call: Call, param: Message, old: str) -> int:
    axis = param.integer(old) if written(param, old) else param.integer("axis", 1)
    return axis_of(call, axis, call.bottoms[0].ndim)


def crop(call: Call) -> List[np.ndarray]:
    """Bottom 0 cut to the size of bottom 1 from `axis` on, at `offset` (crop_layer.cpp)."""
    need_bottoms(call, 2)
    param, (bottom, reference) = call.param("crop_param"), call.bottoms
    axis = axis_of(call, param.integer("axis", 2), bottom.ndim)
    offsets = param.integers("offset") or [0]
    count = bottom.ndim - axis
    if len(offsets) not in (1, count):
        raise call.error(f"offset must stand once or {count} times, but is {offsets}")
    starts = offsets * count if len(offsets) == 1 else offsets
    sizes = reference.shape[axis:]
    if any(start + n > have for start, n, have in zip(starts, sizes, bottom.shape[axis:])):
        raise call.error(f"{sizes} at {starts} must lie within {bottom.shape[axis:]}")
    inside = tuple(slice(start, start + n) for start, n in zip(starts, sizes))
    return [bottom[(slice(None),) * axis + inside]]


def flatten(call: Call) -> List[np.ndarray]:
    """Axes `axis` to `end_axis` folded into one (flatten_layer.cpp)."""
    param, bottom = call.param("flatten_param"), call.bottoms[0]
    first = axis_of(call, param.integer("axis", 1), bottom.ndim)
    last = axis_of(call, param.integer("end_axis", -1), bottom.ndim)
    folded = int(np.prod(bottom.shape[first : last + 1]))
    return [bottom.reshape(bottom.shape[:first] + (folded,) + bottom.shape[last + 1 :])]


def reshape(call: Call) -> List[np.ndarray]:
    """Axes [axis, axis + num_axes) replaced by `shape`; 0 copies, -1 infers (reshape_layer.cpp)."""
    param, bottom = call.param("reshape_param"), call.bottoms[0]
    axis, span = param.integer("axis", 0), param.integer("num_axes", -1)
    first = axis if axis >= 0 else bottom.ndim + axis + 1
    last = bottom.ndim if span == -1 else first + span
    new = param.message("shape").integers("dim")
    if not 0 <= first <= last <= bottom.ndim or new.count(-1) > 1:
        raise call.error(f"cannot put {new} in place of axes {first} to {last} of {bottom.shape}")
    shape = [bottom.shape[first + i] if dim == 0 else dim for i, dim in enumerate(new)]
    return [bottom.reshape(bottom.shape[:first] + tuple(shape) + bottom.shape[last:])]


def split(call: Call) -> List[np.ndarray]:
    """The bottom once for each top."""
    return [call.bottoms[0]] * len(call.layer.tops)


def silence(call: Call) -> List[np.ndarray]:
    """No top at all."""
    return []


def tile(call: Call) -> List[np.ndarray]:
    """The bottom `tiles` times along `axis` (tile_layer.cpp)."""
    param, bottom = call.param("tile_param"), call.bottoms[0]
    axis = axis_of(call, param.integer("axis", 1), bottom.ndim)
    count = param.integer("tiles")
    if count < 1:
        raise call.error(f"tiles must be at least 1, but is {count}")
    return [np.concatenate([bottom] * count, axis=axis)]


def batch_reindex(call: Call) -> List[np.ndarray]:
    """The images of bottom 0 in the order of bottom 1 (batch_reindex_layer.cpp)."""
    need_bottoms(call, 2)
    return [call.bottoms[0][call.bottoms[1].astype(np.int64)]]


def input_layer(call: Call) -> List[np.ndarray]:
    """An Input holds what the caller gives it, so there is nothing to compute."""
    names = ", ".join(repr(top) for top in call.layer.tops)
    raise call.error(f"its blobs must be given: pass inputs for {names}")


def dummy_data(call: Call) -> List[np.ndarray]:
    """Blobs of the given shapes from `data_filler`, one for all tops or one each, default 0."""
    param, count = call.param("dummy_data_param"), len(call.layer.tops)
    shapes = [shape.integers("dim") for shape in param.messages("shape")]
    if not shapes:
        sides = [param.integers(name) for name in ("num", "channels", "height", "width")]
        shapes = [list(shape) for shape in zip(*sides)]
    fillers = param.messages("data_filler") or [param.message("data_filler")]
    if len(shapes) not in (1, count) or len(fillers) not in (1, count):
        raise call.error(f"shape and data_filler must be given once or {count} times")
    return [
        fill(fillers[i % len(fillers)], shapes[i % len(shapes)], f"{call.layer.name}/{top}")
        for i, top in enumerate(call.layer.tops)
    ]


def parameter(call: Call) -> List[np.ndarray]:
    """The layer's own blob (parameter_layer.hpp)."""
    return [call.params[0]]
