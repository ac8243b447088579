"""The study: what it finds, what it says is missing, and that it can find a mistake."""

from __future__ import annotations

import configparser
import json
import struct
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from command_line import call

from prototools import NetSpec, upsample
from prototools import layers as L
from prototools.comparison import Distance, StudyError, blocks, libraries, measure, measuring, study
from prototools.comparison.maps import CORNERS, HALF, MAPS, RECIPE, SKIMAGE, Derivation, exact, sample_image
from prototools.comparison.measuring import conclusion, distance
from prototools.comparison.table import as_dictionary, text
from prototools.errors import EngineError
from prototools.net import Net

PROJECT = Path(__file__).resolve().parents[1]

#: The libraries warn of each other when they are imported.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def run(tmp_path: Path, monkeypatch):
    """Call `prototools compare` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda words: call(["compare", *words.split()])


def absent(monkeypatch, *modules: str) -> None:
    """Make modules look as if they were not installed."""
    for module in modules:
        for name in [module, *(name for name in sys.modules if name.startswith(f"{module}."))]:
            monkeypatch.setitem(sys.modules, name, None)


# ---------------------------------------------------------------- the derivation

SIZES = [(1, 1), (1, 6), (7, 1), (5, 5), (8, 8), (9, 14), (16, 3)]


@pytest.mark.parametrize("factor", range(1, 9))
def test_derivation(factor: int) -> None:
    """The formulas give factor times the rows, and are the settings of the net that runs."""
    found = Derivation(factor)
    assert all(found.out(rows) == factor * rows for size in SIZES for rows in size)
    net = Net(blocks.recipe(np.zeros((1, 2, 5, 7)), factor).task.net)
    own = next(layer for layer in net.layers if layer.type == "Deconvolution").param("convolution_param")
    assert own.integer("kernel_size") == found.kernel
    assert own.integer("stride", 1) == found.stride and own.integer("pad", 0) == found.pad


def test_derivation_in_the_table() -> None:
    """The numbers stand in the formulas."""
    lines = text(study(3, (1, 1, 4, 6), libraries=False)).splitlines()
    assert "kernel    K = 2 F - F mod 2      = 2 * 3 - 1 = 5" in lines
    assert "pad       P = ceil((F - 1) / 2)  = ceil(2 / 2) = 1" in lines
    assert "height    M = S (N - 1) + D (K - 1) + 1 - 2 P = 3 * 3 + 1 * 4 + 1 - 2 * 1 = 12" in lines
    assert "width     M = S (N - 1) + D (K - 1) + 1 - 2 P = 3 * 5 + 1 * 4 + 1 - 2 * 1 = 18" in lines


# ---------------------------------------------------------------- what is found


def wheres(found) -> dict:
    return {(pair.first, pair.second): (pair.distance.where, pair.distance.reach) for pair in found.pairs}


@pytest.mark.parametrize("size", [(5, 5), (9, 14), (16, 3)], ids=str)
@pytest.mark.parametrize("factor", range(2, 9))
def test_what_differs_where(factor: int, size) -> None:
    """The recipe is skimage's; half-pixel differs in F // 2 rows; aligned corners differ everywhere."""
    found = study(factor, (2, 2, *size), libraries=False)
    assert found.complete and not found.differs and not found.missing
    assert [column.values.shape for column in found.columns] == [(2, 2, factor * size[0], factor * size[1])] * 4
    said = wheres(found)
    assert said[RECIPE, SKIMAGE] == ("nowhere", 0)
    assert said[RECIPE, HALF] == said[SKIMAGE, HALF] == ("border", factor // 2)
    assert {said[pair][0] for pair in said if CORNERS in pair} == {"everywhere"}


#: Sizes that have no inside, and what then holds of recipe and half-pixel, and of PyTorch's two.
TINY = [
    pytest.param(1, (3, 4), "nowhere", "nowhere", id="factor 1"),
    pytest.param(2, (1, 1), "everywhere", "nowhere", id="a pixel by 2"),
    pytest.param(3, (1, 1), "border", "nowhere", id="a pixel by 3"),
    pytest.param(2, (1, 9), "everywhere", "everywhere", id="a row by 2"),
    pytest.param(3, (9, 1), "border", "everywhere", id="a column by 3"),
]


@pytest.mark.parametrize("factor, size, faded, grids", TINY)
def test_tiny(factor: int, size, faded: str, grids: str) -> None:
    """One pixel, one row and one column work, and the blocks stay exact."""
    found = study(factor, (1, 2, *size), libraries=False)
    said = wheres(found)
    assert said[RECIPE, SKIMAGE][0] == "nowhere" and not found.differs
    assert (said[RECIPE, HALF][0], said[HALF, CORNERS][0]) == (faded, grids)
    if size == (1, 1):
        assert "corners on corners" not in text(found)


def test_the_articles_numbers() -> None:
    """Its factor and shape, on one seed; another seed has other numbers."""
    found, again, other = (study(seed=seed, libraries=False) for seed in (0, 0, 1))
    assert (found.factor, found.shape) == (2, (1, 3, 112, 112))
    means = [pair.distance.mean for pair in found.pairs]
    assert means == pytest.approx([0, 0.00216, 0.0525, 0.00216, 0.0525, 0.051], rel=5e-3, abs=1e-12)
    assert means == [pair.distance.mean for pair in again.pairs]
    assert means[1] != [pair.distance.mean for pair in other.pairs][1]


#: A map, and its numbers for the row 1, 2 enlarged three times.
ROWS = [
    (SKIMAGE, [2 / 3, 1, 4 / 3, 5 / 3, 2, 4 / 3]),
    (HALF, [1, 1, 4 / 3, 5 / 3, 2, 2]),
    (CORNERS, [1, 1.2, 1.4, 1.6, 1.8, 2]),
]


@pytest.mark.parametrize("one, wanted", ROWS, ids=lambda value: getattr(value, "name", ""))
def test_exact_maps(one, wanted) -> None:
    """The maps that stand in for the libraries, by hand."""
    found = exact(np.array([[[[1.0, 2.0]] * 3]]), one.resize(3))
    assert found[0, 0, 4] == pytest.approx(wanted)


# ---------------------------------------------------------------- the libraries, and real Caffe


@pytest.mark.parametrize("factor, size", [(2, (5, 7)), (3, (9, 4)), (5, (1, 6)), (7, (1, 1)), (8, (6, 6))])
@pytest.mark.parametrize("module, maps", [("skimage", [SKIMAGE]), ("torch", [HALF, CORNERS])])
def test_libraries(module: str, maps, factor: int, size) -> None:
    """What the libraries compute is what our exact maps say that they compute."""
    pytest.importorskip(module, reason=f"{module} is not installed")
    data = np.random.RandomState(1).rand(2, 2, *size)
    for one in maps:
        answer = libraries.LIBRARIES[one.name](data, factor)
        assert np.abs(answer.values - exact(data, one.resize(factor))).max() < 1e-9
        assert any(name in answer.source for name in ("scikit-image ", "PyTorch "))


def test_clipping_is_told() -> None:
    """skimage's own default would hide the fading of a single pixel."""
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    notes = libraries.skimage_rescale(np.full((1, 1, 1, 1), 0.5), 2).notes
    assert len(notes) == 1 and "clip=True" in notes[0] and "0.219" in notes[0]
    assert not libraries.skimage_rescale(np.array([[[[0.0, 1.0]]]]), 2).notes


def test_rounding_is_told() -> None:
    """PyTorch's float32 coordinates are named where they show."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    data = np.random.RandomState(0).rand(1, 1, 40, 112)
    assert "rounds the source coordinates" in libraries.torch_upsample(data, 3, True).notes[0]
    assert not libraries.torch_upsample(data[..., :4, :4], 2, False).notes


ON_CAFFE = [(2, (1, 3, 112, 112)), (3, (2, 2, 5, 8)), (4, (1, 1, 1, 5)), (5, (1, 2, 1, 1)), (7, (1, 2, 9, 4)),
            (8, (1, 1, 6, 6))]


@pytest.mark.parametrize("factor, shape", ON_CAFFE)
def test_on_real_caffe(factor: int, shape, caffe) -> None:
    """The recipe and every block on Caffe itself."""
    found = study(factor, shape, engine="caffe")
    assert found.complete and not found.differs
    assert found.columns[0].values.shape[2:] == tuple(map(found.derivation.out, shape[2:]))
    assert all(block.equal and block.distance.largest < 1e-6 for block in found.blocks)
    assert wheres(found)[RECIPE, SKIMAGE] == ("nowhere", 0)


def test_in_the_old_environment(caffe) -> None:
    """Python 3.9 and numpy 1.19, with no PyTorch and a stand-in for skimage that cannot rescale."""
    code = ("from prototools.comparison import study\nfound = study(3, (1, 2, 4, 5))\n"
            "print(found.differs, found.complete, len(found.missing), found.pairs[1].distance.reach)")
    assert caffe.python(code, pythonpath=[PROJECT]).split() == ["False", "True", "2", "1"]


@pytest.mark.parametrize("factor, size", [(2, (5, 7)), (3, (4, 4))])
def test_the_calls_build_the_blocks(factor: int, size) -> None:
    """What the table says a block comes from has the block's layers."""
    shape = (1, 2, *size)
    found = {block.target: block for block in study(factor, shape, libraries=False).blocks}
    n = NetSpec()
    n.x = L.Input(shape=dict(dim=list(shape)))
    n.fades = upsample.bilinear(n.x, factor, 2)
    assert [layer.type for layer in n.to_proto().layer[1:]] == list(found[SKIMAGE].layers)
    del n.tops["fades"]
    n.repeats = upsample.resize(n.x, scale=factor, mode="bilinear", in_shape=shape)
    assert found[HALF].call == f'upsample.resize(x, scale={factor}, mode="bilinear")'
    assert sorted(layer.type for layer in n.to_proto().layer[1:]) == sorted(found[HALF].layers)


# ---------------------------------------------------------------- what is missing


def test_without_libraries(run, monkeypatch) -> None:
    """The exact maps take their place, and the table and a sentence with the cure say so."""
    absent(monkeypatch, "skimage", "torch")
    result = run("--factor 3 --shape 1,1,4,6")
    assert result.exit_code == 0 and result.stdout.count("prototools' own exact map") == 3
    assert result.stderr.splitlines() == [
        "scikit-image is not installed; run: pip install 'prototools[skimage]'",
        "PyTorch is not installed; run: pip install 'prototools[torch]'",
    ]


def test_a_broken_library(monkeypatch) -> None:
    """Any mistake of an import is a sentence."""
    def broken(name: str):
        raise ValueError("numpy.dtype size changed")

    monkeypatch.setattr(libraries, "import_module", broken)
    found = study(2, (1, 1, 3, 3))
    assert found.missing[0].startswith("scikit-image cannot be used (numpy.dtype size changed); run: pip install")


def test_without_caffe(run, monkeypatch) -> None:
    """The columns that need no Caffe stand there; the others are missing, and the exit code is 2."""
    def nothing(tasks):
        raise EngineError("no Caffe; run `prototools caffe setup`")

    monkeypatch.setattr("prototools.engines.caffe.run", nothing)
    result = run("--engine caffe --shape 1,1,4,6 --exact-maps --json")
    found = json.loads(result.stdout)
    assert result.exit_code == 2 and result.stderr == "no Caffe; run `prototools caffe setup`\n"
    assert [one["values"] for one in found["columns"]] == [False, True, True, True]
    assert [one["mean"] is None for one in found["pairs"]] == [True, True, True, False, False, False]
    assert [one["equal"] for one in found["blocks"]] == [None] * 3
    shown = run("--engine caffe --shape 1,1,4,6 --exact-maps").stdout
    assert "missing: real Caffe" in shown and "not compared, because one of them is missing" in shown


def test_without_matplotlib(run, monkeypatch) -> None:
    """The table is printed all the same."""
    absent(monkeypatch, "matplotlib")
    result = run("--shape 1,1,3,3 --exact-maps --plot out.png")
    assert result.exit_code == 2 and "outer row and column" in result.stdout
    assert "pip install 'prototools[plot]'" in result.stderr and not Path("out.png").exists()


@pytest.mark.parametrize("extra", ["plot", "skimage"])
def test_cures_are_extras(extra: str) -> None:
    """What the cures name can be installed."""
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg")
    assert extra in config["options.extras_require"]


# ---------------------------------------------------------------- planted mistakes


def other_task(prepared, before: bytes, after: bytes):
    assert before in prepared.task.net
    return prepared._replace(task=prepared.task._replace(net=prepared.task.net.replace(before, after)))


#: A change of a block's own net; each must be seen.
PLANTED = [
    pytest.param(0, b"bilinear", b"xavier", 1, id="another filler"),
    pytest.param(0, b"pad: 1", b"pad: 0", 1, id="another size"),
    pytest.param(1, b"slice_point: 1", b"slice_point: 7", 2, id="a net that nothing runs"),
]


@pytest.mark.parametrize("number, before, after, code", PLANTED)
def test_a_wrong_block(number: int, before: bytes, after: bytes, code: int, run, monkeypatch) -> None:
    """Exit 1 for a difference, 2 for what cannot be compared, and the table has the word."""
    genuine = blocks.prepared

    def planted(data, factor):
        made = genuine(data, factor)
        made[number] = other_task(made[number], before, after)
        return made

    monkeypatch.setattr(measuring, "prepared", planted)
    result = run("--shape 1,2,5,6 --exact-maps")
    lines = result.stdout.splitlines()[-3:]
    assert result.exit_code == code
    assert [line.split()[-1] == "equal" for line in lines] == [place != number for place in range(3)]
    assert lines[number].endswith({1: "DIFFERS", 2: "missing"}[code])


@pytest.mark.parametrize("error, differs", [(2e-5, True), (2e-6, False)])
def test_a_wrong_weight(error: float, differs: bool, monkeypatch) -> None:
    """One weight of a matrix, a little off; what float32 rounds is no mistake."""
    genuine = blocks.prepared

    def planted(data, factor):
        made = genuine(data, factor)
        params = {name: [values[0] + error] for name, values in made[2].task.params.items()}
        assert params
        made[2] = made[2]._replace(task=made[2].task._replace(params=params))
        return made

    monkeypatch.setattr(measuring, "prepared", planted)
    found = measure(np.eye(4).reshape(1, 1, 4, 4) / 2, 2, libraries=False)
    assert [block.equal for block in found.blocks] == [True, True, not differs] and found.differs == differs


def test_a_library_that_computes_something_else(monkeypatch) -> None:
    """A version of skimage with another grid would be seen, and not taken for the recipe's equal."""
    other = libraries.Answer(exact(sample_image(), HALF.resize(2)), "scikit-image 99")
    monkeypatch.setitem(libraries.LIBRARIES, SKIMAGE.name, lambda data, factor: other)
    found = measure(sample_image(), 2)
    assert found.differs and found.pairs[0].conclusion == "different, although both should compute the same"


#: Where an array of 8 x 10 is changed, by how much, and what must be said for factor 2.
PLACES = [
    pytest.param([], 1, 0, "nowhere", id="nothing"),
    pytest.param([(3, 4)], 9e-6, 0, "nowhere", id="rounding"),
    pytest.param([(0, 5)], 1, 1, "border", id="first row"),
    pytest.param([(7, 5)], -1, 1, "border", id="last row"),
    pytest.param([(4, 9)], 1, 1, "border", id="last column"),
    pytest.param([(0, 0), (1, 5)], 1, 2, "border", id="second row"),
    pytest.param([(2, 5)], 1, 3, "everywhere", id="deeper than the factor"),
    pytest.param([(0, 0), (3, 4)], 1, 4, "everywhere", id="the middle"),
    pytest.param([(3, 4)], float("nan"), 4, "everywhere", id="no number"),
]


@pytest.mark.parametrize("places, change, reach, where", PLACES)
def test_distance(places, change: float, reach: int, where: str) -> None:
    """How deep a planted difference lies, and whether it is one of the border."""
    one = np.zeros((2, 3, 8, 10))
    other = one.copy()
    for row, column in places:
        other[1, 2, row, column] = change
    found = distance(one, other, 2)
    assert (found.reach, found.where) == (reach, where)
    size = 0 if not places else float("inf") if change != change else abs(change)
    assert found.largest == size and found.mean == pytest.approx(size * len(places) / one.size)


def test_distance_of_other_shapes() -> None:
    """Two sizes are never equal."""
    assert distance(np.zeros((1, 1, 4, 4)), np.zeros((1, 1, 4, 5)), 2).where == "everywhere"


#: Two upsamplings, where they differ, and a part of the conclusion.
CONCLUSIONS = [
    (RECIPE, SKIMAGE, "nowhere", "equal: each may"),
    (RECIPE, HALF, "border", "equal inside, different at the border: Caffe's recipe takes zeros"),
    (HALF, RECIPE, "everywhere", "all is border here: PyTorch False repeats"),
    (HALF, CORNERS, "everywhere", "PyTorch True corners on corners"),
    (RECIPE, SKIMAGE, "border", "although both should"),
]


@pytest.mark.parametrize("first, second, where, words", CONCLUSIONS)
def test_conclusion(first, second, where: str, words: str) -> None:
    """One line that says what to do with it."""
    found = conclusion(first, second, Distance(0.1, 0.2, 1, where))
    assert words in found and "\n" not in found


# ---------------------------------------------------------------- the command


def test_json(run) -> None:
    """The same study as data."""
    result = run("--factor 3 --shape 1,2,5,4 --seed 7 --exact-maps --json")
    assert result.exit_code == 0 and not result.stderr
    found = json.loads(result.stdout)
    assert found == json.loads(json.dumps(as_dictionary(study(3, (1, 2, 5, 4), seed=7, libraries=False))))
    assert found["derivation"] == {"kernel": 5, "stride": 3, "pad": 1, "dilation": 1, "height": 15, "width": 12}
    assert [one["name"] for one in found["columns"]] == [one.name for one in MAPS]
    assert [one["where"] for one in found["pairs"]] == [
        "nowhere", "border", "everywhere", "border", "everywhere", "everywhere"
    ]
    assert found["pairs"][1]["border_rows"] == 1 and found["pairs"][2]["border_rows"] is None
    assert [one["equal"] for one in found["blocks"]] == [True] * 3


def test_a_conclusion_for_each_pair(run) -> None:
    """The table is followed by a line for every pair."""
    lines = run("--shape 1,1,5,6 --exact-maps").stdout.splitlines()
    for first, second in combinations(MAPS, 2):
        assert len([line for line in lines if line.startswith(f"{first.name} and {second.name}: ")]) == 1


#: Words, and a part of the sentence.
MISTAKES = [
    ("--factor 0", "factor must be a whole number of at least 1, but is 0"),
    ("--factor 2.5", "2.5"),
    ("--shape 1,3,4", "shape must be N,C,H,W"),
    ("--shape 1,3,0,4", "shape must be N,C,H,W"),
    ("--shape 1,3,x,4", "shape must be N,C,H,W"),
    ("--shape 1,3,1000,10000 --factor 8", "at most 33,554,432 values, but 1 x 3 x 8000 x 80000"),
    ("--shape 1,1,1,1 --factor 257", "factor must be at most 256, but is 257"),
    ("--shape 1,1,1,5000", "at most 8,192 rows and columns, but is 1 x 1 x 2 x 10000"),
    ("--seed -1", "seed must be"),
    ("--engine opencv", "opencv"),
    ("--plot out.jpg", "must end in .png"),
    ("--shape 1,1,2,2 --factor 33 --plot out.png", "factor must be at most 32"),
    ("--shape 1,1,2,2 --plot no/such/out.png", "no/such/out.png: cannot be written"),
]


@pytest.mark.parametrize("words, sentence", MISTAKES)
def test_mistakes(words: str, sentence: str, run) -> None:
    """A sentence and exit 2, never a traceback."""
    if "png" in words:
        pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    result = run(words + " --exact-maps")
    assert result.exit_code == 2 and sentence in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize("factor, shape", [(True, (1, 1, 2, 2)), ("2", (1, 1, 2, 2)), (2, 7), (2, (1, 1, 2, 2.0))])
def test_mistakes_from_python(factor, shape) -> None:
    """The same sentences as exceptions."""
    with pytest.raises(StudyError, match="must be"):
        study(factor, shape)


# ---------------------------------------------------------------- the picture

#: Top left corner of each panel of the sheet in pixels, row by row, and a side that all of them have.
LEFT, TOP, SIDE = (72, 334, 594, 856), (184, 494), 216


def panels(path: Path) -> list:
    matplotlib_image = pytest.importorskip("matplotlib.image")
    pixels = matplotlib_image.imread(str(path))[..., :3]
    return [[pixels[top : top + SIDE, left : left + SIDE] for left in LEFT] for top in TOP]


def test_picture(run, tmp_path: Path) -> None:
    """A PNG of the promised size; maps and differences are drawn, and where nothing differs nothing is."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    result = run("--shape 1,1,2,2 --factor 3 --exact-maps --plot out.png")
    assert result.exit_code == 0, result.stderr
    data = (tmp_path / "out.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", data[16:24]) == (1200, 1040)
    upper, lower = panels(tmp_path / "out.png")
    assert all(panel.std() > 0.1 for panel in upper) and lower[0].std() > 0.1
    assert blank(lower[1]) and blank(lower[2][40:-40, 40:-40])
    assert lower[2].std() > 0.02 and not blank(lower[3][40:-40, 40:-40])


def blank(panel) -> bool:
    return bool(np.ptp(panel, axis=(0, 1)).max() < 1e-6)


def test_the_users_settings_leave_the_picture_alone() -> None:
    """The sheet has its own ground and ink, so that it reads on light and on dark pages."""
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from prototools.comparison.picture import draw

    plain = draw(2, libraries=False)
    with matplotlib.rc_context({"text.color": "white", "axes.facecolor": "black", "font.size": 30}):
        assert draw(2, libraries=False) == plain


def test_a_picture_with_what_is_there(monkeypatch) -> None:
    """Without the engine the panels that need it are empty, and the rest is drawn."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from prototools.comparison.picture import draw

    def nothing(tasks):
        raise EngineError("no Caffe")

    monkeypatch.setattr("prototools.engines.caffe.run", nothing)
    assert draw(2, engine="caffe", libraries=False)[:4] == b"\x89PNG"
