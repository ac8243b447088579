"""ResizeBilinear and ResizeNearestNeighbor: TensorFlow's layers, as forks of Caffe have them.

* `ResizeBilinear` and `ResizeNearestNeighbor` of foss-for-synopsys-dwc-arc-processors/synopsys-caffe:
  `output_height` and `output_width`, or else `scale_height` and `scale_width` (H' = floor(H scale)).
  Source rows are at i H / H' (the default), at corners on corners (`align_corners`), or at pixel
  centres (`half_pixel_centers`, `pytorch_half_pixel`; for nearest also `half_pixel_onnx`); outside
  the image the border is repeated.
  `data_format` is NHWC where it is not written; only NCHW lies as Caffe's own blobs do.
* `ResizeBilinear` of BVLC pull request 6508: `factor`, else `height` and `width`; i H / H' always.
"""

from __future__ import annotations

from typing import Optional, Tuple

from prototools.dialects.reading import Context, Dialect, Reading, positive, require_bottoms, size_factor, some
from prototools.lowerings.request import Refused
from prototools.prototext import Message
from prototools.resize import Axis, Given, Resize, SizeRule
from prototools.sampling import (
    ALIGN_CORNERS,
    ASYMMETRIC,
    HALF_PIXEL,
    HALF_PIXEL_NEAREST,
    HALF_PIXEL_ONNX,
    NEAREST,
    NEAREST_ALIGN_CORNERS,
    NEAREST_FLOAT32,
    Sampling,
)

BILINEAR, NEIGHBOR = "resize_bilinear_param", "resize_nearest_neighbor_param"
UNMERGED = ("factor", "height", "width")


def _claims_synopsys(context: Context) -> bool:
    return not some(context.param(BILINEAR), *UNMERGED)


def _read_bilinear(context: Context) -> Reading:
    param = _in_planes(context, BILINEAR)
    _one_grid(param, "align_corners", "half_pixel_centers", "pytorch_half_pixel")
    if param.boolean("align_corners"):
        return _resized(context, param, ALIGN_CORNERS, ASYMMETRIC)
    if param.boolean("pytorch_half_pixel"):
        # Where one row comes out it is row 0, not the middle.
        return _resized(context, param, HALF_PIXEL, ALIGN_CORNERS)
    plain = HALF_PIXEL if param.boolean("half_pixel_centers") else ASYMMETRIC
    return _resized(context, param, plain, plain)


def _read_neighbor(context: Context) -> Reading:
    param = _in_planes(context, NEIGHBOR)
    _one_grid(param, "align_corners", "half_pixel_centers")
    onnx = HALF_PIXEL_ONNX if param.boolean("half_pixel_onnx") else NEAREST
    plain = HALF_PIXEL_NEAREST if param.boolean("half_pixel_centers") else onnx
    return _resized(context, param, NEAREST_ALIGN_CORNERS if param.boolean("align_corners") else plain, plain)


def _one_grid(param: Message, *flags: str) -> None:
    """The fork refuses two grids at once."""
    wanted = [name for name in flags if param.boolean(name)]
    if len(wanted) > 1:
        raise Refused(f"{wanted[0]} and {wanted[1]} must not both be true")


def _in_planes(context: Context, name: str) -> Message:
    require_bottoms(context, 1)
    param = context.param(name)
    layout = param.string("data_format", "NHWC")
    if layout != "NCHW":
        raise Refused(f"its data_format must be NCHW, as Caffe's blobs are, but is {layout}")
    return param


def _resized(context: Context, param: Message, sampling: Sampling, for_one: Sampling) -> Reading:
    """Where one row comes out there is another grid: corners cannot fall on corners."""
    sizes = [_size(param, side) for side in ("height", "width")]
    single = [size == Given(1) or rows is not None and size(rows) == 1 for size, rows in zip(sizes, context.rows(0))]
    grids = [for_one if one else sampling for one in single]
    grids = [_as_computed(grid, size, rows) for grid, size, rows in zip(grids, sizes, context.rows(0))]
    return Reading(Resize(*(Axis(grid, size) for grid, size in zip(grids, sizes))))


def _as_computed(sampling: Sampling, size: SizeRule, rows: Optional[int]) -> Sampling:
    """i H // H', or what 32 bits make of it where that is another row for some i (2 to 82 rows is one)."""
    if sampling != NEAREST or rows is None or size(rows) < 1:
        return sampling
    exact, computed = (Axis(one, size).map(rows) for one in (NEAREST, NEAREST_FLOAT32))
    return NEAREST if exact == computed else NEAREST_FLOAT32


def _size(param: Message, side: str) -> SizeRule:
    if param.integer(f"output_{side}"):
        return Given(positive(param, f"output_{side}"))
    return size_factor(param, f"scale_{side}")


def _claims_unmerged(context: Context) -> bool:
    return some(context.param(BILINEAR), *UNMERGED)


def _read_unmerged(context: Context) -> Reading:
    require_bottoms(context, 1)
    height, width = _unmerged_sizes(context.param(BILINEAR))
    return Reading(Resize(Axis(ASYMMETRIC, height), Axis(ASYMMETRIC, width)))


def _unmerged_sizes(param: Message) -> Tuple[SizeRule, SizeRule]:
    if param.has("factor"):
        return size_factor(param, "factor", 0.0), size_factor(param, "factor", 0.0)
    return Given(positive(param, "height", 0)), Given(positive(param, "width", 0))


DIALECTS = (
    Dialect("synopsys", ("ResizeBilinear",), "synopsys-caffe: TensorFlow's grids", _claims_synopsys, _read_bilinear),
    Dialect("synopsys", ("ResizeNearestNeighbor",), "synopsys-caffe: TensorFlow's grids",
            lambda context: True, _read_neighbor),
    Dialect("pull_6508", ("ResizeBilinear",), "BVLC pull request 6508", _claims_unmerged, _read_unmerged),
)
