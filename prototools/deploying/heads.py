"""The losses and measurements of a net: what each of them judges, and which losses are auxiliary.

A loss is **auxiliary** where a heavier loss of the same type judges against the same target, as those of
GoogLeNet's and PSPNet's side branches do (0.3 and 0.4 beside 1), unless its prediction is made from the
heavier one's. Losses against other targets are other tasks, whatever they weigh, and a chain of
predictions, each refining the one before, is no side branch.
"""

from __future__ import annotations

from typing import Callable, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple, Union

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
        self._sources = sum({graph.made_by(source) for source in graph.sources()})
        self.labels = self._labels()
        self.losses = [head for head in self._heads(self._is_loss) if head.predictions]
        self.measures = [head for head in self._heads(self._is_measure) if head.stays]
        self.auxiliary = self._auxiliary()

    def heavier(self, head: Head) -> Optional[Head]:
        """The loss beside which this one is auxiliary."""
        return next((other for other in self.losses if self._beside(head, other)), None)

    # ------------------------------------------------------------ which layers judge

    def _judges(self, layer: Layer) -> bool:
        if self._is_loss(layer) or self._is_measure(layer):
            return True
        return any(source.layer is not None and id(source.layer) in self.judges and not self._is_softmax(source)
                   for source in self.graph.read(layer))

    def _is_loss(self, layer: Layer) -> bool:
        """A loss by its type, or any layer of this state with a loss_weight that nobody reads."""
        if roles.is_loss(self.graph.view(layer)):
            return True
        if layer not in self.net or not layer.bottoms or self.graph.is_weighted(layer):
            return False
        read = any(self.net.consumers(layer, top) for top, _ in enumerate(layer.tops))
        return not read and any(layer.message.numbers("loss_weight"))

    def _is_measure(self, layer: Layer) -> bool:
        return roles.is_measure(self.graph.view(layer))

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
        """The sources that serve nothing but losses and measurements."""
        serving = self._serving()
        for layer in self.net.layers:
            if self._is_measure(layer):
                # What is measured is worth having, even where a fork's layer wants a label to make it.
                learned = [self.graph.above(one) for one in self.graph.read(layer) if self.graph.is_learned(one)]
                if learned and all(above & self._sources & ~serving for above in learned):
                    serving |= learned[0]
        return self._sources & ~serving

    def _serving(self) -> int:
        """What reaches a layer with weights or an end, or meets a learned blob in a stock layer.

        In a fork's layer the meeting tells nothing: it may well make targets from a label and a prediction.
        """
        found = 0
        for layer in self.net.layers:
            if id(layer) not in self.judges and (self.graph.is_weighted(layer) or self._mixes(layer)):
                found |= self.graph.behind([layer])
            found |= self._only_predicted(layer)
        for end in self.ends:
            found |= self.graph.above(end)
        if not found & self._sources:
            for layer in self.net.layers:
                if id(layer) in self.judges and self.graph.read(layer):
                    found |= self.graph.above(self.graph.read(layer)[0])
        return found

    def _only_predicted(self, layer: Layer) -> int:
        """What stands above the prediction of a stock loss, but not above its target."""
        sources = self.net.sources(layer)
        if PREDICTIONS.get(self.graph.view(layer).type) != (0,) or not sources:
            return 0
        if not sources[0] or not self.graph.is_learned(sources[0]):
            return 0
        target = 0
        for source in sources[1:]:
            target |= self.graph.above(source) if source else 0
        return self.graph.above(sources[0]) & ~target

    def _mixes(self, layer: Layer) -> bool:
        view = self.graph.view(layer)
        read = self.graph.read(layer)
        # Of its second bottom Crop takes the size only.
        read = read[:1] if view.type == "Crop" else read
        return not roles.is_fork(view) and any(self.graph.is_learned(source) for source in read)

    # ------------------------------------------------------------ heads

    def _heads(self, kind: Callable[[Layer], bool]) -> Iterable[Head]:
        """Every layer of a kind with what it judges; also those of other states, as far as they can see."""
        for layer in self.net.net.layers:
            if not kind(layer):
                continue
            view = self.graph.view(layer)
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
        """The learned blobs among what a layer judges; behind a layer that mixes a label in, what it mixes."""
        places = PREDICTIONS.get(view.type, range(len(sources)))
        judged = [sources[place] for place in places if place < len(sources)]
        learned = [source for source in judged if source and self._is_prediction(source)]
        plain = [source for source in learned if not self._has_label(source)]
        return tuple(dict.fromkeys(plain or [one for source in learned[:1] for one in self._unmixed(source)]))

    def _is_prediction(self, source: Source) -> bool:
        judge = source.layer and id(source.layer) in self.judges
        return self.graph.is_learned(source) and (not judge or self._is_softmax(source))

    def _has_label(self, source: Source) -> bool:
        return bool(self.graph.above(source) & self.labels)

    def _unmixed(self, source: Source) -> Iterable[Source]:
        """Upstream to the learned blobs that no label has touched."""
        if not self._has_label(source):
            yield source
        elif source.layer is not None:
            for above in self.graph.read(source.layer):
                if self._is_prediction(above):
                    yield from self._unmixed(above)

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
        if roles.called(self.graph.view(head.layer)) != roles.called(self.graph.view(other.layer)):
            return False
        if head.targets != other.targets or not head.targets or not 0 <= head.weight < other.weight:
            return False
        return not any(self.graph.above(own) & self.graph.made_by(main)
                       for own in head.predictions for main in other.predictions)
