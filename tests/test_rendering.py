"""`prototools render`: networks from templates, and what a template must not do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import call

from prototools import render
from prototools.net import Net
from prototools.realcaffe import NetCase, run_nets
from prototools.reference import run
from prototools.rendering import RenderError, own_folder, rendering, shipped
from prototools.rendering.sandbox import Sandbox
from prototools.rewriter import rewrite
from prototools.shapes import infer

SMALL = dict(widths=[4] * 5, hidden=8)

#: Every network that comes with prototools, small, and the shapes of what it gives.
NETWORKS = [
    ("fcn32s", dict(SMALL, shape=[1, 3, 64, 48], classes=3), {"score": (1, 3, 64, 48)}),
    ("fcn32s", dict(SMALL, shape=[2, 1, 33, 1], classes=1), {"score": (2, 1, 33, 1)}),
    ("fcn16s", dict(SMALL, shape=[1, 3, 64, 48], classes=3), {"score": (1, 3, 64, 48)}),
    ("fcn16s", dict(SMALL, shape=[1, 3, 31, 95], classes=21), {"score": (1, 21, 31, 95)}),
    ("fcn8s", dict(SMALL, shape=[1, 3, 70, 51], classes=3), {"score": (1, 3, 70, 51)}),
    ("fcn8s", dict(SMALL, shape=[2, 3, 97, 128], classes=2), {"score": (2, 2, 97, 128)}),
    ("unet", dict(shape=[1, 3, 32, 24], widths=[4, 6, 8], classes=2), {"score": (1, 2, 32, 24)}),
    ("unet", dict(shape=[2, 1, 16, 48], widths=[3, 4, 5, 6, 7], classes=5), {"score": (2, 5, 16, 48)}),
    ("feature_pyramid", dict(shape=[1, 3, 64, 32], widths=[4, 4, 8, 8], channels=6),
     {"p5": (1, 6, 2, 1), "p4": (1, 6, 4, 2), "p3": (1, 6, 8, 4), "p2": (1, 6, 16, 8)}),
    ("feature_pyramid", dict(shape=[2, 1, 32, 96], widths=[2, 3, 4, 5], channels=3),
     {"p5": (2, 3, 1, 3), "p4": (2, 3, 2, 6), "p3": (2, 3, 4, 12), "p2": (2, 3, 8, 24)}),
    ("segnet", dict(shape=[1, 3, 37, 30], widths=[4, 4, 6], classes=3), {"score": (1, 3, 37, 30)}),
    ("segnet", dict(shape=[2, 3, 32, 45], widths=[4, 5, 6, 7], depths=[1, 1, 2, 3], classes=12),
     {"score": (2, 12, 32, 45)}),
    ("pspnet_pyramid", dict(shape=[1, 6, 31, 31], channels=4, classes=3), {"score": (1, 3, 31, 31)}),
    ("pspnet_pyramid", dict(shape=[2, 6, 20, 13], channels=3, classes=5), {"score": (2, 5, 20, 13)}),
    ("pspnet_pyramid", dict(shape=[1, 4, 4, 9], bins=[1, 2, 4], channels=2, classes=2), {"score": (1, 2, 4, 9)}),
    ("yolo_neck", dict(shapes=[[1, 8, 12, 8], [1, 16, 6, 4], [1, 32, 3, 2]], outputs=9),
     {"detect3": (1, 9, 3, 2), "detect2": (1, 9, 6, 4), "detect1": (1, 9, 12, 8)}),
    ("yolo_neck", dict(shapes=[[2, 8, 10, 14], [2, 16, 5, 7]], outputs=255),
     {"detect2": (2, 255, 5, 7), "detect1": (2, 255, 10, 14)}),
]
PLACES = pytest.mark.parametrize("place", range(len(NETWORKS)),
                                 ids=lambda place: f"{NETWORKS[place][0]} {NETWORKS[place][1]}")


def text_of(place: int) -> str:
    name, values, _ = NETWORKS[place]
    return render(f"{name}.prototxt.j2", **values)


def test_every_network_is_tried() -> None:
    """With more than one set of values, and every value that is read is one that a head comment names."""
    tried = [f"{name}.prototxt.j2" for name, _, _ in NETWORKS]
    assert shipped().keys() == set(tried) and min(map(tried.count, tried)) > 1
    for name, values, _ in NETWORKS:
        assert all(re.search(rf"^{value} ", shipped()[f"{name}.prototxt.j2"], re.M) for value in values)


@pytest.fixture(scope="module")
def nets(caffe):
    """Each network on real Caffe, on noise."""
    texts = [text_of(place) for place in range(len(NETWORKS))]
    random = np.random.RandomState(2)
    cases = []
    for text in texts:
        net = Net(text.encode())
        found = infer(net.filtered())
        images = {layer.tops[0]: random.randn(*found.blobs[layer.tops[0]])
                  for layer in net.layers if layer.type == "Input"}
        # An untrained BatchNorm divides by next to nothing, and a dozen of them leave no number.
        norms = {layer.name: [values * np.ones(shape) for values, shape in zip((0, 1, 1), found.params[layer.name])]
                 for layer in net.layers if layer.type == "BatchNorm"}
        cases.append(NetCase(text, inputs=images, params=norms, outputs="all", seed=1))
    return list(zip(texts, run_nets(cases, installation=caffe)))


@PLACES
def test_network(place: int, nets) -> None:
    """Real Caffe loads and runs it; its outputs and every blob's shape are as told."""
    text, answer = nets[place]
    for blob, shape in NETWORKS[place][2].items():
        assert answer.blobs[blob].shape == shape and np.abs(answer.blobs[blob]).max() > 0
    told = infer(Net(text.encode()).filtered()).blobs
    shapes = {blob: array.shape for blob, array in answer.blobs.items() if "_split_" not in blob}
    assert shapes == {blob: tuple(shape) for blob, shape in told.items()}


