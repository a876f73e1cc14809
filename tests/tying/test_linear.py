"""The laws of a linear tying, each for every constructor and every operation, and what it does with hard cases."""

import inspect
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse import linalg

from ffshare.errors import TyingError
from ffshare.tying import LinearTying
from ffshare.tying.entries import Entries

seeds = st.integers(0, 10_000)
# Each law runs through every case, so a few examples of each do.
few = settings(max_examples=12)


def dense(tying):
    """The matrix by a plain loop: the oracle."""
    matrix = np.zeros((tying.n_site, tying.n_free))
    for entry in range(tying.nnz):
        matrix[tying.site[entry], tying.free[entry]] += 1.0 if tying.coef is None else tying.coef[entry]
    return matrix


def test_every_constructor_has_a_case(constructors):
    public = {name for name, _ in inspect.getmembers(LinearTying, inspect.ismethod) if not name.startswith("_")}
    assert public == constructors


@few
@given(data=st.data(), seed=seeds)
def test_expand_and_pool_pass_the_dot_test(ties, data, seed):
    tying, rng = data.draw(ties), np.random.default_rng(seed)
    theta, g = rng.normal(size=tying.n_free), rng.normal(size=tying.n_site)
    at_sites = np.dot(tying.expand(theta) - tying.dense_offset, g)
    assert np.dot(theta, tying.pool(g)) == pytest.approx(at_sites, rel=1e-12, abs=1e-12)


