"""Messages as plain Python values: what a person would give to make them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from prototools import schema
from prototools.netspec.settings import homes_of
from prototools.schema import Field

#: Fields that are written as a list even where they hold one value.
_LISTS = ("dim",)

#: Keywords of a layer that are no settings of its messages.
_RESERVED = ("ntop", "in_place", "tops")


class Constant(int):
    """An enum's value that prints as it is written in Python: `P.Pooling.MAX`."""

    written = ""

    def __new__(cls, number: int, written: str = "") -> Constant:
        constant = super().__new__(cls, number)
        constant.written = written
        return constant

    def __repr__(self) -> str:
        return self.written


def layer_settings(layer: Any) -> dict[str, Any]:
    """The keywords that make a LayerParameter, but for its connections, name and type; its own come first."""
    homes, own, others = homes_of(layer.type), {}, {}
    for name, value in plain(layer, leave=("name", "type", "bottom", "top")).items():
        if name in homes.values() and isinstance(value, dict) and _fits(value, name, homes):
            own.update(value)
        else:
            others[name] = value
    return {**own, **others}


def _fits(values: Mapping[str, Any], home: str, homes: Mapping[str, str]) -> bool:
    """Whether the fields of a layer's own message can be keywords of the layer."""
    return all(
        homes.get(name) == home and not name.endswith("param") and name not in _RESERVED for name in values
    )


def plain(message: Any, leave: tuple[str, ...] = ()) -> dict[str, Any]:
    """A message's fields by name: dicts, lists, numbers and texts that `assign_proto` takes.

    A list of one is the one. An empty message in a field of its own stays a message, because an empty
    dict would leave the field unset.
    """
    known = schema.fields(message.DESCRIPTOR)
    return {
        descriptor.name: _several(known[descriptor.name], value)
        for descriptor, value in message.ListFields() if descriptor.name not in leave
    }


def _several(field: Field, value: Any) -> Any:
    if not field.repeated:
        return _one(field, value) or value if field.kind == "message" else _one(field, value)
    values = [_one(field, item) for item in value]
    return values[0] if len(values) == 1 and field.name not in _LISTS else values


def _one(field: Field, value: Any) -> Any:
    if field.kind == "message":
        return plain(value)
    if field.kind == "enum":
        return _constant(field.enum_type, value)
    return _shortest(value) if field.type_name == "float" else value


def _constant(enum: Any, number: int) -> Any:
    """TRAIN, P.TYPE.NAME, or the name alone for an enum that pycaffe's params do not reach."""
    name = enum.values_by_number[number].name
    owner = enum.containing_type.name if enum.containing_type is not None else ""
    if enum.name == "Phase":
        return Constant(number, name)
    if owner.endswith("Parameter"):
        return Constant(number, f"P.{owner[:-len('Parameter')]}.{name}")
    return name


def _shortest(value: float) -> float:
    """The shortest decimal number that is this 32-bit float; whole ones as integers."""
    if value.is_integer() and abs(value) < 1e9 and str(value) != "-0.0":
        return int(value)
    for digits in range(6, 9):
        near = float(f"{value:.{digits}g}")
        if struct.pack("f", near) == struct.pack("f", value):
            return near
    return value
