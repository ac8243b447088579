"""What a dialect sees of a layer, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, NamedTuple, Optional, Sequence, Tuple, Union

from prototools.lowerings.request import Refused
from prototools.net import FilteredNet, Layer, Source
from prototools.prototext import Message
from prototools.resize import Resize, SizeRule, Unpool, scaled

#: No factor of a layer that anybody runs is larger, and float32 holds its products with sizes.
LARGEST_FACTOR = 1_000_000

class Unread(Refused):
    """What a fork's layer does, so that this fork may be meant, but what is not read here."""


class OtherBottoms(Refused):
    """More or fewer bottoms or tops than a fork's layer has, so that another fork is meant."""


class OtherField(Refused):
    """A field that a fork's layer does not have, so that another fork is meant."""

    def __init__(self, field: str):
        super().__init__(f"{field} is no field of this dialect")
        self.field = field


#: A blob's shape as far as it is known: None for an unknown dim, or for an unknown rank.
Shape = Optional[Tuple[Optional[int], ...]]


class Context(NamedTuple):
    """One custom layer in one state of its net, with the shapes of its bottoms where it stands."""

    layer: Layer
    bottoms: Sequence[Shape]
    net: FilteredNet

    def rows(self, bottom: int) -> Tuple[Optional[int], Optional[int]]:
        """Height and width of a bottom, each None where it is not known."""
        shape = self.bottoms[bottom] if bottom < len(self.bottoms) else None
        return (shape[2], shape[3]) if shape is not None and len(shape) == 4 else (None, None)

    def source(self, bottom: int) -> Optional[Source]:
        """Where a bottom comes from; None where there is no such bottom, or nobody makes it."""
        sources = self.net.sources(self.layer)
        return sources[bottom] if bottom < len(sources) else None

    def reads_mask(self, bottom: int) -> bool:
        """Whether a bottom is the second top of a Pooling layer."""
        source = self.source(bottom)
        return bool(source and source.layer and source.top == 1 and source.layer.type == "Pooling")

    def param(self, name: str) -> Message:
        """A parameter message of the layer; an empty one where it is not written."""
        return self.layer.param(name)


class Reading(NamedTuple):
    """What a layer computes, which bottom it enlarges, and which bottoms only give a size."""

    computes: Union[Resize, Unpool]
    bottom: int = 0
    references: Tuple[int, ...] = ()
    notes: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Dialect:
    """One fork's meaning of one or more layer types.

    `claims` says whether a file itself decides for this dialect; `read` raises `Refused` where the
    layer asks for what the fork would refuse, or for what is not known.
    """

    name: str
    types: Tuple[str, ...]
    speaks_for: str
    claims: Callable[[Context], bool]
    read: Callable[[Context], Reading]


def never(context: Context) -> bool:
    """The claim of a dialect that writes what others write too: only the user can choose it."""
    return False


def only(message: Message, *fields: str) -> bool:
    """Whether no field but these is written."""
    return all(name in fields for name in message.names())


def some(message: Message, *fields: str) -> bool:
    """Whether at least one of these fields is written."""
    return any(message.has(name) for name in fields)


def refuse_others(message: Message, *fields: str) -> None:
    """Refuse a field that is none of these: whatever it means, it is another fork that writes it."""
    unknown = next((name for name in message.names() if name not in fields), None)
    if unknown:
        raise OtherField(unknown)


def positive(message: Message, name: str, default: int = 1, least: int = 1) -> int:
    """A whole number of at least one, or of what else is the least that a fork takes."""
    value = message.integer(name, default)
    if value < least:
        raise Refused(f"{name} must be at least {least}, but is {value}")
    return value


def finite(message: Message, name: str, default: float = 0.0) -> float:
    """A number that a factor may be."""
    value = message.number(name, default)
    if not abs(value) <= LARGEST_FACTOR:
        raise Refused(f"{name} must be from -{LARGEST_FACTOR:,} to {LARGEST_FACTOR:,}, but is {value:g}")
    return value


def size_factor(message: Message, name: str, default: float = 1.0) -> SizeRule:
    """The size rule of a factor that is written as a float."""
    factor = finite(message, name, default)
    if factor <= 0:
        raise Refused(f"{name} must be more than 0, but is {factor}")
    return scaled(factor)


def require_bottoms(context: Context, *counts: int) -> None:
    """Refuse a layer with another number of bottoms, or with more than one top."""
    found = len(context.layer.bottoms)
    if found not in counts:
        bottoms = "bottom" if counts == (1,) else "bottoms"
        raise OtherBottoms(f"it must have {' or '.join(map(str, counts))} {bottoms}, but has {found}")
    if len(context.layer.tops) != 1:
        raise OtherBottoms(f"it must have one top, but has {len(context.layer.tops)}")


def size_of(context: Context, bottom: int) -> Tuple[int, int]:
    """Height and width of a bottom that gives the size; refused where they are not known."""
    height, width = context.rows(bottom)
    if height is None or width is None:
        blob = context.layer.bottoms[bottom]
        raise Refused(f"{blob}: its height and width must be known, because it gives the size", blob)
    return height, width
