"""NetSpec against pycaffe's: recorded programs, whole scripts, random nets, and what is better."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import subprocess
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netspec_scripts
import numpy as np
import pytest

import prototools
from prototools import NetSpec, netspec, schema, to_proto
from prototools import layers as L
from prototools import params as P
from prototools.errors import NetError, SchemaError
from prototools.netspec import TEST, Function, Top, assign_proto, settings

PROJECT = Path(__file__).resolve().parents[1]
TESTS = PROJECT / "tests"
CASES = [json.loads(line) for line in (TESTS / "cases/netspec.jsonl").read_text().splitlines()]


# ---------------------------------------------------------------- recorded one-line programs


def outcome(code: str, caffe: Any) -> dict[str, Any]:
    """What a recorded program does with a module that has pycaffe's names."""
    names = dict(
        n=caffe.NetSpec(), L=caffe.layers, P=caffe.params, to_proto=caffe.to_proto, caffe=caffe
    )
    try:
        exec(code, names)
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        return dict(ok=False, kinds=kinds, message=str(error))
    return dict(ok=True, out=str(names["r"]) if "r" in names else "")


#: Programs that fail in pycaffe and work here: why, and what is in the text.
LENIENT = {
    "param-tuple": ("a tuple does for a list", "param {\n    lr_mult: 2.0\n"),
    "param-empty-list": ("an empty list adds nothing", "num_output: 1"),
    "repeated-tuple": ("a tuple does for a list", "kernel_size: 3\n    kernel_size: 5"),
    "repeated-numpy-array": ("an array does for a list", "dim: 1\n      dim: 2"),
    "enum-str": ("the name of an enum value does for its number", "pool: AVE"),
    "propagate-down-tuple": ("a tuple does for a list", "propagate_down: true"),
    "deep-chain-2000": ("the depth of a network has no limit", "2001"),
}
#: A program that imports a part of pycaffe, and so runs only beside it; the error is its own.
BESIDE_PYCAFFE = "crop-helper"


def check(case: dict[str, Any], ours: dict[str, Any]) -> None:
    """The outcome is pycaffe's, byte for byte, or the difference is in the table."""
    if case["id"] in LENIENT:
        reason, part = LENIENT[case["id"]]
        assert reason and not case["ok"] and ours["ok"] and part in ours["out"]
    elif case["ok"]:
        assert ours == dict(ok=True, out=case["out"])
    else:
        assert not ours["ok"] and case["exc"] in ours["kinds"]
        assert "SchemaError" in ours["kinds"] or case["id"] == BESIDE_PYCAFFE
        assert len(ours["message"].split()) >= 6


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["id"] != BESIDE_PYCAFFE], ids=lambda case: case["id"]
)
def test_recorded_program(case: dict[str, Any]) -> None:
    check(case, outcome(case["code"], netspec))


def test_table_of_differences() -> None:
    """Every difference that is listed is a case."""
    assert len(CASES) == 74 and {*LENIENT, BESIDE_PYCAFFE} <= {case["id"] for case in CASES}


def test_recorded_programs_on_old_protobuf(caffe) -> None:
    """The same outcomes in Caffe's own Python, beside pycaffe."""
    code = (
        "import json, caffe\nfrom typing import *\nfrom prototools import netspec\n"
        f"{inspect.getsource(outcome)}\n"
        f"codes = {[case['code'] for case in CASES]!r}\n"
        "print(json.dumps([outcome(code, netspec) for code in codes]))"
    )
    outcomes = json.loads(caffe.python(code, pythonpath=[PROJECT]))
    assert len(outcomes) == len(CASES)
    for case, ours in zip(CASES, outcomes):
        check(case, ours)


# ---------------------------------------------------------------- whole scripts

_PRINT = """
import json, netspec_scripts
print(json.dumps({{s.__name__: str(s({caffe})) for s in netspec_scripts.SCRIPTS}}))
"""


