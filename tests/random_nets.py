"""Random one-layer nets of every stock type, for comparison with real Caffe.

Each row of `FIELDS` is a layer type: its parameter message, then columns of which one entry each is
taken. Many combinations are faulty on purpose, and Caffe must refuse them where we do.
"""

from __future__ import annotations

import random
from typing import Dict, List, Sequence, Tuple

_KERNEL = ["kernel_size: 1", "kernel_size: 2", "kernel_size: 3", "kernel_size: 4", "kernel_h: 2 kernel_w: 3",
           "kernel_h: 2", "kernel_size: [2, 3]", "kernel_size: 2 kernel_h: 2", ""]
_STRIDE = ["", "", "stride: 2", "stride: 3", "stride_h: 2 stride_w: 1", "stride: [1, 2]", "stride: 0", "stride_w: 2"]
_PAD = ["", "", "pad: 1", "pad: 2", "pad_h: 1 pad_w: 2", "pad: [0, 1]", "pad_w: 1"]
_FILLER = ["", "", 'weight_filler { type: "bilinear" }', 'weight_filler { type: "xavier" }',
           'weight_filler { type: "none" }']
_AXIS = ["", "", "axis: 0", "axis: 1", "axis: 2", "axis: 3", "axis: -1", "axis: -2", "axis: 5"]
_BIAS = ["", "bias_term: false"]
_OUTPUTS = ["num_output: 2", "num_output: 4", "num_output: 6", "num_output: 3", ""]
_WINDOW = [_OUTPUTS, _KERNEL, _STRIDE, _PAD, ["", "", "dilation: 2"], ["", "", "group: 2"], _BIAS, _FILLER,
           ["", "", "", "axis: 2", "axis: -3"]]
_SHAPE = ["", "shape { dim: 2 dim: 3 }", "shape { dim: 0 dim: -1 }", "shape { dim: 0 dim: 0 dim: -1 dim: 2 }",
          "shape { dim: -1 }", "shape { }", "shape { dim: 6 dim: 4 }", "shape { dim: -1 dim: -1 }"]

FIELDS: Dict[str, Tuple[str, List[List[str]]]] = {
    "AbsVal":        ("", []),
    "ArgMax":        ("argmax_param", [_AXIS, ["", "top_k: 2", "top_k: 0"], ["", "out_max_val: true"]]),
    "BNLL":          ("", []),
    "BatchNorm":     ("batch_norm_param", [["", "use_global_stats: true"]]),
    "Bias":          ("bias_param", [_AXIS, ["", "num_axes: 0", "num_axes: 2", "num_axes: -1", "num_axes: -2"]]),
    "Concat":        ("concat_param", [_AXIS, ["", "", "", "concat_dim: 1"]]),
    "Convolution":   ("convolution_param", _WINDOW),
    "Crop":          ("crop_param", [_AXIS, ["", "offset: 1", "offset: [0, 1]", "offset: 3"]]),
    "Deconvolution": ("convolution_param", _WINDOW),
    "Dropout":       ("dropout_param", [["", "dropout_ratio: 0.3"]]),
    "DummyData":     ("dummy_data_param", [_SHAPE[:2], ["", "", "num: 1 channels: 2 height: 3 width: 4", "num: 1"]]),
    "ELU":           ("", []),
    "Eltwise":       ("eltwise_param", [["", "operation: PROD", "operation: MAX"], ["", "", "coeff: 1 coeff: -1"]]),
    "Embed":         ("embed_param", [_OUTPUTS, ["input_dim: 5", ""], _BIAS]),
    "EuclideanLoss": ("", []),
    "Exp":           ("exp_param", [["", "base: 2", "base: -2"]]),
    "Filter":        ("", []),
    "Flatten":       ("flatten_param", [_AXIS, ["", "", "end_axis: 2", "end_axis: -2", "end_axis: 0"]]),
    "HingeLoss":     ("", []),
    "Im2col":        ("convolution_param", [_KERNEL, _STRIDE, _PAD]),
    "InnerProduct":  ("inner_product_param", [_OUTPUTS, _AXIS, _BIAS, ["", "transpose: true"]]),
    "Input":         ("input_param", [_SHAPE, ["", "shape { dim: 4 }"]]),
    "LRN":           ("lrn_param", [["", "local_size: 3", "local_size: 4"], ["", "norm_region: WITHIN_CHANNEL"]]),
    "LSTM":          ("recurrent_param", [_OUTPUTS, ["", "", "expose_hidden: true"]]),
    "Log":           ("log_param", [["", "base: 2", "base: 0"]]),
    "MVN":           ("mvn_param", [["", "across_channels: true"]]),
    "PReLU":         ("prelu_param", [["", "channel_shared: true"]]),
    "Parameter":     ("parameter_param", [_SHAPE]),
    "Pooling":       ("pooling_param", [["", "pool: AVE", "pool: STOCHASTIC"], [*_KERNEL[:6], "global_pooling: true"],
                                        _STRIDE[:5], _PAD[:5], ["", "", "round_mode: FLOOR"]]),
    "Power":         ("", []),
    "RNN":           ("recurrent_param", [_OUTPUTS, ["", "", "expose_hidden: true"]]),
    "ReLU":          ("", []),
    "Reduction":     ("reduction_param", [_AXIS, ["", "operation: MEAN"]]),
    "Reshape":       ("reshape_param", [_SHAPE, ["", "", "axis: 1", "axis: -1", "axis: 2"], ["", "", "num_axes: 1"]]),
    "SPP":           ("spp_param", [["pyramid_height: 1", "pyramid_height: 2", "pyramid_height: 3", ""]]),
    "Scale":         ("scale_param", [_AXIS, ["", "num_axes: 0", "num_axes: 2", "num_axes: -1"],
                                      ["", "bias_term: true"]]),
    "Sigmoid":       ("", []),
    "SigmoidCrossEntropyLoss": ("", []),
    "Silence":       ("", []),
    "Slice":         ("slice_param", [_AXIS, ["", "", "slice_point: 1", "slice_point: [1, 3]", "slice_point: 0"]]),
    "Softmax":       ("softmax_param", [_AXIS]),
    "SoftmaxWithLoss": ("softmax_param", [["", "", "", "axis: 2"]]),
    "Split":         ("", []),
    "Swish":         ("", []),
    "TanH":          ("", []),
    "Threshold":     ("", []),
    "Tile":          ("tile_param", [["tiles: 1", "tiles: 3", "tiles: 0", ""], _AXIS]),
}

