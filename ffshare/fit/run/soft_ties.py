"""Soft ties of a run: which parameters are drawn together, and how strongly, where the data are to choose.

Each parameter of a SMIRKS rule is tied to that of its parent (`ffshare.assign.parents`). How strong ties should be no
fit can say of its own molecules: these are always best without. So the strength is chosen by cross-validation. With the
molecules in folds f, for each candidate s

    Q(s) = Σ_f Σ_{m in f} |J_m u_f(s) - t_m|²,    u_f(s) = argmin F_s without the molecules of f,

and the candidate with the least Q is taken, of equal ones the weakest; no ties at all are one of them. Then all
molecules are fitted. Stereoisomers, and several records of one molecule, are in one fold.

F and Q are sums over molecules, which are there already: choosing needs no other look at the conformers, and gives the
same bits whenever it is made from the same sums. Priors and weights are those of the run. Standard errors take the
chosen strength as if it had been given.

Reference:
    Stone, J. R. Stat. Soc. B 36, 111 (1974), doi:10.1111/j.2517-6161.1974.tb00994.x.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np

from ffshare.assign.parents import soft_ties
from ffshare.errors import InputError
from ffshare.fit.accumulate import Accumulated
from ffshare.fit.fit import FitSettings
from ffshare.fit.folds import constitution, folds
from ffshare.fit.objective import Objective
from ffshare.fit.priors import NO_SOFT_TIES, SOFT_STRENGTHS, SoftTies
from ffshare.fit.problem import FitProblem
from ffshare.fit.solve import CONVERGED, solve
from ffshare.fit.statistics import MoleculeStatistics, NormalEquations
from ffshare.molecules.ragged import IntArray
from ffshare.parallel import one_thread
from ffshare.records import doc, record

CHOOSE = "choose"
"""In place of a strength: the data choose it."""

CANDIDATES = (0.0, *SOFT_STRENGTHS)
"""Strengths that are tried, none first, then those of a comparison."""

N_FOLDS = 5
_SEED = 1


@record
class Tried:
    """One strength that was tried."""

    strength: float = doc("strength of the soft ties, in prior widths")
    held_out_objective: float = doc("Q: squared residuals over their errors, of molecules that were held out")
    converged: bool = doc("whether the fits of all folds converged")


@record
class StrengthChoice:
    """How well each strength of soft ties does on molecules that are held out."""

    candidates: tuple[Tried, ...] = doc("what was tried, ascending in strength")
    n_residuals: int = doc("residuals that were held out, all folds together")
    n_folds: int = doc("folds of the molecules")
    seed: int = doc("of the split into folds")

    @property
    def strength(self) -> float:
        """The strength that does best, of equal ones the weakest."""
        return min(self.candidates, key=lambda tried: tried.held_out_objective).strength


@record
class SoftTiesOfRun:
    """Soft ties as a fit takes them."""

    ties: SoftTies = doc("the ties, at the strength that is taken; none where that is 0")
    strength: float = doc("this strength")
    choice: StrengthChoice | None = doc("how it was chosen; None: it was given")


def soft_ties_of_run(
    problem: FitProblem,
    sums: Accumulated,
    strength: float | str,
    settings: FitSettings,
    fixed: IntArray,
    progress: Callable[[int, int], None] | None = None,
) -> SoftTiesOfRun:
    """The soft ties of all parameters to those of the parents of their rules.

    Args:
        problem: What is fitted, columns tied to parameters.
        sums: Its sums over the reference data.
        strength: Strength of the ties, 0 for none, or `CHOOSE`.
        settings: Priors, and when to stop.
        fixed: Parameters that stay as they are.
        progress: Where the strength is chosen, called with the number of fits that are done, and of all.

    Returns:
        The ties.

    Raises:
        SchemeError: The rules are not SMIRKS, so that they have no parents.
        InputError: The strength is to be chosen, and there are fewer molecules than folds.
    """
    if not strength:
        return SoftTiesOfRun(ties=NO_SOFT_TIES, strength=0.0, choice=None)
    keys = problem.assignment.tying().keys
    pairs = [(keys[child], keys[parent]) for child, parent in soft_ties(problem.assignment).tolist()]
    ties = SoftTies.between(problem.parameters, pairs, 1.0)
    choice = None if strength != CHOOSE else choose_strength(problem, sums, ties, settings, fixed, progress)
    taken = float(strength) if choice is None else choice.strength
    return SoftTiesOfRun(ties=_at_strength(ties, taken), strength=taken, choice=choice)


@one_thread()
def choose_strength(
    problem: FitProblem,
    sums: Accumulated,
    ties: SoftTies,
    settings: FitSettings,
    fixed: IntArray,
    progress: Callable[[int, int], None] | None = None,
) -> StrengthChoice:
    """How well each candidate for the strength of soft ties does on molecules that are held out.

    Args:
        problem: What is fitted, columns tied to parameters.
        sums: Its sums over the reference data.
        ties: The ties, of any strength.
        settings: Priors, and when to stop.
        fixed: Parameters that stay as they are.
        progress: Called with the number of fits that are done, and of all.

    Returns:
        What was tried, and with it the choice.

    Raises:
        InputError: There are fewer molecules than folds.
    """
    chosen = problem.parameters.with_partners(np.union1d(sums.equations.touched, ties.edges))
    parameters, edges = problem.parameters.part(chosen), np.searchsorted(chosen, ties.edges)
    mine, is_fixed = replace(ties, edges=edges), np.isin(chosen, fixed)
    # One without a value that data touch is refused by the fit to all molecules; others have no effect.
    means = np.nan_to_num(parameters.values)
    held_out = [each.part(chosen) for each in _held_out(problem, sums)]
    squares, converged = np.zeros((len(held_out), len(CANDIDATES))), np.ones(len(CANDIDATES), dtype=bool)
    for number, held in enumerate(held_out):
        training = reduce(add, (each for each in held_out if each is not held))
        # Each fit starts where the last one ended: only the ties have changed.
        values = means
        for place, strength in enumerate(CANDIDATES):
            soft = _at_strength(mine, strength)
            solution = solve(
                Objective.of(parameters, training, means, settings.priors, soft, is_fixed), values, settings.solver
            )
            values = solution.values
            converged[place] &= solution.status == CONVERGED
            squares[number, place] = held.squared_residuals(parameters.unknowns(values))
            if progress is not None:
                progress(number * len(CANDIDATES) + place + 1, squares.size)
    tried = zip(CANDIDATES, squares.sum(axis=0).tolist(), converged.tolist(), strict=True)
    return StrengthChoice(
        candidates=tuple(Tried(strength=s, held_out_objective=q, converged=all_did) for s, q, all_did in tried),
        n_residuals=sum(each.n_residuals for each in held_out),
        n_folds=N_FOLDS,
        seed=_SEED,
    )


def _at_strength(ties: SoftTies, strength: float) -> SoftTies:
    return replace(ties, strengths=np.full(len(ties.edges), strength)) if strength else NO_SOFT_TIES


def _held_out(problem: FitProblem, sums: Accumulated) -> list[NormalEquations]:
    """The sums of each fold of the molecules that take part."""
    batch = problem.assignment.batch
    idxs = np.setdiff1d(np.arange(batch.n_molecules), problem.skipped)
    names = [constitution(batch.molecules[idx]) for idx in idxs.tolist()]
    if len(set(names)) < N_FOLDS:
        raise InputError(
            f"soft_ties.strength: {CHOOSE} splits the molecules into {N_FOLDS} folds, and there are {len(set(names))} "
            "molecules; give a number, or more molecules"
        )
    found = []
    for fold in folds(names, N_FOLDS, _SEED):
        chosen = frozenset(idxs[fold.held_out].tolist())

        def is_in_fold(each: MoleculeStatistics, chosen: frozenset[int] = chosen) -> bool:
            return each.molecule_idx in chosen

        found.append(sums.of_molecules(is_in_fold).equations)
    return found
