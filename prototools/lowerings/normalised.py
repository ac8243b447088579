"""Pixel centres on pixel centres, borders repeated, a whole factor, at any size (block B4, divided).

Caffe's own recipe (kernel 2 s - s mod 2, stride s, pad s // 2, bilinear) takes the outside for zero, so
the outer rows fade. The same Deconvolution of ones says by how much, and the quotient repeats the
borders: Power makes ones of the bottom, Power -1 turns the fading over, Eltwise multiplies.
No size need be known. Both axes have one factor, because the filler's kernel is square.
"""

from __future__ import annotations

from typing import Iterator, Optional

from prototools.blocks import TOP, Block, Local, StockLayer, deconvolution
from prototools.lowerings.request import ResizeRequest
from prototools.prototext import Word
from prototools.resize import Axis, Times
from prototools.sampling import HALF_PIXEL

NAME = "normalised"


def propose(request: ResizeRequest) -> Iterator[Block]:
    """One block."""
    factors = {_factor(axis, rows) for axis, rows in zip(request.resize.axes, request.rows)}
    factor = factors.pop()
    if factors or factor is None or request.resize.gain != 1:
        return
    channels = request.need_channels()
    faded, ones, fading, unfaded = (Local(name) for name in ("faded", "ones", "fading", "unfaded"))

    def enlarged(role: str, bottom: str, top: str) -> StockLayer:
        kernel, pad = 2 * factor - factor % 2, factor // 2
        return deconvolution(role, bottom, top, channels, (kernel,) * 2, (factor,) * 2, (pad,) * 2)

    yield Block(NAME, (
        enlarged("deconv", request.bottom, faded),
        StockLayer("Power", "ones", (request.bottom,), (ones,), {"power_param": {"scale": 0, "shift": 1}},
                   propagate_down=(False,)),
        enlarged("fading", ones, fading),
        StockLayer("Power", "unfaded", (fading,), (unfaded,), {"power_param": {"power": -1}}),
        StockLayer("Eltwise", "product", (faded, unfaded), (TOP,), {"eltwise_param": {"operation": Word("PROD")}}),
    ))


def _factor(axis: Axis, rows: Optional[int]) -> Optional[int]:
    """The whole factor by which an axis is enlarged, if that is all it asks for."""
    if axis.sampling != HALF_PIXEL or any(axis.crop):
        return None
    if isinstance(axis.size, Times) and not axis.size.less:
        return axis.size.factor if axis.size.factor > 1 else None
    out = None if rows is None else axis.out(rows)
    return out // rows if out is not None and out % rows == 0 and out > rows else None
