"""Whole scripts in the manner of the public ones, through real pycaffe and through the stand-in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest
from google.protobuf import text_format
from google.protobuf.message import DecodeError

from prototools.pycaffe import caffe_pb2

PROJECT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted((PROJECT / "tests/pycaffe_scripts").glob("*.py"))


def outcome(folder: Path, printed: str) -> Dict[str, Any]:
    """What a script printed and wrote: prototxt and caffemodels as messages, the rest as it is."""
    found: Dict[str, Any] = {"printed": printed.splitlines()}
    for path in sorted(folder.iterdir()):
        found[path.name] = message(path) if path.suffix in (".prototxt", ".caffemodel") else path.read_bytes()
    return found


def message(path: Path) -> Any:
    kind = caffe_pb2.SolverParameter if "solver" in path.name else caffe_pb2.NetParameter
    if path.suffix == ".prototxt":
        return text_format.Parse(path.read_text(), kind())
    try:
        net = kind.FromString(path.read_bytes())
    except DecodeError as error:
        pytest.fail(f"{path.name}: {error}")
    # Real Caffe also keeps what the net was built from; what is loaded is the blobs.
    return [(layer.name, layer.type, list(layer.blobs)) for layer in net.layer if layer.blobs]


def run(arguments: list, folder: Path) -> subprocess.CompletedProcess:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=folder,
                          env={"PYTHONPATH": str(PROJECT)})
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script(script: Path, caffe, tmp_path: Path) -> None:
    """The same print, to the byte, and the same files."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    real = caffe.run(["python3", str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=theirs)
    assert real.returncode == 0, real.stderr.decode()
    done = run(["-m", "prototools.pycaffe", str(script)], ours)
    wanted, found = outcome(theirs, real.stdout.decode()), outcome(ours, done.stdout)
    assert sum(map(len, wanted["printed"])) + len(wanted) > 4
    assert found == wanted


@pytest.mark.parametrize("name", ["caffenet", "detection", "unet"])
def test_as_prototools(name: str, tmp_path: Path) -> None:
    """`import prototools as caffe`, `from prototools import ...` in a script's own lines does the same."""
    text = (PROJECT / f"tests/pycaffe_scripts/{name}.py").read_text()
    changed = text.replace("import caffe\n", "import prototools as caffe\n").replace("from caffe", "from prototools")
    assert changed != text
    found = []
    for kind, code, module in (("caffe", text, ["-m", "prototools.pycaffe"]), ("prototools", changed, [])):
        folder = tmp_path / kind
        folder.mkdir()
        (tmp_path / f"with_{kind}.py").write_text(code)
        done = run([*module, str(tmp_path / f"with_{kind}.py")], folder)
        found.append(outcome(folder, done.stdout))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["fcn", "detection", "looking", "surgery"])
def test_in_caffes_own_python(name: str, caffe, tmp_path: Path) -> None:
    """The stand-in in the old Python, where pycaffe lies beside it: the same as pycaffe."""
    script, found = str(PROJECT / f"tests/pycaffe_scripts/{name}.py"), []
    for module in ([], ["-m", "prototools.pycaffe"]):
        folder = tmp_path / str(len(found))
        folder.mkdir()
        done = caffe.run(["python3", *module, script], [PROJECT], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         cwd=folder)
        assert done.returncode == 0, done.stderr.decode()
        found.append(outcome(folder, done.stdout.decode()))
    assert found[0] == found[1]