@PLACES
def test_text(place: int) -> None:
    """Layers without blank lines between them, two blanks for each level, nothing left at line ends."""
    lines = text_of(place).split("\n")
    assert lines[-1] == "" and "" not in lines[:-1]
    assert all(line == line.rstrip() and (len(line) - len(line.lstrip())) % 2 == 0 for line in lines)


@pytest.mark.parametrize("name", ["fcn32s", "fcn16s", "fcn8s"])
@pytest.mark.parametrize("size", [1, 31, 32, 33, 100, 500])
def test_fcn_takes_every_size(name: str, size: int) -> None:
    """The scores have the image's size, and Crop takes the middle: its offsets are those of the authors' nets."""
    net = Net(render(f"{name}.prototxt.j2", shape=[1, 3, size, 501 - size]).encode())
    assert infer(net.filtered()).blobs["score"] == (1, 21, size, 501 - size)
    offsets = [layer.param("crop_param").integer("offset") for layer in net.layers if layer.type == "Crop"]
    assert offsets == {"fcn32s": [19], "fcn16s": [5, 27], "fcn8s": [5, 9, 31]}[name]


def test_segnet_is_segnets() -> None:
    """The template's unpooling is what a rewrite makes of the custom layer: the same numbers."""
    head = "".join(f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}\n'
                   for name, dims in (("image", "dim: 1 dim: 2 dim: 7 dim: 6"),
                                      ("data", "dim: 1 dim: 2 dim: 4 dim: 3")))
    head += ('layer { name: "pool" type: "Pooling" bottom: "image" top: "pool" top: "mask" '
             'pooling_param { pool: MAX kernel_size: 2 stride: 2 } }\n')
    custom = head + ('layer { name: "up" type: "Upsample" bottom: "data" bottom: "mask" top: "up" '
                     "upsample_param { scale: 2 pad_out_h: true } }\n")
    random = np.random.RandomState(0)
    inputs = {"image": random.randn(1, 2, 7, 6), "data": random.randn(1, 2, 4, 3)}
    template = '{% import "upsample.j2" as upsample %}{{ upsample.unpool("up", "data", "mask", "image", 2) }}'
    wanted = run(Net(custom.encode()).filtered(), inputs, outputs=["up"])["up"]
    for text in (head + _rendered(template), rewrite(custom).text):
        found = run(Net(text.encode()).filtered(), inputs, outputs=["up"])["up"]
        assert np.count_nonzero(wanted) == 24 and np.array_equal(found, wanted)


