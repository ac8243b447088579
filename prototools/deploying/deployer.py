"""`deploy`: the plan, the shapes of its inputs, the edits, and the check of what came out."""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from prototools.deploying import inputs, roles
from prototools.deploying.edits import RULES, Editor
from prototools.deploying.graph import Graph
from prototools.deploying.plan import Plan
from prototools.dialects.shapes import infer_custom
from prototools.errors import NetError, ProtoTextError, named
from prototools.net import FilteredNet, Layer, Net, NetState, Source
from prototools.prototext import parse
from prototools.prototext.places import place_of
from prototools.shapes import TABLE
from prototools.shapes.blob import words

Shapes = Mapping[str, Sequence[Optional[int]]]
Shape = Tuple[int, ...]


class Change(NamedTuple):
    """What became of one layer: `did` is "removed", "replaced", "added" or "changed", `what` says the rest."""

    layer: str
    type: str
    line: int
    did: str
    what: str


class Refusal(NamedTuple):
    """Why nothing was written, with the layer and its place, and the option that helps."""

    layer: str
    line: int
    column: int
    reason: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {named(self.layer)}: {self.reason}"


class Deployed(NamedTuple):
    """What `deploy` gives.

    `text` is the deployed network, as `bytes` or `str` like the one that was given; the given text itself
    where `refusals` say why there is none. `inputs` are the input blobs with their shapes, `outputs` the
    blobs that nobody reads, `notes` sentences about what deserves a look.
    """

    text: Union[bytes, str]
    changes: Tuple[Change, ...]
    refusals: Tuple[Refusal, ...]
    notes: Tuple[str, ...]
    inputs: Dict[str, Optional[Tuple[int, ...]]]
    outputs: Tuple[str, ...]


def deploy(
    text: Union[bytes, str],
    *,
    shapes: Optional[Shapes] = None,
    phase: str = "TEST",
    stages: Iterable[str] = (),
    level: int = 0,
    keep_branches: bool = False,
    strip: bool = False,
) -> Deployed:
    """Turn a training network (train_val.prototxt) into the one that is deployed.

    Data layers become Input layers, one for each blob that is still read; V0 and V1 files get `input:`
    headers. Losses, measurements, labels and whatever serves only these go. A SoftmaxWithLoss becomes a
    Softmax and a SigmoidCrossEntropyLoss a Sigmoid, both called `prob`. Rules are resolved for `phase`,
    `stages` and `level` and taken off. Layers that stay keep their names, so the weights load.

    `shapes` gives input shapes as (N, C, H, W); a dim may be None where the file tells it. Without it the
    shape is what the file tells, with a batch of 1.
    `keep_branches` keeps the side branches of auxiliary losses; `strip` takes out fillers and multipliers.

    Raises `ProtoTextError` for a file that is no text format, `NetError` for a shape of a blob that is no input.
    """
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)
    run = _Run(data, dict(shapes or {}), NetState(phase, level, tuple(stages)), keep_branches, strip)
    after = data if run.refusals else run.text
    shown = after.decode("utf-8", "surrogateescape") if isinstance(text, str) else after
    return Deployed(shown, tuple(run.changes), tuple(run.refusals), tuple(run.notes), run.inputs, tuple(run.outputs))


