"""`TiedTransformer`: what it computes, against `torch.nn.Transformer`, what it shares, and what is done to modules."""

import copy
import io
import pickle

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.func import functional_call, stack_module_state, vmap  # noqa: E402
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn import transformer_layers  # noqa: E402
from ffshare.nn.counts import count  # noqa: E402
from ffshare.nn.transformer import TiedTransformer  # noqa: E402

SHARES = ("none", "kv-stack", "kv-all")
D, HEADS, BATCH, S, T = 12, 3, 4, 6, 5
# Encoders of torch do without nested tensors where batches come second, or heads are odd, and say so.
UNUSED = "ignore:enable_nested_tensor is True:UserWarning"


def model(share="kv-all", seed=0, n=2, **options):
    torch.manual_seed(seed)
    transformer = TiedTransformer(
        D, HEADS, n, n, 16, **{"dropout": 0.0, "dtype": torch.float64, **options}, share=share
    )
    with torch.no_grad():
        for name, parameter in transformer.named_parameters():
            if "bias" in name or "norm" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return transformer


def inputs(batch_first=False, is_batched=True, dtype=torch.float64):
    source, target = (torch.linspace(-2.0, 9.0, BATCH * n * D, dtype=torch.float64) for n in (S, T))
    source, target = ((40 * each).sin().reshape(BATCH, -1, D).to(dtype) for each in (source, target))
    if not is_batched:
        return source[0], target[0]
    return (source, target) if batch_first else (source.transpose(0, 1), target.transpose(0, 1))


def causal(n=T):
    return torch.ones(n, n, dtype=torch.bool).triu(1)


def filled(n):
    return torch.arange(n) >= torch.tensor([[n], [n - 1], [2], [1]])


def as_numbers(mask):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(mask.shape, dtype=torch.float64, generator=generator).masked_fill(mask, -torch.inf)


MASKS = {
    "none": {},
    "causal": {"tgt_mask": causal()},
    "causal by hint": {"tgt_mask": causal(), "tgt_is_causal": True, "src_mask": causal(S), "src_is_causal": True},
    "all pairs": {
        "src_mask": as_numbers(causal(S)),
        "tgt_mask": as_numbers(causal()),
        "memory_mask": as_numbers(torch.arange(S) > torch.arange(T)[:, None]),
    },
    "by head": {"tgt_mask": as_numbers(causal().repeat(BATCH * HEADS, 1, 1))},
    "padding": {
        "src_key_padding_mask": filled(S),
        "tgt_key_padding_mask": filled(T),
        "memory_key_padding_mask": filled(S),
    },
    "padding and causal by hint": {
        "tgt_mask": as_numbers(causal()),
        "tgt_is_causal": True,
        "src_key_padding_mask": as_numbers(filled(S)),
        "tgt_key_padding_mask": as_numbers(filled(T)),
        "memory_key_padding_mask": as_numbers(filled(S)),
    },
}
OPTIONS = [
    {"batch_first": True, "norm_first": True},
    {"activation": "gelu", "layer_norm_eps": 1e-2},
    {"bias": False, "batch_first": True},
]


def close(found, expected, tolerance=1e-12):
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("share", SHARES)
def test_it_computes_what_the_untied_model_with_the_same_weights_computes(share, mask, training):
    tied = model(share).train(training)
    with torch.no_grad():
        close(tied(*inputs(), **MASKS[mask]), tied.to_transformer()(*inputs(), **MASKS[mask]))


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("share", SHARES)
def test_so_it_does_with_other_options_and_without_a_batch(share, options):
    tied = model(share, **options)
    untied = tied.to_transformer()
    given = inputs(options.get("batch_first", False))
    close(tied(*given, **MASKS["padding"]), untied(*given, **MASKS["padding"]))
    one = inputs(is_batched=False)
    masks = {"tgt_mask": causal(), "memory_key_padding_mask": filled(S)[1]}
    close(tied(*one, **masks), untied(*one, **masks))


@pytest.mark.filterwarnings(UNUSED)
@pytest.mark.parametrize("options", [{}, *OPTIONS])
def test_a_model_of_torch_is_taken_over_exactly_where_nothing_is_shared(options):
    torch.manual_seed(3)
    untied = nn.Transformer(D, HEADS, 1, 3, 10, 0.2, dtype=torch.float64, **options).eval()
    tied = TiedTransformer.from_transformer(untied, share="none")
    given = inputs(options.get("batch_first", False))
    close(tied(*given, tgt_mask=causal()), untied(*given, tgt_mask=causal()))
    expected = dict(untied.named_parameters())
    found = tied.weights()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], each) for name, each in expected.items())
    assert (tied.dropout, tied.training, len(tied.encoder.layers), len(tied.decoder.layers)) == (0.2, False, 1, 3)


