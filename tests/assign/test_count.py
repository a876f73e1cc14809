"""Counts are those of a plain loop over the label table, add up over batches, and are what the ties say."""

import statistics
from collections import Counter
from functools import reduce
from itertools import pairwise
from operator import add

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ffshare
from ffshare.assign import counts, tally
from ffshare.assign.count import COUNT_SCHEMA
from ffshare.assign.sites import COMPLETE_SECTIONS
from ffshare.errors import SchemeError
from tests.assign.samples import part, scheme_of

SUMMED = (
    "Bonds",
    "Angles",
    "ProperTorsions",
    "ImproperTorsions",
    "vdW",
    "LibraryCharges",
    "ChargeIncrementModel",
    "VirtualSites",
)
SUMS = {"valence and vdW": SUMMED[:5], "all": SUMMED, "Constraints": ("Constraints",)}


def tally_of(assignment):
    return tally(assignment.batch.n_molecules, assignment.sites, assignment.tables)


def plain_count(labels, assignment, sections):
    """A row of the count by loops over the rows of the label table. The ids of its rules must differ."""
    terms = [row for row in labels if row["section"] in sections]
    molecules = {}
    for term in terms:
        molecules.setdefault((term["section"], term["rule_id"]), set()).add(term["molecule_idx"])
    seen_in, n_distinct = [], 0
    for section in sections:
        table = assignment.tables.get(section)
        for column in table.columns.values() if table else ():
            if column.free:
                n_distinct += len(set(column.values.tolist()))
                ids = [table.ids[rule] for rule in column.rule_idxs.tolist()]
                seen_in += [len(molecules.get((section, rule_id), ())) for rule_id in ids]
    exercised = [number for number in seen_in if number]
    return {
        "defined": len(seen_in),
        "exercised": len(exercised),
        "effective": n_distinct,
        "effective_by": "distinct values",
        "rarely_seen": sum(number < 5 for number in exercised),
        "molecules_per_parameter": statistics.median(exercised) if exercised else None,
        "sites": len(terms),
        "unassigned": sum(term["rule_id"] is None for term in terms),
        "guessed": sum(term["fallback"] is not None for term in terms),
        "incomplete_molecules": len(
            {term["molecule_idx"] for term in terms if term["rule_id"] is None or term["fallback"] is not None}
        ),
        "combinations": None,
    }


@pytest.mark.parametrize("name", ["openff-1.0.0", "openff-2.2.1", "openff-2.3.0", "tip5p", "alkethoh-smirks"])
def test_counts_are_those_of_a_plain_loop_over_the_labels(name, some_drugs, boronic_acid):
    for batch in (some_drugs, boronic_acid, ffshare.from_smiles("O", "CO")):
        assignment = scheme_of(name).assign(batch)
        found, labels = assignment.count(), assignment.to_table().to_pylist()
        sections = dict.fromkeys(assignment.tables, None)
        expected = [(section, (section,)) for section in sections if section != "Constraints"]
        expected += [(label, summed) for label, summed in SUMS.items() if label != "Constraints" or label in sections]
        assert [row["section"] for row in found.to_dicts()] == [label for label, _ in expected]
        for (_, summed), row in zip(expected, found.to_dicts(), strict=True):
            assert row == {"scheme": name, "section": row["section"], **plain_count(labels, assignment, summed)}


# Defined parameters of valence and vdW terms, of all sums, and the constraints that are listed apart.
@pytest.mark.parametrize(
    ("name", "valence_and_vdw", "everything", "constraints"),
    [("openff-1.0.0", 581, 581, 0), ("openff-2.2.1", 653, 665, 2), ("openff-2.3.0", 824, 836, 2)],
)
def test_released_force_fields_define_known_numbers(name, valence_and_vdw, everything, constraints):
    found = scheme_of(name).assign(ffshare.from_smiles("C")).count()
    assert [found[label].defined for label in SUMS] == [valence_and_vdw, everything, constraints]


