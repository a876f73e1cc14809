"""Untied: one rule for each symmetry class of each molecule, made from the rule that the base has there."""

import numpy as np
import pytest

import ffshare
from ffshare.assign.controls import UntiedScheme, molecule_keys
from ffshare.assign.controls.orient import SECTIONS
from tests.assign.controls.bases import OPENFF, AmberLike, ids_of, terms
from tests.assign.samples import scheme_of


@pytest.fixture(scope="module")
def untied():
    return UntiedScheme(scheme_of(OPENFF))


def test_ids_are_the_key_of_the_molecule_and_the_class(untied):
    batch = ffshare.from_smiles("CCO", "[Na+].[Cl-]")
    ids = untied.assign(batch).tables["vdW"].ids
    assert sorted({one.partition(":")[0] for one in ids}) == sorted(molecule_keys(batch))
    assert sorted(one.partition(":")[2] for one in ids) == ["1", "1", "1", "2", "3", "4", "5", "6"]


def test_equal_sites_of_equal_molecules_share_and_no_others_do(untied):
    batch = ffshare.from_smiles("CCO", "COC", "OCC")
    ids = ids_of(untied.assign(batch), "Bonds")
    by_molecule = [ids[:8], ids[8:16], ids[16:]]
    assert sorted(by_molecule[0]) == sorted(by_molecule[2])
    assert len(set(by_molecule[0])) == 5
    assert len(set(by_molecule[1])) == 2
    assert not set(by_molecule[0]) & set(by_molecule[1])


def test_the_scheme_itself_defines_no_rule_but_has_the_columns_of_the_base(untied):
    assert list(untied.tables) == list(SECTIONS)
    for section, table in untied.tables.items():
        base = scheme_of(OPENFF).tables[section]
        assert len(table) == 0
        assert {name: (one.unit, one.free) for name, one in table.columns.items()} == {
            name: (one.unit, one.free) for name, one in base.columns.items()
        }


def test_terms_and_values_are_those_of_the_rule_that_the_base_has_there(untied, some_drugs):
    base, found = scheme_of(OPENFF).assign(some_drugs), untied.assign(some_drugs)
    for section in SECTIONS:
        old, new = base.tables[section], found.tables[section]
        rules = found.sites[section].rule_idxs
        base_ids = [old.ids[rule] for rule in base.sites[section].rule_idxs.tolist()]
        assert [new.attributes[rule]["terms_of"] for rule in rules.tolist()] == base_ids
        old_terms, new_terms = terms(old), terms(new)
        by_id = dict(zip(old.ids, old_terms, strict=True))
        assert all(one == by_id[made["terms_of"]] for one, made in zip(new_terms, new.attributes, strict=True))
        for name in new.columns:
            assert np.array_equal(
                *(one.tying(section, name).expand(one.tables[section].columns[name].values) for one in (base, found))
            )


def test_rules_are_in_the_order_of_their_ids_and_all_of_them_are_used(untied, some_drugs):
    found = untied.assign(some_drugs)
    for section, table in found.tables.items():
        assert list(table.ids) == sorted(set(table.ids))
        assert table.n_added == len(table)
        assert set(found.sites[section].rule_idxs.tolist()) == set(range(len(table)))


def test_what_a_molecule_uses_is_what_is_defined_for_it(untied, some_drugs):
    for row in untied.assign(some_drugs).count():
        assert row.defined == row.exercised


def test_a_site_that_the_base_has_no_rule_for_has_none(untied, boronic_acid):
    base, found = scheme_of(OPENFF).assign(boronic_acid), untied.assign(boronic_acid)
    assert (base.sites["Bonds"].rule_idxs < 0).any()
    for section in SECTIONS:
        missing = base.sites[section].rule_idxs < 0
        assert ((found.sites[section].rule_idxs < 0) == missing).all()
        assert found.sites[section].atom_idxs.tolist() == base.sites[section].atom_idxs.tolist()


def test_the_dihedrals_of_one_centre_are_one_improper():
    batch = ffshare.from_smiles("CC(=O)N")
    amber = UntiedScheme(AmberLike()).assign(batch)
    plain = UntiedScheme(scheme_of(OPENFF)).assign(batch)
    assert ids_of(amber, "ImproperTorsions") == [one for one in ids_of(plain, "ImproperTorsions") for _ in range(3)]
    assert amber.sites["ImproperTorsions"].weights.tolist() == [1 / 3] * 6


def test_untying_twice_changes_nothing(untied, some_drugs):
    twice = UntiedScheme(untied)
    assert twice.name == "untied:untied:openff-2.2.1"
    once, again = untied.assign(some_drugs), twice.assign(some_drugs)
    for section in SECTIONS:
        assert ids_of(again, section) == ids_of(once, section)


def test_frozen_ids_have_not_changed(untied):
    found = untied.assign(ffshare.from_smiles("CC=O"))
    assert found.tables["ProperTorsions"].ids == ("d25088df0dbb072e:1-3-2-4", "d25088df0dbb072e:4-2-3-5")
    assert [one.partition(":")[2] for one in ids_of(found, "Bonds")] == ["2-3", "2-4", "2-4", "2-4", "1-3", "3-5"]
