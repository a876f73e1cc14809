"""Linear recurrent layers of equal variance in one step that grow and shrink in the long run."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import linalg

from ffshare.nn import init
from ffshare.records import doc, record
from ffshare.tying import LinearTying

Floats = NDArray[np.float64]

RADII = (0.9, 1.1)
N_STATES = 64


@record
class Growth:
    """What one matrix does to a state, in one step and in many."""

    radius: float = doc("spectral radius of the matrix")
    one_step: Floats = doc("variance after one step over that before, for many white states, shape=(4000,)")
    per_step: float = doc("growth of the logarithm of the norm per step, in the long run")
    start: Floats = doc("logarithm of the norm after each of the first steps, shape=(201,)")


def growth_of(radius: float, quick: bool) -> Growth:
    """Draw a matrix, give it a spectral radius without changing its variance, and let a state run.

    Args:
        radius: The spectral radius.
        quick: Whether to run for 10,000 steps; else 100,000.

    Returns:
        What was found.
    """
    shape = (N_STATES, N_STATES)
    theta = torch.empty(N_STATES**2, dtype=torch.float64)
    generator = torch.Generator().manual_seed(5)
    init.kaiming_normal_(theta, LinearTying.identity(N_STATES**2), shape, nonlinearity="linear", generator=generator)
    matrix = with_radius(theta.reshape(shape).numpy(), radius)
    rng = np.random.default_rng(5)
    white = rng.normal(size=(N_STATES, 4000))
    logs = log_norms(matrix, rng.normal(size=N_STATES), 10_000 if quick else 100_000)
    burn_in = len(logs) // 10
    return Growth(
        radius=float(abs(np.linalg.eigvals(matrix)).max()),
        one_step=np.square(matrix @ white).mean(axis=0) / np.square(white).mean(),
        per_step=float((logs[-1] - logs[burn_in]) / (len(logs) - 1 - burn_in)),
        start=logs[:201],
    )


def with_radius(matrix: Floats, radius: float) -> Floats:
    """A matrix of the same size (root of the sum of squares) with another spectral radius.

    In the real Schur form, Z T Zᵀ, the blocks on the diagonal of T hold the eigenvalues; they are scaled, and what is
    above them makes up for it.

    Args:
        matrix: Any matrix that has something above the blocks.
        radius: The spectral radius wanted, small enough that the blocks alone are not larger than the matrix.

    Returns:
        The matrix.

    Example:
        >>> shifted = with_radius(np.array([[0.5, 1.0], [0.0, 0.2]]), 0.9)
        >>> abs(np.linalg.eigvals(shifted)).max().round(12), np.square(shifted).sum().round(12)
        (np.float64(0.9), np.float64(1.29))
    """
    form, rotation = linalg.schur(matrix)
    on_diagonal = np.eye(len(form), dtype=bool)
    below = np.flatnonzero(np.diag(form, -1))
    on_diagonal[below, below + 1] = on_diagonal[below + 1, below] = True
    blocks = np.where(on_diagonal, form, 0.0)
    blocks *= radius / abs(np.linalg.eigvals(blocks)).max()
    above = np.where(on_diagonal, 0.0, form)
    above *= math.sqrt((np.square(form).sum() - np.square(blocks).sum()) / np.square(above).sum())
    found: Floats = rotation @ (blocks + above) @ rotation.T
    return found


def log_norms(matrix: Floats, state: Floats, n_steps: int) -> Floats:
    """The logarithm of the norm of a state, at the start and after each step, shape=(n_steps + 1,)."""
    size = float(np.linalg.norm(state))
    logs = [math.log(size)]
    for _ in range(n_steps):
        # The state is kept at length one, or it would leave the range of numbers.
        state = matrix @ (state / size)
        size = float(np.linalg.norm(state))
        logs.append(logs[-1] + math.log(size))
    return np.array(logs)
