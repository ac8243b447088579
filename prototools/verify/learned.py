"""The learned blobs of both sides of a region: those of caffemodels, or the same noise on both sides."""

from __future__ import annotations

from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from prototools import weights
from prototools.dialects.shapes import infer_custom
from prototools.engines.inputs import noise
from prototools.errors import EngineError
from prototools.net import FilteredNet
from prototools.verify.verdict import Unlike, by

Blobs = Dict[str, List[np.ndarray]]

#: The message that a learning layer keeps its filler in.
FILLED_BY = {"Convolution": "convolution_param", "Deconvolution": "convolution_param",
             "InnerProduct": "inner_product_param"}


class Learned:
    """The blobs of two caffemodels by layer name; the second may be left out if it is the first."""

    def __init__(self, before: Optional[str], after: Optional[str], seed: int):
        self.before: Blobs = weights.read(before) if before else {}
        self.after: Blobs = weights.read(after) if after else self.before
        self.seed = seed

    def of(self, before: FilteredNet, after: FilteredNet, shapes: Mapping[str, Sequence[int]],
           dialects: Sequence[str]) -> Tuple[Blobs, Blobs]:
        """Learned blobs by layer name, for both sides of a region; the new layers' are left to their fillers.

        Raises `EngineError` where those of the first side do not fit, `Unlike` where those of the second do not.
        """
        needed = [infer_custom(net, shapes, dialects).params for net in (before, after)]
        first = _fitted(before, self.before, needed[0], EngineError)
        second = _fitted(after, self.after, needed[1], Unlike)
        for name, wanted in needed[0].items():
            if name not in first and needed[1].get(name) == wanted and name in second:
                first[name] = second[name]
            elif name not in first:
                first[name] = [noise(shape, f"{name}/{i}/{self.seed}") for i, shape in enumerate(wanted)]
                if needed[1].get(name) == wanted:
                    second[name] = first[name]
        return first, second


def unfilled(net: FilteredNet, params: Blobs) -> Iterator[str]:
    """The layers whose weights nobody gives."""
    for layer in net.layers:
        own = FILLED_BY.get(layer.type)
        if own and layer.name not in params and not layer.param(own).has("weight_filler"):
            yield f"{layer.name} has no weight_filler, so its weights are 0; give --weights-after"


def _fitted(net: FilteredNet, blobs: Blobs, needed: Mapping[str, Sequence], error: type) -> Blobs:
    """A net's learned blobs from a caffemodel, in the shapes that its layers need (net.cpp, CopyTrainedLayersFrom)."""
    found: Blobs = {}
    for layer in net.layers:
        given, wanted = blobs.get(layer.name), needed.get(layer.name)
        if not given:
            continue
        if wanted is None or any(None in shape for shape in wanted):
            found[layer.name] = given
        elif [_without_ones(blob.shape) for blob in given] != [_without_ones(shape) for shape in wanted]:
            shapes = [" and ".join(map(by, some)) or "none" for some in (wanted, [blob.shape for blob in given])]
            raise error(f"the weights of {layer.name!r} must be {shapes[0]}, but in the caffemodel are {shapes[1]}")
        else:
            found[layer.name] = [blob.reshape(shape) for blob, shape in zip(given, wanted)]
    return found


def _without_ones(shape: Sequence[int]) -> Tuple[int, ...]:
    """A shape without leading ones: old files have four dims for every blob."""
    dims = list(shape)
    while dims and dims[0] == 1:
        dims.pop(0)
    return tuple(dims)
