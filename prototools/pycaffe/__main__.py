"""Run a script that was written for pycaffe: `python -m prototools.pycaffe SCRIPT [ARGUMENT...]`."""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from typing import NoReturn

import prototools
from prototools.errors import PrototoolsError
from prototools.pycaffe import stand_in


def main() -> None:
    """The script as its own program, with this module standing in as `caffe`.

    Where it asks for what cannot be, its place is told with the sentence, and the exit code is 2.
    """
    if len(sys.argv) < 2:
        _end("usage: python -m prototools.pycaffe SCRIPT [ARGUMENT...]")
    del sys.argv[0]
    if not os.path.exists(sys.argv[0]):
        _end(f"{sys.argv[0]}: there is no such script")
    stand_in()
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except PrototoolsError as error:
        _end(f"{_place(error)}: {error}")


def _end(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(2)


def _place(error: PrototoolsError) -> str:
    """The innermost line that is not our own."""
    ours = os.path.dirname(prototools.__file__) + os.sep
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if not frame.filename.startswith((ours, "<frozen"))]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else sys.argv[0]


if __name__ == "__main__":
    main()
