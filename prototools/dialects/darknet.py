"""Nearest neighbours under names of their own: UpsampleDarknet, UpsampleNearest, NearestSample and more.

All repeat every row and column by one whole factor, out[i] = in[i // factor]:

* `UpsampleDarknet` (synopsys-caffe) by `upsample_darknet_param.stride` (1 where it is not written);
* `Upscale2D` (zjwzcnjsy/caffe) always by two;
* `UpsampleNearest` (p517332051/caffe-windows) by `upsample_nearest_param.scale`; it wants a second bottom,
  which it never reads;
* `NearestSample` (eridgd/Style-Feature-Reshuffle) by `nearest_neighbor_param.scale` (2 where the message is not
  written), for one image: its code leaves the others of a batch unwritten.
"""

from __future__ import annotations

from typing import Callable

from prototools.dialects.reading import (
    Context,
    Dialect,
    Reading,
    Unread,
    finite,
    positive,
    refuse_others,
    require_bottoms,
)
from prototools.dialects.upsample import repeated
from prototools.lowerings.request import Refused


def _reader(factor: Callable[[Context], int]) -> Callable[[Context], Reading]:
    def read(context: Context) -> Reading:
        require_bottoms(context, 1)
        times = factor(context)
        return Reading(repeated(times, times))

    return read


def _read_nearest(context: Context) -> Reading:
    require_bottoms(context, 2)
    param = context.param("upsample_nearest_param")
    refuse_others(param, "scale")
    if not param.has("scale"):
        raise Refused("upsample_nearest_param must give scale")
    scale = positive(param, "scale")
    return Reading(repeated(scale, scale), references=(1,))


def _read_sample(context: Context) -> Reading:
    require_bottoms(context, 1)
    blob, shape = context.layer.bottoms[0], context.bottoms[0]
    if shape is None or shape[0] is None:
        raise Refused(f"{blob}: its number of images must be known", blob)
    if shape[0] != 1:
        raise Unread(f"{blob}: it must be one image, because the fork writes no other, but has {shape[0]}")
    param = context.param("nearest_neighbor_param")
    refuse_others(param, "scale")
    scale = finite(param, "scale", 2.0)
    if scale < 1 or scale != int(scale):
        raise Refused(f"scale must be a whole number of at least 1, but is {scale:g}")
    return Reading(repeated(int(scale), int(scale)))


def _always(context: Context) -> bool:
    return True


DIALECTS = (
    Dialect("darknet", ("UpsampleDarknet",), "synopsys-caffe",
            _always, _reader(lambda context: positive(context.param("upsample_darknet_param"), "stride"))),
    Dialect("upscale2d", ("Upscale2D",), "zjwzcnjsy/caffe", _always, _reader(lambda context: 2)),
    Dialect("upsample_nearest", ("UpsampleNearest",), "p517332051/caffe-windows", _always, _read_nearest),
    Dialect("nearest_sample", ("NearestSample",), "eridgd/Style-Feature-Reshuffle", _always, _read_sample),
)
