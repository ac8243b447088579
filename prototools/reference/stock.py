"""The stock layer types that can be run, each with its forward function."""

from __future__ import annotations

from typing import Callable, Dict, List

import numpy as np

from prototools.reference import elementwise, linear, normalise, pooling, shaping
from prototools.reference.call import Call

Forward = Callable[[Call], List[np.ndarray]]

STOCK: Dict[str, Forward] = {
    "AbsVal": elementwise.absval,
    "ArgMax": normalise.argmax,
    "BNLL": elementwise.bnll,
    "BatchNorm": normalise.batch_norm,
    "BatchReindex": shaping.batch_reindex,
    "Bias": normalise.bias,
    "Clip": elementwise.clip,
    "Concat": shaping.concat,
    "Convolution": linear.convolution,
    "Crop": shaping.crop,
    "Deconvolution": linear.deconvolution,
    "Dropout": elementwise.dropout,
    "DummyData": shaping.dummy_data,
    "ELU": elementwise.elu,
    "Eltwise": elementwise.eltwise,
    "Embed": linear.embed,
    "Exp": elementwise.exp,
    "Flatten": shaping.flatten,
    "InnerProduct": linear.inner_product,
    "Input": shaping.input_layer,
    "LRN": normalise.lrn,
    "Log": elementwise.log,
    "MVN": normalise.mvn,
    "PReLU": elementwise.prelu,
    "Parameter": shaping.parameter,
    "Pooling": pooling.pooling,
    "Power": elementwise.power,
    "ReLU": elementwise.relu,
    "Reduction": normalise.reduction,
    "Reshape": shaping.reshape,
    "Scale": normalise.scale,
    "Sigmoid": elementwise.sigmoid,
    "Silence": shaping.silence,
    "Slice": shaping.slice_layer,
    "Softmax": normalise.softmax,
    "Split": shaping.split,
    "Swish": elementwise.swish,
    "TanH": elementwise.tanh,
    "Threshold": elementwise.threshold,
    "Tile": shaping.tile,
}