@pytest.fixture(scope="module")
def on_pycaffe(caffe) -> dict[str, str]:
    """What every script prints with pycaffe."""
    code = "import caffe" + _PRINT.format(caffe="caffe")
    return json.loads(caffe.python(code, pythonpath=[TESTS]))


@pytest.mark.parametrize("script", netspec_scripts.SCRIPTS, ids=lambda script: script.__name__)
def test_script_prints_the_same(script: Callable, on_pycaffe: dict[str, str]) -> None:
    """pycaffe's text, byte for byte."""
    assert str(script(netspec)) == on_pycaffe[script.__name__]
    assert len(on_pycaffe[script.__name__]) > 1000


def test_scripts_on_old_protobuf(caffe, on_pycaffe: dict[str, str]) -> None:
    """The same with our NetSpec in Caffe's own Python, without pycaffe."""
    code = "from prototools import netspec" + _PRINT.format(caffe="netspec")
    assert json.loads(caffe.python(code, pythonpath=[PROJECT, TESTS])) == on_pycaffe


def test_coord_map(caffe) -> None:
    """pycaffe's coord_map reads our tops as its own: fn, n, type_name, params, inputs, tops."""
    code = (
        "import caffe\n"
        "from caffe.coord_map import coord_map_from_to\n"
        "from netspec_scripts import chain_of_windows\n"
        "from prototools import netspec\n"
        "for made in (chain_of_windows(caffe), chain_of_windows(netspec)):\n"
        "    axis, scale, shift = coord_map_from_to(made.up, made.data)\n"
        "    print(axis, scale.tolist(), shift.tolist())"
    )
    first, second = caffe.python(code, pythonpath=[PROJECT, TESTS]).splitlines()
    assert first == second and "[" in first


# ---------------------------------------------------------------- more than pycaffe


def data() -> Top:
    return L.Input(shape=dict(dim=[1, 1, 5, 5]))


def layer_of(type_name: str, settings: dict[str, Any]) -> Any:
    """A layer with these settings, as a message without its connections."""
    layer = to_proto(getattr(L, type_name)(data(), **settings)).layer[-1]
    layer.ClearField("bottom")
    layer.ClearField("top")
    return layer


_CONVOLUTION = dict(num_output=2, kernel_size=4, stride=2, weight_filler=dict(type="bilinear"))

#: Keywords of types without a message of their own, and the long form that pycaffe wants.
BORROWED = {
    "Deconvolution": (_CONVOLUTION, dict(convolution_param=_CONVOLUTION)),
    "Im2col": (dict(kernel_size=3), dict(convolution_param=dict(kernel_size=3))),
    "LSTM": (dict(num_output=3), dict(recurrent_param=dict(num_output=3))),
    "RNN": (dict(expose_hidden=True), dict(recurrent_param=dict(expose_hidden=True))),
    "SoftmaxWithLoss": (
        dict(ignore_label=255, normalization="FULL", axis=2, loss_weight=3),
        dict(
            loss_param=dict(ignore_label=255, normalization=P.Loss.FULL),
            softmax_param=dict(axis=2),
            loss_weight=3,
        ),
    ),
    "SigmoidCrossEntropyLoss": (dict(normalize=False), dict(loss_param=dict(normalize=False))),
    "InfogainLoss": (
        dict(source="h", ignore_label=1),
        dict(infogain_loss_param=dict(source="h"), loss_param=dict(ignore_label=1)),
    ),
}


@pytest.mark.parametrize("type_name", BORROWED)
def test_borrowed_settings(type_name: str) -> None:
    """A type without a message of its own takes the settings of the one that it reads."""
    short, long = BORROWED[type_name]
    assert layer_of(type_name, short) == layer_of(type_name, long) != layer_of(type_name, {})


#: Types, and what is said of each: slips, and types of forks that only sound like Caffe's.
SLIPS = {"Relu": "'ReLU'", "Convolutoin": "'Convolution'", "SoftMaxWithLoss": "'SoftmaxWithLoss'", "ReLU": "", "BN": "",
         "ReLU6": "", "Unpooling": "", "ROIPooling": "", "Own": ""}


