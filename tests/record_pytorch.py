"""Record what PyTorch's interpolate gives: `python tests/record_pytorch.py > tests/cases/pytorch_resize.jsonl`.

One case a line: how it is called, the rows and columns of the input, and the output, row by row.
The input of case n is `numpy.random.RandomState(n).rand(rows, columns)`, counted from 0.
"""

from __future__ import annotations

import json
from itertools import product
from typing import Dict, Iterator, Tuple

SIZES = [((1, 1), (3, 2)), ((1, 5), (4, 5)), ((4, 5), (7, 9)), ((7, 6), (3, 4)), ((6, 3), (5, 8)), ((9, 4), (1, 1))]
SCALES = [((5, 4), 2), ((3, 4), (3, 3)), ((5, 6), 1.5), ((4, 3), 2.7), ((9, 11), 0.4), ((6, 7), (0.5, 1.3)),
          # The sizes stay, or double, though the scales are others.
          ((13, 4), 1.1), ((6, 7), (2.1, 2.0000001))]


def calls() -> Iterator[Tuple[Dict[str, object], Tuple[int, int]]]:
    """Every mode with every size and scale, and with both meanings of corners where it has them."""
    for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area"):
        corners = [{"align_corners": value} for value in (False, True)] if mode in ("bilinear", "bicubic") else [{}]
        for extra, (rows, size) in product(corners, SIZES):
            yield {"mode": mode, "size": size, **extra}, rows
        for extra, (rows, scale) in product(corners, SCALES):
            yield {"mode": mode, "scale": scale, **extra}, rows


def record() -> Iterator[str]:
    """The lines of the file."""
    import numpy as np
    import torch

    for number, (call, rows) in enumerate(calls()):
        image = torch.tensor(np.random.RandomState(number).rand(1, 1, *rows).astype(np.float32))
        settings = {"scale_factor" if name == "scale" else name: value for name, value in call.items()}
        out = torch.nn.functional.interpolate(image, **settings)[0, 0].double()
        yield json.dumps({**call, "in": rows, "out": [[round(value, 7) for value in row] for row in out.tolist()]})


if __name__ == "__main__":
    print("\n".join(record()))
