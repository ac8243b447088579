"""Lowerings: which block is chosen, that it is exact, and that the certificate can say no."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prototools.blocks import TOP, Block
from prototools.lowerings import Choices, bands, lower, matrix, plane
from prototools.lowerings.certificate import certify_resize, certify_unpool
from prototools.lowerings.request import PoolOrigin, Refused, ResizeRequest, UnpoolRequest
from prototools.resize import Axis, Given, Resize, Times, Unpool, Zoomed
from prototools.sampling import (
    ALIGN_CORNERS,
    ASYMMETRIC,
    ASYMMETRIC_FADING,
    HALF_PIXEL,
    NEAREST,
    NEAREST_ALIGN_CORNERS,
    REPEATED,
    insert,
)
from prototools.tracing import NotLinear, gain, trace

UNKNOWN = (None, None)


def aligned(*sizes, crop=(0, 0)) -> Resize:
    return Resize(*(Axis(ALIGN_CORNERS, size, crop) for size in sizes))


def nearest(*sizes, gain=1) -> Resize:
    return Resize(*(Axis(NEAREST, size) for size in sizes), Fraction(gain))


def request(resize: Resize, rows=UNKNOWN, channels=3, **settings) -> ResizeRequest:
    return ResizeRequest(resize, "in", channels, rows, **settings)


def types(block: Block) -> str:
    return " ".join(layer.type for layer in block.layers)


DECONVOLUTION, POOLING, BOTH = "Deconvolution", "Pooling", "Deconvolution Pooling"
TWICE = f"{BOTH} {BOTH}"
SLICE = "Slice Silence"

#: Request, choices, the lowering and its layers.
CHOSEN = [
    pytest.param(request(aligned(Zoomed(8), Zoomed(8))), {}, "zoom", DECONVOLUTION, id="zoom, no size"),
    pytest.param(
        request(aligned(Zoomed(8), Zoomed(8))), {"filler_safe": True}, "average", TWICE,
        id="even zoom, old filler",
    ),
    pytest.param(
        request(aligned(Zoomed(3), Zoomed(3))), {"filler_safe": True}, "zoom", DECONVOLUTION,
        id="odd zoom is right with any filler",
    ),
    pytest.param(
        request(aligned(Zoomed(2), Zoomed(2), crop=(1, 1))), {}, "zoom", DECONVOLUTION,
        id="equal crop is pad",
    ),
    pytest.param(
        request(aligned(Zoomed(3), Zoomed(3), crop=(2, 1)), (9, 11)), {}, "zoom",
        f"{SLICE} {SLICE} {DECONVOLUTION}", id="unequal crop is sliced",
    ),
    pytest.param(
        request(aligned(Zoomed(3), Zoomed(3), crop=(1, 2))), {}, "zoom",
        f"Pooling Crop Pooling Crop {DECONVOLUTION}", id="an end is cut without knowing the size",
    ),
    pytest.param(
        request(aligned(Zoomed(1), Zoomed(1))), {}, "copy", "Power", id="zoom 1 copies, no size",
    ),
    pytest.param(
        request(aligned(Zoomed(1), Zoomed(1)), channels=None), {}, "copy", "Power",
        id="a copy needs no channels",
    ),
    pytest.param(
        request(aligned(Zoomed(1, 2), Zoomed(1, 2)), (11, 15)), {}, "subsample", POOLING, id="plain shrink",
    ),
    pytest.param(
        request(aligned(Zoomed(1, 3), Zoomed(1, 3)), (14, 13)), {}, "average", f"{POOLING} {BOTH}",
        id="shrink that divides along one axis",
    ),
    pytest.param(
        request(aligned(Given(60), Given(60)), (1, 1)), {}, "nearest", DECONVOLUTION, id="broadcast",
    ),
    pytest.param(
        request(aligned(Given(60), Given(60)), (6, 6)), {}, "average", TWICE, id="pyramid, two passes",
    ),
    pytest.param(
        request(aligned(Given(60), Given(60)), (6, 6)), {"lowering": "refine"}, "refine", BOTH,
        id="the other form on request",
    ),
    pytest.param(
        request(aligned(Given(24), Given(4)), (3, 1)), {}, "average",
        f"{BOTH} {DECONVOLUTION}", id="one axis stretched, then one broadcast",
    ),
    pytest.param(
        request(aligned(Given(1), Given(9)), (5, 5)), {}, "average", f"{SLICE} {BOTH}", id="row 0",
    ),
    pytest.param(request(nearest(Times(2), Times(3))), {}, "nearest", DECONVOLUTION, id="nearest"),
    pytest.param(
        request(nearest(Times(2), Times(2), gain="1/4")), {}, "nearest", DECONVOLUTION, id="with a gain",
    ),
    pytest.param(
        request(nearest(Given(13), Given(15)), (7, 5)), {}, "nearest", "Deconvolution Convolution",
        id="nearest to a size",
    ),
    pytest.param(
        request(Resize(Axis(NEAREST_ALIGN_CORNERS, Times(2)), Axis(NEAREST_ALIGN_CORNERS, Times(2)))),
        {}, "nearest", DECONVOLUTION, id="nearest on the grid is nearest for 2",
    ),
    pytest.param(
        request(Resize(Axis(NEAREST_ALIGN_CORNERS, Zoomed(3)), Axis(NEAREST_ALIGN_CORNERS, Zoomed(5)))),
        {}, "nearest", DECONVOLUTION, id="nearest on the corners' grid, odd zooms, no size",
    ),
    pytest.param(
        request(Resize(Axis(NEAREST_ALIGN_CORNERS, Zoomed(2)), Axis(NEAREST_ALIGN_CORNERS, Zoomed(3))), (4, 5)),
        {}, "nearest", "Deconvolution Slice Silence", id="nearest on the corners' grid, one even zoom",
    ),
    pytest.param(
        request(Resize(Axis(insert(0), Times(2)), Axis(insert(1), Times(3)))), {}, "insert",
        f"Deconvolution Convolution {SLICE}", id="zeros between rows",
    ),
]


@pytest.mark.parametrize("asked, choices, name, layers", CHOSEN)
def test_chosen(asked: ResizeRequest, choices, name: str, layers: str) -> None:
    """The expected block is chosen, and it is exact."""
    lowered = lower(asked, Choices(**choices))
    assert (lowered.block.lowering, types(lowered.block)) == (name, layers)
    assert lowered.certificate.exact


#: Request, choices, a part of the refusal's sentence, the blob that would help.
REFUSED = [
    pytest.param(
        request(aligned(Zoomed(2), Zoomed(2)), channels=None), {}, "channels", "in", id="no channels"
    ),
    pytest.param(request(aligned(Given(60), Given(60))), {}, "height and width", "in", id="no size"),
    pytest.param(
        request(aligned(Zoomed(1, 2), Zoomed(1, 2))), {}, "height and width", "in", id="shrink, no size"
    ),
    pytest.param(
        request(aligned(Zoomed(2), Zoomed(2), crop=(0, 1)), version=1), {}, "height and width", "in",
        id="V1 has no Crop",
    ),
    pytest.param(
        request(Resize(Axis(NEAREST_ALIGN_CORNERS, Times(3)), Axis(NEAREST_ALIGN_CORNERS, Times(3)))), {},
        "no stock layers", None, id="nearest on the grid is not nearest for 3",
    ),
    pytest.param(
        request(aligned(Zoomed(2), Zoomed(2))), {"lowering": "subsample"}, "does not fit", None,
        id="a form that does not fit",
    ),
]


@pytest.mark.parametrize("asked, choices, words, blob", REFUSED)
def test_refused(asked: ResizeRequest, choices, words: str, blob) -> None:
    """What cannot be had is refused with a sentence and the blob that would help."""
    with pytest.raises(Refused, match=words) as caught:
        lower(asked, Choices(**choices))
    assert caught.value.blob == blob


@settings(max_examples=60, deadline=None)
@given(*[st.integers(1, 14)] * 4, st.booleans())
def test_every_aligned_size_is_exact(rows: int, columns: int, height: int, width: int, safe: bool) -> None:
    """Any size to any size has an exact block, and every proposal is exact."""
    asked = request(aligned(Given(height), Given(width)), (rows, columns))
    lowered = lower(asked, Choices(filler_safe=safe))
    assert lowered.certificate.exact
    for name in {other[0] for other in lowered.others}:
        assert lower(asked, Choices(lowering=name, filler_safe=safe)).certificate.exact


# ---------------------------------------------------------------- planted mistakes


def change(block: Block, index: int, param: str, **settings) -> Block:
    """The block with some settings of one layer changed; None takes a setting away."""
    layer = block.layers[index]
    own = {**layer.fields[param], **settings}
    own = {name: value for name, value in own.items() if value is not None}
    layers = list(block.layers)
    layers[index] = replace(layer, fields={param: own})
    return replace(block, layers=tuple(layers))


ZOOM = request(aligned(Zoomed(4), Zoomed(4)))
PYRAMID = request(aligned(Given(60), Given(60)), (6, 6))
NEAREST_2 = request(nearest(Times(2), Times(2)))
CONVOLUTION, POOL = "convolution_param", "pooling_param"

#: Request, layer to change, its message, the mistake.
MISTAKES = [
    pytest.param(ZOOM, 0, CONVOLUTION, {"pad": 2}, id="pad off by one"),
    pytest.param(ZOOM, 0, CONVOLUTION, {"kernel_size": 8}, id="kernel of the popular recipe"),
    pytest.param(ZOOM, 0, CONVOLUTION, {"stride": 3}, id="stride"),
    pytest.param(ZOOM, 0, CONVOLUTION, {"group": None}, id="group missing"),
    pytest.param(ZOOM, 0, CONVOLUTION, {"bias_term": True}, id="a bias"),
    pytest.param(
        ZOOM, 0, CONVOLUTION, {"weight_filler": {"type": "constant", "value": 1}}, id="wrong filler"
    ),
    pytest.param(PYRAMID, 1, POOL, {"pool": "MAX"}, id="maximum for average"),
    pytest.param(PYRAMID, 1, POOL, {"kernel_h": 58}, id="window too small"),
    pytest.param(PYRAMID, 1, POOL, {"stride_h": 4}, id="window step"),
    pytest.param(NEAREST_2, 0, CONVOLUTION, {"stride": 1}, id="stride of nearest"),
    pytest.param(
        NEAREST_2, 0, CONVOLUTION, {"weight_filler": {"type": "constant", "value": 2}}, id="twice the value"
    ),
]


@pytest.mark.parametrize("asked, index, param, mistake", MISTAKES)
def test_certificate_catches(asked: ResizeRequest, index: int, param: str, mistake) -> None:
    """A wrong block gets a certificate that says so."""
    block = lower(asked).block
    assert certify_resize(block, asked).exact
    assert not certify_resize(change(block, index, param, **mistake), asked).exact


def test_trace_refuses_a_rectangular_bilinear_kernel() -> None:
    """Caffe's bilinear filler needs a square kernel."""
    block = change(lower(ZOOM).block, 0, CONVOLUTION, kernel_size=None, kernel_h=7, kernel_w=5)
    with pytest.raises(NotLinear, match="square"):
        trace(block, "in", 0, 5)


