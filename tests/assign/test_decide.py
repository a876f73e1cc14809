"""The winner of every tuple is that of a plain loop over RDKit's matcher, for rules of force fields and of chance."""

import dataclasses
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rdkit import rdBase

from ffshare.assign.smirnoff import SmirnoffScheme
from ffshare.errors import MoleculeError
from ffshare.molecules import GraphBatch, molecule_from_smiles
from ffshare.molecules.tuples import (
    angle_atoms,
    angle_edges,
    bond_atoms,
    proper_atoms,
    proper_edges,
)
from ffshare.rules import load_force_field
from ffshare.rules.table import ForceField, RuleTable
from tests.assign.oracle import every_match, label, labels_of
from tests.smirks.diverse import DIVERSE, assembled
from tests.smirks.grow import grown_rule

N_TAGS = {
    "Constraints": 2,
    "Bonds": 2,
    "Angles": 3,
    "ProperTorsions": 4,
    "ImproperTorsions": 4,
    "vdW": 1,
    "LibraryCharges": 2,
}
N_TAGS["ChargeIncrementModel"] = 2


def batch_of(*smiles):
    return GraphBatch.from_molecules([molecule_from_smiles(text) for text in smiles])


def table_of(section, patterns, attributes=None, names=()):
    n_rules = len(patterns)
    return RuleTable(
        section=section,
        ids=tuple(f"{section}{rule}" for rule in range(n_rules)),
        patterns=tuple(patterns),
        columns={},
        lines=(0,) * n_rules,
        sources=("",) * n_rules,
        attributes=tuple(attributes or ({},) * n_rules),
        settings={},
        names=names,
    )


def force_field_of(**patterns):
    tables = {section: table_of(section, rules) for section, rules in patterns.items()}
    return ForceField(name="rules of a test", tables=tables, checksums={})


@pytest.fixture(scope="module")
def sage():
    return load_force_field("openff-2.2.1")


@st.composite
def batches(draw):
    smiles = draw(st.lists(st.sampled_from(list(DIVERSE.values())), min_size=1, max_size=3))
    try:
        with rdBase.BlockLogs():
            return batch_of(*smiles, assembled(draw(st.randoms(use_true_random=False))))
    except MoleculeError:
        assume(False)


def some_rules(rng, batch, section, known):
    """Rules of a force field and random ones, grown from the batch so that some match, shuffled."""
    rules = rng.sample(known, min(len(known), rng.randint(0, 8)))
    for _ in range(rng.randint(1, 5)):
        molecule = batch.explicit_molecule(rng.randrange(batch.n_molecules))
        if molecule.GetNumAtoms() > N_TAGS[section]:
            rules.append(grown_rule(rng, molecule, N_TAGS[section]))
    rng.shuffle(rules)
    return rules


def assert_as_the_oracle_says(force_field, batch):
    scheme = SmirnoffScheme(force_field)
    assignment = scheme.assign(batch)
    assert labels_of(assignment) == label(force_field, batch)
    return assignment


@settings(max_examples=60)
@given(batch=batches(), rng=st.randoms(use_true_random=False), section=st.sampled_from(list(N_TAGS)))
def test_the_last_rule_that_matches_wins(sage, batch, rng, section):
    known = list(sage.tables[section].patterns) if section in sage.tables and section != "LibraryCharges" else []
    rules = some_rules(rng, batch, section, known)
    assert_as_the_oracle_says(force_field_of(**{section: rules}), batch)


TUPLE_SECTIONS = [section for section in N_TAGS if section not in ("LibraryCharges", "ChargeIncrementModel")]


@settings(max_examples=40)
@given(batch=batches(), rng=st.randoms(use_true_random=False), section=st.sampled_from(TUPLE_SECTIONS))
def test_every_rule_that_matches_is_told_winners_and_losers(sage, batch, rng, section):
    force_field = force_field_of(**{section: some_rules(rng, batch, section, list(sage.tables[section].patterns))})
    atoms, tuples, rules = SmirnoffScheme(force_field).every_match(batch, section)
    found = {}
    for place, rule in zip(tuples.tolist(), rules.tolist(), strict=True):
        found.setdefault(tuple(atoms[place].tolist()), []).append(rule)
    assert found == every_match(force_field.tables[section], batch)


@pytest.mark.parametrize("name", ["openff-1.0.0", "openff-2.3.0", "openff_no_water-3.0.0-alpha0", "tip5p"])
def test_force_fields_label_kept_molecules_as_the_oracle_does(name):
    assert_as_the_oracle_says(load_force_field(name), batch_of(*DIVERSE.values()))


@pytest.mark.parametrize("seed", range(3))
def test_rules_of_a_force_field_in_any_order_label_as_the_oracle_does(sage, seed):
    rng = random.Random(seed)
    tables = {}
    for section, table in sage.tables.items():
        order = rng.sample(range(len(table)), len(table))
        tables[section] = table_of(section, [table.patterns[rule] for rule in order])
    batch = batch_of(*rng.sample(list(DIVERSE.values()), 30))
    assert_as_the_oracle_says(dataclasses.replace(sage, tables=tables), batch)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(60))
