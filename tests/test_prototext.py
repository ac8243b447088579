"""The lossless tree: what it takes, what it refuses, and what its values are."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st

from prototools import schema
from prototools.errors import ProtoTextError
from prototools.prototext import Document, Message, Style, Word, parse, values, write_fields
from prototools.prototext.tree import Scalar

CASES: List[Dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "cases" / "textformat.jsonl").read_text().splitlines()
]


def text_of(case: Dict[str, Any]) -> bytes:
    return base64.b64decode(case["text_b64"]) if case.get("text_b64") else case["text"].encode()


def refusal(data: bytes):
    """The error a text is refused with, or None; a text that is accepted must come back."""
    try:
        document = parse(data)
    except ProtoTextError as error:
        return error
    assert document.source() == data
    return None


# ---------------------------------------------------------------- recorded verdicts

#: What Caffe refuses for its schema only (an unknown field, a wrong type, a field given twice) the tree
#: takes: it knows no schema, and a fork's fields are nobody's fault. What Caffe refuses in its lexer the
#: tree refuses too, although some Python protobuf takes it (`lenient`): blanks beyond ASCII, NUL, unknown
#: escapes, a plus sign, digits of other scripts, numbers for field names. Caffe is who will read the file.
WANTED = {"must": True, "may": True, "lenient": False, "reject": False}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_verdict(case: Dict[str, Any]) -> None:
    """Accepted and returned, or refused with a place inside the text."""
    data = text_of(case)
    error = refusal(data)
    assert (error is None) is WANTED[case["tree"]], error
    if error is not None:
        lines = data.split(b"\n")
        assert 1 <= error.line <= len(lines) and 1 <= error.column <= len(lines[error.line - 1]) + 1
        assert len(error.message.split()) >= 3


def test_counts() -> None:
    """Nothing went missing on the way."""
    counts = {kind: sum(case["tree"] == kind for case in CASES) for kind in WANTED}
    assert counts == {"must": 226, "may": 99, "lenient": 19, "reject": 122}


#: How a field's value is read, by its kind in the schema.
READERS = {
    FieldDescriptor.CPPTYPE_STRING: values.string_bytes,
    FieldDescriptor.CPPTYPE_BOOL: values.boolean,
    FieldDescriptor.CPPTYPE_FLOAT: values.number,
    FieldDescriptor.CPPTYPE_DOUBLE: values.number,
    FieldDescriptor.CPPTYPE_ENUM: values.word,
}


def differences(message: Message, real: Any, path: str = "") -> Iterator[str]:
    """Where the tree's values are not those of a protobuf message."""
    for field, value in real.ListFields():
        nodes = message.all(field.name)
        wanted = list(value) if isinstance(getattr(value, "__len__", None), object) and is_repeated(field) else [value]
        if len(nodes) != len(wanted):
            yield f"{path}{field.name}: {len(nodes)} for {len(wanted)}"
            continue
        for node, one in zip(nodes, wanted):
            if field.message_type is not None:
                yield from differences(node, one, f"{path}{field.name}.")
            elif not same_value(node, field, one):
                yield f"{path}{field.name}: {node.literal!r} for {one!r}"


def is_repeated(field: Any) -> bool:
    """Old and new protobuf tell it in different ways."""
    found = getattr(field, "is_repeated", None)
    return found if isinstance(found, bool) else field.label == FieldDescriptor.LABEL_REPEATED


def same_value(node: Scalar, field: Any, wanted: Any) -> bool:
    read = READERS.get(field.cpp_type, values.integer)
    found = read(node)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return found == (wanted if isinstance(wanted, bytes) else wanted.encode("utf-8", "surrogateescape"))
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        named = field.enum_type.values_by_name.get(found)
        return wanted == (named.number if named else int(found, 0))
    if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return found == wanted or found != found and wanted != wanted
    return found == wanted


def decoded(case: Dict[str, Any]) -> Any:
    """What Caffe made of a case; None where protobuf's Python cannot hold it (strings that are not UTF-8)."""
    real = schema.message(case["message"].split(".")[1])()
    try:
        real.ParseFromString(base64.b64decode(case["caffe_bin_b64"]))
        [str(value) for _, value in real.ListFields()]
    except (UnicodeDecodeError, ValueError):
        return None
    return real


VALUED = [case for case in CASES if case["tree"] == "must" and case.get("caffe_bin_b64")]


