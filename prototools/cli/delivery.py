"""Where a command's result goes: standard output, a file, the same file, a diff, or nowhere."""

from __future__ import annotations

import sys
from typing import NamedTuple, Optional, Tuple

from prototools import files
from prototools.cli.parsing import Parser, UsageError
from prototools.cli.verdict import DONE, FOUND


class Delivery(NamedTuple):
    """The user's choice; at most one is set."""

    output: Optional[str]
    in_place: bool
    diff: bool
    check: bool

    @property
    def writes_nothing(self) -> bool:
        """Whether the user only wants to know what would change."""
        return self.diff or self.check


def delivery_options(parser: Parser) -> None:
    """The four options, for commands that turn NET into another text."""
    parser.option("-o", "--output", metavar="OUT", help="Write the result to this file.")
    parser.flag("--in-place", help="Write each result over the file it was made from.")
    parser.flag("--diff", help="Print a diff and write nothing; 1 if there is one.")
    parser.flag("--check", help="Write nothing; 1 if something would change.")


def weights_options(parser: Parser, weights: str, weights_out: str) -> None:
    """`--weights` and `--weights-out`, for commands that change a caffemodel with its net."""
    parser.option("--weights", metavar="IN", help=weights)
    parser.option("--weights-out", metavar="OUT", help=weights_out)


def one_way_out(nets: Tuple[str, ...], output: Optional[str], in_place: bool, diff: bool, check: bool) -> Delivery:
    """At most one of the options that say where the result goes; a usage error otherwise."""
    chosen = [name for name, on in (("-o", output), ("--in-place", in_place), ("--diff", diff),
                                    ("--check", check)) if on]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} cannot be used together")
    if output and len(nets) > 1:
        raise UsageError("-o takes one NET; use --in-place, or call once for each file")
    if in_place and "-" in nets:
        raise UsageError("--in-place needs a file, not standard input")
    return Delivery(output, in_place, diff, check)


def weights_both(nets: Tuple[str, ...], weights: Optional[str], weights_out: Optional[str], way: Delivery) -> None:
    """Weights come in and go out, for one net, and only where that net is written too."""
    if bool(weights) != bool(weights_out):
        raise UsageError("--weights and --weights-out must be given together")
    if weights and len(nets) > 1:
        raise UsageError("--weights takes one NET; call once for each file")
    if weights and way.writes_nothing:
        raise UsageError("--weights cannot be used with --diff or --check, which write nothing")


def deliver(path: str, before: bytes, after: bytes, way: Delivery) -> int:
    """Put one file's result where the user wants it; FOUND where --diff or --check see a change."""
    if way.diff:
        print_bytes(_diff(path, before, after))
    if way.writes_nothing:
        return FOUND if before != after else DONE
    if way.output or way.in_place:
        files.write(way.output or path, after, before if way.in_place else None)
    else:
        print_bytes(after)
    return DONE


def print_bytes(data: bytes) -> None:
    """Bytes on standard output as they are, and all: without a buffer of Python's it takes only what fits."""
    out, left = sys.stdout.buffer, memoryview(data)
    while left:
        left = left[out.write(left):]
    out.flush()


def _diff(path: str, before: bytes, after: bytes) -> bytes:
    import difflib

    lines = [text.decode("utf-8", "surrogateescape").splitlines(True) for text in (before, after)]
    diff = difflib.unified_diff(*lines, path, path)
    text = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
                   for line in diff)
    return text.encode("utf-8", "surrogateescape")
