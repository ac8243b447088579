"""The program: `prototools`, and `python -m prototools`."""

from __future__ import annotations

import gc

#: How many objects more than before let Python search for circles. A command makes many objects, hardly a circle,
#: and ends soon; by Python's own number the search takes an eighth of a short command's time.
OBJECTS = 100_000


def main() -> None:
    """Run the command line."""
    gc.set_threshold(OBJECTS)
    from prototools import cli

    cli.main()


if __name__ == "__main__":
    main()
