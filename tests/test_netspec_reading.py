"""Networks into NetSpecs and into Python, and back to equal messages."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import netspec_scripts
import pytest
from command_line import call
from google.protobuf import text_format

from prototools import NetSpec, netspec, schema
from prototools import layers as L
from prototools.errors import NetError, ProtoTextError, SchemaError
from prototools.netspec import TEST, TRAIN, blob
from prototools.upgrading import upgrade


def message(text: str) -> Any:
    """A net as protobuf's own parser reads it."""
    return text_format.Parse(text, schema.message("NetParameter")())


def run(code: str) -> Any:
    """The message that a program's NetSpec makes."""
    names: dict[str, Any] = {"__name__": "imported"}
    exec(compile(code, "net.py", "exec"), names)
    return names["n"].to_proto()


#: A net, and the lines of its code that show how it is written.
NETS = {
    "layer called after its top": (
        'layer { name: "a" type: "Input" top: "a" input_param { shape { dim: 1 dim: 2 } } }',
        ["n.a = L.Input(shape=dict(dim=[1, 2]))"],
    ),
    "another name": (
        'layer { name: "in" type: "Input" top: "a" }', ['n.a = L.Input(name="in")'],
    ),
    "no name for Python": (
        'layer { name: "a/b" type: "Input" top: "a/b" } '
        'layer { name: "to_proto" type: "ReLU" bottom: "a/b" top: "to_proto" }'
        'layer { name: "if" type: "ReLU" bottom: "to_proto" top: "if" }',
        ['n["a/b"] = L.Input()', 'n["to_proto"] = L.ReLU(n["a/b"])', 'n["if"] = L.ReLU(n["to_proto"])'],
    ),
    "names that the NetSpec has": (
        'layer { name: "tops" type: "Input" top: "tops" } '
        'layer { name: "_settings" type: "ReLU" bottom: "tops" top: "_settings" }'
        'layer { name: "keys" type: "ReLU" bottom: "_settings" top: "keys" }'
        'layer { name: "r" type: "ReLU" bottom: "keys" top: "r" }',
        ['n["tops"] = L.Input()', 'n["_settings"] = L.ReLU(n["tops"])', "n.keys = L.ReLU(n[\"_settings\"])",
         "n.r = L.ReLU(n.keys)"],
    ),
    "letters that Python takes for others": (
        'layer { name: "\u017f" type: "\ufb01" top: "\u017f" } '
        'layer { name: "\u00e9" type: "ReLU" bottom: "\u017f" top: "\u00e9" }',
        ['n["\u017f"] = getattr(L, "\ufb01")()', 'n.\u00e9 = L.ReLU(n["\u017f"])'],
    ),
    "in place": (
        'layer { name: "a" type: "Input" top: "a" } layer { name: "r" type: "ReLU" bottom: "a" top: "a" }'
        'layer { name: "s" type: "Silence" bottom: "a" }',
        ["n.r = L.ReLU(n.a, in_place=True)", "n.s = L.Silence(n.r, ntop=0)"],
    ),
    "in place under its blob's name": (
        'layer { name: "a" type: "Input" top: "a" } layer { name: "a" type: "ReLU" bottom: "a" top: "a" }',
        ['n.a_2 = L.ReLU(n.a, name="a", in_place=True)'],
    ),
    "one blob in two phases": (
        'layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN } }'
        'layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST } }'
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "data" bottom: "label" top: "loss" }',
        ['n.data, n.label = L.Data(include=dict(phase=TRAIN), ntop=2)',
         'n.data_test, n.label_test = L.Data(name="data", include=dict(phase=TEST), tops=["data", "label"])',
         "n.loss = L.SoftmaxWithLoss(n.data_test, n.label_test)"],
    ),
    "one of two in place": (
        'layer { name: "a" type: "DummyData" top: "a" top: "b" }'
        'layer { name: "c" type: "Python" bottom: "a" bottom: "b" top: "a" top: "c" }',
        ['n.c, n.c_2 = L.Python(n.a, n.b, tops=["a", "c"])'],
    ),
    "one blob twice": (
        'layer { name: "s" type: "Slice" bottom: "x" top: "a" top: "a" }', ['L.Slice(blob("x"), tops=["a", "a"])'],
    ),
    "a blob from elsewhere": (
        'layer { name: "r" type: "ReLU" bottom: "later" top: "r" } layer { name: "later" type: "Input" top: "later" }',
        ['n.r = L.ReLU(blob("later"))'],
    ),
    "old inputs": (
        'name: "Old" input: "data" input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 5 force_backward: true '
        'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }',
        ['n = NetSpec(name="Old", input="data", input_dim=[1, 3, 4, 5], force_backward=True)', "n.r = L.ReLU(n.data)"],
    ),
    "settings of every kind": (
        'layer { name: "c" type: "Convolution" bottom: "x" top: "c" param { lr_mult: 0.1 share_mode: PERMISSIVE } '
        'param { } loss_weight: 1e-7 propagate_down: true phase: TEST convolution_param { num_output: 2 '
        'kernel_size: 3 kernel_size: 5 engine: CAFFE weight_filler { type: "msra" variance_norm: AVERAGE } '
        'bias_filler { } } }',
        ['bias_filler=caffe_pb2.FillerParameter()', 'param=[dict(share_mode="PERMISSIVE", lr_mult=0.1), dict()]',
         "kernel_size=[3, 5]", "engine=P.Convolution.CAFFE", "variance_norm=P.Filler.AVERAGE", "phase=TEST",
         "loss_weight=1e-07"],
    ),
    "borrowed settings": (
        'layer { name: "d" type: "Deconvolution" bottom: "x" top: "d" convolution_param { num_output: 2 } }',
        ['n.d = L.Deconvolution(blob("x"), num_output=2)'],
    ),
    "two messages": (
        'layer { name: "d" type: "Data" top: "d" data_param { source: "s" } transform_param { scale: 0.00390625 } '
        'include { phase: TRAIN stage: "a" not_stage: "b" } exclude { min_level: 3 } }',
        ['source="s"', "transform_param=dict(scale=0.00390625)", 'include=dict(phase=TRAIN, stage="a", not_stage="b")'],
    ),
    "an empty message": (
        'layer { name: "r" type: "ReLU" bottom: "x" top: "r" relu_param { } }',
        ["relu_param=caffe_pb2.ReLUParameter()"],
    ),
    "numbers at the edge": (
        'layer { name: "p" type: "Power" bottom: "x" top: "p" power_param { power: inf scale: nan shift: -0.0 } '
        'loss_weight: 3.4028235e38 loss_weight: 16777217 loss_weight: -1.1754944e-38 loss_weight: 1e-45 }',
        ['power=float("inf")', 'scale=float("nan")', "shift=-0.0"],
    ),
    "texts": (
        r'''layer { name: "a'b" type: "Python" top: "t" '''
        r'''python_param { module: "m\n\"\\" layer: "\303\266" param_str: "" } }''',
        ['''name="a'b"'''],
    ),
    "a type of a fork": (
        'layer { name: "x" type: "Own/Layer" bottom: "a" top: "x" } '
        'layer { name: "y" type: "lambda" bottom: "x" top: "y" }',
        ['n.x = getattr(L, "Own/Layer")(blob("a"))', 'n.y = getattr(L, "lambda")(n.x)'],
    ),
    "weights inside": (
        'layer { name: "b" type: "Bias" bottom: "x" top: "b" '
        'blobs { shape { dim: 2 } data: 1 data: 0.3 double_data: 0.1 } }',
        ["blobs=dict(data=[1, 0.3], shape=dict(dim=[2]), double_data=0.1)"],
    ),
    "nothing": ("", ["n = NetSpec()"]),
}


