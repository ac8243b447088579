"""The sandbox that templates run in: Jinja2's, with bounds on what a template may compute and where it may look."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from functools import wraps
from itertools import chain, count
from pathlib import Path
from types import BuiltinMethodType
from typing import Any, Callable, Container, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from jinja2 import FileSystemLoader, StrictUndefined, TemplateNotFound, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment
from jinja2.visitor import NodeTransformer

try:
    from jinja2 import pass_context
except ImportError:  # Jinja2 2.11
    from jinja2 import contextfilter as pass_context

from prototools import files
from prototools.errors import PrototoolsError

#: The most turns of all loops together, and as how many a call or an include counts, and one of the builder's blocks.
MOST_TURNS, CALL_TURNS, BLOCK_TURNS = 1_000_000, 10, 100
#: The longest repeated value, and the widest that text may be laid out.
MOST_REPEATED = 1 << 20
#: The most characters and elements that all operations together may read and make.
MOST_PARTS = 1 << 28
#: The most bits of a whole number.
MOST_BITS = 1 << 16
#: The most memory that a template may take, where the system can bound it.
MOST_MEMORY = 1 << 30

#: Filters whose numbers say how wide or how long the result becomes.
WIDE = frozenset(["batch", "center", "indent", "round", "slice", "tojson", "truncate"])

#: Filters that see more than their value first: Jinja2's marks for them, of version 2 and of version 3.
PASSED = ("contextfilter", "evalcontextfilter", "environmentfilter", "jinja_pass_arg")

#: What a loop's values, the parts of `a ~ b`, and all that is written go through. No template can spell these names.
COUNTED, JOINED, WRITTEN = "(counted)", "(joined)", "(written)"

#: The blocks of prototools.upsample that templates may build.
BLOCKS = frozenset(["bilinear", "nearest", "interp", "resize", "learnable", "unpool"])


class Sandbox(SandboxedEnvironment):
    """Strict Jinja2 that finds templates in two folders, and bounds how much they may compute."""

    intercepted_binops = frozenset(["+", "-", "*", "/", "//", "%", "**"])

    def __init__(self, folder: Path, own: Path):
        super().__init__(loader=Loader(folder, own), undefined=StrictUndefined, trim_blocks=True,
                         lstrip_blocks=True, keep_trailing_newline=True,
                         extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])
        self.turns = self.parts = 0
        self.filters = {name: self._weighed(name, one) for name, one in self.filters.items()}
        self.filters.update({COUNTED: self._counted, JOINED: self._joined, WRITTEN: _written})
        self.globals["range"] = self._range
        self.globals["upsampling"] = self._upsampling
        # No network needs them, and they take long for what they give.
        del self.globals["lipsum"], self.filters["wordwrap"]

    # ------------------------------------------------------------ counting

    def turn(self, turns: int = 1) -> None:
        """Count a loop's turn, or several."""
        self.turns += turns
        if self.turns > MOST_TURNS:
            raise SecurityError(f"loops must end within {MOST_TURNS:,} turns in all, a call counting as {CALL_TURNS}")

    def weigh(self, values: Iterable[Any]) -> None:
        """Count the parts of texts and lists that an operation reads or makes."""
        self.parts += sum(len(value) for value in values if isinstance(value, (str, bytes, list, tuple, dict)))
        if self.parts > MOST_PARTS:
            raise SecurityError(f"texts and lists must not have more than {MOST_PARTS:,} parts in all")

    def _parse(self, source: str, name: Optional[str], filename: Optional[str]) -> nodes.Template:
        return _Counting().visit(super()._parse(source, name, filename))

    def _counted(self, values: Iterable[Any]) -> Iterator[Any]:
        return self._turning(iter(values))

    def _turning(self, values: Iterator[Any]) -> Iterator[Any]:
        for value in values:
            self.turn()
            yield value

    def _joined(self, values: Sequence[Any]) -> str:
        texts = [str(value) for value in values]
        self.weigh(texts)
        return "".join(texts)

    def _weighed(self, name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        first = 2 if any(getattr(plain, mark, None) for mark in PASSED) else 1

        @wraps(plain)
        def weighed(*args: Any, **kwargs: Any) -> Any:
            settings = [*args[first:], *kwargs.values()]
            if name in WIDE:
                _narrow(settings)
            if name == "sum" and any(isinstance(start, (list, tuple, str)) for start in settings[-1:]):
                raise SecurityError("sum must not begin with a list")
            self.weigh(args)
            made = plain(*args, **kwargs)
            self.weigh([made])
            return made

        return weighed

    # ------------------------------------------------------------ bounded operations

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Call something, and count it."""
        __self.turn(CALL_TURNS)
        owner = __obj.__self__ if isinstance(__obj, BuiltinMethodType) else None
        if isinstance(owner, (str, bytes, int)):
            _narrow(args)
        __self.weigh([owner, *args])
        made = super().call(__context, __obj, *args, **kwargs)
        __self.weigh([made])
        return made

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute, unless the result would fill the memory."""
        if operator in ("*", "**"):
            _bound(operator, left, right)
        made = super().call_binop(context, operator, left, right)
        self.weigh([made])
        return made

    def _range(self, *bounds: int) -> range:
        made = range(*bounds)
        # Its length may be more than len() can tell.
        if made and abs(made[-1] - made[0]) // abs(made.step) >= MOST_TURNS:
            self.turn(MOST_TURNS + 1)
        return made

    def get_template(self, name: Any, *args: Any, **kwargs: Any) -> Any:
        """A template that another includes, imports or extends; counts as a call."""
        self.turn(CALL_TURNS)
        return super().get_template(name, *args, **kwargs)

    def select_template(self, names: Any, *args: Any, **kwargs: Any) -> Any:
        """The first of several templates that is there; counts as a call."""
        self.turn(CALL_TURNS)
        return super().select_template(names, *args, **kwargs)

    # ------------------------------------------------------------ the builder's blocks

    def _upsampling(
        self, kind: str, name: str, bottoms: List[str], arguments: Sequence[Any], settings: Dict[str, Any]
    ) -> str:
        """The layers of one of the builder's blocks as text, called after `name`."""
        from prototools import netspec, schema, upsample

        self.turn(BLOCK_TURNS)
        if kind not in BLOCKS:
            raise SecurityError(f"a block must be one of {', '.join(sorted(BLOCKS))}, but is {kind!r}")
        if kind == "resize":
            settings = _without_weights(settings)
        n = netspec.NetSpec()
        n[name] = last = getattr(upsample, kind)(*map(netspec.blob, bottoms), *arguments, **settings)
        inner = [layer for layer in netspec.in_order([last]) if layer.type_name and layer is not last.fn]
        for layer in inner:
            for top in layer.tops:
                n[_free(n, f"{name}/{layer.type_name.lower()}")] = top
        return schema.text(n.to_proto()).rstrip("\n")


def _without_weights(settings: Dict[str, Any]) -> Dict[str, Any]:
    """A template brings no caffemodel for them."""
    if settings.get("weights"):
        raise PrototoolsError("weights must not be true here: a template has no caffemodel to put them into; "
                              "use prototools.upsample.resize and save_weights from Python")
    return {**settings, "weights": False}


def _free(taken: Container[str], wanted: str) -> str:
    """A name that nothing has yet: the wanted one, or that with a number."""
    numbered = (f"{wanted}{number}" for number in count(2))
    return next(name for name in chain([wanted], numbered) if name not in taken)


def _bound(operator: str, left: Any, right: Any) -> None:
    """Refuse a product or a power that would be too long."""
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * abs(right) if operator == "**" else left.bit_length() + right.bit_length()
        if bits > MOST_BITS:
            raise SecurityError(f"{operator} must not make a number of more than {MOST_BITS:,} bits")
        return
    sizes = [value if isinstance(value, int) else len(value) for value in (left, right)
             if isinstance(value, (int, str, bytes, list, tuple))]
    if operator == "*" and len(sizes) == 2 and sizes[0] * sizes[1] > MOST_REPEATED:
        raise SecurityError(f"* must not make a value of more than {MOST_REPEATED:,} parts")


def _narrow(settings: Iterable[Any]) -> None:
    for value in settings:
        if isinstance(value, int) and abs(value) > MOST_REPEATED:
            raise SecurityError(f"a width or a number of parts must be at most {MOST_REPEATED:,}, but is {value:,}")


@pass_context
def _written(context: Any, value: Any) -> Any:
    """The value. What depends on the context is not merged with its neighbours, so each part keeps its line."""
    return value


class _Counting(NodeTransformer):
    """Sends the values of loops, what `~` joins and what is written through the sandbox."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.iter = _through(COUNTED, node.iter)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _through(JOINED, nodes.Tuple(node.nodes, "load", lineno=node.lineno, environment=node.environment))

    def visit_Output(self, node: nodes.Output) -> nodes.Node:
        self.generic_visit(node)
        node.nodes = [_through(WRITTEN, part) for part in node.nodes]
        return node


def _through(name: str, node: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno, environment=node.environment)


class Loader(FileSystemLoader):
    """Finds templates in folders, none outside of them, and keeps what was asked for."""

    def __init__(self, *folders: Path):
        super().__init__([str(folder) for folder in folders])
        self.asked: Dict[str, Optional[str]] = {}

    def get_source(self, environment: SandboxedEnvironment, template: str) -> Tuple[str, str, Any]:
        """A template's text and file; raises `TemplateNotFound`, also for a link that leads out of the folders."""
        self.asked[template] = None
        path = self.file_of(template)
        if path is None:
            raise TemplateNotFound(template)
        self.asked[template] = path
        return decoded(files.read(path)), path, lambda: True

    def file_of(self, template: str) -> Optional[str]:
        """The file of a template's name; None where there is none in the folders."""
        parts = template.replace(os.sep, "/").split("/")
        if os.pardir in parts or template.startswith("/"):
            return None
        paths = ((folder, os.path.normpath(os.path.join(folder, *parts))) for folder in self.searchpath)
        return next((path for folder, path in paths if os.path.isfile(path) and _below(path, folder)), None)


def _below(path: str, folder: str) -> bool:
    root = os.path.join(os.path.realpath(folder), "")
    return os.path.realpath(path).startswith(root)


def decoded(data: bytes) -> str:
    """A template's text with plain line ends, without a byte order mark; bytes that are no UTF-8 survive."""
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    return text[1:] if text[:1] == "\ufeff" else text


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Let the process take at most so much more memory, where the system can bound it and no thread would suffer."""
    try:
        import resource

        with open("/proc/self/statm", "rb") as sizes:
            limit = int(sizes.read().split()[0]) * resource.getpagesize() + MOST_MEMORY
    except (ImportError, OSError):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if threading.active_count() > 1 or soft != resource.RLIM_INFINITY and soft <= limit:
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
