"""Verify: right rewrites pass on every engine, planted mistakes are caught by each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List

import numpy as np
import pytest
from caffemodels import model
from click.testing import CliRunner

from prototools import weights
from prototools.cli import main
from prototools.errors import EngineError, ProtoTextError
from prototools.net import Net
from prototools.regions import fingerprint, regions
from prototools.rewriter import rewrite
from prototools.verify import VerifyError, largest, patterns, verify

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
    "nearest": upsample("scale: 2"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right(name: str, engine: str) -> None:
    """What the rewriter makes is equal, and is compared."""
    verdict = verify(RIGHT[name], rewrite(RIGHT[name]).text, engine=engine)
    assert verdict.equal and not verdict.notes
    assert [one.blob for one in verdict.comparisons] == ["up"]
    assert verdict.comparisons[0].values > 50


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
    pytest.param(interp("zoom_factor: 4"), "group: 6", "group: 1", id="group missing"),
    pytest.param(interp("zoom_factor: 4"), "stride: 4", "stride: 3", id="a wrong stride"),
    pytest.param(interp("zoom_factor: 4"), '"bilinear"', '"constant"', id="a wrong filler"),
    pytest.param(interp("zoom_factor: 4"), '"bilinear"', '"constant" value: 0.0625', id="a box for a tent"),
    pytest.param(upsample("scale: 2"), "value: 1", "value: 1.001", id="a wrong gain"),
    pytest.param(interp("height: 21 width: 10"), "pool: AVE", "pool: MAX", id="MAX for AVE"),
    pytest.param(interp("shrink_factor: 2"), "stride: 2", "stride: 1", id="not thinned"),
    pytest.param(interp("zoom_factor: 2 pad_beg: -1 pad_end: -2"), "pad: 3", "pad: 2",
                 id="cut at the wrong place"),
]


@pytest.mark.parametrize("before, right, wrong", MISTAKES)
def test_planted_mistakes(before: str, right: str, wrong: str, engine: str) -> None:
    """Each engine catches each mistake, and says where."""
    after = rewrite(before).text
    assert right in after
    verdict = verify(before, after.replace(right, wrong), engine=engine)
    assert verdict.differs and not verdict.equal
    assert verdict.findings or not verdict.largest.equal


def test_planted_unpooling_mistakes() -> None:
    """Mistakes in the block for masks."""
    after = rewrite(UNPOOL).text
    for right, wrong in (("scale: -1", "scale: -0.9"), ('bottom: "mask"', 'bottom: "pool"')):
        assert right in after
        assert verify(UNPOOL, after.replace(right, wrong, 1)).differs


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
    assert verdict.equal and verdict.notes == ("again: still of type Interp",)


def test_nothing_to_compare_is_an_error() -> None:
    """Two equal texts prove nothing."""
    with pytest.raises(VerifyError, match="nothing was compared"):
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


def test_missing_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing engine is a sentence with the next step."""
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match="pip install"):
        verify(RIGHT["nearest"], rewrite(RIGHT["nearest"]).text, engine="opencv")
    with pytest.raises(EngineError, match="engine must be one of"):
        verify(RIGHT["nearest"], rewrite(RIGHT["nearest"]).text, engine="torch")


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
    return CliRunner().invoke(main, ["verify", str(tmp_path / "a.prototxt"), str(tmp_path / "b.prototxt"), *options])


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
    assert result.exit_code == code and isinstance(result.exception, (SystemExit, type(None)))
    as_json = command(tmp_path, before, after, "--json")
    assert as_json.exit_code == code
    if code < 2:
        assert json.loads(as_json.stdout)["equal"] is (code == 0)


def test_missing_file(tmp_path: Path) -> None:
    """A sentence with the file's name."""
    result = CliRunner().invoke(main, ["verify", str(tmp_path / "no"), str(tmp_path / "none")])
    assert result.exit_code == 2 and "no" in result.output
