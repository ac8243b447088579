"""prototools verify."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional

from prototools import files
from prototools.cli.parsing import Parser, parsed, whole_number
from prototools.cli.values import dialect_option, phase_option, placeholder_option, shape_option, shapes_of, texts_of
from prototools.cli.verdict import DONE, FAILED, FOUND, attempt, many, say
from prototools.net import Net, NetState
from prototools.prototext.placeholders import filled


def options(parser: Parser) -> None:
    """The options of `verify`."""
    parser.argument("before", "BEFORE")
    parser.argument("after", "AFTER")
    parser.option("--engine", choices=["reference", "caffe", "opencv"], default="reference",
                  help="What runs AFTER; BEFORE is always the reference's.")
    parser.option("--weights", metavar="FILE", help="A caffemodel for BEFORE, and for AFTER unless it has its own.")
    parser.option("--weights-after", metavar="FILE", help="A caffemodel for AFTER.")
    shape_option(parser)
    placeholder_option(parser)
    dialect_option(parser)
    phase_option(parser, "The phase that both nets are built for.")
    parser.option("--seed", type=whole_number, default=1, help="Of the inputs and of the made-up weights.")
    parser.flag("--json", dest="as_json", help="Print JSON.")


@parsed(options)
def command(before: str, after: str, as_json: bool, shapes, values, **settings: Any) -> int:
    """Run two networks where they differ, and compare every value.

    Exit 0 if all are equal, 1 if something differs, 2 if something could not be compared.
    """
    given, values = shapes_of(shapes), texts_of(values)
    texts: List[bytes] = []

    def load(path: str) -> int:
        texts.append(filled(files.read(path), values))
        Net(texts[-1]).filtered(NetState(settings["phase"]))
        return DONE

    def job(path: str) -> int:
        from prototools.verify import verify

        verdict = verify(*texts, shapes=given, **settings)
        if as_json:
            print(json.dumps(_dictionary(verdict)))
        else:
            _table(verdict)
        for sentence in (*verdict.findings, *verdict.open, *verdict.notes):
            say(f"{after}: {sentence}")
        if not as_json:
            print(_summary(verdict))
        return FOUND if verdict.differs else FAILED if verdict.open else DONE

    # Each file by itself first, so that a mistake in it is told with its name.
    broken = max(attempt(load, path) for path in (before, after))
    return broken or attempt(job, before, f"{before} and {after}")


def _table(verdict) -> None:
    from tabulate import tabulate

    headers = ["replaced", "engine", "blob", "values", "largest difference", "at", "expected", "found", ""]
    rows = [
        [_short(one.region), verdict.engine, one.blob, f"{one.values:,}", f"{one.largest.size:.3g}", _place(one),
         f"{one.largest.expected + 0.0:.6g}", f"{one.largest.found + 0.0:.6g}", "equal" if one.equal else "DIFFERS"]
        for one in verdict.comparisons
    ]
    if rows:
        print(tabulate(rows, headers, disable_numparse=True))


def _short(region: str, length: int = 48) -> str:
    """A region's layers; of many only the first ones."""
    names = region.split(", ")
    shown = [name for i, name in enumerate(names) if not i or len(", ".join(names[: i + 1])) <= length]
    return ", ".join(shown + ["..."] * (len(shown) < len(names)))


def _place(comparison) -> str:
    return ",".join(map(str, comparison.largest.place))


def _summary(verdict) -> str:
    values = sum(one.values for one in verdict.comparisons)
    what = "differs" if verdict.differs else "not all compared" if verdict.open else "equal"
    inputs = f"; inputs: {', '.join(verdict.inputs)}" if verdict.inputs else ""
    return f"{what}: {many(len(verdict.comparisons), 'blob')}, {values:,} values, engine {verdict.engine}{inputs}"


def _dictionary(verdict) -> Dict[str, Any]:
    return {
        "engine": verdict.engine,
        "equal": verdict.equal,
        "inputs": list(verdict.inputs),
        "comparisons": [
            {"replaced": one.region, "blob": one.blob, "values": one.values, "difference": _finite(one.largest.size),
             "at": list(one.largest.place), "expected": _finite(one.largest.expected),
             "found": _finite(one.largest.found), "limit": one.limit, "equal": one.equal}
            for one in verdict.comparisons
        ],
        "findings": list(verdict.findings),
        "not_compared": list(verdict.open),
        "notes": list(verdict.notes),
    }


def _finite(value: float) -> Optional[float]:
    """JSON has no infinity and no NaN."""
    return value if value - value == 0 else None
