"""A fit is the same to the last bit whoever does the work, and to rounding whatever is worked on together."""

from functools import cache, partial

import numpy as np
import pytest

from ffshare.errors import InputError, OutputError
from ffshare.fit import FitProblem, Weights, accumulate, fit, gather
from ffshare.fit.rows import row_factor
from ffshare.fit.shared_folder import shared
from ffshare.parallel import HERE, Engine
from tests.fit.run_samples import run_of, some_molecules, write_data
from tests.fit.synthetic import exact
from tests.fit.test_store import same

ALL = Weights(clash=float("inf"))
SIZES = (1, 7, 32)


@cache
def sample():
    """Seven molecules, and data without noise."""
    assignment, reference = exact("openff-2.2.1")
    return FitProblem.of(assignment, "gasteiger", weights=ALL), reference


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data.parquet", n=40)


@cache
def run_here(path, *, scheme="openff-2.2.1"):
    return run_of(path, scheme)


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.mark.parametrize("in_folder", [False, True], ids=["in memory", "in a folder"])
def test_sums_are_the_same_to_the_last_bit_whoever_makes_them(tmp_path, elsewhere, in_folder):
    problem, reference = sample()
    folder, done = tmp_path if in_folder else None, []
    found = gather(problem, reference, folder, 2, done.append, elsewhere)
    assert same(gather(problem, reference, None, 2).molecules, found.molecules)
    assert done == [2, 4, 6, 7]
    assert len(list(tmp_path.iterdir())) == (4 if in_folder else 0)
    assert (found.level, found.clashes, len(found.left_out)) == ("synthetic", {}, len(gather(*sample()).left_out))


def test_sums_that_one_engine_has_kept_are_not_made_again_by_another(tmp_path, elsewhere):
    problem, reference = sample()
    gather(problem, reference, tmp_path, 2)
    (tmp_path / "statistics-000002.npz").unlink()
    before = stamps(tmp_path)
    again = gather(problem, reference, tmp_path, 2, engine=elsewhere)
    assert same(gather(problem, reference, None, 2).molecules, again.molecules)
    after = stamps(tmp_path)
    after.pop("statistics-000002.npz")
    assert after == before


def test_workers_find_a_folder_wherever_they_stand(tmp_path, monkeypatch, elsewhere):
    problem, reference = sample()
    monkeypatch.chdir(tmp_path)
    gather(problem, reference, "sums", 4, engine=elsewhere)
    assert sorted(stamps(tmp_path / "sums")) == ["statistics-000000.npz", "statistics-000001.npz"]


def test_a_worker_that_does_not_see_the_folder_says_where_and_what_to_do(tmp_path):
    with shared(tmp_path, Engine(scheduler="tcp://127.0.0.1:9")) as place:
        place.check()
        (tmp_path / place.token).unlink()
        with pytest.raises(OutputError, match=r"the worker on .* does not see .*; with a scheduler, name a folder \(-"):
            place.check()
    # What is not shared with anybody needs no mark.
    for engine in (HERE, Engine(workers=2)):
        with shared(tmp_path, engine) as place:
            assert not list(tmp_path.iterdir())
            place.check()


def test_nothing_by_which_workers_know_the_folder_is_left(tmp_path, cluster_address):
    with shared(tmp_path, Engine(scheduler=cluster_address)):
        assert len(list(tmp_path.iterdir())) == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_that_workers_cannot_be_shown_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"cannot write to .*; name one that you may write to"),
        shared(tmp_path / "file", Engine(scheduler="tcp://127.0.0.1:9")),
    ):
        pass


@pytest.mark.parametrize(("n", "message"), [(6, "of 6 molecules for a batch of 7"), (8, "go on after the 7 molecules")])
def test_data_of_other_molecules_are_refused_whoever_reads_them(elsewhere, n, message):
    problem, reference = sample()
    with pytest.raises(InputError, match=message):
        gather(problem, [*reference, reference[-1]][:n], engine=elsewhere)


@pytest.mark.parametrize("tied", [True, False])
def test_sums_of_parts_of_any_size_agree_to_rounding(tied):
    assignment = sample()[0].assignment
    problem = FitProblem.of(assignment, "gasteiger", weights=ALL, tied=tied)
    whole, *others = (accumulate(problem, sample()[1], molecules_at_once=size) for size in SIZES)
    for other in others:
        for one, two in zip(whole.molecules, other.molecules, strict=True):
            np.testing.assert_array_equal(one.columns, two.columns)
            # Entries that cancel are as good as the squares of the rows that they are made of.
            scale = np.sqrt(np.outer(one.matrix.diagonal(), one.matrix.diagonal()))
            assert np.all(np.abs(one.matrix - two.matrix) <= 1e-12 * scale)
            assert one.sum_squares == pytest.approx(two.sum_squares, rel=1e-12)
        assert whole.equations.sum_squares == pytest.approx(other.equations.sum_squares, rel=1e-12)


