"""The tree of a query says of every atom what RDKit's own matcher says."""

import random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ffshare.rules.query_tree import FieldTest, atom_expression, bond_expression, recursive_test, recursive_tests
from ffshare.smirks import parse_pattern
from tests.rules.real_atoms import ATOMS, MOLECULES, grown_atom, matching, truth


def assert_tree_agrees(text):
    found = np.broadcast_to(atom_expression(text).evaluate(truth), len(ATOMS))
    wrong = np.flatnonzero(found != matching(text))
    assert not len(wrong), (text, ATOMS[wrong[0]].GetOwningMol().GetNumAtoms())


@settings(max_examples=400)
@given(seed=st.integers(0, 2**32))
def test_the_tree_of_a_random_query_agrees_with_rdkit_on_every_atom(seed):
    text = grown_atom(random.Random(seed))
    assume(atom_expression(text) is not None)
    assert_tree_agrees(text)


def test_nearly_every_random_query_is_understood():
    rng = random.Random(5)
    texts = [grown_atom(rng) for _ in range(500)]
    assert sum(atom_expression(text) is None for text in texts) < 0.05 * len(texts)


_PRIMITIVES = (
    "* C c #6 A a H1 H0 H3 h h0 X X3 D2 d d2 v v4 r r0 r5 R R0 R2 x x0 x2 + - +0 -1 ++ ^2 z z1 Z Z2 k5 13* 0* $(CO) "
    "x{2-3} X{2-} D{-2} r{5-6} +{0-1} -{0-1} R{1-} v{3-4} z{1-2} h{0-1} d{1-2} Z{-1}"
)


@pytest.mark.parametrize("primitive", _PRIMITIVES.split())
@pytest.mark.parametrize("form", ["[{}]", "[!{}]", "[#6;{}]", "[{},#8]", "[#7,!{};X3]"])
def test_every_primitive_is_understood_in_every_place(primitive, form):
    assert_tree_agrees(form.format(primitive))


def test_a_negated_isotope_and_element_are_negated_together():
    # Printed as "not AtomAnd".
    assert_tree_agrees("[!13C]")
    assert_tree_agrees("[!2H]")


def test_different_spellings_have_the_same_tests():
    spelled = [atom_expression(text).tests for text in ("c", "[#6a]", "[#6;!A]")]
    expected = {FieldTest("element", "=", 6), FieldTest("aromatic", "=", 1)}
    assert spelled[0] == spelled[1] == expected
    assert spelled[2] == {FieldTest("element", "=", 6), FieldTest("aromatic", "=", 0)}


def test_recursive_parts_are_named_by_their_text_and_bring_their_first_atom():
    expression = atom_expression("[$([#7]-C),!$(O=[#6])]")
    assert recursive_tests(expression) == {"O=[#6]": recursive_test("O=[#6]"), "[#7]-C": recursive_test("[#7]-C")}
    assert FieldTest("element", "=", 7) in expression.tests


def test_a_recursive_part_of_one_atom_is_that_atom():
    assert atom_expression("[$([#7X3])]").tests == atom_expression("[#7X3]").tests


def test_queries_in_unknown_words_have_no_tree():
    assert atom_expression("[k{3-5}]") is None
    # RDKit drops the recursive part, so that texts and tree no longer correspond.
    assert atom_expression("[$(CO),*]") is None
    assert bond_expression("BondStereo 1 = val\n") is None


def test_every_list_is_kept_but_those_of_recursive_parts():
    assert len(atom_expression("[#6,#7;X3,X4;!$([O,S]-*)]").lists) == 2
    assert atom_expression("[#6;X3]").lists == ()


_BONDS = "~ - = # : @ !@ !- -,= -,: =,# -;@ -;!@ -,=;@ ~;@ !~ !=;!# @;-,: / \\ $ ->"


@pytest.mark.parametrize("text", [*_BONDS.split(), ""])
def test_the_tree_of_a_bond_agrees_with_rdkit_on_every_bond(text):
    query = parse_pattern(f"*{text}*").query.GetBondWithIdx(0)
    bonds = [bond for molecule in MOLECULES for bond in molecule.GetBonds()]
    fields = {
        "order": np.array([int(bond.GetBondType()) for bond in bonds]),
        "in_ring": np.array([int(bond.IsInRing()) for bond in bonds]),
    }
    found = bond_expression(query.DescribeQuery()).evaluate(lambda test: fields[test.field] == test.value)
    assert np.array_equal(np.broadcast_to(found, len(bonds)), [query.Match(bond) for bond in bonds])
