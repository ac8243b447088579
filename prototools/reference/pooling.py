"""Pooling, with Caffe's own borders, sizes and masks (pooling_layer.cpp)."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np

from prototools.reference.call import Call, choice, planes
from prototools.reference.windows import Window, pooling_window

LARGEST = float(np.finfo(np.float32).max)


def pooling(call: Call) -> List[np.ndarray]:
    """MAX (with an optional mask as second top) or AVE pooling of (N, C, H, W).

    The size is rounded up unless `round_mode: FLOOR`, or several forks' `ceil_mode: false`. Where there
    is padding, a last window that would start in the padding behind the image is dropped. STOCHASTIC
    has no CPU form in Caffe.
    """
    bottom, param = planes(call), call.param("pooling_param")
    window = pooling_window(call, param, bottom.shape[2:])
    up = choice(param, "round_mode", ("CEIL", "FLOOR"), "CEIL") == "CEIL" and param.boolean("ceil_mode", True)
    shape = pooled_size(bottom.shape[2:], window, up)
    if min(shape) < 0:
        raise call.error(f"the pooled size must not be negative, but is {shape[0]} x {shape[1]}")
    if min(shape) == 0:
        return [np.zeros(bottom.shape[:2] + shape) for _ in call.layer.tops]
    method = choice(param, "pool", ("MAX", "AVE", "STOCHASTIC"), "MAX")
    if method == "MAX":
        return list(max_pooling(bottom, window, shape))[: max(1, len(call.layer.tops))]
    if method == "AVE":
        return [average_pooling(bottom, window, shape)]
    raise call.error("STOCHASTIC pooling cannot be run here, nor by Caffe on a CPU; use MAX or AVE")


def pooled_size(size: Tuple[int, ...], window: Window, up: bool = True) -> Tuple[int, ...]:
    """Rows and columns of the top; the division is a float32 division, as in Caffe."""
    pooled = []
    for axis, rows in enumerate(size):
        room = np.float32(rows + 2 * window.pad[axis] - window.kernel[axis])
        steps = room / np.float32(window.stride[axis])
        count = int(np.ceil(steps) if up else np.floor(steps)) + 1
        if max(window.pad) and (count - 1) * window.stride[axis] >= rows + window.pad[axis]:
            count -= 1
        pooled.append(count)
    return tuple(pooled)


def max_pooling(
    bottom: np.ndarray, window: Window, shape: Tuple[int, ...]
) -> Tuple[np.ndarray, np.ndarray]:
    """The largest value in each window and its index h * W + w in the plane.

    The first of equal values in raster order wins. A window without a value above -FLT_MAX gives
    -FLT_MAX and the index -1.
    """
    height, width = bottom.shape[2:]
    padded = _padded(bottom, window, shape, -np.inf)
    best = np.full(bottom.shape[:2] + tuple(shape), -LARGEST)
    where = np.full(best.shape, -1.0)
    for tap in np.ndindex(*window.kernel):
        values = padded[(Ellipsis,) + _slices(window, tap, shape)]
        better = values > best
        rows = np.arange(shape[0]) * window.stride[0] - window.pad[0] + tap[0]
        columns = np.arange(shape[1]) * window.stride[1] - window.pad[1] + tap[1]
        best = np.where(better, values, best)
        where = np.where(better, rows[:, None] * width + columns, where)
    return best, where


def average_pooling(bottom: np.ndarray, window: Window, shape: Tuple[int, ...]) -> np.ndarray:
    """The sum of each window divided by its area, padding included but cut at H + pad."""
    top = _padded(bottom, window, shape, 0.0)
    area = np.ones(())
    for axis in (0, 1):
        starts = np.arange(shape[axis]) * window.stride[axis]
        top = _window_sums(top, 2 + axis, starts, window.kernel[axis])
        limit = bottom.shape[2 + axis] + 2 * window.pad[axis]
        lengths = np.minimum(starts + window.kernel[axis], limit) - starts
        area = np.multiply.outer(area, lengths)
    with np.errstate(divide="ignore", invalid="ignore"):
        return top / area


def _window_sums(values: np.ndarray, axis: int, starts: np.ndarray, length: int) -> np.ndarray:
    """Sums of `length` neighbours along an axis, one for each start."""
    return sum(np.take(values, starts + offset, axis=axis) for offset in range(length))


def _padded(
    bottom: np.ndarray, window: Window, shape: Tuple[int, ...], value: float
) -> np.ndarray:
    """The planes with a border wide enough for every window."""
    margins = [(0, 0), (0, 0)]
    for axis in (0, 1):
        needed = (shape[axis] - 1) * window.stride[axis] + window.kernel[axis]
        behind = needed - window.pad[axis] - bottom.shape[2 + axis]
        margins.append((window.pad[axis], max(0, behind)))
    return np.pad(bottom, margins, mode="constant", constant_values=value)


def _slices(window: Window, tap: Tuple[int, ...], shape: Tuple[int, ...]) -> Tuple[slice, ...]:
    return tuple(
        slice(tap[i], tap[i] + (shape[i] - 1) * window.stride[i] + 1, window.stride[i])
        for i in (0, 1)
    )
