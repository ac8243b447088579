"""The command line, called in this process as a shell calls it."""

from __future__ import annotations

import io
import sys
from typing import NamedTuple, Sequence, Union
from unittest.mock import patch

from prototools.cli import main


class Called(NamedTuple):
    """How a command ended: its exit code, both streams, and `output`, what came out of both in order."""

    exit_code: int
    stdout_bytes: bytes
    stderr: str
    output: str

    @property
    def stdout(self) -> str:
        """Standard output as text."""
        return self.stdout_bytes.decode("utf-8", "replace")


class _Stream(io.BytesIO):
    """One stream, which is copied to what both make together."""

    def __init__(self, both: io.BytesIO):
        super().__init__()
        self.both = both

    def write(self, data) -> int:
        self.both.write(data)
        return super().write(data)


def call(words: Sequence[str], stdin: Union[bytes, str] = b"") -> Called:
    """Call `prototools` with these words; an error that is no exit comes through, and the test fails with it."""
    both = io.BytesIO()
    out, err = _Stream(both), _Stream(both)
    given = io.BytesIO(stdin.encode("utf-8", "surrogateescape") if isinstance(stdin, str) else stdin)
    with patch.object(sys, "stdin", io.TextIOWrapper(given, "utf-8")), \
            patch.object(sys, "stdout", io.TextIOWrapper(out, "utf-8", write_through=True)), \
            patch.object(sys, "stderr", io.TextIOWrapper(err, "utf-8", "backslashreplace", write_through=True)):
        try:
            main([*words])
        except SystemExit as end:
            code = end.code
        return Called(code, out.getvalue(), *(one.getvalue().decode("utf-8", "replace") for one in (err, both)))
