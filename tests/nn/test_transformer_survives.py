"""`TiedTransformer` through everything that is done to modules: training, copies, types, meta tensors, transforms."""

import copy
import io
import pickle

import pytest

torch = pytest.importorskip("torch")

from torch.func import functional_call, stack_module_state, vmap  # noqa: E402
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402

from ffshare.nn.transformer import TiedTransformer  # noqa: E402
from tests.nn.transformer_cases import HEADS, D, S, as_numbers, causal, close, filled, inputs, model  # noqa: E402


def test_a_tie_stays_one_in_training():
    tied = model()
    optimizer = torch.optim.AdamW(tied.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        tied(*inputs()).sin().sum().backward()
        optimizer.step()
    first, *others = (each for name, each in tied.weights().items() if name.endswith("in_proj_weight"))
    assert all(torch.equal(first[D:], other[D:]) for other in others)
    assert not any(torch.equal(first[:D], other[:D]) for other in others)


def through_torch_save(tied):
    file = io.BytesIO()
    torch.save(tied, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def through_meta(tied):
    moved = copy.deepcopy(tied).to("meta").to_empty(device="cpu")
    moved.load_state_dict(tied.state_dict())
    return moved


def assigned(tied):
    empty = TiedTransformer(D, HEADS, 2, 2, 16, 0.0, device="meta", dtype=torch.float64, share=tied.share)
    empty.load_state_dict(copy.deepcopy(tied.state_dict()), assign=True)
    return empty


@pytest.mark.parametrize("share", ["none", "kv-all"])
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each)), through_torch_save, through_meta, assigned]
)
def test_a_copy_computes_the_same_with_parameters_of_its_own(copied, share):
    tied = model(share)
    expected = tied(*inputs())
    twin = copied(tied)
    assert torch.equal(twin(*inputs()), expected)
    assert list(twin.state_dict()) == list(tied.state_dict())
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(1.0)
    assert torch.equal(tied(*inputs()), expected)


def test_a_checkpoint_goes_through_safetensors(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    tied, other = model(), model(seed=1)
    safetensors.save_file(tied.state_dict(), tmp_path / "transformer.safetensors")
    other.load_state_dict(safetensors.load_file(tmp_path / "transformer.safetensors"))
    assert torch.equal(other(*inputs()), tied(*inputs()))


def test_low_precision_is_computed_with_sites_cast_from_wide_parameters():
    wide = model(dtype=torch.float32)
    tied = copy.deepcopy(wide).to(torch.bfloat16)
    given = inputs(dtype=torch.bfloat16)
    output = tied(*given, tgt_mask=causal(), memory_key_padding_mask=filled(S))
    assert output.dtype == torch.bfloat16
    expected = wide(*inputs(dtype=torch.float32), tgt_mask=causal(), memory_key_padding_mask=filled(S))
    torch.testing.assert_close(output.float(), expected, rtol=0, atol=0.1)
    output.float().sum().backward()
    assert tied.kv_weight.theta.grad.dtype == torch.float32


def test_autocast_takes_inputs_and_masks_of_a_wide_type():
    tied, given = model(dtype=torch.float32), inputs(dtype=torch.float32)
    masks = {"tgt_mask": as_numbers(causal()).float(), "src_key_padding_mask": filled(S)}
    with torch.autocast("cpu", torch.bfloat16):
        output = tied(*given, **masks)
    torch.testing.assert_close(output.float(), tied(*given, **masks), rtol=0, atol=0.1)


def test_first_and_second_derivatives_are_those_of_finite_differences():
    tied = model(n=1)
    names = [name for name, _ in tied.named_parameters()]

    def output(*parameters):
        with sdpa_kernel(SDPBackend.MATH):  # The fused kernel has no second derivative.
            return functional_call(tied, dict(zip(names, parameters, strict=True)), inputs(), {"tgt_mask": causal()})

    assert torch.autograd.gradcheck(output, tuple(tied.parameters()), fast_mode=True)
    assert torch.autograd.gradgradcheck(output, tuple(tied.parameters()), fast_mode=True)


def test_models_of_several_seeds_run_as_one_by_vmap():
    models = [model(seed=seed) for seed in range(3)]
    parameters, buffers = stack_module_state(models)
    with sdpa_kernel(SDPBackend.MATH):  # The fused kernel runs one by one.
        together = vmap(lambda p, b: functional_call(models[0], (p, b), inputs(), {"tgt_mask": causal()}))(
            parameters, buffers
        )
    for found, each in zip(together, models, strict=True):
        close(found, each(*inputs(), tgt_mask=causal()))


def test_it_compiles_as_one_graph_and_trains_there():
    torch.compiler.reset()
    tied, given = model(dtype=torch.float32), inputs(dtype=torch.float32)
    masks = {"tgt_mask": causal(), "tgt_is_causal": True, "src_key_padding_mask": filled(S)}
    expected = tied(*given, **masks)
    expected.sin().sum().backward()
    gradient = tied.kv_weight.theta.grad.clone()
    tied.zero_grad()
    found = torch.compile(tied, fullgraph=True, backend="eager")(*given, **masks)
    found.sin().sum().backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(tied.kv_weight.theta.grad, gradient)


def test_an_exported_program_has_the_free_parameters_alone():
    tied, given = model(dtype=torch.float32, n=1), inputs(dtype=torch.float32)
    program = torch.export.export(tied, given)
    assert list(program.state_dict) == list(tied.state_dict())
    torch.testing.assert_close(program.module()(*given), tied(*given))
