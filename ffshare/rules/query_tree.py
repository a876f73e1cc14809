"""The query of one SMARTS atom or bond as a tree of tests.

RDKit prints a parsed query as an indented tree, ``AtomAnd`` and ``AtomOr`` above named tests. Here the tree becomes an
`Expression` over tests on few fields, so that ``[c]``, ``[#6a]`` and ``[#6;!A]`` speak of the same two things, element
and aromaticity.

RDKit prints a recursive part ``$(…)`` without saying what is in it, and its SMARTS writer loses some bonds. So the
text of a part is taken from the SMARTS as written, where recursive parts stand in the order of the tree. A recursive
part is a field of its own, yes or no, named by its text. It also says of its first atom what is written there:
``[$([#7]-C)]`` implies ``[#7]``.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ffshare.records import doc, record
from ffshare.smirks import parse_pattern
from ffshare.smirks.smarts_text import recursive_texts

Truth = NDArray[np.bool_]
TruthOf = Callable[["FieldTest"], Truth]

AROMATIC_ORDER = 12  # RDKit's number of the bond type


class FieldTest(NamedTuple):
    """A comparison of one field of an atom or a bond with a number."""

    field: str
    """What is compared: element, charge, …, or ``$(…)`` for a recursive part."""
    relation: str
    """``=``, ``<=`` or ``>=``."""
    value: int
    """The number."""


@record
class Expression:
    """A tree of tests."""

    tests: frozenset[FieldTest] = doc("every test in it")
    evaluate: Callable[[TruthOf], Truth] = doc("its truth, given that of the tests")
    lists: tuple["Expression", ...] = doc(
        "every list of alternatives in it ([#6,#7] is one) but those of recursive parts"
    )


class _UnreadableError(Exception):
    """A line of RDKit's description that is not understood."""


@cache
def atom_expression(text: str) -> Expression | None:
    """What an atom of a SMARTS pattern asks.

    Args:
        text: The atom as written, ``[#6X4;r3]`` or ``C``, one of `Pattern.texts`.

    Returns:
        Its tree, or None where RDKit describes it in unknown words. Tags and chirality are left out.

    Raises:
        PatternError: RDKit cannot parse it.

    Example:
        >>> sorted(atom_expression("[#6;!a]").tests)
        [FieldTest(field='aromatic', relation='=', value=1), FieldTest(field='element', relation='=', value=6)]
    """
    description = parse_pattern(text).query.GetAtomWithIdx(0).DescribeQuery()
    return _expression(description, list(recursive_texts(text)))


@cache
def bond_expression(description: str) -> Expression | None:
    """What a bond of a SMARTS pattern asks.

    Args:
        description: RDKit's `Bond.DescribeQuery()`, the key of a bond in `Pattern.bonds`.

    Returns:
        Its tree, or None where RDKit describes it in unknown words. Directions (``/``) are left out.
    """
    return _expression(description, [])


def recursive_tests(expression: Expression | None) -> dict[str, FieldTest]:
    """The recursive parts of an expression by the text within ``$(…)``, in alphabetical order."""
    tests = sorted(expression.tests) if expression is not None else []
    return {test.field[2:-1]: test for test in tests if test.field.startswith("$(")}


def recursive_test(text: str) -> FieldTest:
    """The test that a recursive part holds, given the text within ``$(…)``."""
    return FieldTest(f"$({text})", "=", 1)


def single(test: FieldTest) -> Expression:
    """The expression that is one test."""
    return Expression(tests=frozenset([test]), evaluate=lambda truth_of: truth_of(test), lists=())


def negated(part: Expression) -> Expression:
    """The expression that holds where another does not."""
    return replace(part, evaluate=lambda truth_of: np.logical_not(part.evaluate(truth_of)))


def all_of(parts: Iterable[Expression]) -> Expression:
    """The expression that holds where all of some do; of none, the one that always holds."""
    return _combined(tuple(parts), np.logical_and, True)


def any_of(parts: Iterable[Expression]) -> Expression:
    """The expression that holds where at least one of some does."""
    found = _combined(tuple(parts), np.logical_or, False)
    return replace(found, lists=(*found.lists, found))


def _odd_number_of(parts: Iterable[Expression]) -> Expression:
    return _combined(tuple(parts), np.logical_xor, False)


def _combined(parts: tuple[Expression, ...], combine: np.ufunc, start: bool) -> Expression:
    def evaluate(truth_of: TruthOf) -> Truth:
        truth: Truth = np.array(start)
        for part in parts:
            truth = combine(truth, part.evaluate(truth_of))
        return truth

    return Expression(
        tests=frozenset().union(*(part.tests for part in parts)),
        evaluate=evaluate,
        lists=tuple(found for part in parts for found in part.lists),
    )


_COMPOSITE = re.compile(r"(not )?(?:Atom|Bond)(And|Or|Xor|Null)")
_COMBINATIONS: Mapping[str, Callable[[Iterable[Expression]], Expression]] = {
    "And": all_of,
    "Or": any_of,
    "Xor": _odd_number_of,
    "Null": all_of,
}
_RECURSIVE = re.compile(r"RecursiveStructure val (not )?in")
_EQUAL = re.compile(r"(\w+) (-?\d+) (!)?= val")
_RANGE = re.compile(r"range_(\w+) (! +)?(-?\d+) val (-?\d+)")
# RDKit names these by how the number compares with the value: "less_… 2 <=" is 2 or more.
_AT_LEAST = re.compile(r"less_(\w+) (-?\d+) (! )?<=")
_AT_MOST = re.compile(r"greater_(\w+) (-?\d+) (! )?>=")


