"""The command line: one file for each command, loaded when it is called.

Standard output is the product, standard error the commentary, the exit code the verdict:
0 done, 1 found something, 2 could not do the job.
"""

from __future__ import annotations

import codecs
import errno
import importlib
import os
import sys
from typing import Dict, NoReturn, Optional, Sequence, Tuple

from prototools import __version__
from prototools.cli.parsing import chosen
from prototools.cli.verdict import FAILED, FOUND, say

#: The commands, in the order that `prototools --help` lists them, with their short help.
COMMANDS: Dict[str, str] = {
    "rewrite": "Replace custom resize layers by stock layers with the same numbers.",
    "upgrade": "Bring nets, weights and solvers of old forms to the current one.",
    "deploy": "Turn a training network into the one that is deployed.",
    "render": "Make a network from a template, and check it.",
    "to-python": "Write Python code that builds a network with NetSpec.",
    "batch": "Rewrite many files in many processes, and skip what has not changed.",
    "makefile": "Print rules for Make that convert a folder of networks.",
    "verify": "Run a network before and after, and compare the numbers.",
    "shapes": "Print every layer's output shape, parameters and multiply-adds.",
    "check": "Say what will go wrong when Caffe loads a net and its weights.",
    "compare": "Compare Caffe's upsampling recipe with skimage's and PyTorch's, as the article does.",
    "rules": "List or explain the dialects and lowerings.",
    "caffe": "Set up and use real Caffe, without root and without a build.",
}


def main(words: Optional[Sequence[str]] = None) -> NoReturn:
    """Run the command that the words call, or `sys.argv` where there are none, and leave with its verdict.

    Where its output cannot be written, that is a sentence and 2; Ctrl-C is no verdict, so it is 2 as well.
    """
    _open_streams()
    try:
        try:
            code = _run(sys.argv[1:] if words is None else words)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        say("interrupted")
        code = FAILED
    except OSError as error:
        code = FOUND if error.errno == errno.EPIPE else FAILED
        # What is left in the buffers must go somewhere when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        try:
            if code == FAILED:
                say(f"{error.filename or 'standard output'}: cannot be written: {error.strerror}")
            sys.stderr.flush()
        except OSError:
            os.dup2(nowhere, 2)
    sys.exit(code)


def _open_streams() -> None:
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        # Closed by the caller: the next file to be opened would take its place. What was closed cannot be read.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.open(os.devnull, os.O_WRONLY), mode))
    codecs.register_error("prototools", _as_it_came)  # type: ignore[arg-type]
    sys.stdout.reconfigure(errors="prototools")  # type: ignore[union-attr]


def _as_it_came(error: UnicodeEncodeError) -> Tuple[bytes, int]:
    """The bytes of a name that the terminal's encoding has not: it may be of any language, or no Unicode at all."""
    return error.object[error.start:error.end].encode("utf-8", "surrogateescape"), error.end


def _run(words: Sequence[str]) -> int:
    name, rest = chosen("prototools", "Generate and rewrite Caffe networks.", COMMANDS, words, __version__)
    file = importlib.import_module(f"prototools.cli.{name.replace('-', '_')}")
    return file.command(f"prototools {name}", rest)
