"""The objective and its minimisation: derivatives, known answers, bounds, and fits that cannot succeed."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, sparse

from ffshare.errors import InputError, TyingError
from ffshare.fit import (
    FitProblem,
    FitSettings,
    NormalEquations,
    Objective,
    Parameters,
    Priors,
    SoftTies,
    SolverSettings,
    accumulate,
    fit_sums,
    solve,
)
from tests.fit.synthetic import exact

SCHEMES = ("openff-2.2.1", "gaff2", "untied:openff-2.2.1")
# Widths that do not hold exact data back.
LOOSE = Priors(strength=1e-9)


@pytest.fixture(scope="module", params=SCHEMES)
def case(request):
    assignment, reference = exact(request.param)
    problem = FitProblem.of(assignment, "gasteiger")
    return problem, accumulate(problem, reference)


def displaced(parameters, priors, share=0.2, seed=3):
    """Values off by a share of the prior widths, within the bounds."""
    rng = np.random.default_rng(seed)
    values = parameters.values + share * priors.scales(parameters) * rng.normal(size=len(parameters))
    kinds = parameters.kinds
    values[kinds == 3] = np.minimum(values[kinds == 3], np.pi)
    return values


def objective_of(case, priors=LOOSE, soft=None, seed=3):
    problem, sums = case
    parameters = problem.parameters.part(sums.equations.touched)
    means = displaced(parameters, priors, seed=seed)
    soft_ties = {} if soft is None else {"soft_ties": soft(parameters)}
    return Objective.of(parameters, sums.equations.part(sums.equations.touched), means, priors, **soft_ties)


def neighbours(parameters):
    """Soft ties between each parameter and the next of its kind."""
    edges = [np.flatnonzero(parameters.kinds == kind) for kind in range(5)]
    pairs = np.concatenate([np.stack([each[:-1], each[1:]], axis=1) for each in edges])
    return SoftTies(edges=pairs, strengths=np.linspace(0.1, 2.0, len(pairs)))


def toy(n_springs=1, n_barriers=2, seed=0, n_rows=40, sections="Bonds"):
    """An objective of made-up rows, and the rows."""
    rng = np.random.default_rng(seed)
    n = 2 * n_springs + n_barriers
    rows, targets = rng.normal(size=(n_rows, n)), rng.normal(size=n_rows)
    keys = [(sections, f"s{i}", "k", 0) for i in range(n_springs)]
    keys += [(sections, f"s{i}", "length", 0) for i in range(n_springs)]
    keys += [("ProperTorsions", f"t{i}", "k", 0) for i in range(n_barriers)]
    parameters = Parameters(
        keys=tuple(keys),
        kinds=[0] * n_springs + [1] * n_springs + [4] * n_barriers,
        entries=np.zeros(n),
        partners=[-1] * n_springs + list(range(n_springs)) + [-1] * n_barriers,
        values=np.concatenate([np.full(n_springs, 300.0), np.full(n_springs, 1.2), np.ones(n_barriers)]),
    )
    return parameters, rows, targets


def equations_of(rows, targets):
    return NormalEquations(
        matrix=sparse.csr_array(rows.T @ rows),
        vector=rows.T @ targets,
        sum_squares=float(targets @ targets),
        n_residuals=len(targets),
        n_molecules=1,
        n_touching=np.ones(rows.shape[1]),
    )


def test_the_gradient_is_that_of_finite_differences(case):
    objective = objective_of(case, Priors(strength=0.7), neighbours)
    values = displaced(objective.parameters, Priors(), share=0.1, seed=5)
    gradient = objective.gradient(values)
    rng = np.random.default_rng(1)
    for _ in range(8):
        way = objective.scales * rng.normal(size=len(values))
        step = 1e-4
        slope = objective.change(values - step * way, values + step * way) / (2 * step)
        assert gradient @ way == pytest.approx(slope, rel=1e-5)


def test_the_curvature_of_the_data_is_that_of_the_unknowns(case):
    objective = objective_of(case)
    values = displaced(objective.parameters, Priors(), seed=6)
    jacobian = objective.parameters.jacobian(values)
    step = 1e-6
    way = np.random.default_rng(2).normal(size=len(values)) * objective.scales
    ahead, behind = (objective.parameters.unknowns(values + sign * step * way) for sign in (1, -1))
    np.testing.assert_allclose(jacobian @ way, (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-6)
    expected = (jacobian.T @ objective.equations.matrix @ jacobian).toarray()
    for block in objective.blocks:
        mine = block.data_hessian(values[block.idxs])
        theirs = expected[np.ix_(block.idxs, block.idxs)]
        np.testing.assert_allclose(mine, theirs, atol=1e-10 * np.abs(theirs).max())
        expected[np.ix_(block.idxs, block.idxs)] = 0.0
    # No curvature between blocks.
    assert not expected.any()


def test_the_objective_is_that_of_the_rows():
    parameters, rows, targets = toy(2, 3)
    priors, means = Priors(strength=0.3), np.array([310.0, 290.0, 1.3, 1.1, 0.5, 0.0, 2.0])
    soft = SoftTies(edges=[(0, 1), (4, 6)], strengths=[2.0, 0.5])
    objective = Objective.of(parameters, equations_of(rows, targets), means, priors, soft)
    k0, k1, x0, x1, *barriers = values = np.array([305.0, 300.0, 1.25, 1.0, 0.4, 0.1, 3.0])
    unknowns = np.array([k0, k1, k0 * x0, k1 * x1, *barriers])
    widths = np.array([100.0] * 2 + [0.1] * 2 + [5.0] * 3)
    expected = ((rows @ unknowns - targets) ** 2).sum() + 0.3 * (((values - means) / widths) ** 2).sum()
    expected += 2.0 * ((k0 - k1) / 100.0) ** 2 + 0.5 * ((barriers[0] - barriers[2]) / 5.0) ** 2
    assert objective.value(values) == pytest.approx(expected, rel=1e-12)
    other = values + 0.01
    assert objective.change(values, other) == pytest.approx(objective.value(other) - objective.value(values), rel=1e-6)


def test_exact_data_give_their_force_field_back(case):
    objective = objective_of(case)
    truth, _ = case[0].parameters.part(case[1].equations.touched), None
    solution = solve(objective, objective.means)
    assert solution.status == "converged"
    assert solution.advice == ""
    problem, sums = case
    result = fit_sums(problem.assignment, problem.parameters, sums, FitSettings(priors=LOOSE))
    loose = np.zeros(len(truth), dtype=bool)
    loose[result.identifiability.unidentified] = True
    # Weakly determined ones are drawn to their prior by as much as they are weak.
    well = ~loose & (result.uncertainty.data_shares > 1 - 1e-6)
    assert well.sum() > 0.6 * len(truth)
    np.testing.assert_allclose(solution.values[well], truth.values[well], rtol=1e-4, atol=1e-4)
    assert objective.squared_residuals(solution.values) < 1e-6 * objective.squared_residuals(objective.means)
    # Gauss-Newton, which converges quadratically: a handful of steps.
    assert len(solution.history) <= 8


def test_a_step_is_recorded_with_what_it_did():
    parameters, rows, targets = toy()
    objective = Objective.of(parameters, equations_of(rows, targets), parameters.values, Priors())
    solution = solve(objective, parameters.values)
    assert solution.status == "converged"
    assert [step.number for step in solution.history] == list(range(len(solution.history)))
    objectives = [step.objective for step in solution.history]
    assert objectives == sorted(objectives, reverse=True)
    assert solution.history[-1].gradient_norm < 1e-3 * solution.history[0].gradient_norm
    assert solution.history[-1].n_taken == solution.history[-1].n_open == 0
    assert solution.objective == objectives[-1]


@given(seed=st.integers(0, 1000), n_springs=st.integers(0, 3), n_barriers=st.integers(1, 3))
def test_the_solution_is_no_worse_than_that_of_another_solver(seed, n_springs, n_barriers):
    parameters, rows, targets = toy(n_springs, n_barriers, seed=seed)
    rng = np.random.default_rng(seed)
    truth = parameters.values * rng.uniform(0.7, 1.3, size=len(parameters))
    targets = targets + rows @ parameters.unknowns(truth)
    objective = Objective.of(parameters, equations_of(rows, targets), parameters.values, Priors())
    mine = solve(objective, parameters.values)

    def residuals(values):
        data = rows @ parameters.unknowns(values) - targets
        return np.concatenate([data, (values - parameters.values) / objective.scales])

    theirs = optimize.least_squares(
        residuals,
        np.clip(parameters.values, objective.lower, objective.upper),
        bounds=(objective.lower, objective.upper),
        x_scale=objective.scales,
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
    )
    assert mine.status == "converged"
    assert mine.objective <= 2.0 * theirs.cost * (1 + 1e-8)
    assert abs(mine.history[-1].promised) <= 1e-12 * (1 + mine.objective)


def test_force_constants_stay_positive_and_are_held_at_their_bound():
    parameters, rows, _ = toy(2, 1)
    wanted = np.array([-50.0, 300.0, -60.0, 360.0, 1.0])  # unknowns: k of the first spring below zero
    objective = Objective.of(parameters, equations_of(rows, rows @ wanted), parameters.values, LOOSE)
    solution = solve(objective, parameters.values)
    assert solution.status == "converged"
    assert solution.values[0] == objective.lower[0] == pytest.approx(0.1)
    # Without stiffness its rest length means nothing, and ends at its own bound.
    assert solution.held.tolist() == [True, False, True, False, False]
    assert np.all(solution.values >= objective.lower)


def test_fixed_parameters_stay():
    parameters, rows, targets = toy(2, 2)
    fixed = np.array([False, True, False, False, True, False])
    objective = Objective.of(parameters, equations_of(rows, targets), parameters.values, LOOSE, fixed=fixed)
    solution = solve(objective, parameters.values)
    np.testing.assert_array_equal(solution.values[fixed], parameters.values[fixed])
    assert solution.held[fixed].all()


def test_with_ever_stronger_soft_ties_parameters_become_one():
    parameters, rows, targets = toy(0, 3)
    distances = []
    for strength in (0.0, 1.0, 1e3, 1e8):
        soft = SoftTies(edges=[(0, 1), (1, 2)], strengths=strength)
        objective = Objective.of(parameters, equations_of(rows, targets), parameters.values, LOOSE, soft)
        values = solve(objective, parameters.values).values
        distances.append(np.ptp(values))
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 1e-5
    # What hard sharing would give.
    shared = rows.sum(axis=1)
    assert values.mean() == pytest.approx(shared @ targets / (shared @ shared), abs=1e-5)


def test_soft_ties_are_made_of_keys_and_pass_over_those_of_other_parameters():
    parameters, _, _ = toy(2, 2)
    keys = parameters.keys
    foreign = ("vdW", "n1", "epsilon", 0)
    soft = SoftTies.between(parameters, [(keys[0], keys[1]), (keys[5], keys[4]), (keys[0], foreign)], strength=3.0)
    assert soft.edges.tolist() == [[0, 1], [5, 4]]
    assert soft.strengths.tolist() == [3.0] * 2


def test_a_soft_tie_between_two_kinds_is_refused():
    parameters, rows, targets = toy()
    with pytest.raises(TyingError, match=r"joins s0\.k and t0\.k1, which are of different kinds"):
        Objective.of(
            parameters, equations_of(rows, targets), parameters.values, LOOSE, SoftTies(edges=[(0, 2)], strengths=1.0)
        )


def test_without_a_prior_what_the_data_do_not_see_stays_where_it_was():
    parameters, rows, _ = toy(0, 3)
    rows = np.stack([rows[:, 0], rows[:, 1], rows[:, 1]], axis=1)
    equations = equations_of(rows, rows @ [1.5, 2.0, 4.0])
    objective = Objective.of(parameters, equations, np.array([0.0, 1.0, 2.0]), Priors(strength=0.0))
    solution = solve(objective, objective.means)
    assert solution.status == "converged"
    assert solution.values[0] == pytest.approx(1.5)
    assert solution.values[1] + solution.values[2] == pytest.approx(6.0)
    assert solution.values[2] - solution.values[1] == pytest.approx(1.0, abs=1e-6)


def test_too_few_steps_are_a_result_with_advice():
    parameters, rows, targets = toy(2, 2)
    objective = Objective.of(parameters, equations_of(rows, targets), parameters.values, Priors())
    solution = solve(objective, parameters.values, SolverSettings(max_steps=1))
    assert solution.status == "too many steps"
    assert "give more steps" in solution.advice
    assert len(solution.history) == 2


def test_sums_that_are_not_finite_are_a_result_with_advice():
    parameters, rows, targets = toy(0, 2)
    equations = dataclasses.replace(equations_of(rows, targets), vector=np.array([np.nan, 1.0]))
    objective = Objective.of(parameters, equations, parameters.values, Priors())
    solution = solve(objective, parameters.values)
    assert solution.status == "not finite"
    assert "check the reference data" in solution.advice


def test_priors_name_known_kinds_and_have_widths_above_zero():
    with pytest.raises(InputError, match="there is no kind 'bond' of parameters"):
        Priors(widths={"bond": 1.0})
    with pytest.raises(InputError, match=r"the width of length is 0\.0"):
        Priors(widths={"length": 0.0})
    with pytest.raises(InputError, match="strength is -1"):
        Priors(strength=-1.0)
    assert Priors(widths={"length": 0.2}).widths["bond k"] == 100.0
