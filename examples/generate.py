"""Generate the sample networks of this folder: `make examples`.

They are small networks with the custom resize layers of four well-known families, built with
prototools' own NetSpec. Stock Caffe's schema has no custom layers, so each is stood in for by a
layer that copies its first bottom while the net is built, and written into the text afterwards.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, Tuple

from prototools import NetSpec, parse
from prototools import layers as L
from prototools import params as P
from prototools.prototext import Style, write_fields

HERE = os.path.dirname(os.path.abspath(__file__))


class Sketch:
    """A NetSpec with custom layers in it."""

    def __init__(self, name: str, comment: str):
        self.name, self.comment = name, comment
        self.net = NetSpec()
        self.custom: Dict[str, Tuple[str, Dict[str, Any]]] = {}

    def add(self, name: str, top: Any) -> Any:
        """Name a top."""
        setattr(self.net, name, top)
        return top

    def convolution(self, name: str, bottom: Any, outputs: int, stride: int = 1, kernel: int = 3) -> Any:
        """Convolution and ReLU; the size is kept, or divided by the stride."""
        settings = dict(num_output=outputs, kernel_size=kernel, stride=stride, pad=kernel // 2)
        made = L.Convolution(bottom, weight_filler=dict(type="msra"), **settings)
        self.add(name, made)
        return self.add(f"{name}_relu", L.ReLU(made, in_place=True))

    def insert(self, name: str, type_name: str, *bottoms: Any, **param: Dict[str, Any]) -> Any:
        """A custom layer; what it writes is in `param`."""
        self.custom[name] = (type_name, param)
        made = L.Eltwise(*bottoms) if len(bottoms) > 1 else L.Power(*bottoms)
        return self.add(name, made)

    def text(self) -> bytes:
        """The network with its custom layers, comment first."""
        document = parse(str(self.net.to_proto()).encode())
        edits = []
        for message in document.messages("layer"):
            name = message.string("name")
            if name in self.custom:
                type_name, param = self.custom[name]
                fields = dict(name=name, type=type_name, bottom=message.strings("bottom"),
                              top=message.strings("top"), **param)
                text = write_fields({"layer": fields}, Style())
                edits.append((message.start, message.stop, text))
        lines = "".join(f"# {line}\n" for line in self.comment.split("\n"))
        return f'{lines}name: "{self.name}"\n'.encode() + document.edited(edits)


def pspnet_pyramid() -> Sketch:
    sketch = Sketch("pspnet_pyramid", "PSPNet: pyramid pooling, every level stretched back to 60 x 60.")
    data = sketch.add("data", L.Input(shape=dict(dim=[1, 3, 473, 473])))
    features = sketch.convolution("conv1", data, 8, stride=2)
    features = sketch.convolution("conv2", features, 8, stride=2)
    features = sketch.convolution("conv3", features, 16, stride=2)
    levels: List[Any] = [features]
    for bins, kernel in ((1, 60), (2, 30), (3, 20), (6, 10)):
        pool = L.Pooling(features, pool=P.Pooling.AVE, kernel_size=kernel, stride=kernel)
        sketch.add(f"pool{bins}", pool)
        reduced = sketch.convolution(f"pool{bins}_conv", pool, 4, kernel=1)
        levels.append(sketch.insert(
            f"pool{bins}_interp", "Interp", reduced, interp_param=dict(height=60, width=60)))
    concat = sketch.add("concat", L.Concat(*levels))
    score = sketch.convolution("score", concat, 5, kernel=1)
    interp = sketch.insert("score_interp", "Interp", score, interp_param=dict(zoom_factor=8))
    sketch.add("prob", L.Softmax(interp))
    return sketch


def deeplab_multiscale() -> Sketch:
    sketch = Sketch("deeplab_multiscale", "DeepLab: one network at three scales, and the largest score wins.")
    data = sketch.add("data", L.Input(shape=dict(dim=[1, 3, 321, 321])))
    scales = (
        ("full", None),
        ("075", dict(shrink_factor=4, zoom_factor=3, pad_beg=0, pad_end=0)),
        ("05", dict(shrink_factor=2, pad_beg=0, pad_end=0)),
    )
    scores = []
    for scale, param in scales:
        image = sketch.insert(f"data_{scale}", "Interp", data, interp_param=param) if param else data
        features = sketch.convolution(f"conv1_{scale}", image, 6, stride=4)
        score = sketch.convolution(f"score_{scale}", features, 4, stride=2, kernel=1)
        scores.append(sketch.insert(
            f"interp_{scale}", "Interp", score, interp_param=dict(height=41, width=41)))
    fused = sketch.add("fused", L.Eltwise(*scores, operation=P.Eltwise.MAX))
    interp = sketch.insert("fc_interp", "Interp", fused, interp_param=dict(zoom_factor=8))
    sketch.add("prob", L.Softmax(interp))
    return sketch


def segnet_decoder() -> Sketch:
    sketch = Sketch("segnet_decoder", "SegNet: pooling keeps its mask, the decoder puts values back by it.")
    features = sketch.add("data", L.Input(shape=dict(dim=[1, 3, 45, 60])))
    masks = []
    for level, outputs in ((1, 8), (2, 8)):
        features = sketch.convolution(f"conv{level}", features, outputs)
        pool, mask = L.Pooling(features, pool=P.Pooling.MAX, kernel_size=2, stride=2, ntop=2)
        features = sketch.add(f"pool{level}", pool)
        masks.append(sketch.add(f"pool{level}_mask", mask))
    sizes = (dict(scale=2, upsample_w=30, upsample_h=23), dict(scale=2, pad_out_h=True))
    for level, param in zip((2, 1), sizes):
        features = sketch.insert(
            f"upsample{level}", "Upsample", features, masks[level - 1], upsample_param=param)
        features = sketch.convolution(f"conv{level}_decode", features, 8)
    sketch.add("prob", L.Softmax(features))
    return sketch


def yolo_neck() -> Sketch:
    sketch = Sketch("yolo_neck", "YOLO: deep features doubled twice and joined with shallower ones.")
    data = sketch.add("data", L.Input(shape=dict(dim=[1, 3, 416, 416])))
    stem = sketch.convolution("conv1", data, 4, stride=4)
    shallow = sketch.convolution("conv2", stem, 8, stride=2)
    middle = sketch.convolution("conv3", shallow, 8, stride=2)
    deep = sketch.convolution("conv4", middle, 16, stride=2)
    sketch.add("detect1", L.Convolution(deep, num_output=6, kernel_size=1))
    for number, beside in ((2, middle), (3, shallow)):
        reduced = sketch.convolution(f"reduce{number}", deep, 8, kernel=1)
        doubled = sketch.insert(f"upsample{number}", "Upsample", reduced, upsample_param=dict(scale=2))
        joined = sketch.add(f"route{number}", L.Concat(doubled, beside))
        deep = sketch.convolution(f"join{number}", joined, 16)
        sketch.add(f"detect{number}", L.Convolution(deep, num_output=6, kernel_size=1))
    return sketch


NETWORKS: Tuple[Callable[[], Sketch], ...] = (
    pspnet_pyramid,
    deeplab_multiscale,
    segnet_decoder,
    yolo_neck,
)


def main() -> None:
    """Write every network beside this file."""
    for network in NETWORKS:
        with open(os.path.join(HERE, f"{network.__name__}.prototxt"), "wb") as file:
            file.write(network().text())


if __name__ == "__main__":
    main()
