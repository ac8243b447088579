"""PyTorch modules beside Caffe's layers: the same numbers, and one caffemodel for both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prototools import NetSpec, upsample, weights
from prototools import layers as L
from prototools.realcaffe import NetCase, run_net

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'prototools[torch]'")

from prototools.torch import Bilinear, Learnable, TorchError, load, save  # noqa: E402

SHAPE = (2, 3, 6, 7)


def image(seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randn(*SHAPE).astype(np.float32)


def network() -> torch.nn.Module:
    """One module of each kind, with numbers that are not those it began with."""
    modules = torch.nn.Sequential()
    for name, module in (
        ("conv", torch.nn.Conv2d(3, 8, 3, padding=1)), ("bn", torch.nn.BatchNorm2d(8)), ("prelu", torch.nn.PReLU(8)),
        ("up", Learnable(2, 8, 4)), ("twice", Bilinear(4, 3)), ("pool", torch.nn.AvgPool2d(6)),
        ("flat", torch.nn.Flatten()), ("fc", torch.nn.Linear(4 * 6 * 7, 5)),
    ):
        modules.add_module(name, module)
    generator = torch.Generator().manual_seed(7)
    for name, value in modules.state_dict().items():
        if value.is_floating_point() and not name.startswith("twice"):
            value.copy_(torch.rand(value.shape, generator=generator) * 0.5 + 0.1)
    return modules.eval()


def net() -> str:
    """The same network in Caffe."""
    n = NetSpec()
    n.data = L.Input(shape={"dim": list(SHAPE)})
    n.conv = L.Convolution(n.data, convolution_param=dict(num_output=8, kernel_size=3, pad=1))
    n.bn = L.BatchNorm(n.conv, batch_norm_param=dict(use_global_stats=True, eps=1e-5))
    n.scale = L.Scale(n.bn, bias_term=True)
    n.prelu = L.PReLU(n.scale)
    n.up = upsample.learnable(n.prelu, 2, 8, 4)
    n.twice = upsample.bilinear(n.up, 3, 4)
    n.pool = L.Pooling(n.twice, pool=1, kernel_size=6, stride=6)
    n.fc = L.InnerProduct(n.pool, num_output=5)
    return str(n.to_proto())


NAMES = {"bn": ("bn", "scale")}


@pytest.mark.parametrize("factor", range(1, 9))
def test_bilinear_is_caffes_recipe(factor: int, caffe) -> None:
    """The whole map, and weights that no optimiser moves."""
    module = Bilinear(3, factor)
    assert [value.requires_grad for value in module.parameters()] == [False]
    found = run_net(str(upsample.create_upsample_net(SHAPE, factor).to_proto()), installation=caffe,
                    inputs={"data": image()}).blobs["conv"]
    assert np.abs(module(torch.tensor(image())).numpy() - found).max() < 1e-5


def test_one_caffemodel_for_both(caffe, tmp_path: Path) -> None:
    """What PyTorch saves Caffe loads, and both give the same numbers."""
    modules, path = network(), str(tmp_path / "saved.caffemodel")
    save(modules, path, NAMES)
    found = run_net(net(), installation=caffe, inputs={"data": image()}, weights=path).blobs["fc"]
    wanted = modules(torch.tensor(image())).detach().numpy()
    assert np.abs(found.reshape(wanted.shape) - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_what_caffe_saves_loads(caffe, tmp_path: Path) -> None:
    """Caffe's own file goes into other modules, which then give Caffe's numbers."""
    path, trained = str(tmp_path / "saved.caffemodel"), str(tmp_path / "caffe.caffemodel")
    save(network(), path, NAMES)
    scaled = {name: [np.array(one) for one in blobs] for name, blobs in weights.read(path).items()}
    # Caffe's sums over several batches: mean and variance come with a factor.
    scaled["bn"] = [4 * scaled["bn"][0], 4 * scaled["bn"][1], np.full(1, 4.0)]
    found = run_net(net(), installation=caffe, inputs={"data": image()}, params=scaled, save=trained).blobs["fc"]
    fresh = network()
    for value in fresh.parameters():
        value.data.zero_()
    assert load(fresh, trained, NAMES) == []
    wanted = fresh(torch.tensor(image())).detach().numpy()
    assert np.abs(found.reshape(wanted.shape) - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_learnable_trains_alike(caffe) -> None:
    """The gradients of a learnable layer, at its weights' side and at its bottom."""
    module, above = Learnable(2, 3), np.random.RandomState(4).randn(2, 3, 12, 14).astype(np.float32)
    n = NetSpec()
    n.data = L.Input(shape={"dim": list(SHAPE)})
    n.up = upsample.learnable(n.data, 2, 3)
    assert not n.to_proto().layer[1].param
    case = NetCase("force_backward: true\n" + str(n.to_proto()), inputs={"data": image()}, backward={"up": above},
                   params={"up": [module.weight.detach().numpy()]})
    from prototools.realcaffe import run_nets

    answer = run_nets([case], installation=caffe)[0]
    bottom = torch.tensor(image(), requires_grad=True)
    top = module(bottom)
    top.backward(torch.tensor(above))
    assert np.abs(answer.blobs["up"] - top.detach().numpy()).max() < 1e-5
    assert np.abs(answer.diffs["data"] - bottom.grad.numpy()).max() < 1e-5


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_other_precisions(kind, tmp_path: Path) -> None:
    """A caffemodel is float32; a module keeps its own type."""
    module, path = torch.nn.Linear(3, 2).to(kind), str(tmp_path / "fc.caffemodel")
    save(module, path, {"": "fc"})
    assert weights.read(path)["fc"][0].dtype == np.float32
    again = torch.nn.Linear(3, 2).to(kind)
    assert load(again, path, {"": "fc"}) == []
    assert again.weight.dtype == kind and torch.equal(again.weight, module.weight)