def _rendered(source: str) -> str:
    return Sandbox(Path("."), own_folder()).from_string(source).render()


# ---------------------------------------------------------------- what goes wrong

GOOD = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 } } }\n'

#: A template, and what is said: its line first.
MISTAKES = [
    pytest.param("a: 1\n{{ widht }}\n", ":2: 'widht' is undefined; did you mean 'width'", id="a name"),
    pytest.param("{{ other }}\n", ":1: 'other' is undefined; give -D other=VALUE", id="no such name"),
    pytest.param("x\n{% if %}\n", ":2: ", id="syntax"),
    pytest.param("\n{% for n in [1] %}\n", ":2: ", id="no end"),
    pytest.param("\n\n{% include '/etc/passwd' %}\n", ":3: must include", id="an absolute path"),
    pytest.param("{% include '../secret.j2' %}\n", ":1: must include", id="a folder above"),
    pytest.param("\n{{ ''.__class__.__mro__ }}\n", ":2: access to attribute '__class__'", id="attributes"),
    pytest.param("{{ width.real.__class__ }}\n", ":1: ", id="attributes of a number"),
    pytest.param("{% macro f() %}{{ f() }}{% endmacro %}\n{{ f() }}\n", "without end", id="a macro of itself"),
    pytest.param("{% include 'me.j2' %}\n", "without end", id="an include of itself"),
    pytest.param("\n{% for n in range(10 ** 12) %}x{% endfor %}\n", ":2: ", id="a loop without end"),
    pytest.param("{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}\n", ":1: ",
                 id="two loops"),
    pytest.param("{{ 'x' * 10 ** 10 }}\n", ":1: ", id="a long text"),
    pytest.param("{{ [1] * 99999999 }}\n", ":1: ", id="a long list"),
    pytest.param("{{ 9 ** 9 ** 9 }}\n", ":1: ", id="a large number"),
    pytest.param("{% set x = 'x' * 1000000 %}\n{% for n in range(100) %}{{ x }}{% endfor %}\n", ":2: the result",
                 id="a long result"),
    pytest.param("{{ 1 // 0 }}\n", ":1: ", id="a division by zero"),
    pytest.param("{% set all = [1] %}\n{% for n in all %}{% if all.append(n) %}{% endif %}{% endfor %}\n", ":2: ",
                 id="a list that grows while it is gone through"),
    pytest.param("{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}\n{{ f(40) }}\n",
                 "me.j2:.: loops must", id="a macro that calls itself twice"),
    pytest.param("{% for n in [1, 1] recursive %}\n{% if loop.depth < 40 %}{{ loop([1, 1]) }}{% endif %}\n{% endfor %}",
                 ":2: loops must", id="a recursive loop"),
    pytest.param("{% set s = 'x' * 1000 %}\n{% for a in s %}{% for b in s %}{% for c in s %}{% endfor %}{% endfor %}"
                 "{% endfor %}\n", ":2: loops must", id="loops over a text"),
    pytest.param("{% set n = namespace(x=9) %}{% for i in range(40) %}{% set n.x = n.x * n.x %}{% endfor %}\n",
                 ":1: .*bits", id="squares of squares"),
    pytest.param("{% set n = namespace(x='x') %}{% for i in range(40) %}{% set n.x = n.x ~ n.x %}{% endfor %}\n",
                 ":1: texts and lists must", id="a text that doubles"),
    pytest.param("\n{{ 'x' | center(10 ** 9) }}\n", ":2: a width", id="a wide text"),
    pytest.param("\n{{ 'x'.ljust(10 ** 9) }}\n", ":2: a width", id="a wide text by a method"),
    pytest.param("\n{{ [1] | slice(10 ** 9) | sum }}\n", ":2: a width", id="many slices"),
    pytest.param("\n{{ [[1]] | sum(start=[]) }}\n", ":2: sum must", id="a sum of lists"),
    pytest.param("{% set s = 'x' * 1000000 %}\n{{ s | replace('x', s) | length }}\n", ":2: .*memory",
                 id="a replacement"),
    pytest.param("\n{{ upsampling('save_weights', 'x', ['a'], ['/tmp/x'], {}) }}", ":2: a block must be one of",
                 id="no block"),
    pytest.param("a: 1\n{{ {'b': 'c'} | xmlattr }}\n", ":2: the result's line 2", id="a constant"),
    pytest.param(GOOD + "\n{{ 'layer' }}\n", ":4: the result's line 4", id="the end"),
    pytest.param("{% if false %}a: 1{% endif %}# nothing\n", "me.j2: the template must give a network", id="nothing"),
    pytest.param("a: 1\n{{ '\\ud800' }}\n", "me.j2: 'utf-8' codec can't encode", id="half a character"),
    pytest.param("{{ " + 3000 * "(" + "1" + 3000 * ")" + " }}", "nested without end", id="many brackets"),
    pytest.param("{% include 'bytes.j2' %}", ":1: the result's line 1", id="an include that is no text"),
    pytest.param("\n{% include 'link.j2' %}", ":2: must include .* but 'link.j2' is none", id="a link that leads out"),
    pytest.param("\n{% include ['no.j2', 'none.j2'] %}", ":2: .* 'no.j2' or 'none.j2' is none", id="no such includes"),
    pytest.param("\n{% include none %}", ":2: .* no name was given", id="an include of nothing"),
    pytest.param("\n{% import 'blocks.j2' as b %}\n{{ b.conw() }}", ":3: the imported template has no attribute 'conw'",
                 id="no such macro"),
    pytest.param("\n{% import 'blocks.j2' as b %}\n{{ b.conv() }}", "me.j2:3: parameter 'name' was not provided",
                 id="a macro of ours without its parameters"),
    pytest.param("{% macro f() %}{{ caller() }}{% endmacro %}\n{% call f() %}\n{{ lost }}{% endcall %}",
                 ":3: 'lost' is undefined", id="in a call block"),
    pytest.param("\n{% include 'part.j2' %}", "part.j2:2: 'lost' is undefined", id="in an include"),
    pytest.param("\n{% include 'bad.j2' %}", "bad.j2:3: ", id="the syntax of an include"),
    pytest.param(GOOD + "layer {\n  name: 'a'\n", ":2: the result's line 2", id="not closed"),
    pytest.param(GOOD + "\n{% set kind = 'ReLU' %}\nlayer { type: \"{{ kind }}\" bottom: \"lost\" top: \"a\" }\n",
                 ":4: the result's line 3: ", id="a bottom that nobody makes"),
    pytest.param(5 * "# a comment\n" + 'layer { type: "ReLU" bottom: "lost{{ width }}" top: "a" }\n',
                 ":6: the result's line 6", id="far into plain text"),
    pytest.param("input_dim: $WIDTH\n", ":1: the result's line 1: .*give -D WIDTH=VALUE", id="a placeholder"),
]


