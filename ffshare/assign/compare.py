"""Where two schemes differ on the same molecules: terms that get another pattern, or the same pattern with other values."""

from collections.abc import Mapping

import numpy as np

from ffshare.assign.assignment import Assignment
from ffshare.records import doc, record
from ffshare.rules.table import RuleTable

Values = tuple[tuple[str, tuple[float, ...]], ...]


@record
class TermDifference:
    """A term that two schemes parameterize differently."""

    molecule_idx: int = doc("molecule of the batch")
    section: str = doc("section of the term")
    atoms: tuple[int, ...] = doc("atoms of the term, 0-based within the molecule")
    old_rule: str | None = doc("id of the old rule, None where none matched")
    new_rule: str | None = doc("id of the new rule, None where none matches")
    old_pattern: str | None = doc("SMIRKS of the old rule")
    new_pattern: str | None = doc("SMIRKS of the new rule")
    what: str = doc("'pattern', 'value' or 'pattern and value': what is another one")


def term_differences(old: Assignment, new: Assignment) -> tuple[TermDifference, ...]:
    """The terms of the same molecules that get another pattern or another value.

    Rules are compared by pattern and values, not by id, since ids are renumbered between releases.

    Args:
        old: Assignment of a batch by one scheme.
        new: Assignment of the same batch by another.

    Returns:
        The differences, by section, then molecule, then atoms.
    """
    found: list[TermDifference] = []
    for section in dict.fromkeys([*old.sites, *new.sites]):
        old_rules, new_rules = _rule_of_term(old, section), _rule_of_term(new, section)
        old_values, new_values = _values_of_rules(old.tables.get(section)), _values_of_rules(new.tables.get(section))
        for term in sorted(old_rules.keys() | new_rules.keys()):
            before, after = old_rules.get(term, -1), new_rules.get(term, -1)
            pattern = _pattern(old, section, before), _pattern(new, section, after)
            changed = [
                name
                for name, differs in (
                    ("pattern", pattern[0] != pattern[1]),
                    ("value", old_values.get(before) != new_values.get(after)),
                )
                if differs
            ]
            if changed:
                molecule, *atoms = term
                found.append(
                    TermDifference(
                        molecule_idx=molecule,
                        section=section,
                        atoms=tuple(atoms),
                        old_rule=old.tables[section].ids[before] if before >= 0 else None,
                        new_rule=new.tables[section].ids[after] if after >= 0 else None,
                        old_pattern=pattern[0],
                        new_pattern=pattern[1],
                        what=" and ".join(changed),
                    )
                )
    return tuple(found)


def _rule_of_term(assignment: Assignment, section: str) -> dict[tuple[int, ...], int]:
    if section not in assignment.sites:
        return {}
    sites = assignment.sites[section]
    local = np.where(sites.atom_idxs < 0, -1, assignment.batch.local_idxs(sites.atom_idxs))
    rows = np.concatenate([sites.molecule_idxs[:, None], local], axis=1).tolist()
    terms = (tuple(value for value in row if value >= 0) for row in rows)
    return dict(zip(terms, sites.rule_idxs.tolist(), strict=True))


def _pattern(assignment: Assignment, section: str, rule: int) -> str | None:
    return assignment.tables[section].patterns[rule] if rule >= 0 else None


def _values_of_rules(table: RuleTable | None) -> Mapping[int, Values]:
    """All values of each rule, by column name, to compare rules of different files."""
    if table is None:
        return {}
    return {
        rule: tuple(
            (name, tuple(np.round(column.values[column.rule_idxs == rule], 10).tolist()))
            for name, column in sorted(table.columns.items())
        )
        for rule in range(len(table))
    }
