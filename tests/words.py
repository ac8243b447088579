"""Words of a command and what they mean; without pytest, so that old Pythons read them too."""

from __future__ import annotations

from typing import Any, Dict

from prototools.cli.parsing import Parser, count, whole_number


def options(parser: Parser) -> None:
    parser.argument("nets", "NET", nargs="+")
    parser.option("-o", "--output", metavar="OUT", help="Where to.")
    parser.option("--seed", type=whole_number, default=1, help="Of the numbers.")
    parser.option("-j", "--jobs", type=count, metavar="N", help="How many.")
    parser.repeatable("-D", dest="values", metavar="NAME=VALUE", help="A value.")
    parser.option("--phase", choices=["TRAIN", "TEST"], default="TEST", help="The phase.")
    parser.flag("--in-place", help="Over it.")
    parser.flag("-q", "--quiet", help="Say little.")


USUAL: Dict[str, Any] = {"output": None, "seed": 1, "jobs": None, "values": [], "phase": "TEST", "in_place": False,
                         "quiet": False}

#: Words, and what differs from the usual.
READ = {
    "a": {"nets": ["a"]},
    "a b c": {"nets": ["a", "b", "c"]},
    "-q a": {"nets": ["a"], "quiet": True},
    "a -q": {"nets": ["a"], "quiet": True},
    "a -q b": {"nets": ["a", "b"], "quiet": True},
    "a -o x b -q c": {"nets": ["a", "b", "c"], "output": "x", "quiet": True},
    "a -ox": {"nets": ["a"], "output": "x"},
    "a -o=x": {"nets": ["a"], "output": "x"},
    "a --output=x": {"nets": ["a"], "output": "x"},
    "a --output=--x": {"nets": ["a"], "output": "--x"},
    "a -qj4": {"nets": ["a"], "quiet": True, "jobs": 4},
    "a --seed -1": {"nets": ["a"], "seed": -1},
    "a --seed=-1": {"nets": ["a"], "seed": -1},
    "-": {"nets": ["-"]},
    "- -q": {"nets": ["-"], "quiet": True},
    "-q -": {"nets": ["-"], "quiet": True},
    "a -o -": {"nets": ["a"], "output": "-"},
    "-- a": {"nets": ["a"]},
    "-- -a": {"nets": ["-a"]},
    "a -q -- -q --foo": {"nets": ["a", "-q", "--foo"], "quiet": True},
    "a -- -- b": {"nets": ["a", "--", "b"]},
    "-D x=1 a -D y=-2": {"nets": ["a"], "values": ["x=1", "y=-2"]},
    "a -D x=1 b": {"nets": ["a", "b"], "values": ["x=1"]},
    "a --in-place --phase TRAIN": {"nets": ["a"], "in_place": True, "phase": "TRAIN"},
    "@file": {"nets": ["@file"]},
}


def read(words: str) -> Dict[str, Any]:
    """What a program with these options makes of the words; tuples are lists, as in JSON."""
    parser = Parser("program", "What it does.")
    options(parser)
    values = parser.read(words.split())
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
