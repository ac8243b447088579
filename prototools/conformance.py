"""What Caffe's own reader would stop at: fields that its schema does not have, and values that do not fit.

The lexical form is `prototext`'s; here every field is held against its message in caffe.proto, by the rules
of protobuf's reader in C++ (text_format.cc): an unknown field, a second value or a list where one may stand,
a message for a value, a number out of its type's range, a word that is none of an enumeration's.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Collection, Dict, Iterator, List, NamedTuple

from google.protobuf.descriptor import FieldDescriptor

from prototools import schema
from prototools.errors import ProtoTextError
from prototools.prototext import Message, Scalar, values
from prototools.prototext.places import place_of
from prototools.prototext.tree import Node

#: What a file may be, and the fields whose messages are read one by one.
NET, SOLVER, LAYERS = "NetParameter", "SolverParameter", ("layer", "layers")

COMMENT = re.compile(rb"#[^\n]*")


class Misfit(NamedTuple):
    """One thing that Caffe's reader stops at: its line, the sentence, and what to do.

    `unknown` tells a field that stock Caffe does not have from a value that does not fit one.
    """

    line: int
    problem: str
    cure: str
    unknown: bool = False


STOPS = "Caffe stops there when it reads the file"


def kind_of(document: Message) -> str:
    """The message that a file holds: a net, or a solver where it has a solver's fields and no layer."""
    names = set(document.names())
    own = schema.fields(schema.message(SOLVER).DESCRIPTOR).keys() - schema.fields(schema.message(NET).DESCRIPTOR).keys()
    return SOLVER if names & own and not names.intersection(LAYERS) else NET


def misfits(message: Message, name: str, unknown: bool = True, leave: Collection[str] = ()) -> Iterator[Misfit]:
    """Everything in a message that does not fit Caffe's message of that name, field by field.

    Without `unknown` fields that Caffe does not know pass, as those of a fork's own layer; the fields to
    `leave` are not looked at.
    """
    yield from _message(message, schema.message(name).DESCRIPTOR, unknown, "", leave)


def _message(
    message: Message, descriptor: Any, unknown: bool, path: str, leave: Collection[str] = ()
) -> Iterator[Misfit]:
    known = schema.fields(descriptor)
    for name in message.names():
        field, nodes = known.get(name), message.all(name)
        if name in leave:
            continue
        if field is not None:
            yield from _field(nodes, field, unknown, path)
        elif unknown:
            near = schema.did_you_mean(name, known).lstrip("; ")
            yield Misfit(_line(nodes[0]), f"stock Caffe knows no field {path}{name}",
                         f"take it out{near and f' ({near})'}", unknown=True)
    missing = [field.name for field in descriptor.fields if _is_required(field) and not message.has(field.name)]
    if missing:
        line, _ = place_of(message.data, message.start)
        yield Misfit(line, f"{message.name} must give {' and '.join(missing)}", STOPS)


def _field(nodes: List[Node], field: schema.Field, unknown: bool, path: str) -> Iterator[Misfit]:
    if not field.repeated and (len(nodes) > 1 or _in_list(nodes[0])):
        found = "stands again" if not _in_list(nodes[0]) else "is a list"
        yield Misfit(_line(nodes[-1]), f"{field.name} must be given once, but {found}", STOPS)
    for node in nodes:
        if isinstance(node, Message) and field.kind == "message":
            yield from _message(node, field.message_type, unknown, f"{path}{field.name}.")
            continue
        try:
            _require_value(node, field)
        except ProtoTextError as error:
            yield Misfit(error.line, error.message, STOPS)


def _require_value(node: Node, field: schema.Field) -> None:
    """Raise where a value is not one that the field may hold."""
    if isinstance(node, Message):
        raise node.error(f"{field.name} must be a value, but found a message")
    if field.kind == "message":
        raise node.error("a message in braces")
    READERS[field.kind](node, field)


def _require_integer(scalar: Scalar, field: schema.Field) -> None:
    smallest, largest = field.bounds
    value = values.integer(scalar)
    # A minus alone is what an unsigned number must not have, before a zero too.
    if not smallest <= value <= largest or smallest == 0 and scalar.literal.startswith(b"-"):
        raise scalar.error(f"a whole number from {smallest:,} to {largest:,}")


def _require_choice(scalar: Scalar, field: schema.Field) -> None:
    word = values.word(scalar)
    choices = {value.name: str(value.number) for value in field.enum_type.values}
    if word not in choices and word not in choices.values():
        raise scalar.error(_one_of(list(choices), word))


def _one_of(choices: List[str], word: str) -> str:
    if len(choices) <= 6:
        return f"one of {', '.join(choices)}"
    near = schema.did_you_mean(word, choices).lstrip("; ")
    return f"one of {len(choices)} names, {choices[0]} to {choices[-1]}{near and f' ({near})'}"


READERS: Dict[str, Callable[[Scalar, schema.Field], Any]] = {
    "bool":  lambda scalar, field: values.boolean(scalar),
    "bytes": lambda scalar, field: values.string_bytes(scalar),
    "enum":  _require_choice,
    "float": lambda scalar, field: values.double(scalar),
    "int":   _require_integer,
    "str":   lambda scalar, field: values.string_bytes(scalar),
}


def _in_list(node: Node) -> bool:
    """Whether a value is an element of a list in square brackets."""
    if isinstance(node, Message):
        return node.data[node.start : node.start + 1] in (b"{", b"<")
    return b"[" in COMMENT.sub(b"", node.data[node.field_start : node.start])


def _line(node: Node) -> int:
    return place_of(node.data, node.start)[0]


def _is_required(field: Any) -> bool:
    # `label` is on its way out, `is_required` came with protobuf 6.
    required = getattr(field, "is_required", None)
    return field.label == FieldDescriptor.LABEL_REQUIRED if required is None else bool(required)
