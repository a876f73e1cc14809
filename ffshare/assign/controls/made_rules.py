"""Rules made from the rules of another table: the same terms, with values kept or averaged.

What a fit cannot move (periodicity, phase, idivf) is the structure of a term. Averages are taken over terms of one
structure; bonds, angles and vdW rules have none, so all of theirs are alike.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ffshare.molecules.ragged import IntArray, offsets_of, ranks_in_rows
from ffshare.records import doc, freeze_arrays, record
from ffshare.rules.append import rows_of
from ffshare.rules.table import STARTING_VALUES, Column, RuleTable

FloatArray = NDArray[np.float64]


@record
class Averages:
    """Whose values made rules average: groups of made rules, and the rules of the table that each group takes."""

    made_groups: IntArray = doc("group of each made rule, shape=(n_made,)")
    groups: IntArray = doc("group that takes from a rule, shape=(n_pairs,)")
    rules: IntArray = doc("the rule it takes from, shape=(n_pairs,)")
    weights: FloatArray = doc("weight of that rule in the mean, > 0, shape=(n_pairs,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, made_groups=np.int64, groups=np.int64, rules=np.int64, weights=np.float64)


def made_rules(
    table: RuleTable,
    rules: IntArray,
    ids: Sequence[str],
    patterns: Sequence[str],
    averages: Averages | None = None,
) -> RuleTable:
    """Rules with the terms of some rules of a table.

    Args:
        table: The table.
        rules: The rule that each new one has its terms from, the same perhaps several times, shape=(n_made,).
        ids: Ids of the new rules.
        patterns: Their patterns.
        averages: Whose values to average in the free columns. By default, and where a group takes from no term of the
            same structure, values are those of the rule that the terms are from.

    Returns:
        A table of n_made rules. The attribute ``terms_of`` of each names the rule that it has its terms from.
    """
    attributes = [{"terms_of": rule_id} for rule_id in table.ids]
    return replace(
        rows_of(table, np.zeros(0, dtype=np.int64)),
        ids=tuple(ids),
        patterns=tuple(patterns),
        columns={name: _made_column(table, column, rules, averages) for name, column in table.columns.items()},
        settings={**table.settings, "values": STARTING_VALUES},
        lines=(0,) * len(ids),
        sources=("",) * len(ids),
        attributes=tuple(attributes[rule] for rule in rules.tolist()),
        names=("",) * len(ids),
    )


def _made_column(table: RuleTable, column: Column, rules: IntArray, averages: Averages | None) -> Column:
    entries, made = _entries_of(column, rules, len(table))
    values = column.values[entries]
    if averages is not None and column.free:
        structures = _structures(table, column)
        means = _means(column, structures, averages, len(table))
        found = means[averages.made_groups[made], structures[entries]]
        values = np.where(np.isnan(found), values, found)
    return replace(column, values=values, rule_idxs=made, terms=column.terms[entries])


def _entries_of(column: Column, rules: IntArray, n_rules: int) -> tuple[IntArray, IntArray]:
    """The entries of some rules in a column, rule after rule, and the place of the rule that each belongs to."""
    order = np.lexsort((column.terms, column.rule_idxs))
    counts = np.bincount(column.rule_idxs, minlength=n_rules)
    lengths = counts[rules]
    entries = order[np.repeat(offsets_of(counts)[rules], lengths) + ranks_in_rows(lengths)]
    return entries, np.repeat(np.arange(len(rules)), lengths)


def _structures(table: RuleTable, column: Column) -> IntArray:
    """Number of the structure of each entry of a column: entries with the same fixed values have the same one."""
    fixed = [other for other in table.columns.values() if not other.free]
    width = 1 + max((int(other.terms.max(initial=0)) for other in table.columns.values()), default=0)
    rows = np.zeros((len(fixed), len(column.values)))
    for row, other in zip(rows, fixed, strict=True):
        # Infinite where there is no value; NaN, an idivf left to the molecule, must equal itself.
        at = np.full((len(table), width), np.inf)
        at[other.rule_idxs, other.terms] = np.nan_to_num(other.values, nan=-np.inf)
        row[:] = at[column.rule_idxs, column.terms]
    found: IntArray = np.unique(rows, axis=1, return_inverse=True)[1].reshape(-1)
    return found


def _means(column: Column, structures: IntArray, averages: Averages, n_rules: int) -> FloatArray:
    """Mean value of the terms of each structure that a group takes from, NaN where it takes none."""
    entries, pairs = _entries_of(column, averages.rules, n_rules)
    n_groups = 1 + max(int(averages.made_groups.max(initial=-1)), int(averages.groups.max(initial=-1)))
    shape = n_groups, 1 + int(structures.max(initial=-1))
    cells = averages.groups[pairs] * shape[1] + structures[entries]
    n_cells = shape[0] * shape[1]
    weights = np.bincount(cells, averages.weights[pairs], minlength=n_cells)
    sums = np.bincount(cells, averages.weights[pairs] * column.values[entries], minlength=n_cells)
    found: FloatArray = np.full(n_cells, np.nan)
    np.divide(sums, weights, out=found, where=weights > 0)
    return found.reshape(shape)
