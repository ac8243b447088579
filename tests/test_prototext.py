"""The lossless tree: what it takes, what it refuses, and what its values are."""

from __future__ import annotations

import base64
import json
import random
import re
import struct
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st

from prototools import schema
from prototools.errors import ProtoTextError
from prototools.prototext import Document, Message, Style, Word, parse, values, write_fields
from prototools.prototext.style import literal
from prototools.prototext.tree import Scalar

CASES: List[Dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "cases" / "textformat.jsonl").read_text().splitlines()
]


def text_of(case: Dict[str, Any]) -> bytes:
    return base64.b64decode(case["text_b64"]) if case.get("text_b64") else case["text"].encode()


def refusal(data: bytes) -> Optional[ProtoTextError]:
    """The error a text is refused with, or None; a text that is accepted must come back."""
    try:
        document = parse(data)
    except ProtoTextError as error:
        return error
    assert document.source() == data
    return None


def lies_inside(error: ProtoTextError, data: bytes) -> bool:
    """Whether an error's line and column are a place in the text, its end included."""
    lines = data.split(b"\n")
    return 1 <= error.line <= len(lines) and 1 <= error.column <= len(lines[error.line - 1]) + 1


def scalars(message: Message) -> Iterator[Scalar]:
    for node in message:
        if isinstance(node, Message):
            yield from scalars(node)
        else:
            yield node


# ---------------------------------------------------------------- recorded verdicts

WANTED = {"must": True, "may": True, "lenient": False, "reject": False}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_verdict(case: Dict[str, Any]) -> None:
    """Accepted and returned, or refused with a place inside the text."""
    data = text_of(case)
    error = refusal(data)
    assert (error is None) is WANTED[case["tree"]], error
    if error is None:
        covers(parse(data))
    else:
        assert lies_inside(error, data)
        assert len(error.message.split()) >= 3


def test_counts() -> None:
    """Nothing went missing on the way."""
    counts = {kind: sum(case["tree"] == kind for case in CASES) for kind in WANTED}
    assert counts == {"must": 226, "may": 99, "lenient": 19, "reject": 122}


#: What Caffe refuses and the tree takes: the tree knows no schema. A reason, whether a typed reader refuses
#: the value when somebody asks for it, and the cases.
TAKEN = [
    ("a field that Caffe lacks may be a fork's", False,
     "msg-group-case fld-unknown fld-unknown-nested fld-upsample-param fld-interp-param fld-case "
     "fld-underscore fld-ext fld-keyword-true fld-v2-blobs-lr real-solver-as-net real-net-as-solver "
     "real-unknown-top deep-braces-1000 deep-braces-5000"),
    ("a choice that Caffe lacks may be a fork's", False,
     "fld-v1-lower fld-v1-num-unknown enum-lower enum-num-unknown enum-num-neg enum-unknown enum-true "
     "enum-huge enum-phase-lower enum-phase-2"),
    ("a field of one value may be written again: which fields these are, the schema knows", True,
     "msg-singular-twice msg-singular-twice-empty fld-dup-bool fld-dup-enum fld-dup-float fld-dup-default "
     "fld-dup-layer-name"),
    ("a list of at most one value is read as the value", False,
     "msg-list-singular list-singular list-singular-empty list-singular-num bool-lbtruerb enum-list"),
    ("a value of another kind is refused by whoever reads it", True,
     "msg-scalar-given-msg msg-scalar-given-msg-colon msg-msg-given-scalar msg-msg-given-int fld-v2-enum "
     "fld-v1-param-msg fld-v2-param-string str-bool int-float int-float-dot int-exp int-quoted int-true "
     "int-inf int-nan int-word uint-float flt-inff flt-infinityf flt-nanf flt-exp-only flt-hex flt-neg-hex "
     "flt-oct flt-oct-neg flt-quoted flt-true flt-word bool-TRUE bool-tRue bool-T bool-F bool-2 bool--1 "
     "bool--0 bool-1.0 bool-yes bool-no bool-off bool-y bool-dqtruedq bool-sq1sq bool-null bool-None "
     "bool-18446744073709551616 enum-num-float enum-quoted enum-quoted-s enum-empty enum-solver-type-str "
     "real-string-kernel real-kernel-float"),
    ("how large a whole number may be, and whether it has a sign, the schema knows", False,
     "int-hex-over uint-over uint-neg-zero int64-over int64-under int64-u64max real-neg-pad"),
    ("which fields must be there, the schema knows", False, "req-clip-empty req-clip-one"),
]

#: What some Python protobuf takes and the tree refuses, because Caffe, who will read the file, refuses it too.
REFUSED = [
    ("a blank or a digit must be ASCII",
     "ws-nbsp ws-nbsp-indent ws-ideographic-space ws-ls int-arabic"),
    ("a NUL may stand nowhere", "ws-comment-nul"),
    ("a field has a name, not a number", "fld-number fld-number-msg"),
    ("an unknown escape has no meaning", "str-esc-unknown-hash str-esc-unknown-d str-esc-oct-9"),
    ("a plus sign is no part of a number", "int-plus uint-plus flt-plus-inf"),
    ("a number must end before a letter begins, and 00.5 is neither octal nor decimal",
     "int-bin int-underscore flt-ff flt-lead-zero flt-underscore"),
]


