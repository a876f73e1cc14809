"""Strata are as narrow as the number of buckets allows, and buckets go where the base tells rules apart."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.assign.controls.allocation import allocate
from ffshare.assign.controls.seen import Seen
from ffshare.assign.controls.sizes import Size

WIDEST = 9999


def seen(*rows):
    """What was seen, from (narrow stratum, wide stratum, rule, sites); the two widest levels hold everything."""
    keys = [(narrow, 1000 + wide, 5000, WIDEST) for narrow, wide, _, _ in rows]
    names = {key: f"s{key}" for row in keys for key in row}
    return Seen(
        keys=np.array(keys, dtype=np.uint64),
        rules=np.array([row[2] for row in rows]),
        n_sites=np.array([row[3] for row in rows]),
        names=names,
    )


def size(total, costs):
    return Size(section="ProperTorsions", total=total, costs=np.array(costs))


def counts(found):
    return dict(zip(found.keys.tolist(), found.counts.tolist(), strict=True))


def test_every_stratum_has_a_bucket_and_the_others_go_where_rules_are_told_apart():
    rows = [(1, 0, 0, 50), (1, 0, 1, 40), (1, 0, 2, 30), (2, 0, 3, 20), (3, 0, 3, 10), (3, 0, 4, 5)]
    found = allocate(seen(*rows), size(9, [1] * 5))
    assert counts(found) == {1: 5, 2: 1, 3: 3}
    buckets = np.split(found.rules, np.cumsum(found.counts)[:-1])
    assert [rules.tolist() for rules in buckets] == [[0, 1, 2, 0, 1], [3], [3, 4, 3]]
    assert found.levels == (0, 1)


def test_as_many_buckets_as_rules_win_give_each_stratum_its_own_number():
    rows = [(stratum, 0, rule, 1) for rule, stratum in enumerate([1, 1, 1, 2, 3, 3, 3, 3, 4])]
    assert counts(allocate(seen(*rows), size(9, [1] * 9))) == {1: 3, 2: 1, 3: 4, 4: 1}


def test_with_too_few_buckets_the_rarest_strata_are_pooled_in_their_wider_ones():
    rows = [(1, 0, 0, 50), (2, 0, 1, 40), (3, 0, 2, 3), (4, 1, 3, 2), (5, 1, 4, 1)]
    assert counts(allocate(seen(*rows), size(4, [1] * 5))) == {1: 1, 2: 1, 3: 1, 1001: 1}
    assert counts(allocate(seen(*rows), size(3, [1] * 5))) == {1: 1, 1000: 1, 1001: 1}
    assert counts(allocate(seen(*rows), size(2, [1] * 5))) == {1000: 1, 1001: 1}
    one = allocate(seen(*rows), size(1, [1] * 5))
    assert (counts(one), one.rules.tolist(), one.levels) == ({5000: 1}, [0], (1, 2))


def test_a_total_that_the_winners_do_not_make_takes_one_rule_that_wins_nowhere():
    found = allocate(seen((1, 0, 0, 9), (2, 0, 1, 5)), size(7, [2, 2, 1]))
    assert Counter(found.rules.tolist())[2] == 1
    assert counts(found) == {1: 3, 2: 1} or counts(found) == {1: 2, 2: 2}


def test_a_total_that_no_bucket_for_winners_fits_in_is_shared_by_everything():
    found = allocate(seen((1, 0, 0, 9), (2, 0, 0, 5)), size(2, [3, 1]))
    assert (counts(found), found.rules.tolist(), found.levels) == ({WIDEST: 2}, [1, 1], (3,))


def test_where_nothing_was_seen_everything_shares_with_the_terms_of_the_first_rule():
    found = allocate(seen((WIDEST, WIDEST - 1000, -1, 0)), size(3, [0, 1, 2]))
    assert set(found.rules.tolist()) <= {1, 2}
    assert found.counts.sum() == len(found.rules)
    nothing = allocate(seen((WIDEST, WIDEST - 1000, -1, 0)), size(0, [0, 0]))
    assert nothing.counts.tolist() == [0]


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 7), st.integers(-1, 5), st.integers(1, 30)),
        min_size=1,
        max_size=15,
        unique_by=lambda row: row[:2],
    ),
    costs=st.lists(st.integers(0, 3), min_size=6, max_size=6),
    total=st.integers(1, 40),
)
def test_costs_make_the_total_and_every_stratum_has_a_bucket(rows, costs, total):
    wanted = size(total, costs)
    usable = np.flatnonzero(wanted.costs)
    if not len(usable) or not wanted.reachable(usable)[total]:
        return
    given_rows = seen(*((narrow, narrow // 3, rule, sites) for narrow, rule, sites in rows))
    found = allocate(given_rows, wanted)
    assert wanted.costs[found.rules].sum() == total
    assert found.counts.min() >= 1
    assert found.counts.sum() == len(found.rules)
    covered = [np.isin(row, found.keys).any() for row in given_rows.keys]
    assert all(covered)
    assert (np.diff(found.keys.astype(object)) > 0).all()


@pytest.mark.parametrize("n_rules", [5, 9, 14, 30])
def test_no_narrow_stratum_stands_alone_while_a_commoner_one_does_not(n_rules):
    rng = np.random.default_rng(n_rules)
    sites = rng.permutation(np.arange(1, 25)).tolist()
    rows = [(stratum, stratum % 4, stratum % 7, count) for stratum, count in enumerate(sites)]
    found = allocate(seen(*rows), size(n_rules, [1] * 7))
    alone = [count for stratum, count in enumerate(sites) if stratum in found.keys.tolist()]
    pooled = [count for stratum, count in enumerate(sites) if stratum not in found.keys.tolist()]
    assert found.counts.sum() == n_rules
    assert min(alone, default=99) > max(pooled, default=0)
