"""A resize of tiny maps, as one product with whole planes: InnerProduct from H x W to H' x W' places.

Two layers and one product of matrices for all channels, where the two products of `matrix` would be
many small ones. The work grows with H W H' W', so it is offered for planes of few places.
The weights stand in the caffemodel, so this form is proposed only where one is written.
"""

from __future__ import annotations

from typing import Iterator

from prototools.blocks import Block, Local, plane_by_matrix, reshape
from prototools.lowerings.products import chained, known_maps, with_gain
from prototools.lowerings.request import ResizeRequest

NAME = "plane"

#: The most places that a plane before may have, and the most weights.
PLACES, WEIGHTS = 256, 1 << 18


def propose(request: ResizeRequest) -> Iterator[Block]:
    """One block."""
    maps = known_maps(request)
    places, sizes = request.rows[0] * request.rows[1], [len(rows) for rows in maps]
    if places > PLACES or places * sizes[0] * sizes[1] > WEIGHTS:
        return
    steps = [
        plane_by_matrix("planes", request.bottom, Local("planes_done"), maps, request.rows),
        reshape("as_planes", request.bottom, Local("as_planes"), (0, 0, *sizes)),
    ]
    yield Block(NAME, chained(request.bottom, with_gain(request, steps)))
