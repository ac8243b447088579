"""The command line: one file for each command, loaded when it is called.

Standard output is the product, standard error the commentary, the exit code the verdict:
0 done, 1 found something, 2 could not do the job.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any, Dict, List, Optional

import click

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


class LazyGroup(click.Group):
    """A group that imports a command's file when that command is called."""

    def main(self, *arguments: Any, **settings: Any) -> Any:
        """Run a command; where its output cannot be written, a sentence and exit code 2."""
        for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
            # Closed by the caller: the next file to be opened would take its place.
            if getattr(sys, name) is None:
                setattr(sys, name, open(os.devnull, mode))
        # Names of layers and files may be no Unicode; they come out as they came in.
        sys.stdout.reconfigure(errors="surrogateescape")
        try:
            try:
                return super().main(*arguments, **settings)
            finally:
                sys.stdout.flush()
        except OSError as error:
            # What is left in the buffer must go somewhere when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            if error.errno != errno.EPIPE:
                click.echo(f"{error.filename or 'standard output'}: cannot be written: {error.strerror}", err=True)
            sys.exit(2 if error.errno != errno.EPIPE else 1)

    def invoke(self, context: click.Context) -> Any:
        """Run the command; Ctrl-C is no verdict, so the exit code is 2."""
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            sys.exit(2)

    def list_commands(self, context: click.Context) -> List[str]:
        """All commands, in the table's order."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> Optional[click.Command]:
        """One command by name."""
        if name not in COMMANDS:
            return None
        return importlib.import_module(f"prototools.cli.{name.replace('-', '_')}").command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, context: click.Context, arguments: List[str]):
        """The command to run; a near name is offered for one that does not exist."""
        try:
            return super().resolve_command(context, arguments)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(arguments[0], COMMANDS, 1)
            if near and "Did you mean" not in str(error):
                error.message += f" Did you mean {near[0]!r}?"
            raise


def _version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from prototools import __version__

        click.echo(f"prototools {__version__}")
        context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Print the version and exit.",
)
def main() -> None:
    """Generate and rewrite Caffe networks."""
