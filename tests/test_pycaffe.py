"""prototools.pycaffe in the place of pycaffe: the same scripts, the same messages, maps and arrays."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

import prototools
import prototools.pycaffe as caffe_again
from prototools.errors import PrototoolsError
from prototools.netspec import NetSpec
from prototools.netspec import layers as L
from prototools.pycaffe import caffe_pb2, coord_map, io

PROJECT = Path(__file__).resolve().parents[1]

#: As scripts on the web are: paths of their own, stars, devices, solvers, messages and crops.
SCRIPTS = {
    "fcn": """
import sys
sys.path.insert(0, "no/such/python")
import caffe
from caffe import layers as L, params as P
from caffe.coord_map import crop

def conv_relu(bottom, nout, ks=3, stride=1, pad=1):
    conv = L.Convolution(bottom, kernel_size=ks, stride=stride, num_output=nout, pad=pad,
                         param=[dict(lr_mult=1, decay_mult=1), dict(lr_mult=2, decay_mult=0)])
    return conv, L.ReLU(conv, in_place=True)

n = caffe.NetSpec()
n.data = L.Input(shape=dict(dim=[1, 3, 64, 64]))
n.conv1, n.relu1 = conv_relu(n.data, 8, pad=100)
n.pool1 = L.Pooling(n.relu1, pool=P.Pooling.MAX, kernel_size=2, stride=2)
n.conv2, n.relu2 = conv_relu(n.pool1, 8)
n.pool2 = L.Pooling(n.relu2, pool=P.Pooling.MAX, kernel_size=2, stride=2)
n.fc = L.Convolution(n.pool2, kernel_size=7, num_output=8, pad=0)
n.score2 = L.Convolution(n.fc, kernel_size=1, num_output=3, pad=0)
n.up2 = L.Deconvolution(n.score2, convolution_param=dict(num_output=3, kernel_size=4, stride=2, bias_term=False))
n.score1 = L.Convolution(n.pool1, kernel_size=1, num_output=3)
n.score1c = crop(n.score1, n.up2)
n.fuse = L.Eltwise(n.up2, n.score1c, operation=P.Eltwise.SUM)
n.up = L.Deconvolution(n.fuse, convolution_param=dict(num_output=3, kernel_size=4, stride=2, bias_term=False))
n.score = crop(n.up, n.data)
print(n.to_proto())
""",
    "solver": """
import caffe
from caffe.proto import caffe_pb2
from google.protobuf import text_format
caffe.set_mode_cpu()
s = caffe_pb2.SolverParameter()
s.base_lr = 0.5
s.type = "Adam"
s.solver_mode = caffe_pb2.SolverParameter.GPU
s.net_param.layer.add(name="a", type="ReLU").include.add(phase=caffe_pb2.TEST)
s.train_state.stage.append("x")
print(text_format.MessageToString(s))
""",
    "message": """
from __future__ import print_function
import caffe.proto.caffe_pb2 as pb
from google.protobuf.text_format import Merge
net = pb.NetParameter()
Merge('layer { type: "Pooling" pooling_param { pool: AVE kernel_size: 2 } } layer { name: "b" }', net)
for layer in net.layer:
    if layer.pooling_param.pool == pb.PoolingParameter.AVE:
        layer.pooling_param.kernel_size = 3
print(net, pb.Phase.Value("TEST"), pb.PoolingParameter.PoolMethod.Name(1), len(net.SerializeToString()))
""",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts(name: str, caffe, tmp_path: Path) -> None:
    """What a script prints is what it prints with real pycaffe."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPTS[name])
    ours = subprocess.run([sys.executable, "-m", "prototools.pycaffe", str(path)], capture_output=True, text=True,
                          cwd=tmp_path, env={"PYTHONPATH": str(PROJECT)})
    assert ours.returncode == 0 and len(ours.stdout) > 40, ours.stderr
    assert ours.stdout == caffe.python(SCRIPTS[name])


CHAIN = """
n = NetSpec()
n.data = L.Input(shape=dict(dim=[1, 3, 64, 64]))
n.a = L.Convolution(n.data, kernel_size=5, stride=2, pad=1, num_output=4)
n.b = L.ReLU(n.a, in_place=True)
n.c = L.Pooling(n.b, kernel_size=3, stride=2, pad=1)
n.d = L.Convolution(n.c, kernel_size=[3, 3], dilation=2, pad=[2, 0], num_output=4)
n.e = L.Deconvolution(n.d, convolution_param=dict(kernel_size=4, stride=2, pad=1, num_output=4))
n.f = L.Crop(n.e, n.a, crop_param=dict(axis=2, offset=[1, 2]))
n.g = L.Eltwise(n.f, n.f)
n.h = L.Deconvolution(n.g, convolution_param=dict(kernel_size=4, stride=2, pad=1, num_output=4))
n.lost = L.InnerProduct(n.c, num_output=3)
n.other = L.Input(shape=dict(dim=[1, 3, 8, 8]))
n.axis = L.Convolution(n.h, kernel_size=3, axis=2, num_output=2)
names = list(n.tops)
found = []
for one in names:
    for other in names:
        for function in (coord_map_from_to, crop):
            try:
                if function is crop:
                    found.append(str(function(n[one], n[other]).fn.params["crop_param"]))
                else:
                    axis, a, b = function(n[one], n[other])
                    found.append("%s %s %s" % (axis, np.asarray(a).tolist(), np.asarray(b).tolist()))
            except AttributeError:
                # pycaffe's own slip where no spatial layer lies between the two.
                found.append("")
            except (RuntimeError, AssertionError, UndefinedMapException, AxisMismatchException) as error:
                found.append(type(error).__name__)
"""


