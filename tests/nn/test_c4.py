"""Layers that turn with their input: laws, and plain convolutions as oracles."""

import copy
import io
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.func import functional_call, grad, vmap  # noqa: E402
from torch.nn import functional  # noqa: E402

from ffshare.errors import TyingError  # noqa: E402
from ffshare.nn.c4 import C4Conv2d, orbit_tying  # noqa: E402
from ffshare.nn.c4_check import check_equivariance, turn  # noqa: E402
from ffshare.nn.c4_pool import C4AvgPool2d, C4MaxPool2d, GroupPool  # noqa: E402
from ffshare.nn.counts import count  # noqa: E402
from ffshare.tying import LinearTying  # noqa: E402

# Positional arguments from kernel_size on, as torch.nn.Conv2d takes them, each with a size that it fits.
ARGUMENTS = [
    ((3,), 8),
    ((5, 1, 2), 7),
    (((2, 2), (2, 2), (1, 1)), 8),
    ((3, 1, "same"), 8),
    ((3, 2, "valid"), 9),
    ((3, 1, "same", 2), 9),
    ((4, 3, 1, 1, 2, False), 8),
    ((3, 1, 1, 1, 2, True, "reflect"), 6),
    ((3, 1, 1, 1, 1, True, "circular"), 7),
    ((3, 1, "same", 1, 2, True, "replicate"), 8),
]
WHERE = [False, True]


@pytest.fixture(params=[(arguments, lift) for arguments in ARGUMENTS for lift in WHERE], ids=repr)
def case(request):
    """A layer in double precision, whether it lifts, and images that it takes."""
    (arguments, size), lift = request.param
    torch.manual_seed(0)
    layer = C4Conv2d(2, 4, *arguments, dtype=torch.float64, lift=lift)
    return layer, lift, torch.randn(3, 2 if lift else 8, size, size, dtype=torch.float64)


def test_turning_the_input_turns_the_output_and_moves_its_copies_on(case):
    layer, lift, images = case
    output = layer(images)
    for k in range(1, 5):
        found = layer(turn(images, k, regular=not lift))
        torch.testing.assert_close(found, turn(output, k, regular=True), rtol=0, atol=1e-13)
    assert not torch.allclose(layer(turn(images, 1, regular=not lift)), turn(output, 1), atol=1e-3)


