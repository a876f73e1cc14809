"""Rules do not depend on the order of atoms or molecules, on how batches are cut, or on what came before."""

import pickle
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from ffshare.assign.mmff import MmffScheme
from ffshare.molecules import GraphBatch, molecule_from_smiles
from tests.assign.mmff.conftest import HARD
from tests.smirks.diverse import DIVERSE

# Azulene is among them: nothing can choose between its two Kekulé structures.
SMILES = [*DIVERSE.values(), *HARD]


def same_term(section, row):
    """The atoms of a term in an order that all names of it share."""
    if section == "StretchBends":  # that of the first bond
        return row
    if section == "ImproperTorsions":  # the last atom is out of the plane of the others
        return min(row[0], row[2]), row[1], max(row[0], row[2]), row[3]
    return min(row, row[::-1])


def labelled(scheme, molecules):
    """Rule, numbers and fall-back of every site by section and atoms, for each molecule."""
    assignment = scheme.assign(GraphBatch.from_molecules(molecules))
    found = [{} for _ in molecules]
    for section, sites in assignment.sites.items():
        table = assignment.tables[section]
        numbers = {}
        for column in table.columns.values():
            for rule, value in zip(column.rule_idxs.tolist(), column.values.tolist(), strict=True):
                numbers.setdefault(rule, []).append(value)
        starts = assignment.batch.atom_offsets[sites.molecule_idxs].tolist()
        rows = zip(
            sites.molecule_idxs.tolist(),
            starts,
            sites.atom_idxs.tolist(),
            sites.rule_idxs.tolist(),
            sites.fallbacks.idxs.tolist(),
            strict=True,
        )
        for molecule, start, row, rule, text in rows:
            key = section, same_term(section, tuple(atom - start for atom in row))
            assert key not in found[molecule]
            rule_id = table.ids[rule] if rule >= 0 else None
            found[molecule][key] = rule_id, numbers.get(rule), sites.fallbacks.texts[text] if text >= 0 else None
    return found


def renumbered(labels, place):
    """The labels after the atom that was at i has come to place[i]."""
    return {
        (section, same_term(section, tuple(place[atom] for atom in row))): got for (section, row), got in labels.items()
    }


@settings(max_examples=60)
@given(smiles=st.sampled_from(SMILES), rng=st.randoms(use_true_random=False))
def test_renumbering_atoms_changes_nothing(scheme, smiles, rng):
    molecule = GraphBatch.from_molecules([molecule_from_smiles(smiles)]).explicit_molecule(0)
    order = rng.sample(range(molecule.GetNumAtoms()), molecule.GetNumAtoms())
    before, after = labelled(scheme, [molecule, Chem.RenumberAtoms(molecule, order)])
    assert renumbered(after, order) == before


def test_shuffling_molecules_and_cutting_batches_change_nothing(scheme):
    molecules = [molecule_from_smiles(smiles) for smiles in SMILES]
    together, rng = labelled(scheme, molecules), random.Random(0)
    for size in (1, 7, len(molecules)):
        order = rng.sample(range(len(molecules)), len(molecules))
        found = [None] * len(molecules)
        for first in range(0, len(order), size):
            chosen = order[first : first + size]
            for idx, labels in zip(chosen, labelled(scheme, [molecules[idx] for idx in chosen]), strict=True):
                found[idx] = labels
        assert found == together


def test_what_a_scheme_has_learned_changes_nothing(scheme):
    molecules = [molecule_from_smiles(smiles) for smiles in SMILES]
    expected = labelled(MmffScheme(scheme.name), molecules)
    labelled(scheme, molecules[::-1])
    assert labelled(scheme, molecules) == expected
    copy = pickle.loads(pickle.dumps(scheme))
    assert labelled(copy, molecules) == expected
    assert copy.name == scheme.name


def test_a_batch_has_the_same_tables_whatever_came_before(scheme):
    batch = GraphBatch.from_molecules([molecule_from_smiles(smiles) for smiles in HARD[::2]])
    others = GraphBatch.from_molecules([molecule_from_smiles(smiles) for smiles in HARD])
    expected = MmffScheme(scheme.name).assign(batch)
    scheme.assign(others)
    found = scheme.assign(batch)
    for section, table in expected.tables.items():
        assert found.tables[section].ids == table.ids
        assert found.sites[section].rule_idxs.tolist() == expected.sites[section].rule_idxs.tolist()
        assert found.sites[section].fallbacks.texts == expected.sites[section].fallbacks.texts


def test_the_aromaticity_that_the_input_was_read_with_does_not_matter(mmff94):
    for smiles in SMILES:
        molecule = molecule_from_smiles(smiles)
        read_otherwise = Chem.Mol(molecule)
        Chem.Kekulize(read_otherwise, clearAromaticFlags=True)
        Chem.SetAromaticity(read_otherwise)
        one, other = (labelled(mmff94, [form]) for form in (molecule, read_otherwise))
        assert one == other


@pytest.mark.parametrize("smiles", ["c1ccc2cccc2cc1", "Cc1cc2cccccc2c1"])
def test_in_azulene_bonds_that_symmetry_makes_the_same_have_the_same_class(mmff94, smiles):
    molecule = molecule_from_smiles(smiles)
    ranks = list(Chem.CanonicalRankAtoms(molecule, breakTies=False))
    rules = {}
    for (section, row), got in labelled(mmff94, [molecule])[0].items():
        if section == "Bonds" and max(row) < len(ranks):
            rules.setdefault(tuple(sorted(ranks[atom] for atom in row)), set()).add(got[0])
    assert all(len(found) == 1 for found in rules.values())
