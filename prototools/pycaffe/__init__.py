"""A stand-in for pycaffe where scripts build networks and nothing is trained.

    import prototools.pycaffe as caffe

gives `NetSpec`, `layers`, `params`, `to_proto`, `proto.caffe_pb2`, `coord_map` and `io` as pycaffe has
them, on any Python and protobuf, without a compiled Caffe. `python -m prototools.pycaffe SCRIPT` runs
a script that says `import caffe` unchanged. What would train a network says where that can be done.

| room | is |
| --- | --- |
| `proto.caffe_pb2` | the messages and enums of caffe.proto |
| `net_spec` | the builder, with all of pycaffe's names for it |
| `coord_map` | where a top's places lie in another, and `crop` |
| `io` | arrays to and from BlobProto and Datum, images to and from a network's inputs |
| `running` | `Net`, which looks at a network and runs it forward in numpy |
| `draw` | what a script may import, and says where it is done |
| `elsewhere` | devices and logs, of which there are none, and what only a compiled Caffe does |
"""

from __future__ import annotations

import sys
from typing import Any, List

from prototools.netspec import Function, NetSpec, Top, layers, params, to_proto
from prototools.pycaffe import coord_map, draw, elsewhere, io, net_spec, proto
from prototools.pycaffe.elsewhere import COMPILED, QUIET, Layer, layer_type_list
from prototools.pycaffe.proto import caffe_pb2
from prototools.pycaffe.proto.caffe_pb2 import TEST, TRAIN

__version__ = "1.0.0"

__all__ = [
    "Function", "Layer", "Net", "NetSpec", "TEST", "TRAIN", "Top", "caffe_pb2", "coord_map", "draw", "io",
    "layer_type_list", "layers", "net_spec", "params", "proto", "stand_in", "to_proto", *COMPILED, *QUIET,
]

#: pycaffe's modules whose names stand in this one.
_SAME = ("_caffe", "classifier", "detector", "pycaffe")


def stand_in() -> None:
    """Let `import caffe`, `from caffe.proto import caffe_pb2` and their like find this module."""
    here = sys.modules[__name__]
    rooms = {"proto": proto, "proto.caffe_pb2": caffe_pb2, "net_spec": net_spec, "coord_map": coord_map, "io": io,
             "draw": draw}
    rooms.update(dict.fromkeys(_SAME, here))
    sys.modules.update({"caffe": here, **{f"caffe.{name}": room for name, room in rooms.items()}})


def __getattr__(name: str) -> Any:
    if name in QUIET:
        return elsewhere.quiet(name)
    if name in COMPILED:
        return elsewhere.compiled(name)
    if name == "Net":
        from prototools.pycaffe.running import Net

        return Net
    if name in _SAME:
        return sys.modules[__name__]
    raise AttributeError(f"prototools.pycaffe has no {name!r}")


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__, *_SAME})
