"""The Caffe view: layers of all forms, wires, phases."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest
from google.protobuf import text_format

from prototools import schema
from prototools.errors import ProtoTextError, PrototoolsError
from prototools.net import V1_NUMBERS, V1_TYPES, Layer, Net, NetState, blob_names
from prototools.realcaffe import NetCase, NetResult, run_nets


def net(text: str) -> Net:
    return Net(text.encode())


#: A layer in each form: text, version, type, wires.
FORMS = [
    ('layer { name: "a" type: "ReLU" bottom: "x" top: "y" }', 2, "ReLU"),
    ('layers { name: "a" type: RELU bottom: "x" top: "y" }', 1, "ReLU"),
    ('layers { name: "a" type: 18 bottom: "x" top: "y" }', 1, "ReLU"),
    ('layers { name: "a" type: 022 bottom: "x" top: "y" }', 1, "ReLU"),
    ('layers { name: "a" type: 99 bottom: "x" top: "y" }', 1, "99"),
    ('layers { name: "a" type: NONE bottom: "x" top: "y" }', 1, ""),
    ('layers { name: "a" bottom: "x" top: "y" }', 1, ""),
    ('layer { name: "a" bottom: "x" top: "y" }', 2, ""),
    ('layers { name: "a" type: INTERP bottom: "x" top: "y" }', 1, "INTERP"),
    ('layers { name: "a" type: "RELU" bottom: "x" top: "y" }', 1, "ReLU"),
    ('layers { layer { name: "a" type: "relu" } bottom: "x" top: "y" }', 0, "relu"),
    ("layer < name: 'a', type: 'Un' 'pooling'; bottom: ['x'] top: 'y' >", 2, "Unpooling"),
]


@pytest.mark.parametrize("text, version, kind", FORMS)
def test_forms(text: str, version: int, kind: str) -> None:
    """Layers of all forms look alike."""
    layer, = net(text).layers
    assert (layer.name, layer.version, layer.type) == ("a", version, kind)
    assert (layer.bottoms, layer.tops) == (["x"], ["y"])
    assert blob_names([layer]) == ["x", "y"]


#: A layer in each form with a parameter, and how to get at it.
PARAMETERS = [
    'layer { name: "a" type: "Pooling" pooling_param { stride: 3 } }',
    'layers { name: "a" type: POOLING pooling_param < stride: 3 > }',
    'layers { layer { name: "a" type: "pool" stride: 3 } bottom: "x" }',
]


@pytest.mark.parametrize("text", PARAMETERS)
def test_parameters(text: str) -> None:
    """V0 has them in its inner layer, the others in a message of their own."""
    layer, = net(text).layers
    holder = layer.parameters if layer.version == 0 else layer.param("pooling_param")
    assert holder.integer("stride") == 3
    assert layer.param_names() == ([] if layer.version == 0 else ["pooling_param"])
    assert layer.param("interp_param").names() == []


#: A layer that cannot be read, where, and a part of the sentence.
UNREADABLE = [
    ('layer { name: a }', "1:15", "name must be a string"),
    ('layer { name: "a" type: CONVOLUTION }', "1:25", "type must be a string"),
    ('layer { name: "a" name: "b" }', "1:19", "name must be given once"),
    ('layers { type: RELU type: RELU }', "1:21", "type must be given once"),
    ('layer { bottom { } }', "1:9", "bottom must be a value"),
    ('layers { layer { type: relu } }', "1:24", "type must be a string"),
    ('layer { name: "a" ', "1:1", "layer must be closed"),
]


@pytest.mark.parametrize("text, place, words", UNREADABLE)
def test_unreadable_layers(text: str, place: str, words: str) -> None:
    """A sentence with the place, as for any text."""
    with pytest.raises(ProtoTextError, match=f"^{place}: .*{words}"):
        net(text)


def test_v1_types_are_the_schemas() -> None:
    """Names and numbers of V1's enumeration, and a current name for each."""
    enum = schema.enum("V1LayerParameter.LayerType")
    assert sorted(V1_NUMBERS) == sorted(V1_TYPES) == sorted(enum.keys())
    assert all(enum.Value(name) == number for number, name in enumerate(V1_NUMBERS))


