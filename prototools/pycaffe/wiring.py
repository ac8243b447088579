"""A net's layers as Caffe builds them, with the Splits that it puts in, for `Net` to show."""

from __future__ import annotations

from typing import Dict, Iterator, List, NamedTuple, Tuple

from prototools.net import FilteredNet, Layer
from prototools.shapes import AUTOMATIC, Inference
from prototools.shapes.splits import Split, splits


class Step(NamedTuple):
    """One layer, with the blobs that it really reads and writes."""

    name: str
    type: str
    bottoms: List[str]
    tops: List[str]


def built(net: FilteredNet, found: Inference) -> List[Step]:
    """Every layer and, behind it, the Splits of its tops; each reader of such a top has a copy of its own.

    A loss without a top of a name has one called "(automatic)".
    """
    copied = {(id(split.maker), split.index): split for split in splits(net)}
    unread = {key: iter(split.copies[split.weighed:]) for key, split in copied.items()}
    steps = []
    for layer in net.layers:
        unnamed = len(found.tops(layer)) - len(layer.tops)
        steps.append(Step(layer.name, layer.type, _bottoms(net, layer, unread), layer.tops + [AUTOMATIC] * unnamed))
        steps += [_step(copied[id(layer), index]) for index in range(len(layer.tops)) if (id(layer), index) in copied]
    return steps


def _bottoms(net: FilteredNet, layer: Layer, unread: Dict[Tuple[int, int], Iterator[str]]) -> List[str]:
    sources = [(id(source.layer), source.top) if source else None for source in net.sources(layer)]
    return [next(unread[source]) if source in unread else blob for source, blob in zip(sources, layer.bottoms)]


def _step(split: Split) -> Step:
    return Step(split.name, "Split", [split.blob], split.copies)


def outputs(steps: List[Step]) -> List[str]:
    """The blobs that no layer reads, in alphabetical order; automatic ones are none (net.cpp, Init)."""
    waiting: Dict[str, None] = {}
    for step in steps:
        for blob in step.bottoms:
            waiting.pop(blob, None)
        waiting.update(dict.fromkeys(blob for blob in step.tops if blob != AUTOMATIC))
    return sorted(waiting)
