"""The shapes of every blob and every learned blob of a net, as far as they can be known."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from prototools.errors import NetError, ProtoTextError, ShapeError, UnresolvedError
from prototools.net import FilteredNet, Layer, Source, blob_names
from prototools.shapes.blob import (
    Answer,
    Elsewhere,
    Missing,
    Shape,
    check_blob,
    count,
    require,
    same,
    same_shape,
    words,
)
from prototools.shapes.legacy import PADDING, V0Net
from prototools.shapes.table import TABLE, Rule, check_counts, check_engine

#: What Caffe calls the top that a loss layer makes where none is named.
AUTOMATIC = "(automatic)"

#: The stock type whose shapes its own code decides.
PYTHON = "Python"

#: Gives the shapes of a custom layer's tops, or None where it does not know the layer.
Extra = Callable[[Layer, Sequence[Shape]], Optional[Sequence[Shape]]]


def infer(
    net: FilteredNet, shapes: Optional[Mapping[str, Sequence[int]]] = None, extra: Optional[Extra] = None,
    checks: bool = True,
) -> Inference:
    """Infer the shapes of a net in one state, layer by layer, as Caffe does when it builds the net.

    `shapes` gives or overrides the shapes of blobs; a dim may be None for unknown.
    `extra` answers for layer types that stock Caffe does not know; without an answer their tops are
    unknown, and so is what depends on them.
    What Caffe would refuse is an error in the result, with its place, and never an exception. Without `checks`
    only what the shapes depend on is looked at, which takes less time.
    Raises `NetError` where `shapes` names a blob that the net does not have in any phase.
    """
    _check_names(net, shapes or {})
    run = Inference(net, dict(shapes or {}), extra, checks)
    run.headers()
    for layer in net.layers:
        run.layer(layer)
    return run


def _check_names(net: FilteredNet, shapes: Mapping[str, Sequence[int]]) -> None:
    known = {name for name, _ in net.net.inputs()}.union(blob_names(net.net.layers))
    for name in shapes:
        if name not in known:
            from difflib import get_close_matches

            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise NetError(f"a shape is given for {name!r}, but the net has no such blob{hint}")


class Inference:
    """Shapes and refusals of one net; dims and shapes that cannot be known are None.

    `blobs` has every blob's shape by name, `params` every layer's learned blobs by layer name,
    `errors` the sentences where Caffe would refuse, in the order of the file. `local` are those among them
    that speak of this machine: a file that is not here, a library that Caffe is not built with.
    """

    def __init__(self, net: FilteredNet, given: Dict[str, Sequence[int]], extra: Optional[Extra], checks: bool):
        self.net = net
        self.blobs: Dict[str, Shape] = {}
        self.params: Dict[str, List[Shape]] = {}
        self.errors: List[ProtoTextError] = []
        self.local: List[ProtoTextError] = []
        self._given = {name: tuple(shape) for name, shape in given.items()}
        self._extra, self._checks = extra, checks
        self._v0 = V0Net(net)
        self._tops: Dict[int, List[Shape]] = {}
        self._headers: List[Shape] = []
        self._owners: Dict[str, Owner] = {}
        self._problems: Dict[int, List[str]] = {}
        for layer, sentence in net.problems:
            self._problems.setdefault(id(layer), []).append(sentence)

    @property
    def faults(self) -> List[ProtoTextError]:
        """The errors that hold on every machine."""
        return [error for error in self.errors if error not in self.local]

    def bottoms(self, layer: Layer) -> List[Shape]:
        """The shapes of a layer's bottoms where it stands in the net."""
        sources = [self._v0.behind(source) for source in self.net.sources(layer)]
        return [self._source(name, source) for name, source in zip(layer.bottoms, sources)]

    def tops(self, layer: Layer) -> List[Shape]:
        """The shapes of a layer's tops, the automatic one of a loss among them."""
        return self._tops[id(layer)]

    def _source(self, name: str, source: Optional[Source]) -> Shape:
        if source is None:
            return self._given.get(name)
        if source.layer is None:
            return self._headers[source.top]
        return self._tops[id(source.layer)][source.top]

    # ------------------------------------------------------------ one step at a time

    def headers(self) -> None:
        """Take the `input:` headers, which Caffe turns into an Input layer."""
        inputs = self.net.net.inputs()
        shaped = any(shape is not None for _, shape in inputs)
        for name, shape in inputs:
            known: Shape = self._given.get(name, None if shape is None else tuple(shape))
            self._headers.append(known)
            self.blobs[name] = known
            if known is None:
                # Without any shape Caffe forgets the headers; with too few it reads what is not there.
                sentence = "needs a shape: " + ("not every input has one" if shaped else "no input has one")
                document = self.net.net.document
                self.errors.append(document.error(f"input {name!r} {sentence}; give input_shape or --shape"))

    def layer(self, layer: Layer) -> None:
        """Infer one layer, whose bottoms are done."""
        view = self._v0.view(layer)
        rule = TABLE.get(view.type)
        for sentence in self._problems.get(id(layer), []):
            self._refuse(layer, sentence)
        answer = self._answer(layer, view, rule)
        names = _top_names(view, rule)
        padded = [*answer.tops, *[None] * len(names)][: len(names)]
        shapes = [self._overridden(layer, i, name, shape) for i, (name, shape) in enumerate(zip(names, padded))]
        self._tops[id(layer)] = shapes
        if view.type != PADDING:
            self.blobs.update(zip(names, shapes))
        if answer.params:
            self.params[view.name] = list(answer.params)

    def _overridden(self, layer: Layer, index: int, name: str, shape: Shape) -> Shape:
        """A top's shape, or the one that is given: in place it holds already, unless nobody knows the layer."""
        in_place = layer.bottoms[index : index + 1] == [name]
        return shape if in_place and shape is not None else self._given.get(name, shape)

    def _answer(self, layer: Layer, view: Layer, rule: Optional[Rule]) -> Answer:
        bottoms = self.bottoms(layer)
        if rule is None or view.type == PYTHON:
            return self._unknown(layer, view, bottoms)
        try:
            return self._checked(layer, view, rule, bottoms)
        except Missing as error:
            if not set(layer.tops) & set(self._given):
                self._refuse(layer, error)
            return Answer(error.tops)
        except ShapeError as error:
            self._refuse(layer, error)
            return self._unknown(layer, view, bottoms)
        except ProtoTextError as error:
            self.errors.append(error)
        return Answer([])

    def _unknown(self, layer: Layer, view: Layer, bottoms: List[Shape]) -> Answer:
        """A layer type that is none of stock Caffe's, or one whose own code decides."""
        if not view.type:
            self._refuse(layer, "type must be given")
        try:
            found = self._extra(layer, bottoms) if self._extra else None
        except UnresolvedError:
            found = None
        return Answer(found or [])

    def _checked(self, layer: Layer, view: Layer, rule: Rule, bottoms: List[Shape]) -> Answer:
        """A stock layer's answer, after every check that Caffe makes around the layer's own."""
        names = _top_names(view, rule)
        check_counts(rule, view, len(names))
        self._noted(layer, lambda: check_engine(view))
        self._noted(layer, lambda: self._check_in_place(layer))
        answer = rule.shapes(view, bottoms)
        self._noted(layer, lambda: self._check_around(view, rule, bottoms, answer))
        return answer

    def _noted(self, layer: Layer, check: Callable[[], None]) -> None:
        """A check that says nothing about the shapes, which a Caffe that takes the layer has too."""
        if not self._checks:
            return
        try:
            check()
        except ShapeError as error:
            self._refuse(layer, error)

    def _check_around(self, view: Layer, rule: Rule, bottoms: List[Shape], answer: Answer) -> None:
        """What Caffe checks of every layer once its shapes are there."""
        for shape in (*answer.tops, *answer.params):
            check_blob(shape)
        filled = [count(shape) for shape in answer.params if view.type != "Parameter"]
        require(0 not in (*answer.touched, *filled), "it must not work on an empty blob")
        weights = _loss_weights(view, rule, len(_top_names(view, rule)))
        for weight, shape in zip(weights, answer.tops):
            require(not weight or count(shape) != 0, "a top with a loss_weight must not be empty")
        backwards = view.message.scalars("propagate_down")
        require(len(backwards) in (0, len(bottoms)), f"propagate_down must be given once for each of {len(bottoms)} "
                f"bottoms, but is given {len(backwards)} times")
        self._share(view, answer.params)

    def _check_in_place(self, layer: Layer) -> None:
        """A layer works in place only where it alone reads its bottom (insert_splits.cpp)."""
        for index, (bottom, top) in enumerate(zip(layer.bottoms, layer.tops)):
            source = self.net.sources(layer)[index]
            if bottom == top and source is not None:
                readers = len(self.net.consumers(source.layer, source.top))
                require(readers == 1, f"blob {top!r} is changed in place, but {readers} layers read it")
                loss = weighed(source.layer, source.top)
                require(not loss, f"blob {top!r} is changed in place, but has a loss_weight")

    def _share(self, view: Layer, params: Sequence[Shape]) -> None:
        """Check `param` against the learned blobs, and against the layers it shares them with."""
        specs = _param_specs(view)
        require(len(specs) <= len(params), f"it must have at most {len(params)} param, one for each learned "
                f"blob, but has {len(specs)}")
        for spec, shape in zip(specs, params):
            if spec.name:
                owner = self._owners.setdefault(spec.name, Owner(view.name, shape, {}))
                owner.check(spec, shape)

    def _refuse(self, layer: Layer, why: Union[str, ShapeError]) -> None:
        self.errors.append(layer.error(str(why)))
        if isinstance(why, Elsewhere):
            self.local.append(self.errors[-1])