WIRES = """
input: "x" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4
layer { name: "a" type: "Convolution" bottom: "x" top: "a" }
layer { name: "r" type: "ReLU" bottom: "a" top: "a" }
layer { name: "p" type: "Pooling" bottom: "a" top: "p" top: "m" }
layer { name: "u" type: "Upsample" bottom: "p" bottom: "m" top: "u" }
layer { name: "lost" type: "ReLU" bottom: "nobody" top: "z" }
layer { name: "twice" type: "ReLU" bottom: "u" top: "z" }
"""


def test_wires() -> None:
    """Who feeds whom, through in-place layers too."""
    filtered = net(WIRES).filtered()
    by_name = {layer.name: layer for layer in filtered.layers}

    def source(name: str, bottom: int = 0):
        found = filtered.sources(by_name[name])[bottom]
        return found and (found.layer.name if found.layer else None, found.top)

    assert source("a") == (None, 0)
    assert source("r") == ("a", 0) and source("p") == ("r", 0)
    assert source("u", 1) == ("p", 1) and source("lost") is None
    assert [layer.name for layer, _ in filtered.consumers(by_name["a"], 0)] == ["r"]
    assert [layer.name for layer, _ in filtered.consumers(by_name["r"], 0)] == ["p"]
    assert filtered.outputs() == ["z"]
    assert [(layer.name, blob) for layer, blob in filtered.unknown_bottoms()] == [("lost", "nobody")]
    assert [(layer.name, "produced" in sentence) for layer, sentence in filtered.problems] == [
        ("lost", False), ("twice", True),
    ]


TWO = 'input: "a" input: "b" input_dim: [1, 1, 2, 2, 1, 1, 2, 2]\n'


def relu(bottom: str, top: str, more: str = "") -> str:
    return f'layer {{ name: "{top}_" type: "ReLU" bottom: "{bottom}" top: "{top}" {more} }}\n'


#: A net with two inputs, a and b: its outputs, or a part of the sentence about the wire that is wrong.
OUTPUTS = [
    (relu("a", "c"), ["b", "c"], None),
    (relu("a", "a"), ["a", "b"], None),
    (relu("a", "a") + relu("a", "c") + relu("b", "b"), ["b", "c"], None),
    (relu("a", "c") + relu("a", "d") + relu("b", "d2"), ["c", "d", "d2"], None),
    (relu("a", "z") + relu("b", "c"), ["c", "z"], None),
    ('layer { name: "s" type: "Slice" bottom: "a" top: "y" top: "x" slice_param { axis: 2 } }' + relu("x", "x"),
     ["b", "x", "y"], None),
    ('layer { name: "l" type: "EuclideanLoss" bottom: "a" bottom: "b" }', [], None),
    ('layer { name: "s" type: "Silence" bottom: "a" bottom: "b" }', [], None),
    (relu("a", "c") + relu("a", "c"), [], "produced by"),
    (relu("a", "b"), [], "produced by"),
    ('layer { name: "s" type: "Split" bottom: "a" top: "c" top: "c" }', [], "produced by"),
    ('layer { name: "e" type: "Eltwise" bottom: "b" bottom: "a" top: "a" }', [], "produced by"),
    (relu("nobody", "c"), [], "nknown bottom blob 'nobody'"),
    (relu("c", "d") + relu("a", "c"), [], "nknown bottom blob 'c'"),
    (relu("", "c"), [], "nknown bottom blob ''"),
    ('layers { layer { name: "r" type: "relu" } bottom: "a" top: "r" }', ["b", "r"], None),
    ('layers { name: "r" type: 18 bottom: "a" top: "r" }', ["b", "r"], None),
]


@pytest.mark.parametrize("text, outputs, problem", OUTPUTS)
def test_outputs(text: str, outputs: List[str], problem: Optional[str]) -> None:
    """The blobs that nobody reads, inputs too, in Caffe's order; or one problem."""
    filtered = net(TWO + text).filtered()
    if problem is None:
        assert (filtered.outputs(), filtered.problems) == (outputs, [])
    else:
        assert [problem in sentence for _, sentence in filtered.problems] == [True]


