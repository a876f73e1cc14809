"""Fits of barriers to some of the scans, on sums made once, and what they do to scans held out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffshare.fit import (
    Accumulated,
    FitProblem,
    FitResult,
    FitSettings,
    Objective,
    Priors,
    Weights,
    accumulate,
    fit_sums,
    solve,
)
from scan_fits.errors import Floats, interval
from scan_fits.scans import SECTION, Scans, fitted

WIDTHS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Widths of the prior that are tried [kcal/mol], with an error of 1 kcal/mol allowed for an energy."""

FOLDS, INNER_FOLDS, SEED = 5, 4, 0
MOST_ORIGINS = 5


def folds_of(names: Sequence[str], n_folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each scan, the same for all scans of a molecule, shape=(n_scans,)."""
    distinct = sorted(set(names))
    order = np.random.default_rng(seed).permutation(len(distinct))
    place = {distinct[idx]: rank % n_folds for rank, idx in enumerate(order.tolist())}
    return np.array([place[name] for name in names])


def settings_of(width: float) -> FitSettings:
    """The settings of a fit with a prior of some width."""
    return FitSettings(priors=Priors(widths={"barrier": width}))


class Fit:
    """Fits of the barriers to some of the scans, on sums made once."""

    def __init__(self, scans: Scans, softening: float) -> None:
        """Sums of all scans.

        Args:
            scans: The scans.
            softening: See `Weights`.
        """
        self.assignment = scans.assignment
        weights = Weights(force=float("inf"), softening=softening)
        problem = FitProblem.of(scans.assignment, scans.charges, sections=(SECTION,), weights=weights)
        self.parameters = problem.parameters
        self.sums = accumulate(problem, scans.molecules)

    def of(self, chosen: NDArray[np.bool_], width: float) -> FitResult:
        """The fit to some scans."""
        return fit_sums(self.assignment, self.parameters, self._some(chosen), settings_of(width))

    def best_width(self, chosen: NDArray[np.bool_], folds: NDArray[np.int64]) -> float:
        """The width with the least error on scans of the chosen ones that are held out of the fit in turn.

        Args:
            chosen: Scans of the training set, shape=(n_scans,).
            folds: Fold of each scan, shape=(n_scans,).

        Returns:
            The width.
        """
        losses = np.zeros(len(WIDTHS))
        for fold in np.unique(folds[chosen]).tolist():
            train = self._some(chosen & (folds != fold))
            held_out = self._some(chosen & (folds == fold)).equations
            for place, width in enumerate(WIDTHS):
                u = self._values(train, width)
                losses[place] += u @ (held_out.matrix @ u) - 2.0 * held_out.vector @ u + held_out.sum_squares
        return WIDTHS[int(losses.argmin())]

    def _values(self, sums: Accumulated, width: float) -> Floats:
        """All barriers after a fit to some sums, without the errors that `fit_sums` computes."""
        touched = sums.equations.touched
        mine = self.parameters.part(touched)
        objective = Objective.of(mine, sums.equations.part(touched), mine.values, settings_of(width).priors)
        values = np.array(self.parameters.values)
        values[touched] = solve(objective, mine.values).values
        return values

    def _some(self, chosen: NDArray[np.bool_]) -> Accumulated:
        return self.sums.of_molecules(lambda each: bool(chosen[each.molecule_idx]))


def cross_validated(scans: Scans, fit: Fit, n_folds: int = FOLDS, seed: int = SEED) -> dict[str, Any]:
    """Errors before and after in training and on held-out molecules.

    Args:
        scans: The scans.
        fit: Their sums.
        n_folds: Folds.
        seed: Of the folds.

    Returns:
        Rows ``training`` (all folds together: each scan once a fold that trains on it), ``held out``, and the latter
        for scans of each origin; and what each fold chose.
    """
    before = scans.residuals(scans.assignment)
    outer = folds_of(scans.names, n_folds, seed)
    inner = folds_of(scans.names, INNER_FOLDS, seed + 1)
    held_out: list[Floats] = list(before)
    training: list[tuple[Floats, Floats, str]] = []
    chosen = []
    for fold in range(n_folds):
        train = outer != fold
        width = fit.best_width(train, inner)
        result = fit.of(train, width)
        after = scans.residuals(fitted(scans, result))
        for idx, is_training in enumerate(train.tolist()):
            if is_training:
                training.append((before[idx], after[idx], scans.names[idx]))
            else:
                held_out[idx] = after[idx]
        chosen.append({"width": width, "parameters": len(result.parameters), "status": result.status})
    rows = {
        "training": interval(*(list(column) for column in zip(*training, strict=True))),
        "held out": interval(before, held_out, scans.names),
    }
    origins = sorted(set(scans.origins))
    for origin in origins if 1 < len(origins) <= MOST_ORIGINS else ():
        mine = [idx for idx, each in enumerate(scans.origins) if each == origin]
        rows[f"held out {origin}-*"] = interval(
            *([column[idx] for idx in mine] for column in (before, held_out, scans.names))
        )
    return {"rows": rows, "folds": chosen}
