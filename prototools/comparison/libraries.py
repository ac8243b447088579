"""What skimage and PyTorch themselves compute, where they are installed.

Both are given float64, so that the numbers are those of their formulas: PyTorch rounds source
coordinates to float32 for data in float32, which a remark tells where it shows.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import numpy as np

from prototools.comparison.maps import CORNERS, HALF, SKIMAGE
from prototools.errors import EngineError

#: Differences above this are told in a remark.
REMARKABLE = 1e-6


class Answer(NamedTuple):
    """A library's values, (N, C, H', W') in float64, its name and version, and remarks."""

    values: np.ndarray
    source: str
    notes: Tuple[str, ...] = ()


def skimage_rescale(data: np.ndarray, factor: int) -> Answer:
    """`skimage.transform.rescale`, each channel by itself, zeros outside.

    `clip=False`, because its default cuts faded borders off at the smallest value of the image.
    """
    rescale, version = _library("scikit-image", "skimage", "skimage.transform", "rescale")

    def rescaled(**settings: Any) -> np.ndarray:
        planes = [rescale(plane, factor, order=1, mode="constant", cval=0, anti_aliasing=False, **settings)
                  for plane in data.reshape(-1, *data.shape[2:])]
        return np.stack(planes).reshape(data.shape[:2] + planes[0].shape)

    values = rescaled(clip=False)
    notes: List[str] = []
    changed = float(np.abs(rescaled() - values).max())
    if changed > REMARKABLE:
        notes.append(f"skimage's own default, clip=True, would lift faded values by up to {changed:.3g}, because it "
                     "cuts them off at the smallest value of each channel; clip=False was used")
    return Answer(values, version, tuple(notes))


def torch_upsample(data: np.ndarray, factor: int, align_corners: bool) -> Answer:
    """`torch.nn.Upsample`, bilinear."""
    nn, version = _library("PyTorch", "torch", "torch", "nn")
    from torch import from_numpy

    layer = nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=align_corners)
    values, rounded = (layer(from_numpy(data.astype(kind))).numpy() for kind in (np.float64, np.float32))
    off = float(np.abs(values - rounded).max())
    notes = (f"PyTorch given float32 differs by up to {off:.3g} from these values of align_corners={align_corners}, "
             "because it rounds the source coordinates too",) if off > REMARKABLE else ()
    return Answer(values, version, notes)


Library = Callable[[np.ndarray, int], Answer]

#: Who computes what, by the map's name; each raises `EngineError` where it is not installed.
LIBRARIES: Dict[str, Library] = {
    SKIMAGE.name: skimage_rescale,
    HALF.name: lambda data, factor: torch_upsample(data, factor, False),
    CORNERS.name: lambda data, factor: torch_upsample(data, factor, True),
}


def _library(name: str, extra: str, module: str, attribute: str) -> Tuple[Any, str]:
    """Something of a library's, and the library's name with its version."""
    root = module.partition(".")[0]
    try:
        version = f"{name} {import_module(root).__version__}"
        return getattr(import_module(module), attribute), version
    except Exception as error:  # A broken installation fails in any way it likes.
        absent = isinstance(error, ModuleNotFoundError) and error.name == root
        reason = "is not installed" if absent else f"cannot be used ({error})"
        raise EngineError(f"{name} {reason}; run: pip install 'prototools[{extra}]'") from None
