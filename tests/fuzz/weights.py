"""Fuzz the caffemodel's readers: `python tests/fuzz/weights.py [-max_total_time=600] FOLDER...`.

Needs atheris (`pip install atheris`). `python tests/fuzz/weights.py --seeds FOLDER` writes small
caffemodels of every form to begin with.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["prototools"]):
    from prototools import weights
    from prototools.errors import PrototoolsError
    from prototools.upgrading import upgrade_weights

FOLDER = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
SOURCE, TARGET = os.path.join(FOLDER, "in"), os.path.join(FOLDER, "out")
NEW = {"up": [weights.NewLayer("up/deconv", "Deconvolution", [((1, 1, 2, 2), bytes(16))])]}


def judge(data: bytes) -> None:
    """Reading, patching and upgrading give a result or an error of ours, and what is patched can be read."""
    with open(SOURCE, "wb") as file:
        file.write(data)
    for job in (lambda: weights.read(SOURCE), patched, lambda: upgrade_weights(SOURCE, TARGET)):
        try:
            job()
        except PrototoolsError:
            pass


def patched() -> None:
    """A patched file is whole, and patching it again changes nothing."""
    weights.patch(SOURCE, TARGET, NEW)
    with weights.Caffemodel(TARGET) as model:
        if not any(entry.name == "up/deconv" for entry in model.entries):
            raise AssertionError("the new layer is not there")
    if weights.patch(TARGET, TARGET, NEW):
        raise AssertionError("a second patch is not the same")


def seeds(folder: Path) -> None:
    """Small caffemodels: current and V1, with and without blobs, old and new shapes, unknown fields."""
    folder.mkdir(exist_ok=True)
    blob = ((1, 2, 1, 1), bytes(8))
    for form in (weights.CURRENT, weights.V1):
        for name, layers in (("empty", []), ("one", [("up", "Deconvolution", [])]),
                             ("two", [("c", "Convolution", [blob, blob]), ("up", "Deconvolution", [blob])])):
            data = b"".join(weights.encode(weights.NewLayer(*layer), form) for layer in layers)
            (folder / f"{name}{form.name}").write_bytes(b"\x0a\x03net" + data)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--seeds"]:
        seeds(Path(sys.argv[2]))
    else:
        atheris.Setup(sys.argv, judge)
        atheris.Fuzz()
