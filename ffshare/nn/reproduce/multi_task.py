"""(13) Several tasks: hard sharing, soft sharing along a graph, and all that lies between.

Twenty linear tasks sit on a ring. Their coefficients are a field that varies smoothly around it, plus some roughness
that neighbours do not share. From few or many rows a task, they are estimated for each task alone, with soft ties to
the neighbours, and shared by all. The strength of the soft ties comes from cross-validation within the rows; the
error is that of the coefficients, which no estimator sees.
"""

import math
from collections.abc import Sequence

import numpy as np

from ffshare.nn.reproduce.multi_task_limits import LARGE, distances_to_hard, exact_checks, limit_checks
from ffshare.nn.reproduce.outcome import Check, Outcome, Panel, Series, at_least, near
from ffshare.nn.reproduce.ring_tasks import N_INPUTS, RING, Floats, ring_tasks
from ffshare.nn.reproduce.seeds import mean_and_error
from ffshare.records import doc, record

ROWS = (8, 12, 30, 200)
STRENGTHS = (0.0, *np.logspace(-2, 4, 13).tolist(), math.inf)


@record
class Errors:
    """Mean squared errors of the coefficients, at one number of rows."""

    by_strength: Floats = doc("at each of `STRENGTHS`, shape=(n_seeds, n_strengths)")
    chosen: Floats = doc("at the strength that cross-validation chose, shape=(n_seeds,)")
    strengths: Floats = doc("that strength, shape=(n_seeds,)")


def run(quick: bool) -> Outcome:
    """Run the experiment.

    Args:
        quick: Four seeds and not twenty.

    Returns:
        The outcome.
    """
    found = {n_rows: _errors(n_rows, 4 if quick else 20) for n_rows in ROWS}
    distances = np.array([distances_to_hard(seed) for seed in range(4 if quick else 20)])
    return Outcome(
        checks=(*exact_checks(), *limit_checks(distances), *_gain_checks(found)),
        panels=(_strength_panel(found), _rows_panel(found), _limit_panel(distances)),
        remarks=(
            "Very strong soft ties share completely only within a connected component: a graph in two parts keeps two "
            "sets of coefficients, whatever the strength.",
            "With 200 rows a task there is little left to gain, and complete sharing has tens of times the error "
            "of no sharing: how much to share depends on the data, which is why the strength is chosen by them.",
        ),
    )


def _errors(n_rows: int, n_seeds: int) -> Errors:
    by_strength, chosen, strengths = [], [], []
    for seed in range(n_seeds):
        tasks = ring_tasks(seed, n_rows)
        errors = [
            float(((RING.fit(tasks.inputs, tasks.outputs, each) - tasks.thetas) ** 2).mean()) for each in STRENGTHS
        ]
        rng = np.random.default_rng(seed)
        strength = RING.choose_strength(tasks.inputs, tasks.outputs, STRENGTHS, rng=rng).strength
        by_strength.append(errors)
        chosen.append(errors[STRENGTHS.index(strength)])
        strengths.append(strength)
    return Errors(by_strength=np.array(by_strength), chosen=np.array(chosen), strengths=np.array(strengths))


def _gain_checks(found: dict[int, Errors]) -> tuple[Check, ...]:
    """What sharing is worth; ratios are those of the same seed."""
    few, many = found[ROWS[0]], found[ROWS[-1]]
    least = {
        n_rows: mean_and_error(each.by_strength[:, [0, -1]].min(axis=1) / each.chosen) for n_rows, each in found.items()
    }
    worst = min(least, key=lambda n_rows: least[n_rows][0])
    return (
        at_least(
            "With 8 rows for 10 coefficients, soft ties of the strength that cross-validation chooses beat no sharing "
            "(ratio of mean squared errors) …",
            2.0,
            *mean_and_error(few.by_strength[:, 0] / few.chosen),
        ),
        at_least("… and they beat complete sharing.", 2.0, *mean_and_error(few.by_strength[:, -1] / few.chosen)),
        near(
            "The mean squared error of the coefficients is then a twentieth of the noise.",
            0.052,
            few.chosen.mean(),
            0.01,
            mean_and_error(few.chosen)[1],
        ),
        near(
            "Without sharing, 200 rows a task give the mean squared error of least squares, 1 / (n - d - 1) (ratio).",
            1.0,
            many.by_strength[:, 0].mean() * (ROWS[-1] - N_INPUTS - 1),
            0.1,
            mean_and_error(many.by_strength[:, 0])[1] * (ROWS[-1] - N_INPUTS - 1),
        ),
        at_least(
            "At no number of rows are they worse than the better of the two ends (least ratio of mean squared errors, "
            f"at {worst} rows).",
            1.0,
            *least[worst],
        ),
    )


def _strength_panel(found: dict[int, Errors]) -> Panel:
    return Panel(
        title="From independent tasks to complete sharing",
        x_label="strength of the soft ties λ",
        y_label="mean squared error of the coefficients",
        x_scale="log",
        y_scale="log",
        series=tuple(
            Series(
                label=f"{n_rows} rows a task",
                x=STRENGTHS[1:-1],
                y=each.by_strength[:, 1:-1].mean(axis=0).tolist(),
                error=_errors_of(each.by_strength[:, 1:-1]),
            )
            for n_rows, each in found.items()
        ),
    )


def _rows_panel(found: dict[int, Errors]) -> Panel:
    kinds = {
        "no sharing": [each.by_strength[:, 0] for each in found.values()],
        "soft ties, λ by cross-validation": [each.chosen for each in found.values()],
        "complete sharing": [each.by_strength[:, -1] for each in found.values()],
    }
    return Panel(
        title="Where sharing helps and where it does not",
        x_label="rows a task",
        y_label="mean squared error of the coefficients",
        x_scale="log",
        y_scale="log",
        series=tuple(
            Series(label=kind, x=ROWS, y=[float(each.mean()) for each in errors], error=_errors_of(np.array(errors).T))
            for kind, errors in kinds.items()
        ),
    )


def _limit_panel(distances: Floats) -> Panel:
    return Panel(
        title="Strong soft ties become a hard tie",
        x_label="strength of the soft ties λ",
        y_label="difference from complete sharing (rms)",
        x_scale="log",
        y_scale="log",
        series=(
            *(
                Series(label=label, x=LARGE, y=each.mean(axis=0).tolist(), error=_errors_of(each))
                for label, each in zip(("one ring", "two rings"), distances.swapaxes(0, 1), strict=True)
            ),
            Series(
                label="slope -1",
                x=LARGE,
                y=(distances[:, 0, 0].mean() * LARGE[0] / np.array(LARGE)).tolist(),
                style="dashed",
            ),
        ),
    )


def _errors_of(values: Floats) -> Sequence[float]:
    """Standard errors of the means over the first axis."""
    return [mean_and_error(column)[1] for column in values.T]
