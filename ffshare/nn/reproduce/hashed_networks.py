"""The networks of the experiment with hashed weights: data, training, averaging afterwards.

All are perceptrons 784-h-10 for MNIST, trained by one recipe (Adam, one learning rate, batches of 100) on 4,000 digits,
400 of each, and judged on the other 1,000. Each seed splits the digits anew.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ffshare.nn.counts import count, free_parameters
from ffshare.nn.hashed import HashedLinear
from ffshare.nn.reproduce.data import Images
from ffshare.nn.reproduce.seeds import seeded
from ffshare.records import doc, record

N_PIXELS = 784
N_DIGITS = 10
N_HIDDEN = 256
N_TRAIN_OF_DIGIT = 400
# Mean and standard deviation of the grey values of MNIST.
GREY = (0.1307, 0.3081)


@record
class Split:
    """Digits to train on, and digits to be judged by."""

    train: Tensor = doc("standardised pixels, shape=(4000, 784)")
    train_labels: Tensor = doc("shape=(4000,)")
    test: Tensor = doc("standardised pixels, shape=(1000, 784)")
    test_labels: Tensor = doc("shape=(1000,)")


@record
class Averaged:
    """What averaging over buckets does to a trained network."""

    residual: float = doc("share of the squares of the weights that is lost")
    error: float = doc("test error [%]")


@record
class Trained:
    """Networks trained through the tie and plain ones of equal size."""

    compression: float = doc("free parameters for each weight")
    n_hashed: int = doc("free parameters of the hashed network, biases included")
    n_dense: int = doc("parameters of the plain network")
    hashed: tuple[float, ...] = doc("test errors of the hashed network [%], one a seed")
    dense: tuple[float, ...] = doc("test errors of the plain network [%], one a seed")


def split(images: Images, seed: int) -> Split:
    """The digits in a random order, 400 of each to train on.

    Args:
        images: The digits.
        seed: Seed of the order.

    Returns:
        The split.
    """
    rng = np.random.default_rng(seed)
    of_digit = [rng.permutation(np.flatnonzero(images.labels == digit)) for digit in range(N_DIGITS)]
    chosen = [np.concatenate([idxs[:N_TRAIN_OF_DIGIT] for idxs in of_digit])]
    chosen.append(np.concatenate([idxs[N_TRAIN_OF_DIGIT:] for idxs in of_digit]))
    mean, deviation = GREY
    pixels = (images.pixels.reshape(len(images.labels), -1) - mean) / deviation
    train, test = (torch.as_tensor(pixels[idxs], dtype=torch.float32) for idxs in chosen)
    train_labels, test_labels = (torch.as_tensor(images.labels[idxs]) for idxs in chosen)
    return Split(train=train, train_labels=train_labels, test=test, test_labels=test_labels)


def dense(n_hidden: int, seed: int) -> nn.Sequential:
    """A perceptron without ties.

    Args:
        n_hidden: Hidden units.
        seed: Seed of the starting values.

    Returns:
        The network.
    """
    with seeded(seed):
        return nn.Sequential(nn.Linear(N_PIXELS, n_hidden), nn.ReLU(), nn.Linear(n_hidden, N_DIGITS))


def hashed(compression: float, seed: int) -> nn.Sequential:
    """A perceptron of 256 hidden units whose weights are hashed.

    Args:
        compression: Free parameters for each weight.
        seed: Seed of the starting values and the hashes.

    Returns:
        The network.
    """
    with seeded(seed):
        return nn.Sequential(
            HashedLinear(N_PIXELS, N_HIDDEN, compression=compression, seed=2 * seed),
            nn.ReLU(),
            HashedLinear(N_HIDDEN, N_DIGITS, compression=compression, seed=2 * seed + 1),
        )


def equal_size(n_free: int) -> int:
    """The hidden units with which a dense perceptron comes closest to a number of parameters.

    Args:
        n_free: Parameters.

    Returns:
        Hidden units.

    Example:
        >>> equal_size(3442), equal_size(25674)
        (4, 32)
    """
    return max(1, round((n_free - N_DIGITS) / (N_PIXELS + 1 + N_DIGITS)))


def train(network: nn.Module, data: Split, seed: int, epochs: int) -> float:
    """Train a network in place.

    Args:
        network: The network.
        data: The digits.
        seed: Seed of the batches.
        epochs: How often it sees each digit.

    Returns:
        Test error [%].
    """
    optimizer = torch.optim.Adam(free_parameters(network), lr=0.002)
    order = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for batch in torch.randperm(len(data.train), generator=order).split(100):
            optimizer.zero_grad()
            functional.cross_entropy(network(data.train[batch]), data.train_labels[batch]).backward()
            optimizer.step()
    return error_rate(network, data)


def error_rate(network: nn.Module, data: Split) -> float:
    """Share of the test digits that a network takes for others [%]."""
    with torch.no_grad():
        wrong = network(data.test).argmax(dim=1) != data.test_labels
    return 100.0 * float(wrong.double().mean())


def averaged(network: nn.Sequential, ratio: float, seed: int, data: Split, *, balanced: bool = False) -> Averaged:
    """What is left of a trained network whose weights are averaged over buckets.

    Args:
        network: A dense network, not changed.
        ratio: Buckets for each weight, K/N.
        seed: Seed of the hashes.
        data: The digits.
        balanced: Whether the buckets are.

    Returns:
        The loss of its weights and its test error.
    """
    layers = [
        HashedLinear.from_linear(layer, ratio, seed=len(network) * seed + number, balanced=balanced)
        if isinstance(layer, nn.Linear)
        else layer
        for number, layer in enumerate(network)
    ]
    before, after = (weights(each) for each in (network, layers))
    residual = float(np.sum((before - after) ** 2) / np.sum(before**2))
    return Averaged(residual=residual, error=error_rate(nn.Sequential(*layers), data))


def weights(layers: nn.Sequential | list[nn.Module]) -> NDArray[np.float64]:
    """All weights of a network, without biases, shape=(n_weights,)."""
    found = [layer.weight.detach().double().numpy().ravel() for layer in layers if hasattr(layer, "weight")]
    return np.concatenate(found)


def through_the_tie(compression: float, data: Sequence[Split], epochs: int) -> Trained:
    """Train hashed networks, and plain ones of equal size, once for each split.

    Args:
        compression: Free parameters for each weight.
        data: The splits.
        epochs: How often a network sees each digit.

    Returns:
        Sizes and test errors.
    """
    shared = [hashed(compression, seed) for seed in range(len(data))]
    n_hashed = sum(tensor.numel() for tensor in shared[0].state_dict().values())
    plain = [dense(equal_size(n_hashed), seed) for seed in range(len(data))]
    return Trained(
        compression=compression,
        n_hashed=n_hashed,
        n_dense=count(plain[0]).free,
        hashed=tuple(train(network, data[seed], seed, epochs) for seed, network in enumerate(shared)),
        dense=tuple(train(network, data[seed], seed, epochs) for seed, network in enumerate(plain)),
    )
