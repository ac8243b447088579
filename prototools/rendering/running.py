"""A template's text, checked, and the files that it is made from."""

from __future__ import annotations

import re
from bisect import bisect_right
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from jinja2 import Template

from prototools import files
from prototools.errors import ProtoTextError
from prototools.net import FilteredNet, Net, NetState
from prototools.prototext.placeholders import filled, names, texts
from prototools.rendering.mistakes import RenderError, explained
from prototools.rendering.sandbox import Sandbox, bounded_memory, decoded
from prototools.shapes import infer

#: The most bytes of a result.
MOST_BYTES = 1 << 26


class Piece(NamedTuple):
    """A part of the result, and the line of the template that made it.

    Text that stands in the template as it is goes on from line to line with it; what an expression
    gives is all of one line.
    """

    text: str
    line: int
    as_written: bool

    def at(self, lines: int) -> int:
        """The template's line so many lines into the text."""
        return self.line + lines if self.as_written else self.line


def render(template: str, **values: Any) -> str:
    """A template's network as checked prototxt.

    `template` is a file's path, or the name of one of prototools' own (`prototools render --list`).
    `values` are numbers, texts, truth values, lists and dictionaries.
    Raises `RenderError` for a mistake in the template, a name that is not given, what the sandbox
    forbids, and a result that is no network or that Caffe would refuse; `FileError` for a file that
    cannot be read.
    """
    return rendering(template, values).text


class Rendering(NamedTuple):
    """A template's text, and the templates it asked for by name: each with its file, None where there is none.

    `notes` say what stock Caffe would refuse in a net that is for another Caffe.
    """

    text: str
    parts: Dict[str, Optional[str]]
    notes: Tuple[str, ...] = ()


def rendering(template: str, values: Dict[str, Any]) -> Rendering:
    """What `render` gives, with the parts that it was made from."""
    path = _found(template)
    sandbox = _sandbox(path)
    data = files.read(str(path))
    pieces = _pieces(sandbox, str(path), decoded(data), values)
    with explained(str(path), sandbox, values):
        text = _filled("".join(piece.text for piece in pieces), values)
    notes = _check(str(path), text, pieces)
    # Jinja2 writes plain line ends; the template's are kept.
    windows = 2 * data.count(b"\r\n") > data.count(b"\n")
    return Rendering(text.replace("\n", "\r\n") if windows else text, sandbox.loader.asked, notes)


def find_part(template: str, name: str) -> Optional[str]:
    """The file that a template means by the name of another; None where there is none."""
    return _sandbox(_found(template)).loader.file_of(name)


def parts_named(template: str) -> List[str]:
    """The files that a template's text names in its imports and includes, and theirs in turn.

    Names that are computed are not known. Raises `RenderError` where one of them is no template, `FileError`
    where it cannot be read.
    """
    from jinja2.meta import find_referenced_templates

    path = _found(template)
    sandbox, known = _sandbox(path), [str(path)]
    for here in known:
        with explained(here, sandbox, {}):
            names = find_referenced_templates(sandbox.parse(decoded(files.read(here)), here, here))
            found = [find_part(template, name) for name in names if name]
        known += [part for part in dict.fromkeys(found) if part and part not in known]
    return known[1:]


def shipped() -> Dict[str, str]:
    """The networks among prototools' own templates: each name with the comment at its head."""
    return {path.name: _head(path) for path in sorted(own_folder().glob("*.prototxt.j2"))}


def _head(path: Path) -> str:
    comment = re.match(r"\{#-?(.*?)-?#\}", path.read_text("utf-8"), re.S)
    return "\n".join(line.strip() for line in (comment.group(1) if comment else "").strip().split("\n"))


def own_folder() -> Path:
    """templates/, to which a link leads in a checkout."""
    return (Path(__file__).parents[1] / "templates").resolve()


def _found(template: str) -> Path:
    if not isinstance(template, str) or "\0" in template:
        raise RenderError(f"a template must be a file's name, but is {template!r}")
    own = own_folder() / template
    return own if not Path(template).exists() and "/" not in template and own.is_file() else Path(template)


