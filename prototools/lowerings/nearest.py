"""Repeat every row: a Deconvolution whose kernel is its stride, filled with one (block B1).

out[i] = in[i // s].
The factors of the two axes may differ; an input of one row is broadcast the same way.
Where only every p-th of the repeated rows is wanted (in[i p // q]), a 1 x 1 Convolution with
stride p takes them: Convolution rounds down, as the map does, where Pooling would round up.
The nearest row on a grid whose corners fall on corners, in[(i + z // 2) // z], is the same with what is too much
at both ends left out: by the pad, and where z is even one row more at the start.
"""

from __future__ import annotations

from typing import Iterator, List, Optional

from prototools.blocks import TOP, Block, Local, convolution, deconvolution
from prototools.lowerings.insert import trimmed
from prototools.lowerings.request import ResizeRequest
from prototools.resize import Axis, Zoomed
from prototools.sampling import NEAREST_ALIGN_CORNERS

NAME = "nearest"


def propose(request: ResizeRequest) -> Iterator[Block]:
    """A Deconvolution, and a Convolution behind it where rows are left out again."""
    zooms = [_corners(axis) for axis in request.resize.axes]
    if None not in zooms:
        yield _on_corners(request, zooms)
        return
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


def _corners(axis: Axis) -> Optional[int]:
    """The zoom of a nearest map whose corners fall on corners, where nothing is cut first."""
    size = axis.size
    grid = axis.sampling == NEAREST_ALIGN_CORNERS and isinstance(size, Zoomed) and size.shrink == 1
    return size.zoom if grid and not any(axis.crop) else None


def _on_corners(request: ResizeRequest, zooms: List[int]) -> Block:
    """A Deconvolution with a pad, and a Slice for each even zoom."""
    pads = [(zoom - 1) // 2 for zoom in zooms]
    repeated = Local("repeated")
    layer = deconvolution("deconv", request.bottom, repeated, request.need_channels(), zooms, zooms, pads,
                          request.resize.gain)
    rows = tuple(None if size is None else zoom * size - 2 * pad
                 for size, zoom, pad in zip(request.rows, zooms, pads))
    crops = [(1 - zoom % 2, 0) for zoom in zooms]
    return Block(NAME, tuple(trimmed([layer], repeated, crops, rows, request)))
