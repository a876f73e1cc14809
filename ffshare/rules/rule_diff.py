"""Which rules differ between two force fields.

Rules are the same if their SMIRKS is: ids are renumbered between releases. Virtual sites that share a SMIRKS are told
apart by their names. Of rules that repeat a SMIRKS only the last counts, as it wins every site.

The order of rules decides which of them wins. The rules that moved are the fewest that have to be taken out so that the
rest stand in the same order in both files.
"""

import bisect
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ffshare.records import doc, freeze_arrays, record
from ffshare.rules.sections import value_key
from ffshare.rules.table import ForceField, RuleTable

# Numbers that came from other units may differ in their last digits.
_SAME = 1e-12
# Attributes that say which rule it is, not what it does.
_IDENTITY = ("id", "parent_id", "smirks", "name")


@record
class ValueChange:
    """One number of a rule that is another one, came or went."""

    column: str = doc("attribute without its index: k, length, …")
    term: int = doc("term within the rule, from 0")
    unit: str = doc("unit of both values; '' for pure numbers")
    old: float | None = doc("value in the old file [unit]; NaN where the molecule decides; None where it has none")
    new: float | None = doc("value in the new file [unit], likewise")


@record
class TextChange:
    """One attribute without a number in it, or setting of a section, that is another one, came or went."""

    name: str = doc("name of the attribute")
    old: str | None = doc("text in the old file, None where it has none")
    new: str | None = doc("text in the new file, likewise")


@record
class RuleChange:
    """A rule of both files that is not quite the same."""

    pattern: str = doc("its SMIRKS")
    old_idx: int = doc("index into the old table")
    new_idx: int = doc("index into the new table")
    old_id: str = doc("id in the old file")
    new_id: str = doc("id in the new file")
    moved: bool = doc("whether it stands elsewhere among the rules of both files")
    values: tuple[ValueChange, ...] = doc("numbers that differ")
    texts: tuple[TextChange, ...] = doc("other attributes that differ")


@record
class SectionDiff:
    """What differs between two files in one section."""

    section: str = doc("SMIRNOFF's name of the section")
    added: NDArray[np.int64] = doc("rules that only the new file has, indices into its table, shape=(n_added,)")
    removed: NDArray[np.int64] = doc("rules that only the old file has, indices into its table, shape=(n_removed,)")
    kept: NDArray[np.int64] = doc(
        "rules of both files, indices into both tables, old ones ascending, shape=(n_kept, 2)"
    )
    changed: tuple[RuleChange, ...] = doc("rules of both files with other numbers or attributes, in the new order")
    moved: tuple[RuleChange, ...] = doc("rules of both files that stand elsewhere, in the new order")
    renamed: tuple[RuleChange, ...] = doc("rules of both files with another id, in the new order")
    settings: tuple[TextChange, ...] = doc("attributes of the section itself that differ")

    def __post_init__(self) -> None:
        freeze_arrays(self, added=np.int64, removed=np.int64, kept=np.int64)

    @property
    def is_empty(self) -> bool:
        """Whether both files say the same here; ids do not count."""
        return not (len(self.added) or len(self.removed) or self.changed or self.moved or self.settings)


@record
class RuleDiff:
    """What differs between two force fields."""

    old: ForceField = doc("the old force field")
    new: ForceField = doc("the new force field")
    sections: Mapping[str, SectionDiff] = doc("sections of either, those of the old one first")


def diff_rules(old: ForceField, new: ForceField) -> RuleDiff:
    """What differs between the rules of two force fields.

    Args:
        old: One force field.
        new: Another.

    Returns:
        The differences, section by section.

    Example:
        >>> from ffshare.rules.load import load_force_field
        >>> bonds = diff_rules(load_force_field("openff-2.2.1"), load_force_field("openff-2.3.0")).sections["Bonds"]
        >>> len(bonds.added), len(bonds.removed), len(bonds.kept)
        (3, 0, 90)
        >>> change = bonds.changed[0]
        >>> change.pattern, [(value.column, value.unit) for value in change.values]
        ('[#6X4:1]-[#6X4:2]', [('length', 'Å'), ('k', 'kcal/mol/Å²')])
    """
    sections = dict.fromkeys([*old.tables, *new.tables])
    return RuleDiff(
        old=old,
        new=new,
        sections={
            section: _diff_tables(section, old.tables.get(section), new.tables.get(section)) for section in sections
        },
    )


