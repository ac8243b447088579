"""The study of upsamplings: Caffe's recipe, skimage's, PyTorch's two, and our exact blocks for each.

| file | holds |
| --- | --- |
| `maps` | what each of the four computes, exactly, and the recipe's derivation |
| `libraries` | skimage and PyTorch themselves, where they are installed |
| `blocks` | stock layers that compute the same, as tasks for an engine |
| `measuring` | `study`: everything on the same data, and where any two differ |
| `table` | a study as text, as Markdown and as plain data |
| `picture` | a study of a small image on one sheet |
"""

from prototools.comparison.measuring import Block, Column, Distance, Pair, Study, StudyError, measure, study

__all__ = ["Block", "Column", "Distance", "Pair", "Study", "StudyError", "measure", "study"]
