"""The Caffe view: layers of all forms, wires, phases."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List

import pytest

from prototools import schema
from prototools.errors import PrototoolsError
from prototools.net import V1_NUMBERS, V1_TYPES, Net, NetState
from prototools.realcaffe import NetCase, NetResult, run_nets


def net(text: str) -> Net:
    return Net(text.encode())


#: A layer in each form: text, version, type, wires.
FORMS = [
    ('layer { name: "a" type: "ReLU" bottom: "x" top: "y" }', 2, "ReLU"),
    ('layers { name: "a" type: RELU bottom: "x" top: "y" }', 1, "ReLU"),
    ('layers { name: "a" type: 18 bottom: "x" top: "y" }', 1, "ReLU"),
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


#: Headers and the shapes they give.
HEADERS = [
    ('input: "a" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4', [("a", [1, 2, 3, 4])]),
    ('input: "a" input: "b" input_dim: [1, 2, 3, 4, 5, 6, 7, 8]', [("a", [1, 2, 3, 4]), ("b", [5, 6, 7, 8])]),
    ('input: "a" input_shape { dim: 1 dim: 2 }', [("a", [1, 2])]),
    ('input: "a" input: "b" input_shape { dim: 7 }', [("a", [7]), ("b", None)]),
    ('input: "a" input_dim: 1 input_dim: 2', [("a", None)]),
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


def test_states() -> None:
    """Every state that the rules tell apart is among those worth a look."""
    states = net(with_rule("include { stage: 'deploy' min_level: 3 }")).states()
    assert NetState("TEST") in states and NetState("TRAIN", 3, ("deploy",)) in states


def test_corpus(shared: Path) -> None:
    """Every net of the corpus has the layers that stand in its text, in both phases."""
    counted = 0
    for path in sorted((shared / "corpus" / "files").rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        try:
            found = Net(data)
            filtered: Dict[str, int] = {p: len(found.filtered(NetState(p)).layers) for p in ("TEST", "TRAIN")}
        except PrototoolsError:
            continue
        document = found.document
        assert len(found.layers) == sum(node.name in ("layer", "layers") for node in document.children)
        assert max(filtered.values(), default=0) <= len(found.layers)
        counted += len(found.layers)
    assert counted > 40_000


def test_layers_of_the_corpus_on_real_caffe(shared: Path, caffe, tmp_path: Path, monkeypatch) -> None:
    """Where Caffe loads a corpus net, it has our filtered layers: names and types, in order."""
    monkeypatch.chdir(tmp_path)
    texts = []
    for path in sorted((shared / "corpus" / "files").rglob("*deploy*")):
        try:
            if path.is_file() and Net(path.read_bytes()).layers:
                texts.append(path.read_bytes())
        except PrototoolsError:
            continue
    cases = [NetCase(text, shapes_only=True, timeout=120) for text in texts]
    results = run_nets(cases, installation=caffe, processes=2)
    agreed = 0
    for text, result in zip(texts, results):
        if isinstance(result, NetResult) and Net(text).layers[0].version > 0:
            ours = [(layer.name, layer.type) for layer in Net(text).filtered().layers]
            real = [(name, kind) for name, kind in result.layers if kind not in ("Split", "Input")]
            assert [pair for pair in ours if pair[1] != "Input"] == real
            agreed += 1
    assert agreed >= 10
