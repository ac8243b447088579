"""The Caffe view of a lossless tree: layers, blobs, phases, and who feeds whom.

The view is thin. It reads names and wires from the tree, changes nothing and decodes no parameter
before somebody asks. Layers of the current form (`layer`), of the old form (`layers`, "V1") and of
the oldest (`layers { layer { } }`, "V0") look alike; V1's types are given in their current spelling.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple, Union

from prototools.errors import ProtoTextError, named
from prototools.layer_types import STOCK_TYPES
from prototools.prototext import Document, Message, parse

#: The V1 enumeration beside the current type names (caffe.proto V1LayerParameter, upgrade_proto.cpp).
V1_TYPES: Dict[str, str] = {
    "ABSVAL": "AbsVal",
    "ACCURACY": "Accuracy",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData",
    "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "EXP": "Exp",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "MVN": "MVN",
    "NONE": "",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
    "THRESHOLD": "Threshold",
    "WINDOW_DATA": "WindowData",
}

#: The numbers of the V1 enumeration, which a file may write instead of the names.
V1_NUMBERS: Tuple[str, ...] = (
    "NONE ACCURACY BNLL CONCAT CONVOLUTION DATA DROPOUT EUCLIDEAN_LOSS FLATTEN HDF5_DATA HDF5_OUTPUT "
    "IM2COL IMAGE_DATA INFOGAIN_LOSS INNER_PRODUCT LRN MULTINOMIAL_LOGISTIC_LOSS POOLING RELU SIGMOID "
    "SOFTMAX SOFTMAX_LOSS SPLIT TANH WINDOW_DATA ELTWISE POWER SIGMOID_CROSS_ENTROPY_LOSS HINGE_LOSS "
    "MEMORY_DATA ARGMAX THRESHOLD DUMMY_DATA SLICE MVN ABSVAL SILENCE CONTRASTIVE_LOSS EXP DECONVOLUTION"
).split()  # type: ignore[assignment]


class NetState(NamedTuple):
    """What Caffe compares `include` and `exclude` rules with."""

    phase: str = "TEST"
    level: int = 0
    stages: Tuple[str, ...] = ()


class Layer:
    """One layer of any form: its wires, its rules, and the message it was read from.

    `type` is the current spelling (`Convolution`) wherever Caffe knows the type; a fork's V1 name
    stays as it is written (`INTERP`), and so do V0's (`conv`), whose parameters lie elsewhere.
    `version` is 2 for `layer`, 1 for `layers`, 0 for V0.
    """

    __slots__ = ("message", "version", "name", "type", "bottoms", "tops")

    def __init__(self, message: Message):
        self.message = message
        inner = message.all("layer") if message.name == "layers" else []
        self.version = 2 if message.name == "layer" else 0 if inner else 1
        own = inner[0] if inner and isinstance(inner[0], Message) else message
        self.name = own.string("name")
        self.type = _type(own, self.version)
        self.bottoms = message.strings("bottom")
        self.tops = message.strings("top")

    @property
    def kind(self) -> str:
        """What the layer does: its type, and for a Python layer its class, as `Python:module.class`."""
        if self.type != "Python":
            return self.type
        own = self.param("python_param")
        return f"Python:{own.string('module')}.{own.string('layer')}"

    @property
    def foreign(self) -> bool:
        """Whether the layer is of a type that stock Caffe does not have; V0's names are all its own."""
        return self.version > 0 and self.type != "" and self.type not in STOCK_TYPES

    @property
    def parameters(self) -> Message:
        """The message that holds the parameters: the layer itself, or V0's inner `layer`."""
        return self.message.messages("layer")[0] if self.version == 0 else self.message

    def param(self, name: str) -> Message:
        """A parameter message such as `convolution_param`; an empty one where it is not written."""
        return self.message.message(name)

    def param_names(self) -> List[str]:
        """The names of the parameter messages that are written (all but `param` itself)."""
        return [name for name in self.message.names() if name.endswith("_param")]

    def in_state(self, state: NetState) -> bool:
        """Whether Caffe would keep this layer in a net of that state (net.cpp, FilterNet).

        Raises `ProtoTextError` where both `include` and `exclude` are given.
        """
        include, exclude = self.message.messages("include"), self.message.messages("exclude")
        if include and exclude:
            raise self.error("give either include rules or exclude rules, not both")
        if include:
            return any(_meets(state, rule) for rule in include)
        return not any(_meets(state, rule) for rule in exclude)

    def error(self, sentence: str) -> ProtoTextError:
        """An error that names this layer and its place in the file."""
        return self.message.error(f"{named(self.name)}: {sentence}")

    def __repr__(self) -> str:
        return f"Layer({self.name!r}, {self.type}, {self.bottoms} -> {self.tops})"


