"""Bond types against AmberTools 26, and the laws that they obey."""

import numpy as np
import pytest

from ffshare.assign.atom_types.annotate import annotate
from ffshare.assign.atom_types.bond_types import bond_types, is_double
from ffshare.assign.atom_types.rings import perceive_rings
from ffshare.molecules import from_smiles
from tests.assign.atom_types.test_rings import ALL

# Bond types of antechamber (AmberTools 26, from SD files) for the bonds between heavy atoms, sorted by their atoms in
# SMILES order; "a" stands for 7 and 8, which it spreads over a ring by atom order.
ANTECHAMBER = [
    ("CC(=O)[N-]S(=O)(=O)c1ccccc1", "1921221aaaaaa"),
    ("CS(=O)(=O)[N-]c1ccccc1", "19221aaaaaa"),
    ("O=C1[N-]S(=O)(=O)c2ccccc12", "9211221aaaaaa"),
    ("CC(=O)[CH-]C", "1921"),
    ("[O-]C(=O)c1ccccc1", "991aaaaaa"),
    ("[S-]C(=S)N(C)C", "99111"),
    ("[O-]c1ccccc1", "9aaaaaa"),
    ("O=c1ccn(C)cc1", "21121112"),
    ("CP(C)(C)=C", "1112"),
    ("C[P+](C)(C)[O-]", "1112"),
    ("C[S+](C)[O-]", "112"),
    ("C[S+2](C)([O-])[O-]", "1122"),
    ("CS(=O)(=O)[O-]", "1999"),
    ("CS(=O)[O-]", "199"),
    ("COS(=O)(=O)[O-]", "11999"),
    ("COP(=O)([O-])OC", "119911"),
    ("COP(=S)([O-])OC", "119911"),
    ("COP(=S)(OC)OC", "1121111"),
    ("C[N+](C)(C)[O-]", "1119"),
    ("C[N+](C)=C[N-]C", "11121"),
    ("CN=[N+]=[N-]", "113"),
    ("[N-]=[N+]=NC", "311"),
    ("CC(=O)N=[N+]=[N-]", "19213"),
    ("C=[N+]=[N-]", "22"),
    ("[N-]=[N+]=CC(=O)OCC", "3129111"),
    ("CC#[N+][O-]", "139"),
    ("C[N+]#[C-]", "13"),
    ("CN(C)N=O", "1112"),
    ("CO[N+](=O)[O-]", "1199"),
    ("CN(=O)=O", "199"),
    ("C[N+](C)=C(N)N", "11211"),
    ("C[n+]1ccn(C)c1", "1aaaa1a"),
    ("C[n+]1ccsc1", "1aaaaa"),
    ("CC(=O)[N-][n+]1ccccc1", "1921aaaaaa"),
    ("O=C=O", "22"),
    ("CN=C=S", "122"),
    ("S=C=S", "22"),
    ("[N-]=C=O", "39"),
    ("CS(C)(=N)=O", "1122"),
    ("CN=S(=O)(C)C", "12211"),
    ("CS(C)(=O)=NC", "11221"),
    ("CP(C)(C)=NC", "11121"),
    ("O=S=O", "99"),
    ("c1ccc2[nH]ccc2c1", "aaaa1a121a"),
    ("c1ncc2nc[nH]c2n1", "aaaa1a211a"),
    ("c1ccc2c(c1)[nH]c1ccccc12", "aaaaa1a11aaaaaa"),
    ("c1ccc2nonc2c1", "aaaa2a112a"),
    ("c1ccc2conc2c1", "aaaa2a112a"),
    ("c1ccn2cccc2c1", "aaaa1a212a"),
    ("c1cn2ccnc2s1", "aaaaaaaaa"),
    ("O=C1C=CC(=O)c2ccccc12", "2112121aaaaaa"),
    ("Cn1cnc2c1c(=O)n(C)c(=O)n2C", "1aaaaa112111211"),
    ("C1=Cc2cccc3cccc1c23", "211aaaaaaaaaaa"),
    ("c1ccpcc1", "aaaaaa"),
    ("c1ccc2c(c1)Cc1ccccc1-2", "aaaaa1a11aaaaaa"),
    ("CC(=O)[CH-][P+](C)(C)C", "1212111"),
    ("C[N+](C)(C)CC([O-])=O", "1111199"),
    ("O=C1NC(=O)[N-]C(=O)C1(C)C", "21119212111"),
]


def heavy_types(batch):
    types = bond_types(batch, perceive_rings(batch))
    bonds = batch.bonds
    heavy = (batch.elements[bonds] > 1).all(axis=1)
    ordered = np.lexsort((bonds[heavy, 1], bonds[heavy, 0]))
    return "".join("a" if kind in (7, 8) else str(kind) for kind in types[batch.bond_edges][heavy][ordered].tolist())


@pytest.mark.parametrize(("smiles", "expected"), ANTECHAMBER)
def test_bond_types_are_those_of_antechamber(smiles, expected):
    assert heavy_types(from_smiles(smiles)) == expected


def test_both_edges_of_a_bond_have_its_type():
    batch = from_smiles(*ALL.values(), *(smiles for smiles, _ in ANTECHAMBER))
    types = bond_types(batch, perceive_rings(batch))
    assert np.array_equal(types, types[batch.reverses])
    assert set(types.tolist()) == {1, 2, 3, 7, 8, 9}


def test_every_atom_of_an_ar1_ring_has_one_double_bond_there():
    batch = from_smiles(*ALL.values())
    found = annotate(batch)
    doubles = np.bincount(batch.sources[found.bond_types == 8], minlength=batch.n_atoms)
    in_ar1 = found.annotations.atoms["AR1"] > 0
    # Those of quinoid rings, as in 2,1,3-benzoxadiazole, have it outside.
    has_2 = np.bincount(batch.sources[found.bond_types == 2], minlength=batch.n_atoms) > 0
    assert np.array_equal(doubles[in_ar1 & ~has_2], np.ones((in_ar1 & ~has_2).sum()))


# The middle ring of these is fused to a ring of six and to another ring of five, which keeps its types 7 and 8.
@pytest.mark.parametrize(
    ("smiles", "n_aromatic"), [("c1ccc2c(c1)[nH]c1ccsc12", 6 + 5), ("c1ccc2c(c1)oc1ccccc12", 6 + 6)]
)
def test_a_five_ring_fused_to_a_six_ring_counts_once_as_not_aromatic(smiles, n_aromatic):
    assert heavy_types(from_smiles(smiles)).count("a") == n_aromatic


def test_double_bonds_are_types_2_and_8():
    assert is_double(np.array([1, 2, 3, 7, 8, 9])).tolist() == [False, True, False, False, True, False]
