"""Running one layer, or a whole net, on numpy arrays in float64."""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Set, Union

import numpy as np

from prototools.errors import EngineError, PrototoolsError
from prototools.net import FilteredNet, Layer, blob_names
from prototools.reference.call import Call, layer_error
from prototools.reference.custom import CUSTOM
from prototools.reference.parameters import parameters
from prototools.reference.readings import checked_dialects
from prototools.reference.stock import STOCK

LAYERS = {**STOCK, **CUSTOM}
Blobs = Dict[str, np.ndarray]
Dialects = Union[str, Sequence[str], None]


def forward_layer(
    layer: Layer,
    bottoms: Sequence[np.ndarray],
    params: Sequence[np.ndarray] = (),
    *,
    dialect: Dialects = None,
    phase: str = "TEST",
    float32_ratio: bool = False,
    bilinear: str = "new",
    mask_below: Optional[bool] = None,
) -> List[np.ndarray]:
    """The tops of one layer, float64, in Caffe's (N, C, H, W) layout.

    layer: a layer of the Caffe view, current or V1 form.
    bottoms: one array a bottom. They are not changed; a top may be a view of one.
    params: the learned blobs in Caffe's order; none for those that Caffe's fillers would write.
    dialect: which fork's meaning a custom layer has (see `readings`), one name or several of which
        each family takes the first it knows; None lets the file decide.
    float32_ratio: False computes source positions exactly, True in float32 as the forks do, which
        moves large maps by up to 1e-4. Only the align-corners layers know it.
    bilinear: which bilinear filler, "new" or "old" (see `fillers`), where it fills weights.
    mask_below: whether bottom 1 is a pooling mask, for an `Upsample` without fields.

    Raises `EngineError` for a layer that cannot be run, with its name and type.
    """
    _check_runnable(layer)
    call = Call(
        layer, _float64(bottoms), _float64(params), checked_dialects(dialect), phase, float32_ratio, mask_below
    )
    try:
        if not params:
            call = call._replace(params=parameters(call, bilinear))
        return LAYERS[layer.kind](call)
    except PrototoolsError:
        raise
    except (ArithmeticError, IndexError, MemoryError, TypeError, ValueError) as error:
        shapes = ", ".join(str(blob.shape) for blob in call.bottoms + call.params)
        raise call.error(f"cannot run on blobs and params of shapes {shapes}: {error}") from error


def _float64(blobs: Sequence[np.ndarray]) -> List[np.ndarray]:
    return [np.asarray(blob, np.float64) for blob in blobs]


def _check_runnable(layer: Layer) -> None:
    if layer.version == 0:
        raise layer_error(layer, "is written in the oldest form (V0); upgrade the net first")
    if layer.kind not in LAYERS:
        raise layer_error(layer, "no forward function is known; give its tops as inputs")


def run(
    net: FilteredNet,
    inputs: Mapping[str, np.ndarray],
    params: Optional[Mapping[str, Sequence[np.ndarray]]] = None,
    outputs: Optional[Sequence[str]] = None,
    *,
    dialect: Dialects = None,
    float32_ratio: bool = False,
    bilinear: str = "new",
) -> Blobs:
    """Run a net's layers in order and return its blobs by name, float64.

    inputs: arrays by blob name: for `Input` layers and `input:` headers, for layers without bottoms
        or of unknown type (all tops of one layer), and for bottoms that nobody makes.
    params: learned blobs by layer name. Layers that are not listed get what their fillers write;
        random fillers are seeded from the layer's name, and blobs that share a `param` name are
        one: the last that is given, else what the first layer's filler writes.
    outputs: the blobs to return, and to keep while running; None keeps every blob, each as the last
        layer that writes it leaves it.
    The rest is as in `forward_layer`.

    Raises `EngineError` for a missing input, an unknown layer type and an unknown output.
    """
    return _Runner(net, params or {}, outputs, checked_dialects(dialect), float32_ratio, bilinear).run(inputs)


