"""Every row several times, and zeros behind: a Deconvolution, then a Convolution that only pads.

A 1 x 1 Convolution by one with a pad puts zeros in front and behind; those in front are sliced off.
"""

from __future__ import annotations

from typing import Iterator, List

from prototools.blocks import TOP, Block, Local, StockLayer, convolution, deconvolution
from prototools.lowerings.request import ResizeRequest, sliced
from prototools.sampling import NEAREST, REPEATED

NAME = "padded"


def propose(request: ResizeRequest) -> Iterator[Block]:
    """Repeat, pad, and slice; what changes nothing is left out."""
    axes = request.resize.axes
    if None in request.rows or not request.may_silence or request.resize.gain != 1:
        return
    if {axis.sampling for axis in axes} - {NEAREST, REPEATED} or any(any(axis.crop) for axis in axes):
        return
    times = [axis.out(rows) // rows for axis, rows in zip(axes, request.rows)]
    rest = [axis.out(rows) % rows for axis, rows in zip(axes, request.rows)]
    if not any(rest) or not all(times):
        return
    channels, layers, blob = request.need_channels(), [], request.bottom
    if times != [1, 1]:
        layers.append(deconvolution("deconv", blob, Local("repeated"), channels, times, times, value=1))
        blob = Local("repeated")
    layers.append(convolution("pad", blob, Local("padded"), channels, pad=rest))
    yield Block(NAME, tuple(layers + _without_front(request, rest)))


def _without_front(request: ResizeRequest, rest: List[int]) -> List[StockLayer]:
    """Slices along the axes that were padded, the last one to the top."""
    layers: List[StockLayer] = []
    blob = Local("padded")
    padded = [axis for axis in (0, 1) if rest[axis]]
    for axis in padded:
        kept = TOP if axis == padded[-1] else Local("kept")
        size = request.resize.axes[axis].out(request.rows[axis]) + rest[axis]
        layers += sliced(blob, kept, axis, (rest[axis], 0), size)
        blob = kept
    return layers
