"""Run networks on real Caffe: arrays in, arrays out, one child process for each network."""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy

from ..errors import EngineError
from .failures import EngineStopped, stopped
from .installation import DIRECTORY_VARIABLE, Installation, find

_WORKER = Path(__file__).with_name("worker.py")
Array = Any
Shape = tuple[int, ...]


@dataclass
class NetCase:
    """One network and what to do with it.

    net          prototxt, text or bytes. `force_backward: true` is the caller's to add
    inputs       arrays by blob name, put there as float32 before the forward pass. A shape that
                 differs from the net's reshapes the net
    weights      path of a caffemodel, copied by layer name as Caffe does
    params       arrays by layer name, a list for each layer in Caffe's order of blobs, set after
                 `weights`; a None in a list leaves that blob alone. Shapes must be equal
    phase        "TEST" or "TRAIN"; `level` and `stages` as in NetState
    outputs      which blobs to return: None the net's outputs, "all" every blob, or names.
                 Values are those after the whole pass: an in-place layer has changed its blob
    backward     arrays by blob name, put there as gradients before a backward pass over all layers.
                 An empty mapping starts from the net's losses; None means no backward pass
    diffs        the blobs whose gradients to return; None: the tops of the Input layers
    shapes_only  load the net and reshape it, run nothing
    return_params  return every parameter blob, as filled, copied or set
    save         path: write the parameters as a caffemodel at the end
    seed         of Caffe's random fillers and Dropout; None leaves it to the clock
    timeout      whole seconds after which the process is ended; 0 is no limit
    """

    net: str | bytes
    inputs: Mapping[str, Array] | None = None
    weights: str | Path | None = None
    params: Mapping[str, Sequence[Array | None]] | None = None
    phase: str = "TEST"
    outputs: None | str | Sequence[str] = None
    backward: Mapping[str, Array] | None = None
    diffs: Sequence[str] | None = None
    shapes_only: bool = False
    return_params: bool = False
    save: str | Path | None = None
    level: int = 0
    stages: Sequence[str] = ()
    seed: int | None = 1
    timeout: float = 0


@dataclass
class NetResult:
    """What Caffe answered; arrays are float32, mappings keep Caffe's order.

    `blobs` and `diffs` by blob name, `params` and `param_diffs` by layer name, `shapes` of every
    blob (the splits that Caffe inserts included), `param_shapes` by layer name, `layers` as (name,
    type) in running order, `inputs` the tops of Input layers, `outputs` the net's outputs.
    """

    blobs: dict[str, Array] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    param_shapes: dict[str, list[Shape]] = field(default_factory=dict)
    diffs: dict[str, Array] = field(default_factory=dict)
    params: dict[str, list[Array]] = field(default_factory=dict)
    param_diffs: dict[str, list[Array]] = field(default_factory=dict)
    layers: list[tuple[str, str]] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    log: str = ""


def run_net(net: str | bytes, *, installation: Installation | None = None,
            **settings: Any) -> NetResult:  # fmt: skip
    """Run one network; `settings` are the fields of `NetCase`.

    Raises EngineStopped (an EngineError with `.log`, `.reason` and `.signal`) where Caffe refuses
    the net or crashes, EngineError where there is no Caffe or the case does not fit the net.
    """
    answer = run_nets([NetCase(net, **settings)], installation=installation)[0]
    if isinstance(answer, EngineError):
        raise answer
    return answer


