"""Shared weights by themselves, and layers of one matrix."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ffshare.nn import HashedEmbedding, HashedLinear, HyperLinear, Shared, TiedAutoencoder, TiedLinear
from ffshare.tying import LinearTying
from nn_bench.case import Action, Case, pair


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


def _autoencoder() -> tuple[Action, Action]:
    plain = nn.Sequential(nn.Linear(512, 128, bias=False), nn.Linear(128, 512, bias=False))
    return pair(TiedAutoencoder(512, 128), plain, torch.randn(256, 512))


CASES: Sequence[Case] = (
    Case("Shared, 1,000,000 sites, 10,000 free, float64", "index_select and index_add", 1.3,
         lambda: expansion(1_000_000, 10_000, torch.float64)),
    Case("Shared, 1,000,000 sites, 10,000 free, float32", "index_select and index_add", 1.3,
         lambda: expansion(1_000_000, 10_000, torch.float32)),
    Case("TiedLinear.transpose_of, 512 × 512, batch 256", "nn.Linear", 1.15,
         lambda: pair(Transposed(512), nn.Linear(512, 512), torch.randn(256, 512))),
    Case("TiedAutoencoder, 512 → 128 → 512, batch 256", "two nn.Linear", 1.15, _autoencoder),
    Case("HashedLinear, 1,024 × 1,024, 1/8, batch 256", "nn.Linear", 2.0,
         lambda: pair(HashedLinear(1024, 1024), nn.Linear(1024, 1024), torch.randn(256, 1024))),
    Case("HashedEmbedding, 10,000 × 64, 4,096 rows", "nn.Embedding", 1.15,
         lambda: pair(HashedEmbedding(10_000, 64), nn.Embedding(10_000, 64), torch.randint(10_000, (4096,)))),
    Case("HyperLinear, 1,024 × 1,024, rank 64, batch 256", "nn.Linear", 1.15,
         lambda: pair(HyperLinear(1024, 1024, rank=64), nn.Linear(1024, 1024), torch.randn(256, 1024))),
)  # fmt: skip
