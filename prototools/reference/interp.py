"""`Interp` and its relatives: bilinear layers whose corners meet corners."""

from __future__ import annotations

from typing import Callable, Dict, List, Tuple

import numpy as np

from prototools.prototext import Message
from prototools.reference.call import Call, need_bottoms, numbered, planes, size_of, written
from prototools.reference.readings import interp_reading
from prototools.reference.sampling import aligned, aligned_nearest, clamped, lerp, pick


def interp(call: Call) -> List[np.ndarray]:
    """`Interp` in every dialect: crop by the negative pads, then stretch to the size.

    The kernel is PSPNet's src/caffe/util/interp.cpp. Dialects differ in the output size, and
    segstereo and jolibrain can take the nearest row (halves go up) instead.
    """
    need_bottoms(call, 1, 2)
    dialect = interp_reading(call)
    param, bottom = call.param("interp_param"), planes(call)
    begin, end = _pads(call, param, dialect)
    region = bottom[:, :, begin : bottom.shape[2] - end, begin : bottom.shape[3] - end]
    height, width = size_of(region)
    odd = dialect == "cc4" and height % 2 == 1
    if odd:
        region = region[:, :, : height - 1, : width - 1]
    height, width = _output_size(call, param, dialect, region)
    return [_stretch(call, region, height + odd, width + odd, _nearest(call, param, dialect))]


def _pads(call: Call, param: Message, dialect: str) -> Tuple[int, int]:
    """How many rows and columns go at each end; DeepLab v1 has the fields but not the code."""
    if dialect == "deeplab_v1":
        return 0, 0
    begin, end = param.integer("pad_beg"), param.integer("pad_end")
    if begin > 0 or end > 0:
        raise call.error(f"pad_beg and pad_end must not be above 0, but are {begin} and {end}")
    return -begin, -end


def _stretch(call: Call, region: np.ndarray, height: int, width: int, nearest: bool) -> np.ndarray:
    if min(region.shape[2:]) < 1 or height < 1 or width < 1:
        raise call.error(f"cannot stretch {size_of(region)} to {height} x {width}")
    pairs = list(zip(size_of(region), (height, width)))
    if nearest:
        return pick(region, *(aligned_nearest(*pair) for pair in pairs))
    return lerp(region, *(aligned(*pair, call.float32_ratio) for pair in pairs))


def _nearest(call: Call, param: Message, dialect: str) -> bool:
    if dialect == "segstereo":
        kind = param.string("interp_type", "bilinear")
        if kind not in ("bilinear", "nearest_neighbor"):
            raise call.error(f"interp_type must be bilinear or nearest_neighbor, but is {kind!r}")
        return kind == "nearest_neighbor"
    if dialect == "jolibrain":
        return numbered(param, "mode", {"LINEAR": 1, "NEAREST": 3}, "LINEAR") == "NEAREST"
    if dialect == "afriesen" and param.word("type", "Bilinear") != "Bilinear":
        raise call.error("type must be Bilinear here: the other kind is OpenCV's resize")
    return False


def _output_size(
    call: Call, param: Message, dialect: str, region: np.ndarray
) -> Tuple[int, int]:
    """Height and width of the top: from the second bottom, or by the dialect's rule."""
    specifications = _specifications(param)
    if len(call.bottoms) == 2:
        if dialect in ("lab", "segstereo", "afriesen") and specifications:
            raise call.error(f"a second bottom gives the size, but {specifications} stand too")
        if dialect in ("pspnet", "papandreou", "deeplab_v1", "cc4", "derteanoo", "synopsys"):
            raise call.error(f"the dialect {dialect} takes one bottom, but there are two")
        return size_of(planes(call, 1))
    if dialect in ("papandreou", "deeplab_v1", "lab", "segstereo") and len(specifications) != 1:
        raise call.error(f"exactly one size rule must be written, but found {specifications}")
    rule = SIZE_RULES.get(dialect, pspnet_size)
    rows, columns = size_of(region)
    return rule(call, param, rows, "height"), rule(call, param, columns, "width")


def _specifications(param: Message) -> List[str]:
    """The ways to give a size that are written."""
    found = [name for name in ("zoom_factor", "shrink_factor") if written(param, name)]
    return found + (["height and width"] if written(param, "height", "width") else [])


def _factors(call: Call, param: Message) -> Tuple[int, int]:
    """shrink_factor and zoom_factor, 0 where a field is not written."""
    factors = [
        param.integer(name) if written(param, name) else 0
        for name in ("shrink_factor", "zoom_factor")
    ]
    for name, factor in zip(("shrink_factor", "zoom_factor"), factors):
        if written(param, name) and factor < 1:
            raise call.error(f"{name} must be at least 1, but is {factor}")
    return factors[0], factors[1]


def _given(call: Call, param: Message, field: str) -> int:
    if not (written(param, "height") and written(param, "width")):
        raise call.error("a zoom_factor, a shrink_factor, or height and width must be written")
    return param.integer(field)


