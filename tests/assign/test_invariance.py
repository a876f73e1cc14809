"""The contract of every scheme: values do not depend on the order of atoms or molecules, on how batches are cut, or on
what came before.
"""

import pickle
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

import ffshare
from ffshare.assign import COMPLETE_SECTIONS, explain
from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.molecules import GraphBatch, molecule_from_smiles
from ffshare.rules import load_force_field
from tests.assign.samples import ATOM_TYPED, EVERY_KIND, MMFF, SMIRNOFF, scheme_of
from tests.smirks.diverse import DIVERSE

# Two types of GAFF that it documents as one, since a molecule read backwards has them the other way round.
PAIRS = str.maketrans({"d": "c", "f": "e", "h": "g", "q": "p"})
SMILES = [
    *DIVERSE.values(),
    # Pair types whose signs nothing can choose, several components of them, and some that cannot be satisfied.
    "C=CC=CC=C",
    "c1ccc(cc1)-c1ccccc1-c1ccccc1",
    "C=CC=CCC=CC=C",
    "c1ccoc1CCc1ccoc1",
    "CC(=C)C(=C)C(=C)C",
]


@pytest.fixture(scope="module")
def molecules():
    return [molecule_from_smiles(smiles) for smiles in SMILES]


def same_term(name, section, row):
    """The atoms of a term in an order that all names of it share."""
    if section == "StretchBends":  # the first bond bends, the second stretches
        return row
    if section != "ImproperTorsions":
        return min(row, row[::-1])
    if name in SMIRNOFF or ":openff" in name or name == "untied":
        first, second, third = sorted((row[0], row[2], row[3]))
        return first, row[1], second, third
    if name in MMFF:  # the last atom is out of the plane of the others
        return min(row[0], row[2]), row[1], max(row[0], row[2]), row[3]
    return min(row[0], row[3]), row[1], row[2], max(row[0], row[3])  # a dihedral about the bond to the third atom


def values_of_rules(table):
    """The values of each rule, all its terms."""
    found = [[] for _ in range(len(table))]
    for name, column in table.columns.items():
        entries = zip(column.rule_idxs.tolist(), column.terms.tolist(), column.values.tolist(), strict=True)
        for rule, term, value in entries:
            found[rule].append((name, term, repr(value)))
    return [tuple(sorted(one)) for one in found]


def what_it_got(name, assignment):
    """Rule, values, share and fall-back of every site by section and atoms, for each molecule of the batch."""
    batch = assignment.batch
    found = [{} for _ in range(batch.n_molecules)]
    for section, sites in assignment.sites.items():
        table = assignment.tables[section]
        values = values_of_rules(table)
        starts = batch.atom_offsets[sites.molecule_idxs].tolist()
        rows = zip(
            sites.molecule_idxs.tolist(), starts, sites.atom_idxs.tolist(), sites.rule_idxs.tolist(), strict=True
        )
        for place, (molecule, start, row, rule) in enumerate(rows):
            rule_id = table.ids[rule] if rule >= 0 else None
            if rule_id is not None and section == "vdW" and name in ATOM_TYPED:
                rule_id = rule_id.translate(PAIRS)
            key = section, same_term(name, section, tuple(atom - start for atom in row if atom >= 0))
            weight = 1.0 if sites.weights is None else float(sites.weights[place])
            guess = None if sites.fallbacks is None else int(sites.fallbacks.idxs[place])
            text = None if sites.fallbacks is None or guess < 0 else sites.fallbacks.texts[guess]
            assert key not in found[molecule]
            found[molecule][key] = rule_id, values[rule] if rule >= 0 else None, weight, text
    return found


def labelled(name, molecules):
    return what_it_got(name, scheme_of(name).assign(GraphBatch.from_molecules(molecules)))


def renumbered(name, labels, place):
    """The labels after the atom that was at i has come to place[i]."""
    return {
        (section, same_term(name, section, tuple(place[atom] for atom in row))): got
        for (section, row), got in labels.items()
    }


@settings(max_examples=200)
@given(name=st.sampled_from(EVERY_KIND), smiles=st.sampled_from(SMILES), rng=st.randoms(use_true_random=False))
def test_renumbering_atoms_changes_nothing(name, smiles, rng):
    molecule = GraphBatch.from_molecules([molecule_from_smiles(smiles)]).explicit_molecule(0)
    order = rng.sample(range(molecule.GetNumAtoms()), molecule.GetNumAtoms())
    before, after = labelled(name, [molecule, Chem.RenumberAtoms(molecule, order)])
    assert renumbered(name, after, order) == before


@settings(max_examples=100)
@given(name=st.sampled_from(EVERY_KIND), smiles=st.sampled_from(SMILES), rng=st.randoms(use_true_random=False))
def test_the_order_of_bonds_changes_nothing(name, smiles, rng):
    molecule = GraphBatch.from_molecules([molecule_from_smiles(smiles)]).explicit_molecule(0)
    Chem.Kekulize(plain := Chem.RWMol(molecule), clearAromaticFlags=True)
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), bond.GetBondType()) for bond in plain.GetBonds()]
    rng.shuffle(bonds)
    again = Chem.RWMol()
    for atom in plain.GetAtoms():
        again.AddAtom(Chem.Atom(atom))
    for first, second, kind in bonds:
        again.AddBond(first, second, kind)
    Chem.SanitizeMol(again, Chem.SANITIZE_ALL ^ Chem.SANITIZE_SETAROMATICITY)
    Chem.SetAromaticity(again, Chem.AromaticityModel.AROMATICITY_MDL)
    without_stereo = Chem.Mol(molecule)
    Chem.RemoveStereochemistry(without_stereo)
    before, after = labelled(name, [without_stereo, again.GetMol()])
    assert after == before


