"""Layers over time: LSTM, RNN and the unit that LSTM is made of (recurrent_layer.cpp)."""

from __future__ import annotations

from typing import List, Sequence, Tuple

from prototools.net import Layer
from prototools.shapes.blob import Answer, Dim, Shape, count, require, same, same_shape, words
from prototools.shapes.fillers import check_filler


def lstm(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """(T, N, n); with `expose_hidden` also the last hidden state and cell, each (1, N, n)."""
    tops, outputs, inputs = _unrolled(layer, bottoms, hidden=2)
    gates = 4 * outputs
    params: List[Shape] = [*((gates, size) for size in inputs), (gates, outputs)]
    params.insert(1, (gates,))
    return _filled(layer, tops, params)


def rnn(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """(T, N, n); with `expose_hidden` also the last hidden state (1, N, n)."""
    tops, outputs, inputs = _unrolled(layer, bottoms, hidden=1)
    params: List[Shape] = [(outputs, size) for size in inputs]
    params.insert(1, (outputs,))
    params += [(outputs, outputs), (outputs, outputs), (outputs,)]
    return _filled(layer, tops, params)


def _unrolled(layer: Layer, bottoms: Sequence[Shape], hidden: int) -> Tuple[List[Shape], int, List[Dim]]:
    """The tops, num_output, and the sizes of the inputs: of each step, and static."""
    param = layer.param("recurrent_param")
    states = hidden if param.boolean("expose_hidden") else 0
    outputs = param.integer("num_output")
    require(outputs > 0, "num_output must be at least 1")
    _check_counts(layer, states)
    steps, items = _steps(bottoms)
    state = (1, items, outputs)
    for bottom in bottoms[len(bottoms) - states :] if states else []:
        require(same_shape(bottom, state), f"a hidden state must be {words(state)}, but is {words(bottom)}")
    inputs = [count(bottoms[0], 2)]
    if len(bottoms) > 2 + states:
        inputs.append(_static(bottoms[2], items))
    return [(steps, items, outputs), *[state] * states], outputs, inputs


def _check_counts(layer: Layer, states: int) -> None:
    few, many, tops = 2 + states, 3 + states, 1 + states
    require(few <= len(layer.bottoms) <= many, f"it must have {few} or {many} bottoms, but has {len(layer.bottoms)}")
    require(len(layer.tops) == tops, f"it must have {tops} tops, but has {len(layer.tops)}")


def _steps(bottoms: Sequence[Shape]) -> Tuple[Dim, Dim]:
    """T and N, which the second bottom, the sequence marks, has too."""
    first, marks = bottoms[:2]
    require(first is None or len(first) > 2, f"its first bottom must be T x N x ..., but is {words(first)}")
    require(marks is None or len(marks) == 2, f"its second bottom must be T x N, but is {words(marks)}")
    if first is None or marks is None:
        return (first or marks or (None, None))[:2]  # type: ignore[return-value]
    fits = same_shape(first[:2], marks)
    require(fits, f"both bottoms must have one T x N: {words(first)} and {words(marks)}")
    return first[:2]  # type: ignore[return-value]


def _static(bottom: Shape, items: Dim) -> Dim:
    if bottom is None:
        return None
    require(bool(bottom) and same(bottom[0], items), f"its static bottom must have {items} items: {words(bottom)}")
    return count(bottom, 1)


def _filled(layer: Layer, tops: List[Shape], params: List[Shape]) -> Answer:
    for shape in params:
        name = "bias_filler" if shape is not None and len(shape) == 1 else "weight_filler"
        check_filler(layer.param("recurrent_param"), name, shape)
    return Answer(tops, params, [count(tops[0])])


def lstm_unit(layer: Layer, bottoms: Sequence[Shape]) -> Answer:
    """A cell and a hidden state, both like the first bottom (1, N, n)."""
    cell, gates, marks = bottoms
    items = cell[1] if cell is not None and len(cell) == 3 else None
    outputs = cell[2] if cell is not None and len(cell) == 3 else None
    wanted = [(1, items, outputs), (1, items, None if outputs is None else 4 * outputs), (1, items)]
    for bottom, shape in zip((cell, gates, marks), wanted):
        require(same_shape(bottom, shape), f"it must be {words(shape)}, but is {words(bottom)}")
    return Answer([cell, cell])
