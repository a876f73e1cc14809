"""Constructors of ties that combine parameters with signs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ffshare.errors import TyingError
from ffshare.tying import LinearTying


@st.composite
def bonds(draw):
    n_site = draw(st.integers(2, 8))
    pair = st.tuples(st.integers(0, n_site - 1), st.integers(0, n_site - 1)).filter(lambda ends: ends[0] != ends[1])
    return n_site, draw(st.lists(pair, max_size=12))


@given(graph=bonds(), seed=st.integers(0, 100))
def test_increments_conserve_charge(graph, seed):
    n_site, pairs = graph
    tying = LinearTying.increments(pairs, n_site=n_site)
    assert tying.expand(np.random.default_rng(seed).normal(size=len(pairs))).sum() == pytest.approx(0, abs=1e-12)


@given(graph=bonds())
def test_the_rank_of_increments_is_sites_less_connected_parts(graph):
    n_site, pairs = graph
    adjacency = np.zeros((n_site, n_site))
    for a, b in pairs:
        adjacency[a, b] = 1
    n_parts = connected_components(sparse.csr_array(adjacency), directed=False)[0]
    assert LinearTying.increments(pairs, n_site=n_site).rank() == n_site - n_parts


def test_bond_charge_increments_are_shared_by_type():
    # Methanol's heavy atoms and hydroxyl hydrogen: C-O, O-H, and three C-H of one type.
    pairs = [(0, 1), (1, 2), (0, 3), (0, 4), (0, 5)]
    charges = LinearTying.increments(pairs) @ LinearTying.groups(["C-O", "O-H", "C-H", "C-H", "C-H"])
    assert charges.keys == ("C-O", "O-H", "C-H")
    np.testing.assert_allclose(
        charges.expand([0.2, -0.4, -0.05]), [0.2 - 0.15, -0.2 - 0.4, 0.4, 0.05, 0.05, 0.05], rtol=1e-14
    )
    assert charges.rank() == 3


def test_several_increments_may_join_the_same_sites():
    tying = LinearTying.increments([(0, 1), (1, 0), (0, 1)])
    assert (tying.rank(), tying.expand([1.0, 1.0, 1.0]).tolist()) == (1, [1.0, -1.0])


@given(labels=st.lists(st.integers(-1, 3), max_size=10), seed=st.integers(0, 100))
def test_groups_have_their_totals_and_lose_one_rank_each(labels, seed):
    rng = np.random.default_rng(seed)
    total = rng.normal(size=max(labels, default=-1) + 1)
    tying = LinearTying.neutral(labels, total=total)
    theta = rng.normal(size=tying.n_free)
    phi = tying.expand(theta)
    for group in set(labels) - {-1}:
        members = [i for i, label in enumerate(labels) if label == group]
        assert phi[members].sum() == pytest.approx(total[group], abs=1e-12)
        own = theta[[list(tying.keys).index(i) for i in members]]
        np.testing.assert_allclose(phi[members], own - own.mean() + total[group] / len(members), atol=1e-12)
    assert not phi[[i for i, label in enumerate(labels) if label == -1]].any()
    assert tying.rank() == tying.n_free - len(set(labels) - {-1})


def test_neutral_parameters_are_named_by_their_sites():
    assert LinearTying.neutral([0, None, 0]).keys == (0, 2)
    assert LinearTying.neutral(["ion"]).unseen() == (0,)


def test_the_closest_neutral_charges_spread_the_excess_evenly():
    tying = LinearTying.neutral(["a", "a", "b", "b"], total=[0.0, 1.0])
    np.testing.assert_allclose(tying.expand(tying.tie([0.5, -0.3, 0.6, 0.6])), [0.4, -0.4, 0.5, 0.5], rtol=1e-12)


@given(labels=st.lists(st.none() | st.sampled_from("abc"), max_size=8))
def test_shared_plus_deviation_has_the_rank_of_its_labels(labels):
    tying = LinearTying.shared_plus_deviation(labels)
    n_labels = len(set(labels) - {None})
    assert (tying.n_free, tying.rank()) == (n_labels + 1, n_labels)


def test_shared_plus_deviation_names_the_direction_that_nothing_settles():
    tying = LinearTying.shared_plus_deviation(["a", "b", "b"], keys=["a", "b", "c"])
    assert tying.keys == ("shared", ("deviation", "a"), ("deviation", "b"), ("deviation", "c"))
    assert tying.unseen() == (("deviation", "c"),)
    null = tying.nullspace().toarray()
    expected = np.array([[1, -1, -1, 0], [0, 0, 0, 1]]).T
    np.testing.assert_allclose(null @ null.T, expected @ np.diag([1 / 3, 1]) @ expected.T, atol=1e-14)


def test_dense_and_sparse_bases_are_the_same():
    matrix = np.array([[1.0, 0.0], [0.5, 2.0], [0.0, 0.0]])
    for basis in (matrix, matrix.tolist(), sparse.csc_array(matrix), sparse.coo_matrix(matrix)):
        tying = LinearTying.basis(basis)
        np.testing.assert_array_equal(tying.matrix.toarray(), matrix)
        assert tying.nnz == 3


def test_a_basis_is_not_changed():
    matrix = sparse.csr_array(([1.0, 2.0, 0.0], [1, 0, 1], [0, 2, 3]), shape=(2, 2))
    LinearTying.basis(matrix)
    assert (matrix.nnz, matrix.indices.tolist()) == (3, [1, 0, 1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearTying.basis([1.0, 2.0]), r"basis has shape \(2,\), expected \(n_site, n_free\)"),
        (lambda: LinearTying.basis([[np.nan]]), r"coef holds a value that is not finite"),
        (lambda: LinearTying.basis(np.eye(2), keys=["a"]), r"got 1 keys, expected 2"),
        (lambda: LinearTying.increments([(0, 1), (2, 2)]), r"pair 1 joins site 2 with itself"),
        (lambda: LinearTying.increments([0, 1]), r"pairs have shape \(2,\), expected \(n_free, 2\)"),
        (lambda: LinearTying.increments([(0, 3)], n_site=2), r"site runs from 0 to 3, expected 0 to 1"),
        (lambda: LinearTying.increments([(0, 1.5)]), r"pairs must be whole numbers, got float64"),
        (lambda: LinearTying.increments([(0, -1)]), r"site runs from -1 to 0"),
        (lambda: LinearTying.neutral([0, 0], total=[1.0, 2.0]), r"total has shape \(2,\), expected \(1,\)"),
    ],
)
def test_what_cannot_be_tied_is_refused(make, message):
    with pytest.raises(TyingError, match=message):
        make()
