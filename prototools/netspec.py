"""Networks from Python: a drop-in for pycaffe's NetSpec.

    from prototools.netspec import NetSpec, layers as L, params as P

    n = NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 3, 224, 224]))
    n.conv1 = L.Convolution(n.data, num_output=64, kernel_size=3, pad=1)
    n.relu1 = L.ReLU(n.conv1, in_place=True)
    n.pool1 = L.Pooling(n.relu1, pool=P.Pooling.MAX, kernel_size=2, stride=2)
    print(n.to_proto())

`layers.TYPE(*bottoms, **settings)` makes a layer of any type and returns its top, or a tuple of
tops where `ntop=` asks for several, or the layer itself for `ntop=0`. Assigning a top to a NetSpec
names it. A layer is called after its first top; what has no name is called TYPE1, TYPE2 and so on.
`in_place=True` gives the tops the bottoms' names.

A setting that ends in `param` is a field of the layer; any other is looked up in the layer type's
own message, and after that in the layer (`name`, `include`, `loss_weight`). Settings are checked
when the network is written, by `to_proto`.

A script for pycaffe's NetSpec prints the same network here. This one does more:

* Deconvolution, Im2col, RNN, LSTM and losses take the settings of the message that they read;
* tuples, ranges, numpy arrays and empty lists do for repeated fields, names for enum values;
* a top tells its blob's shape: `n.conv1.shape` is (1, 64, 224, 224);
* the depth of a network has no limit, and a NetSpec can be copied and pickled;
* an automatic name is never that of an assigned top, where pycaffe makes two blobs of one name;
* what does not fit is told in a sentence.
"""

from __future__ import annotations

import operator
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from google.protobuf.message import Message

from prototools import schema
from prototools.errors import NetError, SchemaError
from prototools.net import Net
from prototools.schema import Field
from prototools.shapes import infer

#: What counts as a message written plainly; `dict` stands first because asking an ABC is slow.
_MAPPING = (dict, Mapping)

#: The phases, for `include=dict(phase=TEST)`.
TRAIN, TEST = 0, 1

#: Types of layers that read another type's message; by what the layers' own code in Caffe reads.
_BORROWED = {
    "Deconvolution": ("convolution_param",),
    "Im2col": ("convolution_param",),
    "InfogainLoss": ("loss_param",),
    "LSTM": ("recurrent_param",),
    "RNN": ("recurrent_param",),
    "SigmoidCrossEntropyLoss": ("loss_param",),
    "SoftmaxWithLoss": ("loss_param", "softmax_param"),
}


class UnknownFieldError(SchemaError, AttributeError):
    """A setting that no message of the layer has; pycaffe raises AttributeError."""


class WrongValueError(SchemaError, TypeError):
    """A value of a type that the field does not take; pycaffe raises TypeError."""


class WrongStructureError(WrongValueError, AttributeError):
    """A list or a dict where the field takes none, or the other way round.

    pycaffe raises AttributeError for some of these and TypeError for others.
    """


class UnknownTopError(SchemaError, AttributeError, KeyError):
    """A name that the NetSpec does not have; pycaffe raises KeyError, `hasattr` needs the other.

    `args` is the name alone, as in a KeyError.
    """

    def __init__(self, top_name: str, known: Iterable[str] = ()):
        super().__init__(top_name)
        self.known = tuple(known)

    def __str__(self) -> str:
        near = schema.did_you_mean(str(self.args[0]), self.known) or "; assign it first."
        return f"the NetSpec has no top {self.args[0]!r}{near}"


class Top:
    """One output of a layer: number `n`, from 0, of the tops of `fn`."""

    def __init__(self, fn: Function, n: int):
        self.fn = fn
        self.n = n

    def to_proto(self) -> Any:
        """A NetParameter with this top's layer and all that it needs."""
        return to_proto(self)

    @property
    def shape(self) -> tuple[int | None, ...] | None:
        """The blob's shape as far as the network tells it, with None for a dim that it does not tell.

        None where not even the number of dims is known. Raises NetError where Caffe would refuse the
        layers that make the blob.
        """
        net = self.to_proto()
        found = infer(Net(schema.text(net).encode("utf-8")).filtered())
        if found.errors:
            raise NetError(f"this blob has no shape: {found.errors[0].message}")
        known = found.blobs.get(net.layer[-1].top[self.n])
        return None if known is None else tuple(known)

    def __repr__(self) -> str:
        return f"<top {self.n} of {self.fn!r}>"


