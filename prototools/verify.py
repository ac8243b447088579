"""Proof by running: a network before and after, on the same inputs, compared value by value.

What the first network must give comes from the numpy reference in float64, which knows the forks'
layers; what the second gives comes from an engine of the user's choice. Only the regions are run in
which the two differ (see `regions`), each as a small network of its own.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from prototools import engines
from prototools import weights as caffemodel
from prototools.dialects import TYPES, UNREAD_TYPES
from prototools.dialects.shapes import infer_custom
from prototools.errors import EngineError, PrototoolsError
from prototools.net import FilteredNet, Layer, Net, NetState
from prototools.prototext import parse
from prototools.reference import run as run_reference
from prototools.regions import Region, regions
from prototools.shapes import Inference

Text = Union[bytes, str]
Shape = Tuple[int, ...]

#: Dims that are tried where a file does not tell: (N, C, H, W).
UNTOLD = (1, 3, 64, 96)


class VerifyError(PrototoolsError):
    """Nothing could be compared."""


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


class Verdict(NamedTuple):
    """What was compared, what differs in build, what could not be compared, and remarks.

    `findings` are differences that need no run: a top that is missing, another shape, a layer too
    many. `open` says of regions why they were not compared.
    """

    engine: str
    comparisons: Tuple[Comparison, ...]
    findings: Tuple[str, ...]
    open: Tuple[str, ...] = ()
    notes: Tuple[str, ...] = ()

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
        return max(self.comparisons, key=lambda one: one.largest.size / one.limit, default=None)


def verify(
    before: Text,
    after: Text,
    *,
    engine: str = "reference",
    shapes: Optional[Mapping[str, Sequence[int]]] = None,
    phase: str = "TEST",
    dialect: Optional[str] = None,
    weights: Optional[str] = None,
    weights_after: Optional[str] = None,
    seed: int = 1,
) -> Verdict:
    """Compare two networks where they differ.

    `before` and `after` are prototxt; `engine` is `reference` (float64, tolerance 1e-9), `caffe` or
    `opencv` (float32, 1e-4, each times the largest value if that is above 1).
    `shapes` gives blobs (N, C, H, W) that the file does not tell; other unknown inputs get 1, 3, 64, 96.
    Every channel of every input carries another of five patterns: an impulse, a ramp, a constant,
    noise, and noise with ties.
    `weights` and `weights_after` are caffemodels; without them learned blobs that both networks have
    are seeded noise, the same for both, and those of new layers are what their fillers write.
    Raises `VerifyError` where nothing at all could be compared, `EngineError` without the engine.
    """
    nets = [Net(parse(_bytes(text))).filtered(NetState(phase)) for text in (before, after)]
    run = _Run(nets[0], nets[1], engines.get(engine), dict(shapes or {}), dialect, seed)
    run.read_weights(weights, weights_after)
    return run.verdict()


def _bytes(text: Text) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


class _Prepared(NamedTuple):
    """A region ready to run: its inputs, what they must give, and the engine's task."""

    region: Region
    expected: Dict[str, np.ndarray]
    task: engines.Task


