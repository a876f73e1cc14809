"""Small residual networks on digits: no recalibration, one at each depth, one shared by all depths."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ffshare.nn.counts import free_parameters
from ffshare.nn.reproduce.data import digits
from ffshare.nn.reproduce.seeds import seeded
from ffshare.nn.squeeze_excite import SharedSqueezeExcite
from ffshare.records import doc, record

CHANNELS, HIDDEN, N_DEPTHS = 16, 4, 6
N_TRAINING = 600
BATCH = 60
KINDS = {"none": 0, "apart": N_DEPTHS, "shared": 1}
"""Name of a network to the number of its squeeze-and-excitation layers."""


@record
class Trained:
    """Networks, by kind, trained from the same seed."""

    accuracies: Mapping[str, float] = doc("share of the test images that are read correctly")
    n_excite: Mapping[str, int] = doc("number of parameters of squeeze-and-excitation")
    correlations: Mapping[str, NDArray[np.float64]] = doc(
        "of the gates of two depths, over test images and channels, shape=(n_depths, n_depths)"
    )


class Network(nn.Module):
    """Residual blocks of one width, each with its own convolution and batch statistics.

    Args:
        n_excite: Number of squeeze-and-excitation layers: none, one for all blocks, or one for each.
    """

    def __init__(self, n_excite: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, CHANNELS, 3, padding=1)
        self.convolutions = nn.ModuleList(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1) for _ in range(N_DEPTHS))
        self.norms = nn.ModuleList(nn.BatchNorm2d(CHANNELS) for _ in range(N_DEPTHS))
        self.head = nn.Linear(CHANNELS, 10)
        # Registered here, each once; blocks take turns where there are fewer than blocks.
        self.excites = nn.ModuleList(
            SharedSqueezeExcite(CHANNELS, rd_channels=HIDDEN, depth=N_DEPTHS // n_excite) for _ in range(n_excite)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits, shape=(n, 10), and the gates of each depth, shape=(n, channels)."""
        x, gates = self.stem(images).relu(), []
        for t, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            y = norm(convolution(x))
            if len(self.excites):
                n_each = N_DEPTHS // len(self.excites)
                gates.append(self.excites[t // n_each].gates(y, t % n_each))
                y = y * gates[-1][:, :, None, None]
            x = (x + y).relu()
        return self.head(x.mean((2, 3))), gates


def train(seed: int, n_epochs: int, kinds: Iterable[str] = tuple(KINDS)) -> Trained:
    """Train networks on the same 600 images, and test them on the others.

    Args:
        seed: Draws images, weights and batches.
        n_epochs: How often training goes through the images.
        kinds: Which networks, of `KINDS`.

    Returns:
        What they do.
    """
    source = digits()
    images = torch.tensor(source.pixels, dtype=torch.float32)[:, None]
    labels = torch.tensor(source.labels)
    order = torch.tensor(np.random.default_rng(seed).permutation(len(labels)))
    training, test = order[:N_TRAINING], order[N_TRAINING:]
    accuracies, n_excite, correlations = {}, {}, {}
    for kind in kinds:
        with seeded(seed):
            network = _fit(Network(KINDS[kind]), images[training], labels[training], n_epochs)
        with torch.no_grad():
            logits, gates = network(images[test])
        accuracies[kind] = float((logits.argmax(1) == labels[test]).double().mean())
        n_excite[kind] = sum(parameter.numel() for parameter in free_parameters(network.excites))
        if gates:
            correlations[kind] = np.corrcoef(torch.stack(gates).flatten(1).double().numpy())
    return Trained(accuracies=accuracies, n_excite=n_excite, correlations=correlations)


def _fit(network: Network, images: Tensor, labels: Tensor, n_epochs: int) -> Network:
    """Train by Adam, with a step that rises and falls once."""
    n_batches = len(labels) // BATCH
    optimizer = torch.optim.Adam(free_parameters(network), lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=n_epochs * n_batches)
    for _ in range(n_epochs):
        for batch in torch.randperm(len(labels)).reshape(n_batches, BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(network(images[batch])[0], labels[batch]).backward()
            optimizer.step()
            schedule.step()
    network.eval()
    return network
