from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ffshare.assign.atom_types.keys import PairTypes, Term, TermCodes, directed, general, improper_text, of_improper
from ffshare.assign.atom_types.typed_atoms import TypedAtoms
from tests.assign.atom_types.typed_samples import BASES, PARTNERS

NAMES = tuple(sorted({"ca", "c3", "n+", *PARTNERS, *BASES}))
SWAP = {**PARTNERS, **BASES}


@st.composite
def terms(draw, n_atoms=None):
    n_atoms = n_atoms or draw(st.integers(1, 4))
    types = tuple(
        draw(st.lists(st.sampled_from(["ca", "cc", "cd", "ce", "nd", "cp"]), min_size=n_atoms, max_size=n_atoms))
    )
    groups: list[int] = []
    for place in range(n_atoms):
        groups.append(draw(st.sampled_from([*sorted(set(groups)), place])))
    return Term(types, tuple(groups))


def plain_alike(term, canonical, make):
    """All keys that flipping whole groups reaches, by trying every set of groups."""
    groups = sorted(set(term.groups))
    reached = set()
    for chosen in product((False, True), repeat=len(groups) if canonical else 0):
        turned = {group for group, is_turned in zip(groups, chosen, strict=False) if is_turned}
        reached.add(
            make(
                tuple(
                    SWAP.get(name, name) if group in turned else name
                    for name, group in zip(term.types, term.groups, strict=True)
                )
            )
        )
    return sorted(reached)


@given(term=terms(), canonical=st.booleans())
def test_keys_are_alike_that_flipping_whole_components_reaches(term, canonical):
    assert PairTypes(PARTNERS, canonical).alike(term, directed) == plain_alike(term, canonical, directed)


@given(term=terms(), flip=st.integers(0, 3))
def test_terms_with_a_flipped_component_have_the_same_keys_at_every_level(term, flip):
    pairs = PairTypes(PARTNERS, canonical=True)
    turned = Term(
        tuple(
            SWAP.get(name, name) if group == flip else name for name, group in zip(term.types, term.groups, strict=True)
        ),
        term.groups,
    )
    assert pairs.alike(turned, directed) == pairs.alike(term, directed)
    assert pairs.swapped(turned, directed) == pairs.swapped(term, directed)


@given(term=terms(), canonical=st.booleans())
def test_the_levels_hold_every_choice_of_pair_types_once(term, canonical):
    pairs = PairTypes(PARTNERS, canonical)
    levels = [pairs.alike(term, directed), *pairs.swapped(term, directed)]
    every = {directed(types) for types in product(*([name, SWAP.get(name, name)] for name in term.types))}
    keys = [key for level in levels for key in level]
    assert sorted(keys) == sorted(every)
    assert all(level == sorted(level) for level in levels)


@given(term=terms(), canonical=st.booleans())
def test_a_level_is_as_many_swaps_away_as_its_number_says(term, canonical):
    pairs = PairTypes(PARTNERS, canonical)
    near = [directed(key) for key in plain_alike(term, canonical, lambda types: types)]
    for number, level in enumerate(pairs.swapped(term, directed), start=1):
        for key in level:
            distances = [sum(a != b for a, b in zip(way, one, strict=True)) for one in near for way in (key, key[::-1])]
            # Of a key that reads alike from both ends, fewer swaps may do than its levels were counted by.
            assert min(distances) <= number


@given(term=terms(), canonical=st.booleans())
def test_a_kept_bond_keeps_its_relative_sign_and_all_other_swaps_are_made(term, canonical):
    assume(len(term.types) > 1)
    pairs = PairTypes(PARTNERS, canonical)
    first, second = term.types[:2]
    joined = first in SWAP and second in SWAP and (not canonical or term.groups[0] == term.groups[1])
    found = [key for level in pairs.swapped(term, tuple, ((0, 1),)) for key in level]
    every = [key for level in pairs.swapped(term, tuple) for key in level]
    kept = [key for key in every if not joined or (key[0] == first) == (key[1] == second)]
    assert sorted(found) == sorted(kept)


