"""Layers that put pooled values back: by a mask, by stride, or spread over a window."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np

from prototools.prototext import Message
from prototools.reference.call import Call, choice, divide, need_bottoms, planes, size_of, written
from prototools.reference.readings import pooled_reading, unpooling_reading
from prototools.reference.sampling import repeated

Pair = Tuple[int, int]


def scatter(call: Call, data: np.ndarray, mask: np.ndarray, size: Pair) -> np.ndarray:
    """top[mask[i]] = data[i] in each plane, zeros elsewhere; of equal places the last one stays.

    `mask` holds h * W' + w as floats, of the same shape as `data`; `size` is (H', W').
    Raises `EngineError` for a place outside the plane, where Caffe aborts.
    """
    if data.shape != mask.shape:
        raise call.error(f"data and mask need one shape, but have {data.shape} and {mask.shape}")
    places = mask.reshape(data.shape[0] * data.shape[1], -1).astype(np.int64)
    if min(size) < 1:
        raise call.error(f"the top must be at least 1 x 1, but is {size[0]} x {size[1]}")
    if places.size and not (places.min() >= 0 and places.max() < size[0] * size[1]):
        raise call.error(
            f"the mask points to {places.min()} .. {places.max()}, but the top has "
            f"{size[0]} x {size[1]} places; does the size match the pooling layer's bottom?"
        )
    top = np.zeros((len(places), size[0] * size[1]))
    # An index array that repeats a place leaves the last value there, as the fork's loop does.
    top[np.arange(len(places))[:, None], places] = data.reshape(places.shape)
    return top.reshape(data.shape[:2] + tuple(size))


def segnet(call: Call) -> List[np.ndarray]:
    """SegNet's `Upsample`: (data, mask) scattered to the size of `segnet_size`."""
    need_bottoms(call, 2)
    size = segnet_size(call, call.param("upsample_param"), planes(call))
    return [scatter(call, planes(call), planes(call, 1), size)]


def segnet_size(call: Call, param: Message, bottom: np.ndarray) -> Pair:
    """upsample_h x upsample_w, or H scale_h x W scale_w, one less on each axis with `pad_out`.

    `scale` is 2 unless it is written, and stands for both factors. `pad_out` needs a factor of 2.
    """
    if written(param, "upsample_h") and written(param, "upsample_w"):
        return param.integer("upsample_h"), param.integer("upsample_w")
    if written(param, "upsample_h", "upsample_w"):
        raise call.error("upsample_h and upsample_w must both be written")
    factors = _segnet_factors(call, param)
    # Cambricon spells the second one with a capital W.
    across = "pad_out_W" if written(param, "pad_out_W") else "pad_out_w"
    pads = param.boolean("pad_out_h"), param.boolean(across)
    if any(pad and factor != 2 for pad, factor in zip(pads, factors)):
        raise call.error(f"pad_out needs a factor of 2, but the factors are {factors}")
    height, width = (
        rows * factor - pad for rows, factor, pad in zip(size_of(bottom), factors, pads)
    )
    return height, width


def _segnet_factors(call: Call, param: Message) -> Pair:
    if written(param, "scale_h", "scale_w"):
        if written(param, "scale") or not (written(param, "scale_h") and written(param, "scale_w")):
            raise call.error("write either scale or both scale_h and scale_w")
        factors = param.integer("scale_h"), param.integer("scale_w")
    else:
        factors = (param.integer("scale", 2),) * 2
    if min(factors) < 2:
        raise call.error(f"the factors must be above 1, but are {factors}")
    return factors


def max_unpool(call: Call) -> List[np.ndarray]:
    """`MaxUnPool` (inisis): (data, mask) scattered to `dst_h` x `dst_w`."""
    need_bottoms(call, 2)
    param = call.param("max_unpool_param")
    size = (param.integer("dst_h"), param.integer("dst_w"))
    return [scatter(call, planes(call), planes(call, 1), size)]


def unpooling(call: Call) -> List[np.ndarray]:
    """`Unpooling` (fusenet) and `UNPOOLING` (DeconvNet) and two more, told apart by their fields."""
    meanings = {"fusenet": fusenet, "akrit2013": akrit2013, "ssafar": ssafar}
    return meanings.get(unpooling_reading(call), deconvnet)(call)


def ssafar(call: Call) -> List[np.ndarray]:
    """top[i] = in[i // kernel_size] on both axes (ssafar/caffe)."""
    need_bottoms(call, 1)
    size, bottom = call.param("unpooling_param").integer("kernel_size"), planes(call)
    if size < 1:
        raise call.error(f"kernel_size must be at least 1, but is {size}")
    return [repeated(bottom, size, size)]