@pytest.mark.parametrize("source, sentence", MISTAKES)
def test_mistakes(source: str, sentence: str, tmp_path: Path, monkeypatch) -> None:
    """Every mistake is one sentence with the template's line, soon and without a traceback."""
    (tmp_path / "secret.j2").write_text("secret")
    folder = tmp_path / "below"
    folder.mkdir()
    (folder / "link.j2").symlink_to("../secret.j2")
    (folder / "bytes.j2").write_bytes(b"\xff")
    (folder / "part.j2").write_text("a: 1\n{{ lost }}")
    (folder / "bad.j2").write_text("\n\n{% if %}")
    path = folder / "me.j2"
    path.write_text(source)
    with pytest.raises(RenderError, match=sentence):
        render(str(path), width=3)
    monkeypatch.chdir(folder)
    for name in (str(path), "me.j2"):
        done = call(["render", name, "-D", "width=3"])
        assert done.exit_code == 2 and "Traceback" not in done.output and re.search(sentence, done.output)
        assert done.output.startswith(f"{name}:")


UNFED = """layer { name: "data" type: "Data" top: "data" top: "label" include { phase: %s }
  data_param { source: "/no/such/lmdb" batch_size: 2 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: %d %s kernel_size: 3 } }
"""
SINGLE = """layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 6 dim: $N } } }
layer { name: "sum" type: "Eltwise" bottom: "data" top: "sum" eltwise_param { operation: SUM coeff: 0.5 } }
layer { name: "up" type: "%s" bottom: "%s" top: "up" }
"""

