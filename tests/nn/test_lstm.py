"""`TiedGateLSTM`: what it computes, against the formulas gate by gate and against `torch.nn.LSTM`."""

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn.counts import count  # noqa: E402
from ffshare.nn.lstm import TIES, TiedGateLSTM  # noqa: E402

SIZES = (3, 5)
OPTIONS = [
    {},
    {"bias": False, "batch_first": True},
    {"bidirectional": True, "proj_size": 2},
    {"num_layers": 2, "bidirectional": True, "bias": False},
    {"num_layers": 3, "proj_size": 2, "batch_first": True},
]
LENGTHS = [4, 6, 1, 4]


def layer(tie: str = "input", fused: bool = True, **options: object) -> TiedGateLSTM:
    torch.manual_seed(7)
    return TiedGateLSTM(*SIZES, **options, dtype=torch.float64, tie=tie, fused=fused)


def states(lstm: TiedGateLSTM, n_batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    n = lstm.num_layers * (1 + lstm.bidirectional)
    sizes = (lstm.proj_size or lstm.hidden_size, lstm.hidden_size)
    return tuple(torch.randn(n, n_batch, size, dtype=torch.float64) for size in sizes)


def free_blocks(lstm: TiedGateLSTM, name: str) -> list[np.ndarray]:
    """Blocks i, f, g, o of a weight, put together by hand from what is free."""
    owner = getattr(lstm, name)
    if isinstance(owner, nn.Parameter):
        return np.split(owner.detach().numpy(), 4)
    theta = owner.theta.detach().numpy()
    if lstm.tie == "input":
        gate, cell = theta
        return [gate, gate, cell, gate]
    gate, cell, output = theta
    return [gate, -gate, cell, output]


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def oracle(lstm: TiedGateLSTM, sequence: np.ndarray, h0: np.ndarray, c0: np.ndarray) -> tuple[np.ndarray, ...]:
    """One sequence, gate by gate, straight from the formulas; shape=(n_steps, n_inputs)."""
    last_h, last_c = [], []
    for number in range(lstm.num_layers):
        directions = []
        for direction in range(1 + lstm.bidirectional):
            place = f"_l{number}{'_reverse' if direction else ''}"
            w_ih, w_hh = (free_blocks(lstm, kind + place) for kind in ("weight_ih", "weight_hh"))
            b = [np.zeros(lstm.hidden_size)] * 4
            if lstm.bias:
                b = [
                    x + y for x, y in zip(*(free_blocks(lstm, k + place) for k in ("bias_ih", "bias_hh")), strict=True)
                ]
            k = number * (1 + lstm.bidirectional) + direction
            h, c, outputs = h0[k], c0[k], []
            for x in sequence[::-1] if direction else sequence:
                i, f, g, o = (w_ih[n] @ x + w_hh[n] @ h + b[n] for n in range(4))
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(c)
                if lstm.proj_size:
                    h = getattr(lstm, "weight_hr" + place).detach().numpy() @ h
                outputs.append(h)
            directions.append(np.array(outputs[::-1] if direction else outputs))
            last_h.append(h)
            last_c.append(c)
        sequence = np.concatenate(directions, axis=1)
    return sequence, np.array(last_h), np.array(last_c)


def close(found: torch.Tensor, expected: np.ndarray | torch.Tensor) -> None:
    torch.testing.assert_close(found, torch.as_tensor(expected), rtol=0, atol=1e-12)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize("options", OPTIONS)
def test_a_batch_is_computed_gate_by_gate_as_the_formulas_say(options, tie, fused):
    lstm = layer(tie, fused, **options)
    x = torch.randn(6, 4, 3, dtype=torch.float64)
    hx = states(lstm, 4)
    output, (h_n, c_n) = lstm(x.transpose(0, 1) if lstm.batch_first else x, hx)
    output = output.transpose(0, 1) if lstm.batch_first else output
    for n in range(4):
        expected = oracle(lstm, x[:, n].numpy(), hx[0][:, n].numpy(), hx[1][:, n].numpy())
        for found, one in zip((output[:, n], h_n[:, n], c_n[:, n]), expected, strict=True):
            close(found, one)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("enforce_sorted", [True, False])
def test_packed_sequences_give_what_each_sequence_gives_alone(options, tie, fused, enforce_sorted):
    lstm = layer(tie, fused, **options)
    lengths = sorted(LENGTHS, reverse=True) if enforce_sorted else LENGTHS
    x = torch.randn(4, 6, 3, dtype=torch.float64)
    hx = states(lstm, 4)
    packed = pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=enforce_sorted)
    output, (h_n, c_n) = lstm(packed, hx)
    assert isinstance(output, PackedSequence)
    padded, found_lengths = pad_packed_sequence(output, batch_first=True)
    assert found_lengths.tolist() == lengths
    for n, length in enumerate(lengths):
        alone, (h, c) = lstm(x[n, :length], (hx[0][:, n], hx[1][:, n]))
        close(padded[n, :length], alone)
        close(h_n[:, n], h)
        close(c_n[:, n], c)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("tie", TIES)
