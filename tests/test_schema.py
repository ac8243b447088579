"""Our caffe.proto against the descriptor inside real pycaffe, and its private pool."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, text_format

from prototools import schema
from prototools.errors import SchemaError

PROJECT = Path(__file__).resolve().parents[1]
COMPILED = PROJECT / "proto" / "caffe.desc"

FieldProto = descriptor_pb2.FieldDescriptorProto
FileProto = descriptor_pb2.FileDescriptorProto
_FLOATS = (FieldProto.TYPE_FLOAT, FieldProto.TYPE_DOUBLE)


def compiled(data: bytes) -> FileProto:
    (file,) = descriptor_pb2.FileDescriptorSet.FromString(data).file
    return file


@pytest.fixture(scope="module")
def ours() -> FileProto:
    return compiled(COMPILED.read_bytes())


@pytest.fixture(scope="module")
def theirs(caffe) -> FileProto:
    code = (
        "from caffe.proto import caffe_pb2; "
        "print(caffe_pb2.DESCRIPTOR.serialized_pb.hex())"
    )
    return FileProto.FromString(bytes.fromhex(caffe.python(code).strip()))


# ---------------------------------------------------------------- the comparison


def facts(file: FileProto) -> dict[str, str]:
    """Everything about a file that reaches the wire or a reader, one line for each."""
    found = {"package": file.package, "syntax": file.syntax or "proto2"}
    for enum in file.enum_type:
        found.update(enum_facts(enum, ""))
    for message in file.message_type:
        found.update(message_facts(message, ""))
    return found


def message_facts(message, owner: str) -> Iterator:
    name = f"{owner}{message.name}"
    yield f"message {name}", f"{len(message.extension_range)} {len(message.oneof_decl)}"
    for field in message.field:
        yield f"{name}.{field.name}", field_facts(field)
    for enum in message.enum_type:
        yield from enum_facts(enum, f"{name}.")
    for inner in message.nested_type:
        yield from message_facts(inner, f"{name}.")


def field_facts(field) -> str:
    default = field.default_value if field.HasField("default_value") else None
    if default is not None and field.type in _FLOATS:
        default = str(float(default))
    return (
        f"number {field.number}, {FieldProto.Label.Name(field.label)}, "
        f"{FieldProto.Type.Name(field.type)} {field.type_name}, default {default!r}, "
        f"packed {field.options.packed}"
    )


def enum_facts(enum, owner: str) -> Iterator:
    yield f"enum {owner}{enum.name}", ""
    for value in enum.value:
        yield f"{owner}{enum.name}.{value.name}", f"number {value.number}"


def differences(ours: FileProto, theirs: FileProto) -> list[str]:
    left, right = facts(ours), facts(theirs)
    return [
        f"{name}: {left.get(name, 'absent')} instead of {right.get(name, 'absent')}"
        for name in sorted({*left, *right}) if left.get(name) != right.get(name)
    ]


def test_same_as_in_pycaffe(ours: FileProto, theirs: FileProto) -> None:
    """Every message, field, number, type, label, default, packing and enum value."""
    assert len(facts(theirs)) == 625
    assert differences(ours, theirs) == []


def named(things, name: str):
    return next(thing for thing in things if thing.name == name)


def field_of(file: FileProto, path: str):
    message, name = path.split(".")
    return named(named(file.message_type, message).field, name)


def remove(things, name: str) -> None:
    things.remove(named(things, name))


#: A planted mistake, and what must be told about it.
MISTAKES = [
    pytest.param(lambda f: setattr(field_of(f, "PoolingParameter.pad"), "number", 40),
                 "PoolingParameter.pad: number 40", id="number"),
    pytest.param(lambda f: setattr(field_of(f, "LRNParameter.beta"), "default_value", "0.7"),
                 "LRNParameter.beta: .* default '0.7'", id="default"),
    pytest.param(lambda f: field_of(f, "LRNParameter.beta").ClearField("default_value"),
                 "LRNParameter.beta: .* default None", id="no default"),
    pytest.param(lambda f: setattr(field_of(f, "BlobShape.dim"), "type", FieldProto.TYPE_INT32),
                 "BlobShape.dim: .* TYPE_INT32", id="type"),
    pytest.param(lambda f: setattr(field_of(f, "ClipParameter.min"), "label", 1),
                 "ClipParameter.min: .* LABEL_OPTIONAL", id="label"),
    pytest.param(lambda f: field_of(f, "BlobProto.data").options.ClearField("packed"),
                 "BlobProto.data: .* packed False", id="packing lost"),
    pytest.param(lambda f: setattr(field_of(f, "Datum.float_data").options, "packed", True),
                 "Datum.float_data: .* packed True", id="packing added"),
    pytest.param(lambda f: setattr(field_of(f, "LayerParameter.swish_param"), "type_name", ".Clip"),
                 "LayerParameter.swish_param: .* .Clip", id="type name"),
    pytest.param(lambda f: remove(named(f.message_type, "LayerParameter").field, "tile_param"),
                 "LayerParameter.tile_param: absent", id="field missing"),
    pytest.param(lambda f: setattr(field_of(f, "LayerParameter.top"), "name", "tops"),
                 "LayerParameter.tops: .* instead of absent", id="field renamed"),
    pytest.param(lambda f: remove(f.message_type, "V0LayerParameter"),
                 "message V0LayerParameter: absent", id="message missing"),
    pytest.param(lambda f: setattr(named(f.enum_type, "Phase").value[0], "number", 3),
                 "Phase.TRAIN: number 3", id="enum number"),
    pytest.param(lambda f: remove(
        named(named(f.message_type, "V1LayerParameter").enum_type, "LayerType").value, "EXP"),
                 "V1LayerParameter.LayerType.EXP: absent", id="enum value missing"),
    pytest.param(lambda f: setattr(f, "package", "coffee"), "package: coffee", id="package"),
]  # fmt: skip


@pytest.mark.parametrize("plant, told", MISTAKES)
def test_planted_mistake_is_found(plant: Callable, told: str, ours: FileProto) -> None:
    """The comparison sees every kind of difference."""
    wrong = FileProto()
    wrong.CopyFrom(ours)
    plant(wrong)
    assert any(re.search(told, difference) for difference in differences(wrong, ours))


def test_nothing_is_found_without_a_mistake(ours: FileProto) -> None:
    assert differences(ours, ours) == []


def test_compiled_is_up_to_date(ours: FileProto, tmp_path: Path) -> None:
    """caffe.desc is caffe.proto, compiled."""
    protoc = pytest.importorskip("grpc_tools.protoc", reason="grpcio-tools is not installed")
    out = tmp_path / "caffe.desc"
    folder, source = COMPILED.parent, COMPILED.with_suffix(".proto")
    assert not protoc.main(["protoc", f"-I{folder}", f"--descriptor_set_out={out}", str(source)])
    assert compiled(out.read_bytes()) == ours


def test_every_message_is_explained() -> None:
    """A comment stands above every message of caffe.proto."""
    lines = COMPILED.with_suffix(".proto").read_text().split("\n")
    bare = [
        line for above, line in zip(lines, lines[1:])
        if line.startswith("message ") and not above.startswith("// ")
    ]
    assert bare == [] and max(map(len, lines)) <= 100


# ---------------------------------------------------------------- the pool


def test_private_pool() -> None:
    """The default pool knows nothing of ours."""
    from google.protobuf import descriptor_pool

    schema.message("NetParameter")
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("caffe.NetParameter")


@pytest.mark.parametrize("first, second", [("caffe", "ours"), ("ours", "caffe")])
def test_beside_pycaffe(first: str, second: str, caffe) -> None:
    """Both schemas work in one process, whichever comes first, and read each other's bytes."""
    imports = {
        "caffe": "import caffe; from caffe.proto import caffe_pb2; ",
        "ours": "from prototools import schema; mine = schema.message('NetParameter')(); ",
    }
    code = imports[first] + imports[second] + (
        "mine.layer.add(name='a', type='Pooling').pooling_param.pool = 1; "
        "real = caffe_pb2.NetParameter.FromString(mine.SerializeToString()); "
        "assert real.DESCRIPTOR is not mine.DESCRIPTOR; "
        "assert type(mine).FromString(real.SerializeToString()) == mine; "
        "assert str(real) == str(mine); print('fine')"
    )
    assert caffe.python(code, pythonpath=[PROJECT]) == "fine\n"