def test_outputs_on_real_caffe(caffe: Any) -> None:
    """The same table, decided by Caffe."""
    results = run_nets([NetCase(TWO + text, shapes_only=True) for text, _, _ in OUTPUTS], installation=caffe)
    for result, (_, outputs, problem) in zip(results, OUTPUTS):
        if problem is None:
            assert result.outputs == outputs
        else:
            assert problem.replace("by", "by multiple sources") in str(result)


#: Headers and the shapes they give.
HEADERS = [
    ('input: "a" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4', [("a", [1, 2, 3, 4])]),
    ('input: "a" input: "b" input_dim: [1, 2, 3, 4, 5, 6, 7, 8]', [("a", [1, 2, 3, 4]), ("b", [5, 6, 7, 8])]),
    ('input: "a" input_shape { dim: 1 dim: 2 }', [("a", [1, 2])]),
    ('input: "a" input: "b" input_shape { dim: 7 }', [("a", [7]), ("b", None)]),
    ('input: "a" input_dim: 1 input_dim: 2', [("a", None)]),
    ('input: ["a", "b"] input_shape { dim: [1, 2] } input_shape [{ dim: 3 }]', [("a", [1, 2]), ("b", [3])]),
    ('input: "a" input_shape { } input_dim: [1, 2, 3, 4]', [("a", [])]),
    ('input: "a"', [("a", None)]),
    ("input_dim: 1", []),
]


@pytest.mark.parametrize("text, wanted", HEADERS)
def test_headers(text: str, wanted: List) -> None:
    """`input:` with input_dim in fours, with input_shape, with neither."""
    assert net(text).inputs() == wanted


#: A layer's rules, a state, and whether the layer is in: as Caffe's own test of the filter has them, and more.
RULES = [
    ("", NetState("TRAIN"), True),
    ("include { phase: TRAIN }", NetState("TRAIN"), True),
    ("include { phase: TRAIN }", NetState("TEST"), False),
    ("include { phase: 1 }", NetState("TEST"), True),
    ("exclude { phase: TRAIN }", NetState("TRAIN"), False),
    ("exclude { phase: TEST }", NetState("TRAIN"), True),
    ("include { phase: TRAIN } include { phase: TEST }", NetState("TEST"), True),
    ("include { }", NetState("TEST"), True),
    ("exclude { }", NetState("TEST"), False),
    ("include { min_level: 2 }", NetState("TEST", 1), False),
    ("include { min_level: 2 }", NetState("TEST", 2), True),
    ("include { max_level: 2 }", NetState("TEST", 3), False),
    ("include { stage: 'a' }", NetState("TEST"), False),
    ("include { stage: 'a' }", NetState("TEST", 0, ("a", "b")), True),
    ("include { stage: 'a' stage: 'b' }", NetState("TEST", 0, ("a",)), False),
    ("include { not_stage: 'a' }", NetState("TEST", 0, ("a",)), False),
    ("include { not_stage: 'a' }", NetState("TEST"), True),
    ("include { phase: TEST stage: 'a' }", NetState("TEST"), False),
]


def with_rule(rule: str) -> str:
    return 'layer { name: "d" type: "Input" top: "d" input_param { shape { dim: 1 } } } ' \
        f'layer {{ name: "a" type: "ReLU" bottom: "d" top: "a" {rule} }}'


@pytest.mark.parametrize("rule, state, wanted", RULES)
def test_rules(rule: str, state: NetState, wanted: bool) -> None:
    """include and exclude."""
    assert ("a" in [layer.name for layer in net(with_rule(rule)).filtered(state).layers]) is wanted


def test_rules_on_real_caffe(caffe) -> None:
    """The same table, decided by Caffe."""
    cases = [
        NetCase(with_rule(rule), phase=state.phase, level=state.level, stages=state.stages, shapes_only=True)
        for rule, state, _ in RULES
    ]
    results = run_nets(cases, installation=caffe)
    assert [("a", "ReLU") in result.layers for result in results] == [wanted for _, _, wanted in RULES]


