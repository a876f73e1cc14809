"""Sections whose sites are whatever their patterns match: library charges, charge increments, virtual sites.

These follow openff-toolkit tuple for tuple. A library charge is keyed by its atoms in the order of the tags; of the
charge increments on one set of atoms the last stays, in the order in which it matched; a parent atom carries one
virtual site of each name.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.rules.table import RuleTable
from ffshare.smirks import Classes, Pattern, by_rdkit, matches

Tuple = tuple[int, ...]


def library_charges(
    table: RuleTable, patterns: Sequence[Pattern], batch: GraphBatch, classes: Classes
) -> tuple[IntArray, IntArray]:
    """Tuples that library charges match, and the rule of each.

    Args:
        table: The section.
        patterns: Its patterns.
        batch: The molecules.
        classes: Their classes.

    Returns:
        Atoms in the order of the tags, padded with −1, shape=(n_sites, most tags), and rules, shape=(n_sites,).
    """
    found: dict[Tuple, int] = {}
    for rule, pattern in enumerate(patterns):
        rows = np.unique(matches(pattern, batch, classes)[:, list(pattern.tagged)], axis=0)
        found.update(dict.fromkeys(map(tuple, rows.tolist()), rule))
    return _padded(list(found), list(found.values()), patterns)


def charge_increments(
    table: RuleTable, patterns: Sequence[Pattern], batch: GraphBatch, classes: Classes
) -> tuple[IntArray, IntArray]:
    """Sets of atoms that charge increments match, the rule of each, the atoms in the order of its last match.

    Args and returns as `library_charges`.
    """
    found: dict[frozenset[int], tuple[Tuple, int]] = {}
    for rule, pattern in enumerate(patterns):
        # As openff-toolkit has it, a tuple that matches more than once stands where it first matched.
        for row in dict.fromkeys(_in_rdkit_order(pattern, batch, classes)):
            found[frozenset(row)] = (row, rule)
    rows = [row for row, _ in found.values()]
    return _padded(rows, [rule for _, rule in found.values()], patterns)


def virtual_sites(
    table: RuleTable, patterns: Sequence[Pattern], batch: GraphBatch, classes: Classes
) -> tuple[IntArray, IntArray]:
    """Orientations of virtual sites and the rule of each.

    Of the rules with one name, the last to match a parent atom places its sites there: one, or one for every
    orientation of the tagged atoms where the rule says ``match="all_permutations"``.

    Args and returns as `library_charges`.
    """
    found: dict[tuple[int, str], tuple[int, list[Tuple]]] = {}
    for rule, pattern in enumerate(patterns):
        attributes = table.attributes[rule]
        by_parent: dict[int, list[Tuple]] = {}
        for row in dict.fromkeys(_in_rdkit_order(pattern, batch, classes)):
            by_parent.setdefault(row[0], []).append(row)
        for atom, rows in by_parent.items():
            found[atom, table.names[rule]] = (rule, rows if attributes.get("match") == "all_permutations" else rows[:1])
    sites = [(row, rule) for _, (rule, rows) in sorted(found.items()) for row in rows]
    return _padded([row for row, _ in sites], [rule for _, rule in sites], patterns)


def _in_rdkit_order(pattern: Pattern, batch: GraphBatch, classes: Classes) -> list[Tuple]:
    candidates = matches(pattern, batch, classes)
    if not len(candidates):
        return []
    rows = by_rdkit(pattern, batch, np.unique(batch.atom_molecules[candidates[:, 0]]))
    return list(map(tuple, rows[:, list(pattern.tagged)].tolist()))


def _padded(rows: Sequence[Tuple], rules: Sequence[int], patterns: Sequence[Pattern]) -> tuple[IntArray, IntArray]:
    width = max((len(pattern.tagged) for pattern in patterns), default=1)
    atoms = np.full((len(rows), width), -1, dtype=np.int64)
    for place, row in enumerate(rows):
        atoms[place, : len(row)] = row
    return atoms, np.array(rules, dtype=np.int64)


MatchedSection = Callable[[RuleTable, Sequence[Pattern], GraphBatch, Classes], tuple[IntArray, IntArray]]

MATCHED_SECTIONS: Mapping[str, MatchedSection] = {
    "LibraryCharges": library_charges,
    "ChargeIncrementModel": charge_increments,
    "VirtualSites": virtual_sites,
}