#: What is checked, and what is for another machine or another Caffe: a network, and a part of the refusal.
CHECKED = {
    "data that lie elsewhere": (UNFED % ("TEST", 5, ""), None),
    "data for training only": (UNFED % ("TRAIN", 5, ""), None),
    "a mistake behind them": (UNFED % ("TRAIN", 0, ""), ":3: .*num_output must be"),
    "a mistake behind data for testing": (UNFED % ("TEST", 0, ""), ":3: .*num_output must be"),
    "cuDNN": (UNFED % ("TEST", 5, "engine: CUDNN"), None),
    "a solver": ('net: "net.prototxt"\nbase_lr: 0.1\n', None),
    "another Caffe's rules": (SINGLE % ("Resample", "sum"), None),
    "stock Caffe's rules": (SINGLE % ("ReLU", "sum"), ":2: .*at least 2 bottoms"),
    "every Caffe's rules": (SINGLE % ("Resample", "lost"), ":3: .*unknown bottom blob 'lost'"),
    "another Caffe's fields": ((SINGLE % ("ReLU", "sum")).replace("coeff", "other"), None),
}


@pytest.mark.parametrize("name", CHECKED)
def test_checked(name: str, tmp_path: Path) -> None:
    """A net that some Caffe on some machine takes is given, and what stock Caffe would refuse is remarked."""
    source, refusal = CHECKED[name]
    path = tmp_path / "net.prototxt"
    path.write_text(source)
    done = call(["render", str(path), "-D", "N=7"])
    if refusal:
        assert done.exit_code == 2 and re.search(refusal, done.stderr) and not done.stdout
    else:
        assert done.exit_code == 0 and done.stdout == source.replace("$N", "7")
        assert ("the net is for another Caffe" in done.stderr) == name.startswith("another")


#: A template's bytes, and what comes out.
BYTES = {
    "no UTF-8": (b"# \xff\na: 1\n", b"# \xff\na: 1\n"),
    "line ends of Windows": (b"{% set n = 1 %}\r\na: {{ n }}\r\nb: 2\r\n", b"a: 1\r\nb: 2\r\n"),
    "a byte order mark": (b"\xef\xbb\xbfa: 1\n", b"a: 1\n"),
    "no last line end": (b"a: 1", b"a: 1"),
    "a range twice": (b"{% set r = range(2) %}\n{% for n in r %}\na: {{ n }}\n{% endfor %}\n"
                      b"{% for n in r %}\nb: {{ n }}\n{% endfor %}\nc: {{ r | length }}{{ r[1] }}\n",
                      b"a: 0\na: 1\nb: 0\nb: 1\nc: 21\n"),
    "what a loop knows": (b"{% for n in [5, 6] %}\na: {{ loop.length ~ loop.revindex }} # {{ loop.last }}\n"
                          b"{% endfor %}\n",
                          b"a: 22 # False\na: 21 # True\n"),
    "a link beside it": (b"{% include 'here.j2' %}\n", b"h: 1\n"),
}


