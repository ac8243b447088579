"""`upgrade` on text: every step, before and after; what stays, what is said, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import call

import prototools
from prototools.errors import ProtoTextError, PrototoolsError
from prototools.legacy import V0_FIELDS, V0_LAYER_FIELDS, V0_UNREAD, V1_FIELDS
from prototools.prototext import parse
from prototools.schema import message
from prototools.upgrading import is_binary, upgrade

# ---------------------------------------------------------------- before and after

CASES = {
    "V1: type, learning rates, and nothing else": (
        """
name: "net"  # the name
# first
layers {
  # inside
  name: "conv"   # c
  type: CONVOLUTION
  bottom: "data"
  top: "conv"
  # rates
  blobs_lr: 1.   # weights
  blobs_lr: 2
  weight_decay: 1
  convolution_param { num_output: 08_ }
}
""".replace("08_", "010"),
        """
name: "net"  # the name
# first
layer {
  # inside
  name: "conv"   # c
  type: "Convolution"
  bottom: "data"
  top: "conv"
  # rates
  param {
    lr_mult: 1.   # weights
    decay_mult: 1
  }
  param {
    lr_mult: 2
  }
  convolution_param { num_output: 010 }
}
"""),
    "V1 on one line stays on one line": (
        'layers { name: "c" type: 4 blobs_lr: 1 param: "w" blob_share_mode: STRICT top: "c" }\n',
        'layer { name: "c" type: "Convolution" param { name: "w" share_mode: STRICT lr_mult: 1 } top: "c" }\n'),
    "a list of layers, and CRLF": (
        'layers: [{ type: RELU }, { type: TANH }]\r\nname: "n"\r\n',
        'layer { type: "ReLU" }\r\nlayer { type: "TanH" }\r\nname: "n"\r\n'),
    "brackets, separators and braces as in the file": (
        'layers: <\n\ttype: DROPOUT;\n\tblobs_lr: [1, 2],\n\tdropout_param: { }\n>\n',
        'layer: <\n\ttype: "Dropout";\n\tparam: {\n\t\tlr_mult: 1\n\t}\n\tparam: {\n\t\tlr_mult: 2\n\t}\n'
        '\tdropout_param: { }\n>\n'),
    "transformation parameters": (
        """layers {
  name: "d" type: DATA
  data_param {
    source: "s"
    crop_size: 3  # crop
  }
  transform_param { mirror: true }
}
layers { name: "e" type: IMAGE_DATA }
""",
        """layer {
  name: "d" type: "Data"
  data_param {
    source: "s"
  }
  transform_param { mirror: true
    crop_size: 3  # crop
  }
}
layer { name: "e" type: "ImageData" transform_param { } image_data_param { } }
"""),
    "input_dim": (
        """# a net
name: "n"

# the image
input: "data"
input_dim: 1   # one
input_dim: 0x3
input_dim: 8
input_dim: 8

# the layer
layer { name: "r" type: "ReLU" bottom: "data" top: "r" }
""",
        """# a net
name: "n"

# the image
layer {
  name: "input"
  type: "Input"
  top: "data"
  input_param {
    shape {
      dim: 1   # one
      dim: 0x3
      dim: 8
      dim: 8
    }
  }
}

# the layer
layer { name: "r" type: "ReLU" bottom: "data" top: "r" }
"""),
    "inputs behind the layers": (
        'layer {\n    name: "r"\n}\ninput: "a"\ninput: "b"\ninput_shape { dim: 1 }\ninput_shape { }\n',
        'layer {\n    name: "input"\n    type: "Input"\n    top: "a"\n    top: "b"\n    input_param {\n'
        '        shape { dim: 1 }\n        shape { }\n    }\n}\nlayer {\n    name: "r"\n}\n'),
    "BatchNorm": (
        'layer { type: "BatchNorm" param { lr_mult: 1 } param { name: "x" decay_mult: 0.0 } param { } }\n',
        'layer { type: "BatchNorm" param { lr_mult: 0 decay_mult: 0 } param { name: "x" decay_mult: 0.0 lr_mult: 0 }'
        ' param { lr_mult: 0 decay_mult: 0 } }\n'),
    "a fork's field and type": (
        'layers { type: INTERP interp_param { zoom_factor: 2 } new_field: [1, 2] }\n',
        'layer { type: "Interp" interp_param { zoom_factor: 2 } new_field: [1, 2] }\n'),
    "a solver": (
        "base_lr: 0.01  # rate\nsolver_type: ADAM # kind\nmax_iter: 1e3\n",
        'base_lr: 0.01  # rate\ntype: "Adam" # kind\nmax_iter: 1e3\n'),
    "V0 with a padding layer": (
        """input: "d"
