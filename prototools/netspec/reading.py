"""Prototxt to messages by the schema, and messages to NetSpecs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain, count
from typing import Any

from prototools import schema
from prototools.errors import ProtoTextError, SchemaError
from prototools.netspec.graph import Function, Top, blob
from prototools.netspec.plain import layer_settings, plain
from prototools.netspec.values import assign_proto
from prototools.prototext import Message, Scalar, parse
from prototools.prototext import values as literals
from prototools.prototext.tree import error_at
from prototools.schema import Field


def read_prototxt(text: str | bytes, kind: type) -> Any:
    """A NetSpec, of class `kind`, of a network's text; see `NetSpec.from_prototxt`."""
    from prototools.upgrading import upgrade

    document = parse(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))
    if document.has("layers"):
        document = parse(upgrade(document.source()).text)
    return read_proto(message_of(document, "NetParameter"), kind)


# ---------------------------------------------------------------- text to messages


def message_of(tree: Message, name: str) -> Any:
    """A message of the tree as one of the schema, values read by the rules of Caffe's own reader.

    Raises ProtoTextError, with its place, for a field that the message does not have, a value that its
    field does not take, and a field that is written twice where it may stand once.
    """
    message = schema.message(name)()
    _fill(message, tree)
    return message


def _fill(message: Any, tree: Message) -> None:
    known = schema.fields(message.DESCRIPTOR)
    for name in tree.names():
        first = tree.all(name)[0]
        if name not in known:
            raise _at(first, f"{message.DESCRIPTOR.name} has no field {name!r}{_help(name, known)}")
        field = known[name]
        if not field.repeated:
            tree.one(name)
        if field.kind == "message":
            for inner in tree.messages(name):
                target = getattr(message, name)
                if field.repeated:
                    target = target.add()
                target.SetInParent()
                _fill(target, inner)
        else:
            _fill_scalars(message, field, tree)


def _help(name: str, known: Mapping[str, Field]) -> str:
    near = schema.did_you_mean(name, known, 0.8)
    fork = " in Caffe 1.0; prototools rewrite replaces the resize layers of forks"
    return near or (fork if name.endswith("_param") else " in Caffe 1.0")


def _fill_scalars(message: Any, field: Field, tree: Message) -> None:
    read = literals.double if field.type_name == "double" else _LITERALS[field.kind]
    for scalar in tree.scalars(field.name):
        value = read(scalar)
        try:
            assign_proto(message, field.name, [value] if field.repeated else value)
        except SchemaError as error:
            raise _at(scalar, str(error)) from None


def _choice(scalar: Scalar) -> Any:
    """An enum's value by name, or its number."""
    word = literals.word(scalar)
    return int(word) if word.lstrip("-").isdigit() else word


_LITERALS: Mapping[str, Callable[[Scalar], Any]] = {
    "int": literals.integer, "float": literals.number, "bool": literals.boolean, "str": literals.string,
    "bytes": literals.string_bytes, "enum": _choice,
}


def _at(node: Message | Scalar, message: str) -> ProtoTextError:
    place = node.start if isinstance(node, Message) else node.field_start
    return error_at(node.data, place, message)


# ---------------------------------------------------------------- messages to NetSpecs


def read_proto(net: Any, kind: type) -> Any:
    """A NetSpec, of class `kind`, of a NetParameter; see `NetSpec.from_proto`."""
    net = schema.message("NetParameter").FromString(net.SerializePartialToString())
    if len(net.layers):
        raise SchemaError("the net's layers must be of the current form, but are V1; upgrade it first, with "
                          "prototools.upgrade or NetSpec.from_prototxt.")
    spec = kind(**plain(net, leave=("layer",)))
    sources: dict[str, Top] = dict(spec.tops)
    for layer in net.layer:
        _add(spec, layer, sources)
    return spec


def _add(spec: Any, layer: Any, sources: dict[str, Top]) -> None:
    """Make a layer of what `sources` has under its bottoms' names, and assign its tops."""
    if not layer.type or not layer.HasField("name"):
        raise SchemaError(f"a layer must have a name and a type, but one has name {layer.name!r}, type {layer.type!r}.")
    tops = list(layer.top)
    in_place = len(tops) == 1 and tops == list(layer.bottom)
    plainly = bool(tops) and not in_place and len(set(tops)) == len(tops) and not any(top in spec for top in tops)
    keys = tops if plainly else _keys(layer, [layer.name, *tops[1:]], set(spec))
    settings = {} if keys[0] == layer.name else {"name": layer.name}
    settings.update(layer_settings(layer))
    if in_place:
        settings["in_place"] = True
    elif plainly or not tops:
        settings["ntop"] = len(tops)
    else:
        settings["tops"] = tops
    bottoms = [sources.get(name) or blob(name) for name in layer.bottom]
    function = Function(layer.type, bottoms, settings)
    for key, top in zip(keys, function.tops or [function]):
        spec[key] = top
    sources.update(zip(tops, function.tops))


def _keys(layer: Any, wanted: Iterable[str], taken: set[str]) -> list[str]:
    """Names for tops that no other has: with the layer's phase or a number where the wanted one is taken."""
    phases = [schema.enum("Phase").Name(rule.phase).lower() for rule in layer.include if rule.HasField("phase")]
    keys = []
    for name in wanted:
        tries = chain([name], (f"{name}_{phase}" for phase in phases), (f"{name}_{number}" for number in count(2)))
        keys.append(next(tried for tried in tries if tried not in taken))
        taken.add(keys[-1])
    return keys
