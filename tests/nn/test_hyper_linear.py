"""A generated weight: equal to the product of its factors, and closest to a given one."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn import HyperLinear  # noqa: E402


def layer_of(rank=2, bias=True):
    torch.manual_seed(0)
    return HyperLinear(7, 5, bias, dtype=torch.float64, rank=rank)


@pytest.mark.parametrize("bias", [True, False])
def test_outputs_and_gradients_are_those_of_the_product_as_a_weight(bias):
    layer = layer_of(bias=bias)
    x = torch.randn(4, 2, 7, dtype=torch.float64)
    out = layer(x)
    torch.testing.assert_close(out, nn.functional.linear(x, layer.shared(), layer.bias), rtol=0, atol=1e-14)
    (gradient,) = torch.autograd.grad(out.square().sum(), layer.shared.theta)
    weight = layer.shared().detach().requires_grad_()
    (by_weight,) = torch.autograd.grad(nn.functional.linear(x, weight, layer.bias).square().sum(), weight)
    pooled = layer.shared.tying.pool(by_weight.reshape(-1), layer.shared.theta)
    torch.testing.assert_close(gradient, pooled, rtol=1e-12, atol=1e-12)


def test_a_layer_of_full_rank_gives_the_linear_layer_back():
    linear = nn.Linear(7, 5, dtype=torch.float64)
    with pytest.warns(UserWarning, match="rank 5 takes 60 parameters for a weight of 35 entries; below rank 2.917"):
        layer = HyperLinear.from_linear(linear, 5)
    back = layer.to_linear()
    torch.testing.assert_close(back.weight, linear.weight, rtol=0, atol=1e-14)
    assert torch.equal(back.bias, linear.bias)


def test_the_closest_layer_misses_by_the_singular_values_left_out():
    linear = nn.Linear(7, 5, dtype=torch.float64)
    layer = HyperLinear.from_linear(linear, 2)
    left_out = torch.linalg.svdvals(linear.weight)[2:].square().sum()
    torch.testing.assert_close((layer.to_linear().weight - linear.weight).square().sum(), left_out)


def test_the_product_starts_with_the_variance_of_a_linear_layer():
    torch.manual_seed(0)
    variances = [float(HyperLinear(200, 100, rank=10).shared().detach().var()) for _ in range(20)]
    assert np.mean(variances) == pytest.approx(1 / (3 * 200), rel=0.05)


def test_one_key_a_parameter_and_a_rank_that_is_not_the_number_of_parameters():
    layer = layer_of(rank=2)
    assert list(layer.state_dict()) == ["bias", "shared.theta"]
    assert (layer.counts.free, layer.counts.sites, layer.counts.rank) == (24, 35, 20)
    assert "free=24, sites=35, rank=20" in repr(layer)
    other = copy.deepcopy(layer)
    other.load_state_dict(layer.state_dict())
    x = torch.ones(7, dtype=torch.float64)
    assert torch.equal(other(x), layer(x))
    assert torch.equal(torch.compile(layer, backend="eager", fullgraph=True)(x), layer(x))


def test_a_rank_beyond_the_weight_is_refused():
    with pytest.raises(TyingError, match="rank h is 6, expected 1 to 5 for a 5 × 7 matrix"):
        HyperLinear(7, 5, rank=6)
