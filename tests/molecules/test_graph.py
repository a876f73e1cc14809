"""A `GraphBatch` holds what RDKit says of the same molecules with all hydrogens explicit."""

import pickle
import random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase

from ffshare.errors import MoleculeError
from ffshare.molecules import GraphBatch, molecule_from_smiles
from tests.smirks.diverse import DIVERSE, assembled

# More than 200 atoms, where the edges are read in another way: a chain, a chain of rings, a peptide, ions in water.
LARGE = [
    "C" * 80,
    "c1ccccc1" + "-c1ccc(cc1)" * 20 + "C",
    "N[C@@H](C)C(=O)" * 25 + "O",
    ".".join(["[Na+]", "[Cl-]", *["O"] * 80]),
]
# 61 to 200 atoms and more than 200, side by side with one atom.
MIXED = [*LARGE, "[Na+]", "[H][H]", "C" * 20]

ARRAYS = (
    *("atom_offsets", "atom_molecules", "elements", "charges", "aromatic", "n_hydrogens", "n_rings", "min_ring_sizes"),
    *("n_ring_bonds", "row_offsets", "sources", "targets", "reverses", "orders", "in_ring", "bond_edges"),
)
# RDKit may go round the same ring in another way where hydrogens are atoms.
RINGS = ("ring_atoms", "ring_offsets")


def batch_of(*smiles):
    with rdBase.BlockLogs():
        return GraphBatch.from_molecules([molecule_from_smiles(text) for text in smiles])


def assert_equals_rdkit(batch, molecules):
    """Compare every array with RDKit's own answers, atom by atom and bond by bond."""
    assert batch.atom_offsets.tolist() == np.cumsum([0, *(molecule.GetNumAtoms() for molecule in molecules)]).tolist()
    for idx, molecule in enumerate(molecules):
        start = int(batch.atom_offsets[idx])
        rings = molecule.GetRingInfo()
        for atom in molecule.GetAtoms():
            place, local = start + atom.GetIdx(), atom.GetIdx()
            row = range(batch.row_offsets[place], batch.row_offsets[place + 1])
            bonds = sorted(atom.GetBonds(), key=lambda bond: bond.GetOtherAtomIdx(local))
            assert batch.atom_molecules[place] == idx
            assert batch.elements[place] == atom.GetAtomicNum()
            assert batch.charges[place] == atom.GetFormalCharge()
            assert batch.aromatic[place] == atom.GetIsAromatic()
            assert batch.degrees[place] == atom.GetDegree() == len(row)
            assert batch.n_hydrogens[place] == atom.GetTotalNumHs(includeNeighbors=True)
            assert batch.n_rings[place] == rings.NumAtomRings(local)
            assert batch.min_ring_sizes[place] == rings.MinAtomRingSize(local)
            assert batch.n_ring_bonds[place] == sum(bond.IsInRing() for bond in bonds)
            assert batch.sources[row].tolist() == [place] * len(row)
            assert batch.targets[row].tolist() == [start + bond.GetOtherAtomIdx(local) for bond in bonds]
            assert batch.orders[row].tolist() == [2 * bond.GetBondTypeAsDouble() for bond in bonds]
            assert batch.in_ring[row].tolist() == [bond.IsInRing() for bond in bonds]
    assert_rings_equal_rdkit(batch, molecules)
    edges = np.stack([batch.sources, batch.targets], axis=1)
    assert np.array_equal(edges[batch.reverses], edges[:, ::-1])
    assert np.array_equal(batch.bonds, edges[edges[:, 0] < edges[:, 1]])
    assert batch.n_bonds == sum(molecule.GetNumBonds() for molecule in molecules)


def assert_rings_equal_rdkit(batch, molecules):
    """Compare sizes and atoms of rings, and see that neighbours in a ring are bonded."""
    sizes = np.diff(batch.ring_offsets)
    owners = batch.atom_molecules[batch.ring_atoms[batch.ring_offsets[:-1]]]
    for idx, molecule in enumerate(molecules):
        rings = molecule.GetRingInfo().AtomRings()
        assert sorted(sizes[owners == idx].tolist()) == sorted(map(len, rings))
    following = np.roll(batch.ring_atoms, -1)
    following[batch.ring_offsets[1:] - 1] = batch.ring_atoms[batch.ring_offsets[:-1]]
    edges = batch.find_edges(batch.ring_atoms, following)
    assert (edges >= 0).all()
    assert batch.in_ring[edges].all()
    assert np.array_equal(np.bincount(batch.ring_atoms, minlength=batch.n_atoms), batch.n_rings)


