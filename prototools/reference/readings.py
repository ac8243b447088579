"""Which fork's meaning a custom layer has: the dialect that was named, or what the file decides.

One type name stands for several layers. A named dialect wins wherever the layer's family knows it;
it leaves other families alone, so that one name can be given for a whole net. Without one, the
fields that are written decide, as far as they do.
"""

from __future__ import annotations

from typing import Iterable, Sequence, Tuple, Union

from prototools.errors import EngineError
from prototools.prototext import Message
from prototools.reference.call import Call, written

#: `Interp`: pspnet is also DeepLab v2, DORN, sophgo and Cambricon on the CPU.
INTERP = (
    "pspnet", "papandreou", "deeplab_v1", "lab", "segstereo", "jolibrain", "afriesen", "xjtu",
    "cc4", "derteanoo", "synopsys",
)
#: Fields of `Interp` that one fork alone has.
OWN_FIELDS = {"full_zoom_factor": "synopsys", "interp_type": "segstereo", "mode": "jolibrain", "type": "afriesen"}
UPSAMPLE = (
    "yolo", "inisis", "ascend", "sophgo", "nnie", "cambricon", "caffe_plus", "caffemex",
    "tiny_dsod", "sds", "segnet", "ctensmeyer",
)
UNPOOLING = ("fusenet", "deconvnet", "zhirongw", "cedn", "akrit2013", "ssafar")
UNPOOLING_FIXED = ("caffe_hash", "xieguotian")
UPSAMPLING = ("cedn", "dach", "upsampling")
RESIZE = ("appearance_flow", "happynear", "face_parsing", "philm5")

#: Forks whose layer types have one meaning, so that naming them changes nothing here.
PLAIN = (
    "cambricon_unpooling", "darknet", "deephi", "flownet2", "imresize", "interpolate", "max_unpool",
    "nearest_sample", "octave", "pull_6508", "python_interp", "reference", "simple_upsample", "upsample_nearest",
    "upscale", "upscale2d",
)
DIALECTS = tuple(dict.fromkeys(INTERP + UPSAMPLE + UNPOOLING + UNPOOLING_FIXED + UPSAMPLING + RESIZE + PLAIN))


def checked_dialects(given: Union[str, Iterable[str], None]) -> Tuple[str, ...]:
    """The dialects as a tuple; raises `EngineError` for a name that no family of layers knows."""
    names = (given,) if isinstance(given, str) else tuple(given or ())
    for name in names:
        if name not in DIALECTS:
            raise EngineError(f"the dialect {name!r} is none of {', '.join(DIALECTS)}")
    return names


def _named(call: Call, family: Sequence[str]) -> str:
    """The first dialect that was named and that this family knows."""
    return next((name for name in call.dialects if name in family), "")


def interp_reading(call: Call) -> str:
    """The dialect of an `Interp`: a fork's own field names it, then a second bottom, then pspnet.

    A second bottom without a named dialect is a size reference ("lab").
    """
    named, param = _named(call, INTERP), call.param("interp_param")
    own = next((dialect for field, dialect in OWN_FIELDS.items() if written(param, field)), "")
    if named:
        # Of several the one whose field it is: no other has it.
        return own if own in call.dialects else named
    if call.layer.type == "INTERP":
        return "deeplab_v1"
    if own:
        return own
    if written(param, "resize_flag", "resize_ratio", "resize_method"):
        raise call.error("resize_flag belongs to a fork that swaps height and width; it is not run")
    return "lab" if len(call.bottoms) == 2 else "pspnet"


def upsample_reading(call: Call) -> str:
    """The dialect of an `Upsample`: the fields first, then the bottoms (LAYERS.md, section 9).

    Two bottoms without any field are Tiny-DSOD's (reference, data), unless the second is known to
    be a pooling mask. One bottom with `scale` or nothing is nearest ("yolo").
    """
    named = _named(call, UPSAMPLE)
    if named:
        return named
    param, count = call.param("upsample_param"), len(call.bottoms)
    by_field = _upsample_fields(param, count)
    if by_field:
        return by_field
    if count == 3:
        return "ctensmeyer"
    if count == 2:
        plain = not written(param, "scale") and not call.mask_below
        return "tiny_dsod" if plain else "segnet"
    return "yolo"


def _upsample_fields(param: Message, bottoms: int) -> str:
    """The dialect that a field's name gives away; empty where none does."""
    if written(param, "stride", "stride_h", "stride_w"):
        return "ascend"
    if written(param, "nearestneighbor_mode"):
        return "cambricon"
    if written(param, "mode", "height_scale", "width_scale"):
        return "caffe_plus"
    if written(param, "height", "width"):
        return "sds"
    if written(param, "dims_num"):
        return "inisis"
    stems = ("upsample", "pad_out", "scale")
    if written(param, *(stem + side for stem in stems for side in ("_h", "_w", "_W"))):
        return "segnet" if bottoms == 2 else "sophgo"
    return ""


def unpooling_reading(call: Call) -> str:
    """The dialect of an `Unpooling` or `UNPOOLING`, by the names of its fields."""
    named = _named(call, UNPOOLING)
    if named:
        return named
    param = call.param("unpooling_param")
    if written(param, "pool"):
        return "akrit2013"
    if call.layer.type == "UNPOOLING" and len(call.bottoms) == 1 and param.names() == ["kernel_size"]:
        return "ssafar"
    if written(param, "unpool_size", "unpool_h", "unpool_w", "kernel_size", "kernel_h", "unpool"):
        return "deconvnet"
    if written(param, "output_h", "output_w", "scale"):
        return "fusenet"
    if written(call.layer.message, "pooling_param"):
        raise call.error("sizes from pooling_param belong to unmerged Caffe patches that disagree")
    raise call.error("unpooling_param must say scale, output_h and output_w, or unpool_size")


def pooled_reading(call: Call) -> str:
    """The dialect of an `UnPooling` by `pooling_param`, which its fields do not tell."""
    return _named(call, UNPOOLING_FIXED) or "caffe_hash"


def upsampling_reading(call: Call) -> str:
    """The dialect of an `Upsampling` or `UPSAMPLING`, by the names of its fields."""
    named, param = _named(call, UPSAMPLING), call.param("upsampling_param")
    if named:
        return named
    if call.layer.type == "UPSAMPLING" or written(param, "kernel_size"):
        return "cedn"
    if written(param, "kernel_c") or written(param, "kernel_h") != written(param, "kernel_w"):
        return "dach"
    return "cedn" if written(param, "kernel_h") else "upsampling"


def resize_reading(call: Call) -> str:
    """The dialect of a `Resize`; `height` and `width` alone fit several and are refused."""
    named = _named(call, RESIZE)
    if named:
        return named
    param = call.param("resize_param")
    if written(param, "function_type", "interp_mode"):
        raise call.error("function_type and interp_mode belong to forks that are not run here")
    for dialect, fields in (
        ("philm5", ("height_out", "width_out")),
        ("face_parsing", ("resize_ratio", "type")),
        ("happynear", ("out_height_scale", "out_width_scale", "is_pyramid_test")),
        ("appearance_flow", ("scale", "scale_x", "scale_y", "crop", "crop_x", "crop_y")),
    ):
        if written(param, *fields):
            return dialect
    raise call.error(f"its fields fit several forks; name a dialect: {_listed(RESIZE)}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " or " + names[-1]
