"""The rules of one folder's networks: what `prototools.mk` includes.

Every file has a rule of its own, because Make's pattern rules have no way to write a blank. The recipes are
those of `prototools.mk`; a rule only tells them its names, in variables of the shell.
"""

from __future__ import annotations

import os
import shlex
from typing import Dict, Iterable, Iterator, List

from prototools import __version__, files
from prototools.batching.sources import BatchError, Task, beside, find, is_template, make_folder
from prototools.makefiles.names import VARIABLES, possible, prerequisite, shell, target

#: Where the rules and the stamps stand, below the target folder, and the rendered templates.
STATE, RENDERED = ".prototools", "rendered"

HEAD = "# Written by prototools makefile; it is written again when the files are others.\n"


def write_rules(source: str, out: str, options: Dict[str, str]) -> None:
    """Write the rules for a folder's networks, and a stamp `NAME.args` for each of the options.

    A stamp holds the option and this version, and changes only when they do.
    Raises `BatchError` where there is no network or two would have one target, `FileError` where nothing can be
    written.
    """
    tasks, state = find([source], out), os.path.join(out, STATE)
    if [task.source for task in tasks if task.problem] == [source]:
        raise BatchError(tasks[0].problem)
    text = rules(tasks, out)
    make_folder(os.path.join(state, "rules.mk"))
    for name, value in options.items():
        stamp = f"prototools {__version__}\n{value}\n"
        files.write(os.path.join(state, f"{name}.args"), stamp.encode("utf-8", "surrogateescape"))
    files.write(os.path.join(state, "rules.mk"), text.encode("utf-8", "surrogateescape"))


def rules(tasks: Iterable[Task], out: str) -> str:
    """The text of the rules."""
    pieces = [HEAD, VARIABLES]
    for number, task in enumerate(tasks):
        problem = task.problem or _impossible(task)
        pieces += _failing(number, problem) if problem else _rules(task, out)
    return "\n".join(pieces)


def _impossible(task: Task) -> str:
    """Why Make can have no rule for a file; nothing where it can."""
    for name in (task.source, task.target):
        if not possible(name):
            return f"{name!r}: Make cannot have a file with *, ?, [ or a newline in its name; rename it, " \
                "or use prototools batch"
    return ""


def _failing(number: int, problem: str) -> List[str]:
    """A goal that only tells what is wrong, so that Make's -k goes on with the others."""
    goal = f"prototools-problem-{number}"
    sentence = shlex.quote(" ".join(problem.split())).replace("$", "$$")
    return [f".PHONY: {goal}\nconvert verify: {goal}\n{goal}:\n\t@echo {sentence} >&2; exit 2\n"]


def _rules(task: Task, out: str) -> Iterator[str]:
    """All that is made from one source."""
    before, weights = task.source, beside(task.source, ".caffemodel")
    weights = weights if os.path.isfile(weights) and possible(weights) else ""
    new_weights = beside(task.target, ".caffemodel") if weights else ""
    if is_template(task.source):
        before = os.path.join(out, STATE, RENDERED, os.path.relpath(task.target, out))
        yield _rule(before, [task.source, _stamp(out, "render")], "render", {"in": task.source, "out": before})
        yield f"-include {prerequisite(before + '.d')}\n"
    names = {"in": before, "out": task.target, "weights": weights, "new_weights": new_weights}
    yield _rule(task.target, [before, weights, _stamp(out, "rewrite")], "rewrite", names)
    yield f"convert: {prerequisite(task.target)}\n"
    if weights:
        yield _rule(new_weights, [task.target], "weights", names)
        yield f"convert: {prerequisite(new_weights)}\n"
    verified = beside(task.target, ".verified")
    needed = [before, task.target, weights, new_weights, _stamp(out, "verify")]
    yield _rule(verified, needed, "verify", {**names, "verified": verified})
    yield f"verify: {prerequisite(verified)}\n"


def _stamp(out: str, name: str) -> str:
    return os.path.join(out, STATE, f"{name}.args")


def _rule(made: str, needed: Iterable[str], recipe: str, names: Dict[str, str]) -> str:
    """One rule; its recipe finds the names in the shell's variables."""
    needs = " ".join([*(prerequisite(name) for name in needed if name), "$(PROTOTOOLS_DEPENDS)"])
    variables = " ".join(f"{variable}={shell(name)}" for variable, name in names.items())
    return f"{target(made)}: {needs}\n\t@{variables}; $(prototools-{recipe})\n"
