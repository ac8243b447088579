"""`upgrade` against Caffe's own tools: the same message, field for field, as Caffe itself reads it.

The tool is run on the old file and on our result. Both outputs, which Caffe prints from the message, must
be equal byte for byte; and of our result the tool must say that nothing is left to upgrade.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Tuple

import old_nets
import pytest
from google.protobuf import text_format

from prototools import legacy, net, rewrite, schema
from prototools.errors import PrototoolsError
from prototools.net import V1_TYPES, Net
from prototools.prototext import Message, parse
from prototools.upgrading import upgrade, upgrade_weights

HERE = Path(__file__).parent
CASES = [json.loads(line) for line in (HERE / "cases/upgrade.jsonl").read_text("utf-8").splitlines()]
#: The tool fills what is missing with whatever stands in memory, so its answer is none.
GARBAGE = {"21-short-dims"}
LATEST = b"already in latest proto format"


class Answer(NamedTuple):
    """How a tool ended, what it wrote, what it said."""

    code: int
    out: Optional[bytes]
    log: bytes

    @property
    def accepted(self) -> bool:
        return self.code in (0, 1)


class Tools:
    """Caffe's upgrade tools; one call takes some 20 ms."""

    def __init__(self, caffe, folder: Path):
        self.caffe, self.folder = caffe, folder

    def __call__(self, kind: str, data: bytes) -> Answer:
        old, new = self.folder / "old", self.folder / "new"
        old.write_bytes(data)
        new.unlink(missing_ok=True)
        done = self.caffe.run([f"upgrade_{kind}", str(old), str(new)], capture_output=True)
        return Answer(done.returncode, new.read_bytes() if new.exists() else None, done.stderr)


@pytest.fixture(scope="module")
def tools(caffe, tmp_path_factory) -> Tools:
    return Tools(caffe, tmp_path_factory.mktemp("tools"))


def comments(data: bytes) -> List[bytes]:
    return sorted(comment.strip() for comment in parse(data).comments())


def hold(tools: Tools, kind: str, data: bytes) -> bool:
    """Hold our result for one text to the tool's; false where both refuse it."""
    theirs = tools(kind, data)
    if not theirs.accepted:
        with pytest.raises(PrototoolsError):
            upgrade(data)
        return False
    ours = upgrade(data)
    again = tools(kind, ours.text)
    assert again.out == theirs.out
    assert LATEST in again.log or b"batch norm" in again.log and b"Attempting" in again.log
    assert bool(ours.problems) == (theirs.code == 1)
    assert comments(ours.text) == comments(data)
    assert upgrade(ours.text) == (ours.text, (), ())
    return True


# ---------------------------------------------------------------- cases, random nets, the corpus


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_case(case, tools: Tools) -> None:
    """Every recorded case, on the tool itself."""
    data, kind = case["in"].encode(), f"{case['kind']}_proto_text"
    if case["id"] in GARBAGE:
        with pytest.raises(PrototoolsError):
            upgrade(data)
    else:
        assert hold(tools, kind, data) == (case["rc"] in ("0", "1"))


@pytest.mark.parametrize("start", range(0, 120, 20))
def test_random_nets(start: int, tools: Tools) -> None:
    """Nets of all forms in every manner of writing, with comments everywhere."""
    held = [hold(tools, "net_proto_text", old_nets.net(random.Random(seed))) for seed in range(start, start + 20)]
    assert sum(held) > 15


def corpus(shared: Path) -> Iterator[Tuple[str, bytes]]:
    """Every file of the corpus, with the tool for it."""
    for path in sorted((shared / "corpus" / "files").rglob("*")):
        if path.is_file():
            yield ("solver" if "solver" in path.name else "net") + "_proto_text", path.read_bytes()


def test_the_corpus(shared: Path, tools: Tools) -> None:
    """Every real file that the tool accepts; where it stops at a fork's field or type, the file without them."""
    counts = {"accepted": 0, "without a fork's fields": 0, "untouched": 0, "refused": 0}
    for kind, data in corpus(shared):
        theirs = tools(kind, data)
        try:
            ours = upgrade(data).text
        except PrototoolsError:
            counts["refused"] += 1
            assert not theirs.accepted
            continue
        if theirs.accepted:
            counts["accepted"] += hold(tools, kind, data)
            continue
        if ours == data:
            counts["untouched"] += 1
            continue
        old = any(layer.version < 2 for layer in Net(data).layers)
        before, after = without_forks(data, kind, old), without_forks(ours, kind, old)
        assert comments(ours) == comments(data) and upgrade(ours).text == ours
        theirs = tools(kind, before)
        if theirs.accepted:
            counts["without a fork's fields"] += 1
            assert theirs.out == tools(kind, after).out
    assert counts["accepted"] > 90 and counts["without a fork's fields"] > 80 and counts["refused"] < 60


