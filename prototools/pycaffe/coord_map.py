"""Where the places of one blob lie in another, and the Crop that aligns two of them.

A map is (axis, scale, shift): place i of a top lies at scale i + shift of the bottom it was made from,
along all spatial axes from `axis` on; axis None says that any axis does. Scale and shift are 1 and 0,
or arrays with one number for each spatial axis.
A convolution whose window is K places wide with stride S and pad P centres top i at S i + (K - 1)/2 - P;
pycaffe writes the inverse of it, from bottom to top, and so does this.
"""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import numpy as np

from prototools.netspec import layers as L

#: (first spatial axis, scale, shift).
Map = Tuple[Any, Any, Any]

IDENTITY: Map = (None, 1, 0)

WINDOWED = ("Convolution", "Pooling", "Im2col")

#: Layers whose tops lie on their bottoms, place for place. A list, to which scripts add the types of a fork.
PASS_THROUGH_LAYERS = [
    "AbsVal", "BatchNorm", "Bias", "BNLL", "Dropout", "Eltwise", "ELU", "Exp", "Log", "LRN", "MVN", "Power",
    "PReLU", "ReLU", "Scale", "Sigmoid", "Split", "TanH", "Threshold",
]

#: Settings of one axis alone, which no map of this kind has a place for.
ONE_SIDED = {"kernel_h", "kernel_w", "pad_h", "pad_w", "stride_h", "stride_w"}


class UndefinedMapException(Exception):
    """A layer that mixes places, or whose places have no order."""


class AxisMismatchException(Exception):
    """Two maps along different axes."""


def coord_map(fn: Any) -> Map:
    """The map of one layer; raises `UndefinedMapException` for a type that has none."""
    if fn.type_name in WINDOWED:
        axis, stride, kernel, pad = conv_params(fn)
        return axis, 1 / stride, (pad - (kernel - 1) / 2) / stride
    if fn.type_name == "Deconvolution":
        axis, stride, kernel, pad = conv_params(fn)
        return axis, stride, (kernel - 1) / 2 - pad
    if fn.type_name in PASS_THROUGH_LAYERS:
        return IDENTITY
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        # Crop counts its axis from the images on, the windowed layers from the channels.
        return axis - 1, 1, -offset
    raise UndefinedMapException(fn.type_name)


def conv_params(fn: Any) -> Tuple[int, Any, Any, Any]:
    """Axis, stride, whole width of the window with its dilation, and pad."""
    settings = fn.params.get("convolution_param", fn.params)
    if ONE_SIDED & set(settings):
        raise AssertionError(f"{', '.join(sorted(ONE_SIDED & set(settings)))} must not be given: only settings for "
                             "all axes can be mapped")
    stride, pad, dilation, kernel = (
        np.array(settings.get(name, default), ndmin=1)
        for name, default in (("stride", 1), ("pad", 0), ("dilation", 1), ("kernel_size", 1))
    )
    return settings.get("axis", 1), stride, (kernel - 1) * dilation + 1, pad


def crop_params(fn: Any) -> Tuple[int, Any]:
    """Axis, which is 2 where it is not given, and offset."""
    settings = fn.params.get("crop_param", fn.params)
    return settings.get("axis", 2), np.array(settings.get("offset", 0), ndmin=1)


def compose(base: Map, following: Map) -> Map:
    """First `following`, then `base`; raises `AxisMismatchException` where their axes differ."""
    (one, scale, shift), (other, inner_scale, inner_shift) = base, following
    if None not in (one, other) and one != other:
        raise AxisMismatchException
    return other if one is None else one, scale * inner_scale, scale * inner_shift + shift


def inverse(one: Map) -> Map:
    """The way back."""
    axis, scale, shift = one
    return axis, 1 / scale, -shift / scale


def coord_map_from_to(top_from: Any, top_to: Any) -> Map:
    """The map from one top to another, through the nearest blob that both are made from.

    Raises `RuntimeError` where no layers with maps join them.
    """
    reached = _reached(top_from)
    for top, found in _walk(top_to):
        if top in reached:
            return compose(found, inverse(reached[top]))
    raise RuntimeError("Could not compute map between tops; are they connected by spatial layers?")


def _reached(top: Any) -> Dict[Any, Map]:
    """Every blob that a top is made from, with the map to it."""
    return dict(_walk(top))


def _walk(start: Any):
    """A top and all it is made from, one after the other, each with its map; no deeper where a map ends."""
    waiting: List[Tuple[Any, Map]] = [(start, IDENTITY)]
    seen = set()
    while waiting:
        top, found = waiting.pop()
        if top in seen:
            continue
        seen.add(top)
        yield top, found
        # A Crop is made from its first bottom; the second only gives the size.
        bottoms = top.fn.inputs[:1] if top.fn.type_name == "Crop" else top.fn.inputs
        try:
            waiting += [(bottom, compose(found, coord_map(top.fn))) for bottom in bottoms]
        except UndefinedMapException:
            continue


def crop(top_from: Any, top_to: Any) -> Any:
    """A Crop of `top_from` that aligns it with `top_to`.

    Raises `AssertionError` where the two differ in scale, or the offset is negative or no whole number.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    if not np.all(np.asarray(scale) == 1):
        raise AssertionError(f"scale mismatch on crop (a = {scale})")
    if not np.all(np.asarray(shift) <= 0):
        raise AssertionError(f"cannot crop negative offset (b = {shift})")
    if not np.all(np.round(shift) == shift):
        raise AssertionError(f"cannot crop noninteger offset (b = {shift})")
    offset = [int(-number) for number in np.atleast_1d(np.round(shift))]
    # Without a spatial layer between them any axis does; Crop begins with the height.
    first = 2 if axis is None else axis + 1
    return L.Crop(top_from, top_to, crop_param={"axis": first, "offset": offset})