def test_both_rules_are_refused() -> None:
    """Caffe takes include or exclude, not both."""
    with pytest.raises(PrototoolsError, match="not both"):
        net(with_rule("include { } exclude { }")).filtered()


#: What a file says about its own state, a state, and whether the layer with the rule is in.
OWN_STATES = [
    ('state { stage: "x" }', "include { stage: 'x' }", NetState("TEST"), True),
    ('state { stage: "x" }', "include { stage: 'x' stage: 'y' }", NetState("TEST", 0, ("y",)), True),
    ('state { stage: "x" }', "exclude { stage: 'x' }", NetState("TEST"), False),
    ('state { stage: "x" }', "include { not_stage: 'x' }", NetState("TEST"), False),
    ("state { phase: TRAIN }", "include { phase: TRAIN }", NetState("TEST"), False),
    ("state { level: 3 }", "include { min_level: 1 }", NetState("TEST"), False),
    ("state { level: 3 }", "include { max_level: 1 }", NetState("TEST", 2), False),
]


@pytest.mark.parametrize("own, rule, state, wanted", OWN_STATES)
def test_own_state(own: str, rule: str, state: NetState, wanted: bool) -> None:
    """A file's own stages are added; its phase and level give way."""
    filtered = net(own + with_rule(rule)).filtered(state)
    assert ("a" in [layer.name for layer in filtered.layers]) is wanted


def test_own_state_on_real_caffe(caffe: Any) -> None:
    """The same table, decided by Caffe."""
    cases = [
        NetCase(own + with_rule(rule), phase=state.phase, level=state.level, stages=state.stages, shapes_only=True)
        for own, rule, state, _ in OWN_STATES
    ]
    results = run_nets(cases, installation=caffe)
    assert [("a", "ReLU") in result.layers for result in results] == [row[-1] for row in OWN_STATES]


#: Rules of which both answers must be seen in some state.
TELLING = [
    "include { phase: TRAIN }", "exclude { phase: TEST }", "include { stage: 'a' }", "include { not_stage: 'a' }",
    "include { stage: 'a' stage: 'b' }", "include { stage: 'a' not_stage: 'b' }", "exclude { stage: 'a' stage: 'b' }",
    "include { min_level: 3 }", "include { max_level: 3 }", "exclude { max_level: 3 }", "include { min_level: -2 }",
    "include { max_level: -2 }", "include { min_level: 2 max_level: 2 stage: 'deploy' }",
]


@pytest.mark.parametrize("rule", TELLING)
def test_states(rule: str) -> None:
    """Every state that the rules tell apart is among those worth a look."""
    both = net(with_rule(rule))
    found = {len(both.filtered(state).layers) for state in both.states()}
    assert found == {1, 2}
    assert len(both.states()) == len(set(both.states()))


def test_states_of_a_plain_net() -> None:
    """Nothing to tell apart but the phases."""
    assert net(WIRES).states() == [NetState("TEST"), NetState("TRAIN")]


# ---------------------------------------------------------------- the corpus


@pytest.fixture(scope="module")
def corpus(shared: Path) -> Dict[str, Net]:
    """The nets of the corpus; nothing but a sentence may keep a file from being one."""
    found = {}
    for path in sorted((shared / "corpus" / "files").rglob("*")):
        if path.is_file():
            try:
                found[str(path)] = Net(path.read_bytes())
            except PrototoolsError as error:
                assert len(str(error).split()) > 3
    return found


#: What the corpus holds, solver files and templates included.
NETS, LAYERS = 322, 59_451

TOKEN = re.compile(rb"""#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[{}<>]|[A-Za-z_]\w*""")


def outermost(data: bytes) -> Iterator[bytes]:
    """The names before the outermost brackets, by nothing but counting brackets."""
    depth, last = 0, b""
    for token in TOKEN.findall(data):
        if token in (b"{", b"<"):
            if depth == 0:
                yield last
            depth += 1
        elif token in (b"}", b">"):
            depth -= 1
        elif token[:1] not in b"#\"'":
            last = token


