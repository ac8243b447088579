"""Scale, Bias, and layers that look at sums: BatchNorm, LRN, MVN, Softmax, Reduction, ArgMax."""

from __future__ import annotations

from typing import List

import numpy as np

from prototools.reference.call import Call, axis_of, choice
from prototools.reference.pooling import average_pooling
from prototools.reference.windows import Window

REDUCTIONS = {
    "SUM": np.sum,
    "ASUM": lambda values, axis: np.sum(np.abs(values), axis=axis),
    "SUMSQ": lambda values, axis: np.sum(values * values, axis=axis),
    "MEAN": np.mean,
}


def scale(call: Call) -> List[np.ndarray]:
    """x times a blob whose shape is X[axis : axis + num_axes], plus an optional bias of that shape.

    The factor is bottom 1 where there is one, else the first param (scale_layer.cpp).
    """
    param, bottom = call.param("scale_param"), call.bottoms[0]
    own = list(call.params)
    factor = call.bottoms[1] if len(call.bottoms) > 1 else own.pop(0)
    axis = param.integer("axis", 1)
    top = bottom * _spread(call, factor, bottom, axis)
    if param.boolean("bias_term"):
        top = top + _spread(call, own[0].reshape(factor.shape), bottom, axis)
    return [top]


def bias(call: Call) -> List[np.ndarray]:
    """x plus a blob whose shape is X[axis : axis + num_axes] (bias_layer.cpp)."""
    param, bottom = call.param("bias_param"), call.bottoms[0]
    addend = call.bottoms[1] if len(call.bottoms) > 1 else call.params[0]
    return [bottom + _spread(call, addend, bottom, param.integer("axis", 1))]


def _spread(call: Call, blob: np.ndarray, bottom: np.ndarray, axis: int) -> np.ndarray:
    """A blob with axes of length 1 before and after, so that it meets the bottom from `axis` on."""
    start = 0 if blob.ndim == 0 else axis_of(call, axis, bottom.ndim)
    if bottom.shape[start : start + blob.ndim] != blob.shape:
        raise call.error(f"shape {blob.shape} must fit {bottom.shape} from axis {axis} on")
    return blob.reshape((1,) * start + blob.shape + (1,) * (bottom.ndim - start - blob.ndim))


def batch_norm(call: Call) -> List[np.ndarray]:
    """(x - mean) / sqrt(variance + eps) for each channel (batch_norm_layer.cpp).

    The stored mean and variance are divided by the third param, or are 0 where that is 0.
    Without `use_global_stats` (the default in phase TRAIN) the bottom's own are used, without
    Bessel's correction.
    """
    param, bottom = call.param("batch_norm_param"), call.bottoms[0]
    others = (0,) + tuple(range(2, bottom.ndim))
    if param.boolean("use_global_stats", call.phase == "TEST"):
        total = call.params[2].reshape(-1)[0]
        factor = 0.0 if total == 0 else 1.0 / total
        mean, variance = (blob.reshape(-1) * factor for blob in call.params[:2])
    else:
        mean, variance = bottom.mean(axis=others), bottom.var(axis=others)
    shape = (1, -1) + (1,) * (bottom.ndim - 2)
    deviation = np.sqrt(variance + param.number("eps", _single(1e-5)))
    return [(bottom - mean.reshape(shape)) / deviation.reshape(shape)]


def _single(value: float) -> float:
    """A default as Caffe stores it, in 32 bits."""
    return float(np.float32(value))


