"""Which layers stay, which sources become inputs, which losses become Softmax or Sigmoid.

Everything starts at the blobs that the deployed net is for (the roots), and what they do not need goes.
Roots are the blobs that nobody reads, the predictions of losses and those of measurements; not what only
comes from labels, and not the side branches of auxiliary losses.
"""

from __future__ import annotations

from typing import Collection, Dict, List, NamedTuple, Set, Tuple

from prototools.deploying import roles
from prototools.deploying.graph import Graph
from prototools.deploying.heads import Head, Heads
from prototools.net import Layer, Source

#: What the layer in place of the only loss is called, and its top, as in published deploy files.
PROB = "prob"


class Activation(NamedTuple):
    """The Softmax or Sigmoid in the place of a loss.

    It reads the prediction: not always the loss's own bottom, which goes where a layer mixes a label into it.
    """

    loss: Layer
    type: str
    name: str
    bottom: str
    top: str


class Silenced(NamedTuple):
    """A layer that stays for one of its tops, with the others, which nobody reads any more."""

    layer: Layer
    tops: Tuple[str, ...]


class Plan:
    """The decision for one net in one state.

    kept         the layers that stay, with their rules taken off
    inputs       the tops that become inputs
    activations  what takes the place of losses
    quiet        the Silence layers that stay, with the bottoms that they keep
    strays       tops that would become outputs though they are none
    removed      the reason for each layer that goes
    """

    def __init__(self, graph: Graph, keep_branches: bool, given: Collection[str]):
        self.graph, self.net, self.given = graph, graph.net, given
        self.heads = Heads(graph)
        self.auxiliary = [] if keep_branches else self.heads.auxiliary
        self.main = [head for head in self.heads.losses if head not in self.auxiliary]
        self.roots = list(dict.fromkeys(self._roots()))
        self.read: Set[Source] = set()
        self.kept = self._needed()
        self.inputs = self._inputs()
        replaced = {id(source.layer) for source in self.inputs if source.layer}
        self.kept = {one for one in self.kept if one not in replaced}
        self.activations = self._activations()
        self.kept -= {id(activation.loss) for activation in self.activations}
        self.quiet = self._quiet()
        self.strays = self._strays()
        self.removed = {
            id(layer): self._reason(layer) for layer in self.net.net.layers
            if id(layer) not in self.kept | replaced | set(self.quiet)
            and all(layer is not activation.loss for activation in self.activations)
        }

    def keep_all(self) -> None:
        """Let every layer stay, as in a net that is deployed already."""
        self.kept = {id(layer) for layer in self.net.net.layers}
        self.removed, self.quiet, self.strays = {}, {}, []

    # ------------------------------------------------------------ what stays

    def _roots(self) -> List[Source]:
        side = {source for head in self.auxiliary for source in head.predictions}
        main = [source for head in self.main for source in head.predictions]
        above_main = 0
        for source in main:
            above_main |= self.graph.above(source)
        branches = 0
        for source in side:
            branches |= self.graph.made_by(source) & ~above_main
        measured = [source for head in self.heads.measures for source in head.predictions]
        return [
            *(end for end in self.heads.ends if end not in side),
            *main,
            *(source for source in measured if not self.graph.above(source) & branches),
        ]

    def _needed(self) -> Set[int]:
        """The layers upstream of the roots; `read` becomes the blobs that they read."""
        needed: Set[int] = {id(root.layer) for root in self.roots if root.layer}
        for layer in reversed(self.net.layers):
            if id(layer) in needed:
                for source in self.graph.read(layer):
                    self.read.add(source)
                    if source.layer:
                        needed.add(id(source.layer))
        return needed

    def _alive(self, source: Source) -> bool:
        return source in self.read or source in self.roots

    # ------------------------------------------------------------ inputs

    def _inputs(self) -> List[Source]:
        """The tops of data layers that somebody needs, in the order of the file.

        Constants, and a fork's sources that are not called data, stay where there is another input.
        An Input layer stays too, unless one of its tops goes or gets another shape.
        """
        alive = [source for source in self.graph.sources() if self._alive(source)]
        plain = [source for source in alive if self._is_plain(source)]
        doubtful = [source for source in alive if self._is_doubtful(source)]
        if len(doubtful) < len(alive):
            doubtful = [source for source in doubtful if self.graph.name(source) in self.given]
        chosen = {id(source.layer) for source in plain + doubtful if source.layer}
        return [source for source in alive if source.layer and id(source.layer) in chosen]

    def _is_plain(self, source: Source) -> bool:
        layer = source.layer
        if layer is None:
            return False
        view = self.graph.view(layer)
        if view.type != "Input":
            return roles.is_data(view)
        return bool(set(layer.tops) & set(self.given)) or any(
            not self._alive(Source(layer, top)) for top, _ in enumerate(layer.tops))

    def _is_doubtful(self, source: Source) -> bool:
        view = self.graph.view(source.layer) if source.layer else None
        if view is None or not roles.is_source(view):
            return False
        return view.type not in ("Input", "Parameter") and not roles.is_data(view)

    def dead_headers(self) -> List[str]:
        """The `input:` headers that nobody needs."""
        return [name for index, (name, _) in enumerate(self.net.net.inputs()) if not self._alive(Source(None, index))]

    # ------------------------------------------------------------ activations

    def _activations(self) -> List[Activation]:
        """One for each prediction of a main loss that has none yet; losses of this state come first."""
        chosen: Dict[Source, Head] = {}
        for head in sorted(self.main, key=lambda head: not head.stays):
            kind = roles.ACTIVATIONS.get(self.graph.view(head.layer).type)
            if kind and (id(head.layer) in self.kept or not self._has(head, kind)):
                chosen.setdefault(head.predictions[0], head)
        heads = sorted(chosen.values(), key=lambda head: head.layer.message.start)
        taken = self._taken()
        found = []
        for head in heads:
            view = self.graph.view(head.layer)
            bottom = self.graph.name(head.predictions[0])
            fallback = f"{bottom}/{PROB}"
            wanted = PROB if len(heads) == 1 else fallback
            second = head.layer.tops[1:2] if view.type == "SoftmaxWithLoss" and head.stays else []
            top = second[0] if second else unique(wanted, fallback, taken)
            name = top if top not in taken or not second else unique(wanted, fallback, taken)
            taken |= {name, top}
            found.append(Activation(head.layer, roles.ACTIVATIONS[view.type], name, bottom, top))
        return found

    def _taken(self) -> Set[str]:
        """The names of what stays, and of every layer that the weights may have numbers for."""
        taken = {self.graph.name(source) for source in self.graph.sources() if self._alive(source)}
        for layer in self.net.net.layers:
            if id(layer) in self.kept:
                taken.update((layer.name, *layer.tops))
            elif self.graph.is_weighted(layer):
                taken.add(layer.name)
        return taken

    def _has(self, head: Head, kind: str) -> bool:
        """Whether the net has the activation already, or goes another way where the loss does not stand."""
        prediction = head.predictions[0]
        bit = self.graph.made_by(prediction)
        below = [layer for layer in self.net.layers if id(layer) in self.kept and self.graph.behind([layer]) & bit
                 and layer is not prediction.layer]
        return any(self.graph.view(layer).type == kind for layer in below) or bool(below) and not head.stays

    # ------------------------------------------------------------ loose ends

    def _quiet(self) -> Dict[int, Tuple[int, ...]]:
        """The Silence layers still needed: a bottom stays where its maker stays for the sake of another top."""
        found = {}
        for layer in self.net.layers:
            if self.graph.view(layer).type == "Silence":
                places = tuple(
                    place for place, source in enumerate(self.net.sources(layer))
                    if source and source.layer and id(source.layer) in self.kept and not self._alive(source)
                )
                if places:
                    found[id(layer)] = places
        return found

    def _strays(self) -> List[Silenced]:
        """Tops that were read before and are not any more, of layers that stay for another top."""
        found = []
        for layer in self.net.layers:
            if id(layer) in self.kept:
                tops = [name for top, name in enumerate(layer.tops) if self._is_stray(Source(layer, top))]
                if tops:
                    found.append(Silenced(layer, tuple(tops)))
        return found

    def _is_stray(self, source: Source) -> bool:
        readers = self.net.consumers(source.layer, source.top)
        quiet = any(place in self.quiet.get(id(layer), ()) for layer, place in readers)
        return bool(readers) and not self._alive(source) and not quiet

    # ------------------------------------------------------------ reasons

    def _reason(self, layer: Layer) -> str:
        view = self.graph.view(layer)
        if layer not in self.net:
            state = self.net.state
            stages = f", stage {' '.join(state.stages)}" if state.stages else ""
            return f"it is not in phase {state.phase}{stages}"
        if roles.is_loss(view):
            return "it is a loss"
        if roles.is_measure(view):
            return "it judges or records a result"
        if id(layer) in self.heads.judges:
            return "it works on losses"
        if view.type == "Silence":
            return "it has nothing left to silence"
        if not layer.bottoms:
            return "nothing that stays reads it"
        return self._branch(layer) or "it serves only layers that were removed"

    def _branch(self, layer: Layer) -> str:
        """The auxiliary loss that a layer serves."""
        own = self.graph.made_by(Source(layer, 0))
        for head in self.auxiliary:
            if any(self.graph.above(source) & own for source in head.predictions):
                main = self.heads.heavier(head)
                return (f"it serves only the auxiliary loss {head.layer.name!r}, of weight {head.weight:g} "
                        f"beside {main.weight:g} of {main.layer.name!r}; see --keep-branches")
        return ""


def unique(wanted: str, fallback: str, taken: Collection[str]) -> str:
    """A name that is free: the wanted one, the fallback, or the fallback with a number."""
    if wanted not in taken:
        return wanted
    name, count = fallback, 1
    while name in taken:
        count += 1
        name = f"{fallback}_{count}"
    return name
