"""prototools render."""

from __future__ import annotations

from typing import Optional, Tuple

from prototools import files
from prototools.cli.delivery import print_bytes
from prototools.cli.parsing import Parser, UsageError, parsed
from prototools.cli.values import value_files, value_option, values_of
from prototools.cli.verdict import DONE, attempt, say


def options(parser: Parser) -> None:
    """The options of `render`."""
    parser.argument("template", "TEMPLATE", nargs="?")
    value_option(parser)
    parser.option("-o", "--output", metavar="OUT", help="Write the network to this file.")
    parser.option("--depfile", metavar="FILE",
                  help="Write a rule for Make that names every file OUT was made from.")
    parser.flag("--list", dest="listed", help="List the networks that prototools brings, and their values.")


@parsed(options)
def command(template: Optional[str], values: Tuple[str, ...], output: Optional[str], depfile: Optional[str],
            listed: bool) -> int:
    """Make a network from TEMPLATE: a Jinja2 file, a prototxt with $NAMEs, or a name that --list tells.

    The result is parsed and checked before it is given. Without -o it goes to standard output.
    """
    if listed:
        return _list()
    if not template:
        raise UsageError("TEMPLATE must be given, or --list")
    if depfile and not output:
        raise UsageError("--depfile needs -o OUT, the file that it speaks of")
    return attempt(lambda path: _render(path, values, output, depfile), template)


def _render(template: str, given: Tuple[str, ...], output: Optional[str], depfile: Optional[str]) -> int:
    from prototools.rendering import rendering

    made = rendering(template, values_of(given))
    text = made.text.encode("utf-8", "surrogateescape")
    if depfile:
        from prototools.makefiles.names import depfile as rule

        parts = [part for part in made.parts.values() if part]
        files.write(depfile, rule(output, [template, *parts, *value_files(given)]).encode("utf-8", "surrogateescape"))
    for note in made.notes:
        say(f"{note}; left as it is, because the net is for another Caffe")
    if output:
        files.write(output, text)
    else:
        print_bytes(text)
    return DONE


def _list() -> int:
    from prototools.rendering import shipped

    for name, comment in shipped().items():
        print(f"{name}\n" + "".join(f"    {line}\n" for line in comment.split("\n")))
    return DONE
