"""Convolution, Deconvolution, InnerProduct and Embed."""

from __future__ import annotations

from typing import List, Optional, Tuple

import numpy as np

from prototools.reference.call import Call, axis_of
from prototools.reference.windows import Window, convolution_window


def convolution(call: Call) -> List[np.ndarray]:
    """Caffe's Convolution (base_conv_layer.cpp): cross-correlation, zeros outside.

    Bottoms (N, C, spatial...), weights (O, C / group, kernel...), bias (O); any number of bottoms.
    """
    return [_on_batch(call, bottom, _convolve) for bottom in call.bottoms]


def deconvolution(call: Call) -> List[np.ndarray]:
    """Caffe's Deconvolution (deconv_layer.cpp): the transpose of a Convolution's map.

    Bottoms (N, C, spatial...), weights (C, O / group, kernel...), bias (O); any number of bottoms.
    """
    return [_on_batch(call, bottom, _deconvolve) for bottom in call.bottoms]


def _on_batch(call: Call, bottom: np.ndarray, function) -> np.ndarray:
    """Fold the axes before `axis` into one batch, run, and unfold them again."""
    param = call.param("convolution_param")
    axis = axis_of(call, param.integer("axis", 1), bottom.ndim)
    window = convolution_window(call, param, bottom.ndim - axis - 1)
    batch = bottom.reshape((-1,) + bottom.shape[axis:])
    groups = param.integer("group", 1)
    outputs = param.integer("num_output")
    if groups < 1 or outputs < 1 or batch.shape[1] % groups or outputs % groups:
        raise call.error(
            f"group must divide the {batch.shape[1]} channels and the num_output of {outputs}, "
            f"but is {groups}"
        )
    top = function(batch, call.params[0], window, groups)
    bias = call.params[1] if param.boolean("bias_term", True) else None
    top = _add_bias(top.reshape(top.shape[0], outputs, *top.shape[3:]), bias)
    return top.reshape(bottom.shape[:axis] + top.shape[1:])


def _add_bias(top: np.ndarray, bias: Optional[np.ndarray]) -> np.ndarray:
    if bias is None:
        return top
    return top + bias.reshape((1, -1) + (1,) * (top.ndim - 2))


def _convolve(batch: np.ndarray, weights: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """(N, groups, outputs of a group, spatial...): one matrix product for each tap."""
    size = batch.shape[2:]
    shape = window.convolved(size)
    outputs, inputs = weights.shape[0] // groups, weights.shape[1]
    needed = [(shape[i] - 1) * window.stride[i] + window.extent(i) for i in range(len(size))]
    margins = [
        (window.pad[i], max(0, needed[i] - rows - window.pad[i])) for i, rows in enumerate(size)
    ]
    padded = np.pad(batch, [(0, 0), (0, 0)] + margins, mode="constant")
    padded = padded.reshape((len(batch), groups, inputs) + padded.shape[2:])
    taps = _by_tap(weights, (groups, outputs, inputs))
    top = np.zeros((len(batch), groups, outputs, int(np.prod(shape))))
    for tap in np.ndindex(*window.kernel):
        part = padded[(Ellipsis,) + _slices(window, tap, shape)]
        top += _mix(taps[tap], part.reshape(part.shape[:3] + (-1,)))
    return top.reshape(top.shape[:3] + shape)


def _deconvolve(batch: np.ndarray, weights: np.ndarray, window: Window, groups: int) -> np.ndarray:
    """(N, groups, outputs of a group, spatial...): each tap adds a strided copy of its product."""
    size = batch.shape[2:]
    inputs, outputs = weights.shape[0] // groups, weights.shape[1]
    flat = batch.reshape(len(batch), groups, inputs, -1)
    taps = _by_tap(weights, (groups, inputs, outputs)).swapaxes(-1, -2)
    full = tuple(window.stride[i] * (n - 1) + window.extent(i) for i, n in enumerate(size))
    top = np.zeros((len(batch), groups, outputs) + full)
    for tap in np.ndindex(*window.kernel):
        part = _mix(taps[tap], flat)
        top[(Ellipsis,) + _slices(window, tap, size)] += part.reshape(part.shape[:3] + size)
    inside = tuple(slice(pad, pad + n) for pad, n in zip(window.pad, window.deconvolved(size)))
    return top[(Ellipsis,) + inside]


def _by_tap(weights: np.ndarray, grouped: Tuple[int, int, int]) -> np.ndarray:
    """Weights with the kernel's axes first: [tap] is (groups, rows, columns)."""
    kernel = weights.shape[2:]
    split = weights.reshape(grouped + kernel)
    return np.ascontiguousarray(np.moveaxis(split, (0, 1, 2), (-3, -2, -1)))


def _slices(window: Window, tap: Tuple[int, ...], count: Tuple[int, ...]) -> Tuple[slice, ...]:
    """Where the rows of one tap lie: `count` rows, `stride` apart, from the tap's offset on."""
    starts = [offset * window.dilation[i] for i, offset in enumerate(tap)]
    return tuple(
        slice(start, start + (count[i] - 1) * window.stride[i] + 1, window.stride[i])
        for i, start in enumerate(starts)
    )


def _mix(matrix: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(groups, O, I) times (N, groups, I, P); one input channel a group needs no matrix product."""
    if matrix.shape[-1] == 1:
        return matrix * columns
    return np.matmul(matrix, columns)


def inner_product(call: Call) -> List[np.ndarray]:
    """Caffe's InnerProduct: all axes from `axis` on are one vector (inner_product_layer.cpp).

    Weights (O, K), or (K, O) with `transpose`; bias (O). The top has shape X[:axis] + (O,).
    """
    param, bottom = call.param("inner_product_param"), call.bottoms[0]
    axis = axis_of(call, param.integer("axis", 1), bottom.ndim)
    rows = bottom.reshape(int(np.prod(bottom.shape[:axis])), -1)
    outputs = param.integer("num_output")
    if param.boolean("transpose"):
        weights = call.params[0].reshape(-1, outputs)
    else:
        weights = call.params[0].reshape(outputs, -1).T
    if weights.shape[0] != rows.shape[1]:
        raise call.error(f"the weights take {weights.shape[0]} inputs, but {rows.shape[1]} come in")
    top = rows @ weights
    if param.boolean("bias_term", True):
        top = top + call.params[1].reshape(1, -1)
    return [top.reshape(bottom.shape[:axis] + (outputs,))]


def embed(call: Call) -> List[np.ndarray]:
    """Caffe's Embed: row `bottom` of the weights (input_dim, O), plus a bias (embed_layer.cpp)."""
    param, bottom = call.param("embed_param"), call.bottoms[0]
    top = call.params[0][bottom.astype(np.int64)]
    return [top + call.params[1] if param.boolean("bias_term", True) else top]
