"""Tied linear layers: `torch.nn.Linear` as oracle, references to other layers, what users do to such models."""

import copy
import io
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.func import functional_call, grad, vmap  # noqa: E402
from torch.nn.utils import parametrizations  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn import Shared, count, free_parameters  # noqa: E402
from ffshare.nn.tied_linear import TiedLinear, WeightOf  # noqa: E402
from ffshare.tying import Exp, LinearTying, LowRank  # noqa: E402

few = settings(max_examples=20, deadline=None)
sizes = st.integers(1, 6)
seeds = st.integers(0, 1000)


class Pair(nn.Module):
    """Codes and decodes with one weight; who owns it is the case."""

    def __init__(self, owner):
        super().__init__()
        self.encoder = owner(4, 3)
        if isinstance(self.encoder, Shared):
            self.shared = self.encoder
            self.encoder = TiedLinear(4, 3, dtype=torch.float64, site=self.shared.site("encoder"))
            self.decoder = TiedLinear.transpose_of(self.shared.site("encoder"))
        else:
            self.decoder = TiedLinear.transpose_of(self.encoder)

    def forward(self, x):
        return self.decoder(torch.tanh(self.encoder(x)))


OWNERS = {
    "a linear layer": lambda i, o: nn.Linear(i, o, dtype=torch.float64),
    "a tied layer that shares nothing": lambda i, o: TiedLinear(i, o, dtype=torch.float64),
    "a tied layer": lambda i, o: TiedLinear(i, o, dtype=torch.float64, tying=LinearTying.groups(np.arange(i * o) % 5)),
    "a place": lambda i, o: Shared(
        LinearTying.repeat(2, i * o), {"other": (o, i), "encoder": (o, i)}, dtype=torch.float64
    ),
}
PARAMETERS = {
    "a linear layer": ["encoder.weight", "encoder.bias", "decoder.bias"],
    "a tied layer that shares nothing": ["encoder.bias", "encoder.shared.theta", "decoder.bias"],
    "a tied layer": ["encoder.bias", "encoder.shared.theta", "decoder.bias"],
    "a place": ["encoder.bias", "shared.theta", "decoder.bias"],
}


@pytest.fixture(params=list(OWNERS))
def owner(request):
    torch.manual_seed(0)
    return request.param


@pytest.fixture
def model(owner):
    return Pair(OWNERS[owner])


@pytest.fixture
def x():
    return torch.linspace(-1, 1, 8, dtype=torch.float64).reshape(2, 4)


def weight_parameter(model):
    (found,) = (each for name, each in model.named_parameters() if name.endswith(("weight", "theta")))
    return found


def assert_tied(model, x, like):
    """The model computes what the other does, and moving its one weight moves both layers."""
    torch.testing.assert_close(model(x), like(x))
    torch.testing.assert_close(model.decoder.weight, model.encoder.weight.mT)
    with torch.no_grad():
        weight_parameter(model).mul_(2.0)
    torch.testing.assert_close(model.decoder.weight, model.encoder.weight.mT)
    torch.testing.assert_close(model.encoder.weight, 2.0 * like.encoder.weight)


def fresh(owner):
    torch.manual_seed(1)
    return Pair(OWNERS[owner])


# The layer itself.


@few
@given(n_in=sizes, n_out=sizes, bias=st.booleans(), seed=seeds)
def test_without_ties_it_is_a_linear_layer_exactly_both_ways(n_in, n_out, bias, seed):
    torch.manual_seed(seed)
    linear, x = nn.Linear(n_in, n_out, bias), torch.randn(3, 2, n_in)
    tied = TiedLinear.from_linear(linear)
    assert torch.equal(tied(x), linear(x))
    assert torch.equal(tied.to_linear()(x), linear(x))
    tied(x).square().sum().backward()
    linear(x).square().sum().backward()
    assert torch.equal(tied.shared.theta.grad.reshape(n_out, n_in), linear.weight.grad)


@few
@given(n_in=sizes, n_out=sizes, n_free=sizes, seed=seeds)
def test_it_is_the_linear_layer_of_its_expanded_weight_and_pools_its_gradient(n_in, n_out, n_free, seed):
    torch.manual_seed(seed)
    tying = LinearTying.groups(np.random.default_rng(seed).integers(n_free, size=n_in * n_out), keys=range(n_free))
    tied, x = TiedLinear(n_in, n_out, dtype=torch.float64, tying=tying), torch.randn(4, n_in, dtype=torch.float64)
    linear = tied.to_linear()
    torch.testing.assert_close(linear.weight.detach().reshape(-1), tying.expand(tied.shared.theta.detach()))
    assert torch.equal(tied(x), linear(x))
    tied(x).square().sum().backward()
    linear(x).square().sum().backward()
    torch.testing.assert_close(tied.shared.theta.grad, tying.pool(linear.weight.grad.reshape(-1)))
    torch.testing.assert_close(tied.bias.grad, linear.bias.grad)


