"""What comes out of a comparison of two networks."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence, Tuple

import numpy as np

from prototools.errors import PrototoolsError


class VerifyError(PrototoolsError):
    """Nothing could be compared."""


class Unlike(PrototoolsError):
    """A difference that keeps a region of the second net from being run."""


class Difference(NamedTuple):
    """The largest difference in a blob: where (N, C, H, W), and both values."""

    place: Tuple[int, ...]
    expected: float
    found: float

    @property
    def size(self) -> float:
        """How far apart the values are; infinite where one is no number."""
        size = abs(self.expected - self.found)
        return float("inf") if size != size else size


def largest(expected: np.ndarray, found: np.ndarray) -> Difference:
    """The place where two arrays of one shape differ most; a value that is no number differs."""
    apart = np.abs(expected - found)
    apart[np.isnan(apart)] = np.inf
    place = np.unravel_index(int(apart.argmax()), apart.shape)
    return Difference(tuple(int(i) for i in place), float(expected[place]), float(found[place]))


class Comparison(NamedTuple):
    """One blob of one region: how many values, and the largest difference."""

    region: str
    blob: str
    values: int
    largest: Difference
    limit: float

    @property
    def equal(self) -> bool:
        """Whether every value is within the engine's tolerance."""
        return self.largest.size <= self.limit

    @property
    def severity(self) -> float:
        """The largest difference as a part of its limit."""
        return self.largest.size / self.limit

    def joined(self, other: Optional[Comparison]) -> Comparison:
        """With one of the same blob on other inputs."""
        if other is None:
            return self
        worse = max(other, self, key=lambda one: one.severity)
        return worse._replace(values=self.values + other.values)


class Verdict(NamedTuple):
    """What was compared, what differs in build, what could not be compared, and remarks.

    `findings` are differences that need no run: a top that is missing, another shape, a layer too
    many, a custom layer that is left. `open` says of regions why they were not compared.
    `inputs` names the patterns that the inputs were made of.
    """

    engine: str
    comparisons: Tuple[Comparison, ...]
    findings: Tuple[str, ...]
    open: Tuple[str, ...] = ()
    notes: Tuple[str, ...] = ()
    inputs: Tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether everything was compared, and nothing differs."""
        return not self.differs and not self.open

    @property
    def differs(self) -> bool:
        """Whether a difference was found."""
        return bool(self.findings) or not all(one.equal for one in self.comparisons)

    @property
    def largest(self) -> Optional[Comparison]:
        """The comparison with the largest difference, as a part of its limit."""
        return max(self.comparisons, key=lambda one: one.severity, default=None)


def by(shape: Sequence[Optional[int]]) -> str:
    """A shape in a sentence: `1 x 3 x 9 x 9`."""
    return " x ".join(map(str, shape)) or "scalar"
