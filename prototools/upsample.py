"""Upsampling blocks for NetSpecs: the same blocks that the rewriter emits, built from Python.

    n = NetSpec()
    n.data = layers.Input(shape=dict(dim=[1, 3, 112, 112]))
    n.up = upsample.bilinear(n.data, factor=2, channels=3)

Every function builds on the NetSpec that its bottom came from, prototools' own or pycaffe's, and
returns the top of the block's last layer. Blobs are (N, C, H, W); every channel is treated alike;
the new layers are frozen (`lr_mult: 0`, `decay_mult: 0`) and let gradients through.
Where a size must be known, `in_shape` gives the bottom's: (N, C, H, W), or (H, W).
"""

from __future__ import annotations

import sys
from fractions import Fraction
from math import gcd
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union
from weakref import WeakKeyDictionary

from prototools import files, interpolation
from prototools.blocks import TOP, Block, StockLayer, deconvolution, pair
from prototools.errors import PrototoolsError
from prototools.lowerings import Choices, ResizeRequest, UnpoolRequest, lower
from prototools.lowerings.request import PoolOrigin, Refused, Rows
from prototools.matrices import Weights
from prototools.prototext import Word
from prototools.resize import Axis, Given, Resize, SizeRule, Times, Unpool, Zoomed
from prototools.sampling import ALIGN_CORNERS, NEAREST
from prototools.weights import NewLayer, blob, encode

Pair = Union[int, Sequence[int]]


class UpsampleError(PrototoolsError):
    """An argument that no upsampling block can be built from."""


def bilinear(bottom: Any, factor: int, channels: Optional[int] = None, *, in_shape=None) -> Any:
    """Bilinear upsampling as Caffe's own documentation has it: one Deconvolution (block B0).

    Output H' = factor * H. Pixel centres are half-pixel (as with align_corners=False), and outside
    the image there are zeros, so the outer factor // 2 rows and columns fade. That is what
    `skimage.transform.rescale(mode="constant", cval=0)` gives.
    Kernel 2 f - f mod 2, stride f, pad f // 2 (the recipe above `BilinearFiller` in filler.hpp).
    Raises `UpsampleError` for a factor or a number of channels below 1.
    """
    factor, channels = _whole("factor", factor), _channels(channels, in_shape)
    return _build(Block("bilinear", (_recipe(channels, factor),)), {"bottom": bottom})


def _recipe(channels: int, factor: int) -> StockLayer:
    kernel, pad = 2 * factor - factor % 2, factor // 2
    return deconvolution(
        "deconv", "bottom", TOP, channels, (kernel, kernel), (factor, factor), (pad, pad)
    )


def nearest(
    bottom: Any, factor: Pair, channels: Optional[int] = None, *, gain: float = 1, in_shape=None
) -> Any:
    """Every row and column repeated: out[i] = in[i // factor] (block B1).

    `factor` is one number, or one for the height and one for the width. Output H' = factor * H;
    there are no borders to speak of. `gain` multiplies the values.
    Raises `UpsampleError` for a factor or a number of channels below 1.
    """
    height, width = _pair("factor", factor)
    resize = Resize(Axis(NEAREST, Times(height)), Axis(NEAREST, Times(width)), Fraction(gain))
    return _resized(bottom, resize, channels, in_shape, Choices())


def interp(
    bottom: Any,
    channels: Optional[int] = None,
    *,
    zoom: Optional[int] = None,
    shrink: Optional[int] = None,
    height: Optional[int] = None,
    width: Optional[int] = None,
    pad_beg: int = 0,
    pad_end: int = 0,
    in_shape: Optional[Sequence[int]] = None,
    filler_safe: bool = False,
    lowering: Optional[str] = None,
) -> Any:
    """Bilinear interpolation with aligned corners: what the `Interp` layer of PSPNet and DeepLab does.

    Give `zoom` (H' = (H-1) zoom + 1), `shrink` (H' = (H-1) // shrink + 1), both, or `height` and
    `width`; `pad_beg` and `pad_end` are zero or negative and cut rows first.
    Corners fall on corners (align_corners=True), so there are no border effects.
    A zoom needs no `in_shape`; everything else does, because its ratio depends on the size.
    The cheapest exact block is built (`lowering` forces another); `filler_safe` avoids the bilinear
    kernels that Caffe 1.0 and older fill wrongly.
    Raises `UpsampleError` for arguments that do not fit, `Refused` where no block is exact.
    """
    sizes = _interp_sizes(zoom, shrink, height, width)
    if pad_beg > 0 or pad_end > 0:
        raise UpsampleError(f"pad_beg and pad_end must be zero or negative, but are {pad_beg}, {pad_end}")
    axes = [Axis(ALIGN_CORNERS, size, (-pad_beg, -pad_end)) for size in sizes]
    return _resized(bottom, Resize(*axes), channels, in_shape, Choices(filler_safe, lowering))


