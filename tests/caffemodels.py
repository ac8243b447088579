"""Small caffemodels for tests."""

from __future__ import annotations

from typing import Sequence, Tuple

import numpy as np

from prototools import weights


def model(*layers: Tuple[str, str, Sequence[np.ndarray]], form: weights.Form = weights.CURRENT) -> bytes:
    """A caffemodel of layers, each a name, a type and blobs."""
    return b"".join(
        weights.encode(weights.NewLayer(name, kind, [weights.blob(np.asarray(blob)) for blob in blobs]), form)
        for name, kind, blobs in layers
    )
