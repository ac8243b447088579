"""SegNet's unpooling from stock layers: compare the mask with a ramp of indices (block B8).

The second top of a MAX Pooling with kernel 1 over the pooled blob is a ramp: every place holds its
own index h W' + w. Repeating the mask's rows by the pooling's stride brings to every place the
index that its window chose, so the value belongs there exactly where the two agree:

    keep = ReLU(1 - |repeated mask - ramp|),  top = repeated data * keep.

Indices are whole numbers, so `keep` is 0 or 1 exactly (for planes below 2^24 places), also with
ties, because the mask itself says which of two equal values won.
ReLU has a backward pass where Threshold has none, so training goes on; the gradient reaches the
data only, as in the fork (upsample_layer.cpp of caffe-segnet).

Where windows overlap, each place lies in several of them. One comparison for each shift of the
windows finds the values that chose it, and the last of them in the order of the mask stays, as
the fork's loop would have it.
"""

from __future__ import annotations

from itertools import product
from typing import Iterator, List, Sequence, Tuple

from prototools.blocks import (
    TOP,
    Block,
    Local,
    StockLayer,
    convolution,
    deconvolution,
    pooling,
    power,
    silence,
)
from prototools.lowerings.request import UNKNOWN_SIZE, Refused, UnpoolRequest, cropped, sliced
from prototools.resize import Times

NAME = "unpool"
PLANE_LIMIT = 2**24


def propose(request: UnpoolRequest) -> Iterator[Block]:
    """The comparison of mask and ramp, once or once for every shift of overlapping windows."""
    origin = request.origin
    _require(request)
    if origin.kernel == origin.stride and origin.pad == (0, 0):
        yield _apart(request)
    else:
        yield _overlapping(request)


def _require(request: UnpoolRequest) -> None:
    """What the fork's own layer needs as well, or its indices mean nothing."""
    origin, unpool = request.origin, request.unpool
    if request.version < 2 and not _whole(request):
        raise Refused("a V1 file has no Crop layer to cut the repeated mask with; upgrade it first")
    for name, size, rows, pooled, step in zip(
        ("height", "width"), (unpool.height, unpool.width), request.rows, origin.rows, origin.stride
    ):
        if pooled is None or rows is None:
            if isinstance(size, Times) and size.factor == step and (size.less == 0 or request.version == 2):
                continue
            raise Refused(f"{origin.blob}: {UNKNOWN_SIZE}", origin.blob)
        if size(rows) != pooled:
            raise Refused(
                f"its {name} must be that of the blob which {origin.name} pooled, {pooled}, "
                f"but it is {size(rows)}: the mask's indices belong to another plane"
            )
    if None not in origin.rows and origin.rows[0] * origin.rows[1] > PLANE_LIMIT:
        raise Refused("the plane must have less than 2^24 places for a float to hold every index")


def _whole(request: UnpoolRequest) -> bool:
    """Whether repeating by the stride gives the pooled size without a cut."""
    return _excess(request) == (0, 0)


def _excess(request: UnpoolRequest) -> Tuple[int, int]:
    """The rows and columns by which the repeated mask is larger than the plane."""
    sizes = (request.unpool.height, request.unpool.width)
    triples = zip(sizes, request.rows, request.origin.rows, request.origin.stride)
    height, width = (
        getattr(size, "less", 0) if None in (rows, pooled) else rows * step - pooled
        for size, rows, pooled, step in triples
    )
    return height, width


def _told(request: UnpoolRequest) -> bool:
    """Whether the net itself tells every size, or the layer's own word must do."""
    return not request.assumed and None not in request.rows + request.origin.rows


def _conditions(request: UnpoolRequest) -> Tuple[str, ...]:
    if request.assumed:
        return (f"{request.origin.blob}: height and width must be {' x '.join(map(str, request.origin.rows))}",)
    if None not in request.rows + request.origin.rows:
        return ()
    words = [
        f"{name} must be a multiple of {step}" + (f", less {excess}" if excess else "")
        for name, step, excess in zip(("height", "width"), request.origin.stride, _excess(request))
    ]
    return (f"{request.origin.blob}: {', '.join(words)}",)


