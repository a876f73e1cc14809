"""Soft ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from ffshare.errors import TyingError
from ffshare.tying import LinearTying, laplacian


@st.composite
def graphs(draw):
    n_free = draw(st.integers(0, 7))
    edges = [(i, j) for i in range(n_free) for j in range(i)]
    edges = draw(st.lists(st.sampled_from(edges), unique=True)) if edges else []
    turned = [edge[::-1] if draw(st.booleans()) else edge for edge in edges]
    weights = draw(st.lists(st.integers(0, 8).map(lambda k: k / 4), min_size=len(edges), max_size=len(edges)))
    return n_free, turned, weights


@given(graph=graphs(), seed=st.integers(0, 100))
def test_each_edge_is_penalised_once(graph, seed):
    n_free, edges, weights = graph
    theta = np.random.default_rng(seed).normal(size=n_free)
    expected = sum(w * (theta[i] - theta[j]) ** 2 for (i, j), w in zip(edges, weights, strict=True))
    assert theta @ (laplacian(n_free, edges, weights) @ theta) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(graph=graphs())
def test_it_is_symmetric_and_a_constant_costs_nothing(graph):
    matrix = laplacian(*graph)
    assert sparse.issparse(matrix)
    assert matrix.format == "csr"
    assert matrix.shape == (graph[0], graph[0])
    np.testing.assert_array_equal(matrix.toarray(), matrix.toarray().T)
    np.testing.assert_array_equal(matrix @ np.ones(graph[0]), np.zeros(graph[0]))


@given(graph=graphs())
def test_it_is_the_pooled_hessian_of_the_differences(graph):
    n_free, edges, weights = graph
    differences = LinearTying.basis(LinearTying.increments(edges, n_site=n_free).matrix.T)
    np.testing.assert_allclose(
        differences.hessian(sparse.diags_array(np.array(weights), shape=(len(edges),) * 2)).toarray(),
        laplacian(n_free, edges, weights).toarray(),
        atol=1e-14,
    )


def test_weights_are_1_by_default():
    assert laplacian(2, [(1, 0)]).toarray().tolist() == [[1.0, -1.0], [-1.0, 1.0]]


def test_nothing_leaks_between_components():
    # Two chains; the data pull one of them only.
    matrix = laplacian(4, [(0, 1), (2, 3)], [1e6, 1e6]).toarray()
    fitted = np.linalg.solve(np.eye(4) + matrix, [1.0, 3.0, 0.0, 0.0])
    np.testing.assert_allclose(fitted[:2], [2.0, 2.0], rtol=1e-5)
    assert fitted[2:].tolist() == [0.0, 0.0]


def test_edges_of_no_weight_do_not_connect():
    assert laplacian(2, [(0, 1)], [0.0]).nnz == 0


@pytest.mark.parametrize(
    ("edges", "weights", "message"),
    [
        ([(0, 1), (2, 2)], None, r"edge 1, \(2, 2\), joins a parameter with itself"),
        ([(0, 1), (0, 1)], None, r"edge 1, \(0, 1\), is given twice"),
        ([(0, 1), (1, 2), (1, 0), (2, 1)], None, r"edge 2, \(1, 0\), is given twice .* \(1 more do\)"),
        ([(0, 3)], None, r"edge 0, \(0, 3\), leaves the range of the 3 parameters"),
        ([(-1, 0)], None, r"edge 0, \(-1, 0\), leaves the range"),
        ([(0, 1)], [-1.0], r"edge 0, \(0, 1\), has a weight that is negative or not finite"),
        ([(0, 1)], [np.nan], r"edge 0, \(0, 1\), has a weight that is negative or not finite"),
        ([(0, 1)], [1.0, 2.0], r"weights have shape \(2,\), expected \(1,\)"),
        ([(0, 1)], 2.0, r"weights have shape \(\), expected \(1,\)"),
        ([0, 1], None, r"edges have shape \(2,\), expected \(n_edges, 2\)"),
        ([(0.0, 1.0)], None, r"edges must be whole numbers, got float64"),
    ],
)
def test_graphs_that_are_not_simple_are_refused(edges, weights, message):
    with pytest.raises(TyingError, match=message):
        laplacian(3, edges, weights)
