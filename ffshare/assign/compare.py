"""Where two schemes differ on the same molecules: terms with another pattern, or the same one with other values.

Terms of both are listed together and sorted, so that equal ones stand side by side. What differs is then asked once
for each pair of an old and a new rule that some term has, and not for each term.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.assignment import Assignment
from ffshare.assign.sites import Sites
from ffshare.errors import SchemeError
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record
from ffshare.rules.table import RuleTable

# Values that came out of other units are equal to this relative accuracy.
_SAME_VALUE = 1e-9


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

    Rules are compared by pattern and values, not by id, since ids are renumbered between releases. A term that only one
    of the two has differs in both.

    Args:
        old: Assignment of a batch by one scheme.
        new: Assignment of the same batch by another.

    Returns:
        The differences, by section, then molecule, then atoms.

    Raises:
        SchemeError: The assignments are of different molecules.

    Example:
        >>> import ffshare
        >>> ethanol = ffshare.from_smiles("CCO")
        >>> old, new = (ffshare.load_scheme(name).assign(ethanol) for name in ("openff-2.2.1", "openff-2.3.0"))
        >>> one = term_differences(old, new)[0]
        >>> one.section, one.atoms, one.old_rule, one.new_rule, one.what
        ('Bonds', (0, 1), 'b1', 'b1', 'value')
    """
    if not all(
        np.array_equal(getattr(old.batch, name), getattr(new.batch, name))
        for name in ("atom_offsets", "elements", "targets")
    ):
        raise SchemeError(
            f"{old.scheme} and {new.scheme} were assigned to different molecules; assign both to the same batch"
        )
    sections = dict.fromkeys([*old.sites, *new.sites])
    return tuple(one for section in sections for one in _of_section(section, old, new))


def _of_section(section: str, old: Assignment, new: Assignment) -> list[TermDifference]:
    (old_sites, old_table), (new_sites, new_table) = _part(old, section), _part(new, section)
    terms, term_of_site = _distinct_rows(_keys((old_sites, old_table), (new_sites, new_table)))
    rules = np.full((len(terms), 2), -1, dtype=np.int64)
    rules[term_of_site[: len(old_sites)], 0] = old_sites.rule_idxs
    rules[term_of_site[len(old_sites) :], 1] = new_sites.rule_idxs
    pairs, pair_of_term = _distinct_rows(rules)
    changes = [_change(old_table, before, new_table, after) for before, after in pairs.tolist()]
    changed = np.flatnonzero(np.array([change is not None for change in changes], dtype=bool)[pair_of_term])
    atoms = terms[changed, :-1]
    molecules = old.batch.atom_molecules[atoms[:, 0]]
    local = np.where(atoms < 0, -1, atoms - old.batch.atom_offsets[molecules][:, None])
    places = zip(molecules.tolist(), local.tolist(), pair_of_term[changed].tolist(), strict=True)
    return [
        TermDifference(
            molecule_idx=molecule, section=section, atoms=tuple(atom for atom in row if atom >= 0), **changes[pair]
        )
        for molecule, row, pair in places
    ]


def _part(assignment: Assignment, section: str) -> tuple[Sites, RuleTable]:
    """Sites and rules of a section, none where the assignment has no such section."""
    if section in assignment.sites:
        return assignment.sites[section], assignment.tables[section]
    none = np.zeros(0, dtype=np.int64)
    table = RuleTable(
        section=section, ids=(), patterns=(), columns={}, lines=(), sources=(), attributes=(), settings={}
    )
    return Sites(atom_idxs=none.reshape(0, 1), molecule_idxs=none, rule_idxs=none), table


def _keys(*parts: tuple[Sites, RuleTable]) -> IntArray:
    """What tells the terms of a section apart: their atoms, padded with −1, and of virtual sites the name."""
    width = max(sites.atom_idxs.shape[1] for sites, _ in parts)
    numbers = {"": 0}
    rows = [np.zeros((0, width + 1), dtype=np.int64)]
    for sites, table in parts:
        names = table.names if table.section == "VirtualSites" else ("",) * len(table)
        # The last one is for sites without a rule.
        name_of_rule = np.array([numbers.setdefault(name, len(numbers)) for name in (*names, "")])
        padding = ((0, 0), (0, width - sites.atom_idxs.shape[1]))
        atoms = np.pad(sites.atom_idxs, padding, constant_values=-1)
        rows.append(np.column_stack([atoms, name_of_rule[sites.rule_idxs]]))
    return np.concatenate(rows)


def _distinct_rows(rows: IntArray) -> tuple[IntArray, IntArray]:
    """The distinct rows, sorted, and the place of every row among them."""
    # numpy.unique does the same, slowly.
    order = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    is_first = np.ones(len(rows), dtype=bool)
    is_first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    places = np.empty(len(rows), dtype=np.int64)
    places[order] = np.cumsum(is_first) - 1
    return ordered[is_first], places


def _change(old: RuleTable, before: int, new: RuleTable, after: int) -> dict[str, Any] | None:
    """What a difference says about an old and a new rule (−1: none); None where they are the same."""
    patterns = _at(old.patterns, before), _at(new.patterns, after)
    values = _values(old, before), _values(new, after)
    same_values = (
        (before < 0) == (after < 0)
        and values[0].keys() == values[1].keys()
        and all(_equal(values[0][name], values[1][name]) for name in values[0])
    )
    what = [name for name, same in (("pattern", patterns[0] == patterns[1]), ("value", same_values)) if not same]
    if not what:
        return None
    return {
        "old_rule": _at(old.ids, before),
        "new_rule": _at(new.ids, after),
        "old_pattern": patterns[0],
        "new_pattern": patterns[1],
        "what": " and ".join(what),
    }


def _equal(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    return len(first) == len(second) and np.allclose(first, second, rtol=_SAME_VALUE, atol=0.0, equal_nan=True)


def _at(texts: tuple[str, ...], rule: int) -> str | None:
    return texts[rule] if rule >= 0 else None


def _values(table: RuleTable, rule: int) -> dict[str, NDArray[np.float64]]:
    """The values that a rule holds, by column."""
    found = {name: column.values[column.rule_idxs == rule] for name, column in table.columns.items()}
    return {name: values for name, values in found.items() if len(values)}
