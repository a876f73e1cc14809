"""How reference data are made: parts that a rerun does not do again, joined to a table."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from ffshare.errors import FfshareError, MoleculeError
from ffshare.fit import ReferenceData, read_reference, write_reference
from ffshare.fit.reference import reference_metadata
from tests.fit.reference.scripts import script
from tests.fit.reference.toys import assert_same, spring_molecule

make = script("make_reference")
charges = script("reference_data.charges")
gathering = script("reference_data.gathering")
gfn2 = script("reference_data.gfn2")
tasks = script("reference_data.tasks")


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Runs the script on three molecules held together by springs, the last of which fails."""
    calls = []

    def conformers(task):
        calls.append(task.smiles)
        if task.smiles == "N":
            raise MoleculeError("no such luck", "try another")
        molecule = spring_molecule(task.smiles, level="GFN2-xTB")
        return molecule, tasks.Minimum(coords=molecule.coords[0], hessian=np.eye(3 * molecule.n_atoms))

    monkeypatch.setitem(make.METHODS, "gfn2", replace(make.GFN2, conformers=conformers, libraries=()))
    (tmp_path / "in.smi").write_text("O\twater\nCO\tmethanol\nN\tammonia\n")

    def run(*words):
        calls.clear()
        status = make.main(
            ["gfn2", "--molecules", str(tmp_path / "in.smi"), "--output", str(tmp_path / "a.parquet"), *words]
        )
        assert status == 0
        return sorted(calls)

    return run


def test_a_rerun_does_only_what_is_not_done_yet(toy, tmp_path, capsys):
    assert toy() == ["CO", "N", "O"]
    first = (tmp_path / "a.parquet").read_bytes()
    assert toy() == []
    assert "3 molecules, 3 of them done before" in capsys.readouterr().err
    assert (tmp_path / "a.parquet").read_bytes() == first
    assert toy("--again") == ["N"]
    next((tmp_path / "a.parts").glob("methanol-*.parquet")).unlink()
    assert toy() == ["CO"]
    assert (tmp_path / "a.parquet").read_bytes() == first


def test_other_settings_are_other_parts(toy, monkeypatch):
    toy()
    method = make.METHODS["gfn2"]
    monkeypatch.setitem(make.METHODS, "gfn2", replace(method, settings={**method.settings, "seed": 1}))
    assert toy() == ["CO", "N", "O"]


def test_results_failures_and_hessians_are_written_with_what_made_them(toy, tmp_path, capsys):
    toy("--hessians", str(tmp_path / "h.parquet"))
    found = read_reference(tmp_path / "a.parquet")
    assert [molecule.n_atoms for molecule in found.molecules] == [3, 6]
    assert [float(molecule.energies.min()) for molecule in found.molecules] == [0.0, 0.0]
    assert found.level == "GFN2-xTB"
    stated = reference_metadata(tmp_path / "a.parquet")
    assert stated["settings"]["seed"] == gfn2.SEED
    assert {"python", "ffshare", "rdkit"} <= set(stated["versions"])
    assert list(stated["input"]) == ["in.smi"]
    failures = (tmp_path / "a.failures.csv").read_text().splitlines()
    assert failures == ["failure", "ammonia N: no such luck; try another"]
    rows = pq.read_table(tmp_path / "h.parquet")
    assert [len(row) for row in rows["hessian"].to_pylist()] == [81, 324]
    assert json.loads(rows.schema.metadata[b"ffshare"])["level"] == "GFN2-xTB"
    assert "left: ammonia N: no such luck" in capsys.readouterr().err


