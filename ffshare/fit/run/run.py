"""A fit from its inputs to all that is known of it: one pass over the data, a small solve, errors before and after."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from ffshare.errors import InputError
from ffshare.fit.accumulate import accumulate
from ffshare.fit.evaluate import uncovered_molecules
from ffshare.fit.fit import fit_sums
from ffshare.fit.parameters import Parameters
from ffshare.fit.problem import FitProblem
from ffshare.fit.reference import ReferenceData
from ffshare.fit.result import FitResult
from ffshare.fit.rows import touching_factor
from ffshare.fit.run.charges import charge
from ffshare.fit.run.inputs import RunInputs
from ffshare.fit.run.misfit import Misfit, misfit
from ffshare.fit.run.soft_ties import SoftTiesOfRun, soft_ties_of_run
from ffshare.molecules.ragged import IntArray
from ffshare.parallel import HERE, Engine, one_thread
from ffshare.records import doc, record

READING, ASSIGNING, CHARGING, SUMMING, CHOOSING, SOLVING, COMPARING = (
    "reading reference data",
    "assigning parameters",
    "charges",
    "sums over the data",
    "choosing the strength of soft ties",
    "solving",
    "errors before and after",
)
"""Stages of a run, in order."""


class Progress(Protocol):
    """Told how far a run is."""

    def __call__(self, stage: str, n_done: int, n_all: int | None) -> None:
        """A stage has begun, or some of its molecules are done."""


@record
class FitRun:
    """A fit and all that is known of it."""

    inputs: RunInputs = doc("what it was made from")
    data: ReferenceData = doc("the reference data")
    charges: str = doc("method for charges that was taken")
    result: FitResult = doc("the fit")
    misfit: Misfit = doc("errors before and after")
    skipped: Mapping[int, str] = doc("molecules of the data that did not take part, and why")
    soft_ties: SoftTiesOfRun = doc("which parameters were drawn together, how strongly, and how that was chosen")


@one_thread()
def run_fit(
    inputs: RunInputs,
    folder: str | Path | None = None,
    progress: Progress | None = None,
    engine: Engine = HERE,
) -> FitRun:
    """Fit as settings say.

    Law: all of it is the same to the last bit wherever the work is done.

    Args:
        inputs: Settings and what they name.
        folder: Where charges and sums are kept, so that a run that was killed goes on there; None: in memory. The
            workers of a scheduler must share it.
        progress: Told how far it is.
        engine: Where passes over the data are done: checks, charges, sums, errors. Rules are assigned and equations
            solved here.

    Returns:
        The fit. One that did not converge says so in its status and advice.

    Raises:
        InputError: The data cannot be used, are of several levels of theory, or lack the charges that are asked for.
        SchemeError: The scheme has terms that the model does not know, or cannot have soft ties.
        MissingDependencyError: The method for charges needs a package that is not installed.
        OutputError: A worker does not see the folder.
    """
    settings, kept = inputs.settings, None if folder is None else Path(folder)
    tell = _silent if progress is None else progress
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
    tell(READING, 0, None)
    data = inputs.read(engine)
    n = data.n_molecules
    tell(ASSIGNING, 0, n)
    assignment = inputs.scheme.assign(data.batch())
    skipped = uncovered_molecules(assignment)
    covered = np.setdiff1d(np.arange(n), np.array(list(skipped), dtype=np.int64))
    method = settings.charges or ("reference" if data.has_charges else "openff")
    tell(CHARGING, 0, len(covered))
    charged = charge(assignment, data, method, covered, kept, lambda done: tell(CHARGING, done, len(covered)), engine)
    skipped |= charged.uncharged
    tell(SUMMING, 0, n)
    problem = FitProblem.of(assignment, charged.charges, sections=settings.sections, weights=settings.weights.weights())
    problem = replace(problem, skipped=np.union1d(problem.skipped, np.array(list(skipped), dtype=np.int64)))
    if len(problem.skipped) == n:
        first = min(skipped)
        raise InputError(
            f"{assignment.scheme} covers none of the {n} molecules, so there is nothing to fit; the first: "
            f"{skipped[first]}"
        )
    sums = accumulate(problem, data.molecules, kept, progress=lambda done: tell(SUMMING, done, n), engine=engine)
    choices, fixed = settings.fit_settings(), _numbers(problem.parameters, settings.fixed)
    soft = soft_ties_of_run(
        problem, sums, settings.soft_ties.strength, choices, fixed, lambda done, of: tell(CHOOSING, done, of)
    )
    tell(SOLVING, 0, None)

    result = fit_sums(
        problem.assignment,
        problem.parameters,
        sums,
        choices,
        soft_ties=soft.ties,
        fixed=fixed,
        factor=touching_factor(problem, data.molecules, sums, engine),
    )
    tell(COMPARING, 0, None)
    found = misfit(problem, result.tables(), data.molecules, engine)
    return FitRun(
        inputs=inputs,
        data=data,
        charges=method,
        result=result,
        misfit=found,
        skipped=dict(sorted(skipped.items())),
        soft_ties=soft,
    )


def _silent(stage: str, n_done: int, n_all: int | None) -> None:
    pass


def _numbers(parameters: Parameters, names: Sequence[str]) -> IntArray:
    """The parameters of some names."""
    numbers = {name: number for number, name in enumerate(parameters.names)}
    unknown = [name for name in names if name not in numbers]
    if unknown:
        close = difflib.get_close_matches(unknown[0], numbers, n=3) or list(numbers)[:3]
        raise InputError(
            f"fixed: no fitted section has a parameter {unknown[0]!r}; names are like {', '.join(close)}, "
            "see the column name of parameters.csv"
        )
    return np.array([numbers[name] for name in names], dtype=np.int64)