@pytest.mark.filterwarnings(UNUSED)
@pytest.mark.parametrize(("share", "groups"), [("kv-all", [range(6)]), ("kv-stack", [range(2), range(2, 6)])])
def test_what_is_shared_becomes_the_mean_of_the_modules_that_share_it(share, groups):
    torch.manual_seed(4)
    untied = nn.Transformer(D, HEADS, 2, 2, 10, dtype=torch.float64)
    tied = TiedTransformer.from_transformer(untied, share)
    given = {name: each for name, each in untied.named_parameters() if "in_proj" in name}
    for kind in ("weight", "bias"):
        paths = [name for name in tied.weights() if name.endswith(f"in_proj_{kind}")]
        assert len(paths) == 6
        for group in groups:
            members = [paths[number] for number in group]
            mean = torch.stack([given[name][D:] for name in members]).mean(dim=0)
            for name in members:
                close(tied.weights()[name][D:], mean, 1e-15)
                assert torch.equal(tied.weights()[name][:D], given[name][:D])


@pytest.mark.parametrize("share", SHARES)
def test_the_gradient_of_what_is_shared_is_pooled_over_the_modules(share):
    tied = model(share)
    untied = tied.to_transformer()
    for each in (tied, untied):
        each(*inputs(), tgt_mask=causal()).sin().sum().backward()
    given = dict(untied.named_parameters())
    for kind, shared in (("weight", tied.kv_weight), ("bias", tied.kv_bias)):
        sites = torch.cat([given[f"{path}.in_proj_{kind}"].grad[D:] for path in shared.shapes])
        close(shared.theta.grad, shared.tying.pool(sites.reshape(shared.tying.n_site, *shared.block)))
    for name, parameter in tied.encoder.named_parameters():
        if "q_proj" not in name:
            close(parameter.grad, given[f"encoder.{name}"].grad)


@pytest.mark.parametrize("share", SHARES)
def test_what_comes_later_changes_no_output_before_it(share):
    tied = model(share)
    source, target = inputs()
    expected = tied(source, target, tgt_mask=causal(), tgt_is_causal=True)
    for place in range(1, T):
        changed = target.clone()
        changed[place] += 1.0
        found = tied(source, changed, tgt_mask=causal(), tgt_is_causal=True)
        assert torch.equal(found[:place], expected[:place])
        assert ((found - expected)[place:].abs().amax(dim=(1, 2)) > 1e-6).all()
        assert not torch.allclose(tied(source, changed)[:place], tied(source, target)[:place])


def test_counts_are_those_of_one_pair_a_stack_or_one_for_all():
    sizes = (64, 4, 2, 2, 128)
    found = {share: count(TiedTransformer(*sizes, bias=False, share=share)) for share in SHARES}
    assert [(each.free, each.sites, each.rank) for each in found.values()] == [
        (164_608, 164_608, 164_608),
        (164_608 - 8 * 64**2, 164_608, 164_608 - 8 * 64**2),
        (164_608 - 10 * 64**2, 164_608, 164_608 - 10 * 64**2),
    ]
    untied = nn.Transformer(*sizes, batch_first=True)
    assert count(TiedTransformer(*sizes, share="none")).free == count(untied).free
    assert count(TiedTransformer(*sizes)).free == count(untied).free - 10 * (64**2 + 64)


@pytest.mark.parametrize(("share", "pairs"), [("none", 6), ("kv-stack", 2), ("kv-all", 1)])
def test_the_checkpoint_holds_each_pair_of_keys_and_values_once(share, pairs):
    state = model(share).state_dict()
    shared = {name: tuple(each.shape) for name, each in state.items() if name.startswith("kv_")}
    assert shared == {"kv_weight.theta": (2 * pairs, D, D), "kv_bias.theta": (2 * pairs, D)}
    rest = {name.rpartition("attn.")[2] for name in state if "attn." in name}
    assert rest == {"q_proj.weight", "q_proj.bias", "out_proj.weight", "out_proj.bias"}
    assert [name for name in model(share, bias=False).state_dict() if "bias" in name] == []


