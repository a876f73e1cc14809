"""Standard errors: those of plain matrix algebra on the rows."""

from dataclasses import replace

import numpy as np
import pytest

from ffshare.fit import MoleculeStatistics, NormalEquations, Objective, Priors, SoftTies, solve
from ffshare.fit.uncertainty import FEW_MOLECULES, uncertainty
from tests.fit.test_solve import toy


def molecules_of(rows, targets, members, clusters=None):
    """Statistics of made-up molecules, whose rows are those with their number."""
    found = []
    for number in range(members.max() + 1):
        mine = members == number
        columns = np.flatnonzero(np.any(rows[mine] != 0.0, axis=0))
        own = rows[mine][:, columns]
        found.append(
            MoleculeStatistics(
                molecule_idx=number,
                cluster=str(number) if clusters is None else clusters[number],
                columns=columns,
                matrix=own.T @ own,
                vector=own.T @ targets[mine],
                sum_squares=float(targets[mine] @ targets[mine]),
                n_residuals=int(mine.sum()),
            )
        )
    return found


@pytest.fixture
def case():
    """Parameters, rows of 24 molecules with a few columns each, and targets."""
    parameters, rows, _ = toy(2, 4, n_rows=240, seed=3)
    rng = np.random.default_rng(4)
    members = np.repeat(np.arange(24), 10)
    touched = rng.random((24, 8)) < 0.6
    touched[:, 2:4] = touched[:, :2]  # k and k·x0 of a spring together
    rows = rows * touched[members]
    targets = rows @ parameters.unknowns(parameters.values) + rng.normal(size=240) + 0.5 * rng.normal(size=24)[members]
    return parameters, rows, targets, members


def solved(case, priors, soft=None, clusters=None):
    parameters, rows, targets, members = case
    molecules = molecules_of(rows, targets, members, clusters)
    equations = NormalEquations.of(molecules, len(parameters))
    ties = {} if soft is None else {"soft_ties": soft}
    objective = Objective.of(parameters, equations, parameters.values, priors, **ties)
    return objective, solve(objective, parameters.values), molecules


@pytest.mark.parametrize("noise", [None, 1.0, 2.5])
def test_errors_are_those_of_plain_matrix_algebra(case, noise):
    parameters, rows, targets, members = case
    priors, soft = Priors(strength=0.6), SoftTies(edges=[(4, 6)], strengths=3.0)
    objective, solution, molecules = solved(case, priors, soft)
    found = uncertainty(
        objective, solution.values, solution.held, molecules, np.arange(len(parameters)), noise=noise, clustered=True
    )
    design = rows @ parameters.jacobian(solution.values).toarray()
    residuals = targets - rows @ parameters.unknowns(solution.values)
    prior = np.diag(0.6 / objective.scales**2)
    prior[np.ix_([4, 6], [4, 6])] += 3.0 / 25.0 * np.array([[1, -1], [-1, 1]])
    data = design.T @ design
    inverse = np.linalg.inv(data + prior)
    dof = len(targets) - np.trace(inverse @ data)
    scale = residuals @ residuals / dof if noise is None else noise**2
    assert found.noise == pytest.approx(np.sqrt(residuals @ residuals / dof), rel=1e-9)
    nominal = inverse @ (scale * data + prior) @ inverse
    pulls = [design[members == m].T @ residuals[members == m] for m in range(24)]
    meat = 24 / 23 * sum(np.outer(pull, pull) for pull in pulls)
    clustered = inverse @ (meat + prior) @ inverse
    np.testing.assert_allclose(found.nominal, np.sqrt(np.diag(nominal)), rtol=1e-8)
    amounts = np.array([(design[members == m] ** 2).sum(axis=0) for m in range(24)])
    n_molecules = amounts.sum(axis=0) ** 2 / (amounts**2).sum(axis=0)
    np.testing.assert_allclose(found.n_molecules, n_molecules, rtol=1e-9)
    errors = np.sqrt(np.diag(clustered))
    expected = np.where(n_molecules < FEW_MOLECULES, np.maximum(errors, np.sqrt(np.diag(nominal))), errors)
    assert 0 < np.sum(n_molecules < FEW_MOLECULES) < 8
    np.testing.assert_allclose(found.clustered, expected, rtol=1e-8)
    np.testing.assert_allclose(found.covariance.toarray(), clustered, atol=1e-10 * np.abs(clustered).max())
    shares = 1 - np.diag(inverse) / np.diag(np.linalg.inv(prior))
    np.testing.assert_allclose(found.data_shares, shares, atol=1e-10)
    plain = uncertainty(
        objective, solution.values, solution.held, molecules, np.arange(len(parameters)), noise=noise, clustered=False
    )
    np.testing.assert_allclose(plain.covariance.toarray(), nominal, atol=1e-10 * np.abs(nominal).max())
    np.testing.assert_array_equal(plain.clustered, found.clustered)


