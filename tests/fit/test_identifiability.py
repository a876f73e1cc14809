"""What the data identify: ranks, directions without effect and the words for them."""

from dataclasses import replace

import numpy as np
import pytest

from ffshare.fit import FitProblem, FitSettings, IdentifiabilitySettings, Objective, Priors, accumulate, fit, fit_sums
from ffshare.fit.identifiability import identify
from ffshare.fit.sparse_basis import complement, sparse_basis
from ffshare.rules.table import Column
from tests.fit.synthetic import assignment_of, coordinates_of, exact, reference_of
from tests.fit.test_solve import equations_of, toy


def with_a_term_twice(assignment, rule_id, share):
    """The assignment with the first term of a proper rule split into two terms of the same periodicity and phase."""
    table = assignment.tables["ProperTorsions"]
    rule = table.ids.index(rule_id)
    columns = {}
    for name, column in table.columns.items():
        (entry,) = np.flatnonzero((column.rule_idxs == rule) & (column.terms == 0))
        last = np.flatnonzero(column.rule_idxs == rule)[-1] + 1
        values = np.insert(column.values, last, column.values[entry] * (share if name == "k" else 1.0))
        if name == "k":
            values[entry] *= 1.0 - share
        columns[name] = Column(
            name=name,
            unit=column.unit,
            values=values,
            rule_idxs=np.insert(column.rule_idxs, last, rule),
            terms=np.insert(column.terms, last, column.terms[last - 1] + 1),
            free=column.free,
        )
    return replace(assignment, tables={**assignment.tables, "ProperTorsions": replace(table, columns=columns)})


def identified(rows, values=None, settings=None, n_springs=0):
    parameters, _, _ = toy(n_springs, rows.shape[1] - 2 * n_springs)
    objective = Objective.of(parameters, equations_of(rows, np.zeros(len(rows))), parameters.values, Priors())

    def factor(directions):
        return np.linalg.qr(rows @ directions, mode="r")

    at = parameters.values if values is None else values
    return identify(objective, at, settings), identify(objective, at, settings, factor)


def test_a_term_given_twice_is_determined_as_a_sum_only():
    given = assignment_of("openff-2.2.1", ("CCO", "CCCO"))
    rule_id = "t9"
    assignment = with_a_term_twice(given, rule_id, share=0.3)
    coordinates = coordinates_of(("CCO", "CCCO"))
    result = fit(assignment, reference_of(assignment, coordinates), "gasteiger")
    names = result.parameters.names
    pair = [name for name in names if name.startswith(f"{rule_id}.")]
    assert f"{pair[0]} and {pair[-1]} only as a sum" in result.identifiability.sentences
    assert result.identifiability.confirmed
    values = dict(zip(names, result.values, strict=True))
    truth = dict(zip(names, result.parameters.values, strict=True))
    assert values[pair[0]] + values[pair[-1]] == pytest.approx(truth[pair[0]] + truth[pair[-1]], abs=1e-6)
    flags = dict(zip(names, result.flags, strict=True))
    assert all("not identified alone" in flags[name] for name in (pair[0], pair[-1]))
    table = result.identifiability_table().to_pylist()
    assert {"subject": "combination", "finding": f"{pair[0]} and {pair[-1]} only as a sum"} in table
    # The same force field without the doubled term has as many identified combinations.
    plain = fit(given, reference_of(given, coordinates), "gasteiger")
    assert plain.identifiability.rank == result.identifiability.rank


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ([0, 1, 1], "t1.k1 and t2.k1 only as a sum"),
        ([0, 1, -1], "t1.k1 and t2.k1 only as a difference"),
        ([0, 1, 0.5], "t1.k1 and t2.k1 only as t1.k1 + 0.5 t2.k1"),
        ([1, 1, 1], "t0.k1, t1.k1 and t2.k1 only as t0.k1 + t1.k1 + t2.k1"),
        ([0, 1, None], "t2.k1 is not determined"),
    ],
)
def test_what_is_not_identified_is_said_in_words(columns, sentence):
    base = np.random.default_rng(1).normal(size=(30, 2))
    made = {0: base[:, 0], None: np.zeros(30)}
    rows = np.stack([made.get(each, base[:, 1] * (each or 0)) for each in columns], axis=1)
    if columns == [1, 1, 1]:
        rows = np.repeat(base[:, :1], 3, axis=1)
    for found in identified(rows):
        assert found.sentences == (sentence,)
        assert found.rank == np.linalg.matrix_rank(rows)


