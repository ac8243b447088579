"""Python layers that hide a resize, known by their module and class.

* `UpsamplingBilinear2d` of the module `interp` (jasonlovescoding/YOLOv3-caffe): its name says bilinear,
  its code calls OpenCV with INTER_NEAREST: rows are repeated. `param_str` is a dictionary with
  `zoom_factor`. It writes its top with height and width swapped, so it is right for square maps only.
"""

from __future__ import annotations

from prototools.dialects.reading import Context, Dialect, Reading, require_bottoms
from prototools.dialects.upsample import repeated
from prototools.lowerings.request import Refused


def _read_interp(context: Context) -> Reading:
    require_bottoms(context, 1)
    zoom = _setting(context, "zoom_factor")
    if not isinstance(zoom, (int, float)) or zoom != int(zoom) or zoom < 1:
        raise Refused(f"zoom_factor must be a whole number of at least 1, but is {zoom}")
    height, width = context.rows(0)
    if None not in (height, width) and height != width:
        raise Refused(f"its own code swaps height and width, so its map must be square, but is {height} x {width}")
    notes = ("nearest, as its code does, whatever its name says",)
    return Reading(repeated(int(zoom), int(zoom)), notes=notes)


def _setting(context: Context, name: str) -> object:
    """One entry of the dictionary in `param_str`."""
    from ast import literal_eval

    text = context.param("python_param").string("param_str")
    try:
        return literal_eval(text)[name]
    except (KeyError, SyntaxError, TypeError, ValueError):
        raise Refused(f"param_str must be a dictionary with {name}, but is {text!r}") from None


DIALECTS = (
    Dialect("python_interp", ("Python:interp.UpsamplingBilinear2d",), "jasonlovescoding/YOLOv3-caffe",
            lambda context: True, _read_interp),
)
