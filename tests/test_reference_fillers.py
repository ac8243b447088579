"""Caffe's fillers, the bilinear one in both of its versions."""

from __future__ import annotations

import numpy as np
import pytest

from prototools.errors import EngineError
from prototools.prototext import parse
from prototools.reference import bilinear_filler, fill


@pytest.mark.parametrize("size, wanted", [
    (1, [1]),
    (2, [0.5, 0.5]),
    (3, [0.5, 1, 0.5]),
    (4, [0.25, 0.75, 0.75, 0.25]),
    (5, [1 / 3, 2 / 3, 1, 2 / 3, 1 / 3]),
    (7, [0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25]),
])
def test_new_bilinear(size, wanted):
    kernel = bilinear_filler((1, 1, size, size))[0, 0]
    assert kernel == pytest.approx(np.outer(wanted, wanted))


def test_old_bilinear_is_off_centre_for_three():
    kernel = bilinear_filler((1, 1, 3, 3), "old")[0, 0]
    assert kernel == pytest.approx(np.outer([0.25, 0.75, 0.75], [0.25, 0.75, 0.75]))


@pytest.mark.parametrize("factor", range(1, 10))
def test_both_versions_agree_where_layers_md_says_so(factor):
    def agree(size):
        old, new = (bilinear_filler((1, 1, size, size), version) for version in ("old", "new"))
        return np.allclose(old, new)

    assert agree(2 * factor - factor % 2)
    assert agree(2 * factor - 1) == (factor % 2 == 1)


def test_bilinear_fills_every_pair_of_channels():
    blob = bilinear_filler((2, 3, 4, 4))
    assert blob.shape == (2, 3, 4, 4) and (blob == blob[0, 0]).all()


@pytest.mark.parametrize("shape", [(1, 1, 3, 5), (4, 4), (3,)])
def test_bilinear_refuses_what_caffe_refuses(shape):
    with pytest.raises(EngineError, match="square kernel"):
        bilinear_filler(shape)


@pytest.mark.parametrize("text, low, high, mean", [
    ("", 0, 0, 0),
    ("type: 'constant' value: 2.5", 2.5, 2.5, 2.5),
    ("type: 'uniform' min: -1 max: 3", -1, 3, 1),
    ("type: 'gaussian' mean: 4 std: 0.5", 0, 8, 4),
    ("type: 'xavier'", -np.sqrt(3 / 500), np.sqrt(3 / 500), 0),
    ("type: 'xavier' variance_norm: FAN_OUT", -np.sqrt(3 / 1000), np.sqrt(3 / 1000), 0),
    ("type: 'msra'", -1, 1, 0),
])
def test_values_lie_where_the_filler_puts_them(text, low, high, mean):
    blob = fill(parse(text), (40, 20, 5, 5), "name")
    assert blob.shape == (40, 20, 5, 5)
    assert low <= blob.min() and blob.max() <= high
    assert abs(blob.mean() - mean) < 0.05


def test_deviations():
    assert fill(parse("type: 'msra'"), (40, 20, 5, 5), "a").std() == pytest.approx(
        np.sqrt(2 / 500), rel=0.05)
    assert fill(parse("type: 'positive_unitball'"), (4, 9), "a").sum(axis=1) == pytest.approx(1)


def test_random_fillers_depend_on_the_seed_alone():
    filler = parse("type: 'gaussian'")
    assert (fill(filler, (3, 4), "a/0") == fill(filler, (3, 4), "a/0")).all()
    assert (fill(filler, (3, 4), "a/0") != fill(filler, (3, 4), "a/1")).any()


def test_unknown_filler():
    with pytest.raises(EngineError, match="'bilinear_upsampling' is none of Caffe's"):
        fill(parse("type: 'bilinear_upsampling'"), (1, 1, 4, 4))
