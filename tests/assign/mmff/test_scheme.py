"""The keys of molecules that anyone can check by hand, and the explanations of them."""

import numpy as np
import pytest

import ffshare
from ffshare.assign import explain

# Section, atoms, key, in molecules whose types are few: toluene, butadiene, cyclobutane and others.
KEYS = [
    ("Cc1ccccc1", "Bonds", (0, 1), "bond:0:1-37"),
    ("Cc1ccccc1", "Bonds", (1, 2), "bond:0:37-37"),
    ("Cc1ccccc1", "Angles", (0, 1, 2), "angle:0:1-37-37"),
    ("Cc1ccccc1", "StretchBends", (0, 1, 2), "stretch-bend:0:1-37-37"),
    ("Cc1ccccc1", "StretchBends", (2, 1, 0), "stretch-bend:0:37-37-1"),
    ("Cc1ccccc1", "ProperTorsions", (0, 1, 2, 3), "torsion:0:1-37-37-37"),
    ("Cc1ccccc1", "ImproperTorsions", (0, 1, 2, 6), "oop:1-37-37-37"),
    ("Cc1ccccc1", "ImproperTorsions", (2, 1, 6, 0), "oop:1-37-37-37"),
    ("Cc1ccccc1", "vdW", (1,), "vdw:37"),
    # A single bond between two double ones is of class 1, and so are the terms on it.
    ("C=CC=C", "Bonds", (0, 1), "bond:0:2-2"),
    ("C=CC=C", "Bonds", (1, 2), "bond:1:2-2"),
    ("C=CC=C", "Angles", (0, 1, 2), "angle:1:2-2-2"),
    ("C=CC=C", "StretchBends", (2, 1, 0), "stretch-bend:1:2-2-2"),
    ("C=CC=C", "StretchBends", (0, 1, 2), "stretch-bend:2:2-2-2"),
    ("C=CC=C", "ProperTorsions", (0, 1, 2, 3), "torsion:1:2-2-2-2"),
    ("c1ccccc1-c1ccccc1", "Bonds", (5, 6), "bond:1:37-37"),
    # Rings of three, four and five.
    ("C1CC1", "Angles", (0, 1, 2), "angle:3:22-22-22"),
    ("C1CC1", "StretchBends", (0, 1, 2), "stretch-bend:5:22-22-22"),
    ("C1CCC1", "Angles", (0, 1, 2), "angle:4:20-20-20"),
    ("C1CCC1", "ProperTorsions", (0, 1, 2, 3), "torsion:4:20-20-20-20"),
    ("C1CCCC1", "ProperTorsions", (0, 1, 2, 3), "torsion:5:1-1-1-1"),
    ("CCCC", "ProperTorsions", (0, 1, 2, 3), "torsion:0:1-1-1-1"),
    # Steps down: any outer atoms, 63 stands for 2 at level 3.
    ("CCC1CC1", "ProperTorsions", (0, 1, 2, 3), "torsion:0:0-1-22-0"),
    ("C1CC1c1ccn[nH]1", "Angles", (0, 2, 3), "angle:0:2-22-22"),
    ("CS", "StretchBends", (0, 1, 5), "stretch-bend:0:1-15-71"),
    ("CCl", "StretchBends", (1, 0, 2), "stretch-bend:0:12-1-5"),
    ("CSSC", "StretchBends", (4, 0, 1), "stretch-bend:0:5-1-15"),
    ("C[Si](C)(C)C", "StretchBends", (0, 1, 2), "stretch-bend:rows-1-2-1:0-0-0"),
]


@pytest.mark.parametrize(("smiles", "section", "atoms", "key"), KEYS)
def test_the_key_of_a_term_is_that_of_its_row(mmff94, smiles, section, atoms, key):
    assignment = mmff94.assign(ffshare.from_smiles(smiles))
    sites, ids = assignment.sites[section], assignment.tables[section].ids
    rows = {tuple(row): ids[rule] for row, rule in zip(sites.atom_idxs.tolist(), sites.rule_idxs.tolist(), strict=True)}
    assert rows.get(atoms, rows.get(atoms[::-1])) == key


