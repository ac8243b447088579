"""prototools check."""

from __future__ import annotations

from typing import Optional, Tuple

import click

from prototools import files
from prototools.cli.verdict import DONE, FOUND, each, shape_option
from prototools.net import Net
from prototools.prototext import parse


@click.command()
@click.argument("nets", nargs=-1, required=True, metavar="NET...")
@click.option("--weights", metavar="FILE", help="A caffemodel to check the net against.")
@click.option("--shape", "shapes", multiple=True, metavar="BLOB=N,C,H,W",
              help="Give or override the shape of a blob. Repeatable.")
@click.option("--phase", type=click.Choice(["TRAIN", "TEST"]), default="TEST", show_default=True,
              help="The phase that the net is built for.")
def command(nets: Tuple[str, ...], weights: Optional[str], shapes, phase: str) -> None:
    """Say what will go wrong when stock Caffe loads NET, a line for each, with the cure.

    Exit 1 if there is anything.
    """
    given = shape_option(shapes)

    def job(path: str) -> int:
        from prototools.check import check

        findings = check(Net(parse(files.read(path))), weights, given, phase)
        for finding in findings:
            place = path if finding.line is not None else weights
            click.echo(f"{place}:{'' if finding.line is not None else ' '}{finding}")
        return FOUND if findings else DONE

    each(nets, job)
