"""Rules made from other rules keep their terms, and average values over terms of one structure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.assign.controls.made_rules import Averages, made_rules
from tests.assign.controls.bases import OPENFF, terms
from tests.assign.samples import scheme_of

SECTIONS = ["Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW"]


def values(table):
    """The values of each rule by column and term."""
    found = [{} for _ in range(len(table))]
    for name, column in table.columns.items():
        for rule, term, value in zip(column.rule_idxs, column.terms, column.values, strict=True):
            found[rule][name, int(term)] = float(value)
    return found


def made(table, rules, averages=None):
    names = [f"r{number}" for number in range(len(rules))]
    return made_rules(table, np.array(rules, dtype=np.int64), names, names, averages)


@given(section=st.sampled_from(SECTIONS), data=st.data())
def test_without_averages_every_value_is_that_of_the_rule_it_was_made_from(section, data):
    table = scheme_of(OPENFF).tables[section]
    rules = data.draw(st.lists(st.integers(0, len(table) - 1), max_size=8))
    found, expected = made(table, rules), values(table)
    assert values(found) == [expected[rule] for rule in rules]
    assert [one["terms_of"] for one in found.attributes] == [table.ids[rule] for rule in rules]
    assert found.ids == tuple(f"r{number}" for number in range(len(rules)))
    assert (found.n_added, found.n_effective, found.n_combinations) == (0, None, None)


@given(section=st.sampled_from(SECTIONS), data=st.data())
def test_averages_are_weighted_means_over_terms_of_the_same_structure(section, data):
    table = scheme_of(OPENFF).tables[section]
    rules = data.draw(st.lists(st.integers(0, len(table) - 1), min_size=1, max_size=6))
    groups = data.draw(st.lists(st.integers(0, 2), min_size=len(rules), max_size=len(rules)))
    pairs = data.draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, len(table) - 1), st.integers(1, 9)), max_size=12)
    )
    columns = [np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True)] or [np.zeros(0, np.int64)] * 3
    averages = Averages(made_groups=np.array(groups), groups=columns[0], rules=columns[1], weights=columns[2])
    found, given_values, given_terms = made(table, rules, averages), values(table), terms(table)
    for place, (rule, group) in enumerate(zip(rules, groups, strict=True)):
        for (name, term), value in values(found)[place].items():
            if not table.columns[name].free:
                assert value == given_values[rule][name, term]
                continue
            structure = {n: v for (n, t), v in given_terms[rule].items() if t == term and v is not None}
            alike = [
                (weight, given_values[other][key])
                for of_group, other, weight in pairs
                for key in given_values[other]
                if of_group == group
                and key[0] == name
                and {n: v for (n, t), v in given_terms[other].items() if t == key[1] and v is not None} == structure
            ]
            if alike:
                mean = sum(weight * one for weight, one in alike) / sum(weight for weight, _ in alike)
                assert value == pytest.approx(mean, rel=1e-12)
            else:
                assert value == given_values[rule][name, term]