def _expression(description: str, recursive: Sequence[str]) -> Expression | None:
    remaining = iter(recursive)
    try:
        found = _tree(description.splitlines(), remaining)
    except _UnreadableError:
        return None
    return found if next(remaining, None) is None else None


def _tree(lines: list[str], recursive: Iterator[str]) -> Expression:
    """The tree of one line and the lines below it that are indented more."""
    composite = _COMPOSITE.fullmatch(lines[0].strip())
    if composite is None:
        return _leaf(lines[0].strip(), recursive)
    indent = len(lines[1]) - len(lines[1].lstrip()) if len(lines) > 1 else 0
    starts = [row for row in range(1, len(lines)) if not lines[row].startswith(" " * (indent + 1))]
    children = [_tree(lines[start:end], recursive) for start, end in pairwise([*starts, len(lines)])]
    found = _COMBINATIONS[composite[2]](children)
    return negated(found) if composite[1] else found


def _leaf(line: str, recursive: Iterator[str]) -> Expression:
    if match := _RECURSIVE.match(line):
        found, negation = _recursive_part(next(recursive, None)), match[1]
    elif match := _EQUAL.fullmatch(line):
        found, negation = _compared(match[1], "=", int(match[2])), match[3]
    elif match := _RANGE.fullmatch(line):
        bounds = (_compared(match[1], ">=", int(match[3])), _compared(match[1], "<=", int(match[4])))
        found, negation = all_of(bounds), match[2]
    elif match := _AT_LEAST.fullmatch(line):
        found, negation = _compared(match[1], ">=", int(match[2])), match[3]
    elif match := _AT_MOST.fullmatch(line):
        found, negation = _compared(match[1], "<=", int(match[2])), match[3]
    else:
        raise _UnreadableError(line)
    return negated(found) if negation else found


def _recursive_part(text: str | None) -> Expression:
    if text is None:
        raise _UnreadableError("a recursive part without its text")
    part = parse_pattern(text)
    root = atom_expression(part.texts[0])
    holds = single(recursive_test(text))
    if root is None:
        return holds
    # The lists of a recursive part are not those of the atom that it is about.
    root = replace(root, lists=())
    return root if len(part.atoms) == 1 and "@" not in text else all_of([holds, root])


def _compared(name: str, relation: str, value: int) -> Expression:
    if name in _FIELDS:
        return single(FieldTest(_FIELDS[name], relation, value))
    if name == "AtomNegativeFormalCharge":
        return single(FieldTest("charge", {"=": "=", ">=": "<=", "<=": ">="}[relation], -value))
    if name == "AtomInNRings" and value >= 0:
        return single(FieldTest("n_rings", relation, value))
    if name not in _EQUALITIES or relation != "=":
        raise _UnreadableError(name)
    return _EQUALITIES[name](value)


# Names of tests → fields, where the test compares the field with its number.
_FIELDS = {
    "AtomAtomicNum": "element",
    "AtomIsAromatic": "aromatic",
    "AtomFormalCharge": "charge",
    "AtomExplicitDegree": "degree",  # all hydrogens are atoms
    "AtomTotalDegree": "degree",
    "AtomNonHydrogenDegree": "n_heavy",
    "AtomHCount": "n_hydrogens",
    "AtomImplicitHCount": "n_implicit_hydrogens",
    "AtomHasImplicitH": "n_implicit_hydrogens",
    "AtomTotalValence": "valence",
    "AtomMinRingSize": "min_ring_size",
    "AtomRingBondCount": "n_ring_bonds",
    "AtomIsotope": "isotope",
    "AtomHybridization": "hybridization",
    "AtomNumHeteroatomNeighbors": "n_heteroatoms",
    "AtomNumAliphaticHeteroatomNeighbors": "n_aliphatic_heteroatoms",
    "BondOrder": "order",
    "BondInRing": "in_ring",
}


def _atom_type(value: int) -> Expression:
    is_aromatic, element = divmod(value, 1000)
    return all_of([single(FieldTest("element", "=", element)), single(FieldTest("aromatic", "=", is_aromatic))])


def _has(field: str, value: int) -> Expression:
    any_at_all = single(FieldTest(field, ">=", 1))
    return any_at_all if value else negated(any_at_all)


def _one_of_orders(orders: Sequence[int], value: int) -> Expression:
    found = replace(any_of(single(FieldTest("order", "=", order)) for order in orders), lists=())
    return found if value else negated(found)


# Names of tests that only ask whether they equal a number → what that says.
_EQUALITIES: Mapping[str, Callable[[int], Expression]] = {
    "AtomType": _atom_type,
    "AtomIsAliphatic": lambda value: single(FieldTest("aromatic", "=", 1 - value)),
    "AtomInRing": partial(_has, "n_ring_bonds"),
    "AtomHasRingBond": partial(_has, "n_ring_bonds"),
    "AtomInNRings": lambda value: _has("n_rings", 1),  # RDKit writes [R] with the number -1
    "AtomHasHeteroatomNeighbors": partial(_has, "n_heteroatoms"),
    "AtomHasAliphaticHeteroatomNeighbors": partial(_has, "n_aliphatic_heteroatoms"),
    "AtomRingSize": lambda value: single(FieldTest(f"ring of {value}", "=", 1)),
    "SingleOrAromaticBond": partial(_one_of_orders, (1, AROMATIC_ORDER)),
    "DoubleOrAromaticBond": partial(_one_of_orders, (2, AROMATIC_ORDER)),
    "SingleOrDoubleBond": partial(_one_of_orders, (1, 2)),
    "SingleOrDoubleOrAromaticBond": partial(_one_of_orders, (1, 2, AROMATIC_ORDER)),
    "TripleOrAromaticBond": partial(_one_of_orders, (3, AROMATIC_ORDER)),
}
