"""Where real Caffe is, and how a program is started in it."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import EngineError
from .failures import stopped

DIRECTORY_VARIABLE = "PROTOTOOLS_CAFFE"
MARKER = "prototools-caffe.json"
_ARCHITECTURE = "x86_64-linux-gnu"
_PASSED = ("HOME", "TMPDIR", "TERM", "CI")
_PASSED_PREFIXES = ("OPENBLAS_", "OMP_", "GLOG_", "PROTOTOOLS_")
_PYTHON_NAMES = ("python", "python3", "python3.9")
_PROBE = (
    "import json, platform, numpy, caffe; caffe.Net; "
    "print(json.dumps([getattr(caffe, '__version__', ''), platform.python_version(), "
    "numpy.__version__]))"
)


@dataclass(frozen=True)
class Installation:
    """A Caffe that can be started.

    `kind` is `tree` (made by `setup`; `path` is its root) or `python` (`path` is a Python that can
    import caffe). `facts` holds what is known without starting it: for a tree its marker file.
    """

    kind: str
    path: Path
    facts: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def blas(self) -> str:
        """`openblas` or `reference` for a tree, `unknown` for a Caffe that we did not make."""
        return str(self.facts.get("blas", "unknown"))

    def command(self, argv: Sequence[str], pythonpath: Sequence[str | Path] = (),
                environment: Mapping[str, str] | None = None,
                ) -> tuple[list[str], dict[str, str]]:  # fmt: skip
        """The words and the whole environment that start `argv` inside this installation.

        `argv[0]` is `python3` or one of Caffe's tools (`caffe`, `upgrade_net_proto_text`, ...).
        A tree gets a clean environment: of the caller's variables only HOME, TMPDIR, TERM, CI and
        those that begin with OPENBLAS_, OMP_, GLOG_ and PROTOTOOLS_ pass. `pythonpath` goes before
        Caffe's own modules; `environment` is added last.
        Raises EngineError where there is no such program.
        """
        if not argv:
            raise EngineError("A program must be named, for example python3 or caffe.")
        words, settings = (
            self._in_tree(argv, pythonpath) if self.kind == "tree"
            else self._in_python(argv, pythonpath)
        )  # fmt: skip
        settings.update(environment or {})
        return words, settings

    def run(self, argv: Sequence[str], pythonpath: Sequence[str | Path] = (),
            environment: Mapping[str, str] | None = None, **options: Any,
            ) -> subprocess.CompletedProcess[Any]:  # fmt: skip
        """`subprocess.run` on `command(...)`; `options` are those of subprocess."""
        words, settings = self.command(argv, pythonpath, environment)
        try:
            return subprocess.run(words, env=settings, **options)
        except OSError as error:
            raise EngineError(
                f"{words[0]} must be executable, but the system says: {error.strerror}."
            ) from error

    def python(self, code: str, pythonpath: Sequence[str | Path] = ()) -> str:
        """What a snippet of Python prints to standard output; EngineStopped where it fails."""
        done = self.run(["python3", "-c", code], pythonpath, stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)  # fmt: skip
        if done.returncode:
            raise stopped(done.stderr.decode("utf-8", "replace"), done.returncode,
                          "Caffe's Python")  # fmt: skip
        return str(done.stdout.decode("utf-8", "replace"))

    def tools(self) -> list[str]:
        """The names that `command` knows."""
        if self.kind != "tree":
            return ["python3"]
        names = os.listdir(self.path / "usr/bin")
        return ["python3"] + sorted(name for name in names if name not in _PYTHON_NAMES)

    def _in_tree(self, argv: Sequence[str], pythonpath: Sequence[str | Path]
                 ) -> tuple[list[str], dict[str, str]]:  # fmt: skip
        root = self.path
        name = "python3.9" if argv[0] in _PYTHON_NAMES else argv[0]
        program = root / "usr/bin" / name
        if os.sep in name or not program.is_file():
            raise EngineError(
                f"The program must be one of {', '.join(self.tools())}, but {argv[0]!r} was given."
            )
        loader = root / "lib" / _ARCHITECTURE / "ld-2.31.so"
        words = [str(loader), "--library-path", ":".join(self._libraries()), str(program)]
        paths = [str(path) for path in pythonpath]
        # The stand-ins for skimage and scipy come last: a real one on the path wins.
        paths += [str(root / "usr/lib/python3/dist-packages"), str(root / "stubs")]
        settings = {
            name: value for name, value in os.environ.items()
            if name in _PASSED or name.startswith(_PASSED_PREFIXES)
        }  # fmt: skip
        settings.update(
            PATH="/usr/local/bin:/usr/bin:/bin", LC_ALL="C", PYTHONUTF8="1", PYTHONNOUSERSITE="1",
            PYTHONHOME=str(root / "usr"), PYTHONPATH=os.pathsep.join(paths),
        )  # fmt: skip
        settings[DIRECTORY_VARIABLE] = str(root)
        return words + list(argv[1:]), settings

    def _libraries(self) -> list[str]:
        usr = self.path / "usr/lib" / _ARCHITECTURE
        folders = [usr / "openblas-pthread", usr / "blas", usr / "lapack"]
        folders = [folder for folder in folders if folder.is_dir()]
        return [str(folder) for folder in folders + [self.path / "lib" / _ARCHITECTURE, usr]]

    def _in_python(self, argv: Sequence[str], pythonpath: Sequence[str | Path]
                   ) -> tuple[list[str], dict[str, str]]:  # fmt: skip
        is_python = argv[0] in ("python", "python3")
        program = str(self.path) if is_python else shutil.which(argv[0])
        if program is None:
            raise EngineError(
                f"{argv[0]!r} must be a program on PATH, but there is none of that name. "
                f"`prototools caffe setup` makes a tree that has Caffe's tools."
            )
        settings = dict(os.environ)
        paths = [str(path) for path in pythonpath]
        if paths:
            paths += [path for path in (settings.get("PYTHONPATH"),) if path]
            settings["PYTHONPATH"] = os.pathsep.join(paths)
        return [program] + list(argv[1:]), settings


def default_directory() -> Path:
    """The folder of the tree: PROTOTOOLS_CAFFE, or `prototools/caffe-1.0` in the user's cache."""
    given = os.environ.get(DIRECTORY_VARIABLE)
    if given:
        return Path(os.path.abspath(os.path.expanduser(given)))
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG rule: a relative path there is to be ignored.
    base = Path(cache) if os.path.isabs(cache) else Path(os.path.expanduser("~/.cache"))
    return base / "prototools" / "caffe-1.0"


