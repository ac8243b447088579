"""Running whole nets on the reference: inputs, in-place layers, parameters, outputs, refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest

from prototools.errors import EngineError
from prototools.net import Net, NetState
from prototools.reference import forward_layer, run, unknown_types

DATA = np.arange(24.0).reshape(1, 2, 3, 4) - 10
INPUT = ('layer { name: "in" type: "Input" top: "data"'
         ' input_param { shape { dim: 1 dim: 2 dim: 3 dim: 4 } } }\n')
RELU = 'layer { name: "relu" type: "ReLU" bottom: "data" top: "data" }\n'
CONV = ('layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param'
        ' { num_output: 2 kernel_size: 1 weight_filler { type: "gaussian" } } }\n')


def net(text, phase="TEST"):
    return Net(text.encode()).filtered(NetState(phase))


def test_blobs_by_name_and_in_place():
    blobs = run(net(INPUT + RELU + CONV), {"data": DATA})
    assert sorted(blobs) == ["conv", "data"]
    assert (blobs["data"] == np.maximum(DATA, 0)).all()
    assert blobs["conv"].dtype == np.float64


def test_the_callers_arrays_are_left_alone():
    given = DATA.copy()
    run(net(INPUT + RELU), {"data": given})
    assert (given == DATA).all()


def test_an_input_header_and_a_blob_that_nobody_makes():
    text = 'input: "data" input_shape { dim: 1 dim: 2 dim: 3 dim: 4 }\n' + (
        'layer { name: "sum" type: "Eltwise" bottom: "data" bottom: "more" top: "sum" }')
    assert (run(net(text), {"data": DATA, "more": DATA})["sum"] == 2 * DATA).all()


def test_a_data_layer_is_replaced_by_its_inputs():
    text = 'layer { name: "db" type: "Data" top: "data" top: "label" }\n' + RELU
    blobs = run(net(text), {"data": DATA, "label": np.zeros(1)}, outputs=["data"])
    assert list(blobs) == ["data"]


def test_a_layer_of_unknown_type_is_replaced_by_its_inputs():
    text = INPUT + 'layer { name: "odd" type: "Odd" bottom: "data" top: "odd" }\n'
    assert unknown_types(net(text).layers) == ["Odd"]
    assert (run(net(text), {"data": DATA, "odd": -DATA})["odd"] == -DATA).all()


def test_outputs_keep_nothing_else():
    blobs = run(net(INPUT + RELU + CONV), {"data": DATA}, outputs=["conv"])
    assert list(blobs) == ["conv"]


def test_v1_layers_and_phases():
    text = ('layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv"'
            ' include { phase: TEST } convolution_param { num_output: 1 kernel_size: 1'
            ' weight_filler { value: 1 } } }\n'
            'layers { name: "up" type: UPSAMPLE bottom: "conv" top: "up"'
            ' upsample_param { scale: 2 } }')
    blobs = run(net(text), {"data": DATA})
    assert blobs["conv"][0, 0, 0, 0] == DATA[0, :, 0, 0].sum()
    assert blobs["up"].shape == (1, 1, 6, 8)


def test_segnet_without_fields_is_seen_from_the_pooling_below():
    text = INPUT + ('layer { name: "p" type: "Pooling" bottom: "data" top: "p" top: "m"'
                    ' pooling_param { kernel_size: 2 stride: 2 } }\n'
                    'layer { name: "up" type: "Upsample" bottom: "p" bottom: "m" top: "up" }')
    assert run(net(text), {"data": DATA})["up"].shape == (1, 2, 4, 4)


def test_params_by_layer_name():
    weights = [np.array([[1.0, 0], [0, 2]]).reshape(2, 2, 1, 1), np.array([0.5, 0])]
    top = run(net(INPUT + CONV), {"data": DATA}, {"conv": weights})["conv"]
    assert (top[:, 0] == DATA[:, 0] + 0.5).all() and (top[:, 1] == 2 * DATA[:, 1]).all()


def test_random_weights_depend_on_the_layers_name():
    first = run(net(INPUT + CONV), {"data": DATA})["conv"]
    again = run(net(INPUT + CONV), {"data": DATA})["conv"]
    other = run(net(INPUT + CONV.replace('name: "conv"', 'name: "other"')), {"data": DATA})["conv"]
    assert (first == again).all() and (first != other).any()


def test_params_with_one_name_are_one_blob():
    shared = CONV.replace("} } }\n", '} } param { name: "w" } }\n')
    text = INPUT + shared + shared.replace('"conv"', '"twin"')
    blobs = run(net(text), {"data": DATA})
    assert (blobs["conv"] == blobs["twin"]).all()


def test_of_several_given_blobs_with_one_name_the_last_counts():
    shared = CONV.replace("} } }\n", '} } param { name: "w" } }\n')
    text = INPUT + shared + shared.replace('"conv"', '"twin"')
    first, last = np.ones((2, 2, 1, 1)), 2 * np.ones((2, 2, 1, 1))
    given = {"conv": [first, np.zeros(2)], "twin": [last, np.zeros(2)]}
    blobs = run(net(text), {"data": DATA}, given)
    assert (blobs["conv"] == blobs["twin"]).all()
    assert blobs["conv"][0, 0, 0, 0] == 2 * DATA[0, :, 0, 0].sum()


@pytest.mark.parametrize("text, inputs, sentence", [
    (INPUT + RELU, {}, "layer 'in' of type Input: .* pass inputs for 'data'"),
    (RELU, {}, "layer 'relu' of type ReLU: nobody makes its bottom 'data'"),
    (INPUT + RELU, {"dtaa": DATA}, "'dtaa', but the net has no such blob"),
    (INPUT + 'layer { name: "odd" type: "Odd" bottom: "data" top: "o" }', {"data": DATA},
     "layer 'odd' of type Odd: no forward function"),
    (INPUT + 'layer { name: "p" type: "Python" bottom: "data" top: "o" }', {"data": DATA},
     "layer 'p' of type Python"),
    ('layers { layer { name: "c" type: "conv" num_output: 1 } bottom: "data" top: "o" }',
     {"data": DATA}, r"layer 'c' of type conv: .*\(V0\)"),
    (INPUT + CONV.replace("num_output: 2", "num_output: 2 group: 3"), {"data": DATA}, "group"),
    (INPUT + CONV.replace("gaussian", "bilinear_upsampling"), {"data": DATA}, "none of Caffe's"),
    (INPUT + CONV.replace("kernel_size: 1", "kernel_size: 9"), {"data": DATA}, "layer 'conv'"),
    (INPUT + CONV.replace("kernel_size: 1", "kernel_size: 18446744073709551615"), {"data": DATA},
     "layer 'conv' of type Convolution: its blob 0 must have from 0 to"),
    (INPUT + CONV.replace("kernel_size: 1", "kernel_size: 1 stride_h: 2"), {"data": DATA},
     "stride"),
])
def test_refusals_are_sentences(text, inputs, sentence):
    with pytest.raises(EngineError, match=sentence):
        run(net(text), inputs)


def test_unknown_output():
    with pytest.raises(EngineError, match="no blob 'nothing'"):
        run(net(INPUT + RELU), {"data": DATA}, outputs=["nothing"])


def test_dropout_is_refused_where_it_is_random():
    text = INPUT + 'layer { name: "d" type: "Dropout" bottom: "data" top: "d" }'
    assert (run(net(text), {"data": DATA})["d"] == DATA).all()
    with pytest.raises(EngineError, match="TRAIN"):
        run(net(text, "TRAIN"), {"data": DATA})


def test_shapes_that_do_not_fit_are_a_sentence():
    text = 'layer { name: "c" type: "Concat" bottom: "a" bottom: "b" top: "c" }'
    with pytest.raises(EngineError, match="layer 'c' of type Concat: cannot run on .*3, 4"):
        run(net(text), {"a": DATA, "b": DATA[:, :, :2]})


def test_shapes_are_the_ones_real_caffe_gave(shared):
    """Every one-layer case that Caffe accepted and whose layers can be run here."""
    compared = 0
    with open(shared / "cases" / "shapes.jsonl", encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    for case in cases:
        # One case has a dimension that Caffe wraps to 32 bits; its array would fill 32 GiB.
        if not case["caffe"]["ok"] or "4294967297" in case["text"]:
            continue
        filtered = net(case["text"])
        if unknown_types(filtered.layers):
            continue
        inputs = {
            top: np.ones(shape.integers("dim"))
            for layer in filtered.layers if layer.type == "Input"
            for top, shape in zip(layer.tops, layer.param("input_param").messages("shape") * 9)
        }
        inputs.update((name, np.ones(shape)) for name, shape in filtered.net.inputs())
        wanted = case["caffe"]["blobs"]
        if not inputs or set(case["caffe"]["inputs"]) != set(inputs):
            continue
        for name, blob in run(filtered, inputs).items():
            if name in wanted:
                assert list(blob.shape) == wanted[name], (case["id"], name)
                compared += 1
    assert compared > 250


def test_one_layer_alone():
    layer = Net(CONV.encode()).layers[0]
    (top,) = forward_layer(layer, [DATA.astype(np.float32)])
    assert top.shape == (1, 2, 3, 4) and top.dtype == np.float64
