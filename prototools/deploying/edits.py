"""The plan as edits of the text: layers out, inputs in, rules off, losses to Softmax and Sigmoid."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, List, Sequence, Set, Tuple

from prototools.deploying.cutting import behind, cut_fields, cut_layers, require_no_list
from prototools.deploying.plan import Activation, Plan, Silenced, unique
from prototools.net import Layer, Source
from prototools.prototext import Document, Message, Style, Word, write_fields
from prototools.prototext.style import quoted
from prototools.prototext.tree import Edit, Node

Shape = Tuple[int, ...]

HEADERS = ("input", "input_dim", "input_shape")

#: What a loss has and a Softmax has not.
JUDGING = ("loss_weight", "loss_param", "propagate_down")
RULES = ("include", "exclude")

#: The new types as each form of file writes them.
TYPE_LITERALS = {
    ("Sigmoid", 1): b"SIGMOID", ("Softmax", 1): b"SOFTMAX", ("Sigmoid", 0): b'"sigmoid"', ("Softmax", 0): b'"softmax"',
}


class Editor:
    """The edits of one plan. `shapes` are those of the plan's inputs, `headers` of all `input:` headers that stay."""

    def __init__(self, plan: Plan, shapes: Dict[Source, Shape], headers: Dict[str, Shape], strip: bool):
        self.plan, self.shapes, self.strip = plan, shapes, strip
        self.net = plan.net.net
        self.document: Document = self.net.document
        self.data = self.document.data
        self.style = Style.of(self.data)
        self.activations = {id(one.loss): one for one in plan.activations}
        self.names: Set[str] = set()
        for layer in self.net.layers:
            if id(layer) in plan.kept or plan.graph.is_weighted(layer):
                self.names.add(layer.name)
        self.sources: Dict[int, List[Source]] = {}
        for source in plan.inputs:
            self.sources.setdefault(id(source.layer), []).append(source)
        # Old forms have no Input layer: their inputs are headers.
        self.old = any(source.layer.version != 2 for source in plan.inputs)
        self.headers = headers

    def text(self) -> bytes:
        """The edited text."""
        return self.document.edited(self._edits())

    def _edits(self) -> Iterator[Edit]:
        yield from self._cut_layers()
        yield from self._header_edits()
        for layer in self.net.layers:
            if id(layer) in self.sources and not self.old:
                yield layer.message.start, layer.message.stop, self._input_layers(layer)
            elif id(layer) in self.activations:
                yield from self._activation(self.activations[id(layer)])
            elif id(layer) in self.plan.quiet:
                yield from self._quiet(layer)
            elif id(layer) in self.plan.kept:
                yield from self._kept(layer)
        for silenced in self.plan.strays:
            yield from self._silence(silenced)

    # ------------------------------------------------------------ layers out

    def _cut_layers(self) -> List[Edit]:
        """Removed layers; a comment above one stays where another layer of its name does."""
        first = self._header_place()
        gone = [layer for layer in self.net.layers if id(layer) in self.plan.removed
                or self.old and id(layer) in self.sources and layer.message.start != first]
        left = {layer.name for layer in self.net.layers if all(layer is not other for other in gone)}
        return cut_layers(self.data, [(layer.message, layer.name not in left) for layer in gone])

    # ------------------------------------------------------------ inputs in

    def _input_layers(self, layer: Layer) -> bytes:
        """Input layers in the place of one, with the comments that stood inside it above them."""
        message = layer.message
        require_no_list(message)
        one_line = b"\n" not in self.data[message.start : message.stop]
        texts = [self._input(source, one_line) for source in self.sources[id(layer)]]
        return self._placed(message, [*message.comments(), *texts])

    def _input(self, source: Source, one_line: bool) -> bytes:
        blob = self.plan.graph.name(source)
        name = unique(blob, f"{blob}/input", self.names)
        self.names.add(name)
        wires = {"name": name, "type": "Input", "top": blob}
        param = {"input_param": {"shape": {"dim": list(self.shapes[source])}}}
        if one_line:
            return write_fields({"layer": {**wires, **param}}, self.style, 0, True)
        joint = self.style.newline + self.style.indent
        lines = [b"layer" + self.style.brace, write_fields(wires, self.style, 1),
                 write_fields(param, self.style, 1, True)]
        return joint.join(lines) + self.style.newline + b"}"

    def _placed(self, message: Message, texts: Sequence[bytes]) -> bytes:
        line = self.data[self.data.rfind(b"\n", 0, message.start) + 1 : message.start]
        indent = line if not line.strip() else b""
        return self.style.newline.join(texts).replace(self.style.newline, self.style.newline + indent)

    def _header_place(self) -> int:
        """Where headers are written: in the place of the first there is, or of the first data layer."""
        written = [_start(node) for name in HEADERS for node in self.document.all(name)]
        return min(written or [source.layer.message.start for source in self.plan.inputs] or [0])

    def _header_edits(self) -> Iterator[Edit]:
        """The `input:` headers that go; or all of them anew, where one comes or gets another shape."""
        before = {name: tuple(shape or ()) for name, shape in self.net.inputs()}
        after = dict(self.headers)
        if self.old:
            after.update((self.plan.graph.name(source), shape) for source, shape in self.shapes.items())
        if before == after:
            return
        if all(before.get(name) == shape for name, shape in after.items()):
            yield from cut_fields(self.document, self._dead_headers(after))
            return
        text = self._headers(after)
        nodes = [node for name in HEADERS for node in self.document.all(name)]
        if not nodes:
            data = min((source.layer for source in self.plan.inputs), key=lambda layer: layer.message.start)
            require_no_list(data.message)
            comments = data.message.comments()
            yield data.message.start, data.message.stop, self._placed(data.message, [*comments, text])
            return
        for start, stop, left in cut_fields(self.document, nodes):
            at = self._header_place()
            ending = self.style.newline if self.data[start:stop].endswith(b"\n") else b" "
            yield start, stop, (text + ending if text and start <= at <= stop else left)

    def _dead_headers(self, alive: Iterable[str]) -> Iterator[Node]:
        """The headers that are not among some names, each with its shape."""
        shapes, dims = self.document.all("input_shape"), self.document.all("input_dim")
        for index, (node, name) in enumerate(zip(self.document.all("input"), self.document.strings("input"))):
            if name not in alive:
                yield node
                yield from shapes[index : index + 1] if shapes else dims[4 * index : 4 * index + 4]

    def _headers(self, shapes: Dict[str, Shape]) -> bytes:
        by_dims = all(len(shape) == 4 for shape in shapes.values()) and not self.document.has("input_shape")
        lines = []
        for name, shape in shapes.items():
            lines.append(write_fields({"input": name}, self.style))
            if by_dims:
                lines.append(write_fields({"input_dim": list(shape)}, self.style))
            else:
                lines.append(write_fields({"input_shape": {"dim": list(shape)}}, self.style, 0, True))
        return self.style.newline.join(lines)

    # ------------------------------------------------------------ losses to activations

    def _activation(self, activation: Activation) -> Iterator[Edit]:
        """A loss turned into the activation inside it: its type, names and wires, and no other byte."""
        layer, message = activation.loss, activation.loss.message
        kind = layer.parameters.one("type")
        name = layer.parameters.one("name")
        written = TYPE_LITERALS.get((activation.type, layer.version), quoted(activation.type.encode()))
        yield kind.start, kind.stop, written
        if name is not None:
            yield name.start, name.stop, quoted(activation.name.encode("utf-8", "surrogateescape"))
        top = quoted(activation.top.encode("utf-8", "surrogateescape"))
        bottoms, tops = message.scalars("bottom"), message.scalars("top")
        if layer.bottoms[0] != activation.bottom:
            yield bottoms[0].start, bottoms[0].stop, quoted(activation.bottom.encode("utf-8", "surrogateescape"))
        if tops:
            yield tops[0].start, tops[0].stop, top
        else:
            yield self._beside(bottoms[0], b"top: " + top)
        gone: List[Node] = [*bottoms[1:], *tops[1:]]
        for field in (*JUDGING, *RULES):
            gone += message.all(field)
        yield from cut_fields(message, gone)

    def _beside(self, node: Node, text: bytes) -> Edit:
        """A new field behind one that is there, on a line of its own where that one has one."""
        stop = behind(self.data, node.stop)
        line = self.data[self.data.rfind(b"\n", 0, _start(node)) + 1 : _start(node)]
        joint = self.style.newline + line if not line.strip() else b" "
        return stop, stop, joint + text + (b" " if joint == b" " else b"")

    # ------------------------------------------------------------ layers that stay

    def _quiet(self, layer: Layer) -> Iterator[Edit]:
        places = self.plan.quiet[id(layer)]
        message = layer.message
        gone = [node for place, node in enumerate(message.scalars("bottom")) if place not in places]
        yield from cut_fields(message, [*gone, *(node for rule in RULES for node in message.all(rule))])

    def _kept(self, layer: Layer) -> Iterator[Edit]:
        message = layer.message
        gone = [node for rule in RULES for node in message.all(rule)]
        if self.strip:
            gone += _multipliers(layer) if layer.version else []
            for parent, nodes in _training(layer):
                yield from cut_fields(parent, nodes)
        yield from cut_fields(message, gone)

    def _silence(self, silenced: Silenced) -> Iterator[Edit]:
        """A Silence behind a layer, for tops that would become outputs; V0 has no such layer."""
        layer, message = silenced.layer, silenced.layer.message
        if layer.version == 0:
            return
        require_no_list(message)
        name = unique(f"{layer.name}/unread", f"{layer.name}/unread", self.names)
        self.names.add(name)
        fields: Dict[str, Any] = {
            "name": name, "type": "Silence" if layer.version == 2 else Word("SILENCE"),
            "bottom": list(silenced.tops),
        }
        one_line = b"\n" not in self.data[message.start : message.stop]
        text = write_fields({message.name: fields}, self.style, 0, one_line)
        yield message.stop, message.stop, self.style.newline + self._placed(message, [text])


