"""Making the tree of real Caffe: mirrors, checksums, unpacking, and what must not be left."""

from __future__ import annotations

import functools
import hashlib
import http.server
import importlib.util
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable

import pytest

from prototools import realcaffe
from prototools.errors import EngineError
from prototools.realcaffe import (
    default_directory,
    describe,
    fetch,
    find,
    installation,
    stubs,
    tree,
    unpack,
)

# Not `from ... import setup`: pytest before 8 calls a module's `setup` before each of its tests.

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() != "x86_64",
    reason="the packaged Caffe is for Linux on x86-64",
)


# ---------------------------------------------------------------- a small mirror of our own


def debian_package(files: dict[str, str]) -> bytes:
    """A package that holds `files`; a text that begins with -> is a symbolic link."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo("./" + name)
            if text.startswith("->"):
                member.type, member.linkname = tarfile.SYMTYPE, text[2:]
                archive.addfile(member)
            else:
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
    content = b"!<arch>\n"
    members = (("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"),
               ("data.tar.xz", data.getvalue()))  # fmt: skip
    for name, body in members:
        content += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(body):<10}`\n".encode()
        content += body + b"\n" * (len(body) % 2)
    return content


@pytest.fixture
def mirror(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a mirror of one package and its table, and returns the table."""

    def write(sha256: str = "", files: dict[str, str] | None = None) -> Path:
        package = debian_package(files or {"usr/bin/tool": "hello"})
        pool = tmp_path / "mirror/pool"
        pool.mkdir(parents=True)
        (pool / "tool_1.0_amd64.deb").write_bytes(package)
        digest = sha256 or hashlib.sha256(package).hexdigest()
        table = tmp_path / "packages.tsv"
        table.write_text(
            "# a comment\nset\tpackage\tversion\tbytes\tsha256\tpath\n"
            f"base\ttool\t1.0\t{len(package)}\t{digest}\tpool/tool_1.0_amd64.deb\n"
        )
        return table

    return write


@pytest.fixture
def no_try_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small mirror has no Caffe, so the tree is not started, only marked."""

    def mark(place: Path, sets: list[str], table: Path) -> None:
        facts = {"blas": sets[1], "sets": sets, "made_of": tree._digest(table)}
        (place / installation.MARKER).write_text(json.dumps(facts))

    monkeypatch.setattr(tree, "_try_out", mark)
    monkeypatch.setattr(stubs, "write_stubs", lambda place: None)


def source(tmp_path: Path) -> list[str]:
    return [f"file://{tmp_path}/mirror"]


# ---------------------------------------------------------------- setup


@linux
def test_setup_makes_a_tree_and_leaves_nothing_else(tmp_path, mirror, no_try_out):
    lines: list[str] = []
    made = realcaffe.setup(tmp_path / "new/caffe", table=mirror(), mirrors=source(tmp_path),
                           progress=lines.append)  # fmt: skip
    assert (made.path / "usr/bin/tool").read_text() == "hello"
    assert os.listdir(tmp_path / "new") == ["caffe"]
    assert len(lines) == 3 and "1 packages" in lines[0]
    assert made.path.stat().st_mode & 0o777 == 0o755


@linux
def test_a_second_setup_fetches_nothing_and_force_makes_it_again(tmp_path, mirror, no_try_out):
    table, place = mirror(), tmp_path / "caffe"
    realcaffe.setup(place, table=table, mirrors=source(tmp_path))
    mark = place / "usr/mark"
    mark.write_text("")
    realcaffe.setup(place, table=table, mirrors=[])
    assert mark.exists()
    realcaffe.setup(place, table=table, mirrors=source(tmp_path), force=True)
    assert not mark.exists()


@linux
def test_another_table_or_more_packages_make_it_again(tmp_path, mirror, no_try_out):
    table, place = mirror(), tmp_path / "caffe"
    realcaffe.setup(place, table=table, mirrors=source(tmp_path))
    with pytest.raises(EngineError, match="mirror"):
        realcaffe.setup(place, table=table, mirrors=[], extras=True)
    assert realcaffe.setup(place, table=table, mirrors=source(tmp_path), extras=True)
    table.write_text(table.read_text() + "# changed\n")
    with pytest.raises(EngineError, match="mirror"):
        realcaffe.setup(place, table=table, mirrors=[])
    assert installation.at(place), "a failure must leave the old tree alone"


@linux
def test_two_setups_at_once(tmp_path, mirror, no_try_out):
    table, place = mirror(), tmp_path / "new/caffe"
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(realcaffe.setup, place, table=table, mirrors=source(tmp_path))
                for _ in range(8)]  # fmt: skip
    assert {run.result().path for run in runs} == {place}
    assert os.listdir(place.parent) == ["caffe"]


@linux
@pytest.mark.parametrize("planted", ["0" * 64, "f" * 64])
def test_a_wrong_checksum_is_an_error_and_leaves_nothing(tmp_path, mirror, planted):
    with pytest.raises(EngineError) as caught:
        realcaffe.setup(tmp_path / "new/caffe", table=mirror(planted), mirrors=source(tmp_path))
    assert planted in str(caught.value) and "tool_1.0_amd64.deb" in str(caught.value)
    assert os.listdir(tmp_path / "new") == []


@linux
def test_a_package_that_left_the_mirror_is_named(tmp_path, mirror):
    table = mirror()
    (tmp_path / "mirror/pool/tool_1.0_amd64.deb").unlink()
    with pytest.raises(EngineError) as caught:
        realcaffe.setup(tmp_path / "caffe", table=table, mirrors=source(tmp_path))
    for words in ("tool 1.0", "PROTOTOOLS_DEBIAN_MIRROR", source(tmp_path)[0]):
        assert words in str(caught.value)


@linux
def test_the_second_mirror_has_what_the_first_has_not(tmp_path, mirror, no_try_out):
    table = mirror()
    mirrors = [f"file://{tmp_path}/nothing"] + source(tmp_path)
    assert realcaffe.setup(tmp_path / "caffe", table=table, mirrors=mirrors)


@pytest.fixture
def web_mirror(tmp_path):
    """The small mirror behind HTTP."""
    handler = functools.partial(QuietHandler, directory=str(tmp_path / "mirror"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        """Nothing on the tests' standard error."""


