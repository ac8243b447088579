"""Layers that join, cut and rearrange: Concat, Slice, Crop, Reshape, Flatten, Tile and their kin."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

from prototools.net import Layer
from prototools.shapes.blob import (
    Answer,
    Dim,
    Shape,
    canonical,
    count,
    int32,
    known,
    legacy,
    plus,
    refuse,
    require,
    same,
    times,
    words,
)


def not_in_place(layer: Layer) -> None:
    """Some layers refuse a top that is their bottom."""
    require(not set(layer.tops[:1]) & set(layer.bottoms[:1]), f"{layer.type} must not work in place")


def concat(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """Joined along `axis` (1) or `concat_dim`; everything else must agree."""
    param = layer.param("concat_param")
    require(not (param.has("axis") and param.has("concat_dim")), "give axis or concat_dim, not both")
    ranked = known(bottoms)
    if not ranked:
        return Answer([None])
    first = ranked[0]
    if param.has("concat_dim"):
        axis = param.integer("concat_dim")
        require(axis < len(first), f"concat_dim {axis} must lie within {len(first)} axes")
    else:
        axis = canonical(param.integer("axis", 1), first)
    merged = list(first)
    for shape in ranked[1:]:
        require(len(shape) == len(first), "all bottoms must have the same number of axes")
        for i, dim in enumerate(shape):
            require(i == axis or same(merged[i], dim), f"bottoms must agree but for axis {axis}: "
                    f"{words(first)} and {words(shape)}")
            merged[i] = dim if merged[i] is None else merged[i]
    merged[axis] = plus(*(shape[axis] if shape else None for shape in bottoms))
    return Answer([tuple(merged)], touched=_shared(bottoms, bottoms))


def slice_(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """Cut along `axis` (1) or `slice_dim`, at the points or into equal parts."""
    param, tops = layer.param("slice_param"), len(layer.tops)
    require(not (param.has("axis") and param.has("slice_dim")), "give axis or slice_dim, not both")
    if tops > 1:
        not_in_place(layer)
    points, bottom = param.integers("slice_point"), bottoms[0]
    if bottom is None:
        return Answer([None] * tops)
    axis = param.integer("slice_dim") if param.has("slice_dim") else param.integer("axis", 1)
    require(not param.has("slice_dim") or axis < len(bottom), f"slice_dim {axis} must lie within {len(bottom)} axes")
    axis = canonical(axis, bottom)
    size = bottom[axis]
    if points:
        parts = _between(points, size, tops)
    else:
        require(size is None or size % tops == 0, f"{size} must be a multiple of {tops} tops")
        parts = [None if size is None else size // tops] * tops
    return Answer(
        [(*bottom[:axis], part, *bottom[axis + 1 :]) for part in parts], touched=_shared(bottoms, parts)
    )


def _shared(bottoms: Sequence[Shape], parts: Sequence) -> List[Dim]:
    """With one part the top takes over the bottom's memory, which must be there."""
    return [count(bottoms[0])] if len(parts) == 1 else []


def _between(points: List[int], size: Dim, tops: int) -> List[Dim]:
    require(len(points) == tops - 1, f"{tops} tops need {tops - 1} slice points, but there are {len(points)}")
    require(size is None or tops <= size, f"{tops} tops need as many rows, but there are {size}")
    edges: List[Dim] = [0, *points]
    require(all(a < b for a, b in zip(edges, edges[1:])), f"slice points must rise from above 0: {points}")
    return [plus(b, None if a is None else -a) for a, b in zip(edges, [*points, size])]


