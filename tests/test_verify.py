"""Verify: right rewrites pass on every engine, planted mistakes are caught by each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List

import numpy as np
import pytest
from caffemodels import model
from command_line import call

from prototools import weights
from prototools.engines import Task, npz_names
from prototools.engines.inputs import PATTERNS, patterns, turns
from prototools.errors import EngineError, ProtoTextError
from prototools.net import Net
from prototools.rewriter import rewrite
from prototools.verify import VerifyError, largest, verify
from prototools.verify.regions import fingerprint, regions

ENGINES = ["reference", "caffe", "opencv"]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Every engine there is; one that is not installed is skipped with a reason."""
    if request.param == "caffe":
        request.getfixturevalue("caffe")
    if request.param == "opencv":
        pytest.importorskip("cv2", reason="OpenCV is not installed: pip install prototools[opencv]")
    return request.param


def data(channels: int = 6, height: int = 9, width: int = 7, name: str = "data") -> str:
    dims = " ".join(f"dim: {dim}" for dim in (1, channels, height, width))
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}\n'


def interp(fields: str) -> str:
    return data() + f'layer {{ name: "up" type: "Interp" bottom: "data" top: "up" interp_param {{ {fields} }} }}\n'


def upsample(fields: str) -> str:
    return data() + f'layer {{ name: "up" type: "Upsample" bottom: "data" top: "up" upsample_param {{ {fields} }} }}\n'


UNPOOL = data(6, 8, 6) + '''
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" top: "mask" pooling_param { pool: MAX kernel_size: 2
  stride: 2 } }
layer { name: "conv" type: "Convolution" bottom: "pool" top: "conv" convolution_param { num_output: 6 kernel_size: 1
  weight_filler { type: "xavier" } } }
layer { name: "up" type: "Upsample" bottom: "conv" bottom: "mask" top: "up" upsample_param { scale: 2 } }
'''

