"""Taking fields and layers out of a text so that no empty line, separator or orphaned comment is left."""

from __future__ import annotations

import re
from typing import Dict, Iterable, Iterator, List, Tuple

from prototools.prototext import Message, Scalar
from prototools.prototext.grammar import BLANK
from prototools.prototext.tree import Edit, Node

Span = Tuple[int, int]

SEPARATOR = re.compile(BLANK + rb"[,;]")
SPACES = re.compile(rb"[ \t]*")
LIST_END = re.compile(BLANK + rb"\]")
REST_OF_LINE = re.compile(rb"[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)")
BLANK_LINES = re.compile(rb"(?:[ \t\r]*\n)+")


def cut_fields(parent: Message, nodes: Iterable[Node]) -> List[Edit]:
    """Edits that take some fields out of a message; the elements of a list one by one.

    Raises `ProtoTextError` for a message that is an element of a list, such as `include: [{ }, { }]`.
    """
    edits: List[Edit] = []
    spans: List[Span] = []
    lists: Dict[int, List[Scalar]] = {}
    for node in nodes:
        if isinstance(node, Message):
            require_no_list(node)
            spans.append((node.start, node.stop))
        elif b"[" in parent.data[node.field_start : node.start]:
            lists.setdefault(node.field_start, []).append(node)
        else:
            spans.append((node.field_start, node.stop))
    for start, gone in lists.items():
        elements = [one for one in parent.scalars(gone[0].name) if one.field_start == start]
        kept = [one.literal for one in elements if all(one.start != other.start for other in gone)]
        if kept:
            edits.append((elements[0].start, elements[-1].stop, b", ".join(kept)))
        else:
            spans.append((start, LIST_END.match(parent.data, elements[-1].stop).end()))
    return edits + [(*span, b"") for span in widened(parent.data, spans)]


def require_no_list(message: Message) -> None:
    """Messages in a list have no name of their own to cut at."""
    if message.data[message.start : message.start + 1] in (b"{", b"<"):
        raise message.error(f"{message.name} must not stand in a list; write {message.name} {{ }} for each")


def cut_layers(data: bytes, layers: Iterable[Tuple[Message, bool]]) -> List[Edit]:
    """Edits that take whole layers out, each with the comments right above it where the flag says so.

    A comment at the very top of the file stays: it speaks for the file.
    """
    spans = []
    for message, comments in layers:
        require_no_list(message)
        for start, stop in widened(data, [(message.start, message.stop)]):
            if comments and _is_line_start(data, start):
                start = _above(data, start)
            spans.append(_without_blank_lines(data, start, stop))
    return [(*span, b"") for span in _merged(spans)]


def widened(data: bytes, spans: Iterable[Span]) -> Iterator[Span]:
    """Spans with their separators; with their whole lines, and a comment behind, where nothing else is there."""
    for start, stop in _merged((start, behind(data, stop)) for start, stop in spans):
        line = data.rfind(b"\n", 0, start) + 1
        rest = REST_OF_LINE.match(data, stop)
        alone = not data[line:start].strip()
        if alone and rest:
            yield line, rest.end()
        elif rest and data[stop : stop + 1] in (b"", b"\r", b"\n"):
            yield len(data[:start].rstrip(b" \t")), stop
        else:
            yield start, stop


def behind(data: bytes, stop: int) -> int:
    """Where a field ends with its separator and the spaces after it."""
    separator = SEPARATOR.match(data, stop)
    return SPACES.match(data, separator.end() if separator else stop).end()


def _merged(spans: Iterable[Span]) -> List[Span]:
    """Spans that touch or overlap, as one."""
    found: List[Span] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return found


def _is_line_start(data: bytes, position: int) -> bool:
    return position == 0 or data[position - 1 : position] == b"\n"


def _above(data: bytes, start: int) -> int:
    """Where the block of comment lines right above a line begins."""
    top = start
    while top:
        line = data.rfind(b"\n", 0, top - 1) + 1
        if not data[line:top].lstrip().startswith(b"#"):
            return top
        top = line
    return start


def _without_blank_lines(data: bytes, start: int, stop: int) -> Span:
    """Whole lines that are cut take the blank lines below along where a blank line stands above."""
    if not _is_line_start(data, start) or not _is_line_start(data, stop):
        return start, stop
    above = data[data.rfind(b"\n", 0, start - 1) + 1 : start] if start else b""
    if above.strip():
        return start, stop
    blank = BLANK_LINES.match(data, stop)
    return start, blank.end() if blank else stop
