"""Squeeze-and-excitation shared across depth: parity with plain layers, one owner, and deviations of each depth."""

import copy
import pickle

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.func import functional_call, vmap  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn import count, free_parameters  # noqa: E402
from ffshare.nn.squeeze_excite import SharedSqueezeExcite  # noqa: E402

DOUBLE = {"dtype": torch.float64}


class Block(nn.Module):
    """A separate block as timm and torchvision have it: ``fc1`` and ``fc2`` are convolutions of one pixel."""

    def __init__(self, channels=6, hidden=3, bias=True):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, hidden, 1, bias=bias, **DOUBLE)
        self.fc2 = nn.Conv2d(hidden, channels, 1, bias=bias, **DOUBLE)

    def forward(self, x):
        return x * self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu()).sigmoid()


class Network(nn.Module):
    """The owner is registered here; the blocks refer to it."""

    def __init__(self, deviation=False, **kind):
        super().__init__()
        kind = {**DOUBLE, **kind}
        self.excite = SharedSqueezeExcite(6, rd_channels=3, depth=3, deviation=deviation, **kind)
        self.blocks = nn.Sequential(
            *(nn.Sequential(nn.Conv2d(6, 6, 3, padding=1, **kind), self.excite.at(t)) for t in range(3))
        )

    def forward(self, x):
        return self.blocks(x)


def features(n=4):
    return torch.linspace(-3.0, 2.0, n * 6 * 5 * 5, **DOUBLE).sin().reshape(n, 6, 5, 5)


def network(deviation=False, seed=0):
    torch.manual_seed(seed)
    made = Network(deviation)
    with torch.no_grad():
        made.excite.shared.theta.add_(0.1 * torch.randn_like(made.excite.shared.theta))
    return made


@pytest.mark.parametrize("bias", [True, False])
def test_at_every_depth_it_is_the_block_that_it_was_made_from(bias):
    block = Block(bias=bias)
    excite = SharedSqueezeExcite.from_blocks([block] * 4)
    for depth in range(4):
        torch.testing.assert_close(excite(features(), depth), block(features()), rtol=0, atol=1e-15)
        torch.testing.assert_close(excite.at(depth)(features()), block(features()), rtol=0, atol=1e-15)


def test_of_different_blocks_it_takes_the_mean():
    blocks = [Block() for _ in range(3)]
    weights = SharedSqueezeExcite.from_blocks(blocks).weights(2)
    mean = sum(block.fc2.weight.detach() for block in blocks).flatten(1) / 3
    torch.testing.assert_close(weights["fc2.weight"], mean, rtol=0, atol=1e-15)


def test_with_deviations_the_biases_of_each_block_are_kept():
    blocks = [Block() for _ in range(3)]
    excite = SharedSqueezeExcite.from_blocks(blocks, deviation=True)
    for depth, block in enumerate(blocks):
        weights = excite.weights(depth)
        for fc in ("fc1", "fc2"):
            torch.testing.assert_close(weights[f"{fc}.bias"], getattr(block, fc).bias, rtol=0, atol=1e-14)
        torch.testing.assert_close(weights["scale"], torch.ones(6, **DOUBLE), rtol=0, atol=1e-14)


@pytest.mark.parametrize("deviation", [False, True])
def test_plain_layers_make_the_same_gates(deviation):
    excite = network(deviation).excite
    for depth in range(3):
        plain = excite.to_sequential(depth)
        torch.testing.assert_close(
            plain(features().mean((2, 3))), excite.gates(features(), depth), rtol=1e-14, atol=1e-15
        )
        assert count(plain).free == 6 * 3 * 2 + 9