def _interp_sizes(zoom, shrink, height, width) -> Tuple[SizeRule, SizeRule]:
    if (zoom is None and shrink is None) == (height is None and width is None):
        raise UpsampleError("interp must be given zoom, shrink or both, or else height and width")
    if height is None and width is None:
        rule = Zoomed(_whole("zoom", 1 if zoom is None else zoom),
                      _whole("shrink", 1 if shrink is None else shrink))
        return rule, rule
    if height is None or width is None:
        raise UpsampleError("height and width must be given together")
    return Given(_whole("height", height)), Given(_whole("width", width))


def resize(
    bottom: Any,
    channels: Optional[int] = None,
    *,
    size: Optional[Pair] = None,
    scale: Optional[Union[float, Sequence[float]]] = None,
    mode: str = "nearest",
    align_corners: bool = False,
    in_shape: Optional[Sequence[int]] = None,
    weights: Optional[bool] = None,
) -> Any:
    """What `torch.nn.functional.interpolate` computes, in PyTorch's words.

    Give `size` (H', W') or `scale` (H' = floor(H scale)); one number stands for both axes.
    `mode` is "nearest", "nearest-exact", "bilinear", "bicubic" (a = -3/4) or "area" (adaptive average
    pooling). "bilinear" and "bicubic" put corners on corners with `align_corners`, and else pixel
    centres on pixel centres with the borders repeated. The formulas are those of ATen's UpSample.h.
    Equal to PyTorch on the whole map, borders included, to the rounding of float32.

    Weights are needed for what no fillers do exactly: "bicubic"; "area" and "nearest-exact" with most
    sizes; "nearest" and "bilinear" at pixel centres unless one whole factor enlarges both axes; a
    fractional `scale`. The block then has layers whose numbers stand in a caffemodel, which
    `save_weights` writes and `weights_of` gives as arrays. `weights=None` takes them only where they
    are needed, True takes the fastest block whether it needs them or not, False never takes them.
    `in_shape` must be given for everything but a whole `scale` of "nearest", or of "bilinear" at pixel
    centres where it is one for both axes.
    Raises `UpsampleError` for arguments that do not fit, `Refused` where no block is exact.
    """
    if mode not in interpolation.MODES:
        raise UpsampleError(f"mode must be one of {', '.join(interpolation.MODES)}, but is {mode!r}")
    if align_corners and mode not in interpolation.WITH_CORNERS:
        raise UpsampleError(f"align_corners goes with mode {' or '.join(interpolation.WITH_CORNERS)}, not {mode!r}")
    if (size is None) == (scale is None):
        raise UpsampleError("either size or scale must be given")
    rows = _rows(in_shape)
    scales = (None, None) if scale is None else _scales(scale, rows)
    sizes = (None, None) if size is None else _pair("size", size)
    if rows == (None, None) and (size is not None or align_corners or mode not in ("nearest", "bilinear")):
        raise UpsampleError(f"in_shape must be given, (N, C, H, W) or (H, W), for mode {mode!r} with these sizes")
    axes = [interpolation.axis(mode, align_corners, *known) for known in zip(rows, sizes, scales)]
    return _resized(bottom, Resize(*axes), channels, in_shape, *_wishes(weights))


def _scales(scale: Any, rows: Rows) -> Tuple[float, float]:
    """The factors of height and width; a fraction must leave a row."""
    factors = list(scale) if isinstance(scale, (list, tuple)) else [scale, scale]
    numbers = all(isinstance(factor, (int, float)) and not isinstance(factor, bool) for factor in factors)
    if len(factors) != 2 or not numbers or min(factors) <= 0 or max(factors) == float("inf"):
        raise UpsampleError(f"scale must be a number above 0, or one for each of height and width, but is {scale!r}")
    for factor, known in zip(factors, rows):
        if known is None and factor != int(factor):
            raise UpsampleError(f"in_shape must be given for a scale of {factor}")
        if known is not None and int(known * factor) < 1:
            raise UpsampleError(f"a scale of {factor} leaves nothing of {known} rows")
    return float(factors[0]), float(factors[1])


def _wishes(weights: Optional[bool]) -> Tuple[Choices, ...]:
    """What is tried, in order: fillers, then weights."""
    if weights is None:
        return Choices(), Choices(weights=True, prefer="speed")
    return (Choices(weights=True, prefer="speed") if weights else Choices(),)


# ---------------------------------------------------------------- weights


#: The numbers of the layers that no filler fills, for as long as the layers live.
_WEIGHTS: "WeakKeyDictionary[Any, Weights]" = WeakKeyDictionary()


