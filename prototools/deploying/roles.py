"""What a layer is there for, by its type: data, loss, measurement, weights.

Stock types are known one by one. For a fork's type its name and its fields decide: forks call their losses
`...Loss` and their measurements `...Accuracy` or `...Evaluate`.
Types are in their current spelling, so V0 layers are asked through `V0Net.view`.
"""

from __future__ import annotations

import re

from prototools.layer_types import STOCK_TYPES
from prototools.net import Layer
from prototools.shapes import TABLE

LOSS_NAME = re.compile(r"(?i)loss")
MEASURE_NAME = re.compile(r"(?i:accuracy|evaluat)|Eval|EVAL|^eval")

#: Stock layers with learned blobs.
WEIGHTED_TYPES = frozenset((
    "BatchNorm", "Convolution", "Deconvolution", "Embed", "InnerProduct", "LSTM", "PReLU", "Parameter", "RNN",
))
#: Stock layers with learned blobs where they have one bottom.
WEIGHTED_ALONE = frozenset(("Bias", "Scale"))

#: The names of fields that tell of learned blobs in a layer that stock Caffe lacks.
WEIGHTED_FIELD = re.compile(r"^(param|blobs_lr|num_output|.*filler)$")

#: Losses beside the layer that computes what they judge by.
ACTIVATIONS = {"SoftmaxWithLoss": "Softmax", "SigmoidCrossEntropyLoss": "Sigmoid"}


def is_fork(layer: Layer) -> bool:
    """Whether the type says little: one that stock Caffe lacks, or Python's."""
    return layer.type not in STOCK_TYPES or layer.type == "Python"


def called(layer: Layer) -> str:
    """The name that tells what a layer does: its type, or the class of a Python layer."""
    return layer.param("python_param").string("layer") if layer.type == "Python" else layer.type


def is_loss(layer: Layer) -> bool:
    """A layer that judges a prediction, by its type or because it has a loss_weight."""
    if not is_fork(layer):
        return TABLE[layer.type].loss
    by_name = bool(LOSS_NAME.search(called(layer)))
    return bool(layer.bottoms) and (by_name or any(layer.message.numbers("loss_weight")))


def is_measure(layer: Layer) -> bool:
    """A layer that tells how good a prediction is, or one that writes it away: it has no top to read."""
    if not layer.bottoms or layer.type == "Silence" or is_loss(layer):
        return False
    return layer.type == "Accuracy" or not layer.tops or bool(is_fork(layer) and MEASURE_NAME.search(called(layer)))


def is_weighted(layer: Layer) -> bool:
    """Whether a layer has learned blobs, as far as the file tells."""
    if not is_fork(layer):
        return layer.type in WEIGHTED_TYPES or layer.type in WEIGHTED_ALONE and len(layer.bottoms) == 1
    message = layer.message
    inner = [name for field in layer.param_names() for part in message.messages(field) for name in part.names()]
    return any(WEIGHTED_FIELD.match(name) for name in [*message.names(), *inner])


def is_constant(layer: Layer) -> bool:
    """A source whose numbers stand in the file: DummyData without noise."""
    fillers = layer.param("dummy_data_param").messages("data_filler")
    return layer.type == "DummyData" and all(filler.string("type", "constant") == "constant" for filler in fillers)


def is_data(layer: Layer) -> bool:
    """A source that must become an input: it has no bottoms, and stock Caffe or the name says data.

    Sources of a fork that are called otherwise, and constants, are judged by what else there is.
    """
    if not is_source(layer) or layer.type in ("Input", "Parameter") or is_constant(layer):
        return False
    return layer.type in STOCK_TYPES or "data" in layer.type.lower()


def is_source(layer: Layer) -> bool:
    """A layer that has no bottoms and needs none."""
    return not layer.bottoms and (is_fork(layer) or TABLE[layer.type].bottoms[1] == 0)
