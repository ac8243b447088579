"""`Resample`, `Resize`, `ResizeBilinear` and other layers of forks that resize in their own way."""

from __future__ import annotations

from typing import Callable, List, Tuple

import numpy as np

from prototools.prototext import Message
from prototools.reference.call import (
    Call,
    choice,
    need_bottoms,
    numbered,
    planes,
    size_of,
    written,
)
from prototools.reference.readings import resize_reading
from prototools.reference.sampling import (
    Taps,
    aligned,
    aligned_nearest,
    clamped,
    dropped,
    lerp,
    pick,
)


def resample(call: Call) -> List[np.ndarray]:
    """FlowNet2's `Resample` to `height` x `width` or to the size of bottom 1 (resample_layer.cu).

    x = i fx + fy / 2 - 0.5 with fx = W / W' and fy = H / H': the fork swaps the two in the offset.
    LINEAR and CUBIC (Catmull-Rom) drop taps outside and renormalise; `factor` is never read.
    """
    need_bottoms(call, 1, 2)
    param, bottom = call.param("resample_param"), planes(call)
    if len(call.bottoms) == 2:
        height, width = size_of(planes(call, 1))
    else:
        height, width = param.integer("height"), param.integer("width")
    if min(height, width) < 1:
        raise call.error(f"height and width must be at least 1, but are {height} and {width}")
    down, across = bottom.shape[2] / height, bottom.shape[3] / width
    rows = np.arange(height) * down + across / 2 - 0.5
    columns = np.arange(width) * across + down / 2 - 0.5
    kinds = {"NEAREST": 1, "LINEAR": 2, "CUBIC": 3, "AREA": 4}
    kind = numbered(param, "type", kinds, "LINEAR")
    if kind == "AREA":
        raise call.error("type AREA is refused by the fork too; use NEAREST, LINEAR or CUBIC")
    if kind == "NEAREST":
        return [pick(bottom, _rounded(call, rows, bottom.shape[2]),
                     _rounded(call, columns, bottom.shape[3]))]
    antialias = param.boolean("antialias", True) and max(down, across) > 1
    vertical = _window_weights(rows, bottom.shape[2], down, kind, antialias)
    horizontal = _window_weights(columns, bottom.shape[3], across, kind, antialias)
    return [np.matmul(np.matmul(vertical, bottom), horizontal.T)]


def _rounded(call: Call, position: np.ndarray, size: int) -> np.ndarray:
    """The nearest row, halves away from zero; the fork reads outside the image unguarded."""
    rows = (np.sign(position) * np.floor(np.abs(position) + 0.5)).astype(np.int64)
    if rows.min() < 0 or rows.max() >= size:
        raise call.error("NEAREST reads outside the image where the two factors differ this much")
    return rows


def _window_weights(
    position: np.ndarray, size: int, factor: float, kind: str, antialias: bool
) -> np.ndarray:
    """(H', H): the kernel's value at each source row, normalised over the rows inside."""
    narrow = 1.0 / factor if antialias else 1.0
    support = 4 if kind == "CUBIC" else 2
    radius = 2 if factor < 1 else np.ceil(support / narrow)
    source = np.arange(size)
    centre = np.sign(position) * np.floor(np.abs(position) + 0.5)
    distance = np.abs(narrow * (position[:, None] - source))
    weights = catmull_rom(distance) if kind == "CUBIC" else np.maximum(0.0, 1 - distance)
    weights = np.where(np.abs(source - centre[:, None]) <= radius, weights, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total != 0)


def catmull_rom(distance: np.ndarray) -> np.ndarray:
    """The cubic kernel with a = -0.5 at distances of 0 and more."""
    near = (1.5 * distance - 2.5) * distance * distance + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


def resize_bilinear(call: Call) -> List[np.ndarray]:
    """`ResizeBilinear`: TensorFlow's three grids (synopsys), or BVLC PR 6508's one.

    Without a flag x = i H / H'; `align_corners` meets the corners; `half_pixel_centers` and
    `pytorch_half_pixel` take x = (i + 0.5) H / H' - 0.5. Positions are clamped to the image.
    """
    param = call.param("resize_bilinear_param")
    if written(param, "factor", "height", "width"):
        return [_unmerged_bilinear(call, param)]
    torch = param.boolean("pytorch_half_pixel")
    half = param.boolean("half_pixel_centers") or torch

    def grid(size: int, new_size: int) -> Taps:
        if param.boolean("align_corners") and new_size > 1:
            return aligned(size, new_size, call.float32_ratio)
        # PyTorch's form gives row 0 where one row comes out.
        return half_pixel(size, new_size) if half and not (torch and new_size == 1) else asymmetric(size, new_size)

    return [_by_format(call, param, lambda blob, size: lerp(
        blob, grid(blob.shape[2], size[0]), grid(blob.shape[3], size[1])))]


