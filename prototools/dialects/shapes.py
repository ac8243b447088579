"""Shape inference that knows custom layers too."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from prototools.dialects import TYPES, output_shape
from prototools.dialects.reading import Context, Shape
from prototools.errors import PrototoolsError
from prototools.net import FilteredNet, Layer
from prototools.shapes import TABLE, Inference, infer

#: The shapes of a layer's tops, from it and its bottoms' shapes; none where nothing is known of them.
Rule = Callable[[Layer, Sequence[Shape]], Optional[List[Shape]]]


def _first(layer: Layer, bottoms: Sequence[Shape]) -> List[Shape]:
    return list(bottoms[:1])


def _only(layer: Layer, bottoms: Sequence[Shape]) -> List[Shape]:
    """The bottom, where there is no other."""
    return list(bottoms) if len(bottoms) == 1 else []


def _second(layer: Layer, bottoms: Sequence[Shape]) -> List[Shape]:
    return list(bottoms[1:2] or bottoms[:1])


def _one_channel(layer: Layer, bottoms: Sequence[Shape]) -> List[Shape]:
    return [None if shape is None else (*shape[:1], 1, *shape[2:]) for shape in bottoms[:1]]


def _convolved(layer: Layer, bottoms: Sequence[Shape]) -> Optional[List[Shape]]:
    """What Convolution's rule says; where it would refuse, the fork may not, so nothing is known."""
    try:
        return list(TABLE["Convolution"].shapes(layer, bottoms).tops) if bottoms else None
    except PrototoolsError:
        return None


def _augmented(layer: Layer, bottoms: Sequence[Shape]) -> List[Shape]:
    """The bottom, or a crop of it."""
    param = layer.param("augmentation_param")
    if not (param.has("crop_height") and param.has("crop_width")):
        return list(bottoms[:1])
    crop = param.dim("crop_height"), param.dim("crop_width")
    return [(*shape[:2], *crop) if shape is not None and len(shape) == 4 else shape for shape in bottoms[:1]]


def _images_and_labels(layer: Layer, bottoms: Sequence[Shape]) -> Optional[List[Shape]]:
    """Images and their labels, pixel by pixel, as large as the crop; without a crop as large as they are."""
    param, crop = layer.param("image_data_param"), layer.param("transform_param").integer("crop_size")
    if not crop:
        return None
    batch = param.integer("batch_size", 1)
    image: Shape = (batch, 3 if param.boolean("is_color", True) else 1, crop, crop)
    label: Shape = (batch, 1, crop, crop) if param.word("label_type", "PIXEL") in ("PIXEL", "2") else None
    return [image, label]


#: Layers that do not resize and that stock Caffe lacks, or has in fewer forms, and where they come from.
#: Without them all that lies behind would be unknown, and most SegNets with it.
KEEPING: Dict[str, Tuple[Rule, str]] = {
    "Axpy":                 (_second, "SENet"),
    "BN":                   (_first, "normalisation of caffe-segnet and PSPNet"),
    "BatchNorm":            (_only, "NVIDIA's and Xilinx' learns more blobs"),
    "ChannelNorm":          (_one_channel, "FlowNet2"),
    "ConvolutionDepthwise": (_convolved, "conversions of MobileNet"),
    "DataAugmentation":     (_augmented, "FlowNet2"),
    "DepthwiseConvolution": (_convolved, "conversions of MobileNet"),
    "Eltwise":              (_only, "FlowNet2's multiplies one blob"),
    "FixedNeuron":          (_first, "quantised networks of Xilinx"),
    "FlowWarp":             (_first, "FlowNet2"),
    "IMAGE_SEG_DATA":       (_images_and_labels, "DeepLab v1"),
    "ImageSegData":         (_images_and_labels, "DeepLab, PSPNet and most that came after"),
    "Mish":                 (_first, "conversions of YOLOv4"),
    "Normalize":            (_first, "SSD"),
    "ReLU6":                (_first, "conversions of MobileNet v2"),
    "SeLu":                 (_first, "residual networks with SELU"),
    "SeLuDropout":          (_first, "residual networks with SELU"),
    "ShuffleChannel":       (_first, "ShuffleNet"),
}


def infer_custom(
    net: FilteredNet, shapes: Mapping[str, Sequence[int]], wanted: Sequence[str] = (), checks: bool = True
) -> Inference:
    """The shapes of every blob of a net, custom resize layers included.

    `shapes` gives or overrides shapes of blobs; `wanted` names dialects for ambiguous layers; `checks` is `infer`'s.
    """

    def custom(layer: Layer, bottoms: Sequence[Shape]) -> Optional[List[Shape]]:
        if layer.type in KEEPING:
            rule, _ = KEEPING[layer.type]
            return rule(layer, bottoms)
        if layer.kind not in TYPES or not bottoms:
            return None
        shape = output_shape(Context(layer, bottoms, net), wanted)
        return None if shape is None else [shape]

    return infer(net, shapes, custom, checks)
