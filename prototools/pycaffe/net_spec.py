"""The builder under the names of pycaffe's net_spec: all of them, for scripts that reach in."""

from __future__ import annotations

from typing import Dict

from prototools import schema
from prototools.netspec import Function, Layers, NetSpec, Parameters, Top, assign_proto, layers, params, to_proto
from prototools.pycaffe.proto import caffe_pb2

__all__ = [
    "Function", "Layers", "NetSpec", "Parameters", "Top", "assign_proto", "caffe_pb2", "layers", "param_name_dict",
    "params", "to_proto",
]


def param_name_dict() -> Dict[str, str]:
    """For every message that a layer has a field for, without its "Parameter", the field without its "_param"."""
    known = schema.fields(caffe_pb2.LayerParameter.DESCRIPTOR)
    return {
        field.type_name[: -len("Parameter")]: name[: -len("_param")]
        for name, field in known.items() if name.endswith("_param")
    }


#: pycaffe's own table of them, which scripts look into.
_param_names = param_name_dict()