class Function:
    """One layer.

    type_name  its type in Caffe
    inputs     the tops that it reads
    params     its settings by name, as given; `to_proto` reads them, so they may still be changed
    ntop       how many tops it has; `tops` are these
    in_place   whether its tops bear the names of its bottoms

    Raises WrongValueError (a TypeError) for a bottom that is no Top, or an ntop that is no number.
    """

    def __init__(self, type_name: str, inputs: Iterable[Top], params: Mapping[str, Any]):
        self.type_name = type_name
        self.inputs = tuple(inputs)
        for index, bottom in enumerate(self.inputs):
            if not isinstance(bottom, Top):
                raise WrongValueError(_not_a_top(type_name, index, bottom))
        self.params = dict(params)
        self.ntop = _count(self.params.pop("ntop", 1))
        self.in_place = self.params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    def to_proto(self) -> Any:
        """A NetParameter with this layer and all that it needs."""
        return to_proto(self)

    def __repr__(self) -> str:
        return f"<layer of type {self.type_name}>"


def _count(ntop: Any) -> int:
    try:
        count = operator.index(ntop)
    except TypeError:
        count = -1
    if count < 0:
        raise WrongValueError(f"ntop must be a whole number of at least 0, but is {ntop!r}.")
    return count


def _not_a_top(user: str, index: int, value: Any) -> str:
    hint = ""
    if isinstance(value, tuple) and value and all(isinstance(item, Top) for item in value):
        hint = " It holds the tops of one layer: give one of them, or all of them with a star."
    elif isinstance(value, Function):
        hint = " A layer with ntop=0 has no top to read."
    elif isinstance(value, str):
        hint = " Give the top itself, not its name."
    return f"{user} input {index} is not a Top (type is {type(value)}).{hint}"