@pytest.mark.parametrize("case", NETS)
def test_net(case: str) -> None:
    """Text to NetSpec to message, and text to code to message: the message that protobuf reads."""
    text, lines = NETS[case]
    spec = NetSpec.from_prototxt(text)
    code = spec.to_python()
    for made in (spec.to_proto(), run(code), NetSpec.from_proto(spec.to_proto()).to_proto(),
                 pickle.loads(pickle.dumps(spec)).to_proto()):
        # As bytes, because nan is not equal to itself.
        assert made.SerializeToString(deterministic=True) == message(text).SerializeToString(deterministic=True)
    for line in lines:
        assert line in code, code
    assert NetSpec.from_prototxt(text.encode()).to_python() == code


def test_code_is_stable_and_narrow() -> None:
    """What to_python writes is no wider than a page, and the same for the net that it makes."""
    spec = NetSpec()
    spec.data = L.Input(shape=dict(dim=list(range(1, 99))))
    spec.many = L.Concat(*[L.ReLU(spec.data) for _ in range(40)], param=[dict(lr_mult=index) for index in range(30)])
    code = spec.to_python()
    assert max(map(len, code.splitlines())) <= 100 and run(code) == spec.to_proto()
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["n"].to_python() == code


@pytest.mark.parametrize("script", netspec_scripts.SCRIPTS, ids=lambda script: script.__name__)
def test_scripts(script: Any) -> None:
    """Nets that were built: half their blobs have no name of their own."""
    net = message(str(script(netspec)))
    spec = NetSpec.from_proto(net)
    assert spec.to_proto() == net == run(spec.to_python()) and len(net.layer) > 5


