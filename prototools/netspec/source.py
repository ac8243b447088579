"""Python code that makes a network, loops unrolled."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from keyword import iskeyword
from typing import Any

from google.protobuf.message import Message

from prototools.errors import SchemaError
from prototools.netspec.graph import OUTSIDE, Function, Top
from prototools.netspec.plain import Constant
from prototools.netspec.settings import net_settings

#: The most columns of a line, where no text is longer.
WIDTH = 100
INDENT = "    "

#: Where the names come from that the code may use.
_HOMES = (
    ("prototools", ("NetSpec", "layers as L", "params as P")),
    ("prototools.netspec", ("TEST", "TRAIN", "blob")),
    ("prototools.pycaffe", ("caffe_pb2",)),
)


def python_source(spec: Any) -> str:
    """The code for a NetSpec all of whose blobs are assigned, as `NetSpec.from_proto` makes it."""
    return _Writer(spec).code(spec)


class _Writer:
    """Writes the lines, and remembers which imported names they use."""

    def __init__(self, spec: Any):
        self.used = {"NetSpec"}
        self.names = {top: self._place(name, spec) for name, top in spec.tops.items()}

    def code(self, spec: Any) -> str:
        """The whole module."""
        lines = [self._call("n = NetSpec", self._keywords(net_settings(spec)))]
        lines += [self._layer(function, places) for function, places in self._layers()]
        imports = [
            f"from {home} import {', '.join(found)}" for home, names in _HOMES
            if (found := [name for name in names if name in self.used])
        ]
        return "\n".join([*imports, "", *lines, "", 'if __name__ == "__main__":', f"{INDENT}print(n.to_proto())", ""])

    def _layers(self) -> Iterable[tuple[Function, list[str]]]:
        """The layers with the places that their tops are assigned to."""
        places: dict[Function, list[str]] = {}
        for top, name in self.names.items():
            places.setdefault(top.fn if isinstance(top, Top) else top, []).append(name)
        return [(function, names) for function, names in places.items() if function.type_name is not OUTSIDE]

    @staticmethod
    def _place(name: str, spec: Any) -> str:
        of_its_own = hasattr(type(spec), name) or name in spec.__dict__
        return f"n.{name}" if _is_name(name) and not of_its_own else f"n[{_text(name)}]"

    def _layer(self, function: Function, places: Sequence[str]) -> str:
        self.used.add("layers as L")
        kind = function.type_name
        if kind.startswith("__") and kind.endswith("__"):
            raise SchemaError(f"a layer's type must not be one of Python's own names, but is {kind!r}.")
        maker = f"L.{kind}" if _is_name(kind) else f"getattr(L, {_text(kind)})"
        settings = dict(function.params)
        if function.names is not None:
            settings["tops"] = list(function.names)
        elif function.in_place:
            settings["in_place"] = True
        elif function.ntop != 1:
            settings["ntop"] = function.ntop
        arguments = [*map(self._bottom, function.inputs), *self._keywords(settings)]
        return self._call(f"{', '.join(places)} = {maker}", arguments)

    def _bottom(self, top: Top) -> str:
        if top in self.names:
            return self.names[top]
        self.used.add("blob")
        return f"blob({_text(top.fn.names[0])})"

    def _call(self, head: str, arguments: Sequence[str]) -> str:
        return _wrapped(f"{head}(", arguments, ")", len(INDENT))

    def _keywords(self, settings: Any, depth: int = 1) -> list[str]:
        """`name=value` for each setting, and one `**{}` for names that Python keeps for itself."""
        written = {name: self._value(value, len(name) + 1, depth) for name, value in settings.items()}
        own = {name: text for name, text in written.items() if not iskeyword(name)}
        rest = [f"{_text(name)}: {text}" for name, text in written.items() if name not in own]
        return [*(f"{name}={text}" for name, text in own.items()), *([f"**{{{', '.join(rest)}}}"] if rest else [])]

    def _value(self, value: Any, before: int, depth: int) -> str:
        """A value's expression, which begins `before` columns after an indent of `depth` steps."""
        if isinstance(value, Constant):
            self.used.add("params as P" if "." in repr(value) else repr(value))
            return repr(value)
        if isinstance(value, Message):
            self.used.add("caffe_pb2")
            return f"caffe_pb2.{value.DESCRIPTOR.name}()"
        if isinstance(value, dict):
            return _wrapped("dict(", self._keywords(value, depth + 1), ")", len(INDENT) * (depth + 1), before)
        if isinstance(value, list):
            items = [self._value(item, 0, depth + 1) for item in value]
            return _wrapped("[", items, "]", len(INDENT) * (depth + 1), before)
        if isinstance(value, float) and not math.isfinite(value):
            return f'float("{value}")'
        return _text(value) if isinstance(value, str) else repr(value)


def _is_name(text: str) -> bool:
    """Whether Python reads a text in code as this very name; it takes letters such as the long s for plain ones."""
    return text.isidentifier() and not iskeyword(text) and unicodedata.normalize("NFKC", text) == text


def _text(value: str) -> str:
    """A text in double quotes, where it holds none."""
    shown = repr(value)
    return f'"{shown[1:-1]}"' if shown[0] == "'" and '"' not in value else shown


def _wrapped(head: str, items: Sequence[str], tail: str, indent: int, before: int = 0) -> str:
    """`head`, the items with commas, `tail`: on one line, or with the items on lines of their own.

    `indent` is that of the items; the line with `head` has `before` columns more than it.
    """
    line = f"{head}{', '.join(items)}{tail}"
    if "\n" not in line and indent - len(INDENT) + before + len(line) + 1 <= WIDTH or not items:
        return line
    margin, lines = " " * indent, [""]
    for item in items:
        fits = len(margin) + len(lines[-1]) + len(item) + 2 <= WIDTH
        if "\n" in item or "\n" in lines[-1] or lines[-1] and not fits:
            lines.append("")
        lines[-1] += f"{item}, "
    body = "\n".join(margin + line.rstrip() for line in lines if line)
    return f"{head}\n{body}\n{margin[len(INDENT):]}{tail}"
