"""The pages and the README say what is true."""

from __future__ import annotations

import re
import runpy
import subprocess
from pathlib import Path

import pytest

from prototools.rewriter import rewrite

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text("utf-8")


def fenced(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", README, re.DOTALL).group(1)


def test_pages_are_current() -> None:
    """What `make docs` would write is what stands there."""
    written = runpy.run_path(str(PROJECT / "docs" / "generate.py"))["pages"]()
    stale = [name for name, text in written.items() if (PROJECT / "docs" / name).read_text("utf-8") != text]
    assert written and not stale


def test_the_readmes_diff() -> None:
    """Its left side, rewritten, is its right side."""
    lines = fenced("diff").splitlines()
    before = "".join(line[1:] + "\n" for line in lines if line[0] in " -")
    after = "".join(line[1:] + "\n" for line in lines if line[0] in " +")
    result = rewrite(before, shapes={"score": (1, 21, None, None)})
    assert result.text == after and not result.refusals


def test_the_readmes_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """Its lines run."""
    deploy = PROJECT / "examples" / "pspnet_pyramid.prototxt"
    (tmp_path / "deploy.prototxt").write_bytes(deploy.read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(compile(fenced("python"), "README.md", "exec"), {})
    assert "Deconvolution" in capsys.readouterr().out


@pytest.mark.parametrize("command", re.findall(r"^    (make \w+)", README, re.MULTILINE))
def test_the_readmes_goals(command: str) -> None:
    """Its commands are goals of the Makefile."""
    listed = subprocess.run(["make", "help"], cwd=PROJECT, capture_output=True, text=True).stdout
    assert command.split()[1] in listed.split()


@pytest.mark.parametrize("line", re.findall(r"^    prototools (.*?)(?:  |$)", README, re.MULTILINE))
def test_the_readmes_commands(line: str) -> None:
    """Its commands exist, with the options that are shown."""
    from command_line import call


    words = [word for word in line.split() if not word.endswith(".prototxt")]
    shown = call([*[word for word in words if not word.startswith("-")], "--help"])
    assert shown.exit_code == 0
    assert all(word in shown.output for word in words if word.startswith("-"))


PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    """What a page links to in the project is there, and the README leads to every page."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))
    targets = {(page.parent / link).resolve() for link in links}
    assert [target for target in targets if not target.exists()] == []
    assert page.name != "README.md" or set(PAGES) - targets == {page}
