"""Run networks under Caffe's own Python: `python3 worker.py FOLDER PROCESSES`.

This file imports nothing of prototools, so that it also runs where only Caffe and numpy are.
FOLDER holds one numbered folder for each case (see client.py for what is in them).
Caffe is imported once; each case runs in a fork of this process, because a failed check of Caffe
ends the whole process. The fork leaves its answer in the case's folder, this process its exit code.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from typing import Any

# The whole log, because it says at which layer Caffe stopped. To be set before the import.
os.environ["GLOG_minloglevel"] = "0"

import caffe
import numpy


class CaseError(Exception):
    """A mistake in the case itself; its text is a sentence."""


def main(folder: str, processes: int) -> None:
    """Fork one child for each case, at most `processes` at a time, and record how each ended."""
    cases = sorted(name for name in os.listdir(folder) if name.isdigit())
    running: dict[int, str] = {}
    while cases or running:
        if cases and len(running) < processes:
            place = os.path.join(folder, cases.pop(0))
            running[start(place)] = place
        else:
            child, status = os.wait()
            if child in running:
                write_status(running.pop(child), status)


def start(place: str) -> int:
    """Run one case in a fork; the number of its process."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        log = os.open(os.path.join(place, "log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        run_case(place)
        code = 0
    except CaseError as error:
        write_json(os.path.join(place, "mistake.json"), str(error))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def write_status(place: str, status: int) -> None:
    """The exit code, negative for a signal, as subprocess counts."""
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    write_json(os.path.join(place, "status.json"), code)


def write_json(path: str, value: Any) -> None:
    with open(path, "w") as out:
        json.dump(value, out)


def run_case(place: str) -> None:
    """Everything that the case asks for; Caffe's own failures end this process."""
    with open(os.path.join(place, "case.json")) as source:
        case = json.load(source)
    given = dict(numpy.load(os.path.join(place, "in.npz")))
    if case["timeout"]:
        signal.alarm(case["timeout"])
    caffe.set_mode_cpu()
    if case["seed"] is not None:
        caffe.set_random_seed(case["seed"])
    net = make_net(place, case)
    set_params(net, given)
    set_inputs(net, given)
    arrays: dict[str, Any] = {}
    if not case["shapes_only"]:
        net.forward()
        # Copied before any backward pass, because an in-place layer may reuse the memory.
        arrays.update(("blobs/" + name, blob_of(net, name).data.copy())
                      for name in wanted_blobs(net, case["outputs"]))  # fmt: skip
    if case["backward"]:
        arrays.update(run_backward(net, case, given))
    if case["return_params"]:
        arrays.update(param_arrays(net, "data"))
    if case["save"]:
        net.save(case["save"])
    write_answer(place, net, arrays)


def make_net(place: str, case: dict[str, Any]) -> Any:
    phase = {"TRAIN": caffe.TRAIN, "TEST": caffe.TEST}[case["phase"]]
    path = os.path.join(place, "net.prototxt")
    if case["level"] or case["stages"]:
        net = caffe.Net(path, phase, level=case["level"], stages=case["stages"])
    else:
        net = caffe.Net(path, phase)
    if case["weights"]:
        net.copy_from(case["weights"])
    return net


def blob_of(net: Any, name: str) -> Any:
    if name not in net.blobs:
        raise CaseError("the net must have a blob %r, but its blobs are %s"
                        % (name, ", ".join(net.blobs)))  # fmt: skip
    return net.blobs[name]


def set_params(net: Any, given: dict[str, Any]) -> None:
    """Arrays `params/INDEX/LAYER`, of exactly the shape that the layer has."""
    for key, value in given.items():
        if key.startswith("params/"):
            index, layer = key.split("/", 2)[1:]
            if layer not in net.params:
                raise CaseError("the net must have a layer %r with parameters, but only %s have any"
                                % (layer, ", ".join(net.params) or "no layers"))  # fmt: skip
            blobs = net.params[layer]
            if int(index) >= len(blobs):
                raise CaseError("layer %r has %d parameter blobs, but number %d was given"
                                % (layer, len(blobs), int(index)))  # fmt: skip
            put(blobs[int(index)].data, value, "parameter %s of layer %r" % (index, layer))


def put(target: Any, value: Any, what: str) -> None:
    if target.shape != value.shape:
        raise CaseError("%s must have the shape %s, but the array has %s"
                        % (what, list(target.shape), list(value.shape)))  # fmt: skip
    target[...] = value


def set_inputs(net: Any, given: dict[str, Any]) -> None:
    """Arrays `inputs/BLOB`; where a shape differs, the net is reshaped to it."""
    inputs = {key[7:]: value for key, value in given.items() if key.startswith("inputs/")}
    changed = [name for name in inputs if tuple(blob_of(net, name).shape) != inputs[name].shape]
    for name in changed:
        net.blobs[name].reshape(*inputs[name].shape)
    if changed:
        # Not otherwise: a second reshape is refused by nets that the first one accepts, such as a
        # convolution in place that changes the number of channels.
        net.reshape()
    for name, value in inputs.items():
        put(net.blobs[name].data, value, "input blob %r" % name)


def wanted_blobs(net: Any, outputs: Any) -> list[str]:
    if outputs == "all":
        return list(net.blobs)
    return list(net.outputs) if outputs is None else list(outputs)


def run_backward(net: Any, case: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Set the gradients `diffs/BLOB`, run every layer backward, and collect gradients."""
    for key, value in given.items():
        if key.startswith("diffs/"):
            put(blob_of(net, key[6:]).diff, value, "the gradient of blob %r" % key[6:])
    net.backward()
    names = list(net.inputs) if case["diffs"] is None else case["diffs"]
    found = {"diffs/" + name: blob_of(net, name).diff.copy() for name in names}
    found.update(param_arrays(net, "diff"))
    return found


def param_arrays(net: Any, which: str) -> dict[str, Any]:
    prefix = {"data": "params", "diff": "param_diffs"}[which]
    return {
        "%s/%d/%s" % (prefix, index, layer): getattr(blob, which).copy()
        for layer, blobs in net.params.items() for index, blob in enumerate(blobs)
    }  # fmt: skip


def write_answer(place: str, net: Any, arrays: dict[str, Any]) -> None:
    answer = {
        "shapes": [[name, list(blob.shape)] for name, blob in net.blobs.items()],
        "param_shapes": [
            [layer, [list(blob.shape) for blob in blobs]] for layer, blobs in net.params.items()
        ],
        "layers": [
            [name, layer.type] for name, layer in zip(list(net._layer_names), net.layers)
        ],
        "inputs": list(net.inputs),
        "outputs": list(net.outputs),
    }  # fmt: skip
    numpy.savez(os.path.join(place, "out.npz"), **arrays)
    write_json(os.path.join(place, "answer.json"), answer)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