class _Run:
    """One pass over one net."""

    def __init__(self, data: bytes, given: Dict, state: NetState, keep_branches: bool, strip: bool):
        self.net = Net(parse(data))
        self.data, self.given, self.strip = data, given, strip
        self.filtered, adopted = _with_data(self.net.filtered(state))
        self.changes: List[Change] = []
        self.refusals: List[Refusal] = []
        self.notes: List[str] = []
        self.faults: List[str] = []
        self.inputs: Dict[str, Optional[Shape]] = {}
        self.outputs: List[str] = []
        self.text = data
        self.after = self.filtered
        if not self.net.layers:
            raise NetError("the file must hold a network, but has no layers")
        self.graph = Graph(self.filtered)
        self.plan = Plan(self.graph, keep_branches, set(given))
        self._check_given()
        if self._is_deployed():
            self._unchanged()
            return
        self._check_bottoms()
        if not self.refusals:
            self._decide(adopted)

    # ------------------------------------------------------------ what cannot be

    def _check_given(self) -> None:
        alive = {self.graph.name(source) for source in self.plan.inputs}
        alive.update(name for name, _ in self.net.inputs() if name not in self.plan.dead_headers())
        unmade = {blob for layer, blob in self.filtered.unknown_bottoms() if id(layer) in self.plan.kept}
        for name in self.given:
            if name not in alive | unmade:
                raise NetError(f"a shape is given for {name!r}, but the deployed net has no such input; "
                               f"its inputs are {', '.join(sorted(alive)) or 'none'}")

    def _check_bottoms(self) -> None:
        """Every layer that stays must find its bottoms."""
        for layer, blob in self.filtered.unknown_bottoms():
            if id(layer) in self.plan.kept:
                phase = self.filtered.state.phase
                elsewhere = any(blob in one.tops for one in self.net.layers if one not in self.filtered)
                made = "an Input layer" if layer.version == 2 else "input and input_shape"
                hint = "; see --phase, --stage and --level" if elsewhere else f"; write {made} for it"
                self._refuse(layer, f"its bottom {blob!r} must be made by a layer of phase {phase}, but is not{hint}")
        if not self.plan.kept and not self.plan.activations:
            self._refuse(self.net.layers[0], "something must be left to compute without losses and labels, "
                         f"but phase {self.filtered.state.phase} has nothing")

    def _refuse(self, layer: Layer, reason: str) -> None:
        line, column = place_of(self.data, layer.message.start)
        self.refusals.append(Refusal(layer.name, line, column, reason))

    # ------------------------------------------------------------ a net that is deployed already

    def _is_deployed(self) -> bool:
        """Nothing to replace, no losses, no rule that matters: then even what looks dead stays."""
        if self.plan.inputs or self.given and any(name in self.given for name, _ in self.net.inputs()):
            return False
        heads = self.plan.heads
        rules = any(not layer.in_state(NetState()) or layer not in self.filtered for layer in self.net.layers)
        data = any(roles.is_data(self.graph.view(layer)) for layer in self.net.layers)
        return not (heads.judges or heads.losses or rules or data)

    def _unchanged(self) -> None:
        unmade = self.filtered.unknown_bottoms()
        self.notes += [f"{named(layer.name)}: its bottom {blob!r} is made by no layer" for layer, blob in unmade]
        if self.strip:
            self.plan.keep_all()
            headers = {name: tuple(shape or ()) for name, shape in self.net.inputs()}
            self.text = Editor(self.plan, {}, headers, strip=True).text()
            self.after = Net(parse(self.text)).filtered(self.filtered.state)
        self._look()

    # ------------------------------------------------------------ deciding, editing, checking

    def _decide(self, adopted: Sequence[str]) -> None:
        """With a batch of 1; with the file's own where a layer that stays is bound to that."""
        shapes = self._shapes(own_batch=False)
        complaints = [] if self.refusals else self._try(shapes)
        if complaints:
            own = self._shapes(own_batch=True)
            if own != shapes and not self._try(own):
                shapes, complaints = own, []
                self.notes.append("the file's own batch size stays, because layers that stay allow no other")
        for error in complaints:
            self._complain(error.message)
        if not self.refusals:
            self._look()
            self._report(shapes, adopted)

    def _try(self, shapes: Dict[Source, Shape]) -> List[ProtoTextError]:
        """Make the text, and say what Caffe would refuse in it that it does not refuse in the file."""
        self.text = Editor(self.plan, shapes, self._headers(), self.strip).text()
        self.after = Net(parse(self.text)).filtered(NetState(self.filtered.state.phase))
        errors = infer_custom(self.after, {}).errors
        before = {error.message for error in infer_custom(self.filtered, {}).errors} if errors else set()
        self.faults = [error.message for error in errors if error.message in before]
        return [error for error in errors if error.message not in before]

    def _complain(self, message: str) -> None:
        """Refuse at the layer that an error names."""
        for layer in self.net.layers:
            begin = f"{named(layer.name)}: "
            if id(layer) in self.plan.kept and message.startswith(begin):
                self._refuse(layer, f"Caffe would refuse it in the deployed net: {message[len(begin):]}")
                return
        self._refuse(self.net.layers[0], f"Caffe would refuse the deployed net: {message}")

    def _look(self) -> None:
        """The inputs and outputs of the net that came out."""
        self.outputs = self.after.outputs()
        self.inputs = {name: None if shape is None else tuple(shape) for name, shape in self.after.net.inputs()}
        for layer in self.after.layers:
            if layer.type == "Input":
                self.inputs.update(zip(layer.tops, TABLE["Input"].shapes(layer, []).tops))

    def _shapes(self, own_batch: bool) -> Dict[Source, Shape]:
        """The shape of every input, or a refusal that names the option."""
        shapes: Dict[Source, Shape] = {}
        for source in self.plan.inputs:
            blob = self.graph.name(source)
            view = self.graph.view(source.layer)
            known = inputs.known(view, source.top)
            shape = self._with_batch(known.shape, own_batch or view.type == "Input")
            if blob in self.given:
                shape = inputs.merged(self.given[blob], known.shape)
            if shape is None or None in shape:
                why = "the one that is given leaves dims open" if blob in self.given else known.hint
                self._refuse(source.layer, f"the shape of {blob} must be known, but {why}; "
                             f"give --shape {blob}={inputs.example(known.shape)}")
            else:
                shapes[source] = shape
        return shapes

    @staticmethod
    def _with_batch(shape, own_batch: bool):
        return shape if shape is None or own_batch or not shape else (1, *shape[1:])

    def _headers(self) -> Dict[str, Shape]:
        dead = self.plan.dead_headers()
        found = {}
        for name, shape in self.net.inputs():
            if name not in dead:
                file = None if shape is None else tuple(shape)
                found[name] = inputs.merged(self.given[name], file) if name in self.given else file or ()
        return found

    # ------------------------------------------------------------ the report

    def _report(self, shapes: Dict[Source, Shape], adopted: Sequence[str]) -> None:
        """One change for each layer that is not what it was, in the order of the file."""
        by_layer: Dict[int, List[Source]] = {}
        for source in shapes:
            by_layer.setdefault(id(source.layer), []).append(source)
        activations = {id(one.loss): one for one in self.plan.activations}
        strays = {id(one.layer): one for one in self.plan.strays if one.layer.version}
        for layer in self.net.layers:
            if id(layer) in self.plan.removed:
                self._tell(layer, "removed", self.plan.removed[id(layer)])
            elif id(layer) in by_layer:
                told = [f"{self.graph.name(source)} {words(shapes[source])}" for source in by_layer[id(layer)]]
                self._tell(layer, "replaced", f"Input {', '.join(told)}")
            elif id(layer) in activations:
                one = activations[id(layer)]
                self._tell(layer, "replaced", f"{one.type} {one.name}, top {one.top}")
            elif any(layer.message.has(rule) for rule in RULES):
                self._tell(layer, "changed", "its rules are resolved")
            if id(layer) in strays:
                self._tell(layer, "added", f"Silence for {', '.join(strays[id(layer)].tops)}, which nothing reads now")
        for source in shapes:
            if self.graph.name(source) in adopted:
                self.notes.append(f"phase {self.filtered.state.phase} has no layer that makes "
                                  f"{self.graph.name(source)!r}; the data layer of another state serves")
        self.notes += [f"Caffe would refuse this in the file as well: {fault}" for fault in self.faults]
        for name in self.plan.dead_headers():
            self.notes.append(f"the header of input {name!r} is removed: nothing that stays reads it")

    def _tell(self, layer: Layer, did: str, what: str) -> None:
        line, _ = place_of(self.data, layer.message.start)
        self.changes.append(Change(layer.name, self.graph.view(layer).type, line, did, what))


def _with_data(net: FilteredNet) -> Tuple[FilteredNet, List[str]]:
    """The net with data layers of other states where its own state has none, and the blobs they bring.

    A file for training alone has its data in TRAIN only, others in stages of TEST; an input serves all.
    """
    blobs, layers = [], []
    for _, blob in net.unknown_bottoms():
        makers = [layer for layer in net.net.layers if blob in layer.tops and not layer.bottoms]
        if makers and blob not in blobs:
            blobs.append(blob)
            layers += makers[:1]
    return (FilteredNet(net.net, net.state, layers), blobs) if layers else (net, [])
