"""Custom layers rewritten and run on real Caffe, against what the forks' own layers gave."""

from __future__ import annotations

import numpy as np
import pytest

from prototools.patching import replaced_layers
from prototools.realcaffe import NetCase, NetResult, run_nets
from prototools.rewriter import rewrite

#: The families that fillers alone can do; all of them can be done with weights.
FILLERS = ("interp_", "upsample_", "unpool_")

#: The forks form their ratio in float32, which shows where it is a long fraction.
TOLERANCE, LONG_FRACTION = 1e-4, 2e-3


@pytest.fixture(scope="module")
def golden(shared):
    """Every recorded case as a dictionary of its arrays."""
    with np.load(shared / "golden" / "custom_layers.npz") as file:
        cases = {}
        for key in file.files:
            name, _, rest = key.partition("/")
            cases.setdefault(name, {})[rest] = file[key]
    return cases


#: How the cases are rewritten: everything, and what is there to do with fillers only.
WAYS = {
    "default": {}, "filler-safe": {"filler_safe": True},
    "weights": {"weights": True}, "speed": {"weights": True, "prefer": "speed"},
    "memory": {"weights": True, "prefer": "memory"},
}


@pytest.fixture(scope="module", params=list(WAYS))
def way(request):
    return request.param


@pytest.fixture(scope="module")
def answers(way, golden, caffe):
    """Every case rewritten and run on real Caffe, with gradients where they are recorded."""
    chosen = {name: one for name, one in golden.items() if "weights" in WAYS[way] or name.startswith(FILLERS)}
    nets = []
    for arrays in chosen.values():
        result = rewrite(str(arrays["net"]), **WAYS[way])
        assert result.changes and not result.refusals
        backward = {"up": arrays["topdiff"]} if "topdiff" in arrays else None
        params = weights_of(result) if "weights" in WAYS[way] else None
        nets.append(NetCase(result.text, inputs=_arrays(arrays, "in/"), backward=backward, params=params))
    results = dict(zip(chosen, run_nets(nets, installation=caffe)))
    broken = {name: str(result) for name, result in results.items() if not isinstance(result, NetResult)}
    assert not broken
    return results


def weights_of(result):
    """The blobs that a patched caffemodel would have, by the names of the new layers."""
    new = [layer for layers in replaced_layers(result).values() for layer in layers]
    return {one.name: [np.frombuffer(values, "<f4").reshape(shape) for shape, values in one.blobs] for one in new}


def _arrays(arrays, prefix: str):
    return {key[len(prefix):]: value for key, value in arrays.items() if key.startswith(prefix)}


def test_forward(way, golden, answers) -> None:
    """Every case's output is the fork's, and no case is left out."""
    assert len(answers) == (91 if "weights" in WAYS[way] else 47)
    for name, answer in answers.items():
        assert answer.blobs["up"].shape == golden[name]["out/up"].shape
        difference = np.abs(answer.blobs["up"] - golden[name]["out/up"]).max()
        assert difference <= TOLERANCE, f"{name} differs by {difference}"


def test_gradients(golden, answers) -> None:
    """Where the fork has a backward pass, the block's gradient is the fork's."""
    compared = 0
    for name, answer in answers.items():
        for blob, gradient in _arrays(golden[name], "bottomdiff/").items():
            difference = np.abs(answer.diffs[blob] - gradient).max()
            scale = max(1.0, np.abs(gradient).max())
            assert difference <= TOLERANCE * scale, f"{name}: gradient differs by {difference}"
            compared += 1
    assert compared == 35
