"""Networks from templates: Jinja2, strict and in a sandbox, and the result is checked before it is given.

A template includes and imports only what lies in its own folder or below, and prototools' own
`templates/`. A name that is not given is an error. Placeholders of plain prototxt, `$NAME`, `${NAME}`
and `$NAME$`, are filled from the same values.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import Any, Container, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateNotFound, UndefinedError
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from prototools import files
from prototools.errors import ProtoTextError, PrototoolsError
from prototools.net import Net
from prototools.prototext.placeholders import filled, names
from prototools.shapes import infer

#: The most bytes of a result, the most turns of all its loops over `range`, and the longest repeated value.
MOST_BYTES, MOST_TURNS, MOST_REPEATED = 1 << 26, 1_000_000, 1 << 20


class RenderError(PrototoolsError):
    """A template that gives no network, with its file and line."""


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
    """A template's text, and the templates it asked for by name: each with its file, None where there is none."""

    text: str
    parts: Dict[str, Optional[str]]


def rendering(template: str, values: Dict[str, Any]) -> Rendering:
    """What `render` gives, with the parts that it was made from."""
    path = _found(template)
    environment = _Environment(path.parent)
    pieces = _pieces(environment, path, values)
    text = _filled("".join(piece.text for piece in pieces), values)
    _check(str(path), text, pieces)
    return Rendering(text, environment.loader.asked)


def find_part(template: str, name: str) -> Optional[str]:
    """The file that a template means by the name of another; None where there is none."""
    loader = _Environment(_found(template).parent).loader
    return next((path for path in (os.path.join(folder, name) for folder in loader.searchpath)
                 if os.path.isfile(path)), None)


def parts_named(template: str) -> List[str]:
    """The files that a template's text names in its imports and includes, and theirs in turn.

    Names that are computed are not known. Raises `RenderError` where one of them is no template, `FileError`
    where it cannot be read.
    """
    from jinja2.meta import find_referenced_templates

    path = _found(template)
    environment, known = _Environment(path.parent), [str(path)]
    for here in known:
        with _explained(Path(here), environment, {}):
            names = find_referenced_templates(environment.parse(_source(Path(here)), here, here))
            found = [find_part(template, name) for name in names if name]
        known += [part for part in dict.fromkeys(found) if part and part not in known]
    return known[1:]


def shipped() -> Dict[str, str]:
    """The networks among prototools' own templates: each name with the comment at its head."""
    return {path.name: _head(path) for path in sorted(_own_folder().glob("*.prototxt.j2"))}


def _head(path: Path) -> str:
    comment = re.match(r"\{#-?(.*?)-?#\}", path.read_text("utf-8"), re.S)
    return "\n".join(line.strip() for line in (comment.group(1) if comment else "").strip().split("\n"))


def _own_folder() -> Path:
    """templates/: inside the package when installed, beside it in a checkout."""
    here = Path(__file__).resolve().parent
    return next(folder for folder in (here / "templates", here.parent / "templates") if folder.is_dir())


def _found(template: str) -> Path:
    own = _own_folder() / template
    return own if not Path(template).exists() and "/" not in template and own.is_file() else Path(template)


# ---------------------------------------------------------------- the sandbox


class _Environment(SandboxedEnvironment):
    """A sandbox that also bounds how much a template may compute."""

    intercepted_binops = frozenset(["*", "**"])

    def __init__(self, folder: Path):
        super().__init__(loader=_Loader(folder, _own_folder()), undefined=StrictUndefined, trim_blocks=True,
                         lstrip_blocks=True, keep_trailing_newline=True)
        self.turns = 0
        self.globals["range"] = self._range
        self.globals["upsampling"] = _upsampling

    def _range(self, *bounds: int) -> Iterator[int]:
        for number in range(*bounds):
            self.turns += 1
            if self.turns > MOST_TURNS:
                raise SecurityError(f"loops must end within {MOST_TURNS:,} turns in all")
            yield number

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Multiply and raise to a power, unless the result would fill the memory."""
        sizes = [value if isinstance(value, int) else len(value) for value in (left, right)
                 if isinstance(value, (int, str, list, tuple))]
        if len(sizes) == 2:
            repeats = operator == "*" and not (isinstance(left, int) and isinstance(right, int))
            if repeats and sizes[0] * sizes[1] > MOST_REPEATED or operator == "**" and abs(sizes[1]) > 64:
                raise SecurityError(f"{operator} must not make a value of more than {MOST_REPEATED:,} parts")
        return super().call_binop(context, operator, left, right)


def _upsampling(kind: str, name: str, bottoms: List[str], arguments: Sequence[Any], settings: Dict[str, Any]) -> str:
    """The layers of one of the builder's blocks as text, called after `name`."""
    from prototools import netspec, schema, upsample

    if kind == "resize":
        # A template brings no weights.
        settings = {**settings, "weights": False}
    n = netspec.NetSpec()
    n[name] = last = getattr(upsample, kind)(*map(netspec.blob, bottoms), *arguments, **settings)
    inner = [layer for layer in netspec.in_order([last]) if layer.type_name and layer is not last.fn]
    for layer in inner:
        for top in layer.tops:
            n[_free(n, f"{name}/{layer.type_name.lower()}")] = top
    return schema.text(n.to_proto()).rstrip("\n")


