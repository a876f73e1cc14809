"""Distributions over a few outcomes, and chains of states: drawn at random, and checked."""

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import InputError
from ffshare.nn.hmm.recursions import FloatArray


def random_probabilities(n: int, n_outcomes: int, rng: np.random.Generator) -> FloatArray:
    """Random distributions, any as likely as any other.

    Args:
        n: How many.
        n_outcomes: Number of outcomes.
        rng: Draws them.

    Returns:
        Probabilities, shape=(n, n_outcomes).
    """
    return np.asarray(rng.dirichlet(np.ones(n_outcomes), size=n))


def check_probabilities(name: str, values: FloatArray) -> None:
    """Check distributions.

    Args:
        name: What they are, for the message.
        values: Probabilities, shape=(..., n_outcomes).

    Raises:
        InputError: One is negative or not a number, or they do not sum to 1.
    """
    sums = values.sum(axis=-1)
    if not (values >= 0).all() or not np.allclose(sums, 1.0, rtol=0.0, atol=1e-8):
        raise InputError(f"{name} must hold probabilities that sum to 1, got sums of {sums}")


def random_states(
    start: FloatArray, matrix: FloatArray, shape: tuple[int, int], rng: np.random.Generator, first: int | None = None
) -> NDArray[np.int64]:
    """Chains of states drawn at random.

    Args:
        start: Start probabilities, shape=(n_states,).
        matrix: Transition probabilities, rows from, columns to, shape=(n_states, n_states).
        shape: Number of chains, and their length.
        rng: Draws them.
        first: State that all start in; drawn by default.

    Returns:
        States, shape as given.

    Raises:
        InputError: There is no such first state.

    Example:
        >>> swap = np.array([[0.0, 1.0], [1.0, 0.0]])
        >>> random_states(np.array([1.0, 0.0]), swap, (2, 3), np.random.default_rng(0)).tolist()
        [[0, 1, 0], [0, 1, 0]]
    """
    if first is not None and not 0 <= first < len(start):
        raise InputError(f"currstate is {first}, expected 0 to {len(start) - 1}")
    n_chains, length = shape
    starts, jumps = np.cumsum(start), np.cumsum(matrix, axis=1)
    uniform = rng.random((length, n_chains, 1))
    states = np.empty((length, n_chains), dtype=np.int64)
    for step in range(length):
        sums = jumps[states[step - 1]] if step else starts[None]
        # The last sum may be rounded to less than 1: it is not asked.
        states[step] = first if step == 0 and first is not None else (sums[:, :-1] <= uniform[step]).sum(axis=1)
    return states.T
