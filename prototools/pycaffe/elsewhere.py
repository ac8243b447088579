"""What pycaffe has beside building nets: calls that change nothing here, and what only a compiled Caffe does."""

from __future__ import annotations

from functools import cache
from typing import Any, Callable, Dict

from prototools.errors import EngineError

#: Calls that choose a device, a log or a seed, and ask for them: what each answers where nothing is trained.
QUIET: Dict[str, Any] = {
    "has_nccl": False,
    "init_log": None,
    "log": None,
    "set_device": None,
    "set_logging_disabled": None,
    "set_mode_cpu": None,
    "set_mode_gpu": None,
    "set_multiprocess": None,
    "set_random_seed": None,
    "set_solver_count": None,
    "set_solver_rank": None,
    "solver_count": 1,
    "solver_rank": 0,
}

#: What only a compiled Caffe can be asked for: what each does.
COMPILED: Dict[str, str] = {
    "AdaDeltaSolver": "trains networks",
    "AdaGradSolver": "trains networks",
    "AdamSolver": "trains networks",
    "Classifier": "runs trained networks",
    "Detector": "runs trained networks",
    "NCCL": "trains on several devices",
    "NesterovSolver": "trains networks",
    "RMSPropSolver": "trains networks",
    "SGDSolver": "trains networks",
    "Solver": "trains networks",
    "Timer": "times networks",
    "draw_net": "draws networks",
    "draw_net_to_file": "draws networks",
    "get_pydot_graph": "draws networks",
    "get_solver": "trains networks",
}


class NotHere(EngineError, NotImplementedError):
    """What a script asks for needs a compiled Caffe."""

    def __init__(self, wish: str):
        super().__init__(f"{wish}, which prototools.pycaffe does not; run the script on real Caffe with "
                         "`prototools caffe run -- python3 SCRIPT`")


class Layer:
    """The base of Python layers, so that a script may define some; nothing here runs them."""


@cache
def quiet(name: str) -> Callable[..., Any]:
    """A call that changes nothing, whatever it is given."""
    def call(*arguments: Any, **settings: Any) -> Any:
        return QUIET[name]

    return call


@cache
def compiled(name: str) -> type:
    """A class, so that a script may derive from it, that says where it can be had when it is made."""
    def refuse(self: Any, *arguments: Any, **settings: Any) -> None:
        raise NotHere(f"caffe.{name} {COMPILED[name]}")

    return type(name, (), {"__init__": refuse, "__doc__": f"In pycaffe it {COMPILED[name]}; here it raises NotHere."})


def layer_type_list() -> list:
    """The types of stock Caffe's layers."""
    from prototools.layer_types import STOCK_TYPES

    return sorted(STOCK_TYPES)
