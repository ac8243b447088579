"""Many files at once: what is taken, where it goes, what is skipped, and that nothing stops the rest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, List

import pytest

import prototools
from prototools.batching import BatchError
from prototools.batching.sources import find

DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }\n'
UP = 'layer { name: "up" type: "Interp" bottom: "data" top: "up" interp_param { zoom_factor: 3 } }\n'
BAD = 'layer { name: "bad" type: "Upsample" bottom: "data" top: "bad" }\n'
STOCK = 'layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }\n'
BROKEN = "layer {"


@pytest.fixture
def here(tmp_path: Path, monkeypatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(files: Dict[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, "utf-8")


def below(folder: str) -> List[str]:
    """The files that a batch wrote."""
    found = (path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())
    return sorted(path for path in found if not path.startswith(".prototools/"))


def statuses(*arguments, **options) -> Dict[str, str]:
    return {outcome.source: outcome.status for outcome in prototools.batch(*arguments, **options)}


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

NETS = {"net": DATA + UP, "stock": DATA + STOCK, "refused": DATA + UP + BAD, "broken": BROKEN}


def test_outcomes(here: Path) -> None:
    """Each file has its status, and only what is whole is written."""
    make({f"nets/{name}.prototxt": text for name, text in NETS.items()})
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
