"""Every dialect, against the numpy reference, which reads the same layers in its own way."""

from __future__ import annotations

from typing import Dict, Optional

import numpy as np
import pytest

from prototools.dialects import TABLE, TYPES, UNREAD_TYPES, names
from prototools.errors import PrototoolsError
from prototools.layer_types import RESIZE_TYPES, STOCK_TYPES
from prototools.net import Net
from prototools.patching import replaced_layers
from prototools.reference import LAYERS, run
from prototools.rewriter import rewrite

#: A layer's type and parameters, the dialect where the file does not decide, and sizes to try it at.
LAYERS_READ = [
    ("Interp", "interp_param { zoom_factor: 3 pad_beg: -1 }", None),
    ("Interp", "interp_param { height: 11 width: 5 }", None),
    ("Interp", 'interp_param { zoom_factor: 2 interp_type: "nearest_neighbor" }', None),
    ("Interp", 'interp_param { height: 9 width: 13 interp_type: "bilinear" }', None),
    ("Interp", "interp_param { zoom_factor: 3 mode: NEAREST }", None),
    ("Interp", "interp_param { height: 9 width: 13 mode: LINEAR }", None),
    ("Interp", "interp_param { full_zoom_factor: 3 }", None),
    ("Interp", "interp_param { zoom_factor: 2 align_corners: false }", None),
    ("Interp", "interp_param { zoom_factor: 2 }", "xjtu"),
    ("Interp", "interp_param { zoom_factor: 2 shrink_factor: 2 }", "derteanoo"),
    ("Interp", "interp_param { zoom_factor: 2 }", "cc4"),
    ("Interp", "interp_param { shrink_factor: 2 pad_end: -1 }", "cc4"),
    ("InterpNN", "interp_param { zoom_factor: 3 }", None),
    ("InterpNN", "interp_param { height: 9 width: 4 }", None),
    ("Upsample", "upsample_param { scale: 3 }", None),
    ("Upsample", "upsample_param { scale: 0.5 stride: 2 }", None),
    ("Upsample", "upsample_param { mode: BILINEAR height: 9 width: 10 }", None),
    ("Upsample", "upsample_param { mode: NEAREST height: 9 width: 10 }", None),
    ("Upsample", "upsample_param { scale: 3 nearestneighbor_mode: true }", None),
    ("Upsample", "upsample_param { height: 12 width: 14 }", None),
    ("Upsample", "upsample_param { height: 5 width: 11 }", None),
    ("Upsample", "upsample_param { height: 18 width: 14 }", "sds"),
    ("Upsample", "upsample_param { scale: 2 }", "sophgo"),
    ("Upsample", "", "nnie"),
    ("SimpleUpsample", "upsample_param { height: 12 width: 14 }", None),
    ("SimpleUpsample", "upsample_param { height: 5 width: 11 }", None),
    ("Interp", "interp_param { zoom_factor: 2 type: Bilinear }", None),
    ("UpsampleDarknet", "upsample_darknet_param { stride: 2 }", None),
    ("Upsampling", "upsampling_param { scalefactor: 3 }", None),
    ("Upscale2D", "", None),
    ("Upscale", "", None),
    ("OctaveUpsample", "octaveupsample_param { scale: 2 pad_out_h: true }", None),
    ("OctaveUpsample", "octaveupsample_param { upsample_h: 17 upsample_w: 20 }", None),
    ("ResizeBilinear", 'resize_bilinear_param { data_format: "NCHW" output_height: 9 output_width: 4 }', None),
    ("ResizeBilinear", 'resize_bilinear_param { data_format: "NCHW" scale_height: 1.5 half_pixel_centers: true }',
     None),
    ("ResizeBilinear", 'resize_bilinear_param { data_format: "NCHW" align_corners: true scale_width: 0.2 }', None),
    ("ResizeBilinear", 'resize_bilinear_param { data_format: "NCHW" output_height: 1 output_width: 9 '
     "pytorch_half_pixel: true }", None),
    ("ResizeBilinear", 'resize_bilinear_param { data_format: "NCHW" output_height: 1 output_width: 9 '
     "half_pixel_centers: true }", None),
    ("ResizeBilinear", "resize_bilinear_param { factor: 1.7 }", None),
    ("ResizeBilinear", "resize_bilinear_param { height: 9 width: 3 }", None),
    ("ResizeNearestNeighbor", 'resize_nearest_neighbor_param { data_format: "NCHW" scale_height: 3 }', None),
    ("ResizeNearestNeighbor", 'resize_nearest_neighbor_param { data_format: "NCHW" output_height: 11 output_width: 9 '
     "half_pixel_onnx: true }", None),
    ("Resample", "resample_param { height: 12 width: 14 type: LINEAR }", None),
    ("Resample", "resample_param { height: 3 width: 14 type: LINEAR }", None),
    ("Resample", "resample_param { height: 13 width: 4 type: CUBIC }", None),
    ("Resample", "resample_param { height: 12 width: 14 type: NEAREST }", None),
    ("DeephiResize", "deephi_resize_param { scale_h: 2 scale_w: 1.5 }", None),
    ("DeephiResize", "deephi_resize_param { new_height: 13 new_width: 4 resize_type: BILINEAR }", None),
    ("BilinearInterpolate", "bilinear_interpolate_param { dst_h: 9 dst_w: 4 }", None),
    ("BilinearInterpolate", "bilinear_interpolate_param { scale_factor: 1.5 align_corners: false }", None),
    ("Resize", "resize_param { height: 11 width: 5 }", "happynear"),
    ("Resize", "resize_param { is_pyramid_test: true out_height_scale: 2 out_width_scale: 1.5 }", None),
    ("Resize", "resize_param { height: 11 width: 13 }", "appearance_flow"),
    ("Resize", "resize_param { scale: 3 crop: 1 }", None),
    ("Resize", "resize_param { resize_ratio: 3 type: NEAREST }", None),
    ("Resize", "resize_param { is_pyramid_test: true out_height_scale: 2 out_width_scale: 2 type: BILINEAR }", None),
    ("Resize", "resize_param { height: 9.0 width: 11 type: BILINEAR }", None),
    ("Resize", "resize_param { resize_ratio: 2.5 type: 2 }", None),
    ("UNPOOLING", "unpooling_param { unpool: TILE kernel_size: 2 stride: 2 unpool_h: 12 unpool_w: 14 }", None),
    ("Unpooling", "unpooling_param { unpool: TILE kernel_size: 2 stride: 2 unpool_h: 12 unpool_w: 14 }", "deconvnet"),
    ("Unpooling", "unpooling_param { unpool: TILE kernel_size: 2 stride: 2 unpool_h: 12 unpool_w: 14 }", "zhirongw"),
    ("Unpooling", "unpooling_param { unpool: AVE kernel_size: 2 stride: 2 unpool_h: 12 unpool_w: 14 }", None),
    ("UnPooling", "unpooling_param { unpool: REP out_kernel_size: 2 out_stride: 2 }", None),
    ("UnPooling", "pooling_param { kernel_size: 2 stride: 2 }", None),
    ("UnPooling", "pooling_param { pool: AVE kernel_h: 2 kernel_w: 3 stride_h: 2 stride_w: 3 }", "caffe_hash"),
    ("UnPooling", "pooling_param { pool: AVE kernel_h: 2 kernel_w: 3 stride_h: 2 stride_w: 3 }", "xieguotian"),
    ("Unpooling", "unpooling_param { pool: AVE kernel_size: 2 stride: 2 }", None),
    ("Unpooling", "unpooling_param { pool: MAX kernel_h: 2 kernel_w: 3 stride_h: 2 stride_w: 3 pad_u: 0 }", None),
    ("Unpooling", "unpooling_param { kernel_size: 3 stride: 3 }", "akrit2013"),
    ("UNPOOLING", "unpooling_param { kernel_size: 3 }", None),
    ("UPSAMPLING", "upsampling_param { kernel_h: 2 kernel_w: 3 }", None),
    ("Upsampling", "upsampling_param { kernel_size: 3 }", None),
    ("Upsampling", "upsampling_param { kernel_h: 2 kernel_w: 3 }", "cedn"),
    ("Upsampling", "upsampling_param { kernel_h: 2 kernel_w: 3 }", "dach"),
    ("Upsampling", "upsampling_param { kernel_c: 1 kernel_w: 3 }", None),
    ("Resize", "resize_param { height_out: 12 width_out: 5 }", None),
    ("Resize", "resize_param { height_out: 18 width_out: 14 scale_x: 2 }", None),
]


