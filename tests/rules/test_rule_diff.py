"""What `diff_rules` says is enough to rebuild the new rules from the old ones, and no more than that."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.rules import load_force_field
from ffshare.rules.rule_diff import diff_rules
from ffshare.rules.table import Column, ForceField, RuleTable

SMIRKS = [f"[#{element}:1]" for element in range(1, 9)]


def force_field(rules, settings=None, section="vdW"):
    """A force field of one section from (id, SMIRKS, values of epsilon)."""
    entries = [(rule, term, value) for rule, (_, _, values) in enumerate(rules) for term, value in enumerate(values)]
    rule_idxs, terms, values = (list(column) for column in zip(*entries, strict=True)) if entries else ([], [], [])
    table = RuleTable(
        section=section,
        ids=tuple(rule_id for rule_id, _, _ in rules),
        patterns=tuple(smirks for _, smirks, _ in rules),
        columns={
            "epsilon": Column(
                name="epsilon", unit="kcal/mol", values=np.array(values), rule_idxs=rule_idxs, terms=terms, free=True
            )
        },
        lines=(0,) * len(rules),
        sources=("a.offxml",) * len(rules),
        attributes=tuple({"id": rule_id, "smirks": smirks} for rule_id, smirks, _ in rules),
        settings=settings or {"version": "0.3"},
    )
    return ForceField(name="a", tables={section: table}, checksums={})


rule_lists = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from(SMIRKS), st.lists(st.sampled_from([1.0, 2.5]), min_size=1, max_size=2)
    ),
    max_size=8,
)


def section_of(old, new):
    return diff_rules(force_field(old), force_field(new)).sections["vdW"]


@given(rule_lists)
def test_a_force_field_does_not_differ_from_itself(rules):
    diff = section_of(rules, rules)
    assert diff.is_empty
    assert not diff.renamed
    assert len(diff.kept) == len({smirks for _, smirks, _ in rules})


@given(rule_lists, rule_lists)
def test_the_difference_and_the_old_rules_make_the_new_rules(old, new):
    diff = section_of(old, new)
    effective = {smirks: (rule_id, values) for rule_id, smirks, values in old}
    for idx in diff.removed.tolist():
        del effective[old[idx][1]]
    for idx in diff.added.tolist():
        assert new[idx][1] not in effective
        effective[new[idx][1]] = (new[idx][0], new[idx][2])
    for change in diff.renamed:
        assert effective[change.pattern][0] == change.old_id != change.new_id
        effective[change.pattern] = (change.new_id, effective[change.pattern][1])
    for change in diff.changed:
        rule_id, values = effective[change.pattern]
        by_term = dict(enumerate(values))
        for value in change.values:
            assert (value.column, value.unit) == ("epsilon", "kcal/mol")
            assert by_term.get(value.term) == value.old
            by_term[value.term] = value.new
        effective[change.pattern] = (rule_id, [value for _, value in sorted(by_term.items()) if value is not None])
    assert effective == {smirks: (rule_id, values) for rule_id, smirks, values in new}


@given(rule_lists, rule_lists)
def test_backwards_the_difference_is_turned_round(old, new):
    there, back = section_of(old, new), section_of(new, old)
    assert np.array_equal(there.added, back.removed)
    assert np.array_equal(there.removed, back.added)
    assert sorted(there.kept.tolist()) == sorted(back.kept[:, ::-1].tolist())
    assert len(there.moved) == len(back.moved)
    assert {change.pattern for change in there.changed} == {change.pattern for change in back.changed}


@given(st.permutations(SMIRKS[:6]))
def test_as_few_rules_as_possible_are_said_to_have_moved(order):
    old = [(smirks, smirks, [1.0]) for smirks in SMIRKS[:6]]
    diff = section_of(old, [(smirks, smirks, [1.0]) for smirks in order])
    moved = {change.pattern for change in diff.moved}
    stayed = [smirks for smirks in order if smirks not in moved]
    assert stayed == sorted(stayed)
    longest = max(
        len(chosen) for n in range(7) for chosen in itertools.combinations(order, n) if list(chosen) == sorted(chosen)
    )
    assert len(stayed) == longest
    assert diff.is_empty == (order == SMIRKS[:6])
    assert not len(diff.added)


def test_rules_that_come_and_go_do_not_move_the_others():
    old = [("a", SMIRKS[0], [1.0]), ("b", SMIRKS[1], [1.0]), ("c", SMIRKS[2], [1.0])]
    new = [("n", SMIRKS[5], [1.0]), ("a", SMIRKS[0], [1.0]), ("c", SMIRKS[2], [1.0]), ("m", SMIRKS[6], [1.0])]
    diff = section_of(old, new)
    assert (diff.added.tolist(), diff.removed.tolist(), diff.moved) == ([0, 3], [1], ())


def test_the_last_of_repeated_patterns_counts():
    old = [("a", SMIRKS[0], [1.0]), ("b", SMIRKS[0], [2.5])]
    diff = section_of(old, [("b", SMIRKS[0], [2.5])])
    assert diff.is_empty
    assert diff.kept.tolist() == [[1, 0]]


def test_digits_lost_on_the_way_through_units_are_no_change():
    old, new = ([("a", SMIRKS[0], [value])] for value in (0.1 * 3, 0.3))
    assert section_of(old, new).is_empty
    assert not section_of(old, [("a", SMIRKS[0], [0.3000001])]).is_empty


def test_divisors_that_the_molecule_decides_are_equal():
    rules = [("a", SMIRKS[0], [float("nan")])]
    assert section_of(rules, rules).is_empty
    assert section_of(rules, [("a", SMIRKS[0], [3.0])]).changed[0].values[0].new == 3.0


def test_sections_and_their_settings_are_compared():
    rules = [("a", SMIRKS[0], [1.0])]
    old = force_field(rules, {"version": "0.3", "cutoff": "9 * angstrom"})
    new = force_field(rules, {"version": "0.4", "scale14": "0.5"})
    changes = diff_rules(old, new).sections["vdW"].settings
    assert [(change.name, change.old, change.new) for change in changes] == [
        ("version", "0.3", "0.4"),
        ("cutoff", "9 * angstrom", None),
        ("scale14", None, "0.5"),
    ]
    other = diff_rules(old, force_field(rules, section="GBSA")).sections
    assert list(other) == ["vdW", "GBSA"]
    assert (len(other["vdW"].removed), len(other["GBSA"].added)) == (1, 1)
    # A section without rules is there or not, too.
    empty = diff_rules(ForceField(name="b", tables={}, checksums={}), force_field([])).sections["vdW"]
    assert not empty.is_empty
    assert [change.name for change in empty.settings] == ["version"]


@pytest.fixture
def torsion(write_sections):
    def load(attributes, name):
        text = (
            f'<ProperTorsions version="0.4"><Proper smirks="[*:1]~[#6:2]~[#6:3]~[*:4]" {attributes}/></ProperTorsions>'
        )
        return load_force_field(write_sections(text, name=name))

    return load


def test_values_are_compared_term_by_term_in_internal_units(torsion):
    term = 'periodicity{0}="{1}" phase{0}="{2}" k{0}="{3}" idivf{0}="1"'
    old = torsion('id="t1" ' + term.format(1, 3, "0 * degree", "1 * kilocalories_per_mole"), "old.offxml")
    new = torsion(
        'id="t7" parameterize="k1, k2" '
        + term.format(1, 3, "0 * radian", "4.184 * kilojoules_per_mole")
        + " "
        + term.format(2, 2, "180 * degree", "2 * kilocalories_per_mole"),
        "new.offxml",
    )
    (change,) = diff_rules(old, new).sections["ProperTorsions"].changed
    assert (change.old_id, change.new_id, change.moved) == ("t1", "t7", False)
    assert [(value.column, value.term, value.old) for value in change.values] == [
        ("periodicity", 1, None),
        ("phase", 1, None),
        ("k", 1, None),
        ("idivf", 1, None),
    ]
    assert [(value.unit, value.new) for value in change.values] == [
        ("", 2.0),
        ("rad", pytest.approx(np.pi)),
        ("kcal/mol", 2.0),
        ("", 1.0),
    ]
    assert [(text.name, text.old, text.new) for text in change.texts] == [("parameterize", None, "k1, k2")]


def test_sage_2_3_0_against_2_2_1():
    sections = diff_rules(load_force_field("openff-2.2.1"), load_force_field("openff-2.3.0")).sections
    propers, angles = sections["ProperTorsions"], sections["Angles"]
    assert (len(propers.added), len(propers.removed), len(propers.kept)) == (121, 42, 138)
    assert {change.new_id for change in angles.moved} == {"a4", "a5", "a6", "a8", "a9", "a13"}
    assert [name for name, diff in sections.items() if diff.is_empty] == [
        "Constraints",
        "Electrostatics",
        "LibraryCharges",
    ]
    assert "model_file" in {change.name for change in sections["NAGLCharges"].settings}


def test_ids_that_were_renumbered_between_releases_are_no_difference():
    impropers = diff_rules(load_force_field("openff-1.3.1"), load_force_field("openff-2.0.0")).sections[
        "ImproperTorsions"
    ]
    assert impropers.is_empty
    assert ("i2a", "i3") in {(change.old_id, change.new_id) for change in impropers.renamed}
