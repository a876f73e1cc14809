"""What a second scheme costs on sums that were gathered for the slots of all sites, and what the first did."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ffshare.assign import Assignment
from ffshare.fit import (
    Accumulated,
    Background,
    FitProblem,
    FitResult,
    Gathered,
    bases_in_use,
    fit_sums,
    gather,
    read_reference,
)
from ffshare.fit.parameters import BONDED
from ffshare.fit.problem import uncovered
from ffshare.model import Basis, Waves, bonded_terms, charges_by_name
from fit_bench.data import assign, least_seconds


def joint_bases(assignments: Sequence[Assignment]) -> dict[str, Basis]:
    """Bases that hold the terms of every assignment."""
    found: dict[str, Basis] = {}
    for assignment in assignments:
        for section, basis in bases_in_use(assignment).items():
            known = found.get(section)
            if isinstance(basis, Waves) and isinstance(known, Waves):
                basis = Waves(
                    cosines=tuple(sorted({*known.cosines, *basis.cosines})),
                    sines=tuple(sorted({*known.sines, *basis.sines})),
                )
            found[section] = basis
    return found


class Sharing:
    """Two schemes over one gathering of the shipped reference data."""

    def __init__(self, path: Path, schemes: Sequence[str], n_molecules: int | None = None) -> None:
        every = read_reference(path).molecules[:n_molecules]
        open_ones = {idx for scheme in schemes for idx in uncovered(assign(scheme, every)).tolist()}
        self.molecules = [each for idx, each in enumerate(every) if idx not in open_ones]
        self.assignments = [assign(scheme, self.molecules) for scheme in schemes]
        self._check_sites()
        self.bases = joint_bases(self.assignments)
        charges = charges_by_name(self.assignments[0], "gasteiger")
        self.background = Background(assignment=self.assignments[0], charges=charges)

    def _check_sites(self) -> None:
        first = self.assignments[0]
        for other in self.assignments[1:]:
            for section in BONDED:
                mine, theirs = (bonded_terms(each)[section] for each in (first, other))
                if mine.form != theirs.form or not np.array_equal(mine.atom_idxs, theirs.atom_idxs):
                    raise SystemExit(
                        f"{first.scheme} and {other.scheme} have other sites in {section}, and cannot share sums by "
                        "site; give two SMIRNOFF schemes"
                    )

    def gather(self) -> Gathered:
        """The sums that do not depend on who shares what."""
        problem = FitProblem.of(
            self.assignments[0], bases=self.bases, background=self.background, tied=False, weights=None
        )
        return gather(problem, self.molecules)

    def tie(self, gathered: Gathered, number: int) -> tuple[FitProblem, Accumulated]:
        """The sums of a scheme."""
        problem = FitProblem.of(self.assignments[number], bases=self.bases, background=self.background)
        return problem, gathered.tied(problem.ties)

    def fit(self, gathered: Gathered, number: int) -> FitResult:
        """The fit of a scheme, errors and identifiability included."""
        problem, sums = self.tie(gathered, number)
        return fit_sums(problem.assignment, problem.parameters, sums)


def second_scheme(path: Path, schemes: Sequence[str], rounds: int) -> dict[str, object]:
    """Times of the first scheme and the second, and their ratio.

    Args:
        path: Reference data.
        schemes: Two schemes; the background is that of the first.
        rounds: Rounds, of which the fastest of each counts.

    Returns:
        Figures by name.
    """
    sharing = Sharing(path, schemes)
    gathered = sharing.gather()
    actions: dict[str, Callable[[], object]] = {"gather": sharing.gather}
    for number, scheme in enumerate(schemes):
        actions[f"tie and sum {scheme}"] = lambda number=number: sharing.tie(gathered, number)
        actions[f"tie, sum and fit {scheme}"] = lambda number=number: sharing.fit(gathered, number)
    least = least_seconds(actions, rounds)
    first, second = (least[f"tie, sum and fit {scheme}"] for scheme in schemes)
    n_conformers = sum(each.n_conformers for each in sharing.molecules)
    return {
        "second_scheme_cost": second / (least["gather"] + first),
        "second_scheme_seconds": least,
        "second_scheme_data": (
            f"{schemes[1]} after {schemes[0]} on {len(sharing.molecules)} molecules that both cover, "
            f"{n_conformers} conformers, both fits with errors and identifiability"
        ),
    }
