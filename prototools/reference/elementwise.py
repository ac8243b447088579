"""Layers that look at one place of their bottoms at a time."""

from __future__ import annotations

from typing import List

import numpy as np

from prototools.reference.call import Call, choice

ELTWISE = ("PROD", "SUM", "MAX")


def absval(call: Call) -> List[np.ndarray]:
    """|x|."""
    return [np.abs(call.bottoms[0])]


def bnll(call: Call) -> List[np.ndarray]:
    """log(1 + exp(x)) (bnll_layer.cpp)."""
    return [np.logaddexp(0.0, call.bottoms[0])]


def clip(call: Call) -> List[np.ndarray]:
    """x between `min` and `max` (clip_layer.cpp, Caffe master)."""
    param = call.param("clip_param")
    return [np.clip(call.bottoms[0], param.number("min"), param.number("max"))]


def dropout(call: Call) -> List[np.ndarray]:
    """A copy, which is what phase TEST does; phase TRAIN is random and refused."""
    if call.phase != "TEST":
        raise call.error("draws random numbers in phase TRAIN; compare in phase TEST")
    return [call.bottoms[0]]


def eltwise(call: Call) -> List[np.ndarray]:
    """PROD, SUM with one coefficient a bottom, or MAX of equal shapes (eltwise_layer.cpp)."""
    param, bottoms = call.param("eltwise_param"), call.bottoms
    if len(bottoms) < 2 or any(blob.shape != bottoms[0].shape for blob in bottoms):
        shapes = [blob.shape for blob in bottoms]
        raise call.error(f"needs at least two bottoms of one shape, but has {shapes}")
    operation = choice(param, "operation", ELTWISE, "SUM")
    if operation == "PROD":
        return [_fold(np.multiply, bottoms)]
    if operation == "MAX":
        return [_fold(np.maximum, bottoms)]
    factors = param.numbers("coeff") or [1.0] * len(bottoms)
    if len(factors) != len(bottoms):
        raise call.error(f"needs one coeff a bottom, but has {len(factors)} for {len(bottoms)}")
    return [_fold(np.add, [factor * blob for factor, blob in zip(factors, bottoms)])]


def _fold(function, blobs: List[np.ndarray]) -> np.ndarray:
    top = blobs[0]
    for blob in blobs[1:]:
        top = function(top, blob)
    return top


def elu(call: Call) -> List[np.ndarray]:
    """x above 0, alpha (exp(x) - 1) below (elu_layer.cpp)."""
    alpha, bottom = call.param("elu_param").number("alpha", 1.0), call.bottoms[0]
    return [np.where(bottom > 0, bottom, alpha * np.expm1(np.minimum(bottom, 0)))]


def exp(call: Call) -> List[np.ndarray]:
    """base ^ (shift + scale x); base -1 stands for e (exp_layer.cpp)."""
    param = call.param("exp_param")
    base = param.number("base", -1.0)
    inner = param.number("shift") + param.number("scale", 1.0) * call.bottoms[0]
    return [np.exp(inner if base == -1 else inner * np.log(base))]


def log(call: Call) -> List[np.ndarray]:
    """log to a base of shift + scale x; base -1 stands for e (log_layer.cpp)."""
    param = call.param("log_param")
    base = param.number("base", -1.0)
    inner = param.number("shift") + param.number("scale", 1.0) * call.bottoms[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        return [np.log(inner) / (1.0 if base == -1 else np.log(base))]


def power(call: Call) -> List[np.ndarray]:
    """(shift + scale x) ^ power (power_layer.cpp).

    Where power or scale is 0 the top is a constant that does not look at the bottom, NaN or not.
    """
    param, bottom = call.param("power_param"), call.bottoms[0]
    exponent, scale = param.number("power", 1.0), param.number("scale", 1.0)
    shift = param.number("shift", 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        if exponent * scale == 0:
            value = 1.0 if exponent == 0 else np.power(np.float64(shift), exponent)
            return [np.full(bottom.shape, value)]
        return [np.power(shift + scale * bottom, exponent)]


def prelu(call: Call) -> List[np.ndarray]:
    """max(x, 0) + slope min(x, 0), one slope a channel or one for all (prelu_layer.cpp)."""
    bottom, slope = call.bottoms[0], call.params[0].reshape(-1)
    slope = slope.reshape((1, -1) + (1,) * (bottom.ndim - 2))
    return [np.maximum(bottom, 0) + slope * np.minimum(bottom, 0)]


def relu(call: Call) -> List[np.ndarray]:
    """max(x, 0) + negative_slope min(x, 0) (relu_layer.cpp)."""
    slope, bottom = call.param("relu_param").number("negative_slope"), call.bottoms[0]
    return [np.maximum(bottom, 0) + slope * np.minimum(bottom, 0)]


def sigmoid(call: Call) -> List[np.ndarray]:
    """1 / (1 + exp(-x)), by way of tanh so that nothing overflows (sigmoid_layer.cpp)."""
    return [_sigmoid(call.bottoms[0])]


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 0.5 * np.tanh(0.5 * values) + 0.5


def swish(call: Call) -> List[np.ndarray]:
    """x sigmoid(beta x) (swish_layer.cpp)."""
    beta = call.param("swish_param").number("beta", 1.0)
    return [call.bottoms[0] * _sigmoid(beta * call.bottoms[0])]


def tanh(call: Call) -> List[np.ndarray]:
    """The hyperbolic tangent."""
    return [np.tanh(call.bottoms[0])]


def threshold(call: Call) -> List[np.ndarray]:
    """1 where x > threshold, else 0 (threshold_layer.cpp)."""
    limit = call.param("threshold_param").number("threshold", 0.0)
    return [np.where(call.bottoms[0] > limit, 1.0, 0.0)]
