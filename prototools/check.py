"""What will go wrong when Caffe loads a network and its weights, and the cure for each."""

from __future__ import annotations

from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from prototools import schema
from prototools.dialects import TYPES
from prototools.dialects.shapes import infer_custom
from prototools.net import FilteredNet, Layer, Net, NetState
from prototools.prototext import Message
from prototools.prototext.places import place_of
from prototools.shapes import Inference
from prototools.shapes.blob import Shape, words
from prototools.stock import STOCK_TYPES
from prototools.weights import Caffemodel, Entry


class Finding(NamedTuple):
    """One thing that will go wrong: where in the net, what, and what to do; no place is the weights'."""

    line: Optional[int]
    layer: str
    problem: str
    cure: str

    def __str__(self) -> str:
        place = "" if self.line is None else f"{self.line}: "
        return f"{place}{self.layer}: {self.problem}; {self.cure}"


def check(
    net: Net, weights: Optional[str] = None, shapes: Optional[Mapping[str, Sequence[int]]] = None, phase: str = "TEST"
) -> List[Finding]:
    """Everything that is wrong with a net in one phase, and with its caffemodel if there is one.

    `shapes` gives blobs (N, C, H, W) that the file does not tell.
    Raises `ProtoTextError` for a field that cannot be read, `WeightsError` for a broken caffemodel.
    """
    filtered = net.filtered(NetState(phase))
    inference = infer_custom(filtered, shapes or {})
    found = [*foreign(filtered), *_refusals(filtered, inference)]
    if weights is None:
        return found + list(_fillers(filtered, set()))
    with Caffemodel(weights) as model:
        entered = {entry.name for entry in model.entries if entry.blobs}
        found += _fillers(filtered, entered)
        found += _unmatched(filtered, inference, model)
        return found + list(_misfits(filtered, inference, model))


def foreign(net: FilteredNet) -> Iterator[Finding]:
    """Layers and fields that stock Caffe does not have: the net is for another Caffe, with rules of its own."""
    yield from _types(net)
    yield from _fields(net)


def _finding(layer: Layer, problem: str, cure: str) -> Finding:
    line, _ = place_of(layer.message.data, layer.message.start)
    return Finding(line, layer.name, problem, cure)


# ---------------------------------------------------------------- the net alone


def _types(net: FilteredNet) -> Iterator[Finding]:
    """Layer types that stock Caffe does not have."""
    for layer in net.layers:
        if layer.version > 0 and layer.type and layer.type not in STOCK_TYPES:
            cure = "prototools rewrite replaces it" if layer.type in TYPES else "it needs the Caffe it was written for"
            yield _finding(layer, f"{layer.type} is no layer of stock Caffe", cure)


def _fields(net: FilteredNet) -> Iterator[Finding]:
    """Fields of stock layers that stock Caffe does not have, at which it stops reading the file."""
    names = {2: "LayerParameter", 1: "V1LayerParameter", 0: "V1LayerParameter"}
    for layer in net.layers:
        if layer.type in STOCK_TYPES or layer.version == 0:
            descriptor = schema.message(names[layer.version]).DESCRIPTOR
            for path, hint in _unknown(layer.message, descriptor, ""):
                yield _finding(layer, f"stock Caffe knows no field {path}", f"take it out{hint}")


def _unknown(message: Message, descriptor, path: str) -> Iterator[Tuple[str, str]]:
    """The fields that a message's descriptor does not have, with the name that may be meant."""
    known = schema.fields(descriptor)
    for node in message:
        field = known.get(node.name)
        if field is None:
            near = schema.did_you_mean(node.name, known)
            yield path + node.name, f" ({near.lstrip('; ')})" if near else ""
        elif isinstance(node, Message) and field.message_type is not None:
            yield from _unknown(node, field.message_type, f"{path}{node.name}.")


def _refusals(net: FilteredNet, inference: Inference) -> Iterator[Finding]:
    """What Caffe would refuse when it builds the net."""
    for error in inference.errors:
        layer, _, sentence = error.message.partition(": ")
        yield Finding(error.line, layer, sentence or error.message, "Caffe stops there when it builds the net")


