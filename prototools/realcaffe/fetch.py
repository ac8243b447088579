"""Debian packages by name, version and SHA-256, from whichever mirror has them.

The files are pinned by their SHA-256, so neither a package index nor a keyring is needed, and any
mirror will do. apt's own downloader is used where there is one, because it knows the machine's
proxies and certificates; elsewhere Python's.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from ..errors import EngineError

MIRROR_VARIABLE = "PROTOTOOLS_DEBIAN_MIRROR"
DEBIAN = "http://deb.debian.org/debian"
ARCHIVE = "http://archive.debian.org/debian"
TABLE = Path(__file__).with_name("packages.tsv")
_APT_HELPER = "/usr/lib/apt/apt-helper"
_SUITES = re.compile(
    r"^(oldoldstable|oldstable|stable|testing|unstable|sid|"
    r"bullseye|bookworm|trixie|forky|duke)/?(-updates)?$"
)
_SECONDS = 20


@dataclass(frozen=True)
class Package:
    """One row of packages.tsv; `path` is the file's place under a mirror's root."""

    set: str
    name: str
    version: str
    bytes: int
    sha256: str
    path: str

    @property
    def file_name(self) -> str:
        return self.path.rpartition("/")[2]


def read_table(path: Path = TABLE) -> list[Package]:
    """The rows of a package table: tab-separated, a header line, `#` starts a comment line."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    packages = []
    for line in lines[1:]:
        set_name, name, version, size, sha256, place = line.split("\t")
        packages.append(Package(set_name, name, version, int(size), sha256, place))
    return packages


def mirrors(environment: Mapping[str, str] | None = None) -> list[str]:
    """The mirrors to try, in order.

    The variable PROTOTOOLS_DEBIAN_MIRROR (one address or several, with spaces) replaces the
    machine's own Debian mirrors and the public one; Debian's archive is always the last resort.
    """
    given = (os.environ if environment is None else environment).get(MIRROR_VARIABLE, "").split()
    found = given or machine_mirrors() + [DEBIAN]
    return list(dict.fromkeys(uri.rstrip("/") for uri in found + [ARCHIVE]))


def machine_mirrors() -> list[str]:
    """The Debian mirrors in this machine's apt sources, both formats; empty without apt."""
    found: list[str] = []
    for path in _source_files():
        try:
            text = Path(path).read_text("utf-8", "replace")
        except OSError:
            continue
        found.extend(_stanza_mirrors(text) if path.endswith(".sources") else _line_mirrors(text))
    return list(dict.fromkeys(found))


def _source_files() -> list[str]:
    apt_config = shutil.which("apt-config")
    if not apt_config:
        return []
    wanted = ["LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"]
    done = subprocess.run([apt_config, "shell"] + wanted, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)  # fmt: skip
    settings = dict(word.split("=", 1) for word in shlex.split(done.stdout) if "=" in word)
    parts = glob.escape(settings.get("PARTS", "/etc/apt/sources.list.d").rstrip("/"))
    files = [settings.get("LIST", "/etc/apt/sources.list")]
    return files + sorted(glob.glob(parts + "/*.list") + glob.glob(parts + "/*.sources"))


def _line_mirrors(text: str) -> list[str]:
    """From lines such as `deb [signed-by=...] http://deb.debian.org/debian bookworm main`."""
    found = []
    for line in text.splitlines():
        words = re.sub(r"\[[^\]]*\]", " ", line.partition("#")[0]).split()
        if len(words) >= 4 and words[0] == "deb":
            found.extend(_if_debian([words[1]], [words[2]], words[3:]))
    return found


def _stanza_mirrors(text: str) -> list[str]:
    """From deb822 stanzas with `URIs:`, `Suites:` and `Components:`."""
    found = []
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, list[str]] = {}
        for match in re.finditer(r"^([\w-]+):((?:.*)(?:\n[ \t].*)*)", stanza, re.MULTILINE):
            fields[match.group(1).lower()] = match.group(2).split()
        enabled = [word.lower() for word in fields.get("enabled", [])] not in (["no"], ["false"])
        if enabled and "deb" in fields.get("types", []):
            found.extend(_if_debian(fields.get("uris", []), fields.get("suites", []),
                                    fields.get("components", [])))  # fmt: skip
    return found


