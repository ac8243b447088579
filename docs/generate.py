"""Write the pages of this folder that come from docstrings: `make docs`."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import prototools
from prototools import dialects, engines, lowerings, patching, upsample
from prototools import verify as verification

HERE = Path(__file__).resolve().parent
NOTE = "<!-- Written by docs/generate.py from the docstrings; change those, then `make docs`. -->\n"


def rules() -> str:
    """The dialects and lowerings: what is read, and what it becomes."""
    lines = ["# Dialects and lowerings", NOTE, "## Dialects: what a custom layer means", ""]
    lines += table(["dialect", "layer types", "speaks for"],
                   [(row.name, ", ".join(row.types), row.speaks_for) for row in dialects.TABLE])
    for module, names in by_module((row.name, row.read.__module__) for row in dialects.TABLE):
        lines += ["", f"### {', '.join(names)}", "", inspect.getdoc(sys.modules[module]) or ""]
    lines += ["", "## Lowerings: what it becomes", ""]
    for module in lowerings.TABLE + lowerings.UNPOOL_TABLE:
        lines += [f"### {module.NAME}", "", inspect.getdoc(module) or "", ""]
    return "\n".join(lines)


def by_module(pairs: Iterator[Tuple[str, str]]) -> List[Tuple[str, List[str]]]:
    """Names that stand in one file, together."""
    found: Dict[str, List[str]] = {}
    for name, module in pairs:
        found.setdefault(module, []).append(name)
    return list(found.items())


def table(headers: List[str], rows: List[Tuple[str, ...]]) -> List[str]:
    """A table in Markdown."""
    return ["| " + " | ".join(row) + " |" for row in [headers, ["---"] * len(headers), *rows]]


PUBLIC: List[Tuple[str, Any, List[str]]] = [
    ("prototools", prototools, ["parse", "rewrite", "NetSpec", "to_proto"]),
    ("prototools.patching", patching, ["patch_weights"]),
    ("prototools.upsample", upsample, [
        "bilinear", "nearest", "interp", "resize", "learnable", "unpool", "create_upsample_net"
    ]),
    ("prototools.verify", verification, ["verify", "Verdict", "Comparison", "Difference"]),
    ("prototools.engines", engines, []),
]


def python() -> str:
    """The public Python names."""
    lines = ["# From Python", NOTE]
    for title, module, names in PUBLIC:
        lines += [f"## {title}", "", inspect.getdoc(module) or "", ""]
        for name in names:
            thing = getattr(module, name)
            call = f"```python\n{signature(name, thing)}\n```"
            lines += [f"### {name}", "", call, "", inspect.getdoc(thing) or "", ""]
    return "\n".join(lines)


def signature(name: str, thing: Any) -> str:
    """How it is called, without annotations, which the text explains."""
    try:
        found = inspect.signature(thing)
    except ValueError:
        return name
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in found.parameters.values()]
    return f"{name}{found.replace(parameters=plain, return_annotation=inspect.Signature.empty)}"


PAGES = {"rules.md": rules, "python.md": python}


def pages() -> Dict[str, str]:
    """Every page that is generated, by its name."""
    return {name: write().rstrip() + "\n" for name, write in PAGES.items()}


if __name__ == "__main__":
    for name, text in pages().items():
        (HERE / name).write_text(text, "utf-8")
