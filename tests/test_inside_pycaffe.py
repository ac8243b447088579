"""Inside real Caffe's own Python: prototools and pycaffe in one process, and messages from one to the other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

#: The ways to import both, each in a process of its own.
ORDERS = {
    "prototools first": "from prototools import schema; schema.message('NetParameter'); import caffe",
    "pycaffe first": "import caffe; from prototools import schema; schema.message('NetParameter')",
    "the stand-in beside it": "import prototools.pycaffe as ours; ours.caffe_pb2.NetParameter; import caffe",
    "as caffe, then the real one": "import prototools as ours; ours.proto.caffe_pb2.Datum; import caffe",
}

#: Builds the article's network on both NetSpecs and runs pycaffe's on Caffe.
BOTH = """
import json, tempfile
import numpy as np
from prototools import NetSpec, layers as L, upsample
texts = []
for kind, layers in ((caffe.NetSpec, caffe.layers), (NetSpec, L)):
    n = kind()
    n.data = layers.Input(shape=dict(dim=[1, 2, 4, 5]))
    n.up = upsample.bilinear(n.data, 2, 2)
    texts.append(str(n.to_proto()))
with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
    file.write(texts[0])
    file.flush()
    net = caffe.Net(file.name, caffe.TEST)
net.blobs["data"].data[...] = 1
print(json.dumps([texts, net.forward()["up"][0, 0, 3, 4].item()]))
"""


@pytest.mark.parametrize("order", ORDERS)
def test_import_orders(order: str, caffe) -> None:
    """Neither hinders the other, in whichever order they come: pools, classes and networks stay apart."""
    texts, value = json.loads(caffe.python(f"{ORDERS[order]}\n{BOTH}", pythonpath=[PROJECT]).splitlines()[-1])
    assert texts[0] == texts[1] and "bilinear" in texts[0] and value == 1


#: Every block that the builder has, with its arguments; `s` is the bottom's shape.
BLOCKS = {
    "bilinear": "upsample.bilinear(d, 3, 2)",
    "nearest": "upsample.nearest(d, (2, 3), 2, gain=0.5)",
    "zoom": "upsample.interp(d, 2, zoom=3)",
    "filler safe": "upsample.interp(d, 2, zoom=2, filler_safe=True)",
    "size": "upsample.interp(d, height=7, width=13, in_shape=s)",
    "shrink": "upsample.interp(d, 2, shrink=2, in_shape=s)",
    "half-pixel": "upsample.resize(d, 2, scale=2, mode='bilinear', in_shape=s)",
    "bicubic": "upsample.resize(d, size=(7, 9), mode='bicubic', in_shape=s)",
    "area": "upsample.resize(d, size=(2, 3), mode='area', in_shape=s)",
    "learnable": "upsample.learnable(d, 2, 2, 4)",
}

EACH = """
import json, tempfile
import caffe
import numpy as np
from prototools import NetSpec, layers as L, upsample
found = {{}}
for name, code in {blocks!r}.items():
    specs = []
    for kind, layers in ((caffe.NetSpec, caffe.layers), (NetSpec, L)):
        n = kind()
        s = (1, 2, 4, 5)
        n.data = d = layers.Input(shape=dict(dim=list(s)))
        n.up = eval(code)
        specs.append(n)
    theirs, ours = specs[0].to_proto(), specs[1].to_proto()
    net = caffe.Net(net_file(str(theirs)), caffe.TEST)
    image = np.random.RandomState(0).randn(1, 2, 4, 5)
    net.blobs["data"].data[...] = image
    for layer, array in upsample.weights_of(specs[0]).items():
        net.params[layer][0].data[...] = array
    again = caffe.Net(net_file(str(ours)), caffe.TEST)
    if upsample.weights_of(specs[1]):
        with tempfile.NamedTemporaryFile(suffix=".caffemodel") as file:
            upsample.save_weights(specs[1], file.name)
            again.copy_from(file.name)
    again.blobs["data"].data[...] = image
    one, other = net.forward()["up"], again.forward()["up"]
    found[name] = [theirs.SerializeToString() == ours.SerializeToString(), list(one.shape),
                   bool(np.array_equal(one, other)), float(np.abs(one).max()), len(upsample.weights_of(specs[1]))]
print(json.dumps(found))
"""

NET_FILE = """
def net_file(text, kept=[]):
    import tempfile
    kept.append(tempfile.NamedTemporaryFile("w", suffix=".prototxt"))
    kept[-1].write(text)
    kept[-1].flush()
    return kept[-1].name
"""


def test_blocks_on_both(caffe) -> None:
    """Every block on pycaffe's NetSpec is the block on ours, runs there, and takes the same weights both ways."""
    found = json.loads(caffe.python(NET_FILE + EACH.format(blocks=BLOCKS), pythonpath=[PROJECT]).splitlines()[-1])
    assert {name: row[0] for name, row in found.items()} == dict.fromkeys(BLOCKS, True)
    assert {name: row[2] for name, row in found.items()} == dict.fromkeys(BLOCKS, True)
    sizes = {name: tuple(row[1][2:]) for name, row in found.items()}
    assert sizes == {
        "bilinear": (12, 15), "nearest": (8, 15), "zoom": (10, 13), "filler safe": (7, 9), "size": (7, 13),
        "shrink": (2, 3), "half-pixel": (8, 10), "bicubic": (7, 9), "area": (2, 3), "learnable": (8, 10),
    }
    assert {name for name, row in found.items() if row[4]} == {"bicubic", "area"}
    # What is trained has no filler, and is zero until it is.
    assert all((row[3] > 0.1) == (name != "learnable") for name, row in found.items())


