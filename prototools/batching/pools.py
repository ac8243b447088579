"""Where jobs are done: in this process, in a pool of processes, or on an executor that the caller brings.

Each way gives the outcomes as they come, and begins no other job once `stop` is set.
"""

from __future__ import annotations

import signal
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context, get_start_method
from multiprocessing.context import BaseContext
from queue import SimpleQueue
from threading import Event, active_count
from typing import Dict, Iterable, Iterator, Optional, Tuple

from prototools.batching.job import Done, Settings, do, failed
from prototools.batching.records import Record
from prototools.batching.sources import Task

Job = Tuple[Task, Settings, Optional[Record], str]
Outcomes = Iterator[Tuple[Task, Done]]

#: Said of a file that was in work when a process died, and of one that a process died of.
ALONE = "done again by itself, because a process of the pool died"
DIED = "the process that rewrote it died; it was killed, or the memory did not suffice"


def here(jobs: Iterable[Job], stop: Event) -> Outcomes:
    """One after another in this process."""
    for job in jobs:
        if stop.is_set():
            return
        yield job[0], do(*job)


def submitted(jobs: Iterable[Job], stop: Event, executor: Executor) -> Outcomes:
    """All at once on somebody's executor, which may have any number of workers."""
    for future, job in _finished(iter(jobs), stop, executor):
        yield job[0], _result(future, job)


def pooled(jobs: Iterable[Job], stop: Event, count: int) -> Outcomes:
    """In processes of our own.

    When one dies, the files in work are done again, each by itself, and the others go on in a new pool:
    so a file that kills its process is found, and no other suffers for it.
    """
    waiting, suspects = iter(jobs), []
    while True:
        broken = Event()
        with _pool(count) as pool:
            for future, job in _finished(waiting, stop, pool, 2 * count, broken):
                if _died(future):
                    suspects.append(job)
                else:
                    yield job[0], _result(future, job)
        if not suspects:
            return
        while suspects and not stop.is_set():
            job = suspects.pop()
            with _pool(1) as pool:
                for future, _ in _finished(iter([job]), stop, pool):
                    done = _result(future, job)
                    yield job[0], done._replace(outcome=done.outcome._replace(note=ALONE))


def _pool(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, mp_context=_context(), initializer=_leave_interrupts_to_the_parent)


def _context() -> BaseContext:
    """Python's own way to start a process, but no fork where other threads may hold locks."""
    method = get_start_method()
    return get_context("forkserver" if method == "fork" and active_count() > 1 else method)


def _leave_interrupts_to_the_parent() -> None:
    """Ctrl-C reaches every process of a terminal; a job that runs is to end whole."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _finished(
    waiting: Iterator[Job], stop: Event, executor: Executor, most: Optional[int] = None, broken: Optional[Event] = None,
) -> Iterator[Tuple[Future, Job]]:
    """Jobs with their futures as they end, at most so many of them at a time on the executor."""
    ended: SimpleQueue = SimpleQueue()
    running: Dict[Future, Job] = {}
    try:
        while True:
            if stop.is_set():
                for future in list(running):
                    future.cancel()
            elif broken is None or not broken.is_set():
                for job in islice(waiting, None if most is None else most - len(running)):
                    future = _submit(executor, job)
                    running[future] = job
                    future.add_done_callback(ended.put)
            if not running:
                return
            future = ended.get()
            job = running.pop(future)
            if broken is not None and _died(future):
                broken.set()
            if not future.cancelled():
                yield future, job
    finally:
        for future in running:
            future.cancel()


def _submit(executor: Executor, job: Job) -> Future:
    """A job's future; an executor that is broken or shut down gives one that has failed."""
    try:
        return executor.submit(do, *job)
    except RuntimeError as error:
        future: Future = Future()
        future.set_exception(error)
        return future


def _died(future: Future) -> bool:
    return not future.cancelled() and isinstance(future.exception(), BrokenExecutor)


def _result(future: Future, job: Job) -> Done:
    """What a job gave; whatever went wrong on the way to it is the file's failure."""
    error = future.exception()
    if error is None:
        return future.result()
    task = job[0]
    reason = DIED if isinstance(error, BrokenExecutor) else f"its worker failed: {type(error).__name__}: {error}"
    return failed(task, f"{task.source}: {reason}")
