"""Proof by running: a network before and after, on the same inputs, compared value by value.

What the first network must give comes from the numpy reference in float64, which knows the forks'
layers; what the second gives comes from an engine of the user's choice. Only the regions are run in
which the two differ (see `regions`), each as a small network of its own.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple, Union

import numpy as np

from prototools import engines
from prototools import weights as caffemodel
from prototools.dialects import TYPES, UNREAD_TYPES
from prototools.dialects.shapes import infer_custom
from prototools.engines.inputs import PATTERNS, noise, patterns, shapes_of, turns
from prototools.errors import EngineError, PrototoolsError
from prototools.net import FilteredNet, Layer, Net, NetState
from prototools.prototext import parse
from prototools.prototext.style import literal
from prototools.prototext.values import string
from prototools.reference import run as run_reference
from prototools.reference.readings import checked_dialects
from prototools.regions import Region, regions
from prototools.shapes import Inference

Text = Union[bytes, str]
Shape = Tuple[int, ...]
Blobs = Dict[str, List[np.ndarray]]

#: What weights of a caffemodel allow, which are rounded to float32, whatever engine runs them.
ROUNDED = 1e-6

#: Regions with more input values than this are run with two images, where more are asked for.
LARGE = 1 << 20

#: So many values, expected ones and inputs, are kept until the engine is called.
BATCH = 1 << 26


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
        return max(self.comparisons, key=lambda one: one.largest.size / one.limit, default=None)


def verify(
    before: Text,
    after: Text,
    *,
    engine: str = "reference",
    shapes: Optional[Mapping[str, Sequence[Optional[int]]]] = None,
    phase: str = "TEST",
    dialect: Union[str, Sequence[str], None] = None,
    weights: Optional[str] = None,
    weights_after: Optional[str] = None,
    seed: int = 1,
) -> Verdict:
    """Compare two networks where they differ.

    `before` and `after` are prototxt; `engine` is `reference` (float64, tolerance 1e-9), `caffe` or
    `opencv` (float32, 1e-4, each times the largest value if that is above 1); with weights of a caffemodel
    for new layers the tolerance is at least 1e-6.
    `shapes` gives blobs (N, C, H, W) that the file does not tell; a dim may be None. Other unknown inputs
    get a made-up size at which no layer of the first network refuses its bottoms, if there is one.
    Every channel of every input carries another of five patterns: noise, an impulse at both ends and
    within, a ramp, a constant, and noise with ties.
    `weights` and `weights_after` are caffemodels; without them learned blobs that both networks have
    are seeded noise, the same for both, and those of new layers are what their fillers write.
    Raises `VerifyError` where nothing at all could be compared, `EngineError` without the engine.
    """
    nets = [Net(parse(_bytes(text))).filtered(NetState(phase)) for text in (before, after)]
    run = _Run(nets[0], nets[1], engines.get(engine), dict(shapes or {}), checked_dialects(dialect), seed)
    run.read_weights(weights, weights_after)
    return run.verdict()


def _bytes(text: Text) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


class _Prepared(NamedTuple):
    """A region ready to run: what it must give, the engine's task, and how far values of 1 may be off."""

    region: Region
    expected: Dict[str, np.ndarray]
    task: engines.Task
    tolerance: float

    @property
    def size(self) -> int:
        """How many values it keeps."""
        arrays = (*self.expected.values(), *self.task.inputs.values())
        return sum(np.size(array) for array in arrays)


