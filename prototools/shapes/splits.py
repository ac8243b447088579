"""The copies that Caffe makes of a blob with several readers (insert_splits.cpp)."""

from __future__ import annotations

from typing import Dict, Iterator, Tuple

from prototools.net import FilteredNet
from prototools.shapes.blob import Shape
from prototools.shapes.infer import Inference


def split_blobs(net: FilteredNet, inference: Inference) -> Dict[str, Shape]:
    """Every copy by the name Caffe gives it, `BLOB_LAYER_INDEX_split_NUMBER`, with the blob's shape.

    A blob gets one copy for each reader, and one where it has a loss_weight, if that makes more than
    one. A blob of an `input:` header comes from a layer named `input`.
    """
    copies: Dict[str, Shape] = {}
    for layer, blob, index, shape in _tops(net, inference):
        uses = len(net.consumers(layer, index)) + _weighed(layer, index)
        name = "input" if layer is None else layer.name
        if uses > 1:
            copies.update({f"{blob}_{name}_{index}_split_{i}": shape for i in range(uses)})
    return copies


def _tops(net: FilteredNet, inference: Inference) -> Iterator[Tuple]:
    for index, (blob, _) in enumerate(net.net.inputs()):
        yield None, blob, index, inference.blobs[blob]
    for layer in net.layers:
        for index, (blob, shape) in enumerate(zip(layer.tops, inference.tops(layer))):
            yield layer, blob, index, shape


def _weighed(layer, index: int) -> bool:
    weights = [] if layer is None else layer.message.numbers("loss_weight")
    return index < len(weights) and weights[index] != 0
