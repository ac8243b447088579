"""The numpy reference as an engine."""

from __future__ import annotations

from typing import Dict, List, Sequence, Union

import numpy as np

from prototools.engines import Task
from prototools.errors import EngineError, PrototoolsError
from prototools.net import Net, NetState
from prototools.reference import run as run_reference

#: Both sides are float64; what is left is the order of additions.
TOLERANCE = 1e-9


def run(tasks: Sequence[Task]) -> List[Union[Dict[str, np.ndarray], EngineError]]:
    """Each task's outputs, float64, or why it could not be run."""
    return [_attempt(task) for task in tasks]


def _attempt(task: Task) -> Union[Dict[str, np.ndarray], EngineError]:
    net = Net(task.net).filtered(NetState(task.phase))
    try:
        return run_reference(net, task.inputs, task.params, task.outputs, dialect=task.dialect)
    except EngineError as error:
        return error
    except PrototoolsError as error:
        return EngineError(getattr(error, "message", str(error)))
    except MemoryError:
        return EngineError("the memory is too small")
