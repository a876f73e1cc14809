"""The rule of each term of a section, found once for every key and remembered.

The ladder says which row a term takes; RDKit's getter, asked once for each key, says which numbers it has. Where both
agree, the rule is that row. Where the ladder finds none, or a row without a force constant, RDKit's numbers are those
of an empirical rule; they stand in a rule of their own, added behind those of the table, with a text that tells. Its id
is the key with the types themselves, as far as the rule depends on it: the bond in the middle of a torsion is written
``-``, ``=``, ``#`` or ``~`` (aromatic), and of an angle whose two bonds could be of class 1, the one that is stands
first.

The getters answer None where all numbers are zero.
"""

from collections.abc import Sequence
from math import isclose

import numpy as np

from ffshare.assign.mmff.classes import may_be_class_one
from ffshare.assign.mmff.getters import GETTERS, Numbers
from ffshare.assign.mmff.keys import Terms
from ffshare.assign.mmff.ladder import NO_STEP, Ladder
from ffshare.assign.mmff.rows import Rows
from ffshare.assign.mmff.tables import FORMS, MmffTables, make_table, rule_id
from ffshare.assign.mmff.typing import TypedBatch
from ffshare.assign.sites import COMPLETE_SECTIONS, Coded, Sites
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record
from ffshare.rules.append import with_added
from ffshare.rules.table import RuleTable
from ffshare.smirks import Interner

_NONE = -1
_BONDS = {2: "-", 3: "~", 4: "=", 6: "#"}
# Sections in which no number is a value too: a barrier of zero.
_MAY_BE_ZERO = ("ProperTorsions",)


@record
class Added:
    """Numbers that stand in no row."""

    rule_id: str = doc("id of the rule to add")
    numbers: Numbers = doc("numbers as a row would have them")
    reason: str = doc("where they come from, in words")