def test_gain_multiplies_fillers() -> None:
    """The factor on all values is the product of what the layers do."""
    lowered = lower(request(nearest(Times(2), Times(2), gain="1/4")))
    assert gain(lowered.block) == Fraction(1, 4)


# ---------------------------------------------------------------- unpooling


def unpool(kernel, stride, pad, pooled, rows, sizes, **settings) -> UnpoolRequest:
    origin = PoolOrigin("pool", (kernel,) * 2, (stride,) * 2, (pad,) * 2, "full", pooled)
    return UnpoolRequest(Unpool(*sizes), "data", "mask", 4, rows, origin, **settings)


#: Request, number of layers, number of Crops.
UNPOOLS = [
    pytest.param(unpool(2, 2, 0, UNKNOWN, UNKNOWN, (Times(2),) * 2), 9, 0, id="no size"),
    pytest.param(unpool(2, 2, 0, (8, 10), (4, 5), (Times(2),) * 2), 9, 0, id="even"),
    pytest.param(unpool(2, 2, 0, (7, 9), (4, 5), (Times(2, 1),) * 2), 10, 2, id="odd, pad_out"),
    pytest.param(unpool(2, 2, 0, (7, 10), (4, 5), (Given(7), Given(10))), 10, 2, id="given size"),
    pytest.param(unpool(3, 3, 0, (9, 12), (3, 4), (Times(3),) * 2), 9, 0, id="three by three"),
    pytest.param(unpool(3, 2, 0, (9, 9), (4, 4), (Given(9),) * 2), 47, 8, id="overlapping windows"),
    pytest.param(unpool(3, 2, 1, (9, 9), (5, 5), (Given(9),) * 2), 47, 8, id="overlapping and padded"),
    pytest.param(unpool(3, 3, 1, (8, 8), (3, 3), (Given(8),) * 2), 14, 2, id="padded, not overlapping"),
    pytest.param(unpool(2, 2, 0, (8, 8), (4, 4), (Times(2),) * 2, version=1), 9, 0, id="V1, even"),
    pytest.param(
        unpool(2, 2, 0, (8, 8), (4, 4), (Times(2),) * 2, may_silence=False), 10, 2, id="no Silence"
    ),
]