def test_it_is_the_sum_over_turned_kernels(case):
    layer, lift, images = case
    groups, size = layer.groups, layer.kernel_size[0]
    kernels = layer.shared.theta.detach().reshape(4, 2 // groups, 1 if lift else 4, size, size)
    copies = images.reshape(3, 2, -1, *images.shape[-2:])
    width = layer._border
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    for o in range(4):
        seen = range(2) if groups == 1 else [o // 2]
        for r in range(4):
            expected = 0 if layer.bias is None else float(layer.shared_bias.theta.detach()[o])
            for place, i in enumerate(seen):
                for s in range(copies.shape[2]):
                    own = kernels[o, place, 0 if lift else (s - r) % 4].rot90(r, (0, 1))
                    padded = functional.pad(copies[:, i, s : s + 1], (width,) * 4, mode=mode)
                    expected = expected + functional.conv2d(
                        padded, own[None, None], stride=layer.stride, dilation=layer.dilation
                    )
            torch.testing.assert_close(layer(images)[:, 4 * o + r, None], expected.expand(3, 1, *expected.shape[2:]))


@pytest.mark.parametrize("lift", WHERE)
def test_its_tying_is_the_orbits_of_turning_weights_in_both_channels(lift):
    layer = C4Conv2d(3, 2, 3, lift=lift)

    def turned(weights):
        return np.rot90(np.roll(np.roll(weights, 1, axis=1), 1, axis=3), axes=(4, 5))

    orbits = orbit_tying((2, 4, 3, 1 if lift else 4, 3, 3), [turned])
    np.testing.assert_array_equal(layer.shared.tying.free, orbits.free)
    assert set(layer.shared.tying.counts) == {4}


def test_it_is_a_plain_convolution_with_pooled_gradients(case):
    layer, _, images = case
    plain = layer.export()
    assert torch.equal(layer(images), plain(images))
    assert layer(images[0]).shape == plain(images)[0].shape
    layer(images).square().sum().backward()
    plain(images).square().sum().backward()
    for shared, weight in ((layer.shared, plain.weight), (layer.shared_bias, plain.bias)):
        if shared is not None:
            pooled = shared.tying.pool(weight.grad.numpy().ravel())
            np.testing.assert_allclose(shared.theta.grad.numpy(), pooled, rtol=1e-10, atol=1e-10)


def test_a_plain_convolution_that_turns_goes_there_and_back(case):
    layer, lift, images = case
    plain = layer.to_conv2d()
    back = C4Conv2d.from_conv2d(plain, lift=lift)
    torch.testing.assert_close(back(images), layer(images), rtol=1e-14, atol=1e-14)
    assert repr(back) == repr(layer)
    assert repr(back.to_conv2d()) == repr(plain)


def test_the_closest_layer_averages_over_the_turns():
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 4, 3, dtype=torch.float64).eval()
    layer = C4Conv2d.from_conv2d(plain)
    images = torch.randn(1, 8, 6, 6, dtype=torch.float64)
    outputs = [turn(plain(turn(images, k, regular=True)), -k, regular=True) for k in range(4)]
    torch.testing.assert_close(layer(images), torch.stack(outputs).mean(dim=0))
    assert not layer.training
    with pytest.raises(TyingError, match="from 6 to 4 channels has no four copies of each: expected multiples of 4"):
        C4Conv2d.from_conv2d(nn.Conv2d(6, 4, 3))


def test_starting_values_have_the_bounds_of_a_plain_convolution_of_the_expanded_size():
    torch.manual_seed(0)
    layer, plain = C4Conv2d(32, 32, 3), nn.Conv2d(128, 128, 3)
    for pair in ((layer.weight, plain.weight), (layer.bias, plain.bias)):
        own, other = (tensor.detach() for tensor in pair)
        assert own.shape == other.shape
        assert float(own.abs().max()) <= 1 / math.sqrt(128 * 9)
        assert float(own.std() / other.std()) == pytest.approx(1.0, abs=0.15)


def test_what_has_no_turn_is_refused():
    with pytest.raises(TyingError, match=r"kernel_size is \(3, 2\): what turns by quarter turns needs one number"):
        C4Conv2d(1, 1, (3, 2))
    with pytest.raises(TyingError, match="padding is"):
        C4Conv2d(1, 1, 3, padding=(1, 0))
    with pytest.raises(TyingError, match="padding='same' with an even kernel_size of 4 is one row wider"):
        C4Conv2d(1, 1, 4, padding="same")
    with pytest.raises(ValueError, match="in_channels must be divisible by groups"):
        C4Conv2d(2, 4, 3, groups=4)
    with pytest.raises(TyingError, match="mode is 'sum', expected 'max' or 'mean'"):
        GroupPool("sum")


# Kernel, stride, padding, dilation, and size of the image.
WINDOWS = st.tuples(*(st.integers(*bounds) for bounds in ((1, 4), (1, 4), (0, 2), (1, 2), (8, 13))))


@settings(max_examples=60, deadline=None)
@given(WINDOWS)
def test_windows_are_refused_just_where_they_do_not_turn(window):
    kernel_size, stride, padding, dilation, size = window
    plain = nn.Conv2d(1, 4, kernel_size, stride, padding, dilation)
    layer = C4Conv2d.from_conv2d(plain, lift=True).double()
    images = torch.randn(1, 1, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    unchecked = layer.export()
    turns = torch.allclose(unchecked(turn(images)), turn(unchecked(images), regular=True), atol=1e-12)
    if turns:
        layer(images)
    else:
        with pytest.raises(TyingError, match="rows over"):
            layer(images)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5), st.integers(2, 4), st.integers(9, 14))
