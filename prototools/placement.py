"""A block in its place: names for its layers and blobs, and its text in the file's own style.

The last layer's top keeps the name of the replaced layer's top, so nothing downstream changes.
No new layer keeps the replaced layer's name: a fork's weights file lists that layer without blobs,
and Caffe aborts where the numbers of blobs differ (net.cpp, CopyTrainedLayersFrom).
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, NamedTuple, Sequence, Set, Tuple

from prototools.blocks import TOP, Block, Local, StockLayer, silence
from prototools.net import V1_TYPES, Layer
from prototools.prototext import Document, Message, Style, Word, write_fields

V1_NAMES = {current: old for old, current in V1_TYPES.items()}


class Placement(NamedTuple):
    """The new layers of one replaced layer, as fields ready to write."""

    layer: Layer
    fields: Tuple[Dict[str, Any], ...]
    names: Set[str]

    @property
    def layer_names(self) -> List[str]:
        """The names of the new layers, in order."""
        return [field["name"] for field in self.fields]

    def text(self, document: Document) -> bytes:
        """The new layers as text, with the comments that stood inside the replaced layer above them."""
        message, data = self.layer.message, document.data
        style = Style.of(data)
        indent = _indent(data, message.start)
        one_line = b"\n" not in data[message.start : message.stop]
        layers = [write_fields({message.name: fields}, style, 0, one_line) for fields in self.fields]
        between = style.newline
        if data[message.start] in b"{<":
            # An element of a list, `layer [{ ... }, { ... }]`, has no name and is set apart by a comma.
            layers = [layer[layer.index(b"{") :] for layer in layers]
            between = b"," + style.newline
        lines = style.newline.join([*message.comments(), between.join(layers)])
        return lines.replace(style.newline, style.newline + indent)


def place(layer: Layer, block: Block, taken: Set[str], unread: Sequence[str] = ()) -> Placement:
    """Name a block's layers and blobs after the layer they replace.

    `taken` are the names that the file already uses; `unread` the bottoms to silence.
    """
    stock = [*([silence("unread", unread)] if unread else []), *block.layers]
    stem = layer.name or layer.tops[0]
    names = _Names(stem, taken)
    blobs = _blob_names(stock, layer.tops[0], names)
    fields = tuple(_fields(layer, one, blobs, names) for one in stock)
    return Placement(layer, fields, names.given)


class _Names:
    """Unique names that begin with the replaced layer's."""

    def __init__(self, stem: str, taken: Set[str]):
        self.stem, self.taken = stem, taken
        self.by_role: Dict[str, str] = {}
        self.given: Set[str] = set()

    def of(self, role: str) -> str:
        """The name for a role; the same each time."""
        if role not in self.by_role:
            wanted, count = f"{self.stem}/{role}", 1
            name = wanted
            while name in self.taken or name in self.given:
                count += 1
                name = f"{wanted}_{count}"
            self.by_role[role] = name
            self.given.add(name)
        return self.by_role[role]


def _blob_names(stock: Iterable[StockLayer], top: str, names: _Names) -> Dict[str, str]:
    """Names for the block's own blobs: a layer's only top is called like the layer."""
    blobs: Dict[str, str] = {TOP: top}
    for layer in stock:
        for label in layer.tops:
            if isinstance(label, Local) and label not in blobs:
                blobs[label] = names.of(layer.role if len(layer.tops) == 1 else label)
    return blobs


def _fields(
    layer: Layer, stock: StockLayer, blobs: Dict[str, str], names: _Names
) -> Dict[str, Any]:
    """One new layer as fields, in the order that Caffe's own files use."""
    current = layer.version == 2
    fields: Dict[str, Any] = {
        "name": names.of(stock.role),
        "type": stock.type if current else Word(V1_NAMES[stock.type]),
        "bottom": [_blob(label, blobs) for label in stock.bottoms],
        "top": [_blob(label, blobs) for label in stock.tops],
    }
    if TOP in stock.tops:
        fields["loss_weight"] = _literals(layer.message, "loss_weight")
    if current:
        fields["propagate_down"] = _propagate_down(layer, stock)
    if stock.frozen:
        frozen = {"param": {"lr_mult": 0, "decay_mult": 0}}
        fields.update(frozen if current else {"blobs_lr": 0, "weight_decay": 0})
    fields.update(stock.fields)
    for rule in ("include", "exclude"):
        fields[rule] = [_copied(message) for message in layer.message.messages(rule)]
    return fields


def _blob(label: str, blobs: Dict[str, str]) -> str:
    return blobs[label] if isinstance(label, Local) else str(label)


def _propagate_down(layer: Layer, stock: StockLayer) -> List[bool]:
    """The block's own wish, else the replaced layer's for the bottoms that it read."""
    if stock.propagate_down is not None:
        return list(stock.propagate_down)
    given = dict(zip(layer.bottoms, layer.message.booleans("propagate_down")))
    if not any(label in given and not isinstance(label, Local) for label in stock.bottoms):
        return []
    return [given.get(label, True) for label in stock.bottoms]


def _literals(message: Message, name: str) -> List[Word]:
    """The values of a field spelt as in the file."""
    return [Word(scalar.literal.decode("latin-1")) for scalar in message.scalars(name)]


def _copied(message: Message) -> Dict[str, Any]:
    """A message's fields spelt as in the file."""
    fields: Dict[str, List[Any]] = {}
    for node in message:
        value = _copied(node) if isinstance(node, Message) else Word(node.literal.decode("latin-1"))
        fields.setdefault(node.name, []).append(value)
    return fields


def _indent(data: bytes, start: int) -> bytes:
    """The blanks in front of a layer on its line; nothing where something else stands there."""
    line = data[data.rfind(b"\n", 0, start) + 1 : start]
    return line if not line.strip() else b""
