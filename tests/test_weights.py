"""Caffemodels on the wire: what is replaced, and above all what is not."""

from __future__ import annotations

from pathlib import Path
from typing import List

import numpy as np
import pytest
from caffemodels import model
from command_line import call

from prototools import weights
from prototools.patching import patch_weights, replaced_layers
from prototools.realcaffe import run_net
from prototools.reference import bilinear_filler
from prototools.rewriter import rewrite

NET = b'''
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 7 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "up" type: "Interp" bottom: "conv" top: "up" interp_param { zoom_factor: 4 } }
layer { name: "fc" type: "InnerProduct" bottom: "up" top: "fc" inner_product_param { num_output: 2 } }
'''

RANDOM = np.random.RandomState(0)
CONV = [RANDOM.rand(4, 3, 1, 1).astype(np.float32), RANDOM.rand(4).astype(np.float32)]
FC = [RANDOM.rand(2, 4 * 25 * 25).astype(np.float32), RANDOM.rand(2).astype(np.float32)]


def field(number: int, value: bytes) -> bytes:
    return weights._field(number, value)


def entry(name: str, *more: bytes) -> bytes:
    """A layer as a fork writes it: bottoms, tops, fields that stock Caffe does not have, blobs last or first."""
    return field(100, field(3, b"bottom") + field(1, name.encode()) + b"".join(more))


#: Entries that must come through byte for byte.
FOREIGN = [
    pytest.param(entry("x", field(143, b"\x08\x02"), field(2, b"Odd")), id="a fork's parameters"),
    pytest.param(entry("x", field(7, field(8, np.arange(3.0).tobytes()))), id="double_data"),
    pytest.param(entry("x", field(7, b"\x08\x01\x10\x02\x18\x01\x20\x01" + field(5, b"\0" * 8))), id="legacy dims"),
    pytest.param(entry("x", field(7, b"".join(b"\x2d" + b"\0\0\x80\x3f" for _ in range(3)))), id="data not packed"),
    pytest.param(field(9999, b"anything"), id="a field of the net's"),
    pytest.param(b"\xd0\x3e\x01", id="a varint of the net's"),
    pytest.param(entry("x", b"\x59\0\0\0\0\0\0\0\0"), id="a fixed64"),
    pytest.param(entry("\u5c42"), id="a name in Chinese"),
]


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("place", ["before", "behind"])
def test_everything_else_stays(foreign: bytes, place: str, tmp_path: Path) -> None:
    """The replaced entry's bytes are gone, the new one's are there, and the rest is the same."""
    head, tail = model(("conv", "Convolution", CONV)), model(("fc", "InnerProduct", FC))
    old = entry("up", field(2, b"Interp"))
    parts = [head, foreign, old, tail] if place == "before" else [head, old, foreign, tail]
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"".join(parts))
    result = rewrite(NET)
    assert patch_weights(result, str(source), str(target))
    new, = replaced_layers(result)["up"]
    assert target.read_bytes() == b"".join(weights.encode(new) if part is old else part for part in parts)
    assert not patch_weights(result, str(source), str(target))


def test_the_blobs_are_what_the_filler_writes(tmp_path: Path) -> None:
    """A bilinear kernel in every channel."""
    (tmp_path / "in").write_bytes(model(("conv", "Convolution", CONV)))
    patch_weights(rewrite(NET), str(tmp_path / "in"), str(tmp_path / "out"))
    found = weights.read(str(tmp_path / "out"))
    assert np.array_equal(found["conv"][0], CONV[0])
    assert np.array_equal(found["up/deconv"][0], bilinear_filler((4, 1, 7, 7)).astype(np.float32))


def test_a_second_patch_changes_nothing(tmp_path: Path) -> None:
    """The new layers are entered once."""
    (tmp_path / "in").write_bytes(model(("conv", "Convolution", CONV), ("up", "Interp", [])))
    patch_weights(rewrite(NET), str(tmp_path / "in"), str(tmp_path / "out"))
    patch_weights(rewrite(NET), str(tmp_path / "out"), str(tmp_path / "again"))
    assert weights.read(str(tmp_path / "again")).keys() == {"conv", "up/deconv"}


