"""The losses and measurements of a net: what each of them judges, and which losses are auxiliary.

A loss is **auxiliary** where a heavier loss of the same type judges against the same target, as those of
GoogLeNet's and PSPNet's side branches do (0.3 and 0.4 beside 1), unless its prediction is made from the
heavier one's. Losses against other targets are other tasks, whatever they weigh, and a chain of
predictions, each refining the one before, is no side branch.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple, Union

from prototools.deploying import roles
from prototools.deploying.graph import Graph, latest_sources
from prototools.net import Layer, Source

#: Which bottoms of a stock loss are predictions; those of a fork's loss are the ones that depend on weights.
PREDICTIONS: Dict[str, Tuple[int, ...]] = {
    "ContrastiveLoss":         (0, 1),
    "EuclideanLoss":           (0, 1),
    "HingeLoss":               (0,),
    "InfogainLoss":            (0,),
    "MultinomialLogisticLoss": (0,),
    "SigmoidCrossEntropyLoss": (0,),
    "SoftmaxWithLoss":         (0,),
}

#: A blob that a loss judges by: its source, or its name where nothing in this state makes it.
Target = Union[Source, str]


class Head(NamedTuple):
    """A loss or a measurement with the blobs it judges, and what it judges them by.

    `stays` says whether the layer itself stands in the net's state.
    """

    layer: Layer
    predictions: Tuple[Source, ...]
    targets: FrozenSet[Target]
    weight: float
    stays: bool


class Heads:
    """All heads of a net, and the blobs that nobody reads.

    `judges` are the layers that go: losses, measurements, and what is computed from those.
    `labels` are the bits of the sources that serve these layers only.
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self.net = graph.net
        self.judges: Set[int] = set()
        for layer in self.net.layers:
            if self._judges(layer):
                self.judges.add(id(layer))
        self.ends = [source for source in self._unread() if graph.is_learned(source)]
        self.labels = self._labels()
        self.losses = [head for head in self._heads(roles.is_loss) if head.predictions]
        self.measures = [head for head in self._heads(roles.is_measure) if head.stays]
        self.auxiliary = self._auxiliary()

    def heavier(self, head: Head) -> Optional[Head]:
        """The loss beside which this one is auxiliary."""
        return next((other for other in self.losses if self._beside(head, other)), None)

    # ------------------------------------------------------------ which layers judge

    def _judges(self, layer: Layer) -> bool:
        view = self.graph.view(layer)
        if roles.is_loss(view) or roles.is_measure(view):
            return True
        if layer.bottoms and not self._is_read(layer) and any(layer.message.numbers("loss_weight")):
            return True
        return any(source.layer is not None and id(source.layer) in self.judges and not self._is_softmax(source)
                   for source in self.graph.read(layer))

    def _is_read(self, layer: Layer) -> bool:
        return any(self.net.consumers(layer, top) for top, _ in enumerate(layer.tops))

    def _is_softmax(self, source: Source) -> bool:
        """The second top of a SoftmaxWithLoss, which is no loss."""
        return source.top == 1 and self.graph.view(source.layer).type == "SoftmaxWithLoss"

    # ------------------------------------------------------------ what the net is for

    def _unread(self) -> List[Source]:
        """The blobs that nobody reads, but for those of sources and of the layers that judge."""
        made = [Source(layer, top) for layer in self.net.layers if layer.bottoms and id(layer) not in self.judges
                for top, _ in enumerate(layer.tops)]
        return [source for source in made if not self.net.consumers(source.layer, source.top)]

    def _labels(self) -> int:
        """The sources that reach no learned layer and no end."""
        serving = 0
        for layer in self.net.layers:
            if id(layer) not in self.judges and self.graph.is_weighted(layer):
                serving |= self.graph.behind([layer])
        for end in self.ends:
            serving |= self.graph.above(end)
        if not serving:
            for layer in self.net.layers:
                if id(layer) in self.judges and self.graph.read(layer):
                    serving |= self.graph.above(self.graph.read(layer)[0])
        bits = [self.graph.made_by(source) for source in self.graph.sources()]
        return sum(bit for bit in bits if not bit & serving)

    # ------------------------------------------------------------ heads

    def _heads(self, kind) -> Iterable[Head]:
        """Every layer of a kind with what it judges; also those of other states, as far as they can see."""
        for layer in self.net.net.layers:
            view = self.graph.view(layer)
            if not kind(view):
                continue
            stays = layer in self.net
            sources = self.net.sources(layer) if stays else latest_sources(self.graph, layer)
            predictions = self._predictions(view, sources)
            targets = frozenset(
                self._origin(source) if source else blob
                for blob, source in zip(layer.bottoms, sources) if source not in predictions
            )
            weight = (layer.message.numbers("loss_weight") or [1.0])[0]
            yield Head(layer, predictions, targets, weight, stays)

    def _predictions(self, view: Layer, sources: List[Optional[Source]]) -> Tuple[Source, ...]:
        places = PREDICTIONS.get(view.type, range(len(sources)))
        found = [sources[place] for place in places if place < len(sources)]
        graph = self.graph
        return tuple(dict.fromkeys(
            source for source in found
            if source and graph.is_learned(source) and not graph.above(source) & self.labels
            and not (source.layer and id(source.layer) in self.judges and not self._is_softmax(source))
        ))

    def _origin(self, source: Source) -> Source:
        """Upstream through layers with one bottom and one top: a label that is only resized is the same label."""
        while source.layer and len(source.layer.bottoms) == len(source.layer.tops) == 1:
            above = self.net.sources(source.layer)[0]
            if above is None:
                break
            source = above
        return source

    # ------------------------------------------------------------ auxiliary losses

    def _auxiliary(self) -> List[Head]:
        return [head for head in self.losses if self.heavier(head)]

    def _beside(self, head: Head, other: Head) -> bool:
        """Whether a loss is auxiliary beside another."""
        if self.graph.view(head.layer).type != self.graph.view(other.layer).type:
            return False
        if head.targets != other.targets or not head.targets or not 0 <= head.weight < other.weight:
            return False
        return not any(self.graph.above(own) & self.graph.made_by(main)
                       for own in head.predictions for main in other.predictions)
