"""Starting values: those of torch where nothing is shared, and sites of the same variance where something is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn import Shared, init  # noqa: E402
from ffshare.tying import Exp, LinearTying, LowRank  # noqa: E402
from tests.tying.conftest import CASES  # noqa: E402

FILLS = ("xavier_normal_", "xavier_uniform_", "kaiming_normal_", "kaiming_uniform_")
OPTIONS = {
    "xavier_normal_": ({}, {"gain": 1.7}),
    "xavier_uniform_": ({}, {"gain": 0.3}),
    "kaiming_normal_": ({}, {"a": 0.2, "mode": "fan_out"}, {"nonlinearity": "relu"}),
    "kaiming_uniform_": ({}, {"a": 5**0.5}, {"nonlinearity": "tanh", "mode": "fan_out"}),
}
shapes = st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple)
fills = pytest.mark.parametrize("fill", FILLS)


def drawn(fill, tying, shape, seed=0, dtype=torch.float64, **options):
    theta = torch.empty(tying.n_free, dtype=dtype)
    found = getattr(init, fill)(theta, tying, shape, generator=torch.Generator().manual_seed(seed), **options)
    assert found is theta
    return theta


@fills
@settings(max_examples=20)
@given(data=st.data(), shape=shapes, seed=st.integers(0, 1000), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_with_nothing_shared_the_numbers_are_those_of_torch(fill, data, shape, seed, dtype):
    options = data.draw(st.sampled_from(OPTIONS[fill]))
    theta = drawn(fill, LinearTying.identity(int(np.prod(shape))), shape, seed, dtype, **options)
    expected = torch.empty(shape, dtype=dtype)
    getattr(nn.init, fill)(expected, generator=torch.Generator().manual_seed(seed), **options)
    assert torch.equal(theta.reshape(shape), expected)


@given(shape=shapes)
def test_fans_are_those_of_torch(shape):
    assert init.fans(shape) == nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))


@fills
@pytest.mark.parametrize("times", [1, 3, 1024])
def test_how_often_a_kernel_is_used_changes_nothing(fill, times):
    tying = LinearTying.repeat(times, 12)
    named = {f"{t}": (3, 4) for t in range(times)}
    once = drawn(fill, LinearTying.identity(12), (3, 4))
    torch.testing.assert_close(drawn(fill, tying, named), once, rtol=1e-12, atol=0.0)


N_DRAWS = 800


def site_variances(fill, tying, shape):
    generator = torch.Generator().manual_seed(0)
    draws = [
        tying.expand(getattr(init, fill)(torch.empty(tying.n_free), tying, shape, generator=generator)).numpy()
        for _ in range(N_DRAWS)
    ]
    return np.var(draws, axis=0)


def orthonormal(n_site, n_free):
    return np.linalg.qr(np.random.default_rng(0).normal(size=(n_site, n_free)))[0]


EQUAL_ROWS = {
    "groups": LinearTying.groups(np.arange(16) % 3),
    "rotations": LinearTying.orbit((4, 4), [np.rot90]),
    "signed buckets": LinearTying.hashed(16, 5, signed=True),
    "neutral sites": LinearTying.neutral(np.arange(16) % 4),
    "shared plus deviation": LinearTying.shared_plus_deviation(np.arange(16) % 4),
    "an orthonormal basis": LinearTying.basis(orthonormal(16, 16)),
    "a scaled basis": LinearTying.basis(3.0 * orthonormal(16, 16)),
    "the same factor everywhere": LinearTying.index(np.arange(16) % 5, scale=np.full(16, 0.25)),
    "a constant beside it": LinearTying.groups(np.arange(16) % 5, offset=np.arange(16.0)),
}


@pytest.mark.parametrize("name", EQUAL_ROWS)
@pytest.mark.parametrize("fill", ["xavier_normal_", "kaiming_uniform_"])
def test_every_site_has_the_variance_of_its_fan(fill, name):
    wanted = {"xavier_normal_": 2 / 8, "kaiming_uniform_": 2 / 4}[fill]
    # Five standard errors of a variance of normal draws, √(2/n); that of uniform draws is smaller.
    np.testing.assert_allclose(
        site_variances(fill, EQUAL_ROWS[name], (4, 4)) / wanted, 1.0, atol=5 * (2 / N_DRAWS) ** 0.5
    )


def test_a_product_has_the_variance_of_its_fan_in_the_mean():
    found = site_variances("xavier_normal_", LowRank(4, 4, 2), (4, 4))
    assert found.mean() / (2 / 8) == pytest.approx(1.0, abs=0.1)


@settings(max_examples=40)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_variances_of_the_sites_add_up_to_what_is_wanted(data, seed):
    tying = data.draw(st.one_of(*CASES.values()))
    wanted = np.random.default_rng(seed).uniform(0.5, 2.0, tying.n_site)
    squares = (tying.matrix**2).toarray()
    variances = init.standard_deviations(tying, wanted) ** 2
    moves = squares.any(axis=1)
    np.testing.assert_allclose((squares @ variances).sum(), wanted[moves].sum(), rtol=1e-9)
    np.testing.assert_array_equal(variances > 0, tying.is_seen)


def test_a_parameter_of_places_with_different_fans_is_drawn_between_them():
    both = {"wide": (2, 8), "narrow": (8, 2)}
    theta = torch.empty(16)
    tying = LinearTying.repeat(2, 16)
    variances = init.standard_deviations(tying, np.repeat([1 / 8, 1 / 2], 16)) ** 2
    np.testing.assert_allclose(variances, (1 / 8 + 1 / 2) / 2)
    init.kaiming_normal_(theta, tying, both, nonlinearity="linear")
    assert theta.all()


@fills
def test_biases_start_at_zero_beside_weights(fill):
    theta = drawn(fill, LinearTying.identity(8), {"weight": (2, 3), "bias": (2,)})
    assert theta[:6].all()
    assert not theta[6:].any()


@fills
def test_blocks_are_drawn_as_their_sites_would_be(fill):
    whole = drawn(fill, LinearTying.identity(8), (4, 2))
    theta = torch.empty(4, 2, dtype=torch.float64)
    getattr(init, fill)(theta, LinearTying.identity(4), (4, 2), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(theta.reshape(-1), whole, rtol=1e-12, atol=0.0)


@fills
def test_a_parameter_without_a_site_starts_at_zero(fill):
    assert drawn(fill, LinearTying.groups([0] * 4, keys=range(2)), (2, 2))[1] == 0.0


@fills
def test_averaged_draws_are_too_small_by_the_multiplicity(fill):
    times, n = 16, 4096
    tying = LinearTying.groups(np.arange(n * times) % n)
    shape = (n, times)
    site_draws = drawn(fill, LinearTying.identity(n * times), shape)
    averaged = torch.from_numpy(tying.tie(site_draws.numpy()))
    ratio = float(averaged.var() / drawn(fill, tying, shape).var())
    assert ratio * times == pytest.approx(1.0, abs=0.15)


@fills
def test_tensors_without_memory_or_entries_are_left_alone(fill):
    assert getattr(init, fill)(torch.empty(4, device="meta"), LinearTying.identity(4), (2, 2)).is_meta
    assert drawn(fill, LinearTying.identity(0), (0, 3)).shape == (0,)


def test_gradients_do_not_see_the_drawing():
    theta = nn.Parameter(torch.empty(4))
    init.xavier_normal_(theta, LinearTying.repeat(2, 4), {"a": (2, 2), "b": (2, 2)})
    assert theta.is_leaf
    assert theta.grad_fn is None


def test_a_shared_matrix_starts_as_a_linear_layer_of_its_shape():
    torch.manual_seed(3)
    weight = Shared(LinearTying.identity(12), (3, 4))()
    torch.manual_seed(3)
    assert torch.equal(weight, nn.Linear(4, 3).weight)


@fills
def test_a_shape_without_a_fan_is_refused(fill):
    for tying, shape in ((LinearTying.identity(4), (4,)), (LinearTying.repeat(2, 2), {"u": (2,), "v": (2,)})):
        with pytest.raises(TyingError, match=r"has no fan: give the shape of the sites, not that of θ"):
            drawn(fill, tying, shape)


@fills
def test_shapes_that_do_not_hold_the_sites_are_refused(fill):
    with pytest.raises(
        TyingError, match=r"sites of shape \(2, 3\) do not fit a tying of 2 free parameters and 4 sites"
    ):
        drawn(fill, LinearTying.repeat(2, 2), (2, 3))
    with pytest.raises(TyingError, match=r"θ of shape \(4,\) .* do not fit"):
        getattr(init, fill)(torch.empty(4), LinearTying.repeat(2, 2), (2, 2))
    with pytest.raises(TyingError, match=r"θ of shape \(2, 2\) .* do not fit"):
        getattr(init, fill)(torch.empty(2, 2), LinearTying.identity(2), {"half a block": (1, 1), "the rest": (3, 1)})


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(TyingError, match="no rule to draw the parameters of Exp: set theta"):
        drawn("xavier_normal_", Exp(4), (2, 2))
    with pytest.raises(TyingError, match="mode is 'fan', expected 'fan_in' or 'fan_out'"):
        drawn("kaiming_normal_", LinearTying.identity(4), (2, 2), mode="fan")