@pytest.mark.parametrize("type_name", SLIPS)
def test_slips_in_types(type_name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A type that Caffe does not have is a layer like any; one that is nearly Caffe's is warned of, once a place."""
    for _ in range(3):
        assert getattr(L, type_name)().to_proto().layer[0].type == type_name
    told = f"layers.{type_name}: Caffe has no layer of type '{type_name}'; did you mean {SLIPS[type_name]}?"
    assert len(caplog.messages) == bool(SLIPS[type_name])
    assert all(message.startswith(f"{__file__}:") and message.endswith(f": {told}") for message in caplog.messages)


def test_borrowed_settings_are_all_tried() -> None:
    assert set(BORROWED) == set(settings.BORROWED)


def test_no_setting_has_two_homes() -> None:
    """So none can land in the wrong one."""
    layer_fields = set(schema.fields(schema.message("LayerParameter").DESCRIPTOR))
    for type_name in {*all_types(), *BORROWED}:
        homes = {schema.parameter_name(type_name), *settings.BORROWED.get(type_name, ())} - {None}
        names = [name for home in homes for name in settings.settings_of(home)]
        assert len(names) == len(set(names)) and not layer_fields & set(names)


#: Message, field, value, and the plain form of it.
VALUES = {
    "tuple": ("ConvolutionParameter", "kernel_size", (1, 2), [1, 2]),
    "range": ("ConvolutionParameter", "kernel_size", range(2), [0, 1]),
    "array": ("ConvolutionParameter", "kernel_size", np.array([1, 2]), [1, 2]),
    "array of no axes": ("ConvolutionParameter", "kernel_size", np.array(4), [4]),
    "numpy number": ("ConvolutionParameter", "kernel_size", np.int64(4), [4]),
    "empty tuple": ("ConvolutionParameter", "kernel_size", (), []),
    "empty list": ("ConvolutionParameter", "kernel_size", [], []),
    "truth among ints": ("ConvolutionParameter", "kernel_size", [np.bool_(1), 2], [1, 2]),
    "uint8": ("ConvolutionParameter", "num_output", np.uint8(3), 3),
    "0 for bool": ("ConvolutionParameter", "bias_term", 0, False),
    "1.0 for bool": ("ConvolutionParameter", "bias_term", 1.0, True),
    "numpy bool": ("ConvolutionParameter", "bias_term", np.bool_(False), False),
    "float32": ("ParamSpec", "lr_mult", np.float32(0.1), np.float32(0.1)),
    "float array of no axes": ("ParamSpec", "lr_mult", np.array(2.0), 2),
    "float too large": ("ParamSpec", "lr_mult", 1e39, float("inf")),
    "path": ("DataParameter", "source", Path("a/b"), "a/b"),
    "bytes for text": ("DataParameter", "source", b"x", "x"),
    "enum by name": ("DataParameter", "backend", "LMDB", 1),
    "enum by numpy number": ("EltwiseParameter", "operation", np.int32(2), 2),
    "one for repeated": ("LayerParameter", "loss_weight", 1, [1.0]),
    "tuple of bools": ("LayerParameter", "propagate_down", (True, 0), [True, False]),
    "text is one value": ("LayerParameter", "bottom", "data", ["data"]),
    "64 bits": ("BlobShape", "dim", [-1, 2**40], [-1, 2**40]),
}


@pytest.mark.parametrize("case", VALUES)
def test_value(case: str) -> None:
    """Values are taken alike on every protobuf."""
    message, field, value, plain = VALUES[case]
    made, expected = schema.message(message)(), schema.message(message)()
    assign_proto(made, field, value)
    if isinstance(plain, list):
        getattr(expected, field).extend(plain)
    else:
        setattr(expected, field, plain)
    assert made == expected


ParamSpec, Filler = schema.message("ParamSpec"), schema.message("FillerParameter")

#: A value of LayerParameter.param, and the text of it.
MESSAGES = {
    "dict": (dict(lr_mult=1), "param {\n  lr_mult: 1.0\n}\n"),
    "tuple of dicts": ((dict(lr_mult=1), {}), "param {\n  lr_mult: 1.0\n}\nparam {\n}\n"),
    "empty list": ([], ""),
    "empty dict": ({}, "param {\n}\n"),
    "message": (ParamSpec(name="w"), 'param {\n  name: "w"\n}\n'),
    "both": ([dict(name="a"), ParamSpec()], 'param {\n  name: "a"\n}\nparam {\n}\n'),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_message_value(case: str) -> None:
    value, text = MESSAGES[case]
    layer = schema.message("LayerParameter")()
    assign_proto(layer, "param", value)
    assert str(layer) == text


#: A value of Convolution's weight_filler, and whether it is there afterwards.
FILLERS = {
    "message": (Filler(std=2), True),
    "empty message": (Filler(), True),
    "dict": (dict(std=2), True),
    "empty dict": ({}, False),
}


@pytest.mark.parametrize("case", FILLERS)
def test_singular_message_value(case: str) -> None:
    """A message that is given is there even if it is empty; an empty dict says nothing."""
    value, there = FILLERS[case]
    layer = layer_of("Convolution", dict(weight_filler=value))
    assert layer.convolution_param.HasField("weight_filler") == there
    assert layer.HasField("convolution_param") == there


def test_pycaffes_messages_are_values(caffe) -> None:
    """A message of pycaffe's own classes is copied into ours."""
    code = (
        "from caffe.proto import caffe_pb2; from prototools import layers as L; "
        "print(L.Some(param=[caffe_pb2.ParamSpec(lr_mult=3), dict(lr_mult=4)], "
        "clip_param=caffe_pb2.ClipParameter(min=1)).to_proto().layer[0], end='')"
    )
    printed = caffe.python(code, pythonpath=[PROJECT])
    assert "lr_mult: 3.0" in printed and "lr_mult: 4.0" in printed and "min: 1.0" in printed


# ---------------------------------------------------------------- mistakes

#: Type, settings, the kind of error that pycaffe's users catch, and a part of the sentence.
SETTINGS = {
    "keyword": ("Convolution", dict(kernal_size=3), AttributeError,
                "layers.Convolution: .*did you mean 'kernel_size'"),
    "beginning of a keyword": ("Convolution", dict(kernel=3), AttributeError, "did you mean 'kernel_size'"),
    "beginning of a nested one": ("Convolution", dict(param=dict(lr=1)), AttributeError, "did you mean 'lr_mult'"),
    "keyword of the layer": ("ReLU", dict(inclde={}), AttributeError, "did you mean 'include'"),
    "nothing near": ("Power", dict(zzz=3), AttributeError, "Power has power, scale, shift"),
    "no message of its own": ("AbsVal", dict(kernel_size=3), AttributeError,
                              r"Write convolution_param=dict\(kernel_size=...\) or pooling_param"),
    "custom type": ("Own", dict(zzz=3), AttributeError, "none of its own.$"),
    "Caffe would not read it": ("EuclideanLoss", dict(ignore_label=3), AttributeError, "its own"),
    "a fork's message": ("ReLU", dict(interp_param=dict(zoom_factor=2)), AttributeError,
                         "prototools.upsample builds"),
    "message": ("ReLU", dict(innerproduct_param={}), AttributeError, "mean 'inner_product_param'"),
    "short for its own message": ("Convolution", dict(conv_param={}), AttributeError, "mean 'convolution_param'"),
    "short for a borrowed one": ("RNN", dict(recurent_param={}), AttributeError, "mean 'recurrent_param'"),
    "a fork's, like a stock one": ("ROIPooling", dict(roi_pooling_param={}), AttributeError, "no custom layer's"),
    "nested keyword": ("Convolution", dict(weight_filler=dict(typ="a")), AttributeError,
                       "FillerParameter has no field 'typ'; did you mean 'type'"),
    "nested, nothing near": ("Convolution", dict(param=dict(zzz=1)), AttributeError,
                             "ParamSpec has no field 'zzz'; it has name, share_mode, lr"),
    "float for int": ("Convolution", dict(num_output=2.0), TypeError,
                      r"num_output of ConvolutionParameter must be a whole number.* 2.0 .*//"),
    "float among ints": ("Convolution", dict(kernel_size=[3, 1.5]), TypeError, "but is 1.5"),
    "two axes": ("Convolution", dict(kernel_size=np.array([[3]])), TypeError, r"but is \[3\]"),
    "generator": ("Convolution", dict(kernel_size=(k for k in [1])), TypeError, "generator"),
    "list for one": ("Pooling", dict(kernel_size=[2, 2]), AttributeError, "whole number.*list"),
    "array for one": ("Pooling", dict(kernel_size=np.array([2])), TypeError, "whole number.*array"),
    "None": ("Convolution", dict(num_output=None), TypeError, "but is None. Leave it out"),
    "enum name": ("Pooling", dict(pool="ave"), TypeError,
                  "must be one of MAX, AVE, STOCHASTIC, but is 'ave'"),
    "enum number": ("Pooling", dict(pool=9), ValueError, "must be one of MAX, AVE, STOCHASTIC"),
    "enum float": ("Pooling", dict(pool=1.0), TypeError, "must be a constant of params"),
    "range": ("Pooling", dict(pad=-1), ValueError, "must be from 0 to 4294967295, but is -1"),
    "int, too large": ("Power", dict(scale=2**2000), ValueError, "must fit in a float"),
    "text for float": ("Power", dict(scale="1"), TypeError, "must be a number, but is '1'"),
    "bytes, not UTF-8": ("Data", dict(source=b"\xff"), ValueError, "must be valid Unicode"),
    "lone surrogate": ("Data", dict(source="\ud800"), ValueError, "must be valid Unicode"),
    "int for text": ("Data", dict(source=3), TypeError, "must be text, but is 3"),
    "text for dict": ("Convolution", dict(weight_filler="xavier"), AttributeError,
                      r"must be a dict of FillerParameter's fields, such as dict\(type="),
    "dims for a shape": ("Input", dict(shape=[1, 3, 5, 5]), TypeError, r"such as dict\(dim="),
    "another message": ("ReLU", dict(param=schema.message("BlobShape")()), TypeError,
                        "must be a dict of ParamSpec's"),
}  # fmt: skip


@pytest.mark.parametrize("case", SETTINGS)
def test_wrong_setting(case: str) -> None:
    """A mistake is told in a sentence, and scripts that catch pycaffe's errors catch ours."""
    type_name, settings, kind, told = SETTINGS[case]
    with pytest.raises(SchemaError, match=told) as caught:
        layer_of(type_name, settings)
    assert isinstance(caught.value, kind) and caught.value.__cause__ is None


def in_place_twice() -> Top:
    return L.Split(data(), in_place=True, ntop=2)[1]


#: A mistake in a call, the kind of error, and a part of the sentence.
CALLS = {
    "no top at all": (lambda: L.Silence(L.Silence(data(), ntop=0)), TypeError, "no top to read"),
    "a setting without a name": (lambda: L.Convolution(data(), 3), TypeError, "Settings are given by name"),
    "ntop -1": (lambda: L.ReLU(data(), ntop=-1), TypeError, "ntop must be"),
    "ntop text": (lambda: L.ReLU(data(), ntop="2"), TypeError, "ntop must be"),
    "text for a top": (lambda: to_proto("a"), AttributeError, "to_proto input 0 is not a Top"),
    "no such top": (lambda: to_proto(L.ReLU(in_place_twice())), SchemaError, "must read a top"),
    "constant": (lambda: P.Pooling.MEAN, AttributeError, "no constant 'MEAN'"),
    "constant, near": (lambda: P.Pooling.AVG, AttributeError, "did you mean 'AVE'"),
    "constants": (lambda: P.Poolin.AVE, AttributeError, "did you mean 'PoolingParameter'"),
    "assigned number": (lambda: named(a=3).to_proto(), AttributeError, "'a' must be a top"),
    "number as a name": (lambda: named({3: data()}).to_proto(), TypeError, "but is 3"),
}


@pytest.mark.parametrize("case", CALLS)
def test_wrong_call(case: str) -> None:
    call, kind, told = CALLS[case]
    with pytest.raises(SchemaError, match=told) as caught:
        call()
    assert isinstance(caught.value, kind) and caught.value.__cause__ is None


def named(more: dict[Any, Any] | None = None, **tops: Any) -> NetSpec:
    n = NetSpec()
    for name, top in {**tops, **(more or {})}.items():
        n[name] = top
    return n


def test_failed_list_leaves_nothing() -> None:
    """A list that is wrong in the middle adds no elements."""
    shape = schema.message("BlobShape")(dim=[7])
    with pytest.raises(SchemaError):
        assign_proto(shape, "dim", [1, 2, "x"])
    assert list(shape.dim) == [7]


def test_layer_that_needs_itself() -> None:
    first = L.ReLU(data())
    first.fn.inputs = (L.TanH(first),)
    with pytest.raises(SchemaError, match="must not need itself"):
        first.to_proto()


# ---------------------------------------------------------------- the objects


def small() -> NetSpec:
    n = NetSpec()
    n.data, n.label = L.DummyData(shape=[dict(dim=[1]), dict(dim=[1])], ntop=2)
    n.relu = L.ReLU(L.InnerProduct(n.data, num_output=2), in_place=True)
    n.loss = L.EuclideanLoss(n.relu, n.label)
    n.silence = L.Silence(n.relu, ntop=0)
    return n


def test_missing_name() -> None:
    """AttributeError for hasattr, KeyError for scripts; the name as its argument."""
    n = small()
    assert not hasattr(n, "nope") and getattr(n, "nope", 3) == 3
    assert hasattr(n, "data") and "data" in n and "nope" not in n
    for access in (lambda: n.rellu, lambda: n["rellu"]):
        with pytest.raises(KeyError) as caught:
            access()
        assert isinstance(caught.value, AttributeError) and caught.value.args == ("rellu",)
        assert str(caught.value) == "the NetSpec has no top 'rellu'; did you mean 'relu'?"
    for name in ("__array__", "_ipython_display_", "__deepcopy__"):
        assert not hasattr(n, name)


def test_methods_of_the_ssd_fork() -> None:
    """What its scripts call on a NetSpec, as long as no top bears the name."""
    n = small()
    assert n.keys()[-1] == "silence" and n.vals()[0] is n.data and dict(n) == n.tops
    n.update("relu", {"negative_slope": 0.5})
    n.update("silence", dict(include=dict(phase=TEST)))
    assert n.to_proto().layer[2].relu_param.negative_slope == 0.5
    with pytest.raises(AttributeError, match="did you mean 'negative_slope'"):
        n.update("relu", dict(negativ_slope=0.5))
    n.update = L.ReLU(n.data)
    assert n.update is n["update"] and n.keys()[-1] == "update" and not {"keys", "vals"} & set(dir(n))


def pickled(n: NetSpec) -> NetSpec:
    return pickle.loads(pickle.dumps(n))


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, pickled])
def test_clone(clone: Callable) -> None:
    """A clone gives the same net and goes its own way."""
    n = small()
    other = clone(n)
    assert str(other.to_proto()) == str(n.to_proto()) and list(other) == list(n)
    other.more = L.ReLU(other.relu)
    assert "more" not in n and len(other.to_proto().layer) == len(n.to_proto().layer) + 1
    assert (other.data is n.data) == (clone is copy.copy)


