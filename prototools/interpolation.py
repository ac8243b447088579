"""What `torch.nn.functional.interpolate` computes, as axis maps.

From ATen's UpSample.h and UpSampleKernel.cpp of PyTorch 2.13. One step, in source rows for each output
row, is H / H' where a size is given, 1 / scale rounded to float32 where a scale is, and
(H - 1) / (H' - 1) with aligned corners, whatever was given. Where H' = H, "nearest" and "bilinear" copy,
and where H' = 2 H, "nearest" repeats every row, whatever scale was given.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Dict, Optional

from prototools.resize import Axis, Given, SizeRule, Times, float32
from prototools.sampling import (
    ALIGN_CORNERS,
    HALF,
    HALF_PIXEL,
    NEAREST,
    Row,
    Sampling,
    between,
    clamped,
    cubic,
    whole,
)

#: PyTorch's modes; those for which `align_corners` means something.
MODES = ("nearest", "nearest-exact", "bilinear", "bicubic", "area")
WITH_CORNERS = ("bilinear", "bicubic")

#: Enlargements for which PyTorch looks at the sizes alone, whatever scale was given.
BY_SIZES = {"nearest": (1, 2), "bilinear": (1,)}

#: Keys' parameter of PyTorch's and OpenCV's cubic kernel.
SHARPNESS = Fraction(-3, 4)


def axis(mode: str, align_corners: bool, rows: Optional[int], size: Optional[int], scale: Optional[float]) -> Axis:
    """One axis of an interpolation, from `rows` rows to `size`, or by `scale`.

    H' is `size`, or floor(H scale). Without `rows` a whole scale gives the family for all sizes.
    """
    rule = _rule(rows, size, scale)
    if mode in WITH_CORNERS and align_corners:
        return Axis(ALIGN_CORNERS if mode == "bilinear" else CUBIC_ALIGN_CORNERS, rule)
    if rows is None:
        return Axis({"nearest": NEAREST, "bilinear": HALF_PIXEL}.get(mode, NEAREST), rule)
    return Axis(_sampling(mode, rows, rule(rows), scale), rule)


def _rule(rows: Optional[int], size: Optional[int], scale: Optional[float]) -> SizeRule:
    if size is not None:
        return Given(size)
    if scale == int(scale):
        return Times(int(scale))
    return Given(floor(rows * scale))


def _sampling(mode: str, rows: int, out: int, scale: Optional[float]) -> Sampling:
    """The sampling for known sizes; the usual one where it is the same map, so that fillers can do it."""
    usual = {"nearest": NEAREST, "bilinear": HALF_PIXEL, "bicubic": CUBIC}.get(mode)
    if mode == "area":
        return AREA
    if out in [rows * times for times in BY_SIZES.get(mode, ())]:
        return usual
    step = Fraction(rows, out) if scale is None or scale == int(scale) else Fraction(float32(1 / scale))
    if mode in ("nearest", "nearest-exact"):
        offset = 0.5 if mode == "nearest-exact" else 0.0
        rounded = float32(rows / out if scale is None else 1 / scale)
        found = Sampling(f"{mode}, step {rounded:g}", lambda i, rows, out: _nearest(i, rows, rounded, offset))
    elif step == Fraction(rows, out):
        return usual
    else:
        found = _stepped(mode, step)
    same = usual is not None and all(found.row(i, rows, out) == usual.row(i, rows, out) for i in range(out))
    return usual if same else found


def _stepped(mode: str, step: Fraction) -> Sampling:
    taps = _linear if mode == "bilinear" else _cubic
    return Sampling(f"{mode}, step {float(step):g}", lambda i, rows, out: taps((i + HALF) * step - HALF, rows))


def _nearest(i: int, rows: int, step: float, offset: float) -> Row:
    """The row below, in float32 as PyTorch computes it: floor((i + offset) step)."""
    return ((min(int(float32((i + offset) * step)), rows - 1), Fraction(1)),)


def _linear(x: Fraction, rows: int) -> Row:
    return between(clamped(x, rows), rows)


def _cubic(x: Fraction, rows: int) -> Row:
    """Four rows around x, those outside taken from the border (a = -3/4)."""
    weights: Dict[int, Fraction] = {}
    for tap in range(whole(x) - 1, whole(x) + 3):
        row = min(max(tap, 0), rows - 1)
        weights[row] = weights.get(row, Fraction(0)) + cubic(x - tap, SHARPNESS)
    return tuple((row, weight) for row, weight in sorted(weights.items()) if weight)


def _area(i: int, rows: int, out: int) -> Row:
    """The mean of rows floor(i H / H') to ceil((i + 1) H / H') (adaptive average pooling)."""
    first, last = i * rows // out, -(-(i + 1) * rows // out)
    return tuple((row, Fraction(1, last - first)) for row in range(first, last))


def _corners(i: int, rows: int, out: int) -> Row:
    return _cubic(Fraction(i * (rows - 1), out - 1) if out > 1 else Fraction(0), rows)


AREA = Sampling("mean over the area", _area)
CUBIC = Sampling("cubic", lambda i, rows, out: _cubic((i + HALF) * rows / out - HALF, rows))
CUBIC_ALIGN_CORNERS = Sampling("cubic, align corners", _corners)
