"""The learned blobs of a layer: their shapes, and what Caffe's fillers put into them."""

from __future__ import annotations

from math import prod
from typing import Callable, Dict, List, Sequence, Tuple

import numpy as np

from prototools.net import Layer
from prototools.prototext import Message
from prototools.reference.call import Call, axis_of, layer_error
from prototools.reference.fillers import fill
from prototools.reference.windows import convolution_window

#: A blob's shape, and the filler message or the constant that fills it.
Blob = Tuple[Sequence[int], object]

#: As many values as a blob of Caffe's counts.
MOST_VALUES = 2**31 - 1


def parameters(call: Call, bilinear: str = "new") -> List[np.ndarray]:
    """The layer's blobs as Caffe sets them up for these bottoms, float64; [] for most types.

    `bilinear` is the version of the bilinear filler, "new" or "old" (see `fillers`).
    """
    wanted = BLOBS.get(call.layer.type)
    if wanted is None:
        return []
    return [
        _filled(call.layer, index, shape, filler, bilinear)
        for index, (shape, filler) in enumerate(wanted(call))
    ]


def _filled(layer: Layer, index: int, shape: Sequence[int], filler, bilinear: str) -> np.ndarray:
    if min(shape, default=0) < 0 or prod(shape) > MOST_VALUES:
        raise layer_error(layer, f"its blob {index} must have from 0 to {MOST_VALUES:,} values, but its shape would be "
                                 f"{' x '.join(map(str, shape))}")
    if isinstance(filler, Message):
        return fill(filler, shape, f"{layer.name}/{index}", bilinear)
    return np.full(tuple(shape), float(filler))


def _bias(param: Message, shape: Sequence[int], default: bool = True) -> List[Blob]:
    return [(shape, param.message("bias_filler"))] if param.boolean("bias_term", default) else []


def _convolution(call: Call) -> List[Blob]:
    param = call.param("convolution_param")
    bottom = call.bottoms[0]
    axis = axis_of(call, param.integer("axis", 1), bottom.ndim)
    kernel = convolution_window(call, param, bottom.ndim - axis - 1).kernel
    group, outputs = param.integer("group", 1), param.integer("num_output")
    rows, columns = outputs, bottom.shape[axis]
    if call.layer.type == "Deconvolution":
        rows, columns = columns, rows
    shape = (rows, columns // max(group, 1)) + kernel
    return [(shape, param.message("weight_filler"))] + _bias(param, (outputs,))


def _inner_product(call: Call) -> List[Blob]:
    param, bottom = call.param("inner_product_param"), call.bottoms[0]
    axis = axis_of(call, param.integer("axis", 1), bottom.ndim)
    shape = (param.integer("num_output"), int(np.prod(bottom.shape[axis:])))
    weights = shape[::-1] if param.boolean("transpose") else shape
    return [(weights, param.message("weight_filler"))] + _bias(param, shape[:1])


def _embed(call: Call) -> List[Blob]:
    param = call.param("embed_param")
    outputs = param.integer("num_output")
    shape = (param.integer("input_dim"), outputs)
    return [(shape, param.message("weight_filler"))] + _bias(param, (outputs,))


def _prelu(call: Call) -> List[Blob]:
    param = call.param("prelu_param")
    shape = () if param.boolean("channel_shared") else (call.bottoms[0].shape[1],)
    return [(shape, param.message("filler") if param.all("filler") else 0.25)]


def _scale(call: Call) -> List[Blob]:
    param = call.param("scale_param")
    given = len(call.bottoms) > 1
    shape = call.bottoms[1].shape if given else _tail(call, param)
    factor = (shape, param.message("filler") if param.all("filler") else 1.0)
    return ([] if given else [factor]) + _bias(param, shape, False)


def _bias_layer(call: Call) -> List[Blob]:
    param = call.param("bias_param")
    return [] if len(call.bottoms) > 1 else [(_tail(call, param), param.message("filler"))]


def _tail(call: Call, param: Message) -> Sequence[int]:
    """X[axis : axis + num_axes]; -1 is to the end, 0 is a scalar."""
    bottom, count = call.bottoms[0], param.integer("num_axes", 1)
    axis = axis_of(call, param.integer("axis", 1), bottom.ndim)
    return bottom.shape[axis:] if count == -1 else bottom.shape[axis : axis + count]


def _batch_norm(call: Call) -> List[Blob]:
    channels = call.bottoms[0].shape[1] if call.bottoms[0].ndim > 1 else 1
    return [((channels,), 0), ((channels,), 0), ((1,), 0)]


def _parameter(call: Call) -> List[Blob]:
    return [(call.param("parameter_param").message("shape").integers("dim"), 0)]


BLOBS: Dict[str, Callable[[Call], List[Blob]]] = {
    "BatchNorm": _batch_norm,
    "Bias": _bias_layer,
    "Convolution": _convolution,
    "Deconvolution": _convolution,
    "Embed": _embed,
    "InnerProduct": _inner_product,
    "PReLU": _prelu,
    "Parameter": _parameter,
    "Scale": _scale,
}
