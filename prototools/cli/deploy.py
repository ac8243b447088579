"""prototools deploy."""

from __future__ import annotations

from typing import Optional, Tuple

from prototools import files
from prototools.cli.delivery import deliver, delivery_options, one_way_out
from prototools.cli.parsing import Parser, parsed
from prototools.cli.values import shape_option, shapes_of, state_options
from prototools.cli.verdict import FOUND, many, say, worst
from prototools.deploying import Deployed, deploy
from prototools.errors import named
from prototools.shapes.blob import words


def options(parser: Parser) -> None:
    """The options of `deploy`."""
    parser.argument("nets", "NET", nargs="+")
    delivery_options(parser)
    shape_option(parser, "The shape of an input; ? for a dim that the file tells.")
    state_options(parser, "The phase whose layers stay.")
    parser.flag("--keep-branches", help="Keep the side branches of auxiliary losses.")
    parser.flag("--strip", help="Take out fillers and learning rates, which only training needs.")
    parser.flag("-q", "--quiet", help="Say one line for each file, not one for each layer.")


@parsed(options)
def command(nets: Tuple[str, ...], output: Optional[str], in_place: bool, diff: bool, check: bool, shapes,
            phase: str, stages: Tuple[str, ...], level: int, keep_branches: bool, strip: bool, quiet: bool) -> int:
    """Turn the training network NET into the one that is deployed.

    Data layers become inputs; losses, measurements, labels and what serves only these go; Softmax takes the
    place of SoftmaxWithLoss. Layers that stay keep their names, so that the weights load, and their text.

    Without an output option the text goes to standard output; NET may be - for standard input.
    Exit 1, with nothing written, where a shape is not known or Caffe would refuse the result.
    """
    way = one_way_out(nets, output, in_place, diff, check)
    given = shapes_of(shapes)

    def job(path: str) -> int:
        data = files.read(path)
        result = deploy(data, shapes=given, phase=phase, stages=stages, level=level,
                        keep_branches=keep_branches, strip=strip)
        _comment(path, result, quiet, result.text != data)
        return FOUND if result.refusals else deliver(path, data, result.text, way)

    return worst(nets, job)


def _comment(path: str, result: Deployed, quiet: bool, changed: bool) -> None:
    """A line for each layer on standard error, and one for the net; refusals always."""
    for refusal in result.refusals:
        say(f"{path}:{refusal}")
    if result.refusals:
        say(f"{path}: nothing written")
        return
    for change in () if quiet else result.changes:
        say(f"{path}:{change.line}: {named(change.layer)}: {change.type} {change.did}: {change.what}")
    for note in result.notes:
        say(f"{path}: {note}")
    if not changed:
        say(f"{path}: nothing to do, it is deployed already")
        return
    inputs = [f"{name} {words(shape)}" for name, shape in result.inputs.items()]
    say(f"{path}: {many(_count(result), 'layer')} removed, inputs {', '.join(inputs) or 'none'}, "
        f"outputs {', '.join(result.outputs)}")


def _count(result: Deployed) -> int:
    return sum(change.did == "removed" for change in result.changes)
