"""The rewriter, case by case: tests/rewrite/*.txt holds what goes in and what must come out.

A case is a title between two rules of `=`, options in lines that begin with `:`, the network, and
behind a rule of `-` the network that must come out. A case without that second half must not
change; `:refused LAYER: PATTERN` says why. Every case is put through every promise.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

import pytest

from prototools.changes import Result
from prototools.dialects.shapes import infer_custom
from prototools.net import Net, NetState
from prototools.prototext import parse
from prototools.rewriter import rewrite
from prototools.shapes.blob import same_shape

CASES = Path(__file__).parent / "rewrite"


class Case(NamedTuple):
    title: str
    options: Dict[str, str]
    before: bytes
    after: Optional[bytes]


def cases() -> List[Case]:
    found = []
    for path in sorted(CASES.glob("*.txt")):
        parts = re.split(r"^=====\n", path.read_text(), flags=re.MULTILINE)[1:]
        for head, body in zip(parts[::2], parts[1::2]):
            title, *options = head.strip().split("\n")
            named = dict((option[1:] + " ").split(" ", 1) for option in options)
            before, _, after = body.partition("-----\n")
            found.append(Case(title, named, before.encode(), after.encode() or None))
    return found


def run(case: Case, text: bytes) -> Result:
    settings = {"dialect": case.options.get("dialect", "").split()}
    settings["filler_safe"] = "filler_safe" in case.options
    return rewrite(text, shapes=shapes(case), **settings)


def shapes(case: Case) -> dict:
    blob, _, dims = case.options.get("shape", "").strip().partition("=")
    return {blob: tuple(None if d == "?" else int(d) for d in dims.split(","))} if blob else {}


ALL = cases()


def each(chosen: List[Case]):
    return pytest.mark.parametrize("case", chosen, ids=[case.title for case in chosen])


@each(ALL)
def test_text(case: Case) -> None:
    """The text is the expected one, or the same where nothing may change."""
    result = run(case, case.before)
    assert result.text.decode() == (case.after or case.before).decode()
    assert bool(result.changes) == (case.after is not None)
    if "refused" in case.options:
        layer, _, pattern = case.options["refused"].strip().partition(": ")
        assert [refusal.layer for refusal in result.refusals] == [layer]
        assert re.search(pattern, result.refusals[0].reason)
    else:
        assert not result.refusals


@each(ALL)
def test_stable(case: Case) -> None:
    """A second run changes nothing."""
    once = run(case, case.before).text
    again = run(case, once)
    assert again.text == once and not again.changes


@each(ALL)
def test_other_bytes_kept(case: Case) -> None:
    """Every layer that was not replaced, and all between layers, is there again in its order."""
    result = run(case, case.before)
    replaced = {change.layer for change in result.changes}
    document = parse(case.before)
    position, start = 0, 0
    for message in document.children:
        if message.name.startswith("layer") and message.string("name") in replaced:
            position = find(result.text, case.before[start : message.start], position)
            start = message.stop
    rest = case.before[start:]
    assert result.text[position:].endswith(rest)


def find(text: bytes, piece: bytes, position: int) -> int:
    found = text.find(piece, position)
    assert found >= 0, f"lost: {piece.decode()}"
    return found + len(piece)


@each(ALL)
def test_comments_kept(case: Case) -> None:
    """No comment is lost, inside a replaced layer or elsewhere."""
    after = run(case, case.before).text
    for comment in parse(case.before).comments():
        assert comment in after


@each([case for case in ALL if case.after])
def test_shapes_kept(case: Case) -> None:
    """Every blob of the net before has the same shape after.

    A block that relies on a size which the file does not tell says so, and may then tell less.
    """
    compared, relies = 0, any("must be" in note for change in run(case, case.before).changes for note in change.notes)
    for phase in ("TRAIN", "TEST"):
        before, after = (
            infer_custom(Net(text).filtered(NetState(phase)), shapes(case)).blobs
            for text in (case.before, case.after)
        )
        for blob, shape in before.items():
            assert after[blob] == shape or relies and same_shape(after[blob], shape)
            compared += shape is not None
    assert compared


@each([case for case in ALL if case.after])
def test_no_layer_keeps_its_name(case: Case) -> None:
    """Caffe matches weights by name, so a replaced layer's name must be gone."""
    result = run(case, case.before)
    names = [layer.name for layer in Net(result.text).layers]
    assert not {change.layer for change in result.changes} & set(names)
    assert len(names) == len(set(names))


def test_newlines() -> None:
    """Windows newlines stay Windows newlines, in the new layers too."""
    chosen = [case for case in ALL if case.after]
    for case in chosen:
        text = case.before.replace(b"\n", b"\r\n")
        assert run(case, text).text == case.after.replace(b"\n", b"\r\n")


def test_str_in_str_out() -> None:
    """Text comes back as the type it came in."""
    case = next(case for case in ALL if case.after)
    assert rewrite(case.before.decode()).text == case.after.decode()


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"dialect": ["psp"]}, "dialect must be one of .* did you mean pspnet"),
        ({"lowering": "zom"}, "lowering must be one of .* did you mean zoom"),
        ({"accept": ["everything"]}, "accept must be one of border"),
    ],
    ids=["dialect", "lowering", "accept"],
)
def test_unknown_names(settings, words: str) -> None:
    """A name that does not exist is an error with the names that do."""
    with pytest.raises(ValueError, match=words):
        rewrite(b"", **settings)
