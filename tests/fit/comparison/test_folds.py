"""Folds by molecule, and the choice among candidates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from ffshare.errors import InputError
from ffshare.fit.comparison.folds import Candidates, choose, constitution, folds

SETTINGS = ("strength", "barrier_width", "soft")


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


def test_settings_are_chosen_one_after_the_other_uphill_and_downhill_from_the_middle():
    candidates = Candidates(strengths=(1.0, 10.0, 100.0), barrier_widths=(0.05, 0.2, 1.0), soft=(1.0, 10.0))
    tried = []

    def loss(choice):
        tried.append(tuple(getattr(choice, name) for name in SETTINGS))
        return abs(np.log10(choice.strength) - 2.0) + choice.barrier_width + choice.soft

    found = choose(loss, candidates, has_soft_ties=True)
    assert (found.strength, found.barrier_width, found.soft) == (100.0, 0.05, 1.0)
    assert tried == [
        (10.0, 0.2, 10.0),
        (100.0, 0.2, 10.0),
        (100.0, 1.0, 10.0),
        (100.0, 0.05, 10.0),
        (100.0, 0.05, 1.0),
    ]


@given(st.integers(1, 7), st.integers(0, 6), st.integers(1, 5), st.integers(0, 4))
def test_the_best_of_a_valley_is_found_wherever_it_lies(n_strengths, best_strength, n_widths, best_width):
    candidates = Candidates(
        strengths=tuple(float(10**i) for i in range(n_strengths)),
        barrier_widths=tuple(float(2**i) for i in range(n_widths)),
    )
    strength = candidates.strengths[min(best_strength, n_strengths - 1)]
    width = candidates.barrier_widths[min(best_width, n_widths - 1)]

    def loss(choice):
        return abs(np.log(choice.strength / strength)) + abs(np.log(choice.barrier_width / width))

    found = choose(loss, candidates, has_soft_ties=False)
    assert (found.strength, found.barrier_width) == (strength, width)


@pytest.mark.parametrize("values", [(), (2.0, 1.0), (1.0, 1.0)])
def test_candidates_that_do_not_ascend_are_refused(values):
    with pytest.raises(InputError, match="give one value or more, ascending"):
        Candidates(strengths=values)


def test_without_soft_ties_their_strength_is_zero_and_is_not_tried():
    tried = []

    def loss(choice):
        tried.append(choice.soft)
        return 1.0

    assert choose(loss, Candidates(), has_soft_ties=False).soft == 0.0
    assert set(tried) == {0.0}


def test_equally_good_candidates_leave_the_middle():
    found = choose(lambda choice: 1.0, Candidates(strengths=(1.0, 2.0, 3.0), soft=(5.0, 6.0)), has_soft_ties=True)
    assert (found.strength, found.soft) == (2.0, 6.0)
