"""Eleven real networks, rewritten and run on stock Caffe, against a Caffe that has the custom layers."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Dict, List

import numpy as np
import pytest

from prototools.rewriter import rewrite

GOLDEN = Path(__file__).resolve().parents[2] / "shared" / "golden"

#: Real values agree to this part of their standard deviation, argmax outputs in this share of places.
REAL, SAME = 1e-3, 0.999


#: As they were recorded: threads add in another order, and a value that is nearly a tie in a pooling
#: window then goes to another place.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

#: Gigabytes that the largest networks take, before and after, for their own blobs.
MEMORY = {"eca4c208": 14, "c6df7c0b": 12, "872919ff": 7}


def require_memory(name: str) -> None:
    """Skip a network that the machine has no room for: it would be killed, whatever it computes."""
    lines = Path("/proc/meminfo").read_text().splitlines() if Path("/proc/meminfo").is_file() else []
    free = [int(line.split()[1]) // 2**20 for line in lines if line.startswith("MemAvailable")]
    if free and free[0] < MEMORY.get(name, 0):
        pytest.skip(f"{name} takes {MEMORY[name]} GB of memory, and {free[0]} GB are free")


def networks() -> List[Dict[str, str]]:
    index = GOLDEN / "nets" / "index.tsv"
    if not index.is_file():
        return []
    with open(index, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_networks_are_there(shared) -> None:
    """Where the recorded networks are, all eleven are tried."""
    assert len(networks()) == 11


@pytest.mark.parametrize("row", networks(), ids=lambda row: row["id"])
def test_network(row: Dict[str, str], shared, caffe, tmp_path: Path) -> None:
    """Every output of the rewritten network is the recorded one."""
    require_memory(row["id"])
    golden = np.load(GOLDEN / "nets" / f"{row['id']}.npz")
    result = rewrite((shared / "corpus" / row["file"]).read_bytes())
    assert result.changes and not result.refusals
    (tmp_path / "net.prototxt").write_bytes(result.text)
    (tmp_path / "names").write_text("\n".join(golden["names"]))
    command = ["python3", GOLDEN / "net_run.py", "net.prototxt", "out.npz", "--names", "names"]
    done = caffe.run(list(map(str, command)), environment=ONE_THREAD, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    compared = compare(golden, np.load(tmp_path / "out.npz"))
    assert compared


def compare(golden, found) -> int:
    """How many outputs were compared; each must agree."""
    outputs = [key[5:] for key in golden.files if key.startswith("data/")]
    for name in outputs:
        assert tuple(golden[f"shape/{name}"]) == tuple(found[f"shape/{name}"])
        wanted, got = golden[f"data/{name}"], found[f"data/{name}"]
        if np.array_equal(wanted, np.round(wanted)):
            same = np.mean(wanted == got)
            assert same >= SAME, f"{name}: only {same:.4%} of the places agree"
        else:
            difference = np.abs(wanted - got).max() / golden[f"std/{name}"]
            assert difference <= REAL, f"{name} differs by {difference} standard deviations"
    return len(outputs)
