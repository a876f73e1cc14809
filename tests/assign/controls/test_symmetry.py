"""Atoms are equivalent if an automorphism exchanges them, and keys name molecules whatever the order of their atoms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

import ffshare
from ffshare.assign.controls.symmetry import molecule_keys, symmetry
from ffshare.molecules import molecule_from_smiles
from tests.assign.controls.graphs import NAMED, batch_of, constitution, random_cage, same_partition, skeleton
from tests.smirks.diverse import DIVERSE


def renumbered(molecule, rng):
    order = rng.sample(range(molecule.GetNumAtoms()), molecule.GetNumAtoms())
    return order, Chem.RenumberAtoms(molecule, order)


@settings(max_examples=150)
@given(smiles=st.sampled_from([*DIVERSE.values(), *NAMED.values()]), rng=st.randoms(use_true_random=False))
def test_renumbering_atoms_permutes_ranks_and_colours(smiles, rng):
    molecule = batch_of(molecule_from_smiles(smiles)).explicit_molecule(0)
    order, other = renumbered(molecule, rng)
    before, after = symmetry(batch_of(molecule)), symmetry(batch_of(other))
    assert after.ranks.tolist() == before.ranks[order].tolist()
    assert after.colours.tolist() == before.colours[order].tolist()
    assert sorted(after.molecule_keys.tolist()) == sorted(before.molecule_keys.tolist())
    n_atoms = len(order)
    atoms, marked = np.divmod(np.arange(n_atoms * n_atoms), n_atoms)
    same = before.molecules[atoms] == before.molecules[marked]
    places = np.argsort(order)
    lies = before.lie_of(atoms[same], marked[same]).tolist()
    assert after.lie_of(places[atoms[same]], places[marked[same]]).tolist() == lies


@pytest.mark.parametrize("name", NAMED)
def test_a_pair_lies_alike_if_an_automorphism_carries_it_over(name):
    batch = ffshare.from_smiles(NAMED[name])
    found = symmetry(batch)
    molecule = constitution(batch, 0)
    matches = np.array(molecule.GetSubstructMatches(molecule, uniquify=False, maxMatches=40_000))
    atoms, marked = np.divmod(np.arange(batch.n_atoms**2), batch.n_atoms)
    atoms, marked = atoms[atoms != marked], marked[atoms != marked]
    expected = (matches[:, atoms] * batch.n_atoms + matches[:, marked]).min(axis=0)
    pairs = zip(found.lie_of(atoms, marked).tolist(), found.colours[marked].tolist(), strict=True)
    numbers = {pair: number for number, pair in enumerate(dict.fromkeys(pairs))}
    lies = zip(found.lie_of(atoms, marked).tolist(), found.colours[marked].tolist(), strict=True)
    assert same_partition(np.array([numbers[pair] for pair in lies]), expected)


def test_cages_have_equal_keys_if_they_are_the_same_graph():
    cages = [random_cage(n_atoms, seed) for n_atoms in (6, 8, 10) for seed in range(60)]
    keys = molecule_keys(batch_of(*cages))
    first_of = {}
    for cage, key in zip(cages, keys, strict=True):
        first = first_of.setdefault(key, cage)
        assert cage.GetNumAtoms() == first.GetNumAtoms()
        assert cage.HasSubstructMatch(first)
    # Connected graphs with three bonds at every atom: 2 of 6 atoms, 5 of 8, 19 of 10.
    n_keys = [len(set(keys[first : first + 60])) for first in (0, 60, 120)]
    assert n_keys[:2] == [2, 5]
    firsts = list(first_of.values())
    assert not any(
        one.GetNumAtoms() == other.GetNumAtoms() and one.HasSubstructMatch(other)
        for place, one in enumerate(firsts)
        for other in firsts[:place]
    )


def test_molecules_of_one_refinement_have_keys_of_their_own():
    smiles = ["C1CCC2CCCCC2C1", "C1CCCC1C1CCCC1"]  # every atom sees the same bag of neighbours, however far it looks
    assert len(set(molecule_keys(ffshare.from_smiles(*smiles)))) == 2
    rings = skeleton(6, [(i, (i + 1) % 6) for i in range(6)]), skeleton(3, [(0, 1), (1, 2), (2, 0)])
    assert len(set(molecule_keys(batch_of(*rings)))) == 2


def test_keys_tell_the_shipped_molecules_apart_as_canonical_smiles_do(drugs):
    keys = symmetry(drugs)
    by_molecule = [
        tuple(sorted(set(keys.molecule_keys[keys.molecules[first:last]].tolist())))
        for first, last in zip(drugs.atom_offsets[:-1], drugs.atom_offsets[1:], strict=True)
    ]
    smiles = [Chem.MolToSmiles(constitution(drugs, idx)) for idx in range(drugs.n_molecules)]
    assert len(set(by_molecule)) == len(set(smiles)) == len(set(zip(by_molecule, smiles, strict=True)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C[C@H](O)F", "C[C@@H](O)F"),
        ("F/C=C/F", "FC=CF"),
        ("[2H]C([2H])([2H])O", "CO"),
        ("[H]C([H])([H])[H]", "C"),
        ("CN(=O)=O", "C[N+](=O)[O-]"),
        ("c1ccccc1C", "CC1=CC=CC=C1"),
    ],
)
def test_stereochemistry_isotopes_and_spelling_do_not_count(one, other):
    assert molecule_keys(ffshare.from_smiles(one)) == molecule_keys(ffshare.from_smiles(other))


@pytest.mark.parametrize(("one", "other"), [("CC=O", "C=CO"), ("[NH4+]", "N"), ("CCO", "COC"), ("N#N", "N=N")])
def test_charges_bonds_and_hydrogens_count(one, other):
    assert molecule_keys(ffshare.from_smiles(one)) != molecule_keys(ffshare.from_smiles(other))


def test_the_ions_of_a_salt_are_molecules_of_their_own():
    acetate, sodium = molecule_keys(ffshare.from_smiles("CC(=O)[O-]")), molecule_keys(ffshare.from_smiles("[Na+]"))
    assert molecule_keys(ffshare.from_smiles("CC(=O)[O-].[Na+]")) == acetate + sodium


def test_ranks_count_from_one_with_hydrogens_last():
    found = symmetry(ffshare.from_smiles("CCO", "C"))
    assert sorted(set(found.ranks[:9].tolist())) == [1, 2, 3, 4, 5, 6]
    assert sorted(found.ranks[:3].tolist()) == [1, 2, 3]
    assert found.ranks[9:].tolist() == [1, 2, 2, 2, 2]


def test_a_symmetric_polymer_is_given_up_on_and_still_ranked(monkeypatch):
    monkeypatch.setattr("ffshare.assign.controls.symmetry._MOST_MARKED", 10)
    batch = ffshare.from_smiles("C" * 8)
    found = symmetry(batch)
    assert found.ranks[:8].tolist() == found.ranks[:8][::-1].tolist()
    assert len(set(found.ranks[:8].tolist())) == 4
    assert not len(found.pair_colours)


def test_marks_that_are_worked_on_in_pieces_are_the_same(monkeypatch):
    batch = ffshare.from_smiles(*NAMED.values())
    whole = symmetry(batch)
    monkeypatch.setattr("ffshare.assign.controls.symmetry._ATOMS_AT_A_TIME", 50)
    assert symmetry(batch).pair_colours.tolist() == whole.pair_colours.tolist()


def test_frozen_keys_have_not_changed():
    assert molecule_keys(ffshare.from_smiles("C", "CCO", "[Na+].[Cl-]", "c1ccccc1", NAMED["cubane"])) == [
        "80b13ba0fe370652",
        "7d2be826277b8011",
        "d3faf4177d6693e4",
        "faa4045dfe344411",
        "dcd030ab7f29e85f",
        "ceccd484f48e2346",
    ]
