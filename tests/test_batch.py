"""Many files at once: what is taken, where it goes, what becomes of each, and what is skipped."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import List

import pytest
from batches import BAD, DATA, STOCK, UP, below, caffemodel, make, make_nets, statuses

import prototools
from prototools.batching import BatchError, job
from prototools.batching.sources import find


@pytest.fixture
def here(tmp_path: Path, monkeypatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ---------------------------------------------------------------- what is taken, and where it goes

TREE = ["a.prototxt", "a.caffemodel", "sub/b.prototxt", "sub/deep/c.prototxt", "sub/README", "t.prototxt.j2", "u.j2",
        ".hidden/x.prototxt", "sub/.x.prototxt", "深/网 络.prototxt"]

#: Sources, and what comes of the tree above: targets below `out`.
SOURCES = [
    pytest.param(["nets"], "a.prototxt sub/b.prototxt sub/deep/c.prototxt t.prototxt u.prototxt 深/网 络.prototxt",
                 id="folder"),
    pytest.param(["nets/"], "a.prototxt sub/b.prototxt sub/deep/c.prototxt t.prototxt u.prototxt 深/网 络.prototxt",
                 id="folder with a slash"),
    pytest.param(["nets/sub/b.prototxt"], "b.prototxt", id="file"),
    pytest.param(["nets/sub/README"], "README", id="a file of any name"),
    pytest.param(["nets/*.prototxt"], "a.prototxt", id="pattern"),
    pytest.param(["nets/*/*.prototxt"], "sub/b.prototxt 深/网 络.prototxt", id="pattern for a folder"),
    pytest.param(["nets/**/*.prototxt"], "a.prototxt sub/b.prototxt sub/deep/c.prototxt 深/网 络.prototxt",
                 id="any folders"),
    pytest.param(["nets/sub/**/c.*"], "deep/c.prototxt", id="any folders below a fixed one"),
    pytest.param(["nets/**"], "a.prototxt sub/b.prototxt sub/deep/c.prototxt t.prototxt u.prototxt 深/网 络.prototxt",
                 id="everything"),
    pytest.param(["nets/*"], "a.prototxt sub/b.prototxt sub/deep/c.prototxt t.prototxt u.prototxt 深/网 络.prototxt",
                 id="a star takes networks and folders"),
    pytest.param(["nets/s[tu]b"], "sub/b.prototxt sub/deep/c.prototxt", id="a folder that matches"),
    pytest.param(["nets/?.j2"], "u.prototxt", id="templates"),
    pytest.param(["nets/sub/READ*.*", "nets/a.prototxt"], "a.prototxt", id="nothing matches, the rest goes on"),
    pytest.param(["nets/sub", "nets/sub/b.prototxt"], "b.prototxt deep/c.prototxt", id="the same file twice"),
    pytest.param(["./nets/../nets/sub"], "b.prototxt deep/c.prototxt", id="a winding path"),
]


@pytest.mark.parametrize("sources, targets", SOURCES)
def test_sources(here: Path, sources: List[str], targets: str) -> None:
    """What is fixed of a source is cut off, the rest is mirrored."""
    make({f"nets/{name}": "" for name in TREE})
    wanted = targets.replace("网 络", "网\0络").split()
    found = sorted(task.target for task in find(sources, "out") if not task.problem)
    assert found == sorted("out/" + target.replace("\0", " ") for target in wanted)


#: Sources and target folder that cannot be, and what is said.
COLLISIONS = [
    pytest.param(["one", "two"], "out", "one/n.prototxt and two/n.prototxt would both go to out/n.prototxt", id="two"),
    pytest.param(["three"], "out", "three/n.prototxt and three/n.prototxt.j2 would both go to out/n.prototxt",
                 id="a template beside its result"),
    pytest.param(["one"], "one", "one/n.prototxt would be written over one/n.prototxt", id="itself"),
    pytest.param(["one"], "link", "one/n.prototxt would be written over one/n.prototxt", id="itself by a link"),
    pytest.param(["one"], "file", "file: the results must go to a folder", id="no folder"),
]


@pytest.mark.parametrize("sources, out, sentence", COLLISIONS)
def test_collisions(here: Path, sources: List[str], out: str, sentence: str) -> None:
    """An error before anything is written."""
    make({"one/n.prototxt": UP, "two/n.prototxt": UP, "three/n.prototxt": UP, "three/n.prototxt.j2": UP, "file": ""})
    os.symlink("one", "link")
    with pytest.raises(BatchError) as error:
        prototools.batch(sources, out)
    assert sentence in str(error.value)
    assert not os.path.exists("out") and below("one") == ["n.prototxt"]


# ---------------------------------------------------------------- what becomes of each file

def test_outcomes(here: Path) -> None:
    """Each file has its status, and only what is whole is written."""
    make_nets()
    make({"nets/made.j2": DATA + "{% for i in range(n) %}{% endfor %}" + UP, "nets/plain.prototxt.j2": DATA + STOCK})
    seen = []
    outcomes = prototools.batch("nets", Path("out"), values={"n": 3}, on_done=seen.append)
    assert {Path(one.source).name: (one.status, one.code, len(one.changes)) for one in outcomes} == {
        "net.prototxt": ("rewritten", 0, 1), "stock.prototxt": ("copied", 0, 0), "broken.prototxt": ("failed", 2, 0),
        "refused.prototxt": ("refused", 1, 1), "made.j2": ("rewritten", 0, 1),
        "plain.prototxt.j2": ("rendered", 0, 0),
    }
    assert sorted(seen) == sorted(outcomes)
    assert below("out") == ["made.prototxt", "net.prototxt", "plain.prototxt", "stock.prototxt"]
    assert Path("out/stock.prototxt").read_text() == DATA + STOCK
    assert Path("out/net.prototxt").read_text() == prototools.rewrite(DATA + UP).text


def test_placeholders(here: Path) -> None:
    """A value fills a plain prototxt's placeholder too; where a block needs it and it is missing, it is named."""
    make({"nets/net.prototxt": DATA + UP.replace("zoom_factor: 3", "zoom_factor: $Z") + "# $Z\n"})
    [refused] = prototools.batch("nets", "out")
    [done] = prototools.batch("nets", "out", values={"Z": 3})
    assert refused.status == "refused" and "give -D Z=VALUE" in refused.refusals[0].reason
    assert done.status == "rewritten" and "stride: 3" in Path("out/net.prototxt").read_text()