def test_delete_and_list() -> None:
    n = small()
    assert list(n) == list(n.tops) == ["data", "label", "relu", "loss", "silence"]
    assert {"relu", "to_proto"} <= set(dir(n)) and bool(NetSpec())
    del n.silence
    del n["loss"]
    assert [layer.name for layer in n.to_proto().layer] == ["data", "InnerProduct1", "relu"]
    with pytest.raises(KeyError):
        del n.loss


def test_subclass() -> None:
    """A NetSpec with a constructor of its own, as scripts have them."""

    class Mine(NetSpec):
        def __init__(self, batch: int) -> None:
            super().__init__()
            self.data = L.Input(shape=dict(dim=[batch, 3]))

        def head(self) -> None:
            self.prob = L.Softmax(self.data)

    n = Mine(4)
    n.head()
    assert [layer.name for layer in n.to_proto().layer] == ["data", "prob"]
    assert type(copy.copy(n)) is Mine


class Reaching(NetSpec):
    """A constructor that reaches past NetSpec's own, which in pycaffe does no more than this."""

    def __init__(self, batch: int) -> None:
        object.__setattr__(self, "tops", OrderedDict())
        super(NetSpec, self).__setattr__("batch", batch)
        self.data = L.Input(shape=dict(dim=[batch, 3]))


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, pickled])
def test_subclass_with_attributes(clone: Callable) -> None:
    n = clone(Reaching(4))
    assert type(n) is Reaching and n.batch == 4 and list(n.tops) == ["data"]
    assert n.to_proto().layer[0].name == "data" and "dim=[4, 3]" in n.to_python()


