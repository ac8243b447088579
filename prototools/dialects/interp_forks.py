"""Interp under fields of their own, or with sizes of their own: the forks that differ from PSPNet's.

The map is the same stretch of corners onto corners; what differs is the size, or the rounding:

* `segstereo`: `interp_type: "nearest_neighbor"` takes the nearest row, halves upwards;
* `jolibrain` (BVLC pull requests 6843 and 6915): `mode: NEAREST` does too;
* `afriesen`: `type: Bilinear` is PSPNet's; its other kind is OpenCV's resize and ignores the pads;
* `synopsys`: `full_zoom_factor` gives H' = H z where nothing else gives a size;
* `cambricon`: writes `align_corners`, which its CPU code ignores;
* `deeplab_v1`: the V1 type INTERP; exactly one of zoom and size, and pads that its code ignores;
* `xjtu` (Caffe-Opt): a zoom alone gives H' = H z; `InterpNN` is the same with rows i H // H';
* `derteanoo`: shrink and zoom together give t = H // shrink + 1, then (t - 1) zoom + 1;
* `cc4` (CC4.0): H // shrink and H zoom; an odd height loses its last row and column first, and one
  is added to both sizes at the end.

The last three write the same fields as PSPNet's, so a file never decides for them.
"""

from __future__ import annotations

from typing import Callable, Tuple

from prototools.dialects.interp import PADS, PARAM, SIZE_FIELDS, stretched, written_sizes
from prototools.dialects.reading import (
    Context,
    Dialect,
    Reading,
    Unread,
    never,
    only,
    positive,
    refuse_others,
    require_bottoms,
    size_of,
)
from prototools.lowerings.request import Refused
from prototools.prototext import Message
from prototools.resize import Axis, Given, Resize, SizeRule, Times
from prototools.sampling import ALIGN_CORNERS, NEAREST, NEAREST_ALIGN_CORNERS, Sampling

TYPES = ("Interp", "INTERP")


def _claims(*own: str) -> Callable[[Context], bool]:
    """One bottom, and a field that only this fork has."""
    def claims(context: Context) -> bool:
        param = context.param(PARAM)
        return only(param, *SIZE_FIELDS, *PADS, *own) and any(param.has(name) for name in own)

    return claims


def _param(context: Context, *own: str) -> Message:
    """The parameters, which have PSPNet's fields and a fork's own, and no others."""
    param = context.param(PARAM)
    refuse_others(param, *SIZE_FIELDS, *PADS, *own)
    return param


def _sampled(context: Context, sampling: Sampling, *own: str) -> Reading:
    """PSPNet's sizes, or a second bottom's, with one sampling."""
    require_bottoms(context, 1, 2)
    param = _param(context, *own)
    if len(context.layer.bottoms) == 2:
        height, width = (Given(rows) for rows in size_of(context, 1))
        return Reading(stretched(param, height, width, sampling), references=(1,))
    return Reading(stretched(param, *written_sizes(param), sampling))


def _read_segstereo(context: Context) -> Reading:
    kind = context.param(PARAM).string("interp_type", "bilinear")
    if kind not in ("bilinear", "nearest_neighbor"):
        raise Refused(f"interp_type must be bilinear or nearest_neighbor, but is {kind}")
    return _sampled(context, ALIGN_CORNERS if kind == "bilinear" else NEAREST_ALIGN_CORNERS, "interp_type")


def _read_jolibrain(context: Context) -> Reading:
    mode = context.param(PARAM).word("mode", "LINEAR")
    if mode not in ("LINEAR", "NEAREST", "1", "3"):
        raise Refused(f"mode must be LINEAR or NEAREST, but is {mode}")
    return _sampled(context, ALIGN_CORNERS if mode in ("LINEAR", "1") else NEAREST_ALIGN_CORNERS, "mode")


def _read_afriesen(context: Context) -> Reading:
    kind = context.param(PARAM).word("type", "Bilinear")
    if kind != "Bilinear":
        raise Unread(f"type must be Bilinear, but is {kind}: that is resized by OpenCV's own rules, pads ignored")
    return _sampled(context, ALIGN_CORNERS, "type")


