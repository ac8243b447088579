"""The job of one file: a function of plain values, which any process on any machine can do."""

from __future__ import annotations

import os
from time import perf_counter
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

from prototools import files
from prototools.batching.records import Record, fresh, record, seen
from prototools.batching.sources import Task, is_template, make_folder, weights_beside
from prototools.changes import Change, Refusal, Result
from prototools.collecting import collecting_later
from prototools.errors import PrototoolsError, explain
from prototools.rewriter import rewrite

#: What can become of a file, and the exit code that goes with it.
CODES = {
    "rewritten": 0, "rendered": 0, "copied": 0, "unchanged": 0, "partial": 1, "refused": 1, "not done": 1, "failed": 2,
}

#: Said of a file that was refused or failed, where its target was made before.
LEFT = "the target of an earlier run was left as it is"


class Settings(NamedTuple):
    """What is the same for all files: `rewrite`'s options, the values of templates and placeholders, and `partial`."""

    rewriting: Mapping[str, Any]
    values: Mapping[str, Any]
    partial: bool


class Outcome(NamedTuple):
    """What became of one file.

    `status` is "rewritten"; "rendered" or "copied" where no layer had to change; "unchanged" where the
    target of an earlier batch still holds; "refused", with nothing written; "partial", which is refused
    but written all the same; "failed", with the reason in `error`; or "not done", because the batch stopped before.
    `changes`, `refusals` and `foreign` are those of `rewrite`, without the matrices; `note` is a remark
    for the user, and `seconds` how long it took.
    """

    source: str
    target: str
    status: str
    changes: Tuple[Change, ...] = ()
    refusals: Tuple[Refusal, ...] = ()
    foreign: Tuple[str, ...] = ()
    error: str = ""
    note: str = ""
    seconds: float = 0.0

    @property
    def code(self) -> int:
        """0 where it is done, 1 where a layer was refused, 2 where it failed."""
        return CODES[self.status]


class Done(NamedTuple):
    """An outcome, and what to remember of it."""

    outcome: Outcome
    record: Optional[Record] = None


def do(task: Task, settings: Settings, before: Optional[Record], batch: str = "") -> Done:
    """Rewrite one file, unless `before` says that its target still holds. Raises nothing.

    `batch` is another for every batch, because a cluster may answer an equal call from memory (Dask does),
    and the file may have changed.
    """
    start = perf_counter()
    try:
        with collecting_later():
            done = failed(task, task.problem) if task.problem else _do(task, settings, before)
    except PrototoolsError as error:
        done = failed(task, explain(error, task.source))
    except RecursionError:
        done = failed(task, f"{task.source}: nested too deeply")
    except MemoryError:
        done = failed(task, f"{task.source}: does not fit into memory")
    except Exception as error:  # A mistake of ours must not stop the other files.
        mistake = f"{type(error).__name__}: {error}"
        done = failed(task, f"{task.source}: prototools made a mistake, please report it: {mistake}")
    left = LEFT if done.outcome.status in ("refused", "failed") and os.path.isfile(task.target) else ""
    return done._replace(outcome=done.outcome._replace(note=left, seconds=perf_counter() - start))


def failed(task: Task, error: str) -> Done:
    """The outcome of a file that could not be done."""
    return Done(Outcome(task.source, task.target, "failed", error=error))


def _do(task: Task, settings: Settings, before: Optional[Record]) -> Done:
    data = files.read(os.path.join(os.curdir, task.source))
    beside = weights_beside(task.source)
    weights = beside if os.path.isfile(beside) else None
    if before and fresh(before, task, data, weights, settings):
        return Done(Outcome(task.source, task.target, "unchanged"), before)
    text, parts = _rendered(task.source, settings.values) if is_template(task.source) else (data, ())
    # Now and not in the end: who changes a file in the meantime is to find it done again.
    key = seen(task, data, weights, settings, parts)
    result = rewrite(text, weights=bool(weights), values=settings.values, **settings.rewriting)
    if result.refusals and not settings.partial:
        return Done(_outcome(task, "refused", result))
    make_folder(task.target)
    if weights:
        _patch(result, weights, weights_beside(task.target))
    files.write(task.target, result.text)
    if result.refusals:
        return Done(_outcome(task, "partial", result))
    status = "rewritten" if result.changes else "rendered" if is_template(task.source) else "copied"
    return Done(_outcome(task, status, result), record(task, key, parts, weights, result.text))


def _rendered(source: str, values: Mapping[str, Any]) -> Tuple[bytes, Tuple[str, ...]]:
    """A template's text, and the names of the other templates that it asked for."""
    from prototools.rendering import rendering

    made = rendering(source, dict(values))
    return made.text.encode("utf-8", "surrogateescape"), tuple(made.parts)


def _patch(result: Result, source: str, target: str) -> None:
    from prototools.patching import patch_weights

    patch_weights(result, source, target)


def _outcome(task: Task, status: str, result: Result) -> Outcome:
    nothing: Dict[str, Any] = {}
    changes = tuple(change._replace(matrices=nothing) for change in result.changes)
    return Outcome(task.source, task.target, status, changes, result.refusals, result.foreign)
