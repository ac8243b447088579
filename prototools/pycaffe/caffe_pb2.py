"""The messages and enums of caffe.proto, as pycaffe's generated module has them.

They live in a pool of their own, so that a real caffe_pb2 may be imported beside them.
"""

from __future__ import annotations

from typing import Any, List

from prototools import schema
from prototools.errors import SchemaError


def __getattr__(name: str) -> Any:
    for found in (schema.message, schema.enum, _value):
        try:
            return found(name)
        except SchemaError:
            continue
    raise AttributeError(f"caffe_pb2 has no {name!r}")


def _value(name: str) -> int:
    """A value of an enum that stands outside messages: `TRAIN`, `TEST`."""
    for enum in ("Phase",):
        if name in schema.enum(enum).keys():
            return schema.enum(enum).Value(name)
    raise SchemaError(name)


def __dir__() -> List[str]:
    return sorted([*schema.message_names(), "Phase", *schema.enum("Phase").keys()])
