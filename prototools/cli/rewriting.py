"""How networks are rewritten: the options that are the same for one file and for many."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator

import click

from prototools.errors import PrototoolsError


def rewriting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `rewrite` takes in Python under the same names, but for `shapes`, and `partial`."""
    for option in (
        click.option("--partial", is_flag=True, help="Write what could be done although some layer was refused."),
        click.option("--accept", multiple=True, type=click.Choice(["border"]),
                     help="Take blocks that differ near the border."),
        click.option("--filler-safe", is_flag=True,
                     help="Avoid bilinear kernels that Caffe 1.0 and older fill wrongly."),
        click.option("--prefer", type=click.Choice(["deconvolution", "speed", "memory"]), default="deconvolution",
                     show_default=True, help="What to choose blocks by; the fastest ones need weights."),
        click.option("--lowering", metavar="NAME", help="Force one form of block."),
        click.option("--dialect", multiple=True, metavar="NAME",
                     help="Read ambiguous layers as this fork does. Repeatable."),
        click.option("--shape", "shapes", multiple=True, metavar="BLOB=N,C,H,W",
                     help="Give or override the shape of a blob. Repeatable."),
    ):
        command = option(command)
    return command


@contextmanager
def usage() -> Iterator[None]:
    """A name that does not exist is a usage error, not one of a file."""
    try:
        yield
    except PrototoolsError:
        raise
    except ValueError as error:
        raise click.UsageError(str(error)) from None
