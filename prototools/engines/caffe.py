"""Real Caffe as an engine: a process for each network, so that a crash is only a sentence."""

from __future__ import annotations

from typing import Dict, List, Sequence, Union

import numpy as np

from prototools.engines import Task
from prototools.errors import EngineError
from prototools.realcaffe import NetCase, NetResult, run_nets

#: Caffe computes in float32.
TOLERANCE = 1e-4


def run(tasks: Sequence[Task]) -> List[Union[Dict[str, np.ndarray], EngineError]]:
    """Each task's outputs, float32, or why Caffe refused it; raises `EngineError` without Caffe."""
    cases = [
        NetCase(task.net, inputs=task.inputs, params=task.params, outputs=list(task.outputs), phase=task.phase)
        for task in tasks
    ]
    return [answer.blobs if isinstance(answer, NetResult) else answer for answer in run_nets(cases)]