input_dim: [1, 3, 8, 8]
layers {
  layer { name: "p" type: "padding" pad: 2 }  # wider
  bottom: "d"
  top: "p"
}
# filters
layers {
  layer {
    name: "c"
    type: "conv"
    # how many
    num_output: 4
    blobs_lr: 1.  # rate
    kernelsize: 3
    custom_param { x: 1 }
  }  # so far
  bottom: "p"
  top: "c"
}
""",
        """layer {
  name: "input"
  type: "Input"
  top: "d"
  input_param {
    shape { dim: 1 dim: 3 dim: 8 dim: 8 }
  }
}
# wider
# filters
layer {
  name: "c"
  type: "Convolution"
  convolution_param {
    pad: 2
    # how many
    num_output: 4
    kernel_size: 3
  }
  param {
    lr_mult: 1.  # rate
  }
  custom_param { x: 1 }
  # so far
  bottom: "d"
  top: "c"
}
"""),
}


@pytest.mark.parametrize("name", CASES)
def test_a_case(name: str) -> None:
    """The text is as expected, a second run changes nothing, and no comment is lost."""
    before, after = (text.encode() for text in CASES[name])
    result = upgrade(before)
    assert result.text.decode() == after.decode()
    assert result.steps
    assert upgrade(after).text == after and not upgrade(after).steps
    assert sorted(parse(before).comments()) == sorted(parse(after).comments())


@pytest.mark.parametrize("text", [
    "",
    "# nothing\n",
    'layer { name: "r" type: "ReLU" }',
    'layer { type: "BatchNorm" param { lr_mult: 1 } param { } }',
    'layer { type: "BatchNorm" param { lr_mult: 0. decay_mult: 00 } }'.replace("00", "0.0"),
    "input_dim: 1 input_shape { dim: 2 }",
    'type: "SGD" net: "x"',
    'layer { name: "d" type: "Data" data_param { crop_size: 3 } }',
    'layer < blobs_lr: 1 >, name: \'n\';',
], ids=["empty", "comment", "current", "two params", "one param", "dims alone", "solver", "V2 data", "separators"])
def test_what_must_not_change(text: str) -> None:
    """A file of the current form comes back byte for byte."""
    assert upgrade(text).text == text
    assert upgrade(text.encode()) == (text.encode(), (), ())


@pytest.mark.parametrize("written, current", [
    ("RELU", "ReLU"), ("18", "ReLU"), ("'RELU'", "ReLU"), ("NONE", ""), ("BN", "BN"), ("UNPOOLING", "Unpooling"),
    ("IMAGE_SEG_DATA", "ImageSegData"), ("BATCH_NORM", "BatchNorm"), ('"Convolution"', "Convolution"),
    ("Interp", "Interp"), ('"MyOwn"', "MyOwn"),
])
def test_types(written: str, current: str) -> None:
    """V1's names and numbers, forks' names, quotes, and current names in a V1 layer."""
    assert upgrade(f"layers {{ type: {written} }}").text == f'layer {{ type: "{current}" }}'


def test_a_type_that_only_the_user_knows() -> None:
    with pytest.raises(ProtoTextError, match="ACCURACY_REGRESSION"):
        upgrade("layers { type: ACCURACY_REGRESSION }")
    result = upgrade("layers { type: ACCURACY_REGRESSION }", types={"ACCURACY_REGRESSION": "Regression"})
    assert result.text == 'layer { type: "Regression" }'


MIXED = 'layers { type: RELU }\nlayer { type: "TanH" }\nlayers { type: BNLL }\n'


def test_mixed_forms() -> None:
    """They are refused as Caffe refuses them, and upgraded in place where the user wants it."""
    with pytest.raises(ProtoTextError, match="--mixed") as found:
        upgrade(MIXED)
    assert found.value.line == 2
    assert upgrade(MIXED, mixed=True).text == MIXED.replace("layers", "layer").replace("RELU", '"ReLU"').replace(
        "BNLL", '"BNLL"')


# ---------------------------------------------------------------- what is said, what is refused

NOTES = {
    "a parameter that the type does not take": (
        'layers { layer { name: "r" type: "relu"\n pad: 1 } }', 2, "r: pad is dropped", True),
    "an outer field": (
        'layers { layer { name: "r" type: "relu" }\n include { phase: TEST } }', 2, "r: include beside", False),
    "a V1 layer among V0 layers": (
        'layers { layer { type: "relu" } }\nlayers { name: "s" type: TANH }', 2, "s: name in a V1 layer", False),
    "fields of the net": ('debug_info: true\nlayers { layer { type: "relu" } }', 1, "debug_info is dropped", False),
    "a current layer among V0 layers": ('layers { layer { type: "relu" } }\nlayer { }', 2, "layer is dropped", False),
    "a field that no Caffe reads": ('layers { layer { type: "relu" new_num: 1 } }', 1, "no Caffe reads it", False),
    "an overwritten parameter": (
        "layers { type: DATA data_param { scale: 1 } transform_param {\nscale: 2 } }", 2, "scale is replaced", False),
    "an empty message": (
        "layers { type: DATA data_param { scale: 1 } }\nlayers { type: DATA }", 2, "gains an empty", False),
    "an input without shape": ('input: "a"', 1, "input 'a' is dropped", False),
    "dims that nobody reads": ('input: "a" input_shape { }\ninput_dim: 1', 2, "input_shape counts", False),
    "a shape without input": ('input: "a" input_shape { }\ninput_shape { }', 2, "no input is left", False),
    "a second layer named input": ('input: "a" input_shape { }\nlayer { name: "input" }', 2, "same name", False),
    "a net inside a solver": ('solver_type: SGD\nnet_param { input: "a" }', 2, "file of its own", False),
}


@pytest.mark.parametrize("name", NOTES)
def test_notes(name: str) -> None:
    """What Caffe drops, mostly in silence, is named with its line."""
    text, line, words, problem = NOTES[name]
    notes = [note for note in upgrade(text).notes if words in str(note)]
    assert notes and notes[0].line == line and notes[0].problem is problem
    assert bool(upgrade(text).problems) is problem


REFUSED = {
    "mixed": (MIXED, "2:1"),
    "too few input_dim": ('input: "a"\ninput: "b"\ninput_dim: [1, 2, 3, 4, 5]', "2:8"),
    "too few input_shape": ('input: "a" input: "b" input_shape { }', "1:19"),
    "an unknown V0 type": ('layers { layer { type: "reshape" } }', "1:24"),
    "an unknown V1 type": ("layers {\n  type: SPATIAL_PYRAMID }", "2:9"),
    "a V0 type in V1": ('layers { type: "conv" }', "1:16"),
    "an unknown bottom in V0": ('layers { bottom: "x" layer { type: "relu" } }', "1:18"),
    "padding before relu": ('input: "a" layers { bottom: "a" top: "p" layer { type: "padding" } } '
                            'layers { bottom: "p" layer { type: "relu" } }', "1:87"),
    "padding of two bottoms": ('input: "a" layers { bottom: "a" bottom: "a" top: "p" layer { type: "padding" } } '
                               'layers { bottom: "p" layer { type: "conv" } }', "1:12"),
    "a V0 parameter twice": ('layers { layer { type: "conv" pad: 1 pad: 2 } }', "1:43"),
    "V0's and V1's parameters": ('layers { layer { type: "conv" pad: 1 convolution_param { } } }', "1:38"),
    "two forms of param": ("layers { type: RELU blobs_lr: 1 param { } }", "1:33"),
    "a layer that is no message": ("layers: 1", "1:9"),
    "a type that is a message": ("layers { type { } }", "1:10"),
    "a solver with both": ('type: "SGD" solver_type: SGD', "1:26"),
    "an unknown solver": ("solver_type: LBFGS", "1:14"),
    "a conflict marker": ("layers { }\n<<<<<<< HEAD\nlayers { }\n", "2:1"),
    "a truncated file": ('layers { type: RELU\nlayers { type: RELU }', "1:1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    """Where Caffe aborts or reads past an array, and where the meaning is not certain: an error with its place."""
    text, place = REFUSED[name]
    with pytest.raises(ProtoTextError) as found:
        upgrade(text)
    assert str(found.value).startswith(f"{place}: ")


def test_str_and_bytes() -> None:
    """The result is of the kind that was given; bytes that are no UTF-8 stay."""
    assert prototools.upgrade("layers { }").text == "layer { }"
    assert prototools.upgrade(b"layers { } # \xff").text == b"layer { } # \xff"


# ---------------------------------------------------------------- tables and kinds of files


def test_the_tables_agree_with_caffe_proto() -> None:
    """Every field of V0 and V1 has its row."""
    v0 = set(V0_FIELDS) | V0_LAYER_FIELDS | V0_UNREAD | {"hdf5_output_param"}
    assert v0 == set(message("V0LayerParameter").DESCRIPTOR.fields_by_name)
    assert V1_FIELDS | {"layer"} == set(message("V1LayerParameter").DESCRIPTOR.fields_by_name)


@pytest.mark.parametrize("data, binary", [
    (b"", False), (b"\n\n# comment\n", False), (b'name: "x"', False), (b"\n\x01n\xa2\x06\x02\n\x00", True),
    (b"\x12\x05\x22\x03abc", True), (b"\x89HDF\r\n\x1a\n", True), ("# \u4e2d\u6587".encode("gbk"), False),
])
def test_binary_nets_are_told_from_text(data: bytes, binary: bool) -> None:
    assert is_binary(data) is binary


# ---------------------------------------------------------------- the command

OLD, NEW = 'layers { name: "r" type: RELU }\n', 'layer { name: "r" type: "ReLU" }\n'


def run(*arguments: str, stdin: str = ""):
    return call(["upgrade", *arguments], stdin)


def test_the_command(tmp_path: Path) -> None:
    """Standard output, a file, in place, --check and --diff, with their exit codes."""
    net = tmp_path / "net.prototxt"
    net.write_text(OLD)
    assert run("-", stdin=OLD).exit_code == 0
    assert NEW in run(str(net)).output
    assert run(str(net), "--check").exit_code == 1
    shown = run(str(net), "--diff")
    assert shown.exit_code == 1 and f"+{NEW}" in shown.output
    assert net.read_text() == OLD
    assert run(str(net), "-o", str(tmp_path / "out")).exit_code == 0 and (tmp_path / "out").read_text() == NEW
    assert run(str(net), "--in-place").exit_code == 0 and net.read_text() == NEW
    assert run(str(net), "--check").exit_code == run(str(net), "--diff").exit_code == 0


def test_the_command_says_what_was_lost(tmp_path: Path) -> None:
    """Exit 1 where Caffe's tool says 1, and 2 where nothing could be done; the other files are done."""
    lossy, broken, good = (tmp_path / name for name in ("lossy", "broken", "good"))
    lossy.write_text('layers { layer { name: "r" type: "relu" pad: 1 } }\n')
    broken.write_text("layers { type: NOBODY_KNOWS }\n")
    good.write_text(OLD)
    found = run(str(lossy), "--in-place", "-q")
    assert found.exit_code == 1 and "1: r: pad is dropped" in found.output
    assert lossy.read_text() == 'layer { name: "r" type: "ReLU" }\n'
    found = run(str(broken), str(good), "--in-place")
    assert found.exit_code == 2 and "NOBODY_KNOWS=NAME" in found.output and good.read_text() == NEW
    assert run(str(broken), "--type", "NOBODY_KNOWS=Known").exit_code == 0


@pytest.mark.parametrize("options", [["--type", "X"], ["-o", "x", "--check"], ["--weights", "x"]])
def test_usage(options) -> None:
    assert run("-", *options).exit_code == 2


def test_errors_are_ours() -> None:
    """Whatever is cut off a file, the answer is a result or an error of ours."""
    text = CASES["V0 with a padding layer"][0].encode()
    for stop in range(len(text)):
        try:
            upgrade(text[:stop])
        except PrototoolsError:
            continue
