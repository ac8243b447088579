"""Every stock layer of the reference beside real Caffe, on small nets."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from typing import Dict, NamedTuple, Optional, Tuple

import numpy as np
import pytest

from prototools.errors import EngineError
from prototools.net import Net, NetState
from prototools.reference import run
from prototools.reference.stock import STOCK

TOLERANCE = 1e-5
IMAGE = {"x": (2, 6, 9, 11)}


class Case(NamedTuple):
    """Layers below Input layers for `inputs`; `values` names how the inputs are drawn."""

    name: str
    layers: str
    inputs: Dict[str, Tuple[int, ...]] = IMAGE
    values: str = "normal"
    phase: str = "TEST"
    params: Optional[Dict[str, list]] = None


def layer(kind, param="", bottoms="x", tops="y", name="one"):
    """The text of one layer."""
    wires = "".join(f' bottom: "{blob}"' for blob in bottoms.split())
    wires += "".join(f' top: "{blob}"' for blob in tops.split())
    return f'layer {{ name: "{name}" type: "{kind}"{wires} {param} }}\n'


def conv(param, kind="Convolution", **wires):
    filled = param + ' weight_filler { type: "gaussian" std: 0.3 } bias_filler { type: "gaussian" }'
    return layer(kind, f"convolution_param {{ {filled} }}", **wires)


def pool(param, **wires):
    return layer("Pooling", f"pooling_param {{ {param} }}", **wires)


BATCH_NORM = {"one": [np.linspace(-1, 1, 6), np.linspace(0.5, 3, 6), np.array([2.0])]}
TWO = {"x": (2, 6, 9, 11), "z": (2, 6, 9, 11)}
THREE = {"x": (2, 3, 4, 5), "z": (2, 3, 4, 5), "w": (2, 3, 4, 5)}

CASES = [
    Case("conv-plain", conv("num_output: 4 kernel_size: 3")),
    Case("conv-one-by-one", conv("num_output: 5 kernel_size: 1 bias_term: false")),
    Case("conv-pad-stride", conv("num_output: 4 kernel_size: 3 pad: 2 stride: 2")),
    Case("conv-sides", conv("num_output: 4 kernel_h: 3 kernel_w: 5 pad_h: 1 pad_w: 2"
                            " stride_h: 2 stride_w: 3")),
    Case("conv-list", conv("num_output: 4 kernel_size: 3 kernel_size: 2 stride: 1 stride: 2")),
    Case("conv-dilation-group", conv("num_output: 6 kernel_size: 3 dilation: 2 pad: 2 group: 3")),
    Case("conv-depthwise", conv("num_output: 6 kernel_size: 3 pad: 1 group: 6")),
    Case("conv-depthwise-doubled", conv("num_output: 12 kernel_size: 3 stride: 2 group: 6")),
    Case("conv-two-bottoms", conv("num_output: 2 kernel_size: 3", bottoms="x z", tops="y v"), TWO),
    Case("conv-axis-two", conv("axis: 2 num_output: 2 kernel_size: 3")),
    Case("conv-kernel-over-edge", conv("num_output: 2 kernel_size: 3 stride: 2"),
         {"x": (1, 2, 2, 2)}),
    Case("conv-one-axis", conv("num_output: 3 kernel_size: 3 pad: 1 stride: 2"), {"x": (2, 4, 9)}),
    Case("conv-three-axes", conv("num_output: 3 kernel_size: 2 pad: 1 stride: 2"),
         {"x": (1, 2, 5, 6, 4)}),
    Case("deconv-plain", conv("num_output: 4 kernel_size: 3", "Deconvolution")),
    Case("deconv-stride-pad", conv("num_output: 4 kernel_size: 4 stride: 2 pad: 1",
                                   "Deconvolution")),
    Case("deconv-sides", conv("num_output: 4 kernel_h: 3 kernel_w: 5 pad_h: 1 pad_w: 0"
                              " stride_h: 3 stride_w: 2", "Deconvolution")),
    Case("deconv-group-dilation", conv("num_output: 9 kernel_size: 3 stride: 2 dilation: 2"
                                       " group: 3", "Deconvolution")),
    Case("deconv-depthwise", conv("num_output: 6 kernel_size: 5 stride: 3 pad: 2 group: 6"
                                  " bias_term: false", "Deconvolution")),
    Case("deconv-three-axes", conv("num_output: 3 kernel_size: 3 stride: 2", "Deconvolution"),
         {"x": (1, 2, 3, 4, 2)}),
    Case("pool-max", pool("kernel_size: 2 stride: 2")),
    Case("pool-max-mask", pool("kernel_size: 3 stride: 2", tops="y m")),
    Case("pool-max-mask-ties", pool("kernel_size: 3 stride: 2 pad: 1", tops="y m"), values="ties"),
    Case("pool-max-ramp", pool("kernel_size: 1 stride: 1", tops="y m")),
    Case("pool-max-pad-clip", pool("kernel_size: 3 stride: 3 pad: 2", tops="y m")),
    Case("pool-one-pad-clips-both", pool("kernel_size: 3 stride_h: 5 stride_w: 5 pad_h: 0"
                                         " pad_w: 1")),
    Case("pool-sides", pool("kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 3 pad_h: 1 pad_w: 0")),
    Case("pool-ave", pool("pool: AVE kernel_size: 3 stride: 2")),
    Case("pool-ave-pad", pool("pool: AVE kernel_size: 3 stride: 2 pad: 1")),
    Case("pool-ave-pad-end", pool("pool: AVE kernel_size: 4 stride: 3 pad: 2")),
    Case("pool-ave-sides", pool("pool: AVE kernel_h: 2 kernel_w: 5 stride_h: 3 stride_w: 1"
                                " pad_h: 0 pad_w: 3")),
    Case("pool-global", pool("pool: AVE global_pooling: true") + pool(
        "global_pooling: true", tops="z m", name="two")),
    Case("inner-product", layer("InnerProduct", 'inner_product_param { num_output: 7'
         ' weight_filler { type: "gaussian" } bias_filler { type: "gaussian" } }')),
    Case("inner-product-axis-three", layer("InnerProduct", 'inner_product_param { num_output: 4'
         ' axis: 3 bias_term: false weight_filler { type: "gaussian" } }')),
    Case("inner-product-transposed", layer("InnerProduct", 'inner_product_param { num_output: 4'
         ' axis: -2 transpose: true weight_filler { type: "gaussian" } }')),
    Case("embed", layer("Embed", 'embed_param { num_output: 4 input_dim: 5 weight_filler'
         ' { type: "gaussian" } bias_filler { type: "gaussian" } }'), {"x": (2, 3)}, "places"),
    Case("eltwise-sum", layer("Eltwise", bottoms="x z w"), THREE),
    Case("eltwise-coeff", layer("Eltwise", "eltwise_param { coeff: 0.5 coeff: -1 coeff: 2 }",
                                "x z w"), THREE),
    Case("eltwise-prod", layer("Eltwise", "eltwise_param { operation: PROD }", "x z w"), THREE),
    Case("eltwise-max", layer("Eltwise", "eltwise_param { operation: MAX }", "x z w"), THREE),
    Case("concat", layer("Concat", bottoms="x z"), {"x": (2, 3, 4, 5), "z": (2, 2, 4, 5)}),
    Case("concat-axis", layer("Concat", "concat_param { axis: -1 }", "x z"),
         {"x": (2, 3, 4, 5), "z": (2, 3, 4, 2)}),
    Case("concat-dim", layer("Concat", "concat_param { concat_dim: 2 }", "x z"),
         {"x": (2, 3, 4, 5), "z": (2, 3, 1, 5)}),
    Case("slice-equal", layer("Slice", tops="a b c")),
    Case("slice-points", layer("Slice", "slice_param { axis: 2 slice_point: 1 slice_point: 5 }",
                               tops="a b c")),
    Case("slice-dim", layer("Slice", "slice_param { slice_dim: 0 }", tops="a b")),
    Case("crop", layer("Crop", "crop_param { offset: 2 }", "x z"),
         {"x": (2, 6, 9, 11), "z": (1, 1, 4, 5)}),
    Case("crop-axis", layer("Crop", "crop_param { axis: 1 offset: 1 offset: 0 offset: 4 }", "x z"),
         {"x": (2, 6, 9, 11), "z": (1, 5, 4, 5)}),
    Case("power", layer("Power", "power_param { power: 2 scale: 0.5 shift: -0.25 }")),
    Case("power-constant", layer("Power", "power_param { power: 3 scale: 0 shift: 2 }")),
    Case("power-zero", layer("Power", "power_param { power: 0 }")),
    Case("power-inverse", layer("Power", "power_param { power: -1 shift: 3 }"), values="positive"),
    Case("absval", layer("AbsVal")),
    Case("threshold", layer("Threshold", "threshold_param { threshold: 0.3 }")),
    Case("relu", layer("ReLU")),
    Case("relu-slope", layer("ReLU", "relu_param { negative_slope: 0.1 }")),
    Case("relu-in-place", conv("num_output: 4 kernel_size: 3") + layer(
        "ReLU", bottoms="y", tops="y", name="two")),
    Case("prelu", layer("PReLU", 'prelu_param { filler { type: "gaussian" } }')),
    Case("prelu-shared", layer("PReLU", "prelu_param { channel_shared: true }")),
    Case("elu", layer("ELU", "elu_param { alpha: 0.7 }")),
    Case("sigmoid", layer("Sigmoid")),
    Case("tanh", layer("TanH")),
    Case("bnll", layer("BNLL")),
    Case("exp", layer("Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }")),
    Case("exp-e", layer("Exp", "exp_param { shift: 1 }")),
    Case("log", layer("Log", "log_param { base: 10 scale: 2 shift: 0.5 }"), values="positive"),
    Case("log-e", layer("Log"), values="positive"),
    Case("swish", layer("Swish", "swish_param { beta: 1.5 }")),
    Case("clip", layer("Clip", "clip_param { min: -0.5 max: 0.75 }")),
    Case("silence", layer("Silence", tops="") + layer("ReLU", name="two")),
    Case("split", layer("Split", tops="a b")),
    Case("reshape", layer("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 3 } }")),
    Case("reshape-axes", layer("Reshape", "reshape_param { axis: 1 num_axes: 2"
                               " shape { dim: 9 dim: 2 dim: 3 } }")),
    Case("reshape-append", layer("Reshape", "reshape_param { axis: -1 num_axes: 0"
                                 " shape { dim: 1 } }")),
    Case("flatten", layer("Flatten")),
    Case("flatten-axes", layer("Flatten", "flatten_param { axis: 1 end_axis: -2 }")),
    Case("tile", layer("Tile", "tile_param { axis: 2 tiles: 3 }")),
    Case("scale", layer("Scale", 'scale_param { filler { type: "gaussian" } bias_term: true'
                        ' bias_filler { type: "gaussian" } }')),
    Case("scale-default", layer("Scale")),
    Case("scale-axes", layer("Scale", 'scale_param { axis: 2 num_axes: 2'
                             ' filler { type: "gaussian" } }')),
    Case("scale-scalar", layer("Scale", "scale_param { num_axes: 0 filler { value: 1.5 } }")),
    Case("scale-two-bottoms", layer("Scale", 'scale_param { axis: 0 bias_term: true'
         ' bias_filler { type: "gaussian" } }', "x z"), {"x": (2, 3, 4, 5), "z": (2, 3)}),
    Case("bias", layer("Bias", 'bias_param { axis: 1 num_axes: -1 filler { type: "gaussian" } }')),
    Case("bias-two-bottoms", layer("Bias", "bias_param { axis: 2 }", "x z"),
         {"x": (2, 3, 4, 5), "z": (4,)}),
    Case("batch-norm", layer("BatchNorm"), params=BATCH_NORM),
    Case("batch-norm-unfilled", layer("BatchNorm", "batch_norm_param { eps: 0.01 }")),
    Case("batch-norm-own", layer("BatchNorm", "batch_norm_param { use_global_stats: false }")),
    Case("batch-norm-train", layer("BatchNorm"), phase="TRAIN"),
    Case("lrn-across", layer("LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.6 k: 2 }")),
    Case("lrn-default", layer("LRN")),
    Case("lrn-within", layer("LRN", "lrn_param { norm_region: WITHIN_CHANNEL local_size: 3"
                             " alpha: 0.5 }")),
    Case("mvn", layer("MVN")),
    Case("mvn-across", layer("MVN", "mvn_param { across_channels: true }")),
    Case("mvn-mean-only", layer("MVN", "mvn_param { normalize_variance: false }")),
    Case("mvn-flat", layer("MVN", "mvn_param { across_channels: true }"), {"x": (3, 5)}),
    Case("softmax", layer("Softmax")),
    Case("softmax-axis", layer("Softmax", "softmax_param { axis: -1 }")),
    Case("argmax", layer("ArgMax", "argmax_param { top_k: 3 }")),
    Case("argmax-values", layer("ArgMax", "argmax_param { top_k: 2 out_max_val: true }")),
    Case("argmax-axis", layer("ArgMax", "argmax_param { axis: 1 top_k: 2 }")),
    Case("argmax-axis-values", layer("ArgMax", "argmax_param { axis: 1 out_max_val: true }")),
    Case("argmax-ties", layer("ArgMax", "argmax_param { axis: 1 top_k: 3 }"), values="ties"),
    Case("argmax-flat", layer("ArgMax"), {"x": (3, 7)}),
    Case("reduction-sum", layer("Reduction", "reduction_param { axis: 2 coeff: 0.5 }")),
    Case("reduction-asum", layer("Reduction", "reduction_param { operation: ASUM axis: 1 }")),
    Case("reduction-sumsq", layer("Reduction", "reduction_param { operation: SUMSQ axis: -1 }")),
    Case("reduction-mean", layer("Reduction", "reduction_param { operation: MEAN }")),
    Case("dropout", layer("Dropout", "dropout_param { dropout_ratio: 0.7 }")),
    Case("dummy-data", layer("DummyData", "dummy_data_param { shape { dim: 2 dim: 3 }"
         " data_filler { value: 1.5 } data_filler { value: -2 } }", "", "a b")),
    Case("dummy-data-old", layer("DummyData", "dummy_data_param { num: 2 channels: 3 height: 4"
                                 " width: 5 }", "", "a")),
    Case("parameter", layer("Parameter", "parameter_param { shape { dim: 2 dim: 3 } }", "", "a"),
         params={"one": [np.arange(6.0).reshape(2, 3)]}),
    Case("batch-reindex", layer("BatchReindex", bottoms="x z"), {"x": (3, 4), "z": (5,)}, "places"),
    Case("shared-params", conv("num_output: 6 kernel_size: 3 pad: 1").replace(
        "} }\n", '} param { name: "w" } }\n') + conv(
        "num_output: 6 kernel_size: 3 pad: 1", bottoms="y", tops="v", name="two").replace(
        "} }\n", '} param { name: "w" } }\n')),
    Case("bilinear-k4", layer("Deconvolution", 'convolution_param { num_output: 6 group: 6'
         ' kernel_size: 4 stride: 2 pad: 1 bias_term: false weight_filler { type: "bilinear" } }')),
    Case("bilinear-k3", layer("Deconvolution", 'convolution_param { num_output: 6 group: 6'
         ' kernel_size: 3 stride: 2 pad: 1 bias_term: false weight_filler { type: "bilinear" } }')),
]
NAMES = [case.name for case in CASES]


def net_text(case: Case) -> str:
    heads = ""
    for blob, shape in case.inputs.items():
        dims = " ".join(f"dim: {dim}" for dim in shape)
        heads += layer("Input", f"input_param {{ shape {{ {dims} }} }}", "", blob, f"in_{blob}")
    return heads + case.layers


def draw(case: Case) -> Dict[str, np.ndarray]:
    """float32 inputs that depend only on the case's and the blob's name."""
    arrays = {}
    for blob, shape in case.inputs.items():
        random = np.random.RandomState(zlib.crc32(f"{case.name}/{blob}".encode()))
        values = random.standard_normal(shape)
        if case.values == "positive":
            values = np.abs(values) + 0.1
        elif case.values == "ties":
            values = np.round(values)
        elif case.values == "places" and (blob == "z" or len(case.inputs) == 1):
            values = random.randint(0, 3, shape)
        arrays[blob] = values.astype(np.float32)
    return arrays


@pytest.fixture(scope="module")
def answers(caffe):
    """Real Caffe's blobs and parameters for every case, from one start of Caffe."""
    client = pytest.importorskip("prototools.realcaffe.client")
    requests = [
        client.NetCase(net_text(case), draw(case), params=case.params, phase=case.phase,
                       outputs="all", return_params=True)
        for case in CASES
    ]
    return dict(zip(NAMES, client.run_nets(requests)))


