"""The choice among candidates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.errors import InputError
from ffshare.fit.comparison.choice import Candidates, choose

SETTINGS = ("strength", "barrier_width", "soft")


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
