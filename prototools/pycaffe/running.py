"""`Net` as scripts look at one that they have built: its layers, blobs and params, and a forward pass in numpy.

The numbers are the reference's: float64 inside, float32 in the blobs, without a compiled Caffe and slowly.
Nothing is trained here.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from prototools import files, reference, weights
from prototools.errors import NetError, ProtoTextError
from prototools.net import Layer, NetState
from prototools.net import Net as Tree
from prototools.netspec.reading import message_of
from prototools.prototext import parse
from prototools.pycaffe.elsewhere import NotHere
from prototools.pycaffe.wiring import built, outputs
from prototools.reference.call import Call
from prototools.reference.parameters import parameters
from prototools.shapes import Inference, infer
from prototools.upgrading import upgrade

PHASES = ("TRAIN", "TEST")

#: What pycaffe's Net has for training and for other kinds of files.
REFUSED = (
    "after_backward", "after_forward", "backward", "before_backward", "before_forward", "clear_param_diffs",
    "forward_all", "forward_backward_all", "load_hdf5", "save_hdf5", "set_input_arrays", "share_with",
)


class Blob:
    """An array with its gradient, both float32, and Caffe's old names for four axes."""

    def __init__(self, shape: Sequence[int]):
        self.data = np.zeros(shape, np.float32)
        self.diff = np.zeros(shape, np.float32)

    @property
    def shape(self) -> Sequence[int]:
        """The dims, as pycaffe has them."""
        return self.data.shape

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return self.data.size

    num, channels, height, width = (
        property(lambda self, axis=axis: ([*self.data.shape] + [1] * 4)[axis]) for axis in range(4)
    )

    def reshape(self, *dims: int) -> None:
        """Give the blob another shape; what it held is kept where it fits (Blob::Reshape)."""
        held, self.data, self.diff = self.data.ravel(), np.zeros(dims, np.float32), np.zeros(dims, np.float32)
        self.data.ravel()[: held.size] = held[: self.count]

    def put(self, array: np.ndarray) -> None:
        """Take values in place, and their shape where it is another."""
        if array.shape != self.shape:
            self.reshape(*array.shape)
        self.data[...] = array


class LayerView(NamedTuple):
    """A layer of a `Net`: its type and its learned blobs."""

    type: str
    blobs: List[Blob]


def _current(path: str) -> Tree:
    """The net of a file, in the current form, once every field of it is known to Caffe."""
    text = files.read(path)
    try:
        message_of(parse(text), "NetParameter")
        return Tree(upgrade(text).text)
    except ProtoTextError as error:
        raise NetError(f"{path}:{error}") from None