class _Run:
    """One comparison of two nets."""

    def __init__(self, before: FilteredNet, after: FilteredNet, engine: engines.Engine,
                 shapes: Dict[str, Sequence[Optional[int]]], dialects: Tuple[str, ...], seed: int):
        self.before, self.after, self.engine = before, after, engine
        self.dialects, self.seed = dialects, seed
        self.inference, self.made_up = shapes_of(before, shapes, dialects)
        self.given = {**shapes, **self.made_up}
        self.weights: Tuple[Blobs, Blobs] = ({}, {})
        self.found: Dict[Tuple[str, str], Comparison] = {}
        self.findings: List[str] = []
        self.unfilled: List[str] = []
        self.open: List[str] = []

    def read_weights(self, before: Optional[str], after: Optional[str]) -> None:
        """Take learned blobs from caffemodels; the second may be left out if it is the first."""
        first = caffemodel.read(before) if before else {}
        self.weights = (first, caffemodel.read(after) if after else first)

    def verdict(self) -> Verdict:
        found, self.findings = regions(self.before, self.after)
        self.findings += _different_outputs(self.before, self.after) + self._unlike_stock()
        for batch in _batches(self._prepared(found)):
            for one, answer in zip(batch, self.engine.run([one.task for one in batch])):
                self._judge(one, answer)
        if not self.found and not self.findings:
            raise VerifyError("; ".join(self.open) or "nothing was compared: no layer of the two networks differs")
        notes = _once([*self._notes(found), *self.unfilled])
        return Verdict(self.engine.name, tuple(self.found.values()), _once(self.findings + self._custom()),
                       _once(self.open), notes, tuple(PATTERNS) if self.found else ())

    # ------------------------------------------------------------ what needs no run

    def _unlike_stock(self) -> List[str]:
        """What stock Caffe would not take, or would give another shape."""
        after = infer_custom(self.after, self.given, self.dialects)
        known = {error.message for error in self.inference.errors}
        refused = [f"stock Caffe refuses the second network: line {error.line}: {error.message}"
                   for error in after.errors if error.message not in known]
        return refused[:1] + _other_shapes(self.inference, after)

    def _custom(self) -> List[str]:
        return [f"{layer.name}: still of type {layer.type}, which stock Caffe does not have"
                for layer in self.after.layers if layer.kind in TYPES | UNREAD_TYPES.keys()]

    def _notes(self, found: Sequence[Region]) -> Iterator[str]:
        needed = _origins(self.before, [layer for region in found for layer in region.before])
        for name, shape in self.made_up.items():
            if name not in needed:
                continue
            yield f"the shape of {name} is not told; {_by(shape)} was taken (--shape {name}=N,C,H,W gives another)"
        old = {layer.name: layer.type for layer in self.before.layers if layer.kind in TYPES}
        for layer in self.after.layers:
            if layer.type == "Deconvolution" and layer.name in old:
                yield (f"{layer.name} keeps the name of the {old[layer.name]} that it replaces; a caffemodel that "
                       "lists that layer will not load until it is patched")

    # ------------------------------------------------------------ getting ready

    def _prepared(self, found: Sequence[Region]) -> Iterator[_Prepared]:
        for region in found:
            try:
                yield from self._one(region)
            except _Unlike as error:
                self.findings.append(f"{region.name}: {error}")
            except PrototoolsError as error:
                # The place of a text error is one in the cut-out, which nobody has seen.
                self.open.append(f"{region.name}: not compared: {getattr(error, 'message', error)}")
            except MemoryError:
                self.open.append(f"{region.name}: not compared: the memory is too small")

    def _one(self, region: Region) -> Iterator[_Prepared]:
        shapes = self._few_images(region, {name: self._shape(name, region) for name in region.inputs})
        before, after = (_cut_out(layers, shapes, self.before.state) for layers in (region.before, region.after))
        params = self._params(before, after, shapes)
        rounded = any(name not in params[0] for name in params[1])
        tolerance = max(self.engine.tolerance, ROUNDED) if rounded else self.engine.tolerance
        self._note_unfilled(after, params[1])
        there = {top for layer in region.after for top in layer.tops}
        wanted = [name for name in region.outputs if name in there]
        for turn in turns(list(shapes.values())):
            inputs = {name: patterns(shape, f"{name}/{self.seed}", turn) for name, shape in shapes.items()}
            expected = run_reference(before, inputs, params[0], region.outputs, dialect=self.dialects)
            if not all(np.isfinite(blob).all() for blob in expected.values()):
                raise EngineError("the first network gives values that are no finite numbers")
            task = engines.Task(after.net.document.source(), inputs, params[1], wanted, self.after.state.phase,
                                self.dialects)
            yield _Prepared(region, expected, task, tolerance)

    def _shape(self, blob: str, region: Region) -> Shape:
        """A blob's shape where the region reads it."""
        for layer in region.before:
            for name, shape in zip(layer.bottoms, self.inference.bottoms(layer)):
                if name == blob and shape is not None and None not in shape:
                    return tuple(shape)  # type: ignore[arg-type]
        # An unknown layer in place has no shape of its own to override.
        shape = self.inference.blobs.get(blob) or self.given.get(blob)
        if shape is None or None in shape:
            raise EngineError(f"the shape of {blob} must be known; give --shape {blob}=N,C,H,W")
        return tuple(shape)  # type: ignore[arg-type]

    def _few_images(self, region: Region, shapes: Dict[str, Shape]) -> Dict[str, Shape]:
        """Two images instead of many where there is much to compute and no layer minds."""
        images = {shape[0] for shape in shapes.values() if shape}
        if sum(map(_count, shapes.values())) <= LARGE or len(images) != 1 or max(images) <= 2:
            return shapes
        fewer = {name: (2,) + shape[1:] for name, shape in shapes.items() if shape}
        for layers in (region.before, region.after):
            found = infer_custom(_cut_out(layers, fewer, self.before.state), fewer, self.dialects)
            tops = [found.blobs.get(name) for name in region.outputs]
            if found.errors or any(top is None or top[:1] != (2,) for top in tops):
                return shapes
        return fewer

    def _params(self, before: FilteredNet, after: FilteredNet, shapes: Mapping[str, Shape]) -> Tuple[Blobs, Blobs]:
        """Learned blobs by layer name, for both sides; the new layers' are left to their fillers."""
        needed = [infer_custom(net, shapes, self.dialects).params for net in (before, after)]
        first = _from_file(before, self.weights[0], needed[0], EngineError)
        second = _from_file(after, self.weights[1], needed[1], _Unlike)
        for name, wanted in needed[0].items():
            if name not in first and needed[1].get(name) == wanted and name in second:
                first[name] = second[name]
            elif name not in first:
                first[name] = [noise(shape, f"{name}/{i}/{self.seed}") for i, shape in enumerate(wanted)]
                if needed[1].get(name) == wanted:
                    second[name] = first[name]
        return first, second

    def _note_unfilled(self, after: FilteredNet, params: Blobs) -> None:
        for layer in after.layers:
            own = {"InnerProduct": "inner_product_param"}.get(layer.type, "convolution_param")
            learns = layer.type in ("Convolution", "Deconvolution", "InnerProduct")
            if learns and layer.name not in params and not layer.param(own).has("weight_filler"):
                self.unfilled.append(f"{layer.name} has no weight_filler, so its weights are 0; give --weights-after")

    # ------------------------------------------------------------ the answers

    def _judge(self, one: _Prepared, answer: Union[Mapping[str, Any], EngineError]) -> None:
        name = one.region.name
        if isinstance(answer, engines.NetRefused):
            self.findings.append(f"{name}: {self.engine.name} refuses the second network: {answer}")
        elif isinstance(answer, EngineError):
            self.open.append(f"{name}: not compared: {self.engine.name} cannot run the second network: {answer}")
        else:
            self._compare(one, answer)

    def _compare(self, one: _Prepared, answer: Mapping[str, Any]) -> None:
        name = one.region.name
        for blob, expected in one.expected.items():
            if blob not in answer:
                self.findings.append(f"{name}: the second network has no blob {blob!r}")
                continue
            found = np.asarray(answer[blob], np.float64)
            if found.shape != expected.shape:
                self.findings.append(f"{name}: {blob} must be {_by(expected.shape)}, but is {_by(found.shape)}")
            elif found.size:
                limit = one.tolerance * max(1.0, float(np.abs(expected).max()))
                new = Comparison(name, blob, found.size, largest(expected, found), limit)
                self.found[name, blob] = _merged(self.found.get((name, blob)), new)