def test_types() -> None:
    """The list by which a net without custom layers is told is that of the tables."""
    assert RESIZE_TYPES == TYPES | UNREAD_TYPES.keys() and not RESIZE_TYPES & STOCK_TYPES


def net(kind: str, param: str, size, bottoms: str = 'bottom: "data"') -> str:
    if kind.startswith("Python:"):
        kind, _, name = kind.partition(":")
        module, _, layer = name.rpartition(".")
        param = f'python_param {{ module: "{module}" layer: "{layer}" {param} }}'
    dims = " ".join(f"dim: {dim}" for dim in (2, 3, *size))
    old = kind in ("UNPOOLING", "UPSAMPLING", "INTERP")
    own = f'name: "up" type: {kind if old else chr(34) + kind + chr(34)} {bottoms} top: "up" {param} }}\n'
    if old:
        return f'input: "data" input_shape {{ {dims} }}\nlayers {{ {own}'
    source = f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}\n'
    return f"{source}layer {{ {own}"


def outcome(text: str, inputs: Dict[str, np.ndarray], dialect: Optional[str]):
    """What the reference gives before and after, the new layers with the weights that are written."""
    result = rewrite(text, weights=True, dialect=[dialect] if dialect else [])
    assert result.changes and not result.refusals, result.refusals
    new = [layer for layers in replaced_layers(result).values() for layer in layers]
    params = {one.name: [np.frombuffer(values, "<f4").reshape(shape) for shape, values in one.blobs] for one in new}
    before = run(Net(text.encode()).filtered(), inputs, outputs=["up"], dialect=dialect)["up"]
    return before, run(Net(result.text.encode()).filtered(), inputs, params, outputs=["up"])["up"]


