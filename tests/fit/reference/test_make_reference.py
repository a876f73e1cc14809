"""How reference data are made: sampling by the laws of mechanics, parts that a rerun does not do again."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from ffshare.errors import MoleculeError
from ffshare.fit import read_reference
from ffshare.fit.reference import reference_metadata
from tests.fit.reference.scripts import script
from tests.fit.reference.toys import geometry, spring_molecule

make = script("make_reference")


def quadratic(hessian, minimum):
    def energies(coords):
        step = (coords - minimum).reshape(-1)
        return float(step @ hessian @ step / 2), (hessian @ step).reshape(-1, 3)

    return energies


def stiff(n, seed):
    root = np.random.default_rng(seed).normal(size=(3 * n, 3 * n))
    return root @ root.T + 20 * np.eye(3 * n)


@given(st.integers(2, 5), st.integers(0, 100))
def test_differences_of_gradients_give_the_hessian(n_atoms, seed):
    hessian, minimum = stiff(n_atoms, seed), np.random.default_rng(seed).normal(size=(n_atoms, 3))
    np.testing.assert_allclose(make.hessian_of(quadratic(hessian, minimum), minimum), hessian, atol=1e-8)


def test_relaxation_ends_where_no_gradient_is_left():
    hessian, minimum = stiff(4, 0), np.random.default_rng(0).normal(size=(4, 3))
    energies = quadratic(hessian, minimum)
    end = make.relaxed(energies, minimum + 0.3, 200)
    assert np.abs(energies(end)[1]).max() <= make.CONVERGED


@given(st.integers(0, 100), st.booleans())
def test_displacements_have_the_covariance_of_boltzmann_and_no_rigid_motion(seed, is_linear):
    rng = np.random.default_rng(seed)
    coords = rng.normal(size=(4, 3))
    if is_linear:
        coords = np.outer(np.arange(4.0), [1.0, 2.0, 2.0])
    hessian = stiff(4, seed)
    modes = make.thermal_modes(coords, hessian)
    assert modes.shape == (12, 7 if is_linear else 6)
    # Inside the space of the modes the covariance is the inverse of the Hessian there.
    inner = np.linalg.qr(modes)[0]
    covariance = inner.T @ modes @ modes.T @ inner
    np.testing.assert_allclose(covariance, np.linalg.inv(inner.T @ hessian @ inner), rtol=1e-6, atol=1e-12)
    steps = modes.T.reshape(-1, 4, 3)
    np.testing.assert_allclose(steps.sum(axis=1), 0, atol=1e-10)
    np.testing.assert_allclose(np.cross(coords - coords.mean(axis=0), steps).sum(axis=1), 0, atol=1e-9)


def test_soft_modes_are_stiffened():
    modes = make.thermal_modes(geometry("O"), np.zeros((9, 9)))
    np.testing.assert_allclose(np.linalg.norm(modes, axis=0), make.SOFTEST**-0.5)


@pytest.mark.parametrize(
    ("smiles", "n_rotors"),
    [("CC", 1), ("CCO", 2), ("c1ccccc1", 0), ("CC#N", 0), ("CC#CC", 0), ("CC(N)=O", 2), ("C=C", 0), ("O", 0)],
)
def test_rotors_are_the_acyclic_single_bonds_that_turn_something(smiles, n_rotors):
    assert len(make.rotors(Chem.AddHs(Chem.MolFromSmiles(smiles)))) == n_rotors


@given(st.sampled_from(["CCO", "CC(N)=O", "COC"]), st.floats(-7, 7))
def test_turning_about_a_bond_changes_torsions_only(smiles, angle):
    mol, coords = Chem.AddHs(Chem.MolFromSmiles(smiles)), geometry(smiles)
    for first, second, moved in make.rotors(mol):
        assert second in moved
        assert first not in moved
        turned = make.turned(coords, first, second, moved, angle)
        near = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()]
        near += [(one, three) for one, _, three in mol.GetSubstructMatches(Chem.MolFromSmarts("*~*~*"))]
        for one, other in near:
            before, after = (np.linalg.norm(place[one] - place[other]) for place in (coords, turned))
            assert after == pytest.approx(before, abs=1e-9)
        back = make.turned(turned, first, second, moved, -angle)
        np.testing.assert_allclose(back, coords, atol=1e-9)


def test_random_numbers_depend_on_the_molecule_alone():
    first, again, other = (make.generator_for(smiles).random(3).tolist() for smiles in ("CCO", "CCO", "COC"))
    assert first == again != other


def test_a_geometry_of_the_mirror_image_is_no_isomer():
    mol = Chem.AddHs(Chem.MolFromSmiles("N[C@@H](C)O"))
    coords = geometry("N[C@@H](C)O")
    assert make.is_isomer(mol, coords)
    assert not make.is_isomer(mol, -coords)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Runs the script on three molecules held together by springs, the last of which fails."""
    calls = []

    def conformers(task):
        calls.append(task.smiles)
        if task.smiles == "N":
            raise MoleculeError("no such luck", "try another")
        molecule = spring_molecule(task.smiles, level="GFN2-xTB")
        return molecule, make.Minimum(coords=molecule.coords[0], hessian=np.eye(3 * molecule.n_atoms))

    monkeypatch.setitem(make.METHODS, "gfn2", conformers)
    monkeypatch.setitem(make.LIBRARIES, "gfn2", ())
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
    monkeypatch.setitem(make.SETTINGS, "gfn2", {**make.SETTINGS["gfn2"], "seed": 1})
    assert toy() == ["CO", "N", "O"]


