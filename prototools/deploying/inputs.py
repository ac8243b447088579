"""The shapes of inputs, as far as the file decides: crop sizes, new sizes, mean values, and what a layer is told.

The first axis, the batch, is the caller's; the file's own batch size is given beside it.
"""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Sequence, Tuple

from prototools.errors import NetError
from prototools.layer_types import STOCK_TYPES
from prototools.net import Layer
from prototools.prototext import Message
from prototools.shapes import TABLE
from prototools.shapes.blob import Missing, Shape


class Known(NamedTuple):
    """What the file tells of a top: a shape whose first dim is the file's batch size; None where it is silent."""

    shape: Shape
    hint: str


def known(view: Layer, top: int) -> Known:
    """The shape of a data layer's top, with words for what is missing."""
    shape = _stock(view, top) if view.type in STOCK_TYPES else _fork(view, top)
    if shape is None or view.type == "Python":
        return Known(None, "nothing in the file tells its shape")
    if top == 0 and len(shape) == 4 and view.type != "Input":
        batch, channels, height, width = shape
        shape = (batch, channels or _channels(view), height, width)
    if None not in shape[1:]:
        return Known(shape, "")
    missing = [word for word, dim in zip(("channels", "height", "width"), shape[1:]) if dim is None]
    return Known(shape, f"the file does not tell its {_and(missing)}")


def merged(given: Sequence[Optional[int]], file: Shape) -> Tuple[Optional[int], ...]:
    """The user's shape, its unknown dims taken from the file's, a missing batch from neither: it is 1."""
    if file is None or len(file) != len(given):
        return tuple(given)
    return tuple(own if own is not None else 1 if axis == 0 else dim
                 for axis, (own, dim) in enumerate(zip(given, file)))


def example(shape: Shape) -> str:
    """A shape as the option wants it, with letters where the user must know: `1,C,227,227`."""
    if shape is None:
        return "N,C,H,W"
    letters = ["1", "C", "H", "W"] if len(shape) == 4 else ["1", *(f"D{i}" for i in range(1, len(shape)))]
    return ",".join(letter if axis == 0 or dim is None else str(dim)
                    for axis, (letter, dim) in enumerate(zip(letters, shape)))


def _stock(view: Layer, top: int) -> Shape:
    """What shape inference knows without the layer's files."""
    try:
        tops = TABLE[view.type].shapes(view, []).tops
    except Missing as error:
        tops = error.tops
    except NetError:
        # Caffe would refuse the layer, which goes, but its fields may tell enough.
        return _fork(view, top)
    return tops[top] if top < len(tops) else None


def _fork(view: Layer, top: int) -> Shape:
    """A fork's data layer: images are its first top, cropped or resized by the usual fields."""
    if top:
        return None
    parts: List[Message] = [part for name in view.param_names() for part in view.message.messages(name)]
    batch = max([part.integer("batch_size") for part in parts if part.has("batch_size")], default=1)
    height, width = _size(view.param("transform_param"), parts)
    return (batch, None, height, width)


def _size(transform: Message, parts: Sequence[Message]) -> Tuple[Optional[int], Optional[int]]:
    """A crop decides; else a resize to height and width (SSD), or new_height and new_width."""
    crop = max(part.integer("crop_size") for part in [transform, *parts])
    if crop:
        return crop, crop
    resizes = transform.messages("resize_param")
    sizes = {(resize.integer("height"), resize.integer("width")) for resize in resizes}
    if len(sizes) == 1 and all(resize.word("resize_mode", "WARP") in ("WARP", "1") for resize in resizes):
        height, width = sizes.pop()
        return height or None, width or None
    for part in parts:
        if part.has("new_height") and part.has("new_width"):
            return part.integer("new_height") or None, part.integer("new_width") or None
    return None, None


def _channels(view: Layer) -> Optional[int]:
    """Several mean values are one for each channel (data_transformer.cpp); windows are read in colour."""
    means = len(view.param("transform_param").numbers("mean_value"))
    if means > 1:
        return means
    transform = view.param("transform_param")
    if transform.boolean("force_color"):
        return 3
    if transform.boolean("force_gray"):
        return 1
    return 3 if view.type == "WindowData" else None


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
