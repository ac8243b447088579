"""prototools rules."""

from __future__ import annotations

import inspect
import sys
from typing import Dict, List, Optional

from prototools import dialects, lowerings
from prototools.cli.parsing import Parser, UsageError, meant, parsed
from prototools.cli.verdict import DONE


def options(parser: Parser) -> None:
    """The options of `rules`."""
    parser.argument("name", "NAME", nargs="?")


@parsed(options)
def command(name: Optional[str]) -> int:
    """List the dialects and lowerings, or explain the one called NAME."""
    if name is None:
        print(_table())
        return DONE
    pages = _pages()
    if name not in pages:
        raise UsageError(f"no dialect or lowering is called {name!r}{meant(name, pages)}")
    print(pages[name])
    return DONE


def _table() -> str:
    from tabulate import tabulate

    rows = [(row.name, ", ".join(row.types), row.speaks_for) for row in dialects.TABLE]
    blocks = [(row.NAME, _summary(row)) for row in lowerings.TABLE + lowerings.UNPOOL_TABLE]
    return "\n\n".join([tabulate(rows, ["dialect", "layer types", "speaks for"]),
                        tabulate(blocks, ["lowering", "block"])])


def _summary(module) -> str:
    return (inspect.getdoc(module) or "").split("\n\n")[0].replace("\n", " ")


def _pages() -> Dict[str, str]:
    """Every name with the documentation of the files it stands in: a fork's layers may be of several families."""
    files = [(row.name, sys.modules[row.read.__module__]) for row in dialects.TABLE]
    files += [(row.NAME, row) for row in lowerings.TABLE + lowerings.UNPOOL_TABLE]
    pages: Dict[str, List[str]] = {}
    for name, file in dict.fromkeys(files):
        pages.setdefault(name, []).append(inspect.getdoc(file) or "")
    return {name: "\n\n".join(texts) for name, texts in pages.items()}