def test_partial(here: Path) -> None:
    """What could be done is written if asked for, and the verdict stays; otherwise an old target is left."""
    make({"net.prototxt": DATA + UP + BAD})
    outcome, = prototools.batch("net.prototxt", "out", partial=True)
    assert (outcome.status, outcome.code) == ("partial", 1) and "up/deconv" in Path("out/net.prototxt").read_text()
    outcome, = prototools.batch("net.prototxt", "out")
    assert outcome.status == "refused" and "left as it is" in outcome.note and below("out") == ["net.prototxt"]
    make({"net.prototxt": "layer {"})
    outcome, = prototools.batch("net.prototxt", "out")
    assert outcome.status == "failed" and "left as it is" in outcome.note and below("out") == ["net.prototxt"]


def test_options_are_those_of_rewrite(here: Path) -> None:
    """Shapes, dialects and the rest reach each file; unknown names are said before anything is done."""
    data = 'layer { name: "d" type: "Data" top: "data" top: "l" }\n'
    scaled = BAD.replace(' top: "bad"', ' top: "bad" upsample_param { scale: 2 }')
    make({"n.prototxt": data + UP, "y.prototxt": data + scaled})
    options = {"shapes": {"data": [1, 3, 5, 5]}, "dialect": ["yolo"], "filler_safe": True}
    assert set(statuses([Path("n.prototxt"), "y.prototxt"], "out", **options).values()) == {"rewritten"}
    for name in ("n", "y"):
        assert Path(f"out/{name}.prototxt").read_bytes() == \
            prototools.rewrite(Path(f"{name}.prototxt").read_bytes(), **options).text
    with pytest.raises(ValueError, match="did you mean yolo"):
        prototools.batch(["n.prototxt"], "other", dialect=["yollo"])
    assert not os.path.exists("other")


def test_weights(here: Path) -> None:
    """A caffemodel of the same stem is patched beside the target; a broken one fails its file, and writes nothing."""
    make({"nets/a.prototxt": DATA + UP, "nets/b.prototxt": DATA + UP, "nets/c.prototxt": DATA + UP})
    Path("nets/a.caffemodel").write_bytes(caffemodel())
    Path("nets/b.caffemodel").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert [one.status for one in prototools.batch("nets", "out")] == ["rewritten", "failed", "rewritten"]
    assert below("out") == ["a.caffemodel", "a.prototxt", "c.prototxt"]
    assert b"up/deconv" in Path("out/a.caffemodel").read_bytes()