def test_outputs_and_pooled_gradients_are_those_of_the_untied_layer_of_torch(tie, options, fused):
    lstm = layer(tie, fused, **options)
    untied = lstm.to_lstm()
    x = torch.randn(4, 6, 3, dtype=torch.float64)
    packed = pack_padded_sequence(x.transpose(0, 1), torch.tensor(LENGTHS), enforce_sorted=False)
    for batch in (x, packed):
        totals = []
        for module in (lstm, untied):
            module.zero_grad()
            output, (h_n, c_n) = module(batch)
            data = output.data if isinstance(output, PackedSequence) else output
            total = data.sin().sum() + h_n.square().sum() + c_n.sum()
            total.backward()
            totals.append((data, h_n, c_n))
        for found, expected in zip(*totals, strict=True):
            close(found, expected)
        for name, weight in untied.named_parameters():
            owner = getattr(lstm, name)
            if isinstance(owner, nn.Parameter):
                close(owner.grad, weight.grad)
                continue
            i, f, g, o = weight.grad.chunk(4)
            close(owner.theta.grad, torch.stack([i + f + o, g] if tie == "input" else [i - f, g, o]))


@pytest.mark.parametrize("options", OPTIONS)
def test_zeros_are_the_initial_state_that_is_not_given(options):
    lstm = layer(**options)
    x = torch.randn(6, 4, 3, dtype=torch.float64)
    zeros = tuple(torch.zeros_like(each) for each in states(lstm, 6 if lstm.batch_first else 4))
    close(lstm(x)[0], lstm(x, zeros)[0])