def test_maps(caffe) -> None:
    """Every pair of blobs of a net with all kinds of layers: pycaffe's map, crop or exception."""
    names = {"NetSpec": NetSpec, "L": L, "np": np, **vars(coord_map)}
    exec(CHAIN, names)
    theirs = caffe.python(
        "import numpy as np\nfrom caffe import NetSpec, layers as L\nfrom caffe.coord_map import *\n"
        "from caffe.coord_map import coord_map_from_to, crop, UndefinedMapException, AxisMismatchException\n"
        + CHAIN + "print('\\n'.join(found))")
    ours = names["found"]
    assert len(ours) == 2 * 12 * 12 and len(set(ours)) > 30
    wanted = theirs.splitlines()
    assert len(wanted) == len(ours) and 12 <= wanted.count("") < 60
    assert [(i, a, b) for i, (a, b) in enumerate(zip(ours, wanted)) if a != b and b] == []


def test_maps_of_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script may add a type to pycaffe's list of those that leave places where they are."""
    n = NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 3, 9, 9]))
    n.own = L.BN(L.Convolution(n.data, kernel_size=3, num_output=2))
    with pytest.raises(RuntimeError, match="connected"):
        coord_map.coord_map_from_to(n.own, n.data)
    monkeypatch.setattr(coord_map, "PASS_THROUGH_LAYERS", [*coord_map.PASS_THROUGH_LAYERS])
    coord_map.PASS_THROUGH_LAYERS.append("BN")
    assert coord_map.coord_map_from_to(n.own, n.data)[2] == 1


def test_maps_of_one_side() -> None:
    """A kernel of its own for each axis has no place in a map."""
    n = NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 3, 9, 9]))
    n.sided = L.Convolution(n.data, kernel_h=3, kernel_w=3, num_output=2)
    with pytest.raises(AssertionError, match="only settings for all axes"):
        coord_map.coord_map_from_to(n.sided, n.data)


def test_arrays() -> None:
    """BlobProto, old and new, BlobProtoVector and Datum."""
    random = np.random.RandomState(0)
    array = random.randn(2, 3, 4)
    assert np.allclose(io.blobproto_to_array(io.array_to_blobproto(array)), array)
    assert np.allclose(io.blobproto_to_array(io.array_to_blobproto(array, 2 * array), True), 2 * array)
    old = caffe_pb2.BlobProto(num=1, channels=2, height=1, width=2, data=[1, 2, 3, 4])
    assert io.blobproto_to_array(old).shape == (1, 2, 1, 2)
    again = io.blobprotovector_str_to_arraylist(io.arraylist_to_blobprotovector_str([array, array[0]]))
    assert [one.shape for one in again] == [(2, 3, 4), (3, 4)]
    image = random.randint(0, 255, (3, 5, 4)).astype(np.uint8)
    datum = io.array_to_datum(image, 7)
    assert np.array_equal(io.datum_to_array(datum), image) and datum.label == 7
    assert np.allclose(io.datum_to_array(io.array_to_datum(array)), array)
    with pytest.raises(ValueError, match="shape"):
        io.array_to_datum(image[0])


# ---------------------------------------------------------------- images


@pytest.mark.parametrize("call", ["load_image('x.png')", "resize_image(np.eye(3)[:, :, None], (6, 6))",
                                  "resize_image(np.ones((3, 3, 2)), (6, 6))"])