@pytest.mark.parametrize("case", VALUED, ids=lambda case: case["id"])
def test_values(case: Dict[str, Any]) -> None:
    """Every value is decoded as Caffe decodes it."""
    real = decoded(case)
    if real is None:
        # The binary still tells: each string's bytes stand in it as they are.
        nodes = scalars(parse(text_of(case)))
        strings = [values.string_bytes(node) for node in nodes if node.literal[:1] in (b'"', b"'")]
        assert strings and all(string in base64.b64decode(case["caffe_bin_b64"]) for string in strings)
        return
    assert list(differences(parse(text_of(case)), real)) == []


def scalars(message: Message) -> Iterator[Scalar]:
    for node in message:
        if isinstance(node, Message):
            yield from scalars(node)
        else:
            yield node


def test_the_value_check_can_fail() -> None:
    """A value off by one, a word, a string, a missing element: each is noticed."""
    real = schema.message("NetParameter")()
    real.name = "a"
    real.input_dim.extend([1, 8])
    right = b'name: "a" input_dim: [1, 010]'
    assert not list(differences(parse(right), real))
    for wrong in (b'name: "b" input_dim: [1, 010]', b'name: "a" input_dim: [1, 10]', b'name: "a" input_dim: 1'):
        assert list(differences(parse(wrong), real))


# ---------------------------------------------------------------- the corpus

FILES = 347


def corpus_files(shared: Path) -> List[Path]:
    return sorted(path for path in (shared / "corpus" / "files").rglob("*") if path.is_file())


def test_corpus(shared: Path) -> None:
    """Every file comes back byte for byte, or is refused with one line and column."""
    refusals = {path: refusal(path.read_bytes()) for path in corpus_files(shared)}
    refused = [error for error in refusals.values() if error is not None]
    assert (len(refusals), len(refused)) == (FILES, 25)
    assert all(error.line >= 1 and error.column >= 1 for error in refused)


def test_nodes_cover_the_text(shared: Path) -> None:
    """Between the nodes stand blanks, comments, separators and list brackets, and nothing else."""
    checked = 0
    for path in corpus_files(shared)[::3]:
        data = path.read_bytes()
        if refusal(data) is None:
            checked += sum(1 for _ in gaps(parse(data)))
    assert checked > 50_000


GAP = re.compile(rb"(?:[ \t\r\n\v\f,;]|\[|\]|#[^\n]*(?:\n|\Z))*\Z")
BETWEEN = re.compile(rb"(?:[ \t\r\n\v\f,;]|\[|\]|#[^\n]*(?:\n|\Z)|[A-Za-z_][A-Za-z0-9_]*[ \t\r\n]*:?)*\Z")


def gaps(message: Message) -> Iterator[bytes]:
    """What stands between the fields of a message, each checked."""
    position = message.body_start
    for node in message:
        gap = message.data[position : node.start]
        # A scalar's own name stands before its literal.
        assert (GAP if isinstance(node, Message) else BETWEEN).match(gap), gap
        position = node.stop
        yield gap
        if isinstance(node, Message):
            yield from gaps(node)
    assert GAP.match(message.data[position : message.body_stop])


# ---------------------------------------------------------------- properties

BLANK = st.sampled_from([b" ", b"\n", b"\r\n", b"\t", b" # \xc4\xe3 { } \"\n", b"#\n", b"  "])
NAME = st.sampled_from([b"layer", b"name", b"top", b"conv_param", b"x", b"_y", b"Type2"])
WORD = st.sampled_from([b"MAX", b"true", b"inf", b"-nan", b"LEVELDB"])
INTEGER = st.integers(-(2**31), 2**31 - 1).map(lambda value: b"%d" % value)
FLOAT = st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda value: repr(value).encode())
STRING = st.binary(max_size=12).map(lambda value: b"".join(b"\\%03o" % byte for byte in value))
QUOTED = st.tuples(st.sampled_from([b'"', b"'"]), STRING).map(lambda pair: pair[0] + pair[1] + pair[0])
STRINGS = st.lists(QUOTED, min_size=1, max_size=3).flatmap(
    lambda pieces: BLANK.map(lambda blank: blank.join(pieces)))
SCALAR = st.one_of(WORD, INTEGER, FLOAT, STRINGS)
SEPARATOR = st.sampled_from([b"", b",", b";"])


