"""Batches: files a second in one process against protobuf's text_format, and two workers against one.

    python benchmarks/batch.py [FOLDER]

The files are those below FOLDER (`../shared/corpus/files`) that both can read. text_format parses each with
`allow_unknown_field` on our schema and prints it again, in a loop that writes nothing; a batch rewrites each, proves
every block, syncs and writes it. All ways take turns, and the best of several rounds counts, because other work on
the machine only ever adds to a time.

Then what stands between two workers and twice the speed: starting them, handing over, and the longest file.
"""

from __future__ import annotations

import multiprocessing
import pickle
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Callable, List

from google.protobuf import text_format
from tabulate import tabulate

import prototools
from prototools import schema
from prototools.batching.job import Settings, do
from prototools.batching.sources import Task

ROUNDS = 5


def readable(folder: Path, copy: Path) -> List[Path]:
    """The files that both can read, copied to a folder of their own."""
    found = []
    for path in sorted(folder.rglob("*.prototxt")):
        data = path.read_bytes()
        try:
            prototools.parse(data)
            by_text_format(data)
        except (text_format.ParseError, UnicodeDecodeError, ValueError):
            continue
        found.append(copy / f"{len(found):03}.prototxt")
        found[-1].write_bytes(data)
    return found


def by_text_format(data: bytes) -> str:
    net = text_format.Parse(data, schema.message("NetParameter")(), allow_unknown_field=True)
    return text_format.MessageToString(net)


def loop(files: List[Path]) -> None:
    for path in files:
        by_text_format(path.read_bytes())


def batch(folder: Path, out: Path, keep: bool = False, **options) -> None:
    if not keep:
        shutil.rmtree(out, ignore_errors=True)
    prototools.batch(folder, out, **options)


def in_workers(folder: Path, out: Path, method: str) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as executor:
        batch(folder, out, executor=executor)


def start(method: str) -> None:
    """Two workers that have imported the job."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as executor:
        list(executor.map(partial(isinstance, do), [object] * 4))


def timed(job: Callable[[], None]) -> float:
    begin = perf_counter()
    job()
    return perf_counter() - begin


def overheads(files: List[Path], out: Path) -> None:
    """The parts of a parallel batch that no worker can share."""
    settings = Settings({}, {}, False)
    tasks = [Task(str(path), str(out / path.name)) for path in files]
    done = [do(task, settings, None) for task in tasks]
    begin = perf_counter()
    sizes = [len(pickle.dumps(pickle.loads(pickle.dumps(one)))) for one in done]
    handing = perf_counter() - begin
    seconds = sorted(one.outcome.seconds for one in done)
    print(f"handing over: {sum(sizes) // len(files):,} bytes a file, {1000 * handing / len(files):.2f} ms")
    print(f"longest file: {seconds[-1]:.2f} s of {sum(seconds):.2f} s")
    for method in multiprocessing.get_all_start_methods():
        best = min(timed(lambda method=method: start(method)) for _ in range(3))
        print(f"starting two workers by {method}: {best:.2f} s")


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        nets, out = Path(place, "nets"), Path(place, "out")
        nets.mkdir()
        files = readable(folder, nets)
        ways = {
            "text_format, parse and print": lambda: loop(files),
            "batch, one process": lambda: batch(nets, out),
            "batch, two workers": lambda: batch(nets, out, jobs=2),
            "batch, two workers by spawn": lambda: in_workers(nets, out, "spawn"),
            "batch, nothing changed": lambda: batch(nets, out, keep=True),
        }
        times = [[timed(job) for job in ways.values()] for _ in range(ROUNDS)]
        best = dict(zip(ways, map(min, zip(*times))))
        one = best["batch, one process"]
        rows = [[name, f"{time:.2f}", f"{len(files) / time:.0f}", f"{one / time:.2f}"] for name, time in best.items()]
        print(f"{len(files)} files, {sum(path.stat().st_size for path in files):,} bytes, best of {ROUNDS}\n")
        print(tabulate(rows, ["", "seconds", "files a second", "to one process"], disable_numparse=True), "\n")
        overheads(files, out)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/corpus/files"))