#: Sizes that only the layer's own fields tell: request, Slices, Crops, the condition.
RELYING = [
    pytest.param(unpool(2, 2, 0, UNKNOWN, UNKNOWN, (Given(8), Given(6))), 0, 0, "8 x 6", id="given, even"),
    pytest.param(unpool(2, 2, 0, UNKNOWN, UNKNOWN, (Given(7), Given(9))), 2, 1, "7 x 9", id="given, odd"),
    pytest.param(unpool(2, 2, 0, UNKNOWN, (4, 3), (Given(7), Given(6))), 1, 1, "7 x 6", id="given, data known"),
    pytest.param(unpool(2, 2, 0, UNKNOWN, UNKNOWN, (Times(2, 1), Times(2))), 0, 2, "2, less 1", id="pad_out"),
]


@pytest.mark.parametrize("asked, slices, crops, condition", RELYING)
def test_unpool_that_relies(asked: UnpoolRequest, slices: int, crops: int, condition: str) -> None:
    """The mask is cut to the size the layer says, so that Caffe refuses to load any other."""
    lowered = lower(asked)
    assert lowered.certificate.exact
    assert (types(lowered.block).count("Slice"), types(lowered.block).count("Crop")) == (slices, crops)
    assert len(lowered.block.conditions) == 1 and condition in lowered.block.conditions[0]


