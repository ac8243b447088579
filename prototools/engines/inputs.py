"""What networks are run on to compare them: shapes that no file tells, and values that show mistakes."""

from __future__ import annotations

from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple
from zlib import crc32

import numpy as np

from prototools.dialects import TYPES
from prototools.dialects.shapes import infer_custom
from prototools.net import FilteredNet, Layer
from prototools.shapes import Inference

Shape = Tuple[int, ...]
Given = Mapping[str, Sequence[Optional[int]]]

#: Dims where nothing is told: (N, C, H, W).
UNTOLD = (1, 3, 64, 96)

#: Heights and widths that are tried; the first that fits a net counts. Networks without a size of their
#: own are most often trained on these crops.
SIZES = ((64, 96), (65, 97), (224, 224), (321, 321), (360, 480), (473, 473), (513, 513), (713, 713))

# ---------------------------------------------------------------- shapes


def shapes_of(net: FilteredNet, given: Given, dialects: Sequence[str]) -> Tuple[Inference, Dict[str, Shape]]:
    """Every shape of a net, and the shapes that were made up for inputs that no file tells.

    Of the made-up sizes the first is taken at which the fewest layers refuse their bottoms.
    """
    best = infer_custom(net, given, dialects)
    untold = {name: shape for name, shape in _roots(net, best, given).items() if shape is None or None in shape}
    made_up: Dict[str, Shape] = {}
    fewest = None
    channels = {name: _channels(net, name) for name in untold}
    for size in _sizes(net, best, given, dialects) if untold else ():
        guess = {name: _completed(shape, (channels[name], *size)) for name, shape in untold.items()}
        found = infer_custom(net, {**given, **guess}, dialects)
        problems = len(found.errors) + sum(top != pooled for _, top, pooled in _masked(net, found))
        if fewest is None or problems < fewest:
            best, made_up, fewest = found, guess, problems
        if not problems:
            break
    return best, made_up


def _roots(net: FilteredNet, found: Inference, given: Given) -> Dict[str, Optional[Sequence[Optional[int]]]]:
    """The blobs that come from nowhere: headers, tops of layers without bottoms, unknown bottoms."""
    headers = [name for name, _ in net.net.inputs()]
    tops = [top for layer in net.layers if not layer.bottoms for top in layer.tops]
    unknown = [blob for _, blob in net.unknown_bottoms()]
    # In-place layers keep the shape, so the last of several blobs of one name tells it too.
    # An unknown bottom is no blob of the net, so only the user can tell its shape.
    return {name: found.blobs.get(name) or given.get(name) for name in headers + tops + unknown}


def _channels(net: FilteredNet, blob: str) -> int:
    """As many as a Slice needs that takes the blob to pieces."""
    last = [
        point for layer in net.layers if layer.type == "Slice" and blob in layer.bottoms
        for point in layer.param("slice_param").integers("slice_point")
    ]
    return max(last) + 1 if last else UNTOLD[1]


def _completed(shape: Optional[Sequence[Optional[int]]], size: Tuple[int, int, int]) -> Shape:
    """A shape with what is unknown in it taken from one image of (C, H, W)."""
    dims = UNTOLD[:1] + size
    return tuple(dims[min(i, 3)] if dim is None else dim for i, dim in enumerate(shape or (None,) * 4))


def _sizes(net: FilteredNet, found: Inference, given: Given, wanted: Sequence[str]) -> Iterator[Tuple[int, int]]:
    """Heights and widths to try; those that a mask's own size asks for come after the usual ones."""
    yield from SIZES
    # One image: a batch of many this large would not fit a blob.
    roots = {name: shape and (1, *shape[1:]) for name, shape in _roots(net, found, given).items()}
    large = {name: _completed(shape, (_channels(net, name), 512, 512)) for name, shape in roots.items()}
    scaled = infer_custom(net, {**given, **large}, wanted)
    pooled = {id(layer): size for layer, _, size in _masked(net, scaled)}
    for layer, top, _ in _masked(net, found):
        size = pooled.get(id(layer))
        if size and all(size) and len(top) == 2 and None not in top:
            yield (top[0] * round(512 / size[0]), top[1] * round(512 / size[1]))  # type: ignore[operator]


def _masked(net: FilteredNet, found: Inference) -> Iterator[Tuple[Layer, Sequence, Sequence]]:
    """The layers with a pooling mask, each with its own size and that of what was pooled."""
    for layer in net.layers:
        for source in net.sources(layer) if layer.kind in TYPES and layer.tops else ():
            maker = source.layer if source else None
            if maker is not None and source.top == 1 and maker.type == "Pooling" and maker.bottoms:
                yield layer, (found.tops(layer)[0] or ())[2:], (found.bottoms(maker)[0] or ())[2:]


# ---------------------------------------------------------------- values


def _noise(size: int, random: np.random.RandomState) -> np.ndarray:
    return random.uniform(-1, 1, size)


def _impulse(size: int, random: np.random.RandomState) -> np.ndarray:
    values = np.zeros(size)
    # The first place, the last and one between: a border mistake shows at the ends.
    values[[0, size - 1, random.randint(size)]] = 1
    return values


def _ramp(size: int, random: np.random.RandomState) -> np.ndarray:
    return np.linspace(-1, 1, size)


def _constant(size: int, random: np.random.RandomState) -> np.ndarray:
    return np.ones(size)


def _ties(size: int, random: np.random.RandomState) -> np.ndarray:
    return np.round(random.uniform(-1, 1, size), 1)


#: In this order over the channels.
PATTERNS = {
    "noise": _noise, "impulse": _impulse, "ramp": _ramp, "constant": _constant, "noise with ties": _ties,
}


def patterns(shape: Sequence[int], seed: str, turn: int = 0) -> np.ndarray:
    """An array, float64, with another pattern in each channel of each item, so that one run tries many.

    `turn` is the pattern that the first channel gets: with few channels it takes some turns to try all.
    Each channel's values are scaled a little differently, so that mixed-up channels show.
    """
    random = random_of(seed)
    makers = list(PATTERNS.values())
    flat = np.empty((int(np.prod(shape[:2], dtype=int)), int(np.prod(shape[2:], dtype=int))))
    for i, plane in enumerate(flat):
        if plane.size:
            plane[:] = makers[(i + turn) % len(makers)](plane.size, random) * (1 + i / 64)
    return flat.reshape(tuple(shape))


def turns(shapes: Sequence[Sequence[int]]) -> List[int]:
    """The turns that give every pattern to some channel of each of these shapes; see `patterns`."""
    fewest = min((int(np.prod(shape[:2], dtype=int)) for shape in shapes), default=len(PATTERNS))
    return list(range(0, len(PATTERNS), max(1, fewest)))


def noise(shape: Sequence[int], seed: str) -> np.ndarray:
    """Uniform noise in [-1, 1], float64, the same for the same seed."""
    return random_of(seed).uniform(-1, 1, tuple(shape))


def random_of(seed: str) -> np.random.RandomState:
    """A generator seeded by a text."""
    return np.random.RandomState(crc32(seed.encode("utf-8", "surrogateescape")))
