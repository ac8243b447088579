"""prototools caffe setup, run and tool."""

from __future__ import annotations

from typing import Dict, Optional, Sequence

from prototools.cli.parsing import Parser, chosen, parsed
from prototools.cli.verdict import DONE, FAILED, say
from prototools.errors import PrototoolsError

ABOUT = """Set up and use real Caffe, without root and without a build.

It is Debian 11's Caffe 1.0 for the CPU, with its Python, in a folder of its own.
"""

#: The commands below this one, with their short help.
COMMANDS: Dict[str, str] = {
    "setup": "Fetch and unpack real Caffe: some 30 MB, a few seconds.",
    "run": "Run a command of Caffe's own environment: run -- python3 script.py.",
    "tool": "Run one of Caffe's tools: tool upgrade_net_proto_text IN OUT.",
}


def command(program: str, words: Sequence[str]) -> int:
    """Run the command that the words call."""
    name, rest = chosen(program, ABOUT, COMMANDS, words)
    program = f"{program} {name}"
    return setup(program, rest) if name == "setup" else passed_on(program, COMMANDS[name], rest)


def options(parser: Parser) -> None:
    """The options of `caffe setup`."""
    parser.option("--directory", metavar="DIR", help="Where to put it; otherwise below the cache folder.")
    parser.option("--blas", choices=["openblas", "reference"], default="openblas",
                  help="openblas is far faster and takes 43 MB more.")
    parser.flag("--force", help="Make it again although it is there.")


@parsed(options)
def setup(directory: Optional[str], blas: str, force: bool) -> int:
    """Fetch and unpack real Caffe: some 30 MB, a few seconds."""
    from prototools import realcaffe

    try:
        print(realcaffe.describe(realcaffe.setup(directory, blas, force, progress=say)))
    except PrototoolsError as error:
        say(str(error))
        return FAILED
    return DONE


def passed_on(program: str, about: str, words: Sequence[str]) -> int:
    """Run a command or a tool; its words are not ours, but for `--` before them."""
    words = words[1:] if words[:1] == ["--"] else words
    parser = Parser(program, about)
    parser.argument("name", "NAME")
    parser.usage = f"{program} NAME ..."
    parser.read(words[:1])

    from prototools import realcaffe

    installation = realcaffe.find()
    if installation is None:
        say("real Caffe must be set up first; run: prototools caffe setup")
        return FAILED
    try:
        code = installation.run(words).returncode
    except PrototoolsError as error:
        say(str(error))
        return FAILED
    return code if code >= 0 else 128 - code