def compare(case: Case, answer, **options) -> float:
    """The largest difference of any blob, relative to blobs above 1."""
    assert not isinstance(answer, EngineError), f"Caffe refused {case.name}: {answer}"
    net = Net(net_text(case).encode()).filtered(NetState(case.phase))
    ours = run(net, draw(case), answer.params, **options)
    made = set(ours) - set(case.inputs)
    assert made and made <= set(answer.blobs), f"nothing to compare in {case.name}"
    worst = 0.0
    for blob in made:
        wanted = answer.blobs[blob].astype(np.float64)
        assert ours[blob].shape == wanted.shape, (case.name, blob)
        size = max(1.0, float(np.abs(wanted).max()))
        worst = max(worst, float(np.abs(ours[blob] - wanted).max()) / size)
    return worst


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_forward_equals_caffe(case, answers):
    assert compare(case, answers[case.name]) < TOLERANCE


def test_every_stock_type_is_compared():
    compared = set(re.findall(r'type: "(\w+)"', "".join(net_text(case) for case in CASES)))
    assert set(STOCK) <= compared


@pytest.mark.parametrize("name", ["bilinear-k3", "bilinear-k4", "prelu-shared", "scale-default"])
def test_our_own_fillers_equal_caffes(name, answers):
    assert compare(CASES[NAMES.index(name)], replace(answers[name], params={})) < TOLERANCE