@settings(max_examples=15)
@given(
    name=st.sampled_from(["openff-2.2.1", "openff-2.3.0", "openff-2.0.0-rc.1", "tip5p"]),
    molecules=st.lists(st.integers(0, 260), max_size=25),
)
def test_what_is_defined_and_exercised_is_what_the_ties_say(drugs, name, molecules):
    assignment = scheme_of(name).assign(part(drugs, molecules))
    found = assignment.count()
    for section in assignment.tables:
        tying = assignment.tying(section)
        assert (found[section].defined, found[section].exercised) == (tying.n_free, tying.rank())
        assert found[section].exercised == tying.n_free - len(tying.unseen())
    apart = [found[section] for section in assignment.tables if section == "Constraints"]
    joint = assignment.tying()
    assert found["all"].defined + sum(row.defined for row in apart) == joint.n_free
    assert found["all"].exercised + sum(row.exercised for row in apart) == joint.rank()


@settings(max_examples=15)
@given(data=st.data())
def test_tallies_of_batches_add_up_however_molecules_are_dealt_out(some_drugs, boronic_acid, data):
    scheme = scheme_of("openff-2.3.0")
    for batch in (some_drugs, boronic_acid):
        order = data.draw(st.permutations(range(batch.n_molecules)))
        cuts = sorted(data.draw(st.lists(st.integers(0, batch.n_molecules), max_size=4)))
        bounds = [0, *cuts, batch.n_molecules]
        batches = [part(batch, order[start:end]) for start, end in pairwise(bounds)]
        total = reduce(add, (tally_of(scheme.assign(one)) for one in batches))
        whole = tally_of(scheme.assign(batch))
        assert total.n_molecules == whole.n_molecules
        for section, expected in whole.sections.items():
            found = total.sections[section]
            assert found.n_sites.tolist() == expected.n_sites.tolist()
            assert found.n_molecules.tolist() == expected.n_molecules.tolist()
            assert found.n_unassigned == expected.n_unassigned
        assert counts("x", scheme.tables, total).to_dicts() == counts("x", scheme.tables, whole).to_dicts()


def test_a_tally_counts_the_sites_of_each_rule(some_drugs):
    assignment = scheme_of("openff-2.3.0").assign(some_drugs)
    found = tally_of(assignment)
    uses = Counter((row["section"], row["rule_id"]) for row in assignment.to_table().to_pylist())
    for section, table in assignment.tables.items():
        assert found.sections[section].n_sites.tolist() == [uses[section, rule_id] for rule_id in table.ids]


def test_tallies_of_different_schemes_do_not_add_up():
    methane = ffshare.from_smiles("C")
    old, new = (tally_of(scheme_of(name).assign(methane)) for name in ("openff-2.2.1", "openff-2.3.0"))
    with pytest.raises(SchemeError, match="tallies of different schemes do not add up; add those of one scheme"):
        old + new


def test_sites_without_a_rule_are_counted_and_belong_to_complete_sections(boronic_acid):
    found = scheme_of("openff-2.2.1").assign(boronic_acid).count()
    unassigned = {row.section: row.unassigned for row in found if row.unassigned}
    assert set(unassigned) == {*COMPLETE_SECTIONS, "valence and vdW", "all"}
    # C–B, two B–O, four Si–C.
    assert unassigned["Bonds"] == 7


def test_without_molecules_all_is_defined_and_nothing_exercised():
    found = scheme_of("openff-2.2.1").assign(ffshare.from_smiles()).count()
    assert found["all"].defined == 665
    assert {(row.exercised, row.rarely_seen, row.sites, row.unassigned) for row in found} == {(0, 0, 0, 0)}
    assert {row["molecules_per_parameter"] for row in found.to_dicts()} == {None}
    assert found.to_table().schema == COUNT_SCHEMA


def test_the_table_of_counts_holds_the_rows(some_drugs):
    found = scheme_of("openff-2.2.1").assign(some_drugs).count()
    table = found.to_table()
    assert isinstance(table, pa.Table)
    assert table.schema == COUNT_SCHEMA
    assert table.to_pylist() == found.to_dicts()
    assert [row.section for row in found] == [row["section"] for row in found.to_dicts()]


def test_a_count_that_is_not_there_is_refused_by_name():
    found = scheme_of("openff-2.2.1").assign(ffshare.from_smiles("C")).count()
    with pytest.raises(
        SchemeError, match=r"no count 'Bond'; counts of openff-2.2.1: Bonds, Angles, .*, all, Constraints"
    ):
        found["Bond"]
