"""What a block costs: multiply-adds, bytes moved and held, and an estimate of its time.

`PACE` was fitted by eye to `benchmarks/blocks.py` on one core, and only ratios matter: a Deconvolution
that treats each channel alone pays for every value it scatters, a product of large matrices is an order
of magnitude cheaper for each multiply-add.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Tuple

from prototools.blocks import HEIGHT, WIDTH, Block, StockLayer, setting, window
from prototools.matrices import Matrix, Plane


class Pace(NamedTuple):
    """Nanoseconds for each multiply-add, for each value written, and for each product of matrices."""

    multiply_add: float
    value: float
    product: float = 0.0


MATRIX, OTHER = Pace(0.02, 0.42, 70.0), Pace(0.0, 0.6)
PACE: Dict[str, Pace] = {
    "Convolution":   Pace(0.4, 1.0),
    "Deconvolution": Pace(0.4, 2.0),
    "Pooling":       Pace(0.8, 0.0),
    "Reshape":       Pace(0.0, 0.0),
}


class Cost(NamedTuple):
    """What a block costs for one image.

    `bytes_moved` is what its layers read and write, `peak_bytes` what the largest of them holds,
    `nanoseconds` an estimate of Caffe's time on one core, good for comparing blocks.
    """

    multiply_adds: int
    bytes_moved: int
    peak_bytes: int
    nanoseconds: int


Size = Tuple[int, int]


def cost(block: Block, bottom: str, channels: int, sizes: Mapping[str, Size]) -> Cost:
    """Count a block's work for one image of `channels` channels.

    `sizes` gives height and width of `bottom` and of the other blobs of the net it reads.
    A Deconvolution's column buffer holds kernel x kernel values for every input value.
    """
    known: Dict[str, Size] = dict(sizes)
    adds, moved, peak, time = 0, 0, 0, 0.0
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
        pace = PACE.get(layer.type, OTHER) if layer.matrix is None else MATRIX
        time += channels * (pace.multiply_add * done + pace.value * sum(h * w for h, w in outputs))
        time += pace.product * _products(layer, channels)
    return Cost(adds, moved, peak, round(time))


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
    if isinstance(layer.matrix, Plane):
        return [len(layer.matrix.width.rows if axis == WIDTH else layer.matrix.height.rows)]
    if layer.matrix is not None:
        along = WIDTH if layer.type == "InnerProduct" else HEIGHT
        return [len(layer.matrix.rows) if axis == along else rows]
    if layer.type not in ("Convolution", "Deconvolution", "Pooling"):
        return [rows] * len(layer.tops)
    kernel, stride, pad = window(layer, axis)
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


def _products(layer: StockLayer, channels: int) -> int:
    """How many products of matrices a layer makes: a Convolution one for each image and group."""
    if layer.type == "InnerProduct":
        return 1
    return channels * layer.matrix.groups if isinstance(layer.matrix, Matrix) else 0
