"""Run a script that was written for pycaffe: `python -m prototools.pycaffe SCRIPT [ARGUMENT...]`."""

from __future__ import annotations

import os
import runpy
import sys

from prototools.pycaffe import stand_in


def main() -> None:
    """The script as its own program, with this module standing in as `caffe`."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m prototools.pycaffe SCRIPT [ARGUMENT...]")
    stand_in()
    del sys.argv[0]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