class NetSpec:
    """Named tops, in the order in which their names were first assigned.

    `n.conv1 = top` and `n["conv1"] = top` name a top. A name that is assigned again means the new
    top, in the old place; a top with several names goes by the last. `tops` is the dict of them.
    A name that was never assigned raises UnknownTopError, an AttributeError and a KeyError.
    """

    tops: dict[str, Any]

    def __init__(self) -> None:
        object.__setattr__(self, "tops", {})

    def __setattr__(self, name: str, value: Any) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        # There are no tops yet while copy and pickle look into a NetSpec that they are making.
        return _top(self.__dict__.get("tops", {}), name)

    def __delattr__(self, name: str) -> None:
        del self[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.tops[name] = value

    def __getitem__(self, name: str) -> Any:
        return _top(self.tops, name)

    def __delitem__(self, name: str) -> None:
        _top(self.tops, name)
        del self.tops[name]

    def __contains__(self, name: object) -> bool:
        return name in self.tops

    def __iter__(self) -> Iterator[str]:
        return iter(self.tops)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.tops})

    def to_proto(self) -> Any:
        """A NetParameter with the layers of all tops and what they need, inputs before users.

        Raises UnknownFieldError (an AttributeError) for a setting that the layer does not have,
        WrongValueError (a TypeError) for a value of a wrong type, SchemaError (a ValueError) for
        one out of range.
        """
        for name, value in self.tops.items():
            if not isinstance(name, str):
                raise WrongValueError(f"the name of a top must be text, but is {name!r}.")
            if not isinstance(value, (Top, Function)):
                raise WrongStructureError(_not_assignable(name, value))
        return _written(self.tops.values(), {top: name for name, top in self.tops.items()})

    def __copy__(self) -> NetSpec:
        """Another NetSpec with the same tops."""
        copied = type(self).__new__(type(self))
        copied.__dict__["tops"] = dict(self.tops)
        return copied

    def __getstate__(self) -> dict[str, Any]:
        """The layers as a flat list: pickle and deepcopy would recurse along the network."""
        named = [top for top in self.tops.values() if isinstance(top, (Top, Function))]
        numbers = {function: number for number, function in enumerate(_in_order(named))}
        rows = [_row(function, numbers) for function in numbers]
        return {"layers": rows, "tops": {n: _reference(t, numbers) for n, t in self.tops.items()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        made: list[Function] = []
        for type_name, inputs, settings in state["layers"]:
            bottoms = [made[number].tops[n] for number, n in inputs]
            made.append(Function(type_name, bottoms, settings))
        tops = {name: _resolve(reference, made) for name, reference in state["tops"].items()}
        self.__dict__["tops"] = tops


def _top(tops: Mapping[str, Any], name: str) -> Any:
    try:
        return tops[name]
    except KeyError:
        raise UnknownTopError(name, tops) from None


def _not_assignable(name: str, value: Any) -> str:
    hint = ""
    if isinstance(value, tuple):
        hint = " A layer with several tops needs a name for each: n.data, n.label = ..."
    return f"the NetSpec's {name!r} must be a top, but is of type {type(value).__name__}.{hint}"


def _row(function: Function, numbers: Mapping[Function, int]) -> tuple[Any, ...]:
    settings = {**function.params, "ntop": function.ntop, "in_place": function.in_place}
    return function.type_name, [(numbers[top.fn], top.n) for top in function.inputs], settings


def _reference(value: Any, numbers: Mapping[Function, int]) -> tuple[Any, ...]:
    if isinstance(value, Top):
        return "top", numbers[value.fn], value.n
    if isinstance(value, Function):
        return "layer", numbers[value]
    return "other", value


def _resolve(reference: tuple[Any, ...], made: Sequence[Function]) -> Any:
    kind, value = reference[:2]
    if kind == "top":
        return made[value].tops[reference[2]]
    return made[value] if kind == "layer" else value


# ---------------------------------------------------------------- pseudo-modules


class Layers:
    """`layers.TYPE(*bottoms, **settings)` makes a layer of that type, which may be any."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        _no_special_name(name)

        def layer_fn(*bottoms: Top, **settings: Any) -> Top | tuple[Top, ...] | Function:
            function = Function(name, bottoms, settings)
            if function.ntop == 0:
                return function
            return function.tops[0] if function.ntop == 1 else function.tops

        return layer_fn


class Parameters:
    """`params.TYPE.NAME` is a constant of a layer type's message, such as `params.Pooling.MAX`."""

    def __getattr__(self, name: str) -> _Constants:
        _no_special_name(name)
        return _Constants(f"{name}Parameter")


class _Constants:
    """The constants of one message. Raises UnknownFieldError for what it does not have."""

    def __init__(self, message_name: str):
        self._message_name = message_name

    def __getattr__(self, name: str) -> Any:
        _no_special_name(name)
        try:
            owner = schema.message(self._message_name)
        except SchemaError as error:
            raise UnknownFieldError(str(error)) from None
        if not hasattr(owner, name):
            known = [name for enum in owner.DESCRIPTOR.enum_types for name in enum.values_by_name]
            near = schema.did_you_mean(name, known) or f"; it has {', '.join(known) or 'none'}."
            raise UnknownFieldError(f"{self._message_name} has no constant {name!r}{near}")
        return getattr(owner, name)


def _no_special_name(name: str) -> None:
    """A pseudo-module answers to any name, but Python's own must not find what they look for."""
    if name.startswith("__") and name.endswith("__"):
        raise AttributeError(name)


layers = Layers()
params = Parameters()


# ---------------------------------------------------------------- writing layers


def to_proto(*tops: Top | Function) -> Any:
    """A NetParameter with the layers of the tops and all that they need; names are automatic.

    Raises as `NetSpec.to_proto` does.
    """
    for index, top in enumerate(tops):
        if not isinstance(top, (Top, Function)):
            raise WrongStructureError(_not_a_top("to_proto", index, top))
    return _written(tops, {})


def _written(tops: Iterable[Top | Function], names: Mapping[Any, str]) -> Any:
    net = schema.message("NetParameter")()
    naming = _Naming(names)
    written: dict[Function, Any] = {}
    for function in _in_order(tops):
        layer = written[function] = net.layer.add()
        layer.type = function.type_name
        layer.bottom.extend([_bottom(function, top, written) for top in function.inputs])
        layer.top.extend(layer.bottom if function.in_place else map(naming.of, function.tops))
        layer.name = naming.of(function)
        _write_settings(layer, function)
    return net


def _in_order(tops: Iterable[Top | Function]) -> list[Function]:
    """The layers of the tops and all that they need, each after its inputs.

    Depth first, a layer's inputs in their order: pycaffe's order.
    Raises SchemaError where a layer needs itself.
    """
    done: dict[Function, None] = {}
    for top in tops:
        _visit(top.fn if isinstance(top, Top) else top, done)
    return list(done)


def _visit(function: Function, done: dict[Function, None]) -> None:
    path = {} if function in done else {function: iter(function.inputs)}
    while path:
        current, inputs = next(reversed(path.items()))
        needed = next((top.fn for top in inputs if top.fn not in done), None)
        if needed is None:
            del path[current]
            done[current] = None
        elif needed in path:
            raise SchemaError(f"a layer must not need itself, but a {needed.type_name} does.")
        else:
            path[needed] = iter(needed.inputs)


def _bottom(function: Function, top: Top, written: Mapping[Function, Any]) -> str:
    names = written[top.fn].top
    if top.n >= len(names):
        raise SchemaError(
            f"a {function.type_name} must read a top that is there, but {top!r} is not: "
            f"a layer in place has only as many tops as bottoms, here {len(names)}."
        )
    return str(names[top.n])


class _Naming:
    """Names for tops and layers: the assigned ones, and TYPE1, TYPE2, ... for the rest.

    Tops and layers without tops count together.
    """

    def __init__(self, assigned: Mapping[Any, str]):
        self._names = dict(assigned)
        self._counts: Counter[str] = Counter()
        # A layer in place makes no blob of its name, so pycaffe's names stay valid beside it.
        self._blobs = {
            name for top, name in assigned.items() if isinstance(top, Top) and not top.fn.in_place
        }

    def of(self, thing: Top | Function) -> str:
        """The name of a top, or of a layer: that of its first top."""
        if isinstance(thing, Function) and thing not in self._names and thing.tops:
            return self.of(thing.tops[0])
        if thing not in self._names:
            function = thing.fn if isinstance(thing, Top) else thing
            self._names[thing] = self._automatic(function.type_name)
        return self._names[thing]

    def _automatic(self, type_name: str) -> str:
        """The next TYPEn that no assigned blob has."""
        while True:
            self._counts[type_name] += 1
            name = f"{type_name}{self._counts[type_name]}"
            if name not in self._blobs:
                return name


# ---------------------------------------------------------------- writing settings


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
        near = schema.did_you_mean(name, known) or f"; it has {', '.join(known)}."
        raise UnknownFieldError(f"{proto.DESCRIPTOR.name} has no field {name!r}{near}")
    if field.kind == "message":
        _assign_messages(proto, field, val)
    elif field.repeated:
        _extend(proto, field, _items(val))
    else:
        _set(proto, field, val)


def _write_settings(layer: Any, function: Function) -> None:
    homes = _homes(function.type_name)
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
        place = f"layer {layer.name!r} of type {function.type_name}"
        raise type(error)(f"{place}: {error}") from None


@cache
def _homes(type_name: str) -> Mapping[str, str]:
    """For each setting of a layer type's own, the field of LayerParameter that holds it."""
    own = schema.parameter_name(type_name)
    homes = _BORROWED.get(type_name, ()) if own is None else (own, *_BORROWED.get(type_name, ()))
    found: dict[str, str] = {}
    for home in reversed(homes):
        found.update(dict.fromkeys(_settings_of(home), home))
    return found


def _settings_of(home: str) -> Iterable[str]:
    layer_fields = schema.fields(schema.message("LayerParameter").DESCRIPTOR)
    return schema.fields(layer_fields[home].message_type)


def _unknown_setting(type_name: str, name: str) -> str:
    """What to say of a setting that is neither a layer type's own nor a field of every layer."""
    sentence = f"there is no setting {name!r}"
    layer_fields = schema.fields(schema.message("LayerParameter").DESCRIPTOR)
    messages = [field for field in layer_fields if field.endswith("_param")]
    if name.endswith("_param"):
        # The common ending would make everything look near.
        near = schema.did_you_mean(name[:-6], [field[:-6] for field in messages], 0.7)
        custom = (
            " in Caffe 1.0, and this schema can write no custom layer's. "
            "For resizing, prototools.upsample builds stock layers."
        )
        return sentence + (f"{near[:-2]}_param'?" if near else custom)
    own = _homes(type_name)
    near = schema.did_you_mean(name, [*own, *layer_fields])
    if near or own:
        return sentence + (near or f"; {type_name} has {', '.join(own)}.")
    owners = [field for field in messages if name in _settings_of(field)]
    some = " or ".join(f"{owner}=dict({name}=...)" for owner in owners[:3])
    return f"{sentence}; the type has none of its own." + (f" Write {some}." if some else "")


def _items(value: Any) -> Sequence[Any]:
    """The elements that a value for a repeated field stands for."""
    if isinstance(value, list):
        return value
    if isinstance(value, (str, bytes, Message, *_MAPPING)):
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
    width = 2 ** int(field.type_name[-2:])
    least = 0 if field.type_name.startswith("u") else -width // 2
    most = least + width - 1
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
