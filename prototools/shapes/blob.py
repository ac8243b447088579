"""Shapes that may be known in part, and the arithmetic and checks on them.

A shape is a tuple of dims, each a number or None for unknown; None for a shape is an unknown rank.
Arithmetic with an unknown dim is unknown, and a check with one holds.
"""

from __future__ import annotations

from typing import Iterable, List, NamedTuple, NoReturn, Optional, Sequence, Tuple

from prototools.errors import ShapeError

Dim = Optional[int]
Shape = Optional[Tuple[Dim, ...]]

INT_MAX = 2**31 - 1
MAX_AXES = 32


class Answer(NamedTuple):
    """What a rule gives: the shapes of tops and learned blobs.

    `touched` are counts of inner buffers that Caffe writes while it sets the layer up: it dies where
    one is empty.
    """

    tops: Sequence[Shape]
    params: Sequence[Shape] = ()
    touched: Sequence[Dim] = ()


class Elsewhere(ShapeError):
    """Refused for what this machine or its Caffe lacks, which another may have."""


class Missing(Elsewhere):
    """A file that Caffe opens is not here; `tops` is what is known without it."""

    def __init__(self, sentence: str, tops: Sequence[Shape]):
        super().__init__(sentence)
        self.tops = tops


def refuse(sentence: str) -> NoReturn:
    """Raise what Caffe's own check would stop at."""
    raise ShapeError(sentence)


def require(condition: bool, sentence: str) -> None:
    """Refuse unless something holds."""
    if not condition:
        raise ShapeError(sentence)


def times(*dims: Dim) -> Dim:
    """The product; unknown where one is unknown, but zero where one is zero."""
    product = 1
    for dim in dims:
        if dim == 0:
            return 0
        product = None if dim is None or product is None else product * dim
    return product


def plus(*dims: Dim) -> Dim:
    """The sum; unknown where one is unknown."""
    return None if None in dims else sum(dims)  # type: ignore[arg-type]


def truncated(a: int, b: int) -> int:
    """C's whole division, which rounds towards zero where Python's rounds down."""
    return -(-a // b) if (a < 0) != (b < 0) else a // b


def count(shape: Shape, start: int = 0, stop: Optional[int] = None) -> Dim:
    """The product of the dims from `start` on, up to `stop`."""
    return None if shape is None else times(*shape[start:stop])


def same(a: Dim, b: Dim) -> bool:
    """Whether two dims may be equal."""
    return a is None or b is None or a == b


def same_shape(a: Shape, b: Shape) -> bool:
    """Whether two shapes may be equal."""
    if a is None or b is None:
        return True
    return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))


def canonical(axis: int, shape: Tuple[Dim, ...]) -> int:
    """An axis counted from the front; a negative one counts from the end (Blob::CanonicalAxisIndex)."""
    rank = len(shape)
    require(-rank <= axis < rank, f"axis {axis} must lie within {rank} axes, the shape is {words(shape)}")
    return axis % rank


def legacy(shape: Tuple[Dim, ...]) -> Tuple[Dim, ...]:
    """num, channels, height, width: missing axes are 1, and more than four are refused."""
    require(len(shape) <= 4, f"it must have at most 4 axes, but the shape is {words(shape)}")
    return (*shape, 1, 1, 1, 1)[:4]


def int32(value: int) -> int:
    """A dim as Caffe keeps it, in 32 bits."""
    return (value + 2**31) % 2**32 - 2**31


def check_blob(shape: Shape) -> None:
    """What Blob::Reshape checks: the number of axes, no negative dim, the count within an int."""
    if shape is None:
        return
    require(len(shape) <= MAX_AXES, f"a blob must have at most {MAX_AXES} axes, but has {len(shape)}")
    total: Dim = 1
    # The sentences are put together only where they are needed: this runs for every blob of a net.
    for dim in shape:
        if dim is not None and dim < 0:
            raise ShapeError(f"a dim must not be negative, but the shape is {words(shape)}")
        total = times(total, dim)
        if total is not None and total > INT_MAX:
            raise ShapeError(f"a blob's size must fit 32 bits: {words(shape)}")


def words(shape: Shape) -> str:
    """A shape for people: `1 x 3 x ? x ?`."""
    if shape is None:
        return "unknown"
    return " x ".join("?" if dim is None else str(dim) for dim in shape) if shape else "scalar"


def known(shapes: Iterable[Shape]) -> List[Tuple[Dim, ...]]:
    """The shapes whose rank is known."""
    return [shape for shape in shapes if shape is not None]