def test_gates_that_are_coupled_sum_to_one():
    weights = layer("cifg").weights()
    x, h = torch.randn(3, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
    gates = weights["weight_ih_l0"] @ x + weights["weight_hh_l0"] @ h + weights["bias_ih_l0"] + weights["bias_hh_l0"]
    i, f, _, _ = gates.chunk(4)
    close(i.sigmoid() + f.sigmoid(), torch.ones(5, dtype=torch.float64))


def test_tied_inputs_leave_biases_recurrent_weights_and_the_cell_alone():
    lstm = layer("input")
    i, f, g, o = lstm.weights()["weight_ih_l0"].chunk(4)
    assert torch.equal(i, f)
    assert torch.equal(i, o)
    assert not torch.equal(i, g)
    for name in ("weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        blocks = lstm.weights()[name].chunk(4)
        assert not any(torch.equal(a, b) for a, b in itertools.combinations(blocks, 2))


@pytest.mark.parametrize(("bias", "n_biases"), [(True, 2), (False, 0)])
def test_counts_are_those_of_the_formulas(bias, n_biases):
    x, h = 8, 32
    whole = 4 * h * (x + h + n_biases)
    free = {"none": whole, "input": whole - 2 * h * x, "cifg": whole - h * (x + h + n_biases)}
    for tie, expected in free.items():
        found = count(TiedGateLSTM(x, h, bias=bias, tie=tie))
        assert (found.free, found.sites, found.rank) == (expected, whole, expected)
        assert sum(p.numel() for p in TiedGateLSTM(x, h, bias=bias, tie=tie).parameters()) == expected


@pytest.mark.parametrize("options", OPTIONS)
def test_tying_takes_the_mean_of_three_blocks_or_half_the_difference_of_two(options):
    torch.manual_seed(3)
    lstm = nn.LSTM(*SIZES, **options, dtype=torch.float64)
    given = dict(lstm.named_parameters())
    mean, coupled = (TiedGateLSTM.from_lstm(lstm, tie).weights() for tie in ("input", "cifg"))
    for name, weight in given.items():
        if name.startswith("weight_hr"):
            assert torch.equal(mean[name], weight)
            assert torch.equal(coupled[name], weight)
            continue
        i, f, g, o = weight.chunk(4)
        gate = (i + f + o) / 3
        close(mean[name], torch.cat([gate, gate, g, gate]) if name.startswith("weight_ih") else weight)
        close(coupled[name], torch.cat([(i - f) / 2, (f - i) / 2, g, o]))


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("tie", TIES)
def test_a_tied_layer_survives_the_way_to_torch_and_back(tie, options):
    lstm = layer(tie, **options)
    back = TiedGateLSTM.from_lstm(lstm.to_lstm(), tie)
    for name, parameter in lstm.named_parameters():
        close(back.get_parameter(name), parameter)
    x = torch.randn(4, 6, 3, dtype=torch.float64)
    close(back(x)[0], lstm(x)[0])


def test_an_untied_layer_is_torch_s_bit_by_bit_with_its_names_and_its_random_numbers():
    torch.manual_seed(5)
    expected = nn.LSTM(3, 5, 2, bidirectional=True, proj_size=2)
    torch.manual_seed(5)
    found = TiedGateLSTM(3, 5, 2, bidirectional=True, proj_size=2, tie="none")
    assert list(found.state_dict()) == list(expected.state_dict())
    for name, weight in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], weight)
    found.load_state_dict(expected.state_dict())


@pytest.mark.parametrize("tie", TIES)
def test_the_way_to_torch_keeps_type_and_mode_and_shares_no_memory(tie):
    lstm = TiedGateLSTM(3, 5, 2, dropout=0.5, dtype=torch.bfloat16, tie=tie).eval()
    untied = lstm.to_lstm()
    assert not untied.training
    assert (untied.dropout, untied.weight_ih_l0.dtype) == (0.5, torch.bfloat16)
    before = lstm.weights()["weight_hh_l0"].clone()
    with torch.no_grad():
        untied.weight_hh_l0.zero_()
        back = TiedGateLSTM.from_lstm(untied, tie)
        untied.weight_hh_l0.fill_(1.0)
    assert torch.equal(lstm.weights()["weight_hh_l0"], before)
    assert not back.weights()["weight_hh_l0"].any()
    assert not back.training


def test_sites_start_with_the_distribution_of_torch_s_weights():
    torch.manual_seed(0)
    for tie in TIES:
        for weight in TiedGateLSTM(64, 100, 2, tie=tie).weights().values():
            assert weight.abs().max() <= 0.1
            if weight.ndim == 2:
                assert weight.var().item() == pytest.approx(0.01 / 3, rel=0.05)


def test_dropout_acts_between_layers_and_only_in_training():
    x = torch.randn(6, 4, 3, dtype=torch.float64)
    lstm = layer(num_layers=2, dropout=0.4)
    untied = lstm.to_lstm()
    torch.manual_seed(1)
    found = lstm(x)[0]
    torch.manual_seed(1)
    close(found, untied(x)[0])
    close(lstm.eval()(x)[0], untied.eval()(x)[0])
    assert not torch.allclose(found, lstm(x)[0])


def test_dropout_in_steps_drops_that_share_of_what_reaches_the_second_layer():
    lstm = layer(fused=False, num_layers=2, dropout=1.0)
    x = torch.randn(6, 4, 3, dtype=torch.float64)
    first = layer(fused=False)
    first.load_state_dict({name: value for name, value in lstm.state_dict().items() if "_l0" in name})
    output, (h_n, _) = lstm(x)
    # The first layer is as ever, the second sees zeros, in whatever order the sequences come.
    close(h_n[0], first(x)[1][0][0])
    close(output[:, 0], output[:, 1])
    close(lstm.eval()(x)[0], lstm.to_lstm()(x)[0])