@pytest.mark.parametrize("form", [weights.CURRENT, weights.V1], ids=["current", "V1"])
def test_real_caffe_loads_it(form: weights.Form, caffe, tmp_path: Path) -> None:
    """Both forms, in a net whose fillers are taken away: the weights alone do it."""
    source = tmp_path / "in.caffemodel"
    layers = [("conv", "Convolution", CONV), ("up", "Interp", []), ("fc", "InnerProduct", FC)]
    if form is weights.V1:
        weights.V1_TYPES["Interp"] = 0
    try:
        source.write_bytes(model(*layers, form=form))
    finally:
        weights.V1_TYPES.pop("Interp", None)
    result = rewrite(NET)
    patch_weights(result, str(source), str(tmp_path / "out.caffemodel"))
    bare = result.text.replace(b'weight_filler { type: "bilinear" }', b"")
    assert bare != result.text
    image = RANDOM.rand(1, 3, 7, 7)
    with_weights = run_net(bare, installation=caffe, weights=tmp_path / "out.caffemodel", inputs={"data": image})
    with_fillers = run_net(result.text, installation=caffe, inputs={"data": image}, params={"conv": CONV, "fc": FC})
    assert np.abs(with_fillers.blobs["fc"]).max() > 1
    assert np.allclose(with_weights.blobs["fc"], with_fillers.blobs["fc"], rtol=1e-5)


#: What is no caffemodel, and a part of the sentence.
BROKEN = [
    (b"", "empty"), (b"\x89HDF\r\n\x1a\n", "HDF5"), (b"not a caffemodel at all, sorry", "is not"),
    (model(("conv", "Convolution", CONV))[:-3], "is not"), (field(1, b"name"), "no layer"),
    (entry("x", b"\x3a\x7f\x00"), "is not"), (b"\xff" * 12, "is not"),
]


@pytest.mark.parametrize("content, words", BROKEN)
def test_broken_files(content: bytes, words: str, tmp_path: Path) -> None:
    """An error with the file's name, and nothing is written."""
    (tmp_path / "in").write_bytes(content)
    with pytest.raises(weights.WeightsError, match=words) as raised:
        patch_weights(rewrite(NET), str(tmp_path / "in"), str(tmp_path / "out"))
    assert "in" in str(raised.value) and not (tmp_path / "out").exists()


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    """Cut between two layers a file is whole; cut anywhere else it is refused."""
    parts = [model(("conv", "Convolution", CONV)), entry("up", field(143, b"abc"))]
    whole = b"".join(parts)
    accepted: List[int] = []
    for stop in range(1, len(whole)):
        (tmp_path / "in").write_bytes(whole[:stop])
        try:
            with weights.Caffemodel(str(tmp_path / "in")):
                accepted.append(stop)
        except weights.WeightsError:
            pass
    assert accepted == [len(parts[0])]


def test_more_than_caffe_reads(tmp_path: Path) -> None:
    """A file above 2 GB; a sparse one is enough to see."""
    with open(tmp_path / "in", "wb") as file:
        file.write(model(("conv", "Convolution", CONV)))
        file.truncate(2**31)
    with pytest.raises(weights.WeightsError, match="2 GB"):
        weights.read(str(tmp_path / "in"))


def test_command(tmp_path: Path) -> None:
    """Both files are written; a broken caffemodel means neither is."""
    net, source = tmp_path / "net.prototxt", tmp_path / "in.caffemodel"
    net.write_bytes(NET)
    source.write_bytes(model(("conv", "Convolution", CONV), ("up", "Interp", [])))

    def rewrite_it(*options: str):
        return call(["rewrite", str(net), *options])

    out = ["-o", str(tmp_path / "o.prototxt"), "--weights", str(source),
           "--weights-out", str(tmp_path / "o.caffemodel")]
    assert rewrite_it(*out).exit_code == 0
    assert weights.read(str(tmp_path / "o.caffemodel")).keys() == {"conv", "up/deconv"}
    verified = call(["verify", str(net), str(tmp_path / "o.prototxt"), "--weights", str(source),
                     "--weights-after", str(tmp_path / "o.caffemodel")])
    assert verified.exit_code == 0
    (tmp_path / "o.prototxt").unlink()
    source.write_bytes(b"broken")
    broken = rewrite_it(*out)
    assert broken.exit_code == 2 and "caffemodel" in broken.output and not (tmp_path / "o.prototxt").exists()
    for wrong in (["--weights", "x"], ["--weights", "x", "--weights-out", "y", "--check"]):
        assert rewrite_it(*wrong).exit_code == 2
