"""Every layer type of stock Caffe 1.0: its rule, and how many bottoms and tops it takes."""

from __future__ import annotations

import re
from typing import Callable, Dict, NamedTuple, Optional, Sequence, Tuple

from prototools.net import Layer
from prototools.shapes import arranging, elementwise, losses, recurrent, sources, spatial
from prototools.shapes.blob import Answer, Elsewhere, Shape, require

Count = Tuple[int, Optional[int]]


class Rule(NamedTuple):
    """How one layer type behaves.

    `shapes` gives the answer for a layer and its bottoms' shapes. `bottoms` and `tops` are the
    least and the most. `pairs` asks for a top for each bottom. `loss` layers make a top of their
    own where none is named, and weigh it.
    """

    shapes: Callable[[Layer, Sequence[Shape]], Answer]
    bottoms: Count
    tops: Count
    pairs: bool = False
    loss: bool = False


def _rule(shapes: Callable, counts: str, **more: bool) -> Rule:
    """From `2..3 -> 1`: two or three bottoms, one top; `1..` has no upper end."""
    bottoms, tops = (_count(side) for side in counts.split("->"))
    return Rule(shapes, bottoms, tops, **more)


def _count(written: str) -> Count:
    least, dots, most = re.match(r"\s*(\d+)(\.\.)?(\d*)", written).groups()  # type: ignore[union-attr]
    return int(least), int(most) if most else None if dots else int(least)


