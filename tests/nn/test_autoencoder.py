"""The tied autoencoder: principal components as oracle, and the algebra of its tie."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn import count  # noqa: E402
from ffshare.nn.autoencoder import TiedAutoencoder, descend  # noqa: E402
from ffshare.tying import Compose, LinearTying, LowRank  # noqa: E402

few = settings(max_examples=20, deadline=None)
sizes = st.integers(1, 6)
seeds = st.integers(0, 1000)


def data(n=60, width=6, seed=0):
    """Centred, with falling variances in directions of no axis."""
    rng = np.random.default_rng(seed)
    turned = np.linalg.qr(rng.normal(size=(width, width)))[0]
    x = rng.normal(size=(n, width)) * 0.6 ** np.arange(width) @ turned
    return x - x.mean(axis=0)


def components(x, k):
    return np.linalg.svd(x, full_matrices=False)[2][:k]


def drawn(width, k, seed=0):
    torch.manual_seed(seed)
    return TiedAutoencoder(width, k, dtype=torch.float64)


def weight(model):
    return model.encoder.weight.detach().numpy()


@few
@given(width=sizes, k=sizes, seed=seeds)
def test_it_multiplies_by_the_weight_and_its_transpose(width, k, seed):
    model = drawn(width, k, seed)
    w, x = model.encoder.weight.detach(), torch.randn(3, 2, width, dtype=torch.float64)
    torch.testing.assert_close(model.encode(x), x @ w.mT)
    torch.testing.assert_close(model(x), x @ w.mT @ w)
    assert torch.equal(model(x), model.decode(model.encode(x)))


@few
@given(width=sizes, k=sizes, seed=seeds)
def test_its_tie_gives_decoder_and_encoder_and_their_product(width, k, seed):
    model = drawn(width, k, seed)
    w = weight(model)
    sites = model.tying.expand(w.ravel())
    np.testing.assert_array_equal(sites, np.concatenate((w.T.ravel(), w.ravel())))
    if k <= width:
        product = Compose(LowRank(width, width, k), model.tying).expand(w.ravel())
        np.testing.assert_allclose(product.reshape(width, width), w.T @ w, atol=1e-12)


@few
@given(width=sizes, k=sizes)
def test_half_of_its_sites_are_free(width, k):
    model = drawn(width, k)
    expected = f"free={k * width}, sites={2 * k * width}, rank={k * width}"
    assert repr(model.counts) == repr(count(model)) == model.extra_repr() == expected
    assert list(model.state_dict()) == [name for name, _ in model.named_parameters()] == ["encoder.shared.theta"]


@few
@given(width=sizes, k=sizes, seed=seeds)
def test_the_gradient_is_the_sum_of_both_places(width, k, seed):
    model = drawn(width, k, seed)
    x = torch.randn(5, width, dtype=torch.float64)
    encoder = model.encoder.weight.detach().clone().requires_grad_()
    decoder = model.encoder.weight.detach().mT.clone().requires_grad_()
    for output in (model(x), x @ encoder.mT @ decoder.mT):
        (output - x).square().sum().backward()
    both = np.concatenate((decoder.grad.numpy().ravel(), encoder.grad.numpy().ravel()))
    np.testing.assert_allclose(model.encoder.shared.theta.grad, model.tying.pool(both), rtol=1e-10, atol=1e-12)


@few
@given(width=sizes, data=st.data(), seed=seeds)
def test_the_untied_pair_is_known_up_to_a_matrix_and_the_tied_one_up_to_a_rotation(width, data, seed):
    k = data.draw(st.integers(1, width))
    w = weight(drawn(width, k, seed))
    low_rank = LowRank(width, width, k)
    factors = np.random.default_rng(seed).normal(size=low_rank.n_free)
    assert LinearTying.identity(low_rank.n_free).rank(low_rank.jacobian(factors), rtol=1e-9) == k * (2 * width - k)
    tying = drawn(width, k).tying
    assert tying.rank(low_rank.jacobian(tying.expand(w.ravel())), rtol=1e-9) == k * width - k * (k - 1) // 2


@pytest.mark.parametrize("k", [1, 2, 4])
def test_gradient_descent_finds_the_principal_components_and_an_orthonormal_weight(k):
    x = data()
    model = drawn(6, k)
    descent = model.fit(x)
    w, basis = weight(model), components(x, k)
    assert descent.converged
    np.testing.assert_allclose(w @ w.T, np.eye(k), atol=1e-6)
    np.testing.assert_allclose(w.T @ w, basis.T @ basis, atol=1e-6)
    best = ((x - x @ basis.T @ basis) ** 2).sum() / len(x)
    assert descent.loss == pytest.approx(best, rel=1e-10)
    assert descent.loss == min(descent.losses)
    assert descent.slope < 1e-6


def test_it_is_the_space_that_scikit_learn_finds():
    decomposition = pytest.importorskip("sklearn.decomposition")
    x = data(n=200, width=8, seed=3)
    model = drawn(8, 3)
    model.fit(x)
    found = decomposition.PCA(3).fit(x).components_
    np.testing.assert_allclose(weight(model).T @ weight(model), found.T @ found, atol=1e-6)


def test_the_descent_takes_no_decomposition(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a decomposition was taken")

    x = data()
    for module in (np.linalg, torch.linalg, torch):
        for name in ("svd", "eigh", "eig", "qr"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, refuse)
    model = drawn(6, 2)
    model.fit(x)
    monkeypatch.undo()
    np.testing.assert_allclose(weight(model).T @ weight(model), components(x, 2).T @ components(x, 2), atol=1e-6)


def test_two_free_matrices_reach_the_same_error_by_the_same_descent():
    x = data()
    torch.manual_seed(0)
    free = nn.Sequential(nn.Linear(6, 2, bias=False), nn.Linear(2, 6, bias=False)).double()
    assert descend(free, torch.as_tensor(x)).loss == pytest.approx(drawn(6, 2).fit(x).loss, rel=1e-6)
    w = free[0].weight.detach()
    assert (w @ w.mT - torch.eye(2, dtype=torch.float64)).abs().max() > 0.05


def test_a_layer_in_single_precision_stays_one():
    x = data()
    torch.manual_seed(0)
    model = TiedAutoencoder(6, 2)
    model.fit(x.astype(np.float32) - x.astype(np.float32).mean(axis=0))
    assert model.encoder.weight.dtype == torch.float32
    assert model(torch.zeros(1, 6)).dtype == torch.float32
    np.testing.assert_allclose(weight(model).T @ weight(model), components(x, 2).T @ components(x, 2), atol=1e-5)


def test_another_start_finds_the_same_space():
    x = data()
    model = drawn(6, 2)
    model.fit(x)
    before = weight(model).copy()
    model.reset_parameters()
    assert not np.array_equal(weight(model), before)
    model.fit(torch.as_tensor(x))
    np.testing.assert_allclose(weight(model).T @ weight(model), before.T @ before, atol=1e-6)


def test_data_that_cannot_be_written_to_are_taken_and_left_alone():
    x = data()
    x.flags.writeable = False
    assert drawn(6, 2).fit(x).loss == pytest.approx(drawn(6, 2).fit(torch.tensor(x)).loss)


def test_a_descent_cut_short_says_so():
    descent = drawn(6, 2).fit(data(), max_iter=2)
    assert not descent.converged
    assert descent.slope > 1e-4


def test_a_descent_leaves_frozen_parameters_alone():
    model = drawn(6, 2)
    layers = nn.Sequential(model.encoder, nn.Linear(2, 6, dtype=torch.float64))
    layers[0].requires_grad_(False)
    before = weight(model).copy()
    descend(layers, torch.as_tensor(data()), max_iter=5)
    assert np.array_equal(weight(model), before)


def test_a_trained_copy_is_tied_to_itself():
    model = drawn(6, 2)
    twin = copy.deepcopy(model)
    twin.fit(data())
    torch.testing.assert_close(twin.decoder.weight, twin.encoder.weight.mT)
    assert not torch.equal(twin.encoder.weight, model.encoder.weight)


def test_it_compiles_to_one_graph():
    torch._dynamo.reset()
    model, x = drawn(6, 2), torch.as_tensor(data())
    torch.testing.assert_close(torch.compile(model, fullgraph=True, backend="eager")(x), model(x))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((5, 3)), r"X has shape \(5, 3\), expected \(n, 6\)"),
        (np.zeros(6), r"X has shape \(6,\), expected \(n, 6\)"),
        (data() + 0.1, "X is not centred: subtract the mean of each column"),
    ],
)
def test_data_of_another_shape_or_not_centred_are_refused(x, message):
    with pytest.raises(TyingError, match=message):
        drawn(6, 2).fit(x)
