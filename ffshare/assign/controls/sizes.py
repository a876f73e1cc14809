"""How many rules, or how many parameters, a control gives to each section.

A rule is taken whole, so a number of parameters must be a sum of the sizes of rules: an even one for bonds, any for
torsions that have rules of one term.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.count import parameters_of_rules
from ffshare.errors import SchemeError
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record
from ffshare.rules.table import RuleTable


@record
class Size:
    """What the rules of one section may cost together, and what each rule that terms are taken from costs."""

    section: str = doc("the section")
    total: int = doc("sum of the costs of the rules to make")
    costs: IntArray = doc("cost of a rule with the terms of each rule of the table: its parameters, or 1, shape=(n,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, costs=np.int64)

    def reachable(self, rules: IntArray) -> NDArray[np.bool_]:
        """Which totals can be made of any number of rules with the terms of some rules, shape=(total + 1,)."""
        found = np.zeros(self.total + 1, dtype=bool)
        found[0] = True
        for cost in np.unique(self.costs[rules]).tolist():
            for first in range(min(cost, self.total + 1)):
                found[first::cost] = np.logical_or.accumulate(found[first::cost])
        return found


def sizes_of(
    scheme: str,
    tables: Mapping[str, RuleTable],
    n_parameters: Mapping[str, int] | None,
    n_rules: Mapping[str, int] | None,
) -> dict[str, Size]:
    """The size of each section of a control.

    Args:
        scheme: Name of the scheme whose numbers it has, for messages.
        tables: The sections of that scheme.
        n_parameters: Parameters asked for, by section.
        n_rules: Rules asked for, by section, where it is rules that are counted.

    Returns:
        Sizes of all sections, by default as many parameters as the scheme defines.

    Raises:
        SchemeError: No rule has that many parameters, or there is no such section.
    """
    asked = {**(n_parameters or {}), **(n_rules or {})}
    unknown = [section for section in asked if section not in tables]
    if unknown:
        raise SchemeError(
            f"{scheme} has no section {', '.join(unknown)} to share at random; sections: {', '.join(tables)}"
        )
    twice = sorted(set(n_parameters or ()) & set(n_rules or ()))
    if twice:
        raise SchemeError(f"both rules and parameters are asked for in {', '.join(twice)}; ask for one of them")
    sizes = {}
    for section, table in tables.items():
        parameters = parameters_of_rules(table)
        costs = np.minimum(parameters, 1) if section in (n_rules or {}) else parameters
        sizes[section] = Size(section=section, total=asked.get(section, int(parameters.sum())), costs=costs)
        if section in asked:
            _check(sizes[section], scheme)
    return sizes


def rules_in_turn(size: Size) -> IntArray:
    """Rules to take terms from, in file order and again from the first, until their costs make the total.

    A rule that would leave a rest that no rules make is passed over.

    Args:
        size: Size of the section; a total that can be reached.

    Returns:
        Rules, shape=(n_rules,).

    Example:
        >>> rules_in_turn(Size(section="ProperTorsions", total=7, costs=np.array([1, 3])))
        array([0, 1, 0, 0, 0])
    """
    usable = np.flatnonzero(size.costs > 0)
    reachable = size.reachable(usable)
    costs, rest, taken, turn = size.costs[usable].tolist(), size.total, [], 0
    while rest > 0:
        if costs[turn] <= rest and reachable[rest - costs[turn]]:
            rest -= costs[turn]
            taken.append(turn)
        turn = (turn + 1) % len(costs)
    return usable[np.array(taken, dtype=np.int64)]


def _check(size: Size, scheme: str) -> None:
    usable = np.flatnonzero(size.costs > 0)
    if size.total < 1 or not len(usable):
        what = "has no free numbers there" if not len(usable) else "it must be at least one"
        raise SchemeError(f"{size.total} cannot be had in {size.section} of {scheme}: {what}")
    if not size.reachable(usable)[size.total]:
        largest = int(size.costs.max())
        wider = Size(section=size.section, total=size.total + largest, costs=size.costs)
        possible = np.flatnonzero(wider.reachable(usable))
        below, above = possible[possible < size.total].max(), possible[possible > size.total].min()
        raise SchemeError(
            f"{size.total} parameters cannot be had in {size.section}: the rules of {scheme} have "
            f"{', '.join(map(str, np.unique(size.costs[usable])))} each; ask for {below or above} or {above}"
        )