RIGHT = {
    "zoom 2": interp("zoom_factor: 2"),
    "zoom 8": interp("zoom_factor: 8"),
    "enlarged to a size": interp("height: 21 width: 10"),
    "shrunk to a size": interp("height: 5 width: 4"),
    "shrink": interp("shrink_factor: 2"),
    "shrink and zoom": interp("shrink_factor: 2 zoom_factor: 3"),
    "cut": interp("zoom_factor: 2 pad_beg: -1 pad_end: -2"),
    "cut by one": interp("zoom_factor: 3 pad_beg: -1 pad_end: -1"),
    "one row": interp("height: 1 width: 10"),
    "nearest": upsample("scale: 2"),
    "Darknet": data() + 'layer { name: "up" type: "UpsampleDarknet" bottom: "data" top: "up" '
                        "upsample_darknet_param { stride: 2 } }\n",
    "one channel": data(1) + interp("zoom_factor: 2").split("\n", 1)[1],
    "V1": 'input: "data"\ninput_dim: 1\ninput_dim: 6\ninput_dim: 9\ninput_dim: 7\n'
          'layers { name: "up" type: INTERP bottom: "data" top: "up" interp_param { zoom_factor: 2 } }\n',
    "an odd name": interp("zoom_factor: 2").replace('"data"', '"da\\"ta \u4e2d"'),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right(name: str, engine: str) -> None:
    """What the rewriter makes is equal, and is compared."""
    verdict = verify(RIGHT[name], rewrite(RIGHT[name]).text, engine=engine)
    assert verdict.equal and not verdict.notes
    assert [one.blob for one in verdict.comparisons] == ["up"]
    assert verdict.comparisons[0].values >= 50
    assert verdict.inputs == ("noise", "impulse", "ramp", "constant", "noise with ties")


@pytest.mark.parametrize("engine", ["reference", "caffe"])
def test_right_unpooling(engine: str, request: pytest.FixtureRequest) -> None:
    """The Pooling behind the mask runs too, so that the mask is a real one."""
    if engine == "caffe":
        request.getfixturevalue("caffe")
    verdict = verify(UNPOOL, rewrite(UNPOOL).text, engine=engine)
    assert verdict.equal and "up" in [one.blob for one in verdict.comparisons]


#: A right rewrite, and a mistake planted into it: what stands there, and what is put in its place.
MISTAKES = [
    pytest.param(interp("zoom_factor: 4"), "pad: 3", "pad: 2", id="pad off by one"),
    pytest.param(interp("zoom_factor: 4"), "kernel_size: 7", "kernel_size: 8", id="a larger kernel"),
    pytest.param(interp("zoom_factor: 4"), "kernel_size: 7", "kernel_size: 5", id="a smaller kernel"),
    pytest.param(interp("zoom_factor: 4"), "kernel_size: 7 stride: 4 pad: 3", "kernel_size: 9 stride: 4 pad: 4",
                 id="a wrong kernel of the same size"),
    pytest.param(interp("zoom_factor: 4"), "group: 6", "group: 1", id="group missing"),
    pytest.param(interp("zoom_factor: 4"), " group: 6", "", id="group not written"),
    pytest.param(interp("zoom_factor: 4"), "stride: 4", "stride: 3", id="a wrong stride"),
    pytest.param(interp("zoom_factor: 4"), '"bilinear"', '"constant"', id="a wrong filler"),
    pytest.param(interp("zoom_factor: 4"), '"bilinear"', '"constant" value: 0.0625', id="a box for a tent"),
    pytest.param(upsample("scale: 2"), "value: 1", "value: 1.001", id="a wrong gain"),
    pytest.param(interp("height: 21 width: 10"), "pool: AVE", "pool: MAX", id="MAX for AVE"),
    pytest.param(interp("shrink_factor: 2"), "stride: 2", "stride: 1", id="not thinned"),
    pytest.param(interp("zoom_factor: 2 pad_beg: -1 pad_end: -2"), "pad: 3", "pad: 2",
                 id="cut at the wrong place"),
    pytest.param(interp("zoom_factor: 2 pad_beg: -1 pad_end: -2"),
                 'top: "up/cut_h" top: "up/after_h" slice_param { axis: 2 slice_point: 8 }',
                 'top: "up/after_h" top: "up/cut_h" slice_param { axis: 2 slice_point: 1 }',
                 id="cut at the wrong end"),
]


@pytest.mark.parametrize("before, right, wrong", MISTAKES)
def test_planted_mistakes(before: str, right: str, wrong: str, engine: str) -> None:
    """Each engine catches each mistake, and says where."""
    after = rewrite(before).text
    assert right in after
    verdict = verify(before, after.replace(right, wrong), engine=engine)
    assert verdict.differs and not verdict.equal
    assert verdict.findings or not verdict.largest.equal


def test_unpooling_on_opencv_is_a_sentence() -> None:
    """OpenCV has no pooling masks for every layer: no difference, but a layer with a name."""
    pytest.importorskip("cv2", reason="OpenCV is not installed: pip install prototools[opencv]")
    with pytest.raises(VerifyError, match="OpenCV stopped at layer 'up/.*' of type Deconvolution"):
        verify(UNPOOL, rewrite(UNPOOL).text, engine="opencv")


@pytest.mark.parametrize("engine", ["reference", "caffe"])
def test_planted_unpooling_mistakes(engine: str, request: pytest.FixtureRequest) -> None:
    """Mistakes in the block for masks."""
    if engine == "caffe":
        request.getfixturevalue("caffe")
    after = rewrite(UNPOOL).text
    for right, wrong in (("scale: -1", "scale: -0.9"), ('bottom: "mask"', 'bottom: "pool"')):
        assert right in after
        assert verify(UNPOOL, after.replace(right, wrong, 1), engine=engine).differs


def test_the_place_is_told(engine: str) -> None:
    """One wrong gain in one place of a fitting net."""
    before = upsample("scale: 2")
    verdict = verify(before, rewrite(before).text.replace("value: 1", "value: 2"), engine=engine)
    worst = verdict.largest
    assert len(worst.largest.place) == 4
    assert worst.largest.found == pytest.approx(2 * worst.largest.expected)


#: Differences that need no run, and a part of the sentence.
FINDINGS = [
    pytest.param(lambda text: text.replace('top: "up"', 'top: "out"'), "'up' is an output of the first",
                 id="a top renamed"),
    pytest.param(lambda text: text + 'layer { name: "n" type: "ReLU" bottom: "up" top: "n" }', "second network only",
                 id="a layer too many"),
    pytest.param(lambda text: text[: text.index("layer", 20)], "first network only", id="a layer lost"),
    pytest.param(lambda text: text + 'layer { name: "n" type: "Power" bottom: "data" top: "n" }', "'n' is an output",
                 id="an output too many"),
    pytest.param(lambda text: text.replace("dim: 9", "dim: 10"), "input 'data' is 1 x 6 x 9 x 7 in the first",
                 id="another input shape"),
    pytest.param(lambda text: text.replace("group: 6", "group: 4"), "stock Caffe refuses the second network: line 2",
                 id="a layer that Caffe refuses"),
    pytest.param(lambda text: text + 'layer { name: "d" type: "Data" top: "d" }', "'d', which has no bottoms",
                 id="another source of data"),
]


@pytest.mark.parametrize("change, words", FINDINGS)
def test_findings(change, words: str) -> None:
    """The nets must be built alike."""
    before = interp("zoom_factor: 2")
    verdict = verify(before, change(rewrite(before).text))
    assert verdict.differs and any(words in finding for finding in verdict.findings)


def test_a_custom_layer_left_is_told() -> None:
    """A rewrite that is not finished says so."""
    before = interp("zoom_factor: 2") + 'layer { name: "again" type: "Interp" bottom: "up" top: "again" ' \
        "interp_param { height: 40 width: 40 } }\n"
    after = rewrite(interp("zoom_factor: 2")).text + before[before.index('layer { name: "again"'):]
    verdict = verify(before, after)
    assert verdict.findings == ("again: still of type Interp, which stock Caffe does not have",)
    assert [one.equal for one in verdict.comparisons] == [True]


MOVED = (
    data() + 'layer { name: "c" type: "Power" bottom: "data" top: "c" power_param { shift: -0.5 } }\n',
    'layer { name: "r" type: "ReLU" bottom: "c" top: "c" }\n',
    'layer { name: "up" type: "Interp" bottom: "c" top: "up" interp_param { zoom_factor: 2 } }\n',
)


def test_a_moved_layer_is_told() -> None:
    """The same layers in another order may work on other values, which no region shows."""
    head, relu, up = MOVED
    deconv = rewrite(head + up).text[len(head):]
    assert verify(head + relu + up, head + relu + deconv).equal
    verdict = verify(head + relu + up, head + deconv + relu)
    assert "up: the second network reads another 'c'" in verdict.findings


def test_a_moved_reader_is_told() -> None:
    """Common layers, too, must read what they read before."""
    head, relu, up = MOVED
    tail = 'layer { name: "t" type: "Power" bottom: "up" top: "t" }\n'
    block = rewrite(head + up).text[len(head):]
    change = 'layer { name: "u" type: "ReLU" bottom: "up" top: "up" }\n'
    verdict = verify(head + up + change + tail, head + block + tail + change)
    assert "'t' reads another 'up' in the second network" in verdict.findings


@pytest.mark.parametrize("kind", ["ReLU", "Unheard"])
@pytest.mark.parametrize("engine", ["reference", "caffe"])
def test_in_place_layers_behind_a_mask(kind: str, engine: str, request: pytest.FixtureRequest) -> None:
    """The Pooling that makes the mask makes the data, too, and a layer in place stands between."""
    if engine == "caffe":
        request.getfixturevalue("caffe")
    before = UNPOOL[: UNPOOL.index('layer { name: "conv"')] + \
        'layer { name: "r" type: "%s" bottom: "pool" top: "pool" foo_param { bar: 1 } }\n' % kind + \
        UNPOOL[UNPOOL.index('layer { name: "up"'):].replace('"conv"', '"pool"')
    shapes = {"pool": (1, 6, 4, 3)} if kind == "Unheard" else {}
    after = rewrite(before, shapes=shapes).text
    verdict = verify(before, after, engine=engine, shapes=shapes)
    assert verdict.equal and [one.blob for one in verdict.comparisons] == ["up"]


def test_nothing_to_compare_is_an_error() -> None:
    """Two equal texts prove nothing."""
    with pytest.raises(VerifyError, match="compared: in phase TEST no layer.*give --phase TRAIN"):
        verify(RIGHT["nearest"], RIGHT["nearest"])
    with pytest.raises(VerifyError, match="must be known"):
        unknown = upsample("scale: 2").replace('"Input"', '"Unheard" bottom: "x"')
        verify(unknown, unknown.replace('"Upsample"', '"Interp"'))


def test_an_input_without_a_shape_gets_one(engine: str) -> None:
    """Nets that read files are compared on made-up images."""
    before = 'layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "x" batch_size: 2 } }\n' \
        + interp("zoom_factor: 2").split("\n", 1)[1]
    after = rewrite(before, shapes={"data": (None, 3, None, None)}).text
    verdict = verify(before, after, engine=engine)
    assert verdict.equal and verdict.comparisons[0].values == 2 * 3 * 127 * 191


SEGNET = '''
layer { name: "images" type: "DenseImageData" top: "images" top: "label" }
layer { name: "data" type: "Convolution" bottom: "images" top: "data" convolution_param { num_output: 6
  kernel_size: 1 } }
layer { name: "pool1" type: "Pooling" bottom: "data" top: "pool1" top: "m1" pooling_param { pool: MAX kernel_size: 2
  stride: 2 } }
layer { name: "pool2" type: "Pooling" bottom: "pool1" top: "pool2" top: "m2" pooling_param { pool: MAX kernel_size: 2
  stride: 2 } }
layer { name: "up2" type: "Upsample" bottom: "pool2" bottom: "m2" top: "up2" upsample_param { scale: 2 upsample_w: 50
  upsample_h: 31 } }
layer { name: "up1" type: "Upsample" bottom: "up2" bottom: "m1" top: "up1" upsample_param { scale: 2 } }
'''


def test_made_up_sizes_fit() -> None:
    """A size is made up at which the masks fit what was pooled, and the user is told."""
    verdict = verify(SEGNET, rewrite(SEGNET).text)
    assert verdict.equal and [one.blob for one in verdict.comparisons] == ["up1"]
    assert ["images is not told; 1 x 3 x 62 x 100 was taken" in note for note in verdict.notes] == [True]
    told = verify(SEGNET, rewrite(SEGNET).text, shapes={"images": (1, 4, None, None)})
    assert any("1 x 4 x 62 x 100" in note for note in told.notes)
    many = verify(SEGNET, rewrite(SEGNET).text, shapes={"images": (7500, 3, None, None)})
    assert many.equal and any("7500 x 3 x 62 x 100" in note for note in many.notes)


def test_a_bottom_that_nobody_makes() -> None:
    """Where the data layer is another phase's the user can tell its shape, and both nets are refused alike."""
    before = interp("shrink_factor: 4").replace("top: \"data\"", "top: \"data\" include { phase: TRAIN }", 1)
    shape = {"data": (1, 6, 41, 33)}
    told = verify(before, rewrite(before, shapes=shape).text, shapes=shape)
    assert told.equal and told.comparisons[0].values == 6 * 11 * 9 and not told.notes
    made_up = verify(before, rewrite(before, shapes=shape).text)
    assert any("the shape of data is not told" in note for note in made_up.notes)


def test_many_images_are_two() -> None:
    """Batches are not computed whole where that would take long."""
    before = data(8, 64, 64).replace("dim: 1", "dim: 40") + interp("zoom_factor: 2").split("\n", 1)[1]
    verdict = verify(before, rewrite(before).text)
    assert verdict.equal and verdict.comparisons[0].values == 2 * 8 * 127 * 127


def test_a_dialect_is_used_on_both_sides() -> None:
    """A custom layer that is left inside a region is run as the same fork's."""
    before = upsample("scale: 2 upsample_h: 18 upsample_w: 14")
    after = before.replace('name: "up"', 'name: "other"')
    with pytest.raises(VerifyError, match="not compared"):
        verify(before, after)
    assert verify(before, after, dialect="yolo").comparisons[0].equal


def test_values_that_are_no_numbers_prove_nothing() -> None:
    """Where the first network gives infinities, nothing is equal."""
    before = data() + 'layer { name: "l" type: "Power" bottom: "data" top: "l" power_param { power: -1 } }\n'
    with pytest.raises(VerifyError, match="no finite numbers"):
        verify(before, before.replace("power: -1", "power: -1.0"))


def test_missing_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing engine is a sentence with the next step."""
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match="pip install"):
        verify(RIGHT["nearest"], rewrite(RIGHT["nearest"]).text, engine="opencv")
    with pytest.raises(EngineError, match="engine must be one of"):
        verify(RIGHT["nearest"], rewrite(RIGHT["nearest"]).text, engine="torch")


#: What stands in for OpenCV, and a part of the sentence.
IMPOSTORS = {
    "too new": ("__version__ = '5.0.0'\nclass dnn: pass\n", EngineError, "needs OpenCV 4.*found 5.0.0"),
    "broken": ("raise ImportError('libGL.so.1 is missing')\n", EngineError, "cannot be imported: libGL.so.1"),
    "crashing": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", VerifyError, "crashed .*signal 9"),
}


@pytest.mark.parametrize("name", IMPOSTORS)
def test_opencv_that_does_not_work(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An OpenCV without a Caffe importer, one that cannot be imported, and one that dies."""
    code, error, words = IMPOSTORS[name]
    (tmp_path / "cv2.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(error, match=words):
        verify(RIGHT["nearest"], rewrite(RIGHT["nearest"]).text, engine="opencv")


def test_too_little_memory_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A region that is too large was not compared."""
    def run(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("prototools.engines.reference.run_reference", run)
    with pytest.raises(VerifyError, match="the memory is too small"):
        verify(RIGHT["nearest"], rewrite(RIGHT["nearest"]).text)


def test_names_that_are_no_utf8() -> None:
    """The reference runs nets with names in GBK; the others say that they cannot."""
    name = interp("zoom_factor: 2").encode().replace(b'"data"', b'"\xd6\xd0"')
    assert verify(name, rewrite(name).text).equal
    task = Task(name, {"\udcd6": np.zeros(1)}, {}, ["up"])
    with pytest.raises(EngineError, match="names must be UTF-8"):
        npz_names(task)


def test_broken_files() -> None:
    """A file that is no text format is an error with a place."""
    with pytest.raises(ProtoTextError):
        verify("layer {", RIGHT["nearest"])


# ---------------------------------------------------------------- weights


def test_weights_are_used(tmp_path: Path, caffe) -> None:
    """--weights gives both networks their blobs; --weights-after the second alone."""
    text = data() + 'layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 6 ' \
        'kernel_size: 1 } }\n' + interp("zoom_factor: 2").split("\n", 1)[1].replace('"data"', '"c"')
    after = rewrite(text).text.replace('name: "c"', 'name: "c"\n').replace("kernel_size: 1", "kernel_size: 1 pad: 0")
    blobs = [np.random.RandomState(0).rand(6, 6, 1, 1), np.arange(6.0)]
    place = tmp_path / "a.caffemodel"
    place.write_bytes(model(("c", "Convolution", blobs)))
    other = tmp_path / "b.caffemodel"
    other.write_bytes(model(("c", "Convolution", [blobs[0], blobs[1] + 1])))
    assert verify(text, after, weights=str(place)).equal
    assert verify(text, after, weights=str(place), engine="caffe").equal
    verdict = verify(text, after, weights=str(place), weights_after=str(other))
    assert verdict.differs and verdict.largest.largest.size == pytest.approx(1)


CONV = data() + 'layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 6 ' \
    'kernel_size: 1 } }\n' + interp("zoom_factor: 2").split("\n", 1)[1].replace('"data"', '"c"')
CONV_AFTER = rewrite(CONV).text.replace("kernel_size: 1 }", "kernel_size: 1 pad: 0 }")


def test_weights_of_other_layers_do_no_harm(tmp_path: Path, engine: str) -> None:
    """A caffemodel has many layers, and a region few; old files have four dims for every blob."""
    path = tmp_path / "a.caffemodel"
    path.write_bytes(model(("other", "Convolution", [np.ones((2, 2, 1, 1))]),
                           ("c", "Convolution", [np.eye(6).reshape(6, 6, 1, 1), np.arange(6.0).reshape(1, 1, 1, 6)])))
    assert verify(CONV, CONV_AFTER, weights=str(path), engine=engine).equal
    assert verify(CONV, CONV_AFTER, weights_after=str(path), engine=engine).equal


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    """Caffe would not load them on the second network."""
    path, right = tmp_path / "a.caffemodel", tmp_path / "b.caffemodel"
    path.write_bytes(model(("c", "Convolution", [np.eye(6).reshape(6, 6, 1, 1)])))
    right.write_bytes(model(("c", "Convolution", [np.eye(6).reshape(6, 6, 1, 1), np.zeros(6)])))
    verdict = verify(CONV, CONV_AFTER, weights=str(right), weights_after=str(path))
    assert any("weights of 'c' must be 6 x 6 x 1 x 1 and 6, but" in finding for finding in verdict.findings)
    with pytest.raises(VerifyError, match="weights of 'c'"):
        verify(CONV, CONV_AFTER, weights=str(path), weights_after=str(right))


def test_new_layers_have_weights_of_their_own(tmp_path: Path, engine: str) -> None:
    """What the caffemodel has for a new layer counts more than its filler."""
    before = upsample("scale: 2")
    after = rewrite(before).text.replace('weight_filler { type: "constant" value: 1 }', "")
    path = tmp_path / "a.caffemodel"
    path.write_bytes(model(("up/deconv", "Deconvolution", [np.ones((6, 1, 2, 2))])))
    assert verify(before, after, engine=engine).differs
    assert verify(before, after, engine=engine, weights_after=str(path)).equal


def test_weights_of_a_caffemodel_are_rounded(tmp_path: Path, engine: str) -> None:
    """Matrices stand in the caffemodel, in float32; without it the user is told what is missing."""
    before = interp("height: 21 width: 10")
    weights_in, out = tmp_path / "a.caffemodel", tmp_path / "b.caffemodel"
    weights_in.write_bytes(model(("other", "Convolution", [np.ones((2, 2, 1, 1))])))
    (tmp_path / "a.prototxt").write_text(before)
    arguments = ["rewrite", str(tmp_path / "a.prototxt"), "-o", str(tmp_path / "b.prototxt"), "--lowering", "matrix",
                 "--weights", str(weights_in), "--weights-out", str(out)]
    assert call(arguments).exit_code == 0
    after = (tmp_path / "b.prototxt").read_text()
    assert verify(before, after, weights_after=str(out), engine=engine).equal
    bare = verify(before, after, engine=engine)
    assert bare.differs and any("give --weights-after" in note for note in bare.notes)


def test_a_name_that_was_kept_is_told() -> None:
    """Caffe finds weights by name, and the replaced layer has none."""
    before = interp("zoom_factor: 2")
    verdict = verify(before, rewrite(before).text.replace('"up/deconv"', '"up"'))
    assert verdict.equal and "keeps the name of the Interp" in verdict.notes[0]


def test_weights_of_real_caffe(tmp_path: Path, caffe) -> None:
    """A caffemodel that Caffe saved is read as Caffe wrote it."""
    from prototools.realcaffe import run_net

    text = data(3) + 'layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { ' \
        'num_output: 5 kernel_size: 3 weight_filler { type: "xavier" } } }'
    path = tmp_path / "w.caffemodel"
    result = run_net(text, installation=caffe, return_params=True, save=path)
    found = weights.read(str(path))["c"]
    assert [blob.shape for blob in found] == [(5, 3, 3, 3), (5,)]
    assert all(np.array_equal(*pair) for pair in zip(found, result.params["c"]))


@pytest.mark.parametrize("content", [b"\x89HDF\r\n", b"hello there, no wire format", b"\xa2\x06\x7f\x0a"])
def test_broken_weights(content: bytes, tmp_path: Path) -> None:
    """What is no caffemodel is refused with its name."""
    path = tmp_path / "w.caffemodel"
    path.write_bytes(content)
    with pytest.raises(weights.WeightsError, match="w.caffemodel"):
        weights.read(str(path))


# ---------------------------------------------------------------- the parts


def test_fingerprint() -> None:
    """Two layers that say the same are the same, however they are written; others are not."""
    def mark(text: str):
        return fingerprint(Net(text.encode()).layers[0].message)

    one = mark('layer { name: "a" type: "ReLU" bottom: "x" top: "y" relu_param { negative_slope: 0.1 } }')
    assert one == mark("layer {\n  type: 'ReLU' # c\n  name: 'a'\n bottom: 'x', top: 'y' "
                       "relu_param < negative_slope: 0.1 > }")
    for other in ('layer { name: "a" type: "ReLU" bottom: "x" top: "y" }',
                  'layer { name: "a" type: "ReLU" bottom: "x" top: "y" relu_param { negative_slope: 0.2 } }',
                  'layer { name: "a" type: "ReLU" bottom: "x" bottom: "x" top: "y" '
                  "relu_param { negative_slope: 0.1 } }"):
        assert one != mark(other)


def test_regions() -> None:
    """A rewrite of two layers of many is two regions, each with its own wires."""
    text = interp("zoom_factor: 2") + 'layer { name: "r" type: "ReLU" bottom: "up" top: "up" }\n' \
        'layer { name: "second" type: "Interp" bottom: "up" top: "end" interp_param { zoom_factor: 3 } }\n'
    nets = [Net(one.encode()).filtered() for one in (text, rewrite(text).text)]
    found, findings = regions(*nets)
    assert [(one.name, one.inputs, one.outputs) for one in found] == [
        ("up", ["data"], ["up"]), ("second", ["up"], ["end"]),
    ]
    assert not findings


def test_patterns_differ_by_channel() -> None:
    """No two channels are alike, not even up to a factor of 1, and the first runs are not all zero."""
    values = patterns((1, 12, 5, 5), "x")
    planes: List[np.ndarray] = list(values[0])
    assert all(np.abs(a - b).max() > 1e-3 for i, a in enumerate(planes) for b in planes[:i])
    assert np.array_equal(values, patterns((1, 12, 5, 5), "x"))


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 64])
def test_every_pattern_is_tried(channels: int) -> None:
    """With few channels it takes some turns."""
    shape = (1, channels, 6, 6)
    tried = {(i + turn) % len(PATTERNS) for turn in turns([shape]) for i in range(channels)}
    assert tried == set(range(len(PATTERNS)))
    assert len(turns([shape])) == {1: 5, 2: 3, 3: 2}.get(channels, 1)


def test_no_number_is_a_difference() -> None:
    """NaN never counts as equal."""
    expected = np.ones((1, 1, 2, 2))
    found = expected.copy()
    found[0, 0, 1, 0] = np.nan
    difference = largest(expected, found)
    assert difference.place == (0, 0, 1, 0) and difference.size == float("inf")


# ---------------------------------------------------------------- the command line


def command(tmp_path: Path, before: str, after: str, *options: str):
    (tmp_path / "a.prototxt").write_text(before)
    (tmp_path / "b.prototxt").write_text(after)
    return call(["verify", str(tmp_path / "a.prototxt"), str(tmp_path / "b.prototxt"), *options])


CODES: Dict[str, tuple] = {
    "equal": (RIGHT["nearest"], rewrite(RIGHT["nearest"]).text, 0),
    "different": (RIGHT["nearest"], rewrite(RIGHT["nearest"]).text.replace("value: 1", "value: 2"), 1),
    "nothing compared": (RIGHT["nearest"], RIGHT["nearest"], 2),
    "broken": (RIGHT["nearest"], "layer {", 2),
}


@pytest.mark.parametrize("name", CODES)
def test_exit_codes(name: str, tmp_path: Path) -> None:
    """0 equal, 1 different, 2 not done; a table or JSON, never a traceback."""
    before, after, code = CODES[name]
    result = command(tmp_path, before, after)
    assert result.exit_code == code
    as_json = command(tmp_path, before, after, "--json")
    assert as_json.exit_code == code
    if code < 2:
        assert json.loads(as_json.stdout)["equal"] is (code == 0)


OPTIONS = {
    "a shape that is none": (["--shape", "data=1,x"], 2, "whole numbers"),
    "an engine that is none": (["--engine", "torch"], 2, "torch"),
    "a dialect that is none": (["--dialect", "klingon"], 2, "dialect 'klingon' is none of"),
    "weights that are not there": (["--weights", "none.caffemodel"], 2, "none.caffemodel"),
    "a phase": (["--phase", "TRAIN"], 0, "equal: 1 blob"),
    "a seed": (["--seed", "7"], 0, "noise with ties"),
    "the reference": (["--engine", "reference"], 0, "engine reference"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options(name: str, tmp_path: Path) -> None:
    """What the options do, and what is said of wrong ones."""
    arguments, code, words = OPTIONS[name]
    result = command(tmp_path, RIGHT["nearest"], rewrite(RIGHT["nearest"]).text, *arguments)
    assert result.exit_code == code and words in result.output


def test_broken_file_is_named(tmp_path: Path) -> None:
    """Of two files it must be plain which one is meant, and where."""
    result = command(tmp_path, RIGHT["nearest"], "layer {")
    assert "b.prototxt:1:" in result.output and "a.prototxt" not in result.output


def test_what_could_not_be_compared_is_two(tmp_path: Path) -> None:
    """One region that is equal and one that could not be run are not an equal network."""
    before = interp("zoom_factor: 2") + 'layer { name: "x" type: "Unheard" bottom: "up" top: "x" }\n' \
        'layer { name: "again" type: "Upsample" bottom: "x" top: "end" upsample_param { scale: 2 } }\n'
    after = rewrite(before, shapes={"x": (1, 6, 9, 9)}).text
    result = command(tmp_path, before, after)
    assert result.exit_code == 2 and "--shape x=N,C,H,W" in result.output and "not all compared" in result.output
    assert command(tmp_path, before, after, "--shape", "x=1,6,9,9").exit_code == 0


def test_missing_file(tmp_path: Path) -> None:
    """A sentence with the file's name."""
    result = call(["verify", str(tmp_path / "no"), str(tmp_path / "none")])
    assert result.exit_code == 2 and "no" in result.output


def test_several_dialects() -> None:
    """Each family takes the one it knows, before and after."""
    before = interp("zoom_factor: 2") + 'layer { name: "b" type: "Resize" bottom: "data" top: "b" ' \
        "resize_param { height: 18 width: 14 } }\n"
    chosen = ["xjtu", "happynear"]
    verdict = verify(before, rewrite(before, dialect=chosen).text, dialect=chosen)
    assert verdict.equal and len(verdict.comparisons) == 2
    assert verify(before, rewrite(before, dialect=chosen).text, dialect=["pspnet", "happynear"]).differs