class _Run:
    """One comparison of two nets."""

    def __init__(self, before: FilteredNet, after: FilteredNet, engine: engines.Engine,
                 shapes: Dict[str, Sequence[int]], dialect: Optional[str], seed: int):
        self.before, self.after, self.engine = before, after, engine
        self.dialect, self.seed = dialect, seed
        self.inference = _with_guessed_inputs(before, shapes, dialect)
        self.weights: Tuple[Mapping[str, List[Any]], Mapping[str, List[Any]]] = ({}, {})

    def read_weights(self, before: Optional[str], after: Optional[str]) -> None:
        """Take learned blobs from caffemodels; the second may be left out if it is the first."""
        first = caffemodel.read(before) if before else {}
        self.weights = (first, caffemodel.read(after) if after else first)

    def verdict(self) -> Verdict:
        found, findings = regions(self.before, self.after)
        findings += _different_outputs(self.before, self.after)
        prepared, left_open = self._prepare(found)
        answers = self.engine.run([one.task for one in prepared]) if prepared else []
        comparisons: List[Comparison] = []
        for one, answer in zip(prepared, answers):
            if isinstance(answer, EngineError):
                findings.append(f"{one.region.name}: {self.engine.name} cannot run the second network: {answer}")
            else:
                self._compare(one, answer, comparisons, findings)
        if not comparisons and not findings:
            raise VerifyError("; ".join(left_open) or "nothing was compared: no layer of the two networks differs")
        return Verdict(self.engine.name, tuple(comparisons), tuple(findings), tuple(left_open), self._notes())

    def _notes(self) -> Tuple[str, ...]:
        kinds = {**dict.fromkeys(TYPES), **dict.fromkeys(UNREAD_TYPES)}
        return tuple(
            f"{layer.name}: still of type {layer.type}" for layer in self.after.layers if layer.type in kinds
        )

    def _prepare(self, found: Sequence[Region]) -> Tuple[List[_Prepared], List[str]]:
        prepared, left_open = [], []
        for region in found:
            try:
                prepared.append(self._one(region))
            except EngineError as error:
                left_open.append(f"{region.name}: not compared: {error}")
        return prepared, left_open

    def _one(self, region: Region) -> _Prepared:
        shapes = {name: self._shape(name, region) for name in region.inputs}
        inputs = {name: patterns(shape, f"{name}/{self.seed}") for name, shape in shapes.items()}
        before, after = (_text(layers, shapes) for layers in (region.before, region.after))
        net = Net(before).filtered(self.before.state)
        params = self._params(region.before, net, shapes)
        expected = run_reference(net, inputs, params[0], region.outputs, dialect=self.dialect)
        there = {top for layer in region.after for top in layer.tops}
        wanted = [name for name in region.outputs if name in there]
        return _Prepared(region, expected, engines.Task(after, inputs, params[1], wanted, self.after.state.phase))

    def _shape(self, blob: str, region: Region) -> Shape:
        """A blob's shape where the region reads it."""
        for layer in region.before:
            for name, shape in zip(layer.bottoms, self.inference.bottoms(layer)):
                if name == blob and shape is not None and None not in shape:
                    return tuple(shape)  # type: ignore[arg-type]
        shape = self.inference.blobs.get(blob)
        if shape is None or None in shape:
            raise EngineError(f"the shape of {blob} must be known; give --shape {blob}=N,C,H,W")
        return tuple(shape)  # type: ignore[arg-type]

    def _params(self, layers: Sequence[Layer], net: FilteredNet, shapes: Mapping[str, Shape]):
        """Learned blobs by layer name, for both sides."""
        first, second = dict(self.weights[0]), dict(self.weights[1])
        inferred = infer_custom(net, shapes, [self.dialect] if self.dialect else ())
        for layer in layers:
            if layer.name not in first:
                blobs = [_noise(shape, f"{layer.name}/{i}/{self.seed}")
                         for i, shape in enumerate(inferred.params.get(layer.name, []))]
                first[layer.name] = blobs
                second.setdefault(layer.name, blobs)
        return _named(first), _named(second)

    def _compare(self, one: _Prepared, answer: Mapping[str, Any], comparisons: List[Comparison],
                 findings: List[str]) -> None:
        for blob, expected in one.expected.items():
            if blob not in answer:
                findings.append(f"{one.region.name}: the second network has no blob {blob!r}")
                continue
            found = np.asarray(answer[blob], np.float64)
            if found.shape != expected.shape:
                findings.append(f"{one.region.name}: {blob} must be {_by(expected.shape)}, but is {_by(found.shape)}")
            elif found.size:
                limit = self.engine.tolerance * max(1.0, float(np.abs(expected).max()))
                comparisons.append(Comparison(one.region.name, blob, found.size, largest(expected, found), limit))


def _named(params: Mapping[str, List[Any]]) -> Dict[str, List[Any]]:
    return {name: blobs for name, blobs in params.items() if blobs}


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "scalar"


