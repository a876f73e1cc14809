"""Fits to data of a known force field with noise: parameters come back, as near as their errors say.

MMFF94's own potentials are no springs and cosines, so that a fit refuses them: its labels are tested on the terms of
the comparison, which is where they are fitted.
"""

from dataclasses import replace

import numpy as np
import pytest

from ffshare.fit import (
    FitProblem,
    FitSettings,
    NormalEquations,
    Priors,
    SolverSettings,
    Weights,
    accumulate,
    fit_sums,
)
from ffshare.fit.comparison.scheme import Choice
from ffshare.fit.identifiability import identify
from ffshare.fit.parameters import BONDED, KINDS
from ffshare.fit.residuals import Chunk
from ffshare.fit.result import flags_of
from ffshare.fit.uncertainty import FEW_MOLECULES, uncertainty
from ffshare.parallel import one_thread
from tests.fit.synthetic import STRAIGHTLESS, coordinates_of, exact, exact_on_common_terms, reference_of

SCHEMES = (
    "openff-2.2.1",
    "openff-2.3.0",
    "gaff",
    "gaff2",
    "untied:openff-2.2.1",
    "hashed-element:openff-2.2.1",
    "hashed:openff-2.2.1",
)
N_REPLICAS = 60
# No conformer is a clash: what is far too high or not is no question where the truth may be a random force field.
WEIGHTS = Weights(energy=0.5, force=1.0, clash=float("inf"))


def noisy_sums(problem, reference, n_replicas, seed=0):
    """Sums of replicas that differ by the noise of their targets only, so that rows are made once."""
    sums = accumulate(problem, reference)
    chunk = Chunk.of(problem, np.arange(len(reference)), reference)
    rng = np.random.default_rng(seed)
    vectors = {each.molecule_idx: np.zeros((n_replicas, len(each.columns))) for each in sums.molecules}
    squares = {each.molecule_idx: np.zeros(n_replicas) for each in sums.molecules}
    for rows in chunk.rows(chunk.straight()):
        noise = rng.normal(size=(n_replicas, len(rows.targets)))
        if rows.n_residuals < len(rows.targets):
            # Energies lose their constant; all have the same weight here.
            noise -= noise.mean(axis=1, keepdims=True)
        targets = rows.targets + noise
        vectors[rows.number] += targets @ rows.values.T
        squares[rows.number] += (targets**2).sum(axis=1)
    for replica in range(n_replicas):
        molecules = [
            replace(
                each,
                vector=vectors[each.molecule_idx][replica],
                sum_squares=float(squares[each.molecule_idx][replica]),
            )
            for each in sums.molecules
        ]
        yield replace(sums, molecules=molecules, equations=NormalEquations.of(molecules, problem.n_columns))


def assert_recovered(away, counted, noises):
    """Parameters come back in many replicas, and are as far away as their errors say, no farther and no nearer.

    Args:
        away: Distance from the truth of each parameter, in standard errors, shape=(n_replicas, n).
        counted: Parameters that in all replicas are within their bounds, identified, and not drawn by the prior.
        noises: What the residuals say of the noise in each replica, over what it is.
    """
    assert counted.sum() >= 30
    away = away[:, counted]
    # Of means over the replicas, whose error is one over the root of their number.
    assert np.abs(away.mean(axis=0)).max() < 4.5 / np.sqrt(len(away))
    coverage = np.mean(np.abs(away) < 1.96, axis=0)
    assert 0.93 <= coverage.mean() <= 0.97
    # Of one parameter in 60 replicas: 95 % with an error of 2.8 %.
    assert coverage.min() >= 0.83
    assert np.mean(coverage >= 0.90) > 0.95
    assert np.mean(noises) == pytest.approx(1.0, abs=0.02)


def are_plain(flags):
    """Which parameters are within their bounds and identified, shape=(n,)."""
    return np.array([set(each) <= {"from few molecules"} for each in flags])


@pytest.mark.parametrize("name", SCHEMES)
def test_intervals_cover_the_truth_as_often_as_they_say(name):
    assignment, reference = exact(name, STRAIGHTLESS)
    problem = FitProblem.of(assignment, "gasteiger", weights=WEIGHTS)
    parameters = problem.parameters
    settings = FitSettings(errors="nominal", noise="stated")
    # The fit starts from, and is drawn to, values that are off by what the priors say.
    rng = np.random.default_rng(4)
    means = parameters.values + 0.3 * Priors().scales(parameters) * rng.normal(size=len(parameters))
    means = np.where(parameters.kinds == KINDS.index("angle"), np.minimum(means, np.pi), means)
    away, noises, counted = [], [], True
    for sums in noisy_sums(problem, reference, N_REPLICAS):
        result = fit_sums(assignment, parameters, sums, settings, means=means)
        assert result.status == "converged"
        assert not result.left_out
        away.append((result.values - result.parameters.values) / result.errors)
        counted = counted & are_plain(result.flags) & (result.uncertainty.data_shares > 0.98)
        noises.append(result.uncertainty.noise)
    assert_recovered(np.array(away), counted, noises)