def crop(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """The first bottom with the dims from `axis` (2) on taken from the second."""
    param, (data, like) = layer.param("crop_param"), bottoms
    offsets = param.integers("offset")
    if data is None:
        return Answer([None])
    axis = canonical(param.integer("axis", 2), data)
    require(len(offsets) <= 1 or len(offsets) == len(data) - axis,
            f"offset must be given once, or for each of {len(data) - axis} axes: {offsets}")
    dims = list(data)
    for i in range(axis, len(data)):
        offset = 0 if not offsets else offsets[0] if len(offsets) == 1 else offsets[i - axis]
        dims[i] = None if like is None else _dim(like, i)
        fits = data[i] is None or dims[i] is None or data[i] - offset >= dims[i]
        require(fits, f"the crop must lie inside the blob: {words(data)}, offset {offset}, {words(like)}")
    return Answer([tuple(dims)])


def _dim(shape: Tuple[Dim, ...], axis: int) -> Dim:
    require(axis < len(shape), f"axis {axis} must lie within {len(shape)} axes: {words(shape)}")
    return shape[axis]


def reshape(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """The axes [axis, axis + num_axes) replaced by `shape`: 0 copies, one -1 is inferred."""
    not_in_place(layer)
    param, bottom = layer.param("reshape_param"), bottoms[0]
    dims = [int32(dim) for dim in param.message("shape").integers("dim")]
    require(dims.count(-1) <= 1, f"at most one dim may be -1: {dims}")
    axis, axes = param.integer("axis"), param.integer("num_axes", -1)
    require(axes >= -1, f"num_axes must be at least -1, but is {axes}")
    if bottom is None:
        whole = axis == 0 and axes == -1
        return Answer([tuple(None if d < 1 else d for d in dims) if whole else None])
    start = axis if axis >= 0 else len(bottom) + axis + 1
    require(0 <= start <= len(bottom), f"axis {axis} must lie within {len(bottom)} axes")
    stop = len(bottom) if axes == -1 else start + axes
    require(stop <= len(bottom), f"axis + num_axes must lie within {len(bottom)} axes")
    middle = [_copied(bottom, start + i) if dim == 0 else dim for i, dim in enumerate(dims)]
    return Answer([_inferred(bottom, start, stop, middle, dims)], touched=[count(bottom)])


def _copied(bottom: Tuple[Dim, ...], axis: int) -> Dim:
    require(axis < len(bottom), f"a dim 0 copies axis {axis}, but the bottom has {len(bottom)} axes")
    return bottom[axis]


def _inferred(bottom, start: int, stop: int, middle: List[Dim], dims: List[int]) -> Shape:
    """The new shape, its -1 filled in, with the bottom's count."""
    around = (*bottom[:start], *bottom[stop:])
    total = count(bottom)
    if -1 in dims:
        place = dims.index(-1)
        rest = times(*around, *(dim for i, dim in enumerate(middle) if i != place))
        # A zero among the other dims cannot be divided by: Caffe stops with a floating point error.
        require(rest != 0, "a dim cannot be inferred beside a dim of 0")
        fits = total is None or rest is None or total % rest == 0
        require(fits, f"the count {total} must be a multiple of {rest}")
        middle[place] = _quotient(bottom, start, stop, middle, place, total, rest)
    top = (*bottom[:start], *middle, *bottom[stop:])
    require(same(count(top), total) or any(d is not None and d < 0 for d in top),
            f"the count must stay: {words(bottom)} and {words(top)}")
    return top


def _quotient(bottom, start: int, stop: int, middle, place: int, total: Dim, rest: Dim) -> Dim:
    """The inferred dim; unknown dims that stand on both sides cancel."""
    if total is not None and rest is not None:
        return total // rest
    replaced = list(bottom[start:stop])
    for i, dim in enumerate(middle):
        if i != place and dim is None:
            if None not in replaced:
                return None
            replaced.remove(None)
    known_rest = times(*(dim for i, dim in enumerate(middle) if i != place and dim is not None))
    inner = times(*replaced)
    return None if inner is None or not known_rest else inner // known_rest


def flatten(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """The axes from `axis` (1) to `end_axis` (-1) become one."""
    not_in_place(layer)
    param, bottom = layer.param("flatten_param"), bottoms[0]
    if bottom is None:
        return Answer([(None, None)] if not param.names() else [None])
    start = canonical(param.integer("axis", 1), bottom)
    end = canonical(param.integer("end_axis", -1), bottom)
    require(start <= end + 1, f"axis {start} must not lie behind end_axis {end}")
    return Answer([(*bottom[:start], count(bottom, start, end + 1), *bottom[end + 1 :])])


def tile(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """One axis repeated `tiles` times."""
    param, bottom = layer.param("tile_param"), bottoms[0]
    require(param.has("tiles"), "tiles must be given")
    tiles = param.integer("tiles")
    require(tiles != 0, "tiles must be at least 1")
    if bottom is None:
        return Answer([None])
    axis = canonical(param.integer("axis", 1), bottom)
    return Answer([(*bottom[:axis], times(bottom[axis], tiles), *bottom[axis + 1 :])])


def split(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """The same blob for every top."""
    require(layer.bottoms[0] not in layer.tops, "Split must not work in place")
    return Answer([bottoms[0]] * len(layer.tops))


def silence(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """No top."""
    return Answer([])


def batch_reindex(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """As many items as the second bottom has entries."""
    data, index = bottoms
    require(index is None or len(index) == 1, f"its second bottom must have 1 axis, but is {words(index)}")
    if data is None:
        return Answer([None])
    return Answer([(index[0] if index else None, *data[1:])])


def filter_(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """All bottoms but the last, which selects items at run time."""
    require(len(layer.tops) == len(bottoms) - 1, "it must have one top less than bottoms")
    selector = bottoms[-1]
    if selector is not None:
        require(bool(selector), "its selector must have an axis, but is scalar")
        require(all(same(dim, 1) for dim in selector[1:]), "the selector's dims but the first must be 1")
        for shape in known(bottoms[:-1]):
            require(bool(shape) and same(shape[0], selector[0]), "all bottoms must have as many items as the selector")
    return Answer(list(bottoms[:-1]), touched=[count(selector)])


def reduction(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """Everything from `axis` (0) on becomes one number."""
    axis, bottom = layer.param("reduction_param").integer("axis"), bottoms[0]
    if bottom is None:
        return Answer([() if axis == 0 else None])
    start = canonical(axis, bottom)
    # SUM and MEAN keep a row of ones as long as what they add up.
    ones = layer.param("reduction_param").word("operation", "SUM") in ("SUM", "1", "MEAN", "4")
    return Answer([bottom[:start]], touched=[count(bottom, start)] if ones else [])


def argmax(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """With `axis` that axis becomes top_k; without one the top has at least three axes."""
    param, bottom = layer.param("argmax_param"), bottoms[0]
    top_k, pair = param.integer("top_k", 1), param.boolean("out_max_val")
    require(top_k >= 1, f"top_k must be at least 1, but is {top_k}")
    if bottom is None:
        return Answer([None])
    if param.has("axis"):
        axis = canonical(param.integer("axis"), bottom)
        limit, top = bottom[axis], list(bottom)
        top[axis] = top_k
    else:
        limit, top = count(bottom, 1), [1] * max(3, len(bottom))
        top[0], top[2] = (bottom[0] if bottom else refuse("it must have an axis")), top_k
        top[1] = 2 if pair else 1
    require(limit is None or top_k <= limit, f"top_k {top_k} must not be more than {limit}")
    return Answer([tuple(top)])


def mvn(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """Always 4-D, whatever goes in."""
    bottom: Optional[Shape] = bottoms[0]
    if bottom is None:
        return Answer([(None,) * 4])
    shape = legacy(bottom)
    across = layer.param("mvn_param").boolean("across_channels")
    return Answer([shape], touched=[times(*shape[1 if across else 2 :])])