def run_nets(cases: Sequence[NetCase], *, installation: Installation | None = None,
             processes: int = 1) -> list[NetResult | EngineError]:  # fmt: skip
    """Run many networks; Caffe is imported once, each network has a process of its own.

    An answer for each case, in order: the result, or the error that `run_net` would raise.
    At most `processes` run at a time. Raises EngineError only where Caffe cannot be started.
    """
    caffe = installation or find()
    if caffe is None:
        raise EngineError(
            "Running a network needs Caffe, but none was found. Run `prototools caffe setup`, or "
            f"set {DIRECTORY_VARIABLE} to a Python that can import caffe."
        )
    if not cases:
        return []
    with tempfile.TemporaryDirectory(prefix="prototools-caffe-") as folder:
        places = [Path(folder, f"{number:06d}") for number in range(len(cases))]
        for case, place in zip(cases, places):
            _write_case(case, place)
        done = caffe.run(["python3", str(_WORKER), folder, str(max(1, processes))],
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE)  # fmt: skip
        log = done.stderr.decode("utf-8", "replace")
        if done.returncode:
            raise stopped(log, done.returncode, "Caffe's Python")
        return [_read_answer(case, place) for case, place in zip(cases, places)]


def _write_case(case: NetCase, place: Path) -> None:
    """case.json, net.prototxt and in.npz, in a folder of their own."""
    if case.phase not in ("TRAIN", "TEST"):
        raise EngineError(f"phase must be TRAIN or TEST, but it is {case.phase!r}.")
    place.mkdir()
    settings = {
        "phase": case.phase, "level": case.level, "stages": list(case.stages),
        "outputs": case.outputs if isinstance(case.outputs, (str, type(None)))
        else list(case.outputs),
        "backward": case.backward is not None,
        "diffs": None if case.diffs is None else list(case.diffs),
        "shapes_only": case.shapes_only, "return_params": case.return_params, "seed": case.seed,
        "timeout": math.ceil(case.timeout),
        "weights": str(Path(case.weights).absolute()) if case.weights else None,
        "save": str(Path(case.save).absolute()) if case.save else None,
    }  # fmt: skip
    (place / "case.json").write_text(json.dumps(settings), "utf-8")
    text = case.net.encode("utf-8") if isinstance(case.net, str) else case.net
    (place / "net.prototxt").write_bytes(text)
    numpy.savez(str(place / "in.npz"), **_arrays_of(case))


def _arrays_of(case: NetCase) -> dict[str, Array]:
    """The case's arrays under the names `inputs/BLOB`, `diffs/BLOB` and `params/INDEX/LAYER`."""
    arrays = {f"inputs/{name}": value for name, value in (case.inputs or {}).items()}
    arrays.update((f"diffs/{name}", value) for name, value in (case.backward or {}).items())
    for layer, blobs in (case.params or {}).items():
        arrays.update((f"params/{index}/{layer}", value) for index, value in enumerate(blobs)
                      if value is not None)  # fmt: skip
    return {name: numpy.asarray(value, dtype=numpy.float32) for name, value in arrays.items()}


def _read_answer(case: NetCase, place: Path) -> NetResult | EngineError:
    log = _text(place / "log")
    mistake = _text(place / "mistake.json")
    if mistake:
        return EngineError(f"The case does not fit the net: {json.loads(mistake)}.")
    code = json.loads(_text(place / "status.json") or "1")
    answer = _text(place / "answer.json")
    if code or not answer:
        return stopped(log, code, timeout=case.timeout)
    with numpy.load(str(place / "out.npz")) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return _result(json.loads(answer), arrays, log)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""


def _result(answer: dict[str, Any], arrays: dict[str, Array], log: str) -> NetResult:
    result = NetResult(
        shapes={name: tuple(shape) for name, shape in answer["shapes"]},
        param_shapes={
            layer: [tuple(shape) for shape in shapes] for layer, shapes in answer["param_shapes"]
        },
        layers=[(name, kind) for name, kind in answer["layers"]],
        inputs=answer["inputs"], outputs=answer["outputs"], log=log,
    )  # fmt: skip
    for key, value in arrays.items():
        kind, _, name = key.partition("/")
        target = getattr(result, kind)
        if kind in ("blobs", "diffs"):
            target[name] = value
        else:
            # Stored in Caffe's order, so appending keeps the order of the blobs.
            target.setdefault(name.partition("/")[2], []).append(value)
    return result


__all__ = ["EngineStopped", "NetCase", "NetResult", "run_net", "run_nets"]
