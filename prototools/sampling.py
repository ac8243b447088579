"""Samplings: which source rows an output row reads, and with which weights, in exact numbers.

Where a fork interpolates at a coordinate that it computes in floats the exact value stands here, so its
own numbers differ from these by rounding: up to 1e-4 on large maps. Where it takes the nearest row the
coordinate is rounded as the fork's own is, because a hair decides between two rows.
In all formulas i counts output rows from 0, there are H source rows and H' output rows.
"""

from __future__ import annotations

import math
from fractions import Fraction
from struct import pack, unpack
from typing import Callable, Dict, NamedTuple, Tuple

#: One output row: (source row, weight) in order of the source rows, without zero weights.
Row = Tuple[Tuple[int, Fraction], ...]

HALF = Fraction(1, 2)


class Sampling(NamedTuple):
    """Which source rows an output row reads: `row(i, rows, out)`, named for reports."""

    name: str
    row: Callable[[int, int, int], Row]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sampling) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


# ---------------------------------------------------------------- parts


def whole(x: Fraction) -> int:
    """The largest whole number that is not above x."""
    return x.numerator // x.denominator


def between(x: Fraction, rows: int) -> Row:
    """Linear interpolation at a source coordinate inside [0, rows - 1]."""
    low = x.numerator // x.denominator
    part = x - low
    return ((low, 1 - part), (low + 1, part)) if part else ((low, Fraction(1)),)


def clamped(x: Fraction, rows: int) -> Fraction:
    """A source coordinate moved into [0, H - 1], which repeats the border."""
    return min(max(x, Fraction(0)), Fraction(rows - 1))


def one(row: int, rows: int) -> Row:
    """A single source row, the border's where it would lie outside."""
    return ((min(max(row, 0), rows - 1), Fraction(1)),)


def float32(value: float) -> float:
    """A number rounded to 32 bits."""
    return unpack("f", pack("f", value))[0]


# ---------------------------------------------------------------- corners on corners


def align_corners(i: int, rows: int, out: int) -> Row:
    """Corners fall on corners: x = i (H - 1) / (H' - 1); one output row reads row 0.

    Forks form the ratio in float32, so their numbers differ from these by up to 1e-4 on large maps.
    """
    x = Fraction(i * (rows - 1), out - 1) if out > 1 else Fraction(0)
    return between(x, rows)


