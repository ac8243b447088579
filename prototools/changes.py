"""What `rewrite` tells: the layers it replaced, and those it did not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping, NamedTuple, Optional, Tuple, Union

from prototools.errors import named

if TYPE_CHECKING:
    from prototools.cost import Cost
    from prototools.matrices import Weights
    from prototools.resize import Certificate


class Change(NamedTuple):
    """One replaced layer: where it stood, how it was read, and what took its place."""

    layer: str
    type: str
    line: int
    dialect: str
    computes: str
    lowering: str
    new_layers: Tuple[str, ...]
    certificate: Certificate
    cost: Cost
    newer_filler: bool
    notes: Tuple[str, ...]
    others: Tuple[Tuple[str, Cost, str], ...]
    matrices: Mapping[str, Weights]


class Refusal(NamedTuple):
    """One layer that stays as it is, with the reason, and the blob whose shape would help."""

    layer: str
    type: str
    line: int
    column: int
    reason: str
    blob: Optional[str] = None

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {named(self.layer)}: {self.reason}"


class Result(NamedTuple):
    """What `rewrite` gives.

    `text` is the whole network, as `bytes` or `str` like the one that was given; layers in
    `refusals` stand in it unchanged. `foreign` are the types that stock Caffe lacks and that are
    none of our business.
    """

    text: Union[bytes, str]
    changes: Tuple[Change, ...]
    refusals: Tuple[Refusal, ...]
    foreign: Tuple[str, ...]
