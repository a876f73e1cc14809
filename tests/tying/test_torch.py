"""The same code on torch tensors: equal to NumPy, differentiable, and exact where half precision would not be."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffshare.errors import TyingError
from ffshare.tying import Compose, Exp, LinearTying, LowRank, Softplus, multiply_accumulate, segment_sum

torch = pytest.importorskip("torch")

few = settings(max_examples=12)
seeds = st.integers(0, 10_000)


def normal(seed, n, dtype=None):
    values = torch.from_numpy(np.random.default_rng(seed).normal(size=n))
    return values.to(dtype or torch.float64)


@few
@given(data=st.data(), seed=seeds)
def test_tensors_and_arrays_give_the_same(ties, data, seed):
    tying = data.draw(ties)
    theta, g = normal(seed, tying.n_free), normal(seed + 1, tying.n_site)
    phi = tying.expand(theta)
    assert isinstance(phi, torch.Tensor)
    if tying.rows is None:
        np.testing.assert_array_equal(phi.numpy(), tying.expand(theta.numpy()))
    np.testing.assert_allclose(phi.numpy(), tying.expand(theta.numpy()), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(tying.pool(g).numpy(), tying.pool(g.numpy()), rtol=1e-12, atol=1e-12)


@few
@given(data=st.data(), seed=seeds)
def test_pool_is_what_automatic_differentiation_finds(ties, data, seed):
    tying = data.draw(ties)
    theta, g = normal(seed, tying.n_free).requires_grad_(), normal(seed + 1, tying.n_site)
    (gradient,) = torch.autograd.grad(tying.expand(theta) @ g, theta, allow_unused=True, materialize_grads=True)
    np.testing.assert_allclose(gradient.numpy(), tying.pool(g).numpy(), rtol=1e-12, atol=1e-12)
    at_sites = g.requires_grad_()
    weights = normal(seed + 2, tying.n_free)
    (gradient,) = torch.autograd.grad(
        tying.pool(at_sites) @ weights, at_sites, allow_unused=True, materialize_grads=True
    )
    expected = tying.expand(weights) - torch.from_numpy(tying.dense_offset.copy())
    np.testing.assert_allclose(gradient.numpy(), expected.numpy(), rtol=1e-12, atol=1e-12)


@few
@given(data=st.data(), seed=seeds, dtype=st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]))
def test_the_type_and_the_further_axes_are_kept(ties, data, seed, dtype):
    tying = data.draw(ties)
    assert tying.expand(normal(seed, (tying.n_free, 2), dtype)).dtype == dtype
    pooled = tying.pool(normal(seed, (tying.n_site, 2, 3), dtype))
    assert (pooled.dtype, pooled.shape) == (dtype, (tying.n_free, 2, 3))


@few
@given(data=st.data(), seed=seeds)
def test_further_axes_are_columns_each_for_itself(ties, data, seed):
    tying = data.draw(ties)
    theta = normal(seed, (tying.n_free, 3))
    columns = torch.stack([tying.expand(theta[:, k]) for k in range(3)], dim=1)
    torch.testing.assert_close(tying.expand(theta), columns, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(torch.func.vmap(tying.expand, in_dims=1, out_dims=1)(theta), columns)


@pytest.mark.parametrize(
    "smooth",
    [
        LinearTying.groups([0, -1, 1, 0], offset=[0.0, 1.0, 2.0, 3.0]),
        LinearTying.neutral([0, 0, 0, 1, 1]),
        Exp(3),
        Softplus(3),
        LowRank(3, 2, 2),
        Compose(Exp(4), LinearTying.groups([0, 1, 1, 0])),
    ],
    ids=repr,
)
# Torch's own: forward mode loads code that warns of itself.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_maps_are_differentiable_twice_and_forward(smooth):
    theta = normal(0, smooth.n_free).requires_grad_()
    assert torch.autograd.gradcheck(smooth.expand, (theta,), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(smooth.expand, (theta,))
    g = normal(1, smooth.n_site)
    (gradient,) = torch.autograd.grad(smooth.expand(theta) @ g, theta)
    pooled = smooth.pool(g, theta.detach())
    torch.testing.assert_close(gradient, pooled, rtol=1e-12, atol=1e-12)
    at = theta.detach().numpy()
    np.testing.assert_allclose(smooth.pool(g.numpy(), at), pooled.numpy(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(smooth.expand(at), smooth.expand(theta).detach().numpy(), rtol=1e-12, atol=1e-12)


def test_softplus_has_its_slope_at_zero():
    theta = torch.zeros(1, requires_grad=True)
    Softplus(1).expand(theta).sum().backward()
    assert theta.grad.tolist() == [0.5]


def test_half_precision_is_pooled_in_single():
    for dtype in (torch.float16, torch.bfloat16):
        pooled = LinearTying.repeat(100_000).pool(torch.full((100_000,), 2.0**-6, dtype=dtype))
        assert pooled.dtype == dtype
        assert float(pooled) == pytest.approx(100_000 * 2.0**-6, rel=2.0**-8)


def test_index_tensors_are_taken_as_they_are():
    tying = LinearTying.index([1, 0, 1], scale=[1.0, 2.0, 3.0])
    theta = normal(0, 2)
    free, coef = torch.tensor(tying.free), torch.tensor(tying.coef)
    assert torch.equal(multiply_accumulate(None, free, coef, theta, 3), tying.expand(theta))
    assert torch.equal(segment_sum(theta, torch.tensor([1, 1]), 2), torch.stack((theta.new_zeros(()), theta.sum())))


def test_a_parameter_of_a_module_is_a_tensor():
    parameter = torch.nn.Parameter(torch.ones(2))
    assert LinearTying.groups([0, 1, 1]).expand(parameter).grad_fn is not None


def test_a_fixed_tying_can_be_traced_to_one_graph():
    for tying in (LinearTying.groups([0, 1, 1]), LinearTying.neutral([0, 0])):
        traced = torch.compile(tying.expand, backend="eager", fullgraph=True)
        theta = normal(0, tying.n_free)
        torch.testing.assert_close(traced(theta), tying.expand(theta))


def test_read_only_indices_raise_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LinearTying.index([0, 0], scale=[1.0, 2.0], offset=[1.0, 1.0]).expand(torch.ones(1))


def test_tensors_that_do_not_fit_are_refused():
    with pytest.raises(TyingError, match=r"theta has shape \(3,\), expected \(2, ...\)"):
        LinearTying.identity(2).expand(torch.ones(3))
    with pytest.raises(TyingError, match=r"pass phi.detach\(\).cpu\(\).numpy\(\)"):
        LinearTying.identity(2).tie(torch.ones(2))