@pytest.mark.parametrize("size", [(6, 7), (8, 5)], ids=str)
@pytest.mark.parametrize("kind, param, dialect", LAYERS_READ)
def test_values(kind: str, param: str, dialect: Optional[str], size) -> None:
    """The rewritten net's numbers are the fork's, to the precision of float32 weights."""
    if ("unpool_h" in param or "scale_x" in param) and size != (6, 7):
        pytest.skip("the layer is written for one size")
    image = np.random.RandomState(0).randn(2, 3, *size)
    before, after = outcome(net(kind, param, size), {"data": image}, dialect)
    assert before.shape == after.shape and before.size > 30
    assert np.abs(before - after).max() < 2e-6


@pytest.mark.parametrize("kind", ["BilinearInterpolation", "Interpolation", "InterpAdvance"])
def test_size_references(kind: str) -> None:
    """The second bottom gives the size, and its values do not matter."""
    random = np.random.RandomState(0)
    text = net(kind, "", (4, 5), 'bottom: "data" bottom: "like"').replace(
        "layer { name: \"up\"", 'layer { name: "like" type: "Input" top: "like" input_param { shape { dim: 2 dim: 1 '
        'dim: 9 dim: 11 } } }\nlayer { name: "up"')
    inputs = {"data": random.randn(2, 3, 4, 5), "like": random.randn(2, 1, 9, 11)}
    before, after = outcome(text, inputs, None)
    assert before.shape == (2, 3, 9, 11) and np.abs(before - after).max() < 2e-6


