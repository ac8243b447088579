"""BatchNorm's three blobs are no weights: their learning rates and decays become 0.

By upgrade_proto.cpp: NetNeedsBatchNormUpgrade and UpgradeNetBatchNorm.
"""

from __future__ import annotations

import re
from typing import Iterator, Optional, Tuple

from prototools.upgrading.message import Field, Message
from prototools.upgrading.report import Report

#: Caffe looks at layers with exactly as many `param`.
PARAMS = 3
MULTIPLIERS = ("lr_mult", "decay_mult")
#: A `param` as most files write it when nothing is left to do.
DONE = re.compile(rb"\s*lr_mult:\s*0(?:\.0*)?\s+decay_mult:\s*0(?:\.0*)?\s*")


def needed(net: Message) -> bool:
    """Whether some BatchNorm layer with three `param` has another multiplier than 0."""
    return any(True for _ in _wrong(net))


def upgrade(net: Message, report: Report) -> None:
    """Set them to 0."""
    wrong = list(_wrong(net))
    for param, name, field in wrong:
        if field is None:
            param.put(len(param.fields), param.scalar(name, 0))
        else:
            field.assign(0)
    report.step(f"BatchNorm, learning rates and decays set to 0: {len(wrong)}")


def _wrong(net: Message) -> Iterator[Tuple[Message, str, Optional[Field]]]:
    """Every multiplier that is not 0, or not written."""
    for layer in net.all("layer"):
        if layer.count("param") != PARAMS or layer.all_match("param", DONE):
            continue
        if layer.message.string("type") == "BatchNorm":
            for param in layer.message.all("param"):
                for name in MULTIPLIERS:
                    field = param.message.one(name)
                    if field is None or repr(field.number()) != "0.0":
                        yield param.message, name, field
