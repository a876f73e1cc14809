"""A number of parameters is made exactly of whole rules, or refused with the numbers that can be had."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ffshare.assign.controls.orient import SECTIONS
from ffshare.assign.controls.sizes import Size, rules_in_turn, sizes_of
from ffshare.assign.count import parameters_of_rules
from ffshare.errors import SchemeError
from tests.assign.samples import scheme_of


def size(total, *costs):
    return Size(section="ProperTorsions", total=total, costs=np.array(costs))


def makes(total, costs):
    """Whether costs, each taken any number of times, make a total: by trying."""
    usable = sorted({cost for cost in costs if cost})
    return any(
        sum(cost * times for cost, times in zip(usable, counts, strict=True)) == total
        for counts in product(range(total + 1), repeat=len(usable))
    )


@given(costs=st.lists(st.integers(0, 4), min_size=1, max_size=3), total=st.integers(0, 12))
def test_what_can_be_reached_is_what_sums_make(costs, total):
    found = size(total, *costs).reachable(np.flatnonzero(costs))
    assert found.tolist() == [makes(part, costs) for part in range(total + 1)]


@given(costs=st.lists(st.integers(0, 5), min_size=1, max_size=5), total=st.integers(1, 60))
def test_rules_in_turn_make_the_total_exactly(costs, total):
    wanted = size(total, *costs)
    assume(wanted.reachable(np.flatnonzero(costs))[total])
    assert sum(costs[rule] for rule in rules_in_turn(wanted)) == total


@given(costs=st.lists(st.integers(1, 4), min_size=1, max_size=8), times=st.integers(1, 3))
def test_as_many_parameters_as_all_rules_have_take_each_rule_in_order(costs, times):
    rules = rules_in_turn(size(times * sum(costs), *costs))
    assert rules.tolist() == times * list(range(len(costs)))


def test_the_default_is_what_the_scheme_defines():
    tables = {section: scheme_of("openff-2.3.0").tables[section] for section in SECTIONS}
    for section, found in sizes_of("openff-2.3.0", tables, None, None).items():
        assert found.total == parameters_of_rules(tables[section]).sum()
        assert rules_in_turn(found).tolist() == list(range(len(tables[section])))


def test_rules_are_counted_where_rules_are_asked_for():
    tables = {section: scheme_of("openff-2.2.1").tables[section] for section in SECTIONS}
    found = sizes_of("openff-2.2.1", tables, {"Bonds": 10}, {"ProperTorsions": 7})
    assert len(rules_in_turn(found["Bonds"])) == 5
    assert rules_in_turn(found["ProperTorsions"]).tolist() == list(range(7))


@pytest.mark.parametrize(
    ("n_parameters", "n_rules", "message"),
    [
        ({"Bonds": 121}, None, r"121 parameters cannot be had in Bonds: .* have 2 each; ask for 120 or 122"),
        ({"Bonds": 1}, None, r"1 parameters cannot be had in Bonds: .* have 2 each; ask for 2"),
        ({"Bonds": 0}, None, r"0 cannot be had in Bonds of openff-2\.2\.1: it must be at least one"),
        ({"Bond": 2}, None, r"openff-2\.2\.1 has no section Bond to share at random; sections: Bonds, Angles"),
        (None, {"Charges": 2}, r"openff-2\.2\.1 has no section Charges to share at random"),
        ({"Bonds": 2}, {"Bonds": 1}, r"both rules and parameters are asked for in Bonds; ask for one of them"),
    ],
)
def test_numbers_that_cannot_be_had_are_refused(n_parameters, n_rules, message):
    tables = {section: scheme_of("openff-2.2.1").tables[section] for section in SECTIONS}
    with pytest.raises(SchemeError, match=message):
        sizes_of("openff-2.2.1", tables, n_parameters, n_rules)