def test_corpus(corpus: Dict[str, Net]) -> None:
    """Every net of the corpus has the layers that stand in its text."""
    layers = 0
    for name, found in corpus.items():
        names = list(outermost(found.document.source()))
        assert len(found.layers) == names.count(b"layer") + names.count(b"layers"), name
        assert [layer.message.name.encode() for layer in found.layers] == [
            name for name in names if name in (b"layer", b"layers")]
        layers += len(found.layers)
    assert (len(corpus), layers) == (NETS, LAYERS)



def test_states_of_the_corpus(corpus: Dict[str, Net]) -> None:
    """In both phases and at every stage a file names: a net with its wires, or a sentence."""
    refused = []
    for name, found in corpus.items():
        try:
            for state in found.states():
                filtered = found.filtered(state)
                assert len(filtered.layers) <= len(found.layers)
                assert all(len(filtered.sources(layer)) == len(layer.bottoms) for layer in filtered.layers)
                assert len(filtered.unknown_bottoms()) <= len(filtered.problems)
                filtered.outputs()
        except PrototoolsError as error:
            refused.append((name, str(error)))
    assert refused == []


def test_corpus_as_protobuf_reads_it(corpus: Dict[str, Net]) -> None:
    """Names, types, bottoms and tops of the files in which Caffe's schema knows every field."""
    agreed = 0
    for name, found in corpus.items():
        data = found.document.source()
        if len(data) < 12_000 and found.layers and all(layer.version for layer in found.layers):
            message = schema.message("NetParameter")()
            try:
                text_format.Parse(data.decode(), message)
            except (text_format.ParseError, UnicodeDecodeError):
                continue
            real = [described(layer) for layer in message.layer or message.layers]
            assert [(one.name, one.type, one.bottoms, one.tops) for one in found.layers] == real, name
            agreed += 1
    assert agreed >= 20


def described(layer: Any) -> Tuple[str, str, List[str], List[str]]:
    """A message's name, current type, bottoms and tops."""
    kind = layer.type
    if not isinstance(kind, str):
        kind = V1_TYPES[schema.enum("V1LayerParameter.LayerType").Name(kind)]
    return layer.name, kind, list(layer.bottom), list(layer.top)


def corpus_on_caffe(texts: List[bytes], caffe: Any) -> Iterator[Tuple[List, List]]:
    """For each net that Caffe loads, our filtered layers and Caffe's, without what Caffe adds."""
    cases = [NetCase(text, shapes_only=True, timeout=120) for text in texts]
    for text, result in zip(texts, run_nets(cases, installation=caffe, processes=2)):
        if isinstance(result, NetResult) and Net(text).layers[0].version > 0:
            filtered = Net(text).filtered()
            ours: List = [(layer.name, layer.type) for layer in filtered.layers if layer.type != "Input"]
            real: List = [pair for pair in result.layers if pair[1] not in ("Split", "Input")]
            yield ours + filtered.outputs(), real + result.outputs


def small_deploys(shared: Path) -> Iterator[bytes]:
    for path in sorted((shared / "corpus" / "files").rglob("*deploy*")):
        try:
            if path.is_file() and Net(path.read_bytes()).layers:
                yield path.read_bytes()
        except PrototoolsError:
            continue


def test_layers_of_the_corpus_on_real_caffe(shared: Path, caffe: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """Where Caffe loads a corpus net, it has our filtered layers, in order, and our outputs."""
    monkeypatch.chdir(tmp_path)
    pairs = list(corpus_on_caffe(list(small_deploys(shared)), caffe))
    assert all(ours == real for ours, real in pairs)
    assert len(pairs) >= 10


def test_a_wrong_filter_is_noticed(caffe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison with Caffe can fail: with every layer kept, and with an in-place layer overlooked."""
    text = (TWO + relu("a", "a") + relu("a", "c", "exclude { phase: TEST }")).encode()
    (ours, real), = corpus_on_caffe([text], caffe)
    assert ours == real
    monkeypatch.setattr(Layer, "in_state", lambda self, state: True)
    (ours, real), = corpus_on_caffe([text], caffe)
    assert ours != real