def test_caller_keeps_his_dict() -> None:
    settings = dict(ntop=2, in_place=False, negative_slope=1)
    made = Function("ReLU", [data()], settings)
    assert settings == dict(ntop=2, in_place=False, negative_slope=1)
    assert made.params == dict(negative_slope=1) and len(made.tops) == made.ntop == 2


def test_settings_may_change_until_they_are_written() -> None:
    n = named(r=L.ReLU(data(), negative_slope=1))
    n.to_proto()
    n.r.fn.params["negative_slope"] = 2
    assert n.to_proto().layer[1].relu_param.negative_slope == 2


def test_automatic_name_is_no_given_name() -> None:
    """pycaffe writes two blobs ReLU1 here, and Caffe refuses the net."""
    n = NetSpec()
    n.ReLU1 = data()
    n.out = L.TanH(L.ReLU(L.ReLU(n.ReLU1)))
    assert [layer.top[0] for layer in n.to_proto().layer] == ["ReLU1", "ReLU2", "ReLU3", "out"]


def test_automatic_name_beside_a_layer_in_place() -> None:
    """A layer in place makes no blob of its name, so the name is pycaffe's."""
    n = NetSpec()
    n.ReLU1 = L.ReLU(data(), in_place=True)
    n.out = L.TanH(L.ReLU(n.ReLU1))
    assert [layer.top[0] for layer in n.to_proto().layer] == ["Input1", "Input1", "ReLU1", "out"]


