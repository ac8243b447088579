"""Any size with aligned corners: repeat every row q times, then average windows of q rows, p apart.

(H - 1) / (H' - 1) = p / q in lowest terms. The window that starts at repeated row i p holds q - r
copies of one source row and r of the next, r = i p mod q: linear interpolation, without any
bilinear filler, for axes that differ and on every Caffe (blocks B2' and B3).
Going through the height first and the width after it, or the other way round, is the same map and
often far cheaper, because the windows are then lines.
"""

from __future__ import annotations

from typing import Iterator, List, Sequence

from prototools.blocks import TOP, Block, Local, StockLayer, deconvolution, pooling
from prototools.lowerings.request import ResizeRequest, Sampler

NAME = "average"
NONE = Sampler(1)


def propose(request: ResizeRequest) -> Iterator[Block]:
    """Both axes at once, height first, and width first."""
    cut, left = request.cut()
    height, width = left.samplers()
    if request.resize.gain != 1 or not (_fits(height) and _fits(width)):
        return
    channels = request.need_channels()
    together = _pass("", left.bottom, TOP, channels, (height, width))
    yield Block(NAME, (*cut, *together))
    if NONE in (height, width):
        return
    orders = {"_h": (height, NONE), "_w": (NONE, width)}
    for first, second in (("_h", "_w"), ("_w", "_h")):
        half = Local(f"pass{first}")
        passes = _pass(first, left.bottom, half, channels, orders[first]) + _pass(
            second, half, TOP, channels, orders[second]
        )
        yield Block(NAME, (*cut, *passes))


def _fits(sampler: Sampler) -> bool:
    """Whether the axis is interpolated, thinned or broadcast."""
    return sampler.window == sampler.repeat or (sampler.window == 1 and sampler.stride == 1)


def _pass(
    ending: str, bottom: str, top: str, channels: int, samplers: Sequence[Sampler]
) -> List[StockLayer]:
    """Deconvolution and Pooling, each left out where it would do nothing."""
    repeat, window, stride = ([getattr(s, name) for s in samplers] for name in Sampler._fields)
    spread = Local(f"repeated{ending}")
    if repeat == [1, 1]:
        return [pooling(f"pool{ending}", bottom, [top], "MAX", (1, 1), stride)]
    if window == [1, 1] and stride == [1, 1]:
        return [_repeat(ending, bottom, top, channels, repeat)]
    return [
        _repeat(ending, bottom, spread, channels, repeat),
        pooling(f"pool{ending}", spread, [top], "AVE", window, stride),
    ]


def _repeat(ending: str, bottom: str, top: str, channels: int, repeat: List[int]) -> StockLayer:
    return deconvolution(f"deconv{ending}", bottom, top, channels, repeat, repeat, value=1)
