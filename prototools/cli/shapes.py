"""prototools shapes."""

from __future__ import annotations

import json
from typing import Tuple

from prototools import files
from prototools.cli.parsing import Parser, parsed
from prototools.cli.values import dialect_option, shape_option, shapes_of, state_options
from prototools.cli.verdict import DONE, FOUND, say, worst
from prototools.net import Net, NetState
from prototools.prototext import parse


def options(parser: Parser) -> None:
    """The options of `shapes`."""
    parser.argument("nets", "NET", nargs="+")
    state_options(parser)
    shape_option(parser)
    dialect_option(parser)
    parser.flag("--json", dest="as_json", help="Print JSON; unknown dims are null.")


@parsed(options)
def command(nets: Tuple[str, ...], phase: str, stages: Tuple[str, ...], level: int, shapes, dialect,
            as_json: bool) -> int:
    """Print every layer's output shape, parameters and multiply-adds.

    Exit 1, with a sentence, where Caffe would refuse the net.
    """
    given = shapes_of(shapes)

    def job(path: str) -> int:
        from prototools.dialects.shapes import infer_custom
        from prototools.shapes import as_dictionary, rows

        net = Net(parse(files.read(path))).filtered(NetState(phase, level, tuple(stages)))
        inference = infer_custom(net, given, dialect)
        if as_json:
            print(json.dumps(as_dictionary(net, inference)))
        else:
            print(_table(rows(net, inference)))
        for error in inference.errors:
            say(f"{path}:{error}")
        return FOUND if inference.errors else DONE

    return worst(nets, job)


def _table(rows) -> str:
    from tabulate import tabulate

    headers = ["layer", "type", "output", "parameters", "multiply-adds"]
    return tabulate(rows, headers, disable_numparse=True)