def test_in_antechamber_mode_a_key_stands_for_itself_alone():
    term = Term(("cc", "cd", "nd"), (0, 0, 0))
    pairs = PairTypes(PARTNERS, canonical=False)
    assert pairs.alike(term, directed) == [("cc", "cd", "nd")]
    assert [len(level) for level in pairs.swapped(term, directed)] == [3, 3, 1]


def test_atoms_of_different_components_flip_independently():
    pairs = PairTypes(PARTNERS, canonical=True)
    assert pairs.alike(Term(("cc", "n+", "cc"), (0, 1, 0)), directed) == [("cc", "n+", "cc"), ("cd", "n+", "cd")]
    apart = pairs.alike(Term(("cc", "n+", "cc"), (0, 1, 2)), directed)
    assert apart == [("cc", "n+", "cc"), ("cc", "n+", "cd"), ("cd", "n+", "cd")]


def test_a_general_key_is_flipped_by_its_middle_atoms_only():
    pairs = PairTypes(PARTNERS, canonical=True)
    assert pairs.alike(Term(("cc", "ca", "nd", "c3"), (0, 1, 2, 3)), general) == [
        ("X", "ca", "nc", "X"),
        ("X", "ca", "nd", "X"),
    ]


@given(st.lists(terms(), min_size=1, max_size=20), st.booleans())
def test_codes_say_which_terms_are_the_same(found, canonical):
    codes = TermCodes(NAMES, canonical)
    by_size = {}
    for term in found:
        by_size.setdefault(len(term.types), []).append(term)
    for n_atoms, chosen in by_size.items():
        # The atoms of all terms stand one after another; a component is one within its term.
        types = np.array([NAMES.index(name) for term in chosen for name in term.types])
        components = np.array(
            [
                10 * at + group if name in SWAP else -1
                for at, term in enumerate(chosen)
                for name, group in zip(term.types, term.groups, strict=True)
            ]
        )
        typed = TypedAtoms(
            names=NAMES,
            types=types,
            base_types=types,
            rules=types,
            signs=types,
            components=components,
            frustrated=(),
        )
        packed = codes.pack(typed, np.arange(len(types)).reshape(-1, n_atoms))
        pairs = PairTypes(PARTNERS, canonical)
        for code, term, unpacked in zip(packed.tolist(), chosen, codes.unpack(packed, n_atoms), strict=True):
            assert code >= 0
            assert unpacked.types == term.types
            assert pairs.alike(unpacked, directed) == pairs.alike(term, directed)


def test_an_atom_without_a_type_has_an_empty_name():
    typed = TypedAtoms(
        names=NAMES,
        types=[-1, 0],
        base_types=[-1, 0],
        rules=[-1, 0],
        signs=[0, 0],
        components=[-1, -1],
        frustrated=(),
    )
    codes = TermCodes(NAMES, canonical=True)
    assert codes.unpack(codes.pack(typed, np.array([[0, 1]])), 2)[0].types == ("", NAMES[0])


def test_part_of_a_term_keeps_what_belongs_together():
    term = Term(("cc", "ca", "cd"), (0, 1, 0))
    assert term.part(0, 2) == Term(("cc", "cd"), (0, 0))
    assert term.part(2, 1, 2) == Term(("cd", "ca", "cd"), (0, 1, 0))


@pytest.mark.parametrize(
    ("types", "key", "text"),
    [
        (("X", "X", "c", "o"), ("o", "c"), "X-X-c-o"),
        (("X", "X", "cc", "X"), ("cc",), "X-X-cc-X"),
        (("o", "X", "c", "o"), ("o", "o", "c"), "X-o-c-o"),
        (("hn", "ca", "n", "c"), ("c", "ca", "hn", "n"), "c-ca-n-hn"),
    ],
)
def test_impropers_are_keyed_by_their_named_outer_types_and_the_centre(types, key, text):
    assert of_improper(types) == key
    assert improper_text(key) == text