class Net:
    """A network from a prototxt, in one phase; with a caffemodel where one is given.

    `Net(file, phase)`, `Net(file, weights, phase)` and the keywords `phase`, `weights`, `level` and `stages`.
    `blobs` and `params` map names to `Blob`s, `inputs` and `outputs` are names, `layers` has every layer and
    the Splits that Caffe puts in, `layer_dict` has them by name, and `bottom_names` and `top_names` tell what each
    reads and writes. A learned blob without weights holds what its filler writes, in recurrent layers zeros.
    Raises `NetError` for a net that Caffe would refuse, or whose shapes are not in the file.
    """

    def __init__(self, network_file: str, *arguments: Any, phase: Optional[int] = None, level: int = 0,
                 stages: Optional[Sequence[str]] = None, weights: Optional[str] = None):
        given = list(arguments)
        if given and isinstance(given[0], (str, os.PathLike)):
            weights = given.pop(0)
        phase = given.pop(0) if given else phase
        if given or phase not in (0, 1):
            shown = ", ".join(map(repr, (network_file, *arguments)))
            raise NetError(f"caffe.Net must be given a file, perhaps weights, and a phase, but is given {shown}")
        self._net = _current(network_file).filtered(NetState(PHASES[phase], level, tuple(stages or ())))
        found = self._inferred(network_file, {})
        self._steps = built(self._net, found)
        self.blobs = self._blobs(found)
        self.params = self._params(found)
        self.inputs = [top for step in self._steps if step.type == "Input" for top in step.tops]
        self.outputs = outputs(self._steps)
        self._layer_names = [step.name for step in self._steps]
        self.layers = [LayerView(step.type, self.params.get(step.name, [])) for step in self._steps]
        self.layer_dict = OrderedDict(zip(self._layer_names, self.layers))
        self.bottom_names = OrderedDict((step.name, step.bottoms) for step in self._steps)
        self.top_names = OrderedDict((step.name, step.tops) for step in self._steps)
        if weights is not None:
            self.copy_from(weights)

    def _inferred(self, path: str, shapes: Dict[str, Sequence[int]]) -> Inference:
        found = infer(self._net, shapes)
        if found.errors:
            raise NetError(f"{path}:{found.errors[0]}")
        for layer in self._net.layers:
            for name, shape in zip(layer.tops, found.tops(layer)):
                if shape is None or None in shape:
                    raise NetError(f"{path}: {layer.name}: blob {name!r} of a {layer.type} layer must have a shape "
                                   "that the file tells; no data are opened and no custom layers are known here")
        return found

    def _blobs(self, found: Inference) -> Dict[str, Blob]:
        """Every blob in the order in which Caffe makes them; the copies of a Split are the blob itself."""
        blobs: Dict[str, Blob] = OrderedDict()
        for step in self._steps:
            for top in step.tops:
                if top not in blobs:
                    blobs[top] = blobs[step.bottoms[0]] if step.type == "Split" else Blob(found.blobs[top])
        return blobs

    def _params(self, found: Inference) -> Dict[str, List[Blob]]:
        """The learned blobs as their fillers write them; those of one `param` name share their values."""
        params: Dict[str, List[Blob]] = OrderedDict()
        owners: Dict[str, Blob] = {}
        for layer in self._net.layers:
            if found.params.get(layer.name):
                params[layer.name] = [Blob(shape) for shape in found.params[layer.name]]
                self._fill(layer, params[layer.name])
            names = [param.string("name") for param in layer.message.messages("param")]
            for name, blob in zip(names, params.get(layer.name, [])):
                if name:
                    blob.data = owners.setdefault(name, blob).data.reshape(blob.shape)
        return params

    def _fill(self, layer: Layer, blobs: List[Blob]) -> None:
        for blob, array in zip(blobs, parameters(Call(layer, [self.blobs[name].data for name in layer.bottoms], []))):
            blob.put(array)

    def copy_from(self, path: str) -> None:
        """Take the blobs of a caffemodel for the layers that it names.

        Raises `WeightsError` for a broken file, `NetError` for a blob of another size or a layer with another number.
        """
        for name, arrays in weights.read(path).items():
            held = self.params.get(name, [])
            if name in self.layer_dict and len(held) != len(arrays):
                raise NetError(f"{path}: layer {name!r} must have {len(held)} blobs, but the file's has {len(arrays)}")
            for blob, array in zip(held, arrays):
                if blob.count != array.size:
                    raise NetError(
                        f"{path}: layer {name!r} must have a blob {blob.shape}, but the file's is {array.shape}")
                blob.data[...] = array.reshape(blob.shape)

    def save(self, path: str) -> None:
        """Write the learned blobs as a caffemodel. Raises `FileError` where the file cannot be written."""
        files.write(path, b"".join(
            weights.encode(weights.NewLayer(step.name, step.type, [weights.blob(blob.data) for blob in layer.blobs]))
            for step, layer in zip(self._steps, self.layers)
        ))

    def reshape(self) -> None:
        """Give every blob the shape that follows from those of the inputs. Raises `NetError` where none does."""
        found = self._inferred("reshape", {name: self.blobs[name].shape for name in self.inputs})
        for name, shape in found.blobs.items():
            if self.blobs[name].shape != shape:
                self.blobs[name].reshape(*shape)

    def forward(self, blobs: Optional[Sequence[str]] = None, start: Optional[str] = None, end: Optional[str] = None,
                **inputs: np.ndarray) -> Dict[str, np.ndarray]:
        """Run the net on its inputs, or on those given by name, and return its outputs and `blobs`.

        Raises `NetError` for inputs that are not the net's, `EngineError` for a layer that the reference cannot run,
        and where `start` or `end` is given.
        """
        if start or end:
            raise NotHere("caffe.Net runs forward from or to a layer")
        if inputs and set(inputs) != set(self.inputs):
            raise NetError(f"Input blob arguments do not match net inputs: {sorted(inputs)} are given, but the net has "
                           f"{sorted(self.inputs)}")
        for name, array in inputs.items():
            self.blobs[name].data[...] = array
        learned = {name: [blob.data for blob in held] for name, held in self.params.items()}
        found = reference.run(self._net, {name: self.blobs[name].data for name in self.inputs}, learned)
        for name, array in found.items():
            self.blobs[name].put(array)
        return {name: self.blobs[name].data for name in [*self.outputs, *(blobs or ())]}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in REFUSED:
            raise AttributeError(f"caffe.Net has no {name!r}")

        def refuse(*arguments: Any, **settings: Any) -> None:
            raise NotHere(f"caffe.Net has {name}")

        return refuse