def test_dropout_without_a_second_layer_warns_as_torch_does():
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last recurrent layer"):
        TiedGateLSTM(3, 5, dropout=0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dropout": 1.5}, "dropout should be a number in range"),
        ({"dropout": True, "num_layers": 2}, "dropout should be a number in range"),
        ({"proj_size": 5}, "proj_size has to be smaller than hidden_size"),
        ({"num_layers": 0}, "num_layers must be greater than zero"),
        ({"bias": 1}, "bias should be of type bool"),
        ({"input_size": 0}, "input_size must be greater than zero"),
        ({"hidden_size": 2.0}, "hidden_size should be of type int"),
    ],
)
def test_arguments_are_refused_as_torch_refuses_them(arguments, message):
    arguments = {"input_size": 3, "hidden_size": 5, **arguments}
    for cls in (nn.LSTM, TiedGateLSTM):
        with pytest.raises((ValueError, TypeError), match=message):
            cls(**arguments)


def test_an_unknown_tie_is_refused_with_those_that_there_are():
    with pytest.raises(TyingError, match="there is no tie 'all'; there are 'none', 'input', 'cifg'"):
        TiedGateLSTM(3, 5, tie="all")


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    ("x", "hx", "error", "message"),
    [
        (torch.zeros(6, 4, 2), None, RuntimeError, "input has 2 features, expected input_size = 3"),
        (torch.zeros(3), None, ValueError, "input has 1 axes, expected 3, or 2 for a single sequence"),
        (torch.zeros(6, 4, 3, 1), None, ValueError, "input has 4 axes"),
        (torch.zeros(6, 4, 3, dtype=torch.float64), None, ValueError, "of type torch.float64, but the weights are of"),
        (
            torch.zeros(6, 4, 3),
            (torch.zeros(1, 3, 5), torch.zeros(1, 4, 5)),
            RuntimeError,
            r"h_0 .* expected \(1, 4, 5\)",
        ),
        (
            torch.zeros(6, 4, 3),
            (torch.zeros(1, 4, 5), torch.zeros(2, 4, 5)),
            RuntimeError,
            r"c_0 .* expected \(1, 4, 5\)",
        ),
        (torch.zeros(6, 3), (torch.zeros(1, 1, 5), torch.zeros(1, 1, 5)), RuntimeError, "h_0 has shape"),
        (torch.zeros(6, 4, 3), (torch.zeros(1, 5), torch.zeros(1, 5)), RuntimeError, "h_0 has shape"),
    ],
)
def test_inputs_that_do_not_fit_raise_what_torch_raises_and_say_why(x, hx, error, message, fused):
    with pytest.raises(error, match=message):
        TiedGateLSTM(3, 5, fused=fused)(x, hx)
    with pytest.raises(error):
        nn.LSTM(3, 5)(x, hx)


def test_calls_of_the_old_layer_work_on_the_new_one():
    lstm = layer(batch_first=True)
    lstm.flatten_parameters()
    x = torch.randn(2, 4, 3, dtype=torch.float64)
    close(lstm(input=x, hx=None)[0], lstm(x)[0])
    assert TiedGateLSTM(3, 5, 2, False, True, 0.0, True, 2).to_lstm().proj_size == 2


def test_the_repr_shows_sizes_tie_and_counts():
    shown = repr(TiedGateLSTM(8, 32, num_layers=2, batch_first=True, fused=False))
    assert "8, 32, num_layers=2, batch_first=True, fused=False, tie='input', free=" in shown
    assert "(weight_ih_l1): Shared((128, 32), free=2,048, sites=4,096, rank=2,048)" in shown


def test_a_tie_stays_one_in_training():
    lstm = layer("cifg")
    optimizer = torch.optim.AdamW(lstm.parameters(), lr=0.1)
    x = torch.randn(6, 4, 3, dtype=torch.float64)
    for _ in range(3):
        optimizer.zero_grad()
        lstm(x)[0].square().sum().backward()
        optimizer.step()
    for weight in lstm.weights().values():
        assert torch.equal(weight[:5], -weight[5:10])
    assert math.isfinite(lstm(x)[0].sum().item())