def test_links(here: Path) -> None:
    """Links are followed, but not in circles; a link to nowhere is told, a pipe is not waited for."""
    make({"nets/sub/a.prototxt": DATA, "other/b.prototxt": DATA})
    os.symlink("..", "nets/sub/up")
    os.symlink("../../other", "nets/sub/aside")
    os.symlink("nowhere", "nets/lost.prototxt")
    os.mkfifo("nets/pipe.prototxt")
    assert statuses("nets", "out") == {"nets/lost.prototxt": "failed", "nets/sub/a.prototxt": "copied",
                                       "nets/sub/aside/b.prototxt": "copied"}
    assert statuses("nets/**/*.prototxt", "out2").keys() == statuses("nets", "out3").keys()


def test_out_inside_a_source(here: Path) -> None:
    """It is not read again."""
    make({"nets/a.prototxt": DATA + UP, "nets/sub/b.prototxt": DATA})
    for _ in range(2):
        prototools.batch("nets", "nets/sub/out")
        prototools.batch("nets/**", "nets/sub/out")
        prototools.batch("nets/*/*", "nets/sub/out")
    assert below("nets") == ["a.prototxt", "sub/b.prototxt", "sub/out/a.prototxt", "sub/out/b.prototxt",
                             "sub/out/sub/b.prototxt"] or below("nets/sub/out") == ["a.prototxt", "sub/b.prototxt"]


def test_parts_are_no_networks(here: Path) -> None:
    """A plain .j2 that another imports, or that a part of it imports, is none; one by one it is."""
    make({"nets/net.j2": '{% include "parts/head.j2" %}' + UP, "nets/parts/head.j2": '{% include "parts/data.j2" %}',
          "nets/parts/data.j2": DATA, "nets/base.prototxt.j2": DATA, "nets/next.j2": '{% include "base.prototxt.j2" %}',
          "nets/broken.j2": "{% include"})
    assert statuses("nets", "out") == {"nets/net.j2": "rewritten", "nets/base.prototxt.j2": "rendered",
                                       "nets/next.j2": "rendered", "nets/broken.j2": "failed"}
    assert statuses(["nets/parts/data.j2"], "out2") == {"nets/parts/data.j2": "rendered"}


