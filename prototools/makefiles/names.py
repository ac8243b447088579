"""File names as GNU Make and the shell write them.

Make has no one way to quote: a blank needs a backslash, `$` is doubled, `%` means something only in a target,
`|` only among the prerequisites, and some signs must come out of a variable. What stands here was tried on
Make 4.3, sign by sign.
"""

from __future__ import annotations

import re
import shlex
from typing import Dict, Iterable

#: Signs that Make takes for wildcards even behind a backslash, and what ends a line.
IMPOSSIBLE = re.compile(r"[*?\[\n\r]")

#: What must be written otherwise in both places, in targets, and among prerequisites.
_BOTH = {" ": r"\ ", "\t": r"\$(prototools-tab)", ":": r"\:", "#": r"\#", ";": r"\$(prototools-semicolon)",
         "=": "$(prototools-equals)", "$": "$$"}
_TARGET: Dict[str, str] = {**_BOTH, "%": r"\%"}
_PREREQUISITE: Dict[str, str] = {**_BOTH, "|": r"\|"}

#: Variables that the tables use.
VARIABLES = "prototools-equals := =\nprototools-semicolon := ;\nprototools-tab := $(strip)\t$(strip)\n"


def possible(name: str) -> bool:
    """Whether Make can have a file of this name."""
    return not IMPOSSIBLE.search(name)


def target(name: str) -> str:
    """A name in front of a rule's colon."""
    return _escaped(name, _TARGET)


def prerequisite(name: str) -> str:
    """A name behind it."""
    return _escaped(name, _PREREQUISITE)


def shell(name: str) -> str:
    """A name in a recipe."""
    return shlex.quote(_plain(name)).replace("$", "$$")


def _escaped(name: str, table: Dict[str, str]) -> str:
    """Each sign by the table; backslashes in front of an escaped one are doubled, so that they stay."""
    def written(match: re.Match) -> str:
        sign = table.get(match.group(2), match.group(2))
        return match.group(1) * (2 if sign.startswith("\\") else 1) + sign

    return re.sub(r"(\\*)([^\\])", written, _plain(name))


def _plain(name: str) -> str:
    """A name that nothing takes for an option or for somebody's home."""
    return f"./{name}" if name.startswith(("-", "~")) else name


def depfile(made: str, sources: Iterable[str]) -> str:
    """A rule that says what a file was made from, as compilers write it; a source that is gone stops nothing."""
    sources = [source for source in dict.fromkeys(sources) if possible(source)]
    if not possible(made):
        return ""
    first = f"{target(made)}: {' '.join(map(prerequisite, sources))}\n"
    return first + "".join(f"{target(source)}:\n" for source in sources)
