"""What SMARTS queries imply: proofs over everything that an atom or a bond could be.

A query (see `query_tree`) is an and-or-not tree of tests on a few fields: element, charge, degree, ring bonds …
Whether one query implies another is decided by trying every combination of values of the fields that the two test. A
field has no end of values, but the tests cut them into few ranges: each number that a test names, its two neighbours,
and for counts all values up to one that stands for "more than any test names". Combinations that no molecule can show
are left out, such as an aromatic atom outside of rings; only rules that hold for every molecule with explicit
hydrogens are used.

The answers are sound and not complete. A query that RDKit describes in words unknown here, or one with too many
combinations, implies nothing and may always match.
"""

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ffshare.rules.query_tree import (
    AROMATIC_ORDER,
    Expression,
    FieldTest,
    all_of,
    any_of,
    atom_expression,
    bond_expression,
    negated,
    single,
)
from ffshare.smirks.smarts_text import without_recursive_parts

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

# More combinations than this are not tried.
_MOST_COMBINATIONS = 1 << 20

# Counts that are compared with one another: their values end at one common number.
_COUNTS = frozenset(
    ("degree", "n_hydrogens", "n_heavy", "n_ring_bonds", "n_rings", "n_heteroatoms", "n_aliphatic_heteroatoms")
)
# Fields with any whole number as value, and the smallest; −999 stands for negative numbers without end.
_NUMBERS = {
    "element": 1,
    "min_ring_size": 0,
    "isotope": 0,
    "valence": 0,
    "hybridization": 0,
    "order": 0,
    "charge": -999,
}
# No such value exists: an atom has no single ring bond, and no ring has one or two atoms.
_IMPOSSIBLE = {"n_ring_bonds": (1,), "min_ring_size": (1, 2)}
# Values that the constraints below tell apart.
_ALWAYS_TRIED = {"min_ring_size": (0, 3), "order": (AROMATIC_ORDER,)}

# What holds for two fields of every atom or bond.
_CONSTRAINTS: Mapping[tuple[str, str], Callable[[Ints, Ints], Bools]] = {
    ("n_ring_bonds", "n_rings"): lambda bonds, rings: ((bonds > 0) == (rings > 0)) & (bonds <= 2 * rings),
    ("n_ring_bonds", "min_ring_size"): lambda bonds, size: (bonds > 0) == (size > 0),
    ("n_rings", "min_ring_size"): lambda rings, size: (rings > 0) == (size > 0),
    ("n_ring_bonds", "degree"): operator.le,
    ("n_rings", "degree"): lambda rings, degree: (rings == 0) | (degree >= 2),
    ("min_ring_size", "degree"): lambda size, degree: (size == 0) | (degree >= 2),
    ("aromatic", "n_ring_bonds"): lambda aromatic, bonds: (aromatic == 0) | (bonds > 0),
    ("aromatic", "n_rings"): lambda aromatic, rings: (aromatic == 0) | (rings > 0),
    ("aromatic", "min_ring_size"): lambda aromatic, size: (aromatic == 0) | (size > 0),
    ("aromatic", "degree"): lambda aromatic, degree: (aromatic == 0) | (degree >= 2),
    ("n_hydrogens", "degree"): operator.le,
    ("n_heavy", "degree"): operator.le,
    ("n_heteroatoms", "degree"): operator.le,
    ("n_aliphatic_heteroatoms", "degree"): operator.le,
    ("n_aliphatic_heteroatoms", "n_heteroatoms"): operator.le,
    ("order", "in_ring"): lambda order, in_ring: (order != AROMATIC_ORDER) | (in_ring == 1),
}

_RELATIONS: Mapping[str, Callable[[Ints, int], Bools]] = {"=": operator.eq, "<=": operator.le, ">=": operator.ge}

NO_FACTS: frozenset[FieldTest] = frozenset()
NO_ENTAILMENTS: frozenset[tuple[FieldTest, FieldTest]] = frozenset()


@cache
def implies(
    special: str,
    general: str,
    facts: frozenset[FieldTest] = NO_FACTS,
    entailments: frozenset[tuple[FieldTest, FieldTest]] = NO_ENTAILMENTS,
) -> bool:
    """Whether every atom that one query matches is proven to be matched by another.

    Args:
        special: An atom of a SMARTS pattern as written, ``[#6X4]`` or ``C``.
        general: Another.
        facts: What else is known of an atom that is matched by `special`.
        entailments: Pairs of tests of which the first, where it holds, makes the second hold.

    Returns:
        True where it is proven; False where it is wrong or not known.

    Raises:
        PatternError: RDKit cannot parse one of them.

    Example:
        >>> implies("[#6X4;r3]", "[#6X4]"), implies("[#6X4]", "[#6X4;r3]")
        (True, False)
        >>> implies("c", "[#6;R]"), implies("[#6H2]", "[!#1;!H0]")
        (True, True)
    """
    if special == general:
        return True
    known, asked = atom_expression(special), atom_expression(general)
    if known is None or asked is None or "@" in without_recursive_parts(general):  # '@': trees leave chirality out
        return False
    return not _possible([known, negated(asked), *map(single, facts), *_entailed(entailments)])


