"""Weights in hash buckets: what averaging over buckets loses, and what training through the buckets saves.

Three experiments with perceptrons 784-256-10 on MNIST. First, the averages over buckets are the least-squares
projection onto the weights that a tie can make. Second, a trained network is averaged into K buckets for N weights; the
share of the weights' squares that is lost should be

    1 - r (1 - e^(-1/r)),        r = K / N,

whatever the weights are, and the test error follows it. Third, networks are trained through the tie, against plain
networks with as many parameters.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ffshare.nn.reproduce.data import mnist
from ffshare.nn.reproduce.hashed_networks import (
    N_DIGITS,
    N_HIDDEN,
    N_PIXELS,
    Averaged,
    Trained,
    averaged,
    dense,
    split,
    through_the_tie,
    train,
    weights,
)
from ffshare.nn.reproduce.hashed_report import (
    Curve,
    analytic_loss,
    fraction,
    mean_losses,
    network_errors,
    panels,
    remarks,
)
from ffshare.nn.reproduce.outcome import Check, Outcome, at_most, near
from ffshare.nn.reproduce.seeds import mean_and_error
from ffshare.records import doc, record
from ffshare.tying import LinearTying, buckets, signs

Floats = NDArray[np.float64]

SEED = 3
"""Of the hash by which least squares is checked."""

N_BUCKETS = 320
"""Of that hash: an eighth of the weights of the last layer."""


@record
class Plan:
    """How much is measured."""

    n_seeds: int = doc("splits of the data, each with networks of its own")
    n_hashes: int = doc("hashes by which each trained network is averaged")
    epochs: int = doc("how often a network sees each digit")
    ratios: tuple[float, ...] = doc("buckets for each weight, falling, for averaging")
    compressions: tuple[float, ...] = doc("free parameters for each weight, falling, for training")


QUICK = Plan(n_seeds=2, n_hashes=6, epochs=5, ratios=(2.0, 1.0, 1 / 8, 1 / 64), compressions=(1 / 8, 1 / 64))
FULL = Plan(
    n_seeds=5,
    n_hashes=10,
    epochs=20,
    ratios=(16.0, 8.0, 4.0, 2.0, 1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 64),
    compressions=(1 / 8, 1 / 16, 1 / 64),
)


def run(quick: bool) -> Outcome:
    """Measure the claims: fewer seeds, epochs and numbers of buckets in the quick run."""
    plan = QUICK if quick else FULL
    images, seeds = mnist(), range(plan.n_seeds)
    data = [split(images, seed) for seed in seeds]
    networks = [dense(N_HIDDEN, seed) for seed in seeds]
    errors = [train(networks[seed], data[seed], seed, plan.epochs) for seed in seeds]
    hashes = [range(seed * plan.n_hashes, (seed + 1) * plan.n_hashes) for seed in seeds]
    curve = {
        ratio: [[averaged(networks[seed], ratio, each, data[seed]) for each in hashes[seed]] for seed in seeds]
        for ratio in plan.ratios
    }
    balanced = averaged(networks[0], 1.0, 0, data[0], balanced=True)
    trained = [through_the_tie(compression, data, plan.epochs) for compression in plan.compressions]
    last_layer = weights(networks[0])[-N_HIDDEN * N_DIGITS :]
    return Outcome(
        checks=(
            *least_squares_checks(last_layer, LinearTying.hashed(len(last_layer), N_BUCKETS, SEED, signed=True)),
            *averaging_checks(curve),
            *balanced_checks(balanced, errors[0]),
            *training_checks(trained, curve),
        ),
        panels=panels(curve, errors, trained),
        remarks=remarks(curve, errors, trained),
    )


def least_squares_checks(weight: Floats, tying: LinearTying) -> tuple[Check, ...]:
    """Whether tying weights is averaging them, and averaging is least squares.

    Args:
        weight: Weights of a trained layer, flat.
        tying: Their tie in signed buckets, made with the seed `SEED`.

    Returns:
        The checks.
    """
    sites = np.arange(len(weight))
    place, sign = buckets(sites, tying.n_free, SEED), signs(sites, SEED)
    theta = tying.tie(weight)
    members = [(sign * weight)[place == bucket] for bucket in range(tying.n_free)]
    means = np.array([each.mean() if len(each) else 0.0 for each in members])
    matrix = np.zeros((len(weight), tying.n_free))
    matrix[sites, place] = sign
    solved = np.linalg.lstsq(matrix, weight, rcond=None)[0]
    residual = weight - tying.expand(theta)
    return (
        at_most(
            "Tying trained weights sets each parameter to the signed average of its bucket (largest difference).",
            2e-16,
            float(abs(theta - means).max()),
        ),
        at_most(
            "These averages are what a least-squares solver finds that knows nothing of buckets (largest difference).",
            1e-12,
            float(abs(theta - solved).max()),
        ),
        at_most(
            "What averaging loses is orthogonal to everything that the buckets can make (largest component along a "
            "bucket, over the norm of the weights).",
            1e-12,
            float(abs(matrix.T @ residual).max() / np.linalg.norm(weight)),
        ),
    )


def averaging_checks(curve: Curve) -> tuple[Check, ...]:
    """Whether averaging loses what the formula says, and the test error follows.

    Args:
        curve: What averaging did, for each number of buckets a weight, network and hash.

    Returns:
        The checks.
    """
    losses = (
        near(
            f"Averaged into random buckets, {fraction(ratio)} for each weight, a trained network loses the share "
            "1 - r(1 - 1/e^(1/r)) of the squares of its weights.",
            analytic_loss(ratio),
            mean,
            0.01 * analytic_loss(ratio),
            error,
        )
        for ratio, (mean, error) in mean_losses(curve).items()
    )
    falls = [_in_errors(more - fewer) for more, fewer in pairwise(network_errors(curve).values())]
    return (
        *losses,
        at_most(
            "With fewer buckets the test error of an averaged network rises, or stays the same within two standard "
            "errors (largest fall, in standard errors).",
            2.0,
            max(falls),
        ),
    )


def balanced_checks(balanced: Averaged, error: float) -> tuple[Check, ...]:
    """Whether balanced buckets lose nothing where there are as many as weights.

    Args:
        balanced: What averaging over them did.
        error: Test error before [%].

    Returns:
        The checks.
    """
    return (
        at_most(
            "As many balanced buckets as weights lose nothing: each weight has its own (share of squares lost).",
            0.0,
            balanced.residual,
        ),
        near(
            "A network averaged into as many balanced buckets as weights errs as before (test error in %).",
            error,
            balanced.error,
            0.0,
        ),
    )


def training_checks(trained: Sequence[Trained], curve: Curve) -> tuple[Check, ...]:
    """Whether training through the tie beats averaging afterwards, and plain networks of equal size.

    Args:
        trained: What training gave, compression falling.
        curve: What averaging did; it holds the first compression.

    Returns:
        The checks.
    """
    first, last = trained[0], trained[-1]
    against_averages = mean_and_error(np.array(first.hashed) / network_errors(curve)[first.compression])
    against_plain = mean_and_error(np.array(last.hashed) / last.dense)
    return (
        near(
            f"A checkpoint of the network with {fraction(last.compression)} free parameters for each weight holds "
            "these and the biases, which are not compressed, and no index (numbers in it).",
            round(last.compression * N_PIXELS * N_HIDDEN)
            + round(last.compression * N_HIDDEN * N_DIGITS)
            + N_HIDDEN
            + N_DIGITS,
            last.n_hashed,
            0,
        ),
        at_most(
            f"Trained through the tie, a network with {fraction(first.compression)} free parameters for each weight "
            "has at most half of the test error of one averaged to that size after training (ratio).",
            0.5,
            against_averages[0],
            error=against_averages[1],
        ),
        *(_no_worse(each) for each in trained[:-1]),
        at_most(
            f"Trained through the tie, {last.n_hashed:,} free parameters have at most half of the test error of a "
            f"plain network of {last.n_dense:,} (ratio).",
            0.5,
            against_plain[0],
            error=against_plain[1],
        ),
    )


def _no_worse(each: Trained) -> Check:
    difference, error = mean_and_error(np.subtract(each.hashed, each.dense))
    return at_most(
        f"Trained through the tie, {each.n_hashed:,} free parameters err no more often than a plain network of "
        f"{each.n_dense:,} (difference of test errors in %).",
        0.0,
        difference,
        error=error,
    )


def _in_errors(falls: Floats) -> float:
    """The mean of some numbers in units of its standard error."""
    mean, error = mean_and_error(falls)
    return mean / error if error > 0 else float(np.sign(mean)) * np.inf if mean else 0.0
