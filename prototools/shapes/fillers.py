"""Which fillers Caffe knows, and which blobs they can fill (filler.hpp)."""

from __future__ import annotations

from prototools.prototext import Message
from prototools.shapes.blob import Shape, require, same, words

FILLERS = ("constant", "gaussian", "positive_unitball", "uniform", "xavier", "msra", "bilinear")

#: Those that divide by the first dim.
_BY_ITEM = ("positive_unitball", "xavier", "msra")


def check_filler(param: Message, name: str, shape: Shape) -> None:
    """Refuse an unknown filler, and a bilinear one for a blob that is not 4-D and square."""
    fillers = param.messages(name)
    for filler in fillers[:1]:
        kind = filler.string("type", "constant")
        require(kind in FILLERS, f"{name} must be one of {', '.join(FILLERS)}, but is {kind}")
        require(shape != () or kind not in _BY_ITEM, f"a filler {kind} needs a blob with an axis")
        if kind == "bilinear" and shape is not None:
            require(len(shape) == 4, f"a bilinear {name} needs a blob of 4 axes, but it is {words(shape)}")
            require(same(shape[2], shape[3]), f"a bilinear {name} needs a square kernel: {words(shape)}")
