"""Nearest neighbours under names of their own: UpsampleDarknet, Upsampling, Upscale2D.

All repeat every row and column by one whole factor, out[i] = in[i // factor]:
synopsys-caffe's `UpsampleDarknet` by `upsample_darknet_param.stride` (1 where it is not written),
`Upsampling` by `upsampling_param.scalefactor`, and zjwzcnjsy/caffe's `Upscale2D` always by two.
"""

from __future__ import annotations

from typing import Callable

from prototools.dialects.reading import Context, Dialect, Reading, positive, require_bottoms
from prototools.dialects.upsample import repeated
from prototools.lowerings.request import Refused


def _reader(factor: Callable[[Context], int]) -> Callable[[Context], Reading]:
    def read(context: Context) -> Reading:
        require_bottoms(context, 1)
        times = factor(context)
        return Reading(repeated(times, times))

    return read


def _scalefactor(context: Context) -> int:
    param = context.param("upsampling_param")
    if not param.has("scalefactor"):
        raise Refused("upsampling_param must give scalefactor")
    return positive(param, "scalefactor", least=2)


def _always(context: Context) -> bool:
    return True


DIALECTS = (
    Dialect("darknet", ("UpsampleDarknet",), "synopsys-caffe",
            _always, _reader(lambda context: positive(context.param("upsample_darknet_param"), "stride"))),
    Dialect("upsampling", ("Upsampling",), "five forks with upsampling_param", _always, _reader(_scalefactor)),
    Dialect("upscale2d", ("Upscale2D",), "zjwzcnjsy/caffe", _always, _reader(lambda context: 2)),
)
