"""Make as a user drives it, from a folder of their own: only what changed is made again."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

import pytest
from batches import BAD, BROKEN, DATA, STOCK, UP, caffemodel
from command_line import call

from prototools import rewrite
from prototools.makefiles import names

PROJECT = Path(__file__).resolve().parents[1]
LIBRARY = "{% macro data() %}" + DATA + "{% endmacro %}\n"
TEMPLATE = '{% import "parts/lib.j2" as lib %}{{ lib.data() }}' + UP + "# {{ width }}\n"


@pytest.fixture
def project(tmp_path: Path):
    """A folder with a Makefile that includes ours, and networks with names of every kind."""
    if not shutil.which("make"):
        pytest.skip("make is not here")
    return Project(tmp_path / "my project")


class Project:
    """A user's folder; `make` runs Make in it, under a program that says which version it is."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()
        self.program = folder.parent / "prototools"
        self.install()
        (folder / "prototools.mk").write_bytes(call(["makefile"]).stdout_bytes)
        (folder / "Makefile").write_text("SRC := my nets\nOUT := 出 put\ninclude prototools.mk\n")
        self.write({"my nets/a b.prototxt": DATA + UP, "my nets/stock.prototxt": DATA + STOCK,
                    "my nets/子 dir/网 络 100%'s #1 $x:y;(1)=&.prototxt": DATA + UP})

    def install(self, version: str = "") -> None:
        """The program, of this or of another version."""
        code = f"import prototools; prototools.__version__ = {version!r} or prototools.__version__; " \
            "from prototools.cli import main; main()"
        self.program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
        self.program.chmod(0o755)

    def write(self, files: Dict[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    def make(self, *words: str, code: int = 0) -> str:
        """What Make says, on both streams, when it ends with this code."""
        environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PROTOTOOLS": str(self.program), "LC_ALL": "C"}
        done = subprocess.run(["make", *words], cwd=self.folder, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        assert done.returncode == code, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    def made(self, *words: str, code: int = 0) -> List[str]:
        """The networks that Make made again, by what comes of each."""
        before = self.times()
        self.make(*words, code=code)
        return sorted(name for name, time in self.times().items() if before.get(name) != time)

    def times(self) -> Dict[str, int]:
        """The results and when each was made."""
        out = self.folder / "出 put"
        found = [path for path in out.rglob("*") if path.is_file() and ".prototools" not in path.parts]
        return {path.relative_to(out).as_posix(): path.stat().st_mtime_ns for path in found}


ODD = "子 dir/网 络 100%'s #1 $x:y;(1)=&.prototxt"


def test_only_what_changed(project: Project) -> None:
    """Everything once, then nothing, then one by one what is newer or another."""
    assert project.made("convert", "-j2") == ["a b.prototxt", "stock.prototxt", ODD]
    assert (project.folder / "出 put" / ODD).read_text() == rewrite(DATA + UP).text
    project.make("-q", "convert")
    assert "Nothing to be done" in project.make("convert")
    os.utime(project.folder / "my nets" / ODD)
    assert project.made("convert") == [ODD]
    project.make("-q", "convert")
    project.write({"my nets/new.prototxt": DATA + UP})
    assert project.made("convert") == ["new.prototxt"]
    (project.folder / "出 put" / "stock.prototxt").unlink()
    assert project.made("convert") == ["stock.prototxt"]
    assert len(project.made("convert", "ARGS=--filler-safe")) == 4
    assert project.made("convert", "ARGS=--filler-safe") == []
    assert len(project.made("convert")) == 4
    project.install("99.0")
    assert len(project.made("convert")) == 4
    assert project.made("convert") == []


def test_templates(project: Project) -> None:
    """A template is made again when a part it imports changes, or a value; a part is no network."""
    project.write({"my nets/t.prototxt.j2": TEMPLATE, "my nets/parts/lib.j2": LIBRARY,
                   "my nets/u.j2": DATA + UP, "width.json": "8"})
    values = "VALUES=-D width=@width.json"
    assert project.made("convert", "-j2", values)[1:] == ["stock.prototxt", "t.prototxt", "u.prototxt", ODD]
    assert "# 8" in (project.folder / "出 put" / "t.prototxt").read_text()
    project.make("-q", "convert", values)
    project.write({"my nets/parts/lib.j2": LIBRARY + "\n"})
    assert project.made("convert", values) == ["t.prototxt"]
    project.write({"width.json": "9"})
    assert project.made("convert", values) == ["t.prototxt", "u.prototxt"]
    assert "# 9" in (project.folder / "出 put" / "t.prototxt").read_text()
    assert project.made("convert", "VALUES=-D width=3") == ["t.prototxt", "u.prototxt"]
    (project.folder / "my nets/parts/lib.j2").unlink()
    assert "lib.j2" in project.make("convert", "VALUES=-D width=3", code=2)
    project.write({"my nets/t.prototxt.j2": TEMPLATE.replace("parts/lib.j2", "parts/other.j2"),
                   "my nets/parts/other.j2": LIBRARY})
    assert project.made("convert", "VALUES=-D width=3") == ["t.prototxt"]


def test_weights(project: Project) -> None:
    """A caffemodel beside its net is patched with it."""
    weights = project.folder / "my nets" / "a b.caffemodel"
    weights.write_bytes(caffemodel())
    assert project.made("convert", "-j2") == ["a b.caffemodel", "a b.prototxt", "stock.prototxt", ODD]
    patched = project.folder / "出 put" / "a b.caffemodel"
    assert b"up/deconv" in patched.read_bytes()
    project.make("-q", "convert")
    patched.unlink()
    assert "a b.caffemodel" in project.made("convert")
    project.make("-q", "convert")
    os.utime(weights)
    assert project.made("convert") == ["a b.caffemodel", "a b.prototxt"]
    project.make("verify")


def test_a_broken_file_stops_nothing(project: Project) -> None:
    """It leaves no target behind, not even its old one, and with -k the rest is made."""
    project.write({"my nets/broken.prototxt": DATA + UP, "my nets/refused.prototxt": DATA + UP + BAD})
    project.make("convert", "-k", code=2)
    assert "broken.prototxt" in project.times() and "refused.prototxt" not in project.times()
    project.write({"my nets/broken.prototxt": BROKEN, "my nets/a b.prototxt": DATA + UP + "\n",
                   "my nets/wrong.j2": "{{ nothing }}"})
    said = project.make("convert", "-k", "-j2", code=2)
    assert "broken.prototxt:1:1: layer must be closed" in said and "'nothing' is undefined" in said
    assert sorted(project.times()) == ["a b.prototxt", "stock.prototxt", ODD]
    assert (project.folder / "出 put/a b.prototxt").read_text() == rewrite(DATA + UP + "\n").text
    project.write({"my nets/broken.prototxt": DATA + UP})
    (project.folder / "my nets/wrong.j2").unlink()
    assert project.made("convert", "ARGS=--partial") == sorted(
        ["a b.prototxt", "broken.prototxt", "refused.prototxt", "stock.prototxt", ODD])
    assert project.made("convert", "ARGS=--partial") == []


def test_verify(project: Project) -> None:
    """Each result is compared with its source, once; a wrong one leaves no stamp."""
    wanted = [name.replace(".prototxt", ".verified") for name in ("a b.prototxt", "stock.prototxt", ODD)]
    project.make("convert")
    assert project.made("verify", "-j2") == wanted
    assert "equal" in (project.folder / "出 put" / "a b.verified").read_text()
    project.make("-q", "verify")
    assert project.made("verify", "VERIFY_ARGS=--seed 7") == wanted
    project.write({"出 put/a b.prototxt": DATA + UP.replace("zoom_factor: 3", "zoom_factor: 3 pad_beg: -1 pad_end: 1")})
    project.make("verify", "-k", "VERIFY_ARGS=--seed 7", code=2)
    assert not (project.folder / "出 put" / "a b.verified").exists()


#: What stands in the folder, and what is said of it; Make ends with 2.
SENTENCES = [
    pytest.param({"my nets/x*y.prototxt": DATA}, [], "Make cannot have a file with", id="a name Make cannot have"),
    pytest.param({"my nets/a b.j2": DATA}, [], "would both go to 出 put/a b.prototxt", id="two with one target"),
    pytest.param({}, ["SRC=no such"], "no such: cannot be read", id="no source"),
    pytest.param({}, ["OUT="], "OUT must name the folder", id="an empty OUT"),
    pytest.param({}, ["OUT=o[1]"], "OUT must be a folder without [ in its name", id="a bracket in OUT"),
    pytest.param({}, ["OUT=a\\ b"], "OUT must be a folder without \\ in its name", id="a backslash in OUT"),
    pytest.param({}, ["OUT=Makefile"], "Makefile: the results must go to a folder", id="no folder"),
    pytest.param({}, ["ARGS=--shape x"], "must be BLOB=N,C,H,W", id="a bad option"),
]


@pytest.mark.parametrize("files, words, sentence", SENTENCES)
def test_sentences(project: Project, files: Dict[str, str], words: List[str], sentence: str) -> None:
    """What cannot be done is said in a sentence."""
    project.write(files)
    assert sentence in project.make("convert", "-k", *words, code=2)


@pytest.mark.parametrize("out, folder", [
    ("o#1:2;3 %=|$$'&(),", "o#1:2;3 %=|$'&(),"), ("build   ", "build"), ("~/my build", "home/my build"), ("./o", "o")])
def test_the_target_folder(project: Project, monkeypatch, out: str, folder: str) -> None:
    """It may have nearly any name, and blanks behind it, and be at home."""
    monkeypatch.setenv("HOME", str(project.folder / "home"))
    project.make("convert", f"OUT={out}")
    assert (project.folder / folder / ODD).read_text() == rewrite(DATA + UP).text
    assert not [path for path in project.folder.iterdir() if path.name == "~"]
    project.make("-q", "convert", f"OUT={out}")


def test_every_sign(tmp_path: Path) -> None:
    """Names of all signs that Make can have, in folders and files, among targets and prerequisites."""
    if not shutil.which("make"):
        pytest.skip("make is not here")
    signs, source = random.Random(5), " \t%:#;$=|~&\\'\"()<>!,@{}`^+-é网]ab"
    words = ["".join(signs.choices(source, k=signs.randint(1, 5))) for _ in range(240)]
    nets = sorted({f"{folder}/{name}.prototxt" for folder, name in zip(words[::2], words[1::2])})
    lines = [names.VARIABLES]
    for net in nets:
        before, after = f"i n/{net}", f"o$t/{net}"
        for path in (before, after):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / before).write_text(net)
        lines += [f"all: {names.prerequisite(after)}", f"{names.target(after)}: {names.prerequisite(before)}",
                  f"\t@cp -- {names.shell(before)} {names.shell(after)}"]
    (tmp_path / "Makefile").write_text("\n".join(lines) + "\n")
    subprocess.run(["make", "-j2"], cwd=tmp_path, check=True)
    assert all((tmp_path / "o$t" / net).read_text() == net for net in nets)
    subprocess.run(["make", "-q"], cwd=tmp_path, check=True)
    for net in nets[::12]:
        os.utime(tmp_path / "i n" / net, (2e9, 2e9))
        said = subprocess.run(["make", "-n"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
        assert said.count("cp --") == 1 and net.split("/")[1].split(".")[0][-1:] in said
        os.utime(tmp_path / "i n" / net, (1e9, 1e9))


def test_the_projects_own_goal(tmp_path: Path) -> None:
    """`make convert` in this project, with and without SRC; the same rules."""
    if not shutil.which("make"):
        pytest.skip("make is not here")
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "prototools").write_text(f'#!/bin/sh\nexec {sys.executable} -m prototools "$@"\n')
    for path in (venv / "bin" / "prototools", venv / "bin" / "python", venv / "installed"):
        path.touch()
        path.chmod(0o755)
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "my net.prototxt").write_text(DATA + UP.replace("3", "2"))

    def make(*words: str) -> str:
        command = ["make", *words, f"VENV={venv}", f"BUILD={tmp_path / 'build'}"]
        return subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True).stdout

    make("convert", "-j2")
    assert sorted(path.name for path in (tmp_path / "build").glob("*.prototxt")) == sorted(
        path.name for path in (PROJECT / "examples").glob("*.prototxt"))
    assert "Nothing to be done" in make("convert")
    make("convert", f"SRC={tmp_path / 'nets'}", f"OUT={tmp_path / 'other out'}", "ARGS=--filler-safe")
    assert "Pooling" in (tmp_path / "other out" / "my net.prototxt").read_text()
