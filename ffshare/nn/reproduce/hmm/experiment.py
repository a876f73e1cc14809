"""System 3: a hidden Markov model whose states share emissions.

Four states emit from two Gaussians, [0, 1, 0, 1]: states of a class look the same and are told apart by what follows
them. Measured are the algorithm (against hmmlearn, against gradients, on a sequence far too long for products of
probabilities) and what the tie is worth: how far estimated means lie from true ones, with the tie and without, from
the same data and the same start.
"""

import itertools
from typing import NamedTuple

import numpy as np
import torch

from ffshare.nn.hmm import TiedHMM
from ffshare.nn.reproduce.hmm.oracles import most_likely, scaled_log_likelihood
from ffshare.nn.reproduce.hmm.truth import (
    CLASSES,
    LENGTH,
    MEANS,
    N_STATES,
    FloatArray,
    sequences,
    truth,
    with_values,
)
from ffshare.nn.reproduce.outcome import Check, Outcome, Panel, Series, at_least, at_most, near
from ffshare.tying import LinearTying

# hmmlearn 0.3.3: GaussianHMM(4, "diag", n_iter=20, tol=-inf, covars_prior=0, covars_weight=1, means_weight=0), from the
# values that `_like_hmmlearn` starts from.
HMMLEARN_MEANS = (-1.0043729281057454, 0.702999924860518, 0.9724547733561776, 3.0558318844191996)
HMMLEARN_VARIANCES = (0.20766664174771904, 0.817973878663377, 0.20774762839893599, 0.15848653810181856)
HMMLEARN_TRANSITIONS = (
    (0.31483341919841257, 0.31159659055489747, 0.30047903154634625, 0.07309095870034372),
    (0.49484480406988374, 0.2482758871442429, 0.18577598360785194, 0.0711033251780215),
    (0.07206813147503816, 0.21555887688656697, 0.44847110859325995, 0.2639018830451349),
    (0.0029549960199037736, 0.004826713861647756, 0.5965344579172339, 0.39568383220121456),
)


class _Errors(NamedTuple):
    """Fits to independent sequences."""

    tied: FloatArray
    """Mean squared error of the means with the tie, shape=(n_fits,)."""
    untied: FloatArray
    """The same without."""
    least_gain: float
    """The least gain of any step of any fit, over the size of the log-likelihood."""


