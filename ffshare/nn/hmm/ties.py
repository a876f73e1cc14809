"""Which states share what, and the pooled step that sharing means for them.

A state is a site and its class the free parameter: a `LinearTying` like any other. What maximises the expected
log-likelihood of a shared mean (variance, row of transition probabilities, distribution of symbols) is the mean of what
would be best for each state alone, weighted with how much each state was seen: `LinearTying.tie`.

Reference:
    Young and Woodland, Computer Speech and Language 8, 369 (1994), for tied states in speech recognition.
"""

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffshare.errors import TyingError
from ffshare.nn.hmm.recursions import FloatArray
from ffshare.tying import LinearTying

Classes = Iterable[Hashable] | NDArray[np.integer]


def states_in_classes(what: str, classes: Classes, n_states: int | None = None) -> LinearTying:
    """The tying of states by class.

    Args:
        what: What the classes share, for the message.
        classes: Class of each state, shape=(n_states,).
        n_states: How many states there must be; any number but none by default.

    Returns:
        The tying: a site for each state, a free parameter for each class.

    Raises:
        TyingError: A state has no class, a class no state, or there are too few or too many.

    Example:
        >>> states_in_classes("classes", ["slow", "fast", "slow"]).keys
        ('slow', 'fast')
    """
    tying = LinearTying.groups(classes)
    if n_states is not None and tying.n_site != n_states:
        raise TyingError(f"{what} has {tying.n_site} entries, but there are {n_states} states")
    if not tying.n_site:
        raise TyingError(f"{what} is empty: give the class of each state")
    if tying.nnz < tying.n_site:
        raise TyingError(f"{what}: state {int(np.argmin(np.isin(range(tying.n_site), tying.site)))} has no class")
    if tying.unseen():
        raise TyingError(f"{what}: no state is in class {tying.unseen()[0]!r}; number classes from 0 without a gap")
    return tying


def first_states(tying: LinearTying) -> NDArray[np.int64]:
    """The first state of each class, shape=(n_classes,)."""
    return np.asarray(np.unique(tying.free, return_index=True)[1])


def of_classes(what: str, tying: LinearTying, by_state: Any) -> FloatArray:
    """The values of the classes, where those of the states are given.

    Args:
        what: What they are, for the message.
        tying: The tying of the states.
        by_state: Values of the states, shape=(n_states, ...).

    Returns:
        Values of the classes, shape=(n_classes, ...).

    Raises:
        TyingError: There is not one value a state, or states of a class have different ones.

    Example:
        >>> of_classes("means_", LinearTying.groups([0, 1, 0]), [[1.0], [2.0], [1.0]])
        array([[1.],
               [2.]])
    """
    values = np.array(by_state, dtype=np.float64)
    if values.ndim == 0 or len(values) != tying.n_site:
        raise TyingError(f"{what} has shape {values.shape}, expected a value for each of {tying.n_site} states")
    first = values[first_states(tying)]
    differs = ~np.isclose(tying.expand(first), values, rtol=1e-9, atol=0.0, equal_nan=True).reshape(
        tying.n_site, -1
    ).all(axis=1)
    if differs.any():
        state = int(np.argmax(differs))
        key = tying.keys[tying.free[state]]
        raise TyingError(
            f"{what} of state {state} is not that of the other states of class {key!r}, with which it is tied"
        )
    return np.asarray(first)


def pooled(tying: LinearTying, by_state: FloatArray, weights: FloatArray, before: FloatArray) -> FloatArray:
    """What is best for each class: the weighted mean of what is best for its states.

    Args:
        tying: The tying of the states.
        by_state: What is best for each state, anything for one of weight 0, shape=(n_states, ...).
        weights: How much each state was seen, the sum of its posterior probabilities, shape=(n_states,).
        before: What the classes have so far; a class that was not seen at all keeps it, shape=(n_classes, ...).

    Returns:
        Values of the classes, shape=(n_classes, ...).

    Example:
        >>> tying = LinearTying.groups([0, 0, 1])
        >>> pooled(tying, np.array([[1.0], [4.0], [np.nan]]), np.array([2.0, 1.0, 0.0]), np.array([[7.0], [8.0]]))
        array([[2.],
               [8.]])
    """
    values = tying.tie(by_state, weight=weights)
    seen = tying.pool(weights) > 0
    return np.where(seen.reshape(-1, *(1,) * (values.ndim - 1)), values, before)
