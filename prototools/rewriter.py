"""`rewrite`: replace every custom resize layer of a network by stock layers with the same numbers.

Decide, then edit. `decisions` says what becomes of each custom layer; only then is text touched: the span
of the replaced layer, and no other byte.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, Mapping, Optional, Sequence, Tuple, Union

from prototools.changes import Result
from prototools.layer_types import RESIZE_TYPES
from prototools.net import Net
from prototools.prototext import parse
from prototools.prototext.placeholders import filled, texts

#: The wishes of somebody who has none.
NO_WISHES: Dict[str, Any] = {"dialect": (), "lowering": None, "accept": (), "prefer": "deconvolution"}


def rewrite(
    text: Union[bytes, str],
    *,
    shapes: Optional[Mapping[str, Sequence[int]]] = None,
    dialect: Iterable[str] = (),
    lowering: Optional[str] = None,
    filler_safe: bool = False,
    weights: bool = False,
    prefer: str = "deconvolution",
    accept: Iterable[str] = (),
    values: Optional[Mapping[str, Any]] = None,
) -> Result:
    """Replace the custom resize layers of a network (Interp, Upsample, Unpooling and their kin).

    `text` is a prototxt; a placeholder `$NAME`, `${NAME}` or `$NAME$` in it is replaced where `values` has
    NAME, and stays where no value is needed. `shapes` gives or overrides shapes of blobs, each as (N, C, H, W).
    `dialect` names the forks to read ambiguous layers by, `lowering` forces one form of block.
    `filler_safe` avoids the bilinear kernels that Caffe 1.0 and older fill wrongly.
    `weights` says that the caffemodel is patched too (`patch_weights`), which allows blocks that need
    it; `prefer` is "deconvolution", "speed" or "memory".
    `accept=["border"]` takes blocks that differ from the fork's layer near the border only.

    Every other byte stays as it is. Blobs are (N, C, H, W); the certificate of each change says in
    exact arithmetic that the block computes what the fork's layer computes, borders included.
    Raises `ProtoTextError` for a file that is no text format, `ValueError` for an unknown name.
    """
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)
    data = filled(data, texts(values or {}))
    net = Net(parse(data, placeholders=True))
    wishes = {"dialect": tuple(dialect), "lowering": lowering, "accept": tuple(accept), "prefer": prefer}
    if wishes == NO_WISHES and RESIZE_TYPES.isdisjoint(layer.kind for layer in net.layers):
        # Nothing to decide, and so no dialects and lowerings to load.
        return Result(_like(text, data), (), (), _foreign(net))
    from prototools.decisions import Decisions

    decisions = Decisions(net, shapes or {}, filler_safe=filler_safe, weights=weights, **wishes)
    after = data
    if decisions.placements:
        after = net.document.edited(decisions.edits())
        # A block that is no text format is a mistake of ours, which nobody should get to see.
        parse(after, placeholders=True)
    return Result(_like(text, after), tuple(decisions.changes), tuple(decisions.refusals), _foreign(net))


def _foreign(net: Net) -> Tuple[str, ...]:
    """The layer types that neither stock Caffe nor any dialect knows."""
    return tuple(sorted({layer.type for layer in net.layers if layer.foreign} - RESIZE_TYPES))


def _like(given: Union[bytes, str], data: bytes) -> Union[bytes, str]:
    """Bytes as what was given."""
    return data.decode("utf-8", "surrogateescape") if isinstance(given, str) else data
