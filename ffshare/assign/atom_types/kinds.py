"""Kinds of terms of one section: what was decided about each is remembered from batch to batch."""

from collections.abc import Sequence

import numpy as np

from ffshare.assign.atom_types.fallback import AddedRule, added_table
from ffshare.assign.atom_types.keys import TermCodes
from ffshare.assign.atom_types.search import Outcome, Search, Step
from ffshare.assign.atom_types.typed_atoms import TypedAtoms
from ffshare.assign.sites import Coded
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record
from ffshare.rules.append import with_added
from ffshare.rules.table import RuleTable
from ffshare.smirks import Interner

# Of decisions: rules below this one are added rules, counted downwards.
_NO_RULE = -1


@record
class Decided:
    """What the terms of a section get."""

    rules: IntArray = doc("rule of `table`, −1 where a term gets none, shape=(n_terms,)")
    fallbacks: Coded = doc("where values come from that are not the table's own for the term, in words")
    table: RuleTable = doc("table of the section, then the rules that were added for these terms, sorted by id")

    def __post_init__(self) -> None:
        freeze_arrays(self, rules=np.int64)


class Kinds:
    """The kinds of terms of one section that were seen so far."""

    def __init__(self, table: RuleTable, codes: TermCodes, search: Search) -> None:
        """A memory that has seen nothing.

        Args:
            table: Table of the section.
            codes: How terms are packed into numbers.
            search: What decides them.
        """
        self._table, self._codes, self._search = table, codes, search
        self._interner = Interner()
        self._rules = np.zeros(0, dtype=np.int64)
        self._texts = np.zeros(0, dtype=np.int64)
        self._added: dict[str, AddedRule] = {}
        self._place_of_added: dict[str, int] = {}
        self._fallbacks: dict[str, int] = {}

    def decide(self, typed: TypedAtoms, atoms: IntArray) -> Decided:
        """What some terms get.

        Args:
            typed: Types of the atoms of a batch.
            atoms: Atoms of the terms, of impropers the centre third, shape=(n_terms, k).

        Returns:
            The decisions. They depend on these terms alone, not on those before.
        """
        kinds = self._interner.ids(self._codes.pack(typed, atoms))
        self._learn(atoms.shape[1])
        rules, texts = self._rules[kinds], self._texts[kinds]
        added = list(self._added.values())
        is_added = np.flatnonzero(rules < _NO_RULE)
        places = _NO_RULE - 1 - rules[is_added]
        used = sorted(np.unique(places).tolist(), key=lambda place: added[place].id)
        rule_of_added = np.zeros(len(added), dtype=np.int64)
        rule_of_added[used] = len(self._table) + np.arange(len(used))
        rules[is_added] = rule_of_added[places]
        return Decided(
            rules=rules,
            fallbacks=_sorted_texts(texts, list(self._fallbacks)),
            table=with_added(self._table, added_table(self._table, [added[place] for place in used])),
        )

    def steps(self, typed: TypedAtoms, atoms: IntArray) -> list[tuple[Step, ...]]:
        """The keys that are looked up for some terms.

        Args:
            typed: Types of the atoms of a batch.
            atoms: Atoms of the terms, shape=(n_terms, k).

        Returns:
            Keys in order, the one that gives the parameter last, for each term.
        """
        codes, kinds = np.unique(self._codes.pack(typed, atoms), return_inverse=True)
        terms = self._codes.unpack(codes, atoms.shape[1])
        steps = [self._search.find(self._table.section, term).steps for term in terms]
        return [steps[kind] for kind in kinds.tolist()]

    def _learn(self, n_atoms: int) -> None:
        terms = self._codes.unpack(self._interner.keys(len(self._rules)), n_atoms)
        learned = [self._remembered(self._search.find(self._table.section, term)) for term in terms]
        rules, texts = np.array(learned, dtype=np.int64).reshape(-1, 2).T
        self._rules, self._texts = np.concatenate([self._rules, rules]), np.concatenate([self._texts, texts])

    def _remembered(self, found: Outcome) -> tuple[int, int]:
        """Numbers that stand for the rule and the text of an outcome."""
        rule, text = found.rule_idx, -1
        if found.added is not None:
            self._added.setdefault(found.added.id, found.added)
            rule = _NO_RULE - 1 - self._place_of_added.setdefault(found.added.id, len(self._place_of_added))
        if found.fallback is not None:
            text = self._fallbacks.setdefault(found.fallback, len(self._fallbacks))
        return rule, text


def _sorted_texts(idxs: IntArray, texts: Sequence[str]) -> Coded:
    """The texts that are used, sorted, and their new numbers."""
    used = sorted(np.unique(idxs[idxs >= 0]).tolist(), key=lambda place: texts[place])
    new = np.full(len(texts) + 1, -1, dtype=np.int64)  # the last one is for terms without a text
    new[used] = np.arange(len(used))
    return Coded(idxs=new[idxs], texts=tuple(texts[place] for place in used))