def test_many_more_rules_of_chance_label_as_the_oracle_does(sage, seed):
    rng = random.Random(seed)
    batch = batch_of(*rng.sample(list(DIVERSE.values()), 5))
    rules = {}
    for section in N_TAGS:
        known = list(sage.tables[section].patterns) if section in TUPLE_SECTIONS else []
        rules[section] = [rule for _ in range(4) for rule in some_rules(rng, batch, section, known)]
        rng.shuffle(rules[section])
    assert_as_the_oracle_says(force_field_of(**rules), batch)


def test_every_bonded_tuple_is_a_site_whether_a_rule_matches_or_not():
    batch = batch_of("CCO", "c1ccccc1")
    sites = (
        SmirnoffScheme(force_field_of(Bonds=["[#6:1]-[#8:2]"], Angles=[], ProperTorsions=[], vdW=["[#1:1]"]))
        .assign(batch)
        .sites
    )
    expected = {
        "Bonds": bond_atoms(batch, batch.bond_edges[:, None]),
        "Angles": angle_atoms(batch, angle_edges(batch)),
        "ProperTorsions": proper_atoms(batch, proper_edges(batch)),
    }
    for section, atoms in expected.items():
        assert sorted(sites[section].atom_idxs.tolist()) == sorted(atoms.tolist())
        assert sites[section].molecule_idxs.tolist() == sorted(sites[section].molecule_idxs.tolist())
    assert sites["vdW"].atom_idxs.tolist() == [[atom] for atom in range(batch.n_atoms)]
    assert (sites["Bonds"].rule_idxs >= 0).sum() == 1
    assert set(sites["Angles"].rule_idxs.tolist()) == {-1}


# Section, rules in file order, molecule, and the winner of each tuple that one of them matches.
CASES = [
    ("Bonds", ["[*:1]~[*:2]", "[#6:1]-[#8:2]"], "CO", {(0, 1): 1, (0, 2): 0, (0, 3): 0, (0, 4): 0, (1, 5): 0}),
    ("Bonds", ["[#6:1]-[#8:2]", "[*:1]~[*:2]"], "[H]O[H]", {(0, 1): 1, (1, 2): 1}),
    # The centre stands second, the others ascend.
    ("ImproperTorsions", ["[#1:1]-[#7:2](-[#1:3])-[#1:4]"], "N", {(1, 0, 2, 3): 0}),
    ("ImproperTorsions", ["[#1:1]-[#6X4:2](-[#9:3])-[#17:4]"], "FC(Cl)Br", {(0, 1, 2, 4): 0}),
    # Tags that are not bonded bring tuples that are no bonds.
    ("Constraints", ["[#1:1]-[#8:2]", "[#1:1]-[#8]-[#1:2]"], "O", {(0, 1): 0, (0, 2): 0, (1, 2): 1}),
    ("Constraints", ["[#1:1].[#1:2]"], "[H][H]", {(0, 1): 0}),
    ("vdW", ["[#1:1]", "[#1:1]-[#8]"], "[H]OC#N", {(0,): 1}),
    # A ring of three closes on itself: no proper holds an atom twice.
    ("ProperTorsions", ["[#6:1]-[#6:2]-[#6:3]-[#6:4]"], "C1CC1", {}),
    (
        "Angles",
        ["[#6:1]-[#6:2]-[#6:3]", "[#6r3:1]1-[#6r3:2]-[#6r3:3]1"],
        "C1CC1",
        {(0, 1, 2): 1, (1, 0, 2): 1, (0, 2, 1): 1},
    ),
    # Stereochemistry decides.
    ("vdW", ["[#6X4:1]", "[C@:1]([#1])(F)(Cl)Br"], "[H][C@](F)(Cl)Br", {(1,): 1}),
    ("vdW", ["[#6X4:1]", "[C@@:1]([#1])(F)(Cl)Br"], "[H][C@](F)(Cl)Br", {(1,): 0}),
    ("Bonds", ["[#6:1]=[#6:2]", "F/[#6:1]=[#6:2]/F"], "F/C=C/F", {(1, 2): 1}),
    ("Bonds", ["[#6:1]=[#6:2]", "F/[#6:1]=[#6:2]/F"], "F/C=C\\F", {(1, 2): 0}),
    ("Bonds", ["[#6:1]=[#6:2]", "F/[#6:1]=[#6:2]/F"], "FC=CF", {(1, 2): 0}),
    ("LibraryCharges", ["[#8:1]-[#1:2]"], "[H]O[H]", {(1, 0): 0, (1, 2): 0}),
]


@pytest.mark.parametrize(("section", "rules", "smiles", "winners"), CASES)
def test_winners_are_those_found_by_hand(section, rules, smiles, winners):
    batch = batch_of(smiles)
    force_field = force_field_of(**{section: rules})
    assert labels_of(SmirnoffScheme(force_field).assign(batch))[section] == winners
    assert label(force_field, batch)[section] == winners


def test_no_molecules_have_no_sites(sage):
    sites = SmirnoffScheme(sage).assign(GraphBatch.from_molecules([])).sites
    assert {section: len(found) for section, found in sites.items()} == dict.fromkeys(sites, 0)


def test_a_section_without_rules_gives_no_rule_to_any_site():
    sites = (
        SmirnoffScheme(force_field_of(Bonds=[], ImproperTorsions=[], LibraryCharges=[])).assign(batch_of("CN")).sites
    )
    assert sites["Bonds"].rule_idxs.tolist() == [-1] * 6
    assert len(sites["ImproperTorsions"]) == len(sites["LibraryCharges"]) == 0
