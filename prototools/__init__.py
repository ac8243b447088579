"""Generate and rewrite Caffe networks.

`rewrite` replaces a fork's resize layers by stock layers with the same numbers, `upgrade` brings nets
and solvers of old forms to the current one, `deploy` turns a training net into the one that is deployed,
`render` makes one from a template, `parse` gives the lossless tree of a prototxt, and `NetSpec`,
`layers`, `params` and `upsample` build networks. `import prototools as caffe` serves scripts that build
networks with pycaffe; its other names stand in `prototools.pycaffe`.
Names are loaded when they are first used, so that a rewrite imports no protobuf and no numpy.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from prototools import upsample
    from prototools.batching import batch
    from prototools.deploying import deploy
    from prototools.netspec import TEST, TRAIN, Function, NetSpec, Top, layers, params, to_proto
    from prototools.prototext import parse
    from prototools.pycaffe import coord_map, proto
    from prototools.rendering import render
    from prototools.rewriter import rewrite
    from prototools.upgrading import upgrade

__version__ = "0.1.0"

#: Where each public name lives.
_HOMES = {
    "Function": "prototools.netspec",
    "NetSpec": "prototools.netspec",
    "TEST": "prototools.netspec",
    "TRAIN": "prototools.netspec",
    "Top": "prototools.netspec",
    "batch": "prototools.batching",
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

#: pycaffe's names for what `prototools.pycaffe` has beside the builder.
_PYCAFFE = (
    "AdaDeltaSolver", "AdaGradSolver", "AdamSolver", "Classifier", "Detector", "Layer", "NCCL", "Net", "NesterovSolver",
    "RMSPropSolver", "SGDSolver", "Timer", "coord_map", "draw", "get_solver", "has_nccl", "init_log", "io",
    "layer_type_list", "log", "net_spec", "proto", "set_device", "set_mode_cpu", "set_mode_gpu", "set_multiprocess",
    "set_random_seed", "set_solver_count", "set_solver_rank", "solver_count", "solver_rank",
)

#: pycaffe's modules, which can be imported from here too: `from prototools.coord_map import crop`.
_PYCAFFE_ROOMS = ("coord_map", "draw", "io", "net_spec", "proto", "proto.caffe_pb2")

__all__ = [
    "Function", "NetSpec", "TEST", "TRAIN", "Top", "batch", "coord_map", "deploy", "layers", "params", "parse",
    "proto", "render", "rewrite", "to_proto", "upgrade", "upsample",
]


def __getattr__(name: str) -> Any:
    import importlib

    if name == "upsample":
        return importlib.import_module("prototools.upsample")
    if name in _PYCAFFE:
        return getattr(importlib.import_module("prototools.pycaffe"), name)
    if name not in _HOMES:
        raise AttributeError(f"prototools has no {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> List[str]:
    return sorted([*globals(), *__all__])


class _Room(ModuleType):
    """A room of `prototools.pycaffe` under pycaffe's name for it, loaded when it is looked into.

    The data folder of an installed package has such a name too, so there the import system would find no module.
    """

    def __getattr__(self, name: str) -> Any:
        import importlib

        # Whoever looks through all modules, as inspect does, asks for such names only.
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        home = self.__name__.replace("prototools.", "prototools.pycaffe.", 1)
        return getattr(importlib.import_module(home), name)


sys.modules.update({f"prototools.{name}": _Room(f"prototools.{name}") for name in _PYCAFFE_ROOMS})

# Whoever enters this package in sys.modules as `caffe` imports caffe.coord_map and caffe.proto from here.
__path__.append(os.path.join(os.path.dirname(__file__), "pycaffe"))
