"""The forks' layers without recorded outputs: sizes and numbers worked out from LAYERS.md."""

from __future__ import annotations

from math import floor

import numpy as np
import pytest

from prototools.errors import EngineError
from prototools.net import Net
from prototools.reference import DIALECTS, LAYERS, forward_layer
from prototools.reference.custom import CUSTOM


def make(kind, param="", bottoms=1):
    wires = "".join(f' bottom: "b{index}"' for index in range(bottoms))
    text = f'layer {{ name: "up" type: "{kind}"{wires} top: "up" {param} }}'
    return Net(text.encode()).layers[0]


def ramp(height, width=1, channels=1):
    """Values that a linear map cannot confuse."""
    values = np.arange(channels * height * width, dtype=float)
    return (values * values + 1).reshape(1, channels, height, width)


def column(top):
    """The rows of a one-column, one-channel blob."""
    assert top.shape[:2] == (1, 1) and top.shape[3] == 1
    return top[0, 0, :, 0]


def resized(source, positions):
    """Linear interpolation at real positions inside the source."""
    return [float(np.interp(x, range(len(source)), source)) for x in positions]


INTERP_SIZES = [
    # dialect, fields, rows, rows of the top
    ("pspnet", "zoom_factor: 2", 5, 9),
    ("pspnet", "zoom_factor: 1 height: 7 width: 7", 5, 5),
    ("pspnet", "shrink_factor: 2", 6, 3),
    ("pspnet", "shrink_factor: 1 zoom_factor: 1 height: 7 width: 7", 5, 7),
    ("pspnet", "shrink_factor: 4 zoom_factor: 3", 321, 241),
    ("pspnet", "zoom_factor: 2 pad_beg: -1 pad_end: -2", 8, 9),
    ("pspnet", "height: 1 width: 1", 5, 1),
    ("papandreou", "zoom_factor: 3", 4, 10),
    ("deeplab_v1", "zoom_factor: 2 pad_beg: -1", 5, 9),
    ("xjtu", "zoom_factor: 2", 5, 10),
    ("xjtu", "shrink_factor: 2", 5, 3),
    ("xjtu", "shrink_factor: 2 zoom_factor: 2", 5, 5),
    ("cc4", "zoom_factor: 2", 6, 12),
    ("cc4", "zoom_factor: 2", 7, 13),
    ("cc4", "shrink_factor: 2", 7, 4),
    ("cc4", "shrink_factor: 2 zoom_factor: 4", 6, 12),
    ("cc4", "height: 9 width: 9", 7, 10),
    ("cc4", "height: 9 width: 9", 6, 9),
    ("derteanoo", "shrink_factor: 1 zoom_factor: 2", 5, 11),
    ("derteanoo", "zoom_factor: 2", 5, 9),
    ("synopsys", "full_zoom_factor: 3", 5, 15),
    ("synopsys", "zoom_factor: 3 full_zoom_factor: 3", 5, 13),
    (None, "full_zoom_factor: 2", 4, 8),
    (None, 'zoom_factor: 2 interp_type: "bilinear"', 4, 7),
]


@pytest.mark.parametrize("dialect, fields, rows, wanted", INTERP_SIZES)
def test_interp_sizes(dialect, fields, rows, wanted):
    layer = make("Interp", f"interp_param {{ {fields} }}")
    (top,) = forward_layer(layer, [ramp(rows, rows)], dialect=dialect)
    assert top.shape == (1, 1, wanted, wanted)


def test_interp_values_by_a_scalar_loop():
    source = ramp(5, 4, 2)
    (top,) = forward_layer(make("Interp", "interp_param { height: 8 width: 3 }"), [source])
    for i in range(8):
        for j in range(3):
            y, x = i * 4 / 7, j * 3 / 2
            h, w = floor(y), floor(x)
            below, right = min(h + 1, 4), min(w + 1, 3)
            for c in range(2):
                plane = source[0, c]
                wanted = (1 - (y - h)) * ((1 - (x - w)) * plane[h, w] + (x - w) * plane[h, right])
                under = (1 - (x - w)) * plane[below, w] + (x - w) * plane[below, right]
                assert top[0, c, i, j] == pytest.approx(wanted + (y - h) * under)