def test_blobs_of_the_old_shape(tmp_path: Path) -> None:
    """1 x 1 x O x I of old files, and layers that no module takes."""
    values = np.arange(6, dtype=np.float32)
    layers = [weights.NewLayer("fc", "InnerProduct", [weights.blob(values.reshape(1, 1, 2, 3))]),
              weights.NewLayer("other", "PReLU", [weights.blob(values)])]
    (tmp_path / "old").write_bytes(b"".join(map(weights.encode, layers)))
    module = torch.nn.Linear(3, 2, bias=False)
    assert load(module, str(tmp_path / "old"), {"": "fc"}) == ["other"]
    assert module.weight.detach().numpy().ravel().tolist() == values.tolist()


def _stored(tmp_path: Path) -> str:
    save(torch.nn.Linear(3, 2), str(tmp_path / "fc.caffemodel"), {"": "fc"})
    return str(tmp_path / "fc.caffemodel")


@pytest.mark.parametrize("mistake, sentence", [
    (lambda path: load(torch.nn.Linear(3, 2), path), "must hold a layer ''"),
    (lambda path: load(torch.nn.Linear(4, 2), path, {"": "fc"}), r"its blob must be \(2, 4\), but is \(2, 3\)"),
    (lambda path: load(torch.nn.Linear(3, 2, bias=False), path, {"": "fc"}), "must have 1 blobs, but has 2"),
    (lambda path: save(torch.nn.Linear(3, 2), path), "a name of its own"),
    (lambda path: save(torch.nn.Linear(3, 2), path, {"fc": "fc"}), "no module 'fc'"),
    (lambda path: save(torch.nn.LSTM(3, 2), path, {"": "lstm"}), "no Caffe layer does"),
    (lambda path: save(torch.nn.ReLU(), path, {"": "relu"}), "holds no numbers"),
    (lambda path: save(torch.nn.BatchNorm2d(3), path, {"": ("bn",)}), "must give 2 layers"),
])
def test_mistakes(mistake, sentence: str, tmp_path: Path) -> None:
    """A sentence, and what was there stays."""
    path = _stored(tmp_path)
    before = Path(path).read_bytes()
    with pytest.raises(TorchError, match=sentence):
        mistake(path)
    assert Path(path).read_bytes() == before
