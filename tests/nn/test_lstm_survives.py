"""`TiedGateLSTM` through everything that is done to modules: copies, types, meta tensors, transforms, compilers."""

import copy
import io
import pickle
import warnings

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.func import functional_call, jvp, stack_module_state, vmap  # noqa: E402
from torch.nn.utils.rnn import pack_padded_sequence  # noqa: E402

from ffshare.nn.lstm import TIES, TiedGateLSTM  # noqa: E402

STACKED = {"num_layers": 2, "bidirectional": True, "proj_size": 2}


def layer(tie: str = "input", fused: bool = True, seed: int = 0, **options: object) -> TiedGateLSTM:
    torch.manual_seed(seed)
    return TiedGateLSTM(3, 4, **{"dtype": torch.float64, **options}, tie=tie, fused=fused)


def batch(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.linspace(-2.0, 1.5, 30, dtype=torch.float64).sin().reshape(5, 2, 3).to(dtype)


def through_torch_save(lstm: TiedGateLSTM) -> TiedGateLSTM:
    file = io.BytesIO()
    torch.save(lstm, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def through_meta(lstm: TiedGateLSTM) -> TiedGateLSTM:
    moved = copy.deepcopy(lstm).to("meta").to_empty(device="cpu")
    moved.load_state_dict(lstm.state_dict())
    return moved


def assigned(lstm: TiedGateLSTM) -> TiedGateLSTM:
    empty = layer(lstm.tie, **STACKED, device="meta")
    empty.load_state_dict(lstm.state_dict(), assign=True)
    return empty


@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda lstm: pickle.loads(pickle.dumps(lstm)), through_torch_save, through_meta, assigned]
)
def test_a_copy_computes_the_same_with_parameters_of_its_own(copied, tie):
    lstm = layer(tie, **STACKED)
    expected = lstm(batch())[0]
    twin = copied(lstm)
    assert torch.equal(twin(batch())[0], expected)
    assert list(twin.state_dict()) == list(lstm.state_dict())
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(1.0)
    if copied is not assigned:
        assert torch.equal(lstm(batch())[0], expected)


@pytest.mark.parametrize("tie", TIES)
def test_the_checkpoint_names_each_free_parameter_once(tie):
    kinds = {"weight_ih": "input cifg", "weight_hh": "cifg", "bias_ih": "cifg", "bias_hh": "cifg", "weight_hr": ""}
    places = ("l0", "l0_reverse", "l1", "l1_reverse")
    expected = {f"{kind}_{place}{'.theta' if tie in ties else ''}" for place in places for kind, ties in kinds.items()}
    lstm = layer(tie, **STACKED)
    assert set(lstm.state_dict()) == expected
    assert {name for name, _ in lstm.named_parameters()} == expected


