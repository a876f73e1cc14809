"""Guesses and what fills their gaps."""

import numpy as np
import pytest

from ffshare.fit.guesses import Guesses, first_known


def guesses(**changes):
    return Guesses(**{"bond_k": [1.0, 2.0], "bond_length": [1.1, 1.2], "angle_k": [3.0], "angle": [1.9], **changes})


def test_gaps_are_filled_value_by_value():
    gaps = guesses(bond_k=[np.nan, 5.0], angle=[np.nan])
    filled = first_known(gaps, guesses(proper_k=[0.0], improper_k=[-1.0]))
    np.testing.assert_array_equal(filled.bond_k, [1.0, 5.0])
    np.testing.assert_array_equal(filled.bond_length, gaps.bond_length)
    np.testing.assert_array_equal(filled.angle, [1.9])
    np.testing.assert_array_equal(filled.improper_k, [-1.0])
    np.testing.assert_array_equal(filled.proper_k, [0.0])


def test_what_neither_knows_stays_unknown():
    filled = first_known(guesses(bond_k=[np.nan, 5.0]), guesses(bond_k=[np.nan, 6.0]))
    np.testing.assert_array_equal(filled.bond_k, [np.nan, 5.0])
    assert filled.improper_k is None


def test_guesses_of_other_sites_are_refused():
    with pytest.raises(ValueError, match="2 and 1 values of bond_k"):
        first_known(guesses(), guesses(bond_k=[1.0], bond_length=[1.0]))
    with pytest.raises(ValueError, match="bond_k and bond_length have shapes"):
        guesses(bond_k=[1.0])
