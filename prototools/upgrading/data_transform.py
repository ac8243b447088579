"""Transformation parameters of data layers move from the layer's own message to `transform_param`.

By upgrade_proto.cpp: NetNeedsDataUpgrade and UpgradeNetDataTransformation. Only V1 layers are looked at.
"""

from __future__ import annotations

from typing import Iterator, Tuple

from prototools.upgrading.message import Field, Message
from prototools.upgrading.report import Report
from prototools.upgrading.types import v1_type

#: V1's types that have such parameters, and their messages.
MESSAGES = {"DATA": "data_param", "IMAGE_DATA": "image_data_param", "WINDOW_DATA": "window_data_param"}

#: The parameters, named alike in both messages.
PARAMETERS = ("scale", "mean_file", "crop_size", "mirror")


def needed(net: Message) -> bool:
    """Whether some data layer has one of the parameters in its own message."""
    return any(
        param.message.has(name) for _, layer, message in _data_layers(net) for param in layer.all(message)
        for name in PARAMETERS
    )


def upgrade(net: Message, report: Report) -> None:
    """Move them; as in Caffe, every layer of these types then has both messages, empty or not."""
    layers = list(_data_layers(net))
    for field, layer, message in layers:
        _upgrade_layer(field, layer, message, report)
    report.step(f"transformation parameters, data layers: {len(layers)}")


def _data_layers(net: Message) -> Iterator[Tuple[Field, Message, str]]:
    """V1's data layers, each with the name of its own message."""
    for field in net.all("layers"):
        layer = field.message
        typed = layer.one("type")
        kind = "" if typed is None else v1_type(typed)
        if kind in MESSAGES:
            yield field, layer, MESSAGES[kind]


def _upgrade_layer(field: Field, layer: Message, name: str, report: Report) -> None:
    own = _found_or_made(layer, name, len(layer.fields))
    moved = [one for parameter in PARAMETERS for one in [own.message.one(parameter)] if one is not None]
    if not moved and not layer.has("transform_param"):
        report.note(field, layer.string("name"), "gains an empty transform_param, as in Caffe's upgrade")
    transform = _found_or_made(layer, "transform_param", layer.fields.index(own)).message
    for one in moved:
        own.message.take(one)
        old = transform.one(one.name)
        if old is not None:
            report.note(old, layer.string("name"), f"{one.name} is replaced by the one in {name}, as Caffe does")
            transform.drop(old)
        transform.put(len(transform.fields), one)


def _found_or_made(layer: Message, name: str, place: int) -> Field:
    found = layer.one(name)
    if found is None:
        found = layer.group(name, [])
        layer.put(place, found)
    return found
