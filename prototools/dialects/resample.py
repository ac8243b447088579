"""Resample: FlowNet2's, with the offset that its two axes have crossed.

lmb-freiburg/flownet2, twhui/LiteFlowNet and their kin (`resample_layer.cu`): to `height` and `width`,
or to the size of a second bottom. With f = H / H' along the axis and g across it, the source row is
i f + g / 2 - 1/2: pixel centres on pixel centres only where both axes have one factor.
`type` is NEAREST, LINEAR (the default) or CUBIC (Catmull and Rom); the filters are renormalised at the
borders, and stretched by f where `antialias` (the default) is set and the map shrinks.
The field `factor` is never read, and the layer has no backward pass.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Tuple

from prototools.dialects.reading import Context, Dialect, Reading, positive, require_bottoms, size_of
from prototools.lowerings.request import Refused
from prototools.resize import Axis, Given, Resize
from prototools.sampling import HALF_PIXEL, NEAREST, Sampling, cubic, resampled, rounded, triangle

PARAM = "resample_param"
KINDS = {"1": "NEAREST", "2": "LINEAR", "3": "CUBIC", "4": "AREA"}

#: Beside the kind: its kernel, and the rows it reaches where it is not stretched.
KERNELS = {"LINEAR": (triangle, 2), "CUBIC": (cubic, 4)}


def _read(context: Context) -> Reading:
    require_bottoms(context, 1, 2)
    rows, references = size_of(context, 0), ()
    if len(context.layer.bottoms) == 2:
        sizes, references = size_of(context, 1), (1,)
    else:
        param = context.param(PARAM)
        sizes = positive(param, "height", 0), positive(param, "width", 0)
    factors = [Fraction(before, after) for before, after in zip(rows, sizes)]
    samplings = _samplings(context, factors)
    return Reading(Resize(*(Axis(s, Given(n)) for s, n in zip(samplings, sizes))), references=references)


def _samplings(context: Context, factors) -> Tuple[Sampling, Sampling]:
    """One for each axis, which is told the other's factor."""
    param = context.param(PARAM)
    kind = KINDS.get(param.word("type", "LINEAR"), param.word("type", "LINEAR"))
    antialias = param.boolean("antialias", True) and max(factors) > 1
    down, across = (_sampling(kind, f, g, antialias) for f, g in (factors, factors[::-1]))
    return down, across


def _sampling(kind: str, factor: Fraction, other: Fraction, antialias: bool) -> Sampling:
    if kind == "NEAREST":
        whole = factor == other and factor.numerator == 1
        return NEAREST if whole else rounded(other)
    if kind not in KERNELS:
        raise Refused(f"type must be NEAREST, LINEAR or CUBIC, but is {kind}")
    if kind == "LINEAR" and factor == other and factor <= 1:
        # A triangle that is renormalised at the border is linear interpolation with the border repeated.
        return HALF_PIXEL
    kernel, radius = KERNELS[kind]
    name = f"{kind.lower()} filter, offset {other / 2}" + (", antialiased" if antialias else "")
    return resampled(name, kernel, radius, other, antialias)


DIALECTS = (
    Dialect("flownet2", ("Resample",), "lmb-freiburg/flownet2, LiteFlowNet", lambda context: True, _read),
)
