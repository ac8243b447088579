"""The study itself: every upsampling on the same data, and where any two of them differ."""

from __future__ import annotations

from itertools import combinations
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from prototools import engines
from prototools.comparison.blocks import Prepared, prepared
from prototools.comparison.libraries import LIBRARIES
from prototools.comparison.maps import GRID, MAPS, OUTSIDE, RECIPE, Derivation, Map, by, exact
from prototools.errors import EngineError, PrototoolsError

#: Values of about 1 that are closer than this are equal but for rounding to float32.
LIMIT = 1e-5

#: The most values that one enlarged blob may have: a quarter of a gigabyte of float64, and there are a dozen.
LARGEST = 1 << 25
#: The largest factor, and the most rows or columns of the result: kernels and matrices grow with their squares.
LARGEST_FACTOR, LONGEST = 256, 1 << 13

ENGINES = {"reference": "prototools' numpy reference", "caffe": "real Caffe"}


class StudyError(PrototoolsError):
    """Arguments that there is nothing to compare for."""


class Column(NamedTuple):
    """One upsampling of the data: the values (N, C, H', W') in float64, and who computed them.

    `values` is None where nobody could; `missing` is then the reason with its cure. Where a library is
    missing, `values` come from prototools' own exact map, and `missing` says so too.
    """

    map: Map
    values: Optional[np.ndarray]
    source: str
    missing: Optional[str] = None


class Distance(NamedTuple):
    """How far two blobs are apart: mean and largest absolute difference, and where.

    `reach` is how many rows from the border, or columns, the deepest difference above `LIMIT` lies; 0 is none.
    `where` is "nowhere", "border" or "everywhere".
    """

    mean: float
    largest: float
    reach: int
    where: str


class Pair(NamedTuple):
    """Two of the upsamplings; `distance` is None where one is missing."""

    first: Map
    second: Map
    distance: Optional[Distance]
    conclusion: str


class Block(NamedTuple):
    """Our exact block for an upsampling, run by the engine, against that upsampling.

    `layers` are the types of its layers, `call` is how to get it; `missing` is why it was not run.
    """

    target: Map
    layers: Tuple[str, ...]
    call: str
    distance: Optional[Distance]
    missing: Optional[str] = None

    @property
    def equal(self) -> bool:
        """Whether it was run and no value differs by more than `LIMIT`."""
        return self.distance is not None and self.distance.where == "nowhere"


class Study(NamedTuple):
    """Everything that was found for one factor and one blob of data (N, C, H, W)."""

    factor: int
    shape: Tuple[int, ...]
    seed: Optional[int]
    engine: str
    columns: Tuple[Column, ...]
    pairs: Tuple[Pair, ...]
    blocks: Tuple[Block, ...]
    notes: Tuple[str, ...]

    @property
    def derivation(self) -> Derivation:
        """Kernel, stride, pad and output size of the recipe."""
        return Derivation(self.factor)

    @property
    def differs(self) -> bool:
        """Whether a block that is to be exact is not."""
        return any(block.missing is None and not block.equal for block in self.blocks)

    @property
    def missing(self) -> Tuple[str, ...]:
        """What is not installed, each with its cure."""
        found = [one.missing for one in (*self.columns, *self.blocks) if one.missing]
        return tuple(dict.fromkeys(found))

    @property
    def complete(self) -> bool:
        """Whether every column has values and every block was run."""
        return all(one.values is not None for one in self.columns) and not any(one.missing for one in self.blocks)


def study(
    factor: int = 2, shape: Sequence[int] = (1, 3, 112, 112), *, seed: int = 0, engine: str = "reference",
    libraries: bool = True,
) -> Study:
    """The article's study: Caffe's bilinear Deconvolution, skimage's rescale and PyTorch's two on random data.

    The data are `numpy.random.RandomState(seed).rand(N, C, H, W)` in float32, from 0 to 1; every
    upsampling gives (N, C, factor H, factor W). `engine`, "reference" or "caffe", runs the recipe and our
    blocks. skimage's and PyTorch's columns come from the libraries where they are installed and `libraries`
    is true, and else from prototools' own exact axis maps.
    Raises `StudyError` for arguments that do not fit.
    """
    dims = _checked(factor, shape, engine)
    if not 0 <= seed < 1 << 32:
        raise StudyError(f"seed must be a whole number from 0 to 2^32 - 1, but is {seed!r}")
    data = np.random.RandomState(seed).rand(*dims).astype(np.float32)
    return measure(data, factor, seed=seed, engine=engine, libraries=libraries)


def measure(
    data: np.ndarray, factor: int, *, seed: Optional[int] = None, engine: str = "reference", libraries: bool = True
) -> Study:
    """The same for data of one's own, (N, C, H, W); raises `StudyError` for arguments that do not fit."""
    shape = _checked(factor, data.shape, engine)
    # Everyone computes from the same numbers, which float32 can hold.
    data = data.astype(np.float32).astype(np.float64)
    blocks = prepared(data, factor)
    answers = _run(blocks, engine)
    columns, notes = _columns(data, factor, answers[0], engine, libraries)
    values = {column.map: column.values for column in columns}
    pairs = tuple(_pair(first, second, values, factor) for first, second in combinations(MAPS, 2))
    judged = tuple(_judged(block, answer, values[block.map], factor) for block, answer in zip(blocks, answers))
    return Study(factor, shape, seed, engine, tuple(columns), pairs, judged, tuple(notes))