def test_interp_crops_by_its_pads_before_it_stretches():
    source = ramp(7, 7)
    cropped = forward_layer(make("Interp", "interp_param { zoom_factor: 2 }"),
                            [source[:, :, 2:6, 2:6]])
    padded = forward_layer(
        make("Interp", "interp_param { zoom_factor: 2 pad_beg: -2 pad_end: -1 }"), [source])
    assert (padded[0] == cropped[0]).all()


def test_cc4_drops_the_last_row_of_an_odd_height():
    source = ramp(5, 1).repeat(5, axis=3)
    layer = make("Interp", "interp_param { zoom_factor: 2 }")
    (top,) = forward_layer(layer, [source], dialect="cc4")
    assert top.shape == (1, 1, 9, 9) and top[0, 0, -1, -1] == source[0, 0, 3, 0]


@pytest.mark.parametrize("kind, fields", [
    ("Interp", ""),
    ("Interp", "interp_param { use_blob_size: true }"),
    ("InterpAdvance", ""),
    ("BilinearInterpolation", ""),
])
def test_a_second_bottom_gives_the_size(kind, fields):
    data, reference = ramp(3, 4), np.zeros((1, 7, 5, 9))
    (top,) = forward_layer(make(kind, fields, bottoms=2), [data, reference])
    assert top.shape == (1, 1, 5, 9)
    assert top[0, 0, ::2, 0] == pytest.approx(data[0, 0, :, 0])


@pytest.mark.parametrize("fields, dialect", [
    ('zoom_factor: 4 interp_type: "nearest_neighbor"', None),
    ("zoom_factor: 4 mode: NEAREST", None),
    ("zoom_factor: 4 mode: 3", "jolibrain"),
])
@pytest.mark.parametrize("single", [False, True])
def test_nearest_interp_is_what_layers_md_says(fields, dialect, single):
    layer = make("Interp", f"interp_param {{ {fields} }}")
    (top,) = forward_layer(layer, [ramp(6, 6)], dialect=dialect, float32_ratio=single)
    rows = (np.arange(21) + 2) // 4
    assert (top[0, 0] == ramp(6, 6)[0, 0][rows][:, rows]).all()


def test_interp_variable_reads_its_size_from_a_blob():
    (top,) = forward_layer(make("InterpVariable", bottoms=2), [ramp(3, 3), np.array([5.0, 2.0])])
    assert top.shape == (1, 1, 2, 5)


@pytest.mark.parametrize("fields, bottoms, dialect, sentence", [
    ("zoom_factor: 0", 1, None, "zoom_factor must be at least 1"),
    ("pad_beg: 1 zoom_factor: 2", 1, None, "must not be above 0"),
    ("height: 5", 1, None, "height and width"),
    ("", 1, None, "must be written"),
    ("zoom_factor: 2", 2, None, "a second bottom gives the size"),
    ("zoom_factor: 2", 2, "pspnet", "takes one bottom"),
    ("zoom_factor: 2 shrink_factor: 2", 1, "papandreou", "exactly one size rule"),
    ("resize_flag: true", 1, None, "swaps height and width"),
    ("zoom_factor: 2 pad_beg: -3", 1, None, "cannot stretch"),
    ("zoom_factor: 2 type: NearestNeighbor", 1, None, "OpenCV"),
])
def test_interp_refuses(fields, bottoms, dialect, sentence):
    layer = make("Interp", f"interp_param {{ {fields} }}", bottoms)
    with pytest.raises(EngineError, match=f"layer 'up' of type Interp: .*{sentence}"):
        forward_layer(layer, [ramp(3, 3)] * bottoms, dialect=dialect)


