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

NAMES = ("reference", "caffe", "opencv")


class Task(NamedTuple):
    """What to run: a network, arrays by blob name, learned blobs by layer name, and what is wanted.

    `net` is prototxt. `params` may leave layers out; those get what their fillers write.
    """

    net: bytes
    inputs: Mapping[str, object]
    params: Mapping[str, Sequence[object]]
    outputs: Sequence[str]
    phase: str = "TEST"


class Engine(NamedTuple):
    """A way to run tasks: all of them in one call, an answer or an `EngineError` for each.

    `tolerance` is how far a value may be from the exact one, for values about 1.
    """

    name: str
    tolerance: float
    run: Callable[[Sequence[Task]], List[object]]


def get(name: str) -> Engine:
    """An engine by name; raises `EngineError` for one that there is not."""
    if name not in NAMES:
        raise EngineError(f"engine must be one of {', '.join(NAMES)}, but is {name}")
    module = importlib.import_module(f"prototools.engines.{name}")
    return Engine(name, module.TOLERANCE, module.run)


Blobs = Dict[str, object]
