"""Hashed convolutions against `torch.nn.Conv2d`, for every argument that it takes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from ffshare.nn.hashed_conv import HashedConv2d  # noqa: E402

# Positional arguments from kernel_size on, as torch.nn.Conv2d takes them.
ARGUMENTS = [
    (3,),
    ((3, 2), (2, 1), (1, 2)),
    (3, 1, "same"),
    (3, 2, "valid"),
    ((2, 4), 1, "same", (3, 1)),
    (3, 2, 2, 2, 2, False),
    (3, 1, 1, 1, 4, True, "reflect"),
    (3, 1, (2, 1), 1, 1, True, "circular"),
    ((4, 3), 1, "same", 1, 2, True, "replicate"),
    ((4, 3), 1, "same", (1, 2), 1, True, "reflect"),
    (2, 1, "valid", 1, 1, True, "circular"),
]


@pytest.fixture(params=ARGUMENTS, ids=repr)
def arguments(request):
    torch.manual_seed(0)
    return request.param


def images():
    return torch.randn(2, 4, 9, 8, dtype=torch.float64)


# Torch's own, of both layers alike.
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
def test_it_is_a_plain_convolution_with_pooled_gradients(arguments):
    layer = HashedConv2d(4, 8, *arguments, dtype=torch.float64, compression=0.2)
    plain, x = layer.to_conv2d(), images()
    assert torch.equal(layer(x), plain(x))
    torch.testing.assert_close(layer(x[0]), plain(x[0]), rtol=1e-12, atol=1e-12)
    layer(x).square().sum().backward()
    plain(x).square().sum().backward()
    pooled = layer.shared.tying.pool(plain.weight.grad.numpy().ravel())
    np.testing.assert_allclose(layer.shared.theta.grad.numpy(), pooled, rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
def test_a_plain_convolution_goes_there_and_back(arguments):
    plain = nn.Conv2d(4, 8, *arguments, dtype=torch.float64)
    layer = HashedConv2d.from_conv2d(plain, 1, balanced=True)
    back, x = layer.to_conv2d(), images()
    assert torch.equal(layer(x), plain(x))
    assert repr(back) == repr(plain)
    assert all(torch.equal(*pair) for pair in zip(back.parameters(), plain.parameters(), strict=True))


def test_the_closest_one_holds_averages():
    plain = nn.Conv2d(4, 8, 3, dtype=torch.float64).eval()
    layer = HashedConv2d.from_conv2d(plain, 1 / 8, seed=3)
    tying = layer.shared.tying
    weight = plain.weight.detach().numpy().ravel() * tying.coef
    means = [weight[tying.free == bucket].mean() for bucket in range(tying.n_free)]
    np.testing.assert_allclose(layer.shared.theta.detach().numpy(), means, rtol=1e-12)
    assert torch.equal(layer.bias, plain.bias)
    assert not layer.training


def test_what_torch_refuses_is_refused_alike():
    with pytest.raises(ValueError, match="in_channels must be divisible by groups"):
        HashedConv2d(3, 4, 3, groups=2)
    with pytest.raises(ValueError, match="padding='same' is not supported for strided convolutions"):
        HashedConv2d(4, 4, 3, stride=2, padding="same")


def test_its_text_names_arguments_and_counts():
    text = HashedConv2d(4, 8, 3, padding="same", compression=1 / 8).extra_repr()
    assert text.startswith("4, 8, kernel_size=(3, 3), stride=(1, 1), padding='same'")
    assert "free=36, sites=288, rank=36" in text
