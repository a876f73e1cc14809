"""Tasks for LSTMs with and without a tie of the gates: to read digits row by row, and to keep what was written.

A latch gets a number and a flag at each of 10 steps, and has to give at the end the number of the last step whose flag
was set. Where there are several such steps, each must also erase what was written before.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ffshare.nn.reproduce.data import digits
from ffshare.nn.reproduce.lstm_training import Ensemble, Reader
from ffshare.nn.reproduce.seeds import seeded

Floats = NDArray[np.float64]
Errors = Mapping[tuple[bool, str], Floats]
"""Errors of latches by whether they overwrite and by tie."""

COMPARED = ("none", "input")
"""The ties that are compared."""

TASKS = OVERWRITE, SINGLE = True, False
"""Whether a latch overwrites."""

N_STEPS = 10
WRITE_RATE = 0.25
N_TRAIN = 1200
"""The digits that may be trained on; the other 597 are the test."""


def latch(n: int, generator: torch.Generator, *, overwrites: bool) -> tuple[Tensor, Tensor]:
    """Sequences of numbers with write flags, and what was written last.

    Args:
        n: Number of sequences.
        generator: Source of random numbers.
        overwrites: Whether each step writes with a probability of 0.25, the first always; otherwise one step does.

    Returns:
        Normally distributed numbers and flags, shape=(10, n, 2), and the last number with a flag, shape=(n,).
    """
    values = torch.randn(N_STEPS, n, generator=generator)
    if overwrites:
        writes = torch.rand(N_STEPS, n, generator=generator) < WRITE_RATE
        writes[0] = True
    else:
        writes = torch.arange(N_STEPS)[:, None] == torch.randint(N_STEPS, (n,), generator=generator)
    last = (writes * torch.arange(N_STEPS)[:, None]).amax(dim=0)
    return torch.stack((values, writes.to(values.dtype)), dim=-1), values[last, torch.arange(n)]


def latch_errors(hidden_size: int, n_seeds: int, *, n_updates: int, learning_rate: float) -> Errors:
    """Errors of trained latches on new sequences.

    Args:
        hidden_size: Number of hidden units.
        n_seeds: Number of networks for each task and tie; those of one seed start alike as far as the tie lets them,
            and see the same sequences.
        n_updates: Number of updates.
        learning_rate: Rate at the start.

    Returns:
        Mean squared errors over the variance of the targets, by task and tie, each of shape (n_seeds,).
    """
    ensemble = _ensemble(2, hidden_size, 1, n_copies=len(TASKS), n_seeds=n_seeds)
    generator = torch.Generator().manual_seed(hidden_size)

    def draw(n_batch: int = 64) -> tuple[Tensor, Tensor]:
        drawn = [latch(n_batch * n_seeds, generator, overwrites=overwrites) for overwrites in TASKS]
        steps = [each.reshape(N_STEPS, n_seeds, n_batch, 2).transpose(0, 1) for each, _ in drawn]
        targets = [each.reshape(n_seeds, n_batch) for _, each in drawn]
        return torch.cat(steps * len(COMPARED)), torch.cat(targets * len(COMPARED))

    def squared_errors(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs[..., 0] - targets).square().mean(dim=-1)

    ensemble.train(draw, squared_errors, n_updates=n_updates, learning_rate=learning_rate)
    with torch.no_grad():
        steps, targets = draw(1000)
        errors = squared_errors(ensemble(steps), targets) / targets.var(dim=-1)
    split = errors.double().numpy().reshape(len(COMPARED), len(TASKS), n_seeds)
    return {(task, tie): split[i, j] for i, tie in enumerate(COMPARED) for j, task in enumerate(TASKS)}


def digit_accuracies(n_train: int, n_seeds: int, *, n_updates: int, hidden_size: int = 32) -> dict[str, Floats]:
    """Accuracies of networks that read the digits of scikit-learn row by row.

    Args:
        n_train: Number of digits to train on, at most 1,200.
        n_seeds: Number of networks for each tie, each with a division of the digits of its own.
        n_updates: Number of updates.
        hidden_size: Number of hidden units.

    Returns:
        Shares of 597 other digits that are told right, by tie, each of shape (n_seeds,).
    """
    images = digits()
    rows = torch.as_tensor(np.array(images.pixels), dtype=torch.float32)
    labels = torch.as_tensor(np.array(images.labels))
    generator = torch.Generator().manual_seed(n_train)
    orders = torch.stack([torch.randperm(len(labels), generator=generator) for _ in range(n_seeds)])
    ensemble = _ensemble(8, hidden_size, 10, n_copies=1, n_seeds=n_seeds)

    def batch(chosen: Tensor) -> tuple[Tensor, Tensor]:
        twice = torch.cat([orders.gather(1, chosen)] * len(COMPARED))
        return rows[twice].transpose(1, 2), labels[twice]

    def draw() -> tuple[Tensor, Tensor]:
        return batch(torch.randint(n_train, (n_seeds, 50), generator=generator))

    def entropies(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(outputs.mT, targets, reduction="none").mean(dim=-1)

    ensemble.train(draw, entropies, n_updates=n_updates, learning_rate=0.01)
    with torch.no_grad():
        steps, targets = batch(torch.arange(N_TRAIN, len(labels)).expand(n_seeds, -1))
        right = (ensemble(steps).argmax(dim=-1) == targets).double().mean(dim=-1)
    return dict(zip(COMPARED, right.numpy().reshape(len(COMPARED), n_seeds), strict=True))


def _ensemble(n_inputs: int, hidden_size: int, n_outputs: int, *, n_copies: int, n_seeds: int) -> Ensemble:
    """Networks by tie, by copy (of the same start), by seed."""
    readers = []
    for tie in COMPARED:
        for _ in range(n_copies):
            for seed in range(n_seeds):
                with seeded(seed):
                    readers.append(Reader(n_inputs, hidden_size, n_outputs, tie))
    return Ensemble(readers)