def _unmerged_bilinear(call: Call, param: Message) -> np.ndarray:
    bottom = planes(call)
    height, width = size_of(bottom)
    if written(param, "factor"):
        factor = param.number("factor", 1.0)
        size = int(height * factor), int(width * factor)
    else:
        size = param.integer("height"), param.integer("width")
    return lerp(bottom, asymmetric(height, size[0]), asymmetric(width, size[1]))


def resize_nearest_neighbor(call: Call) -> List[np.ndarray]:
    """`ResizeNearestNeighbor` (synopsys): floor(i H / H'), or one of three other grids, in float32."""
    param = call.param("resize_nearest_neighbor_param")
    half = np.float32(0.5)

    def grid(size: int, new_size: int) -> np.ndarray:
        if param.boolean("align_corners") and new_size > 1:
            return aligned_nearest(size, new_size)
        rows, ratio = np.arange(new_size, dtype=np.float32), np.float32(size) / np.float32(new_size)
        if param.boolean("half_pixel_centers"):
            rows = (rows + half) * ratio
        elif param.boolean("half_pixel_onnx"):
            rows = (rows + half) * ratio - half
        else:
            rows = rows * ratio
        return np.clip(np.floor(rows).astype(np.int64), 0, size - 1)

    return [_by_format(call, param, lambda blob, size: pick(
        blob, grid(blob.shape[2], size[0]), grid(blob.shape[3], size[1])))]


def _by_format(
    call: Call, param: Message, function: Callable[[np.ndarray, Tuple[int, int]], np.ndarray]
) -> np.ndarray:
    """Run on (N, C, H, W); the default `data_format` of these layers is NHWC."""
    bottom, layout = planes(call), param.string("data_format", "NHWC")
    if layout not in ("NHWC", "NCHW"):
        raise call.error(f"data_format must be NHWC or NCHW, but is {layout!r}")
    if layout == "NHWC":
        bottom = np.moveaxis(bottom, 3, 1)
    height, width = (
        param.integer("output_" + side) if param.integer("output_" + side)
        else int(np.float32(rows) * np.float32(param.number("scale_" + side, 1.0)))
        for side, rows in zip(("height", "width"), size_of(bottom))
    )
    if min(height, width) < 1:
        raise call.error(f"the top must be at least 1 x 1, but is {height} x {width}")
    top = function(bottom, (height, width))
    return np.moveaxis(top, 1, 3) if layout == "NHWC" else top


def asymmetric(size: int, new_size: int) -> Taps:
    """x = i size / new_size, clamped at the end."""
    return clamped(np.arange(new_size) * size / new_size, size)


def half_pixel(size: int, new_size: int) -> Taps:
    """x = (i + 0.5) size / new_size - 0.5, clamped at both ends."""
    return clamped((np.arange(new_size) + 0.5) * size / new_size - 0.5, size)


def resize(call: Call) -> List[np.ndarray]:
    """`Resize` in the dialect that is named or that the fields decide."""
    meanings = {"appearance_flow": appearance_flow, "happynear": happynear, "face_parsing": face_parsing,
                "philm5": philm5}
    return meanings[resize_reading(call)](call)


def face_parsing(call: Call) -> List[np.ndarray]:
    """NEAREST by `resize_ratio`, row trunc(i / ratio) of the first one, or BILINEAR as happynear's."""
    param, bottom = call.param("resize_param"), planes(call)
    sized = param.boolean("is_pyramid_test") or written(param, "height")
    ratio = param.number("resize_ratio", 1.0)
    if numbered(param, "type", {"NEAREST": 1, "BILINEAR": 2}, "NEAREST") == "BILINEAR":
        size = _written_size(call, param) if sized else tuple(int(rows * ratio) for rows in size_of(bottom))
        return [_fading(call, bottom, size)]
    if sized:
        raise call.error("type NEAREST is run here by resize_ratio only")
    rows, columns = ((np.arange(int(size * ratio)) / ratio).astype(np.int64) for size in size_of(bottom))
    return [pick(bottom, rows, columns)]


def philm5(call: Call) -> List[np.ndarray]:
    """Bilinear at x = i / scale, the last row repeated, to `height_out` x `width_out` (philm5/caffe)."""
    param, bottom = call.param("resize_param"), planes(call)
    size = param.integer("height_out"), param.integer("width_out")
    if min(size) < 1 or param.integer("shift_x") or param.integer("shift_y"):
        raise call.error("height_out and width_out must be at least 1, and both shifts 0")
    taps = []
    for old, new_size, letter in zip(size_of(bottom), size, "yx"):
        step = 1 / param.number(f"scale_{letter}") if written(param, f"scale_{letter}") else old / new_size
        if (new_size - 1) * step >= old:
            raise call.error(f"scale_{letter} leaves rows behind the last unwritten")
        taps.append(clamped(np.arange(new_size) * step, old))
    return [lerp(bottom, *taps)]


def happynear(call: Call) -> List[np.ndarray]:
    """Bilinear at x = i H / H'; a tap behind the last row counts nothing (caffe-windows)."""
    return [_fading(call, planes(call), _written_size(call, call.param("resize_param")))]


