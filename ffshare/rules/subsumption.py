"""Proofs that one pattern matches wherever another does.

A general pattern matches every tuple that a special one matches if its atoms can be laid onto those of the special
one, no two onto one, tagged atoms onto tagged atoms, so that every bond of the general pattern lies on a bond that
implies it and every atom on an atom that implies it: any match of the special pattern, followed backwards, is then a
match of the general one.

What is known of an atom of the special pattern is what is written there and what follows from the pattern around it:
it has as many neighbours as the pattern shows, ring bonds where the pattern closes a ring, and a recursive part
``$(…)`` of the general pattern holds of it where that part can be laid onto the special pattern from this atom on.

The proof is sound and not complete: where there is none, the pattern may still be more general.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from ffshare.rules.logic import bond_implies, bond_satisfiable, implies, possible_elements, satisfiable
from ffshare.rules.query_tree import FieldTest, atom_expression, recursive_tests
from ffshare.smirks import Pattern, parse_pattern

Order = Sequence[int]

_NOT_CHIRAL = Chem.ChiralType.CHI_UNSPECIFIED
_IN_RING = frozenset([FieldTest("in_ring", "=", 1)])
# What RDKit calls the queries of these two bonds.
_RING_BOND, _AROMATIC_BOND = (parse_pattern(f"*{bond}*").bonds[0][2] for bond in "@:")


def subsumes(general: Pattern, special: Pattern, orders: Sequence[Order] | None = None) -> bool:
    """Whether every tuple that one pattern matches is proven to be matched by another.

    Args:
        general: The pattern that should match more.
        special: The pattern that should match less.
        orders: Orders in which the tagged atoms of a match may be read as the same tuple, as positions; as they stand
            by default. Bonds, angles and propers may be read backwards.

    Returns:
        True where it is proven; False where it is wrong or not known.

    Example:
        >>> bond, ring_bond = parse_pattern("[#6:1]~[#7:2]"), parse_pattern("[#7X3:1]-;@[#6X4:2]-[#1]")
        >>> subsumes(bond, ring_bond, [(0, 1), (1, 0)]), subsumes(bond, ring_bond), subsumes(ring_bond, bond)
        (True, False, False)
    """
    n_tags = len(special.tagged)
    if len(general.tagged) != n_tags:
        return False
    for order in orders if orders is not None else [range(n_tags)]:
        if general.smarts == special.smarts and list(order) == list(range(n_tags)):
            return True
        if not _has_stereo(general):
            onto = {atom: special.tagged[place] for atom, place in zip(general.tagged, order, strict=True)}
            if _lies_on(general, special, onto):
                return True
    return False


def impossible_atoms(pattern: Pattern) -> tuple[int, ...]:
    """Atoms of a pattern that nothing can match, so that the pattern never does.

    Args:
        pattern: The pattern.

    Returns:
        Atoms whose query contradicts itself or what the pattern shows around them, and both atoms of a bond whose query
        does.

    Example:
        >>> impossible_atoms(parse_pattern("[#6X4:1]-[#6;#7:2]"))
        (1,)
        >>> impossible_atoms(parse_pattern("[#6X2:1](-[#1])(-[#1])-[#6:2]"))
        (0,)
    """
    texts = pattern.texts
    found = {atom for atom in range(len(texts)) if not satisfiable(texts[atom], _surroundings(pattern)[atom])}
    for bond, (first, second, key) in enumerate(pattern.bonds):
        if not bond_satisfiable(key, _bond_facts(pattern)[bond]):
            found |= {first, second}
    return tuple(sorted(found))


def overriders(patterns: Sequence[Pattern], orders: Sequence[Order] | None = None) -> dict[int, tuple[int, ...]]:
    """Rules whose every match is proven to be taken by one later rule.

    Args:
        patterns: Patterns of the rules, with equal numbers of tags, in the order in which later ones win.
        orders: As for `subsumes`.

    Returns:
        Later rules that are proven to match all that a rule matches, by rule. Rules without such are left out, and so
        are rules that cannot match anything.

    Example:
        >>> rules = [parse_pattern(smirks) for smirks in ("[#6X4:1]", "[#8:1]", "[#6:1]", "[*;a:1]")]
        >>> overriders(rules)
        {0: (2,)}
    """
    may_override = _may_subsume(patterns, orders) if patterns else np.zeros((0, 0), dtype=bool)
    found: dict[int, tuple[int, ...]] = {}
    for rule, pattern in enumerate(patterns):
        later = (np.flatnonzero(may_override[rule + 1 :, rule]) + rule + 1).tolist()
        over = tuple(other for other in later if subsumes(patterns[other], pattern, orders))
        if over and not impossible_atoms(pattern):
            found[rule] = over
    return found


def _may_subsume(patterns: Sequence[Pattern], orders: Sequence[Order] | None) -> NDArray[np.bool_]:
    """Whether the elements of the tagged atoms allow one pattern (row) to be more general than another (column)."""
    allowed = np.zeros((len(patterns), len(patterns)), dtype=bool)
    tagged = [[pattern.texts[atom] for atom in pattern.tagged] for pattern in patterns]
    texts = sorted({text for row in tagged for text in row})
    suits = np.array([[_elements_fit(special, general) for special in texts] for general in texts])
    rows = np.array([[texts.index(text) for text in row] for row in tagged], dtype=np.int64)
    for order in orders if orders is not None else [range(rows.shape[1])]:
        special = rows[:, list(order)]
        allowed |= np.all([suits[rows[:, tag, None], special[None, :, tag]] for tag in range(rows.shape[1])], axis=0)
    return allowed


def _lies_on(general: Pattern, special: Pattern, placed: Mapping[int, int]) -> bool:
    """Whether the rest of a pattern can be laid onto another where some of its atoms are placed."""
    return (
        all(n_atoms <= _n_fitting(special, text) for text, n_atoms in _counts_of_atoms(general).items())
        and all(_fits(special, onto, general.texts[atom]) for atom, onto in placed.items())
        and all(_bonds_fit(general, atom, special, placed) for atom in placed)
        and _rest_lies_on(general, special, placed, _order_of_placing(general, tuple(placed)))
    )


def _rest_lies_on(general: Pattern, special: Pattern, placed: Mapping[int, int], waiting: Sequence[int]) -> bool:
    if not waiting:
        return True
    atom = waiting[0]
    anchors = [placed[other] for other in _neighbors(general)[atom] if other in placed]
    for onto in _neighbors(special)[anchors[0]] if anchors else range(len(special.atoms)):
        further = {**placed, atom: onto}
        if (
            onto not in placed.values()
            and _fits(special, onto, general.texts[atom])
            and _bonds_fit(general, atom, special, further)
            and _rest_lies_on(general, special, further, waiting[1:])
        ):
            return True
    return False


def _bonds_fit(general: Pattern, atom: int, special: Pattern, placed: Mapping[int, int]) -> bool:
    """Whether every bond of a placed atom to placed atoms lies on a bond that is proven to be what it asks."""
    for other, bond in _neighbors(general)[atom].items():
        if other in placed:
            onto = _neighbors(special)[placed[atom]].get(placed[other])
            if onto is None:
                return False
            if not bond_implies(special.bonds[onto][2], general.bonds[bond][2], _bond_facts(special)[onto]):
                return False
    return True


@cache
def _order_of_placing(pattern: Pattern, placed: tuple[int, ...]) -> tuple[int, ...]:
    """The other atoms of a pattern, neighbours of those before them first."""
    order = list(placed)
    waiting = [atom for atom in range(len(pattern.atoms)) if atom not in placed]
    while waiting:
        bonded = (atom for atom in waiting if not _neighbors(pattern)[atom].keys().isdisjoint(order))
        following = next(bonded, waiting[0])
        order.append(following)
        waiting.remove(following)
    return tuple(order[len(placed) :])


@cache
def _elements_fit(known: str, asked: str) -> bool:
    """Whether every element that one query allows is allowed by another; no further facts about an atom change that."""
    expressions = (atom_expression(known), atom_expression(asked))
    tests = {test for expression in expressions if expression is not None for test in expression.tests}
    named = {test.value for test in tests if test.field == "element"}
    # One element that is not named stands for all others.
    elements = (*sorted(named), max(named, default=0) + 1)
    return all(
        there or not here for here, there in zip(*(possible_elements(t, elements) for t in (known, asked)), strict=True)
    )


@cache
def _fits(special: Pattern, atom: int, asked: str) -> bool:
    """Whether an atom of a pattern is proven to be what a query asks."""
    known = special.texts[atom]
    if implies(known, asked):
        return True
    if not _elements_fit(known, asked):  # nor does anything else help
        return False
    parts_known, parts_asked = (recursive_tests(atom_expression(text)) for text in (known, asked))
    holding = {test for text, test in parts_asked.items() if _part_holds(text, special, atom)}
    parts = parts_known | parts_asked
    entailments = {
        (test, parts[other])
        for text, test in parts.items()
        for other in parts
        if other != text and _part_holds(other, parse_pattern(text), 0)
    }
    return implies(known, asked, _surroundings(special)[atom] | holding, frozenset(entailments))


@cache
def _n_fitting(special: Pattern, asked: str) -> int:
    """How many atoms of a pattern are proven to be what a query asks."""
    return sum(_fits(special, atom, asked) for atom in range(len(special.atoms)))


@cache
def _counts_of_atoms(pattern: Pattern) -> Mapping[str, int]:
    """How often each text stands among the atoms of a pattern, rare ones first: they are missing most often."""
    return dict(Counter(pattern.texts).most_common()[::-1])


@cache
def _part_holds(text: str, special: Pattern, atom: int) -> bool:
    """Whether a recursive part is proven to hold of an atom of a pattern."""
    part = parse_pattern(text)
    return not _has_stereo(part) and _lies_on(part, special, {0: atom})


@cache
def _surroundings(pattern: Pattern) -> tuple[frozenset[FieldTest], ...]:
    """What the rest of a pattern says of each of its atoms."""
    texts = pattern.texts
    facts = []
    for neighbors in _neighbors(pattern):
        bonds = [(pattern.bonds[bond][2], _bond_facts(pattern)[bond]) for bond in neighbors.values()]
        counts = {
            "degree": len(neighbors),
            "n_ring_bonds": sum(bond_implies(key, _RING_BOND, known) for key, known in bonds),
            "n_hydrogens": sum(implies(texts[other], "[#1]") for other in neighbors),
            "aromatic": int(any(bond_implies(key, _AROMATIC_BOND, known) for key, known in bonds)),
        }
        facts.append(frozenset(FieldTest(field, ">=", count) for field, count in counts.items() if count))
    return tuple(facts)


@cache
def _bond_facts(pattern: Pattern) -> tuple[frozenset[FieldTest], ...]:
    """What the rest of a pattern says of each of its bonds: those that close a cycle are in a ring."""
    molecule = Chem.Mol(pattern.query)
    Chem.FastFindRings(molecule)
    return tuple(_IN_RING if bond.IsInRing() else frozenset() for bond in molecule.GetBonds())


@cache
def _neighbors(pattern: Pattern) -> tuple[dict[int, int], ...]:
    """The neighbours of each atom of a pattern, with the bond to each."""
    neighbors: tuple[dict[int, int], ...] = tuple({} for _ in pattern.atoms)
    for bond, (first, second, _) in enumerate(pattern.bonds):
        neighbors[first][second] = neighbors[second][first] = bond
    return neighbors


@cache
def _has_stereo(pattern: Pattern) -> bool:
    directed = any(bond.GetBondDir() != Chem.BondDir.NONE for bond in pattern.query.GetBonds())
    return directed or any(atom.GetChiralTag() != _NOT_CHIRAL for atom in pattern.query.GetAtoms())
