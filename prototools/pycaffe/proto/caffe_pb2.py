"""The messages and enums of caffe.proto, under the names of pycaffe's generated module.

They live in a pool of their own, so that a real caffe_pb2 may be imported beside them.
"""

from __future__ import annotations

from typing import Any, Dict

from prototools import schema


def _generated() -> Dict[str, Any]:
    """Every name of the generated module: messages, enums, values, and descriptors such as `_POOLINGPARAMETER`."""
    file = schema.message("NetParameter").DESCRIPTOR.file
    names: Dict[str, Any] = {"DESCRIPTOR": file}
    for name, descriptor in file.message_types_by_name.items():
        names[name] = schema.message(name)
        names[f"_{name}".upper()] = descriptor
        names.update((f"_{name}_{enum.name}".upper(), enum) for enum in descriptor.enum_types)
    for name, descriptor in file.enum_types_by_name.items():
        names[name] = schema.enum(name)
        names[f"_{name}".upper()] = descriptor
        names.update((value.name, value.number) for value in descriptor.values)
    return names


globals().update(_generated())

__all__ = sorted(name for name in _generated() if not name.startswith("_"))
