"""A recurrent network as system identification: one sequence identifies what is tied over time, and nothing else.

Two kinds of systems: linear ones pushed by noise, fitted by least squares; and tanh networks with known inputs, fitted
by gradients. Both are fitted with the tie over time and without, by the same code.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ffshare.nn.reproduce.outcome import Check, Outcome, Panel, Series, at_least, at_most, near
from ffshare.nn.reproduce.seeds import mean_and_error
from ffshare.nn.reproduce.time_tied_linear import DIMENSION, LENGTHS, Estimates, design, linear_systems
from ffshare.nn.reproduce.time_tied_tanh import N_UNITS, N_WEIGHTS, Trained, tanh_network
from ffshare.tying import LinearTying


def run(quick: bool) -> Outcome:
    """Measure the claims: fewer systems and shorter sequences of the tanh network in the quick run."""
    found = linear_systems(20 if quick else 60)
    trained = [tanh_network(seed, 20 if quick else 40) for seed in range(2 if quick else 5)]
    return Outcome(
        checks=(*linear_checks(found), *tanh_checks(trained)),
        panels=(_error_panel(found), _rank_panel(found), _prediction_panel(trained[0])),
        remarks=(
            "Averaging the untied estimates is no substitute for the tie: each is the shortest matrix that explains "
            "its own step, so their mean is far from W however long the sequence.",
        ),
    )


def linear_checks(found: Estimates) -> tuple[Check, ...]:
    """What is claimed of the linear systems."""
    slopes = np.polyfit(np.log(LENGTHS), np.log(found.tied).T, 1)[0]
    slope, slope_error = mean_and_error(slopes)
    untied = found.untied.mean(axis=0)
    least = int(untied.argmin())
    mean_error, mean_error_error = mean_and_error(found.mean_of_untied.mean(axis=1))
    at_rest = LinearTying.repeat(LENGTHS[0], DIMENSION**2).rank(design(np.zeros((LENGTHS[0], DIMENSION))))
    ranks = [
        near(
            f"Untied, one sequence of T = {n_steps} steps identifies d T of the {n_steps * DIMENSION**2:,} entries of "
            "all W_t, in every system.",
            DIMENSION * n_steps,
            float(_furthest(found.untied_rank[:, column], DIMENSION * n_steps)),
            0.0,
        )
        for column, n_steps in enumerate(LENGTHS)
    ]
    return (
        near(
            "Tied over time, the error of W from one sequence falls as one over the root of its length (slope of the "
            "logarithms).",
            -0.5,
            slope,
            0.1,
            slope_error,
        ),
        at_least(
            "Untied, the estimates are as far from W as zero is, however long the sequence (least relative error, at "
            f"T = {LENGTHS[least]}).",
            0.8,
            float(untied[least]),
            mean_and_error(found.untied[:, least])[1],
        ),
        near(
            "The mean of the untied estimates is not the tied estimate: its relative error stays where it is.",
            0.77,
            mean_error,
            0.05,
            mean_error_error,
        ),
        *ranks,
        near(
            "Tied, one sequence identifies all d² entries of W, in every system and at every length.",
            DIMENSION**2,
            float(_furthest(found.tied_rank, DIMENSION**2)),
            0.0,
        ),
        near("A system that starts at rest and is not pushed identifies nothing, tied or not.", 0, at_rest, 0.0),
    )


def tanh_checks(trained: Sequence[Trained]) -> tuple[Check, ...]:
    """What is claimed of the tanh networks; the worst of the seeds counts."""
    length = trained[0].length
    return (
        near(
            "A tied tanh network, free-running: one sequence identifies all its weights (rank of the derivative by "
            "automatic differentiation).",
            N_WEIGHTS,
            float(_furthest(np.array([each.ranks[0] for each in trained]), N_WEIGHTS)),
            0.0,
        ),
        near(
            f"Untied, the same sequence of {length} steps identifies d T of {N_WEIGHTS * length:,} weights.",
            N_UNITS * length,
            float(_furthest(np.array([each.ranks[1] for each in trained]), N_UNITS * length)),
            0.0,
        ),
        at_most(
            "Tied training recovers the weights from one sequence (relative error).",
            1e-5,
            max(each.matrix_error for each in trained),
        ),
        at_most(
            "Untied training fits the sequence perfectly (mean squared residual) …",
            1e-10,
            max(each.losses[1] for each in trained),
        ),
        at_least(
            "… and fails one step ahead after its end, whether its last or its mean weights are used (mean squared "
            "error relative to the variance).",
            0.3,
            min(each.later[1] for each in trained),
        ),
        at_most(
            "The tied network predicts what comes after the sequence (mean squared error relative to the variance).",
            1e-8,
            max(each.later[0] for each in trained),
        ),
    )


def _furthest(values: NDArray[np.int64], expected: int) -> int:
    """The value that differs most from what is expected."""
    return int(values.flat[abs(values - expected).argmax()])


def _error_panel(found: Estimates) -> Panel:
    kinds = (("tied", found.tied), ("untied", found.untied), ("mean of the untied", found.mean_of_untied))
    first = float(found.tied[:, 0].mean())
    measured = (
        Series(
            label=label,
            x=LENGTHS,
            y=errors.mean(axis=0).tolist(),
            error=[mean_and_error(column)[1] for column in errors.T],
        )
        for label, errors in kinds
    )
    law = [first * (LENGTHS[0] / length) ** 0.5 for length in LENGTHS]
    return Panel(
        title="Error of W from one sequence",
        x_label="length T of the sequence",
        y_label="relative error of W",
        series=(*measured, Series(label="one over the root of T", x=LENGTHS, y=law, style="dashed")),
        x_scale="log",
        y_scale="log",
    )


def _rank_panel(found: Estimates) -> Panel:
    unknown = [length * DIMENSION**2 for length in LENGTHS]
    return Panel(
        title="What one sequence identifies",
        x_label="length T of the sequence",
        y_label="number of parameters",
        series=(
            Series(label="untied: parameters", x=LENGTHS, y=unknown, style="dashed"),
            Series(label="untied: identified", x=LENGTHS, y=found.untied_rank.mean(axis=0).tolist()),
            Series(label="tied: identified, all", x=LENGTHS, y=found.tied_rank.mean(axis=0).tolist()),
        ),
        x_scale="log",
        y_scale="log",
    )


def _prediction_panel(trained: Trained) -> Panel:
    shown = range(30)
    names = (("the system", "line"), ("tied", "points"), ("untied", "dashed"))
    return Panel(
        title="One step ahead, after the sequence",
        x_label="steps after its end",
        y_label="first unit",
        series=tuple(
            Series(label=label, x=list(shown), y=path[: len(shown)].tolist(), style=style)
            for (label, style), path in zip(names, trained.paths, strict=True)
        ),
    )
