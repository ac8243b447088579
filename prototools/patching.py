"""The weights that go with a rewrite: every layer it made is entered in the caffemodel, filled.

Engines that run no fillers (OpenCV), and Caffes whose bilinear filler is the old one, need them.
"""

from __future__ import annotations

from array import array
from sys import byteorder
from typing import Dict, List, Optional, Sequence, Tuple

from prototools import weights
from prototools.changes import Result
from prototools.matrices import Weights
from prototools.net import Layer, Net
from prototools.prototext import parse
from prototools.tracing import bilinear_taps


def patch_weights(result: Result, source: str, target: str) -> bool:
    """Write the caffemodel of a rewritten net; true where the target changed.

    Entries of replaced layers give their place to those of the new layers; all other bytes stay.
    Raises `WeightsError` for a file that is no whole caffemodel, and writes nothing then.
    """
    return weights.patch(source, target, replaced_layers(result))


def belongs_to(result: Result, source: str) -> bool:
    """Whether a caffemodel has weights for a layer that stays in the net, or has none at all."""
    kept = {layer.name for layer in _net(result).layers} - {name for one in result.changes for name in one.new_layers}
    with weights.Caffemodel(source) as model:
        entered = {entry.name for entry in model.entries if entry.blobs}
    return not entered or bool(entered & kept)


def replaced_layers(result: Result) -> Dict[str, List[weights.NewLayer]]:
    """The new layers that have blobs, by the name of the layer they replace."""
    layers = {layer.name: layer for layer in _net(result).layers}
    replaced: Dict[str, List[weights.NewLayer]] = {}
    for change in result.changes:
        # A layer of the same name that stays keeps its entry; the new layers then stand at the end.
        place = replaced.setdefault(change.layer if change.layer not in layers else f"{change.layer}/", [])
        made = (layers[name] for name in change.new_layers)
        place += [_entered(layer, change.matrices.get(layer.name)) for layer in made if layer.type in weights.V1_TYPES]
    return replaced


def _net(result: Result) -> Net:
    text = result.text.encode("utf-8", "surrogateescape") if isinstance(result.text, str) else result.text
    return Net(parse(text, placeholders=True))


def _entered(layer: Layer, matrix: Optional[Weights]) -> weights.NewLayer:
    if matrix is None:
        return _filled(layer)
    return weights.NewLayer(layer.name, layer.type, [(matrix.shape, _floats(matrix.values()))])


def _floats(values: Sequence[float]) -> bytes:
    """Numbers as a caffemodel stores them."""
    stored = array("f", values)
    if byteorder == "big":
        stored.byteswap()
    return stored.tobytes()


def _filled(layer: Layer) -> weights.NewLayer:
    """A Convolution or Deconvolution that treats each channel alone, as its filler would fill it."""
    param = layer.param("convolution_param")
    outputs = param.integer("num_output")
    height, width = (param.integer("kernel_size", param.integer(f"kernel_{side}")) for side in "hw")
    kernel = _floats(_kernel(param, height, width))
    return weights.NewLayer(layer.name, layer.type, [((outputs, 1, height, width), kernel * outputs)])


def _kernel(param, height: int, width: int) -> List[float]:
    filler = param.message("weight_filler")
    if filler.string("type") == "constant":
        return [filler.number("value")] * (height * width)
    rows, columns = _taps(height), _taps(width)
    return [row * column for row in rows for column in columns]


def _taps(kernel: int) -> Tuple[float, ...]:
    numerators, denominator = bilinear_taps(kernel)
    return tuple(numerator / denominator for numerator in numerators)