def test_the_gradient_is_the_sum_over_depths():
    made = network()
    made(features()).square().sum().backward()
    apart = []
    twin = network()
    sites = {name: each.detach().requires_grad_() for name, each in twin.excite.shared().items()}
    x = features()
    for depth, block in enumerate(twin.blocks):
        y = block[0](x)
        w1, w2, biases = (sites[f"{name}.{depth}"] for name in ("fc1.weight", "fc2.weight", "vector"))
        hidden = y.mean((2, 3)) @ w1.T + biases[:3]
        x = y * (hidden.relu() @ w2.T + biases[3:]).sigmoid()[..., None, None]
    apart = torch.autograd.grad(x.square().sum(), list(sites.values()))
    pooled = made.excite.shared.tying.pool(torch.cat([each.reshape(-1) for each in apart]))
    torch.testing.assert_close(made.excite.shared.theta.grad, pooled, rtol=1e-12, atol=1e-12)


def test_one_block_for_six_depths_counts_a_sixth():
    excite = SharedSqueezeExcite(16, rd_channels=4, depth=6)
    assert (excite.shared.counts.free, excite.shared.counts.sites) == (148, 888)
    assert SharedSqueezeExcite(16, rd_channels=4).shared.counts.sites == 148


def test_deviations_add_one_parameter_too_many_for_each_entry():
    excite = SharedSqueezeExcite(16, rd_channels=4, depth=6, deviation=True)
    n_alike, n_own = 128, 4 + 16 + 16
    counts = excite.shared.counts
    assert (counts.free, counts.sites) == (n_alike + 7 * n_own, 6 * (n_alike + n_own))
    assert counts.rank == counts.free - n_own
    assert excite.deviations.shape == (6, n_own)


def test_deviations_start_at_zero_and_belong_to_one_depth():
    excite = network(deviation=True).excite
    excite.reset_parameters()
    assert (excite.deviations == 0).all()
    assert (excite.weights(1)["scale"] == 1).all()
    before = [excite(features(), depth) for depth in range(3)]
    torch.testing.assert_close(before[0], before[2], rtol=0, atol=0)
    with torch.no_grad():
        excite.deviations[1].add_(0.5)
    after = [excite(features(), depth) for depth in range(3)]
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [True, False, True]
    assert (excite.weights(1)["scale"] == 1.5).all()


def test_weights_start_as_those_of_a_linear_layer():
    torch.manual_seed(0)
    weights = SharedSqueezeExcite(64, rd_channels=32, depth=3, deviation=True).weights(2)
    assert weights["fc1.weight"].abs().max() <= 1 / 64**0.5
    assert weights["fc1.weight"].var().item() == pytest.approx(1 / (3 * 64), rel=0.1)
    assert weights["fc2.weight"].var().item() == pytest.approx(1 / (3 * 32), rel=0.1)
    assert (weights["fc2.bias"] == 0).all()


@pytest.mark.parametrize(("channels", "ratio", "hidden"), [(256, 1 / 16, 16), (64, 1 / 16, 8), (100, 0.25, 24)])
def test_hidden_channels_are_rounded_as_timm_does(channels, ratio, hidden):
    assert SharedSqueezeExcite(channels, ratio).rd_channels == hidden


def test_arguments_have_the_order_of_timm():
    excite = SharedSqueezeExcite(8, 0.5, 3, 8, True, False, nn.SiLU, None, nn.Hardsigmoid)
    x = torch.randn(2, 8, 5)
    weights = excite.weights()
    squeezed = 0.5 * x.mean(2) + 0.5 * x.amax(2)
    hidden = nn.functional.silu(squeezed @ weights["fc1.weight"].T)
    expected = x * nn.functional.hardsigmoid(hidden @ weights["fc2.weight"].T)[:, :, None]
    torch.testing.assert_close(excite(x), expected)
    assert set(weights) == {"fc1.weight", "fc2.weight"}


@pytest.mark.parametrize("deviation", [False, True])
def test_the_network_knows_the_parameters_once(deviation):
    made = network(deviation)
    names = [name for name, _ in made.named_parameters() if "blocks" not in name]
    assert names == ["excite.shared.theta"]
    assert [key for key in made.state_dict() if "blocks" not in key] == names
    assert len(list(free_parameters(made))) == 7


def test_blocks_without_their_owner_are_noticed():
    with pytest.raises(TyingError, match="no module of the model registers"):
        count(network().blocks)


