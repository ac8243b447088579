"""What the lowerings with weights share: maps of known size, and steps one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Sequence, Tuple

from prototools.blocks import TOP, Local, StockLayer, power
from prototools.lowerings.request import UNKNOWN_SIZE, Refused, ResizeRequest
from prototools.sampling import Row

Maps = Tuple[List[Row], List[Row]]


def known_maps(request: ResizeRequest) -> Maps:
    """The axis maps of height and width.

    Raises `Refused` where a size is unknown or a map reads outside the image, and in a V1 file.
    """
    if None in request.rows:
        raise Refused(f"{request.bottom}: {UNKNOWN_SIZE}", request.bottom)
    if request.version < 2:
        raise Refused("a V1 file has no Reshape layer; upgrade it first")
    height, width = (axis.map(rows) for axis, rows in zip(request.resize.axes, request.rows))
    for name, rows, size in zip(("height", "width"), (height, width), request.rows):
        if any(not 0 <= source < size for row in rows for source, _ in row):
            raise Refused(f"its {name} reads outside the image, where the fork's own layer reads anything")
    return height, width


def stays(rows: Sequence[Row], size: int) -> bool:
    """Whether an axis is left as it is."""
    return len(rows) == size and all(row == ((i, 1),) for i, row in enumerate(rows))


def with_gain(request: ResizeRequest, steps: List[StockLayer]) -> List[StockLayer]:
    """The steps, and a Power for the factor on all values where there is one."""
    if request.resize.gain == 1:
        return steps
    return [*steps, power("gain", request.bottom, Local("gained"), scale=request.resize.gain)]


def chained(bottom: str, steps: Sequence[StockLayer]) -> Tuple[StockLayer, ...]:
    """Steps of one bottom and one top: each reads what the one before it wrote, the last writes the top."""
    layers: List[StockLayer] = []
    for step in steps:
        layers.append(replace(step, bottoms=(bottom,)))
        bottom = step.tops[0]
    if layers:
        layers[-1] = replace(layers[-1], tops=(TOP,))
    return tuple(layers)
