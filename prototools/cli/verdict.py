"""Exit codes and messages, the same for every command."""

from __future__ import annotations

import sys
from typing import Callable, Iterable, Optional

from prototools.errors import PrototoolsError, explain, shortened

DONE, FOUND, FAILED = 0, 1, 2


def say(message: str) -> None:
    """Some lines of commentary, on standard error, none of them endless."""
    print("\n".join(shortened(line, 2000) for line in message.split("\n")), file=sys.stderr)


def many(count: int, thing: str) -> str:
    """A number of things: `1 layer`, `2 layers`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def worst(paths: Iterable[str], job: Callable[[str], int]) -> int:
    """Do a job for every file; the largest verdict. One bad file never stops the rest."""
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
