"""What pycaffe's own tests of net_spec, coord_map and io promise, for the stand-in.

The packaged Caffe does not ship those tests, so the same promises are held here by our own cases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import prototools.pycaffe as caffe
from prototools.pycaffe import layers as L
from prototools.pycaffe import params as P
from prototools.pycaffe.coord_map import coord_map_from_to, crop


def loaded(net: Any, folder: Path) -> Any:
    path = folder / "net.prototxt"
    path.write_text(str(net))
    return caffe.Net(str(path), caffe.TEST)


# ---------------------------------------------------------------- net_spec


def digits(n: Any) -> Any:
    """A small classifier; `n` takes the tops by name, and keeps them or not."""
    filler = dict(type="xavier")
    n["data"], n["label"] = L.DummyData(shape=[dict(dim=[5, 1, 28, 28]), dict(dim=[5, 1, 1, 1])],
                                        transform_param=dict(scale=1.0 / 255), ntop=2)
    n["conv"] = L.Convolution(n["data"], kernel_size=5, num_output=20, weight_filler=filler)
    n["pool"] = L.Pooling(n["conv"], kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n["fc"] = L.InnerProduct(n["pool"], num_output=50, weight_filler=filler)
    n["relu"] = L.ReLU(n["fc"], in_place=True)
    n["score"] = L.InnerProduct(n["relu"], num_output=10, weight_filler=filler)
    n["loss"] = L.SoftmaxWithLoss(n["score"], n["label"])
    return n


@pytest.mark.parametrize("make", [lambda: digits(caffe.NetSpec()).to_proto(), lambda: digits({})["loss"].to_proto()],
                         ids=["named", "nameless"])
def test_a_net_is_whole(make: Any, tmp_path: Path) -> None:
    """Every layer is there, once, and the one in place has its bottom's name for its top."""
    net = make()
    assert net.layer[4].type == "ReLU" and net.layer[4].bottom == net.layer[4].top
    shown = loaded(net, tmp_path)
    assert [layer.type for layer in shown.layers] == [layer.type for layer in net.layer] and len(net.layer) == 7
    assert shown.blobs["conv" if "conv" in shown.blobs else "Convolution1"].data.shape == (5, 20, 24, 24)


def test_layers_without_tops(tmp_path: Path) -> None:
    """They are written, and a net that ends in them has no outputs."""
    n = caffe.NetSpec()
    n.one, n.other = L.DummyData(shape=dict(dim=3), ntop=2)
    n.quiet, n.still = L.Silence(n.one, ntop=0), L.Silence(n.other, ntop=0)
    assert loaded(n.to_proto(), tmp_path).forward() == {}


def test_what_is_no_top() -> None:
    """pycaffe's whole sentence, with nothing behind it."""
    both = L.DummyData(ntop=2)
    with pytest.raises(TypeError) as caught:
        L.Silence(both, ntop=0)
    assert str(caught.value) == "Silence input 0 is not a Top (type is <class 'tuple'>)"
    L.Silence(*both, ntop=0)


# ---------------------------------------------------------------- coord_map


def up_and_down(kernel: Any = 3, stride: Any = 1, pad: Any = 0, pool: int = 2, up: Any = 2, up_pad: int = 0) -> Any:
    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[2, 1, 100, 100]))
    n.small = L.Input(shape=dict(dim=[2, 1, 20, 20]))
    n.conv = L.Convolution(n.data, num_output=4, kernel_size=kernel, stride=stride, pad=pad)
    n.pool = L.Pooling(n.conv, pool=P.Pooling.MAX, kernel_size=pool, stride=pool, pad=0)
    wide = [2 * one for one in up] if isinstance(up, list) else 2 * up
    n.up = L.Deconvolution(n.pool, num_output=4, kernel_size=wide, stride=up, pad=up_pad)
    return n


def found(n: Any, top: str = "up") -> list:
    axis, scale, shift = coord_map_from_to(n[top], n.data)
    return [axis, np.ravel(scale).tolist(), np.ravel(shift).tolist()]


