"""Real Caffe 1.0 without root and without a build, and a way to run networks on it.

`setup()` makes the tree, `find()` finds it, `run_net()` runs one network in a process of its own.
Nothing here imports Caffe: it always runs in a child process, under its own Python.
numpy is imported only when a network is run.
"""

from __future__ import annotations

from typing import Any

from .installation import Installation, default_directory, describe, find
from .tree import setup

__all__ = [
    "Installation", "NetCase", "NetResult", "default_directory", "describe", "find",
    "run_net", "run_nets", "setup",
]  # fmt: skip

_CLIENT_NAMES = ("NetCase", "NetResult", "run_net", "run_nets")


def __getattr__(name: str) -> Any:
    if name in _CLIENT_NAMES:
        from . import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