def test_a_second_bottom_that_is_not_read() -> None:
    """p517332051/caffe-windows' UpsampleNearest wants two bottoms and uses one."""
    image = np.random.RandomState(0).randn(2, 3, 4, 5)
    text = net("UpsampleNearest", "upsample_nearest_param { scale: 3 }", (4, 5), 'bottom: "data" bottom: "data"')
    before, after = outcome(text, {"data": image}, None)
    assert before.shape == (2, 3, 12, 15) and np.array_equal(before, after)


@pytest.mark.parametrize("param, factor", [("", 2), ("nearest_neighbor_param { scale: 3.0 }", 3)])
def test_one_image_only(param: str, factor: int) -> None:
    """Style-Feature-Reshuffle's NearestSample writes the first image of a batch, so more are refused."""
    text = net("NearestSample", param, (4, 5))
    refusal, = rewrite(text).refusals
    assert "must be one image" in refusal.reason and refusal.reason.endswith("has 2")
    refusal, = rewrite(text, shapes={"data": (None, 3, 4, 5)}).refusals
    assert "--shape data=N,C,H,W" in refusal.reason
    image = np.random.RandomState(0).randn(1, 3, 4, 5)
    before, after = outcome(text.replace("dim: 2", "dim: 1"), {"data": image}, None)
    assert before.shape == (1, 3, 4 * factor, 5 * factor) and np.array_equal(before, after)


@pytest.mark.parametrize("size", [(8, 10), (7, 11), (12, 5), (3, 4), (2, 1)], ids=str)
def test_reference_first(size) -> None:
    """Tiny-DSOD's Upsample: the first bottom gives the size, the second is enlarged."""
    random = np.random.RandomState(0)
    dims = " ".join(f"dim: {rows}" for rows in (2, 3, *size))
    like = f'layer {{ name: "like" type: "Input" top: "like" input_param {{ shape {{ {dims} }} }} }}\n'
    text = like + net("Upsample", "", (4, 5), 'bottom: "like" bottom: "data"')
    inputs = {"data": random.randn(2, 3, 4, 5), "like": random.randn(2, 3, *size)}
    before, after = outcome(text, inputs, None)
    assert before.shape == (2, 3, *size) and np.abs(before - after).max() < 2e-6


HIDDEN = "Python:interp.UpsamplingBilinear2d"


@pytest.mark.parametrize("zoom", ["2", "3.0"])
def test_python_layer(zoom: str) -> None:
    """Nearest, whatever the class is called, and only where the fork's code is right."""
    param = f"param_str: '{{\"zoom_factor\": {zoom}}}'"
    before, after = outcome(net(HIDDEN, param, (5, 5)), {"data": np.random.RandomState(0).randn(2, 3, 5, 5)}, None)
    assert before.shape[2] == int(float(zoom)) * 5 and np.array_equal(before, after)
    refusal, = rewrite(net(HIDDEN, param, (5, 6))).refusals
    assert "must be square, but is 5 x 6" in refusal.reason


@pytest.mark.parametrize("text, words", [("{'zoom_factor': 1.5}", "whole number"), ("2", "must be a dictionary"),
                                         ("__import__('os')", "must be a dictionary"), ("{}", "must be a dictionary")])
def test_python_layer_settings(text: str, words: str) -> None:
    """What is no dictionary of numbers is refused, and never run."""
    refusal, = rewrite(net(HIDDEN, f'param_str: "{text}"', (5, 5))).refusals
    assert words in refusal.reason


def test_other_python_layers_stay() -> None:
    """A Python layer of another class is none of our business."""
    result = rewrite(net("Python:rpn.ProposalLayer", "", (5, 5)))
    assert not result.changes and not result.refusals


