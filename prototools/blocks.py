"""Blocks of stock layers: what a lowering writes.

A block is layers in order with blobs between them; nothing here knows what they compute. `tracing`
follows a block through Caffe's own arithmetic, `cost` counts its work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from prototools.matrices import Matrix, Plane, Weights
from prototools.prototext import Word
from prototools.sampling import Row

HEIGHT, WIDTH = 0, 1


class Local(str):
    """A blob inside a block, named when the block is placed; plain strings are blobs of the net."""


#: The block's result, which takes over the name of the replaced layer's top.
TOP = Local("top")


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
    matrix: Optional[Weights] = None

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


def rows_by_matrix(
    role: str, bottom: str, top: str, rows: Sequence[Row], columns: int, groups: int = 1
) -> StockLayer:
    """A 1 x 1 Convolution whose channels are rows: (N C, H, 1, W) becomes (N C, H', 1, W).

    H is `columns` times `groups`; an output row reads the rows of its own group.
    """
    settings = {"num_output": len(rows), "bias_term": False, "kernel_size": 1}
    settings.update({"group": groups} if groups > 1 else {})
    matrix = Matrix(tuple(rows), columns, (len(rows), columns, 1, 1), groups)
    return StockLayer(
        "Convolution", role, (bottom,), (top,), {"convolution_param": settings}, frozen=True, matrix=matrix
    )


def plane_by_matrix(
    role: str, bottom: str, top: str, maps: Sequence[Sequence[Row]], sizes: Sequence[int]
) -> StockLayer:
    """InnerProduct over whole planes: (N, C, H, W) becomes (N, C, H' W')."""
    plane = Plane(*(Matrix(tuple(rows), size, (len(rows), size)) for rows, size in zip(maps, sizes)))
    settings = {"num_output": plane.shape[0], "bias_term": False, "axis": 2}
    return StockLayer(
        "InnerProduct", role, (bottom,), (top,), {"inner_product_param": settings}, frozen=True, matrix=plane
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


# ---------------------------------------------------------------- reading settings


def setting(layer: StockLayer, name: str, axis: int, default: int) -> int:
    """A kernel, stride or pad along one axis, from either way of writing it."""
    short = "kernel_size" if name == "kernel" else name
    return layer.own.get(short, layer.own.get(f"{name}_{'hw'[axis]}", default))


def window(layer: StockLayer, axis: int) -> Tuple[int, int, int]:
    """Kernel, stride and pad along one axis."""
    return setting(layer, "kernel", axis, 0), setting(layer, "stride", axis, 1), setting(layer, "pad", axis, 0)
