"""Layers that slide a window: Convolution, Deconvolution, Im2col, Pooling, SPP."""

from __future__ import annotations

from math import ceil, floor
from typing import List, NamedTuple, Optional, Sequence, Tuple

from prototools.net import Layer
from prototools.prototext import Message
from prototools.shapes.arranging import not_in_place
from prototools.shapes.blob import (
    Answer,
    Dim,
    Shape,
    canonical,
    check_blob,
    require,
    same_shape,
    times,
    truncated,
)
from prototools.shapes.fillers import check_filler

#: The rank taken for a bottom of unknown rank: Caffe's images have four axes.
IMAGE: Tuple[Dim, ...] = (None, None, None, None)


#: The pads that some forks give for every side, by axis: the first row's and the last's (synopsys-caffe).
SIDES = (("pad_t", "pad_b"), ("pad_l", "pad_r"))


class Pad(NamedTuple):
    """Rows of zeros before the first row and behind the last; None where a fork's own rule gives them."""

    first: Dim
    last: Dim


def _pads(param: Message, pads: Sequence[int]) -> List[Pad]:
    """Caffe's pads, or those that forks write for every side."""
    if param.integer("pad_type"):
        return [Pad(None, None)] * len(pads)
    sides = [name for pair in SIDES for name in pair]
    if len(pads) != 2 or not any(param.has(name) for name in sides):
        return [Pad(pad, pad) for pad in pads]
    return [Pad(*(param.integer(name, pad) for name in pair)) for pair, pad in zip(SIDES, pads)]


def _setting(param: Message, name: str, axes: int, default: int) -> List[int]:
    """Kernel, stride, pad or dilation for every spatial axis (base_conv_layer.cpp, LayerSetUp)."""
    short = "kernel_size" if name == "kernel" else name
    if name != "dilation" and (param.has(f"{name}_h") or param.has(f"{name}_w")):
        require(axes == 2, f"{name}_h and {name}_w need two spatial axes, but there are {axes}")
        require(not param.has(short), f"{short} and {name}_h or {name}_w must not be given together")
        return [param.integer(f"{name}_h"), param.integer(f"{name}_w")]
    values = param.integers(short)
    if not values and name != "kernel":
        return [default] * axes
    fits = len(values) in (1, axes)
    require(fits, f"{short} must be given once, or once for each of {axes} spatial axes: {values}")
    return values * axes if len(values) == 1 else values


def _dilation(param: Message, axes: int) -> List[int]:
    """How far the kernel's rows lie apart; DeepLab's first forks call it `hole`."""
    if not any(param.has(name) for name in ("hole", "hole_h", "hole_w")):
        return _setting(param, "dilation", axes, 1)
    both = param.integer("hole", 1)
    return [param.integer("hole_h", both), param.integer("hole_w", both)][:axes]


def _window(
    param: Message, axes: int, deconvolution: bool = False
) -> Tuple[List[int], List[int], List[Pad], List[int]]:
    kernel = _setting(param, "kernel", axes, 0)
    require(all(size > 0 for size in kernel), f"the kernel must not be zero: {kernel}")
    stride = _setting(param, "stride", axes, 1)
    # A zero stride_h or stride_w goes unnoticed; Convolution then divides by it, Deconvolution does not.
    unnoticed = deconvolution and not param.has("stride")
    require(unnoticed or all(step > 0 for step in stride), f"the stride must not be zero: {stride}")
    return kernel, stride, _pads(param, _setting(param, "pad", axes, 0)), _dilation(param, axes)


def _slid(rows: Dim, kernel: int, stride: int, pad: Pad, dilation: int) -> Dim:
    if rows is None or pad.first is None or pad.last is None:
        return None
    return truncated(rows + pad.first + pad.last - (dilation * (kernel - 1) + 1), stride) + 1


def _spread(rows: Dim, kernel: int, stride: int, pad: Pad, dilation: int) -> Dim:
    if rows is None or pad.first is None or pad.last is None:
        return None
    return stride * (rows - 1) + dilation * (kernel - 1) + 1 - pad.first - pad.last


