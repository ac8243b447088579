"""What differs in the build of two networks, and needs no run to be seen."""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Set

from prototools.dialects import TYPES, UNREAD_TYPES
from prototools.net import FilteredNet, Layer
from prototools.shapes import Inference
from prototools.verify.verdict import by

Shape = Sequence[Optional[int]]


def differences(before: Inference, after: Inference) -> List[str]:
    """Outputs of one net only, what stock Caffe refuses in the second net alone, and other shapes of inputs."""
    known = {_problem(error.message) for error in before.errors}
    refused = [f"stock Caffe refuses the second network: line {error.line}: {error.message}"
               for error in after.errors if _problem(error.message) not in known]
    return _different_outputs(before.net, after.net) + refused[:1] + _other_shapes(before, after)


def _problem(message: str) -> str:
    """What is wrong, whichever layer has it: a block's layers have names and bottoms of their own."""
    return re.sub(r" \(bottom \d+\)$", "", message.partition(": ")[2] or message)


def custom_layers(net: FilteredNet) -> List[str]:
    """The custom resize layers that are left."""
    return [f"{layer.name}: still of type {layer.type}, which stock Caffe does not have"
            for layer in net.layers if layer.kind in TYPES | UNREAD_TYPES.keys()]


def remarks(before: FilteredNet, after: FilteredNet, compared: Sequence[Layer],
            made_up: Mapping[str, Sequence[int]]) -> Iterator[str]:
    """Shapes that were taken for layers that are compared, and new layers under a replaced one's name."""
    needed = _origins(before, compared)
    for name, shape in made_up.items():
        if name in needed:
            yield f"the shape of {name} is not told; {by(shape)} was taken (--shape {name}=N,C,H,W gives another)"
    old = {layer.name: layer.type for layer in before.layers if layer.kind in TYPES}
    for layer in after.layers:
        if layer.type == "Deconvolution" and layer.name in old:
            yield (f"{layer.name} keeps the name of the {old[layer.name]} that it replaces; a caffemodel that "
                   "lists that layer will not load until it is patched")


def _origins(net: FilteredNet, layers: Sequence[Layer]) -> Set[str]:
    """The blobs from outside that some layers depend on, directly or through other layers."""
    found: Set[str] = set()
    seen, todo = set(), list(layers)
    while todo:
        layer = todo.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        for blob, source in zip(layer.bottoms, net.sources(layer)):
            if source is None or source.layer is None or not source.layer.bottoms:
                found.add(blob)
            else:
                todo.append(source.layer)
    return found


def _different_outputs(before: FilteredNet, after: FilteredNet) -> List[str]:
    """Net outputs of one net only."""
    old, new = set(before.outputs()), set(after.outputs())
    return [f"{name!r} is an output of the first network only" for name in sorted(old - new)] + [
        f"{name!r} is an output of the second network only" for name in sorted(new - old)
    ]


def _other_shapes(before: Inference, after: Inference) -> List[str]:
    """Inputs that have another shape in the second net."""
    first, second = (_input_shapes(found) for found in (before, after))
    return [
        f"input {name!r} is {by(shape)} in the first network, but {by(second[name])} in the second"
        for name, shape in first.items()
        if shape is not None and second.get(name) is not None and not _fits(shape, second[name])
    ]


def _input_shapes(found: Inference) -> Dict[str, Shape]:
    net = found.net
    headers = [name for name, _ in net.net.inputs()]
    return {name: found.blobs.get(name) for name in headers + [
        top for layer in net.layers if not layer.bottoms for top in layer.tops
    ]}


def _fits(one: Shape, other: Shape) -> bool:
    return len(one) == len(other) and all(a == b or None in (a, b) for a, b in zip(one, other))
