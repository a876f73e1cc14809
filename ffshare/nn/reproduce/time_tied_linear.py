"""Linear systems observed once: the matrix of every step from one trajectory, tied over time or not.

What is observed of x_{t+1} = W_t x_t + noise is y = Jφ + noise with φ = (W_1, …, W_T) and J sparse: row (t, i) holds
x_t at the row i of W_t. Tied, φ = Aθ; with the tie or without, θ is the shortest least-squares solution for J A.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ffshare.records import doc, record
from ffshare.tying import LinearTying

Floats = NDArray[np.float64]
Estimator = Callable[[LinearTying, sparse.csr_array, Floats], Floats]
"""From a tying, the derivative of the data by the sites, and the data: the sites."""

LENGTHS = (50, 200, 800)
DIMENSION = 4
SPECTRAL_RADIUS = 0.95


@record
class Estimates:
    """Relative errors of W from one trajectory of each system, shape=(n_systems, n_lengths), and ranks."""

    tied: Floats = doc("error of the tied estimate")
    untied: Floats = doc("root mean square error of the untied estimates over the steps")
    mean_of_untied: Floats = doc("error of the mean of the untied estimates")
    tied_rank: NDArray[np.int64] = doc("parameters identified with the tie")
    untied_rank: NDArray[np.int64] = doc("parameters identified without")


def linear_systems(n_systems: int, estimate: Estimator | None = None) -> Estimates:
    """Fit the beginnings of one trajectory of each of several random linear systems, tied and untied.

    Args:
        n_systems: How many systems.
        estimate: What finds the parameters at all steps; `least_squares` by default.

    Returns:
        The errors and ranks.
    """
    fit = least_squares if estimate is None else estimate
    rng = np.random.default_rng(4)
    rows = []
    for _ in range(n_systems):
        matrix = rng.normal(size=(DIMENSION, DIMENSION))
        matrix *= SPECTRAL_RADIUS / abs(np.linalg.eigvals(matrix)).max()
        states = trajectory(matrix, rng.normal(size=DIMENSION), rng.normal(size=(max(LENGTHS), DIMENSION)))
        size = np.linalg.norm(matrix)
        for n_steps in LENGTHS:
            jacobian, responses = design(states[:n_steps]), states[1 : n_steps + 1].ravel()
            shape = (n_steps, DIMENSION, DIMENSION)
            tied, untied = LinearTying.repeat(n_steps, DIMENSION**2), LinearTying.identity(n_steps * DIMENSION**2)
            off, untied_off = (fit(tying, jacobian, responses).reshape(shape) - matrix for tying in (tied, untied))
            rows.append(
                (
                    np.linalg.norm(off[0]) / size,
                    np.sqrt((untied_off**2).sum(axis=(1, 2)).mean()) / size,
                    np.linalg.norm(untied_off.mean(axis=0)) / size,
                    tied.rank(jacobian),
                    untied.rank(jacobian),
                )
            )
    table = np.array(rows).reshape(n_systems, len(LENGTHS), 5)
    return Estimates(
        tied=table[..., 0],
        untied=table[..., 1],
        mean_of_untied=table[..., 2],
        tied_rank=table[..., 3].astype(np.int64),
        untied_rank=table[..., 4].astype(np.int64),
    )


def trajectory(matrix: Floats, start: Floats, noise: Floats) -> Floats:
    """The states of a linear system, the first included, shape=(n_steps + 1, dimension)."""
    states = [start]
    for pushed in noise:
        states.append(matrix @ states[-1] + pushed)
    return np.array(states)


def design(states: Floats) -> sparse.csr_array:
    """The derivative J of the next states by the matrices of all steps, shape=(T d, T d²): a row has its state once."""
    n_steps, d = states.shape
    shape = (n_steps * d, n_steps * d**2)
    entries = np.repeat(states, d, axis=0).ravel()
    return sparse.csr_array((entries, np.arange(shape[1]), d * np.arange(shape[0] + 1)), shape)


def least_squares(tying: LinearTying, jacobian: sparse.csr_array, responses: Floats) -> Floats:
    """The parameters at all steps that explain the responses best, the shortest such θ: one code, tied or not."""
    predicted = LinearTying.basis(jacobian) @ tying
    sites: Floats = tying.expand(predicted.tie(responses))
    return sites
