"""Shape inference that knows custom layers too."""

from __future__ import annotations

from typing import List, Mapping, Optional, Sequence

from prototools.dialects import TYPES, output_shape
from prototools.dialects.reading import Context, Shape
from prototools.net import FilteredNet, Layer
from prototools.shapes import Inference, infer


def infer_custom(
    net: FilteredNet, shapes: Mapping[str, Sequence[int]], wanted: Sequence[str] = ()
) -> Inference:
    """The shapes of every blob of a net, custom resize layers included.

    `shapes` gives or overrides shapes of blobs; `wanted` names dialects for ambiguous layers.
    """

    def custom(layer: Layer, bottoms: Sequence[Shape]) -> Optional[List[Shape]]:
        if layer.type not in TYPES or not bottoms:
            return None
        shape = output_shape(Context(layer, bottoms, net), wanted)
        return None if shape is None else [shape]

    return infer(net, shapes, custom)