def _any(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """A Python layer's own code decides."""
    return Answer([None] * len(layer.tops))


TABLE: Dict[str, Rule] = {
    "AbsVal":                  _rule(elementwise.absval, "1 -> 1"),
    "Accuracy":                _rule(losses.accuracy, "2 -> 1..2"),
    "ArgMax":                  _rule(arranging.argmax, "1 -> 1"),
    "BNLL":                    _rule(elementwise.same_as_bottom, "1 -> 1"),
    "BatchNorm":               _rule(elementwise.batch_norm, "1 -> 1"),
    "BatchReindex":            _rule(arranging.batch_reindex, "2 -> 1"),
    "Bias":                    _rule(elementwise.bias, "1..2 -> 1"),
    "Clip":                    _rule(elementwise.clip, "1 -> 1"),
    "Concat":                  _rule(arranging.concat, "1.. -> 1"),
    "ContrastiveLoss":         _rule(losses.contrastive_loss, "3 -> 1", loss=True),
    "Convolution":             _rule(spatial.convolution, "1.. -> 1..", pairs=True),
    "Crop":                    _rule(arranging.crop, "2 -> 1"),
    "Data":                    _rule(sources.data, "0 -> 1..2"),
    "Deconvolution":           _rule(spatial.deconvolution, "1.. -> 1..", pairs=True),
    "Dropout":                 _rule(elementwise.same_as_bottom, "1 -> 1"),
    "DummyData":               _rule(sources.dummy_data, "0 -> 1.."),
    "ELU":                     _rule(elementwise.same_as_bottom, "1 -> 1"),
    "Eltwise":                 _rule(elementwise.eltwise, "2.. -> 1"),
    "Embed":                   _rule(elementwise.embed, "1 -> 1"),
    "EuclideanLoss":           _rule(losses.euclidean_loss, "2 -> 1", loss=True),
    "Exp":                     _rule(elementwise.exp, "1 -> 1"),
    "Filter":                  _rule(arranging.filter_, "2.. -> 1.."),
    "Flatten":                 _rule(arranging.flatten, "1 -> 1"),
    "HDF5Data":                _rule(sources.hdf5_data, "0 -> 1.."),
    "HDF5Output":              _rule(sources.hdf5_output, "2 -> 0"),
    "HingeLoss":               _rule(losses.loss, "2 -> 1", loss=True),
    "Im2col":                  _rule(spatial.im2col, "1 -> 1"),
    "ImageData":               _rule(sources.image_data, "0 -> 2"),
    "InfogainLoss":            _rule(losses.infogain_loss, "2..3 -> 1..2", loss=True),
    "InnerProduct":            _rule(elementwise.inner_product, "1 -> 1"),
    "Input":                   _rule(sources.input_, "0 -> 1.."),
    "LRN":                     _rule(elementwise.lrn, "1 -> 1"),
    "LSTM":                    _rule(recurrent.lstm, "2.. -> 1.."),
    "LSTMUnit":                _rule(recurrent.lstm_unit, "3 -> 2"),
    "Log":                     _rule(elementwise.log, "1 -> 1"),
    "MVN":                     _rule(arranging.mvn, "1 -> 1"),
    "MemoryData":              _rule(sources.memory_data, "0 -> 2"),
    "MultinomialLogisticLoss": _rule(losses.multinomial_logistic_loss, "2 -> 1", loss=True),
    "PReLU":                   _rule(elementwise.prelu, "1 -> 1"),
    "Parameter":               _rule(sources.parameter, "0 -> 1"),
    "Pooling":                 _rule(spatial.pooling, "1 -> 1..2"),
    "Power":                   _rule(elementwise.same_as_bottom, "1 -> 1"),
    "Python":                  _rule(_any, "0.. -> 0.."),
    "RNN":                     _rule(recurrent.rnn, "2.. -> 1.."),
    "ReLU":                    _rule(elementwise.same_as_bottom, "1 -> 1"),
    "Reduction":               _rule(arranging.reduction, "1 -> 1"),
    "Reshape":                 _rule(arranging.reshape, "1 -> 1"),
    "SPP":                     _rule(spatial.spp, "1 -> 1"),
    "Scale":                   _rule(elementwise.scale, "1..2 -> 1"),
    "Sigmoid":                 _rule(elementwise.same_as_bottom, "1 -> 1"),
    "SigmoidCrossEntropyLoss": _rule(losses.sigmoid_cross_entropy_loss, "2 -> 1", loss=True),
    "Silence":                 _rule(arranging.silence, "1.. -> 0"),
    "Slice":                   _rule(arranging.slice_, "1 -> 1.."),
    "Softmax":                 _rule(elementwise.softmax, "1 -> 1"),
    "SoftmaxWithLoss":         _rule(losses.softmax_loss, "2 -> 1..2", loss=True),
    "Split":                   _rule(arranging.split, "1 -> 1.."),
    "Swish":                   _rule(elementwise.same_as_bottom, "1 -> 1"),
    "TanH":                    _rule(elementwise.same_as_bottom, "1 -> 1"),
    "Threshold":               _rule(elementwise.same_as_bottom, "1 -> 1"),
    "Tile":                    _rule(arranging.tile, "1 -> 1"),
    "WindowData":              _rule(sources.window_data, "0 -> 2"),
}

#: Where a layer asks for cuDNN, which a Caffe without it refuses (layer_factory.cpp).
ENGINES = {
    "Convolution": "convolution_param", "Deconvolution": "convolution_param", "Pooling": "pooling_param",
    "LRN": "lrn_param", "ReLU": "relu_param", "Sigmoid": "sigmoid_param", "Softmax": "softmax_param",
    "TanH": "tanh_param", "SoftmaxWithLoss": "softmax_param", "InfogainLoss": "softmax_param",
}


def check_counts(rule: Rule, layer: Layer, tops: int) -> None:
    """Refuse a wrong number of bottoms or tops (layer.hpp, CheckBlobCounts)."""
    for word, found, (least, most) in (
        ("bottoms", len(layer.bottoms), rule.bottoms), ("tops", tops, rule.tops),
    ):
        wanted = f"{least}" if least == most else f"{least} to {most}" if most else f"at least {least}"
        fits = least <= found and (most is None or found <= most)
        require(fits, f"a layer of type {layer.type} must have {wanted} {word}, but has {found}")
    require(not rule.pairs or tops == len(layer.bottoms), f"it must have a top for each of "
            f"{len(layer.bottoms)} bottoms, but has {tops}")


def check_engine(layer: Layer) -> None:
    """Refuse cuDNN, as a Caffe for the CPU does."""
    engine = layer.param(ENGINES[layer.type]).word("engine", "DEFAULT") if layer.type in ENGINES else ""
    if engine in ("CUDNN", "2"):
        raise Elsewhere("engine CUDNN needs a Caffe built with cuDNN; leave engine out")
