"""Conformers in which atoms nearly touch: which pairs count, against a loop over atoms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from ffshare.data_files import data_directory
from ffshare.fit import read_reference
from ffshare.fit.reference import reference_metadata
from ffshare.molecules import from_smiles
from tests.fit.reference.scripts import script
from tests.fit.reference.toys import geometry

contacts = script("reference_data.contacts")

SMILES = ("CCCC", "NCCO", "OCCCl", "CC(=O)NCC", "C1CCC1CN", "CCS", "C[NH2+]CCF", "O", "[Na+]")


def slowly(smiles, coords):
    """Whether any pair of atoms is a contact, by RDKit's distances between atoms and plain loops."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    apart = Chem.GetDistanceMatrix(mol)
    atoms = list(mol.GetAtoms())

    def gives(atom):
        return atom.GetSymbol() == "H" and any(
            one.GetSymbol() in ("N", "O", "F", "S", "Cl") for one in atom.GetNeighbors()
        )

    def takes(atom):
        return atom.GetSymbol() in ("N", "O", "F", "S", "Cl", "Br", "I")

    radius = {"H": 1.2, "C": 1.7, "N": 1.55, "O": 1.52, "F": 1.47, "P": 1.8, "S": 1.8, "Cl": 1.75}
    for i, one in enumerate(atoms):
        for j, other in enumerate(atoms[:i]):
            if apart[i, j] <= 3 or (gives(one) and takes(other)) or (gives(other) and takes(one)):
                continue
            if np.linalg.norm(coords[i] - coords[j]) < 2 / 3 * (radius[one.GetSymbol()] + radius[other.GetSymbol()]):
                return True
    return False


@given(st.sampled_from(SMILES[:-2]), st.integers(0, 1000), st.floats(0.3, 1.0))
def test_contacts_are_those_that_a_loop_over_atoms_finds(smiles, seed, size):
    """Geometries are shrunk, so that contacts come about."""
    rest = geometry(smiles)
    coords = rest * size + np.random.default_rng(seed).normal(scale=0.2, size=(5, *rest.shape))
    found = contacts.in_contact(from_smiles(smiles), coords)
    assert found.tolist() == [slowly(smiles, one) for one in coords]


@pytest.mark.parametrize("smiles", SMILES)
def test_an_embedded_geometry_has_no_contact(smiles):
    coords = np.zeros((1, 3)) if smiles == "[Na+]" else geometry(smiles)
    assert contacts.in_contact(from_smiles(smiles), coords[None]).tolist() == [False]


def limit(smiles, first, second):
    """The limit of two atoms of a mapped SMILES [Å], by their map numbers."""
    return contacts.contact_limits(from_smiles(smiles))[first - 1, second - 1]


def test_limits_by_hand():
    ethylenediol = "[O:1]([C:2]([C:3]([O:4][H:10])([H:8])[H:9])([H:6])[H:7])[H:5]"
    # Four bonds apart, but hydroxyl to oxygen: a hydrogen bond.
    assert limit(ethylenediol, 5, 4) == 0
    assert limit(ethylenediol, 10, 1) == 0
    # Three bonds apart.
    assert limit(ethylenediol, 1, 4) == 0
    assert limit(ethylenediol, 6, 8) == 0
    # Two hydroxyl hydrogens; a hydroxyl hydrogen and one on carbon.
    assert limit(ethylenediol, 5, 10) == pytest.approx(1.6)
    assert limit(ethylenediol, 5, 8) == pytest.approx(1.6)
    propanol = "[O:1]([C:2]([C:3]([C:4]([H:5])([H:6])[H:7])([H:8])[H:9])([H:10])[H:11])[H:12]"
    # A hydrogen on carbon gives no hydrogen bond.
    assert limit(propanol, 5, 1) == pytest.approx(2 / 3 * (1.20 + 1.52))
    assert limit(propanol, 4, 12) == pytest.approx(2 / 3 * (1.70 + 1.20))


def test_other_elements_have_one_radius():
    assert contacts.contact_limits(from_smiles("[Na+]")).tolist() == [[0.0]]
    propaneselenol = "[Se:1]([C:2]([H:4])([H:5])[C:6]([H:7])([H:8])[C:9]([H:10])([H:11])[H:12])[H:3]"
    assert limit(propaneselenol, 1, 10) == pytest.approx(2 / 3 * (2.00 + 1.20))


def test_no_conformer_that_ships_has_a_contact_and_the_file_says_how_many_were_left_out():
    path = data_directory("reference") / "gfn2.parquet"
    for molecule in read_reference(path).molecules:
        assert not contacts.in_contact(from_smiles(molecule.smiles), molecule.coords).any()
    stated = reference_metadata(path)["contacts"]
    assert stated == {"nearest": contacts.NEAREST, "conformers_left_out": 70, "molecules_concerned": 58}
    lines = (path.parent / "gfn2.failures.csv").read_text().splitlines()
    assert sum("atoms nearly touch" in line for line in lines) == 58
