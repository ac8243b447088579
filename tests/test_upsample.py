"""The builder's blocks, on our NetSpec and on pycaffe's."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

from prototools import NetSpec, upsample
from prototools import layers as L
from prototools import params as P
from prototools.lowerings.request import Refused
from prototools.rewriter import rewrite
from prototools.upsample import UpsampleError

ARTICLE = '''layer {
  name: "data"
  type: "Input"
  top: "data"
  input_param {
    shape {
      dim: 1
      dim: 3
      dim: 112
      dim: 112
    }
  }
}
layer {
  name: "conv"
  type: "Deconvolution"
  bottom: "data"
  top: "conv"
  param {
    lr_mult: 0.0
    decay_mult: 0.0
  }
  convolution_param {
    num_output: 3
    bias_term: false
    pad: 1
    kernel_size: 4
    group: 3
    stride: 2
    weight_filler {
      type: "bilinear"
    }
  }
}
'''


def test_article() -> None:
    """The article's network, byte for byte as pycaffe prints it."""
    assert str(upsample.create_upsample_net((1, 3, 112, 112), 2).to_proto()) == ARTICLE


#: Factor, kernel, stride, pad: kernel 2 f - f mod 2, stride f, pad f // 2.
FACTORS = [(1, 1, 1, 0), (2, 4, 2, 1), (3, 5, 3, 1), (4, 8, 4, 2), (5, 9, 5, 2), (7, 13, 7, 3), (8, 16, 8, 4)]


@pytest.mark.parametrize("factor, kernel, stride, pad", FACTORS)
def test_recipe(factor: int, kernel: int, stride: int, pad: int) -> None:
    """Caffe's recipe for every factor; the output is the input times the factor."""
    layer = upsample.create_upsample_net((2, 5, 6, 7), factor).to_proto().layer[1]
    own = layer.convolution_param
    assert list(own.kernel_size) == [kernel]
    assert (list(own.stride) or [1]) == [stride] and (list(own.pad) or [0]) == [pad]
    assert own.num_output == own.group == 5 and not own.bias_term
    assert own.weight_filler.type == "bilinear"
    assert (layer.param[0].lr_mult, layer.param[0].decay_mult) == (0, 0)
    assert stride * (6 - 1) + kernel - 2 * pad == 6 * factor


#: What is called and how, and a part of the sentence.
MISTAKES = [
    pytest.param(lambda: upsample.create_upsample_net((1, 3, 9, 9), 0), "factor must be", id="factor 0"),
    pytest.param(lambda: upsample.create_upsample_net((1, 3, 9, 9), 2.5), "factor must be", id="factor 2.5"),
    pytest.param(lambda: upsample.create_upsample_net((1, 3, 9, 9), True), "factor must be", id="factor True"),
    pytest.param(lambda: upsample.create_upsample_net((1, 3, 9, 9), "2"), "factor must be", id="factor '2'"),
    pytest.param(lambda: upsample.create_upsample_net((3, 9, 9), 2), "shape must be", id="three dims"),
    pytest.param(lambda: upsample.create_upsample_net((1, 0, 9, 9), 2), "shape's C", id="no channels"),
    pytest.param(lambda: upsample.create_upsample_net(7, 2), "shape must be", id="a number for a shape"),
    pytest.param(lambda: upsample.bilinear(data(), 2), "channels must be given", id="channels missing"),
    pytest.param(lambda: upsample.bilinear(data(), 2, -1), "channels must be", id="negative channels"),
    pytest.param(lambda: upsample.bilinear("data", 2, 3), "must be the top", id="a name for a top"),
    pytest.param(lambda: upsample.nearest(data(), (2, 2, 2), 3), "factor must be", id="three factors"),
    pytest.param(lambda: upsample.interp(data(), 3), "must be given zoom", id="interp without a size"),
    pytest.param(lambda: upsample.interp(data(), 3, zoom=2, height=9, width=9), "zoom", id="interp, both"),
    pytest.param(lambda: upsample.interp(data(), 3, height=9), "given together", id="height alone"),
    pytest.param(lambda: upsample.interp(data(), 3, zoom=2, pad_beg=1), "zero or negative", id="a pad"),
    pytest.param(lambda: upsample.resize(data(), 3, scale=2, size=9), "either size or scale", id="size and scale"),
    pytest.param(lambda: upsample.resize(data(), 3, scale=2, mode="cubic"), "mode must be", id="another mode"),
    pytest.param(lambda: upsample.resize(data(), 3, scale=2, align_corners=True), "bilinear", id="corners, nearest"),
    pytest.param(lambda: upsample.resize(data(), 3, scale=1.5), "in_shape must be given", id="scale 1.5"),
    pytest.param(lambda: upsample.learnable(data(), 0, 3), "factor must be", id="learnable by 0"),
]


def data():
    return L.Input(shape=dict(dim=[1, 3, 9, 9]))


@pytest.mark.parametrize("call, words", MISTAKES)
def test_mistakes(call, words: str) -> None:
    """A bad argument fails at the call, with a sentence."""
    with pytest.raises(UpsampleError, match=words):
        call()


def test_size_that_is_missing() -> None:
    """What depends on the size is refused without one."""
    with pytest.raises(Refused, match="height and width must be known"):
        upsample.interp(data(), 3, height=60, width=60)


