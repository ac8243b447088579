"""Training through every lowering: on real Caffe the gradient is the adjoint of the exact map."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Tuple

import numpy as np
import pytest

from prototools import lowerings
from prototools.net import Net
from prototools.patching import replaced_layers
from prototools.realcaffe import NetCase, run_nets
from prototools.reference import run
from prototools.rewriter import rewrite

CHANNELS = 2


class Case(NamedTuple):
    """A custom layer, the lowering that replaces it, and the rows and columns of its bottom."""

    lowering: str
    layer: str
    size: Tuple[int, int]
    options: Dict[str, Any] = {}

    def __str__(self) -> str:
        return f"{self.lowering} {self.size[0]}x{self.size[1]}"


def interp(settings: str) -> str:
    return f'type: "Interp" interp_param {{ {settings} }}'


SAFE, WEIGHTS = {"filler_safe": True}, {"weights": True}

CASES = [
    Case("copy", interp("height: 4 width: 5"), (4, 5)),
    Case("nearest", 'type: "Upsample" upsample_param { scale: 3 }', (3, 4)),
    Case("zoom", interp("zoom_factor: 2"), (4, 5)),
    Case("zoom", interp("zoom_factor: 3 pad_beg: -1 pad_end: -1"), (5, 6)),
    Case("subsample", interp("shrink_factor: 2"), (7, 5)),
    Case("insert", 'type: "UnPooling" unpooling_param { unpool: FIXED out_kernel_size: 2 out_stride: 2 }', (3, 4)),
    Case("average", interp("height: 7 width: 9"), (4, 5)),
    Case("average", interp("zoom_factor: 2"), (4, 5), SAFE),
    Case("refine", interp("height: 5 width: 5"), (4, 4)),
    Case("edges", 'type: "BilinearInterpolate" bilinear_interpolate_param { scale_factor: 2 align_corners: false }',
         (4, 5)),
    Case("normalised", 'type: "ResizeBilinear" resize_bilinear_param { data_format: "NCHW" half_pixel_centers: true '
         "scale_height: 3 scale_width: 3 }", (4, 5)),
    Case("padded", 'type: "OctaveUpsample" octaveupsample_param { upsample_h: 7 upsample_w: 9 }', (3, 4)),
    Case("unpool", 'type: "Upsample" bottom: "mask" upsample_param { scale: 2 }', (3, 4)),
    *(Case(name, interp("height: 25 width: 13"), (13, 6), WEIGHTS) for name in ("matrix", "bands")),
    *(Case(name, interp("height: 9 width: 3"), (31, 6), WEIGHTS) for name in ("matrix", "bands")),
    Case("plane", interp("height: 6 width: 7"), (3, 4), WEIGHTS),
]


def net(case: Case, images: int) -> str:
    """`data` is resized to `up`; `image` is pooled to `mask` for the layers that want one."""
    def source(name: str, *size: int) -> str:
        dims = " ".join(f"dim: {dim}" for dim in (images, CHANNELS, *size))
        return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}\n'

    pooled = ""
    if case.lowering == "unpool":
        pooled = source("image", *(2 * rows for rows in case.size)) + (
            'layer { name: "pool" type: "Pooling" bottom: "image" top: "pool" top: "mask"\n'
            "  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }\n"
            'layer { name: "silence" type: "Silence" bottom: "pool" }\n'
        )
    head, _, rest = case.layer.partition(" ")
    kind, _, rest = rest.partition(" ")
    custom = f'layer {{ name: "up" {head} {kind} bottom: "data" {rest} top: "up" }}\n'
    return f"force_backward: true\n{source('data', *case.size)}{pooled}{custom}"


def matrix_of(case: Case, image: np.ndarray) -> np.ndarray:
    """The custom layer's linear map for every channel, (channel, place before, row, column), by the reference."""
    places = case.size[0] * case.size[1]
    units = np.repeat(np.eye(places).reshape(places, 1, *case.size), CHANNELS, axis=1)
    inputs = {"data": units}
    if case.lowering == "unpool":
        inputs["image"] = np.repeat(image, places, axis=0)
    answer = run(Net(net(case, places).encode()).filtered(), inputs, outputs=["up"])["up"]
    return answer.swapaxes(0, 1)


def test_every_lowering_is_tried() -> None:
    assert {case.lowering for case in CASES} == set(lowerings.names())


@pytest.fixture(scope="module")
def gradients(caffe):
    """Each case's gradient on real Caffe, and what it should be."""
    random = np.random.RandomState(3)
    nets, wanted = [], []
    for case in CASES:
        result = rewrite(net(case, 1), lowering=case.lowering, **case.options)
        assert [change.lowering for change in result.changes] == [case.lowering], result.refusals
        image = random.standard_normal((1, CHANNELS, *(2 * rows for rows in case.size)))
        linear = matrix_of(case, image)
        above = random.standard_normal((1, CHANNELS, *linear.shape[2:]))
        inputs = {"data": random.standard_normal((1, CHANNELS, *case.size))}
        if case.lowering == "unpool":
            inputs["image"] = image
        params = {
            layer.name: [np.frombuffer(values, "<f4").reshape(shape) for shape, values in layer.blobs]
            for layers in replaced_layers(result).values() for layer in layers
        }
        nets.append(NetCase(result.text, inputs=inputs, backward={"up": above}, diffs=["data"], params=params))
        wanted.append(np.einsum("cprw,crw->cp", linear, above[0]).reshape(1, CHANNELS, *case.size))
    return list(zip(run_nets(nets, installation=caffe), wanted))


@pytest.mark.parametrize("number", range(len(CASES)), ids=[str(case) for case in CASES])
def test_adjoint(number: int, gradients) -> None:
    """The gradient at the bottom is the transposed map of the gradient at the top."""
    answer, wanted = gradients[number]
    found = answer.diffs["data"]
    assert np.abs(found).max() > 0.1
    assert np.abs(found - wanted).max() <= 2e-5 * max(1.0, np.abs(wanted).max())
