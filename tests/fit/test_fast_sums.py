"""Ways to sums that are chosen by size lead to the same sums."""

import numpy as np
import pytest

from ffshare.errors import TyingError
from ffshare.fit import FitProblem, NormalEquations, Weights, accumulate, gather
from ffshare.fit.residuals import Chunk
from tests.fit.synthetic import coordinates_of, exact, reference_of

ALL = Weights(clash=float("inf"))


def close(mine, theirs):
    assert abs(mine.matrix - theirs.matrix).max() <= 1e-12 * abs(theirs.matrix).max()
    np.testing.assert_allclose(mine.vector, theirs.vector, atol=1e-12 * np.abs(theirs.vector).max())
    assert mine.sum_squares == pytest.approx(theirs.sum_squares, rel=1e-12)
    assert (mine.n_residuals, mine.n_molecules) == (theirs.n_residuals, theirs.n_molecules)
    np.testing.assert_array_equal(mine.n_touching, theirs.n_touching)


def test_products_atom_by_atom_are_those_of_all_columns_with_all(monkeypatch):
    assignment, reference = exact("openff-2.2.1")
    problem = FitProblem.of(assignment, "gasteiger", weights=ALL, tied=False)
    for least, share in ((1, 1.0), (10**9, 0.0)):
        monkeypatch.setattr("ffshare.model.layout._LEAST_COLUMNS", least)
        monkeypatch.setattr("ffshare.model.layout._MOST_TOUCHED", share)
        chunk = Chunk.of(problem, np.arange(len(reference)), reference)
        groups = {len(rows.groups) for rows in chunk.rows(chunk.straight())}
        assert (max(groups) > 1) == (least == 1)
        sums = gather(problem, reference)
        if least == 1:
            apart = list(sums.molecules)
    for mine, theirs in zip(apart, sums.molecules, strict=True):
        np.testing.assert_array_equal(mine.columns, theirs.columns)
        np.testing.assert_allclose(mine.matrix, theirs.matrix, atol=1e-12 * np.abs(theirs.matrix).max())
        np.testing.assert_allclose(mine.vector, theirs.vector, atol=1e-12 * np.abs(theirs.vector).max())
        assert mine.sum_squares == pytest.approx(theirs.sum_squares, rel=1e-12)


@pytest.mark.parametrize("paired", [False, True])
def test_rows_as_one_matrix_have_the_products_of_their_groups(monkeypatch, paired):
    monkeypatch.setattr("ffshare.model.layout._LEAST_COLUMNS", 1 if paired else 10**9)
    monkeypatch.setattr("ffshare.model.layout._MOST_TOUCHED", 1.0)
    assignment, reference = exact("openff-2.2.1")
    problem = FitProblem.of(assignment, "gasteiger", weights=ALL)
    chunk = Chunk.of(problem, np.arange(len(reference)), reference)
    found = np.zeros((problem.n_columns, problem.n_columns))
    for rows in chunk.rows(chunk.straight()):
        found[np.ix_(rows.columns, rows.columns)] += rows.values @ rows.values.T
    expected = accumulate(problem, reference).equations.matrix.toarray()
    np.testing.assert_allclose(found, expected, atol=1e-12 * np.abs(expected).max())


def test_the_sum_in_a_dense_matrix_is_that_in_sparse_ones(monkeypatch):
    assignment, reference = exact("openff-2.2.1")
    gathered = gather(FitProblem.of(assignment, "gasteiger", weights=ALL), reference)
    dense = NormalEquations.of(gathered.molecules, gathered.n_columns)
    monkeypatch.setattr("ffshare.fit.statistics._MOST_DENSE", 0)
    theirs = NormalEquations.of(gathered.molecules, gathered.n_columns)
    close(dense, theirs)
    # What hangs together is told from what is stored, zeros included.
    np.testing.assert_array_equal(dense.matrix.indptr, theirs.matrix.indptr)
    np.testing.assert_array_equal(dense.matrix.indices, theirs.matrix.indices)


def test_sums_do_not_depend_on_how_many_conformers_the_molecules_beside_have():
    assignment, _ = exact("openff-2.2.1")
    coordinates = [each[: 12 - number] for number, each in enumerate(coordinates_of())]
    reference = reference_of(assignment, coordinates)
    problem = FitProblem.of(assignment, "gasteiger", weights=ALL)
    together = gather(problem, reference, molecules_at_once=32)
    alone = gather(problem, reference, molecules_at_once=1)
    for mine, theirs in zip(together.molecules, alone.molecules, strict=True):
        np.testing.assert_allclose(mine.matrix, theirs.matrix, atol=1e-11 * np.abs(theirs.matrix).max())
    assert repr(together.left_out) == repr(alone.left_out)


def test_a_tying_of_sums_in_memory_is_that_of_sums_in_a_folder(tmp_path):
    assignment, reference = exact("openff-2.2.1")
    ties = FitProblem.of(assignment, "gasteiger", weights=ALL).ties
    problem = FitProblem.of(assignment, "gasteiger", weights=ALL, tied=False)
    in_memory, on_disk = (gather(problem, reference, folder).tied(ties) for folder in (None, tmp_path))
    close(in_memory.equations, on_disk.equations)
    with pytest.raises(TyingError, match=f"the ties have 3 sites; these sums have {problem.n_columns} columns"):
        gather(problem, reference).tied(ties[:3])
    close(in_memory.equations, accumulate(FitProblem.of(assignment, "gasteiger", weights=ALL), reference).equations)
