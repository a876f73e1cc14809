"""Bond types do not depend on where the writer of a molecule has put its charges."""

import numpy as np
import pytest

from ffshare.assign.atom_types.annotate import annotate
from ffshare.assign.atom_types.kekule import kekule_orders
from ffshare.assign.atom_types.resonance import may_move, settle
from ffshare.assign.atom_types.rings import perceive_rings
from ffshare.molecules import GraphBatch, from_smiles, molecule_from_smiles
from tests.assign.atom_types.labelled import RESONANCE_PAIRS, labels_of, renumbered
from tests.smirks.diverse import DIVERSE

UNMOVED = [
    *("CC(=O)[O-]", "C[N+](=O)[O-]", "[O-][n+]1ccccc1", "C[N+](C)(C)[O-]", "C[N+]([O-])=Cc1ccccc1", "CC#[N+][O-]"),
    *("[NH3+]CC(=O)[O-]", "CS(=O)(=O)[O-]", "COP(=O)([O-])OC", "[O-]c1ccccc1", "C[N+]#[C-]", "C[N-]C", "C[CH-]C"),
    *("C[n+]1cccc(C(=O)[O-])c1", "NC(N)=[N+](C)CC(N)C(=O)[O-]", "[O-][n+]1ccc[n+]([O-])c1", "[O-]C=C[N+](C)(C)C"),
    *("[Na+].[O-]c1ccccc1", "c1cc[n-]c1", "[O-]c1ccc([N+](=O)[O-])cc1", "F[B-](F)(F)F", "[Cl-].CC=O"),
]

# Ways to write one molecule, where no rule of charges tells which is better.
WRITINGS = [
    ("Nc1cc[nH+]cc1", "[NH2+]=c1cc[nH]cc1"),
    ("CN(C)c1cc[nH+]cc1", "C[N+](C)=C1C=CNC=C1"),
    ("CN1C=CC=CC1=[NH2+]", "C[n+]1ccccc1N"),
    ("Nc1scc[nH+]1", "[NH2+]=c1scc[nH]1"),
    ("CN(C)c1ccc2nc3ccc(N(C)C)cc3[s+]c2c1", "C[N+](C)=c1ccc2nc3ccc(N(C)C)cc3sc2c1"),
    ("CN(C)c1ccc2cc3ccc(N(C)C)cc3[o+]c2c1", "CN(C)c1ccc2cc3ccc(=[N+](C)C)cc3oc2c1"),
    ("C[n+]1ccc2[nH]ccc2c1", "Cn1ccc2=[NH+]C=Cc2c1"),
    ("CN(C)C=CC=[N+](C)CC", "C[N+](C)=CC=CN(C)CC"),
    ("CCN(C)C=NC=[N+](C)C", "CCN(C)C=[N+]=CN(C)C", "CC[N+](C)=CN=CN(C)C"),
    ("O=[N+]([O-])c1ccc([O-])cc1", "[O-][N+]([O-])=C1C=CC(=O)C=C1"),
    ("CC([O-])=CC(=O)CC", "CC(=O)C=C([O-])CC"),
    ("[CH2-]c1ccccc1", "[CH-]1C=CC(=C)C=C1"),
    ("CC=C[CH-]C(=O)C", "C[CH-]C=CC(=O)C", "CC=CC=C([O-])C"),
    ("c1nnn[n-]1", "c1nn[n-]n1"),
    ("Cc1nnn[n-]1", "Cc1nn[n-]n1"),
    ("c1c[n-]nn1", "c1cn[n-]n1"),
    ("c1nc[n-]n1", "c1n[n-]cn1", "[n-]1cncn1"),
    ("c1ccc2[n-]nnc2c1", "c1ccc2n[n-]nc2c1"),
    ("c1ccc2[n-]ncc2c1", "c1ccc2n[n-]cc2c1"),
    ("Cc1cc[n-]n1", "Cc1ccn[n-]1"),
    ("Cc1c[n-]cn1", "Cc1cnc[n-]1"),
    ("Nc1ncnc2[n-]cnc12", "Nc1ncnc2nc[n-]c12"),
    ("O=c1cc[n-]c(=O)[nH]1", "O=c1ccnc([O-])[nH]1", "[O-]c1ccnc(=O)[nH]1"),
    ("O=c1cc[nH]c(=O)[n-]1", "O=c1cc[nH]c([O-])n1", "[O-]c1cc[nH]c(=O)n1"),
]


def settled(batch):
    moving = may_move(batch)
    rings = perceive_rings(batch)
    orders = kekule_orders(batch, rings, careful=moving)
    return orders, settle(batch, orders, moving, rings)


