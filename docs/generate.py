"""Write the pages of this folder that come from docstrings: `make docs`."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import prototools
from prototools import batching, comparison, dialects, engines, lowerings, netspec, patching, upgrading, upsample
from prototools import verify as verification
from prototools.comparison.table import markdown, text

HERE = Path(__file__).resolve().parent
NOTE = "<!-- Written by docs/generate.py from the docstrings; change those, then `make docs`. -->\n"


def rules() -> str:
    """The dialects and lowerings: what is read, and what it becomes."""
    lines = ["# Dialects and lowerings", NOTE, "## Dialects: what a custom layer means", ""]
    lines += table(["dialect", "layer types", "speaks for"],
                   [(row.name, ", ".join(row.types), row.speaks_for) for row in dialects.TABLE])
    for module, names in by_module((row.name, row.read.__module__) for row in dialects.TABLE):
        lines += ["", f"### {', '.join(dict.fromkeys(names))}", "", inspect.getdoc(sys.modules[module]) or ""]
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
    ("prototools", prototools, ["parse", "rewrite", "batch", "deploy", "render", "upgrade", "NetSpec", "to_proto"]),
    ("prototools.netspec", netspec, ["Top", "Function", "blob", "assign_proto"]),
    ("prototools.batching", batching, ["Outcome", "BatchError"]),
    ("prototools.patching", patching, ["patch_weights"]),
    ("prototools.upgrading", upgrading, ["upgrade_weights", "Upgraded", "Note"]),
    ("prototools.upsample", upsample, [
        "bilinear", "nearest", "interp", "resize", "weights_of", "save_weights", "learnable", "unpool",
        "create_upsample_net"
    ]),
    ("prototools.comparison", comparison, ["study", "measure", "Study", "Column", "Pair", "Block", "Distance"]),
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


COMPARE = """# Caffe's recipe, skimage and PyTorch
<!-- Written by docs/generate.py from `prototools compare`: `make docs`. -->

    prototools compare --factor 2 --shape 1,3,112,112

upsamples random data with Caffe's bilinear Deconvolution, with `skimage.transform.rescale` and with both of
PyTorch's `nn.Upsample`, and says where any two differ. `--engine caffe` runs the Deconvolution and our blocks on
real Caffe, `--json` gives the numbers as data, `--plot FILE.png` draws the picture below.

It needs none of the three: `pip install 'prototools[skimage]'` and `'prototools[torch]'` bring the libraries in, and
where they are missing prototools' own exact maps give the same numbers, and the table says so.

What comes out, for every factor:

* **The recipe is skimage's rescale** with zeros outside (`mode="constant"`, `cval=0`), to the rounding of float32,
  as long as skimage does not clip: its default, `clip=True`, lifts faded borders to the smallest value of the image.
* **PyTorch with `align_corners=False` is the same inside**, and repeats the outermost row where the recipe fades into
  zeros. The outer F // 2 rows and columns differ. `upsample.resize` builds the block that has PyTorch's borders.
* **PyTorch with `align_corners=True` is another grid** and differs everywhere. For the sizes F H and F W our block
  is two matrix products with weights; `upsample.interp` builds the zoom to F (H - 1) + 1 with a filler alone.

## The article's case

This is what `prototools compare --exact-maps` prints, which takes no library's word:

```
{article}
```

## Factors 2 to 8

For a factor F the recipe is K = 2 F - F mod 2, S = F, P = ceil((F - 1) / 2), D = 1, and N rows become
M = S (N - 1) + D (K - 1) + 1 - 2 P = F N. Each cell has the mean and the largest absolute difference on random data
from 0 to 1, and where they differ. Our blocks are those for skimage and for both of PyTorch's.

{table}

## The picture

![Four upsampled maps of a small image, and their differences from Caffe's recipe](compare.png)

Drawn by `prototools compare --engine caffe --plot docs/compare.png`, with all three installed.
"""

#: One square blob and one with odd sides: (N, C, H, W).
SHAPES = ((1, 2, 16, 16), (1, 2, 9, 14))


def compare() -> str:
    """What `prototools compare` says, for the article's case and for many factors."""
    article = text(comparison.study(libraries=False))
    studies = [comparison.study(factor, shape, libraries=False) for factor in range(2, 9) for shape in SHAPES]
    return COMPARE.format(article=article, table="\n".join(markdown(studies)))


PAGES = {"rules.md": rules, "python.md": python, "compare.md": compare}


def pages() -> Dict[str, str]:
    """Every page that is generated, by its name."""
    return {name: write().rstrip() + "\n" for name, write in PAGES.items()}


if __name__ == "__main__":
    for name, text in pages().items():
        (HERE / name).write_text(text, "utf-8")