def test_records_of_one_molecule_count_as_one(case):
    parameters, rows, targets, members = case
    objective, solution, molecules = solved(case, Priors())
    columns = np.arange(len(parameters))
    apart = uncertainty(objective, solution.values, solution.held, molecules, columns)
    renamed = [replace(each, cluster=str(each.molecule_idx // 2)) for each in molecules]
    together = uncertainty(objective, solution.values, solution.held, renamed, columns)
    joined = molecules_of(rows, targets, members // 2)
    expected = uncertainty(objective, solution.values, solution.held, joined, columns)
    np.testing.assert_allclose(together.clustered, expected.clustered, rtol=1e-9)
    np.testing.assert_allclose(together.n_molecules, expected.n_molecules, rtol=1e-9)
    np.testing.assert_allclose(together.nominal, apart.nominal, rtol=1e-9)
    assert not np.allclose(together.clustered, apart.clustered, rtol=1e-3)


def test_a_parameter_that_one_molecule_determines_gets_no_smaller_error_than_the_nominal_one(case):
    parameters, rows, targets, members = case
    rows = rows.copy()
    rows[members != 5, 7] = 0.0
    rows[members == 5, 7] = 1.0 + np.arange(10)
    objective, solution, molecules = solved((parameters, rows, targets, members), Priors(strength=1e-6))
    found = uncertainty(objective, solution.values, solution.held, molecules, np.arange(len(parameters)))
    assert found.n_molecules[7] == pytest.approx(1.0)
    # The pull of its only molecule is zero at the solution, and says nothing.
    assert found.clustered[7] == found.nominal[7] > 0.0


def test_parameters_that_are_held_have_no_error(case):
    parameters = case[0]
    objective, solution, molecules = solved(case, Priors())
    held = np.zeros(len(parameters), dtype=bool)
    held[[1, 5]] = True
    found = uncertainty(objective, solution.values, held, molecules, np.arange(len(parameters)))
    assert np.flatnonzero(np.isnan(found.nominal)).tolist() == [1, 5]
    assert np.flatnonzero(np.isnan(found.clustered)).tolist() == [1, 5]
    free = uncertainty(objective, solution.values, ~np.ones(8, dtype=bool), molecules, np.arange(8))
    # What is held no longer blurs the others.
    assert np.nanmin(free.nominal[~held] - found.nominal[~held]) >= -1e-12


def test_the_covariance_has_the_blocks_of_the_parameters_that_are_not_held(case):
    parameters, rows, targets, members = case
    # The last two parameters hang together with no other one.
    rows = rows.copy()
    rows[members < 12, 6:] = 0.0
    rows[members >= 12, :6] = 0.0
    objective, solution, molecules = solved((parameters, rows, targets, members), Priors())
    held = np.zeros(len(parameters), dtype=bool)
    held[5] = True
    found = uncertainty(objective, solution.values, held, molecules, np.arange(len(parameters))).covariance
    blocks = np.array([1, 1, 1, 1, 1, 0, 2, 2])
    expected = (blocks[:, None] == blocks) & (blocks > 0)
    np.testing.assert_array_equal(found.toarray() != 0.0, expected)
    np.testing.assert_allclose(found.toarray(), found.toarray().T, rtol=1e-9)


def test_errors_that_lie_far_above_the_weights_keep_what_the_prior_says(case):
    parameters, rows, targets, members = case
    rows = rows.copy()
    rows[:, 7] *= 1e-7
    objective, solution, molecules = solved((parameters, rows, targets, members), Priors())
    columns = np.arange(len(parameters))
    found = uncertainty(objective, solution.values, solution.held, molecules, columns, noise=1e3)
    assert found.data_shares[7] < 1e-6
    assert found.nominal[7] == pytest.approx(objective.scales[7], rel=1e-4)


def test_without_a_prior_what_the_data_do_not_see_has_no_error(case):
    parameters, rows, targets, members = case
    rows = rows.copy()
    rows[:, 6] = rows[:, 7]
    objective, solution, molecules = solved((parameters, rows, targets, members), Priors(strength=0.0))
    found = uncertainty(objective, solution.values, solution.held, molecules, np.arange(len(parameters)))
    assert np.flatnonzero(np.isnan(found.nominal)).tolist() == [6, 7]
    assert found.data_shares.tolist() == [1.0] * 6 + [0.0] * 2


def test_columns_that_take_no_part_change_nothing(case):
    objective, solution, molecules = solved(case, Priors())
    expected = uncertainty(objective, solution.values, solution.held, molecules, np.arange(8))
    # The same columns among twice as many, every second of which nothing touches.
    spread = [replace(each, columns=2 * each.columns) for each in molecules]
    found = uncertainty(objective, solution.values, solution.held, spread, 2 * np.arange(8))
    np.testing.assert_array_equal(found.clustered, expected.clustered)