#: A layer with a mask, the Pooling's window, and the rows and columns of the pooled blob.
MASKED = [
    ('type: "Upsample" bottom: "pool" bottom: "mask" bottom: "image"', "kernel_size: 2 stride: 2", (6, 8)),
    ('type: "Upsample" bottom: "pool" bottom: "mask" upsample_param { pad_out_W: true }', "kernel_size: 2 stride: 2",
     (6, 7)),
    ('type: "Unpooling" bottom: "pool" bottom: "mask" unpooling_param { unpool: MAX kernel_size: 2 stride: 2 }',
     "kernel_size: 2 stride: 2", (6, 8)),
    ('type: "Unpooling" bottom: "pool" bottom: "mask" unpooling_param { kernel_size: 3 stride: 2 }',
     "kernel_size: 3 stride: 2", (7, 9)),
    ('type: "Unpooling" bottom: "pool" bottom: "mask" unpooling_param { kernel_h: 3 kernel_w: 2 stride: 2 pad_h: 1 '
     "pad_w: 0 }", "kernel_h: 3 kernel_w: 2 stride: 2 pad_h: 1 pad_w: 0", (7, 8)),
]


@pytest.mark.parametrize("layer, window, size", MASKED)
def test_masks(layer: str, window: str, size) -> None:
    """Every value lands where its window found it."""
    text = (
        'layer { name: "image" type: "Input" top: "image" input_param { shape { dim: 1 dim: 2 '
        f'dim: {size[0]} dim: {size[1]} }} }} }}\nlayer {{ name: "pool" type: "Pooling" bottom: "image" top: "pool" '
        f'top: "mask" pooling_param {{ pool: MAX {window} }} }}\nlayer {{ name: "up" {layer} top: "up" }}\n'
    )
    before, after = outcome(text, {"image": np.random.RandomState(0).randn(1, 2, *size)}, None)
    assert before.shape == (1, 2, *size) and np.count_nonzero(before) > 10 and np.array_equal(before, after)


#: A layer with a mask that is refused, and words of the reason.
MASKED_WRONGLY = [
    ("pooling_param { pool: MAX kernel_size: 2 stride: 2 }", "unmerged patches of Caffe"),
    ("unpooling_param { unpool: TILE kernel_size: 2 stride: 2 }", "unpool must be MAX, but is TILE"),
    ("unpooling_param { kernel_size: 2 stride: 0 }", "must be at least 1"),
    ("unpooling_param { kernel_size: 3 stride: 2 }", "the mask's indices belong to another plane"),
]


@pytest.mark.parametrize("param, words", MASKED_WRONGLY)
def test_masks_that_cannot_be_read(param: str, words: str) -> None:
    """Refused with the reason."""
    text = ('layer { name: "image" type: "Input" top: "image" input_param { shape { dim: 1 dim: 2 dim: 6 dim: 8 } } }\n'
            'layer { name: "pool" type: "Pooling" bottom: "image" top: "pool" top: "mask" pooling_param { '
            f'kernel_size: 2 stride: 2 }} }}\nlayer {{ name: "up" type: "Unpooling" bottom: "pool" bottom: "mask" '
            f'top: "up" {param} }}\n')
    refusal, = rewrite(text).refusals
    assert words in refusal.reason


@pytest.mark.parametrize("layer", [
    'type: "Upsample" upsample_param { scale: 2 }', 'type: "Unpooling" unpooling_param { scale: 2 }',
    'type: "Unpooling" unpooling_param { unpool: MAX unpool_h: 6 unpool_w: 8 }',
    'type: "Unpooling" unpooling_param { kernel_size: 2 stride: 2 }',
    'type: "MaxUnPool" max_unpool_param { dst_h: 6 dst_w: 8 }',
])
def test_a_mask_is_never_first(layer: str) -> None:
    """Every fork would scatter the mask's indices by the data; no block of ours may do better silently."""
    text = ('layer { name: "image" type: "Input" top: "image" input_param { shape { dim: 1 dim: 2 dim: 6 dim: 8 } } }\n'
            'layer { name: "pool" type: "Pooling" bottom: "image" top: "pool" top: "mask" pooling_param { '
            f'kernel_size: 2 stride: 2 }} }}\nlayer {{ name: "up" {layer} bottom: "mask" bottom: "pool" top: "up" }}\n')
    refusal, = rewrite(text).refusals
    assert refusal.reason.startswith("its mask, the second bottom, must be the second top of a Pooling layer")
    right = rewrite(text.replace('bottom: "mask" bottom: "pool"', 'bottom: "pool" bottom: "mask"'))
    assert len(right.changes) == 1 and not right.refusals