@pytest.mark.parametrize("asked, layers, crops", UNPOOLS)
def test_unpool(asked: UnpoolRequest, layers: int, crops: int) -> None:
    """The mask is compared as often as windows can overlap, and the block is exact."""
    lowered = lower(asked)
    assert lowered.certificate.exact
    assert len(lowered.block.layers) == layers and lowered.block.layers[-1].tops == (TOP,)
    assert types(lowered.block).count("Crop") == crops
    assert ("Silence" in types(lowered.block)) == (crops == 0)


UNPOOLS_REFUSED = [
    pytest.param(
        unpool(2, 2, 0, (9, 9), (5, 5), (Times(2),) * 2), "must be that of the blob", id="another plane"
    ),
    pytest.param(
        unpool(2, 2, 0, (7, 7), (4, 4), (Times(2, 1),) * 2, version=1), "V1", id="V1 has no Crop"
    ),
    pytest.param(
        unpool(3, 2, 0, UNKNOWN, UNKNOWN, (Given(9),) * 2), "must be known", id="overlapping, unknown pool"
    ),
    pytest.param(
        unpool(2, 2, 0, UNKNOWN, UNKNOWN, (Times(3),) * 2), "must be known", id="a factor that is no stride"
    ),
    pytest.param(
        unpool(2, 2, 0, UNKNOWN, (6, 6), (Given(9),) * 2), "must be known", id="given size, another data"
    ),
    pytest.param(
        unpool(2, 2, 0, (8192, 8192), (4096, 4096), (Times(2),) * 2), "2\\^24", id="indices past floats"
    ),
]


