"""Hashed-element: by chance, but only among sites of the same elements and bond orders."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ffshare
from ffshare.assign.controls import HashedElementScheme, UntiedScheme
from ffshare.assign.controls.environment import atom_environments, site_environments
from ffshare.assign.controls.orient import SECTIONS
from ffshare.assign.controls.strata import strata
from ffshare.assign.count import parameters_of_rules
from ffshare.data_files import data_directory
from ffshare.errors import SchemeError
from tests.assign.controls.bases import OPENFF, AmberLike, ids_of, terms
from tests.assign.samples import scheme_of
from tests.smirks.diverse import DIVERSE


@pytest.fixture(scope="module")
def by_element():
    return HashedElementScheme(scheme_of(OPENFF))


@pytest.fixture(scope="module")
def small():
    """A scheme whose strata come from a few molecules."""
    return HashedElementScheme(
        scheme_of(OPENFF), {"Bonds": 40}, molecules=ffshare.from_smiles("CCO", "CC(=O)NC", "c1ccccc1F", "CC#N")
    )


def strata_of(batch, assignment, section):
    """The narrowest stratum of each site in words, and the stratum of its bucket."""
    sites = assignment.sites[section]
    narrow = strata(batch, sites.atom_idxs, section, 0)
    patterns = assignment.tables[section].patterns
    return [(narrow.name(place), patterns[rule]) for place, rule in enumerate(sites.rule_idxs.tolist()) if rule >= 0]


def test_counts_are_those_of_the_base(by_element, some_drugs):
    found, base = by_element.assign(some_drugs).count(), scheme_of(OPENFF).assign(some_drugs).count()
    for section in (*SECTIONS, "valence and vdW"):
        assert found[section].defined == base[section].defined
        assert found[section].sites == base[section].sites
    assert found["all"].guessed == found["all"].unassigned == 0


@pytest.mark.parametrize("section", SECTIONS)
def test_a_bucket_holds_one_stratum(by_element, drugs, section):
    found = by_element.assign(drugs)
    names = strata_of(drugs, found, section)
    for narrow, of_bucket in names:
        if "X" not in of_bucket:
            assert narrow == of_bucket
    wide = [narrow for narrow, of_bucket in names if "X" in of_bucket]
    # What the number of parameters leaves to pools: of impropers everything, since seven rules are too few.
    most = {"Bonds": 0.0, "Angles": 0.1, "ProperTorsions": 0.05, "ImproperTorsions": 1.0, "vdW": 0.0}
    assert len(wide) <= most[section] * len(names)


@pytest.mark.parametrize("section", ["Angles", "ProperTorsions", "ImproperTorsions"])
def test_a_pool_holds_sites_of_one_core(by_element, drugs, section):
    sites = by_element.assign(drugs).sites[section]
    patterns = by_element.tables[section].patterns
    core = strata(drugs, sites.atom_idxs, section, 1)
    pooled = [place for place, rule in enumerate(sites.rule_idxs.tolist()) if "X" in patterns[rule]]
    assert pooled
    assert all(core.name(place) == patterns[sites.rule_idxs[place]] for place in pooled)


def test_with_as_many_buckets_as_strata_nothing_is_pooled(drugs):
    scheme = HashedElementScheme(
        scheme_of(OPENFF), {"Angles": 600, "ImproperTorsions": 150}, 0, {"ProperTorsions": 700}
    )
    found = scheme.assign(drugs)
    for section in SECTIONS:
        assert all(narrow == of_bucket for narrow, of_bucket in strata_of(drugs, found, section))


@settings(max_examples=8)
@given(n_parameters=st.dictionaries(st.sampled_from(SECTIONS), st.integers(1, 300)))
def test_any_number_that_rules_can_make_is_met_exactly(n_parameters):
    base = scheme_of(OPENFF)
    asked = {
        section: number + number % 2 if section in ("Bonds", "Angles", "vdW") else number
        for section, number in n_parameters.items()
    }
    scheme = HashedElementScheme(base, asked, molecules=ffshare.from_smiles(*list(DIVERSE.values())[:20]))
    for section, table in scheme.tables.items():
        defined = parameters_of_rules(base.tables[section]).sum()
        assert parameters_of_rules(table).sum() == asked.get(section, defined)


def test_equal_surroundings_share_in_other_molecules_too(by_element):
    batch = ffshare.from_smiles("CCCCCO", "CCCCCN")
    found = ids_of(by_element.assign(batch), "Bonds")
    second = int(batch.bond_edges.searchsorted(batch.row_offsets[batch.atom_offsets[1]]))
    assert found[0] == found[second]


def test_surroundings_reach_two_bonds():
    batch = ffshare.from_smiles("CCCCF", "CCCCCl", "CCCCC")
    keys = atom_environments(batch)
    first = [batch.atom_offsets[idx] for idx in range(3)]
    assert len({int(keys[start + 1]) for start in first}) == 1
    assert len({int(keys[start + 2]) for start in first}) == 3
    bonds = site_environments(batch, keys, batch.bonds, "Bonds")
    turned = site_environments(batch, keys, batch.bonds[:, ::-1], "Bonds")
    assert bonds.tolist() == turned.tolist()


def test_values_are_means_of_the_rules_that_win_in_the_stratum(by_element, drugs):
    fragments = ffshare.read(data_directory("molecules") / "fragments.smi")
    table, base = by_element.tables["Bonds"], scheme_of(OPENFF).tables["Bonds"]
    found = {}
    for batch in (drugs, fragments):
        sites = scheme_of(OPENFF).assign(batch).sites["Bonds"]
        narrow = strata(batch, sites.atom_idxs, "Bonds", 0)
        for place, rule in enumerate(sites.rule_idxs.tolist()):
            found.setdefault(narrow.name(place), []).append(base.columns["length"].values[rule])
    for pattern, length in zip(table.patterns, table.columns["length"].values, strict=True):
        assert length == pytest.approx(np.mean(found[pattern]))


def test_terms_are_those_of_rules_that_win_in_the_stratum(by_element):
    given = scheme_of(OPENFF).tables["ProperTorsions"]
    base = dict(zip(given.ids, terms(given), strict=True))
    table = by_element.tables["ProperTorsions"]
    for one, made in zip(terms(table), table.attributes, strict=True):
        assert one == base[made["terms_of"]]
    (hydrogens,) = (
        made["terms_of"] for made, name in zip(table.attributes, table.patterns, strict=True) if name == "H-C-C-H:2-2-2"
    )
    assert hydrogens == "t3"


def test_a_stratum_without_buckets_has_a_rule_of_its_own_that_is_a_fall_back(small):
    batch = ffshare.from_smiles("CSC", "BrCCBr")
    found = small.assign(batch)
    bonds = found.sites["Bonds"]
    ids = ids_of(found, "Bonds")
    assert set(ids) >= {"b:C-S:2", "b:C-Br:2"}
    texts = [bonds.fallbacks.texts[idx] if idx >= 0 else None for idx in bonds.fallbacks.idxs.tolist()]
    assert [text is not None for text in texts] == [one.startswith("b:") for one in ids]
    assert texts[ids.index("b:C-S:2")] == "no bucket for C-S:2: mean of Bonds"
    assert found.tables["Bonds"].n_added == 2
    row = found.count()["Bonds"]
    assert (row.defined, row.guessed) == (40, 4)


def test_the_rule_of_a_stratum_does_not_depend_on_the_batch(small):
    alone, together = (
        small.assign(batch) for batch in (ffshare.from_smiles("CSC"), ffshare.from_smiles("BrCCBr", "CSC", "CI"))
    )
    tables = alone.tables["Bonds"], together.tables["Bonds"]
    first, second = (
        {column: table.columns[column].values[table.ids.index("b:C-S:2")] for column in table.columns}
        for table in tables
    )
    assert first == second


def test_a_site_that_the_base_has_no_rule_for_has_none(by_element, boronic_acid):
    base, found = scheme_of(OPENFF).assign(boronic_acid), by_element.assign(boronic_acid)
    for section in SECTIONS:
        assert ((found.sites[section].rule_idxs < 0) == (base.sites[section].rule_idxs < 0)).all()


def test_another_seed_shares_otherwise_within_the_same_strata(by_element, some_drugs):
    other = HashedElementScheme(scheme_of(OPENFF), seed=1)
    assert other.tables["Bonds"].patterns == by_element.tables["Bonds"].patterns
    first, second = by_element.assign(some_drugs).sites["Bonds"], other.assign(some_drugs).sites["Bonds"]
    assert 0.05 < (first.rule_idxs != second.rule_idxs).mean() < 0.95


def test_the_dihedrals_of_one_centre_are_one_improper():
    found = HashedElementScheme(AmberLike()).assign(ffshare.from_smiles("CC(=O)N"))
    first, second = ids_of(found, "ImproperTorsions")[:3], ids_of(found, "ImproperTorsions")[3:]
    assert len(set(first)) == len(set(second)) == 1


def test_buckets_of_a_stratum_are_evenly_filled(drugs):
    scheme = HashedElementScheme(scheme_of(OPENFF), {"vdW": 100})
    found, keys = scheme.assign(drugs), atom_environments(drugs)
    sites, patterns = found.sites["vdW"], np.array(scheme.tables["vdW"].patterns)
    buckets = np.flatnonzero(patterns == "H")
    hydrogens = patterns[sites.rule_idxs] == "H"
    placed = dict(zip(keys[hydrogens].tolist(), sites.rule_idxs[hydrogens].tolist(), strict=True))
    counts = np.bincount(list(placed.values()), minlength=len(patterns))[buckets]
    degrees = len(buckets) - 1
    limit = degrees * (1 - 2 / (9 * degrees) + 3.09 * np.sqrt(2 / (9 * degrees))) ** 3
    assert len(buckets) > 10
    assert np.sum((counts - counts.mean()) ** 2) / counts.mean() < limit


def test_its_checksums_name_the_molecules_that_strata_come_from(by_element, small):
    added = set(by_element.checksums) - set(scheme_of(OPENFF).checksums)
    assert {path.rpartition("/")[2] for path in added} == {"fragments.smi", "drugs.smi"}
    assert small.checksums == scheme_of(OPENFF).checksums


def test_a_base_without_rules_of_its_own_is_refused():
    with pytest.raises(SchemeError, match=r"untied:openff-2\.2\.1 defines no rules that buckets could have"):
        HashedElementScheme(UntiedScheme(scheme_of(OPENFF)))


def test_frozen_buckets_have_not_changed(small):
    found = small.assign(ffshare.from_smiles("CC=O"))
    assert ids_of(found, "Bonds") == ["b00011", "b00017", "b00017", "b00017", "b00000", "b00018"]
    assert ids_of(found, "vdW") == ["b00000", "b00002", "b00030", "b00014", "b00014", "b00014", "b00013"]
