"""Images: the stand-in's numbers against real pycaffe's own io.py, which is run here with the scikit-image of today.

The small Caffe tree has no scikit-image, but its io.py is plain Python and finds the stand-in's messages.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

from prototools.pycaffe import io, stand_in

skimage_io = pytest.importorskip("skimage.io")
pytest.importorskip("scipy.ndimage")


@pytest.fixture(scope="module")
def theirs(caffe) -> Iterator[Any]:
    """pycaffe's io as a module of its own; `imread` takes the old spelling of `as_gray`."""
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "caffe"}
    path = caffe.python("import caffe.io\nprint(caffe.io.__file__)").splitlines()[-1]
    stand_in()
    spec = importlib.util.spec_from_file_location("pycaffes_io", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    real, spelled = skimage_io.imread, skimage_io.imread
    skimage_io.imread = lambda name, as_grey=None, **settings: real(name, **(
        settings if as_grey is None else dict(settings, as_gray=as_grey)))
    yield module
    skimage_io.imread = spelled
    for name in [name for name in sys.modules if name.partition(".")[0] == "caffe"]:
        del sys.modules[name]
    sys.modules.update(before)


def image(*shape: int) -> np.ndarray:
    return np.random.RandomState(sum(shape)).rand(*shape).astype(np.float32) * 300 - 20


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("size", [(9, 14), (3, 4), (3, 14), (6, 7)], ids=str)
@pytest.mark.parametrize("colours", [1, 2, 3, 5])
def test_resize(colours: int, size: tuple, order: int, theirs: Any) -> None:
    """Any number of colours, larger, smaller, and one of each."""
    one = image(6, 7, colours)
    ours, wanted = (module.resize_image(one.copy(), size, order) for module in (io, theirs))
    assert ours.dtype == wanted.dtype == np.float32 and np.array_equal(ours, wanted)


@pytest.mark.parametrize("colours", [1, 3])
def test_resize_of_one_value(colours: int, theirs: Any) -> None:
    flat = np.full((4, 5, colours), 7.5)
    ours, wanted = (module.resize_image(flat, (2, 9)) for module in (io, theirs))
    assert ours.dtype == wanted.dtype and np.array_equal(ours, wanted)


def test_preprocess_resizes(theirs: Any) -> None:
    """An image and a mean of other sizes than the input."""
    found = []
    for module in (io, theirs):
        transformer = module.Transformer({"data": (1, 3, 8, 6)})
        transformer.set_transpose("data", (2, 0, 1))
        transformer.set_raw_scale("data", 255)
        transformer.set_mean("data", image(3, 10, 10))
        transformer.set_channel_swap("data", (2, 1, 0))
        transformer.set_input_scale("data", 0.5)
        there = transformer.preprocess("data", image(12, 5, 3) / 300)
        found += [there, transformer.deprocess("data", there), transformer.mean["data"]]
    for ours, wanted in zip(found[:3], found[3:]):
        assert np.allclose(ours, wanted, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("shape", [(6, 5, 3), (6, 5, 4), (6, 5)], ids=["colour", "alpha", "grey"])
@pytest.mark.parametrize("color", [True, False])
def test_load(shape: tuple, color: bool, theirs: Any, tmp_path: Path) -> None:
    if shape[-1] == 4 and not color:
        pytest.skip("scikit-image of today refuses to make alpha grey")
    path = str(tmp_path / "image.png")
    skimage_io.imsave(path, (image(*shape) % 255).astype(np.uint8), check_contrast=False)
    ours, wanted = (module.load_image(path, color) for module in (io, theirs))
    assert ours.dtype == wanted.dtype == np.float32 and np.array_equal(ours, wanted)


@pytest.mark.parametrize("size", [(6, 5), (4, 3), (3, 4), (1, 1)], ids=str)
def test_oversample(size: tuple, theirs: Any) -> None:
    images = [image(6, 5, 3), image(6, 5, 3) + 1]
    ours, wanted = (module.oversample(images, size) for module in (io, theirs))
    assert ours.dtype == wanted.dtype and np.array_equal(ours, wanted)
