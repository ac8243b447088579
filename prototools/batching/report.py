"""One outcome as data for other programs."""

from __future__ import annotations

from typing import Any, Dict

from prototools.batching.job import Outcome
from prototools.changes import Result
from prototools.report import describe


def describe_outcome(outcome: Outcome) -> Dict[str, Any]:
    """What `prototools rewrite --report` says of a file, with its target, its status and its seconds."""
    layers = describe(outcome.source, Result(b"", outcome.changes, outcome.refusals, outcome.foreign))
    return {
        "file": outcome.source,
        "target": outcome.target,
        "status": outcome.status,
        "error": outcome.error,
        "note": outcome.note,
        "seconds": round(outcome.seconds, 6),
        **layers,
    }
