"""Deploying, case by case: tests/deploy/*.txt holds training nets and what must come out.

A case is a title between two rules of `=`, options in lines that begin with `:`, the network, and behind a
rule of `-` the deployed network. A case without that second half must not change; `:refused LAYER: PATTERN`
says why. Every case is put through every promise, and the stock ones through real Caffe.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

import pytest
from command_line import call
from deployed import Pair, agree

import prototools
from prototools.deploying import Deployed, deploy
from prototools.dialects.shapes import infer_custom
from prototools.errors import NetError, PrototoolsError
from prototools.layer_types import STOCK_TYPES
from prototools.net import Net, NetState
from prototools.prototext import parse

CASES = Path(__file__).parent / "deploy"


class Case(NamedTuple):
    title: str
    options: Dict[str, str]
    before: bytes
    after: Optional[bytes]
    file: str


def cases() -> List[Case]:
    found = []
    for path in sorted(CASES.glob("*.txt")):
        parts = re.split(r"^=====\n", path.read_text(), flags=re.MULTILINE)[1:]
        for head, body in zip(parts[::2], parts[1::2]):
            title, *options = head.strip().split("\n")
            named = {name: value.strip() for name, _, value in (option[1:].partition(" ") for option in options)}
            before, _, after = body.partition("-----\n")
            found.append(Case(title, named, before.encode(), after.encode() or None, path.stem))
    return found


def settings(case: Case) -> dict:
    return {
        "shapes": shapes(case), "stages": case.options.get("stage", "").split(),
        "keep_branches": "keep_branches" in case.options, "strip": "strip" in case.options,
    }


def shapes(case: Case) -> dict:
    pairs = (word.split("=") for word in case.options.get("shape", "").split())
    return {blob: tuple(None if dim == "?" else int(dim) for dim in dims.split(",")) for blob, dims in pairs}


def run(case: Case, text: bytes) -> Deployed:
    return deploy(text, **settings(case))


ALL = cases()
DONE = [case for case in ALL if case.after]


def each(chosen: List[Case]):
    return pytest.mark.parametrize("case", chosen, ids=[case.title for case in chosen])


@each(ALL)
def test_text(case: Case) -> None:
    """The text is the expected one, or the same where nothing may change."""
    result = run(case, case.before)
    assert result.text.decode() == (case.after or case.before).decode()
    assert bool(result.changes) == (case.after is not None) or "strip" in case.options
    if "refused" in case.options:
        layer, _, pattern = case.options["refused"].partition(": ")
        assert [refusal.layer for refusal in result.refusals] == [layer]
        assert re.search(pattern, result.refusals[0].reason), result.refusals[0].reason
    else:
        assert not result.refusals


@each(DONE)
def test_stable(case: Case) -> None:
    """What is deployed stays as it is."""
    again = deploy(case.after, strip="strip" in case.options)
    assert again.text == case.after and not again.changes and not again.refusals


@each(DONE)
def test_newlines(case: Case) -> None:
    """Windows newlines stay Windows newlines."""
    text = case.before.replace(b"\n", b"\r\n")
    assert run(case, text).text == case.after.replace(b"\n", b"\r\n")


@each([case for case in DONE if "strip" not in case.options])
def test_layers_that_stay(case: Case) -> None:
    """A layer that stays keeps its name and every byte but its rules; nothing takes the name of another."""
    result = run(case, case.before)
    told = {change.layer for change in result.changes}
    names = [layer.name for layer in Net(result.text).layers]
    assert len(names) == len(set(names))
    for layer in Net(case.before).layers:
        if layer.name not in told:
            message = layer.message
            assert case.before[message.start : message.stop] in result.text
            assert layer.name in names


@each(DONE)
def test_no_rules_no_losses(case: Case) -> None:
    """The same net in both phases, of the same form, with nothing left of training."""
    net = Net(case.after)
    assert net.filtered(NetState("TRAIN")).layers == net.filtered(NetState("TEST")).layers == net.layers
    assert {layer.version for layer in net.layers} == {layer.version for layer in Net(case.before).layers}
    assert not [layer for layer in net.layers if re.search("(?i)loss|accuracy|data$", layer.type)
                and layer.type != "DummyData"]
    assert not infer_custom(net.filtered(), {}).errors


@each(DONE)
def test_what_is_told(case: Case) -> None:
    """Each layer that is not the same afterwards is reported; inputs and outputs are those of the new net."""
    result = run(case, case.before)
    after = {layer.name: layer.message for layer in Net(result.text).layers}
    told = [change.layer for change in result.changes if change.did != "added"]
    for layer in Net(case.before).layers:
        kept = after.get(layer.name)
        text = case.before[layer.message.start : layer.message.stop]
        if "strip" not in case.options:
            assert (kept is None or result.text[kept.start : kept.stop] != text) == (layer.name in told), layer
    assert list(result.outputs) == Net(result.text).filtered().outputs()
    assert result.inputs and all(result.inputs.values())


def test_stock_cases_on_caffe(tmp_path: Path, caffe) -> None:
    """Real Caffe loads each deployed net with the original's weights and computes the same blobs."""
    pairs = []
    for case in DONE:
        if case.file == "stock":
            # Labels of the batch that is deployed; the net may hold a label of classes or of boxes.
            inputs = run(case, case.before).inputs
            batch = next(iter(inputs.values()))[0]
            sources = [layer for layer in Net(case.before).filtered(NetState("TEST", 0, ("deploy",))).layers
                       if not layer.bottoms]
            tops = [top for layer in sources for top in layer.tops if top != "grid"]
            known = {"box": (batch, 4), "other": (batch, 4), **inputs}
            pairs.append(Pair(case.title, case.before, case.after, {top: known.get(top, (batch,)) for top in tops},
                              settings(case)["stages"]))
    results = agree(pairs, tmp_path, caffe)
    assert len(results) == len(pairs) > 20


