"""`TiedTransformer`: what it computes, against `torch.nn.Transformer`, and what it shares."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn import transformer_layers  # noqa: E402
from ffshare.nn.counts import count  # noqa: E402
from ffshare.nn.transformer import TiedTransformer  # noqa: E402
from tests.nn.transformer_cases import (  # noqa: E402
    BATCH,
    HEADS,
    SHARES,
    D,
    S,
    T,
    as_numbers,
    causal,
    close,
    filled,
    inputs,
    model,
)

# Encoders of torch do without nested tensors where batches come second, or heads are odd, and say so.
UNUSED = "ignore:enable_nested_tensor is True:UserWarning"

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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": "all"}, "no way 'all' to share; there are 'none', 'kv-stack', 'kv-all'"),
        ({"nhead": 5}, "12 features cannot be split among nhead = 5 heads"),
        ({"activation": "silu"}, "no activation 'silu'; there are 'relu', 'gelu'"),
        ({"num_encoder_layers": 0}, "the encoder needs a layer or more, got num_encoder_layers=0"),
        ({"num_decoder_layers": -1}, "the decoder needs a layer or more, got num_decoder_layers=-1"),
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
