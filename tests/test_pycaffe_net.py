"""The stand-in's Net against real Caffe's: what it shows of a network, and the numbers of a forward pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prototools.errors import EngineError, NetError
from prototools.files import FileError
from prototools.pycaffe import TEST, TRAIN
from prototools.pycaffe.running import Net

#: Data, an input in the place of a header, in place, several readers with and without a loss, shared blobs, a loss
#: without a name, and a phase.
WIRES = """
name: "wires"
input: "old" input_shape { dim: 1 dim: 2 }
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } shape { dim: 2 } } }
layer { name: "in" type: "Input" top: "in1" top: "in2" input_param { shape { dim: 2 dim: 4 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "a" type: "InnerProduct" bottom: "conv" top: "a" inner_product_param { num_output: 4 }
  loss_weight: 0.5 param { name: "shared" } }
layer { name: "b" type: "InnerProduct" bottom: "conv" top: "b" inner_product_param { num_output: 4 }
  param { name: "shared" } }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" bottom: "in1" top: "sum" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "sum" bottom: "label" top: "loss" }
layer { name: "acc" type: "Accuracy" bottom: "sum" bottom: "label" top: "acc" include { phase: TEST } }
layer { name: "auto" type: "EuclideanLoss" bottom: "in2" bottom: "in1" }
layer { name: "sil" type: "Silence" bottom: "a" }
"""

OLD = """
input: "data" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 3
layers { name: "ip" type: INNER_PRODUCT bottom: "data" top: "ip" inner_product_param { num_output: 2 } }
layers { name: "relu" type: RELU bottom: "ip" top: "ip" }
layers { name: "prob" type: SOFTMAX bottom: "ip" top: "prob" }
"""

EMPTY = """
layer { name: "d" type: "DummyData" top: "d" top: "e" dummy_data_param { shape { dim: 3 } } }
layer { name: "s" type: "Silence" bottom: "d" } layer { name: "t" type: "Silence" bottom: "e" }
"""

SHOW = """
def show(net):
    return {
        "names": list(net._layer_names), "types": [layer.type for layer in net.layers], "blobs": list(net.blobs),
        "shapes": [list(blob.data.shape) for blob in net.blobs.values()], "layer_dict": list(net.layer_dict),
        "params": {name: [list(blob.data.shape) for blob in blobs] for name, blobs in net.params.items()},
        "held": [len(layer.blobs) for layer in net.layers], "inputs": list(net.inputs), "outputs": list(net.outputs),
        "tops": dict(net.top_names), "bottoms": dict(net.bottom_names), "count": net.blobs["%s"].count,
    }
"""


@pytest.mark.parametrize("phase", [TEST, TRAIN])
@pytest.mark.parametrize("text, blob", [(WIRES, "sum"), (OLD, "ip"), (EMPTY, "d")], ids=["wires", "old", "empty"])
def test_what_it_shows(text: str, blob: str, phase: int, caffe, tmp_path: Path) -> None:
    """Layers with their Splits, blobs, params, wires, inputs and outputs, in real Caffe's order."""
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    names: Any = {}
    exec(SHOW % blob, names)
    theirs = caffe.python(SHOW % blob + f"import json, caffe\nnet = caffe.Net({str(path)!r}, {phase})\n"
                          "print(json.dumps(show(net)))")
    assert names["show"](Net(str(path), phase)) == json.loads(theirs.splitlines()[-1])


RUNS = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 5 } } }
layer { name: "fill" type: "DummyData" top: "fill" dummy_data_param {
  shape { dim: 2 dim: 4 dim: 3 dim: 3 } data_filler { type: "constant" value: 2 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 2 stride: 2 weight_filler { value: 0.5 } bias_filler { value: 1 } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "up" type: "Deconvolution" bottom: "conv" top: "up"
  convolution_param { num_output: 4 group: 4 kernel_size: 4 stride: 2 pad: 1 bias_term: false
    weight_filler { type: "bilinear" } } }
layer { name: "sum" type: "Eltwise" bottom: "conv" bottom: "conv" top: "sum" }
layer { name: "train" type: "ReLU" bottom: "sum" top: "train" include { phase: TRAIN } }
"""

RUN = """
def run(Net):
    net = Net("net.prototxt", 1)
    held, found = net.blobs["up"].data, []
    for blobs in ((2, 3, 6, 5), (1, 3, 4, 7)):
        net.blobs["data"].reshape(*blobs)
        net.reshape()
        net.blobs["data"].data[...] = np.arange(np.prod(blobs)).reshape(blobs) / 100.0
        out = net.forward()
        found.append({name: [list(array.shape), array.ravel().tolist()] for name, array in out.items()})
        if len(found) == 1:
            found.append(held.ravel().tolist())
    net.params["conv"][1].data[...] = -3
    found.append(net.forward()["sum"].ravel().tolist())
    found.append([net.blobs["conv"].num, net.blobs["conv"].width, net.params["up"][0].data.ravel().tolist()])
    return found
"""


def test_what_it_computes(caffe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of a forward pass, again at another size and with other params; arrays that are held stay valid."""
    (tmp_path / "net.prototxt").write_text(RUNS)
    monkeypatch.chdir(tmp_path)
    names: Any = {"np": np}
    exec(RUN, names)
    theirs = json.loads(caffe.python(
        f"import os\nos.chdir({str(tmp_path)!r})\nimport json, caffe\nimport numpy as np\n{RUN}"
        "print(json.dumps(run(caffe.Net)))").splitlines()[-1])
    ours = names["run"](Net)
    assert set(ours[0]) == {"fill", "sum", "up"} and len(ours) == len(theirs) == 5
    for one, other in zip(flat(ours), flat(theirs)):
        assert np.allclose(one, other, rtol=1e-5, atol=1e-5)


def flat(found: Any) -> list:
    """Every list of numbers, dicts in the order of their names."""
    if isinstance(found, dict):
        return [one for name in sorted(found) for one in flat(found[name])]
    if found and isinstance(found[0], (list, dict)) or any(isinstance(one, list) for one in found):
        return [one for part in found for one in (flat(part) if isinstance(part, (list, dict)) else [[part]])]
    return [found]


def test_weights_go_both_ways(caffe, tmp_path: Path) -> None:
    """A saved file is loaded by real Caffe, and real Caffe's by the stand-in; shared blobs are one."""
    (tmp_path / "net.prototxt").write_text(WIRES)
    ours, theirs = str(tmp_path / "ours.caffemodel"), str(tmp_path / "theirs.caffemodel")
    net = Net(str(tmp_path / "net.prototxt"), TEST)
    net.params["a"][0].data[...] = np.arange(4 * 144).reshape(4, 144)
    assert net.params["b"][0].data[3, 143] == 575
    net.save(ours)
    found = caffe.python(
        f"import caffe\nnet = caffe.Net({str(tmp_path / 'net.prototxt')!r}, {ours!r}, caffe.TEST)\n"
        f"print(net.params['b'][0].data[3, 143], net.params['conv'][0].data.sum())\n"
        f"net.params['conv'][1].data[...] = 7\nnet.save({theirs!r})").split()
    assert float(found[0]) == 575 and np.isclose(float(found[1]), net.params["conv"][0].data.sum(), atol=1e-4)
    again = Net(str(tmp_path / "net.prototxt"), TEST, weights=theirs)
    assert again.params["conv"][1].data.tolist() == [7] * 4 and again.params["a"][0].data[3, 143] == 575
    for change, sentence in (("kernel_size: 1", "a blob"), ("kernel_size: 3 bias_term: false", "1 blobs, but")):
        (tmp_path / "other.prototxt").write_text(WIRES.replace("kernel_size: 3", change))
        with pytest.raises(NetError, match=f"layer 'conv' must have {sentence}"):
            Net(str(tmp_path / "other.prototxt"), theirs, TEST)


def test_what_it_is_not(tmp_path: Path) -> None:
    """Calls that do not fit, nets that Caffe would refuse, and what only real Caffe does: each a sentence."""
    path = tmp_path / "net.prototxt"
    path.write_text(RUNS)
    assert "train" in Net(str(path), phase=0).blobs
    net = Net(str(path), TEST)
    assert net.forward(data=np.ones((2, 3, 6, 5)), blobs=["conv"])["conv"].max() == 7
    for wish in (net.backward, lambda: net.forward_all(data=1), lambda: net.forward(start="conv")):
        with pytest.raises(EngineError, match="prototools caffe run"):
            wish()
    with pytest.raises(NetError, match=r"\['date'\] are given, but the net has \['data'\]"):
        net.forward(date=1)
    with pytest.raises(NetError, match="a file, perhaps weights, and a phase"):
        Net(str(path))
    with pytest.raises(FileError, match="nothing: cannot be read"):
        Net("nothing", TEST)
    assert not hasattr(net, "no_such_thing")
    for text, sentence in (
        ('layer { name: "a" type: "ReLU" bottom: "b" top: "a" }', "net.prototxt:1:1: a: unknown bottom"),
        ('layer { name: "a" type "ReLU" }', "net.prototxt:1:"),
        ('net: "train.prototxt"\nbase_lr: 1', "net.prototxt:1:1: NetParameter has no field 'net'"),
        ('layer { name: "a" type: "Interp" interp_param { zoom_factor: 2 } }', "has no field 'interp_param'.* rewrite"),
        ('layer { name: "a" type: "Data" top: "a" data_param { source: "x" batch_size: 1 } }', "a: its source 'x'"),
        ('layer { name: "a" type: "Python" top: "a" python_param { module: "x" layer: "X" } }', "a Python layer must"),
    ):
        path.write_text(text)
        with pytest.raises(NetError, match=sentence):
            Net(str(path), TEST)
