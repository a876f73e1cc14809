"""Scores: pooled errors, intervals over draws of molecules, differences of schemes, draws of a control."""

import dataclasses

import numpy as np
import pytest

from ffshare.fit import ReferenceMolecule
from ffshare.fit.comparison.contest import FoldScores, WholeScores
from ffshare.fit.comparison.scores import SchemeScores, summarised
from ffshare.fit.comparison.sums import Errors
from tests.fit.comparison.samples import reference_of

N = 12
FOLDS = tuple(tuple(range(first, N, 3)) for first in range(3))
CHOICE = {"strength": 1.0, "barrier_width": 1.0, "soft": 0.0}


@pytest.fixture(scope="module")
def reference():
    molecule = ReferenceMolecule(smiles="[He:1]", coords=np.zeros((2, 1, 3)), energies=[0.0, 1.0], level="none")
    return dataclasses.replace(reference_of([]), molecules=(molecule,) * N, level="none")


def errors_of(seed, scale=1.0):
    rng = np.random.default_rng(seed)
    counts = np.stack([rng.integers(2, 9, size=N), rng.integers(9, 90, size=N)], axis=1)
    return Errors(squares=scale * counts * rng.uniform(0.5, 2.0, size=(N, 2)), counts=counts)


def scores_of(errors, group="a", scheme="a", uncovered=(), lacking=(), training=1.0, statuses=("converged",) * 3):
    folds = tuple(
        FoldScores(
            molecules=of,
            squares=tuple(map(tuple, errors.squares[list(of)])),
            counts=tuple(map(tuple, errors.counts[list(of)])),
            training_squares=(training * 10.0, training * 40.0),
            training_counts=(10, 10),
            n_sites=20,
            n_without=place,
            lacking=tuple(idx for idx in lacking if idx in of),
            choice=CHOICE,
            status=status,
        )
        for place, (of, status) in enumerate(zip(FOLDS, statuses, strict=True))
    )
    whole = WholeScores(
        n_defined=50,
        n_exercised=20,
        n_identifiable=18,
        uncovered=uncovered,
        status="converged",
    )
    return SchemeScores(group=group, scheme=scheme, whole=whole, folds=folds)


def summary(reference, *scores, table=None, n_bootstrap=400, seed=3):
    return summarised("terms", scores, table or errors_of(99), reference, n_bootstrap=n_bootstrap, seed=seed)


def test_held_out_errors_are_pooled_over_all_molecules(reference):
    errors = errors_of(1)
    row = summary(reference, scores_of(errors)).rows[0]
    expected = np.sqrt(errors.squares.sum(axis=0) / errors.counts.sum(axis=0))
    assert row["held_out"]["energy"]["rmse"] == pytest.approx(expected[0])
    assert row["held_out"]["force"]["rmse"] == pytest.approx(expected[1])
    assert row["training"] == {"energy": pytest.approx(1.0), "force": pytest.approx(2.0)}
    assert row["share_without_parameter"] == pytest.approx(3 / 60)
    assert (row["defined"], row["exercised"], row["identifiable"], row["n_draws"]) == (50, 20, 18, 1)


def test_intervals_hold_the_estimate_and_are_percentiles_of_draws(reference):
    errors = errors_of(1)
    found = summary(reference, scores_of(errors)).rows[0]["held_out"]
    rng = np.random.default_rng(3)
    draws = [np.sqrt(errors.squares[idxs].sum(axis=0) / errors.counts[idxs].sum(axis=0))
             for idxs in rng.integers(N, size=(400, N))]  # fmt: skip
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    for place, kind in enumerate(("energy", "force")):
        assert found[kind]["interval"] == pytest.approx([low[place], high[place]])
        assert low[place] < found[kind]["rmse"] < high[place]


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(11)
    n, n_covered = 50, 0
    molecule = ReferenceMolecule(smiles="[He:1]", coords=np.zeros((1, 1, 3)), energies=[0.0], level="none")
    data = dataclasses.replace(reference_of([]), molecules=(molecule,) * n, level="none")
    for seed in range(60):
        # Molecules differ in how far off they are: mean squared errors of 1 on average.
        spread = rng.gamma(2.0, 0.5, size=(n, 1))
        counts = np.full((n, 2), 10)
        errors = Errors(squares=spread * rng.chisquare(10, size=(n, 2)), counts=counts)
        found = summarised("", [table_like(errors, n)], errors, data, n_bootstrap=200, seed=seed).rows[-1]
        low, high = found["held_out"]["energy"]["interval"]
        n_covered += low < 1.0 < high
    assert 50 <= n_covered <= 59


