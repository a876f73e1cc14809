"""Annotations say what rings and bond types say, by the names of the typing rules."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ffshare.assign.atom_types.annotate import annotate
from ffshare.errors import MoleculeError
from ffshare.molecules import GraphBatch, from_smiles, molecule_from_smiles
from ffshare.smirks import Annotations
from tests.assign.atom_types.labelled import labels_of, renumbered
from tests.assign.atom_types.test_rings import ALL
from tests.smirks.diverse import assembled

BONDS = ("SB", "sb", "DB", "db", "TB", "tb", "DL", "AB")
RINGS = (*(f"RG{size}" for size in range(3, 11)), "RG", *(f"AR{kind}" for kind in range(1, 6)))


def test_annotations_have_the_names_that_rules_use():
    annotations = annotate(from_smiles("C")).annotations
    assert set(annotations.atoms) == {*RINGS, *BONDS}
    assert set(annotations.edges) == set(BONDS)


def test_counts_and_flags_are_those_of_bond_types_and_rings():
    batch = from_smiles(*ALL.values())
    found = annotate(batch)
    atoms, edges, types = found.annotations.atoms, found.annotations.edges, found.bond_types
    counted = {
        "SB": [1, 9],
        "sb": [1, 7, 9],
        "DB": [2],
        "db": [2, 8],
        "TB": [3],
        "tb": [3],
        "DL": [9],
        "AB": [7, 8],
    }
    asked = {**counted, "DB": [2, 9], "db": [2, 8, 9]}
    for name in BONDS:
        expected = np.bincount(batch.sources[np.isin(types, counted[name])], minlength=batch.n_atoms)
        assert np.array_equal(atoms[name], expected), name
        assert np.array_equal(edges[name], np.isin(types, asked[name])), name
        assert np.array_equal(edges[name], edges[name][batch.reverses]), name
    of_ring = np.repeat(found.rings.sizes, found.rings.sizes)
    for size in range(3, 11):
        assert np.array_equal(
            atoms[f"RG{size}"], np.bincount(found.rings.atoms[of_ring == size], minlength=batch.n_atoms)
        )
    assert np.array_equal(atoms["RG"], sum(atoms[f"RG{size}"] for size in range(3, 11)))
    assert np.array_equal(atoms["RG"], sum(atoms[f"AR{kind}"] for kind in range(1, 6)))
    total = atoms["sb"] + atoms["db"] + atoms["tb"]
    assert np.array_equal(total, batch.degrees)


@settings(max_examples=40, deadline=None)
@given(
    smiles=st.sampled_from(list(ALL.values())),
    rng=st.randoms(use_true_random=False),
    seed=st.integers(0, 2**32 - 1),
)
def test_renumbering_atoms_changes_nothing(smiles, rng, seed):
    shuffle = np.random.default_rng(seed)
    try:
        molecules = [molecule_from_smiles(text) for text in (smiles, assembled(rng))]
        shuffled = [renumbered(molecule, shuffle) for molecule in molecules]
        before, after = GraphBatch.from_molecules(molecules), GraphBatch.from_molecules(shuffled)
    except MoleculeError:
        assume(False)
    assert labels_of(before) == labels_of(after)


def test_molecules_in_which_symmetry_leaves_a_choice_are_named():
    chosen = [
        *("O=S(=O)(C(F)(F)F)[N-]S(=O)(=O)C(F)(F)F", "CC(=O)C=C(C)[O-]", "CC(=O)[N-]C(C)=O", "c1cc[o+]cc1"),
        *("C1=CC2=CC=CC2=C1", "C1=CC=C1", "c1c[n-]cn1", "c1ccc2cccc-2cc1", "CN(C)C=CC=[N+](C)C"),
    ]
    # Without a choice, or one that no type can tell.
    forced = [
        *(
            "CC(=O)[O-]",
            "CS(=O)(=O)[N-]C",
            "NC(N)=[NH2+]",
            "C[n+]1ccn(C)c1",
            "c1ccccc1",
            "c1ccc2ccccc2c1",
            "c1cc[n-]c1",
        ),
        *("[O-]c1ccc([N+](=O)[O-])cc1", "C[n+]1ccccc1", "CN=[N+]=[N-]", "COS(=O)(=O)[O-]", "CC(=O)C=C([O-])CC"),
    ]
    assert annotate(from_smiles(*forced, *chosen)).arbitrary == tuple(range(len(forced), len(forced) + len(chosen)))


def test_no_molecules_have_empty_annotations():
    found = annotate(GraphBatch.from_molecules([]))
    assert all(len(values) == 0 for values in found.annotations.atoms.values())
    assert len(found.bond_types) == len(found.rings) == len(found.arbitrary) == 0


def test_annotations_cannot_be_written_to():
    found = annotate(from_smiles("c1ccccc1O"))
    for values in (*found.annotations.atoms.values(), *found.annotations.edges.values(), found.bond_types):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1


def test_annotations_of_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match=r"arrays of atoms differ in shape: a \(2,\), b \(3,\)"):
        Annotations(atoms={"a": np.zeros(2), "b": np.zeros(3)}, edges={})
