"""A network as it is built: layers that know the tops they read."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prototools.errors import SchemaError
from prototools.netspec.complaints import WrongValueError
from prototools.netspec.settings import check_settings

#: The type of what stands for the maker of a blob that no layer of the NetSpec makes.
OUTSIDE = None


class Top:
    """One output of a layer: number `n`, from 0, of the tops of `fn`."""

    def __init__(self, fn: Function, n: int):
        self.fn = fn
        self.n = n

    def to_proto(self) -> Any:
        """A NetParameter with this top's layer and all that it needs."""
        from prototools.netspec.writing import to_proto

        return to_proto(self)

    @property
    def shape(self) -> tuple[int | None, ...] | None:
        """The blob's shape as far as the network tells it, with None for a dim that it does not tell.

        None where not even the number of dims is known. The files of data layers need not be there.
        Raises NetError where Caffe would refuse the layers that make the blob.
        """
        from prototools.netspec.writing import shape_of

        return shape_of(self)

    def _to_proto(self, layers: dict[Any, Any], names: dict[Any, str], autonames: Any) -> None:
        """What `Function._to_proto` does, for this top's layer."""
        self.fn._to_proto(layers, names, autonames)

    def __repr__(self) -> str:
        return f"<top {self.n} of {self.fn!r}>"


class Function:
    """One layer.

    type_name  its type in Caffe
    inputs     the tops that it reads
    params     its settings by name, as given; `to_proto` reads them, so they may still be changed
    ntop       how many tops it has; `tops` are these
    in_place   whether its tops bear the names of its bottoms
    names      its blobs' names where `tops=` fixed them, else None

    Raises WrongValueError (a TypeError) for a bottom that is no Top, or an ntop that is no number, and for
    settings what `NetSpec.to_proto` raises.
    """

    def __init__(self, type_name: str | None, inputs: Iterable[Top], params: Mapping[str, Any]):
        self.type_name = type_name
        self.inputs = tuple(inputs)
        for index, bottom in enumerate(self.inputs):
            if not isinstance(bottom, Top):
                raise not_a_top(WrongValueError, type_name, index, bottom)
        self.params = dict(params)
        self.names = _names(self.params.pop("tops", None))
        self.ntop = _count(self.params.pop("ntop", 1 if self.names is None else len(self.names)))
        self.in_place = self.params.pop("in_place", False)
        if self.names is not None and (self.in_place or self.ntop != len(self.names)):
            raise WrongValueError(f"tops names each of a layer's tops, so beside tops={list(self.names)} there must be "
                                  f"no in_place and no other ntop.")
        self.tops = tuple(Top(self, n) for n in range(self.ntop))
        check_settings(self)

    def to_proto(self) -> Any:
        """A NetParameter with this layer and all that it needs."""
        from prototools.netspec.writing import to_proto

        return to_proto(self)

    def _to_proto(self, layers: dict[Any, Any], names: dict[Any, str], autonames: Any) -> None:
        """Enter this layer and what it needs into `layers`; scripts that reach into pycaffe's call it."""
        from prototools.netspec.writing import enter

        enter([self], layers, names, autonames)

    def __repr__(self) -> str:
        return f"<layer of type {self.type_name}>" if self.type_name is not OUTSIDE else f"<maker of {self.names[0]!r}>"


def blob(name: str, shape: Sequence[int] | None = None) -> Top:
    """A blob that no layer of the NetSpec makes, such as an input of a net of old style.

    `shape`, where it is known, lets the tops that are made from it tell theirs.
    """
    top = Function(OUTSIDE, (), {"tops": [name]}).tops[0]
    top.fn.shape = None if shape is None else tuple(shape)
    return top


def _names(given: Any) -> tuple[str, ...] | None:
    if given is None:
        return None
    if isinstance(given, (list, tuple)) and all(isinstance(name, str) for name in given):
        return tuple(given)
    raise WrongValueError(f'tops must be a list of blobs\' names, such as ["data", "label"], but is {given!r}.')


def _count(ntop: Any) -> int:
    try:
        count = operator.index(ntop)
    except TypeError:
        count = -1
    if count < 0:
        raise WrongValueError(f"ntop must be a whole number of at least 0, but is {ntop!r}.")
    return count


def not_a_top(kind: type[WrongValueError], user: str, index: int, value: Any) -> WrongValueError:
    """The error for a bottom that is no Top: pycaffe's sentence, on which its own tests insist, and a note."""
    error = kind(f"{user} input {index} is not a Top (type is {type(value)})")
    note = ""
    if isinstance(value, tuple) and value and all(isinstance(item, Top) for item in value):
        note = "It holds the tops of one layer: give one of them, or all of them with a star."
    elif isinstance(value, Function):
        note = "A layer with ntop=0 has no top to read."
    elif isinstance(value, str):
        note = "Give the top itself, not its name."
    elif isinstance(value, (int, float, bool)):
        note = "Settings are given by name, such as num_output=3."
    # Shown below the error from Python 3.11 on.
    error.__notes__ = [note] if note else []
    return error


def in_order(tops: Iterable[Top | Function]) -> list[Function]:
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
