"""Prototxt to messages by the schema, and messages to NetSpecs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from google.protobuf.message import Message as ProtoMessage

from prototools import schema
from prototools.errors import ProtoTextError, SchemaError
from prototools.netspec.complaints import WrongValueError
from prototools.netspec.graph import Function, Top, blob
from prototools.netspec.plain import layer_settings, plain
from prototools.netspec.settings import near_message
from prototools.netspec.values import assign_proto
from prototools.prototext import Message, Scalar, parse
from prototools.prototext import values as literals
from prototools.prototext.places import error_at
from prototools.schema import Field


def read_prototxt(text: str | bytes, kind: type) -> Any:
    """A NetSpec, of class `kind`, of a network's text; see `NetSpec.from_prototxt`."""
    from prototools.upgrading import upgrade

    document = parse(_bytes_of(text))
    if not document.has("layers"):
        return read_proto(_net_of(document), kind)
    upgraded = parse(upgrade(document.source()).text)
    try:
        net = _net_of(upgraded)
    except ProtoTextError as error:
        raise _as_written(error, upgraded.source(), document.source()) from None
    return read_proto(net, kind)


def _net_of(document: Message) -> Any:
    net = message_of(document, "NetParameter")
    for layer in document.messages("layer"):
        missing = [name for name in ("name", "type") if not layer.has(name)]
        if missing:
            raise _at(layer, f"a layer must have a name and a type, but this one has no {missing[0]}")
    return net


def _as_written(error: ProtoTextError, upgraded: bytes, written: bytes) -> ProtoTextError:
    """An error in an upgraded text at its place in the text as it was written.

    A field that Caffe does not know keeps its name there, and its turn among those of that name.
    """
    line_start = sum(len(line) + 1 for line in upgraded.split(b"\n")[: error.line - 1])
    place = line_start + error.column - 1
    field = re.match(rb"(\w+)\s*[:{<]", upgraded[place:])
    if field:
        name = re.compile(rb"\b%s\b" % field[1])
        after, before = ([found.start() for found in name.finditer(text)] for text in (upgraded, written))
        if len(after) == len(before) and place in after:
            return error_at(written, before[after.index(place)], error.message)
    message = f"{error.message}; the line is that of the file as prototools upgrade writes it"
    return ProtoTextError(message, error.line, error.column, error.source_line)


def _bytes_of(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    # No field is without one of these, and few names of files are with one.
    if not isinstance(text, str) or text.strip() and not set(text) & set(":{<"):
        raise WrongValueError(f"from_prototxt must be given a network's text, but is given {text!r}; "
                              "read the file of that name first.")
    return text.encode("utf-8", "surrogateescape")


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
    near = near_message(name, known) if name.endswith("_param") else schema.did_you_mean(name, known, 0.8)
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
    if not isinstance(net, ProtoMessage):
        raise WrongValueError(f"from_proto must be given a NetParameter, but is given {net!r}; "
                              "from_prototxt reads a text.")
    net = schema.message("NetParameter").FromString(net.SerializePartialToString())
    if len(net.layers):
        raise SchemaError("the net's layers must be of the current form, but are V1; upgrade it first, with "
                          "prototools.upgrade or NetSpec.from_prototxt.")
    reader = _Reader(kind(**plain(net, leave=("layer",))))
    for layer in net.layer:
        reader.add(layer)
    return reader.spec


class _Reader:
    """A NetSpec in the making: what bears each blob's name by now, and how often a name was wanted."""

    def __init__(self, spec: Any):
        self.spec = spec
        self.sources: dict[str, Top] = dict(spec.tops)
        self.numbers: Counter[str] = Counter()

    def add(self, layer: Any) -> None:
        """Make a layer of what there is under its bottoms' names, and assign its tops."""
        if not layer.type or not layer.HasField("name"):
            raise SchemaError(
                f"a layer must have a name and a type, but one has name {layer.name!r}, type {layer.type!r}.")
        tops = list(layer.top)
        in_place = len(tops) == 1 and tops == list(layer.bottom)
        # Whether the blobs are free to be called by their names.
        plainly = tops and not in_place and len(set(tops)) == len(tops) and not any(top in self.spec for top in tops)
        settings = layer_settings(layer)
        if in_place:
            settings["in_place"] = True
        elif plainly or not tops:
            settings["ntop"] = len(tops)
        else:
            settings["tops"] = tops
        bottoms = [self.sources.get(name) or blob(name) for name in layer.bottom]
        keys = tops if plainly else self._keys(layer, [layer.name, *tops[1:]])
        if keys[0] != layer.name:
            settings = {"name": layer.name, **settings}
        function = Function(layer.type, bottoms, settings)
        for key, top in zip(keys, function.tops or [function]):
            self.spec[key] = top
        self.sources.update(zip(tops, function.tops))

    def _keys(self, layer: Any, wanted: Iterable[str]) -> list[str]:
        """Names for tops that no other has: with the layer's phase or a number where the wanted one is taken."""
        phases = [schema.enum("Phase").Name(rule.phase).lower() for rule in layer.include if rule.HasField("phase")]
        keys: list[str] = []
        for name in wanted:
            tries = chain([name], (f"{name}_{phase}" for phase in phases), self._numbered(name))
            keys.append(next(tried for tried in tries if tried not in self.spec and tried not in keys))
        return keys

    def _numbered(self, name: str) -> Iterator[str]:
        """`name_2` and so on, each once, however many layers share the name."""
        while True:
            self.numbers[name] += 1
            yield f"{name}_{self.numbers[name] + 1}"
