"""prototools shapes."""

from __future__ import annotations

import json
import sys
from typing import Tuple

import click

from prototools import files
from prototools.cli.verdict import DONE, FOUND, each, say, shape_option
from prototools.net import Net, NetState
from prototools.prototext import parse


@click.command()
@click.argument("nets", nargs=-1, required=True, metavar="NET...")
@click.option("--phase", type=click.Choice(["TRAIN", "TEST"]), default="TEST", show_default=True,
              help="The phase that the net is built for.")
@click.option("--shape", "shapes", multiple=True, metavar="BLOB=N,C,H,W",
              help="Give or override the shape of a blob. Repeatable.")
@click.option("--dialect", "dialects", multiple=True, metavar="NAME",
              help="Read ambiguous custom layers as this fork does. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; unknown dims are null.")
def command(nets: Tuple[str, ...], phase: str, shapes, dialects, as_json: bool) -> None:
    """Print every layer's output shape, parameters and multiply-adds.

    Exit 1, with a sentence, where Caffe would refuse the net.
    """
    given = shape_option(shapes)

    def job(path: str) -> int:
        from prototools.dialects.shapes import infer_custom
        from prototools.shapes import as_dictionary, rows

        net = Net(parse(files.read(path))).filtered(NetState(phase))
        inference = infer_custom(net, given, dialects)
        if as_json:
            click.echo(json.dumps(as_dictionary(net, inference)))
        else:
            _table(rows(net, inference))
        for error in inference.errors:
            say(f"{path}:{error}")
        return FOUND if inference.errors else DONE

    each(nets, job)


def _table(rows) -> None:
    from tabulate import tabulate

    headers = ["layer", "type", "output", "parameters", "multiply-adds"]
    sys.stdout.write(tabulate(rows, headers, disable_numparse=True) + "\n")