@few
@given(data=st.data(), seed=seeds)
def test_expand_is_the_matrix_and_pool_its_transpose(ties, data, seed):
    tying, rng = data.draw(ties), np.random.default_rng(seed)
    matrix, theta, g = dense(tying), rng.normal(size=tying.n_free), rng.normal(size=tying.n_site)
    offset = np.zeros(tying.n_site) if tying.offset is None else tying.offset
    np.testing.assert_allclose(tying.expand(theta), matrix @ theta + offset, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(tying.pool(g), matrix.T @ g, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(tying.matrix.toarray(), matrix, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(tying.jacobian(theta).toarray(), tying.matrix.toarray())


@few
@given(data=st.data(), seed=seeds)
def test_what_was_expanded_is_tied_back(ties, data, seed):
    tying, rng = data.draw(ties), np.random.default_rng(seed)
    phi = tying.expand(rng.normal(size=tying.n_free))
    weight = rng.uniform(0.1, 2.0, size=tying.n_site)
    np.testing.assert_allclose(tying.expand(tying.tie(phi)), phi, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(tying.expand(tying.tie(phi, weight)), phi, rtol=1e-10, atol=1e-10)


@few
@given(data=st.data(), seed=seeds)
def test_tie_is_the_shortest_weighted_least_squares_solution(ties, data, seed):
    tying, rng = data.draw(ties), np.random.default_rng(seed)
    phi, weight = rng.normal(size=tying.n_site), rng.choice([0.0, 0.5, 1.0, 3.0], size=tying.n_site)
    root = np.sqrt(weight)
    target = root * (phi - tying.dense_offset)
    expected = np.linalg.pinv(root[:, None] * dense(tying), rcond=1e-12) @ target if tying.nnz else 0.0
    np.testing.assert_allclose(tying.tie(phi, weight), expected, rtol=1e-9, atol=1e-9)


@few
@given(data=st.data())
def test_entries_are_counted_once(ties, data):
    tying = data.draw(ties)
    assert tying.counts.shape == (tying.n_free,)
    assert tying.counts.sum() == tying.nnz
    assert tying.row_pointers[-1] == tying.nnz


@few
@given(data=st.data())
def test_rank_is_that_of_the_matrix(ties, data):
    tying = data.draw(ties)
    assert tying.rank() <= min(tying.n_free, tying.n_site)
    assert tying.rank() == (np.linalg.matrix_rank(dense(tying), tol=1e-9) if tying.n_free * tying.n_site else 0)
    assert tying.rank() <= tying.n_free - len(tying.unseen())


@few
@given(data=st.data(), seed=seeds)
def test_nullspace_is_orthonormal_and_reaches_nothing(ties, data, seed):
    tying = data.draw(ties)
    jacobian = np.random.default_rng(seed).normal(size=(2, tying.n_site))
    for given_jacobian, reach in ((None, dense(tying)), (jacobian, jacobian @ dense(tying))):
        null = tying.nullspace(given_jacobian).toarray()
        assert null.shape == (tying.n_free, tying.n_free - tying.rank(given_jacobian))
        np.testing.assert_allclose(reach @ null, 0, atol=1e-9)
        np.testing.assert_allclose(null.T @ null, np.eye(null.shape[1]), atol=1e-12)


@few
@given(data=st.data(), seed=seeds)
def test_jacobians_of_every_kind_have_the_same_rank(ties, data, seed):
    tying = data.draw(ties)
    # Whole numbers with many zeros, so that rank deficiency is exact and frequent.
    jacobian = np.random.default_rng(seed).integers(-1, 2, size=(4, tying.n_site)).astype(float)
    reach = jacobian @ dense(tying)
    expected = np.linalg.matrix_rank(reach, tol=1e-9) if reach.size else 0
    kinds = (jacobian, sparse.csr_array(jacobian), sparse.coo_array(jacobian), linalg.aslinearoperator(jacobian))
    assert [tying.rank(kind) for kind in kinds] == [expected] * len(kinds)


@few
@given(data=st.data(), seed=seeds)
def test_hessians_of_every_kind_are_pooled_alike(ties, data, seed):
    tying, rng = data.draw(ties), np.random.default_rng(seed)
    matrix, hessian = dense(tying), rng.normal(size=(tying.n_site, tying.n_site))
    expected = matrix.T @ hessian @ matrix
    pooled_sparse = tying.hessian(sparse.csr_array(hessian))
    operator = tying.hessian(linalg.aslinearoperator(hessian))
    theta = rng.normal(size=tying.n_free)
    np.testing.assert_allclose(tying.hessian(hessian), expected, rtol=1e-11, atol=1e-11)
    assert sparse.issparse(pooled_sparse)
    np.testing.assert_allclose(pooled_sparse.toarray(), expected, rtol=1e-11, atol=1e-11)
    assert operator.shape == expected.shape
    np.testing.assert_allclose(operator @ theta, expected @ theta, rtol=1e-11, atol=1e-11)


@few
@given(data=st.data(), seed=seeds)
def test_permuting_sites_permutes_their_values_and_nothing_else(ties, data, seed):
    tying, rng = data.draw(ties), np.random.default_rng(seed)
    theta, order = rng.normal(size=tying.n_free), rng.permutation(tying.n_site)
    permuted = tying[order]
    np.testing.assert_array_equal(permuted.expand(theta), tying.expand(theta)[order])
    np.testing.assert_array_equal(permuted.counts, tying.counts)
    assert (permuted.keys, permuted.rank()) == (tying.keys, tying.rank())


@few
@given(data=st.data(), seed=seeds)
def test_further_axes_are_columns_each_for_itself(ties, data, seed):
    tying, rng = data.draw(ties), np.random.default_rng(seed)
    for shape in ((0,), (1,), (3,), (2, 2)):
        for function, n in ((tying.expand, tying.n_free), (tying.pool, tying.n_site), (tying.tie, tying.n_site)):
            values = rng.normal(size=(n, *shape))
            result = function(values)
            assert result.shape[1:] == shape
            for place in np.ndindex(shape):
                column = (slice(None), *place)
                np.testing.assert_allclose(result[column], function(values[column]), rtol=1e-12, atol=1e-12)


@few
@given(data=st.data(), seed=seeds, dtype=st.sampled_from(["float32", "float64"]))
def test_the_type_that_goes_in_comes_out(ties, data, seed, dtype):
    tying, rng = data.draw(ties), np.random.default_rng(seed)
    theta, g = rng.normal(size=tying.n_free).astype(dtype), rng.normal(size=tying.n_site).astype(dtype)
    results = (tying.expand(theta), tying.pool(g), tying.tie(g))
    assert [result.dtype for result in results] == [np.dtype(dtype)] * 3
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(results[0], tying.expand(theta.astype(float)), rtol=tolerance, atol=tolerance)


@few
@given(data=st.data())
def test_a_tying_survives_pickling(ties, data):
    tying = data.draw(ties)
    copy = pickle.loads(pickle.dumps(tying))
    theta = np.arange(tying.n_free)
    np.testing.assert_array_equal(copy.expand(theta), tying.expand(theta))
    assert (copy.keys, copy.labels) == (tying.keys, tying.labels)


@few
@given(data=st.data())
def test_unseen_parameters_are_those_without_any_effect(ties, data):
    tying = data.draw(ties)
    assert tying.unseen() == tuple(
        key for key, column in zip(tying.keys, dense(tying).T, strict=True) if not column.any()
    )


def test_repeated_indices_add_up():
    # `out[idx] += values` keeps one of the repeats: the adjoint of an index that was wrong in other libraries.
    idx = np.array([2, 0, 2, 2, 1])
    g = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    wrong = np.zeros(3)
    wrong[idx] += g
    tying = LinearTying.index(idx)
    assert wrong.tolist() == [2.0, 16.0, 8.0]
    assert tying.pool(g).tolist() == [2.0, 16.0, 13.0]
    assert tying.pool(np.column_stack((g, -g))).tolist() == [[2.0, -2.0], [16.0, -16.0], [13.0, -13.0]]


def test_many_small_numbers_are_pooled_without_loss_in_single_precision():
    # One by one, in single precision, the ones would vanish beside 2^24.
    values = np.array([2**24, *[1] * 16], dtype=np.float32)
    assert LinearTying.repeat(17).pool(values).tolist() == [2**24 + 16]


def test_whole_numbers_are_taken_as_real_ones():
    assert LinearTying.identity(2).expand([1, 2]).dtype == np.float64


def test_a_site_without_weight_may_hold_anything():
    tying = LinearTying.groups([0, 0, 1])
    assert tying.tie([1.0, np.nan, 5.0], weight=[1.0, 0.0, 2.0]).tolist() == [1.0, 5.0]


def test_weights_of_very_different_blocks_do_not_hide_the_smaller():
    tying = LinearTying.neutral(["a", "a", "b", "b"])
    phi = np.array([1.0, -1.0, 2.0, -2.0])
    np.testing.assert_allclose(tying.expand(tying.tie(phi, [1.0, 1.0, 1e-40, 1e-40])), phi, rtol=1e-12)


def test_a_jacobian_at_rounding_level_identifies_nothing():
    jacobian = np.diag([1.0, 1e-17])
    assert LinearTying.identity(2).rank(jacobian) == 1
    assert LinearTying.identity(2).rank(jacobian, rtol=1e-18) == 2
    # In single precision a relative size of 1e-8 is rounding, too.
    assert LinearTying.identity(2).rank(np.diag([1.0, 1e-8]).astype(np.float32)) == 1
    assert LinearTying.identity(2).rank(np.diag([1.0, 1e-8])) == 2


def test_the_scale_of_a_factor_does_not_change_the_rank():
    assert LinearTying.index([0, 1], scale=[1.0, 1e-30]).rank() == 2
    assert LinearTying.basis([[1.0, 1.0, 0.0], [0.0, 0.0, 1e-30]]).rank() == 2


def test_factors_that_cancel_are_not_seen():
    tying = LinearTying(site=[0, 0, 0], free=[0, 0, 1], coef=[1.0, -1.0, 2.0], n_site=1, n_free=2)
    assert (tying.unseen(), tying.rank(), tying.counts.tolist()) == ((0,), 1, [2, 1])


def test_a_trajectory_that_does_not_excite_identifies_nothing():
    # x_{t+1} = W x_t with W tied over time: the derivative by the entries of W_t is I ⊗ x_tᵀ.
    d, steps = 3, 7
    rng = np.random.default_rng(1)
    tied = LinearTying.repeat(steps, n_free=d * d)
    rest, moving = np.zeros((steps, d)), rng.normal(size=(steps, d))
    jacobian_of = [sparse.block_diag([np.kron(np.eye(d), x[None]) for x in states]) for states in (rest, moving)]
    assert tied.rank(jacobian_of[0]) == 0
    assert tied.rank(jacobian_of[1]) == d * d
    assert LinearTying.identity(tied.n_site).rank(jacobian_of[1]) == d * steps


def test_expanding_a_million_sites_gathers():
    labels = np.arange(1_000_000) % 100
    tying = LinearTying.groups(labels)
    assert tying.rows is None
    np.testing.assert_array_equal(tying.expand(np.arange(100.0)), labels)
    assert tying.rank() == 100


def test_arrays_cannot_be_written_to():
    tying = LinearTying.index([0, 1], scale=[1.0, 2.0], offset=[0.0, 1.0])
    for array in (tying.site, tying.free, tying.coef, tying.offset):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_the_users_arrays_are_not_shared():
    labels, offset, scale = np.array([0, 1]), np.array([0.0, 1.0]), np.array([2.0, 2.0])
    tying = LinearTying.index(labels, scale, offset=offset)
    labels[0], offset[0], scale[0] = 1, 5.0, 7.0
    assert tying.expand([10.0, 20.0]).tolist() == [20.0, 41.0]


def test_expanding_an_identity_does_not_return_the_same_array():
    theta = np.ones(2)
    LinearTying.identity(2).expand(theta)[0] = 5.0
    assert theta.tolist() == [1.0, 1.0]


def test_names_default_to_numbers_and_can_be_given():
    tying = LinearTying.identity(2)
    assert (tying.keys, tying.labels) == (range(2), None)
    renamed = tying.relabel(keys=["k", "length"], labels=["here", "there"])
    assert (renamed.keys, renamed.labels) == (("k", "length"), ("here", "there"))
    assert renamed.relabel(labels=range(2)).keys == ("k", "length")


def test_a_tying_prints_its_sizes_only():
    assert repr(LinearTying.identity(10)) == "LinearTying(n_free=10, n_site=10, nnz=10)"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"site": [0, 2]}, r"site runs from 0 to 2, expected 0 to 1"),
        ({"free": [-1, 0]}, r"free runs from -1 to 0, expected 0 to 2"),
        ({"site": [0.0, 1.0]}, r"site must be whole numbers, got float64"),
        ({"free": [0]}, r"free has shape \(1,\), expected \(2,\)"),
        ({"n_free": -1}, r"n_free is -1, expected 0 or more"),
        ({"coef": [1.0]}, r"coef has shape \(1,\), expected \(2,\)"),
        ({"coef": [1.0, np.nan]}, r"coef holds a value that is not finite, first at 1"),
        ({"offset": [1.0]}, r"offset has shape \(1,\), expected \(2,\)"),
        ({"keys": ["a", "b"]}, r"got 2 keys, expected 3"),
        ({"keys": ["a", "b", "a"]}, r"two free parameters have the key 'a'"),
        ({"labels": ["a"]}, r"got 1 labels, expected 2"),
    ],
)
def test_entries_that_do_not_fit_are_refused(fields, message):
    with pytest.raises(TyingError, match=message):
        Entries(**({"site": [0, 1], "free": [0, 1], "n_site": 2, "n_free": 3} | fields))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t.expand([1.0, 2.0]), r"theta has shape \(2,\), expected \(3, ...\)"),
        (lambda t: t.expand(1.0), r"theta has shape \(\), expected \(3, ...\)"),
        (lambda t: t.expand([1j, 0, 0]), r"expected real numbers, got an array of complex128"),
        (lambda t: t.expand(["1", "2", "3"]), r"expected real numbers"),
        (lambda t: t.pool([1.0]), r"grad_phi has shape \(1,\), expected \(3, ...\)"),
        (lambda t: t.tie([1.0]), r"phi has shape \(1,\)"),
        (lambda t: t.tie([1.0, 2.0, 3.0], [1.0, -1.0, 1.0]), r"weight must hold 3 finite numbers from 0 up"),
        (lambda t: t.hessian(np.eye(2)), r"hessian has shape \(2, 2\), expected \(3, 3\)"),
        (lambda t: t.hessian(linalg.aslinearoperator(np.eye(2))), r"hessian has shape \(2, 2\), expected \(3, 3\)"),
        (lambda t: t.rank(np.eye(2)), r"jacobian has shape \(2, 2\), expected \(n_data, 3\)"),
        (lambda t: t.rank(np.full((1, 3), np.inf)), r"the Jacobian holds a value that is not finite"),
        (lambda t: t.relabel(keys=["a"]), r"got 1 keys, expected 3"),
        (lambda t: t.relabel(labels=[]), r"got 0 labels, expected 3"),
    ],
)
def test_calls_that_do_not_fit_are_refused(call, message):
    with pytest.raises(TyingError, match=message):
        call(LinearTying.identity(3))