def find() -> Installation | None:
    """The Caffe to use, or None. Never downloads anything.

    PROTOTOOLS_CAFFE names a tree, or a Python that can import caffe, and then nothing else counts.
    Otherwise `import caffe` in this Python comes first, the tree in the user's cache second.
    """
    place = default_directory()
    if os.environ.get(DIRECTORY_VARIABLE):
        if place.is_file() and os.access(place, os.X_OK):
            return _python_installation(str(place))
        return at(place)
    return _own_python() or at(place)


def at(directory: Path) -> Installation | None:
    """The finished tree in `directory`, or None."""
    try:
        facts = json.loads((directory / MARKER).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return Installation("tree", directory, facts) if isinstance(facts, dict) else None


def _own_python() -> Installation | None:
    try:
        present = importlib.util.find_spec("caffe") is not None
    except (ImportError, ValueError):
        return None
    return _python_installation(sys.executable) if present and sys.executable else None


@functools.cache
def _python_installation(executable: str) -> Installation | None:
    """Only a Python that really imports it counts: a folder named caffe is not Caffe."""
    try:
        done = subprocess.run([executable, "-c", _PROBE], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, GLOG_minloglevel="3"), timeout=60)  # fmt: skip
        caffe, python, numpy = json.loads(done.stdout.decode().splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return None
    facts = {"caffe": caffe, "python": python, "numpy": numpy}
    return Installation("python", Path(executable), facts)


def describe(installation: Installation) -> str:
    """One line: Caffe's version, Python's, numpy's, the BLAS and the place."""
    facts = installation.facts
    words = [f"Caffe {facts.get('caffe') or '(version unknown)'}"]
    words += [f"{name} {facts[key]}" for key, name in (("python", "Python"), ("numpy", "numpy"))
              if facts.get(key)]  # fmt: skip
    words.append(f"BLAS {installation.blas}")
    return ", ".join(words) + f", in {installation.path}"
