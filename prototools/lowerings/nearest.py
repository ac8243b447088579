"""Repeat every row: a Deconvolution whose kernel is its stride, filled with one (block B1).

out[i] = in[i // s].
The factors of the two axes may differ; an input of one row is broadcast the same way.
Where only every p-th of the repeated rows is wanted (in[i p // q]), a 1 x 1 Convolution with
stride p takes them: Convolution rounds down, as the map does, where Pooling would round up.
"""

from __future__ import annotations

from typing import Iterator

from prototools.blocks import TOP, Block, Local, convolution, deconvolution
from prototools.lowerings.request import ResizeRequest

NAME = "nearest"


def propose(request: ResizeRequest) -> Iterator[Block]:
    """A Deconvolution, and a Convolution behind it where rows are left out again."""
    layers, left = request.cut()
    samplers = left.samplers()
    if any(sampler.window > 1 for sampler in samplers):
        return
    repeat = [sampler.repeat for sampler in samplers]
    stride = [sampler.stride for sampler in samplers]
    channels, gain = request.need_channels(), request.resize.gain
    whole = stride == [1, 1]
    spread = TOP if whole else Local("repeated")
    layers.append(deconvolution("deconv", left.bottom, spread, channels, repeat, repeat, value=gain))
    if not whole:
        layers.append(convolution("pick", spread, TOP, channels, stride))
    yield Block(NAME, tuple(layers))
