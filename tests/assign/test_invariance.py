"""Labels do not depend on the order of atoms or molecules, on how batches are cut, or on what came before."""

import pickle
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.molecules import GraphBatch, molecule_from_smiles
from ffshare.rules import load_force_field
from tests.assign.oracle import CANONICAL
from tests.smirks.diverse import DIVERSE

FORCE_FIELDS = ["openff-2.3.0", "openff-1.0.0", "openff_no_water-3.0.0-alpha0", "smirnoff99Frosst_experimental"]
SMILES = list(DIVERSE.values())


@pytest.fixture(scope="module")
def schemes():
    return {name: SmirnoffScheme(load_force_field(name)) for name in FORCE_FIELDS}


@pytest.fixture(scope="module")
def molecules():
    return [molecule_from_smiles(smiles) for smiles in SMILES]


def labels_by_molecule(assignment):
    """The rule of every site by section and atoms of the molecule, for each molecule of the batch."""
    batch = assignment.batch
    found = [{} for _ in range(batch.n_molecules)]
    for section, sites in assignment.sites.items():
        starts = batch.atom_offsets[sites.molecule_idxs].tolist()
        rows = zip(
            sites.molecule_idxs.tolist(), starts, sites.atom_idxs.tolist(), sites.rule_idxs.tolist(), strict=True
        )
        for molecule, start, row, rule in rows:
            found[molecule][section, tuple(atom - start for atom in row if atom >= 0)] = rule
    assert sum(map(len, found)) == sum(len(sites) for sites in assignment.sites.values())
    return found


def labelled(scheme, molecules):
    return labels_by_molecule(scheme.assign(GraphBatch.from_molecules(molecules)))


def renumbered(labels, place):
    """The labels after the atom that was at i has come to place[i]."""
    return {
        (section, CANONICAL[section](tuple(place[atom] for atom in row))): rule
        for (section, row), rule in labels.items()
    }


@settings(max_examples=60)
@given(name=st.sampled_from(FORCE_FIELDS), smiles=st.sampled_from(SMILES), rng=st.randoms(use_true_random=False))
def test_renumbering_atoms_changes_nothing(schemes, name, smiles, rng):
    molecule = GraphBatch.from_molecules([molecule_from_smiles(smiles)]).explicit_molecule(0)
    order = rng.sample(range(molecule.GetNumAtoms()), molecule.GetNumAtoms())
    before, after = labelled(schemes[name], [molecule, Chem.RenumberAtoms(molecule, order)])
    assert renumbered(after, order) == before


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_shuffling_molecules_and_cutting_batches_change_nothing(schemes, molecules, name):
    scheme, rng = schemes[name], random.Random(0)
    together = labelled(scheme, molecules)
    for size in (1, 7, len(molecules)):
        order = rng.sample(range(len(molecules)), len(molecules))
        found = [None] * len(molecules)
        for first in range(0, len(order), size):
            chosen = order[first : first + size]
            for idx, labels in zip(chosen, labelled(scheme, [molecules[idx] for idx in chosen]), strict=True):
                found[idx] = labels
        assert found == together


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_what_a_scheme_has_learned_changes_nothing(schemes, molecules, name):
    force_field = schemes[name].force_field
    fresh = [labelled(SmirnoffScheme(force_field), [molecule])[0] for molecule in molecules[::4]]
    scheme = SmirnoffScheme(force_field)
    labelled(scheme, molecules[::-1])
    assert labelled(scheme, molecules[::4]) == fresh
    copy = pickle.loads(pickle.dumps(scheme))
    assert labelled(copy, molecules[::4]) == fresh
    assert copy.name == scheme.name


def test_a_scheme_that_has_learned_too_much_for_its_keys_starts_afresh(schemes, molecules, monkeypatch):
    expected = labelled(schemes["openff-2.3.0"], molecules)
    scheme = SmirnoffScheme(schemes["openff-2.3.0"].force_field)
    # As if an arm had so few bits that every batch is one too many.
    monkeypatch.setattr("ffshare.assign.smirnoff.ARM_BITS", 4)
    found = [
        labels for first in range(0, len(molecules), 10) for labels in labelled(scheme, molecules[first : first + 10])
    ]
    assert found == expected


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_hydrogens_that_are_atoms_and_hydrogens_that_are_implied_get_the_same_labels(schemes, molecules, name):
    batch = GraphBatch.from_molecules(molecules)
    explicit = [batch.explicit_molecule(idx) for idx in range(batch.n_molecules)]
    assert labelled(schemes[name], explicit) == labels_by_molecule(schemes[name].assign(batch))


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_molecules_of_one_input_get_the_labels_they_have_alone(schemes, name):
    # Components of one molecule are together in one topology: only patterns of several components can tell.
    parts = ["CCO", "c1ccccc1", "CC(=O)[O-]"]
    (together,) = labelled(schemes[name], [molecule_from_smiles(".".join(parts))])
    alone = labelled(schemes[name], [molecule_from_smiles(smiles) for smiles in parts])
    assert sorted(rule for (section, _), rule in together.items() if section != "Constraints") == sorted(
        rule for labels in alone for (section, _), rule in labels.items() if section != "Constraints"
    )