def _type(own: Message, version: int) -> str:
    if version != 1:
        return own.string("type")
    if own.one("type") is None:
        return ""
    node = own.scalars("type")[0]
    # Some files quote the V1 name, which Caffe refuses, but what is meant is plain.
    quoted = node.literal[:1] in (b'"', b"'")
    written = own.string("type") if quoted else own.word("type")
    if written.isdigit() and int(written) < len(V1_NUMBERS):
        written = V1_NUMBERS[int(written)]
    return V1_TYPES.get(written, written)


def _meets(state: NetState, rule: Message) -> bool:
    """Whether a state meets one NetStateRule (net.cpp, StateMeetsRule)."""
    phase = rule.word("phase", state.phase)
    if {"0": "TRAIN", "1": "TEST"}.get(phase, phase) != state.phase:
        return False
    if state.level < rule.integer("min_level", state.level):
        return False
    if state.level > rule.integer("max_level", state.level):
        return False
    if any(stage not in state.stages for stage in rule.strings("stage")):
        return False
    return not any(stage in state.stages for stage in rule.strings("not_stage"))


def _ends(rule: Message) -> List[int]:
    """The last level that meets a rule and the next one that does not, at both ends of its range."""
    least, most = rule.integer("min_level"), rule.integer("max_level")
    return [least, least - 1] * rule.has("min_level") + [most, most + 1] * rule.has("max_level")


class Source(NamedTuple):
    """Where a bottom comes from: a layer's top, or an `input:` header where `layer` is None."""

    layer: Optional[Layer]
    top: int


