"""Blocks of stock layers, and what they compute along each axis.

A lowering writes a `Block`; nothing here asks where it came from. `trace` follows a block layer by
layer through Caffe's own arithmetic (stride, pad, kernel, filler values) and gives its axis map in
exact numbers, which is what a certificate compares. `cost` follows it again and counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from math import gcd
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from prototools.prototext import Word
from prototools.sampling import Row

HEIGHT, WIDTH = 0, 1


class Local(str):
    """A blob inside a block, named when the block is placed; plain strings are blobs of the net."""


#: The block's result, which takes over the name of the replaced layer's top.
TOP = Local("top")


class NotLinear(ValueError):
    """A layer whose output along an axis is no linear map of its input."""


class Matrix(NamedTuple):
    """Weights that no filler writes: every output row as source rows and exact weights, of `columns`.

    `shape` is that of Caffe's blob, outputs first.
    """

    rows: Tuple[Row, ...]
    columns: int
    shape: Tuple[int, ...]

    def values(self) -> List[float]:
        """The blob's values, row by row."""
        dense = [0.0] * (len(self.rows) * self.columns)
        for i, row in enumerate(self.rows):
            for source, weight in row:
                dense[i * self.columns + source] = float(weight)
        return dense


@dataclass(frozen=True)
class StockLayer:
    """One layer of a block: `role` becomes the end of its name, `fields` its parameter messages.

    `frozen` layers get `param { lr_mult: 0 decay_mult: 0 }`.
    `propagate_down` says for each bottom whether gradients flow; None leaves it to Caffe.
    A layer with a `matrix` works only with the weights in a caffemodel.
    """

    type: str
    role: str
    bottoms: Tuple[str, ...]
    tops: Tuple[str, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)
    frozen: bool = False
    propagate_down: Optional[Tuple[bool, ...]] = None
    matrix: Optional[Matrix] = None

    @property
    def own(self) -> Mapping[str, Any]:
        """The fields of the layer's one parameter message."""
        return next(iter(self.fields.values()), {})


@dataclass(frozen=True)
class Block:
    """Stock layers that together take the place of one custom layer.

    `newer_filler` marks a bilinear filler whose kernel Caffe 1.0 and older fill wrongly.
    `conditions` are sentences about sizes that the file does not tell and the block relies on.
    """

    lowering: str
    layers: Tuple[StockLayer, ...]
    newer_filler: bool = False
    conditions: Tuple[str, ...] = ()

    @property
    def needs_weights(self) -> bool:
        """Whether fillers alone do not do it."""
        return any(layer.matrix is not None for layer in self.layers)


# ---------------------------------------------------------------- writing stock layers


def pair(name: str, values: Sequence[int], default: Optional[int] = None) -> Dict[str, int]:
    """A setting of height and width: one field where they agree, `_h` and `_w` where they differ.

    Both forms are never mixed; nothing is written where both equal Caffe's default.
    """
    short = "kernel_size" if name == "kernel" else name
    if values[0] != values[1]:
        return {f"{name}_h": values[0], f"{name}_w": values[1]}
    return {} if values[0] == default else {short: values[0]}


def deconvolution(
    role: str, bottom: str, top: str, channels: int, kernel: Sequence[int], stride: Sequence[int],
    pad: Sequence[int] = (0, 0), value: Optional[Fraction] = None,
) -> StockLayer:
    """A frozen Deconvolution that treats each channel alone.

    The kernel is filled with the constant `value`, or bilinear where it is None.
    Output rows: stride (H - 1) + kernel - 2 pad.
    """
    return StockLayer(
        "Deconvolution", role, (bottom,), (top,), frozen=True,
        fields={"convolution_param": _depthwise(channels, kernel, stride, pad, value)},
    )


def convolution(
    role: str, bottom: str, top: str, channels: int, stride: Sequence[int] = (1, 1),
    pad: Sequence[int] = (0, 0),
) -> StockLayer:
    """A frozen 1 x 1 Convolution by one: it takes every `stride`-th row and can add rows of zeros."""
    return StockLayer(
        "Convolution", role, (bottom,), (top,), frozen=True,
        fields={"convolution_param": _depthwise(channels, (1, 1), stride, pad, Fraction(1))},
    )


def _depthwise(channels: int, kernel, stride, pad, value: Optional[Fraction]) -> Dict[str, Any]:
    filler = {"type": "bilinear"} if value is None else {"type": "constant", "value": value}
    return {
        "num_output": channels,
        **pair("kernel", kernel),
        **pair("stride", stride, default=1),
        **pair("pad", pad, default=0),
        "group": channels,
        "bias_term": False,
        "weight_filler": filler,
    }


