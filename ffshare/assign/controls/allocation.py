"""How many buckets each stratum of a section gets, and what terms they have.

A table of elements and bond orders is the chemistry that anybody would put in, so as much of it as the number of
parameters allows is put in first: strata stand alone, the commonest first, as long as there is a bucket for each and
one for every wider stratum that *pools* those that do not. Where even the pools would be too many, strata and pools
are taken one level wider. Sharing at random is for the buckets left over. They go where the base tells most rules
apart: the next one always to the stratum with the largest

    number of base rules that win there / (2 · number of its buckets + 1)                    (Webster, Sainte-Laguë)

The buckets of a stratum have the terms of the base rules that win there in turn, the rule with most sites first. Where
the sizes of the rules that win do not make the number asked for, an odd one say, the stratum with most sites gets a
bucket with the terms of another rule.
"""

import heapq
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.controls.refine import Keys
from ffshare.assign.controls.seen import Seen
from ffshare.assign.controls.sizes import Size, rules_in_turn
from ffshare.assign.controls.strata import N_LEVELS
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record


@record
class Wins:
    """Rules with free numbers that win in strata, those of a stratum together, the one with most sites first."""

    strata: IntArray = doc("stratum of each, shape=(n,)")
    rules: IntArray = doc("the rule, shape=(n,)")
    n_sites: IntArray = doc("its sites there, shape=(n,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, strata=np.int64, rules=np.int64, n_sites=np.int64)


@record
class Allocation:
    """The buckets of a section, stratum after stratum."""

    keys: Keys = doc("key of each stratum that has buckets, ascending, shape=(n_strata,)")
    levels: tuple[int, ...] = doc("their levels, the narrowest first")
    names: tuple[str, ...] = doc("these strata in words")
    counts: IntArray = doc("number of buckets of each, shape=(n_strata,)")
    rules: IntArray = doc("base rule that each bucket has its terms from, shape=(n_buckets,)")
    wins: Wins = doc("base rules that win in each stratum")


def allocate(seen: Seen, size: Size) -> Allocation:
    """The buckets of one section.

    Args:
        seen: What is known of the section, one row at least.
        size: What the buckets may cost together.

    Returns:
        Strata and buckets; the costs of the buckets make the total exactly.
    """
    usable = seen.rules >= 0
    usable[usable] = size.costs[seen.rules[usable]] > 0
    commonest = commonest_rule(seen, size)
    foreign = _foreign_rules(seen.rules[usable], size, commonest)
    dealt = replace(size, total=size.total - int(size.costs[foreign].sum()))
    chosen = None if dealt.total == 0 else _strata(seen, usable, dealt, commonest)
    if chosen is not None:
        keys, levels, wins = chosen
        buckets = _dealt(len(keys), wins, dealt, commonest)
        buckets[_largest(wins)].extend(foreign)
    else:  # no rules that win make the total: everything shares, with the terms of any rules
        keys, levels, wins = seen.keys[:1, -1], (N_LEVELS - 1,), _wins(np.zeros_like(seen.rules), seen, usable)
        buckets = [rules_in_turn(size).tolist()]
    return Allocation(
        keys=keys,
        levels=levels,
        names=tuple(seen.names[key] for key in keys.tolist()),
        counts=np.array([len(rules) for rules in buckets], dtype=np.int64),
        rules=np.array([rule for rules in buckets for rule in rules], dtype=np.int64),
        wins=wins,
    )


def commonest_rule(seen: Seen, size: Size) -> int:
    """The rule with free numbers that has most sites, the first of equals; −1 if no rule has free numbers."""
    usable = np.flatnonzero(size.costs > 0)
    known = seen.rules >= 0
    n_sites = np.bincount(seen.rules[known], seen.n_sites[known], minlength=len(size.costs))
    return int(usable[np.argmax(n_sites[usable])]) if len(usable) else -1


def _foreign_rules(winners: IntArray, size: Size, commonest: int) -> list[int]:
    """A rule that wins nowhere, where the costs of those that win do not make the total and a single one helps."""
    reachable = size.reachable(np.append(winners, commonest))
    if reachable[size.total]:
        return []
    costs = np.minimum(size.costs, size.total)
    helpful = np.flatnonzero((size.costs > 0) & (size.costs <= size.total) & reachable[size.total - costs])
    return [int(rule) for rule in helpful[:1]]


def _largest(wins: Wins) -> int:
    """The stratum with most sites, the first of equals."""
    return int(np.argmax(np.bincount(wins.strata, wins.n_sites, minlength=1)))


def _strata(
    seen: Seen, usable: NDArray[np.bool_], size: Size, commonest: int
) -> tuple[Keys, tuple[int, ...], Wins] | None:
    """Strata as narrow as there can be buckets for: keys, levels and the rules that win in them; None if none can."""
    can_rest = size.reachable(np.append(seen.rules[usable], commonest))
    for level in range(N_LEVELS - 1):
        units, numbers = np.unique(seen.keys[:, level], return_inverse=True)
        n_sites = np.bincount(numbers, seen.n_sites)
        ranks = np.empty(len(units), dtype=np.int64)
        ranks[np.lexsort((units, -n_sites))] = np.arange(len(units))
        for n_alone in range(min(len(units), size.total), -1, -1):
            narrow = ranks[numbers] < n_alone
            keys, strata = np.unique(
                np.where(narrow, seen.keys[:, level], seen.keys[:, level + 1]), return_inverse=True
            )
            wins = _wins(strata, seen, usable)
            cost = _first_costs(len(keys), wins, size, commonest).sum()
            if cost <= size.total and can_rest[size.total - cost]:
                return keys, (level, level + 1), wins
    return None


def _wins(strata: IntArray, seen: Seen, usable: NDArray[np.bool_]) -> Wins:
    pairs, numbers = np.unique(np.stack([strata, seen.rules])[:, usable], axis=1, return_inverse=True)
    n_sites = np.bincount(numbers.reshape(-1), seen.n_sites[usable]).astype(np.int64)
    order = np.lexsort((pairs[1], -n_sites, pairs[0]))
    return Wins(strata=pairs[0][order], rules=pairs[1][order], n_sites=n_sites[order])


def _first_costs(n_strata: int, wins: Wins, size: Size, commonest: int) -> IntArray:
    """Cost of the first bucket of each stratum."""
    costs = np.full(n_strata, size.costs[commonest])
    strata, firsts = np.unique(wins.strata, return_index=True)
    costs[strata] = size.costs[wins.rules[firsts]]
    return costs


def _dealt(n_strata: int, wins: Wins, size: Size, commonest: int) -> list[list[int]]:
    """The rules that the buckets of each stratum have their terms from."""
    starts = np.searchsorted(wins.strata, np.arange(n_strata + 1)).tolist()
    turns = [wins.rules[first:last].tolist() or [commonest] for first, last in pairwise(starts)]
    buckets = [[turn[0]] for turn in turns]
    rest = size.total - sum(int(size.costs[rules[0]]) for rules in buckets)
    reachable = size.reachable(np.unique(np.concatenate([np.array(turn) for turn in turns])))
    queue = [(-len(turn) / 3, stratum) for stratum, turn in enumerate(turns)]
    heapq.heapify(queue)
    while rest > 0:
        passed_over = []
        while (rule := _next_rule(turns[queue[0][1]], buckets[queue[0][1]], size, rest, reachable)) is None:
            passed_over.append(heapq.heappop(queue))
        _, stratum = heapq.heappop(queue)
        buckets[stratum].append(rule)
        rest -= int(size.costs[rule])
        queue += [*passed_over, (-len(turns[stratum]) / (2 * len(buckets[stratum]) + 1), stratum)]
        heapq.heapify(queue)
    return buckets


def _next_rule(turn: list[int], bucket: list[int], size: Size, rest: int, reachable: NDArray[np.bool_]) -> int | None:
    """The rule whose turn it is, or the next one that leaves a rest that can be dealt out; None if there is none."""
    for place in range(len(turn)):
        rule = turn[(len(bucket) + place) % len(turn)]
        cost = int(size.costs[rule])
        if cost <= rest and reachable[rest - cost]:
            return rule
    return None
