"""prototools makefile."""

from __future__ import annotations

import pkgutil
import sys
from typing import Dict, Optional

import click

from prototools.cli.delivery import print_bytes
from prototools.cli.verdict import DONE, FAILED, say
from prototools.errors import PrototoolsError


@click.command()
@click.argument("source", required=False, metavar="[SRC OUT]")
@click.argument("out", required=False, metavar="")
@click.option("--args", "rewrite", default="", metavar="OPTIONS", help="Options of rewrite, to be remembered.")
@click.option("--values", "render", default="", metavar="OPTIONS", help="Options of render, to be remembered.")
@click.option("--verify-args", "verify", default="", metavar="OPTIONS", help="Options of verify, to be remembered.")
def command(source: Optional[str], out: Optional[str], **options: str) -> None:
    """Print prototools.mk, a makefile to include in your own; its head says how.

    With SRC and OUT, which is how that makefile calls it, the rules for the networks below SRC are written to
    OUT/.prototools/rules.mk instead, and the options to stamps beside it.
    """
    if source is None:
        print_bytes(pkgutil.get_data("prototools.makefiles", "prototools.mk") or b"")
        sys.exit(DONE)
    if out is None:
        raise click.UsageError("SRC and OUT must be given together")
    sys.exit(_write(source, out, options))


def _write(source: str, out: str, options: Dict[str, str]) -> int:
    from prototools.makefiles.rules import write_rules

    try:
        write_rules(source, out, options)
    except PrototoolsError as error:
        say(str(error))
        return FAILED
    return DONE
