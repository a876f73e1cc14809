"""Rows of a sparse matrix as a small dense one, as the ties of one molecule are needed."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray


class DenseRows(NamedTuple):
    """Some rows of a sparse matrix, without the rows and columns that are empty."""

    used: IntArray
    """The rows that are not empty, by their place among those asked for, shape=(n_used,)."""
    columns: IntArray
    """The columns that are not empty, ascending, shape=(n_free,)."""
    values: FloatArray
    """shape=(n_used, n_free)."""


def rows_of(matrix: sparse.csr_array, rows: IntArray) -> DenseRows:
    """Some rows of a sparse matrix that has few numbers in each, much faster than by indexing it.

    Args:
        matrix: The matrix.
        rows: The rows, shape=(n,).

    Returns:
        What is in them.

    Example:
        >>> rows_of(sparse.csr_array([[0, 0, 1], [0, 0, 0], [2, 0, 3]]), np.array([1, 2]))
        DenseRows(used=array([1]), columns=array([0, 2]), values=array([[2., 3.]]))
    """
    starts = matrix.indptr[rows]
    counts = matrix.indptr[rows + 1] - starts
    (used,) = counts.nonzero()
    counts = counts[used]
    # The row of each entry, by its place among those that are not empty.
    of = np.arange(len(used)).repeat(counts)
    entries = (starts[used] - counts.cumsum() + counts)[of] + np.arange(len(of))
    found = matrix.indices[entries]
    numbers = np.zeros(matrix.shape[1], dtype=np.int64)
    numbers[found] = 1
    (columns,) = numbers.nonzero()
    numbers[columns] = np.arange(len(columns))
    shape = len(used), len(columns)
    places = of * len(columns) + numbers[found]
    # Added up, should a row hold a column twice.
    values = np.bincount(places, weights=matrix.data[entries], minlength=shape[0] * shape[1])
    return DenseRows(used, columns, values.astype(np.float64, copy=False).reshape(shape))
