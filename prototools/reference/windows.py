"""Kernel, stride, pad and dilation of Convolution and Pooling, read as Caffe reads them."""

from __future__ import annotations

from typing import NamedTuple, Tuple

from prototools.prototext import Message
from prototools.reference.call import Call, divide, written

Axes = Tuple[int, ...]


class Window(NamedTuple):
    """One number for each spatial axis."""

    kernel: Axes
    stride: Axes
    pad: Axes
    dilation: Axes

    def extent(self, axis: int) -> int:
        """How many rows a dilated kernel spans."""
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1

    def convolved(self, size: Axes) -> Axes:
        """Output size of a Convolution (conv_layer.cpp): rounds toward zero, also below zero."""
        return tuple(
            divide(rows + 2 * self.pad[i] - self.extent(i), self.stride[i]) + 1
            for i, rows in enumerate(size)
        )

    def deconvolved(self, size: Axes) -> Axes:
        """Output size of a Deconvolution (deconv_layer.cpp)."""
        return tuple(
            self.stride[i] * (rows - 1) + self.extent(i) - 2 * self.pad[i]
            for i, rows in enumerate(size)
        )


def convolution_window(call: Call, param: Message, axes: int) -> Window:
    """The window of a `ConvolutionParameter` over `axes` spatial axes (base_conv_layer.cpp).

    Raises `EngineError` where Caffe stops or crashes: no kernel, a stride of 0, a wrong count.
    """
    _refuse_sides(call, param)
    # DeepLab's first forks call it `hole`.
    dilation = "hole" if written(param, "hole", "hole_h", "hole_w") else "dilation"
    window = Window(
        _per_axis(call, param, "kernel_size", "kernel", axes, 0),
        _per_axis(call, param, "stride", "stride", axes, 1),
        _per_axis(call, param, "pad", "pad", axes, 0),
        _per_axis(call, param, dilation, dilation, axes, 1),
    )
    for name, numbers in (
        ("kernel", window.kernel), ("stride", window.stride), ("dilation", window.dilation)
    ):
        if min(numbers, default=1) < 1:
            raise call.error(f"{name} must be at least 1 on every axis, but is {numbers}")
    return window


def _refuse_sides(call: Call, param: Message) -> None:
    """A fork's pads for every side have their own rules for what lies there."""
    for name in ("pad_l", "pad_r", "pad_t", "pad_b", "pad_type"):
        if param.integer(name):
            raise call.error(f"{name} is a fork's own pad, which is not run here")


def _per_axis(call: Call, param: Message, name: str, short: str, axes: int, default: int) -> Axes:
    """A repeated field, or its `_h` and `_w` form in which a missing half is 0."""
    if written(param, short + "_h", short + "_w"):
        if axes != 2:
            raise call.error(f"{short}_h and {short}_w need 2 spatial axes, but there are {axes}")
        return param.integer(short + "_h"), param.integer(short + "_w")
    values = param.integers(name)
    if len(values) not in (0, 1, axes):
        raise call.error(f"{name} must stand once or {axes} times, but is {values}")
    if len(values) == axes:
        return tuple(values)
    return (values[0] if values else default,) * axes


def pooling_window(call: Call, param: Message, size: Axes) -> Window:
    """The window of a `PoolingParameter` over the plane `size` (pooling_layer.cpp)."""
    _refuse_sides(call, param)
    if param.boolean("global_pooling"):
        return Window(tuple(size), (1, 1), (0, 0), (1, 1))
    kernel = _pair(param, "kernel_size", "kernel", 0)
    stride, pad = _pair(param, "stride", "stride", 1), _pair(param, "pad", "pad", 0)
    if min(kernel) < 1 or min(stride) < 1:
        raise call.error(f"kernel and stride must be at least 1, but are {kernel} and {stride}")
    if pad[0] >= kernel[0] or pad[1] >= kernel[1]:
        raise call.error(f"pad must be less than the kernel, but they are {pad} and {kernel}")
    return Window(kernel, stride, pad, (1, 1))


def _pair(param: Message, name: str, short: str, default: int) -> Tuple[int, int]:
    if written(param, name):
        value = param.integer(name)
        return value, value
    return param.integer(short + "_h", default), param.integer(short + "_w", default)
