"""An assignment as ties: which free parameter feeds which site.

Of one section and column there is one free parameter for each (rule, term), in the order of the table, with key
``(section, rule_id, column, term)``, and one site entry for each (site, term), site-major. What divides a value on its way into the
energy is its coefficient: 1/idivf, and a third for each of the three terms of a trefoil improper. Sites without a rule are fixed
at zero, one entry each.
"""

from collections.abc import Mapping

import numpy as np

from ffshare.assign.sites import Sites
from ffshare.errors import SchemeError
from ffshare.molecules.ragged import offsets_of, ranks_in_rows
from ffshare.rules.table import RuleTable
from ffshare.tying import LinearTying

# Columns that idivf divides.
_DIVIDED = ("k",)


def site_tying(section: str, sites: Sites, table: RuleTable, column: str) -> LinearTying:
    """The ties of one column of one section.

    Args:
        section: Name of the section.
        sites: Its sites.
        table: Its rules.
        column: A column of the table.

    Returns:
        Free parameters (rule, term) → site entries (site, term).

    Raises:
        SchemeError: The section has no such column.
    """
    if column not in table.columns:
        raise SchemeError(f"section {section} has no column {column!r}; it has {', '.join(table.columns)}")
    entries = table.columns[column]
    keys = tuple(
        (section, table.ids[rule], column, term)
        for rule, term in zip(entries.rule_idxs.tolist(), entries.terms.tolist(), strict=True)
    )
    terms_of_rule = np.bincount(entries.rule_idxs, minlength=len(table))
    first_of_rule = offsets_of(terms_of_rule)
    assigned = sites.rule_idxs >= 0
    n_terms = np.ones(len(sites), dtype=np.int64)
    n_terms[assigned] = terms_of_rule[sites.rule_idxs[assigned]]
    starts = np.full(len(sites), -1, dtype=np.int64)
    starts[assigned] = first_of_rule[sites.rule_idxs[assigned]]
    free = np.where(np.repeat(assigned, n_terms), np.repeat(starts, n_terms) + ranks_in_rows(n_terms), -1)
    scale = None
    if column in _DIVIDED and "idivf" in table.columns:
        per_parameter = 1.0 / table.columns["idivf"].values
        scale = np.where(free < 0, 0.0, per_parameter[free])
    return LinearTying.index(free, scale, n_free=len(keys), keys=keys)


def joint_tying(sites: Mapping[str, Sites], tables: Mapping[str, RuleTable]) -> LinearTying:
    """The ties of all free columns of all sections side by side, in file order.

    Args:
        sites: Sites by section.
        tables: Rules by section.

    Returns:
        The sum of the banks: its `n_free` is the number of parameters that the scheme defines.
    """
    joint = LinearTying.identity(0)
    for section, table in tables.items():
        for name, column in table.columns.items():
            if column.free:
                joint = joint | site_tying(section, sites[section], table, name)
    return joint
