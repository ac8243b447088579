"""What holds for every network: no-op rewrites, and comments that change nothing else."""

from __future__ import annotations

from typing import List, Tuple

from hypothesis import given, settings
from hypothesis import strategies as some

from prototools import parse, rewrite
from prototools.errors import ProtoTextError

#: Layers by what they add to a chain of blobs (N, 4, H, W): type and parameters.
STOCK = ("ReLU", "AbsVal", "BNLL", "Sigmoid", "TanH")
CUSTOM = (
    ("Interp", "interp_param { zoom_factor: 2 }"), ("Interp", "interp_param { shrink_factor: 2 }"),
    ("Interp", "interp_param { height: 17 width: 9 }"), ("Upsample", "upsample_param { scale: 2 }"),
    ("Upsample", "upsample_param { stride: 3 }"), ("UpsampleDarknet", "upsample_param { stride: 2 }"),
)
BLANKS = ("\n", " ", "\n\n\t", " # said\n", "\n# 网络\n")
COMMENTS = ("# here", "#", "  # }", "# layer { name: \"x\" }", "# \xfc", "#\t# #")


@some.composite
def nets(draw, custom: bool) -> List[str]:
    """A network as its pieces: the head, and each layer with the blank behind it."""
    pieces = ['layer { name: "b0" type: "Input" top: "b0" input_param { shape { dim: 1 dim: 4 dim: 9 dim: 5 } } }']
    for index in range(draw(some.integers(1, 5))):
        kind, param = draw(some.sampled_from(CUSTOM)) if custom and draw(some.booleans()) else (
            draw(some.sampled_from(STOCK)), draw(some.sampled_from(["", "own_param { a: -1e-3 b: [\"x\", 'y'] }"])))
        sep = draw(some.sampled_from(["", ",", ";"]))
        bracket = draw(some.sampled_from(["{}", "<>"]))
        inner = draw(some.sampled_from([" ", "\n  ", "\n\t"]))
        fields = [f'name: "b{index + 1}"{sep}', f'type: "{kind}"{sep}', f'bottom: "b{index}"{sep}',
                  f'top: "b{index + 1}"{sep}', param]
        pieces.append(f"layer {bracket[0]}{inner}{inner.join(field for field in fields if field)}{inner}{bracket[1]}")
    ends = draw(some.sampled_from(["\n", "\r\n"]))
    return [(piece + draw(some.sampled_from(BLANKS))).replace("\n", ends) for piece in pieces]


@given(nets(custom=False))
def test_nothing_to_do_changes_nothing(pieces: List[str]) -> None:
    """A network without custom layers comes out byte for byte."""
    text = "".join(pieces).encode()
    result = rewrite(text)
    assert result.text == text and not result.changes and not result.refusals


@settings(deadline=None)
@given(nets(custom=True))
def test_twice_is_once(pieces: List[str]) -> None:
    """What is rewritten has no custom layers left to rewrite, and parses."""
    result = rewrite("".join(pieces))
    assert not result.refusals
    again = rewrite(result.text)
    assert again.text == result.text and not again.changes
    assert parse(result.text.encode()).source() == result.text.encode()


@settings(deadline=None)
@given(nets(custom=True), some.data())
def test_a_comment_changes_nothing_else(pieces: List[str], data) -> None:
    """A comment above any layer stands above it, or what took its place, in the result; all else is the same."""
    which = data.draw(some.integers(0, len(pieces) - 1))
    ends = "\r\n" if "\r\n" in "".join(pieces) else "\n"
    comment = data.draw(some.sampled_from(COMMENTS)) + ends
    # Both have a line break there, so that the comment stands on a line of its own.
    before, after = ("".join([*pieces[:which], ends, line, *pieces[which:]]) for line in ("", comment))
    plain, commented = rewrite(before), rewrite(after)
    assert [change[:2] + change[3:8] for change in plain.changes] == [
        change[:2] + change[3:8] for change in commented.changes]
    assert commented.text.replace(comment, "") == plain.text.replace(comment, "")
    assert commented.text.count(comment) == after.count(comment)
    layers = [layer.start for layer in parse(commented.text.encode()).messages("layer")]
    place = len(commented.text[: commented.text.index(ends + comment)].encode())
    # As many layers stand above it as before, each as the block that took its place.
    above = sum(len(change.new_layers) if change else 1 for change in (
        {change.layer: change for change in plain.changes}.get(f"b{index}") for index in range(which)))
    assert sum(start < place + 1 for start in layers) == above


@given(some.lists(some.sampled_from(
    ["layer", "{", "}", "<", ">", "[", "]", ":", ",", ";", '"a"', "'b'", "1", "-", ".5", "1e", "x", "# c\n", "\n", " ",
     "\\", "$A", "\xff", "\0"])).map("".join))
def test_any_text_is_kept_or_refused(text: str) -> None:
    """The tree gives back what it took, and refuses the rest with a place inside the text."""
    data = text.encode("latin-1")
    place: Tuple[int, int]
    try:
        assert parse(data).source() == data
    except ProtoTextError as error:
        place = error.line, error.column
        assert 1 <= place[0] <= data.count(b"\n") + 1 and 1 <= place[1] <= len(data) + 1
