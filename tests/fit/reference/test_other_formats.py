"""Extended XYZ, SPICE-style HDF5, ForceBalance targets and JSON lines."""

import json
import lzma
import sys
from dataclasses import replace

import numpy as np
import pytest

from ffshare.errors import InputError, MissingDependencyError, UnitError
from ffshare.fit import read_reference
from ffshare.fit.reference.atomic_units import BOHR, ENERGY_UNITS, HARTREE
from ffshare.molecules import from_smiles
from tests.fit.reference.toys import assert_same, spring_molecule

EV = ENERGY_UNITS["ev"]
ETHANOL = spring_molecule("CCO", n_conformers=5)
WATER = spring_molecule("O", n_conformers=3)
ELEMENTS = {"CCO": from_smiles("CCO").elements, "O": from_smiles("O").elements}
CLOSE = 1e-9


# Extended XYZ


def frames(molecule, formula, unit=EV, keys=("energy", "forces"), **info):
    """Frames of ASE with energies in the given unit."""
    ase = pytest.importorskip("ase")
    energy_key, force_key = keys
    found = []
    for coords, energy, forces in zip(molecule.coords, molecule.energies, molecule.forces, strict=True):
        atoms = ase.Atoms(numbers=ELEMENTS[formula], positions=coords, info={energy_key: energy / unit, **info})
        atoms.arrays[force_key] = forces / unit
        found.append(atoms)
    return found


def write_frames(path, atoms):
    pytest.importorskip("ase.io").write(path, atoms, format="extxyz")


@pytest.mark.parametrize("keys", [("energy", "forces"), ("REF_energy", "REF_forces")])
def test_xyz_frames_of_one_molecule_are_its_conformers(tmp_path, keys):
    path = tmp_path / "a.xyz"
    write_frames(
        path,
        [
            *frames(ETHANOL, "CCO", keys=keys, mapped_smiles=ETHANOL.smiles, level="springs"),
            *frames(WATER, "O", keys=keys, mapped_smiles=WATER.smiles, level="springs"),
        ],
    )
    found = read_reference(path)
    assert found.failures == ()
    # ASE writes eight digits.
    assert_same(found.molecules[0], ETHANOL, 1e-6)
    assert_same(found.molecules[1], WATER, 1e-6)


def test_xyz_frames_take_the_smiles_that_is_said_in_any_order_of_atoms(tmp_path):
    order = np.array([8, 3, 0, 2, 1, 4, 7, 6, 5])
    shuffled = replace(ETHANOL, coords=ETHANOL.coords[:, order], forces=ETHANOL.forces[:, order])
    atoms = frames(shuffled, "CCO")
    for one in atoms:
        one.numbers = ELEMENTS["CCO"][order]
    write_frames(tmp_path / "a.extxyz", atoms)
    found = read_reference(tmp_path / "a.extxyz", smiles="CCO", level="springs")
    assert found.failures == ()
    assert found.batch().elements.tolist() == ELEMENTS["CCO"][order].tolist()
    np.testing.assert_allclose(found.molecules[0].coords, shuffled.coords, atol=1e-7)


def test_xyz_units_can_be_said(tmp_path):
    write_frames(tmp_path / "a.xyz", frames(WATER, "O", unit=1.0, smiles=WATER.smiles))
    found = read_reference(tmp_path / "a.xyz", energy_unit="kcal/mol", level="springs")
    assert_same(found.molecules[0], WATER, 1e-6)
    scaled = replace(WATER, coords=WATER.coords / BOHR, forces=WATER.forces * BOHR)
    write_frames(tmp_path / "b.xyz", frames(scaled, "O", unit=HARTREE, smiles=WATER.smiles))
    found = read_reference(tmp_path / "b.xyz", energy_unit="Hartree", length_unit="bohr", level="springs")
    assert_same(found.molecules[0], WATER, 1e-5)
    with pytest.raises(UnitError, match="'furlong' is no unit of length that is known here"):
        read_reference(tmp_path / "a.xyz", length_unit="furlong")


def test_xyz_frames_in_another_unit_than_said_are_failures(tmp_path):
    molecule = spring_molecule("CCO", n_conformers=20)
    write_frames(tmp_path / "a.xyz", frames(molecule, "CCO", unit=1.0, smiles=molecule.smiles))
    [failure] = read_reference(tmp_path / "a.xyz").failures
    assert "the forces are in another unit" in failure.reason


def test_xyz_frames_without_energy_or_smiles_are_failures(tmp_path):
    atoms = frames(WATER, "O")
    for one in atoms:
        del one.info["energy"]
    write_frames(tmp_path / "a.xyz", atoms)
    [failure] = read_reference(tmp_path / "a.xyz", smiles="O").failures
    assert failure.reason.endswith("a coordinate, energy or force is no finite number")
    [failure] = read_reference(tmp_path / "a.xyz").failures
    assert failure.reason == "no SMILES"


