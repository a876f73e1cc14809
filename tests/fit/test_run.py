"""Runs of fits: what they write loads again, and says what the fit says."""

import csv
import json
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
import pytest

import ffshare
from ffshare.errors import InputError, MoleculeError, SchemeError
from ffshare.fit import ReferenceMolecule, write_run
from ffshare.fit.evaluate import evaluate
from ffshare.fit.run import charges as charges_module
from ffshare.model import Model, charges_by_name
from ffshare.rules import diff_rules
from ffshare.rules.locate import locate
from tests.fit.run_samples import run_of, some_molecules, write_data

SILANE = ReferenceMolecule(
    smiles="[Si:1]([H:2])([H:3])([H:4])[H:5]",
    coords=[[[0, 0, 0], [a, a, a], [-a, -a, a], [-a, a, -a], [a, -a, -a]] for a in (0.86, 0.87)],
    energies=[0.0, 0.1],
    level="GFN2-xTB",
)
# What loads first, by scheme.
SCHEMES = {
    "openff-2.2.1": "fitted.offxml",
    "openff-1.3.1": "fitted.offxml",
    "alkethoh-smirks": "fitted.toml",
    "gaff2": "fitted.csv",
    "gaff": "fitted.csv",
    "alkethoh-types": "fitted.csv",
    "untied": "fitted.csv",
    "untied:gaff2": "fitted.csv",
    "hashed-element:openff-2.2.1?seed=2": "fitted.csv",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data.parquet")


@pytest.fixture(scope="module")
def run(data):
    return run_of(data)


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    where = tmp_path_factory.mktemp("written")
    write_run(run, where, b"# settings")
    return where


def rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def total(found, what):
    return reduce(add, (getattr(each, what) for each in found)).rmse


@pytest.mark.parametrize(("scheme", "first"), SCHEMES.items())
def test_the_fitted_force_field_loads_again_with_the_errors_of_the_fit(data, tmp_path, scheme, first):
    run = run_of(data, scheme)
    report = write_run(run, tmp_path, b"")
    assert report["summary"]["force_field"][0] == first
    fitted = ffshare.load_scheme(tmp_path / first)
    found = evaluate(fitted, some_molecules().molecules, "gasteiger")
    energies, forces = report["summary"]["errors"]
    assert total(found, "energies") == pytest.approx(energies["rmse_after"], rel=1e-9)
    assert total(found, "forces") == pytest.approx(forces["rmse_after"], rel=1e-9)
    assert energies["rmse_after"] < energies["rmse_before"]
    assert [each.skipped is not None for each in found] == [idx in run.skipped for idx in range(len(found))]


def test_the_folder_of_atom_types_has_the_errors_of_the_fit_where_no_value_was_guessed(data, tmp_path):
    run = run_of(data, "alkethoh-types")
    write_run(run, tmp_path, b"")
    found = evaluate(ffshare.load_scheme(tmp_path / "fitted"), some_molecules().molecules, "gasteiger")
    assert total(found, "forces") == pytest.approx(run.misfit.forces[1].rmse, rel=1e-9)


def test_a_fitted_table_can_be_fitted_again(data, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for where in (first, second):
        where.mkdir()
    write_run(run_of(data, "untied"), first, b"")
    again = run_of(data, str(first / "fitted.csv"), priors={"strength": 0.1})
    write_run(again, second, b"")
    found = evaluate(ffshare.load_scheme(second / "fitted.csv"), some_molecules().molecules, "gasteiger")
    assert total(found, "forces") == pytest.approx(again.misfit.forces[1].rmse, rel=1e-9)


def test_only_fitted_numbers_differ_in_the_force_field(run, folder):
    old, new = locate("openff-2.2.1"), folder / "fitted.offxml"
    found = diff_rules(*(ffshare.load_force_field(path) for path in (old, new))).sections
    shown = {}
    for section, one in found.items():
        assert [len(rules) for rules in (one.removed, one.added, one.moved, one.renamed, one.settings)] == [0] * 5
        for change in one.changed:
            assert not change.texts
            shown |= {(section, change.old_id, value.column, value.term): value.new for value in change.values}
    moved = run.result.values != run.result.parameters.values
    expected = {
        key: value
        for key, value, is_new in zip(run.result.parameters.keys, run.result.values, moved, strict=True)
        if is_new
    }
    assert shown == pytest.approx(expected, rel=1e-15)
    ids = {rule_id for _, rule_id, *_ in shown}
    for one, other in zip(old.read_text().splitlines(), new.read_text().splitlines(), strict=True):
        assert one == other or any(f'id="{rule_id}"' in one for rule_id in ids)


def test_the_toolkit_reads_the_fitted_force_field_and_gives_the_same_energies(data, tmp_path):
    toolkit = pytest.importorskip("openff.toolkit", reason="openff-toolkit is not installed")
    oracle = pytest.importorskip("tests.model.openmm_oracle", reason="Interchange or OpenMM is not installed")
    # Constrained bonds would have no energy in OpenMM.
    write_run(run_of(data, "openff_unconstrained-2.2.1"), tmp_path, b"")
    force_field, scheme = (
        toolkit.ForceField(str(tmp_path / "fitted.offxml")),
        ffshare.load_scheme(tmp_path / "fitted.offxml"),
    )
    for reference in some_molecules().molecules[20:23]:
        assignment = scheme.assign(replace(some_molecules(), molecules=(reference,)).batch())
        charges = charges_by_name(assignment, "gasteiger")
        model = Model.of(assignment, charges)
        energies = model.energies(model.frames([reference.coords])).by_section
        molecule = oracle.openff_molecule(assignment.batch, 0, charges)
        expected = oracle.by_section(oracle.openmm_system(force_field, molecule), reference.coords)
        for section, (values, _) in expected.items():
            assert energies[section] == pytest.approx(values, rel=1e-6, abs=1e-8), section


def test_the_tables_say_what_the_fit_says(run, folder):
    parameters = rows(folder / "parameters.csv")
    assert [row["name"] for row in parameters] == list(run.result.parameters.names)
    assert [float(row["after"]) for row in parameters] == run.result.values.tolist()
    errors = [float(row["standard_error"] or "nan") for row in parameters]
    np.testing.assert_array_equal(errors, run.result.errors)
    assert len(rows(folder / "identifiability.csv")) == run.result.identifiability_table().num_rows
    molecules = rows(folder / "molecules.csv")
    assert [row["smiles"] for row in molecules] == [each.smiles for each in run.data.molecules]
    assert sum(int(row["n_used"]) for row in molecules) == run.misfit.n_conformers
    n = np.array([int(row["n_used"]) for row in molecules])
    squares = np.array([float(row["energy_rmse_after"] or 0.0) ** 2 for row in molecules])
    assert (n * squares)[n > 1].sum() == pytest.approx(run.misfit.energies[1].squares, rel=1e-9)


def test_the_report_holds_steps_spectrum_errors_and_what_made_them(run, folder):
    report = json.loads((folder / "fit.json").read_text(encoding="utf-8"))
    assert report["reason_to_stop"] == "converged"
    assert [step["number"] for step in report["steps"]] == list(range(len(report["steps"])))
    known = report["identifiability"]
    assert len(known["eigenvalues"]) == known["n_parameters"] == len(run.result.parameters)
    assert known["rank"] == run.result.identifiability.rank
    assert report["squared_residuals"]["after"] < report["squared_residuals"]["before"]
    assert report["level_of_theory"] == "GFN2-xTB"
    assert report["settings"]["weights"]["softening"] == "inf"
    assert {"ffshare", "python", "numpy", "scipy", "rdkit"} <= set(report["versions"])
    names = {path.rpartition("/")[2] for path in report["checksums"]}
    assert names == {"openff-2.2.1.offxml", "data.parquet"}
    assert report["summary"]["n_changed"] == int((run.result.values != run.result.parameters.values).sum())


def test_squared_residuals_agree_with_the_errors(data):
    """With one weight for all forces and none for energies they are the same numbers."""
    run = run_of(data, weights={"energy": float("inf"), "force": 2.0, "clash": float("inf")})
    before, after = run.misfit.forces
    out = {torsion.molecule_idx for torsion in run.result.left_out}
    assert run.result.n_residuals == before.count
    # Torsions that are left out of the sums still act.
    kept = [each for each in run.misfit.molecules if each.molecule_idx not in out]
    assert out
    assert len(kept) > 20
    assert after.squares / 4.0 >= 0.5 * run.result.squared_residuals[1]
    assert before.squares / 4.0 == pytest.approx(run.result.squared_residuals[0], rel=0.05)


def test_molecules_that_no_rule_covers_are_left_out_and_listed(tmp_path):
    path = write_data(tmp_path / "data.parquet", n=6, more=(SILANE, some_molecules().molecules[0]))
    run = run_of(path)
    assert run.skipped == {6: "no rule for terms of Bonds, Angles, vdW"}
    write_run(run, tmp_path, b"")
    (row,) = rows(tmp_path / "failures.csv")
    assert (row["stage"], row["index"], row["molecule"]) == ("assigning", "6", "[SiH4]")
    last = rows(tmp_path / "molecules.csv")[6]
    assert (last["n_used"], last["energy_rmse_after"], last["left_out"]) == ("0", "", run.skipped[6])
    assert run.result.n_molecules == 7


def test_data_that_nothing_covers_are_an_error(tmp_path):
    path = tmp_path / "data.parquet"
    write_data(path, n=0, more=(SILANE,))
    with pytest.raises(
        InputError, match="covers none of the 1 molecules, so there is nothing to fit; the first: no rule for"
    ):
        run_of(path)


def test_molecules_without_charges_are_left_out_and_listed(data, monkeypatch):
    def refuse_propane(assignment, method):
        if any(n == 11 for n in np.diff(assignment.batch.atom_offsets)):
            raise MoleculeError("no charges for molecules of 11 atoms", "")
        return np.zeros(assignment.batch.n_atoms)

    monkeypatch.setattr(charges_module, "charges_by_name", refuse_propane)
    run = run_of(data)
    expected = [idx for idx, each in enumerate(some_molecules().molecules) if each.n_atoms == 11]
    assert expected
    assert list(run.skipped) == expected
    assert set(run.skipped.values()) == {"no charges for molecules of 11 atoms"}


def test_charges_of_the_data_are_taken_where_all_molecules_have_them(tmp_path, data):
    with_charges = tuple(replace(each, charges=np.full(each.n_atoms, 0.0)) for each in some_molecules().molecules[:6])
    path = write_data(tmp_path / "data.parquet", n=0, more=with_charges)
    run = run_of(path, charges=None)
    none = run_of(path, charges="none")
    assert run.charges == "reference"
    np.testing.assert_allclose(run.result.values, none.result.values, rtol=1e-9)
    without = tuple(replace(each, charges=None) for each in some_molecules().molecules[:3])
    with pytest.raises(InputError, match="give no charges for"):
        run_of(write_data(tmp_path / "without.parquet", n=0, more=without), charges="reference")


def test_charges_and_sums_that_are_kept_give_the_same_bits(data, tmp_path):
    once = run_of(data)
    first = run_of(data, folder=tmp_path)
    stamps = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert sorted(stamps) == [f"{kind}-{n:06d}.npz" for kind in ("charges", "statistics") for n in (0, 1)]
    # Cut short, as by a full disk.
    (tmp_path / "charges-000001.npz").write_bytes((tmp_path / "charges-000001.npz").read_bytes()[:100])
    second = run_of(data, folder=tmp_path)
    untouched = ("charges-000000.npz", "statistics-000000.npz", "statistics-000001.npz")
    assert all((tmp_path / name).stat().st_mtime_ns == stamps[name] for name in untouched)
    for other in (first, second):
        assert other.result.values.tobytes() == once.result.values.tobytes()
        assert other.misfit.energies[1].squares == once.misfit.energies[1].squares


def test_charges_of_another_method_are_not_taken_for_those_of_this_one(data, tmp_path):
    run_of(data, folder=tmp_path)
    with pytest.raises(InputError, match=r"the library charges of .* do not cover"):
        run_of(data, folder=tmp_path, charges="library")


def test_fixed_parameters_stay_and_unknown_ones_are_refused(data):
    run = run_of(data, fixed=["b84.length"])
    (row,) = (row for row in run.result.to_table().to_pylist() if row["name"] == "b84.length")
    assert row["before"] == row["after"]
    assert row["flags"].startswith("fixed")
    with pytest.raises(InputError, match=r"no fitted section has a parameter 'b84.lenght'; names are like b84.length"):
        run_of(data, fixed=["b84.lenght"])


def test_soft_ties_draw_rules_to_their_parents(data):
    def spread(run):
        values = run.result.by_key
        return abs(values["Angles", "a2", "k", 0] - values["Angles", "a1", "k", 0])

    loose, tied = run_of(data), run_of(data, soft_ties={"strength": 1e7})
    assert spread(tied) < 0.05 * spread(loose)
    with pytest.raises(SchemeError, match="are not SMIRKS"):
        run_of(data, "gaff2", soft_ties={"strength": 1.0})


def test_a_scheme_that_the_model_does_not_know_is_refused(data):
    with pytest.raises(SchemeError, match="the model computes harmonic"):
        run_of(data, "mmff94")


def test_a_fit_that_does_not_converge_is_written_with_its_advice(data, tmp_path):
    run = run_of(data, solver={"max_steps": 1})
    report = write_run(run, tmp_path, b"")
    assert report["summary"]["status"] == "too many steps"
    assert report["advice"].startswith("give more steps")
    assert (tmp_path / "fitted.offxml").exists()
