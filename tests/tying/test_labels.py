"""From labels to parameter numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.errors import TyingError
from ffshare.tying.labels import codes


@given(labels=st.lists(st.none() | st.text(max_size=2) | st.tuples(st.integers(0, 1), st.booleans())))
def test_the_key_of_a_number_is_the_label(labels):
    numbers, keys = codes([*labels, "a name, lest all be fixed"])
    assert [None if i < 0 else keys[i] for i in numbers.tolist()][:-1] == labels
    assert len(set(keys)) == len(keys)


@given(labels=st.lists(st.integers(-1, 5)), kind=st.sampled_from([np.int8, np.int32, np.int64]))
def test_whole_numbers_are_numbers_however_they_come(labels, kind):
    with_none = [None if label == -1 else label for label in labels]
    assert codes(labels)[0].tolist() == codes(with_none)[0].tolist() == labels
    assert codes(np.array(labels, dtype=kind))[0].tolist() == labels
    assert codes(labels)[1] == range(max(labels, default=-1) + 1)


def test_arrays_of_strings_are_named_by_plain_strings():
    numbers, keys = codes(np.array(["b", "a", "b"]))
    assert (numbers.tolist(), keys) == ([0, 1, 0], ("b", "a"))
    assert [type(key) for key in keys] == [str, str]


def test_truth_values_are_names():
    assert codes([True, False, True])[1] == (True, False)


def test_pairs_of_numbers_are_names():
    assert codes([(1, 2), (3, 4), (1, 2)])[1] == ((1, 2), (3, 4))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("C-H", r"expected a label for each site, got the one string 'C-H'"),
        (["a", float("nan")], r"label nan is not equal to itself: use None for a fixed site"),
        (np.zeros((2, 2), dtype=int), r"labels have shape \(2, 2\), expected one label for each site"),
    ],
)
def test_labels_that_say_nothing_are_refused(labels, message):
    with pytest.raises(TyingError, match=message):
        codes(labels)
