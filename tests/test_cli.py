"""The command line as a user meets it: exit codes, messages, and what is written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from command_line import call

from prototools import files
from prototools.cli import COMMANDS

DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }\n'
UP = 'layer { name: "up" type: "Interp" bottom: "data" top: "up" interp_param { zoom_factor: 3 } }\n'
BAD = 'layer { name: "bad" type: "Upsample" bottom: "data" top: "bad" }\n'
STOCK = 'layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }\n'


@pytest.fixture
def run(tmp_path: Path, monkeypatch):
    """Call the command line in an empty folder with a few networks in it."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "net": DATA + UP, "stock": DATA + STOCK, "refused": DATA + UP + BAD, "broken": "layer {",
        "foreign": DATA + STOCK.replace("ReLU", "Permute") + STOCK.replace("ReLU", "Normalize"),
        "typeless": DATA + 'layer { name: "x" top: "y" }',
        "nameless": DATA + BAD.replace('name: "bad"', ""),
        "oldest": 'layers { layer { name: "c" type: "conv" num_output: 1 kernelsize: 1 } bottom: "d" top: "c" }',
        "staged": DATA.replace(' input_param', ' include { stage: "on" min_level: 1 } input_param') + STOCK,
        "unknown": 'layer { name: "data" type: "Data" top: "data" top: "l" }\n' + UP,
    }.items():
        Path(f"{name}.prototxt").write_text(text)

    return lambda *words, **settings: call(words, **settings)


#: Words, exit code, a part of standard output, a part of standard error.
CALLS = [
    pytest.param("rewrite net.prototxt", 0, '"up/deconv"', "pspnet: align corners zoom 3", id="rewrite"),
    pytest.param("rewrite stock.prototxt", 0, '"ReLU"', "", id="nothing to do"),
    pytest.param("rewrite foreign.prototxt", 0, '"Permute"',
                 "foreign.prototxt: stock Caffe lacks Normalize, Permute; these layers stay as they are", id="foreign"),
    pytest.param("rewrite typeless.prototxt", 0, 'top: "y"', "", id="no type"),
    pytest.param("rewrite nameless.prototxt", 1, "", "nameless.prototxt:2:1: a layer without a name: the file does",
                 id="no name"),
    pytest.param("rewrite oldest.prototxt", 0, '"conv"', "", id="the oldest form"),
    pytest.param("rewrite --check net.prototxt", 1, "", "", id="check, would change"),
    pytest.param("rewrite --check stock.prototxt", 0, "", "", id="check, would not"),
    pytest.param("rewrite --diff net.prototxt", 1, '-layer { name: "up" type', "", id="diff"),
    pytest.param("rewrite --diff stock.prototxt", 0, "", "", id="no diff"),
    pytest.param("rewrite refused.prototxt", 1, "", "refused.prototxt:3:1: bad: ", id="refused"),
    pytest.param(
        "rewrite --partial refused.prototxt", 1, '"up/deconv"', "choose with --dialect: yolo", id="partial"
    ),
    pytest.param(
        "rewrite broken.prototxt", 2, "", "broken.prototxt:1:1: layer must be closed", id="broken"
    ),
    pytest.param("rewrite missing.prototxt", 2, "", "missing.prototxt: cannot be read", id="missing"),
    pytest.param(
        "rewrite broken.prototxt net.prototxt", 2, '"up/deconv"', "must be closed", id="all are tried"
    ),
    pytest.param("rewrite unknown.prototxt", 1, "", "give --shape data=N,C,H,W", id="shape that helps"),
    pytest.param(
        "rewrite unknown.prototxt --shape data=1,3,5,5", 0, "num_output: 3", "", id="shape given"
    ),
    pytest.param("rewrite net.prototxt --shape data=1,x", 2, "", "must be BLOB=N,C,H,W", id="bad shape"),
    pytest.param("rewrite net.prototxt --dialect psp", 2, "", "did you mean pspnet", id="bad dialect"),
    pytest.param("rewrite net.prototxt --dialect segnet", 0, '"up/deconv"', "--dialect segnet was not needed",
                 id="unused dialect"),
    pytest.param("rewrite net.prototxt --lowering zom", 2, "", "did you mean zoom", id="bad lowering"),
    pytest.param("rewrite net.prototxt --chek", 2, "", "--check", id="bad option"),
    pytest.param("rewrit net.prototxt", 2, "", "rewrite", id="bad command"),
    pytest.param("rewrite --diff --check net.prototxt", 2, "", "cannot be used together", id="two ways out"),
    pytest.param("rewrite -o out net.prototxt stock.prototxt", 2, "", "-o takes one NET", id="one output"),
    pytest.param("rewrite -o no/such/out net.prototxt", 2, "", "no/such/out: cannot be written", id="target"),
    pytest.param("rewrite --report no/such/out net.prototxt", 2, '"up/deconv"', "no/such/out: cannot be written",
                 id="report"),
    pytest.param("shapes net.prototxt", 0, "1 x 3 x 25 x 25", "", id="shapes"),
    pytest.param("shapes staged.prototxt", 1, "", "staged.prototxt:2:1: relu: unknown bottom", id="shapes, no stage"),
    pytest.param("shapes staged.prototxt --stage on --level 1", 0, "1 x 3 x 9 x 9", "", id="shapes in a stage"),
    pytest.param("check staged.prototxt --stage on", 1, "see --phase, --stage and --level", "", id="check, no level"),
    pytest.param("check staged.prototxt --stage on --level 1", 0, "", "", id="check in a stage"),
    pytest.param("check net.prototxt", 1, "prototools rewrite replaces it", "", id="check"),
    pytest.param("rules", 0, "segnet", "", id="rules"),
    pytest.param("rules zoom", 0, "Kernel 2 z - 1", "", id="one lowering"),
    pytest.param("rules segnet", 0, "top[mask[i]] = data[i]", "", id="one dialect"),
    pytest.param("rules cedn", 0, "row i is put at i * kernel", "", id="a dialect of two families"),
    pytest.param("rules cedn", 0, "H' = (H - 1) stride + kernel - 2 pad", "", id="its other family"),
    pytest.param("rules segment", 2, "", "did you mean segnet?", id="no such rule"),
    pytest.param("--version", 0, "prototools 0", "", id="version"),
]


