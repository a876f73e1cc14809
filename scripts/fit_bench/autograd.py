"""ffshare against torch autograd and finite differences on the same residuals: equal first, then timed in turn."""

import importlib.util
import sys
from collections.abc import Callable, Sequence

import numpy as np

from ffshare.fit import Accumulated, FitProblem, Objective, ReferenceMolecule, accumulate, solve
from ffshare.fit.residuals import Chunk
from fit_bench import finite, steps
from fit_bench.data import assign, bare, least_seconds, timed

GIVEN = "gather, internal coordinates and their derivatives given"
MODES = {
    "gather": ("gather", "reverse"),
    "sparse": ("sparse", "reverse"),
    "dense": ("dense", "reverse"),
    "gather, forward mode": ("gather", "forward"),
    GIVEN: ("gather", "given"),
}
"""Rows of the table: how parameters reach the sites, and how torch differentiates."""

STEPPED = "parameters_after_one_step_over_prior_widths"
COUNTED = ("gather", "sparse", "dense")


class Comparison:
    """One problem, ready for every contender."""

    def __init__(self, scheme: str, molecules: Sequence[ReferenceMolecule]) -> None:
        self.problem: FitProblem
        self.problem, self.molecules = bare(assign(scheme, molecules), molecules)
        self.sums: Accumulated = accumulate(self.problem, self.molecules)
        self.chosen, self.parameters = steps.exercised(self.problem, self.molecules)
        self.start = np.array(self.parameters.values)
        self.objective: Objective = steps.objective_of(self.problem, self.molecules, self.chosen, self.parameters)

    @property
    def n_conformers(self) -> int:
        """Conformers in all."""
        return sum(each.n_conformers for each in self.molecules)

    def rows(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """ffshare's residuals and their Jacobian by the parameters, molecule by molecule.

        Forces first, by axis, atom and conformer, then energies.
        """
        chunk = Chunk.of(self.problem, np.arange(len(self.molecules)), self.molecules)
        jacobian = self.objective.parameters.jacobian(self.start)
        unknowns = self.objective.parameters.unknowns(self.start)
        found: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        plain = True
        for part in chunk.rows(chunk.straight()):
            plain = plain and len(part.groups) == 1
            own = np.searchsorted(self.chosen, part.columns)
            found.setdefault(part.number, []).append(
                (part.targets - unknowns[own] @ part.values, jacobian[own][:, own].T @ part.values)
            )
        if any(len(parts) != 2 for parts in found.values()) or not plain:
            raise SystemExit("a molecule is too large, or has too many conformers, to compare its rows in one part")
        return [
            (np.concatenate([residuals for residuals, _ in parts]), np.concatenate([rows for _, rows in parts], axis=1))
            for _, parts in sorted(found.items())
        ]

    def first_step(self) -> np.ndarray:
        """From coordinates to updated parameters."""
        return steps.first_step(self.problem, self.molecules, self.chosen, self.parameters)


def against_torch(comparison: Comparison, rounds: int) -> dict[str, object]:
    """Figures of the comparison with torch; without torch all are null."""
    if importlib.util.find_spec("torch") is None:
        print("torch is not installed (extra nn): its rows are left out", file=sys.stderr)
        return dict.fromkeys(("speedup_over_autograd", "autograd_seconds", "fit_seconds", "fit_objective"))
    import torch

    from fit_bench import torch_fit
    from fit_bench.torch_energies import as_tensor

    torch.set_num_threads(1)
    molecules = torch_fit.molecules_of(
        comparison.problem, comparison.objective, comparison.molecules, comparison.sums.left_out
    )
    start = as_tensor(comparison.start)
    contenders: dict[str, Callable[[], object]] = {"ffshare": comparison.first_step}
    for name, (feed, mode) in MODES.items():
        contenders[name] = lambda feed=feed, mode=mode: torch_fit.step(
            molecules, comparison.objective, start, feed, mode
        )
    check = _checked(comparison, molecules)
    least = least_seconds(contenders, rounds)
    fastest = min(COUNTED, key=least.__getitem__)
    own, own_time = timed(lambda: solve(comparison.objective, comparison.start))
    theirs, their_time = timed(
        lambda: torch_fit.fit(molecules, comparison.objective, comparison.start, *MODES[fastest])
    )
    n_steps = len(own.history)
    return {
        "speedup_over_autograd": least[fastest] / least["ffshare"],
        "speedup_over_autograd_given_coordinates": least[GIVEN] / least["ffshare"],
        "autograd_fastest": fastest,
        "autograd_seconds": least,
        "autograd_check": check,
        "fit_seconds": {
            "ffshare, accumulation and first step": least["ffshare"],
            "ffshare, a later step": own_time / n_steps,
            f"ffshare, {n_steps} steps to convergence": own_time,
            "ffshare, whole fit": least["ffshare"] + own_time,
            f"torch, {theirs.n_passes} steps to convergence": their_time,
        },
        "fit_objective": {
            "ffshare": comparison.objective.value(own.values),
            "torch": comparison.objective.value(theirs.values),
            "ffshare less torch": comparison.objective.change(theirs.values, own.values),
            "ffshare status": own.status,
        },
    }


def _checked(comparison: Comparison, molecules: Sequence[object]) -> dict[str, float]:
    """Greatest differences between torch and ffshare: rows, over the largest, and parameters after one step."""
    from fit_bench import torch_fit
    from fit_bench.torch_energies import as_tensor
    from fit_bench.torch_rows import MODES as ROWS

    start, mine = as_tensor(comparison.start), comparison.rows()
    found = {"residuals": 0.0, "jacobian": 0.0, STEPPED: 0.0}
    stepped = comparison.first_step()
    for feed, mode in MODES.values():
        for one, (residuals, jacobian) in zip(molecules, mine, strict=True):
            rows = torch_fit.weighted(one, ROWS[mode](one, start[as_tensor(one.own)], feed))
            for name, theirs, ours in (
                ("residuals", rows.residuals, residuals),
                ("jacobian", rows.jacobian, jacobian),
            ):
                found[name] = max(found[name], _difference(theirs.numpy(), ours))
        moved = torch_fit.step(molecules, comparison.objective, start, feed, mode).numpy()
        away = float(np.abs((moved - stepped) / comparison.objective.scales).max())
        found[STEPPED] = max(found[STEPPED], away)
    if max(found["residuals"], found["jacobian"]) > 1e-9 or found[STEPPED] > 1e-7:
        raise SystemExit(f"torch and ffshare disagree, so that there is nothing to compare: {found}")
    return found


def against_finite_differences(comparison: Comparison, rounds: int) -> dict[str, object]:
    """Figures of the comparison with central differences."""
    arguments = (comparison.problem, comparison.objective, comparison.molecules, comparison.start)
    plain, plain_time = timed(lambda: finite.plain(*arguments))
    _, touched_time = timed(lambda: finite.by_molecule(*arguments))
    exact, first = np.zeros_like(plain), 0
    for (_, jacobian), sums in zip(comparison.rows(), comparison.sums.molecules, strict=True):
        last = first + jacobian.shape[1]
        exact[first:last, np.searchsorted(comparison.chosen, sums.columns)] = jacobian.T
        first = last
    least = least_seconds({"ffshare": comparison.first_step}, rounds)["ffshare"]
    return {
        "speedup_over_finite_difference": plain_time / least,
        "speedup_over_finite_difference_of_touched_molecules": touched_time / least,
        "finite_difference_seconds": {"plain": plain_time, "molecules that have the parameter": touched_time},
        "finite_difference_check": {"jacobian": _difference(plain, exact)},
    }


def _difference(theirs: np.ndarray, ours: np.ndarray) -> float:
    if theirs.shape != ours.shape:
        raise SystemExit(f"rows of {theirs.shape} and {ours.shape} are not the same rows")
    return float(np.abs(theirs - ours).max(initial=0.0) / max(np.abs(ours).max(initial=0.0), 1.0))