class _Runner:
    """One run of one net: the blobs so far, and the parameters that layers share."""

    def __init__(self, net, params, outputs, dialect, float32_ratio, bilinear):
        self.net = net
        self.params = params
        self.outputs = outputs
        self.options = {
            "dialect": dialect, "float32_ratio": float32_ratio, "bilinear": bilinear,
            "phase": net.state.phase,
        }
        self.shared: Dict[str, np.ndarray] = {}
        self.blobs: Blobs = {}

    def run(self, inputs: Mapping[str, np.ndarray]) -> Blobs:
        self._check_names(inputs)
        self._share_given()
        self.blobs = {name: np.asarray(array, np.float64) for name, array in inputs.items()}
        unused = self._last_uses()
        for index, layer in enumerate(self.net.layers):
            if not _is_given(layer, inputs):
                self._step(layer)
            for name in unused.get(index, ()):
                self.blobs.pop(name, None)
        return self._wanted()

    def _check_names(self, inputs: Mapping[str, np.ndarray]) -> None:
        known = set(blob_names(self.net.layers)).union(name for name, _ in self.net.net.inputs())
        for name in inputs:
            if name not in known:
                raise EngineError(f"an input is given for {name!r}, but the net has no such blob")

    def _step(self, layer: Layer) -> None:
        _check_runnable(layer)
        missing = [name for name in layer.bottoms if name not in self.blobs]
        if missing:
            raise layer_error(layer, f"nobody makes its bottom {missing[0]!r}; give it as an input")
        bottoms = [self.blobs[name] for name in layer.bottoms]
        tops = forward_layer(
            layer, bottoms, self._params(layer, bottoms), mask_below=self._mask_below(layer),
            **self.options,
        )
        self.blobs.update(zip(layer.tops, tops))

    def _params(self, layer: Layer, bottoms: List[np.ndarray]) -> List[np.ndarray]:
        if layer.name in self.params and len(self.params[layer.name]):
            blobs = _float64(self.params[layer.name])
        else:
            blobs = parameters(Call(layer, bottoms, []), self.options["bilinear"])
        for index, name in enumerate(_shared_names(layer)[: len(blobs)]):
            if name:
                blobs[index] = self._share(layer, name, blobs[index])
        return blobs

    def _share_given(self) -> None:
        """Blobs under one `param` name: of several that are given Caffe keeps the last."""
        for layer in self.net.layers:
            for name, blob in zip(_shared_names(layer), self.params.get(layer.name, ())):
                if name:
                    self.shared[name] = np.asarray(blob, np.float64)

    def _share(self, layer: Layer, name: str, blob: np.ndarray) -> np.ndarray:
        """The blob of this `param` name: a given one, else what the first layer's filler wrote."""
        owned = self.shared.setdefault(name, blob)
        if owned.size != blob.size:
            raise layer_error(layer, f"shares {name!r} of shape {owned.shape}, not {blob.shape}")
        return owned.reshape(blob.shape)

    def _mask_below(self, layer: Layer) -> Optional[bool]:
        """Whether bottom 1 is the second top of a Pooling."""
        sources = self.net.sources(layer)
        if len(sources) < 2 or sources[1] is None or sources[1].layer is None:
            return None
        return sources[1].layer.type == "Pooling" and sources[1].top == 1

    def _last_uses(self) -> Dict[int, Set[str]]:
        """The blobs that nobody needs after each layer; none where all are wanted."""
        if self.outputs is None:
            return {}
        last: Dict[str, int] = {}
        for index, layer in enumerate(self.net.layers):
            last.update(dict.fromkeys(layer.bottoms + layer.tops, index))
        unused: Dict[int, Set[str]] = {}
        for name, index in last.items():
            if name not in self.outputs:
                unused.setdefault(index, set()).add(name)
        return unused

    def _wanted(self) -> Blobs:
        if self.outputs is None:
            return self.blobs
        missing = [name for name in self.outputs if name not in self.blobs]
        if missing:
            raise EngineError(f"the net has no blob {missing[0]!r} to return")
        return {name: self.blobs[name] for name in self.outputs}


def _is_given(layer: Layer, inputs: Mapping[str, np.ndarray]) -> bool:
    """Whether the inputs stand for this layer: it has no bottoms or cannot be run here."""
    replaceable = not layer.bottoms or layer.kind not in LAYERS
    return replaceable and bool(layer.tops) and all(top in inputs for top in layer.tops)


def _shared_names(layer: Layer) -> List[str]:
    """The `param` names by which layers share blobs; V1 writes them as plain strings."""
    if layer.version == 2:
        return [param.string("name") for param in layer.message.messages("param")]
    return layer.message.strings("param")


def unknown_types(layers: Iterable[Layer]) -> List[str]:
    """The layer types without a forward function, each once, in order."""
    return list(dict.fromkeys(layer.type for layer in layers if layer.kind not in LAYERS))
