"""Torsion barriers fitted to scans: laws of the script on made-up scans, and its numbers where the scans are."""

from dataclasses import replace

import numpy as np
import pytest

import ffshare
from ffshare.errors import MissingDependencyError
from ffshare.fit import ReferenceData, write_reference
from ffshare.fit.evaluate import evaluate
from ffshare.model.nagl import nagl_charges
from ffshare.molecules import mapped_smiles
from tests.fit.reference.scripts import script
from tests.fit.synthetic import SMALL, exact
from tests.model.samples import scheme_of

# NAGL leaves the file of its model open.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::ResourceWarning",
)

FILE = "torsions/openff_b3lypd3bj_dzvp.jsonl.xz"
errors, fits, scans_of = script("scan_fits.errors"), script("scan_fits.fits"), script("scan_fits.scans")


def with_other_barriers(assignment, seed=0):
    """The assignment with other barriers of propers."""
    table = assignment.tables["ProperTorsions"]
    shift = np.random.default_rng(seed).normal(scale=0.3, size=len(table.columns["k"].values))
    k = replace(table.columns["k"], values=table.columns["k"].values + shift)
    propers = replace(table, columns={**table.columns, "k": k})
    return replace(assignment, tables={**assignment.tables, "ProperTorsions": propers})


@pytest.fixture(scope="module")
def made():
    """Scans whose energies are those of a force field, with other barriers to start from."""
    assignment, reference = exact("openff-2.2.1", SMALL[:6])
    charges = ffshare.model.charges_by_name(assignment, "gasteiger")
    names = tuple(SMALL[:6])
    scans = scans_of.Scans(reference, names, ("",) * 6, with_other_barriers(assignment), charges, "synthetic", 0)
    return assignment, scans


def test_barriers_that_made_the_energies_are_found_again(made):
    truth, scans = made
    fit = fits.Fit(scans, float("inf"))
    result = fit.of(np.ones(6, dtype=bool), width=100.0)
    assert errors.rmse(scans.residuals(scans.assignment)) > 0.1
    assert errors.rmse(scans.residuals(scans_of.fitted(scans, result))) < 1e-3
    assert errors.rmse(scans.residuals(truth)) < 1e-9


def test_only_barriers_that_a_training_scan_touches_move(made):
    _, scans = made
    chosen = np.arange(6) < 3
    result = fits.Fit(scans, float("inf")).of(chosen, width=1.0)
    after = scans_of.fitted(scans, result)
    before, moved = scans.assignment.tables["ProperTorsions"], after.tables["ProperTorsions"]
    sites = scans.assignment.sites["ProperTorsions"]
    rules = set(sites.rule_idxs[np.isin(sites.molecule_idxs, np.flatnonzero(chosen))].tolist())
    is_touched = np.isin(before.columns["k"].rule_idxs, sorted(rules))
    changed = before.columns["k"].values != moved.columns["k"].values
    assert changed.any()
    assert not changed[~is_touched].any()
    for name, table in after.tables.items():
        if name != "ProperTorsions":
            assert table is scans.assignment.tables[name]
    for name, column in moved.columns.items():
        if name != "k":
            assert column is before.columns[name]


def test_the_width_is_chosen_by_molecules_held_out_within_the_training_set(made):
    _, scans = made
    fit = fits.Fit(scans, float("inf"))
    chosen, folds = np.arange(6) != 5, np.arange(6) % 3
    losses = []
    for width in fits.WIDTHS:
        parts = []
        for fold in range(3):
            after = scans.residuals(scans_of.fitted(scans, fit.of(chosen & (folds != fold), width)))
            parts += [after[idx] for idx in np.flatnonzero(chosen & (folds == fold))]
        losses.append(errors.rmse(parts))
    assert fit.best_width(chosen, folds) == fits.WIDTHS[int(np.argmin(losses))]
    # What the scan outside says does not matter.
    last = replace(scans.molecules[5], energies=scans.molecules[5].energies[::-1])
    other = fits.Fit(scans._replace(molecules=(*scans.molecules[:5], last)), float("inf"))
    assert other.best_width(chosen, folds) == fit.best_width(chosen, folds)


def test_no_molecule_is_in_training_and_held_out():
    names = [f"molecule {number % 13}" for number in range(40)]
    folds = fits.folds_of(names, 5, seed=0)
    assert all(len({folds[idx] for idx, each in enumerate(names) if each == name}) == 1 for name in set(names))
    assert sorted(np.unique(folds)) == [0, 1, 2, 3, 4]
    assert not np.array_equal(folds, fits.folds_of(names, 5, seed=1))


