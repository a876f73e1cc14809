"""An unrolled cell: tied it is the recurrent layer of torch, untied it is another network at every step."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.func import functional_call, vmap  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn import Shared, count  # noqa: E402
from ffshare.nn.time_tied import TimeTied  # noqa: E402
from ffshare.tying import LinearTying  # noqa: E402

T, BATCH, N_IN, N_HIDDEN = 5, 3, 2, 4
LAYERS = {
    "tanh": lambda **options: nn.RNN(N_IN, N_HIDDEN, **options),
    "relu": lambda **options: nn.RNN(N_IN, N_HIDDEN, nonlinearity="relu", **options),
    "GRU": lambda **options: nn.GRU(N_IN, N_HIDDEN, **options),
    "LSTM": lambda **options: nn.LSTM(N_IN, N_HIDDEN, **options),
}
exact = {"rtol": 1e-12, "atol": 1e-12}


def normal(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


@pytest.fixture(params=list(LAYERS), scope="module")
def make(request):
    def made(**options):
        torch.manual_seed(0)
        return LAYERS[request.param](dtype=torch.float64, **options)

    return made


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def network(request):
    torch.manual_seed(0)
    return TimeTied(nn.LSTMCell(N_IN, N_HIDDEN, dtype=torch.float64), T, tied=request.param)


def with_layer_axis(state):
    return tuple(each[None] for each in state) if isinstance(state, tuple) else state[None]


def flat(state):
    return torch.cat([each.reshape(-1) for each in (state if isinstance(state, tuple) else (state,))])


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"batch_first": True}], ids=str)
@pytest.mark.parametrize("tied", [True, False])
def test_it_computes_what_the_layer_of_torch_does(make, options, tied):
    layer = make(**options)
    network = TimeTied.from_rnn(layer, T, tied)
    x = normal(BATCH, T, N_IN) if options.get("batch_first") else normal(T, BATCH, N_IN)
    expected, last = layer(x)
    output, state = network(x)
    torch.testing.assert_close(output, expected, **exact)
    torch.testing.assert_close(flat(with_layer_axis(state)), flat(last), **exact)
    again, end = network(x, state)
    expected, last = layer(x, last)
    torch.testing.assert_close(again, expected, **exact)
    torch.testing.assert_close(flat(end), flat(last), **exact)


def test_the_tied_gradient_is_that_of_the_layer_and_the_pooled_untied_one(make):
    layer = make()
    tied, untied = (TimeTied.from_rnn(layer, T, each) for each in (True, False))
    x, g = normal(T, BATCH, N_IN), normal(T, BATCH, N_HIDDEN, seed=1)
    for module in (layer, tied, untied):
        module(x)[0].backward(g)
    found = tied.shared.theta.grad
    torch.testing.assert_close(found, torch.cat([each.grad.reshape(-1) for each in layer.parameters()]), **exact)
    torch.testing.assert_close(found, tied.tying.pool(untied.shared.theta.grad), **exact)


def test_a_layer_comes_back_as_it_was(make):
    for options in ({}, {"bias": False}, {"batch_first": True}):
        layer = make(**options)
        back = TimeTied.from_rnn(layer, T).to_rnn()
        assert repr(back) == repr(layer)
        assert list(back.state_dict()) == list(layer.state_dict())
        assert all(torch.equal(back.state_dict()[name], values) for name, values in layer.state_dict().items())
        x = normal(9, T, N_IN)
        torch.testing.assert_close(back(x)[0], layer(x)[0], **exact)


def test_sequences_without_a_batch_and_shorter_ones_will_do(make):
    layer = make(batch_first=True)
    network = TimeTied.from_rnn(layer, T)
    for steps in (1, T):
        torch.testing.assert_close(network(normal(steps, N_IN))[0], layer(normal(steps, N_IN))[0], **exact)


def test_a_step_of_its_own_moves_only_what_follows(network):
    untied = network.unroll(tied=False)
    x = normal(T, BATCH, N_IN)
    before = untied(x)[0]
    torch.testing.assert_close(before, network(x)[0], **exact)
    with torch.no_grad():
        untied.shared.theta.view(T, -1)[3] += 0.1
    moved = (untied(x)[0] - before).abs().amax(dim=(1, 2))
    assert (moved[:3] == 0).all()
    assert (moved[3:] > 0).all()


def test_tying_what_was_untied_takes_the_mean_of_the_steps():
    untied = TimeTied(nn.RNNCell(N_IN, N_HIDDEN, dtype=torch.float64), T, tied=False)
    untied.reset_parameters()
    tied = untied.unroll(tied=True)
    torch.testing.assert_close(tied.shared.theta, untied.sites().mean(dim=0), **exact)
    assert list(tied.shared.theta.shape) == [count(tied.to_rnn()).free]


def test_one_step_predictions_start_from_the_states_given(network):
    states = tuple(normal(T, BATCH, N_HIDDEN, seed=seed) for seed in (1, 2))
    x = normal(T, BATCH, N_IN)
    cells = [network.cell_at(step) for step in range(T)]
    expected = torch.stack([cells[t](x[t], (states[0][t], states[1][t]))[0] for t in range(T)])
    torch.testing.assert_close(network.one_step(x, states), expected, **exact)


def test_the_axis_of_time_is_where_it_is_said_to_be():
    torch.manual_seed(0)
    network = TimeTied(nn.LSTMCell(N_IN, N_HIDDEN, dtype=torch.float64), T)
    turned = TimeTied(network.cell_at(0), T, batch_first=True)
    x, states = normal(T, BATCH, N_IN), tuple(normal(T, BATCH, N_HIDDEN, seed=seed) for seed in (1, 2))
    other, other_states = x.transpose(0, 1), tuple(each.transpose(0, 1) for each in states)
    for found, expected in (
        (turned(other)[0], network(x)[0]),
        (turned.one_step(other, other_states), network.one_step(x, states)),
    ):
        assert torch.equal(found.transpose(0, 1), expected)


def test_the_jacobian_is_the_derivative_by_the_parameters_of_every_step(network):
    x, step = normal(3, N_IN), 1e-6
    found = network.jacobian(x)
    assert found.shape == (3 * N_HIDDEN, network.tying.n_site)
    untied = network.unroll(tied=False)
    for site in (0, 17, 130, 400):
        ends = []
        for sign in (1, -1):
            moved = copy.deepcopy(untied)
            with torch.no_grad():
                moved.shared.theta[site] += sign * step
            ends.append(moved(x)[0].reshape(-1))
        torch.testing.assert_close(found[:, site], (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-8)


@settings(max_examples=10, deadline=None)
@given(n_steps=st.integers(1, 12), seed=st.integers(0, 100))
def test_one_sequence_identifies_the_tied_cell_and_never_the_untied_ones(n_steps, seed):
    torch.manual_seed(seed)
    tied = TimeTied(nn.RNNCell(N_IN, 3, bias=False, dtype=torch.float64), n_steps)
    x, states = normal(n_steps, N_IN, seed=seed), normal(n_steps, 3, seed=seed + 1)
    # Each step tells three numbers of a matrix of three rows and five columns.
    assert tied.rank(x, states=states) == min(3 * n_steps, 15)
    assert tied.unroll(tied=False).rank(x, states=states) == 3 * n_steps


def test_two_biases_are_one_number_too_many():
    torch.manual_seed(0)
    network = TimeTied(nn.RNNCell(N_IN, 3, dtype=torch.float64), 20)
    assert network.rank(normal(20, N_IN)) == network.tying.n_free - 3


def test_a_system_at_rest_says_nothing():
    network = TimeTied(nn.RNNCell(N_IN, 3, bias=False, dtype=torch.float64), T)
    assert network.rank(torch.zeros(T, N_IN, dtype=torch.float64)) == 0


def test_parameters_are_drawn_as_the_cell_draws_them():
    torch.manual_seed(0)
    network = TimeTied(nn.GRUCell(N_IN, N_HIDDEN), T)
    before = network.shared.theta.detach().clone()
    torch.manual_seed(0)
    network.reset_parameters()
    assert torch.equal(network.shared.theta, before)
    untied = network.unroll(tied=False)
    torch.manual_seed(0)
    untied.reset_parameters()
    rows = untied.sites()
    assert torch.equal(rows[0], before)
    assert all((rows[step] != before).all() for step in range(1, T))


class OddCell(nn.Module):
    """One tensor under two names, a tie of its own with index arrays, a buffer, and a state of two tensors."""

    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(N_HIDDEN, N_HIDDEN, dtype=torch.float64)
        self.decode = nn.Linear(N_HIDDEN, N_HIDDEN, dtype=torch.float64)
        self.decode.weight = self.encode.weight
        self.kernel = Shared(LinearTying.neutral(np.arange(8) % 2), (N_IN, N_HIDDEN), dtype=torch.float64)
        self.register_buffer("leak", torch.tensor(0.5, dtype=torch.float64))

    def forward(self, x, state):
        h, n = state if state is not None else (x.new_zeros(*x.shape[:-1], N_HIDDEN), 0 * x[..., :1])
        return self.decode(torch.tanh(self.encode(h) + x @ self.kernel())) * self.leak, n + 1


def test_any_cell_will_do_with_ties_and_buffers_of_its_own():
    cell = OddCell()
    network = TimeTied(cell, T)
    x = normal(T, BATCH, N_IN)
    state, expected = None, []
    for t in range(T):
        state = cell(x[t], state)
        expected.append(state[0])
    output, last = network(x)
    torch.testing.assert_close(output, torch.stack(expected), **exact)
    assert (last[1] == T).all()
    assert list(network.state_dict()) == ["shared.theta", "cell.leak"]
    n_cell = sum(each.numel() for each in cell.parameters())
    assert count(network).free == network.tying.n_free == n_cell
    output.sum().backward()
    torch.stack(expected).sum().backward()
    torch.testing.assert_close(
        network.shared.theta.grad, torch.cat([each.grad.reshape(-1) for each in cell.parameters()]), **exact
    )
    assert network.float()(x.float())[0].dtype == torch.float32
    again = network.cell_at(0)
    assert again.decode.weight is again.encode.weight


def test_the_cell_that_was_given_is_left_alone():
    cell = nn.RNNCell(N_IN, N_HIDDEN)
    network = TimeTied(cell, T)
    with torch.no_grad():
        cell.weight_hh.zero_()
    assert network.cell_at(0).weight_hh.any()
    assert [name for name, _ in network.named_parameters()] == ["shared.theta"]


def test_copies_files_and_types_keep_it(network):
    x = normal(T, BATCH, N_IN)
    expected = network(x)[0]
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network)), copy.deepcopy(network).float().double()):
        torch.testing.assert_close(twin(x)[0], expected, rtol=1e-6, atol=1e-6)
    empty = copy.deepcopy(network).to("meta").to_empty(device="cpu")
    empty.load_state_dict(network.state_dict())
    assert torch.equal(empty(x)[0], expected)
    with torch.device("meta"):
        made = TimeTied(nn.LSTMCell(N_IN, N_HIDDEN, dtype=torch.float64), T, tied=network.tied)
    made.load_state_dict(network.state_dict(), assign=True)
    assert torch.equal(made(x)[0], expected)
    assert network.bfloat16()(x.bfloat16())[0].dtype == torch.bfloat16
    assert network.shared.theta.dtype == torch.float32


class PlainCell(nn.Module):
    """Of operations that vmap knows, which the cells of torch are not."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2, dtype=torch.float64)

    def forward(self, x, state):
        return torch.tanh(self.linear(torch.cat((x, x.new_zeros(2) if state is None else state))))


