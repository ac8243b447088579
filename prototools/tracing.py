"""What a block computes along each axis, followed layer by layer through Caffe's own arithmetic.

Stride, pad, kernel and filler values give exact numbers, which is what a certificate compares.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby
from math import gcd
from typing import Callable, Dict, Iterable, List, Mapping, NamedTuple, Sequence, Tuple

from prototools.blocks import HEIGHT, TOP, WIDTH, Block, StockLayer, window
from prototools.matrices import Matrix, Plane
from prototools.sampling import Row


class NotLinear(ValueError):
    """A layer whose output along an axis is no linear map of its input."""


class Traced(NamedTuple):
    """Rows of a blob as linear maps of the block's input: whole numbers over one denominator."""

    rows: Tuple[Dict[int, int], ...]
    denominator: int = 1

    def exact(self) -> List[Row]:
        """The rows with their weights as fractions, zero weights left out."""
        return [
            tuple((i, Fraction(w, self.denominator)) for i, w in sorted(row.items()) if w)
            for row in self.rows
        ]


def trace(
    block: Block, bottom: str, axis: int, rows: int,
    references: Mapping[str, int] = {}, target: str = TOP,
) -> Traced:
    """The axis map of a block for an input of `rows` rows, from its stock layers alone.

    `bottom` is the blob that is resized; `references` gives the rows of other blobs of the net.
    `axis` is 0 for the height, 1 for the width; `target` is the blob to follow.
    A factor that is no matter of one axis (a filler's constant) is left to `gain`.
    Raises `NotLinear` for a layer that is no linear map, or an impossible size.
    """
    blobs = {name: Traced(({},) * size) for name, size in references.items()}
    blobs[bottom] = Traced(tuple({i: 1} for i in range(rows)))
    for layer in _between(block, bottom, target):
        if layer.type not in TRACES:
            raise NotLinear(f"{layer.type} is no linear map")
        found = TRACES[layer.type](layer, [blobs[name] for name in layer.bottoms], axis)
        blobs.update(zip(layer.tops, found))
    return blobs[target]


def _between(block: Block, bottom: str, target: str) -> List[StockLayer]:
    """The layers that make one blob from another, in order."""
    wanted, found = {target}, []
    for layer in reversed(block.layers):
        if wanted.intersection(layer.tops) and bottom not in layer.tops:
            wanted.update(layer.bottoms)
            found.append(layer)
    return found[::-1]


def gain(block: Block) -> Fraction:
    """The factor on all values: the product of the constant fillers and of Power's scales."""
    product = Fraction(1)
    for layer in block.layers:
        filler = layer.own.get("weight_filler", {})
        # A scale of 0 makes ones, which are a factor on nothing.
        product *= Fraction(filler.get("value", 1)) * (Fraction(layer.own.get("scale", 1)) or 1)
    return product



def bilinear_taps(kernel: int) -> Tuple[List[int], int]:
    """Caffe's bilinear filler along one axis, as whole numbers and their denominator.

    w[x] = 1 - |x / f - c| with f = ceil(k / 2) and c = (k - 1) / (2 f)
    (filler.hpp of BVLC's master since October 2017).
    """
    factor = (kernel + 1) // 2
    return [2 * factor - abs(2 * x - (kernel - 1)) for x in range(kernel)], 2 * factor


def _trace_deconvolution(layer: StockLayer, bottoms: List[Traced], axis: int) -> List[Traced]:
    _require_depthwise(layer)
    kernel, stride, pad = window(layer, axis)
    taps, denominator = _taps(layer, kernel)
    source = bottoms[0]
    if set(taps) == {1} and kernel == stride and not pad:
        return [Traced(tuple(row for row in source.rows for _ in taps), source.denominator * denominator)]
    out: List[Dict[int, int]] = [
        {} for _ in range(stride * (len(source.rows) - 1) + kernel - 2 * pad)
    ]
    for i, row in enumerate(source.rows):
        for x, tap in enumerate(taps):
            place = i * stride + x - pad
            if tap and 0 <= place < len(out):
                _add(out[place], row, tap)
    return [Traced(tuple(out), source.denominator * denominator)]



def _taps(layer: StockLayer, kernel: int) -> Tuple[List[int], int]:
    filler = layer.own["weight_filler"]
    if filler["type"] == "constant":
        return [1] * kernel, 1
    if "kernel_size" not in layer.own:
        raise NotLinear("the bilinear filler needs a square kernel")
    return bilinear_taps(kernel)


