"""What each blob of a net depends on, as sets of bits: one bit for each layer and each top of a source."""

from __future__ import annotations

from typing import Dict, Iterable, List, Optional, Tuple

from prototools.deploying import roles
from prototools.net import FilteredNet, Layer, Source
from prototools.shapes.legacy import V0Net


class Graph:
    """The wires of a net in one state, with what stands upstream of each blob.

    A SoftmaxWithLoss counts as the Softmax that it holds: its tops depend on its first bottom only.
    """

    def __init__(self, net: FilteredNet):
        self.net = net
        self.views: Dict[int, Layer] = {}
        v0 = V0Net(net)
        for layer in net.net.layers:
            self.views[id(layer)] = v0.view(layer)
        self._bits: Dict[Tuple[int, int], int] = {}
        self._above: Dict[int, int] = {}
        for layer in net.layers:
            own = self._bit((id(layer), -1))
            for source in self.read(layer):
                own |= self.above(source)
            self._above[id(layer)] = own
        self.weights = self._union(layer for layer in net.layers if self.is_weighted(layer))

    def view(self, layer: Layer) -> Layer:
        """The layer with its type and parameters where the newer forms have them."""
        return self.views[id(layer)]

    def read(self, layer: Layer) -> List[Source]:
        """Where the bottoms that count come from; bottoms that nobody makes are left out."""
        sources = [source for source in self.net.sources(layer) if source is not None]
        return sources[:1] if self.view(layer).type == "SoftmaxWithLoss" else sources

    def above(self, source: Source) -> int:
        """The bits of everything that a blob depends on, its own maker included."""
        if source.layer is None:
            return self._bit((0, source.top))
        own = self._above[id(source.layer)]
        return own if source.layer.bottoms else own | self._bit((id(source.layer), source.top))

    def made_by(self, source: Source) -> int:
        """The one bit that tells whether another blob depends on this one."""
        layer = source.layer
        if layer is None:
            return self._bit((0, source.top))
        return self._bit((id(layer), -1 if layer.bottoms else source.top))

    def is_learned(self, source: Source) -> bool:
        """Whether some learned blob stands upstream; in a net without any, every blob passes."""
        return not self.weights or bool(self.above(source) & self.weights)

    def behind(self, layers: Iterable[Layer]) -> int:
        """The bits of everything that some layers depend on."""
        found = 0
        for layer in layers:
            found |= self._above[id(layer)]
        return found

    def sources(self) -> List[Source]:
        """The tops of layers without bottoms, and the `input:` headers."""
        found = [Source(None, index) for index, _ in enumerate(self.net.net.inputs())]
        for layer in self.net.layers:
            if not layer.bottoms:
                found += [Source(layer, index) for index, _ in enumerate(layer.tops)]
        return found

    def name(self, source: Source) -> str:
        """The blob's name."""
        return self.net.net.inputs()[source.top][0] if source.layer is None else source.layer.tops[source.top]

    def is_weighted(self, layer: Layer) -> bool:
        """Whether a layer has learned blobs; those of a loss serve nothing that stays."""
        view = self.view(layer)
        return roles.is_weighted(view) and not roles.is_loss(view) and not roles.is_measure(view)

    def _bit(self, key: Tuple[int, int]) -> int:
        return self._bits.setdefault(key, 1 << len(self._bits))

    def _union(self, layers: Iterable[Layer]) -> int:
        found = 0
        for layer in layers:
            found |= self._bit((id(layer), -1))
        return found


def latest_sources(graph: Graph, wanted: Layer) -> List[Optional[Source]]:
    """Where a layer that is not in the net would find its bottoms, by their names and its place in the file."""
    net = graph.net
    latest: Dict[str, Source] = {name: Source(None, i) for i, (name, _) in enumerate(net.net.inputs())}
    for layer in net.net.layers:
        if layer is wanted:
            break
        if layer in net:
            latest.update((blob, Source(layer, index)) for index, blob in enumerate(layer.tops))
    return [latest.get(blob) for blob in wanted.bottoms]
