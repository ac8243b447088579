"""prototools batch."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from threading import current_thread, main_thread
from time import perf_counter
from typing import Any, Callable, Iterator, List, Optional, Tuple

from prototools import files
from prototools.batching.job import CODES, Outcome, Settings
from prototools.batching.running import run
from prototools.batching.sources import find
from prototools.cli.parsing import WIDTH, Parser, count, parsed
from prototools.cli.rewriting import rewriting_options, usage
from prototools.cli.values import shapes_of, value_option, values_of
from prototools.cli.verdict import DONE, FAILED, attempt, many, say
from prototools.errors import PrototoolsError


def options(parser: Parser) -> None:
    """The options of `batch`."""
    parser.argument("sources", "SRC", nargs="+")
    parser.option("-d", "--directory", dest="out", required=True, metavar="OUT",
                  help="The folder that the results go below; it must be given.")
    parser.option("-j", "--jobs", type=count, metavar="N",
                  help="How many processes; as many as there are cores, if not given.")
    rewriting_options(parser)
    value_option(parser)
    parser.flag("--force", help="Do files again that have not changed since an earlier batch.")
    parser.flag("--fail-fast", help="Begin no other file once one was refused or failed.")
    parser.option("--report", metavar="FILE.jsonl", help="Write a line of JSON for each file, with every layer.")
    parser.flag("-q", "--quiet", help="Say only what was refused or failed, and the summary.")


@parsed(options)
def command(sources: Tuple[str, ...], out: str, jobs: Optional[int], shapes, partial: bool, values, force: bool,
            fail_fast: bool, report: Optional[str], quiet: bool, **rewriting: Any) -> int:
    """Rewrite many networks, below the folder OUT.

    SRC is a file, a folder (every *.prototxt and *.j2 below it), or a quoted pattern like 'nets/**/deploy*.prototxt'.
    What is fixed of SRC is cut off, and the rest is mirrored below OUT. Templates (*.j2) are rendered first. A
    caffemodel of the same folder and stem is patched beside the target.

    Files that have not changed since an earlier batch are skipped. One bad file never stops the rest, and Ctrl-C
    keeps what is done.
    """
    settings = Settings({**rewriting, "shapes": shapes_of(shapes)}, values_of(values), partial)
    start, tasks, outcomes, stopped = perf_counter(), [], [], ""

    def on_done(outcome: Outcome) -> None:
        outcomes.append(outcome)
        tell(outcome)

    try:
        tasks = find(sources, out)
        with usage(), _asked_to_end(), _teller(len(tasks), quiet) as tell:
            outcomes = run(tasks, out, settings, jobs or _cores(), None, force, fail_fast, on_done)
    except KeyboardInterrupt:
        stopped = f"interrupted: {len(outcomes)} of {many(len(tasks), 'file')} done; the same command does the rest"
    except PrototoolsError as error:
        stopped = str(error)
    if outcomes:
        print(_summary(outcomes, perf_counter() - start))
    if stopped:
        say(stopped)
    code = FAILED if stopped else max((outcome.code for outcome in outcomes), default=DONE)
    return max(code, attempt(lambda path: _write_report(path, outcomes), report)) if report else code


@contextmanager
def _asked_to_end() -> Iterator[None]:
    """By `timeout`, a scheduler or a terminal that is closed: a batch ends then as it does with Ctrl-C."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    usual = current_thread() is main_thread() and signal.SIG_DFL
    numbers = [number for number in numbers if signal.getsignal(number) is usual]
    for number in numbers:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# ---------------------------------------------------------------- what is said


@contextmanager
def _teller(total: int, quiet: bool) -> Iterator[Callable[[Outcome], None]]:
    """Tells of each outcome: by a bar on a terminal, and then of what went wrong; elsewhere by lines."""
    if quiet or not sys.stderr.isatty():
        yield lambda outcome: _tell(outcome, quiet)
        return
    bad: List[Outcome] = []
    try:
        from tqdm import tqdm

        # Some terminals do not know their size; the bar needs one line of any.
        wide = os.get_terminal_size(sys.stderr.fileno()).columns or WIDTH
        with tqdm(total=total, file=sys.stderr, desc="rewriting", unit=" files", ncols=wide, nrows=2) as bar:
            def step(outcome: Outcome) -> None:
                bar.update(1)
                if outcome.code or outcome.note:
                    bad.append(outcome)

            yield step
    finally:
        for outcome in bad:
            _tell(outcome, quiet)


def _tell(outcome: Outcome, quiet: bool) -> None:
    """Lines on standard error: what went wrong, or unless quiet one for the file."""
    for refusal in outcome.refusals:
        say(f"{outcome.source}:{refusal}")
    if outcome.error:
        say(outcome.error)
    elif outcome.status == "refused":
        total = len(outcome.refusals) + len(outcome.changes)
        say(f"{outcome.source}: nothing written, because {len(outcome.refusals)} of {many(total, 'layer')} "
            "were refused (see --partial)")
    elif not quiet:
        layers = f", {many(len(outcome.changes), 'layer')}" if outcome.changes else ""
        say(f"{outcome.source} -> {outcome.target}: {outcome.status}{layers}")
    if outcome.note:
        say(f"{outcome.source}: {outcome.note}")


def _summary(outcomes: List[Outcome], seconds: float) -> str:
    """The table: a row for each status that occurred, and one for all."""
    from tabulate import tabulate

    rows = []
    for status in (*CODES, "all"):
        found = [outcome for outcome in outcomes if status in ("all", outcome.status)]
        if found:
            rows.append([status, len(found), sum(len(one.changes) for one in found),
                         sum(len(one.refusals) for one in found)])
    table = tabulate(rows, ["", "files", "layers rewritten", "layers refused"])
    return f"{table}\n\n{many(len(outcomes), 'file')} in {seconds:.1f} s, {len(outcomes) / seconds:.1f} a second"


def _write_report(path: str, outcomes: List[Outcome]) -> int:
    """A line of JSON for each file."""
    import json

    from prototools.batching.report import describe_outcome

    lines = (json.dumps(describe_outcome(outcome)) + "\n" for outcome in outcomes)
    files.write(path, "".join(lines).encode("ascii"))
    return DONE