class SectionLookup:
    """The look-up of one section."""

    def __init__(self, section: str, tables: MmffTables) -> None:
        """A look-up that has seen no term.

        Args:
            section: Its name.
            tables: The rows.
        """
        self._section, self._types = section, tables.types
        self._rows, self._table = tables.rows[section], tables.tables[section]
        self._ladder = Ladder(section, self._rows.keys, tables.types)
        self._interner = Interner()
        # Of each key: a row, −1 for no rule, or −2, −3, … for the first, second, … of what was added.
        self._entries = np.zeros(0, dtype=np.int64)
        self._added: list[Added] = []

    def look_up(self, batch: GraphBatch, typed: TypedBatch, terms: Terms) -> tuple[Sites, RuleTable]:
        """The sites of some terms, and the table that their rules stand in.

        Args:
            batch: The molecules.
            typed: Their types.
            terms: Their terms of the section.

        Returns:
            Sites, and the rows with those rules behind them, sorted by id, that only these terms need.
        """
        entries = self.entries(batch, typed, terms)
        kept = np.flatnonzero((entries != _NONE) | (self._section in COMPLETE_SECTIONS))
        entries, atoms = entries[kept], terms.atoms[kept]
        numbers, inverse = np.unique(entries[entries < _NONE], return_inverse=True)
        used = [self._added[-2 - number] for number in numbers.tolist()]
        by_id = {one.rule_id: one for one in used}
        ids, reasons = sorted(by_id), sorted({one.reason for one in used})
        places = {rule: len(self._rows) + place for place, rule in enumerate(ids)}
        rules, texts = entries.copy(), np.full(len(entries), -1, dtype=np.int64)
        rules[entries < _NONE] = np.array([places[one.rule_id] for one in used], dtype=np.int64)[inverse]
        texts[entries < _NONE] = np.array([reasons.index(one.reason) for one in used], dtype=np.int64)[inverse]
        sites = Sites(
            atom_idxs=atoms,
            molecule_idxs=batch.atom_molecules[atoms[:, 0]],
            rule_idxs=rules,
            fallbacks=Coded(idxs=texts, texts=tuple(reasons)),
        )
        return sites, with_added(self._table, _table_of(self._section, [by_id[rule] for rule in ids]))

    def entries(self, batch: GraphBatch, typed: TypedBatch, terms: Terms) -> IntArray:
        """What each term gets: a row, −1, or −2 − n for the n-th of what was added."""
        entries = np.full(len(terms.atoms), _NONE)
        known = np.flatnonzero(typed.is_typed[batch.atom_molecules[terms.atoms[:, 0]]])
        ids = self._interner.ids(terms.keys[known])
        new = np.flatnonzero(ids >= len(self._entries))
        if len(new):
            _, firsts = np.unique(ids[new], return_index=True)
            self._learn(batch, typed, terms, known[new[firsts]])
        entries[known] = self._entries[ids]
        return entries

    def tried(self, fields: IntArray) -> tuple[list[str], list[int]]:
        """The keys that are tried for a term, as ids, and the row that each stands for.

        Args:
            fields: Fields of the term, shape=(n_fields,).

        Returns:
            Ids in order, none twice, the first that has a row last; and indices of rows, −1 for those without.
        """
        keys = self._ladder.steps(fields[None])[:, 0]
        rows = self._ladder.rows(keys).tolist()
        found: dict[str, int] = {}
        for key, row in zip(keys.tolist(), rows, strict=True):
            if key[0] != NO_STEP:
                found.setdefault(rule_id(self._section, key), row)
            if row >= 0:
                break
        return list(found), list(found.values())

    def _learn(self, batch: GraphBatch, typed: TypedBatch, terms: Terms, examples: IntArray) -> None:
        """Decides keys by one term of each."""
        fields = terms.fields[examples]
        rows = self._ladder.first_rows(fields)
        if self._section in GETTERS:
            ordered = batch.local_idxs(terms.ordered[examples]).tolist()
            molecules = batch.atom_molecules[terms.ordered[examples, 0]].tolist()
            for place, (row, atoms, molecule) in enumerate(zip(rows.tolist(), ordered, molecules, strict=True)):
                rows[place] = self._decided(row, self._numbers(typed, molecule, atoms), fields[place])
        self._entries = np.concatenate([self._entries, rows])

    def _numbers(self, typed: TypedBatch, molecule: int, atoms: Sequence[int]) -> Numbers | None:
        found = typed.molecules[molecule]
        assert found is not None
        return GETTERS[self._section](found.properties, found.molecule, found.atoms(atoms))

    def _decided(self, row: int, numbers: Numbers | None, fields: IntArray) -> int:
        if numbers is None:
            if row < 0 and self._section not in _MAY_BE_ZERO:
                return _NONE
            numbers = (0.0,) * self._rows.values.shape[1]
        if row >= 0 and all(map(isclose, numbers, self._rows.values[row].tolist())):
            return row
        self._added.append(
            Added(rule_id=self._added_id(fields), numbers=numbers, reason=self._reason(row, numbers, fields))
        )
        return -1 - len(self._added)

    def _added_id(self, fields: IntArray) -> str:
        section = self._section
        key = self._ladder.steps(fields[None])[0, 0].tolist()
        if section == "Angles":
            _, first_class, second_class, i, j, k = fields
            ends_may_be = may_be_class_one(np.array([i, k]), np.array([j, j]), self._types)
            is_turned = first_class < second_class and ends_may_be.all()
            key[1:] = [k, j, i] if is_turned else [i, j, k]
        if section == "ProperTorsions":
            kind, i, j, k, l = key
            return rule_id(section, [kind, i, f"{j}{_BONDS[int(fields[2])]}{k}", l])
        return rule_id(section, key)

    def _reason(self, row: int, numbers: Numbers, fields: IntArray) -> str:
        if row < 0:
            return f"empirical rule: no row for {', '.join(self.tried(fields)[0])}"
        of_row = self._table.ids[row]
        if self._section == "Angles" and not self._rows.values[row, 0]:
            return f"empirical rule for the force constant; angle of {of_row}"
        return f"RDKit's numbers, which are not those of {of_row}"


def _table_of(section: str, added: Sequence[Added]) -> RuleTable:
    n_rows = len(added)
    rows = Rows(
        keys=np.zeros((n_rows, 0), dtype=np.int64),
        values=np.array([one.numbers for one in added]).reshape(n_rows, len(FORMS[section].factors)),
        words=({"source": "empirical rule"},) * n_rows,
        lines=(0,) * n_rows,
        sources=("RDKit's empirical rules",) * n_rows,
    )
    return make_table(section, [one.rule_id for one in added], rows)
