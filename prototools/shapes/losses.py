"""Losses, Accuracy: layers that compare two bottoms and give one number."""

from __future__ import annotations

import os
from typing import List, Sequence, Tuple

from prototools.net import Layer
from prototools.shapes.arranging import not_in_place
from prototools.shapes.blob import (
    Answer,
    Dim,
    Elsewhere,
    Shape,
    canonical,
    count,
    legacy,
    require,
    same,
    times,
    words,
)

#: The shape of a loss.
SCALAR: Tuple[Dim, ...] = ()


def loss(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """One number; both bottoms have as many items (loss_layer.cpp, Reshape)."""
    first, second = bottoms[:2]
    require(first is None or bool(first), "its first bottom must have an axis, but is scalar")
    require(second is None or bool(second), "its second bottom must have an axis, but is scalar")
    if first and second:
        require(same(first[0], second[0]), f"both bottoms must have as many items: {words(first)} "
                f"and {words(second)}")
    return Answer([SCALAR])


def euclidean_loss(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """As a loss; the items have one size, but may differ in shape."""
    not_in_place(layer)
    _same_count(bottoms, 1)
    return loss(layer, bottoms)


def sigmoid_cross_entropy_loss(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """As a loss; both bottoms have one size."""
    not_in_place(layer)
    _same_count(bottoms, 0)
    return loss(layer, bottoms)


def _same_count(bottoms: Sequence[Shape], start: int) -> None:
    fits = same(count(bottoms[0], start), count(bottoms[1], start))
    require(fits, f"both bottoms must have one size: {words(bottoms[0])} and {words(bottoms[1])}")


def multinomial_logistic_loss(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """As a loss; one label for each item."""
    _flat(bottoms[1], 1)
    return loss(layer, bottoms)


def _flat(bottom: Shape, axis: int) -> None:
    """Channels, height and width from an axis on are 1."""
    if bottom is not None:
        fits = all(same(dim, 1) for dim in legacy(bottom)[axis:])
        require(fits, f"the dims from axis {axis} on must be 1, but it is {words(bottom)}")


def contrastive_loss(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """Two vectors and a label for each item (contrastive_loss_layer.cpp, LayerSetUp)."""
    first, second, label = bottoms
    _flat(first, 2)
    _flat(second, 2)
    _flat(label, 1)
    if first is not None and second is not None:
        fits = same(legacy(first)[1], legacy(second)[1])
        require(fits, f"both vectors must have as many channels: {words(first)} and {words(second)}")
    return loss(layer, bottoms)


def softmax_loss(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """As a loss; a label for each place along `axis` (1); the second top is the Softmax."""
    axis = layer.param("softmax_param").integer("axis", 1)
    not_in_place(layer)
    classes = _labelled(bottoms, axis)
    loss(layer, bottoms)
    return Answer(_with_scores(layer, bottoms), touched=[classes, count(bottoms[0])])


def _with_scores(layer: Layer, bottoms: Sequence[Shape]) -> List[Shape]:
    return [SCALAR, bottoms[0]][: max(1, len(layer.tops))]


def _labelled(bottoms: Sequence[Shape], wanted: int) -> Dim:
    """The number of classes; the second bottom has a label for each place of the first."""
    first, labels = bottoms[:2]
    if first is None:
        return None
    axis = canonical(wanted, first)
    places = times(count(first, 0, axis), count(first, axis + 1))
    require(same(places, count(labels)), f"there must be a label for each place: {words(first)} "
            f"without axis {axis}, and {words(labels)}")
    return first[axis]


def infogain_loss(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """As SoftmaxWithLoss, weighed by a matrix: a third bottom, or a file."""
    not_in_place(layer)
    param = layer.param("infogain_loss_param")
    require(not layer.param("loss_param").has("normalize"), "normalize is deprecated: use normalization")
    classes = _labelled(bottoms, param.integer("axis", 1))
    if len(bottoms) == 3:
        fits = same(count(bottoms[2]), times(classes, classes))
        require(fits, f"its third bottom must have {classes} x {classes} entries, but is {words(bottoms[2])}")
    else:
        source = param.string("source")
        require(bool(source), "source must be given, or a third bottom")
        if not os.path.exists(source):
            raise Elsewhere(f"its source {source!r} must be there, but is not")
    loss(layer, bottoms)
    softmax = layer.param("softmax_param").integer("axis", 1)
    softened = bottoms[0][canonical(softmax, bottoms[0])] if bottoms[0] is not None else None
    return Answer(_with_scores(layer, bottoms), touched=[classes, softened, count(bottoms[0])])


def accuracy(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """One number, and where there is a second top one for each class."""
    param, (first, labels) = layer.param("accuracy_param"), bottoms
    classes, items = _labelled(bottoms, param.integer("axis", 1)), count(labels)
    require(items != 0, "there must be at least one label")
    scores, top_k = count(first), param.integer("top_k", 1)
    if scores is not None and items is not None:
        require(top_k <= scores // items, f"top_k {top_k} must not be more than {scores // items} classes")
    return Answer([SCALAR, (classes,)][: max(1, len(layer.tops))])