@pytest.mark.parametrize("name", BYTES)
def test_bytes(name: str, tmp_path: Path) -> None:
    """What goes in comes out, from a file and from standard input."""
    source, wanted = BYTES[name]
    (tmp_path / "real.j2").write_text("h: 1\n")
    (tmp_path / "here.j2").symlink_to("real.j2")
    (tmp_path / "net.j2").write_bytes(source)
    assert rendering(str(tmp_path / "net.j2"), {}).text.encode("utf-8", "surrogateescape") == wanted
    if b"here" not in source:
        assert call(["render", "-"], source).stdout_bytes == wanted


# ---------------------------------------------------------------- the command


def test_values(tmp_path: Path) -> None:
    """Numbers, truth values, lists, texts and files of JSON, and placeholders of plain prototxt."""
    (tmp_path / "net.j2").write_text(
        'name: "{{ name }}"\n{% for dim in dims %}\n# {{ dim + 1 }} {{ deep["a"] }} {{ on }}\n{% endfor %}\n')
    (tmp_path / "deep.json").write_text(json.dumps({"a": 7}))
    arguments = ["-D", "name=a b", "-D", "dims=[1, 2]", "-D", f"deep=@{tmp_path}/deep.json", "-D", "on=true"]
    done = call(["render", str(tmp_path / "net.j2"), *arguments])
    assert done.output == 'name: "a b"\n# 2 7 True\n# 3 7 True\n' and done.exit_code == 0
    (tmp_path / "net.prototxt").write_text(
        'name: "$NAME" # $OTHER\ninput: "d"\ninput_dim: ${N} # $ON$\n' + 3 * "input_dim: 1 ")
    values = ["-D", "NAME=x", "-D", "N=4", "-D", "ON=true"]
    done = call(["render", str(tmp_path / "net.prototxt"), *values, "-o", str(tmp_path / "out")])
    assert done.exit_code == 0 and not done.output
    assert (tmp_path / "out").read_text().startswith('name: "x" # $OTHER\ninput: "d"\ninput_dim: 4 # true\n')


#: What stands behind -D, and what a template sees.
GIVEN = {
    "1": 1, "-3": -3, "1e-3": 0.001, "007": "007", "true": True, "False": False, '"False"': "False", "null": None,
    "a=b": "a=b", "": "", '{"a": [1]}': {"a": [1]}, "[1": "[1", "é": "é",
}


@pytest.mark.parametrize("written", GIVEN)
def test_given(written: str, tmp_path: Path) -> None:
    """JSON is what it says, Python's True and False too, and the rest is text; the last one counts."""
    (tmp_path / "net.j2").write_text("# {{ [x] }}\na: {{ ok }}\n")
    done = call(["render", str(tmp_path / "net.j2"), "-D", "x=0", "-D", f"x={written}", "-D", "ok=1"])
    assert done.exit_code == 0 and done.output == f"# {[GIVEN[written]]}\na: 1\n"


@pytest.mark.parametrize("text, words", [
    (b"[1,", "must hold JSON"), (b"", "must hold JSON"), (b"\xff", "must hold JSON"), (b"[" * 100000, "too deeply"),
])
def test_broken_values(text: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "values.json").write_bytes(text)
    done = call(["render", "unet.prototxt.j2", "-D", f"x=@{tmp_path}/values.json"])
    assert done.exit_code == 2 and words in done.output and "values.json" in done.output


@pytest.mark.parametrize("arguments, words", [
    ([], "TEMPLATE must be given"), (["no.j2"], "cannot be read"), (["unet.prototxt.j2", "-D", "x"], "NAME=VALUE"),
    (["unet.prototxt.j2", "-D", "x=@none.json"], "cannot be read"),
])
def test_wrong_calls(arguments, words: str) -> None:
    done = call(["render", *arguments])
    assert done.exit_code == 2 and words in done.output and "Traceback" not in done.output


@pytest.mark.parametrize("name", ["a\0b", b"net.j2", None])
def test_no_name(name) -> None:
    with pytest.raises(RenderError, match="must be a file's name"):
        render(name)


def test_list() -> None:
    """Every network with its values."""
    done = call(["render", "--list"])
    assert done.exit_code == 0 and all(name in done.output for name in shipped())
