"""Upsample with one bottom: nearest neighbours in the YOLO, Ascend, inisis and yolov5_caffe forms.

The type's name alone says little: at least eight forks mean something else by it. What is written
in the file decides where it can:

* one bottom and nothing but `scale`: the rows are repeated `scale` times (BVLC pull request 6384,
  eric612/MobileNet-YOLO, and most YOLO conversions);
* `stride`, `stride_h`, `stride_w`: Huawei's Ascend, where `stride` is the factor and **`scale`
  multiplies the values**;
* `mode`, `height_scale`, `width_scale`: Wulingtian/yolov5_caffe, nearest or bilinear with aligned
  corners, a second bottom giving the size;
* `nearestneighbor_mode: true`: Cambricon, nearest on the grid whose corners fall on corners;
* `dims_num`: inisis/caffe.

CaffeMex_v2 (`caffemex`) puts zeros between rows and is written just like YOLO's: only `--dialect`
can say so. The form with a pooling mask is read by `unpool`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Tuple

from prototools.dialects.reading import (
    Context,
    Dialect,
    Reading,
    finite,
    never,
    only,
    positive,
    refuse_others,
    require_bottoms,
    size_of,
    some,
)
from prototools.lowerings.request import Refused
from prototools.prototext import Message
from prototools.resize import Axis, Given, Resize, SizeRule, Times
from prototools.sampling import ALIGN_CORNERS, NEAREST, NEAREST_ALIGN_CORNERS, Sampling, insert

PARAM = "upsample_param"
STRIDES = ("stride", "stride_h", "stride_w")
SCALES = ("height_scale", "width_scale")
MODES = {"NEAREST": NEAREST, "0": NEAREST, "BILINEAR": ALIGN_CORNERS, "1": ALIGN_CORNERS}


def repeated(height: int, width: int, gain: Fraction = Fraction(1)) -> Resize:
    """Every row and column repeated: out[i] = in[i // factor]."""
    return Resize(Axis(NEAREST, Times(height)), Axis(NEAREST, Times(width)), gain)


def _one_bottom(context: Context, *fields: str) -> bool:
    return len(context.layer.bottoms) == 1 and only(context.param(PARAM), *fields)


# ---------------------------------------------------------------- yolo, inisis, caffemex


def _claims_yolo(context: Context) -> bool:
    return _one_bottom(context, "scale") and context.param(PARAM).has("scale")


def _read_yolo(context: Context) -> Reading:
    require_bottoms(context, 1)
    refuse_others(context.param(PARAM), "scale")
    scale = positive(context.param(PARAM), "scale")
    notes = ("one bottom with nothing but scale: read as nearest",)
    return Reading(repeated(scale, scale), notes=notes)


def _claims_inisis(context: Context) -> bool:
    return _one_bottom(context, "scale", "dims_num") and context.param(PARAM).has("dims_num")


def _read_inisis(context: Context) -> Reading:
    require_bottoms(context, 1)
    refuse_others(context.param(PARAM), "scale", "dims_num")
    param = context.param(PARAM)
    if param.integer("dims_num", 4) != 4:
        raise Refused("dims_num must be 4: blobs with three axes have no height")
    scale = positive(param, "scale")
    return Reading(repeated(scale, scale))


def _read_caffemex(context: Context) -> Reading:
    require_bottoms(context, 1)
    refuse_others(context.param(PARAM), "scale", "scale_h", "scale_w")
    param = context.param(PARAM)
    both = positive(param, "scale")
    factors = [positive(param, name, both) for name in ("scale_h", "scale_w")]
    axes = [Axis(insert((factor - 1) // 2), Times(factor)) for factor in factors]
    return Reading(Resize(*axes))


# ---------------------------------------------------------------- ascend


def _claims_ascend(context: Context) -> bool:
    return _one_bottom(context, "scale", *STRIDES) and some(context.param(PARAM), *STRIDES)


def _read_ascend(context: Context) -> Reading:
    require_bottoms(context, 1)
    refuse_others(context.param(PARAM), "scale", *STRIDES)
    param = context.param(PARAM)
    both = positive(param, "stride", 2)
    if param.has("stride"):
        height = width = both
    else:
        height, width = positive(param, "stride_h", 2), positive(param, "stride_w", 2)
    gain = Fraction(finite(param, "scale", 1.0))
    notes = (f"scale multiplies the values by {gain}",) if gain != 1 else ()
    return Reading(repeated(height, width, gain), notes=notes)


# ---------------------------------------------------------------- yolov5_caffe


def _claims_mode(context: Context) -> bool:
    param = context.param(PARAM)
    return only(param, "height", "width", "mode", *SCALES) and some(param, "mode", *SCALES)


def _read_mode(context: Context) -> Reading:
    require_bottoms(context, 1, 2)
    refuse_others(context.param(PARAM), "height", "width", "mode", *SCALES)
    param = context.param(PARAM)
    sampling = _sampling(param)
    sizes, references = _mode_sizes(context, param, sampling)
    axes = [Axis(sampling, size) for size in sizes]
    return Reading(Resize(*axes), references=references)


def _sampling(param: Message) -> Sampling:
    mode = param.word("mode", "BILINEAR")
    if mode not in MODES:
        raise Refused(f"mode must be NEAREST or BILINEAR, but is {mode}")
    return MODES[mode]


def _mode_sizes(
    context: Context, param: Message, sampling: Sampling
) -> Tuple[Tuple[SizeRule, SizeRule], Tuple[int, ...]]:
    """Size by the second bottom, by height and width, or by both scales: the first that is there."""
    if len(context.layer.bottoms) == 2:
        height, width = size_of(context, 1)
        return (Given(height), Given(width)), (1,)
    if param.has("height") and param.has("width"):
        sizes = (Given(positive(param, name, least=2)) for name in ("height", "width"))
        return tuple(sizes), ()  # type: ignore[return-value]
    if not all(param.has(name) for name in SCALES):
        raise Refused("it must have a second bottom, height and width, or both scales")
    scales = [positive(param, name, least=2) for name in SCALES]
    return _scaled(context, scales, sampling), ()


def _scaled(context: Context, scales, sampling: Sampling) -> Tuple[SizeRule, SizeRule]:
    """A whole multiple; with aligned corners its map depends on the size, so that must be known."""
    if sampling == NEAREST:
        return Times(scales[0]), Times(scales[1])
    height, width = size_of(context, 0)
    return Given(height * scales[0]), Given(width * scales[1])


# ---------------------------------------------------------------- cambricon


def _claims_cambricon(context: Context) -> bool:
    param = context.param(PARAM)
    return len(context.layer.bottoms) == 1 and param.has("nearestneighbor_mode")


def _read_cambricon(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = context.param(PARAM)
    refuse_others(param, "nearestneighbor_mode", "scale", "scale_h", "scale_w", "upsample_h", "upsample_w")
    if not param.boolean("nearestneighbor_mode"):
        raise Refused("without nearestneighbor_mode it must have a pooling mask as second bottom")
    sizes = [_cambricon_size(param, letter) for letter in "hw"]
    return Reading(Resize(*(Axis(NEAREST_ALIGN_CORNERS, size) for size in sizes)))


def _cambricon_size(param: Message, letter: str) -> SizeRule:
    if param.has(f"upsample_{letter}"):
        return Given(positive(param, f"upsample_{letter}"))
    return Times(positive(param, "scale" if param.has("scale") else f"scale_{letter}"))


DIALECTS = (
    Dialect("yolo", ("Upsample", "UPSAMPLE"), "BVLC pull request 6384, MobileNet-YOLO, darknet conversions",
            _claims_yolo, _read_yolo),
    Dialect("ascend", ("Upsample", "UPSAMPLE"), "Huawei Ascend (ATC): stride is the factor, scale multiplies values",
            _claims_ascend, _read_ascend),
    Dialect("caffe_plus", ("Upsample", "UPSAMPLE"), "Wulingtian/yolov5_caffe: mode, height_scale, width_scale",
            _claims_mode, _read_mode),
    Dialect("cambricon", ("Upsample", "UPSAMPLE"), "Cambricon: nearestneighbor_mode",
            _claims_cambricon, _read_cambricon),
    Dialect("inisis", ("Upsample", "UPSAMPLE"), "inisis/caffe and brocolli: dims_num", _claims_inisis, _read_inisis),
    Dialect("caffemex", ("Upsample", "UPSAMPLE"), "CaffeMex_v2: zeros between rows; never guessed",
            never, _read_caffemex),
)
