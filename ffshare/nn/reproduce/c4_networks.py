"""Convolutional networks on turned digits of MNIST: kernels tied over quarter turns, or free.

Both networks have three convolutions and as many free parameters (the tied one fewer), the same normalization without
parameters, the same windows, and as many steps over their images, each seen equally often. The tied one learns from n
images, the other from 4n.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ffshare.nn.c4 import C4Conv2d
from ffshare.nn.c4_pool import N_TURNS, C4MaxPool2d, GroupPool
from ffshare.nn.reproduce.c4_linear import turned_at_random
from ffshare.nn.reproduce.data import mnist
from ffshare.nn.reproduce.seeds import seeded
from ffshare.records import doc, record

N_TEST = 1000
RATE = 0.01


@record
class Contest:
    """A tied network against an untied one that sees four times as many images."""

    n: int = doc("number of images that the tied network learns from")
    tied: NDArray[np.float64] = doc("1 where it misses a test image, 0 elsewhere, shape=(n_seeds, n_test)")
    untied: NDArray[np.float64] = doc("the same of the untied network, shape=(n_seeds, n_test)")
    networks: tuple[nn.Module, nn.Module] = doc("tied and untied, trained, of the last seed")


def tied_network(pool: Callable[[], nn.Module] = lambda: C4MaxPool2d(2)) -> nn.Sequential:
    """The network that turns with its input, and class scores that do not change.

    Args:
        pool: Makes what halves the image.

    Returns:
        The network; its first part gives four copies of each channel.
    """
    features = nn.Sequential(
        C4Conv2d(1, 8, 3, padding=1, lift=True), _norm(32), nn.ReLU(), pool(),
        C4Conv2d(8, 8, 3, padding=1), _norm(32), nn.ReLU(), pool(),
        C4Conv2d(8, 16, 3, padding=1), _norm(64), nn.ReLU(),
    )  # fmt: skip
    return nn.Sequential(features, GroupPool(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(16, 10))


def untied_network() -> nn.Sequential:
    """The same with free kernels: half as many planes, so that there are as many parameters."""
    features = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), _norm(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3, padding=1), _norm(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), _norm(32), nn.ReLU(),
    )  # fmt: skip
    return nn.Sequential(features, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(32, 10))


def contest(
    n: int,
    epochs: int,
    n_batches: int,
    n_seeds: int,
    tied: Callable[[], nn.Module] = tied_network,
    untied: Callable[[], nn.Module] = untied_network,
) -> Contest:
    """Train both networks on digits turned at random, and test them on others, turned too.

    Args:
        n: Number of images for the tied network; four times as many are for the other.
        epochs: How often each image is seen.
        n_batches: Number of batches that the images are dealt out to.
        n_seeds: Number of repetitions: other starting values, images and turns.
        tied: Makes the one network.
        untied: Makes the other.

    Returns:
        What they missed.
    """
    missed = np.empty((2, n_seeds, N_TEST))
    networks: list[nn.Module] = []
    for seed in range(n_seeds):
        images, labels = _turned_digits(seed)
        networks = []
        for row, (make, n_images) in enumerate(((tied, n), (untied, N_TURNS * n))):
            with seeded(seed):
                network = make()
                train(network, images[:n_images], labels[:n_images], epochs, n_batches)
            with torch.no_grad():
                answers = network(images[-N_TEST:]).argmax(dim=1)
            missed[row, seed] = (answers != labels[-N_TEST:]).numpy()
            networks.append(network)
    return Contest(n=n, tied=missed[0], untied=missed[1], networks=(networks[0], networks[1]))


def train(network: nn.Module, images: Tensor, labels: Tensor, epochs: int, n_batches: int) -> None:
    """Minimize the cross entropy, with a rate that rises and falls in one cycle."""
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=epochs * n_batches)
    for _ in range(epochs):
        for batch in torch.randperm(len(labels)).tensor_split(n_batches):
            optimizer.zero_grad()
            functional.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimizer.step()
            schedule.step()


def _norm(n_planes: int) -> nn.Module:
    """One mean and one deviation for all of an image, which no turn changes."""
    return nn.GroupNorm(1, n_planes, affine=False)


def _small(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """Images of 28 × 28 at 16 × 16: a border of two on each side, then means of 2 × 2."""
    framed = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    means: NDArray[np.float64] = framed.reshape(-1, 16, 2, 16, 2).mean(axis=(2, 4))
    return means


def _turned_digits(seed: int) -> tuple[Tensor, Tensor]:
    """All images in a random order, each turned at random, and their labels."""
    digits, rng = mnist(), np.random.default_rng(seed)
    order = rng.permutation(len(digits.labels))
    images = turned_at_random(_small(digits.pixels)[order], rng)
    return torch.tensor(images, dtype=torch.float32)[:, None], torch.tensor(digits.labels[order])
