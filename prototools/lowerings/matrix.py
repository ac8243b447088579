"""Any resize of known size, as two products with matrices of weights (block M).

Columns: InnerProduct along axis 3, from W to W'. Rows: Reshape to (N C, H, 1, W), a 1 x 1 Convolution
from H to H' channels, and Reshape back. Whichever comes first, the numbers are the same; the cheaper
order is taken, and an axis that stays as it is needs no product.
The weights stand in the caffemodel, so this form is proposed only where one is written.
"""

from __future__ import annotations

from typing import Iterator, List, Sequence

from prototools.blocks import (
    TOP,
    Block,
    Local,
    StockLayer,
    columns_by_matrix,
    power,
    reshape,
    rows_by_matrix,
)
from prototools.lowerings.request import UNKNOWN_SIZE, Refused, ResizeRequest
from prototools.sampling import Row

NAME = "matrix"


def propose(request: ResizeRequest) -> Iterator[Block]:
    """Columns first, and rows first."""
    height, width = request.rows
    if height is None or width is None:
        raise Refused(f"{request.bottom}: {UNKNOWN_SIZE}", request.bottom)
    if request.version < 2:
        raise Refused("a V1 file has no Reshape layer; upgrade it first")
    channels = request.need_channels()
    maps = request.resize.height.map(height), request.resize.width.map(width)
    for name, rows, size in zip(("height", "width"), maps, request.rows):
        if any(not 0 <= source < size for row in rows for source, _ in row):
            raise Refused(f"its {name} reads outside the image, where the fork's own layer reads anything")
    for order in ("wh", "hw"):
        layers = _layers(request, channels, maps, order)
        if layers:
            yield Block(NAME, tuple(layers))


def _layers(request: ResizeRequest, channels: int, maps: Sequence[List[Row]], order: str) -> List[StockLayer]:
    """The steps in one order, each from a blob to the next, the last one to the top."""
    rows, columns = request.rows
    steps: List[StockLayer] = []
    for axis in order:
        rest = Local(f"{axis}_done")
        if axis == "w" and not _stays(maps[1], request.rows[1]):
            steps.append(columns_by_matrix("columns", request.bottom, rest, maps[1], request.rows[1]))
            columns = len(maps[1])
        if axis == "h" and not _stays(maps[0], request.rows[0]):
            steps += [
                reshape("as_channels", request.bottom, Local("as_channels"), (-1, request.rows[0], 1, columns)),
                rows_by_matrix("rows", request.bottom, Local("rows_done"), maps[0], request.rows[0]),
                reshape("as_rows", request.bottom, rest, (-1, channels, len(maps[0]), columns)),
            ]
    if request.resize.gain != 1:
        steps.append(power("gain", request.bottom, Local("gained"), scale=request.resize.gain))
    return _chained(request.bottom, steps)


def _stays(rows: Sequence[Row], size: int) -> bool:
    return len(rows) == size and all(row == ((i, 1),) for i, row in enumerate(rows))


def _chained(bottom: str, steps: List[StockLayer]) -> List[StockLayer]:
    """Each step reads what the one before it wrote."""
    chained: List[StockLayer] = []
    for step in steps:
        chained.append(StockLayer(**{**step.__dict__, "bottoms": (bottom,)}))
        bottom = step.tops[0]
    if chained:
        chained[-1] = StockLayer(**{**chained[-1].__dict__, "tops": (TOP,)})
    return chained
