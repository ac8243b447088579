"""`Upsample` in its many meanings, and the small nearest layers beside it."""

from __future__ import annotations

from ast import literal_eval
from typing import Callable, Dict, List, Tuple

import numpy as np

from prototools.prototext import Message
from prototools.reference.call import Call, choice, need_bottoms, planes, size_of, written
from prototools.reference.readings import upsample_reading, upsampling_reading
from prototools.reference.sampling import Taps, aligned, aligned_nearest, clamped, lerp, pick, repeated
from prototools.reference.unpooling import scatter, segnet, segnet_size


def upsample(call: Call) -> List[np.ndarray]:
    """`Upsample` in the dialect that is named or that the file decides (see `readings`)."""
    return MEANINGS[upsample_reading(call)](call)


def _factor(call: Call, param: Message, name: str, default: int, least: int = 1) -> int:
    factor = param.integer(name, default)
    if factor < least:
        raise call.error(f"{name} must be at least {least}, but is {factor}")
    return factor


def yolo(call: Call) -> List[np.ndarray]:
    """Nearest by `scale` (default 1): BVLC PR 6384 and the YOLO forks."""
    need_bottoms(call, 1)
    scale = _factor(call, call.param("upsample_param"), "scale", 1)
    return [repeated(planes(call), scale, scale)]


def inisis(call: Call) -> List[np.ndarray]:
    """Nearest by `scale`; with `dims_num: 3` the blob is (N, C, W) and only the last axis grows."""
    need_bottoms(call, 1)
    param, bottom = call.param("upsample_param"), call.bottoms[0]
    scale, axes = _factor(call, param, "scale", 1), param.integer("dims_num", 4)
    if bottom.ndim != axes or axes not in (3, 4):
        raise call.error(f"dims_num must be the bottom's {bottom.ndim} axes, 3 or 4, but is {axes}")
    return [repeated(bottom, scale if axes == 4 else 1, scale)]


def ascend(call: Call) -> List[np.ndarray]:
    """`scale` times nearest by `stride`, or by `stride_h` and `stride_w` (default 2)."""
    need_bottoms(call, 1)
    param = call.param("upsample_param")
    names = ("stride", "stride") if written(param, "stride") else ("stride_h", "stride_w")
    down, across = (_factor(call, param, name, 2) for name in names)
    return [param.number("scale", 1.0) * repeated(planes(call), down, across)]


def sophgo(call: Call) -> List[np.ndarray]:
    """One bottom: nearest by `scale`; two bottoms: SegNet's unpooling."""
    if len(call.bottoms) == 2:
        return segnet(call)
    param = call.param("upsample_param")
    stems = ("scale", "pad_out", "upsample")
    if written(param, *(stem + side for stem in stems for side in ("_h", "_w"))):
        raise call.error("with one bottom only `scale` has a meaning: the fork leaves others open")
    scale = _factor(call, param, "scale", 1, least=2)
    return [repeated(planes(call), scale, scale)]


def nnie(call: Call) -> List[np.ndarray]:
    """HiSilicon: nearest by `scale` (default 2) with one bottom, SegNet's unpooling with two."""
    if len(call.bottoms) == 2:
        return segnet(call)
    scale = _factor(call, call.param("upsample_param"), "scale", 2)
    return [repeated(planes(call), scale, scale)]


def cambricon(call: Call) -> List[np.ndarray]:
    """`nearestneighbor_mode`: round(i (H - 1) / (H' - 1)), halves up; else SegNet's unpooling."""
    param = call.param("upsample_param")
    if not param.boolean("nearestneighbor_mode"):
        return segnet(call)
    bottom = planes(call)
    height, width = segnet_size(call, param, bottom)
    if 1 in (height, width):
        raise call.error("the fork divides by zero where the top has one row or column")
    rows = aligned_nearest(bottom.shape[2], height)
    return [pick(bottom, rows, aligned_nearest(bottom.shape[3], width))]


