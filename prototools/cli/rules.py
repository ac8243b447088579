"""prototools rules."""

from __future__ import annotations

import inspect
import sys
from typing import Dict, Optional

import click

from prototools import dialects, lowerings


@click.command()
@click.argument("name", required=False)
def command(name: Optional[str]) -> None:
    """List the dialects and lowerings, or explain the one called NAME."""
    if name is None:
        _list()
        return
    pages = _pages()
    if name not in pages:
        from difflib import get_close_matches

        near = get_close_matches(name, pages, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise click.UsageError(f"No dialect or lowering is called {name!r}.{hint}")
    click.echo(pages[name])


def _list() -> None:
    from tabulate import tabulate

    rows = [(row.name, ", ".join(row.types), row.speaks_for) for row in dialects.TABLE]
    click.echo(tabulate(rows, ["dialect", "layer types", "speaks for"]) + "\n")
    blocks = [(row.NAME, _summary(row)) for row in lowerings.TABLE + lowerings.UNPOOL_TABLE]
    click.echo(tabulate(blocks, ["lowering", "block"]))


def _summary(module) -> str:
    return (inspect.getdoc(module) or "").split("\n\n")[0].replace("\n", " ")


def _pages() -> Dict[str, str]:
    """Every name with the documentation of the file it stands in."""
    pages = {row.name: inspect.getdoc(sys.modules[row.read.__module__]) for row in dialects.TABLE}
    pages.update((row.NAME, inspect.getdoc(row)) for row in lowerings.TABLE + lowerings.UNPOOL_TABLE)
    return {name: page or "" for name, page in pages.items()}
