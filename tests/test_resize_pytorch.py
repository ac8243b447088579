"""`upsample.resize` against PyTorch: its recorded numbers on real Caffe, and PyTorch itself where it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from prototools import NetSpec, upsample
from prototools import layers as L
from prototools.lowerings.request import Refused
from prototools.realcaffe import NetCase, run_nets
from prototools.upsample import UpsampleError
from prototools.weights import read

RECORD = Path(__file__).parent / "cases" / "pytorch_resize.jsonl"
CASES = [json.loads(line) for line in RECORD.read_text().splitlines()]
CHANNELS = 2


def words(case) -> dict:
    """A case's call in our words, which are PyTorch's."""
    return {name: value for name, value in case.items() if name not in ("in", "out")}


def built(case, **settings) -> NetSpec:
    shape = (1, CHANNELS, *case["in"])
    n = NetSpec()
    n.data = L.Input(shape={"dim": list(shape)})
    n.up = upsample.resize(n.data, in_shape=shape, **words(case), **settings)
    return n


def name_of(number: int) -> str:
    case = CASES[number]
    return " ".join(str(part) for part in (*words(case).values(), "of", case["in"]))


@pytest.fixture(scope="module", params=[None, True], ids=["as needed", "weights"])
def answers(request, caffe):
    """Every case on real Caffe, with fillers where they do, and with weights throughout."""
    nets = []
    for number, case in enumerate(CASES):
        n = built(case, weights=request.param)
        image = np.random.RandomState(number).rand(*case["in"])
        blobs = {name: [array] for name, array in upsample.weights_of(n).items()}
        inputs = {"data": np.stack([image, -image])[None]}
        nets.append(NetCase(str(n.to_proto()), inputs=inputs, params=blobs))
    return run_nets(nets, installation=caffe)


@pytest.mark.parametrize("number", range(len(CASES)), ids=name_of)
def test_recorded(number: int, answers) -> None:
    """The whole map within 1e-5 of what PyTorch gave, in every channel."""
    wanted = np.array(CASES[number]["out"])
    assert list(answers[number].blobs) == ["up"]
    found = answers[number].blobs["up"]
    assert found.shape == (1, CHANNELS, *wanted.shape)
    assert np.abs(found[0] - np.stack([wanted, -wanted])).max() <= 1e-5


def test_the_record_is_pytorchs() -> None:
    """The recorded file is what the recorder writes today, to the rounding of another version."""
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'prototools[torch]'")
    from record_pytorch import record

    again = [json.loads(line) for line in record()]
    assert [words(case) for case in again] == [words(case) for case in CASES]
    for old, new in zip(CASES, again):
        assert np.abs(np.array(old["out"]) - np.array(new["out"])).max() <= 1e-6


#: Calls that fillers do, and calls that need weights.
FILLERS = [
    dict(scale=2), dict(scale=(2, 3)), dict(scale=2, mode="bilinear"), dict(size=(7, 11), mode="nearest"),
    dict(size=(9, 11), mode="bilinear", align_corners=True), dict(scale=3, mode="area"), dict(size=(4, 6), mode="area"),
    dict(size=(1, 1), mode="bilinear", align_corners=True),
]
WEIGHTS = [
    dict(scale=2, mode="bicubic"), dict(size=(8, 12), mode="bicubic", align_corners=True),
    dict(size=(3, 5), mode="area"), dict(scale=1.5, mode="bilinear"),
    dict(size=(9, 11), mode="bilinear"), dict(scale=(2, 3), mode="bilinear"),
]


@pytest.mark.parametrize("call", FILLERS, ids=str)
def test_no_weights_where_fillers_do(call) -> None:
    """Nothing to write into a caffemodel, and a sentence for who tries."""
    n = built({"in": (4, 6), **call}, weights=False)
    assert not upsample.weights_of(n)
    with pytest.raises(UpsampleError, match="fillers do it all"):
        upsample.save_weights(n, "never.caffemodel")


@pytest.mark.parametrize("call", WEIGHTS, ids=str)
def test_weights_where_they_are_needed(call, tmp_path: Path) -> None:
    """Refused without, and what is written is what is given."""
    case = {"in": (4, 6), **call}
    with pytest.raises(Refused):
        built(case, weights=False)
    n = built(case)
    given = upsample.weights_of(n)
    assert given and all(name in {layer.name for layer in n.to_proto().layer} for name in given)
    upsample.save_weights(n, str(tmp_path / "resize.caffemodel"))
    stored = read(str(tmp_path / "resize.caffemodel"))
    assert stored.keys() == given.keys()
    for name, (array,) in stored.items():
        assert np.array_equal(array, given[name])


def test_two_blocks_in_one_net(caffe, tmp_path: Path) -> None:
    """Each layer gets its own numbers, beside the trained file's."""
    n = NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 3, 6, 5]))
    n.wide = upsample.resize(n.data, size=(9, 8), mode="bicubic", in_shape=(1, 3, 6, 5))
    n.small = upsample.resize(n.wide, size=(2, 3), mode="area", in_shape=(1, 3, 9, 8))
    upsample.save_weights(n, str(tmp_path / "resize.caffemodel"))
    image = np.random.RandomState(5).rand(1, 3, 6, 5)
    stored = str(tmp_path / "resize.caffemodel")
    case = NetCase(str(n.to_proto()), inputs={"data": image}, weights=stored, outputs="all")
    blobs = run_nets([case], installation=caffe)[0].blobs
    mean = [[blobs["wide"][..., a:b, c:d].mean(axis=(2, 3)) for c, d in ((0, 3), (2, 6), (5, 8))]
            for a, b in ((0, 5), (4, 9))]
    assert np.abs(blobs["small"] - np.array(mean).transpose(2, 3, 0, 1)).max() < 1e-6


@pytest.mark.parametrize("call, sentence", [
    (dict(mode="bicubic", scale=2), "in_shape must be given"), (dict(scale=1.5), "in_shape must be given"),
    (dict(scale=0.1, in_shape=(4, 4)), "leaves nothing"), (dict(scale=-2, in_shape=(4, 4)), "scale must be"),
    (dict(scale="2", in_shape=(4, 4)), "scale must be"), (dict(mode="cubic", scale=2), "mode must be one of"),
    (dict(mode="area", align_corners=True, scale=2), "align_corners"), (dict(), "either size or scale"),
], ids=str)
def test_mistakes(call, sentence: str) -> None:
    n = NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 3, 4, 4]))
    with pytest.raises(UpsampleError, match=sentence):
        upsample.resize(n.data, 3, **call)
