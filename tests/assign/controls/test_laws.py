"""What every control keeps: its parameters do not depend on how molecules are written, ordered, cut or sent."""

import pickle
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

import ffshare
from ffshare.assign import explain
from ffshare.assign.controls import HashedElementScheme, HashedScheme, UntiedScheme
from ffshare.molecules import GraphBatch, molecule_from_smiles
from tests.assign.controls.bases import OPENFF, AmberLike
from tests.assign.samples import scheme_of
from tests.smirks.diverse import DIVERSE

SMILES = list(DIVERSE.values())
FEW = ffshare.from_smiles("CCO", "CC(=O)NC", "c1ccccc1F", "CC#N")
CONTROLS = {
    "untied": UntiedScheme(scheme_of(OPENFF)),
    "untied, impropers as in AMBER": UntiedScheme(AmberLike()),
    "hashed": HashedScheme(scheme_of(OPENFF), {"Bonds": 40}, seed=2),
    "hashed-element": HashedElementScheme(scheme_of(OPENFF), seed=2),
    # Most strata are not among its molecules.
    "hashed-element of few": HashedElementScheme(scheme_of(OPENFF), {"Angles": 60}, molecules=FEW),
}
CONTROL = st.sampled_from(sorted(CONTROLS))


def same_term(section, row):
    return frozenset(row) if section == "ImproperTorsions" else min(row, row[::-1])


def labelled(scheme, molecules):
    """Rule ids by section and atoms, for each molecule; with the values of the rule and what is said of it."""
    assignment = scheme.assign(GraphBatch.from_molecules(molecules))
    batch = assignment.batch
    found = [{} for _ in range(batch.n_molecules)]
    for section, sites in assignment.sites.items():
        table = assignment.tables[section]
        values = [[] for _ in range(len(table) + 1)]
        for name, column in sorted(table.columns.items()):
            for rule, term, value in zip(column.rule_idxs, column.terms, column.values, strict=True):
                values[rule].append((name, int(term), float(value)))
        guesses = [-1] * len(sites) if sites.fallbacks is None else sites.fallbacks.idxs.tolist()
        rows = batch.local_idxs(sites.atom_idxs).tolist()
        for molecule, row, rule, guess in zip(sites.molecule_idxs, rows, sites.rule_idxs, guesses, strict=True):
            rule_id = table.ids[rule] if rule >= 0 else None
            got = rule_id, repr(values[rule]), sites.fallbacks.texts[guess] if guess >= 0 else None
            found[molecule][section, tuple(row)] = got
    return found


def renumbered(labels, place):
    return {
        (section, same_term(section, tuple(place[atom] for atom in row))): got for (section, row), got in labels.items()
    }


@settings(max_examples=100)
@given(control=CONTROL, smiles=st.sampled_from(SMILES), rng=st.randoms(use_true_random=False))
def test_renumbering_atoms_changes_nothing(control, smiles, rng):
    molecule = GraphBatch.from_molecules([molecule_from_smiles(smiles)]).explicit_molecule(0)
    order = rng.sample(range(molecule.GetNumAtoms()), molecule.GetNumAtoms())
    before, after = labelled(CONTROLS[control], [molecule, Chem.RenumberAtoms(molecule, order)])
    assert renumbered(after, order) == renumbered(before, range(len(order)))


@settings(max_examples=60)
@given(control=CONTROL, smiles=st.sampled_from(SMILES), seed=st.integers(1, 10_000))
def test_writing_a_molecule_otherwise_changes_nothing(control, smiles, seed):
    molecule = molecule_from_smiles(smiles)
    (other,) = Chem.MolToRandomSmilesVect(molecule, 1, randomSeed=seed, kekuleSmiles=True)
    before, after = labelled(CONTROLS[control], [molecule, molecule_from_smiles(other)])
    assert Counter(before.values()) == Counter(after.values())


@pytest.mark.parametrize("control", sorted(CONTROLS))
def test_shuffling_molecules_and_cutting_batches_change_nothing(control):
    molecules, rng = [molecule_from_smiles(smiles) for smiles in SMILES[::2]], random.Random(0)
    together = labelled(CONTROLS[control], molecules)
    for size in (1, 7, len(molecules)):
        order = rng.sample(range(len(molecules)), len(molecules))
        found = [None] * len(molecules)
        for first in range(0, len(order), size):
            chosen = order[first : first + size]
            for idx, labels in zip(
                chosen, labelled(CONTROLS[control], [molecules[idx] for idx in chosen]), strict=True
            ):
                found[idx] = labels
        assert found == together


@pytest.mark.parametrize("control", sorted(CONTROLS))
def test_a_scheme_that_was_sent_elsewhere_gives_the_same(control):
    molecules = [molecule_from_smiles(smiles) for smiles in SMILES[::4]]
    copy = pickle.loads(pickle.dumps(CONTROLS[control]))
    assert copy.name == CONTROLS[control].name
    assert labelled(copy, molecules) == labelled(CONTROLS[control], molecules)


@pytest.mark.parametrize("control", sorted(CONTROLS))
def test_hydrogens_that_are_atoms_and_hydrogens_that_are_implied_get_the_same(control):
    batch = ffshare.from_smiles(*SMILES)
    explicit = [batch.explicit_molecule(idx) for idx in range(batch.n_molecules)]
    assert labelled(CONTROLS[control], explicit) == labelled(CONTROLS[control], list(batch.molecules))


@pytest.mark.parametrize("control", sorted(CONTROLS))
def test_molecules_of_one_input_get_what_they_have_alone(control):
    parts = ["CCO", "c1ccccc1", "CC(=O)[O-]", "CCO"]
    (together,) = labelled(CONTROLS[control], [molecule_from_smiles(".".join(parts))])
    alone = labelled(CONTROLS[control], [molecule_from_smiles(smiles) for smiles in parts])
    assert Counter(together.values()) == sum((Counter(labels.values()) for labels in alone), Counter())


@pytest.mark.parametrize("control", sorted(CONTROLS))
def test_sites_are_those_of_the_base(control):
    scheme, batch = CONTROLS[control], ffshare.from_smiles(*SMILES)
    found, base = scheme.assign(batch), scheme.base.assign(batch)
    assert list(found.sites) == list(found.tables) == list(scheme.tables)
    for section, sites in found.sites.items():
        assert sites.atom_idxs.tolist() == base.sites[section].atom_idxs.tolist()
        assert np.array_equal(sites.weights, base.sites[section].weights)


@pytest.mark.parametrize("control", sorted(CONTROLS))
def test_an_explanation_says_what_a_site_shares_by_and_what_the_base_has(control):
    scheme, batch = CONTROLS[control], ffshare.from_smiles("CC(=O)N", "CB(O)O")
    found = scheme.assign(batch)
    for section in scheme.explained:
        sites, table = found.sites[section], found.tables[section]
        explained = explain(scheme, batch, [section])
        assert [one.winner.rule_id if one.winner else None for one in explained] == [
            table.ids[rule] if rule >= 0 else None for rule in sites.rule_idxs.tolist()
        ]
    (bond,) = explain(scheme, ffshare.from_smiles("CC(=O)N"), ["Bonds"], [0, 1])
    assert bond.winner.reason.endswith(f"; {scheme.base.name} has b3 here")


@pytest.mark.parametrize("control", sorted(CONTROLS))
def test_no_molecules_give_no_sites(control):
    found = CONTROLS[control].assign(ffshare.from_smiles())
    assert {len(sites) for sites in found.sites.values()} == {0}
    assert found.to_table().num_rows == found.count()["all"].sites == 0
