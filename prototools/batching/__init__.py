"""Many files at once: networks and templates of whole folders, rewritten below another folder.

One job rewrites one file, and is the same wherever it runs: in this process, in a pool, on a cluster.
"""

from __future__ import annotations

from prototools.batching.job import Outcome
from prototools.batching.running import batch
from prototools.batching.sources import BatchError

__all__ = ["BatchError", "Outcome", "batch"]