def test_two_of_one_stem(here: Path) -> None:
    """They have one caffemodel, if there is one, and then one target for it."""
    make({"nets/a.prototxt": DATA, "nets/a.txt": DATA, "nets/b.j2": "{% include 'c.j2' %}",
          "nets/c.j2": "{% include 'b.j2' %}"})
    assert set(statuses("nets/a.*", "out").values()) == {"copied"}
    Path("nets/a.caffemodel").write_bytes(caffemodel())
    with pytest.raises(BatchError, match="would both go to out/a.caffemodel"):
        prototools.batch("nets/a.*", "out")
    assert set(statuses("nets/*.j2", "out").values()) == {"failed"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_what_may_not_be_read_or_written(here: Path) -> None:
    """A locked folder is told, and the rest goes on; a locked target folder fails every file."""
    make({"nets/locked/a.prototxt": DATA, "nets/b.prototxt": DATA, "out/x": ""})
    os.chmod("nets/locked", 0)
    assert statuses("nets", "out2") == {"nets/b.prototxt": "copied", "nets/locked": "failed"}
    os.chmod("out", 0o555)
    outcome, = prototools.batch("nets/b.prototxt", "out")
    assert outcome.status == "failed" and "cannot be written: Permission denied" in outcome.error
    os.chmod("nets/locked", 0o755)
    os.chmod("out", 0o755)


# ---------------------------------------------------------------- what is skipped

def forget_parts() -> None:
    """A state file whose lists of templates are none."""
    state = Path("out/.prototools/batch.json")
    state.write_text(re.sub(r"\[\s*(\"lib.j2\"|\"parts/lib.j2\")?\s*\](,\s*\[)", r"[5]\2", state.read_text()))
    assert "[5]" in state.read_text()


#: What is done between two batches, and what the second says of net.j2, stock.prototxt and w.prototxt.
CHANGES = [
    pytest.param(lambda: None, {}, "unchanged unchanged unchanged", id="nothing"),
    pytest.param(lambda: os.utime("nets/stock.prototxt"), {}, "unchanged unchanged unchanged", id="a time"),
    pytest.param(lambda: make({"nets/stock.prototxt": STOCK}), {}, "unchanged copied unchanged", id="a source"),
    pytest.param(lambda: make({"nets/parts/lib.j2": DATA + "\n"}), {}, "rewritten unchanged unchanged", id="a part"),
    pytest.param(lambda: make({"out/stock.prototxt": STOCK}), {}, "unchanged copied unchanged", id="a target"),
    pytest.param(lambda: os.unlink("out/net.prototxt"), {}, "rewritten unchanged unchanged", id="no target"),
    pytest.param(lambda: os.unlink("out/w.caffemodel"), {}, "unchanged unchanged rewritten", id="no patched weights"),
    pytest.param(lambda: Path("nets/w.caffemodel").write_bytes(caffemodel() * 2), {}, "unchanged unchanged rewritten",
                 id="weights"),
    pytest.param(lambda: os.unlink("nets/w.caffemodel"), {}, "unchanged unchanged rewritten", id="no weights"),
    pytest.param(lambda: None, {"filler_safe": True}, "rewritten copied rewritten", id="an option"),
    pytest.param(lambda: None, {"values": {"n": 4}}, "rewritten copied rewritten", id="a value"),
    pytest.param(lambda: None, {"force": True}, "rewritten copied rewritten", id="force"),
    pytest.param(lambda: make({"out/.prototools/batch.json": "[" * 100_000}), {}, "rewritten copied rewritten",
                 id="a memory too deep"),
    pytest.param(lambda: forget_parts(), {}, "rewritten copied rewritten", id="a memory of another form"),
    pytest.param(lambda: make({"out/.prototools/batch.json": "{"}), {}, "rewritten copied rewritten", id="no memory"),
    pytest.param(lambda: make({"out/.prototools/batch.json": '{"targets": {"net.prototxt": [1], "w": 2}}'}), {},
                 "rewritten copied rewritten", id="another's memory"),
]


@pytest.mark.parametrize("change, options, wanted", CHANGES)
def test_skipped(here: Path, change, options, wanted: str) -> None:
    """A file is skipped where all that its result depends on is the same, and the result is there."""
    make({"nets/net.j2": '{% include "parts/lib.j2" %}' + UP, "nets/parts/lib.j2": DATA,
          "nets/stock.prototxt": DATA + STOCK, "nets/w.prototxt": DATA + UP})
    Path("nets/w.caffemodel").write_bytes(caffemodel())
    first = prototools.batch("nets", "out")
    assert [one.status for one in first] == ["rewritten", "copied", "rewritten"]
    change()
    assert [one.status for one in prototools.batch("nets", "out", **options)] == wanted.split()
    assert {one.status for one in prototools.batch("nets", "out", **{**options, "force": False})} == {"unchanged"}


def test_what_was_refused_is_told_again(here: Path) -> None:
    """The verdict of a batch does not depend on an earlier one."""
    make_nets()
    prototools.batch("nets", "out")
    assert statuses("nets", "out") == {"nets/broken.prototxt": "failed", "nets/net.prototxt": "unchanged",
                                       "nets/refused.prototxt": "refused", "nets/stock.prototxt": "unchanged"}


def test_what_changes_in_the_meantime(here: Path, monkeypatch) -> None:
    """A template's part or a caffemodel that is edited while its file is in work is noticed by the next batch."""
    make({"nets/net.prototxt.j2": '{% include "parts/lib.j2" %}' + UP, "nets/parts/lib.j2": DATA,
          "nets/w.prototxt": DATA + UP})
    Path("nets/w.caffemodel").write_bytes(caffemodel())
    rewrite = job.rewrite

    def rewrite_and_edit(*arguments, **options):
        make({"nets/parts/lib.j2": Path("nets/parts/lib.j2").read_text() + "# edited\n"})
        Path("nets/w.caffemodel").write_bytes(Path("nets/w.caffemodel").read_bytes() * 2)
        return rewrite(*arguments, **options)

    monkeypatch.setattr(job, "rewrite", rewrite_and_edit)
    prototools.batch("nets", "out")
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert set(statuses("nets", "out").values()) == {"rewritten"}
    assert set(statuses("nets", "out").values()) == {"unchanged"}


def test_another_version_does_all_again(here: Path, monkeypatch) -> None:
    """A newer prototools may find better blocks."""
    make({"net.prototxt": DATA + UP})
    prototools.batch("net.prototxt", "out")
    monkeypatch.setattr("prototools.batching.records.__version__", "99")
    assert statuses("net.prototxt", "out") == {"net.prototxt": "rewritten"}


def test_another_place_is_the_same_batch(here: Path, monkeypatch) -> None:
    """Records speak of contents, so that sources may be moved, or called by another path."""
    make({"nets/net.prototxt": DATA + UP})
    prototools.batch("nets", "out")
    monkeypatch.chdir("nets")
    assert statuses(".", "../out") == {"./net.prototxt": "unchanged"}
