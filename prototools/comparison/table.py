"""A study as text for the terminal, and as plain data for JSON."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional, Sequence

from prototools.comparison.maps import SKIMAGE, by
from prototools.comparison.measuring import ENGINES, Distance, Pair, Study

#: Values below this are the rounding of float64, which is not the same on all machines.
NOTHING = 1e-12


def text(study: Study) -> str:
    """The whole study: derivation, who computed what, the differences, the blocks, the conclusions."""
    parts = [_heading(study), derivation(study), _columns(study), _pairs(study), _conclusions(study), _blocks(study)]
    return "\n\n".join("\n".join(part) for part in parts)


def _heading(study: Study) -> List[str]:
    data = "data of one's own" if study.seed is None else f"random data, seed {study.seed}"
    return [f"Upsampling of {by(study.shape)} by {study.factor}, {data}; engine: {ENGINES[study.engine]}"]


def derivation(study: Study) -> List[str]:
    """The recipe's settings and sizes, with their numbers."""
    found, factor = study.derivation, study.factor
    kernel, stride, pad, dilation = found.kernel, found.stride, found.pad, found.dilation
    lines = [
        f"kernel    K = 2 F - F mod 2      = 2 * {factor} - {factor % 2} = {kernel}",
        f"stride    S = F                  = {stride}",
        f"pad       P = ceil((F - 1) / 2)  = ceil({factor - 1} / 2) = {pad}",
        f"dilation  D                      = {dilation}",
    ]
    for name, rows in (("height", study.shape[2]), ("width", study.shape[3])):
        lines.append(f"{name:<9} M = S (N - 1) + D (K - 1) + 1 - 2 P = {stride} * {rows - 1} + {dilation} * "
                     f"{kernel - 1} + 1 - 2 * {pad} = {found.out(rows)}")
    return lines


def _columns(study: Study) -> List[str]:
    rows = []
    for column in study.columns:
        source = column.source if column.values is not None else f"missing: {column.source}"
        rows.append([column.map.name, column.map.call.format(factor=study.factor), source])
    return _table(["name", "what", "computed by"], rows)


def _pairs(study: Study) -> List[str]:
    rows = [[pair.first.name, pair.second.name, *_distance(pair.distance)] for pair in study.pairs]
    return _table(["", "", "mean |d|", "max |d|", "they differ"], rows)


def _conclusions(study: Study) -> List[str]:
    return [f"{pair.first.name} and {pair.second.name}: {pair.conclusion}" for pair in study.pairs]


def _blocks(study: Study) -> List[str]:
    rows = []
    for block in study.blocks:
        verdict = "missing" if block.missing else "equal" if block.equal else "DIFFERS"
        if block.distance is None and not block.missing:
            verdict = "not compared"
        rows.append([block.target.name, counted(block.layers), block.call, *_distance(block.distance)[:2], verdict])
    return _table(["our block for", "layers", "from", "mean |d|", "max |d|", ""], rows)


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> List[str]:
    from tabulate import tabulate

    return tabulate(rows, headers, disable_numparse=True).splitlines()


def _distance(found: Optional[Distance]) -> List[str]:
    return ["missing"] * 3 if found is None else [number(found.mean), number(found.largest), where(found)]


def number(value: float) -> str:
    """A difference with three digits."""
    return "0" if value < NOTHING else f"{value:.3g}"


def where(found: Distance) -> str:
    """Where two blobs differ, in words."""
    if found.where != "border":
        return found.where
    return "outer row and column" if found.reach == 1 else f"outer {found.reach} rows and columns"


def counted(layers: Sequence[str]) -> str:
    """Types of layers with how many there are of each, in order of their first."""
    counts = {name: layers.count(name) for name in dict.fromkeys(layers)}
    return ", ".join(name if count == 1 else f"{count} {name}" for name, count in counts.items())


# ---------------------------------------------------------------- plain data


def as_dictionary(study: Study) -> Dict[str, Any]:
    """The study as JSON takes it: numbers are null where something is missing or no finite number."""
    found = study.derivation
    return {
        "factor": study.factor,
        "shape": list(study.shape),
        "seed": study.seed,
        "engine": study.engine,
        "derivation": {
            "kernel": found.kernel, "stride": found.stride, "pad": found.pad, "dilation": found.dilation,
            "height": found.out(study.shape[2]), "width": found.out(study.shape[3]),
        },
        "columns": [
            {"name": one.map.name, "what": one.map.call.format(factor=study.factor), "computed_by": one.source,
             "values": one.values is not None, "missing": one.missing}
            for one in study.columns
        ],
        "pairs": [
            {"first": one.first.name, "second": one.second.name, **_numbers(one.distance),
             "conclusion": one.conclusion}
            for one in study.pairs
        ],
        "blocks": [
            {"target": one.target.name, "layers": list(one.layers), "from": one.call, **_numbers(one.distance),
             "equal": one.equal if one.distance else None, "missing": one.missing}
            for one in study.blocks
        ],
        "notes": list(study.notes),
    }


def _numbers(found: Optional[Distance]) -> Dict[str, Any]:
    if found is None:
        return dict.fromkeys(("mean", "max", "where", "border_rows"))
    return {"mean": _finite(found.mean), "max": _finite(found.largest), "where": found.where,
            "border_rows": found.reach if found.where == "border" else None}


def _finite(value: float) -> Optional[float]:
    """JSON has no infinity and no NaN."""
    return value if value - value == 0 else None


# ---------------------------------------------------------------- Markdown


def markdown(studies: Sequence[Study]) -> Iterator[str]:
    """A table with a row for each study and a column for each pair, line by line; skimage's own pairs are left out."""
    pairs = [f"{pair.first.name}, {pair.second.name}" for pair in _telling(studies[0])]
    yield _row(["F", "K", "S", "P", "N", "M", *pairs, "our blocks"])
    yield _row(["---"] * (7 + len(pairs)))
    for study in studies:
        found = study.derivation
        sizes = [by(study.shape[2:]), by([found.out(rows) for rows in study.shape[2:]])]
        cells = [_cell(pair.distance) for pair in _telling(study)]
        equal = "equal" if all(block.equal for block in study.blocks) else "DIFFER"
        yield _row([*map(str, (study.factor, found.kernel, found.stride, found.pad)), *sizes, *cells, equal])


def _telling(study: Study) -> List[Pair]:
    """The pairs that say something new, as skimage equals the recipe."""
    return [pair for pair in study.pairs if pair.first != SKIMAGE]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(found: Optional[Distance]) -> str:
    if found is None or found.where == "nowhere":
        return "missing" if found is None else "equal"
    return f"{number(found.mean)} / {number(found.largest)}, {where(found)}"
