"""An assignment as ties: which free parameter feeds which site.

Of one section and column there is one free parameter for each (rule, term), in the order of the table, with key
``(section, rule_id, column, term)``, and one site entry for each (site, term), site-major. What divides a barrier on
its way into the energy is its coefficient: 1/idivf, which for an improper is by default the third that each of the
three terms of a trefoil takes. Where ``idivf`` is left to the molecule (NaN in the table) it is (n_j - 1)(n_k - 1),
with n_j and n_k the bonds of the middle atoms j and k. A site that takes only a share of its barrier multiplies by it.

A torsion has as many terms as its rule has periodicities, so that the entries of all columns of a section stand side
by side. Sites without a rule, and terms without a value in the column, are fixed at zero. Of a barrier interpolated
between bond orders, every bond order is a column of its own; where a bond lies between them is not part of the tie.

Reference: SMIRNOFF specification 0.3, sections ProperTorsions and ImproperTorsions.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.sites import Sites
from ffshare.errors import SchemeError
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray, ranks_in_rows
from ffshare.rules.rule_ids import distinct_ids
from ffshare.rules.table import Column, RuleTable
from ffshare.tying import LinearTying


def site_tying(batch: GraphBatch, sites: Sites, table: RuleTable, column: str) -> LinearTying:
    """The ties of one column of one section.

    Args:
        batch: The molecules.
        sites: Sites of the section.
        table: Its rules.
        column: A column of the table, free or not.

    Returns:
        Free parameters (rule, term) → site entries (site, term).

    Raises:
        SchemeError: The section has no such column.
    """
    if column not in table.columns:
        known = ", ".join(table.columns) or "none"
        raise SchemeError(f"section {table.section} has no column {column!r}; columns it has: {known}")
    values = _entries(table, column)
    n_terms = _n_terms(values, _entries(table, "periodicity"))[sites.rule_idxs]
    rules, terms = np.repeat(sites.rule_idxs, n_terms), ranks_in_rows(n_terms)
    scale = None
    # 'k', and 'k_bondorder1', 'k_bondorder2', … of a barrier that is interpolated.
    if column.partition("_")[0] == "k" and "idivf" in table.columns:
        scale = 1.0 / _divisors(batch, np.repeat(sites.atom_idxs, n_terms, axis=0), table, rules, terms)
        scale *= 1.0 if sites.weights is None else np.repeat(sites.weights, n_terms)
    return LinearTying.index(_at(values, rules, terms), scale, keys=_keys(table, table.columns[column]))


def joint_tying(batch: GraphBatch, sites: Mapping[str, Sites], tables: Iterable[RuleTable]) -> LinearTying:
    """The ties of all free columns of some sections side by side.

    Args:
        batch: The molecules.
        sites: Sites by section.
        tables: Rules of the sections.

    Returns:
        The sum of the banks: its `n_free` is the number of parameters that the sections define.
    """
    joint = LinearTying.identity(0)
    for table in tables:
        for name, column in table.columns.items():
            if column.free:
                joint = joint | site_tying(batch, sites[table.section], table, name)
    return joint


def _entries(table: RuleTable, column: str) -> IntArray:
    """Entry of each (rule, term) in a column, −1 where it has none; the last row stands for no rule."""
    if column not in table.columns:
        return np.full((len(table) + 1, 1), -1)
    found = table.columns[column]
    entries = np.full((len(table) + 1, int(found.terms.max(initial=0)) + 1), -1)
    entries[found.rule_idxs, found.terms] = np.arange(len(found.values))
    return entries


def _n_terms(*columns: IntArray) -> IntArray:
    """Number of terms of each rule, that of the column with most and at least one, shape=(n_rules + 1,)."""
    n_terms = np.ones(len(columns[0]), dtype=np.int64)
    for entries in columns:
        np.maximum(n_terms, ((entries >= 0) * np.arange(1, entries.shape[1] + 1)).max(axis=1), out=n_terms)
    return n_terms


def _at(entries: IntArray, rules: IntArray, terms: IntArray) -> IntArray:
    """Entry of each (rule, term), −1 where there is none."""
    within = terms < entries.shape[1]
    found: IntArray = np.where(within, entries[rules, np.where(within, terms, 0)], -1)
    return found


def _divisors(
    batch: GraphBatch, atoms: IntArray, table: RuleTable, rules: IntArray, terms: IntArray
) -> NDArray[np.float64]:
    """What divides the barrier of each term of each site."""
    entries = _at(_entries(table, "idivf"), rules, terms)
    divisors = np.where(entries < 0, 1.0, table.columns["idivf"].values[entries])
    left = np.flatnonzero(np.isnan(divisors))
    divisors[left] = np.prod(batch.degrees[atoms[left, 1:3]] - 1, axis=1)
    return divisors


def _keys(table: RuleTable, column: Column) -> tuple[tuple[str, str, str, int], ...]:
    ids = distinct_ids(table.ids)
    return tuple(
        (table.section, ids[rule], column.name, term)
        for rule, term in zip(column.rule_idxs.tolist(), column.terms.tolist(), strict=True)
    )
