"""Checks of the patterns of a section: which never win, never match, or do not mean what they seem to.

All of them are proofs (see `logic` and `subsumption`) and hold for all molecules.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise, permutations

from ffshare.rules.findings import Check, Finding, Kind, finding
from ffshare.rules.logic import idle_list
from ffshare.rules.sections import SECTIONS
from ffshare.rules.subsumption import Order, impossible_atoms, overriders, subsumes
from ffshare.rules.table import RuleTable
from ffshare.smirks import Pattern, parse_pattern
from ffshare.smirks.smarts_text import without_recursive_parts

_REVERSIBLE = {"Constraints": 2, "Bonds": 2, "Angles": 3, "ProperTorsions": 4}


_OVERRIDDEN: Mapping[Kind, str] = {
    "duplicate pattern": "its pattern is written again in {}, which wins every site; remove one of them",
    "same matches": "matches just what the later {} matches, which wins every site; remove one of them",
    "overridden": "never wins: whatever it matches, the later {} matches, too; move it behind, or remove it",
}
# A way to write '*' that says so.
_ANY_ATOM = ("[a,A]", "[A,a]")
# R0 and R without a number mean the same everywhere.
_RING_COUNT = re.compile(r"R(?:[1-9]|\{)")


def _patterns(table: RuleTable) -> list[Pattern]:
    # What patterns mean in sections of plug-ins is not known.
    return [parse_pattern(pattern) for pattern in table.patterns] if table.section in SECTIONS else []


def _groups(table: RuleTable) -> list[list[int]]:
    """Rules that may take each other's sites: those with equally many tags and, for virtual sites, the same name."""
    groups: dict[tuple[str, int], list[int]] = {}
    for rule, pattern in enumerate(_patterns(table)):
        groups.setdefault((table.names[rule], len(pattern.tagged)), []).append(rule)
    return list(groups.values())


def _overridden(table: RuleTable) -> Iterator[Finding]:
    for group in _groups(table):
        patterns = [parse_pattern(table.patterns[rule]) for rule in group]
        orders = _orders(table.section, len(patterns[0].tagged))
        for rule, over in overriders(patterns, orders).items():
            others: dict[Kind, list[int]] = {
                "duplicate pattern": [other for other in over if patterns[other].smarts == patterns[rule].smarts],
                "same matches": [other for other in over if subsumes(patterns[rule], patterns[other], orders)],
                "overridden": list(over),
            }
            kind = next(kind for kind, found in others.items() if found)
            winners = tuple(group[other] for other in others[kind])
            message = _OVERRIDDEN[kind].format(", ".join(_place(table, winner) for winner in winners))
            yield finding(table, group[rule], kind, message, winners)


def _duplicate_ids(table: RuleTable) -> Iterator[Finding]:
    rules_of: dict[str, list[int]] = {}
    for rule, attributes in enumerate(table.attributes):
        if attributes.get("id"):
            rules_of.setdefault(attributes["id"], []).append(rule)
    for rules in rules_of.values():
        for earlier, rule in pairwise(rules):
            message = f"line {table.lines[earlier]} has the same id; reports by id mix the two up: give one another id"
            yield finding(table, rule, "duplicate id", message, (earlier,))


def _impossible(table: RuleTable) -> Iterator[Finding]:
    for rule, pattern in enumerate(_patterns(table)):
        for part in _with_parts(pattern):
            texts = part.texts
            shown = ", ".join(f"{atom + 1} {texts[atom]}" for atom in impossible_atoms(part))
            if shown:
                where = "" if part is pattern else f" of its recursive part $({part.smarts})"
                text = (
                    f"no atom of any molecule can be atom {shown}{where}: it contradicts itself or what is bonded to it"
                )
                yield finding(table, rule, "impossible atom", text)


def _idle_lists(table: RuleTable) -> Iterator[Finding]:
    for rule, pattern in enumerate(_patterns(table)):
        texts = dict.fromkeys(text for part in _with_parts(pattern) for text in part.texts)
        for text in texts:
            if text not in _ANY_ATOM and idle_list(text):
                message = (
                    f"{text} holds a list of alternatives that every atom fits, so that it says nothing; "
                    "',' binds stronger than ';' and '!a,!b' is always true: write what is meant"
                )
                yield finding(table, rule, "idle list", message)


def _ring_counts(table: RuleTable) -> Iterator[Finding]:
    for rule, pattern in enumerate(_patterns(table)):
        atoms = (without_recursive_parts(text) for part in _with_parts(pattern) for text in part.texts)
        texts = dict.fromkeys(text for text in atoms if _RING_COUNT.search(text))
        if texts:
            message = (
                f"R with a number in {', '.join(texts)} counts rings in RDKit and ring bonds in OpenEye's toolkits; "
                "write x and the number of ring bonds: it means the same in both"
            )
            yield finding(table, rule, "ring count", message)


def _place(table: RuleTable, rule: int) -> str:
    return f"{table.ids[rule]} (line {table.lines[rule]})" if table.lines[rule] else table.ids[rule]


def _orders(section: str, n_tags: int) -> list[Order]:
    """Orders of the tagged atoms that name one site."""
    as_written = tuple(range(n_tags))
    if _REVERSIBLE.get(section) == n_tags:
        return [as_written, as_written[::-1]]
    if section == "ImproperTorsions":  # the centre is the second atom
        return [(first, 1, third, fourth) for first, third, fourth in permutations((0, 2, 3))]
    if section == "ChargeIncrementModel" and n_tags <= 4:  # a later increment on the same set of atoms wins
        return list(permutations(as_written))
    return [as_written]


def _with_parts(pattern: Pattern) -> Iterator[Pattern]:
    """A pattern and its recursive parts, nested ones too."""
    yield pattern
    for part in pattern.recursive:
        yield from _with_parts(part)


PATTERN_CHECKS: tuple[Check, ...] = (_duplicate_ids, _overridden, _impossible, _idle_lists, _ring_counts)
