"""What a lowering is asked for, and how it says no."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd
from typing import List, NamedTuple, Optional, Tuple

from prototools.blocks import Local, StockLayer, pooling, silence, slicing
from prototools.errors import PrototoolsError
from prototools.resize import Axis, Given, Resize, Times, Unpool, Zoomed
from prototools.sampling import ALIGN_CORNERS

#: Height and width; None where a size is not known.
Rows = Tuple[Optional[int], Optional[int]]

UNKNOWN_SIZE = "its height and width must be known"
UNKNOWN_CHANNELS = "its number of channels must be known"

#: The most rows or columns of a layer's output: of a known size, and of two rows where all sizes are certified.
MOST_ROWS, MOST_ROWS_OF_TWO = 32_768, 1_024


class Refused(PrototoolsError):
    """A layer that cannot be replaced, with the reason as a sentence.

    `blob` is the bottom whose shape would help, where that is what is missing.
    """

    def __init__(self, sentence: str, blob: Optional[str] = None):
        super().__init__(sentence)
        self.blob = blob


def require_rows(resize: Resize, rows: Rows) -> None:
    """Something must be left of the input, and something come out that can be certified row by row.

    Raises `Refused` otherwise.
    """
    for name, axis, size in zip(("height", "width"), resize.axes, rows):
        if size is not None and (size - sum(axis.crop) < 1 or axis.out(size) < 1):
            raise Refused(f"its {name} must be more than 0 after the pads, but the input's is {size}")
        most = MOST_ROWS if size is not None or axis.fixed else MOST_ROWS_OF_TWO
        made = axis.out(2 + sum(axis.crop) if size is None else size)
        if made > most:
            made_of = " for two rows" if most < MOST_ROWS else ""
            raise Refused(f"its {name} would be {made:,}{made_of}, and certificates for more than {most:,} are not "
                          "computed")


class Sampler(NamedTuple):
    """One axis as a recipe for stock layers: repeat every row, average a window, step by a stride.

    Interpolation between H rows that gives H' rows with aligned corners is (H-1)/(H'-1) = p/q in
    lowest terms, repeat q, window q, stride p: a window of q repeated rows that starts at row i p
    holds q - r copies of one source row and r of the next, where r = i p mod q.
    """

    repeat: int
    window: int = 1
    stride: int = 1


@dataclass(frozen=True)
class ResizeRequest:
    """A resize to build: what, of which blob, and what is known about it.

    `version` is the form of the file: V1 has no Crop layer.
    `may_silence` allows tops that only a Silence layer reads; a NetSpec has no place for those.
    """

    resize: Resize
    bottom: str
    channels: Optional[int]
    rows: Rows
    version: int = 2
    may_silence: bool = True

    def need_channels(self) -> int:
        """The number of channels, or the refusal that names the blob."""
        if self.channels is None:
            raise Refused(f"{self.bottom}: {UNKNOWN_CHANNELS}", self.bottom)
        return self.channels

    def samplers(self) -> Tuple[Sampler, Sampler]:
        """Both axes as recipes; raises `Refused` where a size is missing or no recipe fits."""
        height, width = (sampler(*pair, self.bottom) for pair in zip(self.resize.axes, self.rows))
        return height, width

    @property
    def crops(self) -> Tuple[Tuple[int, int], Tuple[int, int]]:
        """The rows to cut from the start and the end of each axis first."""
        height, width = (_crop(*pair) for pair in zip(self.resize.axes, self.rows))
        return height, width

    def cut(self) -> Tuple[List[StockLayer], ResizeRequest]:
        """Layers that cut what must be cut first, and the request that is left after them."""
        layers: List[StockLayer] = []
        blob, axes, rows = self.bottom, list(self.resize.axes), list(self.rows)
        for axis, (first, last) in enumerate(self.crops):
            if first or last:
                kept = Local(f"cut_{'hw'[axis]}")
                layers += self._cut(blob, kept, axis, (first, last), rows[axis])
                blob = kept
                rows[axis] = None if rows[axis] is None else rows[axis] - first - last
                axes[axis] = replace(axes[axis], crop=(0, 0))
        resize = replace(self.resize, height=axes[0], width=axes[1])
        left = replace(self, resize=resize, bottom=blob, rows=tuple(rows))
        return layers, left

    def _cut(
        self, blob: str, kept: Local, axis: int, crop: Tuple[int, int], rows: Optional[int]
    ) -> List[StockLayer]:
        """Slice where that can be, because it only copies; Crop where it cannot."""
        if self.may_silence and not (crop[1] and rows is None):
            return sliced(blob, kept, axis, crop, rows)
        if self.version < 2:
            raise Refused(f"{blob}: {UNKNOWN_SIZE} to cut {crop[1]} rows from its end", blob)
        return cropped(blob, kept, axis, crop)


def sampler(axis: Axis, rows: Optional[int], bottom: str) -> Sampler:
    """The recipe for one axis after its crop."""
    if isinstance(axis.size, Zoomed) and axis.size.shrink == 1:
        return _aligned_zoom(axis, axis.size.zoom)
    if isinstance(axis.size, Times) and axis.size.less == 0 and axis.sampling != ALIGN_CORNERS:
        return Sampler(axis.size.factor)
    if rows is None:
        raise Refused(f"{bottom}: {UNKNOWN_SIZE}", bottom)
    first, last = _crop(axis, rows)
    return _known(axis, rows - first - last, axis.out(rows))


def _aligned_zoom(axis: Axis, zoom: int) -> Sampler:
    return Sampler(zoom, zoom) if axis.sampling == ALIGN_CORNERS else Sampler(zoom)


def _known(axis: Axis, rows: int, out: int) -> Sampler:
    if rows == 1:
        return Sampler(out)
    if axis.sampling == ALIGN_CORNERS:
        stride, repeat = _lowest_terms(rows - 1, out - 1)
        return Sampler(repeat, repeat, stride)
    stride, repeat = _lowest_terms(rows, out)
    return Sampler(repeat, 1, stride)


def _lowest_terms(a: int, b: int) -> Tuple[int, int]:
    common = gcd(a, b)
    return a // common, b // common


def _crop(axis: Axis, rows: Optional[int]) -> Tuple[int, int]:
    """The axis' own crop; all but the first row where only that one is read."""
    first, last = axis.crop
    if axis.sampling == ALIGN_CORNERS and rows is not None and axis.out(rows) == 1:
        return first, rows - first - 1
    return first, last


