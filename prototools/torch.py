"""PyTorch modules equal to Caffe's upsampling layers, and trained numbers from one to the other.

    pip install 'prototools[torch]'

`Bilinear` is Caffe's recipe and `Learnable` the common ground: plain transposed convolutions with the
same blob in both frameworks. `save` writes a module's numbers as a caffemodel, `load` reads a
caffemodel into a module. A layer of a net and a module of PyTorch belong together by name, or by a
table `names` of {module: layer}; a single module is called "" by PyTorch.

| module | layer | blobs |
| --- | --- | --- |
| `Conv1d`, `Conv2d`, `Conv3d` | Convolution | weight, bias |
| `ConvTranspose1d`, `ConvTranspose2d`, `ConvTranspose3d` | Deconvolution | weight, bias |
| `Linear` | InnerProduct | weight, bias |
| `PReLU` | PReLU | weight |
| `Embedding` | Embed | weight |
| `BatchNorm1d`, `BatchNorm2d`, `BatchNorm3d` | BatchNorm, and a Scale | mean, variance, 1; weight, bias |

A BatchNorm's weight and bias stand in a Scale layer of their own: in `names` such a module has two
layers, `("bn1", "scale1")`; without an entry they are `bn1` and `bn1/scale`.
Caffe's eps is a setting of its layer and PyTorch's one of the module: set them alike.
"""

from __future__ import annotations

from math import gcd
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from prototools import files
from prototools.errors import PrototoolsError
from prototools.tracing import bilinear_taps
from prototools.weights import NewLayer, blob, encode, read

try:
    import torch
    from torch import nn
except ImportError as error:
    raise ImportError("prototools.torch needs PyTorch: pip install 'prototools[torch]'") from error

Names = Mapping[str, Union[str, Sequence[str]]]

#: Every layer bears the name of its module.
SAME: Names = {}


class TorchError(PrototoolsError):
    """A module or a caffemodel whose numbers do not fit the other."""


# ---------------------------------------------------------------- modules


class Bilinear(nn.ConvTranspose2d):
    """Caffe's bilinear Deconvolution: (N, C, H, W) becomes (N, C, f H, f W), like `upsample.bilinear`.

    Kernel 2 f - f mod 2, stride f, pad f // 2, one fixed kernel for each channel (BilinearFiller of
    filler.hpp). Zeros lie outside the image, so the outer f // 2 rows and columns fade.
    """

    def __init__(self, channels: int, factor: int):
        super().__init__(channels, channels, **_window(factor), groups=channels, bias=False)
        numerators, denominator = bilinear_taps(2 * factor - factor % 2)
        taps = torch.tensor(numerators, dtype=torch.float64) / denominator
        self.weight.data.copy_(torch.outer(taps, taps).expand_as(self.weight))
        self.weight.requires_grad_(False)


class Learnable(nn.ConvTranspose2d):
    """A transposed convolution that is trained: (N, C, H, W) becomes (N, num_output, f H, f W).

    The same layer as `upsample.learnable`, whose blob has this weight's shape:
    (C, num_output / group, k, k) with k = 2 f - f mod 2. Its group is gcd(C, num_output).
    """

    def __init__(self, factor: int, channels: int, num_output: Optional[int] = None):
        outputs = channels if num_output is None else num_output
        super().__init__(channels, outputs, **_window(factor), groups=gcd(channels, outputs), bias=False)