#: Nearest rows where a ratio in 32 bits leads to another row than the ratio itself, and that row's place.
FLOATS = [
    ("ResizeNearestNeighbor", 'resize_nearest_neighbor_param { data_format: "NCHW" output_height: 82 output_width: 2 }',
     2, 41, 0),
    ("ResizeNearestNeighbor", 'resize_nearest_neighbor_param { data_format: "NCHW" output_height: 47 output_width: 2 '
     "align_corners: true }", 8, 23, 3),
    ("Interp", "interp_param { mode: NEAREST height: 47 width: 2 }", 8, 23, 3),
]


@pytest.mark.parametrize("kind, param, rows, place, row", FLOATS)
def test_nearest_in_32_bits(kind: str, param: str, rows: int, place: int, row: int) -> None:
    """The row is the one that the fork's own arithmetic finds."""
    image = np.arange(rows * 2.0).reshape(1, 1, rows, 2)
    text = net(kind, param, (rows, 2)).replace("dim: 2 dim: 3", "dim: 1 dim: 1")
    before, after = outcome(text, {"data": image}, None)
    assert np.array_equal(before, after) and after[0, 0, place, 0] == image[0, 0, row, 0]


#: A layer on 4 rows, the rows of the blob that is added to its top, and the dialects that the refusal names.
ADDED = [
    ("zoom_factor: 2", 7, None), ("zoom_factor: 2", 8, "xjtu or cc4"), ("zoom_factor: 2 height: 7 width: 7", 9, None),
    ("zoom_factor: 3 shrink_factor: 1", 13, "derteanoo"), ("height: 8 width: 8", 8, None),
]


@pytest.mark.parametrize("fields, rows, names", ADDED)
def test_sizes_that_do_not_fit(fields: str, rows: int, names: Optional[str]) -> None:
    """Where the sizes of the net fit another fork's reading only, the file is not read as PSPNet's."""
    dims = f"dim: 2 dim: 3 dim: {rows} dim: {rows}"
    text = net("Interp", f"interp_param {{ {fields} }}", (4, 4)) + (
        f'layer {{ name: "other" type: "Input" top: "other" input_param {{ shape {{ {dims} }} }} }}\n'
        'layer { name: "sum" type: "Eltwise" bottom: "up" bottom: "other" top: "sum" }\n')
    result = rewrite(text)
    told = [one.reason.partition("give --dialect ")[2].partition(",")[0] for one in result.refusals]
    assert told == [names] * bool(names)
    assert not rewrite(text, dialect=["pspnet"]).refusals
    if names:
        assert not rewrite(text, dialect=[names.split()[0]]).refusals


