"""Nothing changes along either axis: a Power layer without settings copies, or scales all values."""

from __future__ import annotations

from typing import Iterator

from prototools.blocks import TOP, Block, power
from prototools.lowerings.request import ResizeRequest

NAME = "copy"


def propose(request: ResizeRequest) -> Iterator[Block]:
    """One Power layer where no row is repeated, mixed or left out."""
    layers, left = request.cut()
    if all(sampler == (1, 1, 1) for sampler in left.samplers()):
        yield Block(NAME, (*layers, power("copy", left.bottom, TOP, request.resize.gain)))