def table_like(errors, n):
    """A scheme with one fold of all molecules."""
    fold = dataclasses.replace(
        scores_of(errors_of(1)).folds[0],
        molecules=tuple(range(n)),
        squares=tuple(map(tuple, errors.squares)),
        counts=tuple(map(tuple, errors.counts)),
    )
    return dataclasses.replace(scores_of(errors_of(1)), folds=(fold,))


def test_a_scheme_differs_from_itself_by_nothing(reference):
    errors = errors_of(1)
    found = summary(reference, scores_of(errors), scores_of(errors, group="again", scheme="again")).rows
    for row in found[:2]:
        for kind in ("energy", "force"):
            assert row["held_out"][kind]["less_first"] == [0.0, 0.0]


def test_differences_are_paired(reference):
    errors = errors_of(1)
    worse = Errors(squares=errors.squares * 1.21, counts=errors.counts)
    first, second = summary(reference, scores_of(errors), scores_of(worse, group="b", scheme="b")).rows[:2]
    for kind in ("energy", "force"):
        low, high = first["held_out"][kind]["interval"]
        # Every draw of the second is 1.1 times that of the first.
        assert second["held_out"][kind]["less_first"] == pytest.approx([0.1 * low, 0.1 * high])


def test_draws_of_a_control_are_one_row_of_mean_squared_errors(reference):
    draws = [errors_of(1, scale) for scale in (1.0, 4.0)]
    scores = [
        scores_of(each, group="hashed", scheme=f"hashed?seed={idx}", training=(1.0, 4.0)[idx])
        for idx, each in enumerate(draws)
    ]
    rows = summary(reference, scores_of(errors_of(1)), *scores).rows
    assert [row["scheme"] for row in rows] == ["a", "hashed", "table alone"]
    row, single = rows[1], rows[0]["held_out"]["energy"]["rmse"]
    assert row["n_draws"] == 2
    assert row["held_out"]["energy"]["rmse"] == pytest.approx(np.sqrt(2.5) * single)
    assert row["held_out"]["energy"]["range_of_draws"] == pytest.approx([single, 2 * single])
    assert row["training"]["energy"] == pytest.approx(np.sqrt(2.5))
    assert rows[0]["held_out"]["energy"]["range_of_draws"] is None
    assert len(row["choices"]) == 6


def test_the_covered_molecules_are_those_that_every_scheme_covers(reference):
    first, second = errors_of(1), errors_of(2)
    found = summary(
        reference,
        scores_of(first, uncovered=(0, 1)),
        scores_of(second, group="b", scheme="b", uncovered=(1, 5), lacking=(7,)),
        scores_of(second, group="untied", scheme="untied", lacking=range(N)),
    )
    covered = [idx for idx in range(N) if idx not in (0, 1, 5)]
    seen = [idx for idx in covered if idx != 7]
    assert (found.n_covered, found.n_seen, found.n_molecules, found.n_conformers) == (9, 8, N, 2 * N)
    for row, errors in zip(found.rows[:2], (first, second), strict=False):
        assert row["covered"]["force"]["rmse"] == pytest.approx(errors.rmse(np.array(covered))[1])
        assert row["seen"]["force"]["rmse"] == pytest.approx(errors.rmse(np.array(seen))[1])


def test_where_no_molecule_is_covered_there_is_no_error(reference):
    found = summary(reference, scores_of(errors_of(1), uncovered=tuple(range(N))))
    assert found.n_covered == 0
    assert found.rows[0]["covered"]["energy"]["rmse"] is None
    assert found.rows[0]["covered"]["energy"]["interval"] is None


def test_the_table_alone_stands_last(reference):
    table = errors_of(7)
    row = summary(reference, scores_of(errors_of(1)), table=table).rows[-1]
    assert (row["scheme"], row["exercised"], row["share_without_parameter"]) == ("table alone", 0, 1.0)
    assert row["held_out"]["energy"]["rmse"] == row["training"]["energy"] == pytest.approx(table.rmse()[0])


def test_statuses_of_all_folds_are_kept(reference):
    scores = scores_of(errors_of(1), statuses=("converged", "stalled", "converged"))
    assert summary(reference, scores).rows[0]["statuses"] == ["converged", "stalled"]


def test_the_same_seed_gives_the_same_intervals(reference):
    rows = [summary(reference, scores_of(errors_of(1)), seed=seed).rows[0]["held_out"] for seed in (1, 1, 2)]
    assert rows[0] == rows[1]
    assert rows[0]["energy"]["interval"] != rows[2]["energy"]["interval"]