@settings(max_examples=100)
@given(smiles=st.lists(st.sampled_from(list(DIVERSE.values())), max_size=6), rng=st.randoms(use_true_random=False))
def test_arrays_are_what_rdkit_says_of_the_molecules_with_explicit_hydrogens(smiles, rng):
    try:
        batch = batch_of(*smiles, assembled(rng))
    except MoleculeError:
        assume(False)
    molecules = [batch.explicit_molecule(idx) for idx in range(batch.n_molecules)]
    assert_equals_rdkit(batch, molecules)


@pytest.mark.parametrize("name", DIVERSE)
def test_every_kept_molecule_has_the_arrays_that_rdkit_gives(name):
    batch = batch_of(DIVERSE[name])
    assert_equals_rdkit(batch, [batch.explicit_molecule(0)])


def test_large_molecules_and_single_atoms_have_the_arrays_that_rdkit_gives():
    batch = batch_of(*MIXED)
    molecules = [batch.explicit_molecule(idx) for idx in range(batch.n_molecules)]
    assert (
        max(molecule.GetNumHeavyAtoms() for molecule in molecules)
        < 200
        < max(batch.atom_offsets[1:] - batch.atom_offsets[:-1])
    )
    assert_equals_rdkit(batch, molecules)


def test_large_molecules_whose_hydrogens_are_atoms_have_the_same_arrays():
    implicit = batch_of(*MIXED)
    explicit = GraphBatch.from_molecules([implicit.explicit_molecule(idx) for idx in range(implicit.n_molecules)])
    assert max(molecule.GetNumAtoms() for molecule in explicit.molecules) > 200
    for name in ARRAYS:
        assert np.array_equal(getattr(explicit, name), getattr(implicit, name)), name


def test_hydrogens_that_are_atoms_and_hydrogens_that_are_implied_give_the_same_arrays():
    smiles = list(DIVERSE.values())
    implicit = batch_of(*smiles)
    molecules = [implicit.explicit_molecule(idx) if idx % 2 else implicit.molecules[idx] for idx in range(len(smiles))]
    mixed = GraphBatch.from_molecules(molecules)
    for name in ARRAYS:
        assert np.array_equal(getattr(mixed, name), getattr(implicit, name)), name


def test_implied_hydrogens_stand_where_rdkit_adds_them():
    smiles = [*DIVERSE.values(), *LARGE]
    batch = batch_of(*smiles)
    for idx, text in enumerate(smiles):
        added = Chem.AddHs(molecule_from_smiles(text))
        start = batch.atom_offsets[idx]
        expected = [[other.GetIdx() for other in atom.GetNeighbors()] for atom in added.GetAtoms()]
        rows = range(start, batch.atom_offsets[idx + 1])
        found = [batch.targets[batch.row_offsets[row] : batch.row_offsets[row + 1]] - start for row in rows]
        assert [sorted(row) for row in expected] == [row.tolist() for row in found]


def test_a_batch_is_its_molecules_one_after_another():
    smiles = random.Random(0).sample([*DIVERSE.values(), *LARGE], 40)
    batch = batch_of(*smiles)
    n_edges = 0
    for idx, text in enumerate(smiles):
        alone = batch_of(text)
        atoms = slice(batch.atom_offsets[idx], batch.atom_offsets[idx + 1])
        edges = slice(n_edges, n_edges + len(alone.targets))
        n_edges = edges.stop
        for name in ("elements", "charges", "aromatic", "n_hydrogens", "n_rings", "min_ring_sizes", "n_ring_bonds"):
            assert np.array_equal(getattr(batch, name)[atoms], getattr(alone, name)), name
        for name in ("orders", "in_ring"):
            assert np.array_equal(getattr(batch, name)[edges], getattr(alone, name)), name
        assert np.array_equal(batch.local_idxs(batch.sources[edges]), alone.sources)
        assert np.array_equal(batch.local_idxs(batch.targets[edges]), alone.targets)


