"""Typing rules: ordered SMARTS with conditions on rings and bonds; the first that matches an atom names its type.

They are read from a TOML file::

    name = "example"
    source = "where the definitions come from"
    license = "of this text"

    [[type]]
    name = "cc"
    smarts = "[#6X3:1]"
    atoms = { 1 = "sb db AR2|AR3" }
    comment = "carbon of a five-ring"

    [[pairs]]
    types = { cc = "cd", ce = "cf" }
    same = [1, 7]
    opposite = [2, 3, 8]

Tag 1 is the atom to be typed. A condition belongs to a tag (``atoms``) or to the bond between two tags (``bonds``,
``1-2``, lower tag first); how it is written says `ffshare.smirks.conditions`, what it may ask about `ATOM_NAMES` and
`BOND_NAMES`. Under ``pairs`` stand types that come in twos, and the AMBER bond types across which the choice between
the two is handed on (see `ffshare.assign.atom_types.pair_types`). A list ``elements = ["B", "Si"]`` at the top adds a
rule at the end for each: every atom of that element has the element's symbol as its type.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rdkit import Chem

from ffshare.errors import Fault, PatternError, RuleFileError
from ffshare.records import doc, record
from ffshare.rules.content import read_content
from ffshare.rules.toml_text import read_toml_text
from ffshare.smirks import Pattern, parse_pattern, with_conditions
from ffshare.smirks.conditions import parse_condition

BOND_NAMES = ("SB", "sb", "DB", "db", "TB", "tb", "DL", "AB")
ATOM_NAMES = (*(f"RG{size}" for size in range(3, 11)), "RG", *(f"AR{kind}" for kind in range(1, 6)), *BOND_NAMES)
# AMBER's numbers for kinds of bonds.
BOND_TYPES = range(1, 11)

_TEXTS = ("name", "source", "license")
_LISTS = ("elements", "type", "pairs")
_ELEMENTS = {Chem.GetPeriodicTable().GetElementSymbol(number): number for number in range(1, 119)}
_RULE_KEYS = ("name", "smarts", "atoms", "bonds", "comment")
_PAIR_KEYS = ("types", "same", "opposite", "one_seed")


@record
class TypingRule:
    """One rule: what the atom at tag 1 and its surroundings must be."""

    name: str = doc("the type that it gives")
    smarts: str = doc("pattern with tags; tag 1 is the atom to be typed")
    conditions: Mapping[str, str] = doc("conditions of tags (``1``) and of bonds between tags (``1-2``)")
    line: int | None = doc("line of the file, None where it is not known", default=None)
    comment: str = doc("what it means, in words", default="")

    @property
    def text(self) -> str:
        """The pattern with its conditions behind it."""
        return self.pattern().smarts

    def pattern(self) -> Pattern:
        """The parsed pattern.

        Returns:
            The pattern, its conditions included, all its tags in `Pattern.tagged`.

        Raises:
            PatternError: The pattern or a condition is faulty.
        """
        return with_conditions(parse_pattern(self.smarts), self.conditions)


@record
class PairRule:
    """Types that come in twos, and how the choice between the two is handed from atom to atom."""

    partners: Mapping[str, str] = doc("type that the rules give to the type that stands for it where the sign is −1")
    same: tuple[int, ...] = doc("AMBER bond types that join atoms of equal sign")
    opposite: tuple[int, ...] = doc("AMBER bond types that join atoms of opposite sign; others hand nothing on")
    one_seed: bool = doc("whether antechamber starts from one atom of a molecule only, so leaving the rest unsigned")


@record
class TypingRules:
    """The typing rules of a file, in order: the first that matches wins."""

    name: str = doc("name of the rules")
    source: str = doc("where they come from")
    license: str = doc("licence of the text")
    path: str = doc("the file")
    checksum: str = doc("checksum of the file")
    rules: tuple[TypingRule, ...] = doc("the rules")
    pairs: tuple[PairRule, ...] = doc("types that come in twos")

    @property
    def names(self) -> tuple[str, ...]:
        """All types that an atom may get, pairs included, sorted."""
        given = {rule.name for rule in self.rules}
        return tuple(sorted(given.union(*(pair.partners.values() for pair in self.pairs))))


def load_typing_rules(path: str | Path) -> TypingRules:
    """The typing rules of a file.

    Args:
        path: The TOML file.

    Returns:
        The rules.

    Raises:
        RuleFileError: The file cannot be read or used. Holds every fault.
    """
    return parse_typing_rules(read_content(path), path)


def parse_typing_rules(data: bytes, path: str | Path) -> TypingRules:
    r"""The typing rules of the content of a file.

    Args:
        data: The content.
        path: The file, for messages.

    Returns:
        The rules.

    Raises:
        RuleFileError: The content cannot be used. Holds every fault.

    Example:
        >>> text = b'name = "mine"\n[[type]]\nname = "hc"\nsmarts = "[#1:1]-[#6]"\n'
        >>> rule = parse_typing_rules(text, "typing.toml").rules[0]
        >>> rule.name, rule.line
        ('hc', 2)
    """
    text = read_toml_text(data, path)
    faults = list(_faults_of_file(text.content))
    tables = {
        key: [table for table in _list(text.content, key) if isinstance(table, dict)] for key in ("type", "pairs")
    }
    lines = text.lines_of("type", len(tables["type"]))
    for table, line in zip(tables["type"], lines, strict=True):
        faults += [Fault(message, line) for message in _faults_of_rule(table)]
    names = {table.get("name") for table in tables["type"] if isinstance(table.get("name"), str)}
    for table, line in zip(tables["pairs"], text.lines_of("pairs", len(tables["pairs"])), strict=True):
        faults += [Fault(message, line) for message in _faults_of_pairs(table, names, tables["pairs"])]
    if faults:
        raise RuleFileError(str(path), sorted(faults, key=lambda fault: fault.line or 0))
    rules = [_rule(table, line) for table, line in zip(tables["type"], lines, strict=True)]
    rules += [
        TypingRule(name=symbol, smarts=f"[#{_ELEMENTS[symbol]}:1]", conditions={})
        for symbol in _list(text.content, "elements")
    ]
    return TypingRules(
        **{key: text.content.get(key, "") for key in _TEXTS},
        path=str(path),
        checksum=hashlib.blake2b(data, digest_size=16).hexdigest(),
        rules=tuple(rules),
        pairs=tuple(map(_pair, tables["pairs"])),
    )


def _rule(table: Mapping[str, Any], line: int | None) -> TypingRule:
    return TypingRule(
        name=table["name"],
        smarts=table["smarts"],
        conditions={**table.get("atoms", {}), **table.get("bonds", {})},
        line=line,
        comment=table.get("comment", ""),
    )


def _pair(table: Mapping[str, Any]) -> PairRule:
    return PairRule(
        partners=table["types"],
        same=tuple(table["same"]),
        opposite=tuple(table["opposite"]),
        one_seed=table.get("one_seed", False),
    )


def _list(content: Mapping[str, Any], key: str) -> list[Any]:
    found = content.get(key)
    return found if isinstance(found, list) else []


def _faults_of_file(content: Mapping[str, Any]) -> Iterator[Fault]:
    for key, value in content.items():
        if key not in (*_TEXTS, *_LISTS):
            yield Fault(f"{key!r} is unknown; expected {', '.join(_TEXTS)}, elements, [[type]] and [[pairs]]")
        elif key in _TEXTS and not isinstance(value, str):
            yield Fault(f"{key} is no text")
        elif key == "elements":
            unknown = [item for item in _list(content, key) if not isinstance(item, str) or item not in _ELEMENTS]
            if unknown or not isinstance(value, list):
                yield Fault(f"elements is no list of symbols of elements: {unknown or value}")
        elif key in _LISTS and not all(isinstance(item, dict) for item in _list(content, key) or [None]):
            yield Fault(f"{key} is no list of tables; write [[{key}]]")
    if not _list(content, "type"):
        yield Fault("the file has no rule; expected tables [[type]] with a name and a smarts")


def _faults_of_rule(table: Mapping[str, Any]) -> Iterator[str]:
    title = f"type {table.get('name', '?')}"
    for key in table:
        if key not in _RULE_KEYS:
            yield f"{title}: {key!r} is unknown; expected {', '.join(_RULE_KEYS)}"
    for key in ("name", "smarts"):
        if key not in table:
            yield f"{title}: {key} is missing"
    for key in ("name", "smarts", "comment"):
        if not isinstance(table.get(key, ""), str) or table.get(key) == "":
            yield f"{title}: {key} is no text"
    conditions: dict[str, str] = {}
    for key, known in (("atoms", ATOM_NAMES), ("bonds", BOND_NAMES)):
        found = table.get(key, {})
        if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
            yield f"{title}: {key} is no table of texts; expected for instance {{ 1 = 'RG5' }}"
            continue
        for name, text in found.items():
            if ("-" in name) != (key == "bonds"):
                yield f"{title}: {name!r} under {key}; tags such as 1 go under atoms, pairs such as 1-2 under bonds"
            else:
                conditions[name] = text
                yield from (f"{title}: {message}" for message in _unknown_names(text, key, known))
    if isinstance(table.get("smarts"), str):
        try:
            pattern = with_conditions(parse_pattern(table["smarts"]), conditions)
        except PatternError as error:
            yield f"{title}: {error}"
        else:
            if not any(atom.GetAtomMapNum() == 1 for atom in pattern.query.GetAtoms()):
                yield f"{title}: pattern {table['smarts']!r} has no tag 1, the atom to be typed"


def _unknown_names(text: str, kind: str, known: tuple[str, ...]) -> Iterator[str]:
    try:
        asked = parse_condition(text).requirements
    except ValueError:
        return  # a fault of the pattern, with its conditions
    for requirement in asked:
        if requirement.name not in known:
            yield f"condition {text!r} asks {kind} for {requirement.name!r}; known are {', '.join(known)}"


def _faults_of_pairs(table: Mapping[str, Any], names: set[str | None], every: list[dict[str, Any]]) -> Iterator[str]:
    for key in table:
        if key not in _PAIR_KEYS:
            yield f"pairs: {key!r} is unknown; expected {', '.join(_PAIR_KEYS)}"
    types = table.get("types")
    if not isinstance(types, dict) or not all(isinstance(partner, str) for partner in types.values()):
        yield "pairs: types is no table of texts; expected for instance { cc = 'cd' }"
        types = {}
    for name, partner in types.items():
        if name not in names:
            yield f"pairs: no rule gives {name!r}"
        if partner in names:
            yield f"pairs: {partner!r}, the partner of {name!r}, is also given by a rule"
        if sum(name in other["types"] for other in every if isinstance(other.get("types"), dict)) > 1:
            yield f"pairs: {name!r} stands in several [[pairs]]"
    for key in ("same", "opposite"):
        values = table.get(key)
        if not isinstance(values, list) or not all(type(value) is int and value in BOND_TYPES for value in values):
            yield f"pairs: {key} is no list of AMBER bond types, numbers from 1 to 10"
    both = [value for value in _list(table, "same") if value in _list(table, "opposite")]
    if both:
        yield f"pairs: {both} stand under same and under opposite"
    if not isinstance(table.get("one_seed", False), bool):
        yield "pairs: one_seed is neither true nor false"
