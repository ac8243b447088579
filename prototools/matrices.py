"""Weights that no filler writes: what a product with a matrix computes, in exact numbers."""

from __future__ import annotations

from typing import List, NamedTuple, Tuple, Union

from prototools.sampling import Row


class Matrix(NamedTuple):
    """Every output row as source rows and exact weights.

    With one group each output row may read all sources, `columns` of them. With more, outputs and
    sources are dealt out evenly and in order: an output reads the `columns` sources of its own group.
    `shape` is that of Caffe's blob, outputs first.
    """

    rows: Tuple[Row, ...]
    columns: int
    shape: Tuple[int, ...]
    groups: int = 1

    @property
    def sources(self) -> int:
        """The rows that are read, of all groups."""
        return self.columns * self.groups

    def first(self, i: int) -> int:
        """The first source that output row `i` may read."""
        return i // (len(self.rows) // self.groups) * self.columns

    def values(self) -> List[float]:
        """The blob's values, row by row."""
        dense = [0.0] * (len(self.rows) * self.columns)
        for i, row in enumerate(self.rows):
            start = i * self.columns - self.first(i)
            for source, weight in row:
                dense[start + source] = float(weight)
        return dense


class Plane(NamedTuple):
    """Every output place of a plane from every input place: the product of two matrices, one for each axis."""

    height: Matrix
    width: Matrix

    @property
    def columns(self) -> int:
        """The places that are read."""
        return self.height.columns * self.width.columns

    @property
    def shape(self) -> Tuple[int, int]:
        """That of Caffe's blob, outputs first."""
        return len(self.height.rows) * len(self.width.rows), self.columns

    def values(self) -> List[float]:
        """The blob's values, row by row."""
        dense = [0.0] * (self.shape[0] * self.shape[1])
        for place, (above, across) in enumerate((a, b) for a in self.height.rows for b in self.width.rows):
            start = place * self.columns
            for y, down in above:
                for x, along in across:
                    dense[start + y * self.width.columns + x] = float(down * along)
        return dense


#: What a layer holds that works only with the weights in a caffemodel.
Weights = Union[Matrix, Plane]