def test_the_old_bilinear_filler_is_noticed(answers):
    case, answer = CASES[NAMES.index("bilinear-k3")], replace(answers["bilinear-k3"], params={})
    assert compare(case, answer, bilinear="old") > 0.1


@pytest.mark.parametrize("name, old, new", [
    ("conv-pad-stride", "pad: 2", "pad: 3"),
    ("conv-dilation-group", "dilation: 2 pad: 2", "dilation: 1 pad: 1"),
    ("deconv-stride-pad", "kernel_size: 4", "kernel_size: 4 dilation: 2"),
    ("pool-ave-pad", "pad: 1", "pad: 0"),
    ("pool-max-mask-ties", "pad: 1", "pad: 0"),
    ("batch-norm", 'type: "BatchNorm"', 'type: "BatchNorm" batch_norm_param { eps: 0.1 }'),
    ("lrn-across", "local_size: 3", "local_size: 5"),
    ("eltwise-coeff", "coeff: 2", "coeff: 1"),
    ("crop", "offset: 2", "offset: 1"),
])
def test_a_planted_mistake_is_noticed(name, old, new, answers):
    case = CASES[NAMES.index(name)]
    assert old in case.layers
    wrong = case._replace(name=name, layers=case.layers.replace(old, new))
    with pytest.raises((AssertionError, EngineError)):
        assert compare(wrong, answers[name]) < TOLERANCE