def _if_debian(uris: Sequence[str], suites: Sequence[str], components: Sequence[str]) -> list[str]:
    if "main" not in components or not any(_SUITES.match(suite) for suite in suites):
        return []
    schemes = ("mirror", "cdrom", "copy")
    return [uri.rstrip("/") for uri in uris if not uri.startswith(schemes)]


def fetch(packages: Sequence[Package], directory: Path, sources: Iterable[str],
          progress: Callable[[str], None]) -> None:  # fmt: skip
    """Every package as a file of its `file_name` in `directory`, SHA-256 checked.

    Raises EngineError where a checksum differs, or where no source has a package.
    """
    missing, complaints = list(packages), []
    for source in sources:
        size = sum(package.bytes for package in missing) / 1e6
        progress(f"fetching {len(missing)} packages ({size:.0f} MB) from {source}")
        complaints.append(f"{source}: {_download(missing, directory, source)}")
        missing = [package for package in missing if not _arrived(package, directory, source)]
        if not missing:
            return
    first = next((package for package in missing if package.name == "python3-caffe"), missing[0])
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    raise EngineError(
        f"The Debian 11 packages must come from a mirror, but {first.name} {first.version}{more} "
        f"could not be fetched. Where a mirror answers 404, this version has left it: set "
        f"{MIRROR_VARIABLE} to one that still carries Debian 11 (bullseye). "
        f"Tried: {'; '.join(complaints) or 'no mirror'}"
    )


def _arrived(package: Package, directory: Path, source: str) -> bool:
    path = directory / package.file_name
    if not path.is_file():
        return False
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != package.sha256:
        raise EngineError(
            f"{package.file_name} from {source} must have the SHA-256 {package.sha256}, but it has "
            f"{found}. The mirror or a proxy changed the file: try again, or set "
            f"{MIRROR_VARIABLE} to another mirror."
        )
    return True


def _download(packages: Sequence[Package], directory: Path, source: str) -> str:
    """Fetch what there is; the answer is the complaint, for the case that something is missing."""
    pairs = [
        (f"{source}/{urllib.parse.quote(package.path)}", directory / package.file_name)
        for package in packages
    ]
    if os.access(_APT_HELPER, os.X_OK) and not source.startswith("file:"):
        return _download_with_apt(pairs)
    return _download_with_python(pairs)


def _download_with_apt(pairs: Sequence[tuple[str, Path]]) -> str:
    options = {
        # As root, apt would fetch as the user _apt, who may not write into our directory.
        "APT::Sandbox::User": "root",
        "Acquire::http::Timeout": _SECONDS, "Acquire::https::Timeout": _SECONDS,
        "Acquire::Retries": 1,
    }  # fmt: skip
    command = [_APT_HELPER]
    for name, value in options.items():
        command += ["-o", f"{name}={value}"]
    command.append("download-file")
    for uri, path in pairs:
        # The empty word means no checksum here: _arrived() compares, and says what it found.
        command += [uri, str(path), ""]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)  # fmt: skip
    lines = [line[3:].strip() for line in done.stderr.splitlines() if line.startswith("E: ")]
    return lines[0] if lines else "the file is not there"


def _download_with_python(pairs: Sequence[tuple[str, Path]]) -> str:
    """The first alone, so that a mirror out of reach costs one wait; then a few at a time."""
    try:
        complaint = _download_one(pairs[0])
        with ThreadPoolExecutor(max_workers=4) as pool:
            complaints = [complaint] + list(pool.map(_download_one, pairs[1:]))
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))
    return next((words for words in complaints if words), "the file is not there")


def _download_one(pair: tuple[str, Path]) -> str:
    """Empty, or the mirror's refusal; raises OSError where there is no answer at all."""
    uri, path = pair
    part = path.with_name(path.name + ".part")
    try:
        with urllib.request.urlopen(uri, timeout=_SECONDS) as reply, open(part, "wb") as out:
            shutil.copyfileobj(reply, out)
    except urllib.error.HTTPError as error:
        with error:
            return f"{uri}: {error}"
    part.rename(path)
    return ""
