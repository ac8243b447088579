"""Numpy forward of stock layers and of the forks' resize layers, in float64.

This is the independent witness: it follows Caffe's and the forks' loops, and shares no code with
the rewriter's own description of the same layers.

| file | holds |
| --- | --- |
| `net` | `forward_layer`, `run`, the table of all layers |
| `stock` | the table of stock layers |
| `linear`, `pooling`, `elementwise`, `normalise`, `shaping` | stock layers |
| `custom` | the table of custom layers |
| `readings` | which dialect a custom layer is written in |
| `interp`, `upsample`, `unpooling`, `resizers` | custom layers |
| `sampling` | source rows and weights, as the forks compute them |
| `windows` | kernel, stride, pad and dilation |
| `parameters`, `fillers` | shapes and contents of learned blobs |
| `call` | what a forward function is given |
"""

from prototools.reference.fillers import bilinear_filler, fill
from prototools.reference.net import LAYERS, forward_layer, run, unknown_types
from prototools.reference.readings import DIALECTS

__all__ = [
    "DIALECTS", "LAYERS", "bilinear_filler", "fill", "forward_layer", "run", "unknown_types",
]
