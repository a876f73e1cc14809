"""ffshare's side of the comparison: sums, then a Gauss-Newton step in the real parameters."""

from collections.abc import Sequence

import numpy as np
from scipy import linalg

from ffshare.fit import FitProblem, Objective, Parameters, Priors, ReferenceMolecule, accumulate
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray


def exercised(problem: FitProblem, molecules: Sequence[ReferenceMolecule]) -> tuple[IntArray, Parameters]:
    """The columns that the data touch, ascending, and the parameters that they are."""
    chosen = accumulate(problem, molecules).equations.touched
    return chosen, problem.parameters.part(chosen)


def objective_of(
    problem: FitProblem, molecules: Sequence[ReferenceMolecule], chosen: IntArray, parameters: Parameters
) -> Objective:
    """From coordinates to the objective of the exercised parameters."""
    equations = accumulate(problem, molecules).equations.part(chosen)
    return Objective.of(parameters, equations, parameters.values, Priors())


def gauss_newton(objective: Objective, values: FloatArray) -> FloatArray:
    """The parameters after one full Gauss-Newton step, shape=(n,)."""
    found = np.array(values)
    for block in objective.blocks:
        own = values[block.idxs]
        curvature = block.data_hessian(own) + block.penalty
        found[block.idxs] = own - linalg.solve(curvature, block.gradient(own), assume_a="pos")
    return found


def first_step(
    problem: FitProblem, molecules: Sequence[ReferenceMolecule], chosen: IntArray, parameters: Parameters
) -> FloatArray:
    """From coordinates to updated parameters."""
    return gauss_newton(objective_of(problem, molecules, chosen, parameters), parameters.values)
