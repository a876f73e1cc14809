"""Implications are sound on real atoms, and complete over what the tests of a query speak about."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffshare.rules.logic import (
    bond_implies,
    bond_satisfiable,
    idle_list,
    implies,
    possible_elements,
    satisfiable,
)
from ffshare.rules.query_tree import FieldTest, recursive_test
from ffshare.smirks import parse_pattern
from tests.rules.real_atoms import MOLECULES, grown_atom, matching

seeds = st.integers(0, 2**32)


def fact(field, relation, value):
    return frozenset([FieldTest(field, relation, value)])


@settings(max_examples=400)
@given(seed=seeds)
def test_no_real_atom_contradicts_an_implication(seed):
    rng = random.Random(seed)
    first, second = grown_atom(rng), grown_atom(rng)
    for special, general in itertools.permutations((first, second)):
        if implies(special, general):
            assert not (matching(special) & ~matching(general)).any(), (special, general)


@settings(max_examples=200)
@given(seed=seeds)
def test_no_real_atom_matches_a_query_that_cannot_be_satisfied(seed):
    rng = random.Random(seed)
    text = f"[{grown_atom(rng).strip('[]')};{grown_atom(rng).strip('[]')}]"
    if not satisfiable(text):
        assert not matching(text).any(), text


@st.composite
def queries(draw):
    """A query on few fields as text, and as a predicate of their values, each read from the other's parts."""
    primitives = {
        "#6": lambda atom: atom["element"] == 6,
        "#7": lambda atom: atom["element"] == 7,
        "*": lambda atom: True,
        "X1": lambda atom: atom["degree"] == 1,
        "X2": lambda atom: atom["degree"] == 2,
        "D{3-4}": lambda atom: 3 <= atom["degree"] <= 4,
        "X{2-}": lambda atom: atom["degree"] >= 2,
        "x": lambda atom: atom["n_ring_bonds"] > 0,
        "x2": lambda atom: atom["n_ring_bonds"] == 2,
        "x{3-}": lambda atom: atom["n_ring_bonds"] >= 3,
        "R2": lambda atom: atom["n_rings"] == 2,
        "R": lambda atom: atom["n_rings"] > 0,
        "a": lambda atom: atom["aromatic"],
        "A": lambda atom: not atom["aromatic"],
        "+1": lambda atom: atom["charge"] == 1,
        "c": lambda atom: atom["element"] == 6 and atom["aromatic"],
    }
    names = st.tuples(st.sampled_from(sorted(primitives.keys() - {"*"})), st.booleans())
    lists = draw(
        st.lists(st.lists(st.lists(names, min_size=1, max_size=2), min_size=1, max_size=2), min_size=1, max_size=2)
    )
    text = ";".join(
        ",".join("&".join("!" * negated + name for name, negated in both) for both in some) for some in lists
    )

    def predicate(atom):
        return all(
            any(all(bool(primitives[name](atom)) != negated for name, negated in both) for both in some)
            for some in lists
        )

    return f"[{text}]", predicate


def all_atoms():
    """Every atom that there could be, as far as these fields tell, with counts up to far more than any test names."""
    for element, charge, aromatic, degree, ring_bonds, rings in itertools.product(
        (6, 7, 99), (-1, 0, 1), (False, True), range(9), range(9), range(9)
    ):
        closed = (ring_bonds > 0) == (rings > 0) and ring_bonds != 1 and ring_bonds <= min(degree, 2 * rings)
        if closed and (ring_bonds or not aromatic):
            yield {
                "element": element,
                "charge": charge,
                "aromatic": aromatic,
                "degree": degree,
                "n_ring_bonds": ring_bonds,
                "n_rings": rings,
            }


ALL_ATOMS = tuple(all_atoms())


