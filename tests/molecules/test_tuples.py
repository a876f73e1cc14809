import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.molecules import GraphBatch, molecule_from_smiles
from ffshare.molecules.tuples import (
    angle_atoms,
    angle_edges,
    bond_atoms,
    improper_atoms,
    improper_edges,
    proper_atoms,
    proper_edges,
)
from tests.smirks.diverse import DIVERSE


def batch_of(*smiles):
    return GraphBatch.from_molecules([molecule_from_smiles(text) for text in smiles])


def rows(atoms):
    return [tuple(row) for row in atoms.tolist()]


def neighbors(batch):
    """Bonded atoms of each atom of the batch, from the molecules themselves."""
    found = []
    for idx in range(batch.n_molecules):
        start = int(batch.atom_offsets[idx])
        for atom in batch.explicit_molecule(idx).GetAtoms():
            found.append([start + other.GetIdx() for other in atom.GetNeighbors()])
    return found


def plain_bonds(batch):
    return [(a, b) for a, found in enumerate(neighbors(batch)) for b in found if a < b]


def plain_angles(batch):
    return [(a, b, c) for b, found in enumerate(neighbors(batch)) for a, c in itertools.product(found, found) if a < c]


def plain_propers(batch):
    bonded = neighbors(batch)
    return [
        (a, b, c, d)
        for b, found in enumerate(bonded)
        for c in found
        for a, d in itertools.product(found, bonded[c])
        if a not in (b, c) and d not in (b, c) and a < d
    ]


def plain_impropers(batch):
    return [
        (outer[0], centre, outer[1], outer[2])
        for centre, found in enumerate(neighbors(batch))
        for outer in itertools.combinations(sorted(found), 3)
    ]


def all_tuples(batch):
    return {
        "bonds": rows(bond_atoms(batch, batch.bond_edges[:, None])),
        "angles": rows(angle_atoms(batch, angle_edges(batch))),
        "propers": rows(proper_atoms(batch, proper_edges(batch))),
        "impropers": rows(improper_atoms(batch, improper_edges(batch, np.arange(batch.n_atoms)))),
    }


@given(smiles=st.lists(st.sampled_from(list(DIVERSE.values())), max_size=4))
def test_tuples_are_those_of_a_plain_loop_each_once(smiles):
    batch = batch_of(*smiles)
    found = all_tuples(batch)
    assert sorted(found["bonds"]) == sorted(plain_bonds(batch))
    assert sorted(found["angles"]) == sorted(plain_angles(batch))
    assert sorted(found["propers"]) == sorted(plain_propers(batch))
    assert sorted(found["impropers"]) == sorted(plain_impropers(batch))


def test_tuples_of_a_molecule_stand_together_in_the_order_of_the_molecules():
    batch = batch_of(*DIVERSE.values())
    for found in all_tuples(batch).values():
        molecules = batch.atom_molecules[[row[0] for row in found]]
        assert (np.diff(molecules) >= 0).all()


# By hand: in a ring of three, four or more atoms that all carry two hydrogens, and in cubane.
@pytest.mark.parametrize(
    ("smiles", "n_angles", "n_propers", "n_impropers"),
    [
        ("C", 6, 0, 4),
        ("CC", 12, 9, 8),
        ("C=C", 6, 4, 2),
        ("O", 1, 0, 0),
        # 9 a ring bond, of which one would close the ring on itself.
        ("C1CC1", 18, 3 * (9 - 1), 12),
        ("C1CCC1", 24, 4 * 9, 16),
        ("C12C3C4C1C5C2C3C45", 48, 12 * 9, 32),
        # Six bonds among four atoms: of 2 x 2 ring paths over each bond two end where they began.
        ("C12C3C1C23", 24, 6 * (9 - 2), 16),
        ("[H][H]", 0, 0, 0),
        ("[Na+]", 0, 0, 0),
    ],
)
def test_numbers_of_tuples_are_those_counted_by_hand(smiles, n_angles, n_propers, n_impropers):
    found = all_tuples(batch_of(smiles))
    assert [len(found[kind]) for kind in ("angles", "propers", "impropers")] == [n_angles, n_propers, n_impropers]


@given(centres=st.sets(st.integers(0, 100), max_size=20))
def test_impropers_have_only_the_centres_asked_for(centres):
    batch = batch_of(DIVERSE["penicillin G"], DIVERSE["phosphate"], DIVERSE["sulfur hexafluoride"], DIVERSE["glucose"])
    chosen = np.array(sorted(centre for centre in centres if centre < batch.n_atoms), dtype=np.int64)
    found = rows(improper_atoms(batch, improper_edges(batch, chosen)))
    assert sorted(found) == sorted(row for row in plain_impropers(batch) if row[1] in centres)


def test_no_molecules_have_no_tuples():
    assert all_tuples(GraphBatch.from_molecules([])) == {"bonds": [], "angles": [], "propers": [], "impropers": []}


@pytest.mark.filterwarnings("ignore:RDKit Molecule passed to from_rdkit consists of more than one")
def test_tuples_are_those_of_the_molecules_of_openff_toolkit():
    toolkit = pytest.importorskip("openff.toolkit", reason="openff-toolkit is not installed")
    for smiles in DIVERSE.values():
        molecule = toolkit.Molecule.from_smiles(smiles, allow_undefined_stereo=True)
        found = all_tuples(batch_of(smiles))
        for kind in ("angles", "propers"):
            expected = [tuple(atom.molecule_atom_index for atom in row) for row in getattr(molecule, kind)]
            assert sorted(found[kind]) == sorted(min(row, row[::-1]) for row in expected), (smiles, kind)
        impropers = {tuple(atom.molecule_atom_index for atom in row) for row in molecule.impropers}
        assert len(impropers) == 6 * len(found["impropers"]), smiles
        assert impropers.issuperset(found["impropers"]), smiles
