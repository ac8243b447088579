"""Writing an edited prototxt: what stays is copied, what is new or moved follows the file's own style."""

from __future__ import annotations

import re
from typing import List, Optional

from prototools.prototext import Document, Style
from prototools.upgrading.text import TextField, TextMessage

BLANKS = re.compile(rb"[ \t]*")
#: Bytes that a file's habits are read from.
SAMPLE = 1 << 14


def render(root: TextMessage, document: Document) -> bytes:
    """The whole file."""
    return _Page(document.data).body(root, False)


class _Page:
    """One file: its bytes and its habits."""

    def __init__(self, data: bytes):
        self.data = data
        self.style = Style.of(data[:SAMPLE])
        # A comment ends at LF only.
        self.newline = self.style.newline if b"\n" in self.style.newline else b"\n"

    # ------------------------------------------------------------ messages of the file

    def body(self, message: TextMessage, flat: bool) -> bytes:
        """What stands between the brackets of a message of the file."""
        fields = message.fields
        self._settle(fields)
        column = _Column(message.head, self.newline, isinstance(message.tree, Document))
        indent = self._indent_inside(message)
        for field in fields:
            if field.home is message:
                column.kept(field, self._kept(field), indent)
            else:
                short = self._flat(field) if flat else None
                if short is not None:
                    column.words(short)
                else:
                    column.lines(self.lines(field, indent))
        return column.text(self._closing(message, column.fresh))

    def _closing(self, message: TextMessage, fresh: bool) -> bytes:
        """What stands before the closing bracket; its own line begins anew where it had none."""
        was_fresh = message.written[-1].trail if message.written else message.head
        if not fresh or was_fresh or b"\n" in message.tail or isinstance(message.tree, Document):
            return message.tail
        return self._indent_of(message.tree.start)

    @staticmethod
    def _settle(fields: List[TextField]) -> None:
        """A list that is no longer whole becomes single fields."""
        lists = {id(field.listed): field.listed for field in fields if field.listed is not None}
        for listed in lists.values():
            if not listed.whole(fields):
                for field in listed.fields:
                    field.leave()

    def _kept(self, field: TextField) -> bytes:
        """A field in its old place, changed or not."""
        if field.listed is not None:
            return field.data[field.start : field.stop] if field.listed.fields[0] is field else b""
        if not field.changed:
            return field.data[field.start : field.stop]
        return self._text(field, field.stop)

    def _text(self, field: TextField, stop: int) -> bytes:
        """A field of the file with its new name and what changed in it, up to a byte of the file."""
        data, tree = field.data, field.tree
        after_name = field.start + len(field.written)
        name = data[field.start : after_name] if field.name == field.written else field.name.encode()
        if tree is None:
            return name + data[after_name : field.begin] + field.literal + data[field.end : stop]
        return name + data[after_name : tree.body_start] + self._inside(field) + data[tree.body_stop : stop]

    def _inside(self, field: TextField) -> bytes:
        """What stands between the brackets of a field of the file."""
        body = field.data[field.tree.body_start : field.tree.body_stop]
        if field.inside is None or not field.inside.changed:
            return body
        return self.body(field.inside, b"\n" not in body and b"\r" not in body)

    def _indent_inside(self, message: TextMessage) -> bytes:
        """The indent of a message's fields in the file."""
        for field in message.written:
            if field.fresh:
                return BLANKS.match(self.data, self.data.rfind(b"\n", 0, field.start) + 1).group()
        if isinstance(message.tree, Document):
            return b""
        return self._indent_of(message.tree.start) + self.style.indent

    def _indent_of(self, position: int) -> bytes:
        """The indent of the line that holds a byte."""
        return BLANKS.match(self.data, self.data.rfind(b"\n", 0, position) + 1).group()

    # ------------------------------------------------------------ new and moved fields

    def lines(self, field: TextField, indent: bytes) -> bytes:
        """A new or moved field on lines of its own, its comments above and behind it."""
        above = b"".join((indent + line if line else b"") + self.newline for line in field.above)
        if not field.name:
            return above
        return above + indent + self._moved(field, indent) + field.behind + self.newline

    def _moved(self, field: TextField, indent: bytes) -> bytes:
        """A new or moved field, its lines but the first indented anew."""
        if not field.stop:
            return self._made(field, indent) if field.is_message else self._name(field, b": ") + field.literal
        text = self._text(field, field.end) if field.listed is None else self._element(field)
        old = self._indent_of(field.start if field.listed is None else field.begin)
        return text.replace(b"\n" + old, b"\n" + indent)

    @staticmethod
    def _name(field: TextField, colon: bytes) -> bytes:
        return field.name.encode() + colon

    def _element(self, field: TextField) -> bytes:
        """A value of a list as a field of its own."""
        if not field.is_message:
            return self._name(field, b": ") + field.literal
        data, tree = field.data, field.tree
        opening, closing = data[tree.start : tree.body_start], data[tree.body_stop : tree.stop]
        return self._name(field, b" ") + opening + self._inside(field) + closing

    def _made(self, field: TextField, indent: bytes) -> bytes:
        """A new message."""
        inside = field.inside
        short = self._flat_made(field) if inside.flat or not inside.fields else None
        if short is not None:
            return short
        deeper = indent + self.style.indent
        body = b"".join(self.lines(one, deeper) for one in inside.fields)
        return self._name(field, self.style.brace) + self.newline + body + indent + b"}"

    # ------------------------------------------------------------ on one line

    def _flat(self, field: TextField) -> Optional[bytes]:
        """A new or moved field as words of a line; None where it holds comments or lines."""
        if any(field.above) or field.behind or not field.name:
            return None
        if not field.stop and field.is_message:
            return self._flat_made(field)
        text = self._moved(field, b"")
        return None if b"\n" in text or b"\r" in text else text

    def _flat_made(self, field: TextField) -> Optional[bytes]:
        words = [self._flat(one) for one in field.inside.fields]
        if any(word is None for word in words):
            return None
        return b" ".join([field.name.encode() + self.style.brace, *words, b"}"])  # type: ignore[list-item]


class _Column:
    """Text in the making, that knows whether it is at the beginning of a line."""

    def __init__(self, head: bytes, newline: bytes, is_file: bool):
        self.pieces = [head]
        self.newline = newline
        self.fresh = is_file or bool(head)
        self.close = False

    def kept(self, field: TextField, text: bytes, indent: bytes) -> None:
        """A field with the blanks and comments around it; a line that lost its begin or end gets them back."""
        lead = field.lead
        if field.fresh and not self.fresh:
            lead = self.newline + lead
        elif self.fresh and not field.fresh:
            lead = indent + lead.lstrip(b" \t")
        elif self.close and not lead:
            lead = b" "
        self.pieces += (lead, text, field.trail)
        self.fresh, self.close = bool(field.trail), False

    def words(self, text: bytes) -> None:
        """New text on the line."""
        self.pieces += (b"" if self.fresh else b" ", text)
        self.fresh, self.close = False, True

    def lines(self, text: bytes) -> None:
        """New text on lines of its own."""
        self.pieces += (b"" if self.fresh else self.newline, text)
        self.fresh, self.close = True, False

    def text(self, tail: bytes) -> bytes:
        """All of it, with what stands before the closing bracket."""
        return b"".join(self.pieces) + tail
