"""`SharedValueAttention`: what it computes, against the formulas head by head and `torch.nn.MultiheadAttention`."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn.attention import SharedValueAttention  # noqa: E402
from ffshare.nn.attention_inputs import additive_mask  # noqa: E402
from ffshare.nn.counts import count  # noqa: E402

SHARES = [share for n in range(4) for share in itertools.combinations("qkv", n)]
EMBED, HEADS, BATCH, TARGETS, SOURCES = 12, 3, 2, 4, 5


def layer(share=("v",), seed=0, **options):
    torch.manual_seed(seed)
    attention = SharedValueAttention(EMBED, HEADS, dtype=torch.float64, share=share, **options)
    for name, parameter in attention.named_parameters():
        if "bias" in name:
            nn.init.normal_(parameter)
    return attention


def inputs(attention, is_batched=True, seed=1):
    """Query, key and value with as many features as the layer takes."""
    torch.manual_seed(seed)
    found = []
    for length, n_features in ((TARGETS, EMBED), (SOURCES, attention.kdim), (SOURCES, attention.vdim)):
        lengths = (length,) if not is_batched else (BATCH, length) if attention.batch_first else (length, BATCH)
        found.append(torch.randn(*lengths, n_features, dtype=torch.float64))
    return found


def padding():
    mask = torch.zeros(BATCH, SOURCES, dtype=torch.bool)
    mask[0, -1] = mask[1, 2:] = True
    return mask


def pairs():
    return torch.arange(SOURCES) > torch.arange(TARGETS)[:, None] + 1


def by_head():
    mask = torch.rand(BATCH * HEADS, TARGETS, SOURCES, generator=torch.Generator().manual_seed(3)) < 0.3
    mask[..., 0] = False
    return mask


def as_numbers(mask):
    return torch.randn(mask.shape, dtype=torch.float64).masked_fill(mask, -torch.inf)


MASKS = {
    "none": dict,
    "pairs": lambda: {"attn_mask": pairs()},
    "pairs as numbers": lambda: {"attn_mask": as_numbers(pairs())},
    "pairs by head": lambda: {"attn_mask": by_head()},
    "pairs by head as numbers": lambda: {"attn_mask": as_numbers(by_head())},
    "padding": lambda: {"key_padding_mask": padding()},
    "padding as numbers": lambda: {"key_padding_mask": as_numbers(padding())},
    "both": lambda: {"attn_mask": pairs(), "key_padding_mask": padding()},
    "both by head": lambda: {"attn_mask": as_numbers(by_head()), "key_padding_mask": as_numbers(padding())},
    "causal": lambda: {"attn_mask": torch.arange(SOURCES) > torch.arange(TARGETS)[:, None], "is_causal": True},
    "causal and padding": lambda: {
        "attn_mask": torch.arange(SOURCES) > torch.arange(TARGETS)[:, None],
        "key_padding_mask": padding(),
        "is_causal": True,
    },
}
OPTIONS = [{}, {"batch_first": True, "bias": False}, {"kdim": 7}, {"kdim": 5, "vdim": 8, "batch_first": True}]
WEIGHTS = [{}, {"average_attn_weights": False}, {"need_weights": False}]


def close(found, expected, tolerance=1e-12):
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


def same(attention, untied, given, **masks):
    """Both layers give the same output and weights, in all ways to ask for these."""
    for wanted in WEIGHTS:
        (found, weights), (expected, expected_weights) = (
            each(*given, **masks, **wanted) for each in (attention, untied)
        )
        close(found, expected)
        assert found.shape == expected.shape
        if expected_weights is None:
            assert weights is None
        else:
            close(weights, expected_weights)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("share", SHARES)
def test_it_computes_what_the_untied_layer_with_the_same_weights_computes(share, mask):
    attention = layer(share)
    same(attention, attention.to_multihead_attention(), inputs(attention), **MASKS[mask]())


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("share", SHARES)
def test_so_it_does_with_other_sizes_and_orders(share, options):
    attention = layer(share, **options)
    untied = attention.to_multihead_attention()
    same(attention, untied, inputs(attention), **MASKS["both"]())
    alone = {"attn_mask": by_head()[:HEADS], "key_padding_mask": padding()[0]}
    same(attention, untied, inputs(attention, is_batched=False), **alone)
    if {"kdim", "vdim"}.isdisjoint(options):
        x = inputs(attention)[0]
        same(attention, untied, (x, x, x))


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(1, 4)] * 5),
    share=st.sampled_from(SHARES),
    batch_first=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_the_order_of_keys_with_their_values_does_not_matter_and_parity_holds_at_all_sizes(
    sizes, share, batch_first, seed
):
    heads, width, n_batch, n_targets, n_sources = sizes
    torch.manual_seed(seed)
    attention = SharedValueAttention(
        heads * width, heads, batch_first=batch_first, dtype=torch.float64, share=share, kdim=3, vdim=2
    )
    shapes = [(n_targets, n_batch, heads * width), (n_sources, n_batch, 3), (n_sources, n_batch, 2)]
    given_ = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    order = torch.randperm(n_sources)
    moved = [given_[0], given_[1][order], given_[2][order]]
    if batch_first:
        given_, moved = ([each.transpose(0, 1) for each in those] for those in (given_, moved))
    same(attention, attention.to_multihead_attention(), given_)
    close(attention(*moved)[0], attention(*given_)[0])


@pytest.mark.parametrize("share", SHARES)
def test_heads_follow_the_formula_one_by_one(share):
    attention = layer(share)
    query, key, value = (each[:, 0].numpy() for each in inputs(attention))
    weights = dict(zip("qkv", np.split(attention.in_proj_weight.theta.detach().numpy(), _starts(share)), strict=True))
    biases = dict(zip("qkv", np.split(attention.in_proj_bias.theta.detach().numpy(), _starts(share)), strict=True))

    def projected(x, name, head):
        own = 0 if name in share else head
        return x @ weights[name][own].T + biases[name][own]

    heads = []
    for head in range(HEADS):
        scores = projected(query, "q", head) @ projected(key, "k", head).T / np.sqrt(EMBED // HEADS)
        patterns = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        heads.append(patterns @ projected(value, "v", head))
    out = attention.out_proj
    expected = np.hstack(heads) @ out.weight.detach().numpy().T + out.bias.detach().numpy()
    close(attention(*inputs(attention))[0][:, 0].detach(), torch.tensor(expected))


def _starts(share):
    """Where the free blocks of k and of v start."""
    sizes = [1 if name in share else HEADS for name in "qkv"]
    return [sizes[0], sizes[0] + sizes[1]]


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("options", [{}, {"kdim": 7, "vdim": 5}])
@pytest.mark.parametrize("share", SHARES)
def test_the_gradient_of_a_shared_projection_is_the_pooled_gradient_of_the_heads(share, options, need_weights):
    attention = layer(share, **options)
    untied = attention.to_multihead_attention()
    for each in (attention, untied):
        output, _ = each(*inputs(attention), need_weights=need_weights)
        output.sin().sum().backward()
    for name in attention.places:
        shared = getattr(attention, name)
        gradient = untied.get_parameter(name).grad.reshape(shared.tying.n_site, *shared.block)
        close(shared.theta.grad, shared.tying.pool(gradient))
    close(attention.out_proj.weight.grad, untied.out_proj.weight.grad)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("share", SHARES)
def test_from_an_untied_layer_takes_the_mean_of_the_heads_of_what_is_shared(share, options):
    torch.manual_seed(4)
    untied = nn.MultiheadAttention(EMBED, HEADS, dtype=torch.float64, dropout=0.2, **options).eval()
    attention = SharedValueAttention.from_multihead_attention(untied, share)
    found, given_ = attention.weights(), dict(untied.named_parameters())
    assert found.keys() == given_.keys()
    for name, weight in given_.items():
        held = "qkv" if name.startswith("in_proj") else name[0]
        for kind, block, expected in zip(held, found[name].chunk(len(held)), weight.chunk(len(held)), strict=False):
            if kind in share:
                mean = torch.stack(expected.chunk(HEADS)).mean(dim=0)
                expected = torch.cat([mean] * HEADS)
            close(block, expected, 1e-15)
    if not share:
        same(attention, untied, inputs(attention), **MASKS["both by head"]())
    assert (attention.dropout, attention.training, attention.batch_first) == (
        0.2,
        False,
        options.get("batch_first", False),
    )


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("share", SHARES)
def test_to_an_untied_layer_and_back_is_exact(share, options):
    attention = layer(share, dropout=0.1, **options).eval()
    untied = attention.to_multihead_attention()
    assert isinstance(untied, nn.MultiheadAttention)
    assert not untied.training
    back = SharedValueAttention.from_multihead_attention(untied, share)
    assert repr(back) == repr(attention)
    for name, value in attention.state_dict().items():
        close(back.state_dict()[name], value, 1e-15)


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("share", [(), ("v",), ("k", "v"), ("q", "k")])
def test_dropout_drops_the_same_weights_as_torch_and_only_in_training(share, need_weights):
    attention = layer(share, dropout=0.4)
    untied = attention.to_multihead_attention()
    found = []
    for each in (attention, untied):
        torch.manual_seed(5)
        found.append(each(*inputs(attention, seed=6), need_weights=need_weights)[0])
    close(*found)
    close(attention.eval()(*inputs(attention))[0], untied.eval()(*inputs(attention))[0])
    assert not torch.allclose(found[0], attention(*inputs(attention, seed=6))[0])


def test_values_shared_leave_three_and_one_head_s_quarters_of_the_weights():
    attention = SharedValueAttention(16, 4, bias=False)
    assert (count(attention).free, count(attention).sites, count(attention).rank) == (832, 1024, 832)
    assert sum(p.numel() for p in attention.parameters()) == 832
    assert sum(p.numel() for p in nn.MultiheadAttention(16, 4, bias=False).parameters()) == 1024
    assert count(SharedValueAttention(16, 4, bias=False, share=("k", "v"))).free == 640
    # One head's 4 biases in place of all 16.
    assert count(SharedValueAttention(16, 4)).free == 832 + 4 * 16 - 12


@pytest.mark.parametrize("need_weights", [True, False])
def test_shared_values_and_keys_are_kept_for_the_backward_pass_once_and_not_for_every_head(need_weights):
    def kept(share):
        attention = SharedValueAttention(256, 8, share=share)
        x = torch.randn(4, 64, 256, requires_grad=True)  # Four positions: scores are small.
        storages = {}

        def pack(tensor):
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            keep = attention(x, x, x, need_weights=need_weights)
        assert keep
        return sum(storages.values())

    features, weights = 4 * 4 * 64 * 256, 4 * 256 * 256
    saved = 7 / 8 * (features + weights)
    assert kept(()) - kept(("v",)) >= 0.99 * saved
    assert kept(()) - kept(("k", "v")) >= 2 * 0.99 * saved


def test_resetting_draws_the_numbers_of_a_new_layer_of_torch():
    for options in ({}, {"kdim": 5, "vdim": 6}, {"bias": False}):
        attention = SharedValueAttention(8, 2, share=(), **options)
        torch.manual_seed(11)
        attention.reset_parameters()
        torch.manual_seed(11)
        expected = dict(nn.MultiheadAttention(8, 2, **options).named_parameters())
        for name, weight in attention.weights().items():
            assert torch.equal(weight, expected[name])


def test_shared_projections_start_with_the_variance_of_untied_ones():
    torch.manual_seed(0)
    attention = SharedValueAttention(256, 4)
    q, k, v = attention.weights()["in_proj_weight"].chunk(3)
    for weight in (q, k, v):
        assert weight.var().item() == pytest.approx(2 / (4 * 256), rel=0.05)
    assert not attention.in_proj_bias().any()
    assert not attention.out_proj.bias.any()


def test_a_query_with_nothing_to_attend_to_gets_what_torch_gives_it():
    attention = layer()
    untied = attention.to_multihead_attention()
    mask = torch.zeros(TARGETS, SOURCES, dtype=torch.bool)
    mask[1] = True
    for need_weights in (True, False):
        found, expected = (
            each(*inputs(attention), attn_mask=mask, need_weights=need_weights)[0] for each in (attention, untied)
        )
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12, equal_nan=True)


def test_masks_of_two_kinds_add_up_without_a_warning():
    attention = layer()
    numbers = torch.zeros(TARGETS, SOURCES, dtype=torch.float64).masked_fill(pairs(), -torch.inf)
    found = attention(*inputs(attention), attn_mask=numbers, key_padding_mask=padding())[0]
    close(found, attention(*inputs(attention), **MASKS["both"]())[0])


def test_masks_are_not_repeated_for_heads_and_batches():
    shape = (BATCH, HEADS, TARGETS, SOURCES)
    assert additive_mask(None, None, shape, torch.float64) is None
    assert additive_mask(pairs(), None, shape, torch.float64).shape == (TARGETS, SOURCES)
    assert additive_mask(pairs(), padding(), shape, torch.float64).shape == (BATCH, 1, TARGETS, SOURCES)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_it_stands_in_transformer_layers_of_torch(batch_first, training):
    torch.manual_seed(0)
    options = {"dropout": 0.0, "batch_first": batch_first, "dtype": torch.float64}
    encoder = nn.TransformerEncoderLayer(EMBED, 2, 16, **options).train(training)
    decoder = nn.TransformerDecoderLayer(EMBED, 2, 16, **options).train(training)
    x, y = torch.randn(3, 3, EMBED, dtype=torch.float64), torch.randn(3, 3, EMBED, dtype=torch.float64)
    mask = nn.Transformer.generate_square_subsequent_mask(3, dtype=torch.float64)

    @torch.no_grad()
    def run():
        return decoder(y, encoder(x, mask, is_causal=True), tgt_mask=mask, tgt_is_causal=True)

    expected = run()
    # In evaluation torch runs its fused kernel on its own layer; it must not do so on ours.
    for place, name in ((encoder, "self_attn"), (decoder, "self_attn"), (decoder, "multihead_attn")):
        setattr(place, name, SharedValueAttention.from_multihead_attention(getattr(place, name), share=()))
    close(run(), expected)
    for place, name in ((encoder, "self_attn"), (decoder, "self_attn"), (decoder, "multihead_attn")):
        tied = SharedValueAttention.from_multihead_attention(getattr(place, name).to_multihead_attention())
        setattr(place, name, tied)
    found = run()
    assert not torch.allclose(found, expected)
    for place, name in ((encoder, "self_attn"), (decoder, "self_attn"), (decoder, "multihead_attn")):
        setattr(place, name, getattr(place, name).to_multihead_attention())
    close(run(), found)


def test_options_that_are_not_supported_are_refused():
    for option in ("add_bias_kv", "add_zero_attn"):
        with pytest.raises(TyingError, match="not supported: append the rows to key and value"):
            SharedValueAttention(8, 2, **{option: True})
        with pytest.raises(TyingError, match="not supported"):
            SharedValueAttention.from_multihead_attention(nn.MultiheadAttention(8, 2, **{option: True}))


def test_an_unknown_projection_is_refused_with_those_that_there_are():
    with pytest.raises(TyingError, match="no projection 'o' to share; there are 'q', 'k', 'v'"):
        SharedValueAttention(8, 2, share=("v", "o"))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [((8, 3), AssertionError, "divisible by num_heads"), ((0, 1), ValueError, "must be greater than 0")],
)
def test_arguments_are_refused_as_torch_refuses_them(arguments, error, message):
    for cls in (nn.MultiheadAttention, SharedValueAttention):
        with pytest.raises(error, match=message):
            cls(*arguments)


X = torch.zeros(4, 2, 8)


@pytest.mark.parametrize(
    ("given_", "masks", "message"),
    [
        ((X[0, 0], X[0, 0], X[0, 0]), {}, r"query has shape \(8,\), expected 8 features, and 3 axes or"),
        ((X, X[..., :5], X), {}, r"key has shape \(4, 2, 5\), expected 8 features"),
        ((X, X, X[:, 0]), {}, r"value has shape \(4, 8\), expected 8 features, and 3 axes or, all without a batch, 2"),
        ((X, X, X[:3]), {}, "key and value one length"),
        ((X, X[:, :1], X[:, :1]), {}, "all need one batch size"),
        ((X, X, X), {"attn_mask": X[:3, 0, :4] > 0}, r"attn_mask has shape \(3, 4\), expected \(4, 4\) or \(4, 4, 4\)"),
        ((X, X, X), {"attn_mask": torch.zeros(2, 4, 4)}, r"attn_mask has shape \(2, 4, 4\)"),
        ((X, X, X), {"attn_mask": torch.zeros(4, 4, dtype=torch.int64)}, "type torch.int64, expected bool or"),
        ((X, X, X), {"key_padding_mask": torch.zeros(4, 2)}, r"key_padding_mask has shape \(4, 2\), expected \(2, 4\)"),
        ((X, X, X), {"is_causal": True}, "give attn_mask as well"),
    ],
)
@pytest.mark.parametrize("need_weights", [True, False])
def test_inputs_that_do_not_fit_are_refused_as_torch_refuses_them_with_the_reason(given_, masks, message, need_weights):
    with pytest.raises(RuntimeError, match=message):
        SharedValueAttention(8, 2)(*given_, **masks, need_weights=need_weights)
    with pytest.raises((RuntimeError, AssertionError)):
        nn.MultiheadAttention(8, 2)(*given_, **masks, need_weights=need_weights)


def test_the_repr_shows_sizes_options_what_is_shared_and_counts():
    shown = repr(SharedValueAttention(8, 2, dropout=0.1, kdim=6, batch_first=True, share="vk"))
    assert "8, 2, dropout=0.1, kdim=6, batch_first=True, share=('k', 'v'), free=" in shown
    assert "(k_proj_weight): Shared((8, 6), free=24, sites=48, rank=24)" in shown


def test_a_tie_stays_one_in_training():
    attention = layer(("k", "v"))
    optimizer = torch.optim.AdamW(attention.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        attention(*inputs(attention))[0].square().sum().backward()
        optimizer.step()
    for weight in attention.weights()["in_proj_weight"].chunk(3)[1:]:
        first, *others = weight.chunk(HEADS)
        assert all(torch.equal(first, other) for other in others)
    same(attention, attention.to_multihead_attention(), inputs(attention))
