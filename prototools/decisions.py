"""What becomes of each custom layer of a network, in every state that the file has.

For each custom layer a dialect says what it computes, a lowering proposes a block of stock layers, and a
certificate judges it. No text is touched here.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from prototools import dialects, lowerings
from prototools.blocks import Block
from prototools.changes import Change, Refusal
from prototools.dialects import Context, Reading
from prototools.dialects.shapes import KEEPING, infer_custom
from prototools.errors import UnresolvedError
from prototools.lowerings import Choices, Lowered, Refused, Request, ResizeRequest, UnpoolRequest
from prototools.lowerings.request import MOST_ROWS_OF_TWO, PoolOrigin
from prototools.matrices import Weights
from prototools.net import FilteredNet, Layer, Net, Source
from prototools.placement import Placement, place
from prototools.prototext import Document
from prototools.prototext.placeholders import values_of
from prototools.prototext.places import place_of
from prototools.resize import Unpool
from prototools.shapes import TABLE, Inference


def _choices(dialect: Iterable[str], lowering, accept: Iterable[str], prefer: str) -> Choices:
    """The user's wishes, checked against the names there are."""
    _known("dialect", dialect, dialects.names())
    _known("lowering", [lowering] if lowering else [], lowerings.names())
    _known("accept", accept, ["border"])
    _known("prefer", [prefer], lowerings.PREFERENCES)
    return Choices(lowering=lowering, accept_border="border" in tuple(accept), prefer=prefer)


def _known(what: str, given: Iterable[str], names: Iterable[str]) -> None:
    names = list(names)
    for name in given:
        if name not in names:
            from difflib import get_close_matches

            near = get_close_matches(name, names, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"{what} must be one of {', '.join(names)}, but is {name}{hint}")


class _Answer(NamedTuple):
    """What one state of a net makes of a custom layer."""

    dialect: str
    reading: Reading
    request: Request
    lowered: Lowered


class Decisions:
    """One pass over one net: the states it has, and what was decided for each custom layer."""

    def __init__(self, net: Net, shapes: Mapping[str, Sequence[int]], *, dialect: Tuple[str, ...],
                 lowering: Optional[str], prefer: str, accept: Tuple[str, ...], filler_safe: bool, weights: bool):
        self.net = net
        self.document: Document = net.document
        self.shapes, self.wanted = shapes, dialect
        self.choices = _choices(dialect, lowering, accept, prefer)._replace(filler_safe=filler_safe, weights=weights)
        self.changes: List[Change] = []
        self.refusals: List[Refusal] = []
        self.placements: List[Tuple[Layer, Placement]] = []
        self.others: Dict[Tuple[int, str], Inference] = {}
        custom = [layer for layer in net.layers if layer.kind in dialects.TYPES]
        self.states = self._states() if custom else []
        self.taken: Set[str] = _names(net) if custom else set()
        for layer in net.layers:
            if layer.kind in dialects.TYPES:
                self._decide(layer)
            elif layer.type in dialects.UNREAD_TYPES:
                self._refuse(layer, Refused(dialects.UNREAD_TYPES[layer.type]))

    def _states(self) -> List[Tuple[FilteredNet, Inference]]:
        """Every different net that the file can become, with its shapes.

        A state in which some bottom has no maker is no net that anybody runs, so it is left out
        where there is another.
        """
        different = {}
        for state in self.net.states():
            filtered = self.net.filtered(state)
            different.setdefault(tuple(map(id, filtered.layers)), filtered)
        whole = [net for net in different.values() if not net.unknown_bottoms()]
        nets = whole or list(different.values())
        return [(net, infer_custom(net, self.shapes, self.wanted, checks=False)) for net in nets]

    # ------------------------------------------------------------ one layer

    def _decide(self, layer: Layer) -> None:
        """Replace a layer if all states agree on one exact block; refuse it otherwise."""
        try:
            self._accept(layer, self._agreed(layer))
        except Refused as error:
            self._refuse(layer, error)
        except UnresolvedError as error:
            self._refuse(layer, Refused(error.message))

    def _agreed(self, layer: Layer) -> _Answer:
        """A block that is exact in every state in which the layer stands."""
        found = [
            self._lowered(Context(layer, shapes.bottoms(layer), net), shapes)
            for net, shapes in self.states if layer in net
        ]
        if not found:
            raise Refused("no phase, level or stage of the file contains it")
        if all(other.lowered.block.layers == found[0].lowered.block.layers for other in found):
            return found[0]
        # Where little is known the block relies on little, and may serve where more is known.
        for one in found:
            if all(lowerings.certify(one.lowered.block, other.request).exact for other in found):
                return one
        raise Refused("its phases need different blocks, because their sizes differ")

    def _lowered(self, context: Context, shapes: Inference) -> _Answer:
        try:
            dialect, reading = dialects.read(context, self.wanted)
            self._require_fit(context, dialect.name, shapes)
            request = request_for(context, reading, shapes)
            return _Answer(dialect.name, reading, request, lowerings.lower(request, self.choices))
        except Refused as error:
            raise _with_help(error, context, shapes) from None

    def _require_fit(self, context: Context, read: str, shapes: Inference) -> None:
        """Refuse a reading whose sizes do not fit the net where those of a dialect that is never guessed do."""
        kind = context.layer.kind
        if not shapes.errors or read in self.wanted:
            return
        many = len(shapes.errors)
        fitting = [name for name in dialects.unclaimed(kind) if len(self._sizes(context, name).errors) < many]
        if fitting:
            problem = shapes.errors[0].message
            raise Refused(f"read as {read}'s it does not fit the net ({problem}), but as another fork's it does; "
                          f"give --dialect {' or '.join(fitting)}, or --dialect {read} if that is meant")

    def _sizes(self, context: Context, name: str) -> Inference:
        """The sizes of a state's net as another dialect reads it."""
        key = id(context.net), name
        if key not in self.others:
            self.others[key] = infer_custom(context.net, self.shapes, (*self.wanted, name), checks=False)
        return self.others[key]

    def _accept(self, layer: Layer, answer: _Answer) -> None:
        _, reading, _, lowered = answer
        unread = _left_unread(layer, reading, [net for net, _ in self.states])
        placement = place(layer, lowered.block, self.taken, unread)
        self.taken.update(placement.names)
        self.placements.append((layer, placement))
        line, _ = place_of(self.document.data, layer.message.start)
        self.changes.append(
            Change(
                layer.name, layer.type, line, answer.dialect, str(reading.computes), lowered.block.lowering,
                tuple(placement.layer_names), lowered.certificate, lowered.cost,
                lowered.block.newer_filler, reading.notes + lowered.block.conditions + lowered.hints,
                lowered.others,
                _matrices(placement, lowered.block),
            )
        )

    def _refuse(self, layer: Layer, error: Refused) -> None:
        line, column = place_of(self.document.data, layer.message.start)
        self.refusals.append(Refusal(layer.name, layer.type, line, column, str(error), error.blob))

    def edits(self) -> Iterable[Tuple[int, int, bytes]]:
        """The spans of the replaced layers with their new text."""
        for layer, placement in self.placements:
            yield layer.message.start, layer.message.stop, placement.text(self.document)


