"""Generate and rewrite Caffe networks.

`rewrite` replaces a fork's resize layers by stock layers with the same numbers, `upgrade` brings nets
and solvers of old forms to the current one, `deploy` turns a training net into the one that is deployed,
`render` makes one from a template, `parse` gives the lossless tree of a prototxt, and `NetSpec`,
`layers`, `params` and `upsample` build networks.
Names are loaded when they are first used, so that a rewrite imports no protobuf and no numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from prototools import upsample
    from prototools.deploying import deploy
    from prototools.netspec import NetSpec, layers, params, to_proto
    from prototools.prototext import parse
    from prototools.rendering import render
    from prototools.rewriter import rewrite
    from prototools.upgrading import upgrade

__version__ = "0.1.0"

#: Where each public name lives.
_HOMES = {
    "NetSpec": "prototools.netspec",
    "deploy": "prototools.deploying",
    "layers": "prototools.netspec",
    "params": "prototools.netspec",
    "to_proto": "prototools.netspec",
    "parse": "prototools.prototext",
    "render": "prototools.rendering",
    "rewrite": "prototools.rewriter",
    "upgrade": "prototools.upgrading",
    "upsample": "prototools",
}

__all__ = ["NetSpec", "deploy", "layers", "params", "parse", "render", "rewrite", "to_proto", "upgrade", "upsample"]


def __getattr__(name: str) -> Any:
    import importlib

    if name == "upsample":
        return importlib.import_module("prototools.upsample")
    if name not in _HOMES:
        raise AttributeError(f"prototools has no {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> List[str]:
    return sorted([*globals(), *__all__])
