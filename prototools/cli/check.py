"""prototools check."""

from __future__ import annotations

from typing import Optional, Tuple

from prototools import files
from prototools.cli.parsing import Parser, parsed
from prototools.cli.values import shape_option, shapes_of, state_options
from prototools.cli.verdict import DONE, FOUND, worst
from prototools.net import Net
from prototools.prototext import parse


def options(parser: Parser) -> None:
    """The options of `check`."""
    parser.argument("nets", "NET", nargs="+")
    parser.option("--weights", metavar="FILE", help="A caffemodel to check the net against.")
    shape_option(parser)
    state_options(parser)


@parsed(options)
def command(nets: Tuple[str, ...], weights: Optional[str], shapes, phase: str, stages: Tuple[str, ...],
            level: int) -> int:
    """Say what will go wrong when stock Caffe loads NET, a line for each, with the cure.

    Exit 1 if there is anything.
    """
    given = shapes_of(shapes)

    def job(path: str) -> int:
        from prototools.check import check

        findings = check(Net(parse(files.read(path))), weights, given, phase, stages=stages, level=level)
        for finding in findings:
            place = path if finding.line is not None else weights
            print(f"{place}:{'' if finding.line is not None else ' '}{finding}")
        return FOUND if findings else DONE

    return worst(nets, job)
