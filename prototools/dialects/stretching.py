"""Interpolation under other names, most of it by a second bottom's size.

* `BilinearInterpolation` (ctensmeyer/caffe) and `Interpolation` (Sundrops/caffe-rgh): corners on
  corners, to the height and width of the second bottom;
* `BilinearInterpolate` (inisis/caffe): `dst_h` and `dst_w`, or `scale_factor` (H' = trunc(H scale));
  corners on corners, or pixel centres where `align_corners` is false;
* `DeephiResize` (Xilinx DNNDK and Vitis): `new_height` and `new_width`, else `scale_h` and `scale_w`;
  `resize_type` NEAREST (the default), or BILINEAR at pixel centres;
* `Upscale` (Face_Parsing_2016): by two, at pixel centres;
* `ImResize` (CMU caffe_rtpose): by `factor` or to a size, Catmull and Rom's cubic at pixel centres,
  whose first rows extrapolate; its GPU code, for one image of scale 1.
"""

from __future__ import annotations

from typing import Tuple

from prototools.dialects.reading import (
    Context,
    Dialect,
    Reading,
    Unread,
    finite,
    positive,
    require_bottoms,
    size_factor,
    size_of,
)
from prototools.lowerings.request import Refused
from prototools.prototext import Message
from prototools.resize import Axis, Given, Resize, SizeRule, Times, scaled
from prototools.sampling import ALIGN_CORNERS, CUBIC_UNCLAMPED, HALF_PIXEL, NEAREST, Sampling


def _always(context: Context) -> bool:
    return True


def _both(sampling: Sampling, height: SizeRule, width: SizeRule) -> Resize:
    return Resize(Axis(sampling, height), Axis(sampling, width))


def _read_reference(context: Context) -> Reading:
    require_bottoms(context, 2)
    height, width = size_of(context, 1)
    return Reading(_both(ALIGN_CORNERS, Given(height), Given(width)), references=(1,))


def _read_interpolate(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = context.param("bilinear_interpolate_param")
    sampling = ALIGN_CORNERS if param.boolean("align_corners", True) else HALF_PIXEL
    return Reading(_both(sampling, *_interpolate_sizes(param)))


def _interpolate_sizes(param: Message) -> Tuple[SizeRule, SizeRule]:
    if param.has("scale_factor") and (param.has("dst_h") or param.has("dst_w")):
        raise Refused("it must give scale_factor, or dst_h and dst_w, but not both")
    if param.has("scale_factor"):
        return size_factor(param, "scale_factor"), size_factor(param, "scale_factor")
    return Given(positive(param, "dst_h", 0)), Given(positive(param, "dst_w", 0))


def _read_deephi(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = context.param("deephi_resize_param")
    if param.has("new_height") != param.has("new_width"):
        raise Refused("new_height and new_width must be given together")
    kind = {"0": "BILINEAR", "1": "NEAREST"}.get(param.word("resize_type", "NEAREST"), param.word("resize_type"))
    if kind not in ("", "NEAREST", "BILINEAR"):
        raise Refused(f"resize_type must be NEAREST or BILINEAR, but is {kind}")
    if param.has("new_height"):
        sizes = Given(positive(param, "new_height")), Given(positive(param, "new_width"))
    else:
        sizes = size_factor(param, "scale_h"), size_factor(param, "scale_w")  # type: ignore[assignment]
    return Reading(_both(HALF_PIXEL if kind == "BILINEAR" else NEAREST, *sizes))


def _read_upscale(context: Context) -> Reading:
    require_bottoms(context, 1)
    return Reading(_both(HALF_PIXEL, Times(2), Times(2)))


def _read_imresize(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = context.param("imresize_param")
    if context.bottoms[0] is None or context.bottoms[0][0] != 1:
        raise Unread("its bottom must be one image: of several it gives the mean")
    if finite(param, "start_scale", 1.0) != 1:
        raise Unread("start_scale must be 1, or it cuts a window first")
    factor = finite(param, "factor")
    if factor:
        return Reading(_both(CUBIC_UNCLAMPED, scaled(factor), scaled(factor)))
    sizes = (Given(positive(param, f"target_spatial_{side}", 368)) for side in ("height", "width"))
    return Reading(_both(CUBIC_UNCLAMPED, *sizes))


DIALECTS = (
    Dialect("reference", ("BilinearInterpolation", "Interpolation"), "ctensmeyer/caffe, Sundrops/caffe-rgh",
            _always, _read_reference),
    Dialect("interpolate", ("BilinearInterpolate",), "inisis/caffe", _always, _read_interpolate),
    Dialect("deephi", ("DeephiResize",), "Xilinx DNNDK and Vitis", _always, _read_deephi),
    Dialect("upscale", ("Upscale",), "Face_Parsing_2016", _always, _read_upscale),
    Dialect("imresize", ("ImResize",), "CMU caffe_rtpose, on the GPU", _always, _read_imresize),
)
