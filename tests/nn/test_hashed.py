"""Hashed weights: the hash by hand as oracle, and the plain linear layer as another."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn.counts import count  # noqa: E402
from ffshare.nn.hashed import HashedLinear  # noqa: E402
from ffshare.nn.hashed_conv import HashedConv2d  # noqa: E402
from ffshare.tying import buckets, signs  # noqa: E402

FROZEN = [[3.0, -5.0, 2.0, 4.0], [5.0, -1.0, 4.0, -3.0], [-1.0, 1.0, 4.0, -2.0]]
FROZEN_BALANCED = [[6.0, 1.0, 5.0, 4.0], [2.0, 4.0, 3.0, 5.0], [3.0, 1.0, 2.0, 6.0]]

few = settings(max_examples=15, deadline=None)
sizes = st.integers(1, 6)
seeds = st.integers(0, 1000)
compressions = st.sampled_from([0.03, 1 / 8, 0.5, 1.0, 3.0])


def by_hand(theta, shape, seed, signed):
    """The weight entry by entry, from the hash as published."""
    n = math.prod(shape)
    flat = [
        (signs([site], seed)[0] if signed else 1.0) * theta[buckets([site], len(theta), seed)[0]] for site in range(n)
    ]
    return np.reshape(flat, shape)


@few
@given(n_in=sizes, n_out=sizes, compression=compressions, seed=seeds, signed=st.booleans())
def test_a_weight_is_the_signed_parameter_of_its_bucket(n_in, n_out, compression, seed, signed):
    layer = HashedLinear(n_in, n_out, dtype=torch.float64, compression=compression, seed=seed, signed=signed)
    theta = layer.shared.theta.detach().numpy()
    assert len(theta) == max(1, round(compression * n_in * n_out))
    np.testing.assert_array_equal(layer.weight.detach().numpy(), by_hand(theta, (n_out, n_in), seed, signed))


def test_the_hash_has_not_changed():
    layer = HashedLinear(4, 3, bias=False, compression=5 / 12, seed=7)
    layer.load_state_dict({"shared.theta": torch.arange(1.0, 6.0)})
    assert layer.weight.tolist() == FROZEN
    balanced = HashedLinear(4, 3, bias=False, compression=0.5, seed=7, balanced=True, signed=False)
    balanced.load_state_dict({"shared.theta": torch.arange(1.0, 7.0)})
    assert balanced.weight.tolist() == FROZEN_BALANCED


@few
@given(compression=compressions, seed=seeds, signed=st.booleans(), balanced=st.booleans(), bias=st.booleans())
def test_a_hashed_linear_is_a_plain_one_with_pooled_gradients(compression, seed, signed, balanced, bias):
    torch.manual_seed(seed)
    layer = HashedLinear(
        5, 4, bias, dtype=torch.float64, compression=compression, seed=seed, signed=signed, balanced=balanced
    )
    plain, x = layer.to_linear(), torch.randn(7, 5, dtype=torch.float64)
    assert torch.equal(layer(x), plain(x))
    layer(x).square().sum().backward()
    plain(x).square().sum().backward()
    pooled = layer.shared.tying.pool(plain.weight.grad.numpy().ravel())
    np.testing.assert_allclose(layer.shared.theta.grad.numpy(), pooled, rtol=1e-12, atol=1e-12)
    assert (layer.bias is None and plain.bias is None) or torch.equal(layer.bias.grad, plain.bias.grad)


@few
@given(compression=compressions, seed=seeds, signed=st.booleans(), balanced=st.booleans())
def test_the_closest_hashed_linear_holds_the_averages_of_its_buckets(compression, seed, signed, balanced):
    torch.manual_seed(seed)
    plain = nn.Linear(6, 5, dtype=torch.float64)
    options = {"seed": seed, "signed": signed, "balanced": balanced}
    layer = HashedLinear.from_linear(plain, compression, **options)
    tying = layer.shared.tying
    weight, sign = plain.weight.detach().numpy().ravel(), np.ones(30) if tying.coef is None else tying.coef
    for bucket, theta in enumerate(layer.shared.theta.tolist()):
        members = (sign * weight)[tying.free == bucket]
        assert theta == pytest.approx(members.mean() if len(members) else 0.0, abs=1e-15)
    assert torch.equal(layer.bias, plain.bias)
    again = HashedLinear.from_linear(layer.to_linear(), compression, **options)
    torch.testing.assert_close(again.weight, layer.weight)


def test_as_many_balanced_buckets_as_weights_keep_each_weight():
    plain = nn.Linear(30, 20)
    exact = HashedLinear.from_linear(plain, 1, balanced=True)
    assert torch.equal(exact.weight, plain.weight)
    random = HashedLinear.from_linear(plain, 1)
    assert not torch.allclose(random.weight, plain.weight)
    assert exact.shared.counts.rank == 600 > random.shared.counts.rank


def test_a_plain_layer_has_no_part_in_the_hashed_one():
    plain = nn.Linear(6, 5).eval()
    layer = HashedLinear.from_linear(plain)
    back = layer.to_linear()
    with torch.no_grad():
        layer.bias += 1.0
        layer.shared.theta += 1.0
    assert not torch.equal(layer.bias, plain.bias)
    assert not torch.equal(layer.weight, back.weight)
    assert not layer.training
    assert not back.training


def test_biases_are_not_compressed_and_the_three_counts_are_shown():
    layer = HashedLinear(64, 32, compression=1 / 16)
    counts = count(layer)
    assert (counts.free, counts.sites) == (128 + 32, 2048 + 32)
    assert "free=128, sites=2,048, rank=128" in layer.extra_repr()
    assert count(HashedLinear(64, 32, bias=False, compression=1 / 16)).free == 128


def test_layers_of_other_seeds_share_otherwise():
    first, second = (HashedLinear(8, 8, seed=seed).shared.tying.free for seed in (0, 1))
    assert (first != second).mean() > 0.5


@pytest.mark.parametrize("compression", [1 / 64, 1 / 8, 1])
def test_weights_start_with_the_variance_of_a_plain_layer(compression):
    torch.manual_seed(1)
    uniform = {
        512: HashedLinear(512, 512, compression=compression),
        288: HashedConv2d(64, 64, 3, groups=2, compression=compression),
    }
    for fan_in, layer in uniform.items():
        weight = layer.weight.detach()
        assert float(weight.abs().max()) <= 1 / math.sqrt(fan_in)
        # The variance of the variance of n uniform draws is 0.8 σ⁴ / n, with signs and buckets of several sizes more.
        within = 5 * math.sqrt(0.8 / layer.shared.counts.rank) + 0.01
        assert float(weight.var()) == pytest.approx(1 / (3 * fan_in), rel=within)


def test_signs_keep_outputs_from_leaning_to_one_side():
    torch.manual_seed(0)
    leaning = {}
    for signed in (True, False):
        layer = HashedLinear(1024, 1, bias=False, compression=1 / 128, signed=signed)
        outputs = []
        for _ in range(50):
            layer.reset_parameters()
            outputs.append(float(layer(torch.ones(1, 1024)).detach()))
        leaning[signed] = np.std(outputs)
    # A plain layer's output has the variance 1/3; without signs the weights of a bucket add up.
    assert leaning[True] < 1.0 < leaning[False]


@pytest.mark.parametrize("compression", [0, -1, math.inf, math.nan])
def test_a_compression_that_makes_no_sense_is_refused(compression):
    with pytest.raises(TyingError, match=rf"compression is {compression}, expected a number above 0"):
        HashedLinear(2, 2, compression=compression)


# The exporter's own: torch 2.13 warns of its use of deprecated parts.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("optimize", [False, True])
def test_onnx_folds_the_weight_unless_it_is_told_not_to(optimize):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript", reason="torch.onnx.export needs onnxscript")
    torch.manual_seed(0)
    layer, x = HashedLinear(64, 64, compression=1 / 64), torch.randn(2, 64)
    program = torch.onnx.export(layer, (x,), dynamo=True, optimize=optimize, verbose=False)
    graph = program.model_proto.graph
    found = {tuple(each.dims) for each in graph.initializer}
    gathers = [node for node in graph.node if node.op_type == "Gather"]
    if optimize:
        assert (64, 64) in found
        assert not gathers
    else:
        # The parameters are few, but their places are as many as the weights.
        assert {(64,), (4096,)} <= found
        assert (64, 64) not in found
        assert gathers
    session = runtime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {graph.input[0].name: x.numpy()})
    np.testing.assert_allclose(output, layer(x).detach().numpy(), rtol=1e-4, atol=1e-5)
