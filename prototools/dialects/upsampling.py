"""`Upsampling` (`upsampling_param`), which three families of forks write in three ways.

* By `scalefactor`, in five forks: nearest, out[i] = in[i // factor].
* CEDN's, in V1 `UPSAMPLING`, by `kernel_size`: row i is put at i * kernel, with zeros between.
* CAFFE-DACH's repeats by `kernel_h` and `kernel_w` (each 1 where it is not written), and channels by `kernel_c`.

`kernel_h` and `kernel_w` alone fit either of the last two.
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
)
from prototools.dialects.unpooling import pair, placed
from prototools.dialects.upsample import repeated
from prototools.lowerings.request import Refused

PARAM = "upsampling_param"
KERNELS = ("kernel_size", "kernel_h", "kernel_w")
DACH = ("kernel_c", "kernel_h", "kernel_w")


def _claims_scale(context: Context) -> bool:
    return context.param(PARAM).names() == ["scalefactor"]


def _read_scale(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = context.param(PARAM)
    refuse_others(param, "scalefactor")
    if not param.has("scalefactor"):
        raise Refused("upsampling_param must give scalefactor")
    factor = positive(param, "scalefactor", least=2)
    return Reading(repeated(factor, factor))


def _claims_cedn(context: Context) -> bool:
    param = context.param(PARAM)
    return only(param, *KERNELS) and (context.layer.type == "UPSAMPLING" or param.has("kernel_size"))


def _read_cedn(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = context.param(PARAM)
    refuse_others(param, *KERNELS)
    if param.has("kernel_size") == (param.has("kernel_h") and param.has("kernel_w")):
        raise Refused("upsampling_param must give either kernel_size, or kernel_h and kernel_w")
    kernel = pair(param, "kernel_size", 0)
    if min(kernel) < 1:
        raise Refused(f"its kernel must be at least 1, but is {kernel}")
    return Reading(placed(kernel, (0, 0)))


def _claims_dach(context: Context) -> bool:
    param = context.param(PARAM)
    # CEDN's has no kernel_c, and wants kernel_h and kernel_w together.
    return only(param, *DACH) and (param.has("kernel_c") or param.has("kernel_h") != param.has("kernel_w"))


def _read_dach(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = context.param(PARAM)
    refuse_others(param, *DACH)
    if not param.names():
        raise Refused("upsampling_param must give kernel_h and kernel_w")
    channels, height, width = (positive(param, name) for name in DACH)
    if channels != 1:
        raise Unread(f"kernel_c must be 1, but is {channels}: repeated channels are not read")
    return Reading(repeated(height, width))


DIALECTS = (
    Dialect("upsampling", ("Upsampling",), "five forks with upsampling_param", _claims_scale, _read_scale),
    Dialect("cedn", ("UPSAMPLING", "Upsampling"), "CEDN: kernel_size", _claims_cedn, _read_cedn),
    Dialect("dach", ("Upsampling",), "JiahaoLi-gdut/CAFFE-DACH: kernel_c", _claims_dach, _read_dach),
)
