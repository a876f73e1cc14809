"""Schemes to make controls from: real ones, and one that lists impropers as AMBER does."""

from dataclasses import replace

import numpy as np

from tests.assign.samples import scheme_of

OPENFF = "openff-2.2.1"


class AmberLike:
    """A scheme whose impropers have their centre third, three to a centre, each with a third of the barrier."""

    name = "amber-like"

    def __init__(self):
        self.under = scheme_of(OPENFF)

    @property
    def tables(self):
        return self.under.tables

    @property
    def checksums(self):
        return self.under.checksums

    def assign(self, batch):
        given = self.under.assign(batch)
        one = given.sites["ImproperTorsions"]
        first, centre, second, third = one.atom_idxs.T
        ways = [(first, second, centre, third), (first, third, centre, second), (second, third, centre, first)]
        rows = np.stack([np.stack(way, axis=1) for way in ways], axis=1).reshape(-1, 4)
        many = replace(
            one,
            atom_idxs=rows,
            molecule_idxs=np.repeat(one.molecule_idxs, 3),
            rule_idxs=np.repeat(one.rule_idxs, 3),
            weights=np.full(len(rows), 1 / 3),
        )
        return replace(given, scheme=self.name, sites={**given.sites, "ImproperTorsions": many})


def ids_of(assignment, section):
    """The rule id of each site, None without one."""
    ids = assignment.tables[section].ids
    return [ids[rule] if rule >= 0 else None for rule in assignment.sites[section].rule_idxs.tolist()]


def terms(table):
    """The fixed values of each rule by column and term: its structure."""
    found = [{} for _ in range(len(table))]
    for name, column in table.columns.items():
        for rule, term, value in zip(column.rule_idxs, column.terms, column.values, strict=True):
            found[rule][name, int(term)] = None if column.free else float(value)
    return found
