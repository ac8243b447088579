"""Shape inference that knows custom layers too."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from prototools.dialects import TYPES, output_shape
from prototools.dialects.reading import Context, Shape
from prototools.errors import PrototoolsError
from prototools.net import FilteredNet, Layer
from prototools.shapes import TABLE, Inference, infer

#: What the top of a custom layer that does not resize is like.
FIRST, SECOND = "its bottom", "its second bottom"
CONVOLVED, ONE_CHANNEL, AUGMENTED = "a Convolution's", "one channel of its bottom", "its bottom, or a crop of it"

#: Custom layers that do not resize, and where they come from.
#: Without them all that lies behind would be unknown, and most SegNets with it.
KEEPING: Dict[str, Tuple[str, str]] = {
    "Axpy":                 (SECOND, "SENet"),
    "BN":                   (FIRST, "normalisation of caffe-segnet and PSPNet"),
    "ChannelNorm":          (ONE_CHANNEL, "FlowNet2"),
    "ConvolutionDepthwise": (CONVOLVED, "conversions of MobileNet"),
    "DataAugmentation":     (AUGMENTED, "FlowNet2"),
    "DepthwiseConvolution": (CONVOLVED, "conversions of MobileNet"),
    "FixedNeuron":          (FIRST, "quantised networks of Xilinx"),
    "FlowWarp":             (FIRST, "FlowNet2"),
    "Mish":                 (FIRST, "conversions of YOLOv4"),
    "Normalize":            (FIRST, "SSD"),
    "ReLU6":                (FIRST, "conversions of MobileNet v2"),
    "SeLu":                 (FIRST, "residual networks with SELU"),
    "SeLuDropout":          (FIRST, "residual networks with SELU"),
    "ShuffleChannel":       (FIRST, "ShuffleNet"),
}

#: Stock layers that forks have in more forms, all as large as their only bottom: FlowNet2's multiplies one blob,
#: NVIDIA's and Xilinx' BatchNorm learns more blobs.
SCALED = ("BatchNorm", "Eltwise")

#: DeepLab's data layer in both forms, which PSPNet and most that came after it train with.
IMAGE_SEG_DATA = ("ImageSegData", "IMAGE_SEG_DATA")


def infer_custom(
    net: FilteredNet, shapes: Mapping[str, Sequence[int]], wanted: Sequence[str] = (), checks: bool = True
) -> Inference:
    """The shapes of every blob of a net, custom resize layers included.

    `shapes` gives or overrides shapes of blobs; `wanted` names dialects for ambiguous layers; `checks` is `infer`'s.
    """

    def custom(layer: Layer, bottoms: Sequence[Shape]) -> Optional[List[Shape]]:
        if layer.type in IMAGE_SEG_DATA:
            return _cropped(layer)
        if layer.type in KEEPING and bottoms or layer.type in SCALED and len(bottoms) == 1:
            return _kept(layer, bottoms)
        if layer.kind not in TYPES or not bottoms:
            return None
        shape = output_shape(Context(layer, bottoms, net), wanted)
        return None if shape is None else [shape]

    return infer(net, shapes, custom, checks)


def _cropped(layer: Layer) -> Optional[List[Shape]]:
    """Images and their labels, pixel by pixel, as large as the crop; without a crop as large as they are."""
    param, crop = layer.param("image_data_param"), layer.param("transform_param").integer("crop_size")
    if not crop:
        return None
    batch = param.integer("batch_size", 1)
    image: Shape = (batch, 3 if param.boolean("is_color", True) else 1, crop, crop)
    label: Shape = (batch, 1, crop, crop) if param.word("label_type", "PIXEL") in ("PIXEL", "2") else None
    return [image, label]


def _kept(layer: Layer, bottoms: Sequence[Shape]) -> Optional[List[Shape]]:
    """What a stock layer's rule says; where it would refuse, the fork may not, so nothing is known."""
    like, _ = KEEPING.get(layer.type, (FIRST, ""))
    if like == CONVOLVED:
        try:
            return list(TABLE["Convolution"].shapes(layer, bottoms).tops)
        except PrototoolsError:
            return None
    shape = bottoms[1] if like == SECOND and len(bottoms) > 1 else bottoms[0]
    if like == ONE_CHANNEL and shape is not None:
        shape = (*shape[:1], 1, *shape[2:])
    if like == AUGMENTED and shape is not None and len(shape) == 4:
        param = layer.param("augmentation_param")
        if param.has("crop_height") and param.has("crop_width"):
            shape = (*shape[:2], param.dim("crop_height"), param.dim("crop_width"))
    return [shape]
