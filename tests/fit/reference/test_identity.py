"""SMILES and geometries in one order of atoms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from ffshare.errors import MoleculeError
from ffshare.fit.reference.identity import (
    atomic_number,
    canonical_smiles,
    identify,
    is_fully_mapped,
    smiles_of_mol2,
    smiles_of_molblock,
)
from ffshare.molecules import from_smiles
from tests.fit.reference.toys import geometry

MOLECULES = (
    "O",
    "CCO",
    "CC(=O)[O-]",
    "c1ccccc1Cl",
    "C[N+](=O)[O-]",
    "N[C@@H](C)C(=O)O",
    "C/C=C/F",
    "C1CC1C#N",
    "CS(C)(=O)=O",
)


@given(st.sampled_from(MOLECULES), st.randoms(use_true_random=False))
def test_a_geometry_in_any_order_of_atoms_is_laid_over_its_smiles(smiles, random):
    graph, coords = from_smiles(smiles), geometry(smiles)
    order = list(range(graph.n_atoms))
    random.shuffle(order)
    found = identify(smiles, graph.elements[order], coords[order])
    assert found.graph.elements.tolist() == graph.elements[order].tolist()
    # Every bond is one of those of the molecule, between atoms as far apart as bonds are.
    lengths = np.linalg.norm(coords[order][found.graph.bonds[:, 0]] - coords[order][found.graph.bonds[:, 1]], axis=1)
    expected = np.linalg.norm(coords[graph.bonds[:, 0]] - coords[graph.bonds[:, 1]], axis=1)
    np.testing.assert_allclose(np.sort(lengths), np.sort(expected))
    assert is_fully_mapped(found.smiles)
    assert canonical_smiles(found.smiles) == Chem.CanonSmiles(smiles)


def test_a_mapped_smiles_gives_the_order_and_stays_as_it_is():
    found = identify("[O:3]([H:1])[H:2]", np.array([1, 1, 8]), np.zeros((3, 3)))
    assert found.smiles == "[O:3]([H:1])[H:2]"
    assert found.graph.elements.tolist() == [1, 1, 8]


@pytest.mark.parametrize(
    ("smiles", "elements", "reason"),
    [
        ("[O:1]([H:2])[H:3]", [1, 1, 8], "the mapped SMILES has the elements O-H-H, the coordinates those of H-H-O"),
        ("O", None, "does not map every atom, hydrogens included"),
        ("N", [8, 1, 1], "the SMILES has the atoms H-H-H-N, the coordinates H-H-O"),
        ("O", [8, 1, 1], r"the bonds of the geometry \(0 pairs of near atoms\) are not those of the SMILES \(2\)"),
        ("C1CC", [8, 1, 1], "SMILES does not parse"),
    ],
)
def test_what_does_not_fit_says_why(smiles, elements, reason):
    coords = 9.0 * np.arange(9).reshape(3, 3)
    with pytest.raises(MoleculeError, match=reason):
        identify(smiles, None if elements is None else np.array(elements), coords)


def test_isomers_with_the_same_atoms_are_told_apart():
    graph = from_smiles("CCO")
    with pytest.raises(MoleculeError, match="the bonds of the geometry"):
        identify("COC", graph.elements, geometry("CCO"))


@pytest.mark.parametrize(
    ("smiles", "is_mapped"),
    [
        ("[O:1]([H:2])[H:3]", True),
        ("[H:2][H:1]", True),
        ("[OH2:1]", False),
        ("[O:1]([H:2])[H]", False),
        ("[O:1]([H:2])[H:2]", False),
        ("[O:2]([H:3])[H:4]", False),
        ("not a SMILES", False),
    ],
)
def test_a_smiles_is_fully_mapped_when_it_numbers_all_atoms(smiles, is_mapped):
    assert is_fully_mapped(smiles) == is_mapped


def test_symbols_of_elements_are_read_in_any_case():
    assert [atomic_number(symbol) for symbol in ("C", "CL", "br", " H ")] == [6, 17, 35, 1]
    with pytest.raises(MoleculeError, match="'Xy' is no symbol of an element"):
        atomic_number("Xy")


MOL2 = """@<TRIPOS>MOLECULE
acetate
 7 6 0 0 0
SMALL
NO_CHARGES

@<TRIPOS>ATOM
  1 O1  2.1  0.9 0.0 O.co2
  2 C1  0.0  0.0 0.0 C.3
  3 C2  1.5  0.0 0.0 C.2
  4 O2  2.1 -1.1 0.0 O.co2
  5 H1 -0.4  1.0 0.0 H
  6 H2 -0.4 -0.5 0.9 H
  7 H3 -0.4 -0.5 -0.9 H
@<TRIPOS>BOND
  1 1 3 ar
  2 2 3 1
  3 3 4 ar
  4 2 5 1
  5 2 6 1
  6 2 7 1
"""


def test_a_mol2_file_gives_its_molecule_in_its_order():
    smiles = smiles_of_mol2(MOL2)
    assert canonical_smiles(smiles) == "CC(=O)[O-]"
    assert identify(smiles, None, np.zeros((7, 3))).graph.elements.tolist() == [8, 6, 6, 8, 1, 1, 1]
    with pytest.raises(MoleculeError, match="the MOL2 file cannot be read"):
        smiles_of_mol2("nothing")


def test_a_mol_block_must_hold_its_hydrogens():
    explicit = Chem.AddHs(Chem.MolFromSmiles("CO"))
    assert canonical_smiles(smiles_of_molblock(Chem.MolToMolBlock(explicit))) == "CO"
    with pytest.raises(MoleculeError, match="lacks hydrogens"):
        smiles_of_molblock(Chem.MolToMolBlock(Chem.MolFromSmiles("CO")))