A, B, C = 1.0, 2.0, 5.0
THREE = [A, B, C]
UPSAMPLES = [
    # type, fields, dialect, the column that A, B, C become
    ("Upsample", "upsample_param { scale: 2 }", None, [A, A, B, B, C, C]),
    ("Upsample", "", None, THREE),
    ("Upsample", "", "nnie", [A, A, B, B, C, C]),
    ("Upsample", "upsample_param { scale: 2 }", "sophgo", [A, A, B, B, C, C]),
    ("Upsample", "upsample_param { scale: 2 }", "ascend", [2 * v for v in (A, A, B, B, C, C)]),
    ("Upsample", "upsample_param { scale: 0.5 stride: 3 }", None,
     [v / 2 for v in (A, A, A, B, B, B, C, C, C)]),
    ("Upsample", "upsample_param { stride_h: 2 stride_w: 1 }", None, [A, A, B, B, C, C]),
    ("Upsample", "upsample_param { scale: 2 dims_num: 4 }", None, [A, A, B, B, C, C]),
    ("Upsample", "upsample_param { scale_h: 2 scale_w: 3 }", "caffemex", [A, 0, B, 0, C, 0]),
    ("Upsample", "upsample_param { scale: 3 }", "caffemex", [0, A, 0, 0, B, 0, 0, C, 0]),
    ("Upsample", "upsample_param { nearestneighbor_mode: true scale: 2 }", None,
     [A, A, B, B, C, C]),
    ("Upsample", "upsample_param { nearestneighbor_mode: true upsample_h: 4 upsample_w: 2 }", None,
     [A, B, B, C]),
    ("Upsample", "upsample_param { height: 4 width: 2 mode: NEAREST }", None, [A, A, B, C]),
    ("Upsample", "upsample_param { height: 5 width: 2 mode: BILINEAR }", None,
     resized(THREE, [0, 0.5, 1, 1.5, 2])),
    ("Upsample", "upsample_param { height_scale: 2 width_scale: 2 mode: 0 }", None,
     [A, A, B, B, C, C]),
    ("Upsample", "upsample_param { height: 6 width: 1 }", None,
     resized(THREE, [0, 0, 0.5, 1, 1.5, 2])),
    ("UpsampleDarknet", "upsample_darknet_param { stride: 2 }", None, [A, A, B, B, C, C]),
    ("Upsampling", "upsampling_param { scalefactor: 2 }", None, [A, A, B, B, C, C]),
    ("Upscale2D", "", None, [A, A, B, B, C, C]),
    ("Upscale", "", None, resized(THREE, [0, 0.25, 0.75, 1.25, 1.75, 2])),
    ("SimpleUpsample", "upsample_param { height: 6 width: 1 }", None,
     resized(THREE, [0, 0.25, 0.75, 1.25, 1.75, 2])),
    ("InterpNN", "interp_param { zoom_factor: 2 }", None, [A, A, B, B, C, C]),
    ("UNPOOLING", "unpooling_param { unpool: TILE kernel_size: 2 stride: 2 unpool_size: 6 }", None,
     [A, A, B, B, C, C]),
    ("UNPOOLING", "unpooling_param { unpool: TILE kernel_h: 2 kernel_w: 1 stride: 1 unpool_h: 4"
     " unpool_w: 1 }", None, [A, A + B, B + C, C]),
    ("UNPOOLING", "unpooling_param { unpool: AVE kernel_size: 2 stride: 2 unpool_size: 6 }", None,
     [v / 4 for v in (A, A, B, B, C, C)]),
    ("UNPOOLING", "unpooling_param { unpool: AVE kernel_h: 2 kernel_w: 1 stride: 2 unpool_h: 5"
     " unpool_w: 1 }", None, [A / 2, A / 2, B / 2, B / 2, C]),
    ("UNPOOLING", "unpooling_param { kernel_size: 2 stride: 2 unpool_size: 5 }", None,
     [A, 0, B, 0, C]),
    ("UNPOOLING", "unpooling_param { kernel_size: 2 stride: 2 unpool_size: 4 }", None,
     [A, 0, B, C]),
    ("UnPooling", "unpooling_param { out_kernel_size: 2 out_stride: 2 }", None, [A, 0, B, 0, C, 0]),
    ("UnPooling", "unpooling_param { out_kernel_size: 3 out_stride: 3 }", None,
     [0, A, 0, 0, B, 0, 0, C, 0]),
    ("UnPooling", "unpooling_param { unpool: REP out_kernel_size: 2 out_stride: 2 }", None,
     [A, A, B, B, C, C]),
    ("UnPooling", "unpooling_param { unpool: DIV out_kernel_size: 2 out_stride: 2 }", None,
     [v / 4 for v in (A, A, B, B, C, C)]),
    ("UnPooling", "unpooling_param { unpool: REP out_kernel_h: 2 out_kernel_w: 1 }", None,
     [A, (A + B) / 2, (B + C) / 2, C]),
    ("UnPooling", "unpooling_param { unpool: REP out_kernel_h: 3 out_kernel_w: 1 out_stride_h: 2"
     " out_stride_w: 1 out_pad_h: 1 out_pad_w: 0 }", None,
     [A, (A + B) / 2, B, (B + C) / 2, C]),
    ("Resize", "resize_param { height: 6 width: 1 }", "happynear",
     resized(THREE, [0, 0.5, 1, 1.5, 2]) + [C / 2]),
    ("Resize", "resize_param { is_pyramid_test: true out_height_scale: 2 out_width_scale: 1 }",
     None, resized(THREE, [0, 0.5, 1, 1.5, 2]) + [C / 2]),
    ("Resize", "resize_param { is_pyramid_test: true out_height_scale: 2 out_width_scale: 1 type: BILINEAR }",
     None, resized(THREE, [0, 0.5, 1, 1.5, 2]) + [C / 2]),
    ("Resize", "resize_param { height: 6.0 width: 1.0 type: 2 }", None, resized(THREE, [0, 0.5, 1, 1.5, 2]) + [C / 2]),
    ("DeephiResize", "deephi_resize_param { scale_h: 2 }", None, [A, A, B, B, C, C]),
    ("DeephiResize", "deephi_resize_param { new_height: 6 new_width: 1 resize_type: 0 }", None,
     resized(THREE, [0, 0.25, 0.75, 1.25, 1.75, 2])),
    ("ResizeBilinear", "resize_bilinear_param { factor: 2 }", None,
     resized(THREE, [0, 0.5, 1, 1.5, 2, 2])),
    ("ResizeBilinear", 'resize_bilinear_param { output_height: 1 data_format: "NCHW" pytorch_half_pixel: true }',
     None, [A]),
    ("ResizeBilinear", 'resize_bilinear_param { output_height: 1 data_format: "NCHW" half_pixel_centers: true }',
     None, [B]),
    ("ResizeNearestNeighbor", 'resize_nearest_neighbor_param { scale_height: 2 data_format: "NCHW"'
     " half_pixel_onnx: true }", None, [A, A, A, B, B, C]),
]


