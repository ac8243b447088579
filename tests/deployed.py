"""A training net and its deployed form on real Caffe, with the same weights and the same input.

The training net is made to run without its data: each layer without bottoms gives way to an Input with the
same tops. Nothing here uses `prototools.deploying`, which is what is tested.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy

from prototools.net import Layer, Net, NetState
from prototools.realcaffe import NetCase, NetResult, run_nets

FOREIGN = re.compile("has no field named|Unknown filler name")

Shapes = Dict[str, Tuple[int, ...]]


class Pair(NamedTuple):
    """One net before and after, with the shapes of all that its data layers make."""

    title: str
    before: bytes
    after: bytes
    shapes: Shapes
    stages: Sequence[str] = ()


def runnable(text: bytes, shapes: Shapes, stages: Sequence[str] = ()) -> bytes:
    """The training net with inputs in the place of its data layers; old forms get headers."""
    net = Net(text)
    here = net.filtered(NetState("TEST", 0, tuple(stages)))
    layers = [layer for layer in net.layers if not layer.bottoms and set(layer.tops) & set(shapes)]
    tops = [top for layer in layers if layer in here for top in layer.tops]
    old = any(layer.version != 2 for layer in layers)
    for layer in reversed(layers):
        new = b" ".join(one_input(top, shapes[top]) for top in layer.tops if layer in here and not old)
        stop = re.compile(rb"\s*[,;]?").match(text, layer.message.stop).end()
        text = text[: layer.message.start] + new + text[stop:]
    return text + b"\n" + b"\n".join(header(top, shapes[top]) for top in tops if old)


def one_input(top: str, shape: Tuple[int, ...]) -> bytes:
    dims = " ".join(f"dim: {dim}" for dim in shape)
    return f'layer {{ name: "{top}" type: "Input" top: "{top}" input_param {{ shape {{ {dims} }} }} }}'.encode()


def header(top: str, shape: Tuple[int, ...]) -> bytes:
    return f'input: "{top}" {" ".join(f"input_dim: {dim}" for dim in (*shape, 1, 1, 1, 1)[:4])}'.encode()


def agree(pairs: List[Pair], folder: Path, caffe) -> Dict[str, Tuple[NetResult, NetResult]]:
    """Run all pairs: weights made for the net before, saved by Caffe, loaded by name into the net after.

    Asserts that every blob of the net after that was in the net before has the same numbers, and that a
    new one is the Softmax or Sigmoid inside a loss. Gives both results of each pair.
    Nets with fields or fillers that only a fork's Caffe knows are left out.
    """
    texts = [runnable(pair.before, pair.shapes, pair.stages) for pair in pairs]
    forms = run_nets([NetCase(text, shapes_only=True, stages=pair.stages) for text, pair in zip(texts, pairs)],
                     installation=caffe, processes=2)
    known = [number for number, form in enumerate(forms) if not FOREIGN.search(str(form))]
    pairs, texts, forms = ([found[number] for number in known] for found in (pairs, texts, forms))
    first, second = [], []
    for number, (pair, text, form) in enumerate(zip(pairs, texts, forms)):
        assert isinstance(form, NetResult), (pair.title, str(form))
        weights = str(folder / f"{number}.caffemodel")
        random = numpy.random.RandomState(number)
        inputs = {name: numbers(name, shape, random) for name, shape in form.shapes.items() if name in form.inputs}
        first.append(NetCase(text, inputs, params=learned(form, random), save=weights, outputs="all",
                             stages=pair.stages, timeout=300))
        second.append((pair, inputs, weights))
    befores = run_nets(first, installation=caffe, processes=2)
    afters = run_nets([
        NetCase(pair.after, {name: array for name, array in inputs.items() if name in Inputs(pair.after)},
                weights=weights, outputs="all", timeout=300)
        for pair, inputs, weights in second
    ], installation=caffe, processes=2)
    for pair, before, after in zip(pairs, befores, afters):
        assert isinstance(before, NetResult), (pair.title, str(before))
        assert isinstance(after, NetResult), (pair.title, str(after))
        compare(pair, before, after)
    return {pair.title: both for pair, *both in zip(pairs, befores, afters)}


class Inputs(set):
    """The names of the inputs of a net."""

    def __init__(self, text: bytes):
        net = Net(text)
        super().__init__(name for name, _ in net.inputs())
        self.update(top for layer in net.layers if layer.type == "Input" for top in layer.tops)


def numbers(name: str, shape: Tuple[int, ...], random) -> numpy.ndarray:
    """Noise for data; labels, which must be classes, are 0 or 1."""
    label = re.search("label|sem|geo|sim|age|other", name) is not None
    return random.randint(0, 2, shape) if label else random.standard_normal(shape)


def learned(form: NetResult, random) -> Dict[str, List[numpy.ndarray]]:
    """Weights that keep numbers of one size through many layers."""
    types = dict(form.layers)
    found = {}
    for layer, shapes in form.param_shapes.items():
        if types[layer] == "BatchNorm":
            found[layer] = [random.standard_normal(shapes[0]), random.uniform(0.5, 2, shapes[1]), numpy.ones(shapes[2])]
        else:
            found[layer] = [random.standard_normal(shape) * numpy.prod(shape[1:] or (1,)) ** -0.5 for shape in shapes]
    return found


def compare(pair: Pair, before: NetResult, after: NetResult) -> None:
    """Every common blob is equal; another is an activation of the blob that feeds it."""
    compared = 0
    new = {layer.tops[0]: layer for layer in Net(pair.after).layers if layer.tops}
    for name, found in after.blobs.items():
        if "_split_" in name:
            continue
        if name in before.blobs:
            expected = before.blobs[name]
        else:
            expected = activation(new[name], pair.before, before)
        assert found.shape == expected.shape, (pair.title, name)
        assert numpy.allclose(found, expected, rtol=1e-5, atol=1e-6), (pair.title, name)
        assert numpy.isfinite(found).all(), (pair.title, name)
        compared += name not in after.inputs
    assert compared, pair.title


#: The activation inside each loss, in all forms of file.
INSIDE = {
    "SoftmaxWithLoss": ("Softmax", "softmax"), "softmax_loss": ("Softmax", "softmax"),
    "SigmoidCrossEntropyLoss": ("Sigmoid",),
}


def activation(layer: Layer, text: bytes, before: NetResult) -> numpy.ndarray:
    """What a new layer must give: the activation inside a loss of the net before, in double precision."""
    losses = [loss for loss in Net(text).layers if loss.type in INSIDE and loss.bottoms[:1] == layer.bottoms]
    assert losses and layer.type in INSIDE[losses[0].type], layer
    x = before.blobs[layer.bottoms[0]].astype(numpy.float64)
    if layer.type == "Sigmoid":
        return 1 / (1 + numpy.exp(-x))
    powers = numpy.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
