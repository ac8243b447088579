"""A solver's `solver_type`, an enumeration, becomes its `type`, a name.

By upgrade_proto.cpp: SolverNeedsTypeUpgrade and UpgradeSolverType.
"""

from __future__ import annotations

from prototools.legacy import SOLVER_TYPES
from prototools.upgrading.message import Field, Message
from prototools.upgrading.report import Report

NETS = ("net_param", "train_net_param", "test_net_param")


def needed(solver: Message) -> bool:
    """Whether there is a `solver_type`, and this is no net."""
    return solver.has("solver_type") and not any(map(solver.has, ("layer", "layers", "input")))


def upgrade(solver: Message, report: Report) -> None:
    """Name the type; a net written inside the solver stays as it is, as in Caffe's own tool."""
    field = solver.one("solver_type")
    if solver.has("type"):
        raise field.error("solver_type and type must not stand in one solver; take out one of them")
    field.assign(_type(field))
    field.name = "type"
    for name in NETS:
        for net in solver.all(name):
            if any(map(net.message.has, ("layers", "input"))):
                report.note(net, "", f"{name} holds a net of an old form, which stays as it is; "
                            "move it to a file of its own to upgrade it")
    report.step(f"solver_type to type: {field.string()}")


def _type(field: Field) -> str:
    written = field.word()
    if written.isdigit() and int(written) < len(SOLVER_TYPES):
        return list(SOLVER_TYPES.values())[int(written)]
    if written not in SOLVER_TYPES:
        raise field.error(f"solver_type must be one of {', '.join(SOLVER_TYPES)}, but found {written}")
    return SOLVER_TYPES[written]
