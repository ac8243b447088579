"""Custom layers rewritten and run on real Caffe, against what the forks' own layers gave."""

from __future__ import annotations

import numpy as np
import pytest

from prototools.realcaffe import NetCase, NetResult, run_nets
from prototools.rewriter import rewrite

#: The families that are rewritten; the others of the file belong to dialects still to come.
FAMILIES = ("interp_", "upsample_", "unpool_")

#: The forks form their ratio in float32, which shows where it is a long fraction.
TOLERANCE, LONG_FRACTION = 1e-4, 2e-3


@pytest.fixture(scope="module")
def golden(shared):
    """Every recorded case as a dictionary of its arrays."""
    with np.load(shared / "golden" / "custom_layers.npz") as file:
        cases = {}
        for key in file.files:
            name, _, rest = key.partition("/")
            if name.startswith(FAMILIES):
                cases.setdefault(name, {})[rest] = file[key]
    return cases


@pytest.fixture(scope="module", params=[False, True], ids=["default", "filler-safe"])
def answers(request, golden, caffe):
    """Every case rewritten and run on real Caffe, with gradients where they are recorded."""
    nets = []
    for arrays in golden.values():
        result = rewrite(str(arrays["net"]), filler_safe=request.param)
        assert result.changes and not result.refusals
        backward = {"up": arrays["topdiff"]} if "topdiff" in arrays else None
        assert "force_backward: true" in result.text
        nets.append(NetCase(result.text, inputs=_arrays(arrays, "in/"), backward=backward))
    results = dict(zip(golden, run_nets(nets, installation=caffe)))
    broken = {name: str(result) for name, result in results.items() if not isinstance(result, NetResult)}
    assert not broken
    return results


def _arrays(arrays, prefix: str):
    return {key[len(prefix):]: value for key, value in arrays.items() if key.startswith(prefix)}


def test_forward(golden, answers) -> None:
    """Every case's output is the fork's, and no case is left out."""
    assert len(golden) == 47
    for name, arrays in golden.items():
        difference = np.abs(answers[name].blobs["up"] - arrays["out/up"]).max()
        assert difference <= TOLERANCE, f"{name} differs by {difference}"


def test_gradients(golden, answers) -> None:
    """Where the fork has a backward pass, the block's gradient is the fork's."""
    compared = 0
    for name, arrays in golden.items():
        for blob, gradient in _arrays(arrays, "bottomdiff/").items():
            difference = np.abs(answers[name].diffs[blob] - gradient).max()
            scale = max(1.0, np.abs(gradient).max())
            assert difference <= TOLERANCE * scale, f"{name}: gradient differs by {difference}"
            compared += 1
    assert compared == 35