def akrit2013(call: Call) -> List[np.ndarray]:
    """Windows side by side: MAX writes each value at its window's first place, AVE everywhere in it.

    The pads add rows around, which AVE fills with the border's values.
    """
    need_bottoms(call, 1)
    param, bottom = call.param("unpooling_param"), planes(call)
    kernel, stride = _sides(param, "kernel_size", "kernel"), _sides(param, "stride", "stride", 1)
    if kernel != stride or min(kernel) < 1:
        raise call.error(f"kernel {kernel} and stride {stride} must be alike and at least 1")
    up, down, left, right = (param.integer(name, param.integer("pad")) for name in ("pad_u", "pad_d", "pad_l", "pad_r"))
    if min(up, down, left, right) < 0:
        raise call.error("negative pads are not run")
    if choice(param, "pool", ("MAX", "AVE"), "MAX") == "AVE":
        wide = repeated(bottom, *kernel)
        return [np.pad(wide, ((0, 0), (0, 0), (up, down), (left, right)), "edge")]
    height, width = (n * step for n, step in zip(size_of(bottom), stride))
    top = np.zeros(bottom.shape[:2] + (height + up + down, width + left + right))
    top[:, :, up : up + height : stride[0], left : left + width : stride[1]] = bottom
    return [top]


def fusenet(call: Call) -> List[np.ndarray]:
    """(data, mask) scattered to `output_h` x `output_w`, or else to `scale` times the size."""
    need_bottoms(call, 2)
    param, (height, width) = call.param("unpooling_param"), size_of(planes(call))
    if written(param, "output_h") and written(param, "output_w"):
        size = param.integer("output_h"), param.integer("output_w")
    elif written(param, "scale"):
        size = height * param.integer("scale"), width * param.integer("scale")
    else:
        raise call.error("output_h and output_w, or scale, must be written")
    return [scatter(call, planes(call), planes(call, 1), size)]


def deconvnet(call: Call) -> List[np.ndarray]:
    """DeconvNet's UNPOOLING, and CEDN's: MAX (by mask or by stride), AVE, TILE (unpooling_layer.cpp).

    AVE and TILE add each value, AVE divided by the part of its window inside, over its window; zhirongw's TILE
    is its AVE.
    """
    need_bottoms(call, 1, 2)
    param, bottom = call.param("unpooling_param"), planes(call)
    size = _unpool_size(call, param)
    method = choice(param, "unpool", ("MAX", "AVE", "TILE"), "MAX")
    if method == "MAX" and len(call.bottoms) == 2:
        return [scatter(call, bottom, planes(call, 1), size)]
    kernel, stride = _sides(param, "kernel_size", "kernel"), _sides(param, "stride", "stride", 1)
    if min(kernel) < 1 or min(stride) < 1 or _sides(param, "pad", "pad") != (0, 0):
        raise call.error(f"kernel {kernel}, stride {stride} must be at least 1 and pad 0")
    if method == "MAX":
        return [_placed(bottom, size, stride)]
    starts = [np.arange(n) * step for n, step in zip(size_of(bottom), stride)]
    if method == "AVE" or unpooling_reading(call) == "zhirongw":
        inside = [
            np.minimum(start + k, n) - start for start, k, n in zip(starts, kernel, size)
        ]
        area = np.multiply.outer(*inside)
        # A window that lies behind the top touches nothing, whatever its area.
        bottom = bottom / np.where(area == 0, 1, area)
    return [_spread(bottom, starts, kernel, size)]


def _unpool_size(call: Call, param: Message) -> Pair:
    both = written(param, "unpool_h") and written(param, "unpool_w")
    if not (written(param, "unpool_size", "unpool_h", "unpool_w") or len(call.bottoms) < 2):
        # CEDN's: by the windows, as a mask's Pooling has them.
        kernel, stride = _sides(param, "kernel_size", "kernel"), _sides(param, "stride", "stride", 1)
        sides = zip(size_of(planes(call)), kernel, stride, _sides(param, "pad", "pad"))
        height, width = ((rows - 1) * step + k - 2 * p for rows, k, step, p in sides)
        return height, width
    if written(param, "unpool_size") == both:
        raise call.error("either unpool_size or unpool_h and unpool_w must be written")
    return _sides(param, "unpool_size", "unpool")


def _sides(param: Message, name: str, short: str, default: int = 0) -> Pair:
    """A field for both axes, or its `_h` and `_w` form."""
    if written(param, short + "_h", short + "_w"):
        return param.integer(short + "_h", default), param.integer(short + "_w", default)
    return (param.integer(name, default),) * 2


def _placed(bottom: np.ndarray, size: Pair, stride: Pair) -> np.ndarray:
    """top[min(i stride, H' - 1)] = in[i]; of equal places the last one stays."""
    rows, columns = (
        np.minimum(np.arange(n) * step, limit - 1)
        for n, step, limit in zip(size_of(bottom), stride, size)
    )
    top = np.zeros(bottom.shape[:2] + tuple(size))
    top[:, :, rows[:, None], columns] = bottom
    return top


