"""Where two networks differ: the layers of one that stand for layers of the other.

A rewrite replaces a few layers of many, so the rest need not be run to prove it. Layers that are the
same in both networks are common; what is left falls into regions, and each region has the blobs that
common layers give it and the blobs that it gives back.
"""

from __future__ import annotations

from collections import Counter
from typing import Dict, Iterable, List, NamedTuple, Sequence, Set, Tuple

from prototools.net import FilteredNet, Layer
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
    """The regions in which two nets differ, and sentences about what has no counterpart."""
    changed_before, changed_after = _changed(before, after)
    parts = _joined(_components(before, changed_before), _components(after, changed_after))
    findings: List[str] = []
    found: List[Region] = []
    for old, new in parts:
        if not old:
            findings.append(f"{_names(new)} stands in the second network only")
        elif not new:
            findings.append(f"{_names(old)} stands in the first network only, and nothing gives its tops")
        else:
            found.append(_region(before, after, old, new))
    return found, findings


def _names(layers: Iterable[Layer]) -> str:
    return ", ".join(repr(layer.name) for layer in layers)


def _changed(before: FilteredNet, after: FilteredNet) -> Tuple[List[Layer], List[Layer]]:
    """The layers of each net that the other does not have."""
    prints = [[(layer, fingerprint(layer.message)) for layer in net.layers] for net in (before, after)]
    common = Counter(mark for _, mark in prints[0]) & Counter(mark for _, mark in prints[1])
    return tuple(_without(side, Counter(common)) for side in prints)  # type: ignore[return-value]


def _without(side: List[Tuple[Layer, Tuple]], common: Counter) -> List[Layer]:
    left = []
    for layer, mark in side:
        if common[mark]:
            common[mark] -= 1
        else:
            left.append(layer)
    return left


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
    old, new = old + _mask_makers(before, old), new + _mask_makers(after, new)
    old, new = _net_order(before, old), _net_order(after, new)
    given = list(dict.fromkeys(_read(before, old) + _read(after, new)))
    return Region(name, old, new, given, _given_back(before, old))


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
    """The blobs that come from outside; the tops of layers that read files count as such."""
    inside = {id(layer) for layer in layers if layer.bottoms}
    return [
        blob for layer in layers for blob, source in zip(layer.bottoms, net.sources(layer))
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
            if layer.bottoms and outside and not (layer.type == "Pooling" and index == 1):
                found.append(top)
    return list(dict.fromkeys(found))
