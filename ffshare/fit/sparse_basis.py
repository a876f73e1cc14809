"""Bases of a subspace whose vectors have few entries.

An orthonormal basis of directions mixes whatever it spans. A QR factorisation with pivots picks as many coordinates
as there are directions; the basis in which each of these coordinates belongs to one vector alone has few entries and
can be read.
"""

import numpy as np
from scipy import linalg

from ffshare.model.coordinates import FloatArray

# Entries below this over the pivot are left out: no reader needs them, and rounding mixes near-equal directions.
_LEAST_ENTRY = 1e-3


def sparse_basis(directions: FloatArray) -> FloatArray:
    """A basis of the same space with few entries.

    Args:
        directions: Independent directions, shape=(n, k).

    Returns:
        Directions, each 1 at its own pivot and 0 at the pivots of the others, ordered by pivot, shape=(n, k).

    Example:
        >>> mixed = np.array([[1.0, 1.0], [-1.0, -1.0], [0.0, 3.0], [0.0, 3.0]]) / 2
        >>> np.abs(sparse_basis(mixed)).round(9).tolist()
        [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    """
    if not directions.shape[1]:
        return directions
    _, _, order = linalg.qr(directions.T, mode="economic", pivoting=True)
    pivots = np.sort(order[: directions.shape[1]])
    basis = linalg.solve(directions[pivots].T, directions.T).T
    basis[np.abs(basis) < _LEAST_ENTRY] = 0.0
    basis[pivots] = np.eye(len(pivots))
    found: FloatArray = basis + 0.0  # no negative zeros
    return found


def complement(directions: FloatArray) -> FloatArray:
    """A basis, with few entries, of what is orthogonal to some directions.

    Args:
        directions: Independent directions, shape=(n, k).

    Returns:
        The complement, shape=(n, n - k).

    Example:
        >>> np.abs(complement(np.array([[1.0], [-1.0], [0.0]]))).round(9).tolist()
        [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """
    return sparse_basis(linalg.null_space(directions.T))