@pytest.mark.parametrize(("share", "n_projections"), [("none", 2 * 3), ("kv-stack", 2 * 2 + 1), ("kv-all", 2 * 2 + 1)])
def test_the_memory_is_projected_once_where_keys_and_values_are_shared(monkeypatch, share, n_projections):
    calls = []

    def counted(*given):
        calls.append(1)
        return keys_and_values(*given)

    keys_and_values = transformer_layers.keys_and_values
    for place in ("ffshare.nn.transformer", "ffshare.nn.transformer_layers"):
        monkeypatch.setattr(f"{place}.keys_and_values", counted)
    model(share)(*inputs())
    assert len(calls) == n_projections


def test_ties_are_expanded_once_a_forward_pass():
    tied = model()
    calls = []
    tied.kv_weight.register_forward_hook(lambda *_: calls.append(1))
    tied(*inputs())
    assert len(calls) == 1


@pytest.mark.filterwarnings(UNUSED)
@pytest.mark.parametrize("share", SHARES)
def test_parameters_start_with_the_variances_of_torch(share):
    torch.manual_seed(0)
    tied, untied = TiedTransformer(96, 4, 1, 1, 64, share=share), nn.Transformer(96, 4, 1, 1, 64)
    given = dict(untied.named_parameters())
    for name, weight in tied.weights().items():
        assert weight.shape == given[name].shape
        for found, expected in zip(weight.tensor_split(3), given[name].tensor_split(3), strict=True):
            assert found.std(correction=0).item() == pytest.approx(
                expected.std(correction=0).item(), rel=0.1 if weight.dim() > 1 else 0.6
            )
            assert found.abs().max().item() == pytest.approx(expected.abs().max().item(), rel=0.15)


def test_dropout_drops_in_training_alone():
    tied = model(dropout=0.5)
    torch.manual_seed(0)
    first = tied(*inputs())
    assert not torch.allclose(first, tied(*inputs()))
    tied.eval()
    assert torch.equal(tied(*inputs()), tied(*inputs()))
    close(tied(*inputs()), tied.to_transformer()(*inputs()))


def test_dropout_drops_the_same_features_as_torch():
    tied = model(dropout=0.4, batch_first=True)
    # One sequence: torch has numbers of several in another order in memory.
    one = [each[:1] for each in inputs(batch_first=True)]
    found = []
    for each in (tied, tied.to_transformer()):
        torch.manual_seed(5)
        found.append(each(*one, tgt_mask=causal()))
    close(*found)


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": "all"}, "no way 'all' to share; there are 'none', 'kv-stack', 'kv-all'"),
        ({"nhead": 5}, "12 features cannot be split among nhead = 5 heads"),
        ({"activation": "silu"}, "no activation 'silu'; there are 'relu', 'gelu'"),
        ({"custom_decoder": nn.Identity()}, "custom_encoder and custom_decoder are not supported"),
    ],
)
def test_an_option_that_there_is_not_is_refused(options, message):
    with pytest.raises(TyingError, match=message):
        TiedTransformer(**{"d_model": D, "nhead": 3, **options})


@pytest.mark.filterwarnings(UNUSED)
def test_layers_that_are_not_those_of_torch_are_refused():
    with pytest.raises(TyingError, match=r"must be those of torch\.nn\.Transformer, found none"):
        TiedTransformer.from_transformer(
            nn.Transformer(D, HEADS, 1, 1, 8, custom_encoder=nn.Identity(), custom_decoder=nn.Identity())
        )


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"tgt_mask": causal(T + 1)}, r"attn_mask has shape \(6, 6\), expected \(5, 5\)"),
        ({"src_key_padding_mask": filled(S).T}, r"key_padding_mask has shape \(6, 4\), expected \(4, 6\)"),
        ({"tgt_is_causal": True}, "comes without the mask"),
    ],
)
def test_masks_that_do_not_fit_are_refused(masks, message):
    with pytest.raises(RuntimeError, match=message):
        model()(*inputs(), **masks)


def test_sequences_that_do_not_belong_together_are_refused():
    source, target = inputs()
    with pytest.raises(RuntimeError, match="all need one batch size"):
        model()(source[:, :2], target)
    with pytest.raises(RuntimeError, match="expected 12 features"):
        model()(source[..., :5], target)


def test_the_repr_shows_what_differs_from_the_defaults_what_is_shared_and_counts():
    shown = repr(TiedTransformer(8, 2, 1, 1, 16, batch_first=True))
    assert "d_model=8, nhead=2, num_encoder_layers=1" in shown
    assert "batch_first=True, share='kv-all', free=" in shown
    assert "dropout=" not in shown.partition("(encoder)")[0]