IDS = [f"{kind}-{dialect or fields.split('{')[-1].strip(' }') or 'plain'}"
       for kind, fields, dialect, _ in UPSAMPLES]


@pytest.mark.parametrize("kind, fields, dialect, wanted", UPSAMPLES, ids=IDS)
def test_one_column(kind, fields, dialect, wanted):
    source = np.array(THREE).reshape(1, 1, 3, 1)
    (top,) = forward_layer(make(kind, fields), [source], dialect=dialect)
    assert top[0, 0].max(axis=1) == pytest.approx(np.array(wanted, float)), top[0, 0]


@pytest.mark.parametrize("kind, fields, dialect, wanted", UPSAMPLES, ids=IDS)
def test_one_row_is_the_column_on_its_side(kind, fields, dialect, wanted):
    """Swap H and W in the blob and in the fields: the numbers must be the same."""
    swaps = [("_h:", "_@:"), ("_w:", "_h:"), ("_@:", "_w:"), ("height", "@"), ("width", "height"),
             ("@", "width")]
    for old, new in swaps:
        fields = fields.replace(old, new)
    source = np.array(THREE).reshape(1, 1, 1, 3)
    (top,) = forward_layer(make(kind, fields), [source], dialect=dialect)
    assert top[0, 0].max(axis=0) == pytest.approx(np.array(wanted, float)), top[0, 0]


