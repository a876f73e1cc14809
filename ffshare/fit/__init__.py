"""Fit valence parameters to reference data: the data, the solvers, and what the data can identify."""

from ffshare.fit.accumulate import Accumulated, Gathered, accumulate, gather
from ffshare.fit.fit import FitSettings, fit, fit_sums
from ffshare.fit.identifiability import Identifiability, IdentifiabilitySettings
from ffshare.fit.identifiable import Identifiable, identifiable
from ffshare.fit.objective import Objective
from ffshare.fit.parameters import KINDS, Parameters
from ffshare.fit.priors import PRIOR_WIDTHS, Priors, SoftTies
from ffshare.fit.problem import Background, FitProblem, bases_in_use
from ffshare.fit.reference import ReferenceData, ReferenceMolecule, read_reference, stream_reference, write_reference
from ffshare.fit.result import FitResult
from ffshare.fit.rows import row_factor
from ffshare.fit.run import (
    FitRun,
    Misfit,
    Parity,
    RunFolder,
    RunInputs,
    RunSettings,
    parse_settings,
    read_settings,
    reference_path,
    run_fit,
    settings_text,
    write_run,
)
from ffshare.fit.solve import Solution, SolverSettings, Step, solve
from ffshare.fit.statistics import MoleculeStatistics, NormalEquations
from ffshare.fit.straight import LeftOut
from ffshare.fit.uncertainty import Uncertainty
from ffshare.fit.weights import Weights

__all__ = [
    "KINDS",
    "PRIOR_WIDTHS",
    "Accumulated",
    "Background",
    "FitProblem",
    "FitResult",
    "FitRun",
    "FitSettings",
    "Gathered",
    "Identifiability",
    "IdentifiabilitySettings",
    "Identifiable",
    "LeftOut",
    "Misfit",
    "MoleculeStatistics",
    "NormalEquations",
    "Objective",
    "Parameters",
    "Parity",
    "Priors",
    "ReferenceData",
    "ReferenceMolecule",
    "RunFolder",
    "RunInputs",
    "RunSettings",
    "SoftTies",
    "Solution",
    "SolverSettings",
    "Step",
    "Uncertainty",
    "Weights",
    "accumulate",
    "bases_in_use",
    "fit",
    "fit_sums",
    "gather",
    "identifiable",
    "parse_settings",
    "read_reference",
    "read_settings",
    "reference_path",
    "row_factor",
    "run_fit",
    "settings_text",
    "solve",
    "stream_reference",
    "write_reference",
    "write_run",
]
