"""What an upgrade did, and what it could not keep, for the user to read."""

from __future__ import annotations

from typing import List, NamedTuple, Optional

from prototools.upgrading.message import Field


class Note(NamedTuple):
    """Something that the upgraded file says otherwise, or no longer says.

    `line` is the line of the old file, None in a binary net. `problem` says that Caffe's own tool
    counts it as a problem and ends with status 1.
    """

    line: Optional[int]
    layer: str
    sentence: str
    problem: bool = False

    def __str__(self) -> str:
        place = "" if self.line is None else f"{self.line}: "
        return place + (f"{self.layer}: " if self.layer else "") + self.sentence


class Report:
    """The steps that were taken, as sentences, and the notes, in the order of the steps."""

    def __init__(self) -> None:
        self.steps: List[str] = []
        self.notes: List[Note] = []

    def step(self, sentence: str) -> None:
        """Say that a step was taken."""
        self.steps.append(sentence)

    def note(self, field: Field, layer: str, sentence: str, problem: bool = False) -> None:
        """Say something about a field of the old file."""
        self.notes.append(Note(field.line, layer, sentence, problem))
