"""Exit codes and messages, the same for every command."""

from __future__ import annotations

import sys
from typing import Callable, Iterable, NoReturn, Optional

import click

from prototools.errors import PrototoolsError, explain, shortened

DONE, FOUND, FAILED = 0, 1, 2


def say(message: str) -> None:
    """Some lines of commentary, on standard error, none of them endless."""
    click.echo("\n".join(shortened(line, 2000) for line in message.split("\n")), err=True)


def many(count: int, thing: str) -> str:
    """A number of things: `1 layer`, `2 layers`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def each(paths: Iterable[str], job: Callable[[str], int]) -> NoReturn:
    """Do a job for every file and leave with the largest code; one bad file never stops the rest."""
    sys.exit(worst(paths, job))


def worst(paths: Iterable[str], job: Callable[[str], int]) -> int:
    """The largest verdict of a job for every file."""
    return max([attempt(job, path) for path in paths], default=DONE)


def attempt(job: Callable[[str], int], path: str, name: Optional[str] = None) -> int:
    """A job's verdict; an error of ours becomes a sentence and the verdict 2."""
    try:
        return job(path)
    except PrototoolsError as error:
        say(explain(error, name or path))
        return FAILED
    except RecursionError:
        say(f"{path}: nested too deeply")
        return FAILED
    except MemoryError:
        say(f"{path}: does not fit into memory")
        return FAILED


def shape_option(values: Iterable[str]) -> dict:
    """`BLOB=N,C,H,W` as a dictionary of tuples; a dim may be unknown, written `?`."""
    shapes = {}
    for value in values:
        blob, found, dims = value.rpartition("=")
        try:
            shapes[blob] = tuple(None if d.strip() == "?" else int(d) for d in dims.split(","))
        except ValueError:
            found = ""
        if not found or not blob or any(d is not None and d < 0 for d in shapes[blob]):
            raise click.BadParameter(
                f"must be BLOB=N,C,H,W with whole numbers, but is {value!r}", param_hint="--shape"
            )
    return shapes