def sliced(
    blob: str, kept: Local, axis: int, crop: Tuple[int, int], rows: Optional[int]
) -> List[StockLayer]:
    """A Slice that keeps the middle, and a Silence for the rest."""
    (first, last), letter = crop, "hw"[axis]
    points = ([first] if first else []) + ([rows - last] if last else [])
    before = [Local(f"before_{letter}")] if first else []
    after = [Local(f"after_{letter}")] if last else []
    return [
        slicing(f"slice_{letter}", blob, [*before, kept, *after], axis + 2, points),
        silence(f"silence_{letter}", before + after),
    ]


def cropped(blob: str, kept: Local, axis: int, crop: Tuple[int, int]) -> List[StockLayer]:
    """A Crop to the size of a Pooling that is as much smaller: no size need be known."""
    letter, short = "hw"[axis], Local(f"shorter_{'hw'[axis]}")
    kernel, offset = [1, 1], [0, 0]
    kernel[axis], offset[axis] = 1 + sum(crop), crop[0]
    smaller = replace(
        pooling(f"shorter_{letter}", blob, [short], "MAX", kernel), propagate_down=(False,)
    )
    settings = {"axis": 2, **({"offset": offset} if any(offset) else {})}
    return [
        smaller,
        StockLayer("Crop", f"crop_{letter}", (blob, short), (kept,), {"crop_param": settings}),
    ]


class PoolOrigin(NamedTuple):
    """The MAX Pooling layer that made a mask: its window, and the blob it pooled.

    `blob` still has, where the custom layer stands, the size that was pooled.
    """

    name: str
    kernel: Tuple[int, int]
    stride: Tuple[int, int]
    pad: Tuple[int, int]
    blob: str
    rows: Rows


@dataclass(frozen=True)
class UnpoolRequest:
    """A scatter by mask to build, with the pooling layer that the mask comes from.

    `version` and `may_silence` are those of `ResizeRequest`. `assumed` says that the sizes are those
    which the layer itself writes, because nothing else in the net tells them.
    """

    unpool: Unpool
    data: str
    mask: str
    channels: Optional[int]
    rows: Rows
    origin: PoolOrigin
    version: int = 2
    may_silence: bool = True
    assumed: bool = False

    def need_channels(self) -> int:
        """The number of channels, or the refusal that names the blob."""
        if self.channels is None:
            raise Refused(f"{self.data}: {UNKNOWN_CHANNELS}", self.data)
        return self.channels

    def assume(self) -> UnpoolRequest:
        """The request with unknown sizes taken from the size that the layer writes, where it does.

        The fork's layer means nothing unless that is the size which was pooled: indices count in
        its plane. So where the net does not tell, the block may rely on it, if it fails to load
        where it is not so.
        """
        sizes = (self.unpool.height, self.unpool.width)
        apart = self.origin.kernel == self.origin.stride and self.origin.pad == (0, 0)
        given = all(isinstance(size, Given) for size in sizes)
        if not (apart and given and self.may_silence and None in self.origin.rows):
            return self
        pooled = tuple(size(0) for size in sizes)
        rows = tuple(-(-size // step) for size, step in zip(pooled, self.origin.stride))
        if any(known not in (None, needed) for known, needed in zip(self.rows, rows)):
            return self
        return replace(self, rows=rows, origin=self.origin._replace(rows=pooled), assumed=True)