def _matrices(placement: Placement, block: Block) -> Dict[str, Weights]:
    """The weights that no filler writes, by the names of the new layers."""
    names = placement.layer_names[-len(block.layers) :]
    return {name: layer.matrix for name, layer in zip(names, block.layers) if layer.matrix is not None}


def _names(net: Net) -> Set[str]:
    """Every name of a layer or a blob in the file."""
    taken = {name for name, _ in net.inputs()}
    for layer in net.layers:
        taken.update((layer.name, *layer.bottoms, *layer.tops))
    return taken


def _left_unread(layer: Layer, reading: Reading, nets: Sequence[FilteredNet]) -> List[str]:
    """The bottoms that only gave a size and that nobody else reads: they would become outputs."""
    unread = []
    for index in reading.references:
        for net in nets:
            source = net.sources(layer)[index] if layer in net else None
            if source and len(net.consumers(source.layer, source.top)) == 1:
                unread.append(layer.bottoms[index])
    return list(dict.fromkeys(unread))


# ---------------------------------------------------------------- requests


def request_for(context: Context, reading: Reading, shapes: Inference) -> Request:
    """What a lowering needs to know of a layer that a dialect has read."""
    layer = context.layer
    if layer.version == 0:
        raise Refused("it stands in a V0 file; run prototools upgrade first")
    if set(layer.tops) & set(layer.bottoms):
        raise Refused("its top must not be one of its bottoms")
    for blob, shape in zip(layer.bottoms, context.bottoms):
        if shape is not None and len(shape) != 4:
            raise Refused(f"its bottoms must have 4 axes, but {blob} has {len(shape)}", blob)
    if isinstance(reading.computes, Unpool):
        return _unpool_request(context, reading.computes, shapes)
    bottom = reading.bottom
    return ResizeRequest(
        reading.computes, layer.bottoms[bottom], _channels(context, bottom), context.rows(bottom),
        layer.version,
    )


