"""Jinja2's errors as sentences, with the template's file and line."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import Any, Dict, Iterator

from jinja2 import TemplateNotFound, UndefinedError
from jinja2.exceptions import TemplatesNotFound, TemplateSyntaxError

from prototools.errors import PrototoolsError
from prototools.files import FileError
from prototools.rendering.sandbox import Sandbox


class RenderError(PrototoolsError):
    """A template that gives no network, with its file and line."""


@contextmanager
def explained(path: str, sandbox: Sandbox, values: Dict[str, Any]) -> Iterator[None]:
    """Jinja2's errors as `RenderError`s; `path` is the template's, for those that have no place of their own."""
    try:
        yield
    except (RenderError, FileError):
        raise
    except Exception as error:  # A template may do anything: what fails in it is its own fault.
        raise RenderError(f"{_place(error, path, sandbox)}: {_sentence(error, values)}") from None


def _sentence(error: Exception, values: Dict[str, Any]) -> str:
    if isinstance(error, TemplateNotFound):
        return f"must include or import a template of its own folder or of prototools, but {_wanted(error)}"
    if isinstance(error, UndefinedError):
        message = str(error.message).replace("'jinja2.environment.TemplateModule object'", "the imported template")
        return f"{message}{_near(message, values)}"
    if isinstance(error, RecursionError):
        return "macros, includes and brackets must not be nested without end"
    if isinstance(error, MemoryError):
        return "the result does not fit into memory"
    return str(error) or type(error).__name__


def _wanted(error: TemplateNotFound) -> str:
    names = error.templates if isinstance(error, TemplatesNotFound) else [error.name]
    given = [str(name) for name in names if name is not None]
    return f"{' or '.join(map(repr, given))} is none" if given else "no name was given"


def _place(error: Exception, path: str, sandbox: Sandbox) -> str:
    """The template and line where it went wrong: the innermost frame that is a template's, the user's before ours."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or path}:{error.lineno}"
    *_, own = sandbox.loader.searchpath
    known = {path, *filter(None, sandbox.loader.asked.values())}
    trace, users, ours = error.__traceback__, "", ""
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name in known:
            place = f"{name}:{trace.tb_lineno}"
            ours, users = (place, users) if name.startswith(own) and name != path else (ours, place)
        trace = trace.tb_next
    return users or ours or path


def _near(message: str, values: Dict[str, Any]) -> str:
    from difflib import get_close_matches

    name = re.match(r"'(\w+)' is undefined", message)
    if not name:
        return ""
    near = get_close_matches(name.group(1), values, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; give -D {name.group(1)}=VALUE"
