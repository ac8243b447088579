"""How much a layer computes."""

from __future__ import annotations

from typing import Callable, Dict, Sequence

from prototools.net import Layer
from prototools.shapes.blob import Dim, Shape, count, times


def _convolution(tops: Sequence[Shape], bottoms: Sequence[Shape], weights: Shape) -> Dim:
    """Every output value is a sum over the weights of its channel."""
    return times(_all(tops), count(weights, 1))


def _deconvolution(tops: Sequence[Shape], bottoms: Sequence[Shape], weights: Shape) -> Dim:
    """Every input value is spread over the weights of its channel."""
    return times(_all(bottoms), count(weights, 1))


def _inner_product(tops: Sequence[Shape], bottoms: Sequence[Shape], weights: Shape) -> Dim:
    """Each weight meets each item once."""
    outputs = tops[0][-1] if tops and tops[0] else None
    items = count(tops[0]) if tops else None
    if not outputs or items is None:
        return None
    return times(items // outputs, count(weights))


def _all(shapes: Sequence[Shape]) -> Dim:
    counts = [count(shape) for shape in shapes]
    return None if None in counts else sum(counts)  # type: ignore[arg-type]


_RULES: Dict[str, Callable[[Sequence[Shape], Sequence[Shape], Shape], Dim]] = {
    "Convolution": _convolution,
    "Deconvolution": _deconvolution,
    "InnerProduct": _inner_product,
}


def multiply_adds(
    layer: Layer, bottoms: Sequence[Shape], tops: Sequence[Shape], params: Sequence[Shape]
) -> Dim:
    """Multiplications with additions in one forward pass; None where a size is unknown.

    Counted are the layers that multiply with learned weights in bulk (Convolution, Deconvolution,
    InnerProduct), without their biases; every other layer counts as 0.
    """
    rule = _RULES.get(layer.type)
    if rule is None:
        return 0
    return rule(tops, bottoms, params[0] if params else None)
