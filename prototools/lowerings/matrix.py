"""Any resize of known size, as two products with matrices of weights (block M).

Columns: InnerProduct along axis 3, from W to W'. Rows: Reshape to (N C, H, 1, W), a 1 x 1 Convolution
from H to H' channels, and Reshape back. Whichever comes first, the numbers are the same; the cheaper
order is taken, and an axis that stays as it is needs no product.
The weights stand in the caffemodel, so this form is proposed only where one is written.
"""

from __future__ import annotations

from typing import Iterator, List

from prototools.blocks import Block, Local, StockLayer, columns_by_matrix, reshape, rows_by_matrix
from prototools.lowerings.products import Maps, chained, known_maps, stays, with_gain
from prototools.lowerings.request import ResizeRequest

NAME = "matrix"


def propose(request: ResizeRequest) -> Iterator[Block]:
    """Columns first, and rows first."""
    maps, channels = known_maps(request), request.need_channels()
    for order in ("wh", "hw"):
        layers = chained(request.bottom, with_gain(request, _steps(request, channels, maps, order)))
        if layers:
            yield Block(NAME, layers)


def _steps(request: ResizeRequest, channels: int, maps: Maps, order: str) -> List[StockLayer]:
    """The products in one order."""
    (rows, columns), bottom = request.rows, request.bottom
    steps: List[StockLayer] = []
    for axis in order:
        done = Local(f"{axis}_done")
        if axis == "w" and not stays(maps[1], request.rows[1]):
            steps.append(columns_by_matrix("columns", bottom, done, maps[1], columns))
            columns = len(maps[1])
        if axis == "h" and not stays(maps[0], rows):
            steps += [
                reshape("as_channels", bottom, Local("as_channels"), (-1, rows, 1, columns)),
                rows_by_matrix("rows", bottom, Local("rows_done"), maps[0], rows),
                reshape("as_rows", bottom, done, (-1, channels, len(maps[0]), columns)),
            ]
    return steps
