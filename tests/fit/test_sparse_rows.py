"""Rows of a sparse matrix are those that indexing gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from ffshare.fit.sparse_rows import rows_of


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.05, 0.5]))
def test_rows_are_those_of_the_dense_matrix(seed, density):
    rng = np.random.default_rng(seed)
    matrix = sparse.random_array((30, 12), density=density, format="csr", rng=rng)
    rows = rng.choice(30, size=9, replace=False)
    found, dense = rows_of(matrix, rows), matrix.toarray()[rows]
    np.testing.assert_array_equal(found.used, np.flatnonzero(dense.any(axis=1)))
    np.testing.assert_array_equal(found.columns, np.flatnonzero(dense.any(axis=0)))
    np.testing.assert_array_equal(found.values, dense[found.used][:, found.columns])


def test_a_parameter_that_a_row_holds_twice_counts_twice():
    matrix = sparse.csr_array((np.array([1.0, 2.0]), np.array([3, 3]), np.array([0, 0, 2])), shape=(2, 5))
    assert rows_of(matrix, np.array([1, 0])).values == pytest.approx(np.array([[3.0]]))