@linux
@pytest.mark.parametrize("helper", [fetch._APT_HELPER, "/no/apt/here"], ids=["apt", "python"])
def test_packages_over_http(tmp_path, mirror, no_try_out, web_mirror, monkeypatch, helper):
    monkeypatch.setattr(fetch, "_APT_HELPER", helper)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    table = mirror()
    with pytest.raises(EngineError, match="404"):
        realcaffe.setup(tmp_path / "caffe", table=table, mirrors=[web_mirror + "/elsewhere"])
    assert realcaffe.setup(tmp_path / "caffe", table=table, mirrors=[web_mirror])


@linux
def test_a_mirror_out_of_reach_is_told(tmp_path, mirror, monkeypatch):
    monkeypatch.setattr(fetch, "_APT_HELPER", "/no/apt/here")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(EngineError, match="refused"):
        realcaffe.setup(tmp_path / "caffe", table=mirror(), mirrors=["http://127.0.0.1:9"])


@linux
def test_a_tree_that_does_not_start_is_not_kept(tmp_path, mirror):
    with pytest.raises(EngineError):
        table = mirror(files={"usr/lib/x86_64-linux-gnu/x": ""})
        realcaffe.setup(tmp_path / "new/caffe", table=table, mirrors=source(tmp_path))
    assert os.listdir(tmp_path / "new") == []


@linux
@pytest.mark.parametrize("name, sentence", [
    ("file/caffe", "must be a folder"),
    ("file", "it is a file"),
    ("full", "holds other files"),
    ("a:b", "no colon"),
])  # fmt: skip
def test_places_that_cannot_be(tmp_path, name, sentence):
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("")
    with pytest.raises(EngineError, match=sentence):
        realcaffe.setup(tmp_path / name, mirrors=[])
    assert (tmp_path / "full/mine.txt").exists()


@linux
def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    # Not by mode bits, because root may write everywhere.
    monkeypatch.setattr(tree.os, "access", lambda *args: False)
    with pytest.raises(EngineError, match="XDG_CACHE_HOME"):
        realcaffe.setup(tmp_path / "caffe", mirrors=[])


@pytest.mark.parametrize("system, machine", [("darwin", "arm64"), ("linux", "aarch64")])
def test_other_machines_are_told(tmp_path, monkeypatch, system, machine):
    monkeypatch.setattr(tree.sys, "platform", system)
    monkeypatch.setattr(tree.platform, "machine", lambda: machine)
    with pytest.raises(EngineError, match=f"{system} on {machine}"):
        realcaffe.setup(tmp_path / "caffe")