def test_a_linear_layer_with_ties_comes_back_exactly_and_one_without_as_its_means():
    symmetric = LinearTying.groups([0, 1, 1, 2])
    linear = nn.Linear(2, 2)
    means = TiedLinear.from_linear(linear, symmetric).to_linear()
    torch.testing.assert_close(means.weight, (linear.weight + linear.weight.mT) / 2)
    assert torch.equal(means.weight, means.weight.mT)
    assert torch.equal(TiedLinear.from_linear(means, symmetric).to_linear().weight, means.weight)
    assert torch.equal(means.bias, linear.bias)


def test_smooth_maps_tie_too():
    layer = TiedLinear(4, 3, tying=LowRank(3, 4, 1))
    assert torch.linalg.matrix_rank(layer.weight.detach()) == 1
    with pytest.raises(TyingError, match="no rule to draw the parameters of Exp"):
        TiedLinear(2, 3, tying=Exp(6))


def test_it_starts_as_a_linear_layer_does():
    torch.manual_seed(0)
    layer = TiedLinear(400, 300, tying=LinearTying.groups(np.arange(120_000) // 4))
    bound = 1 / math.sqrt(400)
    for values in (layer.weight, layer.bias):
        assert values.abs().max() <= bound
    assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    before = layer.weight.detach().clone(), layer.bias.detach().clone()
    layer.reset_parameters()
    assert not any(torch.equal(old, new) for old, new in zip(before, (layer.weight, layer.bias), strict=True))


def test_a_weight_expanded_by_the_caller_is_taken_as_it_is(x):
    layer = TiedLinear(4, 3, dtype=torch.float64)
    weight = torch.ones(3, 4, dtype=torch.float64)
    torch.testing.assert_close(layer(x, weight), x.sum(dim=1, keepdim=True) + layer.bias)
    assert torch.equal(layer(x, layer.weight), layer(x))


def test_gradients_of_half_precision_weights_are_pooled_in_float32():
    layer = TiedLinear(512, 64, bias=False, tying=LinearTying.groups(np.zeros(512 * 64, dtype=int)))
    half = copy.deepcopy(layer).bfloat16()
    assert half.weight.dtype == torch.bfloat16
    x = torch.full((1, 512), 0.01)
    for each in (layer, half):
        each(x.to(each.weight.dtype)).sum().backward()
    torch.testing.assert_close(half.shared.theta.grad, layer.shared.theta.grad, rtol=5e-3, atol=0)


# References to the weight of another.


@few
@given(n_in=sizes, n_out=sizes, seed=seeds, bias=st.booleans())
def test_the_layer_back_multiplies_by_the_transpose(n_in, n_out, seed, bias):
    torch.manual_seed(seed)
    for owner in OWNERS.values():
        layer = owner(n_in, n_out)
        source = layer.site("encoder") if isinstance(layer, Shared) else layer
        weight = source() if isinstance(layer, Shared) else layer.weight
        back = TiedLinear.transpose_of(source, bias=bias)
        z = torch.randn(5, n_out, dtype=torch.float64)
        expected = z @ weight.detach()
        torch.testing.assert_close(back(z), expected + back.bias if bias else expected)
        assert (back.in_features, back.out_features) == (n_out, n_in)
        assert torch.equal(TiedLinear.transpose_of(back, bias=False).weight, weight)


def test_the_shared_weight_learns_what_both_layers_learn(model, owner, x):
    free = nn.Sequential(nn.Linear(4, 3, dtype=torch.float64), nn.Tanh(), nn.Linear(3, 4, dtype=torch.float64))
    with torch.no_grad():
        for plain, tied in ((free[0], model.encoder), (free[2], model.decoder)):
            plain.weight.copy_(tied.weight)
            plain.bias.copy_(tied.bias)
    for each in (model, free):
        each(x).square().sum().backward()
    both = free[0].weight.grad + free[2].weight.grad.mT
    found = weight_parameter(model).grad
    if owner == "a tied layer":
        both = model.encoder.shared.tying.pool(both.reshape(-1))
    torch.testing.assert_close(found, both.reshape(found.shape))
    torch.testing.assert_close(model.decoder.bias.grad, free[2].bias.grad)


def test_each_parameter_has_one_name(model, owner):
    assert [name for name, _ in model.named_parameters()] == PARAMETERS[owner]
    assert sorted(model.state_dict()) == sorted(PARAMETERS[owner])
    assert len(list(free_parameters(model))) == 3


def test_what_is_read_transposed_is_a_place_more_but_no_parameter():
    linear = nn.Sequential(nn.Linear(4, 3))
    linear.append(TiedLinear.transpose_of(linear[0], bias=False))
    assert repr(count(linear)) == "free=15, sites=27, rank=15"
    tied = nn.Sequential(TiedLinear(4, 3, bias=False, tying=LinearTying.groups(np.arange(12) % 5)))
    tied.append(TiedLinear.transpose_of(tied[0]))
    assert repr(count(tied)) == "free=9, sites=28, rank=9"


def test_a_model_without_the_owner_of_a_weight_is_refused(model):
    with pytest.raises(TyingError, match=r"site reads a \w+ that no module of the model registers"):
        count(model.decoder)
    with pytest.raises(TyingError, match="make it an attribute of the model"):
        list(free_parameters(nn.Sequential(model.decoder)))


def test_its_text_says_what_is_its_own():
    assert repr(TiedLinear.transpose_of(nn.Linear(4, 2))) == (
        "TiedLinear(in_features=2, out_features=4, bias=True, weight of another)"
    )


def test_resetting_the_layer_back_leaves_the_weight_alone(model):
    before = model.encoder.weight.detach().clone()
    model.decoder.reset_parameters()
    assert torch.equal(model.encoder.weight, before)


def test_it_follows_a_weight_that_is_itself_parametrised():
    encoder = parametrizations.weight_norm(nn.Linear(4, 3, bias=False))
    decoder = TiedLinear.transpose_of(encoder, bias=False)
    with torch.no_grad():
        encoder.parametrizations.weight.original0.mul_(3.0)
    assert torch.equal(decoder.weight, encoder.weight.mT)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TiedLinear(2, 3, tying=LinearTying.identity(5)), "hold 6 sites, but the tying has 5"),
        (lambda: TiedLinear(2, 3, site=WeightOf(nn.Linear(3, 2))), r"shape \(2, 3\), expected .* = \(3, 2\)"),
        (
            lambda: TiedLinear(3, 2, tying=LinearTying.identity(6), site=WeightOf(nn.Linear(3, 2))),
            "give a tying or a site",
        ),
        (lambda: TiedLinear.transpose_of(nn.ReLU()), "there is no weight to share: .*'weight'"),
        (lambda: TiedLinear.transpose_of(nn.Conv2d(1, 2, 3)), "a weight of two axes, got .*1, 3, 3"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(TyingError, match=message):
        make()


# What users do to models.


def test_copies_and_files_keep_the_tie(model, x):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    for twin in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        torch.load(file, weights_only=False),
    ):
        assert_tied(twin, x, model)


def test_a_copy_of_the_layer_back_alone_carries_its_own_weight(model):
    alone = copy.deepcopy(model.decoder)
    before = alone.weight.detach().clone()
    with torch.no_grad():
        weight_parameter(model).add_(1.0)
    assert torch.equal(alone.weight, before)


def test_moving_to_a_type_keeps_the_tie(model, x):
    single = copy.deepcopy(model).float()
    assert single(x.float()).dtype == torch.float32
    assert_tied(single.double(), x, copy.deepcopy(model).float().double())


def test_meta_then_memory_then_loading_keeps_the_tie(model, x):
    twin = copy.deepcopy(model).to("meta")
    assert twin(x.to("meta")).is_meta
    twin.to_empty(device="cpu").load_state_dict(model.state_dict())
    assert_tied(twin, x, model)


def test_made_on_meta_and_assigned_a_checkpoint_it_is_tied(model, owner, x):
    with torch.device("meta"):
        twin = Pair(OWNERS[owner])
    twin.load_state_dict({name: values.clone() for name, values in model.state_dict().items()}, assign=True)
    assert_tied(twin, x, model)


def test_safetensors_saves_it(model, owner, x, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file(model.state_dict(), tmp_path / "model.safetensors")
    twin = fresh(owner)
    twin.load_state_dict(safetensors.load_file(tmp_path / "model.safetensors"))
    assert_tied(twin, x, model)


def test_a_functional_call_changes_both_layers(model, owner, x):
    other = fresh(owner)
    called = functional_call(model, dict(other.named_parameters()), (x,))
    torch.testing.assert_close(called, other(x))


def test_many_weights_are_run_at_once(model, x):
    name = next(name for name, each in model.named_parameters() if each is weight_parameter(model))
    weights = torch.stack([factor * weight_parameter(model).detach() for factor in (1.0, 2.0, 3.0)])

    def loss(weight):
        return functional_call(model, {name: weight}, (x,)).square().sum()

    torch.testing.assert_close(vmap(grad(loss))(weights), torch.stack([grad(loss)(weight) for weight in weights]))


def test_gradients_of_gradients_are_right(model, x):
    name = next(name for name, each in model.named_parameters() if each is weight_parameter(model))

    def output(weight):
        return functional_call(model, {name: weight}, (x,))

    weight = weight_parameter(model).detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(output, (weight,))
    assert torch.autograd.gradgradcheck(output, (weight,))


def test_it_compiles_to_one_graph(model, x):
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), model(x))
    compiled(x).sum().backward()
    pooled = weight_parameter(model).grad.clone()
    model.zero_grad()
    model(x).sum().backward()
    torch.testing.assert_close(pooled, weight_parameter(model).grad)


def test_an_exported_program_holds_the_weight_once(model, owner, x):
    program = torch.export.export(model, (x,))
    assert sorted(program.state_dict) == sorted(PARAMETERS[owner])
    torch.testing.assert_close(program.module()(x), model(x))


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
def test_training_steps_once_and_stays_tied(model, x, optimizer):
    stepper = getattr(torch.optim, optimizer)(free_parameters(model), lr=0.05)
    losses = []
    for _ in range(20):
        stepper.zero_grad()
        loss = (model(x) - x).square().sum()
        loss.backward()
        stepper.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    torch.testing.assert_close(model.decoder.weight, model.encoder.weight.mT)