def test_layer_without_tops_can_be_written() -> None:
    net = L.Silence(data(), ntop=0).to_proto()
    assert [layer.name for layer in net.layer] == ["Input1", "Silence1"]
    assert net == to_proto(L.Silence(data(), ntop=0))


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, pickled])
def test_deep_chain(clone: Callable) -> None:
    """Depth is no limit, to writing, copying or pickling."""
    top = data()
    for _ in range(5000):
        top = L.ReLU(top)
    net = clone(named(end=top)).to_proto()
    assert len(net.layer) == 5001
    assert (net.layer[0].top[0], net.layer[1].bottom[0]) == ("Input1", "Input1")
    assert (net.layer[-1].name, net.layer[-1].bottom[0]) == ("end", "ReLU4999")


def test_wide_diamonds() -> None:
    """Layers that share inputs are written once, however many paths lead to them."""
    top = data()
    for _ in range(200):
        top = L.Eltwise(top, top, top)
    assert len(to_proto(top).layer) == 201


def test_pseudo_modules() -> None:
    """Any type is a layer, but Python's special names are not."""
    assert L.Anything(data()).fn.type_name == "Anything"
    assert not hasattr(L, "__wrapped__") and not hasattr(P, "__wrapped__")
    assert not hasattr(P.Pooling, "__wrapped__")
    assert (P.Pooling.AVE, P.Data.LMDB, P.Eltwise.MAX, P.Solver.GPU) == (1, 1, 2, 1)
    assert P.Pooling.PoolMethod.Value("STOCHASTIC") == 2
    assert (netspec.TRAIN, netspec.TEST) == tuple(schema.enum("Phase").values())


