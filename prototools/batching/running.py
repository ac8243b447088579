"""A whole batch: find the files, skip what is done already, run the rest, remember."""

from __future__ import annotations

import os
from concurrent.futures import Executor
from contextlib import closing
from multiprocessing import current_process
from threading import Event
from typing import Any, Callable, Iterable, List, Mapping, Optional, Sequence, Union

from prototools.batching.job import Outcome, Settings
from prototools.batching.pools import Job, Outcomes, here, pooled, submitted
from prototools.batching.records import Records
from prototools.batching.sources import Task, find
from prototools.rewriter import rewrite

Path = Union[str, "os.PathLike[str]"]


def batch(
    sources: Union[Path, Iterable[Path]],
    out: Path,
    *,
    jobs: int = 1,
    executor: Optional[Executor] = None,
    force: bool = False,
    fail_fast: bool = False,
    partial: bool = False,
    shapes: Optional[Mapping[str, Sequence[int]]] = None,
    dialect: Iterable[str] = (),
    lowering: Optional[str] = None,
    prefer: str = "deconvolution",
    filler_safe: bool = False,
    accept: Iterable[str] = (),
    values: Optional[Mapping[str, Any]] = None,
    on_done: Optional[Callable[[Outcome], None]] = None,
) -> List[Outcome]:
    """Rewrite many networks below the folder `out`; an `Outcome` for each file, in the order of the sources.

    `sources` are files, folders (every `*.prototxt` and `*.j2` below) and patterns (`nets/**/deploy*.prototxt`);
    what is fixed of a folder or a pattern is cut off, and the rest is mirrored below `out`. A template is
    rendered with `values` first, which fill the `$NAME`s of a prototxt too. A caffemodel of the same folder and
    stem is patched beside the target. The other options are `rewrite`'s.

    `jobs` is the number of processes; 1 is this one, and so is any number where this one may start no other.
    `executor` is any `concurrent.futures.Executor` instead, whose workers have prototools and see the same files
    under the same paths; it is not shut down.
    A script that starts processes needs `if __name__ == "__main__":`, as `multiprocessing` says.

    A file is skipped where its bytes, its caffemodel's, the options and this version are those of an earlier
    batch and its targets are as that one left them, by their hashes; `force` does all again. One bad file never stops
    the rest, unless `fail_fast`, which begins no other file after one was refused or failed.
    `on_done` is called with each outcome as it comes, in this process. An interrupt stops the batch;
    what is done by then is kept.

    Raises `BatchError` before anything is written, where two files have one target or `out` is no folder,
    `ValueError` for an unknown name, and in the end `FileError` where what is done cannot be remembered.
    What is wrong with one file is in its outcome.
    """
    rewriting = {"shapes": {blob: tuple(shape) for blob, shape in (shapes or {}).items()}, "dialect": tuple(dialect),
                 "lowering": lowering, "prefer": prefer, "filler_safe": filler_safe, "accept": tuple(accept)}
    settings = Settings(rewriting, dict(values or {}), partial)
    one = isinstance(sources, (str, os.PathLike))
    tasks = find(map(os.fspath, [sources] if one else sources), os.fspath(out))
    return run(tasks, os.fspath(out), settings, jobs, executor, force, fail_fast, on_done)


def run(
    tasks: Sequence[Task],
    out: str,
    settings: Settings,
    jobs: int = 1,
    executor: Optional[Executor] = None,
    force: bool = False,
    fail_fast: bool = False,
    on_done: Optional[Callable[[Outcome], None]] = None,
) -> List[Outcome]:
    """Do tasks that have been found; the rest as for `batch`."""
    rewrite(b"", **settings.rewriting)
    records, stop, found = Records(out), Event(), {}
    name = os.urandom(8).hex()
    waiting = [(task, settings, None if force else records.get(task), name) for task in tasks]
    try:
        with closing(_outcomes(waiting, stop, jobs, executor)) as outcomes:
            for task, done in outcomes:
                found[task] = done.outcome
                records.put(task, done.record)
                records.save_now_and_then()
                if fail_fast and done.outcome.code:
                    stop.set()
                if on_done:
                    on_done(done.outcome)
    finally:
        records.save()
    return [found.get(task) or Outcome(task.source, task.target, "not done") for task in tasks]


def _outcomes(waiting: List[Job], stop: Event, jobs: int, executor: Optional[Executor]) -> Outcomes:
    """Each task with what was done, as it is done."""
    if executor is not None:
        return submitted(waiting, stop, executor)
    # A daemonic process, such as a worker of multiprocessing.Pool, may start none.
    count = 1 if current_process().daemon else min(jobs, len(waiting))
    return pooled(waiting, stop, count) if count > 1 else here(waiting, stop)
