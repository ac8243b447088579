"""Resize: one type name, several layers; and OctaveUpsample.

* `happynear` (happynear/caffe-windows, inisis/caffe): `height` and `width`, or with `is_pyramid_test`
  `out_height_scale` and `out_width_scale` (H' = trunc(H scale)). Bilinear at x = i H / H'; what lies
  behind the last row counts nothing, so the end fades.
* `appearance_flow` (tinghuiz/appearance-flow): `scale`, or `height` and `width`, after a `crop` at both
  ends; corners on corners. Shrinking filters first, and is not read.
* `face_parsing` (Face_Parsing_2016): happynear's fields, or `resize_ratio` (H' = trunc(H ratio)), and `type`:
  BILINEAR is happynear's, NEAREST takes row trunc(i / ratio).
* `philm5` (philm5/caffe): `height_out` and `width_out`, bilinear at x = i H / H', the last row repeated.
* `OctaveUpsample` (chaipangpang/OctaveConv_Caffe): sizes as SegNet's Upsample writes them; every value
  stands H' // H times, and what is left at the end stays zero.

`height` and `width` alone fit the first two, so there the user must say which.
"""

from __future__ import annotations

from typing import Tuple

from prototools.dialects.reading import (
    Context,
    Dialect,
    Reading,
    Unread,
    finite,
    only,
    positive,
    refuse_others,
    require_bottoms,
    size_factor,
    size_of,
    some,
)
from prototools.lowerings.request import Refused
from prototools.prototext import Message
from prototools.resize import Axis, Given, Resize, SizeRule, Times, Zoomed
from prototools.sampling import ALIGN_CORNERS, ASYMMETRIC, ASYMMETRIC_FADING, NEAREST, REPEATED

PARAM, OCTAVE = "resize_param", "octaveupsample_param"
PYRAMID = ("is_pyramid_test", "out_height_scale", "out_width_scale")
FLOW = ("scale", "scale_x", "scale_y", "crop", "crop_x", "crop_y")
OUT = ("height_out", "width_out", "scale_x", "scale_y", "shift_x", "shift_y")
RATIO = ("resize_ratio", "type")
KINDS = {"1": "NEAREST", "2": "BILINEAR", "NEAREST": "NEAREST", "BILINEAR": "BILINEAR"}


def _claims_happynear(context: Context) -> bool:
    param = context.param(PARAM)
    return only(param, "height", "width", *PYRAMID) and some(param, *PYRAMID)