@one_thread()
def test_intervals_of_the_labels_of_mmff94_on_common_terms_cover_the_truth():
    made = exact_on_common_terms("mmff94", STRAIGHTLESS, WEIGHTS)
    problem, everything = made.parts.problem(), np.arange(len(STRAIGHTLESS))
    assert (problem.rules >= 0).all()
    plain = FitProblem.of(
        made.parts.labelled,
        weights=WEIGHTS,
        background=made.parts.background,
        bases=made.parts.bases,
        sections=BONDED,
    )
    # The sums of the comparison, untied at first, are those that the replicas add noise to.
    for mine, other in zip(problem.statistics, accumulate(plain, made.parts.molecules).molecules, strict=True):
        assert np.abs(mine.matrix - other.matrix).max() < 1e-9 * np.abs(other.matrix).max()
        assert np.abs(mine.vector - other.vector).max() < 1e-9 * np.abs(other.vector).max()
    away, noises, counted = [], [], True
    for sums in noisy_sums(plain, made.parts.molecules, N_REPLICAS):
        replica = replace(problem, statistics=tuple(sums.molecules))
        fitted = replica.fit(everything, Choice(), SolverSettings())
        values, solution = fitted.solution.values, fitted.solution
        assert solution.status == "converged"
        assert not sums.left_out
        chosen = np.flatnonzero(np.isfinite(fitted.values))
        doubts = uncertainty(
            fitted.objective, values, solution.held, sums.molecules, chosen, noise=1.0, clustered=False
        )
        known = identify(fitted.objective, values)
        flags = flags_of(fitted.parameters, values, [], solution, doubts, known, float(FEW_MOLECULES))
        away.append((values - made.truth[chosen]) / doubts.nominal)
        counted = counted & are_plain(flags) & (doubts.data_shares > 0.98)
        noises.append(doubts.noise)
    # The fit began elsewhere.
    assert np.abs((fitted.objective.means - made.truth[chosen]) / fitted.objective.scales).max() > 0.3
    assert_recovered(np.array(away), counted, noises)


def test_replicas_that_share_rows_are_those_of_noisy_data():
    assignment, reference = exact("openff-2.2.1")
    problem = FitProblem.of(assignment, "gasteiger", weights=WEIGHTS)
    (made,) = noisy_sums(problem, reference, 1)
    coordinates = coordinates_of()
    noisy = reference_of(assignment, coordinates, energy_noise=0.5, force_noise=1.0)
    whole = accumulate(problem, noisy).equations
    # Other noise of the same size: the same matrix, and a misfit of as many degrees of freedom.
    assert abs(made.equations.matrix - whole.matrix).max() <= 1e-12 * abs(whole.matrix).max()
    for sums in (made.equations, whole):
        result = fit_sums(assignment, problem.parameters, replace(made, equations=sums))
        n = sums.n_residuals - result.identifiability.rank
        assert result.squared_residuals[1] == pytest.approx(n, abs=5 * np.sqrt(2 * n))


def test_clustered_errors_are_right_where_residuals_of_a_molecule_go_together():
    """Molecules that each err in their own way: nominal errors are too small, clustered ones are not."""
    ethers = ["C" * n + "O" + "C" * m for n in range(1, 5) for m in range(n, 6)]
    smiles = (*ethers, "CCO", "CCCO", "CC(C)O", "CO")
    assignment, _ = exact("openff-2.2.1", smiles)
    coordinates = coordinates_of(smiles, 6)
    reference = reference_of(assignment, coordinates)
    problem = FitProblem.of(assignment, "gasteiger", weights=WEIGHTS)
    sums = accumulate(problem, reference)
    truth = problem.parameters.values
    rng = np.random.default_rng(3)
    inside = {"nominal": [], "clustered": []}
    scales = Priors().scales(problem.parameters)
    for _ in range(40):
        molecules = []
        for each in sums.molecules:
            # The molecule follows parameters of its own.
            own = problem.parameters.unknowns(truth + 0.02 * scales * rng.normal(size=len(truth)))[each.columns]
            common = problem.parameters.unknowns(truth)[each.columns]
            shift = each.matrix @ (own - common)
            squares = each.sum_squares + 2 * (own - common) @ each.vector + (own - common) @ shift
            molecules.append(replace(each, vector=each.vector + shift, sum_squares=float(max(squares, 0.0))))
        replica = replace(sums, molecules=molecules, equations=NormalEquations.of(molecules, problem.n_columns))
        result = fit_sums(assignment, problem.parameters, replica, FitSettings(noise="stated"))
        away = np.abs(result.values - result.parameters.values)
        counted = (result.uncertainty.n_molecules > 10) & (result.uncertainty.data_shares > 0.9)
        assert counted.sum() >= 8
        for kind in inside:
            inside[kind].append(away[counted] < 1.96 * getattr(result.uncertainty, kind)[counted])
    assert np.mean(np.concatenate(inside["nominal"])) < 0.8
    assert 0.88 <= np.mean(np.concatenate(inside["clustered"])) <= 0.99
