"""prototools caffe setup, run and tool."""

from __future__ import annotations

import sys
from typing import Optional, Tuple

import click

from prototools.cli.verdict import FAILED, say
from prototools.errors import PrototoolsError

PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.group()
def command() -> None:
    """Set up and use real Caffe, without root and without a build.

    It is Debian 11's Caffe 1.0 for the CPU, with its Python, in a folder of its own.
    """


@command.command()
@click.option("--directory", metavar="DIR", help="Where to put it; otherwise below the cache folder.")
@click.option("--blas", type=click.Choice(["openblas", "reference"]), default="openblas",
              show_default=True, help="openblas is far faster and takes 43 MB more.")
@click.option("--force", is_flag=True, help="Make it again although it is there.")
def setup(directory: Optional[str], blas: str, force: bool) -> None:
    """Fetch and unpack real Caffe: some 30 MB, a few seconds."""
    from prototools import realcaffe

    try:
        made = realcaffe.setup(directory, blas, force, progress=say)
    except PrototoolsError as error:
        say(str(error))
        sys.exit(FAILED)
    click.echo(realcaffe.describe(made))


@command.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED)
def run(arguments: Tuple[str, ...]) -> None:
    """Run a command of Caffe's own environment: run -- python3 script.py."""
    _run(arguments)


@command.command(context_settings=PASS_ON)
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def tool(name: str, arguments: Tuple[str, ...]) -> None:
    """Run one of Caffe's tools: tool upgrade_net_proto_text IN OUT."""
    _run((name, *arguments))


def _run(arguments: Tuple[str, ...]) -> None:
    from prototools import realcaffe

    installation = realcaffe.find()
    if installation is None:
        say("real Caffe must be set up first; run: prototools caffe setup")
        sys.exit(FAILED)
    try:
        code = installation.run(arguments).returncode
    except PrototoolsError as error:
        say(str(error))
        sys.exit(FAILED)
    sys.exit(code if code >= 0 else 128 - code)