def _ramp(request: UnpoolRequest) -> List[StockLayer]:
    """The ramp; its first top is read by every Crop for its size, or silenced where there is none."""
    plane, ramp = Local("plane"), Local("ramp")
    pool = pooling("ramp", request.origin.blob, [plane, ramp], "MAX", (1, 1))
    unread = [] if _crops(request) else [silence("silence", [plane])]
    return [_without_gradient(pool, request), *unread]


def _crops(request: UnpoolRequest) -> bool:
    """Whether the repeated mask is cropped to the plane: where it must be, or to read the plane."""
    overlap = request.origin.kernel != request.origin.stride or request.origin.pad != (0, 0)
    return overlap or not _whole(request) or not request.may_silence


def _without_gradient(layer: StockLayer, request: UnpoolRequest) -> StockLayer:
    """V1 layers have no propagate_down; the gradient that then flows into an index is zero."""
    if request.version < 2:
        return layer
    return StockLayer(**{**layer.__dict__, "propagate_down": (False,) * len(layer.bottoms)})


def _apart(request: UnpoolRequest) -> Block:
    """Windows that do not overlap: one comparison."""
    channels, step = request.need_channels(), request.origin.stride
    layers = _ramp(request)
    blobs = []
    for kind, bottom in (("mask", request.mask), ("data", request.data)):
        repeated = Local(f"{kind}_repeated")
        repeat = deconvolution(f"{kind}_deconv", bottom, repeated, channels, step, step, value=1)
        layers.append(_without_gradient(repeat, request) if kind == "mask" else repeat)
        if kind == "mask" and not _told(request) and not _whole(request):
            repeated, cut = _cut_to_plane(repeated, request)
            layers += cut
        elif _crops(request):
            repeated, cut = _cropped(kind, repeated, (0, 0))
            layers.append(cut)
        blobs.append(repeated)
    layers += _keep("keep", blobs[0], shift=0)
    layers.append(_product("product", blobs[1], Local("keep"), TOP))
    return Block(NAME, tuple(layers), conditions=_conditions(request))


def _cropped(role: str, blob: str, offsets: Sequence[int]) -> Tuple[Local, StockLayer]:
    """A Crop to the size of the plane."""
    top = Local(f"{role}_crop")
    settings = {"axis": 2}
    if any(offsets):
        settings["offset"] = list(offsets)
    return top, StockLayer("Crop", f"{role}_crop", (blob, Local("plane")), (top,), {"crop_param": settings})


def _cut_to_plane(blob: str, request: UnpoolRequest) -> Tuple[str, List[StockLayer]]:
    """Cut to the size that the layer says, and not to the plane's.

    Where the plane has another size the ramp does not fit the mask, and Caffe refuses to load.
    """
    layers: List[StockLayer] = []
    for axis, excess in enumerate(_excess(request)):
        if excess:
            kept, rows = Local(f"mask_cut_{'hw'[axis]}"), request.rows[axis]
            cut = cropped if rows is None else sliced
            repeated = () if rows is None else (rows * request.origin.stride[axis],)
            layers += cut(blob, kept, axis, (0, excess), *repeated)
            blob = kept
    return blob, layers


def _keep(role: str, mask: str, shift: int) -> List[StockLayer]:
    """ReLU(1 - |mask - ramp - shift|): one where the mask names this very place."""
    gap, distance, keep = Local(f"{role}_gap"), Local(f"{role}_distance"), Local(role)
    difference = {"eltwise_param": {"coeff": [1, -1]}}
    layers = [StockLayer("Eltwise", f"{role}_gap", (mask, Local("ramp")), (gap,), difference)]
    if shift:
        layers.append(power(f"{role}_shift", gap, gap, shift=-shift))
    return [
        *layers,
        StockLayer("AbsVal", f"{role}_distance", (gap,), (distance,)),
        power(f"{role}_power", distance, keep, scale=-1, shift=1),
        StockLayer("ReLU", f"{role}_relu", (keep,), (keep,)),
    ]


