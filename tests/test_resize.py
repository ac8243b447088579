"""Axis maps: exact weights against the forks' formulas, and the comparison that judges blocks."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prototools.resize import Axis, Certificate, Difference, Given, Times, Zoomed, compare
from prototools.sampling import ALIGN_CORNERS, NEAREST, NEAREST_ALIGN_CORNERS, insert

SIZES = st.integers(1, 40)

#: Axis, input rows, the output rows written out.
MAPS = [
    pytest.param(
        Axis(ALIGN_CORNERS, Zoomed(2)), 3,
        [[(0, 1)], [(0, F(1, 2)), (1, F(1, 2))], [(1, 1)], [(1, F(1, 2)), (2, F(1, 2))], [(2, 1)]],
        id="zoom 2 puts one row between neighbours",
    ),
    pytest.param(Axis(ALIGN_CORNERS, Given(3)), 1, [[(0, 1)]] * 3, id="one row is broadcast"),
    pytest.param(Axis(ALIGN_CORNERS, Given(1)), 5, [[(0, 1)]], id="one output row reads row 0"),
    pytest.param(Axis(ALIGN_CORNERS, Given(4)), 4, [[(i, 1)] for i in range(4)], id="same size copies"),
    pytest.param(
        Axis(ALIGN_CORNERS, Given(3)), 4,
        [[(0, 1)], [(1, F(1, 2)), (2, F(1, 2))], [(3, 1)]], id="four rows to three",
    ),
    pytest.param(
        Axis(ALIGN_CORNERS, Zoomed(1, 2)), 6,
        [[(0, 1)], [(2, F(1, 2)), (3, F(1, 2))], [(5, 1)]],
        id="shrink stretches over all rows, it is no subsampling",
    ),
    pytest.param(
        Axis(ALIGN_CORNERS, Zoomed(2), (1, 1)), 4,
        [[(1, 1)], [(1, F(1, 2)), (2, F(1, 2))], [(2, 1)]], id="crop first",
    ),
    pytest.param(Axis(NEAREST, Times(2)), 2, [[(0, 1)], [(0, 1)], [(1, 1)], [(1, 1)]], id="nearest"),
    pytest.param(Axis(NEAREST, Given(3)), 4, [[(0, 1)], [(1, 1)], [(2, 1)]], id="nearest, smaller"),
    pytest.param(
        Axis(NEAREST_ALIGN_CORNERS, Given(5)), 3,
        [[(0, 1)], [(1, 1)], [(1, 1)], [(2, 1)], [(2, 1)]], id="nearest on the grid, halves upwards",
    ),
    pytest.param(Axis(insert(1), Times(3)), 2, [[], [(0, 1)], [], [], [(1, 1)], []], id="insert"),
]


@pytest.mark.parametrize("axis, rows, wanted", MAPS)
def test_map(axis: Axis, rows: int, wanted) -> None:
    """A map has exactly the rows that the fork's formula gives."""
    assert [list(row) for row in axis.map(rows)] == wanted


@given(SIZES, SIZES)
def test_aligned_corners_is_an_interpolation(rows: int, out: int) -> None:
    """Weights are positive and sum to one, at most two neighbours, corners on corners."""
    found = Axis(ALIGN_CORNERS, Given(out)).map(rows)
    assert len(found) == out
    for row in found:
        assert sum(weight for _, weight in row) == 1 and all(weight > 0 for _, weight in row)
        sources = [source for source, _ in row]
        assert sources == list(range(sources[0], sources[0] + len(row))) and len(row) <= 2
    assert found[0] == ((0, 1),)
    if out > 1:
        assert found[-1] == ((rows - 1, 1),)


@given(SIZES, st.integers(1, 6), st.integers(1, 6))
def test_zooms_follow_each_other(rows: int, first: int, second: int) -> None:
    """A zoom by a b is a zoom by a and then one by b."""
    once = Axis(ALIGN_CORNERS, Zoomed(first * second)).map(rows)
    middle = Axis(ALIGN_CORNERS, Zoomed(first)).map(rows)
    twice = [_through(row, middle) for row in Axis(ALIGN_CORNERS, Zoomed(second)).map(len(middle))]
    assert once == twice


def _through(row, middle):
    weights = {}
    for place, weight in row:
        for source, inner in middle[place]:
            weights[source] = weights.get(source, 0) + weight * inner
    return tuple(sorted((source, weight) for source, weight in weights.items() if weight))


@given(SIZES, SIZES)
def test_the_map_mirrors(rows: int, out: int) -> None:
    """Aligned corners read the same from both ends, but for the single row."""
    if out > 1:
        found = Axis(ALIGN_CORNERS, Given(out)).map(rows)
        mirrored = [tuple((rows - 1 - s, w) for s, w in reversed(row)) for row in reversed(found)]
        assert found == mirrored


ROWS = [((0, F(1)),), ((1, F(1, 2)), (2, F(1, 2))), ((2, F(1)),)]

#: Another map, and the difference that must be found.
DIFFERENCES = [
    pytest.param(ROWS, None, id="equal"),
    pytest.param(ROWS[:2], Difference("height", 3, 2, 0, F(1)), id="a row less"),
    pytest.param(
        [ROWS[0], ((1, F(1, 4)), (2, F(3, 4))), ROWS[2]], Difference("height", 3, 1, 1, F(1, 4)),
        id="another weight",
    ),
    pytest.param(
        [((1, F(1)),), *ROWS[1:]], Difference("height", 3, 0, 0, F(1)), id="another source",
    ),
    pytest.param([*ROWS[:2], ()], Difference("height", 3, 2, 0, F(1)), id="an empty row"),
]


@pytest.mark.parametrize("other, wanted", DIFFERENCES)
def test_compare(other, wanted) -> None:
    """A planted difference is found, with its place and size."""
    assert compare("height", 3, ROWS, other) == wanted


def test_certificate_says_where() -> None:
    """A certificate that is not exact names axis, row, distance from the border and error."""
    certificate = Certificate("3 -> 3", (Difference("height", 3, 1, 1, F(1, 4)),))
    assert not certificate.exact
    assert str(certificate) == (
        "not exact: height, input of 3 rows: output row 1 (1 from the border) is off by up to 0.25"
    )
