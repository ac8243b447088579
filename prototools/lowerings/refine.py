"""Any size with aligned corners: zoom bilinearly by q, then take every p-th row (the other B3).

(H - 1) / (H' - 1) = p / q in lowest terms for each axis; where the two q differ, both axes are
refined by their least common multiple, because the bilinear filler needs a square kernel.
"""

from __future__ import annotations

from math import gcd
from typing import Iterator

from prototools.blocks import TOP, Block, Local, deconvolution, pooling
from prototools.lowerings.request import ResizeRequest

NAME = "refine"


def propose(request: ResizeRequest) -> Iterator[Block]:
    """A bilinear Deconvolution, then Pooling with kernel 1."""
    cut, left = request.cut()
    samplers = left.samplers()
    if request.resize.gain != 1 or any(s.window != s.repeat for s in samplers):
        return
    zoom = samplers[0].repeat * samplers[1].repeat // gcd(samplers[0].repeat, samplers[1].repeat)
    if zoom == 1:
        return
    fine, kernel = Local("refined"), 2 * zoom - 1
    strides = [sampler.stride * zoom // sampler.repeat for sampler in samplers]
    channels, sides = request.need_channels(), ((kernel,) * 2, (zoom,) * 2, (zoom - 1,) * 2)
    layers = (
        deconvolution("deconv", left.bottom, fine, channels, *sides),
        pooling("pool", fine, [TOP], "MAX", (1, 1), strides),
    )
    yield Block(NAME, (*cut, *layers), newer_filler=zoom % 2 == 0)
