"""Blocks on real Caffe, in one process and one thread: what is chosen against the Deconvolution route.

    python benchmarks/blocks.py

For each row (channels, rows before and after, aligned corners) the block that fillers alone give, and the
one that `prefer="speed"` chooses with weights, are timed in turn; the best of several rounds counts.
Where PyTorch is installed its own interpolation stands beside them.
"""

from __future__ import annotations

import json
import tempfile
from math import exp, log
from pathlib import Path
from typing import Dict, List, Optional

import numpy as np
from tabulate import tabulate

from prototools.patching import replaced_layers
from prototools.realcaffe import Installation, find, setup
from prototools.rewriter import rewrite

#: Channels, rows before, rows after: PSPNet's, ICNet's and DeepLab's layers.
ROWS = [
    (512, 1, 60), (512, 3, 60), (512, 6, 60), (21, 60, 473), (19, 90, 713), (256, 30, 59), (512, 14, 27),
    (2048, 16, 31), (21, 65, 513), (3, 321, 241), (512, 45, 90), (19, 90, 712), (512, 14, 28),
    (2048, 2, 4), (512, 7, 14), (256, 5, 10),
]

#: Runs inside Caffe's own Python: each net's best time in milliseconds.
TIMER = """
import json, sys, time
import numpy as np
import caffe
jobs = json.load(open(sys.argv[1] + "/jobs.json"))
nets = []
for number, names in enumerate(jobs):
    net = caffe.Net("%s/%d.prototxt" % (sys.argv[1], number), caffe.TEST)
    stored = np.load("%s/%d.npz" % (sys.argv[1], number))
    for name in names:
        net.params[name][0].data[...] = stored[name]
    net.blobs["data"].data[...] = np.random.rand(*net.blobs["data"].data.shape)
    nets.append(net)
best = [float("inf")] * len(nets)
for _ in range(7):
    for number, net in enumerate(nets):
        start = time.perf_counter()
        net.forward()
        best[number] = min(best[number], 1000 * (time.perf_counter() - start))
print(json.dumps(best))
"""


def net(channels: int, before: int, after: int) -> str:
    dims = f"dim: 1 dim: {channels} dim: {before} dim: {before}"
    return f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}\n' \
        f'layer {{ name: "up" type: "Interp" bottom: "data" top: "up" ' \
        f"interp_param {{ height: {after} width: {after} }} }}\n"


def measured(caffe: Installation, results) -> List[float]:
    """Milliseconds for each rewritten net."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for number, result in enumerate(results):
            Path(folder, f"{number}.prototxt").write_text(result.text)
            arrays = weights(result)
            np.savez(Path(folder, f"{number}.npz"), **{name.replace("/", "|"): value for name, value in arrays.items()})
            jobs.append(list(arrays))
        Path(folder, "jobs.json").write_text(json.dumps(jobs))
        Path(folder, "timer.py").write_text(TIMER.replace("stored[name]", 'stored[name.replace("/", "|")]'))
        environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "GLOG_minloglevel": "2"}
        done = caffe.run(["python3", str(Path(folder, "timer.py")), folder], environment=environment,
                         capture_output=True, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])


def weights(result) -> Dict[str, np.ndarray]:
    new = [layer for layers in replaced_layers(result).values() for layer in layers]
    return {one.name: np.frombuffer(one.blobs[0][1], "<f4").reshape(one.blobs[0][0]) for one in new}


def torch_time(channels: int, before: int, after: int) -> Optional[float]:
    try:
        import torch
    except ImportError:
        return None
    from time import perf_counter

    torch.set_num_threads(1)
    image, best = torch.rand(1, channels, before, before), float("inf")
    for _ in range(7):
        start = perf_counter()
        torch.nn.functional.interpolate(image, size=(after, after), mode="bilinear", align_corners=True)
        best = min(best, 1000 * (perf_counter() - start))
    return best


def main() -> None:
    caffe = find() or setup()
    table, ratios = [], []
    for row in ROWS:
        plain, fast = rewrite(net(*row)), rewrite(net(*row), weights=True, prefer="speed")
        times = measured(caffe, [plain, fast])
        ratios.append(times[1] / times[0])
        pytorch = torch_time(*row)
        table.append([f"{row[0]}, {row[1]} -> {row[2]}", plain.changes[0].lowering, f"{times[0]:.2f}",
                      fast.changes[0].lowering, f"{times[1]:.2f}", f"{ratios[-1]:.2f}",
                      "" if pytorch is None else f"{pytorch:.2f}"])
    headers = ["C, H -> H'", "fillers", "ms", "speed", "ms", "ratio", "PyTorch ms"]
    print(tabulate(table, headers, disable_numparse=True))
    print(f"geometric mean of the ratios {exp(sum(map(log, ratios)) / len(ratios)):.2f}, worst {max(ratios):.2f}")


if __name__ == "__main__":
    main()
