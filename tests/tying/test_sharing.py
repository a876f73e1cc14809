"""Constructors of ties with at most one parameter a site."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffshare.errors import TyingError
from ffshare.tying import LinearTying

label_lists = st.lists(st.none() | st.integers(0, 4), max_size=10)


@given(labels=label_lists, seed=st.integers(0, 100))
def test_sites_of_a_label_get_its_value_and_fixed_ones_the_offset(labels, seed):
    offset = np.random.default_rng(seed).normal(size=len(labels))
    tying = LinearTying.groups(labels, keys=range(5), offset=offset)
    theta = 10.0 * np.arange(5)
    expected = [b if label is None else theta[label] + b for label, b in zip(labels, offset, strict=True)]
    assert tying.expand(theta).tolist() == expected


@given(labels=label_lists)
def test_names_share_as_their_numbers_do(labels):
    numbers = np.array([-1 if label is None else label for label in labels], dtype=np.int32)
    names = [None if label is None else ("rule", label) for label in labels]
    by_number = LinearTying.groups(labels, keys=range(5))
    by_array = LinearTying.groups(numbers, keys=range(5))
    by_name = LinearTying.groups(names, keys=[("rule", i) for i in range(5)])
    theta = np.arange(5) + 1.0
    assert by_number.expand(theta).tolist() == by_array.expand(theta).tolist() == by_name.expand(theta).tolist()


@given(labels=label_lists, seed=st.integers(0, 100))
def test_permuted_labels_give_permuted_sites(labels, seed):
    order = np.random.default_rng(seed).permutation(len(labels))
    theta = np.arange(5) + 1.0
    permuted = LinearTying.groups([labels[i] for i in order], keys=range(5))
    assert permuted.expand(theta).tolist() == LinearTying.groups(labels, keys=range(5)).expand(theta)[order].tolist()


def test_keys_stand_in_order_of_first_appearance():
    assert LinearTying.groups(["b", None, "a", "b"]).keys == ("b", "a")


def test_keys_stand_in_the_order_given_and_may_be_unseen():
    tying = LinearTying.groups(["b", "a"], keys=["a", "z", "b"])
    assert (tying.keys, tying.unseen()) == (("a", "z", "b"), ("z",))


def test_numbers_that_no_site_uses_are_unseen_parameters():
    tying = LinearTying.groups([3, 0])
    assert (tying.n_free, tying.unseen(), tying.rank()) == (4, (1, 2), 2)


def test_no_sites_at_all_is_a_tying_too():
    for tying in (LinearTying.groups([]), LinearTying.groups([], keys=["a"]), LinearTying.identity(0)):
        assert (tying.n_site, tying.rank(), tying.expand(np.ones(tying.n_free)).shape) == (0, 0, (0,))
    assert LinearTying.groups([], keys=["a"]).pool([]).tolist() == [0.0]


def test_a_tying_of_fixed_sites_has_nothing_free():
    tying = LinearTying.fixed([1.0, 2.0])
    assert (tying.n_free, tying.n_site, tying.rank()) == (0, 2, 0)
    assert tying.expand([]).tolist() == [1.0, 2.0]


def test_idivf_and_the_third_of_a_trefoil_are_factors():
    tying = LinearTying.index([0, 0, 1], scale=[1 / 9, 1 / 3, 1.0], keys=[("t1", 0), ("t2", 0)])
    np.testing.assert_allclose(tying.expand([9.0, 4.0]), [1.0, 3.0, 4.0], rtol=1e-15)
    np.testing.assert_allclose(tying.pool([9.0, 3.0, 5.0]), [2.0, 5.0], rtol=1e-15)


def test_time_steps_repeat_the_whole_bank():
    assert LinearTying.repeat(2, n_free=2).expand([1.0, 2.0]).tolist() == [1.0, 2.0, 1.0, 2.0]
    assert LinearTying.repeat(3).expand([4.0]).tolist() == [4.0, 4.0, 4.0]


@pytest.mark.parametrize(("width", "n_orbits"), [(1, 1), (2, 1), (3, 3), (5, 7), (8, 16)])
def test_quarter_turns_of_a_square_have_the_known_number_of_orbits(width, n_orbits):
    tying = LinearTying.orbit((width, width), [np.rot90])
    assert tying.n_free == tying.rank() == n_orbits
    assert set(tying.counts.tolist()) <= {1, 4}


@pytest.mark.parametrize("width", [3, 4])
def test_what_an_orbit_tying_makes_is_invariant(width):
    for generators in ([np.rot90], [np.transpose], [np.rot90, np.fliplr]):
        tying = LinearTying.orbit((width, width), generators)
        kernel = tying.expand(np.random.default_rng(0).normal(size=tying.n_free)).reshape(width, width)
        for generator in generators:
            np.testing.assert_array_equal(generator(kernel), kernel)


def test_orbits_stand_in_order_of_their_first_entry():
    assert LinearTying.orbit(4, [[3, 1, 2, 0]]).keys == ((0,), (1,), (2,))
    assert LinearTying.orbit((2, 2), []).keys == ((0, 0), (0, 1), (1, 0), (1, 1))


@given(n=st.integers(0, 200), k=st.integers(1, 20), seed=st.integers(0, 5))
def test_balanced_buckets_differ_by_one_at_most(n, k, seed):
    counts = LinearTying.hashed(n, k, seed, balanced=True).counts
    assert counts.max() - counts.min() <= 1


def test_balanced_buckets_lose_nothing_at_as_many_parameters_as_sites():
    tying = LinearTying.hashed(50, 50, balanced=True, signed=True)
    phi = np.random.default_rng(0).normal(size=50)
    np.testing.assert_array_equal(tying.expand(tying.tie(phi)), phi)


def test_random_buckets_lose_what_the_occupancy_formula_says():
    # Relative residual of the bucket means: 1 - r(1 - e^(-1/r)) at r parameters a site.
    phi = np.random.default_rng(0).normal(size=100_000)
    for ratio in (2.0, 1.0, 0.25):
        tying = LinearTying.hashed(phi.size, int(ratio * phi.size), signed=True)
        residual = np.sum((tying.expand(tying.tie(phi)) - phi) ** 2) / np.sum(phi**2)
        assert residual == pytest.approx(1 - ratio * (1 - np.exp(-1 / ratio)), rel=0.02)


def test_hashed_ties_never_change():
    assert LinearTying.hashed(8, 5, seed=3).free.tolist() == [3, 1, 4, 2, 1, 0, 2, 0]
    assert LinearTying.hashed(8, 5, seed=3, balanced=True).free.tolist() == [1, 1, 4, 0, 3, 0, 2, 2]
    assert LinearTying.hashed(8, 5, seed=3, signed=True).coef.tolist() == [-1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0, 1.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: LinearTying.groups([0, -2]),
            r"label -2: labels that are numbers count from 0, and -1 is a fixed site",
        ),
        (lambda: LinearTying.groups([0, 2], keys=["a", "b"]), r"label 2 is beyond the 2 keys"),
        (lambda: LinearTying.groups(["a", "x", "x"], keys=["a"]), r"1 labels are not among the 1 keys, .* 'x'"),
        (lambda: LinearTying.groups(["a"], keys=["a", "a"]), r"two free parameters have the key 'a'"),
        (lambda: LinearTying.index([0.5]), r"idx must be whole numbers, got float64"),
        (lambda: LinearTying.index([0, 1], scale=2.0), r"scale has shape \(\), expected \(2,\)"),
        (lambda: LinearTying.groups([0], offset=[1.0, 2.0]), r"offset has shape \(2,\), expected \(1,\)"),
        (lambda: LinearTying.orbit((2, 3), [np.rot90]), r"generator 0 does not permute .* shape \(2, 3\)"),
        (lambda: LinearTying.orbit(2, [[0, 0]]), r"generator 0 does not permute the entries"),
        (lambda: LinearTying.hashed(3, 0), r"3 sites need at least one bucket, got 0"),
    ],
)
def test_what_cannot_be_tied_is_refused(make, message):
    with pytest.raises(TyingError, match=message):
        make()