def pspnet_size(call: Call, param: Message, rows: int, field: str) -> int:
    """The rule of DeepLab v2 and PSPNet; fields that are written count, even with their default.

    A single factor beats height and width, and those beat the two factors together.
    """
    shrink, zoom = _factors(call, param)
    if shrink and not zoom:
        return (rows - 1) // shrink + 1
    if zoom and not shrink:
        return rows + (rows - 1) * (zoom - 1)
    if written(param, "height") and written(param, "width") or not zoom:
        return _given(call, param, field)
    shrunk = (rows - 1) // shrink + 1
    return shrunk + (shrunk - 1) * (zoom - 1)


def derteanoo_size(call: Call, param: Message, rows: int, field: str) -> int:
    """As pspnet, but both factors together give t = rows // shrink + 1."""
    shrink, zoom = _factors(call, param)
    if shrink and zoom and not (written(param, "height") and written(param, "width")):
        shrunk = rows // shrink + 1
        return shrunk + (shrunk - 1) * (zoom - 1)
    return pspnet_size(call, param, rows, field)


def xjtu_size(call: Call, param: Message, rows: int, field: str) -> int:
    """As pspnet, but a zoom alone gives rows * zoom."""
    shrink, zoom = _factors(call, param)
    return rows * zoom if zoom and not shrink else pspnet_size(call, param, rows, field)


def cc4_size(call: Call, param: Message, rows: int, field: str) -> int:
    """rows // shrink, rows * zoom, (rows // shrink) * zoom; the caller adds 1 for an odd height."""
    shrink, zoom = _factors(call, param)
    if written(param, "height") and written(param, "width") and bool(shrink) == bool(zoom):
        return _given(call, param, field)
    if not shrink and not zoom:
        return _given(call, param, field)
    return rows // max(shrink, 1) * max(zoom, 1)


def synopsys_size(call: Call, param: Message, rows: int, field: str) -> int:
    """As pspnet; where nothing of that is written, rows * full_zoom_factor."""
    if _specifications(param) or not written(param, "full_zoom_factor"):
        return pspnet_size(call, param, rows, field)
    return rows * param.integer("full_zoom_factor")


SIZE_RULES: Dict[str, Callable[[Call, Message, int, str], int]] = {
    "cc4": cc4_size,
    "derteanoo": derteanoo_size,
    "synopsys": synopsys_size,
    "xjtu": xjtu_size,
}


def interp_advance(call: Call) -> List[np.ndarray]:
    """`InterpAdvance` (CF-Caffe) and kin: bottom 0 stretched to the size of bottom 1."""
    need_bottoms(call, 2)
    height, width = size_of(planes(call, 1))
    return [_stretch(call, planes(call), height, width, False)]


def bilinear_interpolation(call: Call) -> List[np.ndarray]:
    """`BilinearInterpolation` (ctensmeyer): as InterpAdvance; one output row divides by zero."""
    need_bottoms(call, 2)
    if 1 in size_of(planes(call, 1)):
        raise call.error("the fork divides by zero where the reference has one row or column")
    return interp_advance(call)


def interp_variable(call: Call) -> List[np.ndarray]:
    """`InterpVariable` (caffe-tvg): bottom 1 holds the numbers (width, height)."""
    need_bottoms(call, 2)
    width, height = (int(value) for value in call.bottoms[1].reshape(-1)[:2])
    return [_stretch(call, planes(call), height, width, False)]


def interp_nearest(call: Call) -> List[np.ndarray]:
    """`InterpNN` (XJTU Caffe-Opt): out[i] = in[floor(i H / H')] at XJTU's sizes."""
    bottom, param = planes(call), call.param("interp_param")
    if param.integer("pad_beg") or param.integer("pad_end"):
        raise call.error("InterpNN with pads is not run here")
    if len(call.bottoms) == 2:
        height, width = size_of(planes(call, 1))
    else:
        height = xjtu_size(call, param, bottom.shape[2], "height")
        width = xjtu_size(call, param, bottom.shape[3], "width")
    rows = np.arange(height) * bottom.shape[2] // height
    return [pick(bottom, rows, np.arange(width) * bottom.shape[3] // width)]


def bilinear_interpolate(call: Call) -> List[np.ndarray]:
    """`BilinearInterpolate` (inisis): align corners, or half-pixel centres with clamped edges."""
    bottom, param = planes(call), call.param("bilinear_interpolate_param")
    height, width = size_of(bottom)
    if min(height, width) < 2:
        raise call.error("the fork reads outside the image where a side is 1")
    new_height, new_width = _interpolate_size(call, param, height, width)
    if param.boolean("align_corners", True):
        return [_stretch(call, bottom, new_height, new_width, False)]
    return [lerp(bottom, _half_pixel(height, new_height), _half_pixel(width, new_width))]


def _interpolate_size(call: Call, param: Message, height: int, width: int) -> Tuple[int, int]:
    scaled = written(param, "scale_factor")
    if written(param, "dst_h", "dst_w") and not scaled:
        return param.integer("dst_h"), param.integer("dst_w")
    if scaled and not written(param, "dst_h", "dst_w"):
        factor = param.number("scale_factor", 1.0)
        return int(height * factor), int(width * factor)
    raise call.error("either dst_h and dst_w or scale_factor must be written, not both")


def _half_pixel(size: int, new_size: int):
    return clamped((np.arange(new_size) + 0.5) * size / new_size - 0.5, size)
