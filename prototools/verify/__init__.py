"""Proof by running: a network before and after, on the same inputs, compared value by value.

What the first network must give comes from the numpy reference in float64, which knows the forks'
layers; what the second gives comes from an engine of the user's choice. Only the regions are run in
which the two differ, each as a small network of its own.

| file | holds |
| --- | --- |
| `running` | `verify`: the regions one after the other, and what the engine made of them |
| `regions` | where two networks differ, and what no run could show of it |
| `build` | other differences in build: outputs, shapes of inputs, what stock Caffe refuses |
| `cutting` | a region as a network of its own |
| `learned` | the learned blobs of both sides, from caffemodels or made up |
| `verdict` | what comes out |
"""

from prototools.verify.running import verify
from prototools.verify.verdict import Comparison, Difference, Verdict, VerifyError, largest

__all__ = ["Comparison", "Difference", "Verdict", "VerifyError", "largest", "verify"]