#: A layer that no file decides for, or that no dialect takes, the dialects that are named, and words of the reason.
UNDECIDED = [
    ("Upsample", "", [], "choose with --dialect: yolo, ascend, inisis, caffemex, nnie"),
    ("Upsample", "upsample_param { scale_l: 2 }", [], "scale_l is no field of any fork's Upsample that is read"),
    ("Interp", "interp_param { interp_ratio: 2 }", [], "interp_ratio is no field of any fork's Interp that is read"),
    ("Resize", "resize_param { height: 9 width: 9 }", [], "--dialect: happynear, appearance_flow, face_parsing"),
    # Neither of the last two is read so, but a user of them must not be led to another fork's numbers.
    ("Resize", "resize_param { height: 3 width: 3 }", [], "--dialect: happynear, appearance_flow, face_parsing"),
    ("Unpooling", "unpooling_param { unpool: AVE }", [], "none of the forks whose Unpooling is read writes it so"),
    ("Interp", "interp_param { zoom_factor: 2 mode: NEAREST }", ["pspnet"], "mode is no field of this dialect"),
    ("Resize", "resize_param { scale: 2 }", ["happynear"], "scale is no field of this dialect"),
    ("Resize", "resize_param { height_out: 9 width_out: 9 shift_x: 1 }", [], "shift_x and shift_y must be 0"),
    ("Resize", "resize_param { height_out: 9 width_out: 9 scale_y: 2 }", [], "by the height, 9 / 4, but is 2"),
    ("UnPooling", "pooling_param { kernel_size: 3 stride: 2 }", [], "must lie side by side"),
    ("UnPooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 stride: 2 }", [], "but is STOCHASTIC"),
    ("UnPooling", "pooling_param { pool: AVE kernel_size: 2 stride: 2 }", [], "--dialect: caffe_hash, xieguotian"),
    ("UnPooling", "pooling_param { kernel_size: 2 stride: 2 }", ["xieguotian"], "must have a pooling mask"),
    ("UnPooling", "pooling_param { kernel_size: 2 stride: 2 ceil_mode: false }", [], "ceil_mode is no field"),
    ("UnPooling", "unpooling_param { kernel_size: 2 }", [], "kernel_size is no field of any fork's UnPooling"),
    ("UnPooling", "unpooling_param { out_kernel_size: 2 out_stride: 2 unpool: GROUP }", [], "but is GROUP"),
    ("UnPooling", "", [], "it must give out_kernel_size, or out_kernel_h and out_kernel_w"),
    ("Unpooling", "", [], "none of the forks whose Unpooling is read writes it so"),
    ("Unpooling", "unpooling_param { pool: AVE kernel_size: 2 stride: 2 pad_l: 1 }", [], "with pads it is not read"),
    ("Unpooling", "unpooling_param { pool: AVE kernel_size: 3 stride: 2 }", [], "kernel and stride must be alike"),
    ("Unpooling", "unpooling_param { unpool: TILE kernel_size: 2 stride: 2 unpool_h: 8 unpool_w: 10 }", [],
     "--dialect: deconvnet, zhirongw"),
    ("Unpooling", "unpooling_param { unpool: TILE kernel_size: 2 stride: 2 unpool_h: 8 unpool_w: 10 }", ["ssafar"],
     "--dialect: deconvnet, zhirongw"),
    ("UNPOOLING", "unpooling_param { unpool: SUM kernel_size: 2 stride: 2 unpool_h: 8 unpool_w: 10 }", [],
     "unpool must be MAX, AVE or TILE, but is SUM"),
    ("Upsampling", "upsampling_param { kernel_h: 2 kernel_w: 2 }", [], "choose with --dialect: cedn, dach"),
    ("Upsampling", "upsampling_param { kernel_c: 2 kernel_h: 2 kernel_w: 2 }", [], "kernel_c must be 1, but is 2"),
    ("Upsampling", "upsampling_param { kernel_size: 2 scalefactor: 2 }", [], "none of the forks"),
    ("UpsampleNearest", "upsample_nearest_param { scale: 2 }", [], "it must have 2 bottoms, but has 1"),
]


@pytest.mark.parametrize("kind, param, named, words", UNDECIDED)
def test_layers_that_are_not_decided(kind: str, param: str, named, words: str) -> None:
    """Every fork that would run the layer is offered and no other, and a named dialect drops no field."""
    refusal, = rewrite(net(kind, param, (4, 5)), dialect=named).refusals
    assert words in refusal.reason


@pytest.mark.parametrize("kind, bottoms, words", [
    ("Upsampling", 2, "it must have 1 bottom, but has 2"), ("Upsample", 3, "it must have 1 or 2 bottoms, but has 3"),
])
def test_bottoms_that_do_not_fit(kind: str, bottoms: int, words: str) -> None:
    """Told with the number that the named fork's layer has."""
    text = net(kind, f"{kind.lower()}_param {{ kernel_size: 2 }}", (4, 5), 'bottom: "data" ' * bottoms)
    refusal, = rewrite(text, dialect=["cedn", "caffe_plus"]).refusals
    assert words in refusal.reason


