"""The `input` fields of a net become an Input layer.

By upgrade_proto.cpp: NetNeedsInputUpgrade and UpgradeNetInput.
"""

from __future__ import annotations

from typing import List

from prototools.upgrading.message import Field, Message
from prototools.upgrading.report import Report

#: Numbers of `input_dim` for each input.
DIMS = 4
LAYER = "input"


def needed(net: Message) -> bool:
    """Whether there is an `input`."""
    return net.has("input")


def upgrade(net: Message, report: Report) -> None:
    """Make the first layer of the inputs; those without any shape are dropped, as in Caffe."""
    names = net.all("input")
    shapes = _shapes(net, names, report)
    if not shapes:
        for name in names:
            report.note(name, "", f"input {name.string()!r} is dropped, because it has no shape; as Caffe does")
            net.drop(name)
        report.step(f"inputs without shapes, dropped: {len(names)}")
        return
    for layer in net.all("layer"):
        if layer.mentions(LAYER.encode()) and layer.message.string("name") == LAYER:
            report.note(layer, LAYER, f"the new Input layer has the same name, {LAYER!r}")
    for name in names:
        name.name = "top"
    param = net.gather("input_param", shapes)
    made = net.gather("layer", [*names, param])
    made.message.put(0, made.message.scalar("name", LAYER))
    made.message.put(1, made.message.scalar("type", "Input"))
    _first(net, made)
    report.step(f"input to an Input layer: {', '.join(name.string() for name in names)}")


def _shapes(net: Message, names: List[Field], report: Report) -> List[Field]:
    """A shape for each input, from `input_shape` or else from `input_dim`; what is left over is dropped."""
    shapes, dims = net.all("input_shape"), net.all("input_dim")
    if shapes and len(shapes) < len(names):
        raise names[len(shapes)].error(f"every input must have a shape, but there are {len(names)} inputs and "
                                       f"{len(shapes)} input_shape")
    wanted = 0 if shapes else DIMS * len(names)
    if dims and len(dims) < wanted:
        raise names[len(dims) // DIMS].error(f"every input must have {DIMS} input_dim, but there are {len(names)} "
                                             f"inputs and {len(dims)} input_dim")
    for field in shapes[len(names):] + dims[wanted:]:
        why = "input_shape counts" if shapes and field.name == "input_dim" else "no input is left for it"
        report.note(field, "", f"{field.name} is dropped, because {why}")
        net.drop(field)
    for shape in shapes:
        shape.name = "shape"
    for dim in dims:
        dim.name = "dim"
    grouped = range(0, wanted if dims else 0, DIMS)
    return shapes[: len(names)] or [net.gather("shape", dims[start : start + DIMS], flat=True) for start in grouped]


def _first(net: Message, made: Field) -> None:
    """Let no layer stand above the new one."""
    first = net.all("layer")[0]
    if first is not made:
        net.take(made)
        net.put(net.fields.index(first), made)