# Ring atoms, bonds, and rings through each ring atom of the plain SSSR: bonds - atoms + 1 rings in all.
@pytest.mark.parametrize(
    ("name", "n_ring_atoms", "n_ring_bonds", "n_memberships"),
    [
        ("cyclopropane", 3, 3, 3),
        ("cubane", 8, 12, 5 * 4),
        ("prismane", 6, 9, 2 * 3 + 2 * 4),
        ("tetrahedrane", 4, 6, 3 * 3),
        ("adamantane", 10, 12, 3 * 6),
        ("bicyclo[2.2.2]octane", 8, 9, 2 * 6),
        ("biphenylene", 12, 14, 6 + 4 + 6),
        ("spiropentane", 5, 6, 2 * 3),
        ("15-crown-5", 15, 15, 15),
        ("allene", 0, 0, 0),
    ],
)
def test_rings_are_the_smallest_set_and_not_the_symmetrized_one(name, n_ring_atoms, n_ring_bonds, n_memberships):
    batch = batch_of(DIVERSE[name])
    assert (batch.n_rings > 0).sum() == n_ring_atoms
    assert batch.in_ring[batch.bond_edges].sum() == n_ring_bonds
    assert batch.n_rings.sum() == n_memberships


# Ring of the MDL model: 6 and 10 electrons in rings without a heteroatom that gives two.
@pytest.mark.parametrize(
    ("smiles", "n_aromatic", "n_aromatic_bonds"),
    [
        *(("c1ccccc1", 6, 6), ("c1ccncc1", 6, 6), ("C[n+]1ccccc1", 6, 6), ("[O-][n+]1ccccc1", 6, 6)),
        *(("c1ccoc1", 0, 0), ("c1ccsc1", 0, 0), ("c1cc[nH]c1", 0, 0), ("c1c[nH]cn1", 0, 0), ("c1nn[nH]n1", 0, 0)),
        *(("c1ccc2[nH]ccc2c1", 6, 6), ("c1ccc2ccccc2c1", 10, 11), ("c1ccc2cccc2cc1", 10, 10)),
        *(("O=c1cc[nH]cc1", 0, 0), ("O=c1cccccc1", 0, 0), ("c1cc[cH+]ccc1", 0, 0), ("c1cc[cH-]c1", 0, 0)),
        *(("c1ccc2c(c1)ccc1ccccc12", 14, 16), ("c1cc2ccc3cccc4ccc(c1)c2c34", 16, 19)),
    ],
)
def test_aromaticity_is_that_of_the_mdl_model(smiles, n_aromatic, n_aromatic_bonds):
    batch = batch_of(smiles)
    assert batch.aromatic.sum() == n_aromatic
    assert (batch.orders[batch.bond_edges] == 3).sum() == n_aromatic_bonds


def test_edges_are_found_by_their_ends():
    batch = batch_of(*random.Random(1).sample(list(DIVERSE.values()), 20))
    expected = {
        ends: edge for edge, ends in enumerate(zip(batch.sources.tolist(), batch.targets.tolist(), strict=True))
    }
    pairs = np.random.default_rng(0).integers(0, batch.n_atoms, size=(5000, 2))
    pairs = np.concatenate([pairs, np.stack([batch.sources, batch.targets], axis=1), [[0, 0]]])
    found = batch.find_edges(pairs[:, 0], pairs[:, 1])
    assert found.tolist() == [expected.get(tuple(pair), -1) for pair in pairs.tolist()]


def test_no_pairs_and_no_bonds_give_no_edges():
    nothing = np.zeros(0, dtype=np.int64)
    assert batch_of("C").find_edges(nothing, nothing).tolist() == []
    assert batch_of("[Na+].[Cl-]").find_edges(np.array([0]), np.array([1])).tolist() == [-1]


def test_a_batch_without_molecules_has_empty_arrays():
    batch = GraphBatch.from_molecules([])
    assert (batch.n_molecules, batch.n_atoms, batch.n_bonds) == (0, 0, 0)
    assert batch.atom_offsets.tolist() == batch.row_offsets.tolist() == [0]
    assert batch.bonds.shape == (0, 2)


@pytest.mark.parametrize(
    ("smiles", "elements", "bonds"),
    [
        ("[Na+]", [11], []),
        ("[H+]", [1], []),
        ("[H][H]", [1, 1], [[0, 1]]),
        ("[H]O", [1, 8, 1], [[0, 1], [1, 2]]),
        ("O.O", [8, 8, 1, 1, 1, 1], [[0, 2], [0, 3], [1, 4], [1, 5]]),
    ],
)
def test_the_smallest_molecules_have_the_arrays_written_here(smiles, elements, bonds):
    batch = batch_of(smiles)
    assert batch.elements.tolist() == elements
    assert batch.bonds.tolist() == bonds