def field(inner: st.SearchStrategy) -> st.SearchStrategy:
    """One field in any notation, with what may stand around it."""
    scalar = st.tuples(NAME, BLANK, SCALAR).map(lambda p: p[0] + b":" + p[1] + p[2])
    many = st.tuples(NAME, BLANK, st.lists(SCALAR, max_size=3)).map(
        lambda p: p[0] + b":" + p[1] + b"[" + b", ".join(p[2]) + b"]")
    braces = st.tuples(NAME, st.sampled_from([b" {", b": {", b"{"]), inner).map(lambda p: p[0] + p[1] + p[2] + b"}")
    angles = st.tuples(NAME, st.sampled_from([b" <", b":<"]), inner).map(lambda p: p[0] + p[1] + p[2] + b">")
    return st.one_of(scalar, many, braces, angles)


def body(inner: st.SearchStrategy) -> st.SearchStrategy:
    pieces = st.lists(st.tuples(BLANK, field(inner), SEPARATOR, BLANK).map(b"".join), max_size=4)
    return pieces.map(b"".join)


DOCUMENT = body(st.recursive(BLANK, body, max_leaves=8))


@settings(max_examples=150, deadline=None)
@given(DOCUMENT)
def test_any_document_comes_back(data: bytes) -> None:
    """Whatever notation, the same bytes."""
    assert refusal(data) is None
    assert sum(1 for _ in scalars(parse(data))) >= 0


@settings(max_examples=150, deadline=None)
@given(DOCUMENT, st.data())
def test_a_broken_document_is_a_place(data: bytes, choice: Any) -> None:
    """A byte changed, lost or added anywhere: still text, or an error inside the text."""
    place = choice.draw(st.integers(0, len(data)))
    wild = choice.draw(st.sampled_from([b"", b"{", b"}", b'"', b"[", b"\x00", b"<", b":", b"#", b"\xff"]))
    broken = data[:place] + wild + data[place + choice.draw(st.integers(0, 2)) :]
    error = refusal(broken)
    if error is not None:
        lines = broken.split(b"\n")
        assert 1 <= error.line <= len(lines) and 1 <= error.column <= len(lines[error.line - 1]) + 1
        assert "^" in error.with_caret("file")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=40))