def pooling(
    role: str, bottom: str, tops: Sequence[str], pool: str, kernel: Sequence[int],
    stride: Sequence[int] = (1, 1),
) -> StockLayer:
    """A Pooling layer without pads; `pool` is MAX or AVE."""
    sizes = {**pair("kernel", kernel), **pair("stride", stride, default=1)}
    return StockLayer(
        "Pooling", role, (bottom,), tuple(tops), {"pooling_param": {"pool": Word(pool), **sizes}}
    )


def power(
    role: str, bottom: str, top: str, scale: Fraction = Fraction(1), shift: int = 0
) -> StockLayer:
    """scale x + shift, value by value; with neither it copies."""
    settings = {"scale": scale} if scale != 1 else {}
    settings.update({"shift": shift} if shift else {})
    return StockLayer("Power", role, (bottom,), (top,), {"power_param": settings} if settings else {})


def slicing(
    role: str, bottom: str, tops: Sequence[str], axis: int, points: Sequence[int]
) -> StockLayer:
    """A Slice along a blob axis at the given rows."""
    settings = {"axis": axis, "slice_point": list(points)}
    return StockLayer("Slice", role, (bottom,), tuple(tops), {"slice_param": settings})


def columns_by_matrix(role: str, bottom: str, top: str, rows: Sequence[Row], columns: int) -> StockLayer:
    """InnerProduct along the last axis: (N, C, H, W) becomes (N, C, H, W')."""
    settings = {"num_output": len(rows), "bias_term": False, "axis": 3}
    matrix = Matrix(tuple(rows), columns, (len(rows), columns))
    return StockLayer(
        "InnerProduct", role, (bottom,), (top,), {"inner_product_param": settings}, frozen=True, matrix=matrix
    )


def rows_by_matrix(role: str, bottom: str, top: str, rows: Sequence[Row], columns: int) -> StockLayer:
    """A 1 x 1 Convolution whose channels are rows: (N C, H, 1, W) becomes (N C, H', 1, W)."""
    settings = {"num_output": len(rows), "bias_term": False, "kernel_size": 1}
    matrix = Matrix(tuple(rows), columns, (len(rows), columns, 1, 1))
    return StockLayer(
        "Convolution", role, (bottom,), (top,), {"convolution_param": settings}, frozen=True, matrix=matrix
    )


def reshape(role: str, bottom: str, top: str, dims: Sequence[int]) -> StockLayer:
    """Another shape for the same values."""
    return StockLayer("Reshape", role, (bottom,), (top,), {"reshape_param": {"shape": {"dim": list(dims)}}})


def concat(role: str, bottoms: Sequence[str], top: str, axis: int) -> StockLayer:
    """Blobs put behind each other along a blob axis."""
    return StockLayer("Concat", role, tuple(bottoms), (top,), {"concat_param": {"axis": axis}})


def silence(role: str, bottoms: Sequence[str]) -> StockLayer:
    """Takes blobs that nobody reads, so that they are no outputs of the net."""
    return StockLayer("Silence", role, tuple(bottoms), ())


# ---------------------------------------------------------------- following one axis


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
        product *= Fraction(filler.get("value", 1)) * Fraction(layer.own.get("scale", 1))
    return product


def setting(layer: StockLayer, name: str, axis: int, default: int) -> int:
    """A kernel, stride or pad along one axis, from either way of writing it."""
    short = "kernel_size" if name == "kernel" else name
    return layer.own.get(short, layer.own.get(f"{name}_{'hw'[axis]}", default))


def bilinear_taps(kernel: int) -> Tuple[List[int], int]:
    """Caffe's bilinear filler along one axis, as whole numbers and their denominator.

    w[x] = 1 - |x / f - c| with f = ceil(k / 2) and c = (k - 1) / (2 f)
    (filler.hpp of BVLC's master since October 2017).
    """
    factor = (kernel + 1) // 2
    return [2 * factor - abs(2 * x - (kernel - 1)) for x in range(kernel)], 2 * factor


def _trace_deconvolution(layer: StockLayer, bottoms: List[Traced], axis: int) -> List[Traced]:
    _require_depthwise(layer)
    kernel, stride, pad = _window(layer, axis)
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


def _window(layer: StockLayer, axis: int) -> Tuple[int, int, int]:
    """Kernel, stride and pad along one axis."""
    return setting(layer, "kernel", axis, 0), setting(layer, "stride", axis, 1), setting(layer, "pad", axis, 0)


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
        return [_multiplied(layer.matrix, bottoms[0])] if axis == HEIGHT else bottoms
    _require_depthwise(layer)
    kernel, stride, pad = _window(layer, axis)
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
    kernel, stride, pad = _window(layer, axis)
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
    if layer.matrix is None or layer.own.get("axis", 1) != 3:
        raise NotLinear("InnerProduct must go along the last axis, with known weights")
    return [_multiplied(layer.matrix, bottoms[0])] if axis == WIDTH else bottoms


