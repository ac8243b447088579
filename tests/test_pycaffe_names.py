"""Every name of pycaffe that scripts reach for, in the stand-in and in the package itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import prototools
import prototools.pycaffe as caffe_again
from prototools.pycaffe import caffe_pb2

PROJECT = Path(__file__).resolve().parents[1]

#: What scripts ask for; the answers are pycaffe's.
ASKED = """
sorted(caffe.net_spec.param_name_dict().items())
caffe.params.Eltwise.SUM, caffe.params.LRN.WITHIN_CHANNEL, caffe.params.Data.LMDB, caffe.params.Loss.VALID
caffe.TRAIN, caffe.TEST, pb.TRAIN, pb.TEST, pb.Phase.keys(), pb.Phase.items(), pb.Phase.Name(1)
pb.V1LayerParameter.LayerType.Value('CONVOLUTION'), pb.V1LayerParameter.CONVOLUTION
pb.PoolingParameter.PoolMethod.items(), pb.ParamSpec.DimCheckMode.Name(0), pb.ParamSpec.STRICT
pb._POOLINGPARAMETER_POOLMETHOD.values_by_name['AVE'].number, pb._PHASE.values_by_name['TEST'].number
sorted(field.name for field in pb._NETPARAMETER.fields), pb._LAYERPARAMETER.full_name
sorted(pb.DESCRIPTOR.message_types_by_name), sorted(pb.DESCRIPTOR.enum_types_by_name), pb.DESCRIPTOR.package
sorted(name for name in dir(pb) if name[0] == '_' and name[1:].isupper())
pb.LayerParameter(name='x').DESCRIPTOR.full_name, type(pb.LayerParameter()).__name__
type(pb.SolverParameter().SolverMode).__name__, pb.SolverParameter().SolverMode.Value('GPU')
hasattr(pb, 'NormalizedBBox'), hasattr(caffe, 'no_such_name')
caffe.io.caffe_pb2.Datum(label=3).label, caffe.net_spec.caffe_pb2 is pb, caffe.__version__
caffe.has_nccl(), caffe.solver_count(), caffe.solver_rank(), caffe.set_mode_cpu(), caffe.set_random_seed(1)
type('Own', (caffe.Layer,), {'setup': lambda self, bottom, top: None}).__name__
issubclass(caffe.AdamSolver, object), caffe.classifier.Classifier is caffe.Classifier
pickle.loads(pickle.dumps(pb.LayerParameter(name='x'))).name, copy.deepcopy(pb.LayerParameter(name='x')).name
json_format.MessageToDict(pb.LayerParameter(name='x', top=['a', 'b'], phase=pb.TEST))
json_format.Parse('{"name": "a", "layer": [{"name": "b"}]}', pb.NetParameter()).layer[0].name
text_format.Merge('layer { pooling_param { pool: AVE } }', pb.NetParameter()).layer[0].pooling_param.pool
pb.NetParameter.FromString(pb.NetParameter(name='n').SerializeToString()).name
[list(made.tops) for made in [caffe.NetSpec()]], caffe.layers.Anything().fn.type_name
""".strip().splitlines()

ASK = """
import copy, json, pickle
from google.protobuf import json_format, text_format
import caffe, caffe._caffe, caffe.classifier, caffe.detector, caffe.pycaffe, caffe.net_spec, caffe.io
import caffe.proto.caffe_pb2 as pb
from caffe.net_spec import Function, Layers, NetSpec, Parameters, Top, assign_proto, to_proto
from caffe.pycaffe import Net, SGDSolver
from caffe.classifier import Classifier
names = {}
exec("from caffe.proto.caffe_pb2 import *", names)
answers = [repr(eval(line)) for line in %r]
answers.append(sorted(name for name in names if hasattr(pb, name)))
caffes = {}
exec("from caffe import *", caffes)
answers.append(sorted(caffes))
print(json.dumps(answers))
"""


def test_answers(caffe, tmp_path: Path) -> None:
    """Each question has pycaffe's answer, and both star imports give what pycaffe's give."""
    script = tmp_path / "ask.py"
    script.write_text(ASK % ASKED)
    *theirs, messages, names = json.loads(caffe.python(script.read_text()).splitlines()[-1])
    done = run([str(script)], tmp_path)
    *ours, our_messages, our_names = json.loads(done.stdout)
    assert len(theirs) == len(ASKED)
    for line, one, other in zip(ASKED, ours, theirs):
        assert one == other, line
    # Modules that the generated one imports are no part of it.
    assert set(messages) - set(our_messages) <= {"enum_type_wrapper"}
    # pycaffe's star also gives the modules it is made of.
    assert set(names) - set(our_names) <= {"classifier", "detector", "pycaffe"}


def run(arguments: list, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "prototools.pycaffe", *arguments], capture_output=True, text=True,
                          cwd=folder, env={"PYTHONPATH": str(PROJECT)})


#: Ways to import `found`, and what it is.
IMPORTS = {
    "from prototools.proto import caffe_pb2 as found": "caffe_pb2",
    "import prototools.proto.caffe_pb2 as found": "caffe_pb2",
    "import prototools as caffe; found = caffe.proto.caffe_pb2": "caffe_pb2",
    "from prototools.coord_map import crop as found": "coord_map.crop",
    "import prototools.io; found = prototools.io.Transformer": "io.Transformer",
    "from prototools.draw import draw_net_to_file as found": "draw.draw_net_to_file",
    "import prototools.pycaffe.draw as found": "draw",
    "import sys, prototools.pycaffe; sys.modules['caffe'] = prototools.pycaffe; import caffe.draw; "
    "from caffe.coord_map import L as found; caffe.proto.caffe_pb2": "layers",
    "import sys, prototools; sys.modules['caffe'] = prototools; import caffe.draw, caffe.net_spec, caffe.io; "
    "from caffe.proto import caffe_pb2 as found; from caffe.coord_map import crop; caffe.layers": "caffe_pb2",
    "from prototools.net_spec import *; found = NetSpec": "NetSpec",
    "from prototools.pycaffe.proto.caffe_pb2 import NetParameter as found": "caffe_pb2.NetParameter",
    "from prototools.pycaffe.net_spec import layers as found": "layers",
}


@pytest.mark.parametrize("line", IMPORTS)
def test_rooms_of_the_package(line: str) -> None:
    """pycaffe's modules are found under `prototools` too, and are the stand-in's own."""
    code = f"{line}\nfrom prototools import pycaffe\nassert found is pycaffe.{IMPORTS[line]}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)
    assert done.returncode == 0, done.stderr


def test_rooms_wait() -> None:
    """Looking through all modules, as inspect does, loads none of them."""
    code = ("import inspect, sys, prototools\ninspect.getmodule(sys._getframe())\n"
            "print(sorted({name.partition('.')[0] for name in sys.modules} & {'numpy', 'google'}))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_name_is_answered() -> None:
    """What stands in the tables can be had, and is the same each time."""
    for name in caffe_again.__all__:
        assert getattr(caffe_again, name) is getattr(caffe_again, name)
    for name in prototools._PYCAFFE:
        assert getattr(prototools, name) is getattr(caffe_again, name)
    assert {"Net", "SGDSolver", "draw", *caffe_again.__all__} <= set(dir(caffe_again))
    assert set(caffe_pb2.__all__) > {"NetParameter", "Phase", "TRAIN", "TEST", "DESCRIPTOR"}


ENDS = {
    "solver": ("caffe.SGDSolver('solver.prototxt').solve()", "caffe.SGDSolver trains networks"),
    "own solver": ("class Own(caffe.AdamSolver): pass\nOwn()", "caffe.AdamSolver trains networks"),
    "drawing": ("import caffe.draw\ncaffe.draw.draw_net_to_file(None, 'net.png')", "draws networks"),
    "a wrong setting": ("def conv(): return L.Convolution(kernal_size=3)\nconv()", "did you mean 'kernel_size'?"),
}


@pytest.mark.parametrize("name", ENDS)
def test_where_a_script_ends(name: str, tmp_path: Path) -> None:
    """What cannot be here is one sentence with the script's line, and exit code 2; what was printed stays."""
    code, sentence = ENDS[name]
    (tmp_path / "script.py").write_text(f"import caffe\nfrom caffe import layers as L\nprint('net')\n{code}\n")
    done = run(["script.py"], tmp_path)
    line = 4 + (name in ("own solver", "drawing"))
    assert (done.returncode, done.stdout) == (2, "net\n")
    assert done.stderr.startswith(f"script.py:{line}: ") or done.stderr.startswith(f"{tmp_path}/script.py:{line}: ")
    assert sentence in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments, sentence", [([], "usage: python -m prototools.pycaffe SCRIPT"),
                                                 (["no.py"], "no.py: there is no such script")])
def test_without_a_script(arguments: list, sentence: str, tmp_path: Path) -> None:
    done = run(arguments, tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith(sentence)
    assert len(done.stderr.splitlines()) == 1
