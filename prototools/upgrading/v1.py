"""V1 to the current form: `layers` with an enumeration becomes `layer` with a named type.

By upgrade_proto.cpp: UpgradeV1Net and UpgradeV1LayerParameter.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import List, Mapping

from prototools.upgrading.message import Field, Message
from prototools.upgrading.report import Report
from prototools.upgrading.types import current_type

#: V1's lists by blob, beside the fields of ParamSpec that they become, in ParamSpec's order.
PARAM_SPEC = (
    ("param", "name"), ("blob_share_mode", "share_mode"), ("blobs_lr", "lr_mult"), ("weight_decay", "decay_mult"),
)


def needed(net: Message) -> bool:
    """Whether there is a V1 layer."""
    return net.has("layers")


def upgrade(net: Message, report: Report, types: Mapping[str, str], mixed: bool) -> None:
    """Write every V1 layer in the current form.

    `types` are current names for types that only the user knows. `mixed` allows current layers beside
    V1 layers, at which Caffe stops.
    """
    if net.has("layer") and not mixed:
        raise net.all("layer")[0].error(
            "layer and layers must not stand in one net, and Caffe refuses to guess their order; "
            "give --mixed to upgrade each of the layers where it stands"
        )
    layers = net.all("layers")
    for field in layers:
        _upgrade_layer(field.message, report, types)
        field.name = "layer"
    report.step(f"V1 to the current form, layers: {len(layers)}")


def _upgrade_layer(layer: Message, report: Report, types: Mapping[str, str]) -> None:
    typed = layer.one("type")
    if typed is not None:
        typed.assign(current_type(typed, types))
    for field in list(layer.fields):
        if not field.portable:
            report.note(field, layer.string("name"), f"{field.name} is dropped, because Caffe does not know it")
            layer.drop(field)
    _gather_params(layer)


def _gather_params(layer: Message) -> None:
    """One `param` for each blob that some of V1's lists speak of."""
    current = [field for field in layer.all("param") if field.is_message]
    columns = [[field for field in layer.all(name) if not field.is_message] for name, _ in PARAM_SPEC]
    if current and any(columns):
        raise current[0].error("param in braces must not stand beside blobs_lr, weight_decay or a named param")
    for row in zip_longest(*columns):
        fields: List[Field] = []
        for field, (_, name) in zip(row, PARAM_SPEC):
            if field is not None:
                field.name = name
                fields.append(field)
        layer.gather("param", fields)
