"""Networks from templates: Jinja2, strict and in a sandbox, and the result is checked before it is given.

A template includes and imports only what lies in its own folder or below, and prototools' own
`templates/`. A name that is not given is an error. Placeholders of plain prototxt, `$NAME`, `${NAME}`
and `$NAME$`, are filled from the same values.

| file | holds |
| --- | --- |
| `running` | `render` and its kin: a template's text, checked, and the files it is made from |
| `mistakes` | Jinja2's errors as sentences with the template and its line |
| `sandbox` | Jinja2 with bounds on what is computed and where templates are found |
"""

from prototools.rendering.mistakes import RenderError
from prototools.rendering.running import Rendering, find_part, own_folder, parts_named, render, rendering, shipped

__all__ = ["RenderError", "Rendering", "find_part", "own_folder", "parts_named", "render", "rendering", "shipped"]
