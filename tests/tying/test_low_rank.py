"""Matrices of low rank."""

import numpy as np
import pytest

from ffshare.errors import TyingError
from ffshare.tying import LinearTying, LowRank


@pytest.mark.parametrize(("h", "rank"), [(2, 96), (5, 225)])
def test_only_the_rank_of_the_jacobian_is_identifiable(h, rank):
    low_rank = LowRank(30, 20, h)
    theta = np.random.default_rng(h).normal(size=low_rank.n_free)
    assert low_rank.n_free == 50 * h
    assert LinearTying.identity(low_rank.n_free).rank(low_rank.jacobian(theta)) == rank == h * (30 + 20 - h)


def test_tying_leaves_the_tail_of_the_spectrum():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(6, 4))
    tail = np.linalg.svd(matrix, compute_uv=False)[2:]
    low_rank = LowRank(6, 4, 2)
    for given in (matrix, matrix.ravel()):
        closest = low_rank.expand(low_rank.tie(given)).reshape(6, 4)
        assert np.sum((closest - matrix) ** 2) == pytest.approx(np.sum(tail**2), rel=1e-12)


def test_factors_are_balanced():
    low_rank = LowRank(6, 4, 2)
    u, v = low_rank.factors(low_rank.tie(np.random.default_rng(0).normal(size=(6, 4))))
    np.testing.assert_allclose(u.T @ u, v @ v.T, atol=1e-12)


@pytest.mark.parametrize("h", [0, 3])
def test_a_rank_that_no_such_matrix_has_is_refused(h):
    with pytest.raises(TyingError, match=rf"rank h is {h}, expected 1 to 2 for a 3 × 2 matrix"):
        LowRank(3, 2, h)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t.expand(np.ones(4)), r"theta has shape \(4,\), expected \(5,\)"),
        (lambda t: t.expand(np.ones((5, 2))), r"theta has shape \(5, 2\), expected \(5,\)"),
        (lambda t: t.pool(np.ones(5), np.ones(5)), r"grad_phi has shape \(5,\), expected \(6,\)"),
        (lambda t: t.tie(np.ones((2, 2))), r"phi has shape \(4,\), expected \(6,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(call, message):
    with pytest.raises(TyingError, match=message):
        call(LowRank(3, 2, 1))
