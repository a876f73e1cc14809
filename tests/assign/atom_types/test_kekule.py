"""Kekulé structures are valid, and do not depend on who wrote the molecule."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rdkit import Chem

from ffshare.assign.atom_types.kekule import canonical_ranks, kekule_orders
from ffshare.assign.atom_types.rings import perceive_rings
from ffshare.errors import MoleculeError
from ffshare.molecules import GraphBatch, from_smiles, molecule_from_smiles
from tests.assign.atom_types.labelled import KEKULE_PAIRS, labels_of, renumbered
from tests.assign.atom_types.test_rings import ALL, C60
from tests.smirks.diverse import assembled


def orders_of(batch, careful=False):
    return kekule_orders(batch, perceive_rings(batch), careful=np.full(batch.n_molecules, careful))


def assert_valid(batch, orders):
    """Orders of both directions agree, and every atom has the valence that RDKit's own Kekulé structure gives it."""
    assert np.array_equal(orders, orders[batch.reverses])
    for idx in range(batch.n_molecules):
        molecule = Chem.Mol(batch.explicit_molecule(idx))
        Chem.Kekulize(molecule, clearAromaticFlags=True)
        atoms = slice(int(batch.atom_offsets[idx]), int(batch.atom_offsets[idx + 1]))
        valences = np.bincount(batch.sources, weights=orders, minlength=batch.n_atoms)[atoms]
        assert valences.tolist() == [
            sum(bond.GetBondTypeAsDouble() for bond in atom.GetBonds()) for atom in molecule.GetAtoms()
        ]
    unchanged = ~batch.in_ring
    assert np.array_equal(orders[unchanged], batch.orders[unchanged] // 2)


@pytest.mark.parametrize("careful", [False, True])
def test_every_kept_molecule_gets_a_kekule_structure(careful):
    batch = from_smiles(*ALL.values(), *(smiles for pair in KEKULE_PAIRS.values() for smiles in pair))
    assert_valid(batch, orders_of(batch, careful))


@settings(max_examples=60, deadline=None)
@given(smiles=st.lists(st.sampled_from(list(ALL.values())), max_size=5), rng=st.randoms(use_true_random=False))
def test_every_molecule_of_a_batch_gets_a_kekule_structure(smiles, rng):
    try:
        batch = from_smiles(*smiles, assembled(rng))
    except MoleculeError:
        assume(False)
    assert_valid(batch, orders_of(batch, careful=rng.random() < 0.5))


@pytest.mark.parametrize("name", KEKULE_PAIRS)
def test_the_structure_that_was_read_does_not_matter(name):
    first, second = labels_of(from_smiles(*KEKULE_PAIRS[name]))
    assert first == second


@pytest.mark.parametrize(
    "smiles",
    [*(pair[0] for pair in KEKULE_PAIRS.values()), C60, ALL["corannulene"], ALL["acenaphthylene"], ALL["pyracylene"]],
)
def test_the_order_of_the_atoms_does_not_matter(smiles):
    rng = np.random.default_rng(0)
    molecule = molecule_from_smiles(smiles)
    shuffled = GraphBatch.from_molecules([molecule, *(renumbered(molecule, rng) for _ in range(8))])
    assert len(set(labels_of(shuffled))) == 1


@pytest.mark.parametrize(
    ("smiles", "doubles"),
    [
        ("c1ccc2nonc2c1", [(0, 8), (1, 2), (3, 4), (6, 7)]),  # 2,1,3-benzoxadiazole: aromatic by MDL, yet quinoid
        ("c1ccc2conc2c1", [(0, 8), (1, 2), (3, 4), (6, 7)]),
        ("C1C=CC=CC=C1", [(1, 2), (3, 4), (5, 6)]),  # a chain of double bonds in a ring
        ("O=C1C=CC(=O)C=C1", [(0, 1), (2, 3), (4, 5), (6, 7)]),
        ("C1=CN=S=N1", [(0, 1), (2, 3), (3, 4)]),  # sulfur with two double bonds keeps them
    ],
)
def test_double_bonds_that_are_forced_stand_where_they_must(smiles, doubles):
    batch = from_smiles(smiles)
    orders = orders_of(batch)[batch.bond_edges]
    assert [tuple(pair) for pair in batch.bonds[orders == 2].tolist()] == doubles


def test_rings_of_hypervalent_atoms_stay_as_they_were_read():
    batch = from_smiles("ClP1(Cl)=NP(Cl)(Cl)=NP(Cl)(Cl)=N1")
    assert np.array_equal(orders_of(batch), batch.orders // 2)


def test_mirror_images_and_isotopes_have_equal_ranks():
    first, second, heavy = (
        canonical_ranks(molecule_from_smiles(smiles))
        for smiles in ("N[C@@H](C)C(=O)O", "N[C@H](C)C(=O)O", "[15NH2][C@H](C)C(=O)O")
    )
    assert first == second == heavy
    assert sorted(first) == list(range(6))