MISTAKES = [
    pytest.param(b'"Softmax"', b'"Sigmoid"', id="another activation"),
    pytest.param(b'name: "ip"', b'name: "fc"', id="a renamed layer, whose weights do not load"),
    pytest.param(b'bottom: "ip"', b'bottom: "data"', id="another bottom"),
    pytest.param(b'type: "InnerProduct"', b'type: "InnerProduct" propagate_down: [true, true]', id="refused by Caffe"),
]


@pytest.mark.parametrize("right, wrong", MISTAKES)
def test_a_mistake_is_found(right: bytes, wrong: bytes, tmp_path: Path, caffe) -> None:
    """The check on Caffe can fail."""
    case = next(case for case in DONE if case.title == "one layer on each line")
    assert right in case.after
    pair = Pair(case.title, case.before, case.after.replace(right, wrong), {"data": (1, 3, 4, 4), "label": (1,)})
    with pytest.raises(AssertionError):
        agree([pair], tmp_path, caffe)


# ---------------------------------------------------------------- Python and the command line


def test_str_in_str_out() -> None:
    """Text comes back as the type it came in."""
    assert prototools.deploy(DONE[0].before.decode(), **settings(DONE[0])).text == DONE[0].after.decode()


DATA = ('layer { name: "data" type: "MemoryData" top: "data" top: "label" include { phase: TRAIN } '
        "memory_data_param { batch_size: 8 channels: 3 height: 4 width: 4 } }\n")
IP = 'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 5 } }\n'


@pytest.mark.parametrize(
    "text, given, words",
    [
        pytest.param(DATA + IP, {"shapes": {"label": (1,)}, "phase": "TRAIN"}, "no such input; its inputs are data",
                     id="a shape for a label"),
        pytest.param("base_lr: 1", {}, "must hold a network", id="a solver"),
        pytest.param("layer {", {}, "must be closed", id="broken"),
        pytest.param(f"layer: [{DATA.strip()[6:]}, {IP.strip()[6:]}]", {}, "must not stand in a list",
                     id="a list of layers"),
    ],
)
def test_errors(text: str, given: dict, words: str) -> None:
    """What cannot be read or meant is an error with a sentence."""
    with pytest.raises(PrototoolsError, match=words):
        deploy(text, **given)


def test_a_shape_for_nothing_is_a_net_error() -> None:
    """Its class says that the text itself is sound."""
    with pytest.raises(NetError):
        deploy(DATA + IP, shapes={"nothing": (1,)}, phase="TRAIN")


#: Words, exit code, a part of standard output, a part of standard error.
CALLS = [
    pytest.param("deploy --phase TRAIN net", 0, '"Input"', "net:1: data: MemoryData replaced: Input data 1 x 3 x 4 x 4",
                 id="deploy"),
    pytest.param("deploy --phase TRAIN -q net", 0, "", "net: 0 layers removed, inputs data 1 x 3 x 4 x 4, outputs ip",
                 id="quiet"),
    pytest.param("deploy net", 0, '"Input"', "net: phase TEST has no layer that makes 'data'", id="data of TRAIN"),
    pytest.param("deploy open", 1, "", "open:1:1: data: the shape of data must be known, but", id="refused"),
    pytest.param("deploy -o out open net", 2, "", "-o takes one NET", id="one output"),
    pytest.param("deploy --shape other=1 net", 2, "", "its inputs are data", id="no such input"),
    pytest.param("deploy --phase TRAIN --shape data=2,?,?,? net", 0, "dim: 2 dim: 3", "", id="part of a shape"),
    pytest.param("deploy --phase TRAIN --check net", 1, "", "", id="check"),
    pytest.param("deploy --phase TRAIN --diff net", 1, "+layer", "", id="diff"),
    pytest.param("deploy --diff --check net", 2, "", "cannot be used together", id="two ways out"),
    pytest.param("deploy --phase TRAIN -o out net", 0, "", "", id="output"),
    pytest.param("deploy missing", 2, "", "missing: cannot be read", id="missing"),
    pytest.param("deploy done", 0, "Input", "done: nothing to do, it is deployed already", id="nothing to do"),
    pytest.param("deploy --check done", 0, "", "", id="check, nothing to do"),
]


