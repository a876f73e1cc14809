"""Ties made of ties: the laws of composing, joining and cutting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffshare.errors import TyingError
from ffshare.tying import Exp, LinearTying

few = settings(max_examples=12)
seeds = st.integers(0, 10_000)


@few
@given(data=st.data(), seed=seeds)
def test_composing_composes_expanding_and_pooling(ties, data, seed):
    inner, rng = data.draw(ties), np.random.default_rng(seed)
    outer = LinearTying.basis(rng.integers(-2, 3, size=(4, inner.n_site)), offset=rng.normal(size=4))
    both = outer @ inner
    theta, g = rng.normal(size=inner.n_free), rng.normal(size=4)
    np.testing.assert_allclose(both.expand(theta), outer.expand(inner.expand(theta)), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(both.pool(g), inner.pool(outer.pool(g)), rtol=1e-11, atol=1e-11)
    assert both.keys == inner.keys


@few
@given(data=st.data(), seed=seeds)
def test_any_tying_may_come_last(ties, data, seed):
    outer, rng = data.draw(ties), np.random.default_rng(seed)
    inner = LinearTying.basis(rng.integers(-2, 3, size=(outer.n_free, 3)), offset=rng.normal(size=outer.n_free))
    both = outer @ inner
    theta, g = rng.normal(size=3), rng.normal(size=outer.n_site)
    np.testing.assert_allclose(both.expand(theta), outer.expand(inner.expand(theta)), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(both.pool(g), inner.pool(outer.pool(g)), rtol=1e-11, atol=1e-11)


@few
@given(data=st.data(), seed=seeds)
def test_the_identity_is_neutral_in_composition(ties, data, seed):
    tying = data.draw(ties)
    theta = np.random.default_rng(seed).normal(size=tying.n_free)
    for same in (LinearTying.identity(tying.n_site) @ tying, tying @ LinearTying.identity(tying.n_free)):
        np.testing.assert_allclose(same.expand(theta), tying.expand(theta), rtol=1e-12, atol=1e-12)


@few
@given(data=st.data(), seed=seeds)
def test_side_by_side_both_banks_stay_independent(any_ties, data, seed):
    first, second, rng = data.draw(any_ties), data.draw(any_ties), np.random.default_rng(seed)
    second = second.relabel(keys=[("second", key) for key in second.keys])
    both = first | second
    theta = [rng.normal(size=tying.n_free) for tying in (first, second)]
    g = [rng.normal(size=tying.n_site) for tying in (first, second)]
    np.testing.assert_array_equal(
        both.expand(np.concatenate(theta)), np.concatenate((first.expand(theta[0]), second.expand(theta[1])))
    )
    np.testing.assert_array_equal(both.pool(np.concatenate(g)), np.concatenate((first.pool(g[0]), second.pool(g[1]))))
    assert tuple(both.keys) == (*first.keys, *second.keys)
    assert both.rank() == first.rank() + second.rank()


@few
@given(data=st.data(), seed=seeds)
def test_stacked_sites_share_the_bank(ties, data, seed):
    tying, rng = data.draw(ties), np.random.default_rng(seed)
    other = LinearTying.basis(rng.normal(size=(3, tying.n_free)), keys=tying.keys, offset=[1.0, 2.0, 3.0])
    both = tying.stack(other)
    theta, g = rng.normal(size=tying.n_free), rng.normal(size=both.n_site)
    np.testing.assert_array_equal(both.expand(theta), np.concatenate((tying.expand(theta), other.expand(theta))))
    pooled = tying.pool(g[: tying.n_site]) + other.pool(g[tying.n_site :])
    np.testing.assert_allclose(both.pool(g), pooled, rtol=1e-12, atol=1e-12)


@few
@given(data=st.data(), seed=seeds)
def test_cutting_keeps_the_values_of_the_sites(ties, data, seed):
    tying, rng = data.draw(ties), np.random.default_rng(seed)
    theta = rng.normal(size=tying.n_free)
    phi = tying.expand(theta)
    mask = rng.random(tying.n_site) < 0.5
    repeats = rng.integers(0, max(tying.n_site, 1), size=5 if tying.n_site else 0)
    for sites in (slice(None), slice(1, None, 2), slice(None, None, -1), mask, repeats, np.flatnonzero(mask)):
        cut = tying[sites]
        np.testing.assert_array_equal(cut.expand(theta), phi[sites])
        assert (cut.keys, cut.n_free) == (tying.keys, tying.n_free)


def test_one_site_is_a_tying_of_one_site():
    assert LinearTying.groups([0, 1])[-1].expand([5.0, 7.0]).tolist() == [7.0]


def test_labels_go_with_their_sites():
    tying = LinearTying.identity(3).relabel(labels=["a", "b", "c"])
    assert tying[[2, 0]].labels == ("c", "a")
    assert (tying | LinearTying.fixed([1.0])).labels == ("a", "b", "c", 0)
    assert tying.stack(tying).labels == ("a", "b", "c", "a", "b", "c")
    assert (tying @ LinearTying.repeat(3)).labels == ("a", "b", "c")
    assert (LinearTying.identity(1) | LinearTying.identity(1)).labels is None


def test_parameters_without_names_are_numbered_on():
    assert (LinearTying.identity(2) | LinearTying.identity(3)).keys == range(5)


def test_composed_groups_stay_a_gather():
    both = LinearTying.groups([0, 1, 1]) @ LinearTying.groups(["a", "a"])
    assert (both.rows, both.coef, both.keys) == (None, None, ("a",))


def test_ties_of_ties_fix_what_either_fixes():
    both = LinearTying.groups([0, -1, 1], offset=[0.0, 5.0, 0.0]) @ LinearTying.groups([0, -1], offset=[0.0, 7.0])
    assert both.expand([2.0]).tolist() == [2.0, 5.0, 7.0]
    assert both.nnz == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: a @ LinearTying.identity(2), r"A has 3 free parameters, B has 2 sites"),
        (lambda a: a.relabel(keys="abc") | a.relabel(keys="xyb"), r"two free parameters have the key 'b'.*relabel"),
        (lambda a: a.stack(LinearTying.identity(2)), r"3 keys here, 2 there, the first that differs is number 2"),
        (lambda a: a.stack(a.relabel(keys=[0, 5, 2])), r"the first that differs is number 1"),
        (lambda a: a[[[0, 1]]], r"a slice or a flat array, got one of shape \(1, 2\)"),
    ],
)
def test_ties_that_do_not_fit_together_are_refused(call, message):
    with pytest.raises(TyingError, match=message):
        call(LinearTying.identity(3))


def test_ties_combine_only_with_ties():
    with pytest.raises(TypeError, match="unsupported operand"):
        LinearTying.identity(3) @ Exp(3)
    with pytest.raises(TypeError, match="unsupported operand"):
        LinearTying.identity(3) | {"a": 1}
    with pytest.raises(IndexError, match="out of bounds"):
        LinearTying.identity(3)[3]
