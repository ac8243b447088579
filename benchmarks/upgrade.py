"""Upgrading against Caffe's own tools: the same files, in turn, in one run.

    python benchmarks/upgrade.py [FOLDER]

Texts: `prototools.upgrade` on each file below FOLDER (`../shared/corpus/files`) that the tool accepts, over
the tool's whole process on it; a tool cannot be called otherwise. Commands: one `prototools upgrade --check`
of all old files, over one process of the tool for each. Binary: `upgrade_weights` over
upgrade_net_proto_binary, on V1 models of several sizes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Callable, List, Tuple

from prototools import realcaffe, upgrade, weights
from prototools.errors import PrototoolsError
from prototools.upgrading import upgrade_weights

ROUNDS = 5
SIZES = (0, 64, 512)


def best(*jobs: Callable[[], object]) -> List[float]:
    """The best time of each job in milliseconds; they take turns, so that all meet the same machine."""
    times: List[List[float]] = [[] for _ in jobs]
    for _ in range(ROUNDS):
        for job, found in zip(jobs, times):
            start = time.perf_counter()
            job()
            found.append((time.perf_counter() - start) * 1000)
    return [min(found) for found in times]


class Tool:
    """One of Caffe's tools on one file."""

    def __init__(self, caffe: realcaffe.Installation, name: str, source: Path, target: Path):
        self.words, self.environment = caffe.command([name, str(source), str(target)])

    def __call__(self) -> int:
        return subprocess.run(self.words, env=self.environment, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode


def texts(caffe: realcaffe.Installation, corpus: Path, target: Path) -> List[Path]:
    """Every text that both take; the old ones among them."""
    rows: List[Tuple[float, float, float, int, bool, Path]] = []
    for path in sorted(corpus.rglob("*.prototxt")):
        data = path.read_bytes()
        tool = Tool(caffe, f"upgrade_{'solver' if 'solver' in path.name else 'net'}_proto_text", path, target)
        try:
            old = bool(upgrade(data).steps)
        except PrototoolsError:
            continue
        if tool() in (0, 1):
            ours, theirs = best(partial(upgrade, data), tool)
            rows.append((ours / theirs, ours, theirs, len(data), old, path))
    rows.sort(reverse=True)
    print(f"texts: {len(rows)}, worst ratio {rows[0][0]:.2f}, median {rows[len(rows) // 2][0]:.3f}")
    for ratio, ours, theirs, size, _, path in rows[:5]:
        print(f"  {ratio:.2f}: ours {ours:5.1f} ms, tool {theirs:5.1f} ms, {size:6} bytes  {path.name[-60:]}")
    return [row[5] for row in rows if row[4]]


def commands(caffe: realcaffe.Installation, old: List[Path], target: Path) -> None:
    """All old files: one command of ours, a process of the tool for each."""
    ours = [sys.executable, "-m", "prototools", "upgrade", "--check", "-q", *map(str, old)]
    tools = [Tool(caffe, f"upgrade_{'solver' if 'solver' in path.name else 'net'}_proto_text", path, target)
             for path in old]
    mine, theirs = best(lambda: subprocess.run(ours, stderr=subprocess.DEVNULL), lambda: [tool() for tool in tools])
    print(f"commands: {len(old)} old files, ratio {mine / theirs:.2f}: ours {mine:.0f} ms, tools {theirs:.0f} ms")


def binaries(caffe: realcaffe.Installation, folder: Path) -> None:
    """V1 models of layers of 16 MB each."""
    values = bytes(range(256)) * (1 << 16)
    for megabytes in SIZES:
        source, target = folder / "source", folder / "target"
        with open(source, "wb") as file:
            file.write(weights.encode(weights.NewLayer("conv", "Convolution", [((1,), b"\0\0\0\0")]), weights.V1))
            for number in range(megabytes // 16):
                blob = ((1 << 22,), values)
                file.write(weights.encode(weights.NewLayer(f"fc{number}", "InnerProduct", [blob]), weights.V1))
        ours, theirs = best(partial(upgrade_weights, str(source), str(target)),
                            Tool(caffe, "upgrade_net_proto_binary", source, target))
        print(f"binary: {megabytes:4} MB, ratio {ours / theirs:.2f}: ours {ours:.0f} ms, tool {theirs:.0f} ms")


def main(corpus: Path) -> None:
    caffe = realcaffe.find()
    if caffe is None:
        sys.exit("real Caffe must be set up first; run: prototools caffe setup")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old = texts(caffe, corpus, folder / "out")
        commands(caffe, old, folder / "out")
        binaries(caffe, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2] / "shared/corpus/files")