def floor(i: int, rows: int, out: int) -> Row:
    """The nearest row below, in whole numbers: i H // H'."""
    return ((i * rows // out, Fraction(1)),)


def floor_float32(i: int, rows: int, out: int) -> Row:
    """The nearest row below, where i times the ratio H / H' is rounded to 32 bits (TensorFlow's)."""
    return one(int(float32(i * float32(rows / out))), rows)


def round_align_corners(i: int, rows: int, out: int) -> Row:
    """The nearest row on the grid whose corners fall on corners, in 32 bits, halves upwards."""
    ratio = float32((rows - 1) / (out - 1)) if out > 1 else 0.0
    return one(int(float32(i * ratio) + 0.5), rows)


def insert(offset: int) -> Sampling:
    """Rows are set apart and zeros put between: row i lands at i s + offset, where s = H' / H.

    The number of output rows must be a multiple of the input's.
    """
    return Sampling(f"insert at {offset}", lambda i, rows, out: _inserted(i, out // rows, offset))


def _inserted(i: int, step: int, offset: int) -> Row:
    return (((i - offset) // step, Fraction(1)),) if i % step == offset else ()


# ---------------------------------------------------------------- pixel centres, and corners of pixels


def half_pixel(i: int, rows: int, out: int) -> Row:
    """Pixel centres on pixel centres, borders repeated: x = (i + 1/2) H / H' - 1/2, clamped.

    PyTorch with align_corners=False, OpenCV's INTER_LINEAR, TensorFlow's half_pixel_centers.
    """
    return between(clamped((i + HALF) * rows / out - HALF, rows), rows)


def half_pixel_fading(i: int, rows: int, out: int) -> Row:
    """x = (i + 1/2) H / H' - 1/2, and what lies outside is zero, so both ends fade.

    Caffe's own recipe for BilinearFiller, and skimage's rescale with mode="constant" and cval=0.
    """
    x = (i + HALF) * rows / out - HALF
    return tuple((row, weight) for row, weight in between(x, rows) if 0 <= row < rows)


def asymmetric(i: int, rows: int, out: int) -> Row:
    """First pixels on first pixels, borders repeated: x = i H / H' (TensorFlow 1's default)."""
    return between(clamped(Fraction(i * rows, out), rows), rows)


def asymmetric_fading(i: int, rows: int, out: int) -> Row:
    """x = i H / H', and what lies beyond the last row is zero, so the end fades."""
    return tuple((row, weight) for row, weight in between(Fraction(i * rows, out), rows) if row < rows)


def shifted(i: int, rows: int, out: int) -> Row:
    """Half a pixel before the first pixel: x = i H / H' - 1/2, clamped (upsample_layer.cpp of caffe-sds)."""
    return between(clamped(Fraction(i * rows, out) - HALF, rows), rows)


def end_aligned(i: int, rows: int, out: int) -> Row:
    """Last pixel on last pixel: x = (i + 1) H / H' - 1, cut towards zero (Tiny-DSOD).

    Before the first row the weights are 1 - x and x, so the start extrapolates; the row behind the
    last counts nothing.
    """
    x = Fraction((i + 1) * rows, out) - 1
    low = max(whole(x), 0)
    taps = ((low, 1 - (x - low)), (low + 1, x - low))
    return tuple((row, weight) for row, weight in taps if weight and row < rows)


def half_pixel_floor(i: int, rows: int, out: int) -> Row:
    """The row below the pixel centre: floor((i + 1/2) H / H'), in 32 bits."""
    return one(int(float32((i + 0.5) * float32(rows / out))), rows)


def half_pixel_onnx(i: int, rows: int, out: int) -> Row:
    """floor((i + 1/2) H / H' - 1/2), in 32 bits."""
    x = float32((i + 0.5) * float32(rows / out))
    return one(math.floor(float32(x - 0.5)), rows)


def repeated_then_zero(i: int, rows: int, out: int) -> Row:
    """Every row H' // H times, and zeros where rows are left over."""
    times = out // rows
    return ((i // times, Fraction(1)),) if i < rows * times else ()


# ---------------------------------------------------------------- cubic, and filters wider than two rows


def cubic(distance: Fraction, sharpness: Fraction = -HALF) -> Fraction:
    """Keys' cubic convolution kernel; a = -1/2 is Catmull and Rom's, a = -3/4 OpenCV's."""
    x, a = abs(distance), sharpness
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((x - 5) * x + 8) * x * a - 4 * a if x < 2 else Fraction(0)


def triangle(distance: Fraction) -> Fraction:
    """Linear interpolation as a kernel."""
    return max(Fraction(0), 1 - abs(distance))


def cubic_unclamped(i: int, rows: int, out: int) -> Row:
    """Catmull and Rom's cubic at pixel centres; rows are repeated at the borders, the fraction is not
    clamped, so the first rows extrapolate (imresize_layer.cu of OpenPose)."""
    x = (i + HALF) * rows / out - HALF
    base = max(whole(x), 0)
    weights: Dict[int, Fraction] = {}
    for tap in range(base - 1, base + 3):
        row = min(max(tap, 0), rows - 1)
        weights[row] = weights.get(row, Fraction(0)) + cubic(x - tap)
    return tuple((row, weight) for row, weight in sorted(weights.items()) if weight)


def resampled(
    name: str, kernel: Callable[[Fraction], Fraction], radius: int, other: Fraction, antialias: bool
) -> Sampling:
    """A filter around x = i f + g / 2 - 1/2, renormalised over the rows there are (FlowNet2's Resample).

    f = H / H' is this axis' factor and g, `other`, the other axis': resample_layer.cu has them crossed
    in the offset. The window is 2 rows to each side, or ceil(radius f) where f is at least 1; the
    kernel is stretched by f where `antialias` is set.
    """
    return Sampling(name, lambda i, rows, out: _filtered(i, rows, out, kernel, radius, other, antialias))


def _filtered(i: int, rows: int, out: int, kernel, radius: int, other: Fraction, antialias: bool) -> Row:
    factor = Fraction(rows, out)
    x = i * factor + other / 2 - HALF
    reach = -whole(-radius * factor) if factor >= 1 else 2
    stretch = 1 / factor if antialias else Fraction(1)
    centre = whole(x + HALF)
    taps = [(row, kernel((x - row) * stretch)) for row in range(centre - reach, centre + reach + 1) if 0 <= row < rows]
    total = sum(weight for _, weight in taps)
    return tuple((row, weight / total) for row, weight in taps if weight)


def rounded(other: Fraction) -> Sampling:
    """The nearest row of FlowNet2's Resample: round(i f + g / 2 - 1/2), halves away from zero."""
    return Sampling(
        f"nearest, offset {other / 2}",
        lambda i, rows, out: ((_round(i * Fraction(rows, out) + other / 2 - HALF), Fraction(1)),),
    )


def _round(x: Fraction) -> int:
    return whole(x + HALF) if x >= 0 else -whole(HALF - x)


# ---------------------------------------------------------------- by name

ALIGN_CORNERS = Sampling("align corners", align_corners)
NEAREST = Sampling("nearest", floor)
NEAREST_FLOAT32 = Sampling("nearest, in float32", floor_float32)
NEAREST_ALIGN_CORNERS = Sampling("nearest, align corners", round_align_corners)
HALF_PIXEL = Sampling("half-pixel", half_pixel)
HALF_PIXEL_FADING = Sampling("half-pixel, fading", half_pixel_fading)
HALF_PIXEL_NEAREST = Sampling("nearest, half-pixel", half_pixel_floor)
HALF_PIXEL_ONNX = Sampling("nearest, half-pixel less a half", half_pixel_onnx)
ASYMMETRIC = Sampling("asymmetric", asymmetric)
REPEATED = Sampling("repeated, then zeros", repeated_then_zero)
END_ALIGNED = Sampling("ends on ends", end_aligned)
SHIFTED = Sampling("shifted by half a pixel", shifted)
ASYMMETRIC_FADING = Sampling("asymmetric, fading", asymmetric_fading)
CUBIC_UNCLAMPED = Sampling("cubic, unclamped", cubic_unclamped)
