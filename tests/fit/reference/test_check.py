"""Records that cannot be used are left out, with reason and advice, and nothing else is."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ffshare.data_files import data_directory
from ffshare.fit.reference import RawRecord, check
from ffshare.fit.reference.atomic_units import BOHR, ENERGY_UNITS, HARTREE
from ffshare.fit.reference.geometry_checks import repeated, superposed
from ffshare.molecules import from_smiles, mapped_smiles
from tests.fit.reference.toys import assert_same, geometry, spring_molecule

SMILES = ("O", "CCO", "CC#N", "C1CC1", "CS(C)=O", "c1ccccc1", "C[NH3+]", "BrCP")


def record(molecule, **changes):
    """A record that gives the molecule."""
    fields = {
        "index": 3,
        "path": "a.parquet",
        "line": 4,
        "name": "x",
        "smiles": molecule.smiles,
        "coords": molecule.coords,
        "energies": molecule.energies,
        "forces": molecule.forces,
        "level": molecule.level,
    }
    return RawRecord(**(fields | changes))


def only_failure(raw, molecule=None):
    """The one failure of a record, of which nothing, or a molecule, can be used."""
    checked = check(raw)
    if molecule is None:
        assert checked.molecule is None
    else:
        assert_same(checked.molecule, molecule)
    [failure] = checked.failures
    assert (failure.index, failure.path, failure.line, failure.name) == (3, "a.parquet", 4, "x")
    assert failure.advice
    return failure


@given(st.sampled_from(SMILES), st.integers(0, 1000), st.sampled_from([0.01, 0.03, 0.05]), st.integers(1, 30))
def test_what_is_sound_passes_unchanged(smiles, seed, size, n_conformers):
    molecule = spring_molecule(smiles, n_conformers=n_conformers, seed=seed, size=size)
    checked = check(record(molecule))
    assert checked.failures == ()
    assert_same(checked.molecule, molecule)


@pytest.mark.parametrize("field", ["coords", "energies", "forces"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_conformer_with_a_number_that_is_not_finite_is_left_out(field, value):
    molecule = spring_molecule("CO")
    values = getattr(molecule, field).copy()
    values[(2,) + (0,) * (values.ndim - 1)] = value
    failure = only_failure(record(molecule, **{field: values}), molecule.part(np.array([0, 1, 3, 4, 5, 6, 7])))
    assert failure.reason == "1 of 8 conformers left out (3): a coordinate, energy or force is no finite number"


def test_a_record_whose_conformers_all_fail_gives_no_molecule():
    molecule = spring_molecule("CO")
    failure = only_failure(record(molecule, energies=np.full(8, np.nan)))
    assert failure.reason.startswith("8 of 8 conformers left out (1, 2, 3, 4, 5, 6, 7, 8): ")


def test_a_broken_bond_is_named_with_its_length():
    molecule = spring_molecule("O", n_conformers=3)
    coords = molecule.coords.copy()
    coords[1, 2] = coords[1, 0] + [0, 0, 2.5]
    failure = only_failure(record(molecule, coords=coords), molecule.part(np.array([0, 2])))
    assert failure.reason == "1 of 3 conformers left out (2): a bond is broken: O1 and H3, 2.50 Å apart"
    assert "give the SMILES of the product" in failure.advice


def test_a_bond_that_is_far_too_short_is_named():
    molecule = spring_molecule("O", n_conformers=1)
    coords = molecule.coords.copy()
    coords[0, 2] = coords[0, 0] + [0, 0, 0.4]
    assert only_failure(record(molecule, coords=coords)).reason == "a bond is far too short: O1 and H3, 0.40 Å apart"


def test_atoms_that_touch_without_a_bond_are_named():
    # The geometry of hydrogen peroxide, and a SMILES that says two water-like ends without a bond.
    molecule = spring_molecule("OO", n_conformers=2)
    failure = only_failure(record(molecule, smiles="[O-:1][H:3].[O-:2][H:4]"))
    assert failure.reason.startswith("2 of 2 conformers left out (1, 2): atoms without a bond touch: O1 and O2, 1.")


def test_wrong_connectivity_is_seen():
    molecule = spring_molecule("CCO", n_conformers=2)
    swapped = molecule.smiles.replace("[C:2]", "[C:9]").replace("[C:1]", "[C:2]").replace("[C:9]", "[C:1]")
    checked = check(record(molecule, smiles=swapped))
    assert checked.molecule is None
    assert {failure.reason.split(": ")[1] for failure in checked.failures} == {
        "a bond is broken",
        "atoms without a bond touch",
    }


@pytest.mark.parametrize(
    ("factor", "reason"),
    [
        (1 / BOHR, "bohr given as Å"),
        (BOHR, "Å converted from bohr that they never were"),
        (0.1, "nm given as Å"),
        (10.0, "Å given as nm"),
        (3.0, "times as long as its covalent radii say$"),
    ],
)
def test_a_wrong_unit_of_length_is_guessed(factor, reason):
    molecule = spring_molecule("CCO")
    failure = only_failure(record(molecule, coords=molecule.coords * factor, forces=None))
    assert "the typical bond is" in failure.reason
    assert re.search(reason, failure.reason)


@given(st.sampled_from(SMILES), st.integers(0, 1000))
def test_gradients_given_as_forces_are_seen(smiles, seed):
    molecule = spring_molecule(smiles, n_conformers=20, seed=seed)
    failure = only_failure(record(molecule, forces=-molecule.forces))
    assert "gradients, of the other sign" in failure.reason
    assert "change the sign" in failure.advice


def test_gradients_are_seen_without_hydrogens_too():
    molecule = spring_molecule("O=C=S", n_conformers=30)
    assert "energies fall where the forces say" in only_failure(record(molecule, forces=-molecule.forces)).reason


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("Hartree/bohr", BOHR / HARTREE),
        ("eV/Å", 1 / ENERGY_UNITS["ev"]),
        ("kJ/mol/Å", 4.184),
    ],
)
def test_a_wrong_unit_of_force_is_guessed(unit, factor):
    molecule = spring_molecule("CCO", n_conformers=20)
    failure = only_failure(record(molecule, forces=molecule.forces * factor))
    assert failure.reason.endswith(f"the forces are in another unit, perhaps {unit}")


@pytest.mark.parametrize("factor", [1 / HARTREE, 1 / ENERGY_UNITS["ev"], 4.184])
def test_energies_in_another_unit_than_forces_are_seen(factor):
    molecule = spring_molecule("CCO", n_conformers=20)
    failure = only_failure(record(molecule, energies=molecule.energies * factor))
    assert "times the work of the forces, where 1 is expected" in failure.reason


def test_energies_and_forces_out_of_all_range_are_left_out():
    molecule = spring_molecule("O", n_conformers=4)
    energies, forces = molecule.energies.copy(), molecule.forces.copy()
    energies[0] += 5000
    forces[1, 0, 0] = 1e5
    checked = check(record(molecule, energies=energies, forces=forces))
    assert checked.molecule.n_conformers == 2
    assert [failure.reason for failure in checked.failures] == [
        "1 of 4 conformers left out (1): the energy is more than 1000 kcal/mol from the median of its molecule",
        "1 of 4 conformers left out (2): a force above 5000 kcal/mol/Å",
    ]


def test_relaxed_scans_with_small_forces_of_any_sign_pass():
    molecule = spring_molecule("CCO", n_conformers=24, size=0.002)
    rng = np.random.default_rng(0)
    forces = rng.normal(scale=0.1, size=molecule.coords.shape)
    assert check(record(molecule, forces=forces)).failures == ()


def test_the_first_of_two_same_geometries_is_kept_however_they_are_turned():
    molecule = spring_molecule("CCO", n_conformers=5)
    coords = molecule.coords.copy()
    coords[4] = coords[1] @ Rotation.random(rng=1).as_matrix().T + [1, 2, 3]
    failure = only_failure(record(molecule, coords=coords, forces=None), spring_without_forces(molecule, 4))
    assert failure.reason == "1 of 5 conformers left out (5): the geometry is that of an earlier conformer"


def spring_without_forces(molecule, n_conformers):
    return replace(molecule.part(np.arange(n_conformers)), forces=None)


@given(st.integers(0, 1000))
def test_mirror_images_are_not_repeats_unless_the_molecule_is_flat(seed):
    rng = np.random.default_rng(seed)
    coords = rng.normal(size=(1, 6, 3))
    mirrored = np.concatenate([coords, coords * [1, 1, -1]])
    assert repeated(mirrored).tolist() == [False, False]
    mirrored[:, :, 2] = 0
    assert repeated(mirrored).tolist() == [False, True]


@given(st.integers(0, 1000), st.integers(2, 9))
def test_superposition_undoes_any_rotation(seed, n_atoms):
    rng = np.random.default_rng(seed)
    coords = rng.normal(size=(3, n_atoms, 3))
    turns = Rotation.random(3, rng=rng).as_matrix()
    moved = np.einsum("pji,paj->pai", turns, coords) + rng.normal(size=(3, 1, 3))
    found = superposed(coords, moved)
    np.testing.assert_allclose(found.distances, 0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(found.rotations), 1)


def test_the_repeats_are_those_that_a_plain_loop_finds():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(6, 5, 3))
    coords = np.concatenate([base, base[[1, 1, 4]] + 1e-6 * rng.normal(size=(3, 5, 3)), base[:2] + 1e-2])
    coords[9:, 0] += 0.01
    expected = []
    for number, one in enumerate(coords):
        rms = [
            Rotation.align_vectors(one - one.mean(0), other - other.mean(0))[1] / np.sqrt(5)
            for other in coords[:number]
        ]
        expected.append(bool(np.any(np.array(rms) < 1e-4)))
    assert repeated(coords).tolist() == expected
    assert sum(expected) == 3


def test_shipped_molecules_pass_as_rdkit_builds_them():
    lines = (data_directory("molecules") / "reference.smi").read_text(encoding="utf-8").splitlines()
    for smiles in (line.split("\t")[0] for line in lines[::7]):
        raw = RawRecord(
            index=0,
            path="",
            line=0,
            name="",
            smiles=mapped_smiles(from_smiles(smiles), 0).smiles,
            coords=geometry(smiles),
            energies=[0.0],
        )
        assert check(raw).failures == (), smiles
