"""Upgrading files of old forms: what Caffe's own upgrade tools do, with comments and forks' fields kept.

| file | holds |
| --- | --- |
| `message` | a message as the steps see it |
| `statements`, `text`, `layout` | the carrier for prototxt: where fields stand, with their comments, and writing them |
| `wire` | the carrier for binary nets |
| `v0`, `data_transform`, `v1`, `inputs`, `batch_norm` | Caffe's five steps for nets, in its order |
| `solver` | the one step for solvers |
| `types` | what the type of a V1 layer means |
| `report` | what was done, and what could not be kept |
| `upgrader` | `upgrade` and `upgrade_weights`: the steps in order |
"""

from prototools.upgrading.report import Note
from prototools.upgrading.upgrader import Upgraded, is_binary, upgrade, upgrade_weights

__all__ = ["Note", "Upgraded", "is_binary", "upgrade", "upgrade_weights"]