def weights_of(net: Any) -> Dict[str, Any]:
    """The blobs of a NetSpec's layers that no filler fills: a float32 array for each layer name.

    `net` is a NetSpec, prototools' own or pycaffe's, after all its tops are named. With pycaffe:
    `for name, array in upsample.weights_of(n).items(): net.params[name][0].data[...] = array`.
    """
    import numpy as np

    named = zip(net.to_proto().layer, _functions(net))
    held = [(layer.name, _WEIGHTS[function]) for layer, function in named if function in _WEIGHTS]
    return {name: np.array(one.values(), np.float32).reshape(one.shape) for name, one in held}


def save_weights(net: Any, path: str) -> None:
    """Write the blobs of `weights_of` as a caffemodel, to be loaded beside the trained one.

    Caffe fills a net from several files: `net.copy_from(trained)`, `net.copy_from(path)`, or
    `caffe train --weights trained,path`.
    Raises `UpsampleError` for a net that needs none, `FileError` where the file cannot be written.
    """
    types = {layer.name: layer.type for layer in net.to_proto().layer}
    new = [NewLayer(name, types[name], [blob(array)]) for name, array in weights_of(net).items()]
    if not new:
        raise UpsampleError("no layer of this net needs weights: fillers do it all")
    files.write(path, b"".join(map(encode, new)))


def _functions(net: Any) -> List[Any]:
    """The layers of a NetSpec in the order in which they are written: inputs before users."""
    found: Dict[Any, None] = {}
    waiting = [getattr(top, "fn", top) for top in reversed(list(net.tops.values()))]
    while waiting:
        function = waiting.pop()
        unmade = [top.fn for top in function.inputs if top.fn not in found]
        if function in found:
            continue
        if unmade:
            waiting += [function, *reversed(unmade)]
        else:
            found[function] = None
    return list(found)


