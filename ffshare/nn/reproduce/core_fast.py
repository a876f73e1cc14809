"""Meta-learning: one core for all tasks, and fast parameters for each.

Three questions. How few numbers need to adapt, where networks learn sine waves from ten points? What does a network
that has learnt wave B still know of wave A, by the size of its fast set? And is the meta-gradient that of the
meta-loss? All errors are on waves, and points of waves, that were not trained on.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ffshare.nn.core_fast import CoreFast
from ffshare.nn.reproduce.core_fast_gradient import Slopes, slopes
from ffshare.nn.reproduce.core_fast_sine import (
    ANIL,
    CAVIA_2,
    CAVIA_5,
    JOINT,
    MAML,
    STEPS,
    Trained,
    meta_train,
    squared_error,
    waves,
)
from ffshare.nn.reproduce.core_fast_stability import FAST_SETS, TradeOff, trade_off
from ffshare.nn.reproduce.outcome import Check, Outcome, Panel, Series, at_least, at_most, near
from ffshare.nn.reproduce.seeds import mean_and_error

SHOWN = 3


def run(quick: bool) -> Outcome:
    """Measure the claims; in the quick run, weaker ones of one start that is meta-trained for a shorter time."""
    n_starts, n_iterations = (1, 1000) if quick else (2, 8000)
    methods = (JOINT, MAML, ANIL, CAVIA_2) if quick else (JOINT, MAML, ANIL, CAVIA_2, CAVIA_5)
    trained = {method.name: meta_train(method, n_starts, n_iterations) for method in methods}
    cores = trained[ANIL.name].networks
    kept = [trade_off(cores, label, fast, n_pairs=100 if quick else 150) for label, fast in FAST_SETS]
    found = [slopes(method) for method in (MAML, ANIL, CAVIA_2)]
    return Outcome(
        checks=(*sine_checks(trained, quick), *stability_checks(kept, quick), *gradient_checks(found)),
        panels=(_steps_panel(trained), _wave_panel(trained), _stability_panel(kept)),
        remarks=(
            "The first-order variant is cheaper and another method: its meta-gradient leaves out how the steps of "
            "adaptation depend on the core. No number here was made with it but the one that says so.",
            "ANIL is trained for one step, and nothing keeps more of them stable: its mean error after "
            f"{STEPS[-1]} is {float(trained[ANIL.name].errors[:, -1].mean()):.2g}, where the median is "
            f"{float(trained[ANIL.name].errors[:, -1].median()):.2g}.",
        ),
    )


def sine_checks(trained: Mapping[str, Trained], quick: bool) -> tuple[Check, ...]:
    """What is claimed of meta-trained networks after one step of adaptation to a new wave.

    Args:
        trained: Networks by method.
        quick: Leave out the claims that need the full meta-training.
    """
    after_one = {name: each.errors[:, STEPS.index(1)] for name, each in trained.items()}
    cavia, joint, maml = (after_one[method.name] for method in (CAVIA_2, JOINT, MAML))
    checks = (
        at_least(
            "One network trained on all waves jointly has not learnt a new one after a step in all of its weights, on "
            "ten points of it (mean squared error).",
            1.5,
            *_mean(joint),
        ),
        at_most(
            "A step in two context numbers, with all weights shared, leaves a small part of that error (CAVIA against "
            "joint training, ratio).",
            0.25,
            *_ratio(cavia, joint),
        ),
        at_most(
            "How to adapt is learnt: the same 1,761 weights, after one step from where MAML starts them, against one "
            "step from joint training (ratio of the errors).",
            0.7,
            *_ratio(maml, joint),
        ),
        at_least(
            "More fast parameters are not better ones: error of MAML with 1,761 against CAVIA with 2, after one step "
            "(ratio).",
            1.5,
            *_ratio(maml, cavia),
        ),
    )
    if quick:
        return checks
    five, five_error = _ratio(after_one[CAVIA_5.name], cavia)
    return (
        *checks,
        at_most("Error of CAVIA with two numbers after one step (mean squared error).", 0.35, *_mean(cavia)),
        near(
            "A wave is two numbers, so that five tell no more of it (CAVIA, ratio of the errors after one step).",
            1.0,
            five,
            0.15,
            five_error,
        ),
    )


def stability_checks(kept: Sequence[TradeOff], quick: bool) -> tuple[Check, ...]:
    """What is claimed of a core that adapts to a wave A and then to a wave B.

    Args:
        kept: Errors with the fast sets, in the order of `FAST_SETS`.
        quick: Whether there are too few pairs to tell the last two fast sets from each other.
    """
    bias, head, two_layers, everything = kept
    more = _geometric(everything.log_ratio - two_layers.log_ratio)
    return (
        near(
            "Where only the head, or its bias, is fast, A is bit for bit as it was before B, once its head is put "
            "back (largest change of a prediction).",
            0.0,
            max(bias.change, head.change),
            0.0,
        ),
        at_least(
            "Too small a fast set is not plastic: error on A, adapted by the bias alone, against that by the head "
            "(ratio).",
            2.0,
            *_ratio(bias.before, head.before),
        ),
        at_least(
            "Where the last two layers are fast, B spoils A, though the head of A is put back (error on A after B "
            "against before, geometric mean).",
            1.2,
            *_geometric(two_layers.log_ratio),
        ),
        at_least("Where all layers are fast, B spoils A about as much, or more (ratio of the two ratios).", 0.8, *more)
        if quick
        else at_least("Where all layers are fast, B spoils A still more (ratio of the two ratios).", 1.0, *more),
    )


def gradient_checks(found: Sequence[Slopes]) -> tuple[Check, ...]:
    """What is claimed of the meta-gradient; the worst of the methods counts."""
    return (
        at_most(
            "The meta-gradient through three steps of adaptation equals finite differences of the meta-loss, for "
            "MAML, ANIL and CAVIA (relative error).",
            1e-5,
            max(each.error for each in found),
        ),
        at_least(
            "The first-order variant is another gradient (least relative difference of the three).",
            1e-2,
            min(each.left_out for each in found),
        ),
    )


def _mean(errors: Tensor) -> tuple[float, float]:
    """The mean over starts and waves, shape=(n_starts, n_waves), and its standard error from both."""
    over = [mean_and_error(errors.mean(dim=axis).tolist())[1] for axis in (0, 1)]
    return float(errors.mean()), math.hypot(*(error for error in over if math.isfinite(error)))


def _ratio(above: Tensor, below: Tensor) -> tuple[float, float]:
    """The ratio of two means over the same waves, and its standard error."""
    ratio = float(above.mean() / below.mean())
    return ratio, _mean(above - ratio * below)[1] / float(below.mean())


def _geometric(logarithms: Tensor) -> tuple[float, float]:
    """The geometric mean, and its standard error."""
    mean, error = _mean(logarithms)
    return math.exp(mean), math.exp(mean) * error


def _steps_panel(trained: Mapping[str, Trained]) -> Panel:
    def series(name: str, each: Trained) -> Series:
        points = [_mean(each.errors[:, column]) for column in range(len(STEPS))]
        return Series(
            label=f"{name}: {each.n_fast:,} fast", x=STEPS, y=[y for y, _ in points], error=[e for _, e in points]
        )

    return Panel(
        title="Adapting to a new wave",
        x_label="steps",
        y_label="mean squared error",
        series=tuple(series(name, each) for name, each in trained.items()),
        y_scale="log",
    )


def _wave_panel(trained: Mapping[str, Trained]) -> Panel:
    one = waves(torch.Generator().manual_seed(SHOWN), (), n_query=100)

    def predicted(each: Trained) -> Series:
        core = CoreFast(each.networks[0], each.method.fast)
        adapted = core.adapt(lambda network: squared_error(network, one.support), 1, each.method.rate)
        with torch.no_grad():
            return _line(each.method.name, one.query[0], adapted(one.query[0]))

    return Panel(
        title="One new wave, after one step",
        x_label="x",
        y_label="y",
        series=(
            _line("the wave", *one.query, style="dashed"),
            _line("what is seen of it", *one.support, style="points"),
            *(predicted(trained[method.name]) for method in (JOINT, MAML, CAVIA_2)),
        ),
    )


def _line(label: str, x: Tensor, y: Tensor, style: str = "line") -> Series:
    return Series(label=label, x=x.flatten().tolist(), y=y.flatten().tolist(), style=style)


def _stability_panel(kept: Sequence[TradeOff]) -> Panel:
    def series(label: str, errors: Sequence[Tensor], style: str) -> Series:
        points = [_mean(each) for each in errors]
        x = [each.n_fast for each in kept]
        return Series(label=label, x=x, y=[y for y, _ in points], error=[e for _, e in points], style=style)

    return Panel(
        title="Plasticity against stability",
        x_label="fast parameters",
        y_label="mean squared error",
        series=(
            series("A after A", [each.before for each in kept], "line"),
            series("B after B", [each.other for each in kept], "line"),
            series("A after B, its head put back", [each.after for each in kept], "line"),
        ),
        x_scale="log",
        y_scale="log",
    )
