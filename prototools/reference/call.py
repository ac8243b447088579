"""What a layer's forward function is given, and how it reads numbers out of a layer."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from prototools.errors import EngineError
from prototools.net import Layer
from prototools.prototext import Message


class Call(NamedTuple):
    """One forward call of one layer.

    `bottoms` and `params` are float64 arrays in Caffe's layout. `dialect` is the reading the user
    named, or None. `float32_ratio` asks the align-corners layers for the fork's float32 positions.
    """

    layer: Layer
    bottoms: List[np.ndarray]
    params: List[np.ndarray]
    dialects: Tuple[str, ...] = ()
    phase: str = "TEST"
    float32_ratio: bool = False
    #: Whether bottom 1 is a pooling mask; None where the caller does not know.
    mask_below: Optional[bool] = None

    def param(self, name: str) -> Message:
        """A parameter message of the layer; an empty one where it is not written."""
        return self.layer.param(name)

    def error(self, sentence: str) -> EngineError:
        """An `EngineError` that names the layer and its type."""
        return layer_error(self.layer, sentence)


def layer_error(layer: Layer, sentence: str) -> EngineError:
    """An `EngineError` that names a layer and its type."""
    return EngineError(f"layer {layer.name!r} of type {layer.type}: {sentence}")


def written(message: Message, *names: str) -> bool:
    """Whether any of these fields is written, whatever its value (protobuf's `has_` methods)."""
    return any(message.all(name) for name in names)


def choice(message: Message, name: str, names: Sequence[str], default: str) -> str:
    """An enumeration's name, read from a name or from its number in `names`."""
    word = message.word(name, default)
    if word.isdigit() and int(word) < len(names):
        return names[int(word)]
    if word not in names:
        raise message.error(f"{name} must be one of {', '.join(names)}, but found {word}")
    return word


def numbered(message: Message, name: str, numbers: Dict[str, int], default: str) -> str:
    """An enumeration's name where the numbers do not count from 0."""
    word = message.word(name, default)
    for known, number in numbers.items():
        if word in (known, str(number)):
            return known
    raise message.error(f"{name} must be one of {', '.join(numbers)}, but found {word}")


def axis_of(call: Call, axis: int, axes: int) -> int:
    """An axis counted from the front; negative ones count from the end (blob.hpp)."""
    if not -axes <= axis < axes:
        raise call.error(f"axis {axis} must be within a blob of {axes} axes")
    return axis % axes


def divide(numerator: int, denominator: int) -> int:
    """C's integer division, which rounds toward zero where Python's rounds down."""
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def planes(call: Call, index: int = 0) -> np.ndarray:
    """A bottom that must have the four axes N, C, H, W."""
    bottom = call.bottoms[index]
    if bottom.ndim != 4:
        raise call.error(f"bottom {index} must have 4 axes (N, C, H, W), but has {bottom.ndim}")
    return bottom


def need_bottoms(call: Call, *counts: int) -> None:
    """Raise `EngineError` unless the number of bottoms is one of `counts`."""
    if len(call.bottoms) not in counts:
        allowed = " or ".join(map(str, counts))
        raise call.error(f"must have {allowed} bottoms, but has {len(call.bottoms)}")


def size_of(blob: np.ndarray) -> Tuple[int, int]:
    """Height and width of an N, C, H, W blob."""
    return blob.shape[2], blob.shape[3]