def test_without_scikit_image(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence with the extra's name, and an ImportError for scripts that catch one."""
    for module in ("skimage", "skimage.io", "skimage.transform", "scipy", "scipy.ndimage"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'prototools\[skimage\]'") as caught:
        eval(f"io.{call}")
    assert isinstance(caught.value, PrototoolsError)


TRANSFORM = """
t = io.Transformer({"data": (2, 3, 6, 5), "grey": (1, 1, 4, 4)})
t.set_transpose("data", (2, 0, 1))
t.set_channel_swap("data", (2, 1, 0))
t.set_raw_scale("data", 255.0)
t.set_mean("data", np.array([104.0, 117.0, 123.0]))
t.set_input_scale("data", 0.017)
image = np.arange(90, dtype=np.float32).reshape(6, 5, 3) / 90
there = t.preprocess("data", image.copy())
found = [there, t.deprocess("data", there[np.newaxis])]
t.set_mean("data", np.arange(90.0).reshape(3, 6, 5))
found.append(t.preprocess("data", image.copy()))
t.set_transpose("grey", (2, 0, 1))
found.append(t.preprocess("grey", image[:4, :4, :1].copy()))
found.append(io.oversample([image, image + 1], (4, 3)))
found.append(io.oversample([image], (6, 5)))
for wrong in ("t.preprocess('no', image)", "t.set_transpose('data', (0, 1))",
              "t.set_channel_swap('data', (0, 1))", "t.set_mean('data', np.zeros(2))",
              "t.set_mean('data', np.zeros((1, 1, 1, 1)))", "t.set_raw_scale('no', 1)"):
    try:
        eval(wrong)
        found.append("none")
    except Exception as error:
        found.append(type(error).__name__)
"""


def test_transformer(caffe) -> None:
    """Inputs from images and back, crops, and the kinds of errors: pycaffe's."""
    names = {"io": io, "np": np}
    exec(TRANSFORM, names)
    theirs = json.loads(caffe.python(
        "import json\nimport numpy as np\nfrom caffe import io\n" + TRANSFORM
        + "print(json.dumps([one if isinstance(one, str) else one.tolist() for one in found]))"))
    assert len(theirs) == len(names["found"]) == 12
    for ours, wanted in zip(names["found"], theirs):
        if isinstance(wanted, str):
            assert ours == wanted != "none"
        else:
            assert ours.dtype == np.float32 and np.allclose(ours, wanted, rtol=1e-6, atol=1e-6)


def test_preprocess_leaves_the_image_alone() -> None:
    transformer, image = io.Transformer({"data": (1, 3, 2, 2)}), np.ones((2, 2, 3), np.float32)
    transformer.set_raw_scale("data", 255)
    assert transformer.preprocess("data", image).max() == 255 and image.max() == 1


def test_images(tmp_path: Path) -> None:
    """Files in colour, grey and with alpha; sizes up and down; a mean of another size."""
    skimage_io = pytest.importorskip("skimage.io")
    random = np.random.RandomState(0)
    image = random.randint(0, 255, (6, 5, 4)).astype(np.uint8)
    for name, stored, shape in (("rgb", image[:, :, :3], (6, 5, 3)), ("alpha", image, (6, 5, 3)),
                                ("grey", image[:, :, 0], (6, 5, 3))):
        path = str(tmp_path / f"{name}.png")
        skimage_io.imsave(path, stored, check_contrast=False)
        loaded = io.load_image(path)
        assert loaded.shape == shape and loaded.dtype == np.float32
        assert np.allclose(loaded * 255, stored[..., :3] if stored.ndim == 3 else stored[..., None], atol=1e-3)
    assert io.load_image(path, color=False).shape == (6, 5, 1)
    # Twice as large with pixel centres on pixel centres: two neighbours at a time, 3/4 and 1/4.
    row = np.array([1.0, 5.0, 9.0], np.float32)[None, :, None].repeat(3, 0)
    assert np.allclose(io.resize_image(row, (3, 6))[1, 1:5, 0], [2, 4, 6, 8], atol=1e-5)
    assert np.allclose(io.resize_image(np.full((2, 2, 3), 7.0), (3, 5)), 7)
    corners = io.resize_image(np.arange(8, dtype=float).reshape(2, 2, 2), (3, 3))
    assert corners.shape == (3, 3, 2) and np.allclose(corners[1, 1], [3, 4])
    transformer = io.Transformer({"data": (1, 3, 12, 10)})
    transformer.set_mean("data", random.rand(3, 6, 5))
    assert transformer.mean["data"].shape == (3, 12, 10)


def test_module() -> None:
    """Names that scripts touch: constants, devices, what cannot run, and what there is not."""
    assert (caffe_again.TRAIN, caffe_again.TEST, caffe_pb2.TRAIN, caffe_pb2.TEST) == (0, 1, 0, 1)
    assert caffe_again.set_mode_gpu() is None and caffe_again.set_device(3) is None
    assert "Convolution" in caffe_again.layer_type_list() and "NetParameter" in dir(caffe_pb2)
    with pytest.raises(NotImplementedError, match="prototools caffe run"):
        caffe_again.SGDSolver("solver.prototxt")
    assert not hasattr(caffe_pb2, "NoSuchMessage")
    with pytest.raises(AttributeError, match="has no 'no_such'"):
        caffe_again.__getattr__("no_such")
    assert text_format.Parse('name: "x"', caffe_pb2.NetParameter()).name == "x"


def test_the_package_as_caffe() -> None:
    """`import prototools as caffe`: what scripts that build networks take from it."""
    for name in ("NetSpec", "layers", "params", "to_proto", "Top", "Function", "TRAIN", "TEST", "proto", "coord_map",
                 "io", "net_spec", "Net"):
        assert getattr(prototools, name) is getattr(caffe_again, name)
    assert prototools.set_mode_cpu() is None
    assert prototools.proto.caffe_pb2.NetParameter is caffe_pb2.NetParameter
    # Only what is listed is looked for, so that a wrong name loads nothing.
    with pytest.raises(AttributeError, match="prototools has no 'classifier'"):
        getattr(prototools, "classifier")  # noqa: B009