@pytest.mark.parametrize("asked, words", UNPOOLS_REFUSED)
def test_unpool_refused(asked: UnpoolRequest, words: str) -> None:
    """What the fork's own layer would abort on, or what stock layers cannot do, is refused."""
    with pytest.raises(Refused, match=words):
        lower(asked)


@pytest.mark.parametrize("mistake", [{"stride": 1}, {"kernel_size": 1}], ids=str)
@pytest.mark.parametrize("index", [2, 3], ids=["mask", "data"])
def test_unpool_certificate_catches(index: int, mistake) -> None:
    """A mask or data that is repeated wrongly is no exact block."""
    asked = unpool(2, 2, 0, (8, 10), (4, 5), (Times(2),) * 2)
    block = lower(asked).block
    index = [i for i, layer in enumerate(block.layers) if layer.type == "Deconvolution"][index - 2]
    assert not certify_unpool(change(block, index, CONVOLUTION, **mistake), asked).exact


def test_unpool_certificate_catches_a_lost_shift() -> None:
    """Overlapping windows need every shift: leaving one out is no exact block."""
    asked = unpool(3, 2, 0, (9, 9), (4, 4), (Given(9),) * 2)
    apart = lower(unpool(2, 2, 0, (9, 9), (5, 5), (Given(9),) * 2)).block
    assert not certify_unpool(apart, asked).exact


# ---------------------------------------------------------------- weights

WEIGHTS = Choices(weights=True)


def test_matrices_only_with_weights() -> None:
    """A map that no filler does is refused, and done where weights are written."""
    asked = request(Resize(Axis(HALF_PIXEL, Given(13)), Axis(ASYMMETRIC, Given(5))), rows=(6, 7))
    with pytest.raises(Refused, match="with --weights they may"):
        lower(asked)
    with pytest.raises(Refused, match="needs weights"):
        lower(asked, Choices(lowering="matrix"))
    lowered = lower(asked, WEIGHTS._replace(lowering="matrix"))
    assert lowered.block.lowering == "matrix" and lowered.certificate.exact
    assert types(lowered.block) == "InnerProduct Reshape Convolution Reshape"


def test_an_axis_that_stays_needs_no_matrix() -> None:
    """Columns alone are one InnerProduct, rows alone one Convolution."""
    whole = WEIGHTS._replace(lowering="matrix")
    columns = Resize(Axis(HALF_PIXEL, Given(6)), Axis(HALF_PIXEL, Given(5)))
    assert types(lower(request(columns, rows=(6, 7)), whole).block) == "InnerProduct"
    rows = Resize(Axis(HALF_PIXEL, Given(9)), Axis(HALF_PIXEL, Given(7)))
    assert types(lower(request(rows, rows=(6, 7)), whole).block) == "Reshape Convolution Reshape"


@pytest.mark.parametrize("sizes, lowering", [
    (((1, 1), (60, 60)), "plane"), (((2, 2), (4, 4)), "plane"), (((4, 3), (2, 9)), "plane"),
    (((6, 6), (60, 60)), "matrix"), (((14, 14), (27, 27)), "matrix"), (((40, 7), (6, 300)), "matrix"),
    (((60, 60), (473, 473)), "bands"), (((321, 9), (241, 40)), "bands"), (((65, 33), (512, 257)), "bands"),
], ids=str)
def test_the_form_of_the_product(sizes, lowering: str) -> None:
    """Tiny maps as one plane, high ones in bands, and whole matrices between; every form is exact."""
    (rows, wanted), channels = sizes, 64
    asked = request(Resize(*(Axis(HALF_PIXEL, Given(size)) for size in wanted)), rows=rows, channels=channels)
    lowered = lower(asked, WEIGHTS._replace(prefer="speed"))
    assert lowered.block.lowering == lowering and lowered.certificate.exact


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.integers(1, 40)] * 4), st.sampled_from([HALF_PIXEL, ALIGN_CORNERS, NEAREST, ASYMMETRIC]))
def test_every_product_is_exact(sizes, sampling) -> None:
    """Each form at any size, every block that is proposed and not only the one that is chosen."""
    asked = request(Resize(*(Axis(sampling, Given(size)) for size in sizes[2:])), rows=sizes[:2])
    for lowering in (matrix, plane, bands):
        for block in lowering.propose(asked):
            assert certify_resize(block, asked).exact, (lowering.NAME, types(block))


