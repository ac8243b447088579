"""Shapes, as real Caffe infers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List

import pytest
from random_nets import nets

from prototools.dialects.shapes import infer_custom
from prototools.errors import PrototoolsError
from prototools.layer_types import STOCK_TYPES
from prototools.net import Net, NetState
from prototools.realcaffe import NetCase, NetResult, run_nets
from prototools.shapes import TABLE, Inference, as_dictionary, infer, rows

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "shapes.jsonl").read_text().splitlines()]


def inferred(text, shapes=None, phase: str = "TEST") -> Inference:
    """The shapes of a net, custom layers included."""
    data = text if isinstance(text, bytes) else text.encode()
    return infer_custom(Net(data).filtered(NetState(phase)), shapes or {})


def answer(text, phase: str = "TEST") -> Dict:
    """Blobs and learned blobs, or why Caffe would refuse."""
    try:
        data = text if isinstance(text, bytes) else text.encode()
        net = Net(data).filtered(NetState(phase))
        found = infer(net)
    except PrototoolsError as error:
        return {"refused": str(error)}
    if found.errors:
        return {"refused": str(found.errors[0])}
    shown = as_dictionary(net, found)
    return {"blobs": shown["blobs"], "params": shown["params"]}


def real_answer(result) -> Dict:
    """The same, from what real Caffe did."""
    if not isinstance(result, NetResult):
        return {"refused": str(result)}
    return {
        "blobs": {name: list(shape) for name, shape in result.shapes.items()},
        "params": {name: [list(one) for one in shapes] for name, shapes in result.param_shapes.items()},
    }


def agree(ours: Dict, real: Dict) -> bool:
    """Whether both accept a net with the same shapes, or both refuse it."""
    return "refused" in ours and "refused" in real or ours == real


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case(case: Dict) -> None:
    """Every recorded verdict of real Caffe."""
    real = case["caffe"]
    wanted = {"blobs": real["blobs"], "params": real["params"]} if real["ok"] else {"refused": real.get("err")}
    found = answer(case["text"])
    assert agree(found, wanted), (found, wanted)


def test_cases_are_many() -> None:
    """Nothing went missing on the way."""
    assert (len(CASES), sum(case["caffe"]["ok"] for case in CASES)) == (278, 171)


def test_the_check_can_fail() -> None:
    """A wrong dim, a missing blob, a refusal on one side only: each is noticed."""
    good = {"blobs": {"x": [1, 2]}, "params": {}}
    for bad in ({"blobs": {"x": [1, 3]}, "params": {}}, {"blobs": {}, "params": {}}, {"refused": "no"},
                {"blobs": {"x": [1, 2]}, "params": {"l": [[2]]}}):
        assert not agree(bad, good) and not agree(good, bad)


@pytest.mark.parametrize("seed", range(3))
def test_random_layers(seed: int, caffe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real Caffe and we accept and refuse the same random nets, with the same shapes."""
    monkeypatch.chdir(tmp_path)
    texts = nets(400, seed)
    results = run_nets([NetCase(text, shapes_only=True, timeout=60) for text in texts], installation=caffe)
    pairs = [(answer(text), real_answer(result)) for text, result in zip(texts, results)]
    different = [(text, *pair) for text, pair in zip(texts, pairs) if not agree(*pair)]
    assert not different, different[0]
    accepted = sum("refused" not in real for _, real in pairs)
    assert 80 < accepted < 360


def corpus_nets(shared: Path) -> List[bytes]:
    """The files of the corpus that hold layers."""
    found = []
    for path in sorted((shared / "corpus" / "files").rglob("*")):
        if path.is_file():
            try:
                net = Net(path.read_bytes())
            except PrototoolsError:
                continue
            if net.layers:
                found.append(net.document.source())
    return found


