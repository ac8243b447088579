"""prototools makefile."""

from __future__ import annotations

import pkgutil
from typing import Dict, Optional

from prototools.cli.delivery import print_bytes
from prototools.cli.parsing import Parser, UsageError, parsed
from prototools.cli.verdict import DONE, FAILED, say
from prototools.errors import PrototoolsError


def options(parser: Parser) -> None:
    """The options of `makefile`."""
    parser.argument("source", "SRC", nargs="?")
    parser.argument("out", "OUT", nargs="?")
    parser.option("--args", dest="rewrite", default="", metavar="OPTIONS", help="Options of rewrite, to be remembered.")
    parser.option("--values", dest="render", default="", metavar="OPTIONS", help="Options of render, to be remembered.")
    parser.option("--verify-args", dest="verify", default="", metavar="OPTIONS",
                  help="Options of verify, to be remembered.")


@parsed(options)
def command(source: Optional[str], out: Optional[str], **remembered: str) -> int:
    """Print prototools.mk, a makefile to include in your own; its head says how.

    With SRC and OUT, which is how that makefile calls it, the rules for the networks below SRC are written to
    OUT/.prototools/rules.mk instead, and the options to stamps beside it. Options that begin with a dash must be
    joined: --args=--filler-safe.
    """
    if source is None:
        print_bytes(pkgutil.get_data("prototools.makefiles", "prototools.mk") or b"")
        return DONE
    if out is None:
        raise UsageError("SRC and OUT must be given together")
    return _write(source, out, remembered)


def _write(source: str, out: str, options: Dict[str, str]) -> int:
    from prototools.makefiles.rules import write_rules

    try:
        write_rules(source, out, options)
    except PrototoolsError as error:
        say(str(error))
        return FAILED
    return DONE
