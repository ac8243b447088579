"""UNPOOLING of DeconvNet and UnPooling of Cambricon: spread, repeat or place without overlap.

HyeonwooNoh/caffe's V1 layer `UNPOOLING` (`unpooling_param`): `unpool` MAX, AVE or TILE; the size is
`unpool_size`, or `unpool_h` and `unpool_w`, and must be given; pads must be zero.
With a mask, MAX scatters as SegNet does. Without one it puts row i at i * stride.
CEDN's (jimeiyang and anujkhare/caffe-cedn) is DeconvNet's without a size of its own: with a mask it
makes H' = (H - 1) stride + kernel - 2 pad.
AVE spreads each value over its window, TILE repeats it (on the GPU; the CPU code adds to what the last pass
left). zhirongw/caffe's `Unpooling` is written like DeconvNet's, but its TILE spreads as AVE does, so for TILE a
file does not decide between the two.

With one bottom two more forks have a layer of this name, which no mask moves: ssafar/caffe's V1 `UNPOOLING`
writes `kernel_size` alone and repeats; Akrit2013's `Unpooling` writes `pool`: MAX puts row i at i * stride,
AVE repeats it (and divides nothing).

Cambricon's `UnPooling`: `unpool` FIXED, DIV or REP with `out_kernel_size`, `out_stride`, `out_pad`;
H' = (H - 1) stride - 2 pad + kernel. FIXED puts a value in the middle of its window, DIV spreads it,
REP repeats it.
FuchenUSTC/caffe-hash's `UnPooling` takes its windows from `pooling_param`, and repeats with MAX and AVE alike.
xieguotian/caffe's (and caffe-multigpu's) does too, but its AVE spreads each value, and its MAX wants a mask: with
one bottom and AVE a file does not decide between the two.

Only windows that lie side by side (kernel equal to stride, no pad) are read: where they overlap the
forks add or average, and no block of stock layers with fillers does that.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Dict, Tuple

from prototools.dialects.reading import (
    Context,
    Dialect,
    OtherBottoms,
    Reading,
    Unread,
    never,
    only,
    positive,
    refuse_others,
    require_bottoms,
    some,
)
from prototools.dialects.unpool import two_with_mask
from prototools.dialects.upsample import repeated
from prototools.lowerings.request import Refused
from prototools.prototext import Message
from prototools.resize import Axis, Given, Resize, Times, Unpool
from prototools.sampling import insert

PARAM = "unpooling_param"
DECONVNET = (
    "unpool", "kernel_size", "stride", "pad", "kernel_h", "kernel_w", "stride_h", "stride_w",
    "pad_h", "pad_w", "engine", "unpool_size", "unpool_h", "unpool_w",
)
CAMBRICON = (
    "unpool", "out_kernel_size", "out_stride", "out_pad", "out_kernel_h", "out_kernel_w",
    "out_stride_h", "out_stride_w", "out_pad_h", "out_pad_w", "engine",
)
AKRIT = (
    "pool", "kernel_size", "kernel_h", "kernel_w", "stride", "stride_h", "stride_w",
    "pad", "pad_u", "pad_d", "pad_l", "pad_r", "engine",
)
POOLING = (
    "pool", "kernel_size", "kernel_h", "kernel_w", "stride", "stride_h", "stride_w", "pad", "pad_h", "pad_w",
    "engine", "global_pooling",
)
POOLS = {"0": "MAX", "1": "AVE"}
MODES = {"0": "MAX", "1": "AVE", "2": "TILE"}
PLACEMENTS = {"0": "FIXED", "1": "DIV", "2": "REP"}


def pair(param: Message, name: str, default: int) -> Tuple[int, int]:
    """A setting of height and width, written once (`kernel_size`) or as `_h` and `_w`."""
    stem = name[:-5] if name.endswith("_size") else name
    both = param.integer(name, default)
    return param.integer(f"{stem}_h", both), param.integer(f"{stem}_w", both)


def _one_of(param: Message, name: str, choices: Dict[str, str]) -> str:
    """An enumeration's name, the first where it is not written; refused where the fork has no such name."""
    word = param.word(name, choices["0"])
    chosen = choices.get(word, word)
    if chosen not in choices.values():
        *others, last = choices.values()
        raise Refused(f"{name} must be {', '.join(others)} or {last}, but is {word}")
    return chosen


def _side_by_side(kernel: Tuple[int, int], stride: Tuple[int, int], pad: Tuple[int, int]) -> None:
    if kernel != stride or pad != (0, 0):
        raise Unread(
            f"its windows must lie side by side without pad, but kernel is {kernel}, "
            f"stride {stride} and pad {pad}: where windows overlap the fork mixes them"
        )
    if min(stride) < 1:
        raise Refused("its stride must be at least 1")