def _read_happynear(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = context.param(PARAM)
    refuse_others(param, "height", "width", *PYRAMID)
    if param.boolean("is_pyramid_test"):
        sizes = [size_factor(param, f"out_{side}_scale", 0.0) for side in ("height", "width")]
    else:
        sizes = [Given(positive(param, side, 0)) for side in ("height", "width")]
    return Reading(Resize(*(Axis(ASYMMETRIC_FADING, size) for size in sizes)))


def _claims_flow(context: Context) -> bool:
    param = context.param(PARAM)
    return only(param, "height", "width", *FLOW) and some(param, *FLOW)


def _read_flow(context: Context) -> Reading:
    require_bottoms(context, 1, 2)
    refuse_others(context.param(PARAM), "height", "width", *FLOW)
    references = (1,) if len(context.layer.bottoms) == 2 else ()
    axes = [_flow_axis(context, number) for number in (0, 1)]
    return Reading(Resize(*axes), references=references)


def _flow_axis(context: Context, number: int) -> Axis:
    param, (side, letter) = context.param(PARAM), (("height", "y"), ("width", "x"))[number]
    crop = param.integer(f"crop_{letter}", param.integer("crop"))
    scale = finite(param, f"scale_{letter}", finite(param, "scale"))
    if len(context.layer.bottoms) == 2 and not scale:
        return _stretch(context, number, size_of(context, 1)[number], crop)
    if param.has(side):
        if scale:
            raise Refused(f"it must give {side} or a scale, but not both")
        return _stretch(context, number, positive(param, side), crop)
    if scale < 1 or scale != int(scale) or len(context.layer.bottoms) == 2:
        raise Unread(f"scale must be a whole number of at least 1, with one bottom, but is {scale:g}")
    return Axis(ALIGN_CORNERS, Zoomed(int(scale)), (crop, crop))


def _stretch(context: Context, number: int, size: int, crop: int) -> Axis:
    rows = size_of(context, 0)[number]
    if size < rows - 2 * crop:
        raise Unread(f"it shrinks {rows - 2 * crop} rows to {size}, which the fork filters first")
    return Axis(ALIGN_CORNERS, Given(size), (crop, crop))


def _claims_ratio(context: Context) -> bool:
    param = context.param(PARAM)
    return only(param, "height", "width", *PYRAMID, *RATIO) and some(param, *RATIO)


def _read_ratio(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = context.param(PARAM)
    refuse_others(param, "height", "width", *PYRAMID, *RATIO)
    kind = KINDS.get(param.word("type", "NEAREST"), param.word("type", "NEAREST"))
    if kind not in KINDS.values():
        raise Refused(f"type must be NEAREST or BILINEAR, but is {kind}")
    if kind == "BILINEAR":
        return Reading(Resize(*(Axis(ASYMMETRIC_FADING, _ratio_size(param, side)) for side in ("height", "width"))))
    ratio = finite(param, "resize_ratio", 1.0)
    if param.boolean("is_pyramid_test") or param.has("height"):
        raise Unread("with type NEAREST resize_ratio must give the size: rows go by it, whatever the size is")
    if ratio < 1 or ratio != int(ratio):
        raise Unread(f"resize_ratio must be a whole number of at least 1, but is {ratio:g}")
    return Reading(Resize(Axis(NEAREST, Times(int(ratio))), Axis(NEAREST, Times(int(ratio)))))


def _ratio_size(param: Message, side: str) -> SizeRule:
    """A factor, a size that is written as a float, or the ratio: the first that is there."""
    if param.boolean("is_pyramid_test"):
        return size_factor(param, f"out_{side}_scale", 0.0)
    if not param.has("height"):
        return size_factor(param, "resize_ratio")
    rows = int(finite(param, side))
    if rows < 1:
        raise Refused(f"{side} must be at least 1, but is {rows}")
    return Given(rows)


def _claims_out(context: Context) -> bool:
    param = context.param(PARAM)
    return only(param, *OUT) and some(param, *OUT[:2])


def _read_out(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = context.param(PARAM)
    refuse_others(param, *OUT)
    if param.integer("shift_x") or param.integer("shift_y"):
        raise Unread("shift_x and shift_y must be 0: what they leave free is never written")
    return Reading(Resize(*(_out_axis(context, number) for number in (0, 1))))


def _out_axis(context: Context, number: int) -> Axis:
    param, (side, letter) = context.param(PARAM), (("height", "y"), ("width", "x"))[number]
    size = positive(param, f"{side}_out", 0)
    if param.has(f"scale_{letter}"):
        scale, rows = finite(param, f"scale_{letter}"), size_of(context, 0)[number]
        if scale * rows != size:
            raise Unread(f"scale_{letter} must be {side}_out by the {side}, {size} / {rows}, but is {scale:g}")
    return Axis(ASYMMETRIC, Given(size))


# ---------------------------------------------------------------- OctaveUpsample


def _read_octave(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = context.param(OCTAVE)
    return Reading(Resize(*(_octave_axis(context, param, number) for number in (0, 1))))


def _octave_axis(context: Context, param: Message, number: int) -> Axis:
    letter = "hw"[number]
    if param.has("upsample_h") and param.has("upsample_w"):
        size = positive(param, f"upsample_{letter}", least=2)
        rows = context.rows(0)[number]
        if rows is not None and size % rows == 0:
            return Axis(NEAREST, Given(size))
        return Axis(REPEATED, Given(size))
    factor, less = _octave_factor(param, letter)
    return Axis(REPEATED if less else NEAREST, Times(factor, less))


def _octave_factor(param: Message, letter: str) -> Tuple[int, int]:
    name = f"scale_{letter}" if param.has("scale_h") else "scale"
    factor = positive(param, name, 2, least=2)
    less = int(param.boolean(f"pad_out_{letter}"))
    if less and factor != 2:
        raise Refused(f"pad_out_{letter} goes with a factor of 2 only, but the factor is {factor}")
    return factor, less


DIALECTS = (
    Dialect("happynear", ("Resize",), "happynear/caffe-windows, inisis/caffe", _claims_happynear, _read_happynear),
    Dialect("appearance_flow", ("Resize",), "tinghuiz/appearance-flow", _claims_flow, _read_flow),
    Dialect("face_parsing", ("Resize",), "Face_Parsing_2016: resize_ratio", _claims_ratio, _read_ratio),
    Dialect("philm5", ("Resize",), "philm5/caffe: height_out and width_out", _claims_out, _read_out),
    Dialect("octave", ("OctaveUpsample",), "chaipangpang/OctaveConv_Caffe", lambda context: True, _read_octave),
)
