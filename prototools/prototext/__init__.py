"""The lossless tree: protobuf text format as bytes, with every field where the author put it.

`parse` checks a whole file in one pass and remembers only where messages begin and end.
Fields are read out of those spans when somebody asks for them, and nothing is ever printed again:
`Document.source()` is the text that came in, and an edit is a list of spans with new bytes for each.
The tree knows no schema, so a field that no Caffe knows is an ordinary field.

| file | holds |
| --- | --- |
| `grammar` | the text format as regular expressions |
| `tree` | `parse`, `Document`, `Message`, `Scalar` |
| `values` | what a literal means, by the rules of protobuf's C++ reader |
| `style` | how a file writes things, and writing new fields the same way |
| `placeholders` | reading a text that still has `$NAME`s for values |
| `places` | lines and columns, and errors that know theirs |
| `complaint` | which rule a broken file breaks, in words |
"""

from prototools.prototext.style import Style, Word, write_fields
from prototools.prototext.tree import Document, Message, Scalar, parse

__all__ = ["Document", "Message", "Scalar", "Style", "Word", "parse", "write_fields"]
