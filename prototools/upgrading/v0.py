"""V0 to V1: the parameters of `layers { layer { } }` move to where V1 has them.

By upgrade_proto.cpp: UpgradeV0PaddingLayers, UpgradeV0Net and UpgradeV0LayerParameter.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional

from prototools.legacy import PADDING, V0_FIELDS, V0_LAYER_FIELDS, V0_MESSAGES, V0_TYPES, V0_UNREAD, V1_FIELDS
from prototools.prototext import Word
from prototools.upgrading.message import Field, Message
from prototools.upgrading.report import Report

#: Fields of a net that Caffe's upgrade of V0 does not copy.
NOT_COPIED = ("layer", "input_shape", "state", "debug_info")


def needed(net: Message) -> bool:
    """Whether some layer has a V0 layer inside."""
    return any(layers.message.has("layer") for layers in net.all("layers"))


def upgrade(net: Message, report: Report) -> None:
    """Write every V0 layer as a V1 layer."""
    layers = [_Layer(field) for field in net.all("layers")]
    _fold_paddings(net, layers)
    for field in list(net.fields):
        if field.name in NOT_COPIED or not field.portable:
            report.note(field, "", f"{field.name} is dropped, as Caffe's upgrade of V0 nets does")
            net.drop(field)
    kept = [layer for layer in layers if layer.type != PADDING]
    for layer in kept:
        _upgrade_layer(layer, report)
    folded = f", padding layers folded: {len(layers) - len(kept)}" if len(kept) < len(layers) else ""
    report.step(f"V0 to V1, layers: {len(kept)}{folded}")


class _Layer:
    """A layer of a V0 net: the outer message, and the inner one with its type."""

    def __init__(self, field: Field):
        self.field = field
        self.outer = field.message
        self.inner = self.outer.one("layer")
        own = self.inner.message if self.inner else self.outer
        self.type = own.string("type") if self.inner else ""
        self.name = own.string("name") or "a layer"


# ---------------------------------------------------------------- padding layers


class _Blob(NamedTuple):
    """The layer that last wrote a blob, None for an input of the net."""

    layer: Optional[_Layer]


def _fold_paddings(net: Message, layers: List[_Layer]) -> None:
    """Give the pad of each padding layer to the layer behind it, and take the padding layers out."""
    latest: Dict[str, _Blob] = {field.string(): _Blob(None) for field in net.all("input")}
    for layer in layers:
        for bottom in layer.outer.all("bottom"):
            blob = latest.get(bottom.string())
            if blob is None:
                raise bottom.error(f"{layer.name}: its bottom {bottom.string()!r} must be the top of a layer above, "
                                   "or an input, as Caffe's upgrade of V0 nets wants it")
            if blob.layer is not None and blob.layer.type == PADDING:
                _fold(layer, bottom, blob.layer)
        for top in layer.outer.all("top"):
            latest[top.string()] = _Blob(layer)
    for layer in layers:
        if layer.type == PADDING:
            net.drop(layer.field)


def _fold(layer: _Layer, bottom: Field, padding: _Layer) -> None:
    """One layer takes over the pad and the bottom of the padding layer in front of it."""
    if layer.inner is None or layer.type not in ("conv", "pool"):
        raise bottom.error(f"{layer.name}: behind a padding layer must stand conv or pool, but found "
                           f"{layer.type or 'a V1 layer'}")
    if len(layer.outer.all("bottom")) != 1:
        raise bottom.error(f"{layer.name}: behind a padding layer it must have one bottom")
    sources = padding.outer.all("bottom")
    if len(sources) != 1 or len(padding.outer.all("top")) != 1:
        raise padding.field.error(f"{padding.name}: a padding layer must have one bottom and one top")
    own = layer.inner.message
    pad = own.one("pad")
    if pad is None:
        pad = own.scalar("pad", 0)
        own.put(_behind(own, "type"), pad)
    given = padding.inner.message.one("pad") if padding.inner else None
    pad.assign(0) if given is None else pad.copy(given)
    bottom.copy(sources[0])


def _behind(message: Message, name: str) -> int:
    """The place behind a field."""
    found = message.one(name)
    return len(message.fields) if found is None else message.fields.index(found) + 1


# ---------------------------------------------------------------- layers


def _upgrade_layer(layer: _Layer, report: Report) -> None:
    """One layer: what Caffe keeps of the outer message, and the inner one's fields in their places."""
    for field in list(layer.outer.fields):
        if field is layer.inner or field.name in ("bottom", "top"):
            continue
        if field.name in V1_FIELDS or not field.portable:
            where = "beside a V0 layer" if layer.inner else "in a V1 layer among V0 layers"
            report.note(field, layer.name, f"{field.name} {where} is dropped, as Caffe does")
            layer.outer.drop(field)
    if layer.inner is None:
        return
    inner = layer.inner.message
    typed = inner.one("type")
    if typed is not None:
        if layer.type not in V0_TYPES:
            raise typed.error(f"{layer.name}: type must be one of V0's: {', '.join(V0_TYPES)}; "
                              f"but found {layer.type!r}")
        typed.assign(Word(V0_TYPES[layer.type]))
    for name, fields in _sorted(layer, inner, report).items():
        if inner.has(name):
            raise inner.all(name)[0].error(f"{layer.name}: {name} must not stand in a V0 layer beside V0's "
                                           "own parameters")
        inner.gather(name, fields)
    layer.outer.unwrap(layer.inner)


def _sorted(layer: _Layer, inner: Message, report: Report) -> Dict[str, List[Field]]:
    """The parameters under their current names, by the message that they move to; others are dropped."""
    messages: Dict[str, List[Field]] = {}
    for field in list(inner.fields):
        name = field.name
        known = V0_FIELDS.get(name)
        if known is not None and known.taken_by(layer.type):
            inner.one(name)
            field.name = known.name
            messages.setdefault(known.message or V0_MESSAGES[layer.type], []).append(field)
        elif name in V0_LAYER_FIELDS or name == "hdf5_output_param" and layer.type == "hdf5_output":
            continue
        elif known is not None or name == "hdf5_output_param":
            report.note(field, layer.name, f"{name} is dropped, because {layer.type or 'a layer without type'} "
                        "takes none", problem=True)
            inner.drop(field)
        elif name in V0_UNREAD or not field.portable:
            report.note(field, layer.name, f"{name} is dropped, because no Caffe reads it")
            inner.drop(field)
    return messages
