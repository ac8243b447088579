"""prototools to-python."""

from __future__ import annotations

from typing import Optional

from prototools import files
from prototools.cli.delivery import print_bytes
from prototools.cli.parsing import Parser, parsed
from prototools.cli.verdict import DONE, attempt


def options(parser: Parser) -> None:
    """The options of `to-python`."""
    parser.argument("net", "NET")
    parser.option("-o", "--output", metavar="OUT", help="Write the code to this file.")


@parsed(options)
def command(net: str, output: Optional[str]) -> int:
    """Write Python code for NET that builds an equal network with prototools' NetSpec.

    Layers that are alike are not made into loops. Nets of old forms are upgraded first, as Caffe does when
    it loads them. NET may be - for standard input. A layer of a fork has no place in Caffe's messages and is
    an error; `prototools rewrite` replaces custom resize layers.
    """
    def job(path: str) -> int:
        from prototools.netspec import NetSpec

        code = NetSpec.from_prototxt(files.read(path)).to_python().encode("utf-8")
        if output:
            files.write(output, code)
        else:
            print_bytes(code)
        return DONE

    return attempt(job, net)