def through_meta(made):
    moved = copy.deepcopy(made).to("meta").to_empty(device="cpu")
    moved.load_state_dict(made.state_dict())
    return moved


def assigned(made):
    empty = Network(made.excite.deviation, device="meta")
    empty.load_state_dict(made.state_dict(), assign=True)
    return empty


@pytest.mark.parametrize("deviation", [False, True])
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made)), through_meta, assigned]
)
def test_a_copy_of_the_network_keeps_the_tie(copied, deviation):
    made = network(deviation)
    twin = copied(made)
    torch.testing.assert_close(twin(features()), made(features()), rtol=0, atol=0)
    before = made(features())
    with torch.no_grad():
        twin.excite.shared.theta.mul_(1.5)
    assert not torch.equal(twin(features()), before)
    torch.testing.assert_close(twin.blocks[1][1].gates(features()), twin.excite.gates(features(), 1), rtol=0, atol=0)


def test_another_type_reaches_every_depth():
    made = network(deviation=True)
    single = copy.deepcopy(made).float()
    torch.testing.assert_close(single(features().float()).double(), made(features()), rtol=1e-4, atol=1e-5)


def test_it_compiles_and_works_in_functional_calls_and_twice_derived():
    made = network(deviation=True)
    compiled = torch.compile(made, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(features()), made(features()), rtol=0, atol=1e-14)
    theta = made.excite.shared.theta.detach()

    def outputs(each):
        return functional_call(made, {"excite.shared.theta": each}, (features(1),))

    many = vmap(outputs)(torch.stack((theta, 2 * theta)))
    torch.testing.assert_close(many[0], made(features(1)))
    assert torch.autograd.gradgradcheck(lambda each: outputs(each).sum(), theta.requires_grad_())


def test_wrong_arguments_are_refused():
    with pytest.raises(TyingError, match="statistics of one depth"):
        SharedSqueezeExcite(8, norm_layer=nn.BatchNorm2d)
    with pytest.raises(TyingError, match="no parameters of their own"):
        SharedSqueezeExcite(8, act_layer=nn.PReLU)
    with pytest.raises(TyingError, match="deviations need a depth"):
        SharedSqueezeExcite(8, deviation=True)
    with pytest.raises(TyingError, match="there is no depth 3; there are 0 to 2"):
        network().excite.at(3)
    with pytest.raises(TyingError, match="with an axis of space"):
        SharedSqueezeExcite(8)(torch.zeros(2, 8))
    with pytest.raises(TyingError, match="all with the same channels"):
        SharedSqueezeExcite.from_blocks([Block(), Block(hidden=4)])
    with pytest.raises(TyingError, match="a block or more"):
        SharedSqueezeExcite.from_blocks([])


def test_without_a_depth_it_serves_any():
    excite = SharedSqueezeExcite(6)
    assert torch.equal(excite(features().float(), 17), excite(features().float()))
    assert "depth=None, deviation=False, free=" in repr(excite)


@pytest.mark.parametrize("add_maxpool", [False, True])
def test_averages_of_half_precision_are_those_of_wide_numbers(add_maxpool):
    wide = SharedSqueezeExcite(3, rd_channels=2, add_maxpool=add_maxpool, dtype=torch.float32)
    x = torch.full((2, 3, 32, 32), 100.0)  # A sum of 102,400, which half precision cannot hold.
    expected = wide.gates(x)
    torch.testing.assert_close(copy.deepcopy(wide).half().gates(x.half()).float(), expected, rtol=0, atol=0.05)


@pytest.mark.parametrize("deviation", [False, True])
def test_without_biases_there_is_none(deviation):
    excite = SharedSqueezeExcite(6, rd_channels=3, bias=False, depth=2, deviation=deviation)
    assert excite.weights(1).keys() == {"fc1.weight", "fc2.weight"} | ({"scale"} if deviation else set())
    x = torch.randn(2, 6, 4, 4)
    torch.testing.assert_close(excite.to_sequential(1)(x.mean((2, 3))), excite.gates(x, 1))
