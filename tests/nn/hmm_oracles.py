"""Hidden Markov models the slow and obvious way: every path written out, and sums of logarithms in plain loops."""

import itertools
import math
from typing import NamedTuple

import numpy as np


class Enumerated(NamedTuple):
    log_likelihood: float
    posteriors: np.ndarray
    transitions: np.ndarray
    best_log_probability: float
    best_paths: list


def every_path(start, matrix, densities):
    """All that one sequence says, by writing out each path through the states."""
    n_steps, n_states = densities.shape
    posteriors, transitions = np.zeros((n_steps, n_states)), np.zeros((n_states, n_states))
    total, paths = 0.0, []
    for path in itertools.product(range(n_states), repeat=n_steps):
        weight = start[path[0]] * densities[0, path[0]]
        for t in range(1, n_steps):
            weight *= matrix[path[t - 1], path[t]] * densities[t, path[t]]
        total += weight
        paths.append((weight, path))
        for t, state in enumerate(path):
            posteriors[t, state] += weight
        for pair in itertools.pairwise(path):
            transitions[pair] += weight
    best = max(weight for weight, _ in paths)
    return Enumerated(
        log_likelihood=math.log(total),
        posteriors=posteriors / total,
        transitions=transitions / total,
        best_log_probability=math.log(best),
        best_paths=[list(path) for weight, path in paths if weight >= best * (1 - 1e-12)],
    )


def add(logs):
    """Logarithm of a sum, of logarithms that may be -inf."""
    top = max(logs)
    return top if top == -math.inf else top + math.log(math.fsum(math.exp(x - top) for x in logs))


def log(x):
    return -math.inf if x == 0 else math.log(x)


def in_logarithms(start, matrix, logs):
    """Log-likelihood, posteriors and expected transitions of one sequence, by loops over logarithms."""
    n_steps, n_states = logs.shape
    states = range(n_states)
    moves = [[log(x) for x in row] for row in np.asarray(matrix).tolist()]
    logs = logs.tolist()
    ahead = [[log(start[i]) + logs[0][i] for i in states]]
    for t in range(1, n_steps):
        ahead.append([add([ahead[-1][i] + moves[i][j] for i in states]) + logs[t][j] for j in states])
    behind = [[0.0] * n_states]
    for t in reversed(range(1, n_steps)):
        behind.insert(0, [add([moves[i][j] + logs[t][j] + behind[0][j] for j in states]) for i in states])
    total = add(ahead[-1])
    posteriors = [[math.exp(ahead[t][i] + behind[t][i] - total) for i in states] for t in range(n_steps)]
    transitions = np.zeros((n_states, n_states))
    for t, i, j in itertools.product(range(n_steps - 1), states, states):
        transitions[i, j] += math.exp(ahead[t][i] + moves[i][j] + logs[t + 1][j] + behind[t + 1][j] - total)
    return total, np.array(posteriors), transitions


def in_scaled_numbers(start, matrix, densities):
    """The same by plain numbers, each step divided by its sum: for densities that are not far apart."""
    ahead, sums = [], []
    entering = np.asarray(start)
    for row in densities:
        seen = entering * row
        sums.append(seen.sum())
        ahead.append(seen / sums[-1])
        entering = ahead[-1] @ matrix
    behind = [np.ones(len(start))]
    for t in reversed(range(1, len(densities))):
        behind.append(matrix @ (densities[t] * behind[-1]) / sums[t])
    behind.reverse()
    transitions = sum(
        np.outer(ahead[t], densities[t + 1] * behind[t + 1] / sums[t + 1]) * matrix for t in range(len(densities) - 1)
    )
    return math.fsum(np.log(sums)), np.array(ahead) * np.array(behind), transitions