def without_forks(data: bytes, kind: str, old: bool) -> bytes:
    """A text without the fields that Caffe does not know; of V1 layers, old or upgraded, without foreign types too."""
    document = parse(data)
    top = "SolverParameter" if kind.startswith("solver") else "NetParameter"
    return document.edited(_forks(document, schema.message(top).DESCRIPTOR, old))


def _forks(message: Message, descriptor, old: bool) -> Iterator[Tuple[int, int, bytes]]:
    known, last = schema.fields(descriptor), -1
    for node in message:
        field = known.get(node.name)
        if field is None and isinstance(node, Message):
            yield node.start, node.stop, b""
        elif field is None:
            is_list = b"[" in node.data[node.field_start + len(node.name) : node.start]
            if node.field_start != last:
                yield node.field_start, node.data.index(b"]", node.stop) + 1 if is_list else node.stop, b""
            last = node.field_start
        elif isinstance(node, Message) and field.message_type is not None:
            yield from _forks(node, field.message_type, old)
        elif node.name == "type" and descriptor.name == "V1LayerParameter":
            if node.literal.decode() not in V1_TYPES:
                yield node.start, node.stop, b"NONE"
        elif node.name == "type" and descriptor.name == "LayerParameter" and old:
            if node.literal.decode().strip("'\"") not in (*V1_TYPES.values(), "Input"):
                yield node.start, node.stop, b'""'
        elif field.kind == "enum" and node.literal.decode() not in field.enum_type.values_by_name:
            yield node.field_start, node.stop, b""


# ---------------------------------------------------------------- together with rewrite


CUSTOM = {
    "INTERP": "interp_param { zoom_factor: 2 }",
    '"Interp"': "interp_param { zoom_factor: 2 }",
    "UPSAMPLE": "upsample_param { scale: 2 }",
}


@pytest.fixture(scope="module")
def v1_nets(shared: Path) -> List[Tuple[bytes, str]]:
    """The V1 nets of the corpus that can be upgraded, each with a blob of images."""
    nets = []
    for _, data in corpus(shared):
        try:
            net = Net(data) if b"layers" in data else None
            if net is None or {layer.version for layer in net.layers} != {1} or not upgrade(data).steps:
                continue
        except PrototoolsError:
            continue
        nets += [(data, layer.tops[0]) for layer in net.layers if layer.type == "Pooling"][:1]
    return nets


@pytest.mark.parametrize("kind", CUSTOM)
def test_rewriting_first_and_upgrading_first(kind: str, v1_nets) -> None:
    """A V1 net with a custom layer becomes the same net either way; rewriting alone keeps it in V1."""
    assert len(v1_nets) > 20
    for data, blob in v1_nets:
        layer = f'\nlayers {{ name: "up" type: {kind} bottom: "{blob}" top: "up" {CUSTOM[kind]} }}\n'
        first = rewrite(data + layer.encode())
        assert first.changes and {layer.version for layer in Net(first.text).layers} == {1}
        then = upgrade(first.text).text
        assert as_message(parse(then)) == as_message(parse(rewrite(upgrade(data + layer.encode()).text).text))


def as_message(message: Message) -> dict:
    """A text as protobuf sees it: the values of each field, in their order."""
    fields: dict = {}
    for node in message:
        fields.setdefault(node.name, []).append(as_message(node) if isinstance(node, Message) else node.literal)
    return fields


# ---------------------------------------------------------------- binary nets


def hold_binary(tools: Tools, data: bytes, folder: Path) -> bool:
    """Hold our result for one binary net to the tool's; false where both refuse it."""
    source, target, second = (str(folder / name) for name in ("source", "target", "second"))
    Path(source).write_bytes(data)
    theirs = tools("net_proto_binary", data)
    if not theirs.accepted:
        with pytest.raises(PrototoolsError):
            upgrade_weights(source, target)
        return False
    ours = upgrade_weights(source, target)
    again = tools("net_proto_binary", Path(target).read_bytes())
    assert again.out == theirs.out
    assert LATEST in again.log or b"batch norm" in again.log
    assert bool(ours.problems) == (theirs.code == 1)
    assert not upgrade_weights(target, second).steps and Path(second).read_bytes() == Path(target).read_bytes()
    return True