@pytest.mark.parametrize("name", RESONANCE_PAIRS)
def test_two_ways_to_write_one_molecule_are_perceived_alike(name):
    first, second = labels_of(from_smiles(*RESONANCE_PAIRS[name]))
    assert first == second


@pytest.mark.parametrize("writings", WRITINGS, ids="/".join)
def test_it_does_not_matter_where_a_delocalised_charge_was_written(writings):
    assert len(set(labels_of(from_smiles(*writings)))) == 1


@pytest.mark.parametrize("smiles", sorted({text for writings in WRITINGS for text in writings}))
def test_a_delocalised_charge_goes_where_it_goes_in_any_order_of_the_atoms(smiles):
    rng, molecule = np.random.default_rng(2), molecule_from_smiles(smiles)
    shuffled = [molecule, *(renumbered(molecule, rng) for _ in range(4))]
    assert len(set(labels_of(GraphBatch.from_molecules(shuffled)))) == 1


def test_rings_become_aromatic_where_a_charge_lets_them():
    found = annotate(from_smiles("[NH2+]=c1cc[nH]cc1", "C[N+](C)=C1C=CNC=C1", "[O-][N+]([O-])=C1C=CC(=O)C=C1"))
    assert found.ring_kinds.tolist() == [1, 1, 1]


@pytest.mark.parametrize("smiles", UNMOVED)
def test_charges_that_are_where_they_belong_stay(smiles):
    batch = from_smiles(smiles)
    # Sums round inner atoms: a Kekulé structure may turn, and the oxygens of a carboxylate change places.
    before, after = (np.bincount(batch.sources, weights=orders) for orders in settled(batch))
    assert np.array_equal(before[batch.degrees > 1], after[batch.degrees > 1])


@pytest.mark.parametrize(
    ("smiles", "atom", "expected"),
    [
        ("CC(=O)[N-]C", 1, [1, 1, 2]),  # C–C, C–O, C=N
        ("CS(=O)(=O)[N-]C", 1, [1, 1, 2, 2]),
        ("O=C1[N-]S(=O)(=O)c2ccccc12", 1, [1, 1, 2]),  # carbonyl oxygen before those of sulfur
        ("CN=[N+]=[N-]", 2, [1, 3]),
        ("C=[N+]=[N-]", 1, [2, 2]),  # nothing better than carbon and a terminal nitrogen
        ("[N-]=C=O", 1, [1, 3]),
        ("N#C[N-]C#N", 2, [1, 2]),
        ("N#C[C-](C#N)[n+]1ccccc1", 5, [1, 2, 2]),  # an ylide before a nitrile
        ("CC(=O)[CH-][n+]1ccccc1", 1, [1, 1, 2]),  # oxygen before an ylide
        ("[NH-][n+]1ccccc1", 1, [1, 2, 2]),
        ("C[n+]1ccccc1[O-]", 1, [1, 1, 1]),
        ("C[N+](C)=CC=CC=CC=C[O-]", 1, [1, 1, 1]),
        ("COc1ccc([N-]S(C)(=O)=O)cc1C=O", 6, [1, 2]),  # not through the benzene ring
        ("[N-]=[N+]=Nc1ccc(C=O)cc1", 2, [1, 1]),
        ("C[P+]([O-])([O-])[O-]", 1, [1, 1, 1, 2]),
        ("C[S+2]([O-])([O-])C", 1, [1, 1, 2, 2]),
        ("[O-]S1([O-])CCCC1", 1, [1, 1, 2, 2]),  # a record without the charges of sulfur
    ],
)
def test_atoms_have_the_bonds_written_here(smiles, atom, expected):
    batch = from_smiles(smiles)
    orders = settled(batch)[1]
    assert sorted(orders[batch.sources == atom].tolist()) == expected
    assert np.array_equal(orders, orders[batch.reverses])


@pytest.mark.parametrize("name", RESONANCE_PAIRS)
def test_the_order_of_the_atoms_does_not_matter(name):
    rng = np.random.default_rng(1)
    for smiles in RESONANCE_PAIRS[name]:
        molecule = molecule_from_smiles(smiles)
        shuffled = GraphBatch.from_molecules([molecule, *(renumbered(molecule, rng) for _ in range(5))])
        assert len(set(labels_of(shuffled))) == 1


def test_molecules_are_settled_each_by_itself():
    smiles = [*DIVERSE.values(), *UNMOVED, *(pair[0] for pair in RESONANCE_PAIRS.values())]
    together = from_smiles(*smiles)
    orders = settled(together)[1]
    alone = [settled(from_smiles(text))[1] for text in smiles]
    assert np.array_equal(orders, np.concatenate(alone))
