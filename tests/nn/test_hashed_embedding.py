"""Hashed embeddings against `torch.nn.Embedding`, and that they read only the rows asked for."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn.hashed_embedding import HashedEmbedding  # noqa: E402
from ffshare.tying import buckets, signs  # noqa: E402

few = settings(max_examples=15, deadline=None)
options = st.fixed_dictionaries(
    {
        "compression": st.sampled_from([0.05, 0.3, 1.0, 2.0]),
        "seed": st.integers(0, 100),
        "signed": st.booleans(),
        "balanced": st.booleans(),
        "chunk": st.sampled_from([1, 2, 3, 6]),
    }
)
padding = st.sampled_from([None, 0, 4, -1])


@few
@given(options=options, padding=padding, ids=st.lists(st.integers(0, 6), max_size=9))
def test_it_is_a_plain_embedding_with_pooled_gradients(options, padding, ids):
    torch.manual_seed(options["seed"])
    layer = HashedEmbedding(7, 6, padding, dtype=torch.float64, **options)
    plain, chosen = layer.to_embedding(), torch.tensor(ids, dtype=torch.int64)
    assert plain.padding_idx == layer.padding_idx
    for x in (chosen, chosen.int(), chosen.reshape(1, -1), *chosen[:1].unbind()):
        assert torch.equal(layer(x), plain(x))
    layer(chosen).square().sum().backward()
    plain(chosen).square().sum().backward()
    shared, gradient = layer.shared, torch.zeros(7, 6) if plain.weight.grad is None else plain.weight.grad
    pooled = shared.tying.pool(gradient.numpy().reshape(-1, *shared.block))
    np.testing.assert_allclose(shared.theta.grad.numpy(), pooled, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("chunk", [1, 4])
def test_a_chunk_is_the_signed_block_of_its_bucket(chunk):
    layer = HashedEmbedding(5, 8, dtype=torch.float64, compression=0.3, seed=11, chunk=chunk)
    theta, sites = layer.shared.theta.detach().numpy(), np.arange(40 // chunk)
    assert theta.shape == ((12,) if chunk == 1 else (3, 4))
    expected = np.concatenate(
        [signs([site], 11)[0] * np.atleast_1d(theta[buckets([site], len(theta), 11)[0]]) for site in sites]
    )
    np.testing.assert_array_equal(layer.weight.detach().numpy(), expected.reshape(5, 8))


@few
@given(options=options, padding=padding)
def test_the_closest_hashed_embedding_holds_the_averages_of_its_buckets(options, padding):
    torch.manual_seed(options["seed"])
    plain = nn.Embedding(7, 6, padding, dtype=torch.float64)
    layer = HashedEmbedding.from_embedding(plain, **options)
    tying, chunk = layer.shared.tying, options["chunk"]
    rows = plain.weight.detach().numpy().reshape(-1, chunk)
    sign = np.ones(len(rows)) if tying.coef is None else tying.coef
    for bucket, theta in enumerate(layer.shared.theta.detach().numpy().reshape(-1, chunk)):
        members = (sign[:, None] * rows)[(tying.free == bucket) & (sign != 0)]
        np.testing.assert_allclose(theta, members.mean(axis=0) if len(members) else 0.0, atol=1e-15)
    if options["balanced"] and options["compression"] == 1.0:
        assert torch.equal(layer.weight, plain.weight)


@pytest.mark.parametrize("signed", [True, False])
def test_the_padding_row_is_zero_and_stays_so(signed):
    layer = HashedEmbedding(10, 8, padding_idx=-3, signed=signed, compression=0.1, chunk=2)
    assert layer.padding_idx == 7
    assert not layer.weight[7].any()
    layer(torch.tensor([7, 7])).sum().backward()
    assert not layer.shared.theta.grad.any()
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    layer(torch.arange(10)).sum().backward()
    optimizer.step()
    assert not layer(torch.tensor(7)).any()
    assert layer(torch.tensor(6)).any()


def test_only_the_rows_asked_for_are_made(monkeypatch):
    layer = HashedEmbedding(1000, 64)
    expected = layer.weight[[5, 999]]
    monkeypatch.setattr(type(layer.shared), "forward", lambda *_: pytest.fail("made the whole table"))
    assert torch.equal(layer(torch.tensor([5, 999])), expected)


def test_the_index_takes_less_room_than_the_table():
    layer = HashedEmbedding(1000, 64)
    index = sum(buffer.numel() * buffer.element_size() for buffer in layer.buffers())
    assert index < 0.1 * 1000 * 64 * 4


def test_as_many_buckets_as_chunks_in_their_order_are_a_plain_table():
    layer = HashedEmbedding(1, 8, compression=1, chunk=8, signed=False)
    assert layer.shared.free is None
    assert torch.equal(layer(torch.tensor([0, 0])), layer.weight.expand(2, 8))


def test_rows_start_as_those_of_a_plain_embedding():
    torch.manual_seed(0)
    layer = HashedEmbedding(2000, 64, compression=1 / 4)
    weight = layer.weight.detach()
    assert float(weight.mean()) == pytest.approx(0.0, abs=0.02)
    # The variance of the variance of n normal draws is 2 / n.
    assert float(weight.var()) == pytest.approx(1.0, rel=5 * math.sqrt(2 / layer.shared.counts.rank) + 0.01)


def test_it_learns_rows_that_share():
    torch.manual_seed(0)
    layer = HashedEmbedding(20, 8, compression=1 / 2)
    target = HashedEmbedding(20, 8, compression=1 / 2).weight.detach()
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        functional.mse_loss(layer(torch.arange(20)), target).backward()
        optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), target, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("row", [-1, 10])
def test_a_row_that_is_not_there_is_an_error(row):
    with pytest.raises(IndexError):
        HashedEmbedding(10, 4)(torch.tensor([row]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_norm": 1.0}, r"rows that share parameters cannot have max_norm, which treats each row on its own"),
        ({"scale_grad_by_freq": True, "sparse": True}, r"cannot have scale_grad_by_freq or sparse"),
        ({"padding_idx": 10}, r"padding_idx is 10, but there are 10 rows"),
        ({"chunk": 3}, r"chunk is 3, expected a divisor of embedding_dim, which is 4"),
        ({"chunk": 0}, r"chunk is 0, expected a divisor"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(TyingError, match=message):
        HashedEmbedding(10, 4, **arguments)


def test_an_embedding_with_such_an_option_is_refused():
    with pytest.raises(TyingError, match="cannot have max_norm"):
        HashedEmbedding.from_embedding(nn.Embedding(10, 4, max_norm=1.0))
    plain = nn.Embedding(10, 4, padding_idx=0)
    with torch.no_grad():
        plain.weight[0] = 1.0
    with pytest.raises(TyingError, match="row 0 is for padding but not zero"):
        HashedEmbedding.from_embedding(plain)


def test_its_text_names_arguments_and_counts():
    text = HashedEmbedding(100, 64, 3, compression=1 / 8).extra_repr()
    assert text.startswith("100, 64, padding_idx=3, chunk=32, compression=0.125")
    assert "free=800, sites=6,400, rank=800" in text
