"""From the types of a term to the row that gives its parameter, or to a named fall-back.

In this order, the first that is found counts:

* specific: the key, in either direction;
* general, torsions only: for propers the row X-b-c-X, for impropers the row with the fewest X. AMBER's tleap does the
  same; a row of the table is no guess;
* pair-swapped: a specific row with the other type of one pair atom, then of two, … Within a component of bonded pair
  atoms this takes a single for a double bond or the other way round, so it is a guess, and never done to the bond of a
  bond term or the central bond of a proper, whose values hang on just that;
* pair-swapped general: the same for X-b-c-X;
* empirical, bonds and angles only: the published formulas (`ffshare.assign.atom_types.fallback`);
* default improper, impropers only.

What is still not found has no parameter. Every key of a level is tried, in sorted order, before the next level.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from ffshare.assign.atom_types.definition import AtomTypedForceField
from ffshare.assign.atom_types.fallback import AddedRule, Known, default_improper, empirical_angle, empirical_bond
from ffshare.assign.atom_types.keys import Key, PairTypes, Term, directed, general, improper_text, of_improper

SPECIFIC, GENERAL = "specific", "general"
PAIR_SWAPPED, PAIR_SWAPPED_GENERAL = "pair-swapped", "pair-swapped general"
EMPIRICAL, DEFAULT_IMPROPER = "empirical", "default improper"

# Bonds, as places in a term, that a swap may not make single or double.
_KEPT: Mapping[str, tuple[tuple[int, int], ...]] = {"Bonds": ((0, 1),), "Angles": (), "ProperTorsions": ((1, 2),)}


class Step(NamedTuple):
    """One key that was looked up for a term."""

    level: str
    """specific, general, pair-swapped, …"""
    key: str
    """The key as text; of a row that was found, as its file has it."""
    rule_idx: int
    """Rule of the table of the force field, −1 where it holds no such key."""


class Outcome(NamedTuple):
    """What a term gets."""

    rule_idx: int
    """Rule of the table of the force field, −1 where the term gets none of them."""
    added: AddedRule | None
    """A rule that is not in the table."""
    fallback: str | None
    """Where the value comes from, in words, where it is not the table's own for this term."""
    steps: tuple[Step, ...]
    """The keys that were looked up; the last one gave the parameter if the term has one."""


class Search:
    """Looks terms up in the tables of a force field."""

    def __init__(self, definition: AtomTypedForceField, pairs: PairTypes) -> None:
        """A search.

        Args:
            definition: The force field.
            pairs: Its pairs of types.
        """
        self._definition, self._pairs = definition, pairs

    def find(self, section: str, term: Term) -> Outcome:
        """What a term gets.

        Args:
            section: Bonds, Angles, ProperTorsions or ImproperTorsions.
            term: Its types; of impropers, the centre third.

        Returns:
            The outcome, the same for terms that differ by their direction or, in canonical mode, by flipped components.
        """
        if "" in term.types:
            return Outcome(-1, None, None, ())
        steps = self._look_up(section, term)
        level, key, rule = steps[-1]
        if rule < 0:
            return self._worked_out(section, term, steps)
        fallback = None if level in (SPECIFIC, GENERAL) else f"{level} {key}; tried {_tried(steps[:-1])}"
        return Outcome(rule, None, fallback, tuple(steps))

    def _look_up(self, section: str, term: Term) -> list[Step]:
        """The keys of a term up to the first that the table holds."""
        index, ids = self._definition.indices[section], self._definition.tables[section].ids
        if not self._pairs.has_any(term):  # most terms: the key itself, without more ado
            rule = index.get((of_improper if section == "ImproperTorsions" else directed)(term.types), -1)
            if rule >= 0:
                return [Step(SPECIFIC, ids[rule], rule)]
        steps = []
        for level, key in self._keys(section, term):
            rule = index.get(key, -1)
            text = improper_text(key) if section == "ImproperTorsions" else "-".join(key)
            steps.append(Step(level, text if rule < 0 else ids[rule], rule))
            if rule >= 0:
                break
        return steps

    def _keys(self, section: str, term: Term) -> Iterator[tuple[str, Key]]:
        """Keys in the order in which they are tried, with their level."""
        if section == "ImproperTorsions":
            alike = self._pairs.alike(term, of_improper)
            for n_any in range(4):
                named = {(*chosen, key[-1]) for key in alike for chosen in combinations(key[:-1], 3 - n_any)}
                yield from ((SPECIFIC if n_any == 0 else GENERAL, key) for key in sorted(named))
            return
        makers: list[tuple[Callable[[Key], Key], str, str]] = [(directed, SPECIFIC, PAIR_SWAPPED)]
        if section == "ProperTorsions":
            makers.append((general, GENERAL, PAIR_SWAPPED_GENERAL))
        for make, level, _ in makers:
            yield from ((level, key) for key in self._pairs.alike(term, make))
        for make, _, level in makers:
            yield from ((level, key) for swapped in self._pairs.swapped(term, make, _KEPT[section]) for key in swapped)

    def _worked_out(self, section: str, term: Term, steps: list[Step]) -> Outcome:
        """What a term gets that no row fits."""
        level = DEFAULT_IMPROPER if section == "ImproperTorsions" else EMPIRICAL
        added = None
        if section == "Bonds":
            added = empirical_bond(self._definition, self._pairs.alike(term, directed)[0])
        elif section == "Angles":
            added = self._angle(term)
        elif section == "ImproperTorsions":
            added = default_improper(self._definition)
        if added is None:
            return Outcome(-1, None, None, tuple(steps))
        fallback = f"{level}: {added.words}; tried {_tried(steps)}"
        return Outcome(-1, added, fallback, (*steps, Step(level, added.id, -1)))

    def _angle(self, term: Term) -> AddedRule | None:
        # Of the two readings of the angle, the one whose key is written.
        key = self._pairs.alike(term, directed)[0]
        turned = key not in self._pairs.alike(term, lambda types: types)
        first, last = (2, 0) if turned else (0, 2)
        bonds = [self._known("Bonds", "length", term.part(end, 1)) for end in (first, last)]
        angles = [self._known("Angles", "angle", term.part(end, 1, end)) for end in (first, last)]
        return empirical_angle(self._definition, key, bonds, angles)

    def _known(self, section: str, column: str, term: Term) -> Known | None:
        """What the table alone knows about a term."""
        level, key, rule = self._look_up(section, term)[-1]
        if rule < 0:
            return None
        # Bonds and angles have one value a rule, in the order of the rules.
        value = float(self._definition.tables[section].columns[column].values[rule])
        return Known(value, key if level == SPECIFIC else f"{key}, {level}")


def _tried(steps: Sequence[Step]) -> str:
    return ", ".join(step.key for step in steps)
