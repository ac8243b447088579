"""The place of pycaffe's drawing, which needs pydot: scripts may import it, and a call says where it is done."""

from __future__ import annotations

from prototools.pycaffe.elsewhere import compiled

draw_net = compiled("draw_net")
draw_net_to_file = compiled("draw_net_to_file")
get_pydot_graph = compiled("get_pydot_graph")