@linux
def test_an_unknown_blas(tmp_path):
    with pytest.raises(EngineError, match="openblas, reference"):
        realcaffe.setup(tmp_path / "caffe", blas="mkl")


# ---------------------------------------------------------------- the pieces


def test_the_table_is_complete():
    packages = fetch.read_table()
    by_set = {name: [package.name for package in packages if package.set == name]
              for name in ("base", "openblas", "reference", "extras")}  # fmt: skip
    assert sum(map(len, by_set.values())) == len(packages)
    assert {"caffe", "libcaffe1", "python3-caffe", "libc6"} <= set(by_set["base"])
    assert by_set["openblas"] == ["libopenblas0-pthread"]
    for package in packages:
        assert len(bytes.fromhex(package.sha256)) == 32 and package.bytes > 1000
        assert package.path.startswith("pool/main/")
        assert package.version.partition(":")[2] or package.version in package.path


@pytest.mark.parametrize("text, found", [
    ("deb http://one/debian bookworm main", ["http://one/debian"]),
    ("deb [ signed-by=/k.gpg arch=amd64 ] https://one/d/ sid contrib main # x", ["https://one/d"]),
    ("deb http://one/debian-security bookworm-security main", []),
    ("deb http://one/ubuntu jammy main", []),
    ("deb cdrom:[x]/ bookworm main", []),
    ("# deb http://one/debian bookworm main", []),
    ("deb-src http://one/debian bookworm main", []),
    ("deb http://one/debian bookworm contrib", []),
    ("nonsense", []),
])  # fmt: skip
def test_mirrors_in_one_line_sources(text, found):
    assert fetch._line_mirrors(text) == found


@pytest.mark.parametrize("text, found", [
    ("Types: deb\nURIs: http://one/d http://two/d/\nSuites: trixie\nComponents: main",
     ["http://one/d", "http://two/d"]),
    ("Types: deb deb-src\nURIs:\n http://one/d\nSuites: sid\n forky\nComponents: main\n",
     ["http://one/d"]),
    ("# note\nTypes: deb\n# note\nURIs: http://one/d\nSuites: sid\nComponents: main",
     ["http://one/d"]),
    ("Enabled: no\nTypes: deb\nURIs: http://one/d\nSuites: sid\nComponents: main", []),
    ("Types: deb-src\nURIs: http://one/d\nSuites: sid\nComponents: main", []),
    ("Types: deb\nURIs: http://a/x\nSuites: nodistro\nComponents: main\n\n"
     "Types: deb\nURIs: http://one/d\nSuites: stable\nComponents: main", ["http://one/d"]),
])  # fmt: skip
def test_mirrors_in_stanza_sources(text, found):
    assert fetch._stanza_mirrors(text) == found


def test_the_variable_replaces_the_machines_mirrors(monkeypatch):
    monkeypatch.setattr(fetch, "machine_mirrors", lambda: ["http://machine/debian"])
    given = {"PROTOTOOLS_DEBIAN_MIRROR": "http://one/debian/ file:///two"}
    assert fetch.mirrors(given) == ["http://one/debian", "file:///two", fetch.ARCHIVE]
    assert fetch.mirrors({}) == ["http://machine/debian", fetch.DEBIAN, fetch.ARCHIVE]


def test_unpacking_leaves_manuals_out_and_keeps_links_inside(tmp_path):
    package = tmp_path / "a.deb"
    package.write_bytes(debian_package({
        "etc/site.py": "site", "usr/lib/site.py": "->/etc/site.py", "usr/lib/near": "->site.py",
        "usr/share/man/man1/a.1": "", "usr/share/doc/a/copyright": "c",
        "usr/share/doc/a/README": "",
        "usr/lib/x86_64-linux-gnu/gconv/a.so": "",
        "usr/lib/python3/dist-packages/numpy/lib/tests/t.py": "",
        "usr/lib/python3/dist-packages/numpy/testing/t.py": "",
    }))  # fmt: skip
    unpack.unpack(package, tmp_path / "root")
    found = {str(path.relative_to(tmp_path / "root")) for path in (tmp_path / "root").rglob("*")
             if not path.is_dir()}  # fmt: skip
    assert found == {"etc/site.py", "usr/lib/site.py", "usr/lib/near", "usr/share/doc/a/copyright",
                     "usr/lib/python3/dist-packages/numpy/testing/t.py"}  # fmt: skip
    assert (tmp_path / "root/usr/lib/near").read_text() == "site"


