"""prototools render."""

from __future__ import annotations

import sys
from typing import Any, Dict, Optional, Tuple

import click

from prototools import files
from prototools.cli.delivery import print_bytes
from prototools.cli.verdict import DONE, attempt, value_option


@click.command()
@click.argument("template", required=False, metavar="TEMPLATE")
@click.option("-D", "values", multiple=True, metavar="NAME=VALUE",
              help="A value: a number, true or false, JSON, a text, or @FILE with JSON in it. Repeatable.")
@click.option("-o", "--output", metavar="OUT", help="Write the network to this file.")
@click.option("--list", "listed", is_flag=True, help="List the networks that prototools brings, and their values.")
def command(template: Optional[str], values: Tuple[str, ...], output: Optional[str], listed: bool) -> None:
    """Make a network from TEMPLATE: a Jinja2 file, a prototxt with $NAMEs, or a name that --list tells.

    The result is parsed and checked before it is given. Without -o it goes to standard output.
    """
    if listed:
        sys.exit(_list())
    if not template:
        raise click.UsageError("TEMPLATE must be given, or --list")
    sys.exit(attempt(lambda path: _render(path, _values(values), output), template))


def _render(template: str, values: Dict[str, Any], output: Optional[str]) -> int:
    from prototools.rendering import render

    text = render(template, **values).encode("utf-8", "surrogateescape")
    if output:
        files.write(output, text)
    else:
        print_bytes(text)
    return DONE


def _list() -> int:
    from prototools.rendering import shipped

    for name, comment in shipped().items():
        click.echo(f"{name}\n" + "".join(f"    {line}\n" for line in comment.split("\n")))
    return DONE


def _values(given: Tuple[str, ...]) -> Dict[str, Any]:
    """`NAME=VALUE` as a dictionary; what is no JSON is a text."""
    import json

    values = {}
    for name, value in value_option(given).items():
        from_file = value.startswith("@")
        try:
            values[name] = json.loads(files.read(value[1:]) if from_file else value)
        except files.FileError as error:
            raise click.BadParameter(str(error), param_hint="-D") from None
        except ValueError as error:
            if from_file:
                raise click.BadParameter(f"{value[1:]}: must hold JSON, but {error}", param_hint="-D") from None
            values[name] = value
    return values
