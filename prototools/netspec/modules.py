"""The pseudo-modules: `layers.TYPE(...)` makes a layer, `params.TYPE.NAME` is a constant."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from prototools import schema
from prototools.errors import SchemaError
from prototools.netspec.complaints import UnknownFieldError
from prototools.netspec.graph import Function, Top


class Layers:
    """`layers.TYPE(*bottoms, **settings)` makes a layer of that type, which may be any.

    A type that looks like a slip for one of Caffe's is warned of, because Caffe will not know it.
    """

    def __getattr__(self, name: str) -> Callable[..., Any]:
        _no_special_name(name)

        def layer_fn(*bottoms: Top, **settings: Any) -> Top | tuple[Top, ...] | Function:
            if _slip(name):
                caller = sys._getframe(1)
                _tell(_slip(name), caller.f_code.co_filename, caller.f_lineno)
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


@cache
def _tell(sentence: str, file: str, line: int) -> None:
    """Log a warning, once for each place; Python prints it on standard error where no one has set up logging."""
    logging.getLogger(__name__).warning("%s:%d: %s", file, line, sentence)


@cache
def _slip(type_name: str) -> str:
    """What to say of a type that is none of Caffe's and nearly one; forks have types such as ReLU6 and Unpooling."""
    from prototools.layer_types import STOCK_TYPES

    near = "" if type_name in STOCK_TYPES else schema.did_you_mean(type_name, sorted(STOCK_TYPES), 0.9)
    return f"layers.{type_name}: Caffe has no layer of type {type_name!r}{near}" if near else ""


def _no_special_name(name: str) -> None:
    """A pseudo-module answers to any name, but Python's own must not find what they look for."""
    if name.startswith("__") and name.endswith("__"):
        raise AttributeError(name)


layers = Layers()
params = Parameters()
