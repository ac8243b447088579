"""Every error a user can meet, each with its place and its next step."""

from __future__ import annotations

from typing import Optional


class PrototoolsError(ValueError):
    """The root of all errors that prototools raises on purpose.

    Its text is a sentence for the user: what must hold, what was found, and what to do next.
    """


class ProtoTextError(PrototoolsError):
    """The bytes are not protobuf text format.

    `line` and `column` count from 1, columns in bytes; `source_line` is the offending line as bytes.
    """

    def __init__(self, message: str, line: int, column: int, source_line: bytes = b""):
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.source_line = source_line

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.message}"

    def with_caret(self, path: Optional[str] = None) -> str:
        """The message, the source line and a caret under the column, as one string of three lines.

        Control characters are shown as blanks, and of a long line the part around the column.
        """
        prefix = f"{path}:" if path else ""
        place = self.column - 1
        start = max(0, place - _AROUND)
        before = _shown(self.source_line[start:place])
        text = before + _shown(self.source_line[place : place + _AROUND])
        return f"{prefix}{self}\n    {text}\n    {' ' * len(before)}^"


class UnresolvedError(ProtoTextError):
    """A value is needed where the file has a placeholder, `$NAME`."""


def shortened(text: str, most: int = 80) -> str:
    """A text of the user's for a sentence, with its middle left out where it is long."""
    return text if len(text) <= most else f"{text[: most // 2]}...{text[-most // 4 :]}"


def named(layer: str) -> str:
    """A layer's name for a sentence; Caffe loads layers without one too."""
    return layer or "a layer without a name"


#: Bytes of the source line that are shown on each side of a caret.
_AROUND = 80


def _shown(data: bytes) -> str:
    return "".join(char if char.isprintable() else " " for char in data.decode("utf-8", "replace"))


def explain(error: PrototoolsError, path: str) -> str:
    """An error as the user reads it: with its file, and with the line and a caret where it has a place."""
    if isinstance(error, ProtoTextError):
        return error.with_caret(path)
    text = str(error)
    return text if text.startswith(f"{path}:") else f"{path}: {text}"


class NetError(PrototoolsError):
    """The text parses, but it is not a network that Caffe could load."""


class ShapeError(NetError):
    """Caffe would refuse a layer because of its bottoms' shapes or its parameters."""


class SchemaError(PrototoolsError):
    """A name or a value does not fit Caffe's message definitions."""


class EngineError(PrototoolsError):
    """An engine that runs networks is missing, or it stopped before it gave an answer."""