def _diff_tables(section: str, old: RuleTable | None, new: RuleTable | None) -> SectionDiff:
    old_rules, new_rules = _last_of_each(old), _last_of_each(new)
    kept = [(old_rules[key], new_rules[key]) for key in old_rules if key in new_rules]
    moved = _moved([new_idx for _, new_idx in kept])
    changes = [
        _change(old, old_idx, new, new_idx, is_moved)
        for (old_idx, new_idx), is_moved in zip(kept, moved, strict=True)
        if old is not None and new is not None
    ]
    changes.sort(key=lambda change: change.new_idx)
    return SectionDiff(
        section=section,
        added=np.array([idx for key, idx in new_rules.items() if key not in old_rules], dtype=np.int64),
        removed=np.array([idx for key, idx in old_rules.items() if key not in new_rules], dtype=np.int64),
        kept=np.array(kept, dtype=np.int64).reshape(-1, 2),
        changed=tuple(change for change in changes if change.values or change.texts),
        moved=tuple(change for change in changes if change.moved),
        renamed=tuple(change for change in changes if change.old_id != change.new_id),
        settings=_text_changes(_settings(old), _settings(new)),
    )


def _settings(table: RuleTable | None) -> Mapping[str, str]:
    # A table without rules is a section, too: NAGLCharges has none.
    return table.settings if table is not None else {}


def _last_of_each(table: RuleTable | None) -> dict[tuple[str, str], int]:
    """The rule that counts for each SMIRKS and name, in file order."""
    if table is None:
        return {}
    last = {key: idx for idx, key in enumerate(zip(table.patterns, table.names, strict=True))}
    return dict(sorted(last.items(), key=lambda item: item[1]))


def _change(old: RuleTable, old_idx: int, new: RuleTable, new_idx: int, moved: bool) -> RuleChange:
    return RuleChange(
        pattern=new.patterns[new_idx],
        old_idx=old_idx,
        new_idx=new_idx,
        old_id=old.ids[old_idx],
        new_id=new.ids[new_idx],
        moved=moved,
        values=_value_changes(old, old_idx, new, new_idx),
        texts=_text_changes(_texts(old, old_idx), _texts(new, new_idx)),
    )


def _value_changes(old: RuleTable, old_idx: int, new: RuleTable, new_idx: int) -> tuple[ValueChange, ...]:
    changes = []
    for name in dict.fromkeys([*old.columns, *new.columns]):
        before, after = _values(old, name, old_idx), _values(new, name, new_idx)
        unit = (old.columns.get(name) or new.columns[name]).unit
        changes += [
            ValueChange(column=name, term=term, unit=unit, old=before.get(term), new=after.get(term))
            for term in sorted(before.keys() | after.keys())
            if not _same(before.get(term), after.get(term))
        ]
    return tuple(changes)


def _values(table: RuleTable, name: str, rule: int) -> dict[int, float]:
    """Values of one rule by term."""
    if name not in table.columns:
        return {}
    column = table.columns[name]
    # Columns are rule-major.
    start, end = np.searchsorted(column.rule_idxs, [rule, rule + 1]).tolist()
    return dict(zip(column.terms[start:end].tolist(), column.values[start:end].tolist(), strict=True))


def _same(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is new
    return math.isclose(old, new, rel_tol=_SAME) or (math.isnan(old) and math.isnan(new))


def _texts(table: RuleTable, rule: int) -> dict[str, str]:
    """Attributes of a rule that are neither numbers nor names of it."""
    return {
        name: text
        for name, text in table.attributes[rule].items()
        if name not in _IDENTITY and value_key(table.section, name) is None
    }


def _text_changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[TextChange, ...]:
    return tuple(
        TextChange(name=name, old=old.get(name), new=new.get(name))
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    )


def _moved(positions: list[int]) -> list[bool]:
    """Which entries are outside of a longest ascending selection of distinct numbers."""
    smallest_ends: list[int] = []  # of the ascending selections of each length
    lengths = []
    for position in positions:
        length = bisect.bisect_left(smallest_ends, position)
        smallest_ends[length : length + 1] = [position]
        lengths.append(length)
    moved = [True] * len(positions)
    length = len(smallest_ends) - 1
    # Backwards, the last entry that ends a selection of the wanted length and lies below the one before it.
    bound = math.inf
    for place in range(len(positions) - 1, -1, -1):
        if lengths[place] == length and positions[place] < bound:
            moved[place] = False
            bound = positions[place]
            length -= 1
    return moved