def alone(folder: Path) -> subprocess.CompletedProcess:
    """Load the schema from a package in `folder`, as if it were installed there."""
    for name in ("__init__.py", "errors.py", "schema.py"):
        shutil.copy(PROJECT / "prototools" / name, folder / "prototools" / name)
    code = "from prototools import schema; print(schema.message('BlobShape')(dim=[1]))"
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)


def test_installed(tmp_path: Path) -> None:
    """In an installed package caffe.desc lies inside."""
    (tmp_path / "prototools" / "proto").mkdir(parents=True)
    shutil.copy(COMPILED, tmp_path / "prototools" / "proto")
    assert alone(tmp_path).stdout == "dim: 1\n\n"


def test_badly_installed(tmp_path: Path) -> None:
    (tmp_path / "prototools").mkdir()
    assert "SchemaError: prototools must have its file proto/caffe.desc" in alone(tmp_path).stderr


# ---------------------------------------------------------------- the API

#: The field of LayerParameter that a layer type has for itself.
OWN = {
    "Convolution": "convolution_param", "InnerProduct": "inner_product_param", "ELU": "elu_param",
    "HDF5Data": "hdf5_data_param", "PReLU": "prelu_param", "Parameter": "parameter_param",
    "Recurrent": "recurrent_param", "MVN": "mvn_param", "ArgMax": "argmax_param",
    "Deconvolution": None, "SoftmaxWithLoss": None, "LSTM": None, "Interp": None, "": None,
}  # fmt: skip