def test_every_difference_has_a_reason() -> None:
    """Each case on which the tree and some parser differ stands in one row of the two tables."""
    taken = [name for _, _, names in TAKEN for name in names.split()]
    refused = [name for _, names in REFUSED for name in names.split()]
    assert sorted(taken) == sorted(case["id"] for case in CASES if case["tree"] == "may")
    assert sorted(refused) == sorted(case["id"] for case in CASES if case["tree"] == "lenient")


BY_NAME = {case["id"]: case for case in CASES}


@pytest.mark.parametrize("name, refuses", [
    (name, refuses) for _, refuses, names in TAKEN for name in names.split()
])
def test_a_reader_refuses_what_it_cannot_read(name: str, refuses: bool) -> None:
    """Where the tree takes a value that no field of Caffe's holds, the typed readers say so, on its line."""
    case = BY_NAME[name]
    try:
        read_all(parse(text_of(case)), descriptor_of(case))
    except ProtoTextError as error:
        assert refuses and error.line == int(case["caffe_err"].split(":")[1])
    else:
        assert not refuses


def descriptor_of(case: Dict[str, Any]) -> Any:
    return schema.message(case["message"].partition(".")[2]).DESCRIPTOR


def read_all(message: Message, descriptor: Any) -> None:
    """Ask for every field that the schema knows, as the schema knows it."""
    for name, field in schema.fields(descriptor).items():
        if field.kind == "message":
            one = [] if field.repeated else [message.message(name)] * message.has(name)
            for inner in message.messages(name) if field.repeated else one:
                read_all(inner, field.message_type)
        elif field.repeated and field.kind == "enum":
            for node in message.scalars(name):
                values.word(node)
        elif field.repeated:
            getattr(message, READERS[field.kind] + "s")(name)
        else:
            getattr(message, READERS[field.kind])(name)


#: The reader of a field's kind; a repeated field's has an `s`.
READERS = {"str": "string", "bytes": "string", "bool": "boolean", "float": "number", "int": "integer",
           "enum": "word"}


# ---------------------------------------------------------------- values

Wire = Dict[str, List[Any]]


def on_the_wire(data: bytes, descriptor: Any) -> Wire:
    """A serialized message: the values of each field by its name, messages as mappings again.

    Written here because some protobufs refuse strings that are not UTF-8, which Caffe takes.
    """
    names = {field.number: field for field in descriptor.fields}
    found: Wire = {}
    position = 0
    while position < len(data):
        key, position = varint(data, position)
        field, kind = names[key >> 3], key & 7
        if kind == 0:
            payload, position = varint(data, position)
        else:
            size, position = (8, position) if kind == 1 else (4, position) if kind == 5 else varint(data, position)
            payload, position = data[position : position + size], position + size
        found.setdefault(field.name, []).extend(payloads(field, kind, payload))
    return found


