"""The copies that Caffe makes of a blob with several readers (insert_splits.cpp)."""

from __future__ import annotations

from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from prototools.net import FilteredNet, Layer
from prototools.shapes.blob import Shape
from prototools.shapes.infer import Inference, weighed


class Split(NamedTuple):
    """The layer that copies one blob: top `index` of `maker`, which is None for an `input:` header.

    The first copy is the loss's where the blob is `weighed`; the others go to the readers, in their order.
    """

    maker: Optional[Layer]
    index: int
    blob: str
    weighed: bool
    copies: List[str]

    @property
    def name(self) -> str:
        """The Split layer's name."""
        return _name(self.blob, self.maker, self.index)


def splits(net: FilteredNet) -> Iterator[Split]:
    """Every Split that Caffe puts in, in the order of the layers that make the blobs.

    A blob gets one copy for each reader, and one where it has a loss_weight, if that makes more than one.
    """
    for maker, index, blob in _tops(net):
        loss = weighed(maker, index)
        uses = len(net.consumers(maker, index)) + loss
        if uses > 1:
            name = _name(blob, maker, index)
            yield Split(maker, index, blob, loss, [f"{name}_{number}" for number in range(uses)])


def split_blobs(net: FilteredNet, inference: Inference) -> Dict[str, Shape]:
    """Every copy by the name Caffe gives it, `BLOB_LAYER_INDEX_split_NUMBER`, with the blob's shape."""
    return {copy: _shape(split, inference) for split in splits(net) for copy in split.copies}


def _shape(split: Split, inference: Inference) -> Shape:
    return inference.blobs[split.blob] if split.maker is None else inference.tops(split.maker)[split.index]


def _name(blob: str, maker: Optional[Layer], index: int) -> str:
    """A blob of an `input:` header comes from a layer named `input`."""
    return f"{blob}_{'input' if maker is None else maker.name}_{index}_split"


def _tops(net: FilteredNet) -> Iterator[Tuple[Optional[Layer], int, str]]:
    for index, (blob, _) in enumerate(net.net.inputs()):
        yield None, index, blob
    for layer in net.layers:
        for index, blob in enumerate(layer.tops):
            yield layer, index, blob
