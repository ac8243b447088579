"""Where two networks differ: the layers of one that stand for layers of the other.

A rewrite replaces a few layers of many, so the rest need not be run to prove it. Layers that are the
same in both networks are common; what is left falls into regions, and each region has the blobs that
common layers give it and the blobs that it gives back.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

from prototools.net import FilteredNet, Layer, Source
from prototools.prototext import Message


class Region(NamedTuple):
    """Layers of the one net and those of the other that take their place.

    `name` is that of the layers that were replaced, `inputs` are the blobs that both sides are
    given, `outputs` those that both must give.
    """

    name: str
    before: Sequence[Layer]
    after: Sequence[Layer]
    inputs: Sequence[str]
    outputs: Sequence[str]


def regions(before: FilteredNet, after: FilteredNet) -> Tuple[List[Region], List[str]]:
    """The regions in which two nets differ, and sentences about what no run could show.

    Those are layers without a counterpart, layers that read files or make data and are not the same,
    and layers that read another blob of the same name, because an in-place layer stands elsewhere.
    """
    match = _Match(before, after)
    findings = match.different_sources() + match.rewired()
    found: List[Region] = []
    changed = [[layer for layer in side if layer.bottoms] for side in match.changed]
    for old, new in _joined(_components(before, changed[0]), _components(after, changed[1])):
        if not old:
            findings.append(f"{_names(new)} stands in the second network only")
        elif not new:
            findings.append(f"{_names(old)} stands in the first network only, and nothing gives its tops")
        else:
            found.append(_region(before, after, old, new))
            findings += match.misfed(found[-1])
    return found, findings


def _names(layers: Iterable[Layer]) -> str:
    return ", ".join(repr(layer.name) for layer in layers)


class _Match:
    """Which layers two nets have in common, and what is left of each.

    Input layers and `input:` headers are the same thing, so Input layers count on neither side.
    """

    def __init__(self, before: FilteredNet, after: FilteredNet):
        self.nets = (before, after)
        self.common: List[Tuple[Layer, Layer]] = []
        self.changed: Tuple[List[Layer], List[Layer]] = ([], [])
        waiting: Dict[Tuple, List[Layer]] = {}
        for layer in after.layers:
            waiting.setdefault(fingerprint(layer.message), []).append(layer)
        for layer in before.layers:
            twins = waiting.get(fingerprint(layer.message))
            if twins:
                self.common.append((layer, twins.pop(0)))
            elif layer.type != "Input":
                self.changed[0].append(layer)
        left = {id(layer) for twins in waiting.values() for layer in twins}
        self.changed[1].extend(layer for layer in after.layers if id(layer) in left and layer.type != "Input")
        self._numbers = {id(layer): i for i, pair in enumerate(self.common) for layer in pair}

    def different_sources(self) -> List[str]:
        """Layers without bottoms: what they give cannot be compared by a run."""
        sides = [[layer for layer in side if not layer.bottoms] for side in self.changed]
        names = dict.fromkeys(layer.name for side in sides for layer in side)
        return [f"{name!r}, which has no bottoms, is not the same in both networks" for name in names]

    def rewired(self) -> List[str]:
        """Common layers that read something else in the second net."""
        return [
            f"{pair[1].name!r} reads another {blob!r} in the second network"
            for pair in self.common for index, blob in enumerate(pair[1].bottoms)
            if self._origin(0, pair[0], index) != self._origin(1, pair[1], index)
        ]

    def misfed(self, region: Region) -> List[str]:
        """Inputs of a region that are another blob of the same name in the second net."""
        first, second = (self._origins(side, layers) for side, layers in enumerate((region.before, region.after)))
        return [
            f"{region.name}: the second network reads another {blob!r}"
            for blob, origins in second.items() if blob in first and first[blob] != origins
        ]

    def _origins(self, side: int, layers: Sequence[Layer]) -> Dict[str, Set[Tuple]]:
        found: Dict[str, Set[Tuple]] = {}
        for layer, index in _reads(self.nets[side], layers):
            found.setdefault(layer.bottoms[index], set()).add(self._origin(side, layer, index))
        return found

    def _origin(self, side: int, layer: Layer, index: int) -> Tuple:
        """Where a bottom comes from, in words that mean the same in both nets."""
        source: Optional[Source] = self.nets[side].sources(layer)[index]
        blob = layer.bottoms[index]
        if source is None:
            return ("nowhere", blob)
        if source.layer is None or source.layer.type == "Input":
            return ("input", blob)
        number = self._numbers.get(id(source.layer))
        return ("changed", blob) if number is None else (number, source.top)


def fingerprint(message: Message) -> Tuple:
    """What a message says, however it is written: two layers that say the same have one."""
    fields: Dict[str, List] = {}
    for node in message:
        value = fingerprint(node) if isinstance(node, Message) else _plain(node.literal)
        fields.setdefault(node.name, []).append(value)
    return tuple(sorted((name, tuple(values)) for name, values in fields.items()))


def _plain(literal: bytes) -> bytes:
    return literal.replace(b"'", b'"')


def _components(net: FilteredNet, changed: List[Layer]) -> List[List[Layer]]:
    """Changed layers, those that feed each other together, in the order of the net."""
    group = {id(layer): {id(layer)} for layer in changed}
    for layer in changed:
        for source in net.sources(layer):
            if source is not None and source.layer is not None and id(source.layer) in group:
                _unite(group, id(layer), id(source.layer))
    return _in_order(changed, group)


def _unite(group: Dict[int, Set[int]], one: int, other: int) -> None:
    whole = group[one] | group[other]
    for member in whole:
        group[member] = whole


def _in_order(layers: List[Layer], group: Dict[int, Set[int]]) -> List[List[Layer]]:
    found: Dict[int, List[Layer]] = {}
    for layer in layers:
        found.setdefault(min(group[id(layer)]), []).append(layer)
    return list(found.values())


def _joined(old: List[List[Layer]], new: List[List[Layer]]) -> List[Tuple[List[Layer], List[Layer]]]:
    """Components of both nets that give the same tops, together."""
    parts: List[Tuple[List[Layer], List[Layer]]] = [(component, []) for component in old]
    for component in new:
        tops = {top for layer in component for top in layer.tops}
        touching = [part for part in parts if tops & {top for layer in part[0] for top in layer.tops}]
        merged = (sum((part[0] for part in touching), []), sum((part[1] for part in touching), []) + component)
        parts = [part for part in parts if part not in touching] + [merged]
    return parts


def _region(before: FilteredNet, after: FilteredNet, old: List[Layer], new: List[Layer]) -> Region:
    """With the Pooling behind a mask, which is no input that could be made up."""
    name = ", ".join(layer.name for layer in old)
    outputs = _given_back(before, old)
    old, new = _net_order(before, old + _mask_makers(before, old)), _net_order(after, new + _mask_makers(after, new))
    given = list(dict.fromkeys(_read(before, old) + _read(after, new)))
    return Region(name, old, new, given, outputs)


def _mask_makers(net: FilteredNet, layers: List[Layer]) -> List[Layer]:
    inside = {id(layer) for layer in layers}
    makers = [
        source.layer for layer in layers for source in net.sources(layer)
        if source is not None and source.layer is not None and id(source.layer) not in inside
        and source.layer.type == "Pooling" and source.top == 1
    ]
    return list({id(layer): layer for layer in makers}.values())


def _net_order(net: FilteredNet, layers: List[Layer]) -> List[Layer]:
    inside = {id(layer) for layer in layers}
    return [layer for layer in net.layers if id(layer) in inside]


def _read(net: FilteredNet, layers: List[Layer]) -> List[str]:
    """The blobs that come from outside."""
    return [layer.bottoms[index] for layer, index in _reads(net, layers)]


def _reads(net: FilteredNet, layers: Sequence[Layer]) -> List[Tuple[Layer, int]]:
    """The bottoms that come from outside: the layers, and which of their bottoms."""
    inside = {id(layer) for layer in layers}
    return [
        (layer, index) for layer in layers for index, source in enumerate(net.sources(layer))
        if source is None or source.layer is None or id(source.layer) not in inside
    ]


def _given_back(net: FilteredNet, layers: List[Layer]) -> List[str]:
    """The blobs that somebody outside reads, or nobody at all."""
    inside = {id(layer) for layer in layers}
    found = []
    for layer in layers:
        for index, top in enumerate(layer.tops):
            readers = [reader for reader, _ in net.consumers(layer, index)]
            outside = not readers or any(id(reader) not in inside for reader in readers)
            if outside and not (layer.type == "Pooling" and index == 1):
                found.append(top)
    return list(dict.fromkeys(found))
