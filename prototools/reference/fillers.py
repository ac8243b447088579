"""What Caffe's weight fillers write (include/caffe/filler.hpp).

`constant` and `bilinear` are exact. The random ones have Caffe's distribution but not its numbers:
they are seeded from the layer's name, so that two nets with the same names get the same weights.
"""

from __future__ import annotations

import zlib
from typing import Callable, Dict, Sequence, Tuple

import numpy as np

from prototools.errors import EngineError
from prototools.prototext import Message

Shape = Sequence[int]
VARIANCE_NORMS = ("FAN_IN", "FAN_OUT", "AVERAGE")


def fill(filler: Message, shape: Shape, seed: str = "", bilinear: str = "new") -> np.ndarray:
    """A blob as a `FillerParameter` fills it, float64; Caffe's default is the constant 0.

    `bilinear` is "new" for Caffe since October 2017 or "old" for the 1.0 tag and what came before.
    Raises `EngineError` for an unknown filler and for shapes that the filler refuses.
    """
    kind = filler.string("type", "constant")
    if kind == "bilinear":
        return bilinear_filler(shape, bilinear)
    function = FILLERS.get(kind)
    if function is None:
        known = ", ".join(sorted([*FILLERS, "bilinear"]))
        raise EngineError(f"the filler {kind!r} is none of Caffe's: {known}")
    random = np.random.RandomState(zlib.crc32(seed.encode("utf-8", "surrogateescape")))
    return np.asarray(function(filler, tuple(shape), random), dtype=np.float64)


def bilinear_filler(shape: Shape, version: str = "new") -> np.ndarray:
    """The bilinear kernel, the same in every (output, input) pair; shape (a, b, k, k).

    With f = ceil(k / 2) a tap is (1 - |x / f - c|)(1 - |y / f - c|), x and y counting from 0.
    "new": c = (k - 1) / (2 f), BVLC master since commit 888597e67, 2017-10-02.
    "old": c = (2 f - 1 - f mod 2) / (2 f), the 1.0 tag: off centre for k = 3, 7, 15 and the like.
    Raises `EngineError` unless the blob has 4 axes and a square kernel, as Caffe does.
    """
    if len(shape) != 4 or shape[2] != shape[3]:
        raise EngineError(
            f"the bilinear filler needs 4 axes with a square kernel, but found {tuple(shape)}"
        )
    size = shape[3]
    factor = (size + 1) // 2
    if version == "new":
        centre = (size - 1) / (2.0 * factor)
    elif version == "old":
        centre = (2 * factor - 1 - factor % 2) / (2.0 * factor)
    else:
        raise EngineError(f"the bilinear filler must be new or old, but found {version!r}")
    taps = 1 - np.abs(np.arange(size) / factor - centre)
    return np.broadcast_to(np.outer(taps, taps), tuple(shape)).copy()


def _constant(filler: Message, shape: Tuple[int, ...], random) -> np.ndarray:
    return np.full(shape, filler.number("value", 0.0))


def _uniform(filler: Message, shape: Tuple[int, ...], random) -> np.ndarray:
    return random.uniform(filler.number("min", 0.0), filler.number("max", 1.0), shape)


def _gaussian(filler: Message, shape: Tuple[int, ...], random) -> np.ndarray:
    return filler.number("mean", 0.0) + filler.number("std", 1.0) * random.standard_normal(shape)


def _positive_unitball(filler: Message, shape: Tuple[int, ...], random) -> np.ndarray:
    values = random.uniform(0.0, 1.0, (shape[0], -1 if 0 in shape else int(np.prod(shape[1:]))))
    return (values / values.sum(axis=1, keepdims=True)).reshape(shape)


def _fan(filler: Message, shape: Tuple[int, ...]) -> float:
    """The number of inputs, outputs or their mean; a blob without a second axis counts as N x 1."""
    count = float(np.prod(shape))
    fan_in = count / shape[0] if shape else 1.0
    fan_out = count / shape[1] if len(shape) > 1 else count
    norm = filler.word("variance_norm", "FAN_IN")
    norm = VARIANCE_NORMS[int(norm)] if norm in ("0", "1", "2") else norm
    return {"FAN_IN": fan_in, "FAN_OUT": fan_out, "AVERAGE": (fan_in + fan_out) / 2}[norm]


def _xavier(filler: Message, shape: Tuple[int, ...], random) -> np.ndarray:
    limit = np.sqrt(3.0 / _fan(filler, shape))
    return random.uniform(-limit, limit, shape)


def _msra(filler: Message, shape: Tuple[int, ...], random) -> np.ndarray:
    return np.sqrt(2.0 / _fan(filler, shape)) * random.standard_normal(shape)


FILLERS: Dict[str, Callable[..., np.ndarray]] = {
    "constant": _constant,
    "uniform": _uniform,
    "gaussian": _gaussian,
    "positive_unitball": _positive_unitball,
    "xavier": _xavier,
    "msra": _msra,
}