def _start(node: Node) -> int:
    return node.start if isinstance(node, Message) else node.field_start


# ---------------------------------------------------------------- what only training needs


def _multipliers(layer: Layer) -> List[Node]:
    """The fields of the layer itself that only a solver reads; `param` stays where it names a shared blob."""
    message = layer.message
    if _frozen(layer):
        return []
    if layer.version == 1:
        return [*message.all("blobs_lr"), *message.all("weight_decay")]
    params = message.messages("param")
    return [] if any(_shares(param) for param in params) else list(params)


def _shares(param: Message) -> bool:
    return param.has("name") or param.has("share_mode")


def _training(layer: Layer) -> Iterator[Tuple[Message, List[Node]]]:
    """Messages of a layer with the fields in them that only training needs."""
    if layer.version == 0:
        inner = layer.parameters
        names = ("blobs_lr", "weight_decay", "weight_filler", "bias_filler")
        yield inner, [node for name in names for node in inner.all(name)]
    elif not _frozen(layer):
        params = layer.message.messages("param") if layer.version == 2 else []
        for param in params if any(_shares(param) for param in params) else ():
            yield param, [*param.all("lr_mult"), *param.all("decay_mult")]
        for part, fillers in _fillers(layer):
            yield part, fillers


def _fillers(layer: Layer) -> Iterator[Tuple[Message, List[Node]]]:
    for name in layer.param_names():
        for part in layer.message.messages(name):
            yield part, [node for node in part if isinstance(node, Message) and _is_filler(node)]


def _is_filler(node: Message) -> bool:
    return node.name.endswith("filler") and node.name != "data_filler"


def _frozen(layer: Layer) -> bool:
    """Whether fillers are the weights themselves, because nothing trains them: all learning rates are 0."""
    if layer.version == 1:
        rates = layer.message.numbers("blobs_lr")
    else:
        rates = [param.number("lr_mult", 1.0) for param in layer.message.messages("param")]
    return bool(rates) and not any(rates) and any(fillers for _, fillers in _fillers(layer))
