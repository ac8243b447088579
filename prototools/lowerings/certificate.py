"""Is a block exact? Its axis maps, traced through its stock layers, against the request's.

For known sizes both maps are compared row by row, in exact numbers.

For unknown sizes a range of sizes is compared. That suffices: a lowering that knows no size uses
Deconvolution, Pooling and Convolution with constant settings, so its map is a periodic stencil. An
output row whose taps lie wholly inside depends only on the phase within one source row, and rows
near an end depend only on their distance from that end. The request's map has the same form. Once
the input has more rows than both borders reach together and one period more, a further row adds
one more inner period to both maps and nothing new.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Iterator, List, Optional, Tuple

from prototools.blocks import Block, Local, setting
from prototools.lowerings.request import ResizeRequest, UnpoolRequest
from prototools.resize import Axis, Certificate, Difference, compare
from prototools.tracing import NotLinear, gain, trace

AXES = ("height", "width")

#: A difference this many rows from the border, or more, is no matter of the border.
BORDER = 16


def certify_resize(block: Block, request: ResizeRequest) -> Certificate:
    """Compare a block with a resize, both axes and the factor on all values."""
    differences: List[Difference] = []
    checked = []
    for number, (axis, rows) in enumerate(zip(request.resize.axes, request.rows)):
        sizes = [rows] if rows is not None else _range(block, axis, number)
        checked.append(_words(axis, rows, sizes))
        differences += _worst(_differences(block, request.bottom, number, axis, sizes))
    if gain(block) != request.resize.gain:
        differences.append(Difference("values", 0, 0, 0, gain(block) - request.resize.gain))
    words = checked[0] if checked[0] == checked[1] else f"height {checked[0]}, width {checked[1]}"
    return Certificate(words, tuple(differences))


def _worst(differences: Iterator[Difference]) -> List[Difference]:
    """The difference that reaches deepest, as a list of one or none."""
    return sorted(differences, key=lambda found: (found.from_border, found.error))[-1:]


def border_only(certificate: Certificate) -> bool:
    """Whether a block differs in the outer rows alone."""
    return all(difference.from_border < BORDER for difference in certificate.differences)


def _differences(
    block: Block, bottom: str, number: int, axis: Axis, sizes: List[int]
) -> Iterator[Difference]:
    """Where a block and an axis part, for each size in turn."""
    for rows in sizes:
        wanted = axis.map(rows)
        try:
            found = trace(block, bottom, number, rows).exact()
        except NotLinear:
            found = []
        difference = compare(AXES[number], rows, wanted, found)
        if difference:
            yield difference


def _range(block: Block, axis: Axis, number: int) -> List[int]:
    """Sizes from the smallest that leaves a row up to both borders and one period."""
    reach = 2 + sum(
        -(-setting(layer, "kernel", number, 1) // setting(layer, "stride", number, 1))
        for layer in block.layers
    )
    smallest = sum(axis.crop) + 1
    # One larger size tells a fault at the border from one everywhere.
    return [*range(smallest, smallest + 2 * reach + 2), smallest + 4 * BORDER]


def _words(axis: Axis, rows: Optional[int], sizes: List[int]) -> str:
    if rows is not None:
        return f"{rows} -> {axis.out(rows)}"
    return f"every size, checked {sizes[0]} to {sizes[-1]}"


# ---------------------------------------------------------------- unpooling


def certify_unpool(block: Block, request: UnpoolRequest) -> Certificate:
    """Whether every place reads exactly the windows that cover it, the latest first.

    The block finds the value for a place by comparing the mask of some windows with the place's
    own index. It is exact where, along each axis, the windows it looks at include all that cover
    the row, in falling order: windows that do not cover it can never name it.
    """
    differences: List[Difference] = []
    checked = []
    for number in (0, 1):
        sizes = _pooled_sizes(request, number)
        checked.append(_unpool_words(request, number, sizes))
        differences += _worst(_unpool_differences(block, request, number, sizes))
    words = checked[0] if checked[0] == checked[1] else f"height {checked[0]}, width {checked[1]}"
    return Certificate(words, tuple(differences))


def _pooled_sizes(request: UnpoolRequest, number: int) -> List[Tuple[int, int]]:
    """Pairs of (pooled rows, rows of the mask) to check."""
    pooled, rows, step = request.origin.rows[number], request.rows[number], request.origin.stride[number]
    if pooled is not None and rows is not None:
        return [(pooled, rows)]
    less = getattr((request.unpool.height, request.unpool.width)[number], "less", 0)
    return [(step * count - less, count) for count in range(1, 9)]


def _unpool_words(request: UnpoolRequest, number: int, sizes: List[Tuple[int, int]]) -> str:
    if len(sizes) == 1:
        return f"{sizes[0][1]} -> {sizes[0][0]}"
    step = request.origin.stride[number]
    less = step * sizes[0][1] - sizes[0][0]
    return f"every multiple of {step}{f' less {less}' if less else ''}, checked to {sizes[-1][0]}"


def _unpool_differences(
    block: Block, request: UnpoolRequest, number: int, sizes: List[Tuple[int, int]]
) -> Iterator[Difference]:
    for pooled, rows in sizes:
        wanted = [_covering(request, number, place, rows) for place in range(pooled)]
        for kind, bottom in (("mask", request.mask), ("data", request.data)):
            seen = _seen(block, request, kind, bottom, number, (pooled, rows))
            wrong = [i for i in range(pooled) if not _includes(seen[i : i + 1], wanted[i])]
            if len(seen) != pooled or wrong:
                row = wrong[0] if wrong else min(len(seen), pooled)
                border = min(row, pooled - 1 - row)
                yield Difference(AXES[number], rows, row, border, Fraction(1))


def _covering(request: UnpoolRequest, number: int, place: int, rows: int) -> List[int]:
    """The windows that cover a row, the latest first."""
    kernel, step = request.origin.kernel[number], request.origin.stride[number]
    first = place + request.origin.pad[number]
    return [j for j in range(min(first // step, rows - 1), -1, -1) if j * step + kernel > first]


def _seen(block: Block, request, kind: str, bottom: str, number: int, sizes) -> List[List[int]]:
    """The windows whose mask or data the block brings to each row, in the order it prefers."""
    references = {request.origin.blob: sizes[0], Local("plane"): sizes[0]}
    counted = Local("mask_counted")
    if kind == "mask" and any(counted in layer.tops for layer in block.layers):
        bottom = counted
    targets = _targets(block, kind, number, request)
    try:
        traced = [trace(block, bottom, number, sizes[1], references, target) for target in targets]
    except NotLinear:
        return []
    maps = [one.rows for one in traced]
    return [[next(iter(row)) for row in places if row] for places in zip(*maps)]


def _targets(block: Block, kind: str, number: int, request: UnpoolRequest) -> List[Local]:
    """The blobs that bring windows to places: one, or one for each shift along this axis."""
    tops = {top for layer in block.layers for top in layer.tops}
    counts = [-(-k // s) for k, s in zip(request.origin.kernel, request.origin.stride)]
    if Local(f"{kind}0_crop") in tops:
        step = counts[1] if number == 0 else 1
        return [Local(f"{kind}{i * step}_crop") for i in range(counts[number])]
    cuts = [Local(f"{kind}_{name}") for name in ("cut_w", "cut_h", "crop")]
    return [next((cut for cut in cuts if cut in tops), Local(f"{kind}_repeated"))]


def _includes(seen: List[List[int]], wanted: List[int]) -> bool:
    """Whether the windows that cover a row are seen, in their order."""
    found = [window for window in seen[0] if window in wanted] if seen else None
    return found == wanted
