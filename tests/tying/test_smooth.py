"""The laws of smooth maps, each for every kind, and composing them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffshare.errors import TyingError
from ffshare.tying import Compose, Exp, LinearTying, LowRank

few = settings(max_examples=20)
seeds = st.integers(0, 10_000)


@few
@given(data=st.data(), seed=seeds)
def test_pool_is_the_transpose_of_the_jacobian(smooth_maps, data, seed):
    smooth, rng = data.draw(smooth_maps), np.random.default_rng(seed)
    theta, g = rng.normal(size=smooth.n_free), rng.normal(size=smooth.n_site)
    np.testing.assert_allclose(smooth.pool(g, theta), smooth.jacobian(theta).T @ g, rtol=1e-12, atol=1e-12)


@few
@given(data=st.data(), seed=seeds)
def test_the_jacobian_is_the_derivative(smooth_maps, data, seed):
    smooth, rng = data.draw(smooth_maps), np.random.default_rng(seed)
    theta, step = rng.normal(size=smooth.n_free), 1e-5
    jacobian = smooth.jacobian(theta).toarray()
    assert jacobian.shape == (smooth.n_site, smooth.n_free)
    for j, unit in enumerate(np.eye(smooth.n_free)):
        slope = (smooth.expand(theta + step * unit) - smooth.expand(theta - step * unit)) / (2 * step)
        np.testing.assert_allclose(jacobian[:, j], slope, rtol=1e-6, atol=1e-6)


@few
@given(data=st.data(), seed=seeds)
def test_what_was_expanded_is_tied_back(smooth_maps, data, seed):
    smooth = data.draw(smooth_maps)
    phi = smooth.expand(np.random.default_rng(seed).normal(size=smooth.n_free))
    assert phi.shape == (smooth.n_site,)
    np.testing.assert_allclose(smooth.expand(smooth.tie(phi)), phi, rtol=1e-9, atol=1e-9)


@few
@given(data=st.data(), seed=seeds)
def test_the_type_that_goes_in_comes_out(smooth_maps, data, seed):
    smooth, rng = data.draw(smooth_maps), np.random.default_rng(seed)
    theta, g = rng.normal(size=smooth.n_free).astype(np.float32), rng.normal(size=smooth.n_site).astype(np.float32)
    assert smooth.expand(theta).dtype == smooth.pool(g, theta).dtype == np.float32


def test_composing_multiplies_the_jacobians():
    tying, theta = LinearTying.groups([0, 0, 1]), np.array([0.5, -1.0])
    both = Compose(Exp(3), tying)
    np.testing.assert_allclose(
        both.jacobian(theta).toarray(), np.exp(tying.expand(theta))[:, None] * tying.matrix.toarray()
    )
    assert (both.n_free, both.n_site) == (2, 3)


def test_maps_that_do_not_fit_together_are_refused():
    with pytest.raises(TyingError, match="the outer map has 2 free parameters, but the inner one 3 sites"):
        Compose(Exp(2), LowRank(3, 1, 1))