@pytest.mark.parametrize("settings, shift", [
    (dict(), 0), (dict(pool=4, up=4), -1), (dict(pad=7), -7), (dict(up_pad=7), 7), (dict(pad=7, up_pad=7), 0),
], ids=str)
def test_pads_and_strides(settings: dict, shift: float) -> None:
    """A Convolution's pad moves one way, a Deconvolution's the other; equal strides cancel."""
    assert found(up_and_down(**settings)) == [1, [1], [shift]]


def test_each_axis_goes_its_way() -> None:
    """Different settings for the axes are those of two nets with one each, in two dimensions and in three."""
    both = found(up_and_down([3, 5], [1, 2], [0, 10]))
    one, other = found(up_and_down(3, 1, 0)), found(up_and_down(5, 2, 10))
    assert both == [1, one[1] + other[1], one[2] + other[2]]
    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[2, 3, 30, 30, 30]))
    n.conv = L.Convolution(n.data, num_output=4, kernel_size=[3, 3, 3], stride=[1, 1, 1], pad=[0, 1, 2])
    n.pool = L.Pooling(n.conv, pool=P.Pooling.MAX, kernel_size=2, stride=2)
    n.up = L.Deconvolution(n.pool, num_output=4, kernel_size=4, stride=2)
    assert found(n) == [1, [1, 1, 1], [0, -1, -2]]


def test_what_keeps_the_map() -> None:
    """Layers that pass through, a Convolution of one place, and every bottom of a layer alike."""
    n = up_and_down()
    n.relu = L.ReLU(n.up)
    n.one = L.Convolution(n.relu, num_output=4, kernel_size=1)
    assert found(n, "relu") == found(n, "one") == found(n)
    first, second = L.Convolution(n.data, n.small, ntop=2, num_output=4, kernel_size=5, stride=2, pad=0)
    assert coord_map_from_to(first, n.data) == coord_map_from_to(second, n.small)


def test_crops() -> None:
    """A Crop moves the map by its offset, and `crop` makes one that fits."""
    n = up_and_down()
    n.cut = L.Crop(n.up, n.data, axis=2, offset=5)
    assert found(n, "cut") == [1, [1], [5]]
    assert crop(n.up, n.data).fn.params == {"crop_param": {"axis": 2, "offset": [0]}}


@pytest.mark.parametrize("settings, kind", [
    (dict(pool=3, up=2), AssertionError), (dict(up_pad=10), AssertionError),
], ids=["other scale", "beyond the border"])
def test_what_cannot_be_cropped(settings: dict, kind: type) -> None:
    n = up_and_down(**settings)
    with pytest.raises(kind):
        crop(n.up, n.data)


def test_what_is_not_joined() -> None:
    """An InnerProduct has no places, so nothing behind it lies anywhere."""
    n = up_and_down()
    n.fc = L.InnerProduct(n.up, num_output=4)
    with pytest.raises(RuntimeError):
        coord_map_from_to(n.fc, n.data)


# ---------------------------------------------------------------- io


@pytest.mark.parametrize("fields, shape", [
    (dict(num=1, channels=1, height=10, width=10), (1, 1, 10, 10)), (dict(shape=dict(dim=[10, 10])), (10, 10)),
], ids=["old", "new"])
def test_shapes_of_blobs(fields: dict, shape: tuple) -> None:
    blob = caffe.proto.caffe_pb2.BlobProto(data=[0.0] * 100, **fields)
    assert caffe.io.blobproto_to_array(blob).shape == shape


def test_blobs_without_shape() -> None:
    """One number is a scalar; more cannot be placed."""
    assert caffe.io.blobproto_to_array(caffe.proto.caffe_pb2.BlobProto(data=[123])) == 123
    with pytest.raises(ValueError, match="reshape"):
        caffe.io.blobproto_to_array(caffe.proto.caffe_pb2.BlobProto(data=[0] * 100))


def test_labels_are_written_where_given() -> None:
    with_label, without = (caffe.io.array_to_datum(np.ones((10, 10, 3)), label) for label in (1, None))
    assert with_label.label == 1 and not without.HasField("label") and with_label.ByteSize() > without.ByteSize()