def _checked(factor: Any, shape: Any, engine: str) -> Tuple[int, ...]:
    """The shape, if there is something to compare."""
    if isinstance(factor, bool) or not isinstance(factor, int) or factor < 1:
        raise StudyError(f"factor must be a whole number of at least 1, but is {factor!r}")
    if factor > LARGEST_FACTOR:
        raise StudyError(f"factor must be at most {LARGEST_FACTOR}, but is {factor}; smaller ones show the same")
    dims = tuple(shape) if isinstance(shape, (list, tuple)) else ()
    if len(dims) != 4 or any(isinstance(dim, bool) or not isinstance(dim, int) or dim < 1 for dim in dims):
        raise StudyError(f"shape must be N,C,H,W, four whole numbers of at least 1, but is {shape!r}")
    if engine not in ENGINES:
        raise StudyError(f"engine must be {' or '.join(ENGINES)}, but is {engine!r}")
    enlarged = dims[:2] + (dims[2] * factor, dims[3] * factor)
    if dims[0] * dims[1] * enlarged[2] * enlarged[3] > LARGEST:
        raise StudyError(f"the result must have at most {LARGEST:,} values, but {by(enlarged)} has more; "
                         "a smaller shape shows the same")
    if max(enlarged[2:]) > LONGEST:
        raise StudyError(f"the result must have at most {LONGEST:,} rows and columns, but is {by(enlarged)}; "
                         "a smaller shape shows the same")
    return dims


# ---------------------------------------------------------------- values


class _Answer(NamedTuple):
    """What an engine made of a task, or why it could not."""

    values: Optional[np.ndarray]
    missing: Optional[str] = None


def _run(blocks: Sequence[Prepared], name: str) -> List[_Answer]:
    try:
        answers = engines.get(name).run([block.task for block in blocks])
    except EngineError as error:
        return [_Answer(None, str(error))] * len(blocks)
    return [
        _Answer(None, f"{name} cannot run the block for {block.map.name}: {answer}") if isinstance(answer, EngineError)
        else _Answer(np.asarray(answer[block.task.outputs[0]], np.float64))  # type: ignore[index]
        for block, answer in zip(blocks, answers)
    ]


def _columns(
    data: np.ndarray, factor: int, recipe: _Answer, engine: str, libraries: bool
) -> Tuple[List[Column], List[str]]:
    """Every upsampling's values, and the libraries' remarks."""
    columns = [Column(RECIPE, recipe.values, ENGINES[engine], recipe.missing)]
    notes: List[str] = []
    for one in MAPS[1:]:
        try:
            if not libraries:
                raise EngineError("")
            answer = LIBRARIES[one.name](data, factor)
        except EngineError as error:
            values = exact(data, one.resize(factor))
            columns.append(Column(one, values, "prototools' own exact map", str(error) or None))
        else:
            columns.append(Column(one, answer.values.astype(np.float64), answer.source))
            notes += answer.notes
    return columns, notes


# ---------------------------------------------------------------- differences


def _judged(block: Prepared, answer: _Answer, target: Optional[np.ndarray], factor: int) -> Block:
    apart = None if answer.values is None or target is None else distance(answer.values, target, factor)
    return Block(block.map, block.layers, block.call, apart, answer.missing)


def _pair(first: Map, second: Map, values: Dict[Map, Optional[np.ndarray]], factor: int) -> Pair:
    one, other = values[first], values[second]
    if one is None or other is None:
        return Pair(first, second, None, "not compared, because one of them is missing")
    apart = distance(one, other, factor)
    single = max(one.shape[2:]) == factor
    return Pair(first, second, apart, conclusion(first, second, apart, single))


def distance(one: np.ndarray, other: np.ndarray, factor: int) -> Distance:
    """How far two blobs (N, C, H', W') are apart, and where.

    Rows that an upsampling takes from outside the image lie within `factor` rows of the border, so a
    difference that reaches deeper, or as deep as the blob goes, is one of the whole map.
    """
    if one.shape != other.shape:
        return Distance(float("inf"), float("inf"), max(one.shape[2:]), "everywhere")
    apart = np.abs(one - other)
    apart[np.isnan(apart)] = np.inf
    depth = _depth(*one.shape[2:])
    reached = depth[(apart > LIMIT).any(axis=(0, 1))]
    reach = int(reached.max()) if reached.size else 0
    inside = reach <= factor and reach < depth.max()
    where = "nowhere" if not reach else "border" if inside else "everywhere"
    return Distance(float(apart.mean()), float(apart.max()), reach, where)


def _depth(height: int, width: int) -> np.ndarray:
    """For each place of (H', W') which row or column it is from the nearest border, counted from 1."""
    rows, columns = (np.minimum(np.arange(size), np.arange(size)[::-1]) + 1 for size in (height, width))
    return np.minimum(rows[:, np.newaxis], columns)


def conclusion(first: Map, second: Map, apart: Distance, single: bool = False) -> str:
    """What follows from the comparison of two upsamplings, in one line.

    `single` says that the data are single pixels, which lie the same on every grid.
    """
    if apart.where == "nowhere":
        return "equal: each may stand for the other"
    if first.sampling == second.sampling:
        return "different, although both should compute the same"
    if GRID[first.sampling] != GRID[second.sampling] and not single:
        return (f"different everywhere: {first.name} puts {GRID[first.sampling]}, "
                f"{second.name} {GRID[second.sampling]}")
    where = "equal inside, different at the border" if apart.where == "border" else "different: all is border here"
    sides = [f"{one.name} {OUTSIDE[one.sampling]}" for one in (first, second) if one.sampling in OUTSIDE]
    return f"{where}: {', '.join(sides)}"