#: Interp's fields and the builder's words for them.
SAME = [
    pytest.param("zoom_factor: 4", dict(zoom=4), id="zoom"),
    pytest.param("shrink_factor: 2", dict(shrink=2), id="shrink"),
    pytest.param("shrink_factor: 4 zoom_factor: 3", dict(shrink=4, zoom=3), id="both"),
    pytest.param("height: 20 width: 7", dict(height=20, width=7), id="size"),
    pytest.param("zoom_factor: 2 pad_beg: -1 pad_end: -1", dict(zoom=2, pad_beg=-1, pad_end=-1), id="crop"),
    pytest.param("height: 9 width: 9", dict(height=9, width=9), id="copy"),
]


@pytest.mark.parametrize("fields, settings", SAME)
def test_same_blocks_as_the_rewriter(fields: str, settings) -> None:
    """The builder's layers are the rewriter's, but for their names."""
    n = NetSpec()
    n.data = data()
    n.up = upsample.interp(n.data, 3, in_shape=(1, 3, 9, 9), **settings)
    text = f'input: "data" input_shape {{ dim: 1 dim: 3 dim: 9 dim: 9 }} layer {{ name: "x" ' \
           f'type: "Interp" bottom: "data" top: "up" interp_param {{ {fields} }} }}'
    built, rewritten = n.to_proto().layer[1:], parsed(rewrite(text).text).layer
    assert [nameless(layer) for layer in built] == [nameless(layer) for layer in rewritten]


def parsed(text: str):
    from google.protobuf import text_format

    from prototools import schema

    return text_format.Parse(text, schema.message("NetParameter")())


def nameless(layer) -> str:
    copy = type(layer)()
    copy.CopyFrom(layer)
    for field in ("name", "bottom", "top"):
        copy.ClearField(field)
    return str(copy)


def every_block(layers, params, spec, build):
    """A net with one of each block, on any NetSpec."""
    n = spec()
    n.data = layers.Input(shape=dict(dim=[1, 2, 7, 8]))
    n.bilinear = build.bilinear(n.data, 3, 2)
    n.nearest = build.nearest(n.data, (2, 3), 2, gain=0.5)
    n.zoom = build.interp(n.data, 2, zoom=2)
    n.safe = build.interp(n.data, 2, zoom=2, filler_safe=True)
    n.sized = build.interp(n.data, height=5, width=30, in_shape=(1, 2, 7, 8))
    n.row = build.interp(n.data, height=1, width=30, in_shape=(1, 2, 7, 8))
    n.cut = build.interp(n.data, 2, zoom=3, pad_beg=-2, pad_end=-1)
    n.centres = build.resize(n.data, scale=3, mode="bilinear", in_shape=(1, 2, 7, 8))
    n.corners = build.resize(n.data, size=(13, 22), mode="bilinear", align_corners=True, in_shape=(1, 2, 7, 8))
    n.free = build.learnable(n.data, 2, 2, 4)
    n.pool, n.mask = layers.Pooling(n.data, pool=params.Pooling.MAX, kernel_size=2, stride=2, ntop=2)
    n.back = build.unpool(n.pool, n.mask, n.data, 2)
    return n


SHAPES = {
    "bilinear": (1, 2, 21, 24), "nearest": (1, 2, 14, 24), "zoom": (1, 2, 13, 15), "safe": (1, 2, 13, 15),
    "sized": (1, 2, 5, 30), "row": (1, 2, 1, 30), "cut": (1, 2, 10, 13), "back": (1, 2, 7, 8),
    "centres": (1, 2, 21, 24), "corners": (1, 2, 13, 22), "free": (1, 4, 14, 16),
}


def test_every_block_runs(caffe) -> None:
    """Real Caffe loads and runs every block, and no blob is left over as an output."""
    from prototools.realcaffe import run_net

    text = str(every_block(L, P, NetSpec, upsample).to_proto())
    result = run_net(text, installation=caffe)
    assert {name: result.shapes[name] for name in result.outputs} == SHAPES


def test_every_block_on_pycaffe(caffe) -> None:
    """The same calls on pycaffe's own NetSpec print the same text, in pycaffe's own Python."""
    code = (
        f"import caffe; from prototools import upsample; exec({inspect.getsource(every_block)!r}); "
        "n = every_block(caffe.layers, caffe.params, caffe.NetSpec, upsample); print(n.to_proto(), end='')"
    )
    printed = caffe.python(code, pythonpath=[Path(__file__).resolve().parents[1]])
    assert parsed(printed) == every_block(L, P, NetSpec, upsample).to_proto()


def half_pixel(image, factor: int):
    """PyTorch's bilinear with align_corners=False, by its formula."""
    for axis in (2, 3):
        rows = image.shape[axis]
        x = np.clip((np.arange(rows * factor) + 0.5) / factor - 0.5, 0, rows - 1)
        low = np.minimum(x.astype(int), max(rows - 2, 0))
        part = (x - low).reshape((-1, 1) if axis == 2 else (-1,))
        high = np.minimum(low + 1, rows - 1)
        image = np.take(image, low, axis) * (1 - part) + np.take(image, high, axis) * part
    return image


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("rows", [(1, 5), (2, 3), (7, 6)], ids=str)
def test_resize_at_pixel_centres(factor: int, rows, caffe) -> None:
    """PyTorch's numbers on real Caffe, borders included."""
    from prototools.realcaffe import run_net

    n = NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 2, *rows]))
    n.up = upsample.resize(n.data, scale=factor, mode="bilinear", in_shape=(1, 2, *rows))
    image = np.random.RandomState(0).randn(1, 2, *rows)
    result = run_net(str(n.to_proto()), installation=caffe, inputs={"data": image})
    assert list(result.blobs) == ["up"]
    assert np.abs(result.blobs["up"] - half_pixel(image, factor)).max() < 1e-6
