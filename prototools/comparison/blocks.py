"""Our exact blocks for each of the compared upsamplings, ready for an engine."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Tuple

import numpy as np

from prototools import engines, lowerings, upsample
from prototools.comparison.maps import CORNERS, HALF, SKIMAGE, Map
from prototools.lowerings import Choices
from prototools.lowerings.request import ResizeRequest
from prototools.net import Net
from prototools.placement import place
from prototools.sampling import ALIGN_CORNERS

#: The layer whose place a block takes.
STAND_IN = b'layer {\n  name: "up"\n  type: "Interp"\n  bottom: "data"\n  top: "up"\n}\n'


class Prepared(NamedTuple):
    """A block for a map: the task that runs it, its layers' types, and the call that builds it."""

    map: Map
    task: engines.Task
    layers: Tuple[str, ...]
    call: str


def recipe(data: np.ndarray, factor: int) -> Prepared:
    """Caffe's own recipe, which is the block for skimage's rescale: the article's network."""
    spec = upsample.create_upsample_net(data.shape, factor)
    task = engines.Task(str(spec.to_proto()).encode(), {"data": data}, {}, ["conv"])
    return Prepared(SKIMAGE, task, ("Deconvolution",), f"upsample.bilinear(x, {factor})")


def exact_block(data: np.ndarray, factor: int, target: Map) -> Prepared:
    """The block that the rewriter would put for a map, with weights where fillers alone would be far slower."""
    request = ResizeRequest(target.resize(factor), "data", data.shape[1], (data.shape[2], data.shape[3]))
    block = lowerings.lower(request, Choices(weights=True)).block
    net = Net(STAND_IN)
    placed = place(net.layers[0], block, {"data", "up"})
    params: Dict[str, List[np.ndarray]] = {
        name: [np.reshape(layer.matrix.values(), layer.matrix.shape)]
        for name, layer in zip(placed.layer_names, block.layers) if layer.matrix is not None
    }
    text = engines.headers({"data": data.shape}) + placed.text(net.document) + b"\n"
    types = tuple(layer.type for layer in block.layers)
    return Prepared(target, engines.Task(text, {"data": data}, params, ["up"]), types, _call(target, factor, block))


def _call(target: Map, factor: int, block) -> str:
    if block.needs_weights:
        return "prototools rewrite --weights"
    if target.sampling == ALIGN_CORNERS:
        return "upsample.resize(x, size=..., mode=\"bilinear\", align_corners=True)"
    return f'upsample.resize(x, scale={factor}, mode="bilinear")'


def prepared(data: np.ndarray, factor: int) -> List[Prepared]:
    """A block for every target: the recipe itself, then one for each of PyTorch's two."""
    return [recipe(data, factor), *(exact_block(data, factor, target) for target in (HALF, CORNERS))]