def caffe_plus(call: Call) -> List[np.ndarray]:
    """NEAREST (i H // H') or BILINEAR (align corners, the default) by `mode` (yolov5_caffe)."""
    need_bottoms(call, 1, 2)
    param, bottom = call.param("upsample_param"), planes(call)
    height, width = _mode_size(call, param, bottom)
    old_height, old_width = size_of(bottom)
    if choice(param, "mode", ("NEAREST", "BILINEAR"), "BILINEAR") == "NEAREST":
        rows, columns = np.arange(height) * old_height, np.arange(width) * old_width
        return [pick(bottom, rows // height, columns // width)]
    single = call.float32_ratio
    return [lerp(bottom, aligned(old_height, height, single), aligned(old_width, width, single))]


def _mode_size(call: Call, param: Message, bottom: np.ndarray) -> Tuple[int, int]:
    """From the second bottom, else height and width, else the two scales; each at least 2."""
    if len(call.bottoms) == 2:
        return size_of(planes(call, 1))
    if written(param, "height") and written(param, "width"):
        return _factor(call, param, "height", 32, 2), _factor(call, param, "width", 32, 2)
    if written(param, "height_scale") and written(param, "width_scale"):
        down = _factor(call, param, "height_scale", 2, 2)
        return bottom.shape[2] * down, bottom.shape[3] * _factor(call, param, "width_scale", 2, 2)
    raise call.error("height and width, or height_scale and width_scale, must be written")


def caffemex(call: Call) -> List[np.ndarray]:
    """Zeros but for out[i s + (s - 1) // 2] = in[i] (CaffeMex_v2)."""
    need_bottoms(call, 1)
    param, bottom = call.param("upsample_param"), planes(call)
    sides = written(param, "scale_h") and written(param, "scale_w")
    if written(param, "scale") == sides:
        raise call.error("either scale or scale_h and scale_w must be written")
    names = ("scale_h", "scale_w") if sides else ("scale", "scale")
    down, across = (_factor(call, param, name, 1, least=2) for name in names)
    top = np.zeros(bottom.shape[:2] + (bottom.shape[2] * down, bottom.shape[3] * across))
    top[:, :, (down - 1) // 2 :: down, (across - 1) // 2 :: across] = bottom
    return [top]


def tiny_dsod(call: Call) -> List[np.ndarray]:
    """Bottom 1 to the size of bottom 0, at x = (i + 1) / ratio - 1, truncated toward zero.

    In front of the first row the weights leave [0, 1]: the fork extrapolates there.
    """
    need_bottoms(call, 2)
    reference, data = planes(call, 0), planes(call, 1)
    if reference.shape[:2] != data.shape[:2]:
        raise call.error(f"both bottoms need the same N and C: {reference.shape} and {data.shape}")
    rows, columns = (_end_aligned(data.shape[a], reference.shape[a]) for a in (2, 3))
    return [lerp(data, rows, columns)]


def _end_aligned(size: int, new_size: int) -> Taps:
    position = (np.arange(new_size) + 1) / (new_size / size) - 1
    # Where x is a whole number the division may land just beside it.
    position = np.where(np.abs(position - np.rint(position)) < 1e-9, np.rint(position), position)
    first = np.trunc(position).astype(np.int64)
    low = 1 - (position - first)
    high = np.where(first + 1 < size, 1 - low, 0.0)
    return Taps(first, np.minimum(first + 1, size - 1), low, high)


def sds(call: Call) -> List[np.ndarray]:
    """Bilinear to `height` x `width` at x = i H / H' - 0.5, clamped (caffe-sds)."""
    need_bottoms(call, 1)
    param, bottom = call.param("upsample_param"), planes(call)
    if not (written(param, "height") and written(param, "width")):
        raise call.error("height and width must both be written")
    rows = _shifted(bottom.shape[2], _factor(call, param, "height", 0))
    return [lerp(bottom, rows, _shifted(bottom.shape[3], _factor(call, param, "width", 0)))]


def _shifted(size: int, new_size: int) -> Taps:
    return clamped(np.arange(new_size) * size / new_size - 0.5, size)


def ctensmeyer(call: Call) -> List[np.ndarray]:
    """Three bottoms: data, mask, and a blob of the wanted size."""
    need_bottoms(call, 3)
    return [scatter(call, planes(call), planes(call, 1), size_of(planes(call, 2)))]


MEANINGS: Dict[str, Callable[[Call], List[np.ndarray]]] = {
    "yolo": yolo,
    "inisis": inisis,
    "ascend": ascend,
    "sophgo": sophgo,
    "nnie": nnie,
    "cambricon": cambricon,
    "caffe_plus": caffe_plus,
    "caffemex": caffemex,
    "tiny_dsod": tiny_dsod,
    "sds": sds,
    "segnet": segnet,
    "ctensmeyer": ctensmeyer,
}


def upsample_darknet(call: Call) -> List[np.ndarray]:
    """`UpsampleDarknet` (synopsys): nearest by `stride` (default 1)."""
    stride = _factor(call, call.param("upsample_darknet_param"), "stride", 1)
    return [repeated(planes(call), stride, stride)]


def upsample_nearest(call: Call) -> List[np.ndarray]:
    """`UpsampleNearest` (p517332051/caffe-windows): nearest by `scale`; a second bottom is never read."""
    need_bottoms(call, 2)
    param = call.param("upsample_nearest_param")
    if not written(param, "scale"):
        raise call.error("scale must be written")
    scale = _factor(call, param, "scale", 1)
    return [repeated(planes(call), scale, scale)]


def nearest_sample(call: Call) -> List[np.ndarray]:
    """`NearestSample` (Style-Feature-Reshuffle): in[trunc(i / scale)], trunc(H scale) rows; scale defaults to 2."""
    need_bottoms(call, 1)
    scale, bottom = np.float32(call.param("nearest_neighbor_param").number("scale", 2.0)), planes(call)
    if len(bottom) != 1:
        raise call.error(f"the fork writes the first image only, so there must be one, but there are {len(bottom)}")
    sizes = [int(np.float32(rows) * scale) for rows in size_of(bottom)]
    return [pick(bottom, *((np.arange(rows, dtype=np.float32) / scale).astype(np.int64) for rows in sizes))]


def upsampling(call: Call) -> List[np.ndarray]:
    """`Upsampling` in the dialect that is named or that the fields decide: nearest by `scalefactor` above 1,
    CEDN's with zeros between, CAFFE-DACH's nearest by `kernel_h` and `kernel_w`, channels by `kernel_c`.
    """
    param, bottom, reading = call.param("upsampling_param"), planes(call), upsampling_reading(call)
    if reading == "upsampling":
        factor = _factor(call, param, "scalefactor", 1, least=2)
        return [repeated(bottom, factor, factor)]
    if reading == "dach":
        channels, down, across = (_factor(call, param, f"kernel_{axis}", 1) for axis in "chw")
        return [repeated(np.repeat(bottom, channels, axis=1), down, across)]
    if written(param, "kernel_size") == (written(param, "kernel_h") and written(param, "kernel_w")):
        raise call.error("either kernel_size or kernel_h and kernel_w must be written")
    size = param.integer("kernel_size", 1)
    down, across = (_factor(call, param, name, size) for name in ("kernel_h", "kernel_w"))
    top = np.zeros(bottom.shape[:2] + (bottom.shape[2] * down, bottom.shape[3] * across))
    top[:, :, ::down, ::across] = bottom
    return [top]


def octave_upsample(call: Call) -> List[np.ndarray]:
    """`OctaveUpsample`: each value H' // H times down and W' // W across; what is left over stays zero."""
    param, bottom = call.param("octaveupsample_param"), planes(call)
    height, width = segnet_size(call, param, bottom)
    down, across = height // bottom.shape[2], width // bottom.shape[3]
    top = np.zeros(bottom.shape[:2] + (height, width))
    filled = repeated(bottom, down, across)
    top[:, :, : filled.shape[2], : filled.shape[3]] = filled
    return [top]


def upscale_2d(call: Call) -> List[np.ndarray]:
    """`Upscale2D`: nearest by 2."""
    return [repeated(planes(call), 2, 2)]


def simple_upsample(call: Call) -> List[np.ndarray]:
    """`SimpleUpsample`: bilinear with half-pixel centres and clamped edges."""
    param, bottom = call.param("upsample_param"), planes(call)
    taps = []
    for axis, name in ((2, "height"), (3, "width")):
        size, new_size = bottom.shape[axis], _factor(call, param, name, 0)
        taps.append(clamped((np.arange(new_size) + 0.5) * size / new_size - 0.5, size))
    return [lerp(bottom, taps[0], taps[1])]


def python_interp(call: Call) -> List[np.ndarray]:
    """`UpsamplingBilinear2d` of YOLOv3-caffe's interp.py: OpenCV's nearest, floor(i / zoom), for square maps."""
    settings, bottom = literal_eval(call.param("python_param").string("param_str")), planes(call)
    if bottom.shape[2] != bottom.shape[3]:
        raise call.error(f"its code takes square maps only, but the map is {bottom.shape[2]} x {bottom.shape[3]}")
    size = int(bottom.shape[2] * settings["zoom_factor"])
    rows = (np.arange(size) * bottom.shape[2] / size).astype(np.int64)
    return [bottom[:, :, rows][:, :, :, rows]]
