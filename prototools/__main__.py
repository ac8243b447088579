"""`python -m prototools`."""

from prototools.cli import main

main(prog_name="prototools")
