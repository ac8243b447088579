"""The lossless tree against protobuf's own text parser, and how time and memory grow.

    python benchmarks/tree.py [NET]

Reads NET, which stock Caffe must know (a net of 152 layers, made here, where none is given), with
`prototools.parse`, with `rewrite` and with `text_format.Parse` of the same text into Caffe's messages, in turn,
and prints the best times. Then texts of 1 and of 100 MB: seconds for each MB, and the memory of the tree
over the text. Last the whole process of `prototools rewrite` beside Caffe's `upgrade_net_proto_text`.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

from google.protobuf import text_format
from tabulate import tabulate

from prototools import NetSpec, parse, realcaffe, rewrite, schema
from prototools import layers as L

ROUNDS = 9


def resnet(depths: Tuple[int, ...] = (3, 8, 36, 3)) -> bytes:
    """A residual network of 152 layers with BatchNorm and Scale, as text."""
    n = NetSpec(name="ResNet-152")
    n.data = L.Input(shape=dict(dim=[1, 3, 224, 224]))

    def conv(name: str, bottom: Any, outputs: int, kernel: int, stride: int = 1) -> Any:
        n[name] = L.Convolution(bottom, num_output=outputs, kernel_size=kernel, stride=stride, pad=kernel // 2,
                                bias_term=False, weight_filler=dict(type="msra"))
        n[f"{name}/bn"] = L.BatchNorm(n[name], in_place=True, param=[dict(lr_mult=0, decay_mult=0)] * 3)
        n[f"{name}/scale"] = L.Scale(n[f"{name}/bn"], in_place=True, bias_term=True)
        return n[f"{name}/scale"]

    here = L.ReLU(conv("conv1", n.data, 64, 7, 2), in_place=True)
    for stage, depth in enumerate(depths):
        for block in range(depth):
            name, width, stride = f"res{stage + 2}_{block + 1}", 64 << stage, 2 if block == 0 else 1
            left = conv(f"{name}/left", here, 4 * width, 1, stride) if block == 0 else here
            right = L.ReLU(conv(f"{name}/a", here, width, 1, stride), in_place=True)
            right = L.ReLU(conv(f"{name}/b", right, width, 3), in_place=True)
            n[name] = L.Eltwise(left, conv(f"{name}/c", right, 4 * width, 1))
            n[f"{name}/relu"] = here = L.ReLU(n[name], in_place=True)
    n.prob = L.Softmax(L.InnerProduct(here, num_output=1000))
    return str(n.to_proto()).encode()


def best(jobs: Dict[str, Callable[[], Any]], rounds: int = ROUNDS) -> Dict[str, float]:
    """The best time of each job in seconds, the jobs in turn."""
    times: Dict[str, float] = {}
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            times[name] = min(times.get(name, 1e9), time.perf_counter() - start)
    return times


def against_text_format(data: bytes) -> None:
    message, text = schema.message("NetParameter"), data.decode()
    times = best({"text_format.Parse": lambda: text_format.Parse(text, message()),
                  "prototools.parse": lambda: parse(data), "prototools.rewrite": lambda: rewrite(data)})
    base, megabytes = times["text_format.Parse"], len(data) / 1e6
    print(tabulate([[name, f"{seconds * 1e3:.1f}", f"{megabytes / seconds:.1f}", f"{base / seconds:.2f}"]
                    for name, seconds in times.items()], [f"{len(data):,} bytes", "ms", "MB/s", "times as fast"]))


def _grown(data: bytes, answer: Any) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    tree = parse(data)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer.send((seconds, (after - before) * 1024, len(tree.children)))


def growth(data: bytes) -> None:
    """Each size in a process of its own, whose peak is its own; times the best of three."""
    rows, context = [], get_context("fork")
    for size in (1, 100):
        text, found = data * max(1, round(size * 1e6 / len(data))), []
        for _ in range(3):
            here, there = context.Pipe()
            child = context.Process(target=_grown, args=(text, there))
            child.start()
            found.append(here.recv())
            child.join()
        seconds, memory, _ = min(found)
        rows.append([f"{len(text) / 1e6:.1f}", seconds / len(text) * 1e6, f"{memory / len(text):.1f}"])
    ratio = rows[1][1] / rows[0][1]
    shown = [[size, f"{1e3 * seconds:.1f}", memory] for size, seconds, memory in rows]
    print(tabulate(shown, ["MB", "ms for each MB", "memory over text"]))
    print(f"100 MB take {ratio:.2f} times as long for each MB")


def processes(data: bytes) -> None:
    """The command on one file, and Caffe's tool on the same."""
    caffe = realcaffe.find()
    with tempfile.TemporaryDirectory() as folder:
        net, out = Path(folder) / "net.prototxt", Path(folder) / "out.prototxt"
        net.write_bytes(data)
        commands = {
            "prototools rewrite": ([f"{sys.prefix}/bin/prototools", "rewrite", str(net), "-o", str(out)], None),
            "python -c pass": ([sys.executable, "-c", "pass"], None),
        }
        if caffe is not None:
            commands["upgrade_net_proto_text"] = caffe.command(["upgrade_net_proto_text", str(net), str(out)])
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        times = best({
            name: lambda words=words, settings=settings: subprocess.run(words, env=settings, **quiet)
            for name, (words, settings) in commands.items()})
    print(tabulate([[name, f"{seconds * 1e3:.0f}"] for name, seconds in times.items()], ["whole process", "ms"]))
    if caffe is not None:
        print(f"{times['prototools rewrite'] / times['upgrade_net_proto_text']:.2f} times the tool's, whose libraries "
              "are few in the tree of `prototools caffe setup`; with all of Debian's it starts 80 ms later")


def main() -> None:
    data = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else resnet()
    against_text_format(data)
    print()
    growth(data)
    print()
    processes(data)
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        print("PYTHONDONTWRITEBYTECODE is set: without compiled bytecode the command takes several times as long")


if __name__ == "__main__":
    main()