def varint(data: bytes, position: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def payloads(field: Any, kind: int, payload: Any) -> List[Any]:
    """The values in one payload: several where numbers are packed."""
    if field.message_type is not None:
        return [on_the_wire(payload, field.message_type)]
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return [payload]
    form = {FieldDescriptor.CPPTYPE_FLOAT: "f", FieldDescriptor.CPPTYPE_DOUBLE: "d"}.get(field.cpp_type)
    if form:
        return [value for value, in struct.iter_unpack("<" + form, payload)]
    packed = [payload] if kind == 0 else []
    position = 0
    while kind == 2 and position < len(payload):
        value, position = varint(payload, position)
        packed.append(value)
    signed = field.cpp_type in (
        FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_ENUM)
    return [value - 2**64 if signed and value >= 2**63 else value for value in packed]


def differences(message: Message, real: Wire, descriptor: Any, path: str = "") -> Iterator[str]:
    """Where the tree's values are not those of a serialized message."""
    for name in sorted({*message.names(), *real}):
        field, nodes, wanted = descriptor.fields_by_name[name], message.all(name), real.get(name, [])
        if len(nodes) != len(wanted):
            yield f"{path}{name}: {len(nodes)} for {len(wanted)}"
            continue
        for node, one in zip(nodes, wanted):
            if field.message_type is not None:
                yield from differences(node, one, field.message_type, f"{path}{name}.")
            elif decoded(node, field) != shown(one):
                yield f"{path}{name}: {node.literal!r} for {one!r}"


def decoded(node: Scalar, field: Any) -> Any:
    """The value that the typed reader of a field's kind gives."""
    kind = schema.fields(field.containing_type)[field.name].kind
    if kind == "enum":
        word = values.word(node)
        named = field.enum_type.values_by_name.get(word)
        return named.number if named else int(word)
    readers: Dict[str, Callable[[Scalar], Any]] = {
        "str": values.string_bytes, "bytes": values.string_bytes, "bool": values.boolean,
        "float": values.number, "int": values.integer,
    }
    return shown(readers[kind](node))


def shown(value: Any) -> Any:
    """A value that equals itself: floats as the bits of a 32-bit float, every NaN alike."""
    if isinstance(value, float):
        return "nan" if value != value else struct.pack("<f", value)
    return value


#: Three texts are too large for their message to be recorded.
VALUED = [case for case in CASES if "caffe_bin_b64" in case and case["tree"] == "must"]


@pytest.mark.parametrize("case", VALUED, ids=lambda case: case["id"])
def test_values(case: Dict[str, Any]) -> None:
    """Every value is decoded as Caffe decodes it, and no field is added or lost."""
    descriptor = descriptor_of(case)
    real = on_the_wire(base64.b64decode(case["caffe_bin_b64"]), descriptor)
    document = parse(text_of(case))
    assert list(differences(document, real, descriptor)) == []
    read_all(document, descriptor)


def test_the_value_check_can_fail() -> None:
    """A value off by one, a word, a string, a missing or an added element: each is noticed."""
    descriptor = schema.message("NetParameter").DESCRIPTOR
    real: Wire = {"name": [b"a"], "input_dim": [1, 8]}
    assert not list(differences(parse(b'name: "a" input_dim: [1, 010]'), real, descriptor))
    for wrong in (b'name: "b" input_dim: [1, 010]', b'name: "a" input_dim: [1, 10]', b'name: "a" input_dim: 1',
                  b'name: "a" input_dim: [1, 8] debug_info: true', b'name: "a"'):
        assert list(differences(parse(wrong), real, descriptor))


#: Values on which readers of text format differ, as real Caffe reads them (protobuf 3.12 in C++): a surrogate
#: pair in every spelling, halves of pairs, codes beyond Unicode, octal that wraps.
STRINGS = [
    (rb'"\ud83d\ude00"', b"\xf0\x9f\x98\x80"), (rb'"\uD83D\uDE00"', b"\xf0\x9f\x98\x80"),
    (rb'"\U0000D83D\uDE00"', b"\xf0\x9f\x98\x80"), (rb'"\uD83D\U0000DE00"', b"\xed\xa0\xbd\xed\xb8\x80"),
    (rb'"\ud83d" "\ude00"', b"\xed\xa0\xbd\xed\xb8\x80"), (rb'"\ud83dx"', b"\xed\xa0\xbdx"),
    (rb'"\ude00\ud83d"', b"\xed\xb8\x80\xed\xa0\xbd"), (rb'"\uD83D\u0041"', b"\xed\xa0\xbdA"),
    (rb'"\U00110000"', b"\xf4\x90\x80\x80"), (rb'"\U001FFFFF"', b"\xf7\xbf\xbf\xbf"),
    (rb'"\400\777\18\1234"', b"\x00\xff\x018S4"), (rb'"\x4\x41F"', b"\x04AF"),
    (rb'''"\?\'\"\\"''', b"?'\"\\"), (rb'"""x"""', b"x"), (b'"\t\r\x7f\xff"', b"\t\r\x7f\xff"),
]
FLOATS = [
    (b"3.4028235677973366e38", 3.4028234663852886e38), (b"3.402823567797337e38", float("inf")),
    (b"-3.4028235677973366e38", -3.4028234663852886e38), (b"-1e400", float("-inf")), (b"1e-46", 0.0),
    (b"7.1e-46", 1.401298464324817e-45), (b"16777217", 16777216.0), (b"18446744073709551616", 2.0**64),
    (b"0.1f", 0.10000000149011612), (b"-  .5F", -0.5), (b"- # c\n INFINITY", float("-inf")),
]


@pytest.mark.parametrize("text, value", STRINGS)
def test_strings(text: bytes, value: bytes) -> None:
    """Strings as Caffe's reader stores them."""
    assert values.string_bytes(parse(b"name: " + text).one("name")) == value


@pytest.mark.parametrize("text, value", FLOATS)
def test_floats(text: bytes, value: float) -> None:
    """Floats as Caffe's reader stores them."""
    assert parse(b"scale: " + text).number("scale") == value


def test_values_on_real_caffe(caffe: Any, tmp_path: Path) -> None:
    """The same two tables, read and printed by Caffe's own upgrade tool."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.write_bytes(b"layer { name: 'x' " + b"".join(
        [b"bottom: %s\n" % text for text, _ in STRINGS] + [b"loss_weight: %s\n" % text for text, _ in FLOATS]
    ) + b"}")
    caffe.run(["upgrade_net_proto_text", str(before), str(after)], capture_output=True)
    # What Caffe prints is plain: octal escapes and decimal numbers.
    layer = parse(after.read_bytes()).message("layer")
    assert [values.string_bytes(node) for node in layer.scalars("bottom")] == [value for _, value in STRINGS]
    assert layer.numbers("loss_weight") == [value for _, value in FLOATS]


# ---------------------------------------------------------------- nodes cover the text

NAME_OR_EXTENSION = rb"(?:[A-Za-z_][A-Za-z0-9_]*|\[ ?[A-Za-z_][\w./-]* ?\])"
#: What may stand before a node, comments and blanks squeezed to a blank: the end of the field before,
#: fields without a value (empty lists), and the node's own name with its colon and bracket.
BEFORE = re.compile(
    rb" ?(?:\] ?)?(?:[,;] ?)?(?:" + NAME_OR_EXTENSION + rb" ?:? ?\[ ?\] ?(?:[,;] ?)?)*"
    rb"(?:(" + NAME_OR_EXTENSION + rb") ?:? ?(?:\[ ?)?)?"
)
BLANKS = re.compile(rb"(?:[ \t-\r]|#[^\n]*(?:\n|\Z))+")


def covers(message: Message) -> int:
    """Between the nodes stand blanks, comments, separators and their names; counts the nodes."""
    count, todo = 0, [message]
    while todo:
        here = todo.pop()
        position, last = here.body_start, b""
        for node in here:
            found = BEFORE.fullmatch(BLANKS.sub(b" ", here.data[position : node.start]))
            assert found, here.data[position : node.start]
            if isinstance(node, Message) and here.data[node.start] not in b"{<":
                assert found.group(1) is None and here.data[node.start :].startswith(node.name.encode())
            else:
                # The elements of a list have one name, which stands before the first.
                last = found.group(1) or last
                assert last.decode() == BLANKS.sub(b" ", node.name.encode()).decode()
            position = node.stop
            count += 1
            if isinstance(node, Message):
                todo.append(node)
        found = BEFORE.fullmatch(BLANKS.sub(b" ", here.data[position : here.body_stop]))
        assert found and found.group(1) is None, here.data[position : here.body_stop]
    return count


def test_a_list_of_nothing_hides_nothing() -> None:
    """Fields behind an empty list are seen, and so are those behind a list of messages."""
    document = parse(b"layer [ ] name: 'a' layer: [] input [ ], layer [ { } ] layer [] debug_info: 1")
    assert document.names() == ["name", "layer", "debug_info"]
    assert covers(document) == 3


def test_a_lost_field_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cover check itself can fail: a tree that loses a scalar, or calls it by another name."""
    document = parse(b"a: 1 b: 2 c { d: 3 }")
    assert covers(document) == 4
    real = Message._nodes
    monkeypatch.setattr(Message, "_nodes", lambda message: real(message)[1:])
    with pytest.raises(AssertionError):
        covers(document)

    def renamed(message: Message) -> List[Any]:
        nodes = real(message)
        return [Scalar("x", n.field_start, n.start, n.stop, n.data) if isinstance(n, Scalar) else n for n in nodes]

    monkeypatch.setattr(Message, "_nodes", renamed)
    with pytest.raises(AssertionError):
        covers(document)


def test_a_lost_byte_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The round-trip check itself can fail."""
    monkeypatch.setattr(Document, "source", lambda self: self.data[:-1])
    with pytest.raises(AssertionError):
        refusal(b"a: 1\n")


# ---------------------------------------------------------------- the corpus

FILES, REFUSED_FILES = 347, 25


@pytest.fixture(scope="module")
def corpus(shared: Path) -> Dict[str, bytes]:
    folder = shared / "corpus" / "files"
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def test_corpus(corpus: Dict[str, bytes]) -> None:
    """Every file comes back byte for byte, or is refused with one line and column."""
    refusals = {name: refusal(data) for name, data in corpus.items()}
    refused = {name: error for name, error in refusals.items() if error is not None}
    assert (len(refusals), len(refused)) == (FILES, REFUSED_FILES)
    assert all(lies_inside(error, corpus[name]) for name, error in refused.items())
    # A missing value, a conflict, a placeholder: which it is, each sentence says.
    assert all(len(error.message.split()) >= 4 and "\n" not in error.message for error in refused.values())


def test_nodes_cover_the_corpus(corpus: Dict[str, bytes]) -> None:
    """No field of any third file is lost."""
    texts = [data for data in list(corpus.values())[::3] if refusal(data) is None]
    assert sum(map(covers, map(parse, texts))) > 50_000


def test_broken_corpus_files(corpus: Dict[str, bytes]) -> None:
    """Small files of the corpus with one byte wrong: text format still, or an error with a place."""
    chance = random.Random(1)
    small = [data for data in corpus.values() if len(data) < 4000]
    outcomes = set()
    for _ in range(1500):
        data = bytearray(chance.choice(small))
        if data:
            data[chance.randrange(len(data))] = chance.choice(WILD)
        error = refusal(bytes(data))
        assert error is None or lies_inside(error, bytes(data))
        outcomes.add(error is None)
    assert outcomes == {True, False}


WILD = b"{}<>[]:,;\"'#\\\n\r\0\xff-+.0x_ "


# ---------------------------------------------------------------- properties: any document

NAMES = st.sampled_from(["layer", "name", "top", "conv_param", "x", "_y", "Type2", "inf", "true"])
WORDS = st.sampled_from(["MAX", "true", "t", "LEVELDB", "_x1", "e5"])
INTEGERS = st.integers(-(2**63), 2**64 - 1)
FLOATS_32 = st.floats(width=32)
BYTES = st.one_of(st.binary(max_size=8), st.text(max_size=6).map(str.encode))
VALUES = st.one_of(WORDS, INTEGERS, FLOATS_32, BYTES)
#: A model of a document: fields as (name, values), where a value may be fields again.
FIELDS = st.recursive(
    st.lists(st.tuples(NAMES, st.lists(VALUES, max_size=3)), max_size=3),
    lambda inner: st.lists(
        st.tuples(NAMES, st.one_of(st.lists(VALUES, max_size=3), st.lists(inner, max_size=3))), max_size=4),
    max_leaves=6,
)
CHANCE = st.randoms(use_true_random=False)


class Writer:
    """Writes a model in any notation that text format has."""

    def __init__(self, chance: random.Random):
        self.pick = lambda *choices: chance.choice(choices)

    def blank(self, needed: bool = False) -> bytes:
        return self.pick(b" ", b" ", b"\n", b"\r\n", b"\t", b"\v\f\r", b"  ", b" # \xc4\xe3 { ] \"'\n", b"#\r\n",
                         b"\n# a\rb\n", b" " if needed else b"")

    def fields(self, model: List) -> bytes:
        pieces = [self.blank()]
        for name, many in model:
            inner = any(isinstance(value, list) for value in many)
            if not many or self.pick(True, False):
                pieces.append(self.list(name, many, inner))
            else:
                pieces += [self.message(name, value) if inner else self.scalar(name, value) for value in many]
        return b"".join(pieces)

    def end(self) -> bytes:
        return self.blank() + self.pick(b",", b";", b"", b"") + self.blank(needed=True)

    def list(self, name: str, many: List, inner: bool) -> bytes:
        joint = self.blank() + b"," + self.blank()
        elements = joint.join(self.braces(value) if inner else self.value(value) for value in many)
        colon = b"" if not many or inner and self.pick(True, False) else b":"
        return b"".join([name.encode(), self.blank(), colon, self.blank(), b"[", self.blank(), elements,
                         self.blank(), b"]", self.end()])

    def message(self, name: str, model: List) -> bytes:
        return b"".join([name.encode(), self.blank(), self.pick(b":", b""), self.blank(), self.braces(model),
                         self.end()])

    def braces(self, model: List) -> bytes:
        opener, closer = self.pick((b"{", b"}"), (b"<", b">"))
        return opener + self.fields(model) + closer

    def scalar(self, name: str, value: Any) -> bytes:
        return name.encode() + self.blank() + b":" + self.blank() + self.value(value) + self.end()

    def value(self, value: Any) -> bytes:
        if isinstance(value, bytes):
            return self.string(value)
        if isinstance(value, str):
            return value.encode()
        return self.float(value) if isinstance(value, float) else self.integer(value)

    def integer(self, value: int) -> bytes:
        sign = b"-" + self.blank() if value < 0 else b""
        return sign + self.pick("%d", "0%o", "0x%x", "0X%X").__mod__(abs(value)).encode()

    def float(self, value: float) -> bytes:
        text = repr(abs(value))
        if "n" in text:
            text = self.pick(text, text.upper(), text.title()).replace("Inf", self.pick("Inf", "iNFINITY"))
        else:
            text += self.pick("", "f", "F")
        return (b"-" + self.blank() if struct.pack(">f", value)[0] & 0x80 else b"") + text.encode()

    def string(self, value: bytes) -> bytes:
        """Adjacent pieces; each character raw, in octal, in hexadecimal or as a code point."""
        try:
            characters = [character.encode() for character in value.decode()]
        except UnicodeDecodeError:
            characters = [bytes([byte]) for byte in value]
        pieces = [b""]
        for character in characters:
            if self.pick(True, False, False, False):
                pieces.append(b"")
            pieces[-1] += self.character(character)
        quotes = [self.pick(b'"', b"'") for _ in pieces]
        joined = [quote + piece + quote for quote, piece in zip(quotes, pieces)]
        return b"".join(piece + self.blank() for piece in joined[:-1]) + joined[-1]

    def character(self, character: bytes) -> bytes:
        octal = b"".join(b"\\%03o" % byte for byte in character)
        spellings = [octal, b"".join(self.pick(b"\\x%02x", b"\\x%02X") % byte for byte in character)]
        if not set(character) & set(b"\0\n\"'\\"):
            spellings += [character] * 3
        if character in ESCAPES:
            spellings.append(ESCAPES[character])
        if len(character) > 1 or character < b"\x80":
            code = ord(character.decode())
            spellings.append(b"\\U%08x" % code)
            if code < 0x10000:
                spellings.append(self.pick(b"\\u%04x", b"\\u%04X") % code)
            else:
                code -= 0x10000
                pair = 0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF)
                spellings += [b"\\u%04x\\u%04X" % pair, b"\\U%08X\\u%04x" % pair]
        return self.pick(*spellings)


ESCAPES = {b"\a": b"\\a", b"\b": b"\\b", b"\f": b"\\f", b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t",
           b"\v": b"\\v", b"\\": b"\\\\", b"'": b"\\'", b'"': b'\\"', b"?": b"\\?"}


def flat(model: List) -> List[Tuple[str, Any]]:
    """The model as a tree gives it: one entry for each value."""
    return [(name, flat(value) if isinstance(value, list) else shown(value))
            for name, many in model for value in many]


def read_back(message: Message, model: List[Tuple[str, Any]]) -> List[Tuple[str, Any]]:
    """A tree as a model, each scalar read by the kind of the value it should have."""
    nodes = list(message)
    assert len(nodes) == len(model)
    found: List[Tuple[str, Any]] = []
    for node, (_, wanted) in zip(nodes, model):
        if isinstance(node, Message):
            assert isinstance(wanted, list)
            found.append((node.name, read_back(node, wanted)))
        else:
            found.append((node.name, read_like(node, wanted)))
    return found


def read_like(node: Scalar, wanted: Any) -> Any:
    if isinstance(wanted, int):
        return values.integer(node)
    if node.literal[:1] in (b'"', b"'"):
        return values.string_bytes(node)
    if isinstance(wanted, str) and wanted != "nan":
        return values.word(node)
    return shown(values.number(node))


@settings(max_examples=200, deadline=None)
@given(FIELDS, CHANCE)
def test_any_document(model: List, chance: random.Random) -> None:
    """Whatever notation: the same bytes, nothing lost, and the values that were written."""
    data = Writer(chance).fields(model)
    assert refusal(data) is None
    document = parse(data)
    covers(document)
    assert read_back(document, flat(model)) == flat(model)


@settings(max_examples=200, deadline=None)
@given(FIELDS, CHANCE)
def test_a_broken_document_is_a_place(model: List, chance: random.Random) -> None:
    """Bytes changed, lost or added anywhere: still text, or an error inside the text."""
    data = Writer(chance).fields(model)
    for _ in range(8):
        broken = data
        for _ in range(chance.randint(1, 3)):
            place = chance.randint(0, len(broken))
            wild = bytes(chance.choice(WILD) for _ in range(chance.randint(0, 2)))
            broken = broken[:place] + wild + broken[place + chance.randint(0, 2) :]
        error = refusal(broken)
        if error is None:
            covers(parse(broken))
        else:
            assert lies_inside(error, broken)
            assert "^" in error.with_caret("file")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    """What is no text at all is refused in the same way."""
    error = refusal(data)
    assert error is None or lies_inside(error, data)


@settings(max_examples=100, deadline=None)
@given(FIELDS, CHANCE)
def test_edits_touch_nothing_else(model: List, chance: random.Random) -> None:
    """Replaced spans are replaced, and all that lies between them stays."""
    data = Writer(chance).fields(model)
    document = parse(data)
    chosen = [(node.start, node.stop) for node in document if chance.random() < 0.5]
    edits = [(start, stop, b"@%d" % start) for start, stop in chosen]
    chance.shuffle(edits)
    position, rest = 0, document.edited(edits)
    for start, stop in chosen:
        kept = data[position:start] + b"@%d" % start
        assert rest.startswith(kept)
        rest, position = rest[len(kept) :], stop
    assert rest == data[position:]
    assert document.source() == data


def test_edits_in_order() -> None:
    """Nothing edited is the text itself; insertions at one byte stay in their order."""
    document = parse(b"a: 1 b: 2")
    assert document.edited([]) == document.source()
    assert document.edited([(5, 9, b"z: 3"), (5, 5, b"y "), (5, 5, b"x ")]) == b"a: 1 y x z: 3"


def test_overlapping_edits_are_refused() -> None:
    """Two edits of one place have no meaning."""
    with pytest.raises(ValueError, match="overlap"):
        parse(b"a: 1").edited([(0, 3, b""), (2, 4, b"")])


# ---------------------------------------------------------------- size

@pytest.mark.parametrize("opener, closer", [(b"a {", b"}"), (b"a: <\n", b">"), (b"a [{", b"}]")])
def test_deep_nesting(opener: bytes, closer: bytes) -> None:
    """As deep as one likes, without recursion; what is broken deep inside has its place."""
    depth = 20_000
    assert refusal(opener * depth + b"b: 1" + closer * depth) is None
    assert covers(parse(opener * depth + closer * depth)) == depth
    for broken in (opener * depth, opener * depth + b"$" + closer * depth, opener * depth + closer * (depth - 1),
                   opener * depth + closer * (depth + 1)):
        error = refusal(broken)
        assert error is not None and lies_inside(error, broken)


#: Broken texts that make an expression try again and again if it can read one text in two ways.
TIRING: Dict[str, Callable[[int], bytes]] = {
    "blanks after a name": lambda n: b"abc" + b" " * n + b"x: 1",
    "comments after a name": lambda n: b"abc" + b"#\n" * n + b"x: 1",
    "blanks after a colon": lambda n: b"abc:" + b" " * n + b"$",
    "blanks after a value": lambda n: b"abc: 1" + b" " * n + b"$",
    "comments after a value": lambda n: b"abc: 1" + b"#\n" * n + b"$",
    "an open list": lambda n: b"abc: [" + b"1, " * n + b"$",
    "an open list of strings": lambda n: b"abc: [" + b"'a' " * n + b"$",
    "an open list of messages": lambda n: b"abc [" + b"{}, " * n + b"$",
    "blanks in a list": lambda n: b"abc: [" + b" " * n + b"$",
    "an open string": lambda n: b"abc: '" + b"a" * n + b"\n",
    "escapes in an open string": lambda n: b"abc: '" + b"\\n" * n + b"\n",
    "strings, then an open one": lambda n: b"abc: " + b"'a' " * n + b"'b",
    "an extension": lambda n: b"[" + b" " * n + b"a" + b" " * n + b"$",
    "a sign and blanks": lambda n: b"a: -" + b" " * n + b"$",
    "digits": lambda n: b"a: " + b"1" * n + b"." + b"1" * n + b"e" + b"1" * n + b"x",
    "a name": lambda n: b"a" * n + b"$",
    "names": lambda n: b"a\n" * n,
    "brackets": lambda n: b"a{" * n,
}


@pytest.mark.parametrize("name", TIRING)
def test_a_broken_text_is_refused_at_once(name: str) -> None:
    """The time grows with the size: with its square, or worse, this test would take minutes."""
    assert refusal(TIRING[name](40_000)) is not None


# ---------------------------------------------------------------- errors

#: A broken text, the place, and a part of the sentence.
BROKEN = [
    (b"layer {\n  name: 'a'\n", (1, 1), "layer must be closed, but the file ends"),
    (b"a { b { c: 1 }", (1, 1), "a must be closed"),
    (b"layer {\n}\n}\n", (3, 1), "has no opening one"),
    (b">", (1, 1), "has no opening one"),
    (b"]", (1, 1), "has no opening ["),
    (b"a { b: 1 >", (1, 10), "opened with {"),
    (b"a < b: 1 }", (1, 10), "opened with <"),
    (b"a: }", (1, 4), "value, but found '}'"),
    (b"a: (1)", (1, 4), "value, but found '('"),
    (b"{ }", (1, 1), "field's name before its bracket"),
    # Names, colons and separators.
    (b"layer {\n  name\n}", (3, 1), "name must be followed by a colon"),
    (b"name: \"a\"\r\nb = 1\r\n", (2, 3), "not by ="),
    (b"a:: 1", (1, 2), "one colon"),
    (b"a", (1, 2), "the file ends after a"),
    (b"a: # c\n", (2, 1), "the file ends after a"),
    (b"a: 1,, b: 2", (1, 6), "separator must follow a field, and only one"),
    (b"; a: 1", (1, 1), "separator must follow a field"),
    (b"'a': 1", (1, 1), "name must stand here, without quotes"),
    (b"1: 2", (1, 1), "a number was found"),
    (b"a: b.c", (1, 5), "found '.'"),
    (b"a.b: 1", (1, 2), "colon"),
    (b"// c", (1, 1), "comments must begin with #"),
    (b"a: 1 /* c */", (1, 6), "comments must begin with #"),
    # Numbers.
    (b"layer {\n  pad: 1x\n}", (2, 8), "pad: not a number"),
    (b"a: +1", (1, 4), "not a number"),
    (b"a: 1.2.3", (1, 4), "not a number"),
    (b"a: 08", (1, 4), "not a number"),
    (b"a: - x", (1, 4), "a number must follow the minus sign"),
    # Strings.
    (b"layer {\n  name: 'a\n}", (2, 9), "a string must end on its line"),
    (b"layer {\n  name: 'a' 'b\n}", (2, 13), "a string must end on its line"),
    (b"a: \"x'", (1, 4), "with the quote it began with"),
    (b"a: 'x\\\n'", (1, 4), "a string must end on its line"),
    (b"a: 'C:\\data'", (1, 7), "an escape in a string must be"),
    (b"a: '\\u12'", (1, 5), "hexadecimal digits"),
    (b"a: 'x\0y'", (1, 6), "NUL"),
    (b"a: \xe2\x80\x9cx\xe2\x80\x9d", (1, 4), "only ASCII"),
    # Lists.
    (b"a: [1, 2,]", (1, 10), "one comma between"),
    (b"a: [1,\n    2 3]", (2, 7), "one comma between"),
    (b"a: [1; 2]", (1, 6), "one comma between"),
    (b"a: [1, [2]]", (1, 8), "no list and no message"),
    (b"a: [1, {}]", (1, 8), "no list and no message"),
    (b"a: [1, 2", (1, 9), "the file ends inside a list"),
    (b"a: [1, 'x\n']", (1, 8), "a string must end on its line"),
    (b"a: [1, 08]", (1, 8), "not a number"),
    (b"a [1, 2]", (1, 3), "a must be followed by a colon"),
    (b"a: [{} {}]", (1, 8), "messages in a list must have one comma"),
    (b"a: [{}, 1]", (1, 7), "messages in a list must have one comma"),
    # What is no text format at all.
    (b"<<<<<<< HEAD\nname: 'a'", (1, 1), "conflict"),
    (b"a: 1\n>>>>>>> x", (2, 1), "conflict"),
    (b"\xef\xbb\xbfname: 'a'", (1, 1), "byte order mark"),
    (b"\xff\xfea\0", (1, 1), "UTF-16"),
    (b"a: 1\0", (1, 5), "NUL"),
    (b"{% for i in x %}", (1, 1), "template code"),
    (b"a: {% x %}", (1, 5), "template code"),
    (b"a: {{ x }}", (1, 5), "template code"),
    (b"width: $WIDTH$", (1, 8), "width: a placeholder must be filled in"),
    (b"$X$", (1, 1), "placeholder"),
    (b"@", (1, 1), "found '@'"),
]


@pytest.mark.parametrize("data, place, words", BROKEN)
def test_error(data: bytes, place: Tuple[int, int], words: str) -> None:
    """The place is where the reader must look, and the sentence says what is wrong."""
    error = refusal(data)
    assert error is not None and words in error.message, error
    assert (error.line, error.column) == place, error
    assert str(error) == f"{place[0]}:{place[1]}: {error.message}"


#: A broken text, and the source line and caret that are shown below the sentence.
CARETS = [
    ("layer {\n\t# 层\n\tname: \"层\" pad: 1x\n}", "     name: \"层\" pad: 1x", "1"),
    ("a: 1\r\nb = 2\r\n", "    b = 2", "="),
    ("a: [1, 2,]", "    a: [1, 2,]", "]"),
]


@pytest.mark.parametrize("text, source, under", CARETS)
def test_caret(text: str, source: str, under: str) -> None:
    """Path, line, column and sentence; the line; a caret under the place, tabs and Chinese included."""
    error = refusal(text.encode())
    assert error is not None
    first, line, caret = error.with_caret("net.prototxt").splitlines()
    assert first == f"net.prototxt:{error}"
    assert (line, line[caret.index("^")]) == (source, under)
    assert error.with_caret().startswith(str(error))


#: A field read as the wrong kind, and a part of the sentence.
WRONG: List[Tuple[bytes, Callable[[Document], Any], str]] = [
    (b"pad: 1.5", lambda m: m.integer("pad"), "pad must be a whole number, but found 1.5"),
    (b"pad: x", lambda m: m.integer("pad"), "whole number"),
    (b"pad: '1'", lambda m: m.integer("pad"), "whole number"),
    (b"pad: [1, x]", lambda m: m.integers("pad"), "found x"),
    (b"ratio: x", lambda m: m.number("ratio"), "decimal number"),
    (b"ratio: 010", lambda m: m.number("ratio"), "decimal number"),
    (b"flag: 2", lambda m: m.boolean("flag"), "true or false"),
    (b"flag: yes", lambda m: m.boolean("flag"), "true or false"),
    (b"flag: [true, 3]", lambda m: m.booleans("flag"), "found 3"),
    (b"name: a", lambda m: m.string("name"), "a string in quotes"),
    (b"name: ['a', b]", lambda m: m.strings("name"), "found b"),
    (b"pool: 'MAX'", lambda m: m.word("pool"), "without quotes"),
    (b"pool: 1.5", lambda m: m.word("pool"), "the name of a choice"),
    (b"pad { }", lambda m: m.integer("pad"), "pad must be a value, but found a message"),
    (b"param: 1", lambda m: m.message("param"), "a message in braces"),
    (b"param { } param: 1", lambda m: m.messages("param"), "a message in braces"),
    (b"pad: 1 pad: 1", lambda m: m.integer("pad"), "pad must be given once"),
    (b"param { } param { }", lambda m: m.message("param"), "param must be given once"),
]


@pytest.mark.parametrize("data, read, words", WRONG, ids=[str(row[0]) for row in WRONG])
def test_wrong_kinds(data: bytes, read: Callable[[Document], Any], words: str) -> None:
    """An error with the field's place and name."""
    with pytest.raises(ProtoTextError, match="^1:") as caught:
        read(parse(data))
    assert words in caught.value.message


def test_what_is_not_written() -> None:
    """Every reader has a default, and an absent message reads like an empty one."""
    document = parse(b"a { }")
    assert (document.integer("x", 7), document.number("x", 0.5), document.boolean("x", True)) == (7, 0.5, True)
    assert (document.string("x", "s"), document.word("x", "MAX"), document.one("x")) == ("s", "MAX", None)
    assert document.integers("x") == document.numbers("x") == document.strings("x") == document.messages("x") == []
    assert not document.has("x") and document.message("x").integer("y", 3) == 3


def test_comments() -> None:
    """Every comment between the brackets; a # in a string is none."""
    layer = parse(b"# above\nlayer { # one\r\n name: '# no' # two\n p { } # \xc4\xe3\n }").message("layer")
    assert layer.comments() == [b"# one", b"# two", b"# \xc4\xe3"]


# ---------------------------------------------------------------- style

STYLES = [
    (b"a {\n  b: 1\n}\n", Style(b"\n", b"  ", b" {")),
    (b"a {\r\n    b: 1\r\n}\r\n", Style(b"\r\n", b"    ", b" {")),
    (b"a{\n\tb: 1\n}\n", Style(b"\n", b"\t", b"{")),
    (b"a: {\n b: 1\n c {\n  d: 1\n }\n}\ne: { }", Style(b"\n", b" ", b": {")),
    (b"a {\r\n  b: 1\r\n  c: 2\n}\r\n", Style(b"\r\n", b"  ", b" {")),
    (b"a {\r\tb: 1\r}\r", Style(b"\r", b"\t", b" {")),
    (b"a: 1\nb: 2\n", Style()),
    (b"", Style()),
]
NEW = {"layer": {"name": "a\"\n\u5c42", "pool": Word("MAX"), "flag": True, "lr": 0.1, "dim": [1, 2], "empty": {},
                 "param": [{"lr_mult": 0}, {"lr_mult": 1.5}]}}


@pytest.mark.parametrize("data, style", STYLES)
def test_style(data: bytes, style: Style) -> None:
    """The habits of a file, and new text with the same habits."""
    assert Style.of(data) == style
    text = write_fields(NEW, style)
    layer, = parse(text).messages("layer")
    assert (layer.string("name"), layer.word("pool"), layer.boolean("flag"), layer.integers("dim")) == (
        "a\"\n\u5c42", "MAX", True, [1, 2])
    assert layer.number("lr") == pytest.approx(0.1) and layer.message("empty").names() == []
    assert [param.number("lr_mult") for param in layer.messages("param")] == [0, 1.5]
    assert Style.of(text) == style


def test_written_lines() -> None:
    """Text that begins inside a line: all others are indented, and no newline ends it."""
    style = Style(b"\r\n", b"\t", b": {")
    assert write_fields({"a": {"b": [1, 2], "c": {"d": "x"}}}, style, 1) == (
        b'a: {\r\n\t\tb: 1\r\n\t\tb: 2\r\n\t\tc: {\r\n\t\t\td: "x"\r\n\t\t}\r\n\t}')
    assert write_fields({"a": {"b": [1, 2], "c": {}}, "d": Word("MAX")}, Style(), 3, one_line=True) == (
        b"a { b: 1 b: 2 c { } } d: MAX")


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.booleans(), st.integers(-(2**63), 2**64 - 1), FLOATS_32, st.text(max_size=8)))
def test_literals(value: Any) -> None:
    """A written value is read back as the same value, in ASCII."""
    text = literal(value)
    node = parse(b"x: " + text).one("x")
    readers = {bool: values.boolean, int: values.integer, float: values.number, str: values.string}
    assert isinstance(node, Scalar) and text.isascii()
    found = readers[type(value)](node)
    assert found == value or found != found and value != value


def test_caret_in_a_long_line() -> None:
    """Of a long line the part around the place is shown, and control characters are blanks."""
    error = refusal(b"a: 1 " * 100_000 + b"b: 1x \x1b[31m" + b" c: 1" * 100_000)
    assert error is not None
    _, line, caret = error.with_caret("net").split("\n")
    assert len(line) < 200 and line[caret.index("^")] == "1" and "\x1b" not in line