@cache
def satisfiable(atom: str, facts: frozenset[FieldTest] = NO_FACTS) -> bool:
    """Whether some atom may match a query; False is proven.

    Args:
        atom: An atom of a SMARTS pattern as written.
        facts: What else is known of an atom that matches, such as that it has three neighbours in the pattern.

    Returns:
        False where no atom of any molecule matches.

    Example:
        >>> satisfiable("[#6X4]"), satisfiable("[#6;#7]"), satisfiable("[r5;R0]"), satisfiable("[c;X1]")
        (True, False, False, False)
        >>> satisfiable("[#6X2]", facts=frozenset([FieldTest("degree", ">=", 3)]))
        False
    """
    known = atom_expression(atom)
    return known is None or _possible([known, *map(single, facts)])


@cache
def bond_implies(special: str, general: str, facts: frozenset[FieldTest] = NO_FACTS) -> bool:
    """Whether every bond that one query matches is proven to be matched by another.

    Args:
        special: Key of the query, as in `Pattern.bonds`.
        general: Key of the other.
        facts: What else is known of a bond that `special` matches.

    Returns:
        True where it is proven; False where it is wrong or not known.

    Example:
        >>> from ffshare.smirks import parse_pattern
        >>> keys = {bond: parse_pattern(f"*{bond}*").bonds[0][2] for bond in ("-", "~", ":", "@")}
        >>> bond_implies(keys["-"], keys["~"]), bond_implies(keys[":"], keys["@"]), bond_implies(keys["@"], keys[":"])
        (True, True, False)
    """
    if special == general:
        return True
    known, asked = bond_expression(special), bond_expression(general)
    return known is not None and asked is not None and not _possible([known, negated(asked), *map(single, facts)])


@cache
def bond_satisfiable(bond: str, facts: frozenset[FieldTest] = NO_FACTS) -> bool:
    """Whether some bond may match a query; False is proven.

    Args:
        bond: Key of the query, as in `Pattern.bonds`.
        facts: What else is known of a bond that matches.

    Returns:
        False where no bond of any molecule matches.
    """
    known = bond_expression(bond)
    return known is None or _possible([known, *map(single, facts)])


@cache
def idle_list(atom: str) -> bool:
    """Whether a query holds a list of alternatives that every atom fits, so that the list says nothing.

    Args:
        atom: An atom of a SMARTS pattern as written.

    Returns:
        True where it is proven.

    Example:
        >>> idle_list("[!#6,!#7]"), idle_list("[#8;r5,*]"), idle_list("[#6,#7]")
        (True, True, False)
    """
    known = atom_expression(atom)
    # RDKit leaves lists that name '*' out of its tree.
    alternatives = [part.split(",") for part in without_recursive_parts(atom).strip("[]").split(";")]
    return any(len(names) > 1 and "*" in names for names in alternatives) or (
        known is not None and any(not _possible([negated(found)]) for found in known.lists)
    )


@cache
def possible_elements(atom: str, elements: tuple[int, ...]) -> tuple[bool, ...]:
    """Which elements an atom that a query matches may have.

    Args:
        atom: An atom of a SMARTS pattern as written.
        elements: Atomic numbers.

    Returns:
        For each atomic number whether a match is not ruled out.

    Example:
        >>> possible_elements("[#6,#7;!#7]", (6, 7, 8))
        (True, False, False)
    """
    return tuple(satisfiable(atom, frozenset([FieldTest("element", "=", element)])) for element in elements)


def _entailed(entailments: Iterable[tuple[FieldTest, FieldTest]]) -> list[Expression]:
    return [any_of([negated(single(first)), single(second)]) for first, second in entailments]


def _possible(parts: Sequence[Expression]) -> bool:
    """Whether all expressions may hold at once."""
    whole = all_of(parts)
    domains = _domains(whole.tests)
    if math.prod(map(len, domains.values())) > _MOST_COMBINATIONS:
        return True
    # One axis a field: a test is a short array along its field's axis and broadcasts against the others.
    axes = {
        field: values.reshape([-1 if place == axis else 1 for place in range(len(domains))])
        for axis, (field, values) in enumerate(domains.items())
    }
    found = whole.evaluate(lambda test: _RELATIONS[test.relation](axes[test.field], test.value))
    for (first, second), constraint in _CONSTRAINTS.items():
        if first in axes and second in axes and found.any():
            found = found & constraint(axes[first], axes[second])
    return bool(found.any())


def _domains(tests: Iterable[FieldTest]) -> dict[str, Ints]:
    """Values to try for each field that is tested: at least one of every range that the tests cut."""
    named: dict[str, set[int]] = {}
    for test in tests:
        named.setdefault(test.field, set()).add(test.value)
    # One more than any test names stands for all larger counts, and leaves room for the two bonds of a ring.
    most = max((value for field, values in named.items() if field in _COUNTS for value in values), default=0) + 2
    return {field: np.array(_values(field, named[field], most)) for field in sorted(named)}


def _values(field: str, named: set[int], most: int) -> list[int]:
    impossible = _IMPOSSIBLE.get(field, ())
    if field in _COUNTS:
        return [value for value in range(most + 1) if value not in impossible]
    if field in _NUMBERS:
        cuts = named.union(_ALWAYS_TRIED.get(field, ()))
        nearby = sorted({value + step for value in cuts for step in (-1, 0, 1)})
        return [value for value in nearby if value >= _NUMBERS[field] and value not in impossible]
    if field == "n_implicit_hydrogens":  # all hydrogens are atoms
        return [0]
    return [0, 1]
