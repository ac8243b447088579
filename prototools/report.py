"""Reports: what was done to every layer, as data for other programs."""

from __future__ import annotations

from typing import Any, Dict, List

from prototools.changes import Change, Refusal, Result


def describe(path: str, result: Result) -> Dict[str, Any]:
    """One file's result as plain dictionaries, lists, strings and numbers."""
    return {
        "file": path,
        "changes": [_change(change) for change in result.changes],
        "refusals": [_refusal(refusal) for refusal in result.refusals],
        "foreign_types": list(result.foreign),
    }


def _change(change: Change) -> Dict[str, Any]:
    return {
        "layer": change.layer,
        "type": change.type,
        "line": change.line,
        "dialect": change.dialect,
        "computes": change.computes,
        "lowering": change.lowering,
        "new_layers": list(change.new_layers),
        "exact": change.certificate.exact,
        "certificate": str(change.certificate),
        **change.cost._asdict(),
        "needs_newer_filler": change.newer_filler,
        "notes": list(change.notes),
        "alternatives": [
            {"lowering": name, "layers": layers, **cost._asdict()}
            for name, cost, layers in change.others
        ],
    }


def _refusal(refusal: Refusal) -> Dict[str, Any]:
    return {
        "layer": refusal.layer,
        "type": refusal.type,
        "line": refusal.line,
        "column": refusal.column,
        "reason": refusal.reason,
        "shape_of": refusal.blob,
    }


def as_json(reports: List[Dict[str, Any]]) -> bytes:
    """Reports as JSON text: one object for one file, a list for several."""
    import json

    value: Any = reports[0] if len(reports) == 1 else reports
    return (json.dumps(value, indent=2) + "\n").encode("ascii")