def test_strings_decode(value: bytes) -> None:
    """Octal, hexadecimal and raw spellings of the same bytes."""
    octal = b"".join(b"\\%03o" % byte for byte in value)
    hexadecimal = b'" \'\\x'.join([b""]) + b"".join(b"\\x%02x" % byte for byte in value)
    for spelled in (octal, hexadecimal):
        node, = parse(b's: "' + spelled + b'"')
        assert values.string_bytes(node) == value
    split = b's: "' + octal[: len(octal) // 8 * 4] + b'" # c\n \'' + octal[len(octal) // 8 * 4 :] + b"'"
    assert values.string_bytes(next(iter(parse(split)))) == value


@settings(max_examples=150, deadline=None)
@given(st.integers(-(2**63), 2**64 - 1))
def test_integers_decode(value: int) -> None:
    """Decimal, octal and hexadecimal, with a sign that may stand apart."""
    sign, size = ("- " if value < 0 else ""), abs(value)
    for spelled in (f"{sign}{size}", f"{sign}0{size:o}", f"{sign}0x{size:x}"):
        assert values.integer(next(iter(parse(f"i: {spelled}".encode())))) == value


@settings(max_examples=150, deadline=None)
@given(st.floats(width=32))
def test_floats_decode(value: float) -> None:
    """Shortest spelling, and one with an f behind it."""
    text = repr(value)
    for spelled in (text, text if "n" in text else text + "f"):
        found = values.number(next(iter(parse(f"f: {spelled}".encode()))))
        assert found == value or found != found and value != value


@settings(max_examples=100, deadline=None)
@given(DOCUMENT, st.data())
def test_edits_touch_nothing_else(data: bytes, choice: Any) -> None:
    """Replaced spans are replaced, and all that lies between them stays."""
    document = parse(data)
    spans = [(node.start, node.stop) for node in document]
    chosen = [span for span in spans if choice.draw(st.booleans())]
    edited = document.edited((start, stop, b"@") for start, stop in chosen)
    position, rest = 0, edited
    for start, stop in chosen:
        kept = data[position:start] + b"@"
        assert rest.startswith(kept)
        rest, position = rest[len(kept) :], stop
    assert rest == data[position:]


def test_overlapping_edits_are_refused() -> None:
    """Two edits of one place have no meaning."""
    with pytest.raises(ValueError, match="overlap"):
        parse(b"a: 1").edited([(0, 3, b""), (2, 4, b"")])


def test_a_lost_byte_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The round-trip check itself can fail."""
    monkeypatch.setattr(Document, "source", lambda self: self.data[:-1])
    with pytest.raises(AssertionError):
        refusal(b"a: 1\n")


@pytest.mark.parametrize("depth", [200, 20_000])
def test_deep_nesting(depth: int) -> None:
    """As deep as one likes, without recursion."""
    assert refusal(b"a {" * depth + b"}" * depth) is None
    assert refusal(b"a {" * depth) is not None


# ---------------------------------------------------------------- errors, values of the wrong kind, style

#: A broken text, the place, and a part of the sentence.
BROKEN = [
    (b"layer {\n  name: 'a'\n", (1, 1), "must be closed"),
    (b"layer {\n}\n}\n", (3, 1), "has no opening one"),
    (b"layer {\n  name: 'a\n}", (2, 9), "string"),
    (b"layer {\n  pad: 1x\n}", (2, 8), "number"),
    (b"layer {\n  name\n}", (3, 1), "followed by a colon"),
    (b"<<<<<<< HEAD\nname: 'a'", (1, 1), "conflict"),
    (b"a: [1, 2,]", (1, 4), "one comma between"),
    (b"a { b: 1 >", (1, 10), "opened with {"),
    (b"\xef\xbb\xbfname: 'a'", (1, 1), "byte order mark"),
    (b"{% for i in x %}", (1, 1), ""),
    (b"width: $WIDTH$", (1, 8), "placeholder"),
]


@pytest.mark.parametrize("data, place, words", BROKEN)
def test_error(data: bytes, place, words: str) -> None:
    """The place is where the reader must look, and the sentence says what is wrong."""
    error = refusal(data)
    assert error is not None and words in error.message, error
    assert (error.line, error.column) == place, error


def test_caret() -> None:
    """Path, line, column and sentence; the line; a caret under the place, tabs and Chinese included."""
    error = refusal("layer {\n\t# 层\n\tname: \"层\" pad: 1x\n}".encode())
    first, line, caret = error.with_caret("net.prototxt").splitlines()
    assert first.startswith("net.prototxt:3:") and line.strip().startswith("name")
    assert line[caret.index("^")] == "1"


#: A field read as the wrong kind.
WRONG = [
    (b"pad: 1.5", lambda m: m.integer("pad")), (b"pad: x", lambda m: m.integer("pad")),
    (b"pad: '1'", lambda m: m.integer("pad")), (b"ratio: x", lambda m: m.number("ratio")),
    (b"flag: 2", lambda m: m.boolean("flag")), (b"flag: yes", lambda m: m.boolean("flag")),
    (b"name: a", lambda m: m.string("name")), (b"pool: 'MAX'", lambda m: m.word("pool")),
    (b"pad { }", lambda m: m.integer("pad")), (b"param: 1", lambda m: m.message("param")),
    (b"pad: 1 pad: 1", lambda m: m.integer("pad")), (b"param { } param { }", lambda m: m.message("param")),
]


@pytest.mark.parametrize("data, read", WRONG)
def test_wrong_kinds(data: bytes, read) -> None:
    """An error with the field's place and name."""
    with pytest.raises(ProtoTextError, match="^1:"):
        read(parse(data))


STYLES = [
    (b"a {\n  b: 1\n}\n", Style(b"\n", b"  ", b" {")),
    (b"a {\r\n    b: 1\r\n}\r\n", Style(b"\r\n", b"    ", b" {")),
    (b"a{\n\tb: 1\n}\n", Style(b"\n", b"\t", b"{")),
    (b"a: {\n b: 1\n c {\n  d: 1\n }\n}\ne: { }", Style(b"\n", b" ", b": {")),
    (b"", Style()),
]


@pytest.mark.parametrize("data, style", STYLES)
def test_style(data: bytes, style: Style) -> None:
    """The habits of a file, and new text with the same habits."""
    assert Style.of(data) == style
    fields = {"layer": {"name": "a\"\n", "pool": Word("MAX"), "flag": True, "lr": 0.1, "dim": [1, 2], "empty": {}}}
    text = write_fields(fields, style)
    layer, = parse(text).messages("layer")
    assert (layer.string("name"), layer.word("pool"), layer.boolean("flag"), layer.integers("dim")) == (
        "a\"\n", "MAX", True, [1, 2])
    assert layer.number("lr") == pytest.approx(0.1) and layer.message("empty").names() == []
    assert Style.of(text) == style or data == b""
