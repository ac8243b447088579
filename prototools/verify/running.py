"""`verify`: every region of two networks, run on both sides, and what the engine made of it."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from prototools import engines
from prototools.dialects.shapes import infer_custom
from prototools.engines.inputs import PATTERNS, patterns, shapes_of, turns
from prototools.errors import EngineError, PrototoolsError
from prototools.net import FilteredNet, Net, NetState
from prototools.prototext import parse
from prototools.reference import run as run_reference
from prototools.reference.readings import checked_dialects
from prototools.verify import build
from prototools.verify.cutting import Shape, cut_out, few_images
from prototools.verify.learned import Learned, unfilled
from prototools.verify.regions import Region, regions
from prototools.verify.verdict import Comparison, Unlike, Verdict, VerifyError, by, largest

Text = Union[bytes, str]

#: What weights of a caffemodel allow, which are rounded to float32, whatever engine runs them.
ROUNDED = 1e-6

#: So many values, expected ones and inputs, are kept until the engine is called.
BATCH = 1 << 26


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
    return run.verdict(Learned(weights, weights_after, seed))


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
        self.found: Dict[Tuple[str, str], Comparison] = {}
        self.findings: List[str] = []
        self.unfilled: List[str] = []
        self.open: List[str] = []

    def verdict(self, learned: Learned) -> Verdict:
        found, self.findings = regions(self.before, self.after)
        self.findings += build.differences(self.inference, infer_custom(self.after, self.given, self.dialects))
        for batch in _batches(self._prepared(found, learned)):
            for one, answer in zip(batch, self.engine.run([one.task for one in batch])):
                self._judge(one, answer)
        if not self.found and not self.findings:
            phase = self.before.state.phase
            raise VerifyError("; ".join(self.open) or f"nothing was compared: in phase {phase} no layer of the two "
                              f"networks differs; give --phase {'TRAIN' if phase == 'TEST' else 'TEST'} for the other")
        compared = [layer for region in found for layer in region.before]
        notes = _once([*build.remarks(self.before, self.after, compared, self.made_up), *self.unfilled])
        return Verdict(self.engine.name, tuple(self.found.values()),
                       _once(self.findings + build.custom_layers(self.after)),
                       _once(self.open), notes, tuple(PATTERNS) if self.found else ())

    # ------------------------------------------------------------ getting ready

    def _prepared(self, found: Sequence[Region], learned: Learned) -> Iterator[_Prepared]:
        for region in found:
            try:
                yield from self._one(region, learned)
            except Unlike as error:
                self.findings.append(f"{region.name}: {error}")
            except PrototoolsError as error:
                # The place of a text error is one in the cut-out, which nobody has seen.
                self.open.append(f"{region.name}: not compared: {getattr(error, 'message', error)}")
            except MemoryError:
                self.open.append(f"{region.name}: not compared: the memory is too small")

    def _one(self, region: Region, learned: Learned) -> Iterator[_Prepared]:
        """A region once for each turn of its inputs."""
        shapes = {name: self._shape(name, region) for name in region.inputs}
        shapes = few_images(region, shapes, self.before.state, self.dialects)
        before, after = (cut_out(layers, shapes, self.before.state) for layers in (region.before, region.after))
        params = learned.of(before, after, shapes, self.dialects)
        self.unfilled += unfilled(after, params[1])
        rounded = any(name not in params[0] for name in params[1])
        tolerance = max(self.engine.tolerance, ROUNDED) if rounded else self.engine.tolerance
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
        shape = self.inference.blobs.get(blob)
        if shape is None or None in shape:
            raise EngineError(f"the shape of {blob} must be known; give --shape {blob}=N,C,H,W")
        return tuple(shape)  # type: ignore[arg-type]

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
                self.findings.append(f"{name}: {blob} must be {by(expected.shape)}, but is {by(found.shape)}")
            elif found.size:
                limit = one.tolerance * max(1.0, float(np.abs(expected).max()))
                new = Comparison(name, blob, found.size, largest(expected, found), limit)
                self.found[name, blob] = new.joined(self.found.get((name, blob)))


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


def _once(sentences: Sequence[str]) -> Tuple[str, ...]:
    return tuple(dict.fromkeys(sentences))