def _window(factor: int) -> Dict[str, int]:
    return {"kernel_size": 2 * factor - factor % 2, "stride": factor, "padding": factor // 2}


# ---------------------------------------------------------------- which blob is which number


class Part(NamedTuple):
    """A Caffe layer that holds a module's numbers: its type, and the entries of state_dict that are its blobs.

    `ending` is what its name has more than the module's; None stands for a blob of one 1.
    """

    type: str
    blobs: Tuple[Optional[str], ...]
    ending: str = ""


WEIGHTED = ("weight", "bias")
NORMALISED = (Part("BatchNorm", ("running_mean", "running_var", None)), Part("Scale", WEIGHTED, "/scale"))

#: How PyTorch's modules lie in a caffemodel.
PARTS: Tuple[Tuple[type, Tuple[Part, ...]], ...] = (
    (nn.modules.batchnorm._BatchNorm, NORMALISED),
    (nn.modules.conv._ConvTransposeNd, (Part("Deconvolution", WEIGHTED),)),
    (nn.modules.conv._ConvNd, (Part("Convolution", WEIGHTED),)),
    (nn.Linear, (Part("InnerProduct", WEIGHTED),)),
    (nn.PReLU, (Part("PReLU", ("weight",)),)),
    (nn.Embedding, (Part("Embed", ("weight",)),)),
)


class Held(NamedTuple):
    """A Caffe layer of a module: its name and type, and its blobs by their keys in state_dict."""

    layer: str
    type: str
    keys: Tuple[Optional[str], ...]


def layers(module: nn.Module, names: Names = SAME) -> List[Held]:
    """The Caffe layers that hold a module's numbers, in the order of its modules.

    Raises `TorchError` for a module with numbers that no Caffe layer holds, and for names of no module.
    """
    known = dict(module.named_modules())
    strange = [name for name in names if name not in known]
    if strange:
        raise TorchError(f"names must be those of modules, but there is no module {strange[0]!r}")
    return [held for name, one in known.items() for held in _held(name, one, names)]


def _held(name: str, module: nn.Module, names: Names) -> Iterator[Held]:
    own = {key for key, _ in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))}
    if not own:
        return
    parts = next((parts for kind, parts in PARTS if isinstance(module, kind)), None)
    if parts is None:
        raise TorchError(f"{name or type(module).__name__}: a {type(module).__name__} holds {', '.join(sorted(own))}, "
                         "and no Caffe layer does")
    given = names.get(name, name)
    called = [f"{given}{part.ending}" for part in parts] if isinstance(given, str) else list(given)
    if len(called) < len([part for part in parts if own.intersection(filter(None, part.blobs))]):
        raise TorchError(f"{name}: names must give {len(parts)} layers, but gives {len(called)}")
    for part, layer in zip(parts, called):
        present = tuple(key for key in part.blobs if key is None or key in own)
        if any(key is not None for key in present):
            prefix = f"{name}." if name else ""
            yield Held(layer, part.type, tuple(None if key is None else prefix + key for key in present))


# ---------------------------------------------------------------- both ways


def save(module: nn.Module, path: str, names: Names = SAME) -> None:
    """Write a module's numbers as a caffemodel, float32, layer by layer.

    Raises `TorchError` as `layers` does, and for a layer name that two modules want; `FileError` where
    the file cannot be written.
    """
    state, new = module.state_dict(), []
    for held in layers(module, names):
        if not held.layer or held.layer in {one.name for one in new}:
            raise TorchError(f"every layer must have a name of its own, but {held.layer!r} is not; give names")
        arrays = [np.ones(1) if key is None else state[key].detach().cpu().double().numpy() for key in held.keys]
        new.append(NewLayer(held.layer, held.type, [blob(array) for array in arrays]))
    if not new:
        raise TorchError("the module holds no numbers")
    files.write(path, b"".join(map(encode, new)))


def load(module: nn.Module, path: str, names: Names = SAME) -> List[str]:
    """Read a caffemodel into a module, in place; the names of the file's layers that no module took.

    The variance and mean of a BatchNorm are divided by Caffe's third blob (batch_norm_layer.cpp).
    Blobs of a legacy shape, 1 x 1 x O x I, fit where their numbers do.
    Raises `TorchError` where a layer is missing, or has another number or shape of blobs; the module
    is then as it was. Raises `WeightsError` for a file that is no caffemodel.
    """
    stored, state = read(path), module.state_dict()
    found: Dict[str, torch.Tensor] = {}
    wanted = layers(module, names)
    for held in wanted:
        if held.layer not in stored:
            raise TorchError(f"{path}: must hold a layer {held.layer!r}, a {held.type}, but does not")
        blobs = _unscaled(held, stored[held.layer])
        if len(blobs) != len(held.keys):
            raise TorchError(f"{path}: {held.layer}: must have {len(held.keys)} blobs, but has {len(blobs)}")
        for key, array in zip(held.keys, blobs):
            if key is not None:
                found[key] = _fitting(path, held.layer, array, state[key])
    module.load_state_dict({**state, **found})
    return [name for name in stored if name not in {held.layer for held in wanted}]


def _unscaled(held: Held, blobs: Sequence[Any]) -> List[Any]:
    """A BatchNorm's sums as the mean and variance they stand for."""
    if held.type != "BatchNorm" or len(blobs) != 3:
        return list(blobs)
    factor = float(blobs[2].reshape(-1)[0])
    mean, variance = (array / factor if factor else np.zeros_like(array) for array in blobs[:2])
    return [mean, variance, blobs[2]]


def _fitting(path: str, layer: str, array: Any, target: torch.Tensor) -> torch.Tensor:
    """A blob in the shape and type of the tensor it goes to; leading ones do not matter."""
    def bare(shape: Sequence[int]) -> Tuple[int, ...]:
        dims = list(shape)
        while dims and dims[0] == 1:
            dims.pop(0)
        return tuple(dims)

    if bare(array.shape) != bare(target.shape):
        raise TorchError(f"{path}: {layer}: its blob must be {tuple(target.shape)}, but is {array.shape}")
    return torch.from_numpy(np.ascontiguousarray(array)).reshape(target.shape).to(target)
