"""Gates that share their input weights: exact, smaller, no loss where their bias holds, and harm where it does not.

The tie W_i = W_f = W_o says that the same features of the input decide what to write, what to forget and what to show.
Reading digits row by row does not contradict it. A latch that is written again and again does: a write must open the
input gate and close the forget gate, and weights that both gates share move them the same way. A latch that is written
once has nothing to erase.

Errors of small latches differ widely from one start to the next, so medians are compared, and the standard error of
their ratio is that of resampled starts (bootstrap).
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ffshare.nn.counts import count
from ffshare.nn.lstm import TiedGateLSTM
from ffshare.nn.reproduce.lstm_tasks import OVERWRITE, SINGLE, Errors, digit_accuracies, latch_errors
from ffshare.nn.reproduce.outcome import Check, Outcome, Panel, Series, at_least, at_most, near
from ffshare.nn.reproduce.seeds import mean_and_error, seeded
from ffshare.records import doc, record

Floats = NDArray[np.float64]

N_INPUTS, HIDDEN_SIZE = 8, 32


@record
class Plan:
    """How much is computed."""

    digits: tuple[int, ...] = doc("numbers of digits to train on")
    digit_seeds: int = doc("networks for each of them and each tie")
    digit_updates: int = doc("updates of each")
    latches: Mapping[int, int] = doc("networks for each task and tie, by number of hidden units")
    latch_updates: int = doc("updates of each")
    latch_rate: float = doc("learning rate at the start")


FULL = Plan(
    digits=(100, 400, 1200),
    digit_seeds=20,
    digit_updates=500,
    latches={1: 24, 2: 24, 8: 16},
    latch_updates=2500,
    latch_rate=0.015,
)
QUICK = Plan(
    digits=(100,),
    digit_seeds=10,
    digit_updates=200,
    # The smaller ones differ too much from start to start for few of them to tell.
    latches={8: 16},
    latch_updates=300,
    latch_rate=0.1,
)


def run(quick: bool) -> Outcome:
    """Measure the claims: fewer networks and updates in the quick run."""
    plan = QUICK if quick else FULL
    accuracies = {n: digit_accuracies(n, plan.digit_seeds, n_updates=plan.digit_updates) for n in plan.digits}
    errors = {
        size: latch_errors(size, n_seeds, n_updates=plan.latch_updates, learning_rate=plan.latch_rate)
        for size, n_seeds in plan.latches.items()
    }
    return Outcome(
        checks=(*exactness(), *counts(), *digit_checks(accuracies), *latch_checks(errors)),
        panels=(_digit_panel(accuracies), _latch_panel(errors)),
        remarks=(
            "Harm does not come from erasing alone wherever tied gates are worse, too, at a latch written once. "
            f"Its median errors, untied and tied, by hidden units: {_medians(errors)}.",
            "The tied latch is worse and not unable. Recurrent weights are not tied, and where tanh is nearly linear "
            "they could erase by writing the difference of the new number and the old; whether trained networks do so "
            "was not looked at. All ratios depend on how long and how fast latches are trained.",
        ),
    )


def exactness() -> tuple[Check, ...]:
    """Checks that the layer is an LSTM with equal blocks, and its gradient the sum over them."""
    with seeded(0):
        lstm = nn.LSTM(N_INPUTS, HIDDEN_SIZE, dtype=torch.float64)
        steps = torch.randn(12, 4, N_INPUTS, dtype=torch.float64)
    with torch.no_grad():
        input_gate, forget_gate, _, output_gate = lstm.weight_ih_l0.chunk(4)
        forget_gate.copy_(input_gate)
        output_gate.copy_(input_gate)
    tied = TiedGateLSTM.from_lstm(lstm, tie="input")
    expected, found = lstm(steps)[0], tied(steps)[0]
    unrolled = TiedGateLSTM.from_lstm(lstm, tie="input", fused=False)(steps)[0]
    expected.square().sum().backward()
    found.square().sum().backward()
    i, f, g, o = lstm.weight_ih_l0.grad.chunk(4)
    free = torch.cat([parameter.grad.flatten() for name, parameter in tied.named_parameters() if "weight_ih" in name])
    pooled = torch.cat([(i + f + o).flatten(), g.flatten()])
    return (
        at_most(
            "A layer with tied input weights computes what torch's LSTM computes with its three blocks set equal "
            "(largest difference, double precision).",
            1e-12,
            _largest(found, expected),
        ),
        at_most(
            "Its steps taken one by one give the same as torch's kernel (largest difference).",
            1e-12,
            _largest(unrolled, expected),
        ),
        at_most(
            "The gradient of the tied weights is the sum of the gradients of the three blocks (largest difference).",
            1e-12,
            _largest(free, pooled) if free.shape == pooled.shape else float("inf"),
        ),
    )


def counts() -> tuple[Check, ...]:
    """Checks of the numbers of parameters."""
    tied, untied = (count(TiedGateLSTM(N_INPUTS, HIDDEN_SIZE, tie=tie)) for tie in ("input", "none"))
    second_bias = 4 * HIDDEN_SIZE
    return (
        near(
            "With 8 inputs and 32 units, and one bias vector (torch has a second), an LSTM has 5,248 parameters.",
            5248,
            untied.free - second_bias,
            0,
        ),
        near(
            "The tie leaves 4,736 of them, 2 · 8 · 32 fewer, free.",
            4736,
            tied.free - second_bias,
            0,
        ),
        near(
            "All that are free are also independent: they move the weights in as many directions.",
            tied.free,
            tied.rank,
            0,
        ),
    )


def digit_checks(accuracies: Mapping[int, Mapping[str, Floats]]) -> tuple[Check, ...]:
    """Checks that nothing is lost where the bias holds.

    Args:
        accuracies: Accuracies of networks by number of training digits and by tie.

    Returns:
        One check for each number of digits.
    """
    checks = []
    for n, by_tie in accuracies.items():
        # The networks of a seed have the same digits to train on.
        difference, error = mean_and_error(by_tie["input"] - by_tie["none"])
        checks.append(
            near(
                f"Reading digits row by row, with {n:,} to train on, tied gates are as accurate as untied ones "
                "(difference of the shares told right).",
                0.0,
                difference,
                0.03,
                error,
            )
        )
    return tuple(checks)


def latch_checks(errors: Mapping[int, Errors]) -> tuple[Check, ...]:
    """Checks that the tie does harm where writes must erase, and does none where there is a single write.

    Args:
        errors: Errors of networks by number of hidden units.

    Returns:
        Two checks for each size, with the same bound from either side.
    """
    checks = []
    for size, found in errors.items():
        units = f"{size} hidden unit{'' if size == 1 else 's'}"
        checks += [
            at_least(
                f"Where each write of a latch must erase the one before, tied gates with {units} do harm (ratio of "
                "median errors, tied to untied).",
                1.5,
                *ratio_of_medians(found[OVERWRITE, "input"], found[OVERWRITE, "none"]),
            ),
            at_most(
                f"Where a latch is written once and nothing need be erased, tied gates with {units} do no such harm "
                "(ratio of median errors, tied to untied).",
                1.5,
                *ratio_of_medians(found[SINGLE, "input"], found[SINGLE, "none"]),
            ),
        ]
    return tuple(checks)


def ratio_of_medians(numerators: Floats, denominators: Floats) -> tuple[float, float]:
    """The ratio of the medians of two samples, and its standard error by bootstrap.

    Args:
        numerators: The first sample, shape=(n,).
        denominators: The second, shape=(m,).

    Returns:
        The ratio, and half the width of the central 68 % of the ratios of resampled samples.

    Example:
        >>> ratio_of_medians(np.array([2.0, 4.0, 6.0]), np.array([2.0, 2.0, 2.0]))
        (2.0, 1.0)
    """
    rng = np.random.default_rng(0)
    above, below = (
        np.median(rng.choice(sample, size=(2000, len(sample))), axis=1) for sample in (numerators, denominators)
    )
    low, high = np.quantile(above / below, [0.16, 0.84])
    return float(np.median(numerators) / np.median(denominators)), float(high - low) / 2


def _medians(errors: Mapping[int, Errors]) -> str:
    """Median errors of latches that are written once, for each size."""
    found = {size: [np.median(of_size[SINGLE, tie]) for tie in ("none", "input")] for size, of_size in errors.items()}
    return "; ".join(f"{untied:.2g} and {tied:.2g} with {size}" for size, (untied, tied) in found.items())


def _largest(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).detach().abs().max())


def _digit_panel(accuracies: Mapping[int, Mapping[str, Floats]]) -> Panel:
    series = []
    for tie, label in (("none", "untied"), ("input", "input weights tied")):
        means, errors = zip(*(mean_and_error(by_tie[tie]) for by_tie in accuracies.values()), strict=True)
        series.append(Series(label=label, x=tuple(accuracies), y=means, error=errors))
    return Panel(
        title="Digits read row by row",
        x_label="digits to train on",
        y_label="share of other digits told right",
        series=tuple(series),
        x_scale="log",
    )


def _latch_panel(errors: Mapping[int, Errors]) -> Panel:
    """Every network is a point, beside the number of its hidden units."""
    kinds = {
        "overwritten, untied": (OVERWRITE, "none"),
        "overwritten, tied": (OVERWRITE, "input"),
        "written once, untied": (SINGLE, "none"),
        "written once, tied": (SINGLE, "input"),
    }
    series = []
    for place, (label, kind) in enumerate(kinds.items()):
        points = [(size * 1.12 ** (place - 1.5), float(error)) for size in errors for error in errors[size][kind]]
        x, y = zip(*points, strict=True)
        series.append(Series(label=label, x=x, y=y, style="points"))
    return Panel(
        title="A latch of 10 steps, each point a network",
        x_label="hidden units",
        y_label="squared error / variance",
        series=tuple(series),
        x_scale="log",
        y_scale="log",
    )