def test_names_of_the_package() -> None:
    for name in ("NetSpec", "layers", "params", "to_proto"):
        assert getattr(prototools, name) is getattr(netspec, name)


def test_text_of_objects() -> None:
    assert repr(data()) == "<top 0 of <layer of type Input>>"


def test_without_numpy() -> None:
    """Networks are built and written where numpy is not installed."""
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "from prototools import NetSpec, layers as L\n"
        "n = NetSpec(); n.d = L.Input(shape=dict(dim=(1, 2)))\n"
        "print(len(n.to_proto().layer))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("1\n", "")


def all_types() -> list[str]:
    """The layer types that have a message of their own."""
    names = [name[: -len("Parameter")] for name in schema.message_names()]
    return [name for name in names if schema.parameter_name(name)]


@pytest.mark.parametrize("type_name", all_types())
def test_every_setting_has_a_place(type_name: str) -> None:
    """Each field of each type's message can be given as a keyword and lands in that message."""
    home = schema.parameter_name(type_name)
    samples = {"message": [{}], "str": "a", "bytes": b"a"}
    for field in schema.fields(schema.message(f"{type_name}Parameter").DESCRIPTOR).values():
        value = samples.get(field.kind, 1)
        if field.kind == "message" and not field.repeated:
            value = schema.message(field.type_name)()
        layer = layer_of(type_name, {field.name: value})
        assert [known.name for known, _ in getattr(layer, home).ListFields()] == [field.name]