def test_conformers_in_which_atoms_nearly_touch_are_left_out_counted_and_the_zero_is_that_of_the_others(
    toy, tmp_path, monkeypatch
):
    def lowest_of_methanol(graph, coords):
        return np.arange(len(coords)) == (lowest if graph.n_atoms == 6 else -1)

    lowest = int(spring_molecule("CO").energies.argmin())
    monkeypatch.setattr(gathering, "in_contact", lowest_of_methanol)
    toy()
    water, methanol = read_reference(tmp_path / "a.parquet").molecules
    assert (water.n_conformers, methanol.n_conformers) == (8, 7)
    assert methanol.energies.min() == 0.0
    stated = reference_metadata(tmp_path / "a.parquet")["contacts"]
    assert (stated["conformers_left_out"], stated["molecules_concerned"]) == (1, 1)
    lines = (tmp_path / "a.failures.csv").read_text().splitlines()
    assert "CO: 1 of 8 conformers left out: atoms nearly touch" in lines


def test_a_molecule_all_of_whose_conformers_touch_is_left_out(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(gathering, "in_contact", lambda graph, coords: np.full(len(coords), graph.n_atoms == 6))
    toy()
    assert [one.n_atoms for one in read_reference(tmp_path / "a.parquet").molecules] == [3]


def test_parts_made_by_the_settings_that_ship_keep_their_names(tmp_path, monkeypatch):
    """So that hours of quantum chemistry are not done again. New settings have new names, and this test new ones."""
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.0")
    found = [tasks.part_of(tmp_path, method, "a", b"O").name for method in make.METHODS.values()]
    assert found == ["a-ff12a6c17691c133.parquet", "a-88c55044701ec03d.parquet"]


def test_charges_are_written_into_a_table_that_is_there(toy, tmp_path, capsys):
    toy()
    before, asked = read_reference(tmp_path / "a.parquet"), []

    def charges_of(graph):
        asked.append(graph.n_atoms)
        if graph.n_atoms == 6:
            raise MoleculeError("no such luck", "try another")
        return np.array([-0.8, 0.4, 0.4])

    charges.with_charges(tmp_path / "a.parquet", tmp_path / "b.parquet", charges_of)
    assert asked == [3, 6]
    found = read_reference(tmp_path / "b.parquet")
    for one, expected in zip(found.molecules, before.molecules, strict=True):
        assert_same(one, expected)
    assert found.molecules[0].charges.tolist() == [-0.8, 0.4, 0.4]
    assert found.molecules[1].charges is None
    old, new = (reference_metadata(tmp_path / f"{name}.parquet") for name in "ab")
    assert new.pop("charges")["model"] == "openff-gnn-am1bcc-1.0.0.pt"
    assert new == old
    assert "no charges for [C:1]" in capsys.readouterr().err


def test_charges_of_a_table_with_unusable_records_are_refused(tmp_path):
    broken = replace(spring_molecule("O"), smiles="C1CC")
    write_reference(ReferenceData(molecules=(broken,), level="springs"), tmp_path / "a.parquet")
    with pytest.raises(FfshareError, match="1 records cannot be used, such as C1CC"):
        charges.with_charges(tmp_path / "a.parquet", tmp_path / "b.parquet")


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(make.METHODS, "gfn2", replace(make.GFN2, libraries=("no-such-library",)))
    assert make.main(["gfn2", "--output", str(tmp_path / "a.parquet")]) == 1
    assert 'no-such-library is not installed; run: pip install "ffshare[qm]"' in capsys.readouterr().err


def test_gfn2_makes_conformers_of_methanol(tmp_path):
    pytest.importorskip("tblite")
    (tmp_path / "in.smi").write_text("CO\tmethanol\n")
    words = ["gfn2", "--molecules", str(tmp_path / "in.smi"), "--output", str(tmp_path / "a.parquet")]
    assert make.main(words) == 0
    [molecule] = read_reference(tmp_path / "a.parquet").molecules
    assert molecule.n_conformers >= gfn2.FEWEST
    assert molecule.energies.max() <= gfn2.ENERGY_WINDOW
    assert np.linalg.norm(molecule.forces, axis=2).max() <= gfn2.FORCE_CAP
    # No force on the whole, and no torque.
    np.testing.assert_allclose(molecule.forces.sum(axis=1), 0, atol=1e-4)
    torques = np.cross(molecule.coords, molecule.forces).sum(axis=1)
    np.testing.assert_allclose(torques, 0, atol=1e-3)