def test_a_direction_with_many_parameters_is_said_by_the_change_that_has_no_effect():
    rows = np.random.default_rng(2).normal(size=(30, 4))
    rows[:, 3] = rows[:, 0] + rows[:, 1] + rows[:, 2]
    for found in identified(rows):
        (sentence,) = found.sentences
        assert sentence == "no effect has a change along t0.k1 + t1.k1 + t2.k1 - t3.k1"
        np.testing.assert_allclose(rows @ found.null_directions.toarray(), 0.0, atol=1e-10)


@pytest.mark.parametrize("seed", range(6))
def test_ranks_and_null_spaces_are_those_of_a_singular_value_decomposition(seed):
    rng = np.random.default_rng(seed)
    n, rank = 7, int(rng.integers(1, 7))
    rows = rng.normal(size=(40, rank)) @ rng.normal(size=(rank, n))
    for found in identified(rows):
        assert found.rank == rank
        null = found.null_directions.toarray()
        assert null.shape == (n, n - rank)
        np.testing.assert_allclose(rows @ null, 0.0, atol=1e-6 * np.abs(rows).max())
        singular = np.linalg.svd(rows * 5.0, compute_uv=False)
        np.testing.assert_allclose(found.eigenvalues[:rank], singular[:rank] ** 2, rtol=1e-9)


def test_what_squaring_hides_is_seen_in_the_rows():
    """Two columns that differ by a part in 10⁸: the normal matrix is singular to rounding, the rows are not."""
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(60, 3))
    rows[:, 2] = rows[:, 1] + 1e-8 * rng.normal(size=60)
    fine = IdentifiabilitySettings(tolerance=1e-18, doubt=1e-6)
    by_squares, by_rows = identified(rows, settings=fine)
    assert not by_squares.confirmed
    assert by_squares.rank == 2
    assert by_rows.confirmed
    assert by_rows.rank == 3
    expected = np.linalg.svd(rows * 5.0, compute_uv=False)[-1] ** 2
    assert by_rows.eigenvalues[-1] == pytest.approx(expected, rel=1e-4)
    assert by_rows.eigenvalues[-1] < by_rows.floor


def test_eigenvalues_count_in_prior_widths():
    """One row of error 1 by a barrier with prior width 5: the data say 25 times what the prior says."""
    found, _ = identified(np.array([[1.0, 0.0], [0.0, 0.1]]))
    np.testing.assert_allclose(found.eigenvalues, [25.0, 0.25])
    assert (found.rank, found.n_determined) == (2, 1)


def test_the_rest_value_of_a_spring_without_stiffness_is_not_determined():
    rows = np.random.default_rng(3).normal(size=(30, 3))
    values = np.array([0.0, 1.2, 1.0])
    found, _ = identified(rows, values, n_springs=1)
    assert found.sentences == ("s0.length is not determined",)


def test_the_rest_angle_of_a_ring_of_three_is_not_determined():
    """Its angles add up to 180° whatever it does, so that k x0 multiplies a constant."""
    smiles = ("C1CC1",)
    assignment = assignment_of("openff-2.2.1", smiles)
    result = fit(assignment, reference_of(assignment, coordinates_of(smiles)), "gasteiger")
    assert "a3.angle is not determined" in result.identifiability.sentences


def test_the_share_of_the_data_is_how_much_they_narrow_the_prior():
    assignment, reference = exact("openff-2.2.1")
    problem = FitProblem.of(assignment, "gasteiger")
    sums = accumulate(problem, reference)
    result = fit_sums(assignment, problem.parameters, sums, FitSettings(noise="stated", errors="nominal"))
    widths = Priors().scales(result.parameters)
    free = ~np.isnan(result.uncertainty.nominal)
    expected = 1.0 - (result.uncertainty.nominal[free] / widths[free]) ** 2
    np.testing.assert_allclose(result.uncertainty.data_shares[free], expected, atol=1e-9)
    flagged = np.array(["more from the prior than from the data" in flags for flags in result.flags])
    assert flagged[free].any()
    np.testing.assert_array_equal(flagged[free], expected < 0.5)


def test_a_sparse_basis_spans_the_same_space():
    rng = np.random.default_rng(7)
    blocks = np.zeros((9, 3))
    blocks[:3, 0], blocks[3:6, 1], blocks[6:, 2] = [1, -1, 2], [1, 1, 1], [3, 0, 1]
    mixed = np.linalg.qr(blocks @ rng.normal(size=(3, 3)))[0]
    found = sparse_basis(mixed)
    assert np.count_nonzero(found) == 8
    assert np.linalg.matrix_rank(np.concatenate([found, blocks], axis=1)) == 3
    np.testing.assert_allclose(complement(found).T @ blocks, 0.0, atol=1e-12)
    assert complement(found).shape == (9, 6)
