"""Rank, null space and least squares by blocks, against the dense routines of NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from ffshare.tying import blocks


@st.composite
def matrices(draw):
    """Small whole-number matrices with many zeros, so that they fall apart and are rank deficient."""
    shape = draw(st.tuples(st.integers(0, 7), st.integers(0, 7)))
    entries = st.sampled_from([0, 0, 0, 0, 1, -1, 2])
    n = shape[0] * shape[1]
    return np.array(draw(st.lists(entries, min_size=n, max_size=n)), dtype=float).reshape(shape)


@given(dense=matrices(), by_block=st.booleans())
def test_rank_and_null_space_are_the_dense_ones(dense, by_block):
    matrix = sparse.csr_array(dense)
    rank = blocks.rank(matrix, 1e-12, by_block=by_block)
    assert rank == (np.linalg.matrix_rank(dense) if dense.size else 0)
    null = blocks.null_space(matrix, 1e-12, by_block=by_block).toarray()
    assert null.shape == (dense.shape[1], dense.shape[1] - rank)
    np.testing.assert_allclose(dense @ null, 0, atol=1e-12)
    np.testing.assert_allclose(null.T @ null, np.eye(null.shape[1]), atol=1e-12)


@given(dense=matrices(), seed=st.integers(0, 100))
def test_least_squares_is_the_pseudoinverse(dense, seed):
    values = np.random.default_rng(seed).normal(size=(dense.shape[0], 2))
    expected = np.linalg.pinv(dense) @ values if dense.size else np.zeros((dense.shape[1], 2))
    np.testing.assert_allclose(blocks.least_squares(sparse.csr_array(dense), values, 1e-12), expected, atol=1e-10)


@given(dense=matrices())
def test_the_blocks_hold_the_matrix(dense):
    rebuilt = np.zeros_like(dense)
    for stack in blocks.stacks(sparse.csr_array(dense)):
        rebuilt[stack.rows[:, :, None], stack.columns[:, None, :]] += stack.values
    np.testing.assert_array_equal(rebuilt, dense)


@given(dense=matrices(), repeats=st.integers(2, 4), seed=st.integers(0, 100))
def test_distinct_rows_are_all_different_and_make_the_matrix(dense, repeats, seed):
    tall = np.random.default_rng(seed).permutation(np.tile(dense, (repeats, 1)))
    distinct, member = blocks.distinct_rows(sparse.csr_array(tall))
    np.testing.assert_array_equal(distinct.toarray()[member], tall)
    if tall.shape[0] > tall.shape[1]:
        assert len(np.unique(distinct.toarray(), axis=0)) == distinct.shape[0]


def test_a_row_that_begins_another_is_not_the_same():
    tall = np.array([[1.0, 0.0], [1.0, 2.0], [1.0, 0.0], [0.0, 1.0]])
    assert blocks.distinct_rows(sparse.csr_array(tall))[0].shape == (3, 2)


def test_each_molecule_is_a_block_and_blocks_of_one_shape_are_stacked():
    matrix = sparse.csr_array(sparse.block_diag([np.ones((2, 3)), np.ones((1, 1)), np.ones((2, 3))]))
    assert sorted(stack.values.shape for stack in blocks.stacks(matrix)) == [(1, 1, 1), (2, 2, 3)]


def test_a_small_block_counts_by_itself_and_vanishes_beside_a_large_one():
    matrix = sparse.csr_array(np.diag([1.0, 1e-20]))
    assert blocks.rank(matrix, 1e-12, by_block=True) == 2
    assert blocks.rank(matrix, 1e-12, by_block=False) == 1
    assert blocks.null_space(matrix, 1e-12, by_block=False).toarray().tolist() == [[0.0], [1.0]]


def test_a_large_matrix_is_never_dense():
    n = 200_000
    chain = sparse.diags_array([np.ones(n), np.tile([-1.0, 0.0], n // 2)[:-1]], offsets=[0, 1])
    matrix = sparse.csr_array(chain)
    matrix.eliminate_zeros()
    assert blocks.rank(matrix, 1e-12, by_block=True) == n


def test_the_default_tolerance_follows_the_precision():
    assert blocks.default_rtol((10, 20), np.dtype(np.float32)) == pytest.approx(20 * 2.0**-23)