def test_ascend_and_yolo_read_the_same_text_differently():
    layer = make("Upsample", "upsample_param { scale: 3 }")
    yolo = forward_layer(layer, [ramp(2, 2)], dialect="yolo")[0]
    ascend = forward_layer(layer, [ramp(2, 2)], dialect="ascend")[0]
    assert yolo.shape == (1, 1, 6, 6) and ascend.shape == (1, 1, 4, 4)
    assert ascend[0, 0, 0, 0] == 3 * yolo[0, 0, 0, 0]


def test_inisis_leaves_the_channels_of_three_axes_alone():
    (top,) = forward_layer(make("Upsample", "upsample_param { scale: 2 dims_num: 3 }"),
                           [np.arange(6.0).reshape(1, 2, 3)])
    assert top.tolist() == [[[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5]]]


def test_cambricon_differs_from_nearest_at_three():
    layer = make("Upsample", "upsample_param { nearestneighbor_mode: true scale: 3 }")
    (top,) = forward_layer(layer, [ramp(4, 4)])
    rows = [floor(i * 3 / 11 + 0.5) for i in range(12)]
    assert (top[0, 0] == ramp(4, 4)[0, 0][rows][:, rows]).all()
    assert rows != [i // 3 for i in range(12)]


def test_tiny_dsod_extrapolates_at_the_start():
    reference, data = np.zeros((1, 1, 6, 1)), np.array(THREE).reshape(1, 1, 3, 1)
    (top,) = forward_layer(make("Upsample", bottoms=2), [reference, data])
    assert column(top) == pytest.approx([1.5 * A - 0.5 * B, A, (A + B) / 2, B, (B + C) / 2, C])


def test_tiny_dsod_with_a_single_row_weighs_it_by_one_and_a_half():
    (top,) = forward_layer(make("Upsample", bottoms=2), [np.zeros((1, 1, 2, 1)), ramp(1)])
    assert column(top) == pytest.approx([1.5, 1])


@pytest.mark.parametrize("size, new_size", [(3, 9), (5, 15), (7, 49), (3, 30), (6, 66)])
def test_tiny_dsod_is_plain_interpolation_further_in(size, new_size):
    data, factor = ramp(size), new_size // size
    (top,) = forward_layer(make("Upsample", bottoms=2), [np.zeros((1, 1, new_size, 1)), data])
    positions = [(i + 1) / factor - 1 for i in range(factor - 1, new_size)]
    assert column(top)[factor - 1:] == pytest.approx(resized(column(data), positions))


def test_repeated_places_of_a_mask_keep_the_last_value():
    data, mask = ramp(2, 2), np.array([[[[3.0, 0.0], [3.0, 3.0]]]])
    (top,) = forward_layer(make("Upsample", "upsample_param { scale: 2 }", 2), [data, mask])
    assert top.shape == (1, 1, 4, 4)
    assert top[0, 0].ravel().tolist()[:4] == [data[0, 0, 0, 1], 0, 0, data[0, 0, 1, 1]]


SCATTERS = [
    ("Upsample", "upsample_param { scale: 2 pad_out_h: true }", None, (3, 6)),
    ("Upsample", "upsample_param { upsample_h: 3 upsample_w: 7 }", None, (3, 7)),
    ("Upsample", "upsample_param { scale_h: 2 scale_w: 3 }", None, (4, 9)),
    ("Upsample", "upsample_param { scale: 2 pad_out_h: 1 pad_out_W: 1 }", "cambricon", (3, 5)),
    ("Upsample", "upsample_param { scale: 3 }", "sophgo", (6, 9)),
    ("Upsample", "", "nnie", (4, 6)),
    ("Upsample", "", "segnet", (4, 6)),
    ("Unpooling", "unpooling_param { scale: 2 }", None, (4, 6)),
    ("Unpooling", "unpooling_param { output_h: 5 output_w: 4 scale: 2 }", None, (5, 4)),
    ("UNPOOLING", "unpooling_param { kernel_size: 2 stride: 2 unpool_h: 5 unpool_w: 7 }", None,
     (5, 7)),
    ("Unpooling", "unpooling_param { kernel_h: 3 kernel_w: 2 stride: 2 pad_h: 0 pad_w: 1 }", None, (5, 4)),
    ("MaxUnPool", "max_unpool_param { dst_h: 4 dst_w: 5 }", None, (4, 5)),
]


@pytest.mark.parametrize("kind, fields, dialect, size", SCATTERS)
def test_scatter_by_a_mask(kind, fields, dialect, size):
    data = np.arange(1.0, 13).reshape(1, 2, 2, 3)
    mask = np.stack([np.random.RandomState(c).permutation(12)[:6] for c in (0, 1)])
    (top,) = forward_layer(make(kind, fields, 2), [data, mask.reshape(1, 2, 2, 3)], dialect=dialect)
    wanted = np.zeros((2, size[0] * size[1]))
    for channel in (0, 1):
        for index in range(6):
            wanted[channel, mask[channel, index]] = data[0, channel].ravel()[index]
    assert (top == wanted.reshape((1, 2) + size)).all()


def test_three_bottoms_are_data_mask_and_size():
    data, mask, size = ramp(1, 1), np.full((1, 1, 1, 1), 5.0), np.zeros((1, 4, 2, 3))
    (top,) = forward_layer(make("Upsample", bottoms=3), [data, mask, size])
    assert top.tolist() == [[[[0, 0, 0], [0, 0, 1]]]]


def test_two_bottoms_without_fields_follow_what_is_below():
    layer, data = make("Upsample", bottoms=2), ramp(2, 2)
    below = forward_layer(layer, [data, np.arange(4.0).reshape(1, 1, 2, 2)], mask_below=True)
    assert below[0].shape == (1, 1, 4, 4)
    assert forward_layer(layer, [np.zeros((1, 1, 6, 6)), data])[0].shape == (1, 1, 6, 6)


@pytest.mark.parametrize("first, second, wanted", [
    ((2, 2), (4, 6), (4, 6)), ((1, 3), (5, 7), (5, 7)), ((3, 3), (7, 8), (7, 9)),
])
def test_unpooling_with_a_size_reference(first, second, wanted):
    (top,) = forward_layer(make("UnPooling", "unpooling_param { unpool: REP }", 2),
                           [np.ones((1, 1) + first), np.zeros((1, 1) + second)])
    assert top.shape == (1, 1) + wanted and (top == 1).all()


@pytest.mark.parametrize("fields, wanted", [
    ("height: 5 width: 1", resized(THREE, [0, 0.5, 1, 1.5, 2])),
    ("scale: 2", resized(THREE, [0, 0.5, 1, 1.5, 2])),
    ("scale_y: 1.5 scale_x: 1", resized(THREE, [0, 2 / 3, 4 / 3, 2])),
    ("height: 0 width: 0 crop: 0", THREE),
])
def test_appearance_flow_enlarges_with_aligned_corners(fields, wanted):
    source = np.array(THREE).reshape(1, 1, 3, 1).repeat(3, axis=3)
    if "width: 1" in fields:
        fields = fields.replace("width: 1", "width: 3")
    layer = make("Resize", f"resize_param {{ {fields} }}")
    (top,) = forward_layer(layer, [source], dialect="appearance_flow")
    assert top[0, 0, :, 0] == pytest.approx(wanted)


def test_appearance_flow_blurs_before_it_shrinks():
    source = np.array([0.0, 0, 4, 0, 0]).reshape(1, 1, 5, 1).repeat(5, axis=3)
    layer = make("Resize", "resize_param { height: 3 width: 5 }")
    (top,) = forward_layer(layer, [source], dialect="appearance_flow")
    # A tent of radius 2 spreads 4 as 1, 2, 1; the rows 0, 2 and 4 are kept.
    assert top[0, 0, :, 0] == pytest.approx([0, 2, 0])


@pytest.mark.parametrize("layout", ["NHWC", "NCHW", None])
def test_resize_bilinear_knows_two_layouts_and_defaults_to_nhwc(layout):
    source = ramp(2, 3, 2)
    field = f'data_format: "{layout}"' if layout else ""
    layer = make("ResizeBilinear",
                 f"resize_bilinear_param {{ scale_height: 2 scale_width: 2 {field} }}")
    bottom = source if layout == "NCHW" else np.moveaxis(source, 1, 3)
    (top,) = forward_layer(layer, [bottom])
    top = top if layout == "NCHW" else np.moveaxis(top, 3, 1)
    assert top.shape == (1, 2, 4, 6)
    assert (top[:, :, ::2, ::2] == source).all()


@pytest.mark.parametrize("kind, fields, bottoms, dialect, sentence", [
    ("Upsample", "upsample_param { scale: 0 }", 1, None, "scale must be at least 1"),
    ("Upsample", "upsample_param { scale: 1 }", 2, None, "above 1"),
    ("Upsample", "upsample_param { scale: 3 pad_out_h: true }", 2, None, "pad_out needs"),
    ("Upsample", "upsample_param { upsample_h: 6 }", 2, None, "must both be written"),
    ("Upsample", "upsample_param { upsample_h: 6 upsample_w: 6 }", 1, None, "only `scale`"),
    ("Upsample", "upsample_param { scale: 2 }", 2, "yolo", "must have 1 bottoms, but has 2"),
    ("Upsample", "upsample_param { scale: 2 }", 1, "segnet", "must have 2 bottoms, but has 1"),
    ("Upsample", "upsample_param { height: 6 }", 1, "sds", "both be written"),
    ("Upsample", "upsample_param { upsample_h: 1 upsample_w: 2 }", 2, None, "the mask points to"),
    ("Unpooling", "pooling_param { pool: MAX kernel_size: 2 }", 2, None, "unmerged Caffe patches"),
    ("Unpooling", "", 2, None, "must say scale"),
    ("UNPOOLING", "unpooling_param { kernel_size: 2 stride: 2 }", 1, None, "unpool_size"),
    ("Resize", "resize_param { height: 6 width: 6 }", 1, None, "appearance_flow, happynear, face_parsing or philm5"),
    ("Resample", "resample_param { height: 6 width: 6 type: AREA }", 1, None, "AREA"),
    ("Resample", "", 1, None, "at least 1"),
    ("BilinearInterpolation", "", 1, None, "must have 2 bottoms"),
    ("DeephiResize", "deephi_resize_param { new_height: 4 }", 1, None, "must both"),
])
def test_refusals_name_the_layer(kind, fields, bottoms, dialect, sentence):
    blobs = [ramp(3, 3)] * bottoms
    with pytest.raises(EngineError, match=f"layer 'up' of type {kind}: .*{sentence}"):
        forward_layer(make(kind, fields, bottoms), blobs, dialect=dialect)


def test_a_dialect_that_nobody_knows():
    with pytest.raises(EngineError, match="'yolov9' is none of"):
        forward_layer(make("Upsample"), [ramp(2, 2)], dialect="yolov9")


def test_a_dialect_of_another_family_changes_nothing():
    (top,) = forward_layer(make("Interp", "interp_param { zoom_factor: 2 }"), [ramp(3, 3)],
                           dialect="segnet")
    assert top.shape == (1, 1, 5, 5)


def test_tables():
    assert set(CUSTOM) <= set(LAYERS) and len(set(DIALECTS)) == len(DIALECTS)


def test_the_reference_shares_no_code_with_the_rewriter():
    import pathlib

    import prototools.reference as room

    for path in pathlib.Path(room.__file__).parent.glob("*.py"):
        for line in path.read_text("utf-8").splitlines():
            if line.startswith(("import ", "from ")):
                words = ("resize", "dialects", "lowerings", "blocks", "rewrite")
                assert not any(f"prototools.{word}" in line for word in words), (path.name, line)