def _read_synopsys(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = _param(context, "full_zoom_factor")
    if any(param.has(name) for name in SIZE_FIELDS):
        return Reading(stretched(param, *written_sizes(param)))
    zoom = positive(param, "full_zoom_factor")
    return Reading(stretched(param, Times(zoom), Times(zoom)))


def _read_cambricon(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = _param(context, "align_corners")
    return Reading(stretched(param, *written_sizes(param)),
                   notes=("align_corners is ignored, as on the fork's CPU",))


def _claims_v1(context: Context) -> bool:
    return context.layer.type == "INTERP" and len(context.layer.bottoms) == 1


def _read_v1(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = _param(context)
    if param.has("shrink_factor") or param.has("zoom_factor") == (param.has("height") and param.has("width")):
        raise Refused("it must give either zoom_factor, or height and width")
    height, width = written_sizes(param)
    ignored = ("pads are ignored, as DeepLab v1 does",) if any(param.integer(name) for name in PADS) else ()
    return Reading(Resize(Axis(ALIGN_CORNERS, height), Axis(ALIGN_CORNERS, width)), notes=ignored)


# ---------------------------------------------------------------- never guessed


def _read_xjtu(context: Context) -> Reading:
    return _xjtu(context, ALIGN_CORNERS)


def _read_xjtu_nearest(context: Context) -> Reading:
    if any(context.param(PARAM).integer(name) for name in PADS):
        raise Unread("InterpNN with pads is not read")
    return _xjtu(context, NEAREST)


def _xjtu(context: Context, sampling: Sampling) -> Reading:
    param = _param(context)
    if len(context.layer.bottoms) == 1 and param.has("zoom_factor") and not param.has("shrink_factor"):
        zoom = Times(positive(param, "zoom_factor"))
        return Reading(stretched(param, zoom, zoom, sampling))
    return _sampled(context, sampling)


def _read_derteanoo(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = _param(context)
    both = param.has("zoom_factor") and param.has("shrink_factor")
    if not both or param.has("height") and param.has("width"):
        return Reading(stretched(param, *written_sizes(param)))
    shrink, zoom = positive(param, "shrink_factor"), positive(param, "zoom_factor")
    cut = -param.integer(PADS[0]) - param.integer(PADS[1])
    sizes = (Given((rows - cut) // shrink * zoom + 1) for rows in size_of(context, 0))
    return Reading(stretched(param, *sizes))


def _read_cc4(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = _param(context)
    pads = [-param.integer(name) for name in PADS]
    rows = [size - sum(pads) for size in size_of(context, 0)]
    odd = rows[0] % 2
    sizes = [rule(size - odd) + odd for rule, size in zip(_cc4_rules(param), rows)]
    axes = [Axis(ALIGN_CORNERS, Given(size), (pads[0], pads[1] + odd)) for size in sizes]
    return Reading(Resize(*axes))


def _cc4_rules(param: Message) -> Tuple[SizeRule, SizeRule]:
    factors = param.has("zoom_factor"), param.has("shrink_factor")
    if param.has("height") and param.has("width") and factors[0] == factors[1] or not any(factors):
        if not (param.has("height") and param.has("width")):
            raise Refused("it must give zoom_factor, shrink_factor, or height and width")
        return Given(positive(param, "height")), Given(positive(param, "width"))
    zoom, shrink = positive(param, "zoom_factor"), positive(param, "shrink_factor")

    def rule(rows: int) -> int:
        return rows // shrink * zoom

    return rule, rule


DIALECTS = (
    Dialect("segstereo", TYPES, "yangguorun/SegStereo: interp_type", _claims("interp_type"), _read_segstereo),
    Dialect("jolibrain", TYPES, "jolibrain/caffe: mode", _claims("mode"), _read_jolibrain),
    Dialect("afriesen", TYPES, "afriesen/caffe: type", _claims("type"), _read_afriesen),
    Dialect("synopsys", TYPES, "synopsys-caffe: full_zoom_factor", _claims("full_zoom_factor"), _read_synopsys),
    Dialect("cambricon", TYPES, "Cambricon: align_corners", _claims("align_corners"), _read_cambricon),
    Dialect("deeplab_v1", ("INTERP",), "DeepLab v1, whose code knows no pads", _claims_v1, _read_v1),
    Dialect("xjtu", TYPES, "XJTUeducation/Caffe-Opt: a zoom gives H z; never guessed", never, _read_xjtu),
    Dialect("xjtu", ("InterpNN",), "XJTUeducation/Caffe-Opt", lambda context: True, _read_xjtu_nearest),
    Dialect("derteanoo", TYPES, "Derteanoo/caffe-bilinear-upsample; never guessed", never, _read_derteanoo),
    Dialect("cc4", TYPES, "dlunion/CC4.0: odd heights; never guessed", never, _read_cc4),
)

