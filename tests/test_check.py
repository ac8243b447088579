"""Check: what it finds, what it leaves alone, and that real Caffe stops where it says so."""

from __future__ import annotations

from pathlib import Path
from typing import List

import numpy as np
import pytest
from caffemodels import model
from command_line import call

from prototools import weights
from prototools.check import check
from prototools.errors import EngineError
from prototools.net import Net
from prototools.realcaffe import run_net
from prototools.rewriter import rewrite

DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
CONV = 'layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 4 ' \
       'kernel_size: 3 weight_filler { type: "xavier" } } }\n'
UP = 'layer { name: "u" type: "Deconvolution" bottom: "c" top: "u" convolution_param { num_output: 4 group: 4 ' \
     'kernel_size: 4 stride: 2 pad: 1 bias_term: false weight_filler { type: "bilinear" } } }\n'
GOOD = [np.ones((4, 3, 3, 3)), np.ones(4)]


def found(text: str, path=None) -> List[str]:
    return [str(finding) for finding in check(Net(text.encode()), path and str(path))]


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    """A sound net is sound, and so is every rewritten one but for its missing weights."""
    assert found(DATA + CONV) == []
    net = DATA + 'layer { name: "up" type: "Interp" bottom: "data" top: "up" interp_param { shrink_factor: 7 } }'
    assert found(rewrite(net).text) == []


#: A net, and a part of each finding, in order.
ALONE = [
    (DATA + 'layer { name: "i" type: "Interp" bottom: "data" top: "i" interp_param { zoom_factor: 2 } }',
     ["2: i: Interp is no layer of stock Caffe; prototools rewrite replaces it"]),
    (DATA + 'layer { name: "i" type: "Upsample" bottom: "data" top: "i" }',
     ["2: i: Upsample is no layer of stock Caffe; prototools rewrite refuses it: the file does not say which fork's"]),
    (DATA + 'layer { name: "i" type: "CropAndResize" bottom: "data" top: "i" }',
     ["prototools rewrite refuses it: where it reads is computed while the net runs"]),
    (DATA + 'layer { name: "b" type: "BN" bottom: "data" top: "b" bn_param { } }',
     ["needs the Caffe it was written for"]),
    (DATA + CONV.replace("kernel_size", "kernal_size"),
     ["no field convolution_param.kernal_size", "kernel_size must be"]),
    (DATA + CONV.replace('"data" top', '"dta" top'), ["unknown bottom blob 'dta'"]),
    (DATA + CONV.replace("kernel_size: 3", "kernel_size: 3 pad: -1"),
     ["pad must be a whole number from 0 to 4,294,967,295, but found -1; Caffe stops there when it reads"]),
    (DATA + "force_backward: 2", ["net: force_backward must be true or false, but found 2"]),
    (DATA + "state { phase: TRIAL levels: 1 }", ["phase must be one of TRAIN, TEST, but found TRIAL",
                                                  "no field state.levels; take it out (did you mean 'level'?)"]),
    (DATA + "layer { include { phase: TRAIN } phase: 2 }", ["phase must be one of"]),
    (DATA + CONV.replace("3 weight", "3 engine: [CAFFE] weight"), ["engine must be given once, but is a list"]),
    (DATA + CONV.replace("3 weight", "3 group: 1 # [\n weight"), []),
    (DATA + CONV.replace("convolution_param", "loss_param: 3 convolution_param"), ["loss_param must be a message"]),
    (DATA + CONV.replace("convolution_param", "param { name { } } convolution_param"), ["name must be a value"]),
    (DATA + CONV.replace("convolution_param", "clip_param { max: 1 } convolution_param"), ["clip_param must give min"]),
    (DATA + CONV.replace("num_output: 4", "num_output: 4 num_output: 4"), ["num_output must be given once"]),
    (DATA + 'layer { name: "i" type: "BN" bottom: "data" top: "i" phase: TRAIN loss_weight: 0x1 bn_param { } }',
     ["BN is no layer", "loss_weight must be a decimal number, but found 0x1"]),
    ('net: "a" base_lr: 0.1 lr_policy: "fixed" snapshot_format: "HDF5"', ["snapshot_format must be"]),
    (DATA + 'base_lr: 0.1', ["no field base_lr"]),
    (DATA + CONV + UP, ["OpenCV crashes"]),
    (DATA + CONV + UP.replace("group: 4", "group: 1"), ["mixes all channels; write group: 4", "OpenCV"]),
    (DATA + CONV + UP.replace("kernel_size: 4", "kernel_size: 7"), ["off centre", "OpenCV"]),
    (DATA + CONV + UP.replace("kernel_size: 4", "kernel_size: 5"), ["OpenCV"]),
    (DATA + CONV + UP.replace('weight_filler { type: "bilinear" }', ""), ["gives zeros", "OpenCV"]),
]