@pytest.mark.parametrize("tied", [True, False])
def test_transforms_see_one_parameter(tied):
    x = normal(2, 1)
    torch.manual_seed(0)
    network = TimeTied(PlainCell(), 2, tied)
    theta = network.shared.theta.detach().requires_grad_()

    def output(values):
        return functional_call(network, {"shared.theta": values}, (x,))[0]

    thetas = torch.stack([theta, theta + 1.0])
    torch.testing.assert_close(vmap(output)(thetas), torch.stack([output(each) for each in thetas]), **exact)
    assert torch.autograd.gradgradcheck(output, (theta,))


def test_it_compiles_and_exports_to_one_graph(network):
    x = normal(T, BATCH, N_IN)
    torch._dynamo.reset()
    torch.testing.assert_close(torch.compile(network, fullgraph=True, backend="eager")(x)[0], network(x)[0])
    program = torch.export.export(network, (x,))
    assert list(program.state_dict) == ["shared.theta"]
    torch.testing.assert_close(program.module()(x)[0], network(x)[0])


def test_the_representation_shows_steps_and_counts(network):
    assert f"n_steps={T}, tied={network.tied}, batch_first=False" in repr(network)
    assert f"free={network.tying.n_free:,}, sites={T * 128:,}" in repr(network)


def test_what_cannot_be_unrolled_is_refused():
    with pytest.raises(TyingError, match=r"expected 1 step or more .* got 0"):
        TimeTied(nn.RNNCell(1, 1), 0)
    with pytest.raises(TyingError, match=r"parameters of one type, got 3 and \[\]"):
        TimeTied(nn.ReLU(), 3)
    mixed = nn.RNNCell(1, 1)
    mixed.weight_hh.data = mixed.weight_hh.data.double()
    with pytest.raises(TyingError, match=r"\['torch.float32', 'torch.float64'\]"):
        TimeTied(mixed, 3)
    network = TimeTied(nn.RNNCell(1, 1), 3)
    for steps in (0, 4):
        with pytest.raises(TyingError, match=f"the sequence has {steps} steps, expected 1 to 3"):
            network(torch.zeros(steps, 1))


def test_layers_that_are_no_single_cell_are_refused():
    for layer in (nn.RNN(1, 1, num_layers=2), nn.GRU(1, 1, bidirectional=True), nn.LSTM(1, 2, proj_size=1)):
        with pytest.raises(TyingError, match="expected an RNN, GRU or LSTM of one layer"):
            TimeTied.from_rnn(layer, 2)
    with pytest.raises(TyingError, match="torch has no layer for steps that share nothing"):
        TimeTied(nn.RNNCell(1, 1), 2, tied=False).to_rnn()
    with pytest.raises(TyingError, match="torch has no layer for this cell"):
        TimeTied(OddCell(), 2).to_rnn()