@settings(max_examples=150)
@given(special=queries(), general=queries())
def test_an_implication_is_found_exactly_where_no_conceivable_atom_contradicts_it(special, general):
    matched = [atom for atom in ALL_ATOMS if special[1](atom)]
    assert satisfiable(special[0]) == bool(matched)
    assert implies(special[0], general[0]) == (special[0] == general[0] or all(map(general[1], matched)))


@settings(max_examples=150)
@given(first=queries(), second=queries())
def test_a_conjunction_implies_its_parts_and_a_part_its_alternatives(first, second):
    one, two = first[0], second[0]
    assert implies(f"{one[:-1]};{two[1:]}", one)
    if ";" not in one + two:  # ',' binds stronger
        assert implies(one, f"{one[:-1]},{two[1:]}")


@pytest.mark.parametrize(
    ("special", "general"),
    [
        ("[#6X4]", "[#6]"),
        ("[#6X4;r3]", "[#6X4]"),
        ("[#6X4r3]", "[r;#6]"),
        ("[#7,#8]", "[!#1]"),
        ("c", "[#6]"),
        ("c", "[a]"),
        ("c", "[!#1;R]"),
        ("[#6H2]", "[#6!H0]"),
        ("[#6H3]", "[X{3-}]"),
        ("[#6a]", "c"),
        ("C", "[#6;!a]"),
        ("[x2]", "[x{2-4}]"),
        ("[x3]", "[R{2-}]"),
        ("[r5]", "[r{4-6};!r6]"),
        ("[a]", "[x{2-};X{2-}]"),
        ("[R0]", "[!r]"),
        ("[!R]", "[r0;x0]"),
        ("[#7+]", "[#7;!+0;!-]"),
        ("[-{1-2}]", "[!+0]"),
        ("[z2]", "[X{2-}]"),
        ("[#6;$(CO)]", "[$(CO)]"),
        ("[$(CO)]", "[$(CO),#7]"),
        ("[$([#7]-C)]", "[#7]"),
        ("[!$(CO);!$(CN)]", "[!$(CO)]"),
        ("[$([#6;r]~[$(C=O)])]", "[#6;x{2-}]"),
        ("[#6;#7]", "[#8]"),
        ("[#6]", "[h0]"),
        ("[!13C]", "[!C,!13*]"),
        ("[X0]", "*"),
        ("[#7X4,#7X3]", "[#7;X3,X4,X5]"),
        ("[#6@]", "[#6]"),
    ],
)
def test_what_follows_is_proven(special, general):
    assert implies(special, general)


@pytest.mark.parametrize(
    ("special", "general"),
    [
        ("[#6]", "[#6X4]"),
        ("[#6]", "c"),
        ("[r5]", "[r6]"),
        ("[R2]", "[x3]"),  # an atom between two rings that share its bonds
        ("[x2]", "[R1]"),
        ("[!#1]", "[#6,#7,#8]"),
        ("[#6;$(CO)]", "[$(CN)]"),
        ("[#7]", "[$([#7]-C)]"),
        ("[!$(CO)]", "[!$(CO);!$(CN)]"),
        ("[X{2-3}]", "[X{2-}&X{-2}]"),
        ("[#6]", "[#6@]"),  # chirality is asked only of the one
        ("[#1]", "[X1]"),  # a hydrogen may bridge two metals
    ],
)
def test_what_does_not_follow_is_not_proven(special, general):
    assert not implies(special, general)


def test_facts_and_entailments_are_used():
    assert not implies("[#6]", "[#6X{3-}]")
    assert implies("[#6]", "[#6X{3-}]", fact("degree", ">=", 3))
    assert implies("[#6]", "[r]", fact("n_ring_bonds", ">=", 2))
    follows = frozenset([(recursive_test("C=O"), recursive_test("C~O"))])
    assert not implies("[$(C=O)]", "[$(C~O)]")
    assert implies("[$(C=O)]", "[$(C~O)]", entailments=follows)
    assert implies("[!$(C~O)]", "[!$(C=O)]", entailments=follows)
    assert not implies("[$(C~O)]", "[$(C=O)]", entailments=follows)