def _channels(context: Context, bottom: int) -> Optional[int]:
    shape = context.bottoms[bottom]
    return shape[1] if shape is not None and len(shape) == 4 else None


def _unpool_request(context: Context, unpool: Unpool, shapes: Inference) -> UnpoolRequest:
    data, mask = context.layer.bottoms[:2]
    channels = _channels(context, 0)
    if channels is None:
        channels = _channels(context, 1)
    origin = _origin(context, context.source(1), shapes)
    return UnpoolRequest(unpool, data, mask, channels, context.rows(0), origin, context.layer.version)


def _origin(context: Context, source: Optional[Source], shapes: Inference) -> PoolOrigin:
    """The Pooling layer behind a mask."""
    pool = source.layer if source and source.top == 1 else None
    if pool is None or pool.type != "Pooling":
        raise Refused("its mask, the second bottom, must be the second top of a Pooling layer in this file")
    if not pool.bottoms:
        raise Refused(f"its mask must come from a Pooling layer with a bottom, but {pool.name} has none")
    param = pool.param("pooling_param")
    if param.word("pool", "MAX") not in ("MAX", "0") or param.boolean("global_pooling"):
        raise Refused(f"its mask must come from MAX pooling with a window, but {pool.name} has none")
    shape = shapes.bottoms(pool)[0]
    kernel, stride = _pair(param, "kernel_size", "kernel", 0), _pair(param, "stride", "stride", 1)
    if max(*kernel, *stride) > MOST_ROWS_OF_TWO:
        raise Refused(f"the windows of {pool.name} must have at most {MOST_ROWS_OF_TWO:,} rows, and lie no further "
                      "apart")
    return PoolOrigin(
        pool.name, kernel, stride, _pair(param, "pad", "pad", 0), pool.bottoms[0],
        (shape[2], shape[3]) if shape is not None and len(shape) == 4 else (None, None),
    )


def _pair(param: Any, short: str, stem: str, default: int) -> Tuple[int, int]:
    """A pooling setting of height and width from either way of writing it."""
    both = param.integer(short, default)
    return param.integer(f"{stem}_h", both), param.integer(f"{stem}_w", both)


# ---------------------------------------------------------------- which shape would help


def _with_help(error: Refused, context: Context, shapes: Inference) -> Refused:
    """The refusal with the blob at the root of what is not known."""
    if error.blob is None:
        return error
    root, maker = _root(context.net, shapes, error.blob, context.layer)
    wanted = _placeholders(context.net.net, maker)
    values = "".join(f" -D {name}=VALUE" for name in wanted)
    return Refused(f"{error}; give{values}{' or' if wanted else ''} --shape {root}=N,C,H,W", root)


def _placeholders(net: Net, maker: Optional[Layer]) -> List[str]:
    """The placeholders in the layer that makes a blob, or in the net's inputs."""
    document = net.document
    fields = [maker.message] if maker is not None else document.all("input_shape") + document.all("input_dim")
    found = [values_of(document.data, field.start, field.stop) for field in fields]
    return list(dict.fromkeys(name for names in found for name in names))


def _root(net: FilteredNet, shapes: Inference, blob: str, reader: Layer) -> Tuple[str, Optional[Layer]]:
    """Upstream from a blob to the first one whose shape nothing in the file tells, and the layer that makes it."""
    seen: Set[int] = set()
    maker: Optional[Layer] = None
    while True:
        source = _source_of(net, blob, reader)
        if source is None or source.layer is None:
            return blob, None
        # An in-place layer makes the blob that it reads, so it is layers that must not come twice.
        if id(source.layer) in seen:
            return blob, maker
        maker = reader = source.layer
        seen.add(id(maker))
        if _placeholders(net.net, maker) or _is_opaque(maker):
            return blob, maker
        open_bottoms = [
            name for name, shape in zip(reader.bottoms, shapes.bottoms(reader))
            if shape is None or None in shape
        ]
        if not open_bottoms:
            return blob, maker
        blob = open_bottoms[0]


def _is_opaque(layer: Layer) -> bool:
    """Whether nobody here knows what shape a layer makes, so that its bottoms' shapes are of no help."""
    if layer.kind in dialects.TYPES or layer.type in KEEPING:
        return False
    return layer.type == "Python" or layer.type not in TABLE


def _source_of(net: FilteredNet, blob: str, reader: Layer) -> Optional[Source]:
    """Where a blob comes from as a layer reads it, or as the net makes it first."""
    if blob in reader.bottoms:
        return net.sources(reader)[reader.bottoms.index(blob)]
    makers = [Source(layer, layer.tops.index(blob)) for layer in net.layers if blob in layer.tops]
    return makers[0] if makers else None