def test_corpus_agrees_with_caffe(shared: Path, caffe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every corpus net that real Caffe can load has the same blobs and learned blobs, in both phases."""
    monkeypatch.chdir(tmp_path)
    jobs = [(text, phase) for text in corpus_nets(shared) for phase in ("TEST", "TRAIN")]
    cases = [NetCase(text, phase=phase, shapes_only=True, timeout=120) for text, phase in jobs]
    results = run_nets(cases, installation=caffe, processes=2)
    loaded = [(job, real_answer(result)) for job, result in zip(jobs, results) if isinstance(result, NetResult)]
    different = [(job[0][:200], job[1]) for job, real in loaded if not agree(answer(*job), real)]
    assert not different, different[0]
    assert len(loaded) == 66


def test_stock_types(caffe) -> None:
    """The list and the table have every type that real Caffe registers, and no other."""
    registered = caffe.python("import caffe; print(*caffe.layer_type_list())").split()
    assert STOCK_TYPES == set(registered) == set(TABLE)


# ---------------------------------------------------------------- partial knowledge

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 11 } } }\n'
CONV = 'layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 7 ' \
       'kernel_size: 3 pad: 1 } }\n'

POOL = INPUT + 'layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { kernel_size: 2 stride: 2 } }'
SEGMENTS = 'layer { name: "data" type: "ImageSegData" top: "data" top: "label" image_data_param { batch_size: 4 } ' \
           'transform_param { crop_size: 33 } }'

#: A net, `--shape`, a blob, and what is known of it.
PARTIAL = [
    ('input: "data" ' + CONV, {}, "c", (None, 7, None, None)),
    ('input: "data" ' + CONV, {"data": (1, None, 8, None)}, "c", (1, 7, 8, None)),
    (CONV, {"data": (1, 3, 8, 9)}, "c", (1, 7, 8, 9)),
    (INPUT + CONV, {"data": (1, 3, 5, 6)}, "c", (1, 7, 5, 6)),
    (INPUT + CONV, {"c": (1, 7, 5, 6)}, "c", (1, 7, 5, 6)),
    ('layer { name: "d" type: "Data" top: "d" top: "l" transform_param { crop_size: 7 } '
     'data_param { source: "none" batch_size: 4 } }', {}, "d", (4, None, 7, 7)),
    ('layer { name: "d" type: "Data" top: "d" top: "l" data_param { source: "none" batch_size: 4 } }', {}, "l", (4,)),
    ('layer { name: "d" type: "ImageData" top: "d" top: "l" image_data_param { source: "none" '
     'new_height: 5 new_width: 6 } }', {}, "d", (1, 3, 5, 6)),
    ('layers { name: "d" type: DATA top: "d" data_param { source: "none" batch_size: 4 crop_size: 5 } }', {},
     "d", (4, None, 5, 5)),
    (INPUT + 'layer { name: "u" type: "Unheard" bottom: "data" top: "u" }', {}, "u", None),
    (INPUT + CONV + 'layer { name: "u" type: "Unheard" bottom: "c" top: "c" }', {}, "c", None),
    (INPUT + CONV + 'layer { name: "u" type: "Unheard" bottom: "c" top: "c" }', {"c": (2, 7, 9, 11)}, "c",
     (2, 7, 9, 11)),
    (INPUT + 'layer { name: "p" type: "Python" bottom: "data" top: "u" }', {}, "u", None),
    (INPUT + 'layer { name: "u" type: "Unheard" bottom: "data" top: "u" }' + CONV.replace("data", "u"), {},
     "c", (None, 7, None, None)),
    (INPUT + 'layer { name: "u" type: "Unheard" bottom: "data" top: "u" } layer { name: "e" type: "Eltwise" '
     'bottom: "u" bottom: "data" top: "e" }', {}, "e", (2, 3, 9, 11)),
    (INPUT + 'layer { name: "u" type: "Unheard" bottom: "data" top: "u" } layer { name: "k" type: "Concat" '
     'bottom: "u" bottom: "data" top: "k" }', {}, "k", (2, None, 9, 11)),
    (INPUT + 'layer { name: "u" type: "Unheard" bottom: "data" top: "u" } layer { name: "k" type: "Crop" '
     'bottom: "u" bottom: "data" top: "k" }', {"u": (None, 5, None, None)}, "k", (None, 5, 9, 11)),
    ('input: "data" layer { name: "r" type: "Reshape" bottom: "data" top: "r" reshape_param { shape { dim: 0 '
     'dim: -1 dim: 0 dim: 0 } } }', {"data": (None, 6, None, None)}, "r", (None, 6, None, None)),
    ('input: "data" layer { name: "r" type: "Reshape" bottom: "data" top: "r" reshape_param { shape { dim: 0 '
     'dim: 2 dim: -1 } } }', {"data": (None, 6, 4, 5)}, "r", (None, 2, 60)),
    ('input: "data" layer { name: "f" type: "Flatten" bottom: "data" top: "f" }', {}, "f", (None, None)),
    ('input: "data" layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { kernel_size: 2 '
     'stride: 2 } }', {"data": (1, 5, 9, None)}, "p", (1, 5, 5, None)),
    ('input: "data" layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { '
     'global_pooling: true } }', {}, "p", (None, None, 1, 1)),
    (INPUT + 'layer { name: "i" type: "Interp" bottom: "data" top: "i" interp_param { zoom_factor: 2 } }', {},
     "i", (2, 3, 17, 21)),
    (INPUT + 'layer { name: "b" type: "BN" bottom: "data" top: "b" } ' + CONV.replace("data", "b"), {},
     "c", (2, 7, 9, 11)),
    (INPUT + CONV.replace("Convolution", "DepthwiseConvolution"), {}, "c", (2, 7, 9, 11)),
    (INPUT + 'layer { name: "n" type: "ChannelNorm" bottom: "data" top: "n" }', {}, "n", (2, 1, 9, 11)),
    (INPUT + 'layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { global_pooling: true } } '
     'layer { name: "a" type: "Axpy" bottom: "p" bottom: "data" bottom: "data" top: "a" }', {}, "a", (2, 3, 9, 11)),
    (INPUT + 'layer { name: "a" type: "DataAugmentation" bottom: "data" top: "a" augmentation_param { crop_width: 6 '
     "crop_height: 5 } }", {}, "a", (2, 3, 5, 6)),
    (INPUT + 'layer { name: "a" type: "DataAugmentation" bottom: "data" top: "a" augmentation_param { } }', {}, "a",
     (2, 3, 9, 11)),
    (INPUT + CONV.replace("pad: 1", "pad: 2 hole: 2"), {}, "c", (2, 7, 9, 11)),
    (INPUT + CONV.replace("pad: 1", "pad: 1 engine: CUDNN"), {}, "c", (2, 7, 9, 11)),
    (INPUT + 'layer { name: "b" type: "BatchNorm" bottom: "data" top: "b" ' + "param { } " * 5 + "}", {}, "b",
     (2, 3, 9, 11)),
    (INPUT + 'layer { name: "r" type: "ReLU" bottom: "data" top: "data" } ' + CONV + CONV.replace('"c"', '"d"')
     + 'layer { name: "s" type: "ReLU" bottom: "data" top: "data" }', {}, "data", (2, 3, 9, 11)),
    (INPUT + 'layer { name: "e" type: "Eltwise" bottom: "data" top: "e" eltwise_param { coeff: 0.5 } }', {}, "e",
     (2, 3, 9, 11)),
    (INPUT + CONV + 'layer { name: "e" type: "Eltwise" bottom: "data" bottom: "c" top: "e" }', {}, "e", None),
    (INPUT + CONV.replace("pad: 1", "hole_h: 2"), {}, "c", (2, 7, 5, 9)),
    (INPUT + CONV.replace("pad: 1", "pad_t: 1 pad_b: 2 pad_l: 0 pad_r: 1"), {}, "c", (2, 7, 10, 10)),
    (INPUT + CONV.replace("pad: 1", "pad_type: 1"), {}, "c", (2, 7, None, None)),
    (INPUT + CONV.replace("Convolution", "Deconvolution").replace("pad: 1", "pad_b: 1"), {}, "c", (2, 7, 10, 13)),
    (POOL.replace("kernel_size: 2", "kernel_size: 2 ceil_mode: false"), {}, "p", (2, 3, 4, 5)),
    (POOL.replace("kernel_size: 2", "kernel_size: 2 pad_t: 1 pad_b: 0"), {}, "p", (2, 3, 5, 6)),
    (POOL.replace("kernel_size: 2", "kernel_size: 3 pad_b: 2"), {}, "p", (2, 3, 5, 5)),
    (SEGMENTS, {}, "data", (4, 3, 33, 33)),
    (SEGMENTS, {}, "label", (4, 1, 33, 33)),
    (SEGMENTS.replace("batch_size: 4", "label_type: NONE is_color: false"), {}, "data", (1, 1, 33, 33)),
    (SEGMENTS.replace("batch_size: 4", "label_type: IMAGE"), {}, "label", None),
    (SEGMENTS.replace("layer ", "layers ").replace('"ImageSegData"', "IMAGE_SEG_DATA"), {}, "label", (4, 1, 33, 33)),
    (SEGMENTS.replace("crop_size: 33", "mirror: true"), {}, "data", None),
    ('input: "data" layer { name: "i" type: "Interp" bottom: "data" top: "i" interp_param { height: 5 width: 6 } }',
     {}, "i", (None, None, 5, 6)),
]


@pytest.mark.parametrize("text, shapes, blob, wanted", PARTIAL)
def test_partial(text: str, shapes: Dict, blob: str, wanted) -> None:
    """What can be known is known, and what cannot is unknown."""
    assert inferred(text, shapes).blobs[blob] == wanted


#: A net, and the beginning and a part of its refusal.
REFUSED = [
    (INPUT + CONV.replace("kernel_size: 3", ""), "2:1: c: ", "kernel_size must be given once"),
    (INPUT + CONV.replace('bottom: "data"', 'bottom: "dta"'), "2:1: c: ", "unknown bottom blob 'dta'"),
    (INPUT + 'layer { name: "e" type: "Eltwise" bottom: "data" top: "e" }', "2:1: e: ", "must have at least 2 bottoms"),
    (INPUT + INPUT, "2:1: data: ", "produced by another layer too"),
    (INPUT + 'layer { name: "r" type: "ReLU" bottom: "data" top: "data" } ' + CONV +
     'layer { name: "s" type: "ReLU" bottom: "data" top: "data" }', "", "changed in place"),
    (INPUT + CONV.replace("convolution_param", "loss_weight: 1 convolution_param")
     + 'layer { name: "r" type: "ReLU" bottom: "c" top: "c" }', "3:1: r: ", "changed in place, but has a loss_weight"),
    ('input: "data"\n' + CONV, "1:1: ", "needs a shape"),
    (INPUT + CONV.replace("num_output: 7", "num_output: 7.5"), "2:", "7.5"),
    ('layer { name: "d" type: "Data" top: "d" data_param { source: "none" } }', "1:1: d: ", "must be there"),
    ('layers { layer { name: "d" type: "hdf5_data" source: "none" } top: "d" }', "1:1: d: ", "must be there"),
    ('layers { layer { name: "d" type: "hdf5_data" source: "no" scale: 2 } top: "d" }', "1:1: d: ", "transform_param"),
]


@pytest.mark.parametrize("text, start, part", REFUSED)
def test_refusals(text: str, start: str, part: str) -> None:
    """A refusal names the place and the layer, and says what must hold."""
    sentence = str(inferred(text).errors[0])
    assert sentence.startswith(start) and part in sentence


def test_a_shape_for_no_blob() -> None:
    """A slip in a name is an error, and the near name is offered."""
    with pytest.raises(PrototoolsError, match="no such blob; did you mean 'data'"):
        inferred(INPUT + CONV, {"dta": (1, 3, 5, 6)})
    assert inferred(INPUT + CONV.replace('top: "c"', 'top: "c" include { phase: TRAIN }'), {"c": (1, 7, 5, 6)})


#: Nets of the old forms, and of several layers, that Caffe accepts or refuses as we do.
WHOLE = [
    INPUT + CONV.replace("convolution_param", "loss_weight: 1 convolution_param")
    + 'layer { name: "r" type: "ReLU" bottom: "c" top: "c" }',
    INPUT + CONV.replace("convolution_param", "loss_weight: 0 convolution_param")
    + 'layer { name: "r" type: "ReLU" bottom: "c" top: "c" }',
    'input: "x" input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 9 '
    'layers { layer { name: "p" type: "padding" pad: 2 } bottom: "x" top: "p" } '
    'layers { layer { name: "c" type: "conv" num_output: 4 kernelsize: 3 stride: 2 biasterm: false '
    'weight_filler { type: "xavier" } } bottom: "p" top: "c" } '
    'layers { layer { name: "q" type: "pool" pool: MAX kernelsize: 3 stride: 2 } bottom: "c" top: "q" } '
    'layers { layer { name: "i" type: "innerproduct" num_output: 5 blobs_lr: 1 blobs_lr: 2 } bottom: "q" top: "i" }',
    'input: "x" input_shape { dim: 2 dim: 3 } input: "y" input_shape { dim: 2 } '
    'layers { name: "l" type: SOFTMAX_LOSS bottom: "x" bottom: "y" loss_weight: 2 top: "loss" }',
    'input: "x" input_shape { dim: 2 dim: 3 } layers { name: "i" type: INNER_PRODUCT bottom: "x" top: "i" '
    'param: "w" inner_product_param { num_output: 3 bias_term: false } } layers { name: "j" type: INNER_PRODUCT '
    'bottom: "i" top: "j" param: "w" inner_product_param { num_output: 4 bias_term: false } }',
    INPUT + 'layer { name: "r" type: "ReLU" bottom: "data" top: "data" } ' + CONV +
    'layer { name: "s" type: "ReLU" bottom: "data" top: "data" }',
    INPUT + 'layer { name: "r" type: "ReLU" bottom: "data" top: "data" } ' + CONV +
    'layer { name: "s" type: "ReLU" bottom: "c" top: "c" } layer { name: "t" type: "TanH" bottom: "c" top: "d" } '
    'layer { name: "e" type: "Eltwise" bottom: "c" bottom: "d" top: "e" }',
    INPUT + CONV + CONV.replace('"c"', '"d"').replace("pad: 1", "pad: 1 engine: CAFFE"),
    INPUT + CONV.replace("convolution_param", 'param { name: "w" lr_mult: 1 } convolution_param')
    + CONV.replace('"c"', '"d"').replace("convolution_param", 'param { name: "w" lr_mult: 2 } convolution_param'),
    'input: "x" layers { name: "r" type: RELU bottom: "x" top: "r" }',
    INPUT + 'layer { name: "b" type: "BatchNorm" bottom: "data" top: "b" param { lr_mult: 1 } param { } param { } }',
    INPUT + 'layer { name: "b" type: "BatchNorm" bottom: "data" top: "b" param { } param { } }',
    INPUT + 'layer { name: "a" type: "Softmax" bottom: "data" top: "a" softmax_param { engine: CUDNN } }',
]


def test_whole_nets(caffe) -> None:
    """Old forms, sharing, splits and in-place layers, as real Caffe has them."""
    results = run_nets([NetCase(text, shapes_only=True, timeout=60) for text in WHOLE], installation=caffe)
    for text, result in zip(WHOLE, results):
        assert agree(answer(text), real_answer(result)), (text, answer(text), real_answer(result))


def test_multiply_adds() -> None:
    """Counted by hand."""
    text = INPUT + CONV + 'layer { name: "u" type: "Deconvolution" bottom: "c" top: "u" convolution_param { ' \
        'num_output: 7 group: 7 kernel_size: 4 stride: 2 pad: 1 } } layer { name: "i" type: "InnerProduct" ' \
        'bottom: "c" top: "i" inner_product_param { num_output: 10 } }'
    net = Net(text.encode()).filtered()
    layers = as_dictionary(net, infer(net))["layers"]
    assert [layer["multiply_adds"] for layer in layers] == [
        0, 2 * 7 * 9 * 11 * 3 * 9, 2 * 7 * 9 * 11 * 16, 2 * 10 * 7 * 9 * 11,
    ]
    assert rows(net, infer(net))[-1][0] == "total"
