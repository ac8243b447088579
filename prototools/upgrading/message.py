"""A message as the steps of an upgrade see it: fields by name, to be renamed, moved and dropped.

The steps are written once, for this view. Two carriers stand behind it: `text` edits a prototxt in the
lossless tree, `wire` edits a binary net.
"""

from __future__ import annotations

from typing import List, Optional, Pattern, Sequence, Union

from prototools.errors import PrototoolsError
from prototools.prototext import Word

Value = Union[str, Word, int]


class Field:
    """One value of one field: a scalar, or a message.

    `name` may be set: the field is then written under that name. A carrier's field without a name only
    holds comments.
    """

    name: str
    #: Whether the field means the same inside another message; false for one known by its number only.
    portable = True
    #: The line of the file, from 1; None where there are no lines.
    line: Optional[int] = None

    @property
    def message(self) -> Message:
        """The fields inside; an error where the field is a scalar."""
        raise NotImplementedError

    @property
    def is_message(self) -> bool:
        """Whether the field holds a message."""
        raise NotImplementedError

    def count(self, name: str) -> int:
        """How many messages of that name are inside, without a closer look."""
        raise NotImplementedError

    def mentions(self, word: bytes) -> bool:
        """Whether a word may stand inside; true where only a closer look can tell."""
        return True

    def all_match(self, name: str, pattern: Pattern[bytes]) -> bool:
        """Whether all messages of that name are written as a pattern has it; false where nobody can tell."""
        return False

    def string(self) -> str:
        """The value of a string."""
        raise NotImplementedError

    def word(self) -> str:
        """The name of an enumeration's value, or its number; a name in quotes counts too."""
        raise NotImplementedError

    def number(self) -> float:
        """The value of a float."""
        raise NotImplementedError

    def assign(self, value: Value) -> None:
        """Give a scalar another value: a string, the Word of an enumeration, or a whole number."""
        raise NotImplementedError

    def copy(self, other: Field) -> None:
        """Give a scalar another one's value, spelt as there."""
        raise NotImplementedError

    def error(self, sentence: str) -> PrototoolsError:
        """An error at this field's place."""
        raise NotImplementedError


class Message:
    """The fields of one message, in order."""

    @property
    def fields(self) -> List[Field]:
        """All fields; the list may be changed."""
        raise NotImplementedError

    def all(self, name: str) -> List[Field]:
        """Every value of a field."""
        return [field for field in self.fields if field.name == name]

    def one(self, name: str) -> Optional[Field]:
        """The value of a field that is written at most once; an error where it stands again."""
        found = self.all(name)
        if len(found) > 1:
            raise found[1].error(f"{name} must be given once, but stands again")
        return found[0] if found else None

    def has(self, name: str) -> bool:
        """Whether the field is written at all."""
        return any(field.name == name for field in self.fields)

    def string(self, name: str) -> str:
        """The value of a string; empty where it is not written."""
        found = self.one(name)
        return "" if found is None else found.string()

    def put(self, place: int, field: Field) -> None:
        """Enter a field at a place of `fields`."""
        self.fields.insert(place, field)

    def take(self, field: Field) -> Field:
        """Take a field out, to put it elsewhere."""
        self.fields.remove(field)
        return field

    def drop(self, field: Field) -> None:
        """Take a field out for good; comments that stand with it stay."""
        self.fields.remove(field)

    def scalar(self, name: str, value: Value) -> Field:
        """A new field, not yet entered."""
        raise NotImplementedError

    def group(self, name: str, fields: Sequence[Field], flat: bool = False) -> Field:
        """A new message of fields, not yet entered; `flat` puts it on one line where it can be."""
        raise NotImplementedError

    def gather(self, name: str, fields: Sequence[Field], flat: bool = False) -> Field:
        """Move some of the fields, in the order given, into a new message at the place of the topmost."""
        place = min(map(self.fields.index, fields))
        for field in fields:
            self.take(field)
        group = self.group(name, fields, flat)
        self.put(place, group)
        return group

    def unwrap(self, field: Field) -> None:
        """Put the fields of a message in its place."""
        place = self.fields.index(field)
        inner = field.message
        fields = list(inner.fields)
        for one in fields:
            inner.take(one)
        self.fields[place : place + 1] = fields