def corpus(shared: Path) -> list[Path]:
    return sorted(path for path in (shared / "corpus/files").rglob("*") if path.is_file())


def test_corpus(shared: Path) -> None:
    """Every net of the corpus that the schema knows goes round; nets of old forms as upgraded."""
    current = old = 0
    for path in corpus(shared):
        data = path.read_bytes()
        try:
            wanted = message(data.decode("utf-8", "surrogateescape"))
            is_old = bool(wanted.layers)
            if is_old:
                wanted = message(upgrade(data).text.decode())
        except (text_format.ParseError, ProtoTextError, UnicodeError):
            continue
        spec = NetSpec.from_prototxt(data)
        assert spec.to_proto() == wanted == run(spec.to_python()), path
        old, current = old + is_old, current + (not is_old)
    assert old >= 33 and current >= 44, (old, current)


#: A text that is none of Caffe's, and the error with its place.
WRONG = {
    "a fork's message": ('layer { name: "a" type: "Interp"\n  interp_param { } }',
                         "2:3: LayerParameter has no field 'interp_param' in Caffe 1.0; prototools rewrite"),
    "a fork's field in V1, at its place there": (
        'layers { name: "d" type: DATA top: "d" }\nlayers {\n  name: "c" type: RELU\n  ratio: 2 }',
        "4:3: LayerParameter has no field 'ratio'"),
    "a fork's field in V0, at its place there": (
        'layers { layer { name: "d" type: "data" meanvalue: 2 } top: "d" }\nlayers { layer {\n'
        '    name: "c" type: "data"\n    meanvalue: 120 } top: "c" }', "1:41: LayerParameter has no field 'meanvalue'"),
    "a value of a wrong kind in V0": (
        'layers { layer { name: "c" type: "conv" num_output: 3.5 } top: "c" }',
        "num_output must be a whole number, .*; the line is that of the file as prototools upgrade writes it"),
    "no name": ('name: "x"\nlayer { type: "ReLU" }', "2:1: a layer must have a name and a type, but .* no name"),
    "no type": ('layer { name: "a" }', "1:1: .* has no type"),
    "a fork's message, like a stock one": ('layer { roi_pooling_param { } }',
                                           "1:9: .*'roi_pooling_param' in Caffe 1.0; prototools rewrite"),
    "a message's name, slipped": ("layer { innerproduct_param { } }", "1:9: .*did you mean 'inner_product_param'"),
    "a slip": ("layer { convolution_param {\n kernal_size: 3 } }", "2:2: .*did you mean 'kernel_size'"),
    "a solver": ('base_lr: 0.1', "1:1: NetParameter has no field 'base_lr'"),
    "twice": ('name: "a"\nname: "b"', "2:1: name must be given once"),
    "a value of a wrong kind": ('layer { name: 3 }', "1:15: name must be a string in quotes"),
    "a choice": ("layer { pooling_param { pool: AVG } }", "1:25: .*must be one of MAX, AVE, STOCHASTIC"),
    "a negative": ("layer { pooling_param { pad: -1 } }", "1:25: .*must be from 0 to"),
    "a message for a value": ("layer { name { } }", "1:9: name must be a value"),
    "a value for a message": ("layer { include: 3 }", "1:18: include must be a message"),
    "not text format": ("layer {", "1:1: layer must be closed"),
    "no Unicode": (b'name: "\xff"', "1:1: .*valid Unicode"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_text(case: str) -> None:
    text, told = WRONG[case]
    with pytest.raises(ProtoTextError, match=told):
        NetSpec.from_prototxt(text)


def test_wrong_messages() -> None:
    net = schema.message("NetParameter")()
    net.layers.add()
    with pytest.raises(SchemaError, match="but are V1"):
        NetSpec.from_proto(net)
    net.ClearField("layers")
    net.layer.add(type="ReLU")
    with pytest.raises(SchemaError, match="must have a name and a type, but one has name '', type 'ReLU'"):
        NetSpec.from_proto(net)


@pytest.mark.parametrize("wrong", ["deploy.prototxt", Path("deploy.prototxt"), None])
def test_no_text(wrong: Any) -> None:
    """The name of a file is no network."""
    with pytest.raises(TypeError, match="must be given a network's text, but is given .*; read the file"):
        NetSpec.from_prototxt(wrong)
    with pytest.raises(TypeError, match="must be given a NetParameter, but is given"):
        NetSpec.from_proto(wrong)


def test_no_code_for_a_type_of_pythons_own() -> None:
    """`L.__class__` is no layer; the NetSpec itself can have such a type."""
    spec = NetSpec.from_prototxt('layer { name: "a" type: "__class__" top: "a" }')
    assert spec.to_proto().layer[0].type == "__class__"
    with pytest.raises(SchemaError, match="type must not be one of Python's own names, but is '__class__'"):
        spec.to_python()


def test_old_forms() -> None:
    """A V1 net is upgraded, as Caffe does when it loads it."""
    text = 'layers { name: "c" type: CONVOLUTION top: "c" blobs_lr: 2 convolution_param { num_output: 3 } }'
    spec = NetSpec.from_prototxt(text)
    assert "n.c = L.Convolution(num_output=3, param=dict(lr_mult=2))" in spec.to_python()


# ---------------------------------------------------------------- what from_prototxt relies on


def test_tops_have_names_of_their_own() -> None:
    """Two layers of one name make the same blobs, each in its phase."""
    n = NetSpec()
    n.data, n.label = L.DummyData(ntop=2, include=dict(phase=TRAIN))
    n.test_data, n.test_label = L.DummyData(name="data", tops=["data", "label"], include=dict(phase=TEST))
    n.fixed = L.ReLU(n.test_data, tops=["other"])
    L.ReLU(n.fixed)
    net = n.to_proto()
    assert [(layer.name, *layer.top) for layer in net.layer] == [
        ("data", "data", "label"), ("data", "data", "label"), ("fixed", "other")]
    assert [layer.bottom[:] for layer in net.layer] == [[], [], ["data"]]
    assert [layer.name for layer in L.ReLU(L.Input(tops=["ReLU1"])).to_proto().layer] == ["ReLU1", "ReLU2"]


#: A call with tops, and what is wrong with it.
WRONG_TOPS = {
    "text": (dict(tops="data"), "must be a list of blobs' names"),
    "a top": (dict(tops=[L.Input()]), "must be a list of blobs' names"),
    "another number": (dict(tops=["a"], ntop=2), "no other ntop"),
    "in place": (dict(tops=["a"], in_place=True), "no in_place"),
}


@pytest.mark.parametrize("case", WRONG_TOPS)
def test_wrong_tops(case: str) -> None:
    settings, told = WRONG_TOPS[case]
    with pytest.raises(TypeError, match=told):
        L.ReLU(L.Input(), **settings)


def test_settings_of_the_net() -> None:
    """Fields of the net itself, and its inputs as tops whose shapes are known."""
    shapes = [dict(dim=[1, 3, 8, 8]), dict(dim=[2])]
    n = NetSpec(name="Net", state=dict(phase=TEST), input=["a", "b"], input_shape=shapes)
    n.pool = L.Pooling(n.a, kernel_size=2, stride=2)
    assert (n.a.shape, n.b.shape, n.pool.shape) == ((1, 3, 8, 8), (2,), (1, 3, 4, 4))
    assert n.to_proto() == message(
        'name: "Net" state { phase: TEST } input: "a" input: "b" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 } '
        'input_shape { dim: 2 } layer { name: "pool" type: "Pooling" bottom: "a" top: "pool" '
        'pooling_param { kernel_size: 2 stride: 2 } }')
    assert pickle.loads(pickle.dumps(n)).pool.shape == (1, 3, 4, 4)
    assert L.ReLU(blob("x")).shape is None and L.ReLU(blob("x", (1, 2))).shape == (1, 2)
    with pytest.raises(NetError, match="no shape"):
        L.Eltwise(n.a, n.b).shape.index(0)
    for settings, told in ((dict(nam="x"), "did you mean 'name'"), (dict(layer=[]), "is no setting")):
        with pytest.raises(AttributeError, match=told):
            NetSpec(**settings)


def test_mistakes_are_told_at_the_call() -> None:
    """pycaffe's scripts learn of them only when the net is written."""
    with pytest.raises(AttributeError, match="layers.Convolution: .*did you mean 'num_output'"):
        L.Convolution(L.Input(), num_outputs=3)
    with pytest.raises(TypeError, match="layer 'c1' of type Convolution: num_output .*must be a whole number"):
        L.Convolution(L.Input(), name="c1", num_output=1.5)


# ---------------------------------------------------------------- the command


def test_command(tmp_path: Path) -> None:
    """`prototools to-python` prints a program, or writes it; a mistake is a sentence and exit code 2."""
    net, out = tmp_path / "net.prototxt", tmp_path / "net.py"
    net.write_text(NETS["one blob in two phases"][0])
    printed = call(["to-python", str(net)])
    written = call(["to-python", str(net), "-o", str(out)])
    assert (printed.exit_code, written.exit_code, written.output) == (0, 0, "")
    assert out.read_text() == printed.output and run(printed.output) == message(net.read_text())
    net.write_text("layer { interp_param { } }")
    refused = call(["to-python", str(net)])
    assert refused.exit_code == 2 and f"{net}:1:9: LayerParameter has no field" in refused.output
