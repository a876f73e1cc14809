"""Means to start from: those of observations that lie together, one for each class and not for each state.

Reference:
    Arthur and Vassilvitskii, k-means++: the advantages of careful seeding, SODA 2007.
"""

import numpy as np

from ffshare.nn.hmm.recursions import FloatArray
from ffshare.nn.hmm.ties import pooled
from ffshare.tying import LinearTying

# More rows than these do not make better starts.
_MOST_ROWS = 10_000
_MOST_ROUNDS = 50


def k_means(observations: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """Means of groups of observations that lie together.

    Args:
        observations: Observations, shape=(n_rows, n_features).
        n: Number of groups.
        rng: Draws the first means, far from each other.

    Returns:
        Means, sorted by their first feature, shape=(n, n_features).

    Example:
        >>> k_means(np.array([[0.0], [9.0], [1.0], [11.0]]), 2, np.random.default_rng(0)).tolist()
        [[0.5], [10.0]]
    """
    rows = observations
    if len(rows) > _MOST_ROWS:
        rows = rows[np.sort(rng.choice(len(rows), _MOST_ROWS, replace=False))]
    means = rows[rng.integers(len(rows))][None]
    for _ in range(n - 1):
        away = _squared_distances(rows, means).min(axis=1)
        total = away.sum()
        # Fewer different observations than groups: some means fall together.
        chances = away / total if total > 0 else None
        means = np.concatenate((means, rows[rng.choice(len(rows), p=chances)][None]))
    nearest = np.full(len(rows), -1)
    for _ in range(_MOST_ROUNDS):
        before, nearest = nearest, _squared_distances(rows, means).argmin(axis=1)
        if (before == nearest).all():
            break
        means = pooled(LinearTying.groups(nearest, keys=range(n)), rows, np.ones(len(rows)), means)
    return np.asarray(means[np.argsort(means[:, 0], kind="stable")])


def _squared_distances(rows: FloatArray, means: FloatArray) -> FloatArray:
    return np.stack([((rows - mean) ** 2).sum(axis=1) for mean in means], axis=1)
