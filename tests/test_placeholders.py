"""Plain prototxt with `$NAME`s: what is filled, what is left alone, and what needs a value."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import call
from hypothesis import given
from hypothesis import strategies as some

from prototools import parse, rewrite
from prototools.errors import ProtoTextError, UnresolvedError
from prototools.prototext.placeholders import filled, masked, names

#: A text, the values, and the text with them.
FILLED = {
    "each form": (b"a: $A b: ${A} c: $A$", {"A": "3"}, b"a: 3 b: 3 c: 3"),
    "others stay": (b"a: $A b: $B", {"B": "3"}, b"a: $A b: 3"),
    "whole names": (b"a: $AB b: $A_ c: $A", {"A": "3"}, b"a: $AB b: $A_ c: 3"),
    "one behind the other": (b'a: "$A$B$C$"', dict(A="1", B="2", C="3"), b'a: "123"'),
    "in strings and comments": (b'source: "$A/x" # $A', {"A": "/data"}, b'source: "/data/x" # /data'),
    "no placeholder": (b"$ $1 ${} $$ ${A", {"A": "3"}, b"$ $1 ${} $$ ${A"),
    "nothing given": (b"a: $A", {}, b"a: $A"),
    "not filled twice": (b"a: $A b: $B", dict(A="$B", B="3"), b"a: $B b: 3"),
}


@pytest.mark.parametrize("case", FILLED)
def test_filled(case: str) -> None:
    text, values, expected = FILLED[case]
    assert filled(text, values) == expected


@given(some.lists(some.sampled_from(
    [b"$A", b"${B_1}", b"$C$", b"$", b"{", b"}", b"a: ", b'"', b"'", b"\\", b"# ", b"\n", b"x", b"1"])).map(b"".join))
def test_mask_keeps_every_place(text: bytes) -> None:
    """A mask is as long as its text and differs only where a placeholder stands outside strings."""
    mask = masked(text)
    assert len(mask) == len(text)
    kept = bytes(b for a, b in zip(mask, text) if a == b)
    assert {chr(b) for a, b in zip(mask, text) if a != b} <= set("${}") and len(kept) <= len(text)
    try:
        document = parse(text, placeholders=True)
    except ProtoTextError:
        return
    assert document.source() == text


def test_tree() -> None:
    """Opted in, a placeholder is a value that nobody knows; without, it is an error."""
    text = b'layer { name: "$A" num: $A nums: [1, ${B}] dims: $C$ dims: 3 }'
    layer = parse(text, placeholders=True).message("layer")
    assert layer.string("name") == "$A" and layer.dim("num") is None and layer.dim("none", 7) == 7
    assert layer.dims("nums") == [1, None] and layer.dims("dims") == [None, 3] and names(text) == ["A", "B", "C"]
    with pytest.raises(UnresolvedError, match="1:25: num must be known; give -D A=VALUE") as caught:
        layer.integer("num")
    assert caught.value.source_line == text
    with pytest.raises(ProtoTextError, match=r"a placeholder must be filled in first \(prototools render -D\)"):
        parse(text)


NET = """# $COMMENT
input: "data" input_dim: 1 input_dim: 3 input_dim: $HEIGHT$ input_dim: $WIDTH$
layer { name: "c$EXP" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: %s kernel_size: 1 } }
layer { name: "up" type: "Interp" bottom: "c" top: "up" interp_param { %s } }
layer { name: "last" type: "Own" bottom: "up" top: "last" own_param { rate: ${RATE} } }
"""

#: num_output, interp_param, and a part of the refusal, or None where no value is needed.
NEEDED = {
    "zoom needs no size": ("5", "zoom_factor: 4", None),
    "an unknown size": ("5", "height: 60 width: 60",
                        "give -D HEIGHT=VALUE -D WIDTH=VALUE or --shape data=N,C,H,W"),
    "unknown channels": ("${LABELS}", "zoom_factor: 4",
                         "its number of channels must be known; give -D LABELS=VALUE or --shape c=N,C,H,W"),
    "its own": ("5", "zoom_factor: $ZOOM", "zoom_factor must be known; give -D ZOOM=VALUE"),
}


@pytest.mark.parametrize("case", NEEDED)
def test_rewrite(case: str) -> None:
    """A placeholder that no block needs stays in the result, byte for byte; a needed one is named."""
    outputs, settings, told = NEEDED[case]
    text = NET % (outputs, settings)
    result = rewrite(text)
    if told:
        assert not result.changes and result.text == text and told in result.refusals[0].reason
    values = dict(HEIGHT=9, WIDTH="7", LABELS=5, ZOOM=4)
    before = filled(text.encode(), {name: str(value) for name, value in values.items()}).decode()
    for one, source in ((rewrite(text, values=values), before), *(() if told else ((result, text),))):
        head, tail = source.split('layer { name: "up"')
        assert not one.refusals and len(one.changes) == 1
        assert one.text.startswith(head) and one.text.endswith(tail[tail.index("\n"):]) and "$COMMENT" in one.text
        assert rewrite(one.text).text == one.text


def test_other_words_are_still_wrong() -> None:
    with pytest.raises(ProtoTextError, match="input_dim must be a whole number, but found _HEIGHT_"):
        rewrite((NET % ("5", "zoom_factor: 2")).replace("$HEIGHT$", "_HEIGHT_"))


def test_commands(tmp_path: Path) -> None:
    """`rewrite -D` and `verify -D`; a wrong -D is a usage error."""
    net, out = tmp_path / "net.prototxt", tmp_path / "out.prototxt"
    net.write_text((NET % ("${LABELS}", "zoom_factor: 4")).replace("RATE", "LABELS"))
    values = [word for value in ("HEIGHT=9", "WIDTH=9", "LABELS=5") for word in ("-D", value)]
    refused = call(["rewrite", str(net), "-o", str(out)])
    assert refused.exit_code == 1 and "give -D LABELS=VALUE" in refused.output and not out.exists()
    done = call(["rewrite", str(net), "-o", str(out), *values])
    assert done.exit_code == 0 and "rate: 5" in out.read_text() and "$COMMENT" in out.read_text()
    verified = call(["verify", str(net), str(out), *values])
    assert verified.exit_code == 0, verified.output
    for wrong in ("LABELS", "=3", "a-b=3"):
        assert call(["rewrite", str(net), "-D", wrong]).exit_code == 2
