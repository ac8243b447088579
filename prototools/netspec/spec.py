"""NetSpec: named tops, and the network that they make."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from prototools.netspec.complaints import UnknownTopError, WrongStructureError, WrongValueError
from prototools.netspec.graph import Function, Top, blob, in_order
from prototools.netspec.settings import check_net, check_settings, net_settings
from prototools.netspec.writing import written


class NetSpec:
    """Named tops, in the order in which their names were first assigned.

    `n.conv1 = top` and `n["conv1"] = top` name a top. A name that is assigned again means the new
    top, in the old place; a top with several names goes by the last. `tops` is the dict of them.
    As in the SSD fork, `keys()` and `vals()` list it and `update(name, settings)` changes a layer's settings.
    A name that was never assigned raises UnknownTopError, an AttributeError and a KeyError.

    `settings` are fields of the net itself: `name`, `force_backward`, `state`, `debug_info`, and the
    `input` of a net of old style with `input_shape` or `input_dim`, whose blobs are tops from the start.
    Raises UnknownFieldError, WrongValueError or SchemaError for them as `to_proto` does.
    """

    tops: dict[str, Any]

    def __init__(self, **settings: Any) -> None:
        net = check_net(settings)
        # An OrderedDict, because scripts for pycaffe may call its methods.
        object.__setattr__(self, "tops", OrderedDict())
        self.__dict__["_settings"] = settings
        for index, name in enumerate(net.input):
            self[name] = blob(name, _input_shape(net, index))

    @classmethod
    def from_prototxt(cls, text: str | bytes) -> NetSpec:
        """A network's text as a NetSpec that makes an equal message again.

        Nets of old forms (V0 and V1) are upgraded first, as Caffe does when it loads them.
        A blob is assigned under its name, and under its layer's name where another layer, in place or of
        another phase, makes a blob of that name too.
        Raises ProtoTextError, with line and column, for a text that is malformed or has fields that
        Caffe 1.0 does not have.
        """
        from prototools.netspec.reading import read_prototxt

        return read_prototxt(text, cls)

    @classmethod
    def from_proto(cls, net: Any) -> NetSpec:
        """A NetParameter, of ours or pycaffe's, as a NetSpec that makes an equal message again.

        Raises SchemaError for a message with layers of the old form.
        """
        from prototools.netspec.reading import read_proto

        return read_proto(net, cls)

    def to_python(self) -> str:
        """Python code that makes this NetSpec again, loops unrolled; running it prints the network.

        Raises as `to_proto` does.
        """
        from prototools.netspec.source import python_source

        return python_source(NetSpec.from_proto(self.to_proto()))

    def __setattr__(self, name: str, value: Any) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        # There are no tops yet while copy and pickle look into a NetSpec that they are making.
        tops = self.__dict__.get("tops", {})
        if name in _METHODS_OF_SSD and name not in tops:
            return partial(_METHODS_OF_SSD[name], self)
        return _top(tops, name)

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
        names = {top: name for name, top in self.tops.items()}
        return written(self.tops.values(), names, net_settings(self))

    def __copy__(self) -> NetSpec:
        """Another NetSpec with the same tops."""
        copied = type(self).__new__(type(self))
        copied.__dict__.update({**self.__dict__, "tops": self.tops.copy(), "_settings": dict(net_settings(self))})
        return copied

    def __getstate__(self) -> dict[str, Any]:
        """The layers as a flat list: pickle and deepcopy would recurse along the network."""
        named = [top for top in self.tops.values() if isinstance(top, (Top, Function))]
        numbers = {function: number for number, function in enumerate(in_order(named))}
        return {
            "layers": [_row(function, numbers) for function in numbers],
            "tops": {name: _reference(top, numbers) for name, top in self.tops.items()},
            "settings": net_settings(self),
            "others": {name: value for name, value in self.__dict__.items() if name not in ("tops", "_settings")},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        made: list[Function] = []
        for type_name, inputs, settings, others in state["layers"]:
            bottoms = [made[number].tops[n] for number, n in inputs]
            made.append(Function(type_name, bottoms, settings))
            vars(made[-1]).update(others)
        tops = OrderedDict((name, _resolve(reference, made)) for name, reference in state["tops"].items())
        self.__dict__.update(tops=tops, _settings=state["settings"], **state["others"])


def _update(spec: NetSpec, name: str, settings: Mapping[str, Any]) -> None:
    """Give the layer of a top some more settings."""
    top = spec[name]
    function = top.fn if isinstance(top, Top) else top
    function.params.update(settings)
    check_settings(function)


#: What the NetSpec of the SSD fork has beside pycaffe's. They are no methods, so that tops may bear their names.
_METHODS_OF_SSD: Mapping[str, Callable[..., Any]] = {
    "keys": lambda spec: list(spec.tops),
    "update": _update,
    "vals": lambda spec: list(spec.tops.values()),
}


def _input_shape(net: Any, index: int) -> Sequence[int] | None:
    """The shape of one of a net's inputs, in the new form or the old one of four dims."""
    if index < len(net.input_shape):
        return tuple(net.input_shape[index].dim)
    return tuple(net.input_dim[4 * index:4 * index + 4]) or None


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
    """A layer's type, inputs and settings, and what else it holds."""
    settings = {**function.params, "ntop": function.ntop, "in_place": function.in_place, "tops": function.names}
    others = {name: value for name, value in vars(function).items() if name == "shape"}
    return function.type_name, [(numbers[top.fn], top.n) for top in function.inputs], settings, others


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
