"""Interp: bilinear interpolation with aligned corners, in the forms of DeepLab and PSPNet.

The whole input, after a crop by the negative pads, is stretched so that corners fall on corners.
The size goes by which fields are **written**, not by their values (`LayerSetUp` and `Reshape` of
`interp_layer.cpp` in hszhao/PSPNet, the same in DeepLab v2 and its many descendants):

* `shrink_factor` alone: (H - 1) // shrink + 1;
* `zoom_factor` alone: (H - 1) zoom + 1;
* `height` and `width`: as given;
* both factors: shrink first, then zoom;
* a second bottom, with nothing else about the size: its height and width
  (wywu/LAB, yangguorun/SegStereo; `use_blob_size: true` says it in words; `InterpAdvance` always).

Forks that write other fields, or mean another size by the same ones, are not read here.
"""

from __future__ import annotations

from typing import Tuple

from prototools.dialects.reading import (
    Context,
    Dialect,
    Reading,
    only,
    positive,
    refuse_others,
    require_bottoms,
    size_of,
    some,
)
from prototools.lowerings.request import Refused
from prototools.prototext import Message
from prototools.resize import Axis, Given, Resize, SizeRule, Zoomed
from prototools.sampling import ALIGN_CORNERS, Sampling

PARAM = "interp_param"
SIZE_FIELDS = ("height", "width", "zoom_factor", "shrink_factor")
PADS = ("pad_beg", "pad_end")


def _claims_one(context: Context) -> bool:
    param = context.param(PARAM)
    return len(context.layer.bottoms) == 1 and only(param, *SIZE_FIELDS, *PADS)


def _claims_reference(context: Context) -> bool:
    param = context.param(PARAM)
    return len(context.layer.bottoms) == 2 and only(param, *PADS, "use_blob_size")


def _read_one(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = context.param(PARAM)
    refuse_others(param, *SIZE_FIELDS, *PADS)
    height, width = written_sizes(param)
    return Reading(stretched(param, height, width))


def _read_reference(context: Context) -> Reading:
    require_bottoms(context, 2)
    param = context.param(PARAM)
    if some(param, *SIZE_FIELDS):
        raise Refused("with a second bottom it must give no size, zoom or shrink of its own")
    refuse_others(param, *PADS, "use_blob_size")
    height, width = size_of(context, 1)
    return Reading(stretched(param, Given(height), Given(width)), references=(1,))


def written_sizes(param: Message) -> Tuple[SizeRule, SizeRule]:
    """The rule for height and width, by which fields are written; the first row that fits counts."""
    zoom, shrink = param.has("zoom_factor"), param.has("shrink_factor")
    if zoom != shrink:
        name = "zoom_factor" if zoom else "shrink_factor"
        return _both(Zoomed(**{name[:-7]: positive(param, name)}))
    if param.has("height") and param.has("width"):
        return Given(positive(param, "height")), Given(positive(param, "width"))
    if zoom:
        return _both(Zoomed(positive(param, "zoom_factor"), positive(param, "shrink_factor")))
    raise Refused("it must give zoom_factor, shrink_factor, or height and width")


def _both(size: SizeRule) -> Tuple[SizeRule, SizeRule]:
    return size, size


def stretched(
    param: Message, height: SizeRule, width: SizeRule, sampling: Sampling = ALIGN_CORNERS
) -> Resize:
    """After the crop by the negative pads, to a size."""
    first, last = (param.integer(name) for name in PADS)
    if first > 0 or last > 0:
        raise Refused("pad_beg and pad_end must be zero or negative: they cut rows, they add none")
    crop = (-first, -last)
    return Resize(Axis(sampling, height, crop), Axis(sampling, width, crop))


DIALECTS = (
    Dialect("pspnet", ("Interp", "INTERP"), "PSPNet, ICNet, DeepLab v1 and v2 and their descendants",
            _claims_one, _read_one),
    Dialect("lab", ("Interp", "INTERP", "InterpAdvance"), "LAB, SegStereo, CF-Caffe: a second bottom gives the size",
            _claims_reference, _read_reference),
)
