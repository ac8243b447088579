"""Where the settings of a layer go: into its type's own message, or into the layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from prototools import schema
from prototools.errors import SchemaError
from prototools.netspec.complaints import UnknownFieldError, near
from prototools.netspec.values import assign_proto

#: Types of layers that read another type's message; by what the layers' own code in Caffe reads.
BORROWED = {
    "Deconvolution": ("convolution_param",),
    "Im2col": ("convolution_param",),
    "InfogainLoss": ("loss_param",),
    "LSTM": ("recurrent_param",),
    "RNN": ("recurrent_param",),
    "SigmoidCrossEntropyLoss": ("loss_param",),
    "SoftmaxWithLoss": ("loss_param", "softmax_param"),
}


def write_settings(layer: Any, function: Any) -> None:
    """Put a layer's settings into its message, which has its type and name already.

    Raises UnknownFieldError, WrongValueError or SchemaError, with the layer and the field.
    """
    homes = homes_of(function.type_name)
    try:
        for name, value in function.params.items():
            home = None if name.endswith("param") else homes.get(name)
            if home is not None:
                assign_proto(getattr(layer, home), name, value)
            elif name in schema.fields(layer.DESCRIPTOR):
                assign_proto(layer, name, value)
            else:
                raise UnknownFieldError(_unknown_setting(function.type_name, name))
    except SchemaError as error:
        place = f"layer {layer.name!r} of type {function.type_name}" if layer.name else f"layers.{function.type_name}"
        raise type(error)(f"{place}: {error}") from None


def check_settings(function: Any) -> None:
    """Raise what `write_settings` raises, before the layer has its place in a net."""
    if function.params:
        write_settings(schema.message("LayerParameter")(), function)


def check_net(settings: Mapping[str, Any]) -> Any:
    """A NetParameter with the net's own settings.

    Raises as `write_settings` does, and UnknownFieldError for layers, which are no settings.
    """
    net = schema.message("NetParameter")()
    for name, value in settings.items():
        if name in ("layer", "layers"):
            raise UnknownFieldError(f"a NetSpec's layers are the tops that are assigned to it, so {name} is no "
                                    "setting; NetSpec.from_proto reads a message.")
        assign_proto(net, name, value)
    return net


def net_settings(spec: Any) -> Mapping[str, Any]:
    """The fields of the net itself; none in a class of a script that makes `tops` by itself, as pycaffe's does."""
    return spec.__dict__.get("_settings", {})


@cache
def homes_of(type_name: str) -> Mapping[str, str]:
    """For each setting of a layer type's own, the field of LayerParameter that holds it."""
    own = schema.parameter_name(type_name)
    homes = BORROWED.get(type_name, ()) if own is None else (own, *BORROWED.get(type_name, ()))
    found: dict[str, str] = {}
    for home in reversed(homes):
        found.update(dict.fromkeys(settings_of(home), home))
    return found


def settings_of(home: str) -> Iterable[str]:
    """The settings in one of LayerParameter's messages."""
    layer_fields = schema.fields(schema.message("LayerParameter").DESCRIPTOR)
    return schema.fields(layer_fields[home].message_type)


def near_message(name: str, known: Iterable[str], likeness: float = 0.9) -> str:
    """`; did you mean 'near_param'?` for a name that ends in `_param`, else an empty string.

    Without the ending, which would make everything look near; and `roi_pooling_param` is not `pooling_param`.
    """
    found = schema.did_you_mean(name[:-6], [field[:-6] for field in known if field.endswith("_param")], likeness)
    return found and f"{found[:-2]}_param'?"


def _unknown_setting(type_name: str, name: str) -> str:
    """What to say of a setting that is neither a layer type's own nor a field of every layer."""
    sentence = f"there is no setting {name!r}"
    layer_fields = schema.fields(schema.message("LayerParameter").DESCRIPTOR)
    messages = [field for field in layer_fields if field.endswith("_param")]
    own = homes_of(type_name)
    if name.endswith("_param"):
        # A short form of the type's own message is meant for it, and so is no other of a fork.
        hint = near_message(name, own.values(), 0.5) or near_message(name, messages)
        custom = (
            " in Caffe 1.0, and this schema can write no custom layer's. "
            "For resizing, prototools.upsample builds stock layers."
        )
        return sentence + (hint or custom)
    hint = near(name, [*own, *layer_fields])
    if hint or own:
        return sentence + (hint or f"; {type_name} has {', '.join(own)}.")
    owners = [field for field in messages if name in settings_of(field)]
    some = " or ".join(f"{owner}=dict({name}=...)" for owner in owners[:3])
    return f"{sentence}; the type has none of its own." + (f" Write {some}." if some else "")
