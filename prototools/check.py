"""What will go wrong when Caffe loads a network and its weights, and the cure for each."""

from __future__ import annotations

from contextlib import suppress
from typing import Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from prototools.conformance import LAYERS, Misfit, kind_of, misfits
from prototools.decisions import Decisions
from prototools.dialects import TYPES
from prototools.dialects.shapes import infer_custom
from prototools.errors import ProtoTextError, named
from prototools.layer_types import RESIZE_TYPES, STOCK_TYPES
from prototools.net import FilteredNet, Layer, Net, NetState
from prototools.prototext import Message
from prototools.prototext.places import place_of
from prototools.rewriter import NO_WISHES
from prototools.shapes import Inference
from prototools.shapes.blob import Shape, words
from prototools.weights import Caffemodel, Entry


class Finding(NamedTuple):
    """One thing that will go wrong: where in the net, what, and what to do; no place is the weights'."""

    line: Optional[int]
    layer: str
    problem: str
    cure: str

    def __str__(self) -> str:
        place = "" if self.line is None else f"{self.line}: "
        return f"{place}{named(self.layer)}: {self.problem}; {self.cure}"


def check(
    net: Net, weights: Optional[str] = None, shapes: Optional[Mapping[str, Sequence[int]]] = None, phase: str = "TEST",
    *, stages: Iterable[str] = (), level: int = 0,
) -> List[Finding]:
    """Everything that is wrong with a net in one phase, and with its caffemodel if there is one.

    `shapes` gives blobs (N, C, H, W) that the file does not tell; `stages` and `level` are the rest of the
    state that the layers' rules are compared with.
    Raises `ProtoTextError` for a field that cannot be read, `WeightsError` for a broken caffemodel.
    """
    filtered = net.filtered(NetState(phase, level, tuple(stages)))
    inference = infer_custom(filtered, shapes or {})
    found = [*_types(filtered, shapes or {}), *_fields(net)]
    said = {(finding.line, finding.problem) for finding in found}
    found += (one for one in _refusals(filtered, inference) if (one.line, one.problem) not in said)
    if weights is None:
        return found + list(_fillers(filtered, set()))
    with Caffemodel(weights) as model:
        entered = {entry.name for entry in model.entries if entry.blobs}
        found += _fillers(filtered, entered)
        found += _unmatched(filtered, inference, model)
        return found + list(_misfits(filtered, inference, model))


def is_foreign(net: FilteredNet) -> bool:
    """Whether a net has layers or fields that stock Caffe does not have, so that it is for another Caffe."""
    return any(layer.foreign for layer in net.layers) or any(misfit.unknown for _, misfit in _stops(net.net))


def _finding(layer: Layer, problem: str, cure: str) -> Finding:
    line, _ = place_of(layer.message.data, layer.message.start)
    return Finding(line, layer.name, problem, cure)


# ---------------------------------------------------------------- the net alone


def _types(net: FilteredNet, shapes: Mapping[str, Sequence[int]]) -> Iterator[Finding]:
    """Layer types that stock Caffe does not have; what `rewrite` would make of them is asked of it."""
    foreign = [layer for layer in net.layers if layer.foreign]
    refused: Dict[Tuple[int, str], str] = {}
    if any(layer.type in RESIZE_TYPES for layer in foreign):
        # A field that cannot be read is a finding of its own.
        with suppress(ProtoTextError):
            refusals = Decisions(net.net, shapes, filler_safe=False, weights=False, **NO_WISHES).refusals
            refused = {(one.line, one.layer): f"prototools rewrite refuses it: {one.reason}" for one in refusals}
    for layer in foreign:
        usual = "prototools rewrite replaces it" if layer.type in TYPES else "it needs the Caffe it was written for"
        line, _ = place_of(layer.message.data, layer.message.start)
        yield _finding(layer, f"{layer.type} is no layer of stock Caffe", refused.get((line, layer.name), usual))


def _fields(net: Net) -> Iterator[Finding]:
    """Fields and values at which stock Caffe stops reading the file, whatever the phase."""
    return (Finding(misfit.line, name, misfit.problem, misfit.cure) for name, misfit in _stops(net))


def _stops(net: Net) -> Iterator[Tuple[str, Misfit]]:
    """Each with the name of its layer; the fields of a layer that stock Caffe does not have are its fork's."""
    layers = {layer.message.start: layer for layer in net.layers}
    for node in net.document:
        layer = layers.get(node.start) if isinstance(node, Message) else None
        if layer is not None:
            stock = layer.type in STOCK_TYPES or layer.version == 0
            name = "LayerParameter" if layer.version == 2 else "V1LayerParameter"
            # The name of a fork's V1 type is none of stock Caffe's, which is said already.
            for misfit in misfits(layer.message, name, stock, () if stock else ("type",)):
                yield layer.name, misfit
    for misfit in misfits(net.document, kind_of(net.document), leave=LAYERS):
        yield "net", misfit


def _refusals(net: FilteredNet, inference: Inference) -> Iterator[Finding]:
    """What Caffe would refuse when it builds the net."""
    elsewhere = {blob for layer in net.net.layers if layer not in net for blob in layer.tops}
    unmade = tuple(f"unknown bottom blob {blob!r}" for _, blob in net.unknown_bottoms() if blob in elsewhere)
    for error in inference.errors:
        layer, _, sentence = error.message.partition(": ")
        cure = "Caffe stops there when it builds the net"
        if sentence.startswith(unmade):
            cure += "; a layer of another state makes it, see --phase, --stage and --level"
        yield Finding(error.line, layer, sentence or error.message, cure)


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
