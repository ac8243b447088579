"""A stand-in for pycaffe where scripts build networks and nothing is run.

    import prototools.pycaffe as caffe

gives `NetSpec`, `layers`, `params`, `to_proto`, `proto.caffe_pb2`, `coord_map` and `io` as pycaffe has
them, on any Python and protobuf, without a compiled Caffe. `python -m prototools.pycaffe SCRIPT` runs
a script that says `import caffe` unchanged. What would train a network says where that can be done.

| room | is |
| --- | --- |
| `caffe_pb2` | the messages and enums of caffe.proto |
| `coord_map` | where a top's places lie in another, and `crop` |
| `io` | arrays to and from BlobProto and Datum, images to and from a network's inputs |
| `running` | `Net`, which looks at a network and runs it forward in numpy |
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from prototools import netspec as net_spec
from prototools.netspec import Function, NetSpec, Top, layers, params, to_proto
from prototools.pycaffe import caffe_pb2, coord_map, io

#: What pycaffe has in place of caffe.proto: the package with `caffe_pb2` in it.
proto = ModuleType("caffe.proto")
proto.caffe_pb2 = caffe_pb2

TRAIN, TEST = 0, 1

__version__ = "1.0.0"

__all__ = [
    "Function", "NetSpec", "TEST", "TRAIN", "Top", "coord_map", "io", "layers", "net_spec", "params", "proto",
    "stand_in", "to_proto",
]

#: What chooses a device or a seed in pycaffe; nothing runs here, so they do nothing.
NOTHING = (
    "init_log", "log", "set_device", "set_logging_disabled", "set_mode_cpu", "set_mode_gpu", "set_multiprocess",
    "set_random_seed", "set_solver_count", "set_solver_rank",
)

#: What trains networks in pycaffe, and what is built on a trained one.
RUNNING = (
    "AdaDeltaSolver", "AdaGradSolver", "AdamSolver", "Classifier", "Detector", "NCCL", "NesterovSolver",
    "RMSPropSolver", "SGDSolver", "Timer", "get_solver",
)


def stand_in() -> None:
    """Let `import caffe`, `from caffe.proto import caffe_pb2` and their like find this module."""
    here = sys.modules[__name__]
    sys.modules.update({
        "caffe": here, "caffe.proto": proto, "caffe.proto.caffe_pb2": caffe_pb2,  # type: ignore[dict-item]
        "caffe.net_spec": net_spec, "caffe.coord_map": coord_map, "caffe.io": io,
    })


def layer_type_list() -> list:
    """The types of stock Caffe's layers."""
    from prototools.shapes import STOCK_TYPES

    return sorted(STOCK_TYPES)


def __getattr__(name: str) -> Any:
    if name in NOTHING:
        return lambda *arguments, **settings: None
    if name == "Net":
        from prototools.pycaffe.running import Net

        return Net
    if name in RUNNING:
        return _running(name)
    raise AttributeError(f"prototools.pycaffe has no {name!r}")


def _running(name: str) -> type:
    """A class that says, when it is made, where networks can be run."""
    def refuse(self: Any, *arguments: Any, **settings: Any) -> None:
        raise NotImplementedError(
            f"caffe.{name} runs networks, which prototools.pycaffe does not; run the script on real Caffe with "
            "`prototools caffe run -- python3 SCRIPT`"
        )

    return type(name, (), {"__init__": refuse})
