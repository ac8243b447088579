"""`Net` as scripts look at one that they have built: its layers, blobs and params, and a forward pass in numpy.

The numbers are the reference's: float64 inside, float32 in the blobs, without a compiled Caffe and slowly.
Nothing is trained here.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Dict, Iterator, List, Mapping, NoReturn, Optional, Sequence

import numpy as np

from prototools import files, reference, weights
from prototools.engines import EngineError
from prototools.errors import NetError
from prototools.net import FilteredNet, Layer, NetState
from prototools.net import Net as Tree
from prototools.reference.call import Call
from prototools.reference.parameters import parameters
from prototools.shapes import infer
from prototools.shapes.splits import split_blobs

PHASES = ("TRAIN", "TEST")


class Blob:
    """An array with its gradient, both float32, and Caffe's old names for four axes."""

    def __init__(self, data: np.ndarray):
        self.data = np.asarray(data, np.float32)
        self.diff = np.zeros_like(self.data)

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
        held = self.data.ravel()[: int(np.prod(dims))]
        self.__init__(np.append(held, np.zeros(int(np.prod(dims)) - held.size)).reshape(dims))


class LayerView:
    """A layer of a `Net`: its type and its learned blobs."""

    def __init__(self, kind: str, blobs: List[Blob]):
        self.type = kind
        self.blobs = blobs


class Net:
    """A network from a prototxt, in one phase; with a caffemodel where one is given.

    `Net(file, phase)`, `Net(file, weights, phase)` and the keywords `phase`, `weights`, `level` and `stages`.
    `blobs` and `params` map names to `Blob`s, `inputs` and `outputs` are names, `layers` has every layer and
    the Splits that Caffe puts in. A learned blob without weights holds what its filler writes.
    Raises `NetError` for a net that Caffe would refuse.
    """

    def __init__(self, network_file: str, *arguments: Any, phase: Optional[int] = None, level: int = 0,
                 stages: Sequence[str] = (), weights: Optional[str] = None):
        *files_given, phase = arguments if phase is None else (*arguments, phase)
        net = Tree(files.read(network_file)).filtered(NetState(PHASES[phase], level, tuple(stages or ())))
        found = infer(net)
        if found.errors:
            raise NetError(f"{network_file}:{found.errors[0]}")
        unknown = [name for name, shape in found.blobs.items() if shape is None or None in shape]
        if unknown:
            raise NetError(f"{network_file}: blob {unknown[0]!r} must have a shape that the file tells")
        self._net: FilteredNet = net
        self.blobs = OrderedDict((name, Blob(np.zeros(shape))) for name, shape in found.blobs.items())
        self.params: Dict[str, List[Blob]] = OrderedDict()
        for layer in net.layers:
            made = parameters(Call(layer, [self.blobs[name].data for name in layer.bottoms], []))
            if made:
                self.params[layer.name] = [Blob(array) for array in made]
        splits = list(dict.fromkeys(name.rpartition("_split_")[0] for name in split_blobs(net, found)))
        self._layer_names = [layer.name for layer in net.layers] + [f"{name}_split" for name in splits]
        self.layers = [LayerView(layer.type, self.params.get(layer.name, [])) for layer in net.layers]
        self.layers += [LayerView("Split", []) for _ in splits]
        self.inputs = [name for name, _ in net.net.inputs()]
        self.inputs += [top for layer in net.layers if layer.type == "Input" for top in layer.tops]
        self.outputs = net.outputs()
        for path in (*files_given, *([weights] if weights else [])):
            self.copy_from(path)

    def copy_from(self, path: str) -> None:
        """Take the blobs of a caffemodel for the layers that it names.

        Raises `WeightsError` for a broken file, `NetError` for a blob of another shape.
        """
        for name, arrays in weights.read(path).items():
            for blob, array in zip(self.params.get(name, ()), arrays):
                if blob.data.size != array.size:
                    raise NetError(
                        f"{path}: layer {name!r} must have a blob {blob.shape}, but the file's is {array.shape}")
                blob.data = np.asarray(array, np.float32).reshape(blob.shape)

    def forward(self, blobs: Sequence[str] = (), start: Optional[str] = None, end: Optional[str] = None,
                **inputs: np.ndarray) -> Dict[str, np.ndarray]:
        """Run the net on its inputs, or on those given by name, and return its outputs and `blobs`.

        Raises `EngineError` for a layer that the reference cannot run, and where `start` or `end` is given.
        """
        if start or end:
            self._refuse("forward from or to a layer")
        for name, array in inputs.items():
            self.blobs[name].data[...] = array
        given = {name: self.blobs[name].data for name in self.inputs}
        for layer in self._net.layers:
            given.update(self._made_up(layer))
        learned = {name: [blob.data for blob in held] for name, held in self.params.items()}
        for name, array in reference.run(self._net, given, learned).items():
            self.blobs[name].data = np.asarray(array, np.float32)
        return {name: self.blobs[name].data for name in [*self.outputs, *blobs]}

    def _made_up(self, layer: Layer) -> Mapping[str, np.ndarray]:
        """The tops of a DummyData layer, as its fillers write them (dummy_data_layer.cpp)."""
        if layer.type != "DummyData":
            return {}
        fillers = layer.param("dummy_data_param").messages("data_filler")
        return {
            top: reference.fill(fillers[min(index, len(fillers) - 1)], self.blobs[top].shape, top)
            if fillers else self.blobs[top].data * 0
            for index, top in enumerate(layer.tops)
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._layer_names)

    def _refuse(self, wish: str) -> NoReturn:
        raise EngineError(
            f"prototools.pycaffe's Net must not be asked to {wish}: it runs whole nets forward only; run the script on "
            "real Caffe with `prototools caffe run -- python3 SCRIPT`"
        )

    def backward(self, *arguments: Any, **settings: Any) -> NoReturn:
        """Not here: raises `EngineError`."""
        self._refuse("go backward")

    def save(self, *arguments: Any) -> NoReturn:
        """Not here: raises `EngineError`."""
        self._refuse("save")