def convolution(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """out = (in + 2 pad - (dilation (k - 1) + 1)) / stride + 1, rounded towards zero."""
    return _convolved(layer, bottoms, _slid, deconvolution=False)


def deconvolution(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """out = stride (in - 1) + dilation (k - 1) + 1 - 2 pad; blobs are (C_in, C_out / group, k...)."""
    return _convolved(layer, bottoms, _spread, deconvolution=True)


def _convolved(layer: Layer, bottoms: Sequence[Shape], size, deconvolution: bool) -> Answer:
    param = layer.param("convolution_param")
    first = _first(bottoms)
    axis = canonical(param.integer("axis", 1), first)
    spatial = first[axis + 1 :]
    window = _window(param, len(spatial), deconvolution)
    outputs, group = param.dim("num_output"), param.dim("group", 1)
    channels, parts = first[axis], _channels(first[axis], outputs, group)
    rows = [size(*one) for one in zip(spatial, *window)]
    bias = param.boolean("bias_term", True)
    shape = (channels, parts[1]) if deconvolution else (outputs, parts[0])
    params: List[Shape] = [(*shape, *window[0])] + [(outputs,)] * bias
    check_filler(param, "weight_filler", params[0])
    if bias:
        check_filler(param, "bias_filler", params[1])
    tops = [_top(bottom, axis, outputs, rows) for bottom in bottoms]
    for top in tops:
        check_blob(top)
    return Answer(tops, params, [times(*rows)] if bias else [])


def _first(bottoms: Sequence[Shape]) -> Tuple[Dim, ...]:
    """The first bottom, which all others must equal; an image where its rank is unknown."""
    for bottom in bottoms[1:]:
        require(same_shape(bottoms[0], bottom), "all bottoms must have the same shape")
    return IMAGE if bottoms[0] is None else bottoms[0]


def _channels(channels: Dim, outputs: Dim, group: Dim) -> Tuple[Dim, Dim]:
    """Input and output channels of one group."""
    require(outputs is None or outputs > 0, f"num_output must be at least 1, but is {outputs}")
    if group is None:
        return None, None
    require(group > 0, f"group must be at least 1, but is {group}")
    require(channels is None or channels % group == 0, f"{channels} channels must be a multiple of group {group}")
    require(outputs is None or outputs % group == 0, f"num_output {outputs} must be a multiple of group {group}")
    return None if channels is None else channels // group, None if outputs is None else outputs // group


def _top(bottom: Shape, axis: int, outputs: Dim, rows: Sequence[Dim]) -> Shape:
    front = (IMAGE if bottom is None else bottom)[:axis]
    return (*front, outputs, *rows)


def im2col(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """Every window as a column: channels times the kernel, sizes as a Convolution's."""
    param = layer.param("convolution_param")
    bottom = IMAGE if bottoms[0] is None else bottoms[0]
    axis = canonical(param.integer("axis", 1), bottom)
    spatial = bottom[axis + 1 :]
    require(bool(spatial), "it must have at least one spatial axis")
    window = _window(param, len(spatial))
    rows = [_slid(*one) for one in zip(spatial, *window)]
    return Answer([(*bottom[:axis], times(bottom[axis], *window[0]), *rows)])


# ---------------------------------------------------------------- pooling


def pooling(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """out = round((in + 2 pad - k) / stride) + 1, up unless `round_mode` is FLOOR, clipped where padded."""
    param = layer.param("pooling_param")
    bottom = _four(bottoms[0])
    pool = {"0": "MAX", "1": "AVE", "2": "STOCHASTIC"}.get(param.word("pool", "MAX"), param.word("pool", "MAX"))
    require(len(layer.tops) == 1 or pool == "MAX", "only MAX pooling has a second top")
    kernel, stride, pad = _pooling_window(param, bottom)
    require(not any(pad) or pool in ("MAX", "AVE"), "a pad needs MAX or AVE pooling")
    require(all(p < k for p, k in zip(pad, kernel) if k is not None), f"pad {pad} must be less than kernel {kernel}")
    # `ceil_mode` is no field of stock Caffe, but several forks have it with one meaning.
    up = param.word("round_mode", "CEIL") in ("CEIL", "0") and param.boolean("ceil_mode", True)
    sides = _pads(param, pad)
    padded = any(any(side) for side in sides)
    rows = [_pooled(*one, padded, up) for one in zip(bottom[2:], kernel, stride, sides)]
    top = (*bottom[:2], *rows)
    check_blob(top)
    return Answer([top] * max(1, len(layer.tops)))


def _four(bottom: Shape) -> Tuple[Dim, ...]:
    if bottom is None:
        return IMAGE
    require(len(bottom) == 4, f"its bottom must have 4 axes, but has {len(bottom)}")
    return bottom


def _pooling_window(param: Message, bottom: Tuple[Dim, ...]):
    """Kernel, stride and pad of height and width (pooling_layer.cpp, LayerSetUp)."""
    stride, pad = _pooling_pair(param, "stride", 1), _pooling_pair(param, "pad", 0)
    if param.boolean("global_pooling"):
        given = [name for name in ("kernel_size", "kernel_h", "kernel_w") if param.has(name)]
        require(not given, "with global_pooling no kernel must be given")
        require(pad == (0, 0) and stride == (1, 1), "with global_pooling pad must be 0 and stride 1")
        return bottom[2:], stride, pad
    both = param.has("kernel_h") and param.has("kernel_w")
    require(param.has("kernel_size") != both, "it must give kernel_size, or kernel_h and kernel_w")
    size = param.integer("kernel_size")
    kernel = (size, size) if param.has("kernel_size") else (param.integer("kernel_h"), param.integer("kernel_w"))
    require(min(kernel) > 0, f"the kernel must not be zero: {kernel}")
    require(min(stride) > 0, f"the stride must not be zero: {stride}")
    return kernel, stride, pad


def _pooling_pair(param: Message, name: str, default: int) -> Tuple[int, int]:
    """stride or pad: once, or both _h and _w."""
    has_h, has_w = param.has(f"{name}_h"), param.has(f"{name}_w")
    fits = (has_h and has_w) if not param.has(name) else not (has_h or has_w)
    require(fits or not (param.has(name) or has_h or has_w), f"it must give {name}, or {name}_h and {name}_w")
    if has_h:
        return param.integer(f"{name}_h"), param.integer(f"{name}_w")
    value = param.integer(name, default)
    return value, value


def _pooled(rows: Dim, kernel: Dim, stride: int, pad: Pad, padded: bool, up: bool) -> Dim:
    if kernel is None:
        return 1
    if rows is None or pad.first is None or pad.last is None:
        return None
    steps = (rows + pad.first + pad.last - kernel) / stride
    out = int(ceil(steps) if up else floor(steps)) + 1
    # A window must not begin in the padding behind the input (clipped if either axis is padded).
    return out - 1 if padded and (out - 1) * stride >= rows + pad.first else out


def spp(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """A pyramid of 1, 2 x 2, 4 x 4, ... bins, flattened: C (4^h - 1) / 3; one level stays 4-D."""
    height = layer.param("spp_param").integer("pyramid_height")
    bottom = _four(bottoms[0])
    require(height > 0, "pyramid_height must be at least 1")
    if height > 1:
        not_in_place(layer)
    num, channels = bottom[:2]
    for level in range(height):
        for rows in bottom[2:]:
            _check_bins(rows, 2**level)
    if height == 1:
        return Answer([(num, channels, 1, 1)])
    return Answer([(num, times(channels, (4**height - 1) // 3))])


def _check_bins(rows: Optional[int], bins: int) -> None:
    """Each level is a Pooling whose pad must be less than its kernel (spp_layer.cpp)."""
    if rows is None:
        return
    kernel = -(-rows // bins)
    pad = (kernel * bins - rows + 1) // 2
    require(pad < kernel, f"{rows} rows are too few for {bins} bins")


