"""Networks for the tests of batches and of Make, and folders full of them."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List

import numpy as np
from caffemodels import model

import prototools

DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }\n'
UP = 'layer { name: "up" type: "Interp" bottom: "data" top: "up" interp_param { zoom_factor: 3 } }\n'
BAD = 'layer { name: "bad" type: "Upsample" bottom: "data" top: "bad" }\n'
STOCK = 'layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }\n'
BROKEN = "layer {"

#: One network of each kind, by name.
NETS = {"net": DATA + UP, "stock": DATA + STOCK, "refused": DATA + UP + BAD, "broken": BROKEN}


def make(files: Dict[str, str]) -> None:
    """Write files, by their paths."""
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, "utf-8")


def make_nets(**nets: str) -> None:
    """Write networks below `nets`, by name; those of `NETS` if none are given."""
    make({f"nets/{name}.prototxt": text for name, text in (nets or NETS).items()})


def make_many(count: int = 12) -> None:
    """Write networks that are rewritten, `nets/0.prototxt` and on."""
    make({f"nets/{number}.prototxt": DATA + UP + f"# {number}\n" for number in range(count)})


def below(folder: str) -> List[str]:
    """The files that a batch wrote below a folder, without what it remembers, and what a killed process left."""
    found = (path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())
    return sorted(path for path in found if not path.startswith(".prototools/") and "/." not in f"/{path}")


def statuses(*arguments, **options) -> Dict[str, str]:
    """What a batch makes of each file."""
    return {outcome.source: outcome.status for outcome in prototools.batch(*arguments, **options)}


def caffemodel() -> bytes:
    """Weights that go with a network whose layer `up` is replaced."""
    return model(("conv", "Convolution", [np.ones((1, 1, 1, 1), np.float32)]), ("up", "Interp", []))