def _origins(net: FilteredNet, layers: Sequence[Layer]) -> Set[str]:
    """The blobs from outside that some layers depend on, directly or through other layers."""
    found: Set[str] = set()
    seen, todo = set(), list(layers)
    while todo:
        layer = todo.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        for blob, source in zip(layer.bottoms, net.sources(layer)):
            if source is None or source.layer is None or not source.layer.bottoms:
                found.add(blob)
            else:
                todo.append(source.layer)
    return found


class _Unlike(PrototoolsError):
    """A difference that keeps a region of the second net from being run."""


def _merged(old: Optional[Comparison], new: Comparison) -> Comparison:
    """Two comparisons of one blob, on other inputs."""
    if old is None:
        return new
    worse = max(old, new, key=lambda one: one.largest.size / one.limit)
    return worse._replace(values=old.values + new.values)


def _once(sentences: Sequence[str]) -> Tuple[str, ...]:
    return tuple(dict.fromkeys(sentences))


def _batches(prepared: Iterator[_Prepared]) -> Iterator[List[_Prepared]]:
    """As many as fit into the memory at once, since a call of an engine takes a while by itself."""
    batch: List[_Prepared] = []
    for one in prepared:
        batch.append(one)
        if sum(other.size for other in batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _from_file(net: FilteredNet, blobs: Blobs, needed: Mapping[str, Sequence], error: type) -> Blobs:
    """A net's learned blobs from a caffemodel, in the shapes that its layers need (net.cpp, CopyTrainedLayersFrom)."""
    found: Blobs = {}
    for layer in net.layers:
        given, wanted = blobs.get(layer.name), needed.get(layer.name)
        if not given:
            continue
        if wanted is None or any(None in shape for shape in wanted):
            found[layer.name] = given
        elif [_without_ones(blob.shape) for blob in given] != [_without_ones(shape) for shape in wanted]:
            shapes = [" and ".join(map(_by, some)) or "none" for some in (wanted, [blob.shape for blob in given])]
            raise error(f"the weights of {layer.name!r} must be {shapes[0]}, but in the caffemodel are {shapes[1]}")
        else:
            found[layer.name] = [blob.reshape(shape) for blob, shape in zip(given, wanted)]
    return found


def _without_ones(shape: Sequence[int]) -> Tuple[int, ...]:
    """A shape without leading ones: old files have four dims for every blob."""
    dims = list(shape)
    while dims and dims[0] == 1:
        dims.pop(0)
    return tuple(dims)


def _count(shape: Sequence[int]) -> int:
    return int(np.prod(shape, dtype=int))


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


def _other_shapes(before: Inference, after: Inference) -> List[str]:
    """Inputs that have another shape in the second net."""
    first, second = (_input_shapes(found) for found in (before, after))
    return [
        f"input {name!r} is {_by(shape)} in the first network, but {_by(second[name])} in the second"
        for name, shape in first.items()
        if shape is not None and second.get(name) is not None and not _fits(shape, second[name])
    ]


def _input_shapes(found: Inference) -> Dict[str, Sequence[Optional[int]]]:
    net = found.net
    headers = [name for name, _ in net.net.inputs()]
    return {name: found.blobs.get(name) for name in headers + [
        top for layer in net.layers if not layer.bottoms for top in layer.tops
    ]}


def _fits(one: Sequence[Optional[int]], other: Sequence[Optional[int]]) -> bool:
    return len(one) == len(other) and all(a == b or None in (a, b) for a, b in zip(one, other))


def _cut_out(layers: Sequence[Layer], shapes: Mapping[str, Shape], state: NetState) -> FilteredNet:
    """A net of some layers, as they are written, with the given blobs as inputs."""
    texts = (_without_tops(layer, shapes) for layer in layers)
    return Net(parse(engines.headers(shapes) + b"\n".join(texts) + b"\n")).filtered(state)


def _without_tops(layer: Layer, inputs: Mapping[str, Shape]) -> bytes:
    """A layer's text, with its tops renamed that have the names of inputs.

    That happens where a Pooling gives a mask, and its other top goes on in place before it comes back.
    """
    message, edits = layer.message, []
    for node in message.scalars("top"):
        name = string(node)
        if name in inputs and name not in layer.bottoms:
            edits.append((node.start - message.start, node.stop - message.start, literal(name + "/inside")))
    text = message.data[message.start : message.stop]
    for start, stop, new in reversed(edits):
        text = text[:start] + new + text[stop:]
    return text
