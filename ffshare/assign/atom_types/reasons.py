"""Why an atom has its type, and a term its value, in words.

Of an atom: the typing rules that match it, of which the first in the file wins, and how a pair type got its sign. Of a
term: the keys that were looked up, one after another, up to the one that gave the value.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ffshare.assign.atom_types.lookup import CANONICAL
from ffshare.assign.atom_types.search import Step
from ffshare.assign.atom_types.typed_atoms import TypedAtoms
from ffshare.assign.atom_types.typing_rules import TypingRules
from ffshare.assign.explain import RuleMatch
from ffshare.assign.sites import Sites
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.rules.table import RuleTable

# What each mode says of the choice that the graph leaves open.
_CHOICE = {
    True: "the atom of lowest canonical rank among them is +",
    False: "the first of them in the input is +, as antechamber has it",
}


def reasons_of_type(
    batch: GraphBatch,
    typed: TypedAtoms,
    rules: TypingRules,
    matches: tuple[IntArray, IntArray],
    sites: Sites,
    mode: str,
) -> Iterator[tuple[RuleMatch, ...]]:
    """The typing rules that match each atom, the winner last.

    Args:
        batch: The molecules.
        typed: Their types.
        rules: The typing rules.
        matches: Atoms and rules of all matches, sorted by atom and then rule.
        sites: The vdW sites.
        mode: ``canonical`` or ``antechamber``.

    Yields:
        Matches for each site.
    """
    starts = np.searchsorted(matches[0], np.arange(batch.n_atoms + 1)).tolist()
    for place, (atom,) in enumerate(sites.atom_idxs.tolist()):
        matched = matches[1][starts[atom] : starts[atom + 1]].tolist()
        found = []
        for rank, rule in enumerate(matched):
            one = rules.rules[rule]
            wins = rank == 0
            reason = (
                "first rule that matches" if wins else f"{rules.rules[matched[0]].name} comes first and matches too"
            )
            found.append(
                RuleMatch(
                    rule_idx=int(sites.rule_idxs[place]) if wins else -1,
                    rule_id=typed.names[typed.types[atom]] if wins else one.name,
                    pattern=one.text,
                    line=one.line or 0,
                    wins=wins and int(sites.rule_idxs[place]) >= 0,
                    reason=reason + (_sign_in_words(batch, typed, rules, atom, mode) if wins else ""),
                )
            )
        yield tuple(reversed(found))


def _sign_in_words(batch: GraphBatch, typed: TypedAtoms, rules: TypingRules, atom: int, mode: str) -> str:
    if typed.signs[atom] == 0:
        return ""
    name, sign = typed.names[typed.base_types[atom]], "+" if typed.signs[atom] > 0 else "−"
    if int(batch.atom_molecules[atom]) in typed.frustrated and np.sum(typed.components == typed.components[atom]) == 1:
        return f"; sign {sign} of {name}: its bonds may contradict each other, so no sign means anything"
    members = batch.local_idxs(np.flatnonzero(typed.components == typed.components[atom])).tolist()
    shown = ", ".join(map(str, members))
    return f"; sign {sign} of {name}: {_handing_on(rules, name)} among atoms {shown}; {_CHOICE[mode == CANONICAL]}"


def _handing_on(rules: TypingRules, name: str) -> str:
    """How bonds hand on the sign of a pair type."""
    (pair,) = (pair for pair in rules.pairs if name in pair.partners)
    same, opposite = (", ".join(map(str, kinds)) for kinds in (pair.same, pair.opposite))
    return f"bonds of AMBER type {same} keep the sign and those of type {opposite} turn it"


def reasons_of_value(
    steps: Sequence[Sequence[Step]], sites: Sites, table: RuleTable
) -> Iterator[tuple[RuleMatch, ...]]:
    """The keys that were looked up for each site, the one that gave the value last.

    Args:
        steps: Keys in order, of each site.
        sites: The sites.
        table: Table that they index.

    Yields:
        Matches for each site.
    """
    for place, (tried, rule) in enumerate(zip(steps, sites.rule_idxs.tolist(), strict=True)):
        found = []
        for rank, step in enumerate(tried):
            wins = rule >= 0 and rank == len(tried) - 1
            found.append(
                RuleMatch(
                    rule_idx=rule if wins else -1,
                    rule_id=table.ids[rule] if wins else step.key,
                    pattern=step.key,
                    line=table.lines[rule] if wins else 0,
                    wins=wins,
                    reason=(_source(sites, place, step) if wins else f"{step.level} key: not in the table"),
                )
            )
        yield tuple(found)


def _source(sites: Sites, place: int, step: Step) -> str:
    guess = -1 if sites.fallbacks is None else int(sites.fallbacks.idxs[place])
    if sites.fallbacks is None or guess < 0:
        return f"{step.level} key, in the table"
    return f"a guess: {sites.fallbacks.texts[guess]}"