@pytest.mark.parametrize("words, code, out, err", CALLS)
def test_call(run, words: str, code: int, out: str, err: str) -> None:
    """The exit code is the verdict, standard output the product, standard error the commentary."""
    result = run(*words.split())
    assert result.exit_code == code, result.output
    assert out in result.stdout and err in result.stderr
    assert ("stock Caffe lacks" in result.stderr) == ("stock Caffe lacks" in err)
    assert "Traceback" not in result.output


def test_refused_writes_nothing(run) -> None:
    """A refused layer leaves the target as it was, unless --partial."""
    before = Path("refused.prototxt").read_text()
    assert run("rewrite", "refused.prototxt", "--in-place").exit_code == 1
    assert Path("refused.prototxt").read_text() == before
    assert run("rewrite", "refused.prototxt", "-o", "out").exit_code == 1
    assert not os.path.exists("out")
    assert run("rewrite", "refused.prototxt", "--in-place", "--partial").exit_code == 1
    assert "up/deconv" in Path("refused.prototxt").read_text()


def test_in_place_twice(run) -> None:
    """A second run changes nothing, not even the file's time."""
    assert run("rewrite", "net.prototxt", "--in-place").exit_code == 0
    os.utime("net.prototxt", (1, 1))
    assert run("rewrite", "net.prototxt", "--in-place").exit_code == 0
    assert os.path.getmtime("net.prototxt") == 1


def test_standard_input(run) -> None:
    """`-` reads the network from standard input."""
    result = run("rewrite", "-", stdin=DATA + UP)
    assert result.exit_code == 0 and "up/deconv" in result.stdout


def test_report(run) -> None:
    """The report has every layer, replaced or refused."""
    run("rewrite", "refused.prototxt", "--report", "report.json")
    report = json.loads(Path("report.json").read_text())
    assert [change["layer"] for change in report["changes"]] == ["up"]
    assert report["changes"][0]["exact"] and report["changes"][0]["new_layers"] == ["up/deconv"]
    assert [refusal["layer"] for refusal in report["refusals"]] == ["bad"]
    assert report["changes"][0]["multiply_adds"] > 0


def test_shapes_json(run) -> None:
    """The JSON has blobs, parameters and layers; unknown dims are null."""
    result = run("shapes", "--json", "net.prototxt")
    assert json.loads(result.stdout)["blobs"] == {"data": [1, 3, 9, 9], "up": [1, 3, 25, 25]}


def test_unreadable_source(run, monkeypatch) -> None:
    """The system's own reason is given."""
    monkeypatch.setattr(files, "open", _denied, raising=False)
    result = run("rewrite", "net.prototxt")
    assert result.exit_code == 2 and "Permission denied" in result.stderr


def _denied(*arguments):
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("name", COMMANDS)
def test_help(run, name: str) -> None:
    """Every command explains itself."""
    result = run(name, "--help")
    assert result.exit_code == 0 and f"usage: prototools {name}" in result.stdout
    usage, _, more = result.stdout.partition("\n")
    assert "NET" in usage or "NET" not in more, "it speaks of an argument that it has not"