def test_an_xyz_file_cut_short_gives_the_frames_before(tmp_path):
    write_frames(tmp_path / "a.xyz", frames(WATER, "O", smiles=WATER.smiles))
    text = (tmp_path / "a.xyz").read_text()
    (tmp_path / "a.xyz").write_text(text[: text.rindex("H ")] + "H 1.0\n")
    found = read_reference(tmp_path / "a.xyz")
    assert found.n_conformers == 2
    assert found.failures[0].reason.startswith("the file cannot be read after frame 2")
    (tmp_path / "b.xyz").write_text("nothing of the kind\n")
    with pytest.raises(InputError, match="no frame of extended XYZ can be read"):
        read_reference(tmp_path / "b.xyz")


# HDF5


def write_spice(path, groups, units=False):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name, (molecule, smiles, changes) in groups.items():
            group = file.create_group(name)
            values = {
                "smiles": [molecule.smiles],
                "atomic_numbers": ELEMENTS[smiles],
                "conformations": molecule.coords / BOHR,
                "dft_total_energy": molecule.energies / HARTREE,
                "dft_total_gradient": -molecule.forces * BOHR / HARTREE,
                **changes,
            }
            for key, value in values.items():
                if value is not None:
                    group.create_dataset(key, data=value, dtype=h5py.string_dtype() if key == "smiles" else None)
            if units:
                group["conformations"].attrs["units"] = "bohr"
                group["dft_total_energy"].attrs["units"] = "hartree"
                group["dft_total_gradient"].attrs["units"] = "hartree/bohr"


@pytest.mark.parametrize("units", [False, True])
def test_groups_of_hdf5_are_molecules(tmp_path, units):
    write_spice(tmp_path / "a.hdf5", {"a": (ETHANOL, "CCO", {}), "b": (WATER, "O", {})}, units)
    found = read_reference(tmp_path / "a.hdf5", level="springs")
    assert found.failures == ()
    assert_same(found.molecules[0], ETHANOL, CLOSE)
    assert_same(found.molecules[1], WATER, CLOSE)


def test_the_unit_that_a_data_set_states_counts(tmp_path):
    h5py = pytest.importorskip("h5py")
    write_spice(tmp_path / "a.h5", {"a": (WATER, "O", {"conformations": WATER.coords, "dft_total_gradient": None})})
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["a/conformations"].attrs["units"] = "angstrom"
    assert_same(read_reference(tmp_path / "a.h5", level="springs").molecules[0], replace(WATER, forces=None), CLOSE)


def test_damaged_groups_are_failures(tmp_path):
    groups = {
        "a": (WATER, "O", {"dft_total_energy": None}),
        "b": (WATER, "O", {"smiles": None}),
        "c": (WATER, "O", {"conformations": WATER.coords}),
        "d": (WATER, "O", {"atomic_numbers": [8, 1]}),
        "e": (WATER, "O", {"atomic_numbers": [1, 8, 1]}),
        "f": (WATER, "O", {}),
    }
    write_spice(tmp_path / "a.hdf5", groups)
    found = read_reference(tmp_path / "a.hdf5")
    assert found.n_molecules == 1
    expected = {
        "a": "the group lacks dft_total_energy",
        "b": "no SMILES",
        "c": "the typical bond is 0.548 times as long as its covalent radii say, as with Å converted from bohr",
        "d": "2 elements for 3 atoms",
        "e": "the mapped SMILES has the elements O-H-H, the coordinates those of H-O-H",
    }
    assert [failure.name for failure in found.failures] == list(expected)
    for failure in found.failures:
        assert failure.reason.startswith(expected[failure.name])


def test_what_is_no_hdf5_is_an_input_error(tmp_path):
    pytest.importorskip("h5py")
    (tmp_path / "a.hdf5").write_text("text")
    with pytest.raises(InputError, match="is no HDF5 file, or was cut short"):
        read_reference(tmp_path / "a.hdf5")


@pytest.mark.parametrize(("name", "library"), [("a.xyz", "ase"), ("a.h5", "h5py")])
def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch, name, library):
    (tmp_path / name).write_text("x")
    for module in [key for key in sys.modules if key.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingDependencyError, match=r'pip install "ffshare\[reference\]"'):
        read_reference(tmp_path / name)


# ForceBalance


def write_target(folder, molecule, word="GRADIENT", jobs=None):
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(molecule.n_conformers) if jobs is None else jobs:
        lines += [f"JOB {number}", "COORDS " + " ".join(f"{x:.12e}" for x in molecule.coords[number].ravel())]
        lines += [f"ENERGY {molecule.energies[number] / HARTREE:.12e}"]
        if word:
            lines += [f"{word} " + " ".join(f"{-x * BOHR / HARTREE:.12e}" for x in molecule.forces[number].ravel())]
        lines += [""]
    (folder / "qdata.txt").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize("word", ["GRADIENT", "FORCES", ""])