def _written_size(call: Call, param: Message) -> Tuple[int, ...]:
    """By factors with `is_pyramid_test`, else as given, which some forks write as floats."""
    if param.boolean("is_pyramid_test"):
        return tuple(
            int(np.float32(param.number(f"out_{side}_scale")) * np.float32(rows))
            for side, rows in zip(("height", "width"), size_of(planes(call)))
        )
    return tuple(int(param.number(side)) for side in ("height", "width"))


def _fading(call: Call, bottom: np.ndarray, size: Tuple[int, ...]) -> np.ndarray:
    if min(size) < 1:
        raise call.error(f"the top must be at least 1 x 1, but is {size[0]} x {size[1]}")
    rows, columns = (
        dropped(np.arange(new_size) * old / new_size, old)
        for old, new_size in zip(size_of(bottom), size)
    )
    return lerp(bottom, rows, columns)


def appearance_flow(call: Call) -> List[np.ndarray]:
    """Bilinear at x = i / scale + crop, clamped; a tent filter first where scale < 1.

    `width` and `height` set the scales (n - 1) / (N - 2 crop - 1), or else `scale`, `scale_x` and
    `scale_y` do; bottom 1 gives the size, and the scales that are still missing.
    """
    need_bottoms(call, 1, 2)
    param, top = call.param("resize_param"), planes(call)
    reference = planes(call, 1) if len(call.bottoms) == 2 else None
    for axis, side, letter in ((3, "width", "x"), (2, "height", "y")):
        wanted = None if reference is None else reference.shape[axis]
        top = _scaled_axis(call, param, top, axis, side, letter, wanted)
    return [top]


def _scaled_axis(call, param, blob, axis, side, letter, wanted) -> np.ndarray:
    size = blob.shape[axis]
    crop = param.integer("crop_" + letter, param.integer("crop"))
    scale = param.number("scale_" + letter, param.number("scale"))
    inner = size - 2 * crop - 1
    if written(param, side):
        if scale > 0:
            raise call.error(f"write either {side} or a scale, not both")
        scale = (param.integer(side) - 1) / inner if param.integer(side) else 1.0
    elif scale == 0 and wanted:
        scale = (wanted - 1) / inner
    new_size = int(scale * inner + 1.5) if wanted is None else wanted
    if scale <= 0 or new_size < 1:
        raise call.error(f"{side}, or a scale above 0, must be written")
    taps = clamped(np.arange(new_size) / scale + crop, size)
    still = Taps(*(np.arange(blob.shape[5 - axis]),) * 2, 1.0 * np.ones(1), np.zeros(1))
    blob = _tent(blob, axis, 1 / max(scale, 0.01)) if scale < 1 else blob
    return lerp(blob, still, taps) if axis == 3 else lerp(blob, taps, still)


def _tent(blob: np.ndarray, axis: int, radius: float) -> np.ndarray:
    """Neighbours up to `radius` weighed by radius - distance, the edge rows repeated."""
    whole, rows = int(radius), np.arange(blob.shape[axis])
    total = radius * blob
    for step in range(1, int(np.ceil(radius))):
        for moved in (rows - step, rows + step):
            inside = np.clip(moved, 0, blob.shape[axis] - 1)
            total = total + (radius - step) * np.take(blob, inside, axis=axis)
    return total / ((2 * whole + 1) * radius - whole * (whole + 1))


def upscale(call: Call) -> List[np.ndarray]:
    """`Upscale` (Face_Parsing_2016): each bottom by 2, half-pixel centres, clamped edges."""
    return [
        lerp(blob, half_pixel(blob.shape[2], 2 * blob.shape[2]),
             half_pixel(blob.shape[3], 2 * blob.shape[3]))
        for blob in (planes(call, index) for index in range(len(call.bottoms)))
    ]


def deephi_resize(call: Call) -> List[np.ndarray]:
    """`DeephiResize` (Xilinx): NEAREST floor(i H / H'), or BILINEAR with half-pixel centres."""
    param, bottom = call.param("deephi_resize_param"), planes(call)
    if written(param, "new_height") != written(param, "new_width"):
        raise call.error("new_height and new_width must both be written or both be left out")
    (height, width), (new_height, new_width) = size_of(bottom), _deephi_size(param, bottom)
    if choice(param, "resize_type", ("BILINEAR", "NEAREST"), "NEAREST") == "BILINEAR":
        return [lerp(bottom, half_pixel(height, new_height), half_pixel(width, new_width))]
    rows = np.arange(new_height) * height // new_height
    return [pick(bottom, rows, np.arange(new_width) * width // new_width)]


def _deephi_size(param: Message, bottom: np.ndarray) -> Tuple[int, int]:
    if written(param, "new_height"):
        return param.integer("new_height"), param.integer("new_width")
    height, width = size_of(bottom)
    return int(height * param.number("scale_h", 1.0)), int(width * param.number("scale_w", 1.0))