@pytest.mark.parametrize(
    "text", ["[#6;#7]", "[#6X4;X3]", "[c;A]", "[r5;R0]", "[x1]", "[aX1]", "[!*]", "[H3X2]", "[R;x0]", "[h1]"]
)
def test_contradictions_are_seen(text):
    assert not satisfiable(text)
    assert not matching(text).any()


@pytest.mark.parametrize("text", ["[#1X4]", "[#6X4,X3;X3]", "[r3x3]", "[k{3-5}]", "[#6;$(CO);!$(CN)]", "[R2x2]"])
def test_what_is_no_contradiction_for_certain_is_let_be(text):
    assert satisfiable(text)


def test_queries_with_too_many_combinations_are_let_be():
    parts = ",".join(f"$(C{'C' * n}O)" for n in range(1, 30))
    assert satisfiable(f"[{parts};#7]")
    assert not implies(f"[{parts};#7]", "[#7;r5]")
    assert implies(f"[{parts}]", f"[{parts}]")


def test_an_element_that_no_list_names_stands_for_the_rest():
    assert possible_elements("[#6,#7;!#7]", (1, 6, 7, 99)) == (False, True, False, False)
    assert possible_elements("[!#6]", (1, 6, 7, 99)) == (True, False, True, True)


@pytest.mark.parametrize("text", ["[!#6,!#7]", "[*;r5;x4,*;r5;X4]", "[#8;A,a]", "[X3,!X3;#6]", "[#6;x0,x]"])
def test_lists_that_say_nothing_are_seen(text):
    assert idle_list(text)


@pytest.mark.parametrize("text", ["[#6,#7]", "[*]", "C", "[!#6;!#7]", "[#6;$([!#6,!#7]C)]", "[13*,#6]"])
def test_lists_that_say_something_are_let_be(text):
    assert not idle_list(text)


_BONDS = "~ - = # : @ !@ !- -,= -,: =,# -;@ -;!@ -,=;@ !: !=;!# @;-,: !@,= /"
KEYS = {text: parse_pattern(f"*{text}*").bonds[0][2] for text in [*_BONDS.split(), ""]}


def test_no_real_bond_contradicts_an_implication():
    bonds = [bond for molecule in MOLECULES for bond in molecule.GetBonds()]
    matched = {}
    for text in KEYS:
        query = parse_pattern(f"*{text}*").query.GetBondWithIdx(0)
        matched[text] = {idx for idx, bond in enumerate(bonds) if query.Match(bond)}
    for special, general in itertools.product(KEYS, repeat=2):
        if bond_implies(KEYS[special], KEYS[general]):
            assert matched[special] <= matched[general], (special, general)


@pytest.mark.parametrize(
    ("special", "general"),
    [
        ("-", "~"),
        ("-;@", "@"),
        ("=", "-,="),
        (":", "@"),
        ("", "-,:"),
        ("-,:", ""),
        ("/", ""),
        ("-;!@", "!:"),
        ("#", "!=;!-"),
    ],
)
def test_what_follows_for_bonds_is_proven(special, general):
    assert bond_implies(KEYS.get(special, ""), parse_pattern(f"*{general}*").bonds[0][2])


@pytest.mark.parametrize(
    ("special", "general"), [("~", "-"), ("@", ":"), ("", "-"), ("-,=", "="), ("!@", "-"), ("!:", "!@")]
)
def test_what_does_not_follow_for_bonds_is_not_proven(special, general):
    assert not bond_implies(KEYS[special], KEYS[general])


def test_contradictions_of_bonds_are_seen():
    for text in ("-;=", ":;!@", "!~"):
        assert not bond_satisfiable(parse_pattern(f"*{text}*").bonds[0][2])
    assert not bond_satisfiable(KEYS["!@"], fact("in_ring", "=", 1))
    assert bond_implies(KEYS["-"], KEYS["@"], fact("in_ring", "=", 1))
