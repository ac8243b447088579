"""The macros in templates/upsample.j2 write the builder's layers."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format

from prototools import NetSpec, render, rendering, schema, upsample
from prototools.netspec import blob
from prototools.rendering import RenderError

#: A macro's arguments behind its bottoms, as a template has them: for every block of the builder, some.
MACROS = {
    "bilinear": ["2, 5", "factor=3, channels=5", "4, in_shape=[1, 5, 6, 7]"],
    "nearest": ["4, 5", "(2, 3), 5", "[2, 3], 5, gain=0.5"],
    "interp": [
        "5, zoom=2", "5, zoom=5", "5, zoom=2, filler_safe=true", "5, shrink=2, in_shape=[1, 5, 7, 9]",
        "height=17, width=10, in_shape=[1, 5, 6, 7]", "5, zoom=2, pad_beg=-1, pad_end=-1, in_shape=(6, 7)",
        "5, zoom=4, lowering='refine'",
    ],
    "resize": [
        "5, scale=2", "5, scale=2, mode='bilinear'", "5, size=13, mode='bilinear', align_corners=true, in_shape=(6, 7)",
    ],
    "learnable": ["2, 5", "3, channels=4, num_output=6"],
    "unpool": ["5", "channels=5, kernel=3, stride=2, in_shape=[1, 5, 3, 3], pooled_shape=[1, 5, 7, 7]"],
}
CASES = [(macro, arguments) for macro, cases in MACROS.items() for arguments in cases]


def built(macro: str, arguments: str) -> Any:
    """The builder's layers for the same arguments."""
    settings = arguments.replace("true", "True") + (", weights=False" if macro == "resize" else "")
    bottoms = ", ".join(f"blob({name!r})" for name in bottoms_of(macro))
    n = NetSpec()
    n["up"] = eval(f"upsample.{macro}({bottoms}, {settings})", {"upsample": upsample, "blob": blob})
    return n.to_proto().layer


def bottoms_of(macro: str) -> list[str]:
    return ["data", "mask", "pooled"] if macro == "unpool" else ["data"]


def without_names(layers: Any) -> list[Any]:
    """The layers with their blobs numbered in the order in which they appear."""
    numbers: dict[str, str] = {name: name for name in ("data", "mask", "pooled", "up")}
    for layer in layers:
        layer.name = "up" if layer.name == "up" else ""
        for names in (layer.bottom, layer.top):
            names[:] = [numbers.setdefault(name, str(len(numbers))) for name in names]
    return list(layers)


@pytest.mark.parametrize("macro, arguments", CASES)
def test_macro(macro: str, arguments: str, tmp_path: Path) -> None:
    """Names inside the block aside, macro and builder give equal messages; the names are its own."""
    template = tmp_path / "net.prototxt.j2"
    bottoms = ", ".join(f'"{name}"' for name in bottoms_of(macro))
    shape = "input_dim: 1 input_dim: 5 input_dim: 6 input_dim: 7"
    if macro == "learnable" and "channels=4" in arguments:
        shape = shape.replace("5", "4")
    head = f'input: "data" {shape}\n' if macro != "unpool" else (
        'layer { name: "in" type: "Input" top: "pooled" input_param { shape { dim: 1 dim: 5 dim: %d dim: %d } } }\n'
        'layer { name: "p" type: "Pooling" bottom: "pooled" top: "data" top: "mask" pooling_param { %s } }\n'
        % ((7, 7, "kernel_size: 3 stride: 2") if "kernel=3" in arguments else (8, 8, "kernel_size: 2 stride: 2")))
    template.write_text(f'{{% import "upsample.j2" as upsample %}}\n{head}'
                        f'{{{{ upsample.{macro}("up", {bottoms}, {arguments}) }}}}\n')
    text = render(str(template))
    found = text_format.Parse(text, schema.message("NetParameter")()).layer
    found = [layer for layer in found if layer.name not in ("in", "p")]
    assert all(layer.name == "up" or layer.name.startswith("up/") for layer in found)
    assert len({layer.name for layer in found}) == len(found) and found[-1].top[0] == "up"
    assert without_names(found) == without_names(built(macro, arguments))


def test_every_block_has_a_macro() -> None:
    """The builder's functions that build on a bottom, the macros, and this table name the same."""
    public = [(name, made) for name, made in inspect.getmembers(upsample, inspect.isfunction)
              if made.__module__ == upsample.__name__ and not name.startswith("_")]
    builders = {name for name, made in public if next(iter(inspect.signature(made).parameters)) in ("bottom", "data")}
    text = (rendering.own_folder() / "upsample.j2").read_text()
    macros = {line.split()[2].partition("(")[0] for line in text.splitlines() if line.startswith("{% macro")}
    assert macros == set(MACROS) == builders


#: Arguments that the builder refuses, and the sentence, at the template's own line.
WRONG = {
    "no size": ("interp", "5, height=3, width=3", "net.j2:3: .*must be known"),
    "a slip": ("bilinear", "2, chanels=5", "net.j2:3: .*unexpected keyword argument 'chanels'"),
    "a factor": ("nearest", "0, 5", "net.j2:3: factor must be"),
    "weights": ("resize", "5, scale=2, weights=true", "net.j2:3: weights must not be true here"),
    "weights alone": ("resize", "5, size=(9, 9), mode='bicubic', in_shape=(6, 7)", "net.j2:3: .*"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments(case: str, tmp_path: Path) -> None:
    macro, arguments, told = WRONG[case]
    template = tmp_path / "net.j2"
    template.write_text('{% import "upsample.j2" as upsample %}\ninput: "data"\n'
                        f'{{{{ upsample.{macro}("up", "data", {arguments}) }}}}\n')
    with pytest.raises(RenderError, match=told):
        render(str(template))
