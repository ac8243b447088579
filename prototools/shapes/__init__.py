"""Shapes of every blob, as stock Caffe 1.0 infers them, with parts unknown where they must be.

`blob` has partial shapes and the checks on them; `spatial`, `arranging`, `elementwise`, `losses`,
`recurrent` and `sources` have the rules, a function for each layer type; `table` lists them all.
`infer` walks a net; `legacy` lets it read V0; `cost`, `splits` and `show` tell the result.
"""

from prototools.shapes.infer import AUTOMATIC, Inference, infer
from prototools.shapes.show import as_dictionary, rows
from prototools.shapes.table import TABLE

__all__ = ["AUTOMATIC", "Inference", "TABLE", "as_dictionary", "infer", "rows"]