@pytest.mark.parametrize("words, code, out, err", CALLS)
def test_call(words: str, code: int, out: str, err: str, tmp_path: Path, monkeypatch) -> None:
    """The exit code is the verdict, standard output the product, standard error the commentary."""
    monkeypatch.chdir(tmp_path)
    Path("net").write_text(DATA + IP)
    Path("open").write_text(DATA.replace("channels: 3", "") + IP)
    Path("done").write_text('layer { name: "a" type: "Input" top: "data" input_param { shape { dim: 1 } } }\n' + IP)
    result = call(words.split())
    assert result.exit_code == code, result.output
    assert out in result.stdout and err in result.stderr
    if "-o" in words and not code:
        assert b'"Input"' in Path("out").read_bytes()


def test_a_line_lost() -> None:
    """Without any one of its lines a net is deployed for good, or refused with a sentence."""
    for case in ALL:
        lines = case.before.splitlines(True)
        for number in range(len(lines)):
            try:
                result = run(case, b"".join(lines[:number] + lines[number + 1 :]))
            except PrototoolsError as error:
                assert str(error)
                continue
            if not result.refusals:
                assert deploy(result.text).text == result.text, (case.title, number)


def test_the_pages_diff() -> None:
    """Its left side, deployed, is its right side."""
    page = (Path(__file__).parents[1] / "docs" / "deploy.md").read_text("utf-8")
    lines = re.search(r"```diff\n(.*?)```", page, re.DOTALL).group(1).splitlines()
    before, after = ("".join(line[1:] + "\n" for line in lines if line[0] in sides) for sides in (" -", " +"))
    assert deploy(before).text == after


# ---------------------------------------------------------------- the corpus


def test_every_file(shared: Path) -> None:
    """No traceback, no half measures: deployed for good, or refused with the option that helps."""
    done, refused = 0, 0
    for path in sorted((shared / "corpus" / "files").rglob("*.prototxt*")):
        text = path.read_bytes()
        try:
            result = deploy(text)
        except PrototoolsError as error:
            assert str(error)
            continue
        if result.refusals:
            assert result.text == text
            assert all(len(refusal.reason.split()) > 5 for refusal in result.refusals)
            refused += 1
        else:
            assert result.text == text or deploy(result.text).text == result.text, path
            assert set(parse(result.text).comments()) <= set(parse(text).comments()), path
            done += result.text != text
    assert (done, refused) == (60, 91)


#: The shapes of images that a file leaves open.
IMAGES = {"_gan_": (64, 100, 1, 1), "cifar": (1, 3, 32, 32), "fcn.berkeley": (1, 3, 64, 64)}


def corpus_pairs(shared: Path) -> List[Pair]:
    """Every training net whose layers stock Caffe knows, narrowed where its layers are very wide."""
    pairs = []
    for path in sorted((shared / "corpus" / "files").rglob("*.prototxt*")):
        text = narrowed(path.read_bytes())
        try:
            net = Net(text).filtered()
            result = deploy(text)
        except PrototoolsError:
            continue
        layers = net.layers
        stock = all(is_stock(layer.type) or not layer.bottoms for layer in layers)
        if net.unknown_bottoms() or not needs_data(layers) or not stock:
            continue
        image = next((shape for part, shape in IMAGES.items() if part in str(path)), (1, 3, 224, 224))
        wanted = {re.search("--shape (.*)=", refusal.reason).group(1): refusal.reason.rpartition("=")[2]
                  for refusal in result.refusals}
        given = {blob: filled(dims, image) for blob, dims in wanted.items()}
        result = deploy(text, shapes=given)
        assert not result.refusals, (path, result.refusals)
        tops = [top for layer in layers if not layer.bottoms for top in layer.tops]
        dense = (1, 1, *image[2:]) if "fcn.berkeley" in str(path) else (1,)
        pairs.append(Pair(path.name, text, result.text, {top: result.inputs.get(top) or dense for top in tops}))
    return pairs


def narrowed(text: bytes) -> bytes:
    """The same wires with fewer channels, which is faster; not where other fields count channels too."""
    if re.search(rb"group: \d\d|Reshape|RESHAPE", text):
        return text
    return re.sub(rb"num_output: (256|384|512|4096)\b", b"num_output: 32", text)


def needs_data(layers) -> bool:
    return any(not layer.bottoms and layer.type not in ("Input", "Parameter") for layer in layers)


def is_stock(kind: str) -> bool:
    return kind in STOCK_TYPES - {"Python"} or kind in (
        "conv", "pool", "relu", "innerproduct", "lrn", "dropout", "concat", "padding", "softmax", "softmax_loss",
        "accuracy", "split", "flatten")


def filled(dims: str, image: tuple) -> tuple:
    """A shape from the option that a refusal names."""
    return tuple(int(dim) if dim.isdigit() and axis else image[axis] for axis, dim in enumerate(dims.split(",")))


def test_corpus_on_caffe(shared: Path, tmp_path: Path, caffe) -> None:
    """Real Caffe loads every deployed net of the corpus with the original's weights, and the blobs are equal."""
    pairs = corpus_pairs(shared)
    results = agree(pairs, tmp_path, caffe)
    assert len(results) == 49