def largest(expected: np.ndarray, found: np.ndarray) -> Difference:
    """The place where two arrays of one shape differ most; a value that is no number differs."""
    apart = np.abs(expected - found)
    apart[np.isnan(apart)] = np.inf
    place = np.unravel_index(int(apart.argmax()), apart.shape)
    return Difference(tuple(int(i) for i in place), float(expected[place]), float(found[place]))


def _different_outputs(before: FilteredNet, after: FilteredNet) -> List[str]:
    """Net outputs of one net only."""
    old, new = set(before.outputs()), set(after.outputs())
    return [f"{name!r} is an output of the first network only" for name in sorted(old - new)] + [
        f"{name!r} is an output of the second network only" for name in sorted(new - old)
    ]


# ---------------------------------------------------------------- inputs


def _with_guessed_inputs(net: FilteredNet, shapes: Dict[str, Sequence[int]], dialect: Optional[str]) -> Inference:
    """Every shape of a net; inputs that no file tells get some shape."""
    wanted = [dialect] if dialect else ()
    found = infer_custom(net, shapes, wanted)
    guessed = {name: _guess(found.blobs.get(name)) for name in _roots(net)}
    missing = {name: shape for name, shape in guessed.items() if name not in shapes and shape != found.blobs.get(name)}
    return infer_custom(net, {**missing, **shapes}, wanted) if missing else found


def _roots(net: FilteredNet) -> List[str]:
    """The blobs that come from nowhere: headers, tops of layers without bottoms, unknown bottoms."""
    headers = [name for name, _ in net.net.inputs()]
    tops = [top for layer in net.layers if not layer.bottoms for top in layer.tops]
    return headers + tops + [blob for _, blob in net.unknown_bottoms()]


def _guess(shape) -> Shape:
    known = UNTOLD if shape is None else shape
    return tuple(UNTOLD[min(i, 3)] if dim is None else dim for i, dim in enumerate(known))


def patterns(shape: Shape, seed: str) -> np.ndarray:
    """An array with another pattern in each channel of each item, so that one run tries them all.

    Impulse, ramp, constant, noise in [-1, 1], and noise in tenths, which has ties; each channel's
    values are scaled a little differently, so that mixed-up channels show.
    """
    random = _random(seed)
    flat = np.empty((int(np.prod(shape[:2], dtype=int)), int(np.prod(shape[2:], dtype=int))))
    for i, plane in enumerate(flat):
        plane[:] = PATTERNS[i % len(PATTERNS)](plane.size, random) * (1 + i / 64)
    return flat.reshape(shape)


def _impulse(size: int, random: np.random.RandomState) -> np.ndarray:
    values = np.zeros(size)
    # The first place, the last and one between: a border mistake shows at the ends.
    values[[0, size - 1, random.randint(size)]] = 1
    return values


#: In this order over the channels; noise first, for nets with one channel.
PATTERNS = (
    lambda size, random: random.uniform(-1, 1, size),
    _impulse,
    lambda size, random: np.linspace(-1, 1, size),
    lambda size, random: np.ones(size),
    lambda size, random: np.round(random.uniform(-1, 1, size), 1),
)


def _noise(shape: Shape, seed: str) -> np.ndarray:
    return _random(seed).uniform(-1, 1, shape)


def _random(seed: str) -> np.random.RandomState:
    from zlib import crc32

    return np.random.RandomState(crc32(seed.encode("utf-8", "surrogateescape")))


def _text(layers: Sequence[Layer], shapes: Mapping[str, Shape]) -> bytes:
    """A prototxt of some layers, as they are written, with the given blobs as inputs."""
    header = b"".join(
        b'input: "%s"\ninput_shape { %s }\n'
        % (name.encode("utf-8", "surrogateescape"), b" ".join(b"dim: %d" % dim for dim in shape))
        for name, shape in shapes.items()
    )
    own = [layer for layer in layers if layer.bottoms]
    return header + b"".join(layer.message.data[layer.message.start : layer.message.stop] + b"\n" for layer in own)