def lrn(call: Call) -> List[np.ndarray]:
    """x times (k + alpha mean of squares) ^ -beta, over channels or a window (lrn_layer.cpp).

    WITHIN_CHANNEL takes an AVE Pooling of the squares, padded by (size - 1) / 2, and ignores `k`.
    """
    param, bottom = call.param("lrn_param"), call.bottoms[0]
    size, alpha = param.integer("local_size", 5), param.number("alpha", 1.0)
    beta, offset = param.number("beta", 0.75), param.number("k", 1.0)
    if size % 2 == 0:
        raise call.error(f"local_size must be odd, but is {size}")
    region = choice(param, "norm_region", ("ACROSS_CHANNELS", "WITHIN_CHANNEL"), "ACROSS_CHANNELS")
    half = (size - 1) // 2
    if region == "WITHIN_CHANNEL":
        window = Window((size, size), (1, 1), (half, half), (1, 1))
        means = average_pooling(bottom * bottom, window, bottom.shape[2:])
        return [bottom * np.power(1.0 + alpha * means, -beta)]
    squares = np.pad(bottom * bottom, [(0, 0), (half, half), (0, 0), (0, 0)], mode="constant")
    sums = sum(squares[:, shift : shift + bottom.shape[1]] for shift in range(size))
    return [bottom * np.power(offset + alpha / size * sums, -beta)]


def mvn(call: Call) -> List[np.ndarray]:
    """Mean 0 and deviation 1 for each plane or each image; the top always has 4 axes."""
    param, bottom = call.param("mvn_param"), call.bottoms[0]
    bottom = bottom.reshape(bottom.shape + (1,) * (4 - bottom.ndim))
    axes = (1, 2, 3) if param.boolean("across_channels") else (2, 3)
    top = bottom - bottom.mean(axis=axes, keepdims=True)
    if param.boolean("normalize_variance", True):
        deviation = np.sqrt((top * top).mean(axis=axes, keepdims=True))
        top = top / (deviation + param.number("eps", _single(1e-9)))
    return [top]


def softmax(call: Call) -> List[np.ndarray]:
    """exp(x) over its sum along `axis`, the largest value taken off first (softmax_layer.cpp)."""
    bottom = call.bottoms[0]
    axis = axis_of(call, call.param("softmax_param").integer("axis", 1), bottom.ndim)
    powers = np.exp(bottom - bottom.max(axis=axis, keepdims=True))
    return [powers / powers.sum(axis=axis, keepdims=True)]


def reduction(call: Call) -> List[np.ndarray]:
    """coeff times SUM, ASUM, SUMSQ or MEAN of all axes from `axis` on (reduction_layer.cpp)."""
    param, bottom = call.param("reduction_param"), call.bottoms[0]
    axis = axis_of(call, param.integer("axis", 0), bottom.ndim)
    # Caffe's enumeration counts from 1.
    operation = choice(param, "operation", ("",) + tuple(REDUCTIONS), "SUM")
    rows = bottom.reshape(bottom.shape[:axis] + (-1,))
    top = REDUCTIONS[operation](rows, axis=-1) * param.number("coeff", 1.0)
    return [np.asarray(top)]


def argmax(call: Call) -> List[np.ndarray]:
    """The places of the `top_k` largest values, as floats (argmax_layer.cpp).

    Of equal values the one with the larger index comes first. With `axis` the top holds places, or
    values with `out_max_val`; without it a row of places for each image, then a row of values.
    """
    param, bottom = call.param("argmax_param"), call.bottoms[0]
    count, values = param.integer("top_k", 1), param.boolean("out_max_val")
    if param.all("axis"):
        axis = axis_of(call, param.integer("axis"), bottom.ndim)
        places = _largest(bottom, axis, count)
        return [np.take_along_axis(bottom, places, axis) if values else places.astype(float)]
    rows = bottom.reshape(bottom.shape[0], -1)
    places = _largest(rows, 1, count)
    found = [places.astype(float)]
    if values:
        found.append(np.take_along_axis(rows, places, 1))
    shape = (bottom.shape[0], len(found), count) + (1,) * (bottom.ndim - 3)
    return [np.stack(found, axis=1).reshape(shape)]


def _largest(values: np.ndarray, axis: int, count: int) -> np.ndarray:
    """Indices by falling value, then by falling index: Caffe sorts (value, index) pairs."""
    if not 1 <= count <= values.shape[axis]:
        raise ValueError(f"top_k must be between 1 and {values.shape[axis]}, but is {count}")
    backwards = np.argsort(-np.flip(values, axis), axis=axis, kind="stable")
    places = values.shape[axis] - 1 - backwards
    return np.take(places, np.arange(count), axis=axis)