def _top_names(layer: Layer, rule: Optional[Rule]) -> List[str]:
    if rule is None or not rule.loss:
        return layer.tops
    return layer.tops + [AUTOMATIC] * (rule.tops[0] - len(layer.tops))


def weighed(layer: Optional[Layer], top: int) -> bool:
    """Whether a top has a loss_weight that is not 0: the loss then reads it too (insert_splits.cpp)."""
    weights = [] if layer is None else layer.message.numbers("loss_weight")
    return top < len(weights) and weights[top] != 0


def _loss_weights(layer: Layer, rule: Rule, tops: int) -> List[float]:
    """One for each top, or none; a loss has one of its own (layer.hpp, SetLossWeights)."""
    weights = layer.message.numbers("loss_weight") or ([1.0] if rule.loss else [])
    require(len(weights) in (0, tops), f"loss_weight must be given once for each of {tops} tops, "
            f"but is given {len(weights)} times")
    return weights


# ---------------------------------------------------------------- shared learned blobs


class Spec(NamedTuple):
    """What one `param` says."""

    name: str = ""
    permissive: bool = False
    multipliers: Sequence[Tuple[str, float]] = ()


def _param_specs(layer: Layer) -> List[Spec]:
    """The `param` messages; V1 has a list for each of their fields."""
    message = layer.message
    if layer.version == 2:
        return [_spec(param) for param in message.messages("param")]
    names, modes = message.strings("param"), message.all("blob_share_mode")
    length = max(len(names), len(modes), *(len(message.all(n)) for n in ("blobs_lr", "weight_decay")))
    words_ = [mode.word() if hasattr(mode, "word") else "" for mode in modes]
    padded = names + [""] * length
    return [Spec(padded[i], i < len(modes) and words_[i] in ("PERMISSIVE", "1")) for i in range(length)]


def _spec(param) -> Spec:
    multipliers = [(name, param.number(name)) for name in ("lr_mult", "decay_mult") if param.has(name)]
    return Spec(param.string("name"), param.word("share_mode", "STRICT") in ("PERMISSIVE", "1"), multipliers)


class Owner(NamedTuple):
    """The layer that first named a learned blob (net.cpp, AppendParam)."""

    layer: str
    shape: Shape
    multipliers: Dict[str, float]

    def check(self, spec: Spec, shape: Shape) -> None:
        """Refuse another size, another shape unless PERMISSIVE, or other multipliers."""
        both = f"{words(self.shape)} and {words(shape)}"
        if spec.permissive:
            require(same(count(self.shape), count(shape)), f"param {spec.name!r} is shared with layer "
                    f"{self.layer!r} and must have its size: {both}")
        else:
            require(same_shape(self.shape, shape), f"param {spec.name!r} is shared with layer "
                    f"{self.layer!r} and must have its shape: {both}")
        for name, value in spec.multipliers:
            first = self.multipliers.setdefault(name, value)
            require(first == value, f"param {spec.name!r} is shared with layer {self.layer!r} and must have "
                    f"its {name} {first}, but has {value}")