@pytest.mark.parametrize("content", [b"", b"!<arch>\n", b"PK\3\4", b"!<arch>\n" + b" " * 60])
def test_what_is_no_package_is_told(tmp_path, content):
    package = tmp_path / "a.deb"
    package.write_bytes(content)
    with pytest.raises(EngineError, match=r"a\.deb must be a Debian package"):
        unpack.unpack(package, tmp_path)


@linux
def test_the_stand_in_library_says_what_is_missing_and_aborts(tmp_path):
    library = tmp_path / "libx.so"
    library.write_bytes(stubs.shared_library("libx.so", ["first", "second"], b"left out\n"))
    code = "import ctypes, sys; x = ctypes.CDLL(sys.argv[1]); x.first; x.second()"
    done = subprocess.run([sys.executable, "-c", code, str(library)], stderr=subprocess.PIPE,
                          check=False)  # fmt: skip
    assert (done.returncode, done.stderr[:9]) == (-6, b"left out\n")


# ---------------------------------------------------------------- finding


@pytest.mark.parametrize("settings, place", [
    ({"PROTOTOOLS_CAFFE": "/a/tree"}, "/a/tree"),
    ({"XDG_CACHE_HOME": "/cache"}, "/cache/prototools/caffe-1.0"),
    ({"XDG_CACHE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.cache/prototools/caffe-1.0"),
    ({"HOME": "/home/me"}, "/home/me/.cache/prototools/caffe-1.0"),
])  # fmt: skip
def test_the_default_place(monkeypatch, settings, place):
    for name in ("PROTOTOOLS_CAFFE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert default_directory() == Path(place)


@pytest.mark.parametrize("marker", [None, "", "[1]", "{broken"])
def test_an_unfinished_tree_is_not_found(monkeypatch, tmp_path, marker):
    if marker is not None:
        (tmp_path / installation.MARKER).write_text(marker)
    monkeypatch.setenv("PROTOTOOLS_CAFFE", str(tmp_path))
    assert find() is None


@pytest.mark.skipif(bool(importlib.util.find_spec("caffe")), reason="this Python has Caffe itself")
def test_a_folder_named_caffe_is_not_caffe(monkeypatch, tmp_path):
    (tmp_path / "path/caffe").mkdir(parents=True)
    monkeypatch.delenv("PROTOTOOLS_CAFFE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path / "path"))
    assert find() is None


@pytest.fixture
def own_python(tmp_path, monkeypatch):
    """A Python that can import something that looks like Caffe."""
    (tmp_path / "modules/caffe").mkdir(parents=True)
    (tmp_path / "modules/caffe/__init__.py").write_text("Net = 1\n__version__ = '1.0.0-mine'\n")
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}/modules" exec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PROTOTOOLS_CAFFE", str(script))
    return script


def test_a_python_with_caffe_is_found_and_described(own_python):
    found = find()
    assert found and (found.kind, found.path) == ("python", own_python)
    assert "Caffe 1.0.0-mine" in describe(found) and str(own_python) in describe(found)
    assert found.python("print(1 + 1)") == "2\n"
    with pytest.raises(EngineError, match="no_such_tool"):
        found.command(["no_such_tool"])


# ---------------------------------------------------------------- the real thing


@linux
def test_the_real_packages_make_a_tree(caffe, tmp_path, monkeypatch, request):
    """Once more into an empty folder, for the BLAS that the other tests do not use."""
    if caffe.kind != "tree":
        pytest.skip("a Caffe of the user's own is in use")
    made = realcaffe.setup(tmp_path / "with space/caffe", blas="reference")
    request.addfinalizer(lambda: shutil.rmtree(str(made.path)))
    assert made.blas == "reference"
    assert (made.facts["python"], made.facts["numpy"]) == ("3.9.2", "1.19.5")
    monkeypatch.setenv("PROTOTOOLS_CAFFE", str(made.path))
    assert find() == made
    assert describe(made).startswith("Caffe 1.0.0, Python 3.9.2, numpy 1.19.5, BLAS reference, in ")


def test_looking_for_caffe_needs_no_numpy():
    code = "import sys, prototools.realcaffe as r; r.find; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True,
                          cwd=str(Path(__file__).parents[1]))  # fmt: skip
    assert done.stdout == b"False\n"