def test_errors_and_their_intervals_by_hand():
    before = [np.array([3.0, -3.0]), np.array([1.0, -1.0]), np.array([1.0, -1.0])]
    after = [np.array([1.0, -1.0])] * 3
    found = errors.interval(before, after, ["a", "b", "b"])
    assert (found["molecules"], found["scans"], found["energies"]) == (2, 3, 6)
    assert found["before"] == pytest.approx(np.sqrt(22 / 6))
    assert found["after"] == found["after_interval"][0] == found["after_interval"][1] == 1.0
    # Molecules are drawn, with all of their scans: twice a, twice b, or one of each.
    assert found["before_interval"] == pytest.approx([1.0, 3.0])
    assert found["change_interval"] == pytest.approx([-2.0, 0.0])
    assert (found["median_scan_before"], found["scans_improved"]) == (1.0, pytest.approx(1 / 3))


def test_molecules_of_the_fit_and_those_without_rules_are_left_out_of_other_scans(tmp_path, made):
    assignment, scans = made
    known = [
        replace(each, smiles=mapped_smiles(assignment.batch, idx).smiles) for idx, each in enumerate(scans.molecules)
    ]
    path = tmp_path / "more.parquet"
    write_reference(ReferenceData(molecules=tuple(known), level="synthetic"), path)
    found = scans_of.load(scheme_of("openff-2.2.1"), path, "gasteiger", frozenset(["CCO", "COC"]))
    assert found.names == ("COC(C)=O", "CSC", "CC=O", "CCC(C)C")
    assert found.n_left_out == 2


@pytest.fixture(scope="module")
def study(test_data):
    """The scans with their sums, and NAGL charges where that is installed."""
    path = test_data / FILE
    if not path.is_file():
        pytest.skip(f"no scans at {path}")
    try:
        nagl_charges(ffshare.from_smiles("C"), np.array([0]))
        charges = "nagl"
    except MissingDependencyError:
        charges = "gasteiger"
    scheme = scheme_of("openff-2.2.1")
    scans = scans_of.load(scheme, path, charges)
    return scheme, scans, fits.Fit(scans, float("inf")), charges


def test_errors_before_are_those_that_evaluate_finds(study):
    scheme, scans, fit, charges = study
    before = scans.residuals(scans.assignment)
    for mine, one in zip(before, evaluate(scheme, scans.molecules[:40], charges), strict=False):
        assert errors.rmse([mine]) == pytest.approx(one.energies.rmse, rel=1e-8)
    whole = errors.rmse(before)
    assert (sum(map(len, before)), scans.n_left_out) == (3528, 0)
    if charges == "nagl":  # the number of docs/torsion_scans.md
        assert whole == pytest.approx(1.495, abs=0.002)
    # And so say the sums that the fit is made of, but for scans with a torsion that is almost straight.
    bent = {each.molecule_idx for each in fit.sums.left_out}
    assert len(bent) < 3
    start, u = fit.sums.of_molecules(lambda each: each.molecule_idx not in bent).equations, fit.parameters.values
    squares = u @ (start.matrix @ u) - 2.0 * start.vector @ u + start.sum_squares
    rest = errors.rmse([each for idx, each in enumerate(before) if idx not in bent])
    assert np.sqrt(squares / (3528 - 24 * len(bent))) == pytest.approx(rest, rel=1e-6)


@pytest.mark.full
def test_a_fit_to_scans_lowers_errors_in_training_and_less_on_other_molecules(study):
    _, scans, fit, charges = study
    found = fits.cross_validated(scans, fit)
    training, held_out = found["rows"]["training"], found["rows"]["held out"]
    assert {one["status"] for one in found["folds"]} == {"converged"}
    assert (held_out["molecules"], held_out["scans"], training["scans"]) == (128, 147, 4 * 147)
    assert training["change_interval"][1] < 0.0
    assert training["change"] < held_out["change"]
    low, high = held_out["change_interval"]
    assert low < held_out["change"] < high
    if charges == "nagl":  # the numbers of docs/torsion_scans.md
        numbers = [row[key] for row in (training, held_out) for key in ("before", "after")]
        assert numbers == pytest.approx([1.495, 1.351, 1.495, 1.435], abs=0.01)