#: Bottoms that suit a type; every other type gets one random blob.
BOTTOMS: Dict[str, List[List[Sequence[int]]]] = {
    "Concat":          [[(2, 3, 4, 5), (2, 6, 4, 5)], [(2, 3), (2, 3), (2, 3)], [(2, 3, 4), (2, 3)], [(1, 2)]],
    "Crop":            [[(2, 3, 9, 9), (1, 1, 5, 6)], [(2, 3, 4, 5), (2, 3, 4)], [(2, 3, 4), (2, 2, 2)]],
    "DummyData":       [[]],
    "Eltwise":         [[(2, 3), (2, 3)], [(2, 3, 4, 5)] * 2, [(2, 3), (2, 4)], [(2, 3)], [(1, 2)] * 3],
    "EuclideanLoss":   [[(4, 5), (4, 5)], [(4, 6), (4, 2, 3)], [(4, 5), (3, 5)], [(4,), (4,)]],
    "Filter":          [[(3, 4), (3,)], [(3, 4), (2,)], [(3, 4), (3, 1)], [(3, 4), (3, 2)]],
    "HingeLoss":       [[(4, 5), (4,)], [(4, 5), (5,)], [(4, 5), (4, 1)]],
    "Input":           [[]],
    "LSTM":            [[(3, 2, 5), (3, 2)], [(3, 2, 5), (3, 2), (2, 7)], [(3, 2), (3, 2)], [(3, 2, 5), (2, 3)],
                        [(3, 2, 5), (3, 2), (1, 2, 2), (1, 2, 2)]],
    "Parameter":       [[]],
    "RNN":             [[(3, 2, 5), (3, 2)], [(3, 2, 5), (3, 2), (2, 7)], [(3, 2, 5), (3, 2), (1, 2, 2)]],
    "SigmoidCrossEntropyLoss": [[(4, 5), (4, 5)], [(4, 6), (4, 2, 3)], [(4, 5), (4, 4)]],
    "SoftmaxWithLoss": [[(4, 5), (4,)], [(2, 5, 3, 3), (2, 3, 3)], [(2, 5, 3, 3), (2, 1, 3, 3)], [(4, 5), (4, 2)]],
}
_ONE = [[(2, 4, 8, 9)]] * 6 + [[(1, 3, 5, 5)], [(2, 4)], [(6,)], [()], [(2, 4, 6)], [(1, 2, 3, 4, 5)], [(1, 4, 1, 1)]]


def nets(count: int, seed: int) -> List[str]:
    """That many nets, the same for the same seed."""
    dice = random.Random(seed)
    return [_net(dice) for _ in range(count)]


def _net(dice: random.Random) -> str:
    kind = dice.choice(list(FIELDS))
    message, columns = FIELDS[kind]
    bottoms = dice.choice(BOTTOMS.get(kind, _ONE))
    if kind in ("Convolution", "Deconvolution") and dice.random() < 0.1:
        bottoms = bottoms * 2
    tops = 0 if kind == "Silence" else dice.choice([1, 1, 1, 2]) if kind != "Slice" else dice.choice([1, 2, 3])
    fields = " ".join(filter(None, (dice.choice(column) for column in columns)))
    wires = [f'bottom: "x{i}"' for i in range(len(bottoms))] + [f'top: "y{i}"' for i in range(tops)]
    if bottoms and tops and dice.random() < 0.05:
        wires[len(bottoms)] = 'top: "x0"'
    more = dice.choice([""] * 16 + ["loss_weight: 1", "propagate_down: true", "param { lr_mult: 0 }", "param { } " * 3])
    own = f"{message} {{ {fields} }}" if message else ""
    return _inputs(bottoms) + f'layer {{ name: "l" type: "{kind}" {" ".join(wires)} {own} {more} }}\n'


def _inputs(shapes: Sequence[Sequence[int]]) -> str:
    layer = 'layer {{ name: "in{0}" type: "Input" top: "x{0}" input_param {{ shape {{ {1} }} }} }}\n'
    return "".join(layer.format(i, " ".join(f"dim: {dim}" for dim in shape)) for i, shape in enumerate(shapes))