def test_a_target_gives_its_conformers(tmp_path, word):
    folder = write_target(tmp_path / "target", ETHANOL, word)
    found = read_reference(folder, smiles=ETHANOL.smiles, level="springs")
    assert found.failures == ()
    assert_same(found.molecules[0], ETHANOL if word else replace(ETHANOL, forces=None), 1e-6)


def test_a_target_takes_the_molecule_beside_it(tmp_path):
    from rdkit import Chem

    folder = write_target(tmp_path / "target", ETHANOL)
    (folder / "metadata.json").write_text("{}")
    (folder / "mol.sdf").write_text(Chem.MolToMolBlock(Chem.AddHs(Chem.MolFromSmiles("CCO"))))
    found = read_reference(tmp_path)
    assert found.failures == ()
    np.testing.assert_allclose(found.molecules[0].coords, ETHANOL.coords, atol=1e-10)


def test_damaged_targets_are_failures(tmp_path):
    write_target(tmp_path / "a", WATER)
    write_target(tmp_path / "b", WATER)
    text = (tmp_path / "b" / "qdata.txt").read_text()
    (tmp_path / "b" / "qdata.txt").write_text(text.replace("ENERGY", "ENTROPY", 1))
    write_target(tmp_path / "c", WATER)
    (tmp_path / "c" / "qdata.txt").write_text(text.replace("COORDS ", "COORDS x", 1))
    reasons = [failure.reason for failure in read_reference(tmp_path, smiles=WATER.smiles).failures]
    assert reasons[0] == "lines do not go together: 3 COORDS, 2 ENERGY, 3 GRADIENT"
    assert reasons[1].startswith("line 2: could not convert string to float")
    [failure] = read_reference(tmp_path / "a").failures
    assert failure.reason == "0 .mol2 and .sdf files beside it, where one is expected"


def test_the_targets_kept_beside_the_project_are_read(test_data):
    scan = read_reference(test_data / "fits" / "forcebalance_023_torsion_relaxed")
    assert (scan.failures, scan.n_conformers, scan.has_forces) == ((), 24, True)
    # Of the relaxed torsion only the constraint is left; other forces are small.
    assert np.median(np.abs(scan.molecules[0].forces)) < 0.5
    improper = read_reference(test_data / "fits" / "forcebalance_018_improper_angle")
    assert (improper.failures, improper.n_conformers, improper.has_forces) == ((), 88, False)


# JSON lines


def scan_line(molecule, **changes):
    line = {
        "name": "x",
        "mapped_smiles": molecule.smiles,
        "coords": molecule.coords.tolist(),
        "energies_kcal": {"springs": molecule.energies.tolist()},
        "forces_kcal_per_A": molecule.forces.tolist(),
    }
    return json.dumps(line | changes)


def test_scans_of_one_molecule_stay_apart(tmp_path):
    path = tmp_path / "a.jsonl.xz"
    path.write_bytes(lzma.compress("\n".join([scan_line(ETHANOL), scan_line(ETHANOL)]).encode()))
    found = read_reference(path)
    assert (found.level, found.failures) == ("springs", ())
    assert_same(found.molecules[0], ETHANOL)
    assert_same(found.molecules[1], ETHANOL)


def test_of_several_levels_in_a_line_one_must_be_said(tmp_path):
    energies = {"A": WATER.energies.tolist(), "B": (2 * WATER.energies).tolist()}
    (tmp_path / "a.jsonl").write_text(scan_line(WATER, energies_kcal=energies, forces_kcal_per_A=None))
    with pytest.raises(InputError, match="holds 2 levels of theory; say with level which one: A, B"):
        read_reference(tmp_path / "a.jsonl")
    found = read_reference(tmp_path / "a.jsonl", level="b")
    np.testing.assert_array_equal(found.molecules[0].energies, 2 * WATER.energies)
    [failure] = read_reference(tmp_path / "a.jsonl", level="C").failures
    assert failure.reason == "no energies of level 'C', only of A, B"


def test_damaged_lines_are_failures(tmp_path):
    lines = [scan_line(WATER), "{", scan_line(WATER, coords="x"), "[1]", scan_line(WATER, energies_kcal=[1.0]), "{}"]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    found = read_reference(tmp_path / "a.jsonl", level="springs")
    assert found.n_molecules == 1
    assert [failure.line for failure in found.failures] == [2, 3, 4, 5, 6]
    assert all(failure.reason and failure.advice for failure in found.failures)


@pytest.mark.parametrize(
    ("name", "n_molecules", "n_conformers"),
    [
        ("torsions/openff_b3lypd3bj_dzvp.jsonl.xz", 147, 3528),
        ("geometries/openff_opt_sage_train.jsonl.xz", 111, 200),
        ("fits/presto_ml_forces/test_data.jsonl.xz", 1, 500),
    ],
)
def test_the_data_kept_beside_the_project_are_read_whole(test_data, name, n_molecules, n_conformers):
    found = read_reference(test_data / name)
    assert (found.n_molecules, found.n_conformers, found.failures) == (n_molecules, n_conformers, ())
