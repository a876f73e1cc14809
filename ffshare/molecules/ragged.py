"""Index arithmetic on ragged data: one flat array and the offsets of its rows."""

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


def offsets_of(counts: IntArray) -> IntArray:
    """Start of each row, and the end of the last, from the lengths of the rows.

    Args:
        counts: Length of each row, shape=(n_rows,).

    Returns:
        Offsets, shape=(n_rows + 1,).

    Example:
        >>> offsets_of(np.array([2, 0, 3]))
        array([0, 2, 2, 5])
    """
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def ranks_in_rows(counts: IntArray) -> IntArray:
    """Position of each element within its row.

    Args:
        counts: Length of each row, shape=(n_rows,).

    Returns:
        0, 1, … for every row in turn, shape=(sum of counts,).

    Example:
        >>> ranks_in_rows(np.array([2, 0, 3]))
        array([0, 1, 0, 1, 2])
    """
    offsets = offsets_of(counts)
    return np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
