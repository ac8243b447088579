"""`upgrade_weights`: binary nets on the wire, without Caffe."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from command_line import call

from prototools import schema, weights
from prototools.upgrading import upgrade_weights
from prototools.weights import V1, NewLayer, WeightsError, encode


def layers(path: Path):
    """The layers of a current binary net, as protobuf reads it."""
    net = schema.message("NetParameter")()
    net.ParseFromString(path.read_bytes())
    assert not net.layers and not net.input
    return net.layer


def old_model(path: Path, megabytes: int = 0) -> Path:
    """A V1 caffemodel with an input and two layers, the second with a large blob."""
    values = bytes(range(256)) * (4096 * max(megabytes, 1))
    data = b"\x1a\x04data" + encode(NewLayer("a", "Convolution", [((1, 1, 1, 1), b"\0\0\x80?")]), V1)
    path.write_bytes(data + encode(NewLayer("b", "InnerProduct", [((len(values) // 4,), values)]), V1))
    return path


def test_blobs_are_kept(tmp_path: Path) -> None:
    """V1 becomes current, the input without shape goes, and every blob stays."""
    source, target = old_model(tmp_path / "old"), tmp_path / "new"
    result = upgrade_weights(str(source), str(target))
    assert result.text is None and len(result.steps) == 2
    assert [(layer.name, layer.type) for layer in layers(target)] == [("a", "Convolution"), ("b", "InnerProduct")]
    before, after = weights.read(str(source)), weights.read(str(target))
    assert all(one.tobytes() == other.tobytes() for name in before for one, other in zip(before[name], after[name]))


def test_blobs_are_not_loaded(tmp_path: Path) -> None:
    """A model of 32 MB takes little more than the lot that is copied at a time."""
    source = old_model(tmp_path / "old", 32)
    upgrade_weights(str(source))
    tracemalloc.start()
    upgrade_weights(str(source), str(tmp_path / "new"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < weights.CHUNK + (1 << 20)


def test_in_place_and_twice(tmp_path: Path) -> None:
    """The target may be the source; the second time nothing changes, and the file is not touched."""
    path = old_model(tmp_path / "model")
    upgrade_weights(str(path), str(path))
    stamp = path.stat().st_mtime_ns
    assert not upgrade_weights(str(path), str(path)).steps and path.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("stop", [1, 9, 30, 60, 1000])
def test_a_truncated_file(stop: int, tmp_path: Path) -> None:
    """An error, and nothing written."""
    source = tmp_path / "old"
    source.write_bytes(old_model(source).read_bytes()[:stop])
    with pytest.raises(WeightsError, match="old: must be a whole binary net"):
        upgrade_weights(str(source), str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_an_error_has_no_line(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"\x12\x04\x0a\x02\x12\x00")
    with pytest.raises(WeightsError, match="type must be one of V0's"):
        upgrade_weights(str(path))


def run(*arguments: object):
    return call(["upgrade", *map(str, arguments)])


def test_the_command(tmp_path: Path) -> None:
    """A caffemodel alone, or with its net."""
    model, net = old_model(tmp_path / "model"), tmp_path / "net.prototxt"
    net.write_text("layers { type: RELU }")
    assert run(model).exit_code == 2 and "-o OUT" in run(model).output
    assert run(model, "--check").exit_code == run(model, "--diff").exit_code == 1
    assert run(net, "-o", tmp_path / "n", "--weights", model, "--weights-out", tmp_path / "w").exit_code == 0
    assert len(layers(tmp_path / "w")) == 2 and (tmp_path / "n").read_text() == 'layer { type: "ReLU" }'
    assert run(model, "--in-place").exit_code == 0
    assert model.read_bytes() == (tmp_path / "w").read_bytes()
    assert run(model, "--check").exit_code == 0
    assert run(tmp_path / "absent", "--check").exit_code == 2


def test_a_broken_caffemodel_leaves_the_net_alone(tmp_path: Path) -> None:
    """The error names the caffemodel, and neither file is written."""
    model, net = tmp_path / "model", tmp_path / "net.prototxt"
    model.write_bytes(b"\x12\x04\x0a\x02\x12\x00")
    net.write_text("layers { type: RELU }")
    found = run(net, "--in-place", "--weights", model, "--weights-out", tmp_path / "w")
    assert found.exit_code == 2 and f"{model}: a layer: type must be one of V0's" in found.output
    assert net.read_text() == "layers { type: RELU }" and not (tmp_path / "w").exists()