def test_shapes_on_demand() -> None:
    """Every top knows its blob's shape: after other layers, in place, one of several, and in part."""
    n = NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 3, 9, 8]))
    n.conv = L.Convolution(n.data, num_output=5, kernel_size=3, stride=2)
    n.relu = L.ReLU(n.conv, in_place=True)
    n.left, n.right = L.Slice(n.relu, ntop=2, slice_param=dict(axis=1, slice_point=[2]))
    n.up = L.Deconvolution(n.right, num_output=3, kernel_size=4, stride=2, pad=1)
    n.image, n.label = L.DummyData(ntop=2, shape=[dict(dim=[4, 3, 5, 5]), dict(dim=[4])])
    n.unknown = L.Python(n.image, module="of", layer="Someone")
    n.read, _ = L.Data(source="not here", batch_size=7, transform_param=dict(crop_size=5), ntop=2)
    n.pool = L.Pooling(n.read, kernel_size=2, stride=2)
    shapes = {name: top.shape for name, top in n.tops.items()}
    assert shapes == {
        "data": (1, 3, 9, 8), "conv": (1, 5, 4, 3), "relu": (1, 5, 4, 3), "left": (1, 2, 4, 3), "right": (1, 3, 4, 3),
        "up": (1, 3, 8, 6), "image": (4, 3, 5, 5), "label": (4,), "unknown": None,
        "read": (7, None, 5, 5), "pool": (7, None, 3, 3),
    }
    n.wrong = L.Eltwise(n.data, n.up)
    with pytest.raises(NetError, match="this blob has no shape"):
        n.wrong.shape.index(0)


def test_reaching_in() -> None:
    """Scripts that write layers themselves, as pycaffe's own to_proto does."""
    n = small()
    layers, names, counts = OrderedDict(), {top: name for name, top in n.tops.items()}, Counter()
    n.loss._to_proto(layers, names, counts)
    n.silence._to_proto(layers, names, counts)
    net = schema.message("NetParameter")()
    net.layer.extend(layers.values())
    assert net == n.to_proto() and counts == {"InnerProduct": 1} and isinstance(n.tops, OrderedDict)
    n.tops.move_to_end("data")
    assert list(n)[-1] == "data"
