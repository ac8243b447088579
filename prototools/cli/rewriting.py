"""How networks are rewritten: the options that are the same for one file and for many."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from prototools.cli.parsing import Parser, UsageError
from prototools.cli.values import dialect_option, shape_option
from prototools.errors import PrototoolsError


def rewriting_options(parser: Parser) -> None:
    """The options that `rewrite` takes in Python under the same names, but for `shapes`, and `partial`."""
    shape_option(parser)
    dialect_option(parser)
    parser.option("--lowering", metavar="NAME", help="Force one form of block.")
    parser.option("--prefer", choices=["deconvolution", "speed", "memory"], default="deconvolution",
                  help="What to choose blocks by; the fastest ones need weights.")
    parser.flag("--filler-safe", help="Avoid bilinear kernels that Caffe 1.0 and older fill wrongly.")
    parser.repeatable("--accept", choices=["border"], help="Take blocks that differ near the border.")
    parser.flag("--partial", help="Write what could be done although some layer was refused.")


@contextmanager
def usage() -> Iterator[None]:
    """A name that does not exist is a usage error, not one of a file."""
    try:
        yield
    except PrototoolsError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None
