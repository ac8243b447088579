"""Engines that run a small network on given inputs: one file each, all called alike.

| engine | is |
| --- | --- |
| `reference` | numpy in float64, always there |
| `caffe` | real Caffe in a process of its own (`prototools caffe setup`) |
| `opencv` | OpenCV's importer in a process of its own (`pip install prototools[opencv]`) |
"""

from __future__ import annotations

import importlib
from typing import Callable, Dict, List, Mapping, NamedTuple, Sequence

from prototools.errors import EngineError
from prototools.prototext.style import quoted

NAMES = ("reference", "caffe", "opencv")


class NetRefused(EngineError):
    """The engine is there and knows every layer, and still does not take the network: it is at fault."""


class Task(NamedTuple):
    """What to run: a network, arrays by blob name, learned blobs by layer name, and what is wanted.

    `net` is prototxt. `params` may leave layers out; those get what their fillers write.
    `dialect` is for custom layers, which only the engine `reference` knows.
    """

    net: bytes
    inputs: Mapping[str, object]
    params: Mapping[str, Sequence[object]]
    outputs: Sequence[str]
    phase: str = "TEST"
    dialect: Sequence[str] = ()


class Engine(NamedTuple):
    """A way to run tasks: all of them in one call, an answer or an `EngineError` for each.

    `tolerance` is how far a value may be from the exact one, for values about 1.
    """

    name: str
    tolerance: float
    run: Callable[[Sequence[Task]], List[object]]


def headers(shapes: Mapping[str, Sequence[int]]) -> bytes:
    """Blobs as inputs of a network, in the form that every Caffe and OpenCV read."""
    return b"".join(
        b"input: %s\ninput_shape { %s }\n"
        % (quoted(name.encode("utf-8", "surrogateescape")), b" ".join(b"dim: %d" % dim for dim in shape))
        for name, shape in shapes.items()
    )


def npz_names(task: Task) -> None:
    """Raise `EngineError` for a blob or layer whose name no archive of arrays can hold."""
    for name in (*task.inputs, *task.params):
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            raise EngineError(f"names must be UTF-8, but {name!r} is not; use the engine reference") from None


def get(name: str) -> Engine:
    """An engine by name; raises `EngineError` for one that there is not."""
    if name not in NAMES:
        raise EngineError(f"engine must be one of {', '.join(NAMES)}, but is {name}")
    module = importlib.import_module(f"prototools.engines.{name}")
    return Engine(name, module.TOLERANCE, module.run)


Blobs = Dict[str, object]
