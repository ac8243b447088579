"""What a custom layer computes, exactly: axis maps in rational arithmetic, and their comparison.

A resize layer is a fixed linear map along each axis. `Axis` is such a map for every input size: a
size rule says how many rows come out, a sampling says which source rows each of them reads and
with which weights. `Resize` is two of them. `Unpool` is the other thing forks do to enlarge a blob:
put every value where a pooling layer's mask says it came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from prototools.sampling import Row, Sampling, float32


@dataclass(frozen=True)
class Given:
    """The same number of output rows for every input."""

    rows: int

    def __call__(self, rows: int) -> int:
        return self.rows

    def __str__(self) -> str:
        return f"to {self.rows}"


@dataclass(frozen=True)
class Zoomed:
    """Interp's rule: keep the rows 0, s, 2 s, ..., then put z - 1 rows between neighbours.

    H' = ((H - 1) // shrink) * zoom + 1 (interp_layer.cpp of PSPNet and DeepLab).
    """

    zoom: int = 1
    shrink: int = 1

    def __call__(self, rows: int) -> int:
        return (rows - 1) // self.shrink * self.zoom + 1

    def __str__(self) -> str:
        words = [f"shrink {self.shrink}"] * (self.shrink > 1) + [f"zoom {self.zoom}"]
        return " ".join(words)


@dataclass(frozen=True)
class Times:
    """A whole multiple of the input, less some rows at the end: H' = factor H - less."""

    factor: int
    less: int = 0

    def __call__(self, rows: int) -> int:
        return self.factor * rows - self.less

    def __str__(self) -> str:
        return f"times {self.factor}" + (f" less {self.less}" if self.less else "")


@dataclass(frozen=True)
class Scaled:
    """The input times a factor, cut to a whole number; the product is rounded to float32 first, as in C."""

    factor: float

    def __call__(self, rows: int) -> int:
        return int(float32(self.factor * rows))

    def __str__(self) -> str:
        return f"times {self.factor:g}"


def scaled(factor: float) -> SizeRule:
    """The rule for a factor that is written as a float: a whole one is exact for every size."""
    return Times(int(factor)) if factor == int(factor) else Scaled(factor)


SizeRule = Callable[[int], int]


@dataclass(frozen=True)
class Axis:
    """One axis of a resize, for every input size.

    `crop` rows are cut from the start and the end before anything else (Interp's negative pads).
    """

    sampling: Sampling
    size: SizeRule
    crop: Tuple[int, int] = (0, 0)

    def inner(self, rows: int) -> int:
        """The rows that are left after the crop."""
        return rows - sum(self.crop)

    def out(self, rows: int) -> int:
        """The number of output rows for an input of `rows` rows."""
        return self.size(self.inner(rows))

    def map(self, rows: int) -> List[Row]:
        """Every output row for an input of `rows` rows, as source rows and exact weights."""
        return list(_map(self.sampling.row, self.inner(rows), self.out(rows), self.crop[0]))

    @property
    def fixed(self) -> bool:
        """Whether the output size does not depend on the input's."""
        return isinstance(self.size, Given)

    def __str__(self) -> str:
        cut = f" after a crop of {self.crop[0]} and {self.crop[1]}" if any(self.crop) else ""
        return f"{self.sampling.name} {self.size}{cut}"


@lru_cache(maxsize=64)
def _map(read: Callable[[int, int, int], Row], inner: int, out: int, first: int) -> Tuple[Row, ...]:
    """An axis's map; the last ones are kept, because height and width, and the layers of a net, are often alike."""
    found = (read(i, inner, out) for i in range(out))
    return tuple(tuple((source + first, weight) for source, weight in row) for row in found)


@dataclass(frozen=True)
class Resize:
    """What a resize layer computes: one map for the height, one for the width, one factor for all.

    Blobs are (N, C, H, W); every channel is treated alike.
    """

    height: Axis
    width: Axis
    gain: Fraction = Fraction(1)

    @property
    def axes(self) -> Tuple[Axis, Axis]:
        """Height and width, in this order everywhere."""
        return self.height, self.width

    def __str__(self) -> str:
        same = self.height == self.width
        text = str(self.height) if same else f"height {self.height}, width {self.width}"
        return text + (f", values times {self.gain}" if self.gain != 1 else "")


@dataclass(frozen=True)
class Unpool:
    """Scatter by a pooling mask: top[mask[i]] = data[i] in every (n, c) plane, zeros elsewhere.

    The mask holds the index h * W' + w inside the H' x W' plane, as a float; where an index is
    given twice the later value stays. The data are the first bottom and the mask is the second.
    """

    height: SizeRule
    width: SizeRule

    def __str__(self) -> str:
        same = self.height == self.width
        size = str(self.height) if same else f"height {self.height}, width {self.width}"
        return f"scatter by pooling mask {size}"


class Difference(NamedTuple):
    """Where two axis maps part: the first such row, its distance from the border, and the error."""

    axis: str
    rows: int
    row: int
    from_border: int
    error: Fraction

    def __str__(self) -> str:
        return (
            f"{self.axis}, input of {self.rows} rows: output row {self.row} "
            f"({self.from_border} from the border) is off by up to {float(self.error):.3g}"
        )


class Certificate(NamedTuple):
    """The outcome of comparing a block's axis maps with a request's, in exact arithmetic.

    `checked` says for which input sizes; `differences` is empty where the block is exact.
    """

    checked: str
    differences: Tuple[Difference, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether no weight of any row differed."""
        return not self.differences

    def __str__(self) -> str:
        if self.exact:
            return f"exact ({self.checked})"
        return f"not exact: {'; '.join(map(str, self.differences))}"


def compare(axis: str, rows: int, wanted: Sequence[Row], found: Sequence[Row]) -> Optional[Difference]:
    """The first difference of two maps over the same input, and the largest weight error of all."""
    if list(wanted) == list(found):
        return None
    errors = [_error(a, b) for a, b in zip(wanted, found)]
    if len(wanted) != len(found):
        row = min(len(wanted), len(found))
        return Difference(axis, rows, row, 0, max(errors + [Fraction(1)]))
    wrong = [i for i, error in enumerate(errors) if error]
    if not wrong:
        return None
    inside = max(min(i, len(wanted) - 1 - i) for i in wrong)
    return Difference(axis, rows, wrong[0], inside, max(errors))


def _error(a: Row, b: Row) -> Fraction:
    """The largest difference of two rows' weights."""
    if a == b:
        return Fraction(0)
    weights: Dict[int, Fraction] = dict(a)
    for source, weight in b:
        weights[source] = weights.get(source, Fraction(0)) - weight
    return max((abs(weight) for weight in weights.values()), default=Fraction(0))
