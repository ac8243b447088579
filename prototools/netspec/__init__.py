"""Networks from Python: a drop-in for pycaffe's NetSpec.

    from prototools.netspec import NetSpec, layers as L, params as P

    n = NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 3, 224, 224]))
    n.conv1 = L.Convolution(n.data, num_output=64, kernel_size=3, pad=1)
    n.relu1 = L.ReLU(n.conv1, in_place=True)
    n.pool1 = L.Pooling(n.relu1, pool=P.Pooling.MAX, kernel_size=2, stride=2)
    print(n.to_proto())

`layers.TYPE(*bottoms, **settings)` makes a layer of any type and returns its top, or a tuple of
tops where `ntop=` asks for several, or the layer itself for `ntop=0`. Assigning a top to a NetSpec
names it. A layer is called after its first top; what has no name is called TYPE1, TYPE2 and so on.
`in_place=True` gives the tops the bottoms' names.

A setting that ends in `param` is a field of the layer; any other is looked up in the layer type's
own message, and after that in the layer (`name`, `include`, `loss_weight`).

A script for pycaffe's NetSpec prints the same network here. This one does more:

* a wrong setting is told at the call that gives it, in a sentence with the nearest right name, and a type that
  looks like a slip is warned of;
* Deconvolution, Im2col, RNN, LSTM and losses take the settings of the message that they read;
* tuples, ranges, numpy arrays and empty lists do for repeated fields, names for enum values;
* `tops=["data", "label"]` names a layer's blobs apart from the layer, so that two layers of
  different phases may make one blob, and `name=` may be used twice;
* a top tells its blob's shape: `n.conv1.shape` is (1, 64, 224, 224);
* `NetSpec(name="CaffeNet", force_backward=True)` takes the fields of the net itself;
* `NetSpec.from_prototxt(text)` reads a network, `n.to_python()` writes the code that makes it;
* the depth of a network has no limit, and a NetSpec can be copied and pickled;
* an automatic name is never that of an assigned top, where pycaffe makes two blobs of one name.

| file | holds |
| --- | --- |
| `spec` | `NetSpec` |
| `modules` | `layers` and `params` |
| `graph` | `Top` and `Function`: a network as it is built |
| `writing` | `to_proto`: names for everything, and the message |
| `settings`, `values` | where a setting goes, and plain values in the fields of messages |
| `reading` | prototxt to messages, and messages to a NetSpec |
| `plain` | messages to plain values, the other way of `values` |
| `source` | Python code for a NetSpec |
| `complaints` | the errors |
"""

from prototools.netspec.complaints import (
    UnknownFieldError,
    UnknownTopError,
    WrongStructureError,
    WrongValueError,
)
from prototools.netspec.graph import Function, Top, blob, in_order
from prototools.netspec.modules import Layers, Parameters, layers, params
from prototools.netspec.spec import NetSpec
from prototools.netspec.values import assign_proto
from prototools.netspec.writing import to_proto

#: The phases, for `include=dict(phase=TEST)`.
TRAIN, TEST = 0, 1

__all__ = [
    "Function", "Layers", "NetSpec", "Parameters", "TEST", "TRAIN", "Top", "UnknownFieldError", "UnknownTopError",
    "WrongStructureError", "WrongValueError", "assign_proto", "blob", "in_order", "layers", "params", "to_proto",
]
