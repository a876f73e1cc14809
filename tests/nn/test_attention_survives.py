"""`SharedValueAttention` through everything that is done to modules: copies, types, meta tensors, transforms."""

import copy
import io
import pickle

import pytest

torch = pytest.importorskip("torch")

from torch.func import functional_call, jvp, stack_module_state, vmap  # noqa: E402
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402

from ffshare.nn.attention import SharedValueAttention  # noqa: E402

OPTIONS = [{}, {"share": ("k", "v"), "kdim": 5, "vdim": 5}, {"share": ()}]


def layer(seed=0, **options):
    torch.manual_seed(seed)
    return SharedValueAttention(6, 3, **{"dtype": torch.float64, **options})


def inputs(attention, dtype=torch.float64):
    x = torch.linspace(-2.0, 1.5, 48, dtype=torch.float64).sin().reshape(4, 2, 6).to(dtype)
    return x, x[:3, :, : attention.kdim].cos(), x[:3, :, : attention.vdim].square()


def through_torch_save(attention):
    file = io.BytesIO()
    torch.save(attention, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def through_meta(attention):
    moved = copy.deepcopy(attention).to("meta").to_empty(device="cpu")
    moved.load_state_dict(attention.state_dict())
    return moved


def assigned(attention):
    empty = SharedValueAttention(
        6, 3, kdim=attention.kdim, vdim=attention.vdim, device="meta", dtype=torch.float64, share=attention.share
    )
    empty.load_state_dict(copy.deepcopy(attention.state_dict()), assign=True)
    return empty


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each)), through_torch_save, through_meta, assigned]
)
def test_a_copy_computes_the_same_with_parameters_of_its_own(copied, options):
    attention = layer(**options)
    expected = attention(*inputs(attention))[0]
    twin = copied(attention)
    assert torch.equal(twin(*inputs(attention))[0], expected)
    assert list(twin.state_dict()) == list(attention.state_dict())
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(1.0)
    assert torch.equal(attention(*inputs(attention))[0], expected)


def test_the_checkpoint_names_each_free_parameter_once_after_the_weight_of_torch_that_it_feeds():
    out = ["out_proj.weight", "out_proj.bias"]
    assert list(layer().state_dict()) == ["in_proj_weight.theta", "in_proj_bias.theta", *out]
    separate = [f"{kind}_proj_weight.theta" for kind in "qkv"]
    assert list(layer(kdim=5).state_dict()) == [*separate, "in_proj_bias.theta", *out]
    assert list(layer(bias=False).state_dict()) == ["in_proj_weight.theta", "out_proj.weight"]


def test_a_checkpoint_goes_through_safetensors(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    attention, other = layer(), layer(seed=1)
    safetensors.save_file(attention.state_dict(), tmp_path / "attention.safetensors")
    other.load_state_dict(safetensors.load_file(tmp_path / "attention.safetensors"))
    assert torch.equal(other(*inputs(other))[0], attention(*inputs(other))[0])


@pytest.mark.parametrize("need_weights", [True, False])
def test_low_precision_is_computed_with_weights_cast_from_wide_parameters(need_weights):
    attention = layer(dtype=torch.float32).to(torch.bfloat16)
    given = inputs(attention, torch.bfloat16)
    output, _ = attention(*given, need_weights=need_weights)
    assert output.dtype == torch.bfloat16
    assert attention.in_proj_weight.theta.dtype == torch.float32
    expected = attention.to_multihead_attention()(*given, need_weights=need_weights)[0]
    torch.testing.assert_close(output, expected, atol=0.02, rtol=0)
    output.float().sum().backward()
    assert attention.in_proj_weight.theta.grad.dtype == torch.float32


@pytest.mark.parametrize("need_weights", [True, False])
def test_autocast_takes_inputs_and_masks_of_a_wide_type(need_weights):
    attention = layer(dtype=torch.float32)
    given = inputs(attention, torch.float32)
    mask = torch.zeros(4, 3)
    mask[:2, 2] = -torch.inf
    with torch.autocast("cpu", torch.bfloat16):
        output, _ = attention(*given, attn_mask=mask, need_weights=need_weights)
    expected, _ = attention(*given, attn_mask=mask, need_weights=need_weights)
    torch.testing.assert_close(output.float(), expected, atol=0.02, rtol=0)


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("options", OPTIONS)
def test_first_and_second_derivatives_are_those_of_finite_differences(options, need_weights):
    attention = layer(**options)
    names = [name for name, _ in attention.named_parameters()]
    given = [each.clone().requires_grad_() for each in inputs(attention)]

    def output(query, key, value, *parameters):
        with sdpa_kernel(SDPBackend.MATH):  # The fused kernel has no second derivative.
            state = dict(zip(names, parameters, strict=True))
            return functional_call(attention, state, (query, key, value), {"need_weights": need_weights})[0]

    arguments = (*given, *attention.parameters())
    assert torch.autograd.gradcheck(output, arguments, fast_mode=True)
    assert torch.autograd.gradgradcheck(output, arguments, fast_mode=True)


@pytest.mark.parametrize("options", OPTIONS)
def test_layers_of_several_seeds_run_as_one_by_vmap(options):
    layers = [layer(seed, **options) for seed in range(3)]
    given = inputs(layers[0])
    parameters, buffers = stack_module_state(layers)
    together = vmap(lambda p, b: functional_call(layers[0], (p, b), given)[0])(parameters, buffers)
    for found, each in zip(together, layers, strict=True):
        torch.testing.assert_close(found, each(*given)[0], rtol=0, atol=1e-12)


# torch's own, when it loads its rules.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_the_forward_mode_derivative_is_the_derivative_along_a_direction():
    attention = layer()
    names = [name for name, _ in attention.named_parameters()]
    values = tuple(parameter.detach() for parameter in attention.parameters())

    def total(*values):
        return functional_call(attention, dict(zip(names, values, strict=True)), inputs(attention))[0].square().sum()

    along = jvp(total, values, values)[1]
    attention(*inputs(attention))[0].square().sum().backward()
    expected = sum((parameter.grad * parameter.detach()).sum() for parameter in attention.parameters())
    torch.testing.assert_close(along, expected)


@pytest.mark.parametrize("need_weights", [True, False])
def test_it_compiles_as_one_graph_and_trains_there(need_weights):
    torch.compiler.reset()
    attention = layer(dtype=torch.float32)
    given = inputs(attention, torch.float32)
    mask = torch.tensor([[False, True, False]] * 4)
    expected = attention(*given, attn_mask=mask, need_weights=need_weights)[0]
    expected.square().sum().backward()
    gradients = [parameter.grad.clone() for parameter in attention.parameters()]
    attention.zero_grad()
    compiled = torch.compile(attention, fullgraph=True, backend="eager")
    found = compiled(*given, attn_mask=mask, need_weights=need_weights)[0]
    found.square().sum().backward()
    torch.testing.assert_close(found, expected)
    for parameter, gradient in zip(attention.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_an_exported_program_has_the_free_parameters_alone():
    attention = layer(dtype=torch.float32)
    given = inputs(attention, torch.float32)
    program = torch.export.export(attention, given)
    assert list(program.state_dict) == list(attention.state_dict())
    torch.testing.assert_close(program.module()(*given)[0], attention(*given)[0])