def binary(text: bytes) -> bytes:
    """A text as a binary net."""
    net = schema.message("NetParameter")()
    text_format.Parse(text, net)
    return net.SerializeToString()


NETS = [case for case in CASES if case["kind"] == "net" and case["in"] and case["id"] not in GARBAGE]


@pytest.mark.parametrize("case", NETS, ids=[case["id"] for case in NETS])
def test_a_binary_case(case, tools: Tools, tmp_path: Path) -> None:
    """Every recorded case as a binary net."""
    assert hold_binary(tools, binary(case["in"].encode()), tmp_path) == (case["rc"] in ("0", "1"))


def test_random_binary_nets(tools: Tools, tmp_path: Path) -> None:
    """Random nets of all forms as binary nets."""
    nets = [binary(old_nets.net(random.Random(seed))) for seed in range(1000, 1060)]
    assert sum(hold_binary(tools, net, tmp_path) for net in nets if net) > 45


def field(number: int, value: bytes) -> bytes:
    """A field of bytes on the wire; numbers below 16 and short values only."""
    return bytes([number << 3 | 2, len(value)]) + value


UNKNOWN = b"\xf8\x3f\x07"  # field 1023, the number 7
ODD_WIRES = {
    "unknown fields everywhere": UNKNOWN + field(2, UNKNOWN + field(4, b"c") + b"\x28\x04" + b"\x52\x05\x08\x02"
                                                 + UNKNOWN),
    "unknown fields in V0": UNKNOWN + field(2, UNKNOWN + field(1, field(1, b"c") + field(2, b"conv") + UNKNOWN)),
    "a type of a fork": field(2, b"\x28\x63" + field(4, b"bn")),
    "a type twice, the last counts": field(2, b"\x28\x04\x28\x12"),
    "a type twice, the last unknown": field(2, b"\x28\x04\x28\x63"),
    "an inner layer in two pieces": field(2, field(1, field(2, b"conv")) + field(1, b"\x18\x05")),
    "a V0 pad twice": field(2, field(1, field(2, b"conv") + b"\x38\x01\x38\x02")),
    "packed rates": field(2, b"\x28\x04" + field(7, b"\0\0\x80?\0\0\0@") + field(8, b"\0\0\x80?")),
    "packed dims": field(3, b"d") + field(4, b"\x01\x03\x08\x08"),
    "a name of the wrong kind": field(2, b"\x20\x05\x28\x12"),
    "a transformation in two pieces": field(2, b"\x28\x05" + field(11, b"\x28\x03") + field(11, b"\x30\x01")),
    "negative dims": field(3, b"d") + b"".join(b"\x20" + b"\xff" * 9 + b"\x01" for _ in range(4)),
}


@pytest.mark.parametrize("name", ODD_WIRES)
def test_odd_wires(name: str, tools: Tools, tmp_path: Path) -> None:
    """What other writers put on the wire: as protobuf reads it, and kept where Caffe keeps it."""
    assert hold_binary(tools, ODD_WIRES[name], tmp_path)


# ---------------------------------------------------------------- the judges themselves


@pytest.mark.parametrize("where, text", [
    ("V1_TYPES.RELU", b"layers { type: RELU }"),
    ("V0_MESSAGES.conv", b'layers { layer { type: "conv" pad: 1 } }'),
    ("SOLVER_TYPES.ADAM", b"solver_type: ADAM"),
])
def test_a_planted_mistake_is_found(where: str, text: bytes, tools: Tools, monkeypatch, tmp_path: Path) -> None:
    """A wrong row in a table makes the comparison fail, in text and in binary."""
    table, _, key = where.partition(".")
    monkeypatch.setitem(getattr(net if table == "V1_TYPES" else legacy, table), key, "pooling_param")
    kind = "solver_proto_text" if b"solver" in text else "net_proto_text"
    with pytest.raises(AssertionError):
        hold(tools, kind, text)
    if kind == "net_proto_text":
        with pytest.raises(AssertionError):
            hold_binary(tools, binary(text), tmp_path)


def test_an_unfinished_upgrade_is_found(tools: Tools, monkeypatch) -> None:
    """A step that is left out is no equal result, although the tool would take it on the second time."""
    monkeypatch.setattr("prototools.upgrading.inputs.needed", lambda net: False)
    with pytest.raises(AssertionError):
        hold(tools, "net_proto_text", b'input: "a" input_shape { dim: 1 } layers { type: RELU }')
