"""Soft ties: a penalty that draws parameters together along the edges of a graph.

Where a hard tie makes two parameters one, a soft tie of weight w adds w (θ_i - θ_j)² to what is minimised. All soft
ties together are a quadratic form with the graph's Laplacian L,

    θᵀ L θ = Σ_edges w_e (θ_i - θ_j)²,

which counts each edge once. As all weights grow, the fit tends to the one that shares a parameter within each connected
component, and never across components.

Reference:
    Evgeniou, Micchelli and Pontil, Learning multiple tasks with kernel methods, J. Mach. Learn. Res. 6, 615 (2005).
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from ffshare.errors import TyingError
from ffshare.tying.entries import whole_numbers


def laplacian(n_free: int, edges: ArrayLike, weights: ArrayLike | None = None) -> sparse.csr_array:
    """The matrix of soft ties: L with θᵀLθ = Σ w_e (θ_i - θ_j)², each edge once.

    Args:
        n_free: Number of free parameters.
        edges: The two parameters of each soft tie, in either order, shape=(n_edges, 2).
        weights: Weight of each edge, 0 or more, in the unit of the objective over that of θ squared, shape=(n_edges,);
            1 by default.

    Returns:
        The symmetric matrix, shape=(n_free, n_free).

    Raises:
        TyingError: An edge joins a parameter with itself, is given twice (in one direction or both), leaves the range,
            or has a weight that is negative or not finite.

    Example:
        >>> laplacian(3, [(0, 1), (1, 2)], [2.0, 5.0]).toarray()
        array([[ 2., -2.,  0.],
               [-2.,  7., -5.],
               [ 0., -5.,  5.]])
    """
    ends = whole_numbers("edges", edges)
    ends = ends.reshape(0, 2) if ends.size == 0 else ends
    if ends.ndim != 2 or ends.shape[1] != 2:
        raise TyingError(f"edges have shape {ends.shape}, expected (n_edges, 2)")
    strengths = np.ones(len(ends)) if weights is None else np.asarray(weights, dtype=np.float64)
    if strengths.shape != (len(ends),):
        raise TyingError(f"weights have shape {strengths.shape}, expected ({len(ends)},): one for each edge")
    _refuse(~(np.isfinite(strengths) & (strengths >= 0)), ends, "has a weight that is negative or not finite")
    _refuse(((ends < 0) | (ends >= n_free)).any(axis=1), ends, f"leaves the range of the {n_free} parameters")
    _refuse(ends[:, 0] == ends[:, 1], ends, "joins a parameter with itself")
    low, high = ends.min(axis=1), ends.max(axis=1)
    first = np.unique(low * n_free + high, return_index=True)[1]
    again = np.ones(len(ends), dtype=bool)
    again[first] = False
    _refuse(again, ends, "is given twice (the direction does not matter): add the weights up")
    starts, stops = ends[strengths > 0].T
    w = strengths[strengths > 0]
    values = np.concatenate((w, w, -w, -w))
    rows, columns = np.concatenate((starts, stops, starts, stops)), np.concatenate((starts, stops, stops, starts))
    return sparse.csr_array(sparse.coo_array((values, (rows, columns)), shape=(n_free, n_free)))


def _refuse(faulty: Any, ends: NDArray[np.int64], what: str) -> None:
    """Raise for the first faulty edge, if there is one."""
    numbers = np.flatnonzero(faulty)
    if len(numbers):
        i, j = ends[numbers[0]].tolist()
        others = f" ({len(numbers) - 1} more do)" if len(numbers) > 1 else ""
        raise TyingError(f"edge {numbers[0]}, ({i}, {j}), {what}{others}")