def test_results_failures_and_hessians_are_written_with_what_made_them(toy, tmp_path, capsys):
    toy("--hessians", str(tmp_path / "h.parquet"))
    found = read_reference(tmp_path / "a.parquet")
    assert [molecule.n_atoms for molecule in found.molecules] == [3, 6]
    assert [float(molecule.energies.min()) for molecule in found.molecules] == [0.0, 0.0]
    assert found.level == "GFN2-xTB"
    stated = reference_metadata(tmp_path / "a.parquet")
    assert stated["settings"]["seed"] == make.SEED
    assert {"python", "ffshare", "rdkit"} <= set(stated["versions"])
    assert list(stated["input"]) == ["in.smi"]
    failures = (tmp_path / "a.failures.csv").read_text().splitlines()
    assert failures == ["failure", "ammonia N: no such luck; try another"]
    rows = pq.read_table(tmp_path / "h.parquet")
    assert [len(row) for row in rows["hessian"].to_pylist()] == [81, 324]
    assert json.loads(rows.schema.metadata[b"ffshare"])["level"] == "GFN2-xTB"
    assert "left: ammonia N: no such luck" in capsys.readouterr().err


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(make.LIBRARIES, "gfn2", ("no-such-library",))
    assert make.main(["gfn2", "--output", str(tmp_path / "a.parquet")]) == 1
    assert 'no-such-library is not installed; run: pip install "ffshare[qm]"' in capsys.readouterr().err


def test_gfn2_makes_conformers_of_methanol(tmp_path):
    pytest.importorskip("tblite")
    (tmp_path / "in.smi").write_text("CO\tmethanol\n")
    words = ["gfn2", "--molecules", str(tmp_path / "in.smi"), "--output", str(tmp_path / "a.parquet")]
    assert make.main(words) == 0
    [molecule] = read_reference(tmp_path / "a.parquet").molecules
    assert molecule.n_conformers >= make.FEWEST
    assert molecule.energies.max() <= make.ENERGY_WINDOW
    assert np.linalg.norm(molecule.forces, axis=2).max() <= make.FORCE_CAP
    # No force on the whole, and no torque.
    np.testing.assert_allclose(molecule.forces.sum(axis=1), 0, atol=1e-4)
    torques = np.cross(molecule.coords, molecule.forces).sum(axis=1)
    np.testing.assert_allclose(torques, 0, atol=1e-3)


def test_tblite_forces_are_minus_the_slope_of_its_energies():
    pytest.importorskip("tblite")
    energies = make.Energies(np.array([8, 1, 1]), 0)
    coords = geometry("O")
    _, gradient = energies(coords)
    for place in np.ndindex(3, 3):
        step = np.zeros((3, 3))
        step[place] = 1e-3
        slope = (energies(coords + step)[0] - energies(coords - step)[0]) / 2e-3
        assert slope == pytest.approx(gradient[place], abs=1e-3)
