"""Programs and networks on real Caffe: the environment, arrays in and out, and crashes in words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest

from prototools.errors import EngineError
from prototools.realcaffe import NetCase, failures, installation, run_net, run_nets

INPUT = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [1, 2, 3, 4] } } }\n'
CONVOLUTION = """
layer { name: "conv" type: "Convolution" bottom: "x" top: "y"
  convolution_param { num_output: 3 kernel_size: 1
    weight_filler { type: "gaussian" std: 1 } bias_filler { type: "constant" value: 0.5 } } }
"""
NET = INPUT + CONVOLUTION


def one_layer(text: str) -> str:
    return INPUT + f'layer {{ name: "l" bottom: "x" top: "y" {text} }}\n'


def noise(*shape: int, seed: int = 0) -> numpy.ndarray:
    return numpy.random.RandomState(seed).standard_normal(shape).astype(numpy.float32)


# ---------------------------------------------------------------- programs


def test_the_environment_is_clean(caffe, monkeypatch):
    if caffe.kind != "tree":
        pytest.skip("a Caffe of the user's own keeps the user's environment")
    for name in ("PYTHONSTARTUP", "LD_PRELOAD_X", "PYTHONPATH", "MINE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    found = json.loads(caffe.python("import json, os; print(json.dumps(dict(os.environ)))"))
    assert "/nowhere" not in found.values() and found["PYTHONNOUSERSITE"] == "1"
    assert found["OPENBLAS_NUM_THREADS"] == "1"
    assert found["PYTHONPATH"].startswith(str(caffe.path))
    assert set(found) <= {
        "CI", "HOME", "LC_ALL", "PATH", "PYTHONHOME", "PYTHONNOUSERSITE", "PYTHONPATH",
        "PYTHONUTF8", "TERM", "TMPDIR", "PROTOTOOLS_CAFFE", "PROTOTOOLS_DEBIAN_MIRROR",
    } | {name for name in found if name.startswith(("OPENBLAS_", "OMP_", "GLOG_"))}  # fmt: skip


def test_nothing_of_the_system_is_on_the_path(caffe):
    if caffe.kind != "tree":
        pytest.skip("a Caffe of the user's own keeps the user's path")
    places = caffe.python("import sys; print('\\n'.join(sys.path[1:]))").split("\n")
    assert all(place.startswith(str(caffe.path)) for place in places if place)


def test_modules_can_be_added(caffe, tmp_path):
    (tmp_path / "mine.py").write_text("print('found me')")
    assert caffe.python("import mine", pythonpath=[tmp_path]) == "found me\n"


def test_a_python_started_by_the_tree_s_python_is_the_tree_s(caffe):
    code = "import subprocess, sys; subprocess.check_call([sys.executable, '-c', 'import caffe'])"
    assert caffe.python(code) == ""


@pytest.mark.parametrize("tool, answer", [
    ("upgrade_net_proto_text", "Usage: upgrade_net_proto_text"),
    ("caffe", "caffe: command line brew"),
])  # fmt: skip
def test_tools_start(caffe, tool, answer):
    if caffe.kind != "tree":
        pytest.skip("a Caffe of the user's own may have no tools")
    done = caffe.run([tool], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert answer in done.stdout.decode()


def test_the_upgrade_tool_upgrades(caffe, tmp_path):
    (tmp_path / "v1.prototxt").write_text('layers { name: "a" type: RELU bottom: "x" top: "y" }')
    caffe.run(["upgrade_net_proto_text", str(tmp_path / "v1.prototxt"), str(tmp_path / "out")],
              stderr=subprocess.DEVNULL, check=True)  # fmt: skip
    assert 'type: "ReLU"' in (tmp_path / "out").read_text()


@pytest.mark.parametrize("words", [["no_such_tool"], ["/bin/sh"], ["../bin/caffe"], [], [""]])
def test_what_is_no_program_is_told(caffe, words):
    if caffe.kind != "tree":
        pytest.skip("a Caffe of the user's own starts what is on PATH")
    with pytest.raises(EngineError, match="must be"):
        caffe.command(words)


def test_a_failing_snippet_is_a_sentence(caffe):
    with pytest.raises(EngineError, match="stopped with exit code 1: KeyError: 'nothing'"):
        caffe.python("{}['nothing']")


def test_what_was_left_out_says_so(caffe):
    if caffe.kind != "tree":
        pytest.skip("a Caffe of the user's own is complete")
    with pytest.raises(EngineError, match="reads no image files"):
        caffe.python("import caffe; caffe.io.load_image('a.jpg')")


# ---------------------------------------------------------------- networks


def test_forward_with_given_weights(caffe):
    x, kernel, bias = noise(1, 2, 3, 4), noise(3, 2, 1, 1, seed=1), noise(3, seed=2)
    result = run_net(NET, inputs={"x": x}, params={"conv": [kernel, bias]}, installation=caffe)
    expected = numpy.einsum("ok,nkhw->nohw", kernel[:, :, 0, 0], x) + bias[:, None, None]
    numpy.testing.assert_allclose(result.blobs["y"], expected, atol=1e-5)
    assert list(result.blobs) == result.outputs == ["y"] and result.inputs == ["x"]
    assert result.shapes == {"x": (1, 2, 3, 4), "y": (1, 3, 3, 4)}
    assert result.param_shapes == {"conv": [(3, 2, 1, 1), (3,)]}
    assert result.layers == [("x", "Input"), ("conv", "Convolution")]


def test_backward(caffe):
    x, kernel, top = noise(1, 2, 3, 4), noise(3, 2, 1, 1, seed=1), noise(1, 3, 3, 4, seed=2)
    result = run_net("force_backward: true\n" + NET, inputs={"x": x}, installation=caffe,
                     params={"conv": [kernel, None]}, backward={"y": top})  # fmt: skip
    expected = numpy.einsum("ok,nohw->nkhw", kernel[:, :, 0, 0], top)
    numpy.testing.assert_allclose(result.diffs["x"], expected, atol=1e-5)
    by_kernel = numpy.einsum("nohw,nkhw->ok", top, x)
    numpy.testing.assert_allclose(result.param_diffs["conv"][0][:, :, 0, 0], by_kernel, atol=1e-4)
    numpy.testing.assert_allclose(result.param_diffs["conv"][1], top.sum((0, 2, 3)), atol=1e-4)


def test_another_input_shape_reshapes_the_net(caffe):
    result = run_net(NET, inputs={"x": noise(2, 2, 5, 7)}, installation=caffe)
    assert result.shapes["y"] == result.blobs["y"].shape == (2, 3, 5, 7)


def test_all_blobs_or_named_ones(caffe):
    both = run_nets([NetCase(NET, outputs="all"), NetCase(NET, outputs=["x"])], installation=caffe)
    assert [list(result.blobs) for result in both] == [["x", "y"], ["x"]]


def test_shapes_only_runs_nothing(caffe):
    result = run_net(NET, shapes_only=True, installation=caffe)
    assert result.blobs == {} and result.shapes["y"] == (1, 3, 3, 4)


def test_a_reshape_is_not_forced_on_a_net_that_bears_only_one(caffe):
    """A convolution in place that widens its blob loads, and a second reshape would be refused."""
    result = run_net(NET.replace('top: "y"', 'top: "x"'), shapes_only=True, installation=caffe)
    assert result.shapes == {"x": (1, 3, 3, 4)}


def test_weights_are_saved_and_loaded(caffe, tmp_path):
    path = tmp_path / "some.caffemodel"
    first = run_net(NET, save=path, return_params=True, seed=1, installation=caffe)
    second = run_net(NET, weights=path, return_params=True, seed=2, installation=caffe)
    for one, two in zip(first.params["conv"], second.params["conv"]):
        numpy.testing.assert_array_equal(one, two)
    assert [blob.shape for blob in first.params["conv"]] == first.param_shapes["conv"]


def test_the_seed_decides_the_fillers(caffe):
    cases = [NetCase(NET, return_params=True, seed=seed) for seed in (1, 1, 2)]
    one, same, other = (result.params["conv"][0] for result in run_nets(cases, installation=caffe))
    assert (one == same).all() and (one != other).any()


def test_phase_level_and_stages(caffe):
    relu = 'layer { name: "%s" type: "ReLU" bottom: "x" top: "x" include { %s } }\n'
    net = INPUT + relu % ("t", "phase: TRAIN") + relu % ("s", 'stage: "s"')
    net += relu % ("l", "min_level: 2")
    settings = [{}, {"phase": "TRAIN"}, {"stages": ["s"]}, {"level": 2}]
    results = run_nets([NetCase(net, shapes_only=True, **words) for words in settings],
                       installation=caffe)  # fmt: skip
    assert [[name for name, _ in result.layers[1:]] for result in results] == [
        [], ["t"], ["s"], ["l"]]  # fmt: skip


def test_bytes_in_an_old_encoding_pass(caffe):
    text = "# \u7f51\u7edc\n".encode("gbk") + NET.encode()
    assert run_net(text, shapes_only=True, installation=caffe).outputs == ["y"]


# ---------------------------------------------------------------- refusals and crashes

CRASHES = [
    ("a type that stock Caffe lacks", one_layer('type: "Interp"'), "SIGABRT", "l",
     "Unknown layer type: Interp"),
    ("a field that stock Caffe lacks", "\n\n  layer { interp_param { } }", "SIGABRT", None,
     '3:24: Message type "caffe.LayerParameter" has no field named "interp_param"'),
    ("a failed check", one_layer('type: "Convolution" convolution_param { num_output: 1 }'),
     "SIGABRT", "l", "kernel_size must be specified once"),
    ("a message of two lines",
     one_layer('type: "Concat" bottom: "z"'), "SIGABRT", None, "Unknown bottom blob 'z'"),
    ("a division by zero",
     one_layer('type: "Convolution" convolution_param { num_output: 1 kernel_size: 1 stride_h: 1}'),
     "SIGFPE", "l", "divided by zero"),
    ("a Python layer without its module",
     one_layer('type: "Python" python_param { module: "no_such" layer: "A" }'), "exit code 1", "l",
     "ModuleNotFoundError: No module named 'no_such'"),
    ("nothing at all", "", None, None, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    "text, signal, layer, words", [case[1:] for case in CRASHES], ids=[case[0] for case in CRASHES]
)
def test_a_crash_becomes_a_sentence(caffe, text, signal, layer, words):
    answer = run_nets([NetCase(text, shapes_only=True)], installation=caffe)[0]
    if signal is None:
        assert not isinstance(answer, EngineError)
        return
    assert isinstance(answer, failures.EngineStopped)
    assert (answer.signal or "exit code 1", answer.layer) == (signal, layer)
    assert words in str(answer) and signal in str(answer)
    assert "\n" not in str(answer) and "known types" not in str(answer)


def test_one_crash_is_that_case_s_alone(caffe):
    cases = [NetCase(NET), NetCase("broken"), NetCase(NET), NetCase(one_layer('type: "X"'))] * 3
    answers = run_nets(cases, installation=caffe, processes=2)
    assert [isinstance(answer, EngineError) for answer in answers] == [False, True] * 6


def test_a_net_that_hangs_is_ended(caffe):
    # In place, so that a minute of work needs no more memory than one blob.
    power = 'layer { name: "p%d" type: "Power" bottom: "x" top: "x" power_param { power: 0.3 } }\n'
    net = INPUT.replace("1, 2, 3, 4", "1, 1, 2000, 2000")
    net += "".join(power % number for number in range(1000))
    began = time.monotonic()
    with pytest.raises(EngineError, match="within 1 s,"):
        run_net(net, timeout=1, installation=caffe)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("settings, words", [
    ({"inputs": {"q": noise(1)}}, "blob 'q', but its blobs are x, y"),
    ({"outputs": ["q"]}, "blob 'q'"),
    ({"backward": {"q": noise(1)}}, "blob 'q'"),
    ({"backward": {"y": noise(1)}}, "the gradient of blob 'y' must have the shape [1, 3, 3, 4]"),
    ({"backward": {}, "diffs": ["q"]}, "blob 'q'"),
    ({"params": {"q": [noise(1)]}}, "a layer 'q' with parameters, but only conv have any"),
    ({"params": {"conv": [noise(3, 2)]}}, "[3, 2, 1, 1], but the array has [3, 2]"),
    ({"params": {"conv": [None, None, noise(1)]}}, "has 2 parameter blobs"),
    ({"weights": "/nowhere/a.caffemodel"}, "/nowhere/a.caffemodel"),
    ({"phase": "PREDICT"}, "TRAIN or TEST"),
])  # fmt: skip
def test_a_case_that_does_not_fit_the_net(caffe, settings, words):
    with pytest.raises(EngineError) as caught:
        run_net(NET, installation=caffe, **settings)
    assert words in str(caught.value)


def test_three_hundred_small_nets_take_seconds(caffe):
    began = time.monotonic()
    answers = run_nets([NetCase(NET)] * 300, installation=caffe, processes=2)
    assert all(not isinstance(answer, EngineError) for answer in answers)
    assert time.monotonic() - began < 30


def test_every_shape_case_is_answered_as_recorded(caffe, shared):
    lines = (shared / "cases/shapes.jsonl").read_text().splitlines()
    cases = [json.loads(line) for line in lines]
    answers = run_nets([NetCase(case["text"], shapes_only=True) for case in cases],
                       installation=caffe, processes=2)  # fmt: skip
    wrong = [case["id"] for case, answer in zip(cases, answers)
             if not _same_shapes(case["caffe"], answer)]  # fmt: skip
    assert len(cases) >= 278 and wrong == []


def _same_shapes(recorded, answer) -> bool:
    if isinstance(answer, EngineError):
        return not recorded["ok"]
    found = json.loads(json.dumps({
        "ok": True, "blobs": answer.shapes, "params": answer.param_shapes,
        "inputs": answer.inputs, "outputs": answer.outputs, "layers": answer.layers,
    }))  # fmt: skip
    return found == recorded


def test_without_caffe_the_sentence_names_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("PROTOTOOLS_CAFFE", str(tmp_path))
    with pytest.raises(EngineError, match="prototools caffe setup"):
        run_net(NET)


def test_a_caffe_that_does_not_start_is_a_sentence(tmp_path):
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/python3.9").write_text("")
    with pytest.raises(EngineError, match="must be executable"):
        run_net(NET, installation=installation.Installation("tree", tmp_path))


# ---------------------------------------------------------------- reading logs

STACK = "*** Check failure stack trace: ***\n    @ 0x7f google::LogMessage::Fail()\n"
HEAD = "F1123 17:45:05.123456  1234 "


@pytest.mark.parametrize("log, reason", [
    ("", ""),
    (HEAD + "blob.cpp:32] Check failed: a > b (0 vs. 1) \n" + STACK,
     "Check failed: a > b (0 vs. 1) (blob.cpp:32)"),
    (HEAD + "net.cpp:9] first\n  second\n" + STACK, "first second (net.cpp:9)"),
    (HEAD + "a.cpp:1] one line " + STACK, "one line (a.cpp:1)"),
    ("[libprotobuf ERROR google/protobuf/text_format.cc:307] Error at 1:2: no.\n" + HEAD
     + "u.cpp:90] Check failed: Failed to parse NetParameter file: x\n" + STACK,
     "Error at 1:2: no."),
    ("Traceback (most recent call last):\n  File\nValueError: bad\n", "ValueError: bad"),
    ("python3: symbol lookup error: x: undefined symbol: y", "python3: symbol lookup error: x: "
     "undefined symbol: y"),
    ("I1123 17:45:05.123456  1 net.cpp:1] Error: not this\n", ""),
])  # fmt: skip
def test_reasons_in_logs(log, reason):
    assert failures.reason_in(log) == reason


# ---------------------------------------------------------------- the fixture of this folder


@pytest.mark.parametrize("ci, exit_code, words", [
    ("", 0, "Real Caffe could not be had, so 1 tests that need it were skipped"),
    ("true", 1, "CI must have real Caffe, but"),
])  # fmt: skip
def test_a_missing_caffe_is_said_in_words_and_fails_in_ci(tmp_path, ci, exit_code, words):
    (tmp_path / "file").write_text("")
    (tmp_path / "conftest.py").write_text(Path(__file__).with_name("conftest.py").read_text())
    (tmp_path / "test_one.py").write_text("def test_one(caffe): pass\ndef test_two(): pass\n")
    environment = dict(os.environ, CI=ci, PROTOTOOLS_CAFFE=str(tmp_path / "file/caffe"),
                       PYTHONPATH=str(Path(__file__).parents[1]))  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)], cwd=tmp_path,
        env=environment, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == exit_code and words in done.stdout
