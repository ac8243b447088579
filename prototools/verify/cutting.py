"""A region as a network of its own."""

from __future__ import annotations

from typing import Dict, Mapping, Sequence, Tuple

import numpy as np

from prototools import engines
from prototools.dialects.shapes import infer_custom
from prototools.net import FilteredNet, Layer, Net, NetState
from prototools.prototext import parse
from prototools.prototext.style import literal
from prototools.prototext.values import string
from prototools.verify.regions import Region

Shape = Tuple[int, ...]

#: Regions with more input values than this are run with two images, where more are asked for.
LARGE = 1 << 20


def cut_out(layers: Sequence[Layer], shapes: Mapping[str, Shape], state: NetState) -> FilteredNet:
    """A net of some layers, as they are written, with the given blobs as inputs."""
    texts = (_without_tops(layer, shapes) for layer in layers)
    return Net(parse(engines.headers(shapes) + b"\n".join(texts) + b"\n")).filtered(state)


def _without_tops(layer: Layer, inputs: Mapping[str, Shape]) -> bytes:
    """A layer's text, with its tops renamed that have the names of inputs.

    That happens where a Pooling gives a mask, and its other top goes on in place before it comes back.
    """
    message, edits = layer.message, []
    for node in message.scalars("top"):
        name = string(node)
        if name in inputs and name not in layer.bottoms:
            edits.append((node.start - message.start, node.stop - message.start, literal(name + "/inside")))
    text = message.data[message.start : message.stop]
    for start, stop, new in reversed(edits):
        text = text[:start] + new + text[stop:]
    return text


def few_images(region: Region, shapes: Dict[str, Shape], state: NetState, dialects: Sequence[str]) -> Dict[str, Shape]:
    """Inputs of two images instead of many where there is much to compute and no layer minds."""
    images = {shape[0] for shape in shapes.values() if shape}
    if sum(map(_count, shapes.values())) <= LARGE or len(images) != 1 or max(images) <= 2:
        return shapes
    fewer = {name: (2,) + shape[1:] for name, shape in shapes.items() if shape}
    for layers in (region.before, region.after):
        found = infer_custom(cut_out(layers, fewer, state), fewer, dialects)
        tops = [found.blobs.get(name) for name in region.outputs]
        if found.errors or any(top is None or top[:1] != (2,) for top in tops):
            return shapes
    return fewer


def _count(shape: Sequence[int]) -> int:
    return int(np.prod(shape, dtype=int))
