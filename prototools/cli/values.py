"""The values of templates on the command line."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List

import click

from prototools import files
from prototools.errors import shortened

#: Python's own words, which JSON has not; as texts both would be true.
WORDS = {"True": True, "False": False}


def value_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`-D NAME=VALUE`, as `values`."""
    return click.option(
        "-D", "values", multiple=True, metavar="NAME=VALUE",
        help="A template's value: a number, true or false, JSON, a text, or @FILE with JSON in it. Repeatable.",
    )(command)


def texts_of(given: Iterable[str]) -> Dict[str, str]:
    """`NAME=VALUE` as a dictionary of texts."""
    named = {}
    for one in given:
        name, found, value = one.partition("=")
        if not found or not name.isidentifier():
            raise click.BadParameter(f"must be NAME=VALUE, but is {one!r}", param_hint="-D")
        named[name] = value
    return named


def values_of(given: Iterable[str]) -> Dict[str, Any]:
    """`NAME=VALUE` as a dictionary; what is no JSON is a text."""
    import json

    values: Dict[str, Any] = {}
    for name, value in texts_of(given).items():
        from_file = value.startswith("@")
        try:
            values[name] = json.loads(files.read(value[1:]) if from_file else value)
        except RecursionError:
            raise click.BadParameter(f"{shortened(value)}: nested too deeply", param_hint="-D") from None
        except files.FileError as error:
            raise click.BadParameter(str(error), param_hint="-D") from None
        except ValueError as error:
            if from_file:
                raise click.BadParameter(f"{value[1:]}: must hold JSON, but {error}", param_hint="-D") from None
            values[name] = WORDS.get(value, value)
    return values


def value_files(given: Iterable[str]) -> List[str]:
    """The files that values are read from."""
    return [value[1:] for value in (one.partition("=")[2] for one in given) if value.startswith("@")]
