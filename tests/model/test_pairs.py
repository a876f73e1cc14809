"""Which pairs of atoms interact: those that RDKit's distance matrix says are three bonds apart or more."""

import numpy as np
from rdkit import Chem

import ffshare
from ffshare.model.pairs import interacting_pairs
from tests.model.samples import VARIED, batch_of, shipped


def expected(batch, idx):
    between = Chem.GetDistanceMatrix(batch.explicit_molecule(idx))
    i, j = np.triu_indices(len(between), 1)
    apart = between[i, j]
    return i[apart > 2], j[apart > 2], apart[apart > 2] == 3


def check(batch):
    pairs = interacting_pairs(batch)
    for idx in range(batch.n_molecules):
        where = pairs.terms.molecule_idxs == idx
        i, j, is_14 = expected(batch, idx)
        np.testing.assert_array_equal(pairs.terms.atom_idxs[where] - batch.atom_offsets[idx], np.stack([i, j], axis=1))
        np.testing.assert_array_equal(pairs.is_14[where], is_14)


def test_pairs_of_varied_molecules_are_those_at_three_bonds_or_more():
    check(ffshare.from_smiles(*VARIED))


def test_pairs_of_shipped_molecules_are_those_at_three_bonds_or_more():
    check(batch_of(shipped()[::20]))


def test_in_small_rings_the_shortest_way_counts():
    # In cyclobutane opposite carbons are two bonds apart, whichever way round; in bicyclobutane none are three.
    pairs = interacting_pairs(ffshare.from_smiles("C1CCC1", "C1C2C1C2"))
    carbons = np.all(np.isin(pairs.terms.atom_idxs, [0, 1, 2, 3]), axis=1)
    assert not carbons.any()


def test_a_single_atom_has_no_pair():
    assert len(interacting_pairs(ffshare.from_smiles("[Na+]", "[Cl-]")).terms) == 0