def learnable(bottom: Any, factor: int, channels: int, num_output: Optional[int] = None) -> Any:
    """A transposed convolution that is trained: the same layer in Caffe and in PyTorch.

    Kernel 2 f - f mod 2, stride f, pad f // 2: (N, C, H, W) becomes (N, num_output, f H, f W).
    Grouped as finely as channels and `num_output` (the channels where it is not given) allow; no
    bias, no filler and normal learning rates, so its blob is (C, num_output / group, k, k) in both.
    Raises `UpsampleError` for a factor or numbers below 1.
    """
    factor, channels = _whole("factor", factor), _whole("channels", channels)
    outputs = channels if num_output is None else _whole("num_output", num_output)
    settings = {"num_output": outputs, "group": gcd(channels, outputs), "bias_term": False,
                **pair("kernel", (2 * factor - factor % 2,) * 2), **pair("stride", (factor,) * 2, default=1),
                **pair("pad", (factor // 2,) * 2, default=0)}
    layer = StockLayer("Deconvolution", "deconv", ("bottom",), (TOP,), {"convolution_param": settings})
    return _build(Block("learnable", (layer,)), {"bottom": bottom})


def unpool(
    data: Any,
    mask: Any,
    pooled: Any,
    channels: Optional[int] = None,
    *,
    kernel: Pair = 2,
    stride: Optional[Pair] = None,
    pad: Pair = 0,
    in_shape: Optional[Sequence[int]] = None,
    pooled_shape: Optional[Sequence[int]] = None,
) -> Any:
    """SegNet's unpooling: top[mask[i]] = data[i], zeros elsewhere (block B8).

    `mask` is the second top of a MAX Pooling of the blob `pooled`, with `kernel`, `stride` (the
    kernel where it is not given) and `pad`; `data` has the mask's shape.
    The output has the size of `pooled`. Windows that do not overlap need no shapes; where they
    overlap, `in_shape` (of the data) and `pooled_shape` must be given.
    Raises `UpsampleError` for arguments that do not fit, `Refused` where no block is exact.
    """
    kernels = _pair("kernel", kernel)
    strides = kernels if stride is None else _pair("stride", stride)
    rows, full = _rows(in_shape), _rows(pooled_shape)
    sizes = [Times(s) if size is None else Given(size) for s, size in zip(strides, full)]
    origin = PoolOrigin("the pooling", kernels, strides, _pair("pad", pad, 0), "pooled", full)
    request = UnpoolRequest(
        Unpool(*sizes), "data", "mask", _channels(channels, in_shape), rows, origin, may_silence=False
    )
    return _build(lower(request).block, {"data": data, "mask": mask, "pooled": pooled})


def create_upsample_net(shape: Sequence[int], factor: int) -> Any:
    """A NetSpec with an Input `data` of a shape (N, C, H, W) and its bilinear upsampling `conv`.

    `conv` is the block of `bilinear`: (N, C, factor H, factor W).
    Raises `UpsampleError` for a shape without four dims of at least 1, or a factor below 1.
    """
    from prototools.netspec import NetSpec, layers

    dims = _shape(shape)
    net = NetSpec()
    net.data = layers.Input(shape={"dim": dims})
    net.conv = bilinear(net.data, factor, dims[1])
    return net


# ---------------------------------------------------------------- arguments


def _whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number of at least `least`; numpy's whole numbers count, truth values do not."""
    try:
        number = value.__index__() if not isinstance(value, bool) else None
    except AttributeError:
        number = None
    if number is None or number < least:
        raise UpsampleError(f"{name} must be a whole number of at least {least}, but is {value!r}")
    return number


def _pair(name: str, value: Any, least: int = 1) -> Tuple[int, int]:
    """A setting of height and width, given once or as two numbers."""
    values = list(value) if isinstance(value, (list, tuple)) else [value, value]
    if len(values) != 2:
        raise UpsampleError(f"{name} must be one number, or one for each of height and width: {value!r}")
    return _whole(name, values[0], least), _whole(name, values[1], least)


def _shape(shape: Any) -> List[int]:
    try:
        dims = list(shape)
    except TypeError:
        dims = []
    if len(dims) != 4:
        raise UpsampleError(f"shape must be (N, C, H, W), but is {shape!r}")
    return [_whole(f"shape's {letter}", dim) for letter, dim in zip("NCHW", dims)]


def _rows(in_shape: Optional[Sequence[int]]) -> Rows:
    if in_shape is None:
        return None, None
    if len(in_shape) not in (2, 4):
        raise UpsampleError(f"a shape must be (N, C, H, W) or (H, W), but is {tuple(in_shape)!r}")
    return _whole("H", in_shape[-2]), _whole("W", in_shape[-1])


def _channels(channels: Optional[int], in_shape: Optional[Sequence[int]]) -> int:
    if channels is None and in_shape is not None and len(in_shape) == 4:
        channels = in_shape[1]
    if channels is None:
        raise UpsampleError("channels must be given, or in_shape with all four dims")
    return _whole("channels", channels)


# ---------------------------------------------------------------- building


def _resized(
    bottom: Any, resize: Resize, channels: Optional[int], in_shape, *wishes: Choices
) -> Any:
    """The block for the first of the wishes that can be had."""
    request = ResizeRequest(
        resize, "bottom", _channels(channels, in_shape), _rows(in_shape), may_silence=False
    )
    *first, last = wishes
    for choices in first:
        try:
            return _build(lower(request, choices).block, {"bottom": bottom})
        except Refused:
            continue
    return _build(lower(request, last).block, {"bottom": bottom})


def _build(block: Block, bottoms: Dict[str, Any]) -> Any:
    """The block's layers on the NetSpec that the bottoms came from; the top of the last one."""
    home = _home(next(iter(bottoms.values())))
    tops = dict(bottoms)
    for layer in block.layers:
        made = _layer(home, layer, [tops[name] for name in layer.bottoms])
        tops.update(zip(layer.tops, made))
    return tops[TOP]


def _home(bottom: Any) -> Any:
    """The module whose `layers` and `params` made a top: ours, or pycaffe's net_spec."""
    from prototools import netspec

    home = netspec if isinstance(bottom, netspec.Top) else sys.modules.get(type(bottom).__module__)
    if home is None or not hasattr(home, "layers"):
        raise UpsampleError(f"a bottom must be the top of a NetSpec's layer, but is {bottom!r}")
    return home


def _layer(home: Any, layer: StockLayer, bottoms: List[Any]) -> List[Any]:
    """One stock layer as a call of `layers.TYPE`."""
    settings = {name: _plain(home, layer.type, fields) for name, fields in layer.fields.items()}
    if layer.frozen:
        settings["param"] = {"lr_mult": 0, "decay_mult": 0}
    if layer.propagate_down is not None:
        settings["propagate_down"] = list(layer.propagate_down)
    if layer.tops == layer.bottoms:
        settings["in_place"] = True
    made = getattr(home.layers, layer.type)(*bottoms, ntop=len(layer.tops), **settings)
    tops = list(made) if isinstance(made, tuple) else [made]
    if layer.matrix is not None:
        _WEIGHTS[tops[0].fn] = layer.matrix
    return tops


def _plain(home: Any, type_name: str, value: Any) -> Any:
    """A field's value as pycaffe takes it: numbers for choices, lists for lists."""
    if isinstance(value, dict):
        return {name: _plain(home, type_name, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(home, type_name, inner) for inner in value]
    if isinstance(value, Word):
        return getattr(getattr(home.params, type_name), value)
    return float(value) if isinstance(value, Fraction) else value


