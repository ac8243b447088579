"""prototools upgrade."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterable, Optional, Tuple

from prototools import files
from prototools.cli.delivery import Delivery, deliver, delivery_options, one_way_out, weights_both, weights_options
from prototools.cli.parsing import Parser, UsageError, parsed
from prototools.cli.verdict import DONE, FOUND, say, worst
from prototools.upgrading import Upgraded, is_binary, upgrade, upgrade_weights

#: Bytes that tell a binary net from a prototxt.
SAMPLE = 1 << 16


def options(parser: Parser) -> None:
    """The options of `upgrade`."""
    parser.argument("nets", "FILE", nargs="+")
    delivery_options(parser)
    weights_options(parser, "A caffemodel that belongs to FILE, to be upgraded with it.",
                    "Write the upgraded caffemodel to this file.")
    parser.repeatable("--type", dest="types", metavar="OLD=NEW", help="Say what a fork's V1 type is called today.")
    parser.flag("--mixed", help="Upgrade layers beside layer, each where it stands; Caffe refuses such files.")
    parser.flag("-q", "--quiet", help="Say only what was lost or needs a look.")


@parsed(options)
def command(nets: Tuple[str, ...], output: Optional[str], in_place: bool, diff: bool, check: bool,
            weights: Optional[str], weights_out: Optional[str], types: Tuple[str, ...], mixed: bool,
            quiet: bool) -> int:
    """Bring FILE, of an old form, to the current one, as Caffe's own upgrade tools do.

    FILE is a network, a solver, or a binary net such as a caffemodel; - is standard input.
    In text, comments, order, spellings and fields that Caffe does not know stay.
    Without an output option a text goes to standard output; a binary net needs one.

    Exit 1 where Caffe's tool ends with 1: the result is written, but a parameter was dropped because
    its layer does not take it. Everything else that Caffe drops is named on standard error.
    """
    way = one_way_out(nets, output, in_place, diff, check)
    weights_both(nets, weights, weights_out, way)
    settings = {"types": _types(types), "mixed": mixed}

    def job(path: str) -> int:
        if os.path.isfile(path) and is_binary(files.read(path, SAMPLE)):
            return _binary(path, way, quiet, settings)
        data = files.read(path)
        if is_binary(data[:SAMPLE]):
            raise files.FileError("a binary net must be a file; standard input and pipes take text")
        result = upgrade(data, **settings)
        verdict = _comment(path, result, quiet)
        if weights:
            # Before the net is written, so that a broken caffemodel leaves both as they were.
            verdict = max(verdict, _comment(weights, upgrade_weights(weights, weights_out, **settings), quiet))
        return max(verdict, deliver(path, data, result.text, way))

    return worst(nets, job)


def _types(values: Iterable[str]) -> Dict[str, str]:
    """`OLD=NEW` as a dictionary."""
    types = {}
    for value in values:
        old, _, new = value.partition("=")
        if not old or not new:
            raise UsageError(f"--type must be OLD=NEW, but is {value!r}")
        types[old] = new
    return types


def _binary(path: str, way: Delivery, quiet: bool, settings: Dict[str, Any]) -> int:
    """A binary net; --diff has nothing to show but the steps."""
    if way.writes_nothing:
        result = upgrade_weights(path, **settings)
        return max(_comment(path, result, quiet), FOUND if result.steps else DONE)
    if way.output or way.in_place:
        return _comment(path, upgrade_weights(path, way.output or path, **settings), quiet)
    raise files.FileError(f"{path}: a binary net goes to a file; give -o OUT or --in-place")


def _comment(path: str, result: Upgraded, quiet: bool) -> int:
    """What was done and what was lost, a line each on standard error; the verdict."""
    for step in () if quiet else result.steps:
        say(f"{path}: {step}")
    for note in result.notes:
        say(f"{path}:{note}" if note.line is not None else f"{path}: {note}")
    return FOUND if result.problems else DONE