def test_bands_leave_nothing_hanging() -> None:
    """A block for a NetSpec, which has no place for a Silence, makes no blob that nobody reads."""
    asked = request(Resize(*(Axis(NEAREST, Given(7)), Axis(NEAREST, Given(30)))), rows=(60, 30))
    silent = [block for block in bands.propose(asked) if "Silence" in types(block)]
    assert silent and not any("Silence" in types(block) for block in bands.propose(replace(asked, may_silence=False)))


def test_preferences() -> None:
    """Fillers where they are not ten times the work; the fastest, or the smallest, where that is wanted."""
    zoom = request(Resize(Axis(ALIGN_CORNERS, Zoomed(2)), Axis(ALIGN_CORNERS, Zoomed(2))), rows=(6, 6))
    assert lower(zoom, WEIGHTS).block.lowering == "zoom"
    dear = request(Resize(Axis(ALIGN_CORNERS, Given(60)), Axis(ALIGN_CORNERS, Given(60))), rows=(6, 6))
    assert lower(dear).block.lowering == "average" and "times as fast" in lower(dear).hints[0]
    assert not lower(zoom).hints and not lower(dear, WEIGHTS).hints
    assert lower(dear, WEIGHTS).block.lowering == "matrix"
    works = {}
    for prefer in ("deconvolution", "speed", "memory"):
        works[prefer] = lower(dear, WEIGHTS._replace(prefer=prefer)).cost
    assert works["speed"].nanoseconds == min(cost.nanoseconds for cost in works.values())
    assert works["memory"].peak_bytes == min(cost.peak_bytes for cost in works.values())


def off(matrix, source=0, weight=Fraction(1, 1000)):
    """A matrix with one source or one weight changed."""
    (place, share), *rest = matrix.rows[1]
    row = ((place + source, share + weight), *rest)
    return matrix._replace(rows=(matrix.rows[0], row, *matrix.rows[2:]))


COLUMNS, ROWS = "InnerProduct", "Convolution"


@pytest.mark.parametrize("lowering, product, mistake", [
    pytest.param("matrix", COLUMNS, off, id="columns of a matrix"),
    pytest.param("matrix", ROWS, off, id="rows of a matrix"),
    pytest.param("plane", COLUMNS, lambda plane: plane._replace(height=off(plane.height)), id="rows of a plane"),
    pytest.param("plane", COLUMNS, lambda plane: plane._replace(width=off(plane.width)), id="columns of a plane"),
    pytest.param("bands", COLUMNS, off, id="columns beside bands"),
    pytest.param("bands", ROWS, off, id="rows of a band"),
    pytest.param("bands", ROWS, lambda matrix: off(matrix, source=matrix.columns), id="a source of another band"),
    pytest.param("bands", ROWS, lambda matrix: matrix._replace(groups=1), id="bands taken for one"),
])
def test_product_certificate_catches(lowering: str, product: str, mistake) -> None:
    """One weight off, a source of another band, bands taken for one: the block is not exact."""
    asked = request(Resize(Axis(HALF_PIXEL, Given(26)), Axis(ASYMMETRIC, Given(5))), rows=(12, 7))
    block = lower(asked, WEIGHTS._replace(lowering=lowering)).block
    assert certify_resize(block, asked).exact
    spoilt = next(layer for layer in block.layers if layer.matrix is not None and layer.type == product)
    layers = [replace(layer, matrix=mistake(layer.matrix)) if layer is spoilt else layer for layer in block.layers]
    assert not certify_resize(replace(block, layers=tuple(layers)), asked).exact