def test_a_checkpoint_goes_through_safetensors(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    lstm, other = layer("cifg"), layer("cifg", seed=1)
    safetensors.save_file(lstm.state_dict(), tmp_path / "lstm.safetensors")
    other.load_state_dict(safetensors.load_file(tmp_path / "lstm.safetensors"))
    assert torch.equal(other(batch())[0], lstm(batch())[0])


def test_parameters_given_by_a_functional_call_are_those_that_count():
    lstm, other = layer(**STACKED), layer(seed=1, **STACKED)
    found = functional_call(lstm, dict(other.named_parameters()), (batch(),))[0]
    assert torch.equal(found, other(batch())[0])


@pytest.mark.parametrize("tie", TIES)
def test_low_precision_is_computed_with_weights_cast_from_wide_parameters(tie):
    lstm = layer(tie, dtype=torch.float32).to(torch.bfloat16)
    output, _ = lstm(batch(torch.bfloat16))
    assert output.dtype == torch.bfloat16
    assert all(weight.dtype == torch.bfloat16 for weight in lstm.weights().values())
    assert all(p.dtype == torch.float32 for name, p in lstm.named_parameters() if name.endswith("theta"))
    output.float().sum().backward()
    expected = lstm.to_lstm()(batch(torch.bfloat16))[0]
    assert torch.equal(output, expected)


@pytest.mark.parametrize("fused", [True, False])
def test_autocast_takes_inputs_of_another_type(fused):
    lstm = layer(fused=fused, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        output, _ = lstm(batch(torch.float32))
    torch.testing.assert_close(output.float(), lstm(batch(torch.float32))[0], atol=0.02, rtol=0)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("tie", TIES)
def test_first_and_second_derivatives_are_those_of_finite_differences(tie, fused):
    lstm = layer(tie, fused)
    names = [name for name, _ in lstm.named_parameters()]
    x = torch.randn(2, 2, 3, dtype=torch.float64, requires_grad=True)

    def outputs(x, *values):
        output, (h_n, c_n) = functional_call(lstm, dict(zip(names, values, strict=True)), (x,))
        return output, h_n, c_n

    inputs = (x, *lstm.parameters())
    assert torch.autograd.gradcheck(outputs, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(outputs, inputs, fast_mode=True)


def test_second_derivatives_in_single_precision_are_those_in_double():
    found = []
    for dtype in (torch.float32, torch.float64):
        lstm = layer().to(dtype)
        first = torch.autograd.grad(lstm(batch(dtype))[0].square().sum(), list(lstm.parameters()), create_graph=True)
        found.append(torch.autograd.grad(sum(each.square().sum() for each in first), list(lstm.parameters())))
    assert max(double.abs().max() for double in found[1]) > 1.0
    for single, double in zip(*found, strict=True):
        torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("tie", TIES)
def test_layers_of_several_seeds_run_as_one_by_vmap(tie):
    layers = [layer(tie, fused=False, seed=seed, **STACKED) for seed in range(3)]
    parameters, buffers = stack_module_state(layers)
    together = vmap(lambda p, b: functional_call(layers[0], (p, b), (batch(),))[0])(parameters, buffers)
    for found, each in zip(together, layers, strict=True):
        torch.testing.assert_close(found, each(batch())[0], rtol=0, atol=1e-12)


# torch's own, when it loads its rules.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_the_forward_mode_derivative_is_the_derivative_along_a_direction():
    lstm = layer(fused=False, dtype=torch.float32)
    names = [name for name, _ in lstm.named_parameters()]
    values = tuple(parameter.detach() for parameter in lstm.parameters())

    def total(*values):
        return functional_call(lstm, dict(zip(names, values, strict=True)), (batch(torch.float32),))[0].square().sum()

    along = jvp(total, values, values)[1]
    lstm(batch(torch.float32))[0].square().sum().backward()
    expected = sum((parameter.grad * parameter.detach()).sum() for parameter in lstm.parameters())
    torch.testing.assert_close(along, expected)


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2, "batch_first": True}])
def test_it_compiles_as_one_graph_and_trains_there(options):
    torch.compiler.reset()
    lstm = layer(**options, dtype=torch.float32)
    expected = lstm(batch(torch.float32))[0]
    expected.square().sum().backward()
    gradients = [parameter.grad.clone() for parameter in lstm.parameters()]
    lstm.zero_grad()
    # "aot_eager" traces the backward pass as well, where torch's own kernel fails.
    found = torch.compile(lstm, fullgraph=True, backend="aot_eager")(batch(torch.float32))[0]
    found.square().sum().backward()
    torch.testing.assert_close(found, expected)
    for parameter, gradient in zip(lstm.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_an_exported_program_keeps_one_operation_a_layer():
    lstm = layer(dtype=torch.float32)
    program = torch.export.export(lstm, (batch(torch.float32),))
    assert list(program.state_dict) == list(lstm.state_dict())
    assert torch.ops.aten.lstm.input in [node.target for node in program.graph.nodes]
    torch.testing.assert_close(program.module()(batch(torch.float32))[0], lstm(batch(torch.float32))[0])


def test_it_stands_where_a_layer_of_torch_stood():
    class Reader(nn.Module):
        def __init__(self, lstm: nn.Module) -> None:
            super().__init__()
            self.lstm = lstm
            self.head = nn.Linear(4, 1, dtype=torch.float64)

        def forward(self, packed):
            self.lstm.flatten_parameters()
            _, (h_n, _) = self.lstm(packed)
            return self.head(h_n[-1])

    reader = Reader(nn.LSTM(3, 4, batch_first=True, dtype=torch.float64))
    packed = pack_padded_sequence(batch(), torch.tensor([2, 1, 2, 2, 1]), batch_first=True, enforce_sorted=False)
    expected = reader(packed)
    reader.lstm = TiedGateLSTM.from_lstm(reader.lstm, tie="none")
    torch.testing.assert_close(reader(packed), expected, rtol=0, atol=1e-12)
    reader.lstm = TiedGateLSTM.from_lstm(reader.lstm.to_lstm(), tie="input")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reader(packed).sum().backward()
    assert reader.lstm.weight_ih_l0.theta.grad is not None
