"""Folds by molecule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from ffshare.errors import InputError
from ffshare.fit.folds import constitution, folds


@st.composite
def named(draw):
    """Molecules, some of one name, in numbers of folds that can be made of them."""
    n_folds = draw(st.integers(3, 6))
    names = [f"m{idx}" for idx in range(draw(st.integers(n_folds, 25)))]
    again = draw(st.lists(st.sampled_from(names), max_size=10))
    return draw(st.permutations(names + again)), n_folds


@given(named(), st.integers(0, 1000))
def test_every_molecule_is_held_out_once_and_trains_in_all_other_folds(case, seed):
    names, n_folds = case
    found = folds(names, n_folds, seed)
    assert len(found) == n_folds
    assert sorted(np.concatenate([fold.held_out for fold in found]).tolist()) == list(range(len(names)))
    for fold in found:
        assert sorted([*fold.training, *fold.held_out]) == list(range(len(names)))
        assert sorted([*fold.inner, *fold.validation]) == fold.training.tolist()
        assert len(fold.inner)
        assert len(fold.validation)
        assert not set(fold.validation.tolist()) & set(fold.held_out.tolist())


@given(named(), st.integers(0, 1000))
def test_molecules_of_one_name_are_on_one_side(case, seed):
    names, n_folds = case
    for fold in folds(names, n_folds, seed):
        parts = [{names[idx] for idx in part.tolist()} for part in (fold.inner, fold.validation, fold.held_out)]
        assert sum(map(len, parts)) == len(set(names))


@given(st.integers(3, 7), st.integers(7, 40), st.integers(0, 1000))
def test_folds_differ_in_size_by_one_at_most(n_folds, n_names, seed):
    sizes = [len(fold.held_out) for fold in folds([str(idx) for idx in range(n_names)], n_folds, seed)]
    assert max(sizes) - min(sizes) <= 1


@given(named(), st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_of_the_molecules_does_not_matter(case, seed, random):
    names, n_folds = case
    order = list(range(len(names)))
    random.shuffle(order)
    first, second = folds(names, n_folds, seed), folds([names[idx] for idx in order], n_folds, seed)
    for one, other in zip(first, second, strict=True):
        assert {order[idx] for idx in other.held_out.tolist()} == set(one.held_out.tolist())


def test_a_seed_gives_the_same_folds_and_another_one_others():
    names = [str(idx) for idx in range(30)]
    held_out = [[fold.held_out.tolist() for fold in folds(names, 5, seed)] for seed in (1, 1, 2)]
    assert held_out[0] == held_out[1]
    assert held_out[0] != held_out[2]


@pytest.mark.parametrize("n_folds", [0, 1, 2])
def test_fewer_than_three_folds_are_refused(n_folds):
    with pytest.raises(InputError, match=rf"{n_folds} folds: one is held out and one chooses, so give 3 or more"):
        folds("abcdef", n_folds, seed=1)


def test_fewer_molecules_than_folds_are_refused():
    with pytest.raises(InputError, match="2 molecules cannot be split into 3 folds"):
        folds("abaab", 3, seed=1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("C/C=C/C", r"C/C=C\C"),
        ("C[C@H](N)O", "C[C@@H](N)O"),
        ("[2H]CO", "CO"),
        ("[H]/N=C/C", "N=CC"),
        ("[H]/N=C/C", r"[H]/N=C\C"),
        ("CCO", "[H]OC([H])([H])C([H])([H])[H]"),
    ],
)
def test_stereoisomers_and_isotopologues_have_one_constitution(first, second):
    assert constitution(Chem.MolFromSmiles(first)) == constitution(Chem.MolFromSmiles(second))
    assert constitution(Chem.MolFromSmiles(first)) != constitution(Chem.MolFromSmiles("CCCl"))


def test_map_numbers_are_no_part_of_a_constitution():
    mapped = Chem.MolFromSmiles("[CH3:2][OH:1]")
    assert constitution(mapped) == constitution(Chem.MolFromSmiles("CO"))
