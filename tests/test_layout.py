"""The house: imports only go down, every room is packed, and a rewrite stays light."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Tuple

import pytest

import prototools

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "prototools"

#: Every room of the package, from the ground up.
FLOORS = (
    ("errors", "collecting"),
    ("prototext", "sampling", "matrices", "resize", "schema", "files", "legacy", "layer_types"),
    ("blocks", "conformance", "interpolation", "tracing", "cost", "net", "reference", "realcaffe", "shapes", "weights"),
    ("lowerings", "dialects", "engines", "changes"),
    (
        "placement", "decisions", "rewriter", "patching", "report", "check", "verify", "upgrading", "deploying",
        "corpus",
    ),
    ("netspec", "pycaffe", "upsample", "rendering", "torch", "comparison", "batching", "makefiles"),
    ("cli",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

#: Rooms on one floor that may look into each other, because the order is plain.
ALLOWED = {
    ("matrices", "sampling"), ("resize", "sampling"), ("tracing", "blocks"), ("cost", "blocks"),
    ("reference", "net"), ("shapes", "net"),
    ("dialects", "lowerings"), ("engines", "dialects"),
    ("decisions", "placement"), ("rewriter", "decisions"), ("corpus", "rewriter"),
    ("check", "decisions"), ("check", "rewriter"),
    ("upsample", "netspec"), ("rendering", "netspec"), ("rendering", "upsample"),
    ("pycaffe", "netspec"), ("comparison", "upsample"),
    ("batching", "rendering"),
    ("makefiles", "batching"),
}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports() -> Iterator[Tuple[str, str, str]]:
    """Every import of a room by another: (from, to, where)."""
    for path in sorted(PACKAGE.rglob("*.py")):
        room = room_of(path)
        if room in ("__init__", "__main__"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            for name in imported(node, path):
                target = name.split(".")[1] if name.startswith("prototools.") else ""
                if target in FLOOR and target != room:
                    yield room, target, f"{path.relative_to(PROJECT)}:{node.lineno}"


def imported(node: ast.AST, path: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = ".".join(["prototools", *path.relative_to(PACKAGE).parts[:-1]])
        base = package.rsplit(".", node.level - 1)[0] if node.level else ""
        module = ".".join(part for part in (base, node.module) if part)
        yield from [module, *(f"{module}.{alias.name}" for alias in node.names)]


def test_every_room_has_a_floor() -> None:
    """A new room must be placed."""
    rooms = {room_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__", "__main__"}
    assert rooms == set(FLOOR)


def test_imports_only_go_down() -> None:
    """A room imports from lower floors only."""
    found = list(imports())
    assert len(found) > 30
    wrong = [
        f"{where}: {room} imports {target}" for room, target, where in found
        if FLOOR[target] > FLOOR[room]
        or FLOOR[target] == FLOOR[room] and (room, target) not in ALLOWED
    ]
    assert not wrong


def test_every_package_is_packed() -> None:
    """setup.cfg lists every folder with Python files, and the two data folders."""
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg")
    listed = {
        line for line in config["options"]["packages"].split("\n") if line and not line.startswith("#")
    }
    folders = {path.parent.relative_to(PROJECT) for path in PACKAGE.rglob("__init__.py")}
    assert listed == {".".join(folder.parts) for folder in folders} | {
        "prototools.proto", "prototools.templates"
    }


HEAVY = ("google", "numpy", "jinja2", "tabulate", "json")


@pytest.mark.parametrize("command", ["rewrite", "upgrade"])
@pytest.mark.parametrize("options", [["-o", "{out}"], ["--in-place"], ["--check"]], ids=lambda o: o[0])
def test_a_rewrite_is_light(options, command: str, tmp_path: Path) -> None:
    """`prototools rewrite` and `upgrade` of a text import neither protobuf nor numpy nor Jinja2."""
    net = tmp_path / "net.prototxt"
    net.write_text(
        'input: "data" input_shape { dim: 1 dim: 3 dim: 9 dim: 9 }\n'
        'layer { name: "up" type: "Interp" bottom: "data" top: "up" interp_param { height: 60 width: 60 } }\n'
    )
    arguments = [option.format(out=tmp_path / "out.prototxt") for option in options]
    code = (
        "import sys\nfrom prototools.cli import main\n"
        f"try: main([{command!r}, {str(net)!r}, *{arguments!r}])\nexcept SystemExit as e: code = e.code\n"
        f"print(code or 0, *sorted({{m.split('.')[0] for m in sys.modules}} & {set(HEAVY)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)
    expected = "1" if options == ["--check"] else "0"
    assert done.stdout.split() == [expected], done.stdout + done.stderr


def test_public_names_stay() -> None:
    """No module has the name of a public function, so that no import can hide it."""
    rooms = {path.stem for path in PACKAGE.iterdir() if path.is_dir() and not path.is_symlink()}
    modules = rooms | {path.stem for path in PACKAGE.glob("*.py")}
    assert modules & set(prototools.__all__) == {"upsample"}
    for _ in range(2):
        assert prototools.rewrite(b"").text == b"" and prototools.parse(b"").source() == b""
