"""What is timed against what."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ffshare.nn import (
    HashedConv2d,
    HashedEmbedding,
    HashedLinear,
    HyperLinear,
    Shared,
    SharedValueAttention,
    TiedAutoencoder,
    TiedGateLSTM,
    TiedLinear,
    TimeTied,
)
from ffshare.tying import LinearTying

Action = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """A contender and what it is measured against."""

    name: str
    against: str
    limit: float | None
    make: Callable[[], tuple[Action, Action]]


def output(given: Tensor | tuple[Tensor, ...]) -> Tensor:
    """What comes first of what a module gives."""
    return given[0] if isinstance(given, tuple) else given


def training_step(module: nn.Module, *inputs: Tensor) -> Action:
    """Forward and backward of a module, gradients by its parameters and by floating inputs."""
    given = [each.clone().requires_grad_() if each.is_floating_point() else each for each in inputs]
    wanted = [*module.parameters(), *(each for each in given if each.is_floating_point())]

    # As a loss would send it: one number repeated is a stride of zero, which torch treats in its own ways.
    gradient = torch.randn_like(output(module(*given)))

    def step() -> object:
        return torch.autograd.grad(output(module(*given)), wanted, gradient)

    return step


def pair(contender: nn.Module, standard: nn.Module, *inputs: Tensor) -> tuple[Action, Action]:
    """Both, after a look at what they put out."""
    found, expected = (output(module(*inputs)) for module in (contender, standard))
    if found.shape != expected.shape:
        raise SystemExit(f"{contender} gives {found.shape}, {standard} {expected.shape}")
    return training_step(contender, *inputs), training_step(standard, *inputs)


def expansion(n_sites: int, n_free: int, dtype: torch.dtype) -> tuple[Action, Action]:
    """`Shared` against what a careful hand would write."""
    labels = np.random.default_rng(0).integers(n_free, size=n_sites)
    shared = Shared(LinearTying.index(labels), dtype=dtype)
    index, gradient = torch.tensor(labels), torch.randn(n_sites, dtype=dtype)
    theta = shared.theta.detach()

    def ours() -> object:
        return torch.autograd.grad(shared(), shared.theta, gradient)

    def by_hand() -> object:
        return theta.index_select(0, index), torch.zeros_like(theta).index_add_(0, index, gradient)

    torch.testing.assert_close(ours()[0], by_hand()[1])
    return ours, by_hand


class Transposed(nn.Module):
    """The transpose of another layer, which owns the weight."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.owner = nn.Linear(n, n, bias=False)
        self.transpose = TiedLinear.transpose_of(self.owner)

    def forward(self, given: Tensor) -> Tensor:
        return self.transpose(given)


class UnfusedLSTM(nn.Module):
    """The loop over steps that anybody would write, with untied weights."""

    def __init__(self, n_in: int, n_hidden: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(n_in, n_hidden)

    def forward(self, steps: Tensor) -> Tensor:
        weights = self.cell.weight_ih, self.cell.weight_hh, self.cell.bias_ih, self.cell.bias_hh
        h = c = steps.new_zeros(steps.shape[1], self.cell.hidden_size)
        found = []
        for x in functional.linear(steps, weights[0], weights[2]):
            i, f, g, o = (x + functional.linear(h, weights[1], weights[3])).chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            found.append(h)
        return torch.stack(found)


class RepeatedCell(nn.Module):
    """A cell applied step by step."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, steps: Tensor) -> Tensor:
        h = steps.new_zeros(steps.shape[1], self.cell.hidden_size)
        found = []
        for x in steps:
            h = self.cell(x, h)
            found.append(h)
        return torch.stack(found)


def _autoencoder() -> tuple[Action, Action]:
    plain = nn.Sequential(nn.Linear(512, 128, bias=False), nn.Linear(128, 512, bias=False))
    return pair(TiedAutoencoder(512, 128), plain, torch.randn(256, 512))


def _lstm(standard: Callable[[], nn.Module]) -> tuple[Action, Action]:
    return pair(TiedGateLSTM(64, 128), standard(), torch.randn(50, 32, 64))


def _attention() -> tuple[Action, Action]:
    steps = torch.randn(64, 16, 256)
    return pair(SharedValueAttention(256, 8), nn.MultiheadAttention(256, 8), steps, steps, steps)


CASES: Sequence[Case] = (
    Case("Shared, 1,000,000 sites, 10,000 free, float64", "index_select and index_add", 1.3,
         lambda: expansion(1_000_000, 10_000, torch.float64)),
    Case("Shared, 1,000,000 sites, 10,000 free, float32", "index_select and index_add", 1.3,
         lambda: expansion(1_000_000, 10_000, torch.float32)),
    Case("TiedLinear.transpose_of, 512 × 512, batch 256", "nn.Linear", 1.15,
         lambda: pair(Transposed(512), nn.Linear(512, 512), torch.randn(256, 512))),
    Case("TiedAutoencoder, 512 → 128 → 512, batch 256", "two nn.Linear", 1.15, _autoencoder),
    Case("TimeTied, RNNCell 64, 50 steps, batch 32", "a loop over nn.RNNCell", 1.15,
         lambda: pair(TimeTied(nn.RNNCell(64, 64), 50), RepeatedCell(nn.RNNCell(64, 64)), torch.randn(50, 32, 64))),
    Case("TiedGateLSTM, 64 → 128, 50 steps, batch 32", "an unfused loop over untied gates", 1.15,
         lambda: _lstm(lambda: UnfusedLSTM(64, 128))),
    Case("TiedGateLSTM, 64 → 128, 50 steps, batch 32", "nn.LSTM, the fused kernel", None,
         lambda: _lstm(lambda: nn.LSTM(64, 128))),
    Case("HashedLinear, 1,024 × 1,024, 1/8, batch 256", "nn.Linear", 2.0,
         lambda: pair(HashedLinear(1024, 1024), nn.Linear(1024, 1024), torch.randn(256, 1024))),
    Case("HashedConv2d, 64 → 64, k = 3, 32 × 32, batch 16", "nn.Conv2d", 1.15,
         lambda: pair(HashedConv2d(64, 64, 3), nn.Conv2d(64, 64, 3), torch.randn(16, 64, 32, 32))),
    Case("HashedEmbedding, 10,000 × 64, 4,096 rows", "nn.Embedding", 1.15,
         lambda: pair(HashedEmbedding(10_000, 64), nn.Embedding(10_000, 64), torch.randint(10_000, (4096,)))),
    Case("HyperLinear, 1,024 × 1,024, rank 64, batch 256", "nn.Linear", 1.15,
         lambda: pair(HyperLinear(1024, 1024, rank=64), nn.Linear(1024, 1024), torch.randn(256, 1024))),
    Case("SharedValueAttention, 256, 8 heads, 64 steps, batch 16", "nn.MultiheadAttention", 1.15, _attention),
)  # fmt: skip
