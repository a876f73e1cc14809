"""Hashed: as many parameters as the base, sites in buckets by chance, the same chance for ever."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ffshare
from ffshare.assign.controls import HashedScheme, UntiedScheme
from ffshare.assign.controls.orient import SECTIONS
from ffshare.assign.count import parameters_of_rules
from ffshare.errors import SchemeError
from tests.assign.controls.bases import OPENFF, AmberLike, ids_of, terms
from tests.assign.samples import scheme_of


@pytest.fixture(scope="module")
def hashed():
    return HashedScheme(scheme_of(OPENFF))


def test_buckets_have_the_terms_of_the_base_rules_one_by_one(hashed):
    assert list(hashed.tables) == list(SECTIONS)
    for section, table in hashed.tables.items():
        base = scheme_of(OPENFF).tables[section]
        assert terms(table) == terms(base)
        assert table.ids == tuple(f"b{number:05d}" for number in range(len(base)))


def test_counts_are_those_of_the_base(hashed, some_drugs):
    found, base = hashed.assign(some_drugs).count(), scheme_of(OPENFF).assign(some_drugs).count()
    for section in (*SECTIONS, "valence and vdW"):
        assert found[section].defined == base[section].defined
        assert found[section].sites == base[section].sites
    assert found["all"].guessed == found["all"].unassigned == 0


@settings(max_examples=25)
@given(n_parameters=st.dictionaries(st.sampled_from(SECTIONS), st.integers(1, 400)), seed=st.integers(0, 2**64))
def test_any_number_that_rules_can_make_is_met_exactly(n_parameters, seed):
    base = scheme_of(OPENFF)
    asked = {
        section: number + number % 2 if section in ("Bonds", "Angles", "vdW") else number
        for section, number in n_parameters.items()
    }
    scheme = HashedScheme(base, asked, seed)
    for section, table in scheme.tables.items():
        defined = parameters_of_rules(base.tables[section]).sum()
        assert parameters_of_rules(table).sum() == asked.get(section, defined)


def test_buckets_know_nothing_of_their_sites(hashed):
    lengths = hashed.tables["Bonds"].columns["length"].values
    assert lengths == pytest.approx(np.full(90, scheme_of(OPENFF).tables["Bonds"].columns["length"].values.mean()))
    propers = hashed.tables["ProperTorsions"]
    kinds = {}
    structures = terms(propers)
    for rule, term, value in zip(
        propers.columns["k"].rule_idxs, propers.columns["k"].terms, propers.columns["k"].values, strict=True
    ):
        kind = tuple(structures[rule][name, term] for name in ("periodicity", "phase", "idivf"))
        kinds.setdefault(kind, set()).add(round(value, 10))
    assert len(kinds) > 5
    assert all(len(values) == 1 for values in kinds.values())


def test_equivalent_sites_share_and_others_are_placed_independently(hashed, some_drugs):
    found, untied = hashed.assign(some_drugs), UntiedScheme(scheme_of(OPENFF)).assign(some_drugs)
    for section in SECTIONS:
        pairs = set(zip(ids_of(untied, section), ids_of(found, section), strict=True))
        assert len(pairs) == len(untied.tables[section])


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_buckets_are_evenly_filled(drugs, seed):
    scheme = HashedScheme(scheme_of(OPENFF), {"Bonds": 100, "Angles": 200, "ProperTorsions": 150}, seed)
    found, untied = scheme.assign(drugs), UntiedScheme(scheme_of(OPENFF)).assign(drugs)
    for section in ("Bonds", "Angles", "ProperTorsions"):
        placed = dict(zip(untied.sites[section].rule_idxs, found.sites[section].rule_idxs, strict=True))
        n_buckets = len(scheme.tables[section])
        counts = np.bincount(list(placed.values()), minlength=n_buckets)
        expected = len(placed) / n_buckets
        # Chi-square with n - 1 degrees of freedom; the limits are for p = 0.001, by Wilson and Hilferty.
        degrees = n_buckets - 1
        limit = degrees * (1 - 2 / (9 * degrees) + 3.09 * np.sqrt(2 / (9 * degrees))) ** 3
        assert np.sum((counts - expected) ** 2) / expected < limit


def test_seeds_and_sections_are_independent(drugs):
    first, second = (
        HashedScheme(scheme_of(OPENFF), {"Bonds": 20, "Angles": 20}, seed).assign(drugs) for seed in (0, 1)
    )
    same = first.sites["Bonds"].rule_idxs == second.sites["Bonds"].rule_idxs
    assert 0.05 < same.mean() < 0.15


def test_a_site_that_the_base_has_no_rule_for_has_none(hashed, boronic_acid):
    base, found = scheme_of(OPENFF).assign(boronic_acid), hashed.assign(boronic_acid)
    for section in SECTIONS:
        assert ((found.sites[section].rule_idxs < 0) == (base.sites[section].rule_idxs < 0)).all()


def test_the_dihedrals_of_one_centre_are_one_improper():
    found = HashedScheme(AmberLike()).assign(ffshare.from_smiles("CC(=O)N"))
    first, second = ids_of(found, "ImproperTorsions")[:3], ids_of(found, "ImproperTorsions")[3:]
    assert len(set(first)) == len(set(second)) == 1
    assert found.sites["ImproperTorsions"].weights.tolist() == [1 / 3] * 6


def test_a_base_without_rules_of_its_own_is_refused():
    with pytest.raises(SchemeError, match=r"untied:openff-2\.2\.1 defines no rules that buckets could have"):
        HashedScheme(UntiedScheme(scheme_of(OPENFF)))


def test_settings_are_in_the_name_where_they_are_not_the_usual():
    base = scheme_of(OPENFF)
    assert HashedScheme(base).name == "hashed:openff-2.2.1"
    assert HashedScheme(base, {"vdW": 4, "Angles": 6}, 3, {"Bonds": 5}).name == (
        "hashed:openff-2.2.1?seed=3&Angles=6&vdW=4&Bonds.rules=5"
    )


def test_frozen_buckets_have_not_changed(hashed):
    batch = ffshare.from_smiles("CC=O")
    assert ids_of(hashed.assign(batch), "Bonds") == ["b00050", "b00026", "b00026", "b00026", "b00062", "b00037"]
    assert ids_of(hashed.assign(batch), "ProperTorsions") == 3 * ["b00013", "b00147"]
    other = HashedScheme(scheme_of(OPENFF), seed=7).assign(batch)
    assert ids_of(other, "Bonds") == ["b00001", "b00011", "b00011", "b00011", "b00024", "b00007"]
