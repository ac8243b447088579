"""Layers that put values back where a pooling mask says they came from: SegNet and its kin.

top[mask[i]] = data[i] in every (n, c) plane of H' x W', zeros elsewhere; a later duplicate wins.

* `Upsample` with data and mask (caffe-segnet and many descendants; the same text in sophgo's and
  Cambricon's forks): `upsample_h` and `upsample_w`, else `scale` (2 where it is not written) or
  `scale_h` and `scale_w`, less one row or column where `pad_out_h` or `pad_out_w` says so;
* `Unpooling` of fusenet: `output_h` and `output_w`, else `scale`;
* `MaxUnPool` of inisis/caffe: `dst_h` and `dst_w`;
* `Upsample` of ctensmeyer/caffe with three bottoms: data, mask, and a blob of the wanted size;
* `UNPOOLING` of DeconvNet with `unpool: MAX` and a mask: `unpool_size`, or `unpool_h` and `unpool_w`.

The mask must be the second top of a MAX Pooling layer in the same file: that is where the windows
are written which the replacement needs.
"""

from __future__ import annotations

from prototools.dialects.reading import (
    Context,
    Dialect,
    Reading,
    Unread,
    only,
    positive,
    refuse_others,
    require_bottoms,
    size_of,
)
from prototools.lowerings.request import Refused
from prototools.prototext import Message
from prototools.resize import Given, SizeRule, Times, Unpool

SEGNET_FIELDS = (
    "scale", "scale_h", "scale_w", "pad_out_h", "pad_out_w", "pad_out_W", "upsample_h", "upsample_w",
    "nearestneighbor_mode",
)
FUSENET_FIELDS = ("output_h", "output_w", "scale")


def two_with_mask(context: Context) -> bool:
    """Whether one of two bottoms is a pooling mask; where it is the first, no fork computes anything of use."""
    return len(context.layer.bottoms) == 2 and (context.reads_mask(0) or context.reads_mask(1))


# ---------------------------------------------------------------- segnet


def _claims_segnet(context: Context) -> bool:
    return two_with_mask(context) and only(context.param("upsample_param"), *SEGNET_FIELDS)


def _read_segnet(context: Context) -> Reading:
    require_bottoms(context, 2)
    param = context.param("upsample_param")
    refuse_others(param, *SEGNET_FIELDS)
    if param.boolean("nearestneighbor_mode"):
        raise Refused("with nearestneighbor_mode it must have one bottom")
    if param.has("scale") and (param.has("scale_h") or param.has("scale_w")):
        raise Refused("it must give scale, or scale_h and scale_w, but not both")
    return Reading(Unpool(*(_segnet_size(param, letter) for letter in "hw")))


def _segnet_size(param: Message, letter: str) -> SizeRule:
    if param.has("upsample_h") and param.has("upsample_w"):
        return Given(positive(param, f"upsample_{letter}", least=2))
    if param.has("upsample_h") or param.has("upsample_w"):
        raise Refused("upsample_h and upsample_w must be given together")
    name = f"scale_{letter}" if param.has(f"scale_{letter}") else "scale"
    factor = positive(param, name, 2, least=2)
    # Cambricon spells the second one with a capital W.
    less = int(any(param.boolean(f"pad_out_{one}") for one in (letter, letter.upper())))
    if less and factor != 2:
        raise Refused(f"pad_out_{letter} goes with a factor of 2 only, but the factor is {factor}")
    return Times(factor, less)


# ---------------------------------------------------------------- fusenet, inisis


def _claims_fusenet(context: Context) -> bool:
    param = context.param("unpooling_param")
    return two_with_mask(context) and only(param, *FUSENET_FIELDS)


def _read_fusenet(context: Context) -> Reading:
    require_bottoms(context, 2)
    param = context.param("unpooling_param")
    refuse_others(param, *FUSENET_FIELDS)
    if not param.names() and context.param("pooling_param").names():
        raise Unread("it takes its windows from pooling_param, as unmerged patches of Caffe do, which disagree about "
                      "its size and about what lies between the values (one puts -FLT_MAX there)")
    if param.has("output_h") and param.has("output_w"):
        return Reading(Unpool(Given(positive(param, "output_h")), Given(positive(param, "output_w"))))
    if not param.has("scale"):
        raise Refused("unpooling_param must give scale, or output_h and output_w")
    factor = Times(positive(param, "scale"))
    return Reading(Unpool(factor, factor))


def _read_max_unpool(context: Context) -> Reading:
    require_bottoms(context, 2)
    param = context.param("max_unpool_param")
    return Reading(Unpool(*(Given(positive(param, name, 0)) for name in ("dst_h", "dst_w"))))


# ---------------------------------------------------------------- ctensmeyer


def _claims_ctensmeyer(context: Context) -> bool:
    return len(context.layer.bottoms) == 3 and context.reads_mask(1) and not context.param("upsample_param").names()


def _read_ctensmeyer(context: Context) -> Reading:
    require_bottoms(context, 3)
    height, width = size_of(context, 2)
    return Reading(Unpool(Given(height), Given(width)), references=(2,))


DIALECTS = (
    Dialect(
        name="segnet",
        types=("Upsample", "UPSAMPLE"),
        speaks_for="caffe-segnet and its descendants: the second bottom is a pooling mask",
        claims=_claims_segnet,
        read=_read_segnet,
    ),
    Dialect("ctensmeyer", ("Upsample", "UPSAMPLE"), "ctensmeyer/caffe: data, mask, and a blob of the wanted size",
            _claims_ctensmeyer, _read_ctensmeyer),
    Dialect("fusenet", ("Unpooling", "UNPOOLING"), "tum-vision/fusenet", _claims_fusenet, _read_fusenet),
    Dialect("max_unpool", ("MaxUnPool",), "inisis/caffe", two_with_mask, _read_max_unpool),
)