# ---------------------------------------------------------------- deconvnet


def _claims_deconvnet(context: Context) -> bool:
    param = context.param(PARAM)
    tile = context.layer.type == "Unpooling" and MODES.get(param.word("unpool"), param.word("unpool")) == "TILE"
    return only(param, *DECONVNET) and some(param, "unpool_size", "unpool_h", "unpool_w") and not tile


def _read_deconvnet(context: Context) -> Reading:
    return _deconvnet(context, ("AVE",), "as on the fork's GPU: its CPU code adds to what the last pass left")


def _read_zhirongw(context: Context) -> Reading:
    return _deconvnet(context, ("AVE", "TILE"))


def _deconvnet(context: Context, spreading: Tuple[str, ...], *notes: str) -> Reading:
    require_bottoms(context, 1, 2)
    param = context.param(PARAM)
    refuse_others(param, *DECONVNET)
    if not (param.has("unpool_size") or (param.has("unpool_h") and param.has("unpool_w"))):
        raise Refused("it must give unpool_size, or unpool_h and unpool_w")
    mode = _one_of(param, "unpool", MODES)
    size = pair(param, "unpool_size", 0)
    if mode == "MAX" and len(context.layer.bottoms) == 2:
        return Reading(Unpool(Given(size[0]), Given(size[1])))
    stride = pair(param, "stride", 1)
    _fills(context, size, stride)
    if mode == "MAX":
        return Reading(placed(stride, (0, 0)))
    _side_by_side(pair(param, "kernel_size", 0), stride, pair(param, "pad", 0))
    return Reading(repeated(*stride, _share(mode in spreading, stride)),
                   notes=notes if mode in spreading else (*notes, *_training(mode)))


def _fills(context: Context, size: Tuple[int, int], stride: Tuple[int, int]) -> None:
    """The given size must be the stride times the input's, which must be known."""
    rows = context.rows(0)
    if None in rows:
        blob = context.layer.bottoms[0]
        raise Refused(f"{blob}: its height and width must be known", blob)
    if any(out != step * count for out, step, count in zip(size, stride, rows)):
        raise Unread(f"its size {size} must be the stride {stride} times the input's {rows}")


def placed(stride: Tuple[int, int], offset: Tuple[int, int]) -> Resize:
    """Row i at i * stride + offset, and zeros between, on both axes."""
    return Resize(*(Axis(insert(place), Times(step)) for step, place in zip(stride, offset)))


def _share(spread: bool, stride: Tuple[int, int]) -> Fraction:
    return Fraction(1, stride[0] * stride[1]) if spread else Fraction(1)


def _training(mode: str) -> Tuple[str, ...]:
    return ("the fork divides TILE's gradient by the window's area",) if mode == "TILE" else ()


# ---------------------------------------------------------------- cedn


def _claims_cedn(context: Context) -> bool:
    param = context.param(PARAM)
    return two_with_mask(context) and only(param, *DECONVNET) and some(param, "kernel_size", "kernel_h")


def _read_cedn(context: Context) -> Reading:
    require_bottoms(context, 2)
    param = context.param(PARAM)
    refuse_others(param, *DECONVNET)
    mode = MODES.get(param.word("unpool", "MAX"), param.word("unpool", "MAX"))
    if mode != "MAX":
        raise Refused(f"with a mask unpool must be MAX, but is {mode}")
    names = (("kernel_size", 0), ("stride", 1), ("pad", 0))
    kernel, stride, pad = (pair(param, name, default) for name, default in names)
    if min(*kernel, *stride) < 1:
        raise Refused(f"kernel and stride must be at least 1, but are {kernel} and {stride}")
    sizes = [Times(s, s + 2 * p - k) for k, s, p in zip(kernel, stride, pad)]
    return Reading(Unpool(sizes[0], sizes[1]))


# ---------------------------------------------------------------- cambricon


def _claims_cambricon(context: Context) -> bool:
    pooled = context.param("pooling_param").names()
    return len(context.layer.bottoms) == 1 and only(context.param(PARAM), *CAMBRICON) and not pooled