def test_the_window_and_the_sizes_that_a_message_offers_fit(kernel_size, stride, size):
    try:
        C4MaxPool2d(kernel_size, stride)(torch.zeros(1, 1, size, size))
    except TyingError as error:
        text = str(error)
        for each in text.split("inputs of ")[1].split(" fit")[0].split(" or "):
            C4MaxPool2d(kernel_size, stride)(torch.zeros(1, 1, int(each), int(each)))
        if "kernel_size=" in text:
            offered = dict(part.split("=") for part in text.split("so does ")[1].split(", "))
            C4MaxPool2d(int(offered["kernel_size"]), stride, int(offered["padding"]))(torch.zeros(1, 1, size, size))


@pytest.mark.parametrize("make", [C4MaxPool2d, C4AvgPool2d])
def test_pooling_refuses_odd_sizes_along_either_axis(make):
    images = torch.randn(1, 4, 8, 6)
    plain = nn.MaxPool2d(2) if make is C4MaxPool2d else nn.AvgPool2d(2)
    assert torch.equal(make(2)(images), plain(images))
    for shape in ((8, 7), (7, 8)):
        with pytest.raises(TyingError, match=r"leave 1 of 7 rows over, at one side only.*inputs of 6 or 8 fit"):
            make(2)(torch.zeros(1, 4, *shape))


def network(pool=C4MaxPool2d):
    torch.manual_seed(0)
    return nn.Sequential(
        C4Conv2d(2, 3, 3, padding=1, lift=True), nn.ReLU(), pool(2),
        C4Conv2d(3, 4, 3, padding=1), nn.ReLU(), GroupPool("mean"),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5),
    )  # fmt: skip


def test_a_whole_network_does_not_see_turns_in_either_precision():
    assert check_equivariance(network(), 2, 2, 12, 8) <= 1e-5
    assert check_equivariance(network().double(), 2, 2, 12, 12) <= 1e-13
    assert check_equivariance(network().double()[:3], 2, 2, 12, 12, regular_output=True) <= 1e-13
    assert check_equivariance(network().double()[3:5], 2, 12, 6, 6, regular_input=True, regular_output=True) <= 1e-13
    assert check_equivariance(network().double()[:6], 2, 2, 12, 12) <= 1e-13


def test_the_check_names_the_layer_at_fault():
    broken = network(nn.MaxPool2d)
    with pytest.raises(
        TyingError, match=r"its input of 9 × 9: error .* 2: MaxPool2d: windows of 2 .* 1 of 9 rows over"
    ):
        check_equivariance(broken, 1, 2, 9, 9)
    assert check_equivariance(broken, 1, 2, 9, 9, tolerance=math.inf) > 0.01
    with pytest.raises(TyingError, match="No windows leave rows over: look for a layer that treats orientations"):
        check_equivariance(nn.Conv2d(1, 1, 3), 1, 1, 8, 8)
    with pytest.raises(TyingError, match="error inf"):
        check_equivariance(nn.AvgPool2d((2, 1)), 1, 1, 8, 8)


def test_the_check_leaves_the_module_as_it_was():
    module = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(1), nn.MaxPool2d(2)).train()
    module[1].eval()
    before = copy.deepcopy(module.state_dict())
    random = torch.random.get_rng_state()
    check_equivariance(module, 1, 1, 8, 8)
    with pytest.raises(TyingError):
        check_equivariance(module, 1, 1, 9, 9)
    assert [each.training for each in module.modules()] == [True, True, False, True]
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert not any(each._forward_pre_hooks for each in module.modules())
    assert torch.equal(random, torch.random.get_rng_state())


def test_orbits_are_those_of_any_group():
    assert orbit_tying((8, 8), [np.rot90]).n_free == 16
    assert orbit_tying((5, 5), [np.rot90]).n_free == 7
    assert orbit_tying(6, [[1, 2, 0, 3, 5, 4]]).n_free == 3
    assert orbit_tying((2, 2), []).n_free == LinearTying.identity(4).n_free