def _spread(bottom: np.ndarray, starts: List[np.ndarray], kernel: Pair, size: Pair) -> np.ndarray:
    """Each value added to every place of its window that lies inside the top."""
    top = np.zeros(bottom.shape[:2] + tuple(size))
    for down, across in np.ndindex(*kernel):
        rows, columns = starts[0] + down, starts[1] + across
        ours = (rows >= 0) & (rows < size[0]), (columns >= 0) & (columns < size[1])
        part = bottom[:, :, ours[0]][:, :, :, ours[1]]
        top[:, :, rows[ours[0]][:, None], columns[ours[1]]] += part
    return top


def unpooling_fixed(call: Call) -> List[np.ndarray]:
    """`UnPooling` (Cambricon and kin): FIXED places, DIV spreads, REP repeats.

    H' = (H - 1) stride - 2 pad + kernel. FIXED writes at the middle of the window; DIV divides by
    the kernel's area; DIV and REP divide each place by the number of windows that cover it.
    """
    need_bottoms(call, 1, 2)
    if written(call.layer.message, "pooling_param"):
        return caffe_hash(call)
    param, bottom = call.param("unpooling_param"), planes(call)
    if len(call.bottoms) == 2:
        kernel, stride, pad = zip(*map(_matched, size_of(bottom), size_of(planes(call, 1))))
    else:
        kernel = _sides(param, "out_kernel_size", "out_kernel")
        stride = _sides(param, "out_stride", "out_stride", 1)
        pad = _sides(param, "out_pad", "out_pad")
    if min(kernel) < 1 or min(stride) < 1:
        raise call.error(f"out_kernel {kernel} and out_stride {stride} must be at least 1")
    size = tuple(
        (n - 1) * stride[i] - 2 * pad[i] + kernel[i] for i, n in enumerate(size_of(bottom))
    )
    starts = [np.arange(n) * stride[i] - pad[i] for i, n in enumerate(size_of(bottom))]
    method = choice(param, "unpool", ("FIXED", "DIV", "REP"), "FIXED")
    if method == "FIXED":
        return [_centred(bottom, starts, kernel, size)]
    if method == "DIV":
        bottom = bottom / (kernel[0] * kernel[1])
    cover = _spread(np.ones((1, 1) + bottom.shape[2:]), starts, kernel, size)
    return [_spread(bottom, starts, kernel, size) / np.where(cover == 0, 1, cover)]


def caffe_hash(call: Call) -> List[np.ndarray]:
    """`UnPooling` by `pooling_param` (caffe-hash): of the windows over a place AVE takes the mean, MAX the least.

    xieguotian's AVE adds, in each place, the shares of the values whose windows cover it.
    """
    need_bottoms(call, 1)
    param, bottom = call.param("pooling_param"), planes(call)
    kernel, stride = _sides(param, "kernel_size", "kernel"), _sides(param, "stride", "stride", 1)
    if min(kernel) < 1 or min(stride) < 1 or _sides(param, "pad", "pad") != (0, 0):
        raise call.error(f"kernel {kernel}, stride {stride} must be at least 1 and pad 0")
    size = tuple((n - 1) * step + k for n, step, k in zip(size_of(bottom), stride, kernel))
    starts = [np.arange(n) * step for n, step in zip(size_of(bottom), stride)]
    method, shares = choice(param, "pool", ("MAX", "AVE"), "MAX"), pooled_reading(call) == "xieguotian"
    if shares and method == "MAX":
        raise call.error("with MAX it must have a mask, which is not run")
    if shares:
        return [_spread(bottom / (kernel[0] * kernel[1]), starts, kernel, size)]
    if method == "AVE":
        cover = _spread(np.ones((1, 1) + bottom.shape[2:]), starts, kernel, size)
        return [_spread(bottom, starts, kernel, size) / np.where(cover == 0, 1, cover)]
    top = np.full(bottom.shape[:2] + size, float(np.finfo(np.float32).max))
    for down, across in np.ndindex(*kernel):
        places = (slice(None), slice(None), (starts[0] + down)[:, None], starts[1] + across)
        top[places] = np.minimum(top[places], bottom)
    return [top]


def _matched(rows: int, wanted: int) -> Tuple[int, int, int]:
    """Kernel, stride and pad of one axis that lead from `rows` to about `wanted`."""
    kernel = stride = -(-wanted // rows)
    if stride == wanted:
        stride = 1
    return kernel, stride, ((rows - 1) * stride + kernel - wanted) // 2


def _centred(bottom: np.ndarray, starts: List[np.ndarray], kernel: Pair, size: Pair) -> np.ndarray:
    """Each value at the middle of its window, moved into the top; the last one stays."""
    rows, columns = (
        np.clip([divide(2 * int(start) + kernel[axis] - 1, 2) for start in starts[axis]],
                0, size[axis] - 1)
        for axis in (0, 1)
    )
    top = np.zeros(bottom.shape[:2] + tuple(size))
    top[:, :, rows[:, None], columns] = bottom
    return top