def test_the_first_named_that_reads() -> None:
    """Of several named dialects the first one that has the layer's fields reads it, before and in the reference."""
    named = ["xjtu", "jolibrain"]
    plain = "interp_param { zoom_factor: 2 }"
    for param, reader in ((plain, "xjtu"), (plain.replace("}", "mode: NEAREST }"), "jolibrain")):
        text = net("Interp", param, (4, 5))
        result = rewrite(text, dialect=named, weights=True)
        assert [change.dialect for change in result.changes] == [reader]
        image = {"data": np.random.RandomState(0).randn(2, 3, 4, 5)}
        before = run(Net(text.encode()).filtered(), image, outputs=["up"], dialect=named)["up"]
        assert before.shape[2:] == ((8, 10) if reader == "xjtu" else (7, 9))


@pytest.mark.parametrize("kind", sorted(UNREAD_TYPES))
def test_types_that_cannot_be_read(kind: str) -> None:
    """Refused with the reason, and never taken for a layer that is none of our business."""
    refusal, = rewrite(net(kind, "", (4, 5))).refusals
    assert refusal.reason == UNREAD_TYPES[kind]


def test_every_type_is_tried() -> None:
    """A new layer type needs a row here; masks have their own tests."""
    tried = {kind for kind, _, _ in LAYERS_READ} | {HIDDEN, "BilinearInterpolation", "Interpolation", "InterpAdvance",
                                                   "UpsampleNearest", "NearestSample"}
    masks = {"MaxUnPool", "Unpooling"}
    elsewhere = {"INTERP", "UPSAMPLE"}  # V1 spellings of types that are tried.
    without_reference = TYPES - set(LAYERS)
    assert TYPES - tried - masks - elsewhere == without_reference == {"ImResize"}


def test_imresize() -> None:
    """Catmull and Rom's cubic at pixel centres, by the formula of imresize_layer.cu."""
    image = np.random.RandomState(0).randn(1, 1, 5, 6)
    text = net("ImResize", "imresize_param { factor: 2 }", (5, 6)).replace("dim: 2 dim: 3", "dim: 1 dim: 1")
    result = rewrite(text, weights=True)
    new = [layer for layers in replaced_layers(result).values() for layer in layers]
    params = {one.name: [np.frombuffer(values, "<f4").reshape(shape) for shape, values in one.blobs] for one in new}
    found = run(Net(result.text.encode()).filtered(), {"data": image}, params, outputs=["up"])["up"]

    def taps(i: int, rows: int):
        x = (i + 0.5) / 2 - 0.5
        base = max(int(np.floor(x + 1e-5)), 0)
        t = x - base
        weights = [-0.5 * t + t**2 - 0.5 * t**3, 1 - 2.5 * t**2 + 1.5 * t**3, 0.5 * t + 2 * t**2 - 1.5 * t**3,
                   -0.5 * t**2 + 0.5 * t**3]
        return [(min(max(base - 1 + k, 0), rows - 1), weight) for k, weight in enumerate(weights)]

    inside = slice(2, -2)
    wanted = np.zeros((10, 12))
    for i in range(10):
        for j in range(12):
            wanted[i, j] = sum(a * b * image[0, 0, y, x] for y, a in taps(i, 5) for x, b in taps(j, 6))
    assert np.abs(found[0, 0] - wanted)[inside, inside].max() < 1e-6


def test_names_are_the_references() -> None:
    """`--dialect` names one thing to the rewriter and to the reference that judges it."""
    from prototools.reference import DIALECTS

    assert set(names()) <= set(DIALECTS)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.name}, {row.types[0]}")
def test_a_layer_that_says_nothing(row) -> None:
    """No dialect guesses, and none fails on a layer without parameters."""
    for bottoms in ('bottom: "data"', 'bottom: "data" bottom: "data"', ""):
        for kind in row.types:
            result = rewrite(net(kind, "", (4, 5), bottoms), dialect=[row.name], weights=True)
            assert len(result.changes) + len(result.refusals) == 1
            assert all(isinstance(refusal.reason, str) for refusal in result.refusals)


def test_unknown_dialect() -> None:
    """A wrong name is a sentence with the right one."""
    with pytest.raises((PrototoolsError, ValueError), match="did you mean happynear"):
        rewrite(net("Resize", "", (4, 5)), dialect=["hapynear"])