def _fillers(net: FilteredNet, entered: Set[str]) -> Iterator[Finding]:
    """Deconvolutions whose weights come from fillers, where that goes wrong."""
    for layer in net.layers:
        param = layer.param("convolution_param")
        if layer.type != "Deconvolution" or layer.name in entered:
            continue
        filler, kernel = param.message("weight_filler"), (param.integers("kernel_size") or [0])[0]
        if filler.string("type", "constant") == "constant" and filler.number("value") == 0:
            yield _finding(layer, "its filler is the constant 0, so it gives zeros", "give weight_filler or weights")
        elif filler.string("type") == "bilinear":
            yield from _bilinear(layer, param, kernel)
        yield _finding(layer, "OpenCV crashes on a Deconvolution without weights, because it runs no fillers",
                       "prototools rewrite --weights enters those it makes")


def _bilinear(layer: Layer, param: Message, kernel: int) -> Iterator[Finding]:
    outputs, group = param.integer("num_output"), param.integer("group", 1)
    if outputs > 1 and group == 1:
        yield _finding(layer, "with group 1 the bilinear filler mixes all channels", f"write group: {outputs}")
    if kernel % 4 == 3:
        yield _finding(layer, f"Caffe 1.0 and older fill a bilinear kernel of {kernel} off centre",
                       "use a newer Caffe, weights, or --filler-safe")


# ---------------------------------------------------------------- with its weights


def _unmatched(net: FilteredNet, inference: Inference, model: Caffemodel) -> Iterator[Finding]:
    """Layers without weights, and weights without layers."""
    entries = {entry.name for entry in model.entries}
    for layer in net.layers:
        if inference.params.get(layer.name) and layer.name not in entries:
            yield _finding(layer, "no weights for it in the file", "it starts from its fillers; rename it, or add them")
    names = {layer.name for layer in net.net.layers}
    for entry in model.entries:
        if entry.blobs and entry.name not in names:
            yield Finding(None, entry.name, "weights for a layer that the net does not have", "Caffe ignores them")


def _misfits(net: FilteredNet, inference: Inference, model: Caffemodel) -> Iterator[Finding]:
    """Weights that Caffe aborts on: another number of blobs, or other shapes (net.cpp, CopyTrainedLayersFrom)."""
    layers: Dict[str, Layer] = {layer.name: layer for layer in net.layers}
    for entry in model.entries:
        layer = layers.get(entry.name)
        wanted = None if layer is None else inference.params.get(entry.name, _none(layer))
        if layer is not None and wanted is not None:
            yield from _misfit(layer, wanted, entry, model)


def _none(layer: Layer) -> Optional[List[Shape]]:
    """A stock layer without learned blobs has none; of a custom one nothing is known."""
    return [] if layer.type in STOCK_TYPES and layer.type != "Python" else None


def _misfit(layer: Layer, wanted: Sequence[Shape], entry: Entry, model: Caffemodel) -> Iterator[Finding]:
    if len(wanted) != len(entry.blobs):
        yield _finding(layer, f"it has {len(wanted)} blobs, but the file has {len(entry.blobs)}: Caffe aborts",
                       "rename the layer, or patch the weights")
        return
    for number, (shape, blob) in enumerate(zip(wanted, entry.blobs)):
        stored, legacy = model.shape(blob)
        if not _fits(shape, stored, legacy):
            problem = f"its blob {number} is {words(shape)}, but the file's is {words(stored)}: Caffe aborts"
            yield _finding(layer, problem,
                           "these are another net's weights, or the layer was changed")


def _fits(shape: Shape, stored: Tuple[int, ...], legacy: bool) -> bool:
    """Caffe compares four old dims with a shape filled up by ones in front (blob.cpp, ShapeEquals)."""
    if shape is None:
        return True
    padded = (1,) * (4 - len(shape)) + shape if legacy else shape
    return len(padded) == len(stored) and all(a is None or a == b for a, b in zip(padded, stored))
