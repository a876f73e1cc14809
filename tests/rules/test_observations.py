import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ffshare.rules.observations import Observations, merged, rule_use

matches = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=30)


def use_of(pairs):
    sites, rules = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return rule_use(sites, rules)


def table(use):
    return dict(zip(zip(use.rules.tolist(), use.winners.tolist(), strict=True), use.n_sites.tolist(), strict=True))


@given(matches)
def test_the_last_rule_of_a_site_wins_it_and_takes_it_from_the_others(pairs):
    use = use_of(pairs)
    for rule in range(5):
        sites = {site for site, other in pairs if other == rule}
        winners = [max(other for site, other in pairs if site == one) for one in sites]
        assert use.matched(rule) == len(sites)
        assert use.won(rule) == winners.count(rule)
        takers = use.takers(rule)
        assert takers == {winner: winners.count(winner) for winner in winners if winner != rule}
        assert list(takers.values()) == sorted(takers.values(), reverse=True)


@given(matches, matches)
def test_merged_observations_are_those_of_both_batches_at_once(first, second):
    parts = [
        Observations(molecules="a.smi", n_molecules=3, uses={"Bonds": use_of(first)}),
        Observations(molecules="b.smi", n_molecules=4, uses={"Bonds": use_of(second), "Angles": use_of(first)}),
    ]
    whole = merged(parts)
    assert (whole.molecules, whole.n_molecules) == ("a.smi", 7)
    together = use_of([*first, *((site + 100, rule) for site, rule in second)])
    assert table(whole.uses["Bonds"]) == table(together)
    assert table(whole.uses["Angles"]) == table(use_of(first))
