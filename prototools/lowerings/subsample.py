"""Every p-th row, nothing else: a Pooling layer with kernel 1 and stride p.

This is aligned corners that shrink by a whole number: (H - 1) is a multiple of p, so the last
window lies on the last row and Pooling's rounding up adds none.
"""

from __future__ import annotations

from typing import Iterator

from prototools.blocks import TOP, Block, pooling
from prototools.lowerings.request import ResizeRequest

NAME = "subsample"


def propose(request: ResizeRequest) -> Iterator[Block]:
    """One Pooling layer; it needs no number of channels."""
    layers, left = request.cut()
    samplers = left.samplers()
    if request.resize.gain != 1 or any(sampler.repeat > 1 for sampler in samplers):
        return
    strides = [sampler.stride for sampler in samplers]
    layers.append(pooling("pool", left.bottom, [TOP], "MAX", (1, 1), strides))
    yield Block(NAME, tuple(layers))