def test_a_fit_is_the_same_to_the_last_bit_whoever_makes_its_sums(elsewhere, monkeypatch):
    monkeypatch.setattr("ffshare.fit.rows._WORTH_WORKERS", 0)
    problem, reference = sample()
    here, there = (fit(problem.assignment, reference, "gasteiger", engine=engine) for engine in (HERE, elsewhere))
    assert here.values.tobytes() == there.values.tobytes()
    assert here.errors.tobytes() == there.errors.tobytes()
    assert here.identifiability.eigenvalues.tobytes() == there.identifiability.eigenvalues.tobytes()


def test_the_factor_of_the_rows_is_that_of_all_of_them_whoever_makes_it(data, elsewhere):
    molecules = some_molecules(40)
    assignment = run_here(data).inputs.scheme.assign(molecules.batch())
    problem = FitProblem.of(assignment, "gasteiger")
    directions = np.random.default_rng(0).normal(size=(problem.n_columns, 3))
    here, there = (row_factor(problem, molecules.molecules, directions, engine) for engine in (HERE, elsewhere))
    assert here.tobytes() == there.tobytes()
    matrix = accumulate(problem, molecules.molecules).equations.matrix
    np.testing.assert_allclose(here.T @ here, directions.T @ (matrix @ directions), rtol=1e-9)


def everything(run):
    """All numbers of a run, as bytes."""
    result, misfit = run.result, run.misfit
    arrays = [
        *(result.values, result.errors, result.identifiability.eigenvalues),
        *(getattr(parity, name) for parity in (misfit.energy_parity, misfit.force_parity) for name in parity.__slots__),
    ]
    sums = [
        (sums.count, sums.absolute, sums.squares, sums.reference_squares)
        for each in misfit.molecules
        for sums in (*each.energies, *each.forces)
    ]
    return [array.tobytes() for array in arrays], sums, run.skipped, result.squared_residuals


@pytest.mark.parametrize("scheme", ["openff-2.2.1", "untied"])
def test_a_whole_run_is_the_same_to_the_last_bit_whoever_does_it(data, tmp_path, elsewhere, scheme):
    kept = tmp_path / "kept"
    found = run_of(data, scheme, kept, elsewhere)
    assert everything(found) == everything(run_here(data, scheme=scheme))
    before = stamps(kept)
    assert sorted(before) == [f"{kind}-{n:06d}.npz" for kind in ("charges", "statistics") for n in (0, 1)]
    assert everything(run_of(data, scheme, kept)) == everything(found)
    assert stamps(kept) == before


@pytest.mark.parametrize("size", SIZES[:2])
def test_a_whole_run_in_parts_of_any_size_agrees_to_rounding(data, monkeypatch, size):
    whole = run_here(data)
    for name in ("charges", "misfit"):
        monkeypatch.setattr(f"ffshare.fit.run.{name}._MOLECULES_AT_ONCE", size)
    monkeypatch.setattr("ffshare.fit.reference.checker._MOST_RECORDS", size)
    monkeypatch.setattr("ffshare.fit.rows.MOLECULES_AT_ONCE", size)
    monkeypatch.setattr("ffshare.fit.run.run.accumulate", partial(accumulate, molecules_at_once=size))
    found = run_of(data)
    pairs = [
        (getattr(run.misfit, what)[when] for run in (whole, found))
        for what in ("energies", "forces")
        for when in (0, 1)
    ]
    for before, after in pairs:
        assert before.count == after.count
        assert before.squares == pytest.approx(after.squares, rel=1e-12)
    assert whole.misfit.force_parity.reference.tobytes() == found.misfit.force_parity.reference.tobytes()
    assert whole.result.squared_residuals == pytest.approx(found.result.squared_residuals, rel=1e-12)


def test_the_points_of_a_plot_do_not_depend_on_what_is_worked_on_together(data, monkeypatch):
    monkeypatch.setattr("ffshare.fit.run.misfit._MOST_SHOWN", 1000)
    few = run_of(data).misfit.force_parity.reference
    assert 700 < len(few) < 1300
    monkeypatch.setattr("ffshare.fit.run.misfit._MOLECULES_AT_ONCE", 7)
    assert run_of(data).misfit.force_parity.reference.tobytes() == few.tobytes()