def _multiplied(matrix: Matrix, source: Traced) -> Traced:
    """A matrix times rows, over one common denominator."""
    if matrix.columns != len(source.rows) or any(not 0 <= i < matrix.columns for row in matrix.rows for i, _ in row):
        raise NotLinear(f"the weights are for {matrix.columns} rows, but there are {len(source.rows)}")
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


def _trace_copy(layer: StockLayer, bottoms: List[Traced], axis: int) -> List[Traced]:
    if layer.own.get("shift") or layer.own.get("power", 1) != 1:
        raise NotLinear("Power with a shift or a power is no linear map")
    return [bottoms[0]]


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
    "InnerProduct": _trace_inner_product,
    "Pooling": _trace_pooling,
    "Power": _trace_copy,
    "Reshape": _trace_reshape,
    "Silence": lambda layer, bottoms, axis: [],
    "Slice": _trace_slice,
}


# ---------------------------------------------------------------- counting


class Cost(NamedTuple):
    """What a block costs for one image.

    `bytes_moved` is what its layers read and write, `peak_bytes` what the largest of them holds.
    """

    multiply_adds: int
    bytes_moved: int
    peak_bytes: int

    @property
    def work(self) -> int:
        """One number to compare blocks by: multiply-adds, and values moved."""
        return self.multiply_adds + self.bytes_moved // 4


Size = Tuple[int, int]


def cost(block: Block, bottom: str, channels: int, sizes: Mapping[str, Size]) -> Cost:
    """Count a block's work for one image of `channels` channels.

    `sizes` gives height and width of `bottom` and of the other blobs of the net it reads.
    A Deconvolution's column buffer holds kernel x kernel values for every input value.
    """
    known: Dict[str, Size] = dict(sizes)
    adds, moved, peak = 0, 0, 0
    for layer in block.layers:
        inputs = [known[name] for name in layer.bottoms]
        outputs = _sizes(layer, inputs)
        known.update(zip(layer.tops, outputs))
        done, buffer = _work(layer, inputs, outputs)
        # A Reshape moves nothing.
        area = 0 if layer.type == "Reshape" else sum(h * w for h, w in inputs + outputs)
        adds += done * channels
        moved += 4 * channels * area
        peak = max(peak, 4 * channels * (area + buffer))
    return Cost(adds, moved, peak)


def _sizes(layer: StockLayer, inputs: List[Size]) -> List[Size]:
    """Height and width of every top."""
    if layer.type == "Crop":
        return [inputs[1]]
    if layer.type == "Silence":
        return []
    if layer.type == "Concat":
        return [tuple(sum(size[axis] for size in inputs) if layer.own["axis"] == axis + 2 else inputs[0][axis]
                      for axis in (HEIGHT, WIDTH))]  # type: ignore[list-item]
    return list(zip(*(_lengths(layer, inputs[0][axis], axis) for axis in (HEIGHT, WIDTH))))


def _lengths(layer: StockLayer, rows: int, axis: int) -> List[int]:
    """The number of rows of every top along one axis."""
    if layer.type == "Slice" and layer.own["axis"] == axis + 2:
        points = [0, *layer.own["slice_point"], rows]
        return [b - a for a, b in zip(points, points[1:])]
    if layer.matrix is not None:
        along = WIDTH if layer.type == "InnerProduct" else HEIGHT
        return [len(layer.matrix.rows) if axis == along else rows]
    if layer.type not in ("Convolution", "Deconvolution", "Pooling"):
        return [rows] * len(layer.tops)
    kernel, stride, pad = _window(layer, axis)
    if layer.type == "Deconvolution":
        return [stride * (rows - 1) + kernel - 2 * pad]
    reach = rows + 2 * pad - kernel
    # Pooling rounds up, Convolution down.
    steps = reach // stride if layer.type == "Convolution" else -(-reach // stride)
    return [steps + 1] * len(layer.tops)


def _work(layer: StockLayer, inputs: List[Size], outputs: List[Size]) -> Tuple[int, int]:
    """Multiply-adds and the column buffer's values, for one channel."""
    if layer.matrix is not None:
        return layer.matrix.columns * sum(h * w for h, w in outputs), 0
    kernel = setting(layer, "kernel", HEIGHT, 1) * setting(layer, "kernel", WIDTH, 1)
    area = inputs[0][0] * inputs[0][1]
    if layer.type == "Deconvolution":
        return kernel * area, kernel * area
    return kernel * sum(h * w for h, w in outputs), 0
