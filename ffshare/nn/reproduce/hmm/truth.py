"""The true model of the experiment: four states that emit from two Gaussians."""

import numpy as np
from numpy.typing import NDArray

from ffshare.nn.hmm import TiedHMM

FloatArray = NDArray[np.float64]

CLASSES = (0, 1, 0, 1)
N_STATES = len(CLASSES)
MEANS = np.array([[0.0], [2.0], [0.0], [2.0]])
TRANSITIONS = np.array([[0.9, 0.1, 0.0, 0.0], [0.0, 0.7, 0.3, 0.0], [0.0, 0.0, 0.6, 0.4], [0.2, 0.0, 0.0, 0.8]])
LENGTH = 150


def sequences(n_steps: int, n_sequences: int, seed: int) -> tuple[FloatArray, list[int]]:
    """Sequences of the true model.

    Args:
        n_steps: Length of each.
        n_sequences: How many.
        seed: Seed.

    Returns:
        Observations, one sequence after another, shape=(n_sequences · n_steps, 1); the lengths.
    """
    observations = truth().sample(n_steps, random_state=seed, n_sequences=n_sequences)[0]
    return observations, [n_steps] * n_sequences


def truth(classes: tuple[int, ...] = CLASSES, n_iter: int = 1, tol: float = 0.0) -> TiedHMM:
    """The true model, or one of other classes that starts from it."""
    model = TiedHMM(classes, n_iter=n_iter, tol=tol, init_params="")
    return with_values(model, TRANSITIONS, MEANS, np.ones((N_STATES, 1)))


def with_values(model: TiedHMM, transitions: FloatArray, means: FloatArray, variances: FloatArray) -> TiedHMM:
    """The model with values to start from, all states as likely as each other at the start."""
    model.startprob_ = np.full(N_STATES, 1.0 / N_STATES)
    model.transmat_, model.means_, model.covars_ = transitions, means, variances
    return model
