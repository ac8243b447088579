"""A resize of known size whose rows are near one another, as products with small matrices, one for each band.

An output row needs few source rows, all in one place, so most of `matrix` is zeros. Here the output
rows are dealt into bands of equal height. Slice and Concat put the source rows of each band behind one
another, a 1 x 1 Convolution with one group for each band makes the rows, and InnerProduct along axis 3
the columns, before or after. Where the bands come out higher than the image a last Slice takes the rest off.
The weights stand in the caffemodel, so this form is proposed only where one is written.
"""

from __future__ import annotations

from typing import Iterator, List, NamedTuple, Sequence, Tuple

from prototools.blocks import (
    Block,
    Local,
    StockLayer,
    columns_by_matrix,
    concat,
    reshape,
    rows_by_matrix,
    silence,
    slicing,
)
from prototools.lowerings.products import Maps, chained, known_maps, stays, with_gain
from prototools.lowerings.request import ResizeRequest
from prototools.sampling import Row

NAME = "bands"

#: The most bands: each takes two tops of a Slice.
MOST = 24

#: Numbers of bands to try where they do not divide the rows; then a Slice must take the rest off.
UNEVEN = (2, 3, 5, 8)


class Bands(NamedTuple):
    """Output rows in bands: where the source rows of each start, and how many they are.

    `rows` are the output rows by places in the source rows put behind one another, and empty rows
    where the last band is not full.
    """

    starts: Tuple[int, ...]
    height: int
    rows: Tuple[Row, ...]


def propose(request: ResizeRequest) -> Iterator[Block]:
    """Each number of bands that saves work, columns first and rows first."""
    maps, channels = known_maps(request), request.need_channels()
    for count in _counts(len(maps[0])):
        bands = _banded(maps[0], request.rows[0], count)
        if not _saves(bands, request.rows[0]):
            continue
        gathered = _gathered(request, bands)
        silent = len(bands.rows) > len(maps[0]) or len(gathered) > 2
        if silent and not request.may_silence:
            continue
        for order in ("wh", "hw"):
            yield Block(NAME, (*gathered, *_products(request, channels, maps, bands, order)))


def _counts(rows: int) -> List[int]:
    even = [count for count in range(2, MOST + 1) if rows % count == 0]
    return even + [count for count in UNEVEN if rows % count and count < rows]


def _saves(bands: Bands, rows: int) -> bool:
    """Whether the bands are much lower than the image, and overlap little."""
    return 2 * bands.height <= rows + 1 and len(bands.starts) * bands.height <= 2 * rows


def _banded(rows: Sequence[Row], size: int, count: int) -> Bands:
    """The bands of an axis map; each reads as many source rows as the one that needs most."""
    height = -(-len(rows) // count)
    places = range(0, count * height, height)
    reads = [[source for row in rows[at : at + height] for source, _ in row] or [0] for at in places]
    needed = max(max(read) - min(read) + 1 for read in reads)
    starts = tuple(min(min(read), size - needed) for read in reads)
    moved = tuple(
        tuple((source - starts[i // height] + i // height * needed, weight) for source, weight in row)
        for i, row in enumerate(rows)
    )
    return Bands(starts, needed, moved + ((),) * (count * height - len(rows)))


def _gathered(request: ResizeRequest, bands: Bands) -> List[StockLayer]:
    """Slice at every start and end of a band's source rows, and Concat what each band reads."""
    size = request.rows[0]
    ends = {edge for start in bands.starts for edge in (start, start + bands.height)}
    points = [0, *sorted(ends - {0, size}), size]
    pieces = {(a, b): Local(f"rows_{a}") for a, b in zip(points, points[1:])}
    read = [
        piece for start in bands.starts for (a, b), piece in pieces.items()
        if start <= a and b <= start + bands.height
    ]
    unread = [piece for piece in pieces.values() if piece not in read]
    return [
        slicing("slice", request.bottom, list(pieces.values()), 2, points[1:-1]),
        *([silence("silence", unread)] if unread else []),
        concat("bands", read, Local("banded"), 2),
    ]


def _products(
    request: ResizeRequest, channels: int, maps: Maps, bands: Bands, order: str
) -> List[StockLayer]:
    """The rows of all bands, and the columns, in one order."""
    bottom, columns = Local("banded"), request.rows[1]
    gathered, made = len(bands.starts) * bands.height, len(bands.rows)
    steps: List[StockLayer] = []
    for axis in order:
        if axis == "w" and not stays(maps[1], request.rows[1]):
            steps.append(columns_by_matrix("columns", bottom, Local("w_done"), maps[1], columns))
            columns = len(maps[1])
        if axis == "h":
            steps += [
                reshape("as_channels", bottom, Local("as_channels"), (-1, gathered, 1, columns)),
                rows_by_matrix("rows", bottom, Local("rows_done"), bands.rows, bands.height, len(bands.starts)),
                reshape("as_rows", bottom, Local("h_done"), (-1, channels, made, columns)),
            ]
            if made > len(maps[0]):
                steps.append(slicing("cut", bottom, [Local("cut_h")], 2, [len(maps[0])]))
    layers = chained(bottom, with_gain(request, steps))
    return [extra for layer in layers for extra in _with_rest(layer)]


def _with_rest(layer: StockLayer) -> List[StockLayer]:
    """A Slice that cuts the end off has a second top, which a Silence takes."""
    if layer.role != "cut":
        return [layer]
    kept, rest = layer.tops[0], Local("rest")
    return [slicing("cut", layer.bottoms[0], [kept, rest], 2, layer.own["slice_point"]), silence("spare", [rest])]
