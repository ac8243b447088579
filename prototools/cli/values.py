"""The values that commands are given: of templates, of placeholders, of blobs and of the net's state."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Optional, Tuple

from prototools import files
from prototools.cli.parsing import Parser, UsageError, whole_number
from prototools.errors import shortened

Shapes = Dict[str, Tuple[Optional[int], ...]]

#: Python's own words, which JSON has not; as texts both would be true.
WORDS = {"True": True, "False": False}

# ---------------------------------------------------------------- the options


def value_option(parser: Parser) -> None:
    """`-D NAME=VALUE` for templates, as `values`."""
    parser.repeatable(
        "-D", dest="values", metavar="NAME=VALUE",
        help="A template's value: a number, true or false, JSON, a text, or @FILE with JSON in it.")


def placeholder_option(parser: Parser) -> None:
    """`-D NAME=VALUE` for texts with placeholders, as `values`."""
    parser.repeatable("-D", dest="values", metavar="NAME=VALUE",
                      help="Put VALUE where the text has $NAME, ${NAME} or $NAME$.")


def shape_option(parser: Parser, about: str = "Give or override the shape of a blob.") -> None:
    """`--shape BLOB=N,C,H,W`, as `shapes`."""
    parser.repeatable("--shape", dest="shapes", metavar="BLOB=N,C,H,W", help=about)


def phase_option(parser: Parser, about: str = "The phase that the net is built for.") -> None:
    """`--phase TRAIN` or `TEST`."""
    parser.option("--phase", choices=["TRAIN", "TEST"], default="TEST", help=about)


def state_options(parser: Parser, about: str = "The phase that the net is built for.") -> None:
    """`--phase`, `--stage NAME` as `stages`, and `--level`: what the rules of layers are compared with."""
    phase_option(parser, about)
    parser.repeatable("--stage", dest="stages", metavar="NAME", help="A stage that is on.")
    parser.option("--level", type=whole_number, default=0, help="The level that rules are compared with.")


def dialect_option(parser: Parser) -> None:
    """`--dialect NAME`, for custom layers of more than one meaning."""
    parser.repeatable("--dialect", metavar="NAME", help="Read ambiguous custom layers as this fork does.")


# ---------------------------------------------------------------- what they say


def shapes_of(given: Iterable[str]) -> Shapes:
    """`BLOB=N,C,H,W` as a dictionary of tuples; a dim may be unknown, written `?`."""
    shapes: Shapes = {}
    for one in given:
        blob, found, dims = one.rpartition("=")
        try:
            shapes[blob] = tuple(None if dim.strip() == "?" else int(dim) for dim in dims.split(","))
        except ValueError:
            found = ""
        if not found or not blob or any(dim is not None and dim < 0 for dim in shapes[blob]):
            raise UsageError(f"--shape must be BLOB=N,C,H,W with whole numbers, but is {one!r}")
    return shapes


def texts_of(given: Iterable[str]) -> Dict[str, str]:
    """`NAME=VALUE` as a dictionary of texts."""
    named = {}
    for one in given:
        name, found, value = one.partition("=")
        if not found or not name.isidentifier():
            raise UsageError(f"-D must be NAME=VALUE, but is {one!r}")
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
            raise UsageError(f"-D {shortened(value)}: nested too deeply") from None
        except files.FileError as error:
            raise UsageError(f"-D {error}") from None
        except ValueError as error:
            if from_file:
                raise UsageError(f"-D {value[1:]}: must hold JSON, but {error}") from None
            values[name] = WORDS.get(value, value)
    return values


def value_files(given: Iterable[str]) -> List[str]:
    """The files that values are read from."""
    return [value[1:] for value in (one.partition("=")[2] for one in given) if value.startswith("@")]