def _free(taken: Container[str], wanted: str) -> str:
    """A name that nothing has yet: the wanted one, or that with a number."""
    numbered = (f"{wanted}{number}" for number in count(2))
    return next(name for name in chain([wanted], numbered) if name not in taken)


class _Loader(FileSystemLoader):
    """Finds templates in folders, and keeps what was asked for."""

    def __init__(self, *folders: Path):
        super().__init__([str(folder) for folder in folders])
        self.asked: Dict[str, Optional[str]] = {}

    def get_source(self, environment: SandboxedEnvironment, template: str) -> Tuple[str, str, Any]:
        """A template's text and file; raises `TemplateNotFound`."""
        self.asked[template] = None
        found = super().get_source(environment, template)
        self.asked[template] = found[1]
        return found


def _source(path: Path) -> str:
    return files.read(str(path)).decode("utf-8", "surrogateescape")


def _pieces(environment: _Environment, path: Path, values: Dict[str, Any]) -> List[Piece]:
    """The result part by part."""
    with _explained(path, environment, values):
        source = _source(path)
        code = environment.compile(source, path.name, str(path))
        template = Template.from_code(environment, code, environment.globals)
        return list(_generated(environment, template, source, values))


def _generated(
    environment: _Environment, template: Template, source: str, values: Dict[str, Any]
) -> Iterator[Piece]:
    made, size = template.root_render_func(template.new_context(values)), 0
    starts = [0, *(match.end() for match in re.finditer("\n", source))]
    try:
        for text in made:
            line = template.get_corresponding_lineno(made.gi_frame.f_lineno)
            size += len(text)
            if size > MOST_BYTES:
                raise RenderError(
                    f"{template.filename}:{line}: the result must not be longer than {MOST_BYTES:,} bytes"
                )
            place = source.find(text, starts[line - 1])
            yield Piece(text, line if place < 0 else source.count("\n", 0, place) + 1, place >= 0)
    except (RenderError, GeneratorExit):
        raise
    except Exception:
        # Gives the error a traceback that speaks of the template's own lines.
        environment.handle_exception()


@contextmanager
def _explained(path: Path, environment: _Environment, values: Dict[str, Any]) -> Iterator[None]:
    """Jinja2's errors as ours, with the template's file and line."""
    try:
        yield
    except TemplateSyntaxError as error:
        raise RenderError(f"{error.filename or path}:{error.lineno}: {error.message}") from None
    except TemplateNotFound as error:
        raise RenderError(f"{_place(error, path)}: must include or import a template of its own folder or of "
                          f"prototools, but {error.message!r} is none") from None
    except UndefinedError as error:
        raise RenderError(f"{_place(error, path)}: {error.message}{_near(str(error.message), values)}") from None
    except RecursionError as error:
        raise RenderError(f"{_place(error, path)}: macros or includes must not call each other without end") from None
    except (RenderError, files.FileError):
        raise
    except MemoryError:
        raise RenderError(f"{path}: the result does not fit into memory") from None
    except Exception as error:  # A template may do anything: what fails in it is its own fault.
        raise RenderError(f"{_place(error, path)}: {error}") from None


def _place(error: BaseException, path: Path) -> str:
    """The template and line where it went wrong: the innermost frame that is a template's, the user's before ours."""
    trace, places = error.__traceback__, {"": str(path)}
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        for folder in (str(path.parent.resolve()), str(path.parent), str(_own_folder())):
            if name.startswith(folder) and not name.endswith(".py"):
                places["ours" if folder == str(_own_folder()) else "user's"] = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return places.get("user's") or places.get("ours") or places[""]


def _near(message: str, values: Dict[str, Any]) -> str:
    from difflib import get_close_matches

    name = re.match(r"'(\w+)' is undefined", message)
    if not name:
        return ""
    near = get_close_matches(name.group(1), values, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; give -D {name.group(1)}=VALUE"


# ---------------------------------------------------------------- placeholders, and the check


def _filled(text: str, values: Dict[str, Any]) -> str:
    """The text with its placeholders replaced where a value is given."""
    named = {name: str(value) for name, value in values.items()}
    return filled(text.encode("utf-8", "surrogateescape"), named).decode("utf-8", "surrogateescape")


def _check(path: str, text: str, pieces: List[Piece]) -> None:
    """Raise `RenderError` where the result is no network, or one that Caffe would refuse."""
    try:
        net = Net(text.encode("utf-8", "surrogateescape"))
        errors = infer(net.filtered()).errors
    except ProtoTextError as error:
        errors = [error]
    if errors:
        error = errors[0]
        made = f"{path}:{_line(pieces, error.line)}: the result's line {error.line}"
        raise RenderError(f"{made}: {error.message}{_missing(text, error)}")


def _line(pieces: List[Piece], line: int) -> int:
    """The template's line that made a line of the result: the last of them, where several did."""
    begins, found = 1, 1
    for piece in pieces:
        ends = begins + piece.text.count("\n")
        if begins <= line and (line < ends or line == ends and not piece.text.endswith("\n")):
            found = piece.at(line - begins)
        if begins > line:
            break
        begins = ends
    return found


def _missing(text: str, error: ProtoTextError) -> str:
    """What to do about a placeholder that nothing was given for."""
    left = names(text.split("\n")[error.line - 1].encode("utf-8", "surrogateescape"))
    return f"; give -D {left[0]}=VALUE" if left else ""
