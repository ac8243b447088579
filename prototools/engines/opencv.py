"""OpenCV's Caffe importer as an engine, in a process of its own.

OpenCV never runs fillers, and a Deconvolution without weights takes the whole process down.
So the learned blobs, those of fillers too, are written into a caffemodel first.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from typing import Dict, List, Sequence, Union

import numpy as np

from prototools import weights
from prototools.engines import Task
from prototools.errors import EngineError
from prototools.net import Layer, Net, NetState
from prototools.reference import fill
from prototools.shapes import infer

#: OpenCV computes in float32.
TOLERANCE = 1e-4

#: Runs in the child: a net, its weights and its inputs, all in one folder, to `out.npz`.
WORKER = """
import sys, cv2, numpy
folder = sys.argv[1]
arrays = numpy.load(folder + "/in.npz")
net = cv2.dnn.readNetFromCaffe(folder + "/net.prototxt", folder + "/net.caffemodel")
net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
wanted = sys.argv[2:]
names = [name[6:] for name in arrays.files]
for name in names:
    net.setInput(arrays["input/" + name], name)
found = net.forward(wanted)
numpy.savez(folder + "/out.npz", **dict(zip(wanted, found)))
"""


def run(tasks: Sequence[Task]) -> List[Union[Dict[str, np.ndarray], EngineError]]:
    """Each task's outputs, float32, or why OpenCV refused it; raises `EngineError` without OpenCV."""
    if importlib.util.find_spec("cv2") is None:
        raise EngineError(
            "The engine opencv needs OpenCV 4, but it is not installed. Run `pip install 'prototools[opencv]'`."
        )
    return [_attempt(task) for task in tasks]


def _attempt(task: Task) -> Union[Dict[str, np.ndarray], EngineError]:
    try:
        with tempfile.TemporaryDirectory(prefix="prototools-opencv-") as folder:
            return _run_in_child(task, folder)
    except EngineError as error:
        return error


def _run_in_child(task: Task, folder: str) -> Dict[str, np.ndarray]:
    def place(name: str) -> str:
        return os.path.join(folder, name)

    with open(place("net.prototxt"), "wb") as file:
        file.write(task.net)
    with open(place("net.caffemodel"), "wb") as file:
        file.write(b"".join(weights.encode(layer) for layer in _learned(task)))
    np.savez(place("in.npz"), **{f"input/{name}": np.asarray(value, np.float32) for name, value in task.inputs.items()})
    layers = {top: layer.name for layer in Net(task.net).layers for top in layer.tops}
    wanted = [layers[name] for name in task.outputs]
    done = subprocess.run([sys.executable, "-c", WORKER, folder, *wanted], capture_output=True, text=True)
    if done.returncode:
        raise EngineError(_sentence(done))
    with np.load(place("out.npz")) as found:
        return {name: found[layer] for name, layer in zip(task.outputs, wanted)}


def _sentence(done: subprocess.CompletedProcess) -> str:
    """What OpenCV said last, or that it died without a word."""
    if done.returncode < 0:
        return f"OpenCV crashed on this network (signal {-done.returncode})."
    lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
    said = next((line for line in reversed(lines) if "error:" in line), lines[-1])
    return f"OpenCV stopped: {said.strip()}"


def _learned(task: Task) -> List[weights.NewLayer]:
    """Every layer's learned blobs: as given, or as its fillers write them."""
    net = Net(task.net).filtered(NetState(task.phase))
    found = infer(net, {name: np.shape(value) for name, value in task.inputs.items()})
    learned = []
    for layer in net.layers:
        given = task.params.get(layer.name)
        if given is None:
            given = [_filled(layer, shape, i) for i, shape in enumerate(found.params.get(layer.name, []))]
        learned.append(weights.NewLayer(layer.name, layer.type, [weights.blob(np.asarray(one)) for one in given]))
    return [layer for layer in learned if layer.blobs]


def _filled(layer: Layer, shape: Sequence[int], index: int) -> np.ndarray:
    own = layer.param("convolution_param")
    return fill(own.message("bias_filler" if index else "weight_filler"), shape, f"{layer.name}/{index}")
