"""pycaffe's users live in Python 3.9 with protobuf 3.12 and numpy 1.19: prototools runs there too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from caffemodels import model
from test_rewrite import ALL, run, shapes
from words import READ, USUAL

from prototools.net import Net
from prototools.realcaffe import run_net
from prototools.shapes import as_dictionary, infer

PROJECT = Path(__file__).resolve().parents[1]

REWRITE = """
import json, sys
from prototools.rewriter import rewrite
found = []
for text, options in json.load(open(sys.argv[1] if len(sys.argv) > 1 else {cases!r})):
    given = {{blob: tuple(dims) for blob, dims in options.pop("shapes").items()}}
    result = rewrite(text.encode(), shapes=given, **options)
    found.append([result.text.decode(), len(result.refusals)])
print(json.dumps(found))
"""

SHAPES = """
import json
from prototools.net import Net
from prototools.shapes import as_dictionary, infer
net = Net(open({path!r}, "rb").read()).filtered()
print(json.dumps(as_dictionary(net, infer(net))))
"""

VERIFY = """
import sys
print(sys.version_info[:2])
from prototools.rewriter import rewrite
from prototools.verify import verify
text = open({path!r}, "rb").read()
verdict = verify(text, rewrite(text).text)
print(verdict.equal, len(verdict.comparisons))
"""


def test_every_rewrite_case(caffe, tmp_path: Path) -> None:
    """The same text as here, for every case of the tables."""
    jobs = []
    for case in ALL:
        options = {"dialect": case.options.get("dialect", "").split(), "filler_safe": "filler_safe" in case.options}
        jobs.append([case.before.decode(), {"shapes": shapes(case), **options}])
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(jobs))
    found = json.loads(caffe.python(REWRITE.format(cases=str(path)), pythonpath=[PROJECT]))
    wanted = [run(case, case.before) for case in ALL]
    assert found == [[one.text.decode(), len(one.refusals)] for one in wanted]


@pytest.mark.parametrize("path", sorted((PROJECT / "examples").glob("*.prototxt")), ids=lambda path: path.stem)
def test_examples(path: Path, caffe) -> None:
    """Shapes and proof of the sample networks."""
    net = Net(path.read_bytes()).filtered()
    found = json.loads(caffe.python(SHAPES.format(path=str(path)), pythonpath=[PROJECT]))
    assert found == json.loads(json.dumps(as_dictionary(net, infer(net))))
    version, verdict = caffe.python(VERIFY.format(path=str(path)), pythonpath=[PROJECT]).strip().splitlines()
    assert version == "(3, 9)" and verdict.startswith("True ") and int(verdict.split()[1]) > 0


UPGRADE = """
import json
from prototools.upgrading import upgrade, upgrade_weights
texts = json.load(open({cases!r}))
steps = upgrade_weights({model!r}, {model!r} + ".new").steps
print(json.dumps([[upgrade(text).text for text in texts], steps]))
"""


def test_every_upgrade_case(caffe, tmp_path: Path) -> None:
    """The same text as here, and a binary net, which goes by protobuf's descriptors."""
    from test_upgrade import CASES
    from test_upgrade_weights import layers, old_model

    path, model = tmp_path / "cases.json", old_model(tmp_path / "model")
    path.write_text(json.dumps([before for before, _ in CASES.values()]))
    texts, steps = json.loads(caffe.python(UPGRADE.format(cases=str(path), model=str(model)), pythonpath=[PROJECT]))
    assert texts == [after for _, after in CASES.values()]
    assert len(steps) == 2 and len(layers(tmp_path / "model.new")) == 2


def test_a_fork_trained_caffemodel_loads(caffe, tmp_path: Path) -> None:
    """The fork's file lists its layer with no blobs; the new layers have other names, so nothing clashes."""
    before = b'''
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 7 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "up" type: "Interp" bottom: "conv" top: "up" interp_param { zoom_factor: 2 } }
'''
    from prototools.rewriter import rewrite

    trained = [np.random.RandomState(0).rand(4, 3, 1, 1).astype(np.float32), np.ones(4, np.float32)]
    path = tmp_path / "fork.caffemodel"
    path.write_bytes(model(("data", "Input", []), ("conv", "Convolution", trained), ("up", "Interp", [])))
    after = rewrite(before).text
    result = run_net(after, installation=caffe, weights=path, return_params=True)
    assert np.array_equal(result.params["conv"][0], trained[0])
    with pytest.raises(ValueError, match="blobs"):
        # A layer that keeps the old name is what the rewriter must not make.
        run_net(after.replace(b'"up/deconv"', b'"up"'), installation=caffe, weights=path)


BATCH = """
import prototools
for jobs in (2, 1):
    print(*[outcome.status for outcome in prototools.batch({nets!r}, {out!r}, jobs=jobs)])
"""


def test_a_batch(caffe, tmp_path: Path) -> None:
    """In two processes, and then nothing is left to do."""
    code = BATCH.format(nets=str(PROJECT / "examples"), out=str(tmp_path / "out"))
    first, second = caffe.python(code, pythonpath=[PROJECT]).splitlines()
    assert set(first.split()) == {"rewritten"} and set(second.split()) == {"unchanged"}


READ_WORDS = """
import json
from words import READ, read
print(json.dumps([read(words) for words in READ]))
"""


def test_words(caffe) -> None:
    """What the command line reads goes by Python's own argparse, which changes with Python."""
    found = json.loads(caffe.python(READ_WORDS, pythonpath=[PROJECT, PROJECT / "tests"]))
    assert found == [{**USUAL, **wanted} for wanted in READ.values()]
