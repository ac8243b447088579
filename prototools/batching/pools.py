"""Where jobs are done: in this process, in a pool of processes, or on an executor that the caller brings.

Each way gives the outcomes as they come, and begins no other job once `stop` is set.
"""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context, get_start_method, parent_process
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from threading import Event, Thread, active_count
from typing import Any, Callable, Dict, Iterable, Iterator, List, NoReturn, Optional, Tuple

from prototools.batching.job import Done, Settings, do, failed
from prototools.batching.records import Record
from prototools.batching.sources import Task

Job = Tuple[Task, Settings, Optional[Record], str]
Outcomes = Iterator[Tuple[Task, Done]]

#: As many processes as Windows can wait for, and as many as most systems let one process have files for.
MOST = 61 if sys.platform == "win32" else 256

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
    for future, job in _finished(iter(jobs), stop, executor, do):
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
            for future, job in _finished(waiting, stop, pool, _work, 2 * count, broken):
                if _died(future):
                    suspects.append(job)
                else:
                    yield job[0], _result(future, job)
        if not suspects:
            return
        while suspects and not stop.is_set():
            job = suspects.pop()
            with _pool(1) as pool:
                for future, _ in _finished(iter([job]), stop, pool, _work):
                    done = failed(job[0], f"{job[0].source}: {DIED}") if _died(future) else _result(future, job)
                    yield job[0], done._replace(outcome=done.outcome._replace(note=ALONE))


@contextmanager
def _pool(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes of our own. In the end the jobs in work are waited for; an interrupt ends them."""
    pool = ProcessPoolExecutor(min(count, MOST), mp_context=_context(), initializer=_begin)
    try:
        yield pool
    except KeyboardInterrupt:
        _end(_workers(pool))
        raise
    finally:
        workers = _workers(pool)
        try:
            pool.shutdown()
        except KeyboardInterrupt:
            _end(workers)
            raise


def _workers(pool: ProcessPoolExecutor) -> List[BaseProcess]:
    return list((pool._processes or {}).values())


def _end(workers: List[BaseProcess]) -> None:
    for worker in workers:
        worker.terminate()


def _context() -> BaseContext:
    """Python's own way to start a process, but no fork where other threads may hold locks."""
    method = get_start_method()
    return get_context("forkserver" if method == "fork" and active_count() > 1 else method)


# ---------------------------------------------------------------- in a process of our own


class _Ended(BaseException):
    """This process is asked to end."""


def _begin() -> None:
    """What a terminal sends to all its processes is the parent's to answer: a job that runs is to end whole.

    But no process outlives its parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)


def _work(*job: Any) -> Done:
    """Do a job; where the process is asked to end, what the job was writing is cleared away first."""
    try:
        signal.signal(signal.SIGTERM, _raise_ended)
        done = do(*job)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        return done
    except _Ended:
        os._exit(1)


def _raise_ended(*_: object) -> NoReturn:
    raise _Ended


# ---------------------------------------------------------------- jobs and their ends


def _finished(
    waiting: Iterator[Job], stop: Event, executor: Executor, work: Callable[..., Done], most: Optional[int] = None,
    broken: Optional[Event] = None,
) -> Iterator[Tuple[Future, Job]]:
    """Jobs with their futures as they end, at most so many of them at a time on the executor.

    At an interrupt the jobs in work are waited for, and then it goes on; another one goes on at once.
    """
    interrupt: Optional[KeyboardInterrupt] = None
    ended: SimpleQueue = SimpleQueue()
    running: Dict[Future, Job] = {}
    try:
        while True:
            if stop.is_set():
                for future in list(running):
                    future.cancel()
            elif broken is None or not broken.is_set():
                for job in islice(waiting, None if most is None else most - len(running)):
                    future = _submit(executor, work, job)
                    running[future] = job
                    future.add_done_callback(ended.put)
            if not running:
                if interrupt:
                    raise interrupt
                return
            try:
                future = ended.get()
            except KeyboardInterrupt as error:
                if interrupt:
                    raise
                interrupt = error
                stop.set()
                continue
            job = running.pop(future)
            if broken is not None and _died(future):
                broken.set()
            if not future.cancelled():
                yield future, job
    finally:
        for future in running:
            future.cancel()


def _submit(executor: Executor, work: Callable[..., Done], job: Job) -> Future:
    """A job's future; an executor that is broken or shut down gives one that has failed."""
    try:
        with _no_interrupts():
            return executor.submit(work, *job)
    except RuntimeError as error:
        future: Future = Future()
        future.set_exception(error)
        return future


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Interrupts come later; a process that is started here begins without them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def _died(future: Future) -> bool:
    return not future.cancelled() and isinstance(future.exception(), BrokenExecutor)


def _result(future: Future, job: Job) -> Done:
    """What a job gave; whatever went wrong on the way to it is the file's failure."""
    error = future.exception()
    if error is None:
        return future.result()
    return failed(job[0], f"{job[0].source}: its worker failed: {type(error).__name__}: {error}")
