"""Upsample in the forks that interpolate with it, or whose text is another fork's too.

* `sds` (bharath272/caffe-sds): `width` and `height`, both; x = i H / H' - 1/2, the borders repeated;
* `tiny_dsod` (lyxok1/Tiny-DSOD): **the first bottom gives the size, the second is enlarged**; no fields,
  so it is taken for this where the two sizes differ, which a mask's never do; last pixels fall on last
  pixels, and the first rows extrapolate;
* `SimpleUpsample`: `height` and `width` of `upsample_param`, pixel centres on pixel centres;
* `sophgo` (sophgo/caffe): with one bottom nearest by `scale`, which must be more than 1;
* `nnie` (HiSilicon): with one bottom nearest by `scale`, which is 2 where it is not written.

The last two write what YOLO's forks write, so a file never decides for them.
"""

from __future__ import annotations

from prototools.dialects.reading import (
    Context,
    Dialect,
    OtherBottoms,
    Reading,
    never,
    only,
    positive,
    refuse_others,
    require_bottoms,
    size_of,
)
from prototools.dialects.upsample import PARAM, repeated
from prototools.lowerings.request import Refused
from prototools.resize import Axis, Given, Resize
from prototools.sampling import END_ALIGNED, HALF_PIXEL, SHIFTED, Sampling

TYPES = ("Upsample", "UPSAMPLE")


def _to_size(context: Context, sampling: Sampling) -> Reading:
    """`height` and `width`, both."""
    require_bottoms(context, 1)
    param = context.param(PARAM)
    refuse_others(param, "height", "width")
    if not (param.has("height") and param.has("width")):
        raise Refused("upsample_param must give height and width")
    return Reading(Resize(*(Axis(sampling, Given(positive(param, side))) for side in ("height", "width"))))


def _claims_sds(context: Context) -> bool:
    param = context.param(PARAM)
    return len(context.layer.bottoms) == 1 and only(param, "height", "width") and param.has("height")


def _read_sds(context: Context) -> Reading:
    return _to_size(context, SHIFTED)


def _read_simple(context: Context) -> Reading:
    return _to_size(context, HALF_PIXEL)


def _claims_tiny_dsod(context: Context) -> bool:
    if len(context.layer.bottoms) != 2 or context.param(PARAM).names():
        return False
    # A mask has the shape of its data, so two known sizes that differ are no SegNet's.
    like, data = context.rows(0), context.rows(1)
    return None not in like + data and like != data


def _read_tiny_dsod(context: Context) -> Reading:
    require_bottoms(context, 2)
    if context.param(PARAM).names():
        raise Refused("this dialect has no fields: the first bottom gives the size")
    like, data = context.bottoms[:2]
    if like and data and any(None not in pair and len(set(pair)) > 1 for pair in zip(like[:2], data[:2])):
        raise Refused(f"both bottoms must have the same images and channels, but have {like[:2]} and {data[:2]}")
    axes = (Axis(END_ALIGNED, Given(rows)) for rows in size_of(context, 0))
    return Reading(Resize(*axes), bottom=1, references=(0,))


def _nearest(context: Context, default: int, least: int) -> Reading:
    require_bottoms(context, 1)
    param = context.param(PARAM)
    if not only(param, "scale"):
        raise OtherBottoms("with one bottom only scale has a meaning in this dialect")
    scale = positive(param, "scale", default, least)
    return Reading(repeated(scale, scale))


def _read_sophgo(context: Context) -> Reading:
    return _nearest(context, default=1, least=2)


def _read_nnie(context: Context) -> Reading:
    return _nearest(context, default=2, least=1)


DIALECTS = (
    Dialect("sds", TYPES, "bharath272/caffe-sds: width and height", _claims_sds, _read_sds),
    Dialect("tiny_dsod", TYPES, "lyxok1/Tiny-DSOD: the first bottom gives the size", _claims_tiny_dsod,
            _read_tiny_dsod),
    Dialect("simple_upsample", ("SimpleUpsample",), "a sibling of caffe-sds' Upsample", lambda context: True,
            _read_simple),
    Dialect("sophgo", TYPES, "sophgo/caffe with one bottom; never guessed", never, _read_sophgo),
    Dialect("nnie", TYPES, "HiSilicon with one bottom; never guessed", never, _read_nnie),
)