def _require_depthwise(layer: StockLayer) -> None:
    own = layer.own
    if own.get("group", 1) != own["num_output"] or own.get("bias_term", True):
        raise NotLinear(f"{layer.type} must treat each channel alone and have no bias")


def _trace_convolution(layer: StockLayer, bottoms: List[Traced], axis: int) -> List[Traced]:
    if layer.matrix is not None:
        if layer.own.get("group", 1) != layer.matrix.groups:
            raise NotLinear(f"the weights are for {layer.matrix.groups} groups")
        return [_multiplied(layer.matrix, bottoms[0])] if axis == HEIGHT else bottoms
    _require_depthwise(layer)
    kernel, stride, pad = window(layer, axis)
    taps, denominator = _taps(layer, kernel)
    source = bottoms[0]
    rows: List[Dict[int, int]] = []
    for place in range(-pad, len(source.rows) + pad - kernel + 1, stride):
        row: Dict[int, int] = {}
        for x, tap in enumerate(taps):
            if 0 <= place + x < len(source.rows):
                _add(row, source.rows[place + x], tap)
        rows.append(row)
    return [Traced(tuple(rows), source.denominator * denominator)]


def _trace_pooling(layer: StockLayer, bottoms: List[Traced], axis: int) -> List[Traced]:
    kernel, stride, pad = window(layer, axis)
    source, size = bottoms[0], len(bottoms[0].rows)
    if pad or kernel > size:
        raise NotLinear("Pooling must not pad or reach over its input")
    starts = [i * stride for i in range(-(-(size - kernel) // stride) + 1)]
    if starts[-1] + kernel > size:
        raise NotLinear("Pooling's last window must lie inside its input")
    if layer.own["pool"] == "MAX":
        if kernel > 1:
            # No linear map, but its size may serve a Crop: rows of a source that does not exist.
            return [Traced(({-1: 1},) * len(starts))]
        return [Traced(tuple(source.rows[i] for i in starts), source.denominator)]
    rows = tuple(_sum(source.rows[i : i + kernel]) for i in starts)
    return [_reduced(Traced(rows, source.denominator * kernel))]


def _trace_slice(layer: StockLayer, bottoms: List[Traced], axis: int) -> List[Traced]:
    source = bottoms[0]
    if layer.own["axis"] != axis + 2:
        return [source] * len(layer.tops)
    points = [0, *layer.own["slice_point"], len(source.rows)]
    if sorted(set(points)) != points:
        raise NotLinear("Slice points must rise and lie inside the input")
    return [source._replace(rows=source.rows[a:b]) for a, b in zip(points, points[1:])]


def _trace_concat(layer: StockLayer, bottoms: List[Traced], axis: int) -> List[Traced]:
    if layer.own["axis"] != axis + 2:
        # Along the other axis all parts have the same rows.
        if any(one.rows != bottoms[0].rows for one in bottoms):
            raise NotLinear("Concat must join blobs that are alike along the other axis")
        return bottoms[:1]
    common = lcm(one.denominator for one in bottoms)
    rows = tuple(
        {i: weight * (common // one.denominator) for i, weight in row.items()} for one in bottoms for row in one.rows
    )
    return [Traced(rows, common)]


def _trace_crop(layer: StockLayer, bottoms: List[Traced], axis: int) -> List[Traced]:
    source, reference = bottoms
    offsets = layer.own.get("offset", [0])
    first = offsets[axis] if len(offsets) > 1 else offsets[0]
    if first + len(reference.rows) > len(source.rows):
        raise NotLinear("Crop must lie inside its input")
    return [source._replace(rows=source.rows[first : first + len(reference.rows)])]


def _trace_inner_product(layer: StockLayer, bottoms: List[Traced], axis: int) -> List[Traced]:
    matrix, first = layer.matrix, layer.own.get("axis", 1)
    if isinstance(matrix, Plane) and first == 2:
        return [_multiplied(matrix.height if axis == HEIGHT else matrix.width, bottoms[0])]
    if isinstance(matrix, Matrix) and first == 3:
        return [_multiplied(matrix, bottoms[0])] if axis == WIDTH else bottoms
    raise NotLinear("InnerProduct must go along the last axis or the last two, with known weights")


def _multiplied(matrix: Matrix, source: Traced) -> Traced:
    """A matrix times rows, over one common denominator."""
    reached = (i - matrix.first(number) for number, row in enumerate(matrix.rows) for i, _ in row)
    if matrix.sources != len(source.rows) or any(not 0 <= i < matrix.columns for i in reached):
        raise NotLinear(f"the weights are for {matrix.sources} rows, but there are {len(source.rows)}")
    denominator = lcm(weight.denominator for row in matrix.rows for _, weight in row)
    rows: List[Dict[int, int]] = []
    for row in matrix.rows:
        total: Dict[int, int] = {}
        for place, weight in row:
            _add(total, source.rows[place], int(weight * denominator))
        rows.append(total)
    return Traced(tuple(rows), source.denominator * denominator)


def lcm(numbers: Iterable[int]) -> int:
    """The least common multiple; 1 of none."""
    common = 1
    for number in numbers:
        common = common * number // gcd(common, number)
    return common


def _trace_reshape(layer: StockLayer, bottoms: List[Traced], axis: int) -> List[Traced]:
    """Rows go from axis 2 to axis 1 and back, columns stay where they are: (-1, H, 1, W), (-1, C, H, W)."""
    dims = layer.own["shape"]["dim"]
    places = (1, 2) if axis == HEIGHT else (3,)
    if not any(dims[place] == len(bottoms[0].rows) for place in places):
        raise NotLinear(f"Reshape to {dims} must keep the {len(bottoms[0].rows)} rows together")
    return bottoms


#: The source of rows that are one whatever the input is; MAX Pooling's rows bear it too.
ONE = -1


def _trace_power(layer: StockLayer, bottoms: List[Traced], axis: int) -> List[Traced]:
    """A copy; ones, where the scale is 0; or one divided by what was made of ones."""
    source, settings = bottoms[0], (layer.own.get("scale", 1), layer.own.get("shift", 0), layer.own.get("power", 1))
    if settings == (0, 1, 1):
        return [Traced(({ONE: 1},) * len(source.rows))]
    if settings == (1, 0, -1):
        if any(row.keys() != {ONE} for row in source.rows):
            raise NotLinear("Power -1 must be of ones alone")
        return [_over_common([{ONE: Fraction(source.denominator, row[ONE])} for row in source.rows])]
    if settings[1:] != (0, 1):
        raise NotLinear("Power with a shift or a power is no linear map")
    return [source]


def _trace_eltwise(layer: StockLayer, bottoms: List[Traced], axis: int) -> List[Traced]:
    """A product of rows and of numbers that were made of ones."""
    if layer.own.get("operation") != "PROD" or len(bottoms) != 2:
        raise NotLinear("Eltwise must be a product of two")
    source, factors = bottoms
    if len(source.rows) != len(factors.rows) or any(row.keys() != {ONE} for row in factors.rows):
        raise NotLinear("Eltwise must multiply by what was made of ones")
    denominator = source.denominator * factors.denominator
    return [_over_common([
        {i: Fraction(weight * factor[ONE], denominator) for i, weight in row.items()}
        for row, factor in zip(source.rows, factors.rows)
    ])]


def _over_common(rows: Sequence[Mapping[int, Fraction]]) -> Traced:
    """Rows of fractions over one common denominator."""
    common = lcm(weight.denominator for row in rows for weight in row.values())
    return Traced(tuple({i: int(weight * common) for i, weight in row.items()} for row in rows), common)


def _add(row: Dict[int, int], other: Mapping[int, int], factor: int = 1) -> None:
    for source, weight in other.items():
        row[source] = row.get(source, 0) + weight * factor


def _sum(rows: Sequence[Mapping[int, int]]) -> Dict[int, int]:
    """The sum of rows; a row that stands several times in a row of rows is one object."""
    total: Dict[int, int] = {}
    for _, repeated in groupby(rows, key=id):
        run = list(repeated)
        _add(total, run[0], len(run))
    return total


def _reduced(traced: Traced) -> Traced:
    """The same rows over the smallest common denominator, so that numbers stay small."""
    common = traced.denominator
    for row in traced.rows:
        for weight in row.values():
            common = gcd(common, weight)
        if common == 1:
            return traced
    rows = tuple({i: w // common for i, w in row.items()} for row in traced.rows)
    return Traced(rows, traced.denominator // common)


TRACES: Dict[str, Callable[[StockLayer, List[Traced], int], List[Traced]]] = {
    "Concat": _trace_concat,
    "Convolution": _trace_convolution,
    "Crop": _trace_crop,
    "Deconvolution": _trace_deconvolution,
    "Eltwise": _trace_eltwise,
    "InnerProduct": _trace_inner_product,
    "Pooling": _trace_pooling,
    "Power": _trace_power,
    "Reshape": _trace_reshape,
    "Silence": lambda layer, bottoms, axis: [],
    "Slice": _trace_slice,
}
