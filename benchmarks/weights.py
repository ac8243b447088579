"""Patching weights against `cp`: wall time and peak memory.

    python benchmarks/weights.py [MEGABYTES]

Makes a caffemodel of that size (500), copies it with `cp` and patches it with `prototools rewrite
--weights`, in turn, and prints the ratio of the best times and the peak memory of the patch.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from multiprocessing import Process
from pathlib import Path
from typing import List, Tuple

from prototools import weights

ROUNDS = 5
NET = b"""layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 21 dim: 60 dim: 60 } } }
layer { name: "up" type: "Interp" bottom: "data" top: "up" interp_param { zoom_factor: 8 } }
"""


def make(path: Path, megabytes: int) -> None:
    """A caffemodel of layers of 16 MB each, with a replaced layer in the middle."""
    values = bytes(range(256)) * (1 << 16)
    with open(path, "wb") as file:
        for number in range(megabytes // 16):
            if number == megabytes // 32:
                file.write(weights.encode(weights.NewLayer("up", "Interp", [])))
            file.write(weights.encode(weights.NewLayer(f"fc{number}", "InnerProduct", [((1 << 22,), values)])))


def timed(command: List[str]) -> Tuple[float, float]:
    """Seconds until everything is on the disk, and megabytes of memory at the peak."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    os.sync()
    if status:
        raise SystemExit(f"{command[0]} failed: {status}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main(megabytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        # In a process of its own: a child's peak is no less than its parent's at the time.
        maker = Process(target=make, args=(here / "in", megabytes))
        maker.start()
        maker.join()
        (here / "net.prototxt").write_bytes(NET)
        patch = [sys.executable, "-m", "prototools", "rewrite", str(here / "net.prototxt"), "-o", str(here / "o"),
                 "--weights", str(here / "in"), "--weights-out", str(here / "out")]
        times = {"cp": [], "patch": []}
        for _ in range(ROUNDS):
            for name, command in (("cp", ["cp", str(here / "in"), str(here / "copy")]), ("patch", patch)):
                for old in ("copy", "out"):
                    (here / old).unlink(missing_ok=True)
                os.sync()
                times[name].append(timed(command))
        copied, patched = (min(seconds for seconds, _ in found) for found in times.values())
        print(f"{megabytes} MB: cp {copied:.2f} s, patch {patched:.2f} s, ratio {patched / copied:.2f}, "
              f"peak {max(memory for _, memory in times['patch']):.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
