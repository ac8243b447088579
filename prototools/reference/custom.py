"""The forks' resize layers that can be run, each with its forward function.

Every function follows its fork's own loops and shares no code with the rewriter, so that the two
can be compared. Upper-case names are the types of the old `layers` form.
"""

from __future__ import annotations

from typing import Callable, Dict, List

import numpy as np

from prototools.reference import interp, resizers, unpooling, upsample
from prototools.reference.call import Call

Forward = Callable[[Call], List[np.ndarray]]

CUSTOM: Dict[str, Forward] = {
    "BilinearInterpolate": interp.bilinear_interpolate,
    "BilinearInterpolation": interp.bilinear_interpolation,
    "DeephiResize": resizers.deephi_resize,
    "INTERP": interp.interp,
    "Interp": interp.interp,
    "InterpAdvance": interp.interp_advance,
    "InterpNN": interp.interp_nearest,
    "Interpolation": interp.interp_advance,
    "InterpVariable": interp.interp_variable,
    "MaxUnPool": unpooling.max_unpool,
    "NearestSample": upsample.nearest_sample,
    "OctaveUpsample": upsample.octave_upsample,
    "Python:interp.UpsamplingBilinear2d": upsample.python_interp,
    "Resample": resizers.resample,
    "Resize": resizers.resize,
    "ResizeBilinear": resizers.resize_bilinear,
    "ResizeNearestNeighbor": resizers.resize_nearest_neighbor,
    "SimpleUpsample": upsample.simple_upsample,
    "UNPOOLING": unpooling.unpooling,
    "UPSAMPLE": upsample.upsample,
    "UPSAMPLING": upsample.upsampling,
    "UnPooling": unpooling.unpooling_fixed,
    "Unpooling": unpooling.unpooling,
    "Upsample": upsample.upsample,
    "UpsampleDarknet": upsample.upsample_darknet,
    "UpsampleNearest": upsample.upsample_nearest,
    "Upsampling": upsample.upsampling,
    "Upscale": resizers.upscale,
    "Upscale2D": upsample.upscale_2d,
}
