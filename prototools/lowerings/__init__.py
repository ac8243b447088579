"""Lowerings: each proposes blocks of stock layers for what a custom layer computes.

`TABLE` is all of them, in order. `lower` asks each one, lets the certificate judge every block, and
takes a single Deconvolution (or another single layer) wherever one is exact, otherwise the exact
block that takes the least time. A new lowering is a file with `NAME` and `propose`, and a row.
"""

from __future__ import annotations

from typing import Iterator, List, NamedTuple, Optional, Tuple, Union

from prototools.blocks import Block
from prototools.cost import Cost
from prototools.cost import cost as cost_of
from prototools.lowerings import (
    average,
    bands,
    copy,
    edges,
    insert,
    matrix,
    nearest,
    normalised,
    padded,
    plane,
    refine,
    subsample,
    unpool,
    zoom,
)
from prototools.lowerings.certificate import border_only, certify_resize, certify_unpool
from prototools.lowerings.request import MOST_ROWS, Refused, ResizeRequest, UnpoolRequest, require_rows
from prototools.resize import Certificate

TABLE = (
    copy,
    nearest,
    zoom,
    subsample,
    insert,
    average,
    refine,
    edges,
    normalised,
    padded,
    matrix,
    plane,
    bands,
)
UNPOOL_TABLE = (unpool,)

#: Those whose blocks work only with the weights in a caffemodel.
WEIGHTED = (matrix.NAME, plane.NAME, bands.NAME)

Request = Union[ResizeRequest, UnpoolRequest]


class Choices(NamedTuple):
    """What the user wants of a block.

    `weights` says that a caffemodel is written too, so that fillers need not do everything.
    `prefer` is one of `PREFERENCES`.
    """

    filler_safe: bool = False
    lowering: Optional[str] = None
    accept_border: bool = False
    weights: bool = False
    prefer: str = "deconvolution"


NO_WISHES = Choices()

#: What a block is chosen by: its kind, the time it takes, or the memory.
PREFERENCES = ("deconvolution", "speed", "memory")

#: A block of fillers gives way to one of weights where it takes this many times as long.
TOO_DEAR = 10


class Lowered(NamedTuple):
    """The block that was chosen, its certificate and cost, the blocks that were not, and remarks."""

    block: Block
    certificate: Certificate
    cost: Cost
    others: Tuple[Tuple[str, Cost, str], ...] = ()
    hints: Tuple[str, ...] = ()


#: Sizes assumed for the cost of a net whose sizes are unknown; only the order of blocks depends on it.
NOMINAL = 32


def lower(request: Request, choices: Choices = NO_WISHES) -> Lowered:
    """The block for a request.

    Raises `Refused` where no lowering is exact, with the reason of the last one that came near.
    """
    if isinstance(request, UnpoolRequest):
        request = request.assume()
        if max(filter(None, request.origin.rows), default=0) > MOST_ROWS:
            raise Refused(f"certificates for more than {MOST_ROWS:,} rows are not computed")
    else:
        require_rows(request.resize, request.rows)
    (blocks, refusal), nearest = _proposed(request, choices), ""
    ranked = _ranked(blocks, request, choices.prefer)
    for number, block in enumerate(ranked):
        certificate = certify(block, request)
        if certificate.exact or choices.accept_border and border_only(certificate):
            others = tuple(_other(other, request) for other in ranked[:number] + ranked[number + 1 :])
            cost = _cost(block, request)
            return Lowered(block, certificate, cost, others, _hints(cost, request, choices))
        nearest = nearest or f"; {block.lowering} is {certificate}"
    raise refusal or _nothing(choices, nearest)


def _hints(cost: Cost, request: Request, choices: Choices) -> Tuple[str, ...]:
    """Whether weights would make it many times faster."""
    if choices.weights or choices.lowering or isinstance(request, UnpoolRequest):
        return ()
    try:
        fastest = min((_cost(block, request).nanoseconds for block in matrix.propose(request)), default=0)
    except Refused:
        return ()
    if cost.nanoseconds <= TOO_DEAR * fastest or not fastest:
        return ()
    times = cost.nanoseconds // fastest
    return (f"with --weights there is a block some {times} times as fast",)


def _nothing(choices: Choices, nearest: str) -> Refused:
    if choices.lowering in WEIGHTED and not choices.weights:
        return Refused(f"the lowering {choices.lowering} needs weights; give --weights and --weights-out")
    if choices.lowering:
        return Refused(f"the lowering {choices.lowering} does not fit this layer{nearest}")
    if choices.weights:
        return Refused(f"no stock layers compute this exactly{nearest}")
    return Refused(f"no stock layers with fillers only compute this exactly{nearest}; with --weights they may")


def _proposed(request: Request, choices: Choices) -> Tuple[List[Block], Optional[Refused]]:
    """Every block that the user's choices allow, and the last refusal."""
    blocks: List[Block] = []
    refusal: Optional[Refused] = None
    for lowering in UNPOOL_TABLE if isinstance(request, UnpoolRequest) else TABLE:
        weighed = choices.weights or lowering.NAME not in WEIGHTED
        if choices.lowering in (None, lowering.NAME) and weighed:
            try:
                blocks += lowering.propose(request)
            except Refused as error:
                refusal = error
    if choices.filler_safe and not choices.weights:
        blocks = [block for block in blocks if not block.newer_filler]
    return blocks, refusal


def _ranked(blocks: List[Block], request: Request, prefer: str) -> List[Block]:
    """The blocks, best first.

    By time or memory alone where the user wants that. Otherwise fillers before weights, unless they
    are far too dear; then single layers, then the least time, then the fewest layers.
    """
    costs = {id(block): _cost(block, request) for block in blocks}
    if prefer == "memory":
        return sorted(blocks, key=lambda block: costs[id(block)].peak_bytes)
    if prefer == "speed":
        return sorted(blocks, key=lambda block: (costs[id(block)].nanoseconds, len(block.layers)))
    weighted = min((costs[id(block)].nanoseconds for block in blocks if block.needs_weights), default=0)

    def rank(block: Block) -> Tuple[int, bool, int, int]:
        time = costs[id(block)].nanoseconds
        dear = bool(weighted) and time > TOO_DEAR * weighted
        heavy = [layer for layer in block.layers if layer.type not in ("Slice", "Silence")]
        return 1 if block.needs_weights else 2 * dear, len(heavy) > 1, time, len(block.layers)

    return sorted(blocks, key=rank)


def _cost(block: Block, request: Request) -> Cost:
    height, width = (NOMINAL if rows is None else rows for rows in request.rows)
    if isinstance(request, UnpoolRequest):
        size, pooled = (height, width), request.origin.rows
        full = tuple(
            rows * step if known is None else known
            for rows, step, known in zip(size, request.origin.stride, pooled)
        )
        sizes = {request.origin.blob: full, request.mask: size, request.data: size}
        return cost_of(block, request.data, request.channels or 1, sizes)
    return cost_of(block, request.bottom, request.channels or 1, {request.bottom: (height, width)})


def certify(block: Block, request: Request) -> Certificate:
    """How a block compares with a request, in exact arithmetic."""
    if isinstance(request, UnpoolRequest):
        return certify_unpool(block, request.assume())
    return certify_resize(block, request)


def _other(block: Block, request: Request) -> Tuple[str, Cost, str]:
    layers = " + ".join(layer.type for layer in block.layers)
    return block.lowering, _cost(block, request), layers


def names() -> Iterator[str]:
    """The names of all lowerings, in the order of the tables."""
    return (lowering.NAME for lowering in TABLE + UNPOOL_TABLE)
