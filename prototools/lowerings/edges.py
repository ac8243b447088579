"""Pixel centres or first pixels, borders repeated, a whole factor: one Deconvolution (blocks B4 and B5).

Caffe's own recipe (kernel 2 s - s mod 2, stride s, pad s // 2, bilinear) puts pixel centres on pixel
centres but takes the outside for zero. So the first and the last row are put in front and behind
once more, and the pad takes s rows more from either end: `half-pixel`, with borders repeated.

With first pixels on first pixels the kernel is 2 s - 1. One more copy of the last row behind gives
`asymmetric` with the border repeated; without it the end fades. What is too much is sliced off.

The filler needs a square kernel, so both axes have one factor; sizes must be known to find the last row.
"""

from __future__ import annotations

from typing import Iterator, List, Optional, Sequence, Tuple

from prototools.blocks import (
    TOP,
    Block,
    Local,
    StockLayer,
    concat,
    convolution,
    deconvolution,
    silence,
    slicing,
)
from prototools.lowerings.request import ResizeRequest, sliced
from prototools.sampling import ASYMMETRIC, ASYMMETRIC_FADING, HALF_PIXEL

NAME = "edges"

#: Sampling, and the rows to repeat at the start and at the end.
EDGES = {HALF_PIXEL: (1, 1), ASYMMETRIC: (0, 1), ASYMMETRIC_FADING: (0, 0)}


def propose(request: ResizeRequest) -> Iterator[Block]:
    """Repeat the border rows, enlarge, and cut what is too much."""
    factor = _factor(request)
    sampling = request.resize.height.sampling
    if factor is None or not (request.may_silence or sampling == HALF_PIXEL):
        return
    channels = request.need_channels()
    layers, blob = _extended(request, channels, EDGES[sampling])
    if sampling == HALF_PIXEL:
        kernel, pad = 2 * factor - factor % 2, factor // 2 + factor
        layers.append(_enlarged(blob, TOP, channels, kernel, factor, pad))
        yield Block(NAME, tuple(layers))
        return
    # An end that fades needs the rows behind the last, and so no pad there; a pad is the same at both ends.
    first, pad = (factor - 1, 0) if sampling == ASYMMETRIC_FADING else (0, factor - 1)
    whole = Local("enlarged")
    layers.append(_enlarged(blob, whole, channels, 2 * factor - 1, factor, pad))
    extended = [rows + sum(EDGES[sampling]) for rows in request.rows]
    sizes = [factor * (rows - 1) + 2 * factor - 1 - 2 * pad for rows in extended]
    layers += _cut(whole, sizes, first, [factor * rows for rows in request.rows])
    yield Block(NAME, tuple(layers), newer_filler=factor % 2 == 0)


def _factor(request: ResizeRequest) -> Optional[int]:
    """The whole factor of both axes, where that is what is asked for."""
    height, width = request.resize.axes
    if None in request.rows or height.sampling not in EDGES or height.sampling != width.sampling:
        return None
    if request.resize.gain != 1 or any(any(axis.crop) for axis in request.resize.axes):
        return None
    factors = {(axis.out(rows) // rows, axis.out(rows) % rows) for axis, rows in zip((height, width), request.rows)}
    factor, rest = factors.pop()
    return factor if not factors and not rest and factor > 1 else None


def _enlarged(bottom: str, top: str, channels: int, kernel: int, factor: int, pad: int) -> StockLayer:
    return deconvolution("deconv", bottom, top, channels, (kernel, kernel), (factor, factor), (pad, pad))


def _extended(request: ResizeRequest, channels: int, edges: Tuple[int, int]) -> Tuple[List[StockLayer], str]:
    """The border rows once more, first along the height and then along the width."""
    layers: List[StockLayer] = []
    blob: str = request.bottom
    for axis, rows in enumerate(request.rows if any(edges) else ()):
        ends, first, last = _ends(blob, channels, axis, rows, edges)
        whole = Local(f"extended_{'hw'[axis]}")
        parts = [first] * edges[0] + [blob] + [last] * edges[1]
        layers += [*ends, concat(f"extended_{'hw'[axis]}", parts, whole, axis + 2)]
        blob = whole
    return layers, blob


def _ends(
    blob: str, channels: int, axis: int, rows: int, edges: Tuple[int, int]
) -> Tuple[List[StockLayer], str, str]:
    """The first and the last row: a step of all rows but one picks the two, a Slice parts them."""
    if rows == 1:
        return [], blob, blob
    letter = "hw"[axis]
    both, first, last = (Local(f"{name}_{letter}") for name in ("ends", "first", "last"))
    stride = [1, 1]
    stride[axis] = rows - 1
    layers = [
        convolution(f"ends_{letter}", blob, both, channels, stride),
        slicing(f"edges_{letter}", both, [first, last], axis + 2, [1]),
    ]
    return layers + ([] if edges[0] else [silence(f"silence_{letter}", [first])]), first, last


def _cut(blob: str, sizes: Sequence[int], first: int, wanted: Sequence[int]) -> List[StockLayer]:
    """Slices to the wanted rows, the last one to the top."""
    layers: List[StockLayer] = []
    for axis, (size, rows) in enumerate(zip(sizes, wanted)):
        kept = TOP if axis else Local("cut_h")
        layers += sliced(blob, kept, axis, (first, size - rows - first), size)
        blob = kept
    return layers