def test_names_and_places_in_the_input_are_kept():
    molecules = [molecule_from_smiles(smiles) for smiles in ("C", "O")]
    batch = GraphBatch.from_molecules(molecules, names=["methane", "water"], input_idxs=[3, 7])
    assert batch.names == ("methane", "water")
    assert batch.input_idxs.tolist() == [3, 7]
    assert GraphBatch.from_molecules(molecules).names == ("", "")
    assert GraphBatch.from_molecules(molecules).input_idxs.tolist() == [0, 1]


def test_a_pickled_batch_comes_back_the_same():
    batch = batch_of(*DIVERSE.values(), *LARGE)
    for idx in range(0, batch.n_molecules, 2):
        batch.explicit_molecule(idx)
    copy = pickle.loads(pickle.dumps(batch))
    for name in (*ARRAYS, *RINGS):
        assert np.array_equal(getattr(copy, name), getattr(batch, name)), name
    assert_equals_rdkit(copy, [copy.explicit_molecule(idx) for idx in range(copy.n_molecules)])
    for idx in range(batch.n_molecules):
        assert Chem.MolToSmiles(copy.explicit_molecule(idx)) == Chem.MolToSmiles(batch.explicit_molecule(idx))


def test_arrays_cannot_be_written_to():
    batch = batch_of("C1CO1")
    for name in (*ARRAYS, *RINGS):
        with pytest.raises(ValueError, match="read-only"):
            getattr(batch, name)[...] = 0


def test_the_molecules_that_a_batch_is_made_from_are_given_no_hydrogens():
    molecule = molecule_from_smiles("C12C3C4C1C5C2C3C45")
    batch = GraphBatch.from_molecules([molecule])
    batch.explicit_molecule(0)
    assert molecule.GetNumAtoms() == 8


# A dative bond may close a ring that RDKit did not count, and leaves more room for hydrogens than a single one does.
@pytest.mark.parametrize(
    ("smiles", "n_rings"),
    [
        ("[NH3]->[Co]", 0),
        ("N->[Pt+2](Cl)(Cl)<-N", 0),
        ("C1CN->[Zn+2]<-N1", 1),
        ("C1CN->[Ni]2(<-N1)<-NCCN->2", 2),
        ("CS(C)->O", 0),
        ("O=C->[Fe]", 0),
    ],
)
def test_dative_bonds_are_single_bonds(smiles, n_rings):
    batch = batch_of("C1CC1", smiles, "CO")
    molecules = [batch.explicit_molecule(idx) for idx in range(3)]
    assert_equals_rdkit(batch, molecules)
    assert all(bond.GetBondType() != Chem.BondType.DATIVE for bond in molecules[1].GetBonds())
    assert molecules[1].GetRingInfo().NumRings() == n_rings


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("CC*", r"atom 2 is a dummy atom \(\*\); replace attachment points by real atoms"),
        ("C[CH2]", r"atom 1 \(C\) has 1 unpaired electrons; give its hydrogens or its charge"),
        ("[O][O]", r"atom 0 \(O\) has 1 unpaired electrons"),
        ("[Na]", r"atom 0 \(Na\) has 1 unpaired electrons"),
        ("C~C", "the bond between atoms 0 and 1 has no order; write it as a single, double, triple or aromatic bond"),
    ],
)
def test_what_nothing_can_label_is_refused(smiles, message):
    with pytest.raises(MoleculeError, match=message):
        batch_of("CO", smiles, "N")


@pytest.mark.parametrize("smiles", ["[Fe]", "[Mn+2]", "O=[Cr](=O)(O)O", "[Gd+3]", "[U]"])
def test_transition_metals_lanthanides_and_actinides_may_have_unpaired_electrons(smiles):
    batch = batch_of(smiles)
    assert_equals_rdkit(batch, [batch.explicit_molecule(0)])


@pytest.mark.filterwarnings("ignore:RDKit Molecule passed to from_rdkit consists of more than one")
def test_arrays_are_those_of_the_molecules_of_openff_toolkit():
    toolkit = pytest.importorskip("openff.toolkit", reason="openff-toolkit is not installed")
    smiles = list(DIVERSE.values())
    batch = batch_of(*smiles)
    molecules = [toolkit.Molecule.from_smiles(text, allow_undefined_stereo=True).to_rdkit() for text in smiles]
    assert_equals_rdkit(batch, molecules)
