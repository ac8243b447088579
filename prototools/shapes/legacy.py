"""The oldest form of nets, V0, seen as V1: one flat message of parameters for each layer.

Caffe rewrites such a net before it builds it (upgrade_proto.cpp, UpgradeV0Net): parameters move into
the message of their layer's type, and a `padding` layer becomes the pad of the layer behind it.
"""

from __future__ import annotations

from typing import List, Optional

from prototools.legacy import PADDING, V0_FIELDS, V0_MESSAGES, V0_TYPES
from prototools.net import FilteredNet, Layer, Source
from prototools.prototext import Message, parse


class V0Net:
    """What the layers of a net are once Caffe has rewritten V0; those of newer forms are themselves."""

    def __init__(self, net: FilteredNet):
        self._net = net
        self._views = {id(layer): self._modern(layer) for layer in net.layers if layer.version == 0}

    def view(self, layer: Layer) -> Layer:
        """The layer with its parameters where V1 has them."""
        return self._views.get(id(layer), layer)

    def behind(self, source: Optional[Source]) -> Optional[Source]:
        """Where a bottom comes from, past the `padding` layers that Caffe takes out."""
        while source is not None and source.layer is not None and self._pads(source.layer):
            source = self._net.sources(source.layer)[0]
        return source

    @staticmethod
    def _pads(layer: Layer) -> bool:
        return layer.version == 0 and layer.type == PADDING and bool(layer.bottoms)

    def _modern(self, layer: Layer) -> Layer:
        """A V1 layer with this V0 layer's name, wires and parameters."""
        own = layer.parameters
        kind = V0_TYPES.get(layer.type)
        modern = Layer(parse(b"layers { " + self._parameters(layer, own) + b" }").messages("layers")[0])
        modern.name, modern.bottoms, modern.tops = layer.name, layer.bottoms, layer.tops
        modern.type = Layer(parse(f"layers {{ type: {kind} }}".encode()).messages("layers")[0]).type \
            if kind else layer.type
        return modern

    def _parameters(self, layer: Layer, own: Message) -> bytes:
        fields = [_copied(own, name, field.name) for name, field in V0_FIELDS.items() if layer.type in field.types]
        for source in self._net.sources(layer):
            if source is not None and source.layer is not None and self._pads(source.layer):
                pads = [_copied(source.layer.parameters, "pad", "pad")]
                fields = [field for field in fields if not field.startswith(b"pad:")] + pads
        lists = [_copied(own, name, name) for name in ("blobs_lr", "weight_decay")]
        # A layer that takes no transform_param is refused for an empty one too.
        moved = [_copied(own, name, field.name) for name, field in V0_FIELDS.items()
                 if field.message == "transform_param" and own.has(name)]
        transform = b"transform_param { %s }" % b" ".join(moved) if moved else b""
        inside = V0_MESSAGES.get(layer.type, "unused_param").encode()
        return b"%s { %s } %s %s hdf5_output_param { %s }" % (
            inside, b" ".join(fields), transform, b" ".join(lists),
            _body(own.message("hdf5_output_param")),
        )


def _copied(message: Message, name: str, current: str) -> bytes:
    """The values of a field under another name."""
    found: List[bytes] = []
    for node in message.all(name):
        if isinstance(node, Message):
            found.append(b"%s { %s }" % (current.encode(), _body(node)))
        else:
            found.append(b"%s: %s" % (current.encode(), node.literal))
    return b" ".join(found)


def _body(message: Message) -> bytes:
    """What stands between the brackets; the line break ends a comment that may stand last."""
    return message.data[message.body_start : message.body_stop] + b"\n"
