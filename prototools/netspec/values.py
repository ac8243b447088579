"""Plain Python values in the fields of protobuf messages, alike on every protobuf."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from prototools import schema
from prototools.errors import SchemaError
from prototools.netspec.complaints import UnknownFieldError, WrongStructureError, WrongValueError, near
from prototools.schema import Field

#: What counts as a message written plainly; `dict` stands first because asking an ABC is slow.
_MAPPING = (dict, Mapping)
#: What is one element of a repeated field, the most frequent first for the same reason.
_SINGLE = (int, float, str, bytes, Message, *_MAPPING)


def assign_proto(proto: Any, name: str, val: Any) -> None:
    """Set a field of any protobuf message to a plain Python value.

    A dict does for a message, a list for a repeated field; a single value is a list of one.
    Tuples, ranges and numpy arrays are lists, the name of an enum value is its number.
    An empty list adds nothing, an empty dict leaves a message unset.
    Raises UnknownFieldError, WrongValueError or SchemaError as `NetSpec.to_proto` does.
    """
    field = schema.fields(proto.DESCRIPTOR).get(name)
    if field is None:
        known = schema.fields(proto.DESCRIPTOR)
        hint = near(name, known) or f"; it has {', '.join(known)}."
        raise UnknownFieldError(f"{proto.DESCRIPTOR.name} has no field {name!r}{hint}")
    if field.kind == "message":
        _assign_messages(proto, field, val)
    elif field.repeated:
        _extend(proto, field, _items(val))
    else:
        _set(proto, field, val)


def _items(value: Any) -> Sequence[Any]:
    """The elements that a value for a repeated field stands for."""
    if isinstance(value, list):
        return value
    if isinstance(value, _SINGLE):
        return [value]
    if hasattr(value, "tolist"):
        plain = value.tolist()
        return plain if isinstance(plain, list) else [plain]
    return list(value) if isinstance(value, Sequence) else [value]


def _assign_messages(proto: Any, field: Field, value: Any) -> None:
    if field.repeated:
        for item in _items(value):
            _check_message(proto, field, item)
            _fill(getattr(proto, field.name).add(), item)
    else:
        _check_message(proto, field, value)
        _fill(getattr(proto, field.name), value)


def _check_message(proto: Any, field: Field, value: Any) -> None:
    if isinstance(value, _MAPPING):
        return
    if not isinstance(value, Message) or value.DESCRIPTOR.full_name != field.message_type.full_name:
        first = next(iter(schema.fields(field.message_type)))
        raise WrongStructureError(
            f"{_place(proto, field)} must be a dict of {field.type_name}'s fields, such as "
            f"dict({first}=...), but is {_shown(value)}."
        )


def _fill(target: Any, value: Any) -> None:
    if isinstance(value, _MAPPING):
        for name, inner in value.items():
            assign_proto(target, name, inner)
    else:
        # Through bytes, because the message may come from another pool, such as pycaffe's.
        target.MergeFromString(value.SerializePartialToString())
        target.SetInParent()


def _extend(proto: Any, field: Field, items: Sequence[Any]) -> None:
    container = getattr(proto, field.name)
    before = len(container)
    try:
        container.extend(items)
    except (TypeError, ValueError, OverflowError):
        del container[before:]
        container.extend([_converted(proto, field, item) for item in items])


def _set(proto: Any, field: Field, value: Any) -> None:
    try:
        setattr(proto, field.name, value)
    except (TypeError, ValueError, OverflowError):
        setattr(proto, field.name, _converted(proto, field, value))


# ---------------------------------------------------------------- values that protobuf refused


def _converted(proto: Any, field: Field, value: Any) -> Any:
    """The value as every protobuf takes it, where versions differ in what they take.

    Raises WrongValueError for a value of a wrong type, SchemaError for one out of range.
    """
    plain = value.item() if getattr(value, "ndim", None) == 0 else value
    if isinstance(plain, (list, tuple, dict)) or getattr(plain, "ndim", 0):
        raise WrongStructureError(
            f"{_place(proto, field)} must be {_EXPECTED[field.kind]}, but is {_shown(value)}."
        )
    try:
        return _CONVERSIONS[field.kind](field, plain)
    except TypeError:
        hint = ""
        if plain is None:
            hint = " Leave it out for Caffe's default."
        elif field.kind == "int" and isinstance(plain, float):
            hint = " Divide with // or round it."
        raise WrongValueError(
            f"{_place(proto, field)} must be {_EXPECTED[field.kind]}, but is {_shown(value)}.{hint}"
        ) from None
    except ValueError as error:
        # A word is of a wrong type to pycaffe, which takes numbers for enums.
        kind = WrongValueError if isinstance(plain, str) else SchemaError
        raise kind(f"{_place(proto, field)} {error}, but is {_shown(value)}.") from None


def _place(proto: Any, field: Field) -> str:
    return f"{field.name} of {proto.DESCRIPTOR.name}"


def _shown(value: Any) -> str:
    text = repr(value)
    text = text if len(text) <= 60 else f"{text[:57]}..."
    return text if value is None else f"{text} ({type(value).__name__})"


def _whole(field: Field, value: Any) -> int:
    number = operator.index(value)
    least, most = field.bounds
    if not least <= number <= most:
        raise ValueError(f"must be from {least} to {most}")
    return number


def _real(field: Field, value: Any) -> float:
    if isinstance(value, (str, bytes)):
        raise TypeError
    try:
        return float(value)
    except OverflowError:
        raise ValueError("must fit in a float") from None


def _truth(field: Field, value: Any) -> bool:
    return bool(_real(field, value))


def _text(field: Field, value: Any) -> str:
    text = value if isinstance(value, bytes) else os.fspath(value)
    try:
        return text.decode() if isinstance(text, bytes) else text.encode().decode()
    except UnicodeError:
        raise ValueError("must be valid Unicode") from None


def _octets(field: Field, value: Any) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError
    return bytes(value)


def _choice(field: Field, value: Any) -> int:
    names = {known.name: known.number for known in field.enum_type.values}
    listed = f"must be one of {', '.join(names)}"
    if isinstance(value, str):
        if value not in names:
            raise ValueError(listed)
        return names[value]
    number = operator.index(value)
    if number not in names.values():
        raise ValueError(listed)
    return number


_CONVERSIONS: Mapping[str, Callable[[Field, Any], Any]] = {
    "int": _whole, "float": _real, "bool": _truth, "str": _text, "bytes": _octets, "enum": _choice,
}
_EXPECTED = {
    "int": "a whole number", "float": "a number", "bool": "True or False", "str": "text",
    "bytes": "bytes", "enum": "a constant of params or its name",
}
