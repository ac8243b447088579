"""The reference against outputs that the forks' own C++ layers gave (golden/custom_layers.npz)."""

from __future__ import annotations

import numpy as np
import pytest

from prototools.net import Net
from prototools.reference import run

#: How many recorded cases there are, by the first word of their names.
COUNTS = {"interp": 32, "upsample": 6, "unpool": 9, "resample": 20, "resizebilinear": 12,
          "resizenearest": 12}
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def golden(shared):
    path = shared / "golden" / "custom_layers.npz"
    if not path.exists():
        pytest.skip(f"the recorded cases are not here: {path.name}")
    with np.load(str(path)) as stored:
        return {name: stored[name] for name in stored.files}


def cases(golden, kind):
    names = dict.fromkeys(key.split("/")[0] for key in golden)
    return [name for name in names if name.split("_")[0] == kind]


def difference(golden, name, **options):
    """The largest difference between our top and the recorded one."""
    net = Net(str(golden[name + "/net"]).encode()).filtered()
    prefix = name + "/in/"
    inputs = {key[len(prefix):]: golden[key] for key in golden if key.startswith(prefix)}
    top = run(net, inputs, outputs=["up"], **options)["up"]
    wanted = golden[name + "/out/up"]
    assert top.shape == wanted.shape, name
    return float(np.abs(top - wanted).max())


@pytest.mark.parametrize("single", [False, True], ids=["exact-ratio", "float32-ratio"])
@pytest.mark.parametrize("kind", sorted(COUNTS))
def test_every_recorded_case_of_a_kind(golden, kind, single):
    names = cases(golden, kind)
    assert len(names) == COUNTS[kind]
    worst = {name: difference(golden, name, float32_ratio=single) for name in names}
    assert max(worst.values()) < TOLERANCE, max(worst, key=worst.get)


def test_no_kind_is_left_out(golden):
    kinds = {key.split("_")[0] for key in golden}
    assert kinds == set(COUNTS)


def test_the_forks_own_ratio_is_closer_than_the_exact_one(golden):
    name = "interp_shrink4zoom3"
    assert difference(golden, name, float32_ratio=True) < 1e-6 < difference(golden, name)


@pytest.mark.parametrize("name, old, new", [
    ("interp_zoom3", "zoom_factor: 3", "height: 10 width: 33"),
    ("interp_pad21", "pad_beg: -2 pad_end: -1", "pad_beg: -1 pad_end: -2"),
    ("interp_zoom_and_size", "zoom_factor: 2", "pad_beg: 0"),
    ("upsample_nearest3", "scale: 3", "scale: 2"),
    ("unpool_odd0", "pad_out_w: true", "pad_out_w: false"),
    ("unpool_overlap", "stride: 2", "stride: 3"),
    ("resample_cubic_x4_0", "CUBIC", "LINEAR"),
    ("resizebilinear_align_corners_1", "align_corners: true", "align_corners: false"),
])
def test_a_planted_mistake_is_noticed(golden, name, old, new):
    text = str(golden[name + "/net"])
    assert old in text
    changed = dict(golden)
    changed[name + "/net"] = np.array(text.replace(old, new))
    with pytest.raises((AssertionError, ValueError)):
        assert difference(changed, name) < TOLERANCE
