"""A network as a message: names for everything, each layer after its inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from prototools import schema
from prototools.errors import NetError, SchemaError
from prototools.net import Net
from prototools.netspec.complaints import WrongStructureError
from prototools.netspec.graph import OUTSIDE, Function, Top, in_order, not_a_top
from prototools.netspec.settings import write_settings
from prototools.netspec.values import assign_proto
from prototools.shapes import infer


def to_proto(*tops: Top | Function) -> Any:
    """A NetParameter with the layers of the tops and all that they need; names are automatic.

    Raises as `NetSpec.to_proto` does.
    """
    for index, top in enumerate(tops):
        if not isinstance(top, (Top, Function)):
            raise not_a_top(WrongStructureError, "to_proto", index, top)
    return written(tops, {}, {})


def written(tops: Iterable[Top | Function], names: Mapping[Any, str], settings: Mapping[str, Any]) -> Any:
    """A NetParameter with the net's own settings and the layers of the tops, some of which have names."""
    net = schema.message("NetParameter")()
    for name, value in settings.items():
        assign_proto(net, name, value)
    layers: dict[Function, Any] = {}
    enter(tops, layers, dict(names), Counter())
    net.layer.extend([layer for function, layer in layers.items() if function.type_name is not OUTSIDE])
    return net


def enter(
    tops: Iterable[Top | Function], layers: dict[Function, Any], names: dict[Any, str], counts: Counter[str]
) -> None:
    """Add what the tops need, and is not there yet, to `layers`, each after its inputs; `names` gets their names.

    `counts` is how many automatic names each type has.
    """
    functions = in_order(tops)
    naming = _Naming(names, counts, functions)
    for function in functions:
        if function not in layers:
            layers[function] = _layer(function, layers, naming)


def _layer(function: Function, layers: Mapping[Function, Any], naming: _Naming) -> Any:
    if function.type_name is OUTSIDE:
        return schema.message("LayerParameter")(top=function.names)
    layer = schema.message("LayerParameter")(type=function.type_name)
    layer.bottom.extend([_bottom(function, top, layers) for top in function.inputs])
    layer.top.extend(layer.bottom if function.in_place else map(naming.blob, function.tops))
    layer.name = naming.layer(function)
    write_settings(layer, function)
    return layer


def _bottom(function: Function, top: Top, layers: Mapping[Function, Any]) -> str:
    names = layers[top.fn].top
    if top.n >= len(names):
        raise SchemaError(
            f"a {function.type_name} must read a top that is there, but {top!r} is not: "
            f"a layer in place has only as many tops as bottoms, here {len(names)}."
        )
    return str(names[top.n])


class _Naming:
    """Names for blobs and layers: the given ones, and TYPE1, TYPE2, ... for the rest.

    Blobs and layers without tops count together.
    """

    def __init__(self, assigned: dict[Any, str], counts: Counter[str], functions: Iterable[Function]):
        self._names, self._counts = assigned, counts
        # A layer in place makes no blob of its name, so pycaffe's names stay valid beside it.
        self._taken = {
            name for top, name in assigned.items()
            if isinstance(top, Top) and not top.fn.in_place and top.fn.names is None
        }
        self._taken.update(name for function in functions for name in function.names or ())

    def blob(self, top: Top) -> str:
        """A blob's name: the one that `tops=` fixed, or that of its top."""
        return self._of(top) if top.fn.names is None else top.fn.names[top.n]

    def layer(self, function: Function) -> str:
        """A layer's name: that of its first top."""
        if not function.tops or function in self._names:
            return self._of(function)
        first = function.tops[0]
        return self._names.get(first, function.names[0]) if function.names else self._of(first)

    def _of(self, thing: Top | Function) -> str:
        if thing not in self._names:
            function = thing.fn if isinstance(thing, Top) else thing
            self._names[thing] = self._automatic(function.type_name)
        return self._names[thing]

    def _automatic(self, type_name: str) -> str:
        """The next TYPEn that no blob has."""
        while True:
            self._counts[type_name] += 1
            name = f"{type_name}{self._counts[type_name]}"
            if name not in self._taken:
                return name


def shape_of(top: Top) -> tuple[int | None, ...] | None:
    """A blob's shape, as `Top.shape` tells it."""
    net = to_proto(top)
    outside = schema.message("NetParameter")()
    for function in in_order([top]):
        if function.type_name is OUTSIDE:
            maker = outside.layer.add(name=function.names[0], type="Input", top=function.names)
            if function.shape is None:
                # Of a type that no rule knows, so that nothing is known of its blob.
                maker.type = "Unknown"
            else:
                maker.input_param.shape.add(dim=function.shape)
    outside.layer.extend(net.layer)
    found = infer(Net(schema.text(outside).encode("utf-8")).filtered())
    # A net may be built where its data are not.
    if found.faults:
        raise NetError(f"this blob has no shape: {found.faults[0].message}")
    known = found.blobs.get(outside.layer[-1].top[top.n])
    return None if known is None else tuple(known)
