"""Set rows apart and put zeros between: a Deconvolution with kernel 1, then padding (block B7).

A Deconvolution with kernel 1 and stride s puts row i at i s and stops at the last one.
A 1 x 1 Convolution with a pad adds rows of zeros on both sides, and what is too much at the start
or at the end is cut.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Iterator, List, Optional, Sequence, Tuple

from prototools.blocks import TOP, Block, Local, StockLayer, convolution, deconvolution
from prototools.lowerings.request import ResizeRequest, Rows
from prototools.resize import Axis, Resize, Times
from prototools.sampling import NEAREST

NAME = "insert"


def propose(request: ResizeRequest) -> Iterator[Block]:
    """A Deconvolution, a padding Convolution, and a Slice for each end that got too much."""
    offsets = [_offset(axis) for axis in request.resize.axes]
    if None in offsets or not all(isinstance(axis.size, Times) for axis in request.resize.axes):
        return
    steps = [axis.size.factor for axis in request.resize.axes]
    channels, gain = request.need_channels(), request.resize.gain
    pads = [max(offset, step - 1 - offset) for offset, step in zip(offsets, steps)]
    apart, padded = Local("apart"), Local("padded")
    layers = [
        deconvolution("deconv", request.bottom, apart, channels, (1, 1), steps, value=gain),
        convolution("pad", apart, padded, channels, pad=pads),
    ]
    crops = [
        (pad - offset, pad - (step - 1 - offset)) for pad, offset, step in zip(pads, offsets, steps)
    ]
    rows = [
        None if size is None else step * (size - 1) + 1 + 2 * pad
        for size, step, pad in zip(request.rows, steps, pads)
    ]
    yield Block(NAME, tuple(trimmed(layers, padded, crops, tuple(rows), request)))


def _offset(axis: Axis) -> Optional[int]:
    found = re.match(r"insert at (\d+)", axis.sampling.name)
    return int(found.group(1)) if found and not any(axis.crop) else None


def trimmed(
    layers: List[StockLayer], padded: Local, crops: Sequence[Tuple[int, int]], rows: Rows, request: ResizeRequest
) -> List[StockLayer]:
    """The layers with the surplus cut off, the last one giving the block's top."""
    height, width = (Axis(NEAREST, Times(1), crop) for crop in crops)
    surplus = replace(request, resize=Resize(height, width), bottom=padded, rows=rows)
    cut, left = surplus.cut()
    return [_renamed(layer, left.bottom) for layer in layers + cut]


def _renamed(layer: StockLayer, last: str) -> StockLayer:
    """The layer with the blob `last` as the block's top, wherever it is written."""
    return replace(layer, tops=tuple(TOP if top == last else top for top in layer.tops))