def _product(role: str, a: str, b: str, top: str) -> StockLayer:
    from prototools.prototext import Word

    return StockLayer("Eltwise", role, (a, b), (top,), {"eltwise_param": {"operation": Word("PROD")}})


# ---------------------------------------------------------------- overlapping windows


def _overlapping(request: UnpoolRequest) -> Block:
    """Windows that overlap or are padded: one comparison for each shift, the latest window first."""
    if None in request.rows or None in request.origin.rows:
        raise Refused(f"{request.origin.blob}: {UNKNOWN_SIZE}, because its windows overlap",
                      request.origin.blob)
    if request.version < 2:
        raise Refused("a V1 file has no Crop layer to shift windows with; upgrade it first")
    layers, margin = _ramp(request) + _spread(request), _margin(request)
    shifts = list(product(*(range(_shifts(request, axis)) for axis in (0, 1))))
    for number, shift in enumerate(shifts):
        layers += _shifted(request, number, shift, margin, TOP if len(shifts) == 1 else Local(f"found{number}"))
    return Block(NAME, tuple(layers + _latest(len(shifts))))


def _shifts(request: UnpoolRequest, axis: int) -> int:
    """How many windows a row can lie in."""
    return -(-request.origin.kernel[axis] // request.origin.stride[axis])


def _margin(request: UnpoolRequest) -> int:
    """Rows of zeros around mask and data, so that every shift has something to read."""
    needed = []
    for axis, rows in enumerate(request.rows):
        step, pad = request.origin.stride[axis], request.origin.pad[axis]
        beyond = -(-(request.origin.rows[axis] + pad) // step) - rows
        needed += [_shifts(request, axis) - 1, beyond]
    return max(needed + [0])


def _spread(request: UnpoolRequest) -> List[StockLayer]:
    """Mask and data, padded with zeros and repeated; the mask counts from one, so zero is nobody."""
    channels, step, margin = request.need_channels(), request.origin.stride, _margin(request)
    counted = Local("mask_counted")
    layers = [power("mask_count", request.mask, counted, shift=1)]
    for kind, bottom in (("mask", counted), ("data", request.data)):
        padded, repeated = Local(f"{kind}_padded"), Local(f"{kind}_repeated")
        layers += [
            convolution(f"{kind}_pad", bottom, padded, channels, pad=(margin, margin)),
            deconvolution(f"{kind}_deconv", padded, repeated, channels, step, step, value=1),
        ]
    layers[0] = _without_gradient(layers[0], request)
    return layers


def _shifted(
    request: UnpoolRequest, number: int, shift: Tuple[int, int], margin: int, top: str
) -> List[StockLayer]:
    """What the windows that began `shift` strides earlier hold for every place."""
    offsets = [
        pad + (margin - back) * step
        for pad, back, step in zip(request.origin.pad, shift, request.origin.stride)
    ]
    mask, cut_mask = _cropped(f"mask{number}", Local("mask_repeated"), offsets)
    data, cut_data = _cropped(f"data{number}", Local("data_repeated"), offsets)
    keep = f"keep{number}"
    found = _product(f"found{number}", data, Local(keep), top)
    return [cut_mask, cut_data, *_keep(keep, mask, shift=1), found]


def _latest(count: int) -> List[StockLayer]:
    """found0 + (1 - keep0) (found1 + (1 - keep1) (...)): the first that was found counts.

    Where windows are only padded, one shift is all, and it writes the top itself.
    """
    layers: List[StockLayer] = []
    rest = Local(f"found{count - 1}")
    for number in range(count - 2, -1, -1):
        missing, left = Local(f"missing{number}"), Local(f"left{number}")
        total = Local(f"total{number}") if number else TOP
        layers += [
            power(f"missing{number}", Local(f"keep{number}"), missing, scale=-1, shift=1),
            _product(f"left{number}", rest, missing, left),
            StockLayer("Eltwise", f"total{number}", (Local(f"found{number}"), left), (total,)),
        ]
        rest = total
    return layers