def test_the_state_dict_holds_parameters_and_no_kernel():
    layer = C4Conv2d(2, 3, 3)
    shapes = {name: tuple(tensor.shape) for name, tensor in layer.eval().state_dict().items()}
    assert shapes == {"shared.theta": (2 * 3 * 4 * 9,), "shared_bias.theta": (3,)}
    assert str(count(layer)) == "free=219, sites=876, rank=219"
    assert "2, 3, kernel_size=(3, 3)" in layer.extra_repr()
    assert layer.extra_repr().endswith("lift=False, free=216, sites=864, rank=216")


def test_copies_compute_the_same_and_are_independent(case):
    layer, _, images = case
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), torch.load(file, weights_only=False)):
        assert torch.equal(twin(images), layer(images))
        twin.reset_parameters()
        assert not torch.equal(twin(images), layer(images))


def one():
    torch.manual_seed(0)
    return C4Conv2d(2, 2, 3, padding=1).double(), torch.randn(1, 8, 4, 4, dtype=torch.float64)


def test_a_layer_without_memory_is_filled_and_loaded():
    layer, images = one()
    with torch.device("meta"):
        twin = C4Conv2d(2, 2, 3, padding=1)
    assigned = copy.deepcopy(twin)
    twin.to_empty(device="cpu").double().load_state_dict(layer.state_dict())
    assigned.double().load_state_dict(layer.state_dict(), assign=True)
    assert torch.equal(twin(images), layer(images))
    assert torch.equal(assigned(images), layer(images))


def test_half_precision_is_for_the_weight_and_gradients_are_pooled_in_single():
    layer, images = one()
    halved = copy.deepcopy(layer).bfloat16()
    output = halved(images.bfloat16())
    assert output.dtype == halved.weight.dtype == torch.bfloat16
    torch.testing.assert_close(output.double(), layer(images), rtol=0.05, atol=0.05)
    output.sum().backward()
    assert halved.shared.theta.grad.dtype == torch.float32


def test_a_functional_call_maps_over_parameters_and_gradients_have_gradients():
    layer, images = one()
    state = {name: tensor.detach() for name, tensor in layer.named_parameters()}
    many = {name: torch.stack([tensor, 2 * tensor]) for name, tensor in state.items()}

    def loss(parameters):
        return functional_call(layer, parameters, (images,)).square().sum()

    torch.testing.assert_close(vmap(loss)(many), torch.stack([loss(state), 4 * loss(state)]))
    torch.testing.assert_close(vmap(grad(loss))(many)["shared.theta"][1], 2 * grad(loss)(state)["shared.theta"])

    def output(theta):
        return functional_call(layer, {**state, "shared.theta": theta}, (images[..., :2, :2],)).tanh()

    theta = layer.shared.theta.detach().requires_grad_()
    assert torch.autograd.gradcheck(output, (theta,), fast_mode=True)
    assert torch.autograd.gradgradcheck(output, (theta,), fast_mode=True)


def test_it_compiles_to_one_graph_and_is_exported():
    layer, images = one()
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(images), layer(images))
    program = torch.export.export(layer, (images,))
    assert sorted(program.state_dict) == sorted(layer.state_dict())
    torch.testing.assert_close(program.module()(images), layer(images))


def test_safetensors_takes_it(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    layer, images = one()
    safetensors.save_file(layer.state_dict(), tmp_path / "layer.safetensors")
    other = one()[0]
    other.reset_parameters()
    other.load_state_dict(safetensors.load_file(tmp_path / "layer.safetensors"))
    assert torch.equal(other(images), layer(images))


def test_training_keeps_the_symmetry():
    module, images = network().double(), torch.randn(8, 2, 8, 8, dtype=torch.float64)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    before = module(images).detach()
    for _ in range(10):
        optimizer.zero_grad()
        functional.cross_entropy(module(images), torch.arange(8) % 5).backward()
        optimizer.step()
    assert not torch.allclose(module(images), before, atol=0.1)
    assert check_equivariance(module, 2, 2, 8, 8) <= 1e-13
