"""OpenCV's Caffe importer as an engine, in a process of its own.

OpenCV never runs fillers, and a Deconvolution without weights takes the whole process down.
So the learned blobs, those of fillers too, are written into a caffemodel first.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from typing import Dict, List, Sequence, Union

import numpy as np

from prototools import weights
from prototools.engines import Task, headers, npz_names
from prototools.errors import EngineError, PrototoolsError
from prototools.net import FilteredNet, Layer, Net, NetState
from prototools.reference.call import Call
from prototools.reference.parameters import parameters
from prototools.shapes import infer

#: OpenCV computes in float32.
TOLERANCE = 1e-4

#: The folder that OpenCV was built in, which it tells before each message.
FOLDER = re.compile(r"\S*/(?=\w+\.[ch]pp:\d+:)")

CURE = "Run `pip install 'prototools[opencv]'`."

#: Runs in the child, in a folder with a net, its weights and its inputs; leaves `out.npz` there, or
#: `mistake.json`: what went wrong, and the first layer at which it does.
WORKER = """
import json, sys

def stop(kind, said, layer=None):
    json.dump({"kind": kind, "said": str(said), "layer": layer}, open("mistake.json", "w"))
    sys.exit(1)

try:
    import cv2, numpy
except ImportError as error:
    stop("import", error)
if not hasattr(cv2.dnn, "readNetFromCaffe") or int(cv2.__version__.split(".")[0]) > 4:
    stop("version", cv2.__version__)

task = json.load(open("task.json"))
arrays = numpy.load("in.npz")

def forward(path, inputs, wanted=None):
    net = cv2.dnn.readNetFromCaffe(path, "net.caffemodel")
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    for name in inputs:
        net.setInput(arrays["input/" + name], name)
    return net.forward(wanted) if wanted else net.forward()

def forward_first(count):
    # OpenCV refuses inputs that nobody reads.
    inputs = [name for name in task["inputs"] if any(name in layer["bottoms"] for layer in task["layers"][:count])]
    with open("part.prototxt", "w") as file:
        file.writelines(task["inputs"][name] for name in inputs)
        file.writelines(layer["text"] for layer in task["layers"][:count])
    forward("part.prototxt", inputs)

try:
    found = forward("net.prototxt", task["inputs"], task["wanted"])
except cv2.error as error:
    for count, layer in enumerate(task["layers"], 1):
        try:
            forward_first(count)
        except cv2.error as first:
            stop("run", first, layer["name"])
    stop("run", error)
numpy.savez("out.npz", *found)
"""


def run(tasks: Sequence[Task]) -> List[Union[Dict[str, np.ndarray], EngineError]]:
    """Each task's outputs, float32, or why OpenCV refused it; raises `EngineError` without OpenCV 4."""
    if importlib.util.find_spec("cv2") is None:
        raise EngineError(f"The engine opencv needs OpenCV 4, but it is not installed. {CURE}")
    return [_attempt(task) for task in tasks]


class _Missing(Exception):
    """There is no usable OpenCV at all."""


def _attempt(task: Task) -> Union[Dict[str, np.ndarray], EngineError]:
    try:
        with tempfile.TemporaryDirectory(prefix="prototools-opencv-") as folder:
            return _run_in_child(task, folder)
    except _Missing as error:
        raise EngineError(str(error)) from None
    except PrototoolsError as error:
        return EngineError(getattr(error, "message", str(error)))


def _run_in_child(task: Task, folder: str) -> Dict[str, np.ndarray]:
    def place(name: str) -> str:
        return os.path.join(folder, name)

    npz_names(task)
    net = Net(task.net).filtered(NetState(task.phase))
    made = [blob for blob in task.outputs if any(blob in layer.tops and layer.type != "Input" for layer in net.layers)]
    with open(place("net.prototxt"), "wb") as file:
        file.write(task.net)
    with open(place("net.caffemodel"), "wb") as file:
        file.write(b"".join(weights.encode(layer) for layer in _learned(task, net)))
    with open(place("task.json"), "w") as file:
        json.dump(_description(task._replace(outputs=made), net), file)
    np.savez(place("in.npz"), **{f"input/{name}": np.asarray(value, np.float32) for name, value in task.inputs.items()})
    # In that folder, because Python would import what lies in the user's.
    done = subprocess.run([sys.executable, "-c", WORKER], capture_output=True, cwd=folder)
    if done.returncode:
        raise _error(done, place("mistake.json"), net)
    with np.load(place("out.npz")) as found:
        answers = {name: found[f"arr_{i}"] for i, name in enumerate(made)}
    # An input that nobody changes is an output too, as Caffe sees it.
    return {name: answers.get(name, task.inputs.get(name)) for name in task.outputs}


def _description(task: Task, net: FilteredNet) -> Dict[str, object]:
    """What the child must know: the layers that are asked for, and the text of each input and layer."""
    return {
        "wanted": [_layer_of(net, blob) for blob in task.outputs],
        "inputs": {name: headers({name: np.shape(value)}).decode("utf-8") for name, value in task.inputs.items()},
        "layers": [{"name": layer.name, "bottoms": layer.bottoms, "text": _text(layer)} for layer in net.layers],
    }


def _text(layer: Layer) -> str:
    message = layer.message
    return message.data[message.start : message.stop].decode("utf-8", "replace") + "\n"


def _layer_of(net: FilteredNet, blob: str) -> str:
    """The layer that OpenCV is asked for, as it returns a layer's first top."""
    maker = [layer for layer in net.layers if blob in layer.tops][-1]
    if maker.tops[0] != blob:
        raise EngineError(f"OpenCV gives only the first top of a layer, but {blob!r} is another of {maker.name!r}.")
    return maker.name


def _error(done: subprocess.CompletedProcess, path: str, net: FilteredNet) -> Exception:
    """What OpenCV said, and at which layer, or that it died without a word."""
    if not os.path.isfile(path):
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        return EngineError(f"OpenCV's process crashed on this network ({how}).")
    with open(path) as file:
        mistake = json.load(file)
    said = " ".join(FOLDER.sub("", mistake["said"]).split())
    if mistake["kind"] == "import":
        return _Missing(f"The engine opencv needs OpenCV 4, but it cannot be imported: {said}. {CURE}")
    if mistake["kind"] == "version":
        return _Missing(f"The engine opencv needs OpenCV 4, as later ones read no Caffe networks, but found {said}. "
                        f"{CURE}")
    kinds = {layer.name: layer.type for layer in net.layers}
    name = mistake["layer"]
    where = f" at layer {name!r} of type {kinds.get(name, 'unknown')}" if name else ""
    return EngineError(f"OpenCV stopped{where}: {said}")


def _learned(task: Task, net: FilteredNet) -> List[weights.NewLayer]:
    """Every layer's learned blobs: as given, or as its fillers write them."""
    found = infer(net, {name: np.shape(value) for name, value in task.inputs.items()})
    learned = []
    for layer in net.layers:
        given = task.params.get(layer.name)
        if given is None:
            given = _filled(layer, found.bottoms(layer))
        learned.append(weights.NewLayer(layer.name, layer.type, [weights.blob(np.asarray(one)) for one in given]))
    return [layer for layer in learned if layer.blobs]


def _filled(layer: Layer, bottoms: Sequence) -> Sequence[np.ndarray]:
    if any(shape is None or None in shape for shape in bottoms):
        return []
    # Only the shapes of the bottoms matter, so these take no memory.
    return parameters(Call(layer, [np.broadcast_to(0.0, shape) for shape in bottoms], []))