def test_a_torsion_about_a_linear_atom_has_no_numbers_and_a_stretch_bend_at_one_is_none(mmff94):
    assignment = mmff94.assign(ffshare.from_smiles("CC#CC"))
    sites = assignment.sites
    assert {assignment.tables["ProperTorsions"].ids[rule] for rule in sites["ProperTorsions"].rule_idxs.tolist()} == {
        "torsion:linear"
    }
    assert assignment.count()["ProperTorsions"].exercised == assignment.count()["ProperTorsions"].guessed == 0
    assert len(sites["ProperTorsions"]) == 3 + 1 + 3
    assert len(sites["Angles"]) == 2 * 6 + 2
    assert len(sites["StretchBends"]) == 2 * 2 * 6


def test_a_flat_centre_has_three_bends_each_with_another_atom_last(mmff94):
    sites = mmff94.assign(ffshare.from_smiles("C=O")).sites["ImproperTorsions"]
    assert sites.atom_idxs.tolist() == [[1, 0, 2, 3], [1, 0, 3, 2], [2, 0, 3, 1]]
    assert len(set(sites.rule_idxs.tolist())) == 1


def test_toluene_is_counted(mmff94):
    counts = mmff94.assign(ffshare.from_smiles("Cc1ccccc1")).count()
    assert (counts["Bonds"].defined, counts["Bonds"].exercised, counts["Bonds"].sites) == (986, 8, 15)
    assert counts["all"].guessed == counts["all"].unassigned == 0


def test_the_ties_of_an_assignment_are_those_of_its_rows(mmff94):
    assignment = mmff94.assign(ffshare.from_smiles("C=CC=C"))
    lengths = assignment.tying("Bonds", "length")
    values = assignment.tables["Bonds"].columns["length"].values
    assert sorted(set(lengths.expand(values).tolist())) == [1.083, 1.333, 1.43]
    assert assignment.tying("ProperTorsions", "k").n_site == 3 * 12


def test_an_explanation_lists_the_keys_in_the_order_in_which_they_are_tried(mmff94):
    batch = ffshare.from_smiles("CCC1CC1")
    (one,) = explain(mmff94, batch, ["ProperTorsions"], [0, 1, 2, 3])
    assert [match.rule_id for match in one.matches] == [
        "torsion:0:1-1-22-22",
        "torsion:0:1-1-22-0",
        "torsion:0:0-1-22-22",
        "torsion:0:0-1-22-0",
    ]
    assert [match.wins for match in one.matches] == [False, False, False, True]
    assert one.winner.reason == "first key that a row has"
    assert mmff94.tables["ProperTorsions"].ids[one.winner.rule_idx] == one.winner.rule_id


def test_an_explanation_ends_with_the_empirical_rule_where_one_gave_the_value(mmff94):
    batch = ffshare.from_smiles("NCl")
    (one,) = explain(mmff94, batch, ["Angles"], [1, 0, 2])
    assert [(match.rule_id, match.wins) for match in one.matches] == [
        ("angle:0:12-8-23", False),
        ("angle:0:5-8-12", False),
        ("angle:0:0-8-0", False),
        ("angle:0:12-8-23", True),
    ]
    assert one.winner.reason == "empirical rule for the force constant; angle of angle:0:0-8-0"


def test_what_explanations_say_is_what_was_assigned(mmff94, hard):
    assignment = mmff94.assign(hard)
    for section in mmff94.explained:
        ids = (*assignment.tables[section].ids, None)
        winners = [one.winner and one.winner.rule_id for one in mmff94.explanations(hard, section)]
        assert winners == [ids[rule] for rule in assignment.sites[section].rule_idxs.tolist()]


def test_a_batch_without_molecules_has_no_sites(mmff94):
    assignment = mmff94.assign(ffshare.molecules.GraphBatch.from_molecules([]))
    assert all(len(sites) == 0 for sites in assignment.sites.values())


def test_large_molecules_are_typed_as_small_ones(mmff94):
    small, large = ("C" * length + "c1cc2cccccc2c1" for length in (9, 90))
    batch = ffshare.from_smiles(small, large)
    types = mmff94.types(batch)
    ids = []
    for molecule in range(2):
        sites = mmff94.assign(batch).sites["Bonds"]
        ids.append(np.unique(sites.rule_idxs[sites.molecule_idxs == molecule]).tolist())
    assert ids[0] == ids[1]
    assert types.min() > 0
