"""Real Caffe as an engine: a process for each network, so that a crash is only a sentence."""

from __future__ import annotations

from typing import Dict, List, Sequence, Union

import numpy as np

from prototools.engines import NetRefused, Task, npz_names
from prototools.errors import EngineError
from prototools.realcaffe import NetCase, NetResult, run_nets
from prototools.realcaffe.failures import EngineStopped

#: Caffe computes in float32.
TOLERANCE = 1e-4

#: How Caffe ends where the network is at fault: a failed check, a division by zero, a wrong address.
REFUSALS = ("SIGABRT", "SIGFPE", "SIGSEGV")

Answer = Union[Dict[str, np.ndarray], EngineError]


def run(tasks: Sequence[Task]) -> List[Answer]:
    """Each task's outputs, float32, or why Caffe refused it; raises `EngineError` without Caffe."""
    answers: Dict[int, Answer] = {}
    cases: Dict[int, NetCase] = {}
    for number, task in enumerate(tasks):
        try:
            npz_names(task)
            cases[number] = _case(task)
        except EngineError as error:
            answers[number] = error
    answers.update(zip(cases, map(_answer, run_nets(list(cases.values())))))
    return [answers[number] for number in range(len(tasks))]


def _case(task: Task) -> NetCase:
    return NetCase(task.net, inputs=task.inputs, params=task.params, outputs=list(task.outputs), phase=task.phase)


def _answer(result: Union[NetResult, EngineError]) -> Answer:
    if isinstance(result, NetResult):
        return result.blobs
    if isinstance(result, EngineStopped) and result.signal in REFUSALS and "bad_alloc" not in result.log:
        return NetRefused(str(result))
    return result