# ---------------------------------------------------------------- repeated borders


@pytest.mark.parametrize("rows", [(1, 1), (1, 2), (2, 3), (4, 5), (7, 1)], ids=str)
@pytest.mark.parametrize("factor", [2, 3, 4, 5])
@pytest.mark.parametrize("sampling", [HALF_PIXEL, ASYMMETRIC, ASYMMETRIC_FADING], ids=lambda sampling: sampling.name)
def test_edges(sampling, factor: int, rows) -> None:
    """A whole factor with borders repeated, or fading, by fillers only and exact at every size."""
    asked = request(Resize(Axis(sampling, Times(factor)), Axis(sampling, Times(factor))), rows=rows)
    assert lower(asked).certificate.exact
    lowered = lower(asked, Choices(lowering="edges"))
    assert lowered.certificate.exact and types(lowered.block).split().count("Deconvolution") == 1


def test_edges_need_one_whole_factor() -> None:
    """The filler's kernel is square, and its steps are whole."""
    for height, width in ((Times(2), Times(3)), (Given(7), Given(7))):
        with pytest.raises(Refused, match="with --weights"):
            lower(request(Resize(Axis(HALF_PIXEL, height), Axis(HALF_PIXEL, width)), rows=(4, 4)))


@pytest.mark.parametrize("mistake", [{"pad": 2}, {"kernel_size": 5}, {"stride": 1}], ids=str)
def test_edges_certificate_catches(mistake) -> None:
    """Another pad, kernel or stride, or a border that is not repeated."""
    asked = request(Resize(Axis(HALF_PIXEL, Times(2)), Axis(HALF_PIXEL, Times(2))), rows=(4, 4))
    block = lower(asked).block
    index = next(i for i, layer in enumerate(block.layers) if layer.type == "Deconvolution")
    assert not certify_resize(change(block, index, CONVOLUTION, **mistake), asked).exact
    bare = [layer for layer in block.layers if layer.type == "Deconvolution"]
    assert not certify_resize(Block("edges", (replace(bare[0], bottoms=("in",)),)), asked).exact


@pytest.mark.parametrize("rows", [UNKNOWN, (1, 1), (3, 5)], ids=str)
@pytest.mark.parametrize("factor", [2, 3, 4, 5, 8])
def test_normalised(factor: int, rows) -> None:
    """Pixel centres with borders repeated by fillers alone, sizes known or not."""
    asked = request(Resize(*(Axis(HALF_PIXEL, Times(factor)),) * 2), rows=rows)
    lowered = lower(asked, Choices(lowering="normalised"))
    assert lowered.certificate.exact and types(lowered.block) == "Deconvolution Power Deconvolution Power Eltwise"
    assert lower(asked).certificate.exact
    for change_of in ({"pad": factor // 2 + 1}, {"kernel_size": 2 * factor + 1}):
        assert not certify_resize(change(lowered.block, 2, CONVOLUTION, **change_of), asked).exact
    faded = replace(lowered.block.layers[0], tops=(TOP,))
    assert not certify_resize(Block("normalised", (faded,)), asked).exact


@pytest.mark.parametrize("sizes", [(7, 7), (9, 8), (8, 11), (5, 4)], ids=str)
def test_repeated_then_zeros(sizes) -> None:
    """OctaveUpsample's leftover rows are zeros, by fillers only."""
    resize = Resize(*(Axis(REPEATED if size % 4 else NEAREST, Given(size)) for size in sizes))
    lowered = lower(request(resize, rows=(4, 4)))
    assert lowered.block.lowering == "padded" and lowered.certificate.exact
    first = next(i for i, layer in enumerate(lowered.block.layers) if layer.type == "Slice")
    points = {"slice_point": [lowered.block.layers[first].own["slice_point"][0] + 1]}
    spoilt = change(lowered.block, first, "slice_param", **points)
    assert not certify_resize(spoilt, request(resize, rows=(4, 4))).exact
