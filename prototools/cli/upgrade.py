"""prototools upgrade."""

from __future__ import annotations

from typing import Dict, Iterable, Optional, Tuple

import click

from prototools import files
from prototools.cli.delivery import deliver, delivery_options, one_way_out
from prototools.cli.verdict import DONE, FOUND, each, say
from prototools.upgrading import Upgraded, upgrade


@click.command()
@click.argument("nets", nargs=-1, required=True, metavar="NET...")
@delivery_options
@click.option("--type", "types", multiple=True, metavar="OLD=NEW",
              help="Say what a fork's V1 type is called today. Repeatable.")
@click.option("--mixed", is_flag=True,
              help="Upgrade layers beside layer, each where it stands; Caffe refuses such files.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what was lost or needs a look.")
def command(nets: Tuple[str, ...], output: Optional[str], in_place: bool, diff: bool, check: bool,
            types: Tuple[str, ...], mixed: bool, quiet: bool) -> None:
    """Bring NET, a network or a solver of an old form, to the current one, as Caffe's own tools do.

    Comments, order, spellings and fields that Caffe does not know stay.
    Without an output option the text goes to standard output; NET may be - for standard input.
    Exit 1 where Caffe's tool ends with 1: it dropped a parameter that the layer does not take.
    """
    way = one_way_out(nets, output, in_place, diff, check)
    settings = {"types": _types(types), "mixed": mixed}

    def job(path: str) -> int:
        data = files.read(path)
        result = upgrade(data, **settings)
        _comment(path, result, quiet)
        return max(FOUND if result.problems else DONE, deliver(path, data, result.text, way))

    each(nets, job)


def _types(values: Iterable[str]) -> Dict[str, str]:
    """`OLD=NEW` as a dictionary."""
    types = {}
    for value in values:
        old, found, new = value.partition("=")
        if not old or not new:
            raise click.BadParameter(f"must be OLD=NEW, but is {value!r}", param_hint="--type")
        types[old] = new
    return types


def _comment(path: str, result: Upgraded, quiet: bool) -> None:
    """What was done and what was lost, a line each on standard error."""
    for step in () if quiet else result.steps:
        say(f"{path}: {step}")
    for note in result.notes:
        say(f"{path}:{note}" if note.line is not None else f"{path}: {note}")
