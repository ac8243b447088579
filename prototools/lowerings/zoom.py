"""Aligned corners, a whole zoom: one Deconvolution with the bilinear filler (blocks B2 and B9).

Kernel 2 z - 1, stride z, pad z - 1 give (H - 1) z + 1 rows with the corners on the corners.
Rows that are cut from both ends alike are pad too: z - 1 + p z.
The bilinear filler needs a square kernel, so both axes must zoom alike. For even z, Caffe 1.0 and
older fill this kernel wrongly (filler.hpp changed in October 2017): `newer_filler` says so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Iterator

from prototools.blocks import TOP, Block, deconvolution
from prototools.lowerings.request import ResizeRequest

NAME = "zoom"


def propose(request: ResizeRequest) -> Iterator[Block]:
    """One Deconvolution; a Slice first where the two ends are cut differently."""
    samplers, crops = request.samplers(), request.crops
    zoom = samplers[0].repeat
    if zoom == 1 or any(sampler != (zoom, zoom, 1) for sampler in samplers):
        return
    if request.resize.gain != 1:
        return
    common = [min(crop) for crop in crops]
    layers, left = _cut_difference(request, common)
    kernel, pad = 2 * zoom - 1, [zoom - 1 + zoom * crop for crop in common]
    layers.append(
        deconvolution(
            "deconv", left.bottom, TOP, request.need_channels(), (kernel, kernel), (zoom, zoom), pad
        )
    )
    yield Block(NAME, tuple(layers), newer_filler=zoom % 2 == 0)


def _cut_difference(request: ResizeRequest, common):
    """Cut only what one end loses more than the other."""
    axes = [
        replace(axis, crop=(axis.crop[0] - crop, axis.crop[1] - crop))
        for axis, crop in zip(request.resize.axes, common)
    ]
    return replace(request, resize=replace(request.resize, height=axes[0], width=axes[1])).cut()