#: A message of each kind that is exchanged: how it is filled, with the classes of one side.
MESSAGES = {
    "NetParameter": """
m.name = "net"
layer = m.layer.add(name="c", type="Convolution", bottom=["a"], top=["b"], loss_weight=[0.5])
layer.convolution_param.kernel_size.extend([3, 5])
layer.convolution_param.weight_filler.type = "bilinear"
layer.blobs.add(data=[1.5, -2], double_data=[0.1]).shape.dim.extend([1, 2])
layer.include.add(phase=pb.TEST, stage=["x"])
m.layers.add(name="old", type=pb.V1LayerParameter.POOLING).pooling_param.pool = pb.PoolingParameter.AVE
m.input_dim.extend([1, 2, 3, 4])""",
    "SolverParameter": """
m.base_lr = 0.01
m.stepvalue.extend([10, 20])
m.solver_mode = pb.SolverParameter.GPU
m.train_state.stage.append("x")
m.net_param.layer.add(name="a")""",
    "BlobProto": "m.shape.dim.extend([2, 1])\nm.data.extend([0.1, 3e38])\nm.num = 2",
    "Datum": "m.channels = 3\nm.data = b'\\x00\\xff'\nm.label = -1\nm.float_data.append(0.5)",
    "BlobProtoVector": "m.blobs.add(data=[1]).shape.dim.append(1)",
    "SolverState": "m.iter = 7\nm.history.add(data=[1])",
}

EXCHANGE = """
import json
import caffe
from caffe.proto import caffe_pb2 as theirs
from prototools.pycaffe import caffe_pb2 as ours
found = {{}}
for kind, code in {messages!r}.items():
    made = []
    for pb in (theirs, ours):
        m = getattr(pb, kind)()
        exec(code, {{"m": m, "pb": pb}})
        made.append(m)
    there = getattr(theirs, kind).FromString(made[1].SerializeToString())
    here = getattr(ours, kind).FromString(made[0].SerializeToString())
    found[kind] = [made[0] == there, made[1] == here, str(made[0]) == str(made[1]), made[0].ByteSize(),
                   type(made[0]) is type(made[1])]
print(json.dumps(found))
"""


def test_messages_are_exchanged(caffe) -> None:
    """Bytes of pycaffe's messages are read by ours and the other way round; the classes stay apart."""
    found = json.loads(caffe.python(EXCHANGE.format(messages=MESSAGES), pythonpath=[PROJECT]).splitlines()[-1])
    assert set(found) == set(MESSAGES)
    for kind, (there, here, text, size, one_class) in found.items():
        assert there and here and text and size > 5 and not one_class, kind


ARRAYS = """
import json
import numpy as np
import caffe
from prototools.pycaffe import io
array = np.random.RandomState(0).randn(2, 3, 4)
image = np.random.RandomState(1).randint(0, 255, (3, 4, 5)).astype(np.uint8)
found = []
for writer, reader in ((io, caffe.io), (caffe.io, io)):
    found.append(np.allclose(reader.blobproto_to_array(writer.array_to_blobproto(array)), array))
    found.append(np.array_equal(reader.datum_to_array(writer.array_to_datum(image, 3)), image))
    several = reader.blobprotovector_str_to_arraylist(writer.arraylist_to_blobprotovector_str([array, array[0]]))
    found.append([one.shape for one in several] == [(2, 3, 4), (3, 4)])
print(json.dumps([bool(one) for one in found]))
"""


def test_arrays_are_exchanged(caffe) -> None:
    """A blob, an image and a list of blobs that one side writes are read by the other."""
    assert json.loads(caffe.python(ARRAYS, pythonpath=[PROJECT]).splitlines()[-1]) == [True] * 6


ROUND = """
import json
import caffe
from caffe import layers as L, params as P
from prototools import NetSpec
n = caffe.NetSpec()
n.data, n.label = L.DummyData(shape=[dict(dim=[2, 3, 8, 8]), dict(dim=[2])], ntop=2)
n.conv = L.Convolution(n.data, num_output=4, kernel_size=3, param=[dict(lr_mult=0.1), dict(lr_mult=2)])
n.relu = L.ReLU(n.conv, in_place=True)
n.pool = L.Pooling(n.relu, pool=P.Pooling.AVE, kernel_size=2)
n.loss = L.SoftmaxWithLoss(L.InnerProduct(n.pool, num_output=5), n.label, loss_param=dict(ignore_label=3))
net = n.to_proto()
again = NetSpec.from_proto(net)
names = {"__name__": "made"}
exec(again.to_python(), names)
print(json.dumps([again.to_proto().SerializeToString() == net.SerializeToString(),
                  names["n"].to_proto().SerializeToString() == net.SerializeToString(), again.pool.shape]))
"""


def test_a_net_of_pycaffe_becomes_ours(caffe) -> None:
    """NetSpec.from_proto reads pycaffe's message, and its code makes it again."""
    found = json.loads(caffe.python(ROUND, pythonpath=[PROJECT]).splitlines()[-1])
    assert found == [True, True, [2, 4, 5, 5]]