@pytest.mark.parametrize("name", EVERY_KIND)
def test_shuffling_molecules_and_cutting_batches_change_nothing(molecules, name):
    rng = random.Random(0)
    together = labelled(name, molecules)
    for size in (1, 7, len(molecules)):
        order = rng.sample(range(len(molecules)), len(molecules))
        found = [None] * len(molecules)
        for first in range(0, len(order), size):
            chosen = order[first : first + size]
            for idx, labels in zip(chosen, labelled(name, [molecules[idx] for idx in chosen]), strict=True):
                found[idx] = labels
        assert found == together


@pytest.mark.parametrize("name", EVERY_KIND)
def test_what_a_scheme_has_learned_changes_nothing(molecules, name):
    chosen = GraphBatch.from_molecules(molecules[::4])
    fresh = what_it_got(name, ffshare.load_scheme(*name.split()).assign(chosen))
    scheme = scheme_of(name)
    scheme.assign(GraphBatch.from_molecules(molecules[::-1]))
    assert what_it_got(name, scheme.assign(chosen)) == fresh
    copy = pickle.loads(pickle.dumps(scheme))
    assert what_it_got(name, copy.assign(chosen)) == fresh
    assert copy.name == scheme.name


def test_a_scheme_that_has_learned_too_much_for_its_keys_starts_afresh(molecules, monkeypatch):
    expected = labelled("openff-2.3.0", molecules)
    scheme = SmirnoffScheme(load_force_field("openff-2.3.0"))
    # As if an arm had so few bits that every batch is one too many.
    monkeypatch.setattr("ffshare.assign.smirnoff.ARM_BITS", 4)
    found = [
        labels
        for first in range(0, len(molecules), 10)
        for labels in what_it_got(
            "openff-2.3.0", scheme.assign(GraphBatch.from_molecules(molecules[first : first + 10]))
        )
    ]
    assert found == expected


@pytest.mark.parametrize("name", EVERY_KIND)
def test_hydrogens_that_are_atoms_and_hydrogens_that_are_implied_get_the_same_labels(molecules, name):
    batch = GraphBatch.from_molecules(molecules)
    explicit = [batch.explicit_molecule(idx) for idx in range(batch.n_molecules)]
    assert labelled(name, explicit) == what_it_got(name, scheme_of(name).assign(batch))


@pytest.mark.parametrize("name", EVERY_KIND)
def test_molecules_of_one_input_get_the_labels_they_have_alone(name):
    # Components of one molecule are together in one topology: only patterns of several components can tell.
    parts = ["CCO", "c1ccccc1", "CC(=O)[O-]"]
    (together,) = labelled(name, [molecule_from_smiles(".".join(parts))])
    alone = labelled(name, [molecule_from_smiles(smiles) for smiles in parts])
    assert Counter(got for (section, _), got in together.items() if section != "Constraints") == Counter(
        got for labels in alone for (section, _), got in labels.items() if section != "Constraints"
    )


@pytest.mark.parametrize("name", EVERY_KIND)
def test_every_bonded_tuple_is_a_site_once(molecules, name):
    batch = GraphBatch.from_molecules(molecules)
    sites = scheme_of(name).assign(batch).sites
    plain = scheme_of("openff-2.3.0").assign(batch).sites
    for section in COMPLETE_SECTIONS:
        expected = {min(row, row[::-1]) for row in map(tuple, plain[section].atom_idxs.tolist())}
        found = [min(row, row[::-1]) for row in map(tuple, sites[section].atom_idxs.tolist())]
        assert len(found) == len(set(found))
        assert set(found) == expected


@pytest.mark.parametrize("name", EVERY_KIND)
def test_the_winner_of_an_explanation_is_the_rule_that_assign_gives(molecules, name):
    scheme, batch = scheme_of(name), GraphBatch.from_molecules(molecules[::5])
    assignment = scheme.assign(batch)
    for section in scheme.explained:
        table, sites = assignment.tables[section], assignment.sites[section]
        explained = {}
        for one in explain(scheme, batch, [section]):
            start = int(batch.atom_offsets[one.molecule_idx])
            atoms = tuple(start + atom for atom in one.atoms)
            explained[atoms] = None if one.winner is None else one.winner.rule_id
        rows, rules = sites.atom_idxs.tolist(), sites.rule_idxs.tolist()
        assert explained == {
            tuple(row): table.ids[rule] if rule >= 0 else None for row, rule in zip(rows, rules, strict=True)
        }


@pytest.mark.parametrize("name", EVERY_KIND)
def test_no_molecules_give_no_sites(name):
    assignment = scheme_of(name).assign(ffshare.from_smiles())
    assert {len(sites) for sites in assignment.sites.values()} == {0}
    assert list(assignment.sites) == list(assignment.tables)
    assert assignment.to_table().num_rows == 0
    assert assignment.count()["all"].sites == 0
