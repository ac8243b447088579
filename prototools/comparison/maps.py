"""What the compared upsamplings compute, exactly, and the arithmetic of Caffe's recipe."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np

from prototools.resize import Axis, Resize, Times
from prototools.sampling import ALIGN_CORNERS, HALF_PIXEL, HALF_PIXEL_FADING, Sampling


class Map(NamedTuple):
    """One of the compared upsamplings: its name, its call (with `{factor}`), and what it does along an axis."""

    name: str
    call: str
    sampling: Sampling

    def resize(self, factor: int) -> Resize:
        """It, in exact numbers: (H, W) becomes (factor H, factor W)."""
        axis = Axis(self.sampling, Times(factor))
        return Resize(axis, axis)


RECIPE = Map("Caffe's recipe", "Deconvolution, bilinear filler, with K, S and P as above", HALF_PIXEL_FADING)
SKIMAGE = Map("skimage", 'rescale(x, {factor}, order=1, mode="constant", cval=0, clip=False)', HALF_PIXEL_FADING)
HALF = Map("PyTorch False", 'nn.Upsample(scale_factor={factor}, mode="bilinear", align_corners=False)', HALF_PIXEL)
CORNERS = Map("PyTorch True", 'nn.Upsample(scale_factor={factor}, mode="bilinear", align_corners=True)', ALIGN_CORNERS)

#: In this order everywhere.
MAPS = (RECIPE, SKIMAGE, HALF, CORNERS)

#: What a sampling does where it would need a row outside the image.
OUTSIDE = {
    HALF_PIXEL_FADING: "takes zeros for the outside, so it fades",
    HALF_PIXEL: "repeats the outermost row",
}

#: Where a sampling puts its pixels.
GRID = {
    HALF_PIXEL_FADING: "pixel centres on pixel centres",
    HALF_PIXEL: "pixel centres on pixel centres",
    ALIGN_CORNERS: "corners on corners",
}


class Derivation(NamedTuple):
    """Caffe's recipe for a factor: one Deconvolution, from the comment above `BilinearFiller` in filler.hpp."""

    factor: int

    @property
    def kernel(self) -> int:
        """K = 2 F - F mod 2."""
        return 2 * self.factor - self.factor % 2

    @property
    def stride(self) -> int:
        """S = F."""
        return self.factor

    @property
    def pad(self) -> int:
        """P = ceil((F - 1) / 2)."""
        return -(-(self.factor - 1) // 2)

    @property
    def dilation(self) -> int:
        """D = 1."""
        return 1

    def out(self, rows: int) -> int:
        """Output rows for N input rows: M = S (N - 1) + D (K - 1) + 1 - 2 P (deconv_layer.cpp)."""
        return self.stride * (rows - 1) + self.dilation * (self.kernel - 1) + 1 - 2 * self.pad


def exact(data: np.ndarray, resize: Resize) -> np.ndarray:
    """A resize of blobs (N, C, H, W) in float64, by its exact axis maps: only the weights are rounded, once."""
    rows, columns = (_matrix(axis, size) for axis, size in zip(resize.axes, data.shape[2:]))
    return np.matmul(np.matmul(rows, np.asarray(data, np.float64)), columns.T)


def _matrix(axis: Axis, size: int) -> np.ndarray:
    """An axis map as a matrix (H', H)."""
    rows = axis.map(size)
    matrix = np.zeros((len(rows), size))
    for i, row in enumerate(rows):
        for source, weight in row:
            matrix[i, source] = float(weight)
    return matrix


def sample_image() -> np.ndarray:
    """A small image, (1, 1, 8, 8), values 0 to 1: a ramp, sharp edges, a single bright and a single dark pixel."""
    image = np.tile(np.linspace(0.35, 1, 8), (8, 1))
    image[2:5, 1:4] = 0.0
    image[3, 2] = 1.0
    image[5:7, 4:7] = 1.0
    image[5, 6] = 0.0
    return image[np.newaxis, np.newaxis]


def by(shape: Sequence[int]) -> str:
    """A shape in words."""
    return " x ".join(map(str, shape))
