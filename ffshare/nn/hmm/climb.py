"""Baum-Welch with ties: expectation and maximisation in turn, each step a pooled one.

    E: posterior probabilities of states and transitions under θ (`smooth`)
    M: θ = A.tie(what is best for each state alone, weight = how much that state was seen)

for the emissions and for the rows of transition probabilities. Without ties A is the identity and this is the
algorithm of Baum and Welch. The likelihood never falls.

Reference:
    Baum, Petrie, Soules and Weiss, Ann. Math. Stat. 41, 164 (1970), DOI 10.1214/aoms/1177697196.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffshare.nn.hmm.emissions import Emission, Theta
from ffshare.nn.hmm.monitor import NOT_FINITE, Monitor, status_of
from ffshare.nn.hmm.packed import IntArray
from ffshare.nn.hmm.recursions import FloatArray
from ffshare.nn.hmm.smooth import Smoothed, smooth
from ffshare.nn.hmm.ties import pooled
from ffshare.records import doc, record
from ffshare.tying import LinearTying


@record
class Ties:
    """Everything that is tied, and what is emitted."""

    rows: LinearTying = doc("the tying of the rows of transition probabilities of the states")
    emission: Emission = doc("what the states emit")

    def of(self, section: str) -> LinearTying:
        """The tying of the states of a section; start probabilities are one distribution, which is not shared."""
        if section == "startprob":
            return LinearTying.identity(self.rows.n_site)
        return self.rows if section == "transmat" else self.emission.ties[section]


def log_densities_by_state(ties: Ties, observations: NDArray[Any], theta: Theta) -> FloatArray:
    """Log densities of each row in each state, worked out once a class, shape=(n_rows, n_states)."""
    by_class = ties.emission.log_densities(observations, theta)
    tying = next(iter(ties.emission.ties.values()))
    return np.ascontiguousarray(tying.expand(by_class).T)


def expected(ties: Ties, observations: NDArray[Any], lengths: IntArray, theta: Theta) -> Smoothed:
    """The E step: what the sequences say of the states under θ."""
    densities = log_densities_by_state(ties, observations, theta)
    return smooth(theta["startprob"], ties.rows.expand(theta["transmat"]), densities, lengths)


def maximised(
    ties: Ties, observations: NDArray[Any], seen: Smoothed, theta: Theta, sections: frozenset[str]
) -> dict[str, FloatArray]:
    """The M step: the values that have the greatest expected log-likelihood.

    Args:
        ties: What is tied.
        observations: Observations, a row for each step.
        seen: What they say of the states.
        theta: The values so far, by section and class.
        sections: What is to change.

    Returns:
        New values, by section and class.
    """
    new = {**theta, **ties.emission.maximised(observations, seen.posteriors, theta, sections)}
    if "startprob" in sections:
        new["startprob"] = seen.starts / seen.starts.sum()
    if "transmat" in sections:
        weights = seen.transitions.sum(axis=1)
        by_state = np.divide(
            seen.transitions,
            weights[:, None],
            out=np.zeros_like(seen.transitions),
            where=weights[:, None] > 0,
        )
        new["transmat"] = pooled(ties.rows, by_state, weights, theta["transmat"])
    return new


def climb(
    ties: Ties,
    observations: NDArray[Any],
    lengths: IntArray,
    start: Theta,
    *,
    sections: frozenset[str],
    n_iter: int,
    tol: float,
) -> tuple[dict[str, FloatArray], Monitor]:
    """Steps until the likelihood gains less than the tolerance.

    Args:
        ties: What is tied.
        observations: Observations, a row for each step.
        lengths: Length of each sequence, shape=(n_sequences,).
        start: Values to start from, by section and class.
        sections: What is to change.
        n_iter: Most steps, 1 or more.
        tol: Gain of the log-likelihood below which to stop.

    Returns:
        The values after the last step, and how it ended.
    """
    theta, history, status = dict(start), list[float](), None
    while status is None:
        seen = expected(ties, observations, lengths, theta)
        total = float(seen.log_likelihoods.sum())
        if np.isfinite(total):
            theta = maximised(ties, observations, seen, theta, sections)
            history.append(total)
            status = status_of(history, n_iter, tol)
        else:
            status = NOT_FINITE
    return theta, Monitor(history=tuple(history), status=status, at_floor=ties.emission.at_floor(theta))
