"""Shapes for people and for programs."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from prototools.net import FilteredNet, Layer
from prototools.shapes.blob import Dim, Shape, count, words
from prototools.shapes.cost import multiply_adds
from prototools.shapes.infer import Inference
from prototools.shapes.splits import split_blobs


def as_dictionary(net: FilteredNet, inference: Inference) -> Dict[str, Any]:
    """What `--json` prints: `blobs`, `params`, `layers`, `errors`; unknown dims and shapes are null.

    `blobs` are those of Caffe's own `net.blobs`, with the copies it makes for several readers.
    """
    blobs = {**inference.blobs, **split_blobs(net, inference)}
    return {
        "blobs": {name: _list(shape) for name, shape in blobs.items()},
        "params": {name: [_list(shape) for shape in shapes] for name, shapes in inference.params.items()},
        "layers": [_layer(layer, inference) for layer in net.layers],
        "errors": [
            {"line": error.line, "column": error.column, "message": error.message} for error in inference.errors
        ],
    }


def _layer(layer: Layer, inference: Inference) -> Dict[str, Any]:
    params = inference.params.get(layer.name, [])
    return {
        "name": layer.name,
        "type": layer.type,
        "bottoms": layer.bottoms,
        "tops": layer.tops,
        "shapes": [_list(shape) for shape in inference.tops(layer)],
        "params": _total(params),
        "multiply_adds": multiply_adds(layer, inference.bottoms(layer), inference.tops(layer), params),
    }


def rows(net: FilteredNet, inference: Inference) -> List[List[str]]:
    """One row for each layer: name, type, output shapes, learned numbers, multiply-adds; then the sums."""
    entries = [_layer(layer, inference) for layer in net.layers]
    table = [
        [entry["name"], entry["type"], _shapes(inference.tops(layer)), _number(entry["params"]),
         _number(entry["multiply_adds"])]
        for layer, entry in zip(net.layers, entries)
    ]
    sums = [_sum([entry[key] for entry in entries]) for key in ("params", "multiply_adds")]
    return table + [["total", "", "", *sums]]


def _shapes(shapes: List[Shape]) -> str:
    return ", ".join(words(shape) for shape in shapes)


def _number(value: Dim) -> str:
    return "?" if value is None else "" if value == 0 else f"{value:,}"


def _sum(values: List[Dim]) -> str:
    known = sum(value for value in values if value is not None)
    return f"{known:,}" if None not in values else f"{known:,} + ?"


def _total(params: List[Shape]) -> Dim:
    counts = [count(shape) for shape in params]
    return None if None in counts else sum(counts)  # type: ignore[arg-type]


def _list(shape: Shape) -> Optional[List[Dim]]:
    return None if shape is None else list(shape)
