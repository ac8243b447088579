"""Layers whose top has the bottom's shape, and those with learned blobs that fit it."""

from __future__ import annotations

from typing import List, NamedTuple, Sequence, Tuple

from prototools.net import Layer
from prototools.prototext import Message
from prototools.shapes.arranging import not_in_place
from prototools.shapes.blob import (
    Answer,
    Dim,
    Shape,
    canonical,
    count,
    known,
    require,
    same,
    same_shape,
    words,
)
from prototools.shapes.fillers import check_filler


def same_as_bottom(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """The bottom's shape."""
    return Answer([bottoms[0]])


def absval(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """The bottom's shape, not in place."""
    not_in_place(layer)
    return Answer([bottoms[0]])


def exp(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """The bottom's shape; a base is positive, or -1 for e."""
    base = layer.param("exp_param").number("base", -1)
    require(base == -1 or base > 0, f"base must be positive, or -1 for e, but is {base}")
    return Answer([bottoms[0]])


def log(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """The bottom's shape; a base is positive, or -1 for e."""
    base = layer.param("log_param").number("base", -1)
    require(base == -1 or base > 0, f"base must be positive, or -1 for e, but is {base}")
    require(base != 1, "base must not be 1")
    return Answer([bottoms[0]])


def clip(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """The bottom's shape; min and max are the only required fields of all."""
    param = layer.param("clip_param")
    given = [param.has("min"), param.has("max")]
    require(all(given) or not layer.message.has("clip_param"), "clip_param must give min and max")
    return Answer([bottoms[0]])


def lrn(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """The bottom's shape, 4-D, with an odd window."""
    bottom, param = bottoms[0], layer.param("lrn_param")
    size = param.integer("local_size", 5)
    require(size % 2 == 1, f"local_size must be odd, but is {size}")
    require(bottom is None or len(bottom) == 4, f"its bottom must have 4 axes, but is {words(bottom)}")
    return Answer([bottom if bottom is not None else (None,) * 4])


def softmax(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """The bottom's shape; `axis` (1) must exist."""
    bottom = bottoms[0]
    if bottom is None:
        return Answer([None])
    axis = canonical(layer.param("softmax_param").integer("axis", 1), bottom)
    return Answer([bottom], touched=[bottom[axis]])


def eltwise(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """The first bottom's shape, which all others must have."""
    param = layer.param("eltwise_param")
    coefficients = len(param.scalars("coeff"))
    require(coefficients in (0, len(bottoms)), f"coeff must be given once for each of {len(bottoms)} bottoms")
    product = param.word("operation", "SUM") in ("PROD", "0")
    require(not (product and coefficients), "PROD takes no coeff")
    ranked = known(bottoms)
    for shape in ranked[1:]:
        require(same_shape(ranked[0], shape), f"all bottoms must have one shape: {words(ranked[0])} "
                f"and {words(shape)}")
    return Answer([_merged(ranked)])


def _merged(shapes: List[Tuple]) -> Shape:
    """What several shapes of one blob tell together."""
    if not shapes:
        return None
    return tuple(next((dim for dim in dims if dim is not None), None) for dims in zip(*shapes))


# ---------------------------------------------------------------- learned blobs


def prelu(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """A slope for each channel, or one for all."""
    bottom, param = bottoms[0], layer.param("prelu_param")
    fits = bottom is None or 2 <= len(bottom) <= 4
    require(fits, f"its bottom must have 2 to 4 axes, but is {words(bottom)}")
    shared = param.boolean("channel_shared")
    slopes: Shape = () if shared else (bottom[1] if bottom else None,)
    check_filler(param, "filler", slopes)
    return Answer([bottom], [slopes], [count(bottom, 1) if bottom else None])


def batch_norm(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """Mean, variance and their factor; every `param` must have lr_mult 0."""
    bottom = bottoms[0]
    given = layer.message.messages("param")
    # Caffe mends old files: with exactly three of them it sets lr_mult itself (upgrade_proto.cpp).
    for param in given if len(given) != 3 else []:
        require(param.number("lr_mult", 1) == 0, "its statistics are no weights: every param must have lr_mult 0")
    if bottom is None:
        return Answer([None], [(None,), (None,), (1,)])
    channels = bottom[canonical(1, bottom)]
    spatial = count(bottom, 2)
    return Answer([bottom], [(channels,), (channels,), (1,)], [bottom[0], spatial])


def scale(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """The bottom times a blob that fits its axes from `axis` (1) on, perhaps plus another."""
    param = layer.param("scale_param")
    fitted = _fitted(bottoms, param)
    params = [fitted.shape] if len(bottoms) == 1 else []
    touched = [None if None in (fitted.outer, fitted.inner) else max(fitted.outer, fitted.inner)]
    if param.boolean("bias_term"):
        check_filler(param, "bias_filler", fitted.shape)
        params.append(fitted.shape)
        touched.append(fitted.inner)
    return Answer([bottoms[0]], params, touched)


def bias(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """The bottom plus a blob that fits its axes from `axis` (1) on."""
    fitted = _fitted(bottoms, layer.param("bias_param"))
    return Answer([bottoms[0]], [fitted.shape] if len(bottoms) == 1 else [], [fitted.inner])


class _Fitted(NamedTuple):
    """A blob that fits a part of the bottom's axes, and the sizes before and behind that part."""

    shape: Shape
    outer: Dim = None
    inner: Dim = None


def _fitted(bottoms: Sequence[Shape], param: Message) -> _Fitted:
    """The learned blob where there is one bottom, the second bottom where there are two."""
    bottom, wanted = bottoms[0], param.integer("axis", 1)
    if bottom is None:
        return _Fitted(bottoms[1] if len(bottoms) == 2 else None)
    if len(bottoms) == 1:
        axis, shape = _learned(bottom, wanted, param.integer("num_axes", 1))
        check_filler(param, "filler", shape)
    else:
        axis, shape = _given(bottom, wanted, bottoms[1])
    if shape is None:
        return _Fitted(None)
    return _Fitted(shape, count(bottom, 0, axis), count(bottom, axis + len(shape)))


def _learned(bottom: Tuple[Dim, ...], wanted: int, axes: int) -> Tuple[int, Shape]:
    """The axes [axis, axis + num_axes) of the bottom; -1 is all that are left."""
    axis = canonical(wanted, bottom)
    require(axes >= -1, f"num_axes must be at least -1, but is {axes}")
    stop = len(bottom) if axes == -1 else axis + axes
    require(stop <= len(bottom), f"its blob must not reach past the bottom's {len(bottom)} axes")
    return axis, bottom[axis:stop]


def _given(bottom: Tuple[Dim, ...], wanted: int, other: Shape) -> Tuple[int, Shape]:
    """The second bottom's dims are the first's from the axis on; a scalar fits everywhere."""
    if other is None:
        return 0, None
    axis = 0 if not other else canonical(wanted, bottom)
    require(len(bottom) >= axis + len(other), f"{words(other)} reaches past {words(bottom)}")
    for i, dim in enumerate(other):
        require(same(bottom[axis + i], dim), f"{words(other)} does not fit {words(bottom)} from axis {axis}")
    return axis, other


def inner_product(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """Everything from `axis` (1) on becomes num_output; blobs (N, K), or (K, N) if transposed."""
    param, bottom = layer.param("inner_product_param"), bottoms[0]
    outputs, bias_term = param.dim("num_output"), param.boolean("bias_term", True)
    if bottom is None:
        top = (None, outputs) if param.integer("axis", 1) == 1 else None
        return Answer([top], _weights(param, outputs, None, bias_term))
    axis = canonical(param.integer("axis", 1), bottom)
    params = _weights(param, outputs, count(bottom, axis), bias_term)
    touched = [count(bottom, 0, axis)] if bias_term else []
    return Answer([(*bottom[:axis], outputs)], params, touched)


def _weights(param: Message, outputs: Dim, inputs, bias_term: bool) -> List[Shape]:
    weights = (inputs, outputs) if param.boolean("transpose") else (outputs, inputs)
    check_filler(param, "weight_filler", weights)
    if bias_term:
        check_filler(param, "bias_filler", (outputs,))
    return [weights, *([(outputs,)] if bias_term else [])]


def embed(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """A vector for every entry."""
    param, bottom = layer.param("embed_param"), bottoms[0]
    outputs, inputs = param.integer("num_output"), param.integer("input_dim")
    require(outputs > 0, "num_output must be at least 1")
    require(inputs > 0, "input_dim must be at least 1")
    bias_term = param.boolean("bias_term", True)
    check_filler(param, "weight_filler", (inputs, outputs))
    params: List[Shape] = [(inputs, outputs), *([(outputs,)] if bias_term else [])]
    top = None if bottom is None else (*bottom, outputs)
    return Answer([top], params, [count(bottom)] if bias_term else [])
