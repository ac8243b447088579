"""Caffe's message definitions, from `proto/caffe.proto`, in a descriptor pool of their own.

A private pool keeps them apart from any other caffe.proto in the process: protobuf's default pool
takes one file of a kind, and an imported pycaffe has put its own there already.
The rest of prototools gets at protobuf through here, so that whoever needs no messages does not
import it.
"""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from prototools.errors import SchemaError

_PACKAGE = "caffe"
_COMPILED = "proto/caffe.desc"
_PARAM, _PARAMETER = "_param", "Parameter"


class Field(NamedTuple):
    """What a field of a message takes.

    `kind` is "message", "enum", "bool", "int", "float", "str" or "bytes"; `message_type` or
    `enum_type` is the descriptor that belongs to the first two. `type_name` is as in caffe.proto.
    """

    name: str
    kind: str
    type_name: str
    repeated: bool
    message_type: Any
    enum_type: Any

    @property
    def bounds(self) -> tuple[int, int]:
        """The smallest and the largest whole number of an "int": of int32, int64, uint32 or uint64."""
        values = 2 ** int(self.type_name[-2:])
        least = 0 if self.type_name.startswith("u") else -values // 2
        return least, least + values - 1


def message(name: str) -> Any:
    """The class of a message, such as `NetParameter`.

    It is protobuf's generated class: fields, enum values and nested enums are its attributes.
    `str` of its messages is `text`.
    Raises SchemaError for a name that Caffe 1.0 does not have.
    """
    classes = _classes()
    if name not in classes:
        near = did_you_mean(name, classes)
        raise SchemaError(f"Caffe 1.0 has no message {name!r}{near or '.'}")
    return classes[name]


def enum(name: str) -> EnumTypeWrapper:
    """An enum, such as `Phase` or `PoolingParameter.PoolMethod`, as in a generated module.

    `.Value("TEST")` is the number of a name, `.Name(1)` the other way round.
    Raises SchemaError for a name that Caffe 1.0 does not have.
    """
    return _enum(name)


def message_names() -> Iterable[str]:
    """The names of all messages, sorted."""
    return sorted(_classes())


def parameter_name(layer_type: str) -> str | None:
    """The field of LayerParameter that is a layer type's own: `convolution_param` for Convolution.

    None for a type without one, such as Deconvolution, which uses another type's.
    By the rule of pycaffe's net_spec.py: the field whose message is called TYPEParameter.
    """
    return _parameter_names().get(layer_type)


def fields(descriptor: Any) -> dict[str, Field]:
    """The fields of a message by name; `descriptor` may come from any pool."""
    known = _FIELDS.get(descriptor)
    if known is None:
        known = {field.name: _field(field) for field in descriptor.fields}
        _FIELDS[descriptor] = known
    return known


def did_you_mean(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """`; did you mean 'near'?` for a word that is near a known one, else an empty string.

    `likeness` from 0 to 1 is how near, by difflib's ratio.
    """
    spelled = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), spelled, 1, likeness)
    return f"; did you mean {spelled[near[0]]!r}?" if near else ""


# ---------------------------------------------------------------- text


def text(message: Any) -> str:
    """A message in text format, byte for byte as pycaffe on protobuf 3.12 prints it.

    Versions of protobuf differ in how they print: `lr_mult: 0.0` became `lr_mult: 0`.
    Fields that the schema does not have are left out.
    """
    lines: list[str] = []
    _print(message, "", lines)
    return "".join(lines)


def _print(message: Any, indent: str, lines: list[str]) -> None:
    known = fields(message.DESCRIPTOR)
    for descriptor, value in message.ListFields():
        field = known[descriptor.name]
        for item in value if field.repeated else (value,):
            if field.kind == "message":
                lines.append(f"{indent}{field.name} {{\n")
                _print(item, f"{indent}  ", lines)
                lines.append(f"{indent}}}\n")
            else:
                lines.append(f"{indent}{field.name}: {_printed(field, item)}\n")