@pytest.mark.parametrize("layer_type", OWN)
def test_parameter_name(layer_type: str) -> None:
    assert schema.parameter_name(layer_type) == OWN[layer_type]


def test_parameter_names_are_pycaffes(caffe) -> None:
    code = "from caffe.net_spec import param_name_dict as d; print(*map('='.join, d().items()))"
    theirs = dict(pair.split("=") for pair in caffe.python(code).split())
    assert len(theirs) > 45
    assert {name: f"{field}_param" for name, field in theirs.items()} == {
        name: schema.parameter_name(name) for name in theirs
    }


def test_message_and_enum() -> None:
    net = schema.message("NetParameter")(name="n")
    net.layer.add().include.add().phase = schema.enum("Phase").Value("TEST")
    assert schema.message("NetParameter").FromString(net.SerializeToString()) == net
    assert schema.message("NetParameter") is type(net)
    assert schema.enum("HingeLossParameter.Norm").items() == [("L1", 1), ("L2", 2)]
    assert len(list(schema.message_names())) == 63


@pytest.mark.parametrize("call, told", [
    pytest.param(lambda: schema.message("NetParam"), "did you mean 'NetParameter'", id="message"),
    pytest.param(lambda: schema.message("Zzz"), "no message 'Zzz'.", id="message, nothing near"),
    pytest.param(lambda: schema.enum("phase"), "did you mean 'Phase'", id="enum"),
    pytest.param(lambda: schema.enum("Zzz"), "no enum 'Zzz'.", id="enum, nothing near"),
])  # fmt: skip
def test_unknown_name(call: Callable, told: str) -> None:
    with pytest.raises(SchemaError, match=told):
        call()


def test_kinds() -> None:
    """What `fields` says of one field of every kind."""
    known = {
        (message, name): schema.fields(schema.message(message).DESCRIPTOR)[name]
        for message, name in [
            ("LayerParameter", "param"), ("LayerParameter", "phase"), ("BlobShape", "dim"),
            ("BlobProto", "double_data"), ("Datum", "data"), ("Datum", "encoded"),
            ("Datum", "label"), ("FillerParameter", "type"),
        ]
    }
    assert [(f.kind, f.type_name, f.repeated) for f in known.values()] == [
        ("message", "ParamSpec", True), ("enum", "Phase", False), ("int", "int64", True),
        ("float", "double", True), ("bytes", "bytes", False), ("bool", "bool", False),
        ("int", "int32", False), ("str", "string", False),
    ]  # fmt: skip


# ---------------------------------------------------------------- text

#: A message in text, as protobuf 3.12 prints it.
PRINTED = r'''name: "caf\303\251 \'\"\\\n\t\r\001\177"
force_backward: true
layer {
  loss_weight: 0.10000000149011612
  loss_weight: 0.0
  loss_weight: 10000000000.0
  loss_weight: inf
  loss_weight: -inf
  loss_weight: nan
  blobs {
    data: 1.0000000116860974e-07
    shape {
      dim: -1
      dim: 4
    }
    double_data: 0.1
  }
  phase: TEST
  propagate_down: false
  dummy_data_param {
    data_filler {
    }
  }
}
'''


def test_text() -> None:
    """`str` prints as pycaffe does, on every protobuf, whole messages and parts of them."""
    net = text_format.Parse(PRINTED, schema.message("NetParameter")())
    assert str(net) == repr(net) == schema.text(net) == PRINTED
    assert str(net.layer[0].blobs[0].shape) == "dim: -1\ndim: 4\n"
    assert str(type(net)()) == ""


def test_text_is_pycaffes(caffe) -> None:
    code = (
        "from caffe.proto import caffe_pb2; from google.protobuf import text_format; "
        f"print(text_format.Parse({PRINTED!r}, caffe_pb2.NetParameter()), end='')"
    )
    assert caffe.python(code) == PRINTED
