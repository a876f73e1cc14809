"""`Shared` does what its tying does: the same sites, the same pooled gradients, place by place and type by type."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn import Shared  # noqa: E402
from ffshare.tying import Exp, LinearTying, LowRank  # noqa: E402
from tests.tying.conftest import CASES, SMOOTH  # noqa: E402

few = settings(max_examples=6)
seeds = st.integers(0, 10_000)
wide_types = st.sampled_from([torch.float32, torch.float64])
half_types = pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)


@pytest.fixture(params=[*CASES, *SMOOTH], scope="module")
def maps(request):
    """A strategy of maps from parameters to sites: every linear tying and every smooth one in turn."""
    return {**CASES, **SMOOTH}[request.param]


def normal(seed, shape, dtype=torch.float64):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).to(dtype)


def made(tying, seed, **options):
    return Shared(tying, theta=normal(seed, (tying.n_free, *options.get("block", ()))), **options)


@few
@given(data=st.data(), seed=seeds, dtype=wide_types)
def test_the_sites_are_those_of_the_tying_bit_for_bit(maps, data, seed, dtype):
    tying = data.draw(maps)
    shared = made(tying, seed, dtype=dtype)
    assert torch.equal(shared(), tying.expand(normal(seed, tying.n_free, dtype)))


@few
@given(data=st.data(), seed=seeds)
def test_the_gradient_is_what_the_tying_pools(maps, data, seed):
    tying = data.draw(maps)
    shared = made(tying, seed, dtype=torch.float64)
    g = normal(seed + 1, tying.n_site)
    (gradient,) = torch.autograd.grad(shared(), shared.theta, g, allow_unused=True, materialize_grads=True)
    np.testing.assert_allclose(gradient, tying.pool(g, shared.theta.detach()), rtol=1e-12, atol=1e-12)


@few
@given(data=st.data(), seed=seeds, dtype=wide_types)
def test_a_place_is_a_slice_of_all_sites(maps, data, seed, dtype):
    tying = data.draw(maps)
    cuts = sorted(data.draw(st.lists(st.integers(0, tying.n_site), max_size=2)))
    sizes = np.diff([0, *cuts, tying.n_site]).tolist()
    shared = made(tying, seed, shape={f"place {i}": (1, size) for i, size in enumerate(sizes)}, dtype=dtype)
    whole = made(tying, seed, dtype=dtype)()
    places = shared()
    assert list(places) == list(shared.shapes)
    for (name, sites), expected in zip(places.items(), whole.split(sizes), strict=True):
        assert sites.shape == shared.shapes[name] == shared.site(name).shape
        for found in (sites, shared.sites(name), shared(name), shared.site(name)(), shared.site(name).T().mT):
            assert torch.equal(found[0], expected)


@few
@given(data=st.data(), seed=seeds)
def test_the_gradient_of_a_place_is_that_of_its_slice(data, seed):
    tying = data.draw(st.one_of(*CASES.values()))
    cut = data.draw(st.integers(0, tying.n_site))
    shared = made(tying, seed, shape={"first": (cut,), "second": (tying.n_site - cut,)}, dtype=torch.float64)
    g = normal(seed + 1, tying.n_site)
    g[:cut] = 0.0
    (gradient,) = torch.autograd.grad(
        shared.sites("second"), shared.theta, g[cut:], allow_unused=True, materialize_grads=True
    )
    np.testing.assert_allclose(gradient, tying.pool(g), rtol=1e-12, atol=1e-12)


@few
@given(data=st.data(), seed=seeds, block=st.sampled_from([(2,), (3, 2)]))
def test_blocks_are_shared_in_one_piece(data, seed, block):
    tying = data.draw(st.one_of(*CASES.values()))
    cut = data.draw(st.integers(0, tying.n_site))
    shape = {"first": (cut, *block), "second": (tying.n_site - cut, *block)}
    shared = made(tying, seed, shape=shape, block=block, dtype=torch.float64)
    expected = tying.expand(normal(seed, (tying.n_free, *block)))
    assert torch.equal(torch.cat(list(shared().values())), expected)
    assert torch.equal(shared.sites("second"), expected[cut:])
    assert torch.equal(made(tying, seed, block=block, dtype=torch.float64)(), expected)
    assert shared.counts.free == shared.theta.numel()


@few
@given(data=st.data(), seed=seeds)
def test_tying_the_sites_again_changes_none(data, seed):
    tying = data.draw(st.one_of(*CASES.values()))
    shared = made(tying, seed, dtype=torch.float64)
    before = shared().detach()
    for again in (before, before.numpy(), before.reshape(1, -1)):
        assert shared.tie_(again) is shared
        np.testing.assert_allclose(shared().detach(), before, rtol=1e-9, atol=1e-9)


def test_tied_values_of_a_group_are_their_mean():
    shared = Shared(LinearTying.groups([0, 1, 0]), dtype=torch.float64)
    assert shared.tie_([1.0, 5.0, 4.0])().tolist() == [2.5, 5.0, 2.5]


def test_two_places_of_one_tensor_share_its_gradient():
    shared = Shared(LinearTying.repeat(2, 6), {"encoder": (2, 3), "decoder": (2, 3)}, theta=np.arange(6.0))
    encoder, decoder = shared.site("encoder"), shared.site("decoder").T
    assert decoder.shape == (3, 2)
    assert torch.equal(decoder(), encoder().mT)
    (encoder().sum() + 2 * decoder().sum()).backward()
    assert shared.theta.grad.tolist() == [3.0] * 6


@half_types
def test_parameters_of_half_precision_sites_are_kept_in_single(half):
    shared = Shared(LinearTying.index([0, 0], scale=[1.0, 3.0], offset=[0.0, 1.0]), dtype=half)
    assert (shared().dtype, shared.theta.dtype, shared.coef.dtype) == (half, torch.float32, torch.float32)
    assert shared.half().sites().dtype == torch.float16
    assert shared.double().sites().dtype == shared.theta.dtype == torch.float64


@half_types
def test_gradients_of_half_precision_are_pooled_exactly(half):
    n = 100_000
    shared = Shared(LinearTying.repeat(n), theta=[1.0], dtype=half)
    shared().backward(torch.full((n,), 2.0**-6, dtype=half))
    assert shared.theta.grad.tolist() == [n * 2.0**-6]


def test_the_type_of_the_sites_is_the_usual_one():
    assert Shared(LinearTying.identity(1), theta=[1.0])().dtype == torch.get_default_dtype()
    doubles = Shared(LinearTying.identity(1), theta=torch.ones(1), dtype=torch.float64)
    assert doubles().dtype == doubles.theta.dtype == torch.float64


def test_factors_lose_no_digits_on_the_way_to_single_precision_and_back():
    tying = LinearTying.index([0, 0], scale=[1 / 3, 0.1], offset=[0.7, 1e-9])
    shared = Shared(tying, dtype=torch.float64).float().double()
    np.testing.assert_array_equal(shared.coef, tying.coef)
    np.testing.assert_array_equal(shared.offset, tying.offset)


def test_a_place_of_a_tie_without_sums_reads_nothing_else():
    shared = Shared(LinearTying.groups([0, 1, 1, 2]), {"first": (2,), "second": (2,)}, theta=[1.0, 2.0, 3.0])
    shared.free[2:] = -7  # Out of range: reading it is an error.
    assert shared.sites("first").tolist() == [1.0, 2.0]
    with pytest.raises((IndexError, RuntimeError), match="index out of range"):
        shared.sites("second")


def test_the_representation_shows_shape_and_counts():
    deviations = LinearTying.shared_plus_deviation([0, 1, 0, 1])
    assert repr(Shared(deviations, (2, 2))) == "Shared((2, 2), free=3, sites=4, rank=2)"
    assert "free=6, sites=8, rank=4" in repr(Shared(deviations, block=(2,)))
    assert "'u': (2,)" in repr(Shared(deviations, {"u": (2,), "v": (2,)}))


def test_shapes_may_be_lists():
    shared = Shared(LinearTying.identity(4), {"u": [1, 2], "v": torch.Size([2])}, theta=np.ones(4))
    assert shared.shapes == {"u": (1, 2), "v": (2,)}
    assert shared.site("u").T.shape == (2, 1)


def test_shapes_that_do_not_hold_the_sites_are_refused():
    with pytest.raises(TyingError, match=r"the shapes \(2, 3\) hold 6 sites, but the tying has 5"):
        Shared(LinearTying.identity(5), (2, 3))
    with pytest.raises(TyingError, match=r"hold 6 sites, but the tying has 2 of \(2,\)"):
        Shared(LinearTying.identity(2), (2, 3), block=(2,))
    with pytest.raises(TyingError, match=r"hold 4 sites, but the tying has 2 of \(2,\)"):
        Shared(LinearTying.identity(2), {"half a block": (1,), "the rest": (3,)}, block=(2,))


def test_a_place_that_does_not_exist_is_refused():
    shared = Shared(LinearTying.identity(2), {"u": (1,), "v": (1,)})
    for ask in (shared.sites, shared.site, shared):
        with pytest.raises(TyingError, match="there is no place 'w'; there are 'u', 'v'"):
            ask("w")


def test_a_map_without_a_rule_to_draw_needs_values():
    with pytest.raises(TyingError, match="no rule to draw the parameters of Exp: set theta"):
        Shared(Exp(2), (1, 2))
    assert Shared(Exp(2), theta=[0.0, 0.0])().tolist() == [1.0, 1.0]


def test_flat_sites_start_at_zero_and_matrices_do_not():
    assert not Shared(LinearTying.identity(6))().any()
    assert Shared(LinearTying.identity(6), (2, 3))().all()
    assert Shared(LowRank(2, 3, 1), (2, 3))().all()
