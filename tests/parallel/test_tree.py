"""Sums in pairs: rounded alike however the values came, and better than one after the other."""

import math
from operator import add

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ffshare.parallel import tree_sum


def halves(values):
    """The oracle: the largest power of two that leaves something, summed by itself, and the rest."""
    if len(values) == 1:
        return values[0]
    cut = 1 << ((len(values) - 1).bit_length() - 1)
    return f"({halves(values[:cut])}{halves(values[cut:])})"


@given(st.integers(1, 200))
def test_pairs_then_pairs_of_pairs(n):
    values = [chr(0x100 + number) for number in range(n)]
    assert tree_sum(iter(values), lambda one, two: f"({one}{two})") == halves(values)


@given(st.lists(st.integers()))
def test_whole_numbers_sum_to_their_sum(values):
    assert (tree_sum(values, add) or 0) == sum(values)


def test_nothing_has_no_sum():
    assert tree_sum([], add) is None


def test_rounding_grows_with_the_logarithm_of_the_number():
    values = np.random.default_rng(0).random(100_000).tolist()
    exact = math.fsum(values)
    assert abs(tree_sum(values, add) - exact) <= 17 * 2**-53 * exact
    running = 0.0
    for value in values:  # `sum` itself compensates from Python 3.12 on
        running += value
    assert abs(tree_sum(values, add) - exact) < abs(running - exact)
