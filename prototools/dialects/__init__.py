"""Dialects: each reads one fork's custom layer and says what it computes, or refuses with a reason.

`TABLE` is all of them; where several claim a layer, the first row counts.
A dialect knows forks and field names, and nothing about Deconvolution.
A new custom layer is a file with `DIALECTS`, its rows here, and its type in `layer_types`.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple

from prototools.dialects import (
    darknet,
    interp,
    interp_forks,
    python_layers,
    resample,
    resize,
    stretching,
    tensorflow,
    unpool,
    unpooling,
    upsample,
    upsample_forks,
    upsampling,
)
from prototools.dialects.reading import Context, Dialect, OtherBottoms, OtherField, Reading, Unread, never
from prototools.lowerings.request import Refused

TABLE: Tuple[Dialect, ...] = (
    *interp_forks.DIALECTS,
    *interp.DIALECTS,
    *upsample.DIALECTS,
    *upsample_forks.DIALECTS,
    *darknet.DIALECTS,
    *unpool.DIALECTS,
    *unpooling.DIALECTS,
    *upsampling.DIALECTS,
    *tensorflow.DIALECTS,
    *resample.DIALECTS,
    *resize.DIALECTS,
    *stretching.DIALECTS,
    *python_layers.DIALECTS,
)

#: Every layer type that some dialect reads; Python layers stand under their class (`Layer.kind`).
TYPES = frozenset(name for dialect in TABLE for name in dialect.types)

#: Types that resize in forks and that no dialect can read, and why.
UNREAD_TYPES: Dict[str, str] = {
    "Bilinearupsample": "its fork swaps height and width, and no two versions of it agree",
    "CropAndResize":    "where it reads is computed while the net runs, so no fixed layers do the same",
    "InterpVariable":   "its size is data of its second bottom, known only while the net runs",
    "ResizeNearest":    "its name says nearest, but the only code of it that is known interpolates",
    "Upsample2":        "two codes of it disagree: one repeats rows by scale, one interpolates to height and width",
    "UpsampleNearst":   "its GPU code writes no more values than its input has, and its CPU code mixes up the channels",
    "UpsamplePooling":  "its own check of sizes contradicts what it computes",
}


def names() -> List[str]:
    """The names of all dialects, each once, in the order of the table."""
    return list(dict.fromkeys(dialect.name for dialect in TABLE))


def choose(context: Context, wanted: Sequence[str] = ()) -> Dialect:
    """The dialect for a layer: the first one the user named that reads it, or the first that the file decides for.

    Raises `Refused` where the file does not decide, with the dialects to choose from.
    """
    rows = [dialect for dialect in TABLE if context.layer.kind in dialect.types]
    named = [dialect for name in wanted for dialect in rows if dialect.name == name]
    if named:
        return next((dialect for dialect in named if _may_be_meant(dialect, context)), named[0])
    for dialect in rows:
        if dialect.claims(context):
            return dialect
    if not context.layer.bottoms:
        raise Refused("it must have a bottom, but has none")
    meant = dict.fromkeys(dialect.name for dialect in rows if _may_be_meant(dialect, context))
    if not meant:
        raise _written_like_no_other(context, rows)
    raise Refused(f"the file does not say which fork's {context.layer.type} this is; "
                  f"choose with --dialect: {', '.join(meant)}")


def _refusal(dialect: Dialect, context: Context) -> Optional[Refused]:
    try:
        dialect.read(context)
    except Refused as refusal:
        return refusal
    return None


def _may_be_meant(dialect: Dialect, context: Context) -> bool:
    """Whether a dialect's fork would run a layer, though it may not be read here, or not without a shape."""
    refusal = _refusal(dialect, context)
    return refusal is None or refusal.blob is not None or isinstance(refusal, Unread)


def _written_like_no_other(context: Context, rows: Sequence[Dialect]) -> Refused:
    """The refusal of a layer that no fork would run: for a field that none has, where that is all."""
    refusals = [_refusal(dialect, context) for dialect in rows]
    # Whoever wants other bottoms has said nothing of the fields.
    told = [refusal for refusal in refusals if not isinstance(refusal, OtherBottoms)]
    fields = {refusal.field for refusal in told if isinstance(refusal, OtherField)}
    if len(fields) == 1 and all(isinstance(refusal, OtherField) for refusal in told):
        return Refused(f"{fields.pop()} is no field of any fork's {context.layer.type} that is read")
    return Refused(f"none of the forks whose {context.layer.type} is read writes it so; "
                   "prototools rules DIALECT says what each takes")


def unclaimed(kind: str) -> List[str]:
    """The dialects of a layer type that no file decides for, though one of them may be meant."""
    return [dialect.name for dialect in TABLE if kind in dialect.types and dialect.claims is never]


def read(context: Context, wanted: Sequence[str] = ()) -> Tuple[Dialect, Reading]:
    """The dialect and what it reads; raises `Refused` with a sentence where it does not."""
    dialect = choose(context, wanted)
    return dialect, dialect.read(context)


def output_shape(context: Context, wanted: Sequence[str] = ()) -> Optional[Tuple[Optional[int], ...]]:
    """The shape of a custom layer's top as far as it is known, or None where no dialect reads it."""
    try:
        _, reading = read(context, wanted)
    except Refused:
        return None
    computes, bottom = reading.computes, reading.bottom
    shape = (None,) * 4 if context.bottoms[bottom] is None else context.bottoms[bottom]
    if len(shape) != 4:
        return None
    rules = getattr(computes, "axes", None) or (computes.height, computes.width)
    rows = [_out(rule, size) for rule, size in zip(rules, context.rows(bottom))]
    return (shape[0], shape[1], *rows)


def _out(rule, rows: Optional[int]) -> Optional[int]:
    """An axis map's or a size rule's output for a size that may be unknown."""
    size = getattr(rule, "size", rule)
    if rows is None:
        return getattr(size, "rows", None)
    return rule.out(rows) if hasattr(rule, "out") else rule(rows)
