"""Fit the bonded parameters of a scheme to reference data: one pass over the data, then a small solve.

`accumulate` makes sums of the data, `fit_sums` fits to them: many fits can share the first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import ArrayLike

from ffshare.assign import Assignment
from ffshare.errors import InputError
from ffshare.fit.accumulate import Accumulated, accumulate
from ffshare.fit.identifiability import IdentifiabilitySettings, RowFactor, identify
from ffshare.fit.objective import Objective
from ffshare.fit.parameters import BONDED, Parameters
from ffshare.fit.priors import NO_SOFT_TIES, Priors, SoftTies
from ffshare.fit.problem import Background, FitProblem
from ffshare.fit.reference import ReferenceData, ReferenceMolecule
from ffshare.fit.result import FitResult, flags_of, shown_errors
from ffshare.fit.rows import spread, touching_factor
from ffshare.fit.solve import SolverSettings, solve
from ffshare.fit.uncertainty import FEW_MOLECULES, uncertainty
from ffshare.fit.weights import Weights
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray
from ffshare.parallel import HERE, Engine, one_thread
from ffshare.records import doc, record

CLUSTERED, NOMINAL = "clustered", "nominal"
STATED, ESTIMATED = "stated", "estimated"


@record
class FitSettings:
    """How to fit to sums."""

    priors: Priors = doc("prior widths", default_factory=Priors)
    solver: SolverSettings = doc("when to stop", default_factory=SolverSettings)
    identifiability: IdentifiabilitySettings = doc("what counts as identified", default_factory=IdentifiabilitySettings)
    errors: str = doc("standard errors that are shown: 'clustered' by molecule, or 'nominal'", default=CLUSTERED)
    noise: str = doc(
        "of nominal errors: 'estimated' from the residuals, or as 'stated' by the weights", default=ESTIMATED
    )

    def __post_init__(self) -> None:
        for name, known in (("errors", (CLUSTERED, NOMINAL)), ("noise", (STATED, ESTIMATED))):
            if getattr(self, name) not in known:
                raise InputError(f"fit: {name} is {getattr(self, name)!r}; expected {' or '.join(known)}")


def fit(
    assignment: Assignment,
    reference: Iterable[ReferenceMolecule] | ReferenceData,
    charges: ArrayLike | str | None = None,
    *,
    sections: Sequence[str] = BONDED,
    weights: Weights | None = None,
    background: Background | None = None,
    settings: FitSettings | None = None,
    soft_ties: SoftTies = NO_SOFT_TIES,
    means: FloatArray | None = None,
    fixed: ArrayLike = (),
    folder: str | Path | None = None,
    engine: Engine = HERE,
) -> FitResult:
    """Fit the bonded parameters of a scheme to reference data.

    Args:
        assignment: The molecules with the rules of the scheme, whose values the fit starts from.
        reference: Reference data of the molecules of its batch, in their order.
        charges: Charges of the atoms [e], shape=(n_atoms,); a method of `charges_by_name`; None: no electrostatics.
        sections: Bonded sections to fit; the others stay as they are.
        weights: Errors allowed for energies and forces.
        background: What is subtracted from the data; by default all that is not fitted.
        settings: Priors, when to stop, what errors to show.
        soft_ties: Pairs of parameters that are drawn together, numbered as `FitProblem.parameters` are.
        means: Prior means, numbered likewise; by default the values of the rules.
        fixed: Parameters that stay as they are, numbered likewise.
        folder: Where sums are kept, so that a fit that was killed goes on there.
        engine: Where the passes over the data are done.

    Returns:
        The result. A fit that does not converge says so in its status and advice.

    Raises:
        SchemeError: The scheme has terms that the model does not know.
        InputError: The reference data are those of other molecules, or of several levels of theory.
    """
    data = reference.molecules if isinstance(reference, ReferenceData) else reference
    problem = FitProblem.of(assignment, charges, sections=sections, weights=weights, background=background)
    sums = accumulate(problem, data, folder, engine=engine)
    result = fit_sums(
        problem.assignment,
        problem.parameters,
        sums,
        settings,
        soft_ties=soft_ties,
        means=means,
        fixed=fixed,
        # Rows can be looked at again only where the data can be.
        factor=touching_factor(problem, data, sums, engine) if isinstance(data, Sequence) else None,
    )
    provenance = {**result.provenance, "weights": repr(problem.weights), "sections": ", ".join(problem.sections)}
    return replace(result, provenance=provenance)


@one_thread()
def fit_sums(
    assignment: Assignment,
    parameters: Parameters,
    sums: Accumulated,
    settings: FitSettings | None = None,
    *,
    soft_ties: SoftTies = NO_SOFT_TIES,
    means: FloatArray | None = None,
    fixed: ArrayLike = (),
    factor: RowFactor | None = None,
) -> FitResult:
    """Fit parameters to sums of reference data.

    Args:
        assignment: The rules.
        parameters: The parameters that the columns of the sums are.
        sums: The sums.
        settings: Priors, when to stop, what errors to show.
        soft_ties: Pairs of parameters that are drawn together.
        means: Prior means, and where the fit starts, shape=(n,); by default the values of the rules.
        fixed: Parameters that stay at their means.
        factor: The rows along some directions of the columns, see `ffshare.fit.rows`; None: rows cannot be had.

    Returns:
        The result.

    Raises:
        InputError: The parameters are not those of the sums, or one that is needed has no value.
    """
    choices = FitSettings() if settings is None else settings
    if len(parameters) != sums.equations.n_columns:
        raise InputError(f"{len(parameters)} parameters for sums by {sums.equations.n_columns} columns")
    centres = parameters.values if means is None else np.asarray(means, dtype=np.float64)
    chosen = parameters.with_partners(np.union1d(sums.equations.touched, soft_ties.edges))
    mine, start = parameters.part(chosen), centres[chosen]
    missing = np.flatnonzero(~np.isfinite(start))
    if len(missing):
        raise InputError(f"{len(missing)} parameters have no value to start from, the first {mine.names[missing[0]]}")
    is_fixed = np.isin(chosen, np.asarray(fixed, dtype=np.int64))
    objective = Objective.of(
        mine, sums.equations.part(chosen), start, choices.priors, _renumbered(soft_ties, chosen), is_fixed
    )
    solution = solve(objective, start, choices.solver)
    doubts = uncertainty(
        objective,
        solution.values,
        solution.held,
        sums.molecules,
        chosen,
        noise=1.0 if choices.noise == STATED else None,
        clustered=choices.errors == CLUSTERED,
    )
    known = identify(
        objective,
        solution.values,
        choices.identifiability,
        None if factor is None else spread(factor, chosen, len(parameters)),
    )
    flags = flags_of(mine, solution.values, np.flatnonzero(is_fixed), solution, doubts, known, few=float(FEW_MOLECULES))
    errors = doubts.clustered if choices.errors == CLUSTERED else doubts.nominal
    before = objective.squared_residuals(np.asarray(start))
    return FitResult(
        scheme=assignment.scheme,
        parameters=mine,
        values=solution.values,
        errors=shown_errors(errors, flags),
        flags=flags,
        untouched=_untouched(parameters, chosen),
        solution=solution,
        uncertainty=doubts,
        identifiability=known,
        squared_residuals=(before, objective.squared_residuals(solution.values)),
        n_residuals=sums.equations.n_residuals,
        n_molecules=sums.equations.n_molecules,
        left_out=sums.left_out,
        skipped=sums.skipped,
        clashes=sums.clashes,
        provenance={
            "ffshare": version("ffshare"),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scheme": assignment.scheme,
            "level of theory": sums.level,
            "settings": repr(choices),
        },
        start_tables=assignment.tables,
    )


def _untouched(parameters: Parameters, chosen: IntArray) -> Parameters:
    left = np.ones(len(parameters), dtype=bool)
    left[chosen] = False
    return parameters.part(np.flatnonzero(left))


def _renumbered(soft_ties: SoftTies, chosen: IntArray) -> SoftTies:
    return SoftTies(edges=np.searchsorted(chosen, soft_ties.edges), strengths=soft_ties.strengths)