@pytest.mark.parametrize("text, parts", ALONE)
def test_alone(text: str, parts: List[str]) -> None:
    """What a net says of itself."""
    sentences = found(text)
    assert len(sentences) == len(parts), sentences
    assert all(part in sentence for part, sentence in zip(parts, sentences))


#: Weights, a part of each finding, and whether Caffe aborts.
WITH = [
    ([("c", "Convolution", GOOD)], [], False),
    ([("c", "Convolution", GOOD), ("old", "Convolution", GOOD)], ["old: weights for a layer that the net"], False),
    ([("other", "Convolution", GOOD)], ["c: no weights for it", "other: weights for a layer"], False),
    ([("c", "Convolution", GOOD[:1])], ["it has 2 blobs, but the file has 1"], True),
    ([("c", "Interp", [])], ["it has 2 blobs, but the file has 0"], True),
    ([("c", "Convolution", [np.ones((4, 3, 5, 5)), GOOD[1]])],
     ["its blob 0 is 4 x 3 x 3 x 3, but the file's is 4 x 3 x 5"], True),
    ([("c", "Convolution", GOOD), ("data", "Input", [np.ones(3)])], ["data: it has 0 blobs, but the file has 1"], True),
]


@pytest.mark.parametrize("form", [weights.CURRENT, weights.V1], ids=["current", "V1"])
@pytest.mark.parametrize("layers, parts, aborts", WITH)
def test_with_weights(layers, parts: List[str], aborts: bool, form, caffe, tmp_path: Path, monkeypatch) -> None:
    """What weights do to it, and what real Caffe makes of them."""
    monkeypatch.setitem(weights.V1_TYPES, "Interp", 0)
    monkeypatch.setitem(weights.V1_TYPES, "Input", 0)
    path = tmp_path / "w.caffemodel"
    path.write_bytes(model(*layers, form=form))
    sentences = found(DATA + CONV, path)
    assert len(sentences) == len(parts) and all(a in b for a, b in zip(parts, sentences)), sentences
    if aborts:
        with pytest.raises(EngineError):
            run_net(DATA + CONV, installation=caffe, weights=path)
    else:
        run_net(DATA + CONV, installation=caffe, weights=path)


def test_old_dims_fit(caffe, tmp_path: Path) -> None:
    """A bias of 4 numbers is 1 x 1 x 1 x 4 in an old file, which Caffe takes."""
    path = tmp_path / "w.caffemodel"
    path.write_bytes(model(("c", "Convolution", [GOOD[0], np.ones((1, 1, 1, 4))]), form=weights.V1))
    assert found(DATA + CONV, path) == []
    result = run_net(DATA + CONV, installation=caffe, weights=path, return_params=True)
    assert np.array_equal(result.params["c"][1], GOOD[1])


def test_patched_weights_are_sound(tmp_path: Path) -> None:
    """A rewrite with weights leaves nothing to find."""
    from prototools.patching import patch_weights

    net = DATA + CONV + 'layer { name: "up" type: "Interp" bottom: "c" top: "up" interp_param { zoom_factor: 4 } }'
    (tmp_path / "in").write_bytes(model(("c", "Convolution", GOOD), ("up", "Interp", [])))
    result = rewrite(net, weights=True)
    patch_weights(result, str(tmp_path / "in"), str(tmp_path / "out"))
    assert found(result.text, tmp_path / "out") == []


def test_command(tmp_path: Path) -> None:
    """A line for each finding on standard output; 0, 1 and 2."""
    net = tmp_path / "net.prototxt"
    for text, code in ((DATA + CONV, 0), (DATA + CONV + UP, 1), ("layer {", 2)):
        net.write_text(text)
        result = call(["check", str(net)])
        assert result.exit_code == code and (code == 2 or len(result.stdout.splitlines()) == code)
    (tmp_path / "w").write_bytes(b"broken")
    net.write_text(DATA)
    assert call(["check", str(net), "--weights", str(tmp_path / "w")]).exit_code == 2


def test_corpus_never_fails(shared: Path) -> None:
    """Every file of the corpus is checked, or refused with a sentence."""
    from prototools.errors import PrototoolsError

    counted = 0
    for path in sorted((shared / "corpus" / "files").rglob("*"))[::4]:
        if path.is_file():
            try:
                counted += len(check(Net(path.read_bytes())))
            except PrototoolsError as error:
                assert str(error)
    assert counted > 100
