"""OpenCV on every recorded layer and network that fits it, with the weights that a rewrite writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_golden_layers import TOLERANCE, golden  # noqa: F401
from test_golden_nets import GOLDEN, ONE_THREAD, compare, networks, require_memory

from prototools import engines, weights
from prototools.engines import Task
from prototools.patching import patch_weights
from prototools.rewriter import rewrite

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'prototools[opencv]'")

#: Networks that are left out, and why.
LEFT_OUT = {
    "c01dc11a": "OpenCV gives no second top of this Pooling, the mask",
    "1bcf285d": "OpenCV gives no second top of this Pooling, the mask",
    "0e54afbf": "OpenCV adds in another order, and a value that is nearly a tie in a pooling window goes elsewhere",
    "ecb911db": "OpenCV adds in another order, and a value that is nearly a tie in a pooling window goes elsewhere",
    "c6df7c0b": "too large for a test: it takes many minutes",
}


def patched(result, source: Path, folder: Path):
    """The blobs of the caffemodel that belongs to a rewritten net."""
    patch_weights(result, str(source), str(folder / "patched"))
    return weights.read(str(folder / "patched"))


def test_layers(golden, tmp_path: Path) -> None:  # noqa: F811
    """Every one of the recorded layers, its block filled from the patched caffemodel."""
    (tmp_path / "trained").write_bytes(b"".join(
        weights.encode(weights.NewLayer(name, kind, blobs))
        for name, kind, blobs in (("up", "Whatever", []), ("other", "Scale", [((1,), b"\0\0\x80\x3f")]))
    ))
    tasks = []
    for arrays in golden.values():
        result = rewrite(str(arrays["net"]), weights=True)
        inputs = {name[3:]: value for name, value in arrays.items() if name.startswith("in/")}
        params = patched(result, tmp_path / "trained", tmp_path)
        params.pop("other")
        tasks.append(Task(result.text.encode(), inputs, params, ["up"]))
    answers = dict(zip(golden, engines.get("opencv").run(tasks)))
    assert len(answers) == 91 and not [str(answer) for answer in answers.values() if isinstance(answer, Exception)]
    for name, answer in answers.items():
        assert answer["up"].shape == golden[name]["out/up"].shape, name
        assert np.abs(answer["up"] - golden[name]["out/up"]).max() <= TOLERANCE, name


#: Goes in the place of the recorder's forward pass: keeps weights and inputs.
KEEP = """net.save("filled")
np.savez("in.npz", **{n: net.blobs[n].data for n in net.inputs or [
    n for n, layer in zip(net._layer_names, net.layers) if layer.type == "Input"]})
sys.exit()
"""


@pytest.mark.parametrize("row", networks(), ids=lambda row: row["id"])
def test_network(row, shared, caffe, tmp_path: Path) -> None:
    """Every output of a network that was trained with its custom layers, rewritten and patched."""
    if row["id"] in LEFT_OUT:
        pytest.skip(LEFT_OUT[row["id"]])
    require_memory(row["id"])
    recorded = np.load(GOLDEN / "nets" / f"{row['id']}.npz")
    text = (shared / "corpus" / row["file"]).read_bytes()
    inputs = trained(rewrite(text), recorded["names"], caffe, tmp_path)
    result = rewrite(text, weights=True)
    outputs = [key[5:] for key in recorded.files if key.startswith("data/")]
    params = patched(result, tmp_path / "trained", tmp_path)
    answer, = engines.get("opencv").run([Task(result.text, inputs, params, outputs)])
    assert not isinstance(answer, Exception), str(answer)
    assert compare(recorded, sampled(recorded, answer))


def trained(result, names, caffe, folder: Path):
    """Leave the caffemodel as it was before any rewrite, and return the recorder's inputs."""
    recorder = (GOLDEN / "net_run.py").read_text()
    assert "net.forward()\n" in recorder
    (folder / "run.py").write_text(recorder.replace("net.forward()\n", KEEP, 1))
    (folder / "net.prototxt").write_bytes(result.text)
    (folder / "names").write_text("\n".join(names))
    command = ["python3", "run.py", "net.prototxt", "out.npz", "--names", "names"]
    done = caffe.run(command, environment=ONE_THREAD, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    new = {name: [] for change in result.changes for name in change.new_layers}
    weights.patch(str(folder / "filled"), str(folder / "trained"), new)
    with np.load(folder / "in.npz") as found:
        return dict(found)


def sampled(recorded, answer):
    """OpenCV's outputs as the recorder writes them."""
    found = {}
    for name, value in answer.items():
        found[f"shape/{name}"] = value.shape
        found[f"data/{name}"] = value.ravel()[recorded[f"pick/{name}"]]
    return found