class Net:
    """A network read from a document: all layers of all phases, in the order of the file."""

    def __init__(self, document: Union[Document, bytes]):
        self.document = document if isinstance(document, Document) else parse(document)
        self.layers = [
            Layer(node)
            for node in self.document.children
            if node.name in ("layer", "layers")
        ]
        # A second net name is a fault that changes nothing: the last one counts.
        self.name = (self.document.strings("name") or [""])[-1]

    def inputs(self) -> List[Tuple[str, Optional[List[Optional[int]]]]]:
        """The `input:` headers, each with its shape from `input_shape` or `input_dim`, or None.

        `input_dim` counts in groups of four; a header without enough of them has no shape.
        """
        names = self.document.strings("input")
        shapes = [shape.dims("dim") for shape in self.document.messages("input_shape")]
        dims = self.document.dims("input_dim")
        if not shapes:
            shapes = [dims[i : i + 4] for i in range(0, len(dims) // 4 * 4, 4)]
        return [(name, shapes[i] if i < len(shapes) else None) for i, name in enumerate(names)]

    def states(self) -> List[NetState]:
        """Every state worth a look: both phases, with what each rule names and with what just fails it.

        Stages are tried one by one and as the rules join them, levels at the ends of their ranges.
        """
        stages: Dict[Tuple[str, ...], None] = {(): None}
        levels: Dict[int, None] = {0: None}
        for layer in self.layers:
            for rule in layer.message.messages("include") + layer.message.messages("exclude"):
                wanted = rule.strings("stage")
                stages.update(dict.fromkeys((stage,) for stage in wanted + rule.strings("not_stage")))
                stages[tuple(wanted)] = None
                levels.update(dict.fromkeys(_ends(rule)))
        return [
            NetState(phase, level, joined)
            for phase in ("TEST", "TRAIN") for joined in stages for level in levels
        ]

    def filtered(self, state: NetState = NetState()) -> FilteredNet:
        """The net that Caffe would build in one state.

        Stages that the file gives itself (`state { stage: "deploy" }`) are added, as Caffe does;
        its phase and level give way to those of `state` (net.cpp, Net's constructor from a file).
        """
        own = self.document.message("state").strings("stage")
        stages = tuple(dict.fromkeys([*state.stages, *own]))
        return FilteredNet(self, state._replace(stages=stages))


class FilteredNet:
    """One net in one state: the layers that remain and the wires between them.

    `also` are layers that stay whatever their rules say.
    `problems` are sentences about wires that Caffe would refuse: (layer, sentence).
    """

    def __init__(self, net: Net, state: NetState, also: Iterable[Layer] = ()):
        self.net = net
        self.state = state
        self.layers = [layer for layer in net.layers if layer in also or layer.in_state(state)]
        self.problems: List[Tuple[Layer, str]] = []
        self._sources: Dict[int, List[Optional[Source]]] = {}
        self._consumers: Dict[Tuple[int, int], List[Tuple[Layer, int]]] = {}
        self._wire()

    def _wire(self) -> None:
        latest = {name: Source(None, i) for i, (name, _) in enumerate(self.net.inputs())}
        for layer in self.layers:
            self._sources[id(layer)] = [latest.get(blob) for blob in layer.bottoms]
            for index, (blob, source) in enumerate(zip(layer.bottoms, self.sources(layer))):
                if source is None:
                    self.problems.append((layer, f"unknown bottom blob {blob!r} (bottom {index})"))
                else:
                    self._consumers.setdefault(_key(source), []).append((layer, index))
            for index, blob in enumerate(layer.tops):
                in_place = index < len(layer.bottoms) and layer.bottoms[index] == blob
                if blob in latest and not in_place:
                    self.problems.append((layer, f"top blob {blob!r} is produced by another layer too"))
                latest[blob] = Source(layer, index)

    def sources(self, layer: Layer) -> List[Optional[Source]]:
        """Where each bottom of a layer comes from; None for a bottom that nobody makes."""
        return self._sources[id(layer)]

    def consumers(self, layer: Optional[Layer], top: int) -> List[Tuple[Layer, int]]:
        """Who reads a top (of a layer, or of the `input:` header with that index)."""
        return self._consumers.get((id(layer), top), [])

    def unknown_bottoms(self) -> List[Tuple[Layer, str]]:
        """The layers with a bottom that nobody makes, each with the blob's name."""
        return [
            (layer, blob)
            for layer in self.layers
            for blob, source in zip(layer.bottoms, self.sources(layer))
            if source is None
        ]

    def outputs(self) -> List[str]:
        """The blobs that nobody reads, in alphabetical order as Caffe lists them."""
        made = [(None, i, blob) for i, (blob, _) in enumerate(self.net.inputs())]
        made += [(layer, i, blob) for layer in self.layers for i, blob in enumerate(layer.tops)]
        return sorted({blob for layer, i, blob in made if not self.consumers(layer, i)})

    def __contains__(self, layer: Layer) -> bool:
        return id(layer) in self._sources


def _key(source: Source) -> Tuple[int, int]:
    return id(source.layer), source.top


def blob_names(layers: Iterable[Layer]) -> List[str]:
    """Every blob that some layer reads or writes, each once, in order."""
    return list(dict.fromkeys(blob for layer in layers for blob in layer.bottoms + layer.tops))