def run(quick: bool) -> Outcome:
    """Measure what is claimed of tied emissions.

    Args:
        quick: Whether to take fewer sequences.

    Returns:
        Checks and panels.
    """
    n_fits, n_iter, tol = (12, 60, 1e-2) if quick else (60, 300, 1e-3)
    lengths = (75, LENGTH) if quick else (75, LENGTH, 300, 600)
    errors = {length: _errors(length, n_fits if length == LENGTH else n_fits // 2, n_iter, tol) for length in lengths}
    gradients, em_panel = _against_gradients(2 if quick else 6)
    checks = (
        _like_hmmlearn(),
        at_least(
            f"In none of {sum(2 * len(each.tied) for each in errors.values())} fits does a step lower the "
            "log-likelihood by more than rounding (least gain over the size of the log-likelihood).",
            -1e-8,
            min(each.least_gain for each in errors.values()),
        ),
        _gain_of_tie(errors[LENGTH]),
        _pooled_step(),
        *gradients,
        _long_sequence(10_000 if quick else 100_000),
    )
    return Outcome(checks=checks, panels=(_error_panel(errors), em_panel), remarks=(_average_is_no_maximum(),))


def _errors(length: int, n_fits: int, n_iter: int, tol: float, classes: tuple[int, ...] = CLASSES) -> _Errors:
    """Fits with the tie and without from the same start, each to one sequence of its own."""
    tied: list[float] = []
    untied: list[float] = []
    gains: list[float] = []
    for seed in range(n_fits):
        observations, lengths = sequences(length, 1, seed)
        # Both start from the same: quartiles of the data, and random transitions.
        means = np.quantile(observations, [0.25, 0.75])[np.array(CLASSES), None]
        transitions = np.random.default_rng(1000 + seed).dirichlet(np.ones(N_STATES), size=N_STATES)
        for of_states, found in ((classes, tied), (tuple(range(N_STATES)), untied)):
            model = TiedHMM(of_states, n_iter=n_iter, tol=tol, init_params="")
            variances = np.full((N_STATES, 1), observations.var())
            model = with_values(model, transitions, means, variances).fit(observations, lengths)
            found.append(_squared_error(model.means_))
            history = np.array(model.monitor_.history)
            gains.append(float((np.diff(history) / np.abs(history[1:])).min(initial=np.inf)))
    return _Errors(np.array(tied), np.array(untied), min(gains))


def _squared_error(means: FloatArray) -> float:
    """The mean squared error with the states in the best of all orders."""
    orders = np.array(list(itertools.permutations(range(N_STATES))))
    return float(((means[orders, 0] - MEANS[:, 0]) ** 2).mean(axis=1).min())


def _gain_of_tie(errors: _Errors) -> Check:
    tied, untied = errors.tied, errors.untied
    n = len(tied)
    # The jackknife: standard error from leaving out one sequence at a time.
    left_out = np.sqrt((tied.sum() - tied) / (untied.sum() - untied))
    error = np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
    return at_most(
        f"From one sequence of {LENGTH} steps the tie brings the error of the means down: root mean square with it "
        "over that without, each with the states in the order that suits it best.",
        0.6,
        float(np.sqrt(tied.sum() / untied.sum())),
        float(error),
    )


def _like_hmmlearn() -> Check:
    steps = np.arange(280.0)
    observations = (2.0 * (steps // 7 % 2) + 1.5 * np.sin(steps**2)).reshape(-1, 1)
    model = with_values(
        TiedHMM(range(N_STATES), n_iter=20, tol=-np.inf, init_params=""),
        np.array([[0.7, 0.1, 0.1, 0.1], [0.2, 0.5, 0.2, 0.1], [0.1, 0.2, 0.6, 0.1], [0.1, 0.1, 0.3, 0.5]]),
        np.array([[-1.0], [0.0], [1.0], [3.0]]),
        np.array([[1.0], [0.5], [1.0], [2.0]]),
    )
    model.startprob_ = np.array([0.4, 0.3, 0.2, 0.1])
    model.fit(observations, [150, 90, 40])
    away = (
        model.means_[:, 0] - HMMLEARN_MEANS,
        model.covars_[:, 0] - HMMLEARN_VARIANCES,
        model.transmat_ - HMMLEARN_TRANSITIONS,
    )
    return near(
        "Without ties it is hmmlearn: after 20 steps on three sequences of unequal length no mean, variance or "
        "transition probability differs from those of hmmlearn 0.3.3 without its priors (largest difference).",
        0.0,
        max(float(np.abs(each).max()) for each in away),
        1e-10,
    )


def _pooled_step() -> Check:
    observations, lengths = sequences(LENGTH, 3, seed=77)
    model = truth()
    posteriors = model.predict_proba(observations, lengths)
    weights = posteriors.sum(axis=0)
    tying = LinearTying.groups(CLASSES)
    by_state = posteriors.T @ observations / weights[:, None]
    pooled = tying.tie(by_state, weight=weights)
    squares = np.stack([posteriors[:, k] @ (observations - pooled[c]) ** 2 for k, c in enumerate(CLASSES)])
    variances = tying.tie(squares / weights[:, None], weight=weights)
    # The same from the observations themselves, each counted with the probability of its class.
    shares = tying.pool(posteriors.T)
    direct = shares @ observations / shares.sum(axis=1, keepdims=True)
    model.fit(observations, lengths)
    away = (model.theta_["means"] - pooled, model.theta_["covars"] - variances, direct - pooled)
    return at_most(
        "A Baum-Welch step with ties is the weighted mean over the states of a class, with weights for how much each "
        "state was seen: `tie` of what each state would have alone (largest difference of means and variances, three "
        "sequences).",
        1e-12,
        max(float(np.abs(each).max()) for each in away),
    )


def _average_is_no_maximum() -> str:
    observations, lengths = sequences(LENGTH, 3, seed=77)
    model = truth(n_iter=2000, tol=1e-9).fit(observations, lengths)
    best = model.score(observations, lengths)
    posteriors = model.predict_proba(observations, lengths)
    by_state = posteriors.T @ observations / posteriors.sum(axis=0)[:, None]
    pooled, tying = model.means_, LinearTying.groups(CLASSES)
    plain = tying.expand(tying.tie(by_state))
    model.means_ = plain
    return (
        "Averaging the means of the states without weights is not the tied step: at the maximum it moves the means by "
        f"{np.abs(plain - pooled).max():.2g} and lowers the log-likelihood by "
        f"{best - model.score(observations, lengths):.2g}."
    )


def _against_gradients(n_sequences: int) -> tuple[tuple[Check, Check], Panel]:
    """Steps and gradients from the same start, the true values."""
    observations, lengths = sequences(LENGTH, n_sequences, seed=5)
    model = truth(n_iter=5000, tol=1e-10).fit(observations, lengths)
    means, value = most_likely(torch.as_tensor(observations).reshape(n_sequences, LENGTH))
    history = model.monitor_.history
    checks = (
        at_most(
            f"Means at which {n_sequences} sequences are most likely, found by steps, are those found by gradients of "
            "the tied likelihood (L-BFGS through LinearTying.expand; largest difference).",
            1e-4,
            float(np.abs(model.theta_["means"][:, 0] - means).max()),
        ),
        at_most(
            "Both reach the same greatest log-likelihood (difference).",
            1e-4,
            abs(model.score(observations, lengths) - value),
        ),
    )
    below = value - np.array(history)
    shown = below > 1e-6
    numbers = np.arange(1, len(history) + 1)[shown]
    panel = Panel(
        title="Baum-Welch steps with pooled statistics",
        x_label="step",
        y_label="log-likelihood below that of L-BFGS",
        series=(Series(label="", x=numbers.tolist(), y=below[shown].tolist()),),
        x_scale="log",
        y_scale="log",
    )
    return checks, panel


def _long_sequence(n_steps: int) -> Check:
    observations, lengths = sequences(n_steps, 1, seed=9)
    total = scaled_log_likelihood(observations)
    return at_most(
        f"Nothing underflows: the log-likelihood of a sequence of {n_steps:,} steps, whose likelihood is below the "
        "smallest float, is that of a recursion with plain numbers, scaled at each step (relative difference).",
        1e-10,
        abs(truth().score(observations, lengths) / total - 1.0),
    )


def _error_panel(errors: dict[int, _Errors]) -> Panel:
    def series(label: str, found: list[FloatArray]) -> Series:
        roots = np.sqrt([each.mean() for each in found])
        spread = [each.std(ddof=1) / np.sqrt(len(each)) for each in found]
        return Series(label=label, x=list(errors), y=roots.tolist(), error=(np.array(spread) / (2 * roots)).tolist())

    return Panel(
        title="Four states, two emissions, one sequence",
        x_label="steps in the sequence",
        y_label="error of the means (root mean square)",
        series=(
            series("tied", [each.tied for each in errors.values()]),
            series("untied", [each.untied for each in errors.values()]),
        ),
        x_scale="log",
        y_scale="log",
    )