def _printed(field: Field, value: Any) -> str:
    if field.kind == "bool":
        return "true" if value else "false"
    if field.kind == "enum":
        return str(field.enum_type.values_by_number[value].name)
    if field.kind in ("str", "bytes"):
        data = value.encode() if isinstance(value, str) else value
        return '"' + "".join(map(_escaped, data)) + '"'
    return repr(value)


def _escaped(byte: int) -> str:
    if byte in _ESCAPES:
        return _ESCAPES[byte]
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"


_ESCAPES = {10: r"\n", 13: r"\r", 9: r"\t", 34: r"\"", 39: r"\'", 92: r"\\"}


# ---------------------------------------------------------------- the pool


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(_compiled()).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def _compiled() -> bytes:
    """What `make proto` made of caffe.proto."""
    try:
        data = pkgutil.get_data("prototools", _COMPILED)
    except OSError:
        data = None
    if data is None:
        raise SchemaError(
            f"prototools must have its file {_COMPILED}, but it is not there. Install prototools "
            "again, or run `make proto` in a checkout."
        )
    return data


@cache
def _top_level() -> Any:
    """The file that holds every message."""
    return _pool().FindFileContainingSymbol(f"{_PACKAGE}.NetParameter")


@cache
def _classes() -> dict[str, Any]:
    """The class of every message; Caffe has none inside another."""
    classes = {}
    for name, descriptor in _top_level().message_types_by_name.items():
        classes[name] = _class_of(descriptor)
        classes[name].__str__ = classes[name].__repr__ = text
    return classes


def _class_of(descriptor: Any) -> Any:
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return _factory().GetPrototype(descriptor)


@cache
def _factory() -> Any:
    """For protobuf before 4.22."""
    return message_factory.MessageFactory(_pool())


@cache
def _enum(name: str) -> EnumTypeWrapper:
    try:
        return EnumTypeWrapper(_pool().FindEnumTypeByName(f"{_PACKAGE}.{name}"))
    except KeyError:
        near = did_you_mean(name, _enum_names())
        raise SchemaError(f"Caffe 1.0 has no enum {name!r}{near or '.'}") from None


def _enum_names() -> Iterable[str]:
    yield from _top_level().enum_types_by_name
    for owner in _top_level().message_types_by_name.values():
        yield from (f"{owner.name}.{name}" for name in owner.enum_types_by_name)


# ---------------------------------------------------------------- fields

#: By descriptor; kept for good, as the descriptors of a pool are.
_FIELDS: dict[Any, dict[str, Field]] = {}

_KINDS = {
    FieldDescriptor.CPPTYPE_MESSAGE: "message",
    FieldDescriptor.CPPTYPE_ENUM: "enum",
    FieldDescriptor.CPPTYPE_BOOL: "bool",
    FieldDescriptor.CPPTYPE_FLOAT: "float",
    FieldDescriptor.CPPTYPE_DOUBLE: "float",
    FieldDescriptor.CPPTYPE_STRING: "str",
}
_TYPE_NAMES = {
    getattr(FieldDescriptor, f"TYPE_{name.upper()}"): name
    for name in ("double", "float", "int64", "uint64", "int32", "uint32", "bool", "string", "bytes")
}


def _field(field: Any) -> Field:
    kind = _KINDS.get(field.cpp_type, "int")
    type_name = _TYPE_NAMES.get(field.type, "")
    if kind in ("message", "enum"):
        type_name = (field.message_type or field.enum_type).name
    return Field(
        field.name,
        "bytes" if type_name == "bytes" else kind,
        type_name,
        _is_repeated(field),
        field.message_type,
        field.enum_type,
    )


def _is_repeated(field: Any) -> bool:
    # `label` is on its way out, `is_repeated` came with protobuf 6.
    repeated = getattr(field, "is_repeated", None)
    return field.label == FieldDescriptor.LABEL_REPEATED if repeated is None else bool(repeated)


@cache
def _parameter_names() -> dict[str, str]:
    found = {}
    for field in fields(message("LayerParameter").DESCRIPTOR).values():
        if field.name.endswith(_PARAM) and field.type_name.endswith(_PARAMETER):
            found[field.type_name[: -len(_PARAMETER)]] = field.name
    return found
