"""Sums in a folder: those in memory, without the memory, and never another run's."""

import pickle
import tracemalloc

import numpy as np
import pytest

from ffshare.errors import InputError
from ffshare.fit import FitProblem, Weights, gather
from tests.fit.synthetic import exact

ALL = Weights(clash=float("inf"))
ARRAYS = ("columns", "matrix", "vector")


def problem_of(assignment, weights=ALL):
    """Columns are the slots of all sites: matrices are large."""
    return FitProblem.of(assignment, "gasteiger", weights=weights, tied=False)


def same(mine, theirs):
    """Whether sums are the same to the last bit."""
    return all(
        (one.molecule_idx, one.cluster, one.sum_squares, one.n_residuals, one.n_clashes)
        == (other.molecule_idx, other.cluster, other.sum_squares, other.n_residuals, other.n_clashes)
        and all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in ARRAYS)
        for one, other in zip(mine, theirs, strict=True)
    )


@pytest.mark.parametrize("molecules_at_once", [1, 3, 32])
def test_sums_come_back_to_the_last_bit_as_often_as_one_asks(tmp_path, molecules_at_once):
    assignment, reference = exact("openff-2.2.1")
    in_memory, on_disk = (
        gather(problem_of(assignment), reference, folder, molecules_at_once) for folder in (None, tmp_path)
    )
    assert len(list(in_memory.molecules)) == len(reference)
    for _ in range(2):
        assert same(in_memory.molecules, on_disk.molecules)
    # Some outlive the pass over the file that they are mapped from.
    assert same(list(in_memory.molecules)[::2], list(on_disk.molecules)[::2])
    assert not any(each.matrix.flags.writeable for each in on_disk.molecules)


def test_molecules_of_which_nothing_is_fitted_have_empty_sums_in_a_folder_too(tmp_path):
    assignment, reference = exact("openff-2.2.1")
    problem = FitProblem.of(assignment, "gasteiger", weights=ALL, sections=("ImproperTorsions",), tied=False)
    in_memory, on_disk = (gather(problem, reference, folder, 1) for folder in (None, tmp_path))
    assert 0 in {len(each.columns) for each in in_memory.molecules}
    assert same(in_memory.molecules, on_disk.molecules)


def test_another_process_is_sent_the_folder_and_no_sums(tmp_path):
    assignment, reference = exact("openff-2.2.1")
    sums = gather(problem_of(assignment), reference, tmp_path)
    sent = pickle.dumps(sums)
    assert len(sent) < 0.05 * sum(each.matrix.nbytes for each in sums.molecules)
    assert same(sums.molecules, pickle.loads(sent).molecules)


def test_a_pass_over_sums_in_a_folder_reads_no_matrix_into_memory(tmp_path):
    assignment, reference = exact("openff-2.2.1")
    sums = gather(problem_of(assignment), reference, tmp_path)
    # What is loaded once, on the first pass, is not meant.
    sizes = [each.matrix.nbytes for each in sums.molecules]
    tracemalloc.start()
    for each in sums.molecules:
        assert np.isfinite(each.matrix[0]).all()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.5 * sum(sizes)


def test_sums_that_another_run_has_replaced_or_removed_are_not_taken_for_ones_own(tmp_path):
    assignment, reference = exact("openff-2.2.1")
    mine = gather(problem_of(assignment), reference, tmp_path)
    before = list(gather(problem_of(assignment), reference).molecules)
    kept = list(mine.molecules)
    gather(problem_of(assignment, Weights(energy=0.1, clash=float("inf"))), reference, tmp_path)
    # Those at hand stay what they were.
    assert same(before, kept)
    with pytest.raises(
        InputError, match=r"statistics-000000\.npz: the sums that this run kept there are gone, or anoth"
    ):
        list(mine.molecules)
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(InputError, match="give runs at the same time different folders"):
        list(mine.molecules)