def _sandbox(path: Path) -> Sandbox:
    return Sandbox(path.parent, own_folder())


# ---------------------------------------------------------------- the text


def _pieces(sandbox: Sandbox, path: str, source: str, values: Dict[str, Any]) -> List[Piece]:
    """The result part by part."""
    with explained(path, sandbox, values), bounded_memory():
        code = sandbox.compile(source, path, path)
        return list(_generated(sandbox, Template.from_code(sandbox, code, sandbox.globals), source, values))


def _generated(sandbox: Sandbox, template: Template, source: str, values: Dict[str, Any]) -> Iterator[Piece]:
    made, size = template.root_render_func(template.new_context(values)), 0
    starts = [0, *(match.end() for match in re.finditer("\n", source)), len(source)]
    places = template.debug_info
    codes = [code for _, code in places]
    try:
        for text in made:
            known = bisect_right(codes, made.gi_frame.f_lineno)
            line = places[known - 1][0] if known else 1
            size += len(text)
            if size > MOST_BYTES:
                raise RenderError(
                    f"{template.filename}:{line}: the result must not be longer than {MOST_BYTES:,} bytes"
                )
            # Only there: to look further would take long in a long template.
            begin, end = starts[line - 1 : line + 1]
            yield Piece(text, line, source.find(text, begin, end + len(text)) >= 0)
    except (RenderError, GeneratorExit):
        raise
    except Exception:
        # Gives the error a traceback that speaks of the template's own lines.
        sandbox.handle_exception()


def _filled(text: str, values: Dict[str, Any]) -> str:
    """The text with its placeholders replaced where a value is given; raises `UnicodeEncodeError`."""
    return filled(text.encode("utf-8", "surrogateescape"), texts(values)).decode("utf-8", "surrogateescape")


# ---------------------------------------------------------------- the check


def _check(path: str, text: str, pieces: List[Piece]) -> Tuple[str, ...]:
    """Remarks on the result; raises `RenderError` where it is no network, or one that Caffe would refuse."""
    def said(error: ProtoTextError) -> str:
        made = f"{path}:{_line(pieces, error.line)}: the result's line {error.line}"
        return f"{made}: {error.message}{_missing(text, error)}"

    try:
        net = Net(text.encode("utf-8", "surrogateescape"))
        errors, doubts = _refusals(_built(net))
    except ProtoTextError as error:
        errors = [error]
    if errors:
        raise RenderError(said(errors[0]))
    if not net.document.names():
        raise RenderError(f"{path}: the template must give a network, but it gives nothing")
    return tuple(map(said, doubts))


def _built(net: Net) -> FilteredNet:
    """The net of the phase that the file is for: TEST, but for files that have data for training only."""
    states = [net.filtered(NetState(phase)) for phase in ("TEST", "TRAIN")]
    fed = (found for found in states if net.inputs() or not all(layer.bottoms for layer in found.layers))
    return next(fed, states[0])


def _refusals(net: FilteredNet) -> Tuple[List[ProtoTextError], List[ProtoTextError]]:
    """What every Caffe would refuse, and what only stock Caffe would, of a net that is for another.

    What this machine lacks is no mistake of the template.
    """
    errors = infer(net).faults
    if not errors:
        return [], []
    from prototools.check import is_foreign

    if not is_foreign(net):
        return errors, []
    wires = {layer.error(sentence).message for layer, sentence in net.problems}
    return [error for error in errors if error.message in wires], errors


def _line(pieces: List[Piece], line: int) -> int:
    """The template's line that made a line of the result: the last of them, where several did."""
    begins, found = 1, 1
    for piece in pieces:
        lines = piece.text.count("\n")
        if begins > line:
            break
        # A line that a piece only ends before belongs to the next one, where there is one.
        if line < begins + lines or not piece.text.endswith("\n") or piece is pieces[-1]:
            found = piece.at(min(line - begins, lines))
        begins += lines
    return found


def _missing(text: str, error: ProtoTextError) -> str:
    """What to do about a placeholder that nothing was given for."""
    left = names(text.split("\n")[error.line - 1].encode("utf-8", "surrogateescape"))
    return f"; give -D {left[0]}=VALUE" if left else ""
