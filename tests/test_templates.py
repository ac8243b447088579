"""The macros in templates/ write the builder's layers."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest
from google.protobuf import text_format

from prototools import NetSpec, schema, upsample
from prototools import layers as L

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"

MACROS = [
    ("bilinear", 2, lambda bottom: upsample.bilinear(bottom, 2, 5)),
    ("bilinear", 3, lambda bottom: upsample.bilinear(bottom, 3, 5)),
    ("nearest", 4, lambda bottom: upsample.nearest(bottom, 4, 5)),
    ("aligned", 2, lambda bottom: upsample.interp(bottom, 5, zoom=2)),
    ("aligned", 5, lambda bottom: upsample.interp(bottom, 5, zoom=5)),
    ("learnable", 2, lambda bottom: upsample.learnable(bottom, 2, 5)),
    ("learnable", 3, lambda bottom: upsample.learnable(bottom, 3, 5)),
]


@pytest.mark.parametrize("macro, factor, build", MACROS)
def test_macro(macro: str, factor: int, build) -> None:
    """Fields left at their defaults aside, macro and builder give one message."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(str(TEMPLATES)), undefined=jinja2.StrictUndefined)
    source = f'{{% import "upsample.j2" as upsample %}}{{{{ upsample.{macro}("up", "data", 5, {factor}) }}}}'
    rendered = environment.from_string(source).render()
    n = NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 5, 6, 7]))
    n.up = build(n.data)
    found = text_format.Parse(rendered, schema.message("NetParameter")()).layer[0]
    assert plain(found) == plain(n.to_proto().layer[1])


def plain(layer) -> object:
    """The layer with pads and strides that are written although they are the defaults taken out."""
    own = layer.convolution_param
    for name, default in (("pad", [0]), ("stride", [1])):
        if list(getattr(own, name)) == default:
            own.ClearField(name)
    return layer