def _read_cambricon(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = context.param(PARAM)
    refuse_others(param, *CAMBRICON)
    placement = _one_of(param, "unpool", PLACEMENTS)
    kernel, stride = _kernel(param, "out_kernel_size"), pair(param, "out_stride", 1)
    _side_by_side(kernel, stride, pair(param, "out_pad", 0))
    if placement == "FIXED":
        return Reading(placed(stride, ((stride[0] - 1) // 2, (stride[1] - 1) // 2)))
    return Reading(repeated(*stride, _share(placement == "DIV", stride)))


# ---------------------------------------------------------------- repeated or placed by a window, without a mask


def _claims_akrit(context: Context) -> bool:
    param = context.param(PARAM)
    return len(context.layer.bottoms) == 1 and param.has("pool") and only(param, *AKRIT)


def _read_akrit(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = context.param(PARAM)
    refuse_others(param, *AKRIT)
    pads = [param.integer(name, param.integer("pad")) for name in ("pad_u", "pad_d", "pad_l", "pad_r")]
    pool, kernel, stride = _one_of(param, "pool", POOLS), _kernel(param, "kernel_size"), pair(param, "stride", 1)
    if kernel != stride:
        raise Refused(f"kernel and stride must be alike, but are {kernel} and {stride}")
    if any(pads):
        raise Unread("with pads it is not read")
    if pool == "MAX":
        return Reading(placed(stride, (0, 0)))
    return Reading(repeated(*stride), notes=_shared("AVE"))


def _claims_ssafar(context: Context) -> bool:
    return len(context.layer.bottoms) == 1 and context.param(PARAM).names() == ["kernel_size"]


def _read_ssafar(context: Context) -> Reading:
    require_bottoms(context, 1)
    param = context.param(PARAM)
    refuse_others(param, "kernel_size")
    size = positive(param, "kernel_size", 0)
    return Reading(repeated(size, size))


def _pooled(context: Context) -> bool:
    """Whether the windows stand in `pooling_param` alone, and no mask moves the values."""
    written = context.param("pooling_param").names() and not context.param(PARAM).names()
    return len(context.layer.bottoms) == 1 and bool(written)


def _claims_hash(context: Context) -> bool:
    # With AVE it may be xieguotian's, whose MAX wants a mask.
    return _pooled(context) and context.param("pooling_param").word("pool", "MAX") not in ("AVE", "1")


def _read_hash(context: Context) -> Reading:
    pool, stride = _pooling(context)
    return Reading(repeated(*stride), notes=_shared(pool) if pool == "MAX" else ())


def _read_xieguotian(context: Context) -> Reading:
    pool, stride = _pooling(context)
    if pool == "MAX":
        raise OtherBottoms("with MAX it must have a pooling mask as second bottom")
    return Reading(repeated(*stride, _share(True, stride)))


def _pooling(context: Context) -> Tuple[str, Tuple[int, int]]:
    """The method and the stride of windows that `pooling_param` gives."""
    require_bottoms(context, 1)
    refuse_others(context.param(PARAM))
    param = context.param("pooling_param")
    refuse_others(param, *POOLING)
    if param.boolean("global_pooling"):
        raise Unread("with global_pooling it is not read")
    kernel, stride = _kernel(param, "kernel_size"), pair(param, "stride", 1)
    _side_by_side(kernel, stride, pair(param, "pad", 0))
    return _one_of(param, "pool", POOLS), stride


def _kernel(param: Message, name: str) -> Tuple[int, int]:
    """Height and width of the windows, which must be written."""
    kernel = pair(param, name, 0)
    if min(kernel) < 1:
        raise Refused(f"it must give {name}, or {name[:-4]}h and {name[:-4]}w")
    return kernel


def _shared(pool: str) -> Tuple[str, ...]:
    return (f"the fork divides {pool}'s gradient by the window's area",)


DIALECTS = (
    Dialect("deconvnet", ("UNPOOLING", "Unpooling"), "HyeonwooNoh/caffe (DeconvNet)",
            _claims_deconvnet, _read_deconvnet),
    Dialect("zhirongw", ("Unpooling",), "zhirongw/caffe: DeconvNet's, TILE spread; never guessed",
            never, _read_zhirongw),
    Dialect("cedn", ("UNPOOLING", "Unpooling"), "CEDN: DeconvNet's without a size",
            _claims_cedn, _read_cedn),
    Dialect("cambricon_unpooling", ("UnPooling",), "Cambricon: out_kernel_size, out_stride",
            _claims_cambricon, _read_cambricon),
    Dialect("akrit2013", ("Unpooling",), "Akrit2013/caffe-dev-160608: pool, with one bottom",
            _claims_akrit, _read_akrit),
    Dialect("ssafar", ("UNPOOLING",), "ssafar/caffe: kernel_size alone, with one bottom", _claims_ssafar, _read_ssafar),
    Dialect("caffe_hash", ("UnPooling",), "FuchenUSTC/caffe-hash: pooling_param", _claims_hash, _read_hash),
    Dialect("xieguotian", ("UnPooling",), "xieguotian/caffe, caffe-multigpu: pooling_param, AVE spread; never guessed",
            never, _read_xieguotian),
)
