"""Taking rows and columns by formula: the loops that the forks' kernels have in common."""

from __future__ import annotations

from typing import NamedTuple, Tuple

import numpy as np


class Taps(NamedTuple):
    """For each output row: two source rows and the weight of each."""

    first: np.ndarray
    second: np.ndarray
    first_weight: np.ndarray
    second_weight: np.ndarray


def lerp(bottom: np.ndarray, rows: Taps, columns: Taps) -> np.ndarray:
    """Weigh two rows, then two columns, of an (N, C, H, W) blob."""
    return _lerp_axis(_lerp_axis(bottom, rows, 2), columns, 3)


def _lerp_axis(values: np.ndarray, taps: Taps, axis: int) -> np.ndarray:
    shape = (-1,) + (1,) * (values.ndim - axis - 1)
    first = np.take(values, taps.first, axis=axis) * taps.first_weight.reshape(shape)
    second = np.take(values, taps.second, axis=axis) * taps.second_weight.reshape(shape)
    return first + second


def repeated(bottom: np.ndarray, down: int, across: int) -> np.ndarray:
    """out[i, j] = in[i // down, j // across] on the last two axes."""
    return bottom.repeat(down, axis=-2).repeat(across, axis=-1)


def pick(bottom: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """out[i, j] = in[rows[i], columns[j]] of an (N, C, H, W) blob."""
    return bottom[:, :, rows][:, :, :, columns]


def aligned_position(size: int, new_size: int, single: bool) -> Tuple[np.ndarray, np.ndarray]:
    """The source row and the fraction behind it, where corners meet corners (interp.cpp).

    x = i (size - 1) / (new_size - 1), and 0 where there is one output row. `single` forms the ratio
    and x in float32 as the forks do; otherwise both parts are exact.
    """
    rows = np.arange(new_size)
    if new_size == 1:
        return rows, np.zeros(1)
    if single:
        ratio = np.float32(size - 1) / np.float32(new_size - 1)
        position = ratio * rows.astype(np.float32)
        # Rounding may step over the last row, where the fork reads the row behind the image.
        first = np.minimum(position.astype(np.int64), size - 1)
        return first, (position - first.astype(np.float32)).astype(np.float64)
    first, rest = np.divmod(rows * (size - 1), new_size - 1)
    return first, rest / (new_size - 1)


def aligned(size: int, new_size: int, single: bool = False) -> Taps:
    """Bilinear taps where corners meet corners; the last row is its own second tap."""
    first, fraction = aligned_position(size, new_size, single)
    second = np.minimum(first + 1, size - 1)
    return Taps(first, second, 1 - fraction, fraction)


def aligned_nearest(size: int, new_size: int) -> np.ndarray:
    """The nearest row where corners meet corners; halves go up, as float32 has them."""
    first, fraction = aligned_position(size, new_size, single=True)
    return np.minimum(np.where(fraction >= 0.5, first + 1, first), size - 1)


def clamped(position: np.ndarray, size: int) -> Taps:
    """Bilinear taps at real positions, which are first moved into [0, size - 1]."""
    inside = np.clip(position, 0, size - 1)
    first = np.floor(inside).astype(np.int64)
    second = np.minimum(first + 1, size - 1)
    return Taps(first, second, 1 - (inside - first), inside - first)


def dropped(position: np.ndarray, size: int) -> Taps:
    """Bilinear taps whose second row counts nothing where it lies behind the image."""
    first = np.floor(position).astype(np.int64)
    fraction = position - first
    inside = first + 1 < size
    return Taps(
        np.clip(first, 0, size - 1), np.minimum(first + 1, size - 1), 1 - fraction,
        np.where(inside, fraction, 0.0),
    )
