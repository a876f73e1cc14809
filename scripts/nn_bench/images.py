"""Layers over images: convolutions, pooling, gates of channels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ffshare.nn import C4Conv2d, C4MaxPool2d, GroupPool, HashedConv2d, SharedSqueezeExcite
from nn_bench.case import Action, Case, equal_pair, pair


class SqueezeExcite(nn.Module):
    """The block that anybody would write."""

    def __init__(self, gates: nn.Sequential) -> None:
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.gates = gates

    def forward(self, image: Tensor) -> Tensor:
        return image * self.gates(self.squeeze(image).flatten(1))[:, :, None, None]


class PoolOfCopies(nn.Module):
    """The greatest of four copies of each channel, by the pooling of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool3d((4, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        return self.pool(image)


def _squeeze_excite(
    channels: int, depth: int, size: int, *, deviation: bool = False, batch: int = 64
) -> tuple[Action, Action]:
    """Blocks one after the other, as the depths of a network."""
    excite = SharedSqueezeExcite(channels, rd_channels=16, depth=depth, deviation=deviation)
    tied = nn.Sequential(*(excite.at(t) for t in range(depth)))
    tied.register_parameter("theta", excite.shared.theta)
    untied = nn.Sequential(*(SqueezeExcite(excite.to_sequential(t)) for t in range(depth)))
    return equal_pair(tied, untied, torch.randn(batch, channels, size, size))


def _turning(n_in: int, n_out: int, size: int, lift: bool) -> tuple[Action, Action]:
    layer = C4Conv2d(n_in, n_out, 3, padding=1, lift=lift)
    return equal_pair(layer, layer.to_conv2d(), torch.randn(16, n_in if lift else 4 * n_in, size, size))


CASES: Sequence[Case] = (
    Case("HashedConv2d, 64 → 64, k = 3, 32 × 32, batch 16", "nn.Conv2d", 1.15,
         lambda: pair(HashedConv2d(64, 64, 3), nn.Conv2d(64, 64, 3), torch.randn(16, 64, 32, 32))),
    Case("SharedSqueezeExcite, 64 channels, 8 depths, 16 × 16, batch 64", "untied blocks", 1.15,
         lambda: _squeeze_excite(64, 8, 16)),
    Case("SharedSqueezeExcite, the same with deviations, batch 64", "untied blocks", 1.15,
         lambda: _squeeze_excite(64, 8, 16, deviation=True)),
    Case("SharedSqueezeExcite, 64 channels, 8 depths, 16 × 16, batch 16", "untied blocks", 1.15,
         lambda: _squeeze_excite(64, 8, 16, batch=16)),
    Case("SharedSqueezeExcite, the same with deviations, batch 16", "untied blocks", 1.15,
         lambda: _squeeze_excite(64, 8, 16, deviation=True, batch=16)),
    Case("SharedSqueezeExcite, 256 channels, 4 depths, 8 × 8, batch 64", "untied blocks", 1.15,
         lambda: _squeeze_excite(256, 4, 8)),
    Case("C4Conv2d, lift 3 → 4 × 16, k = 3, 32 × 32, batch 16", "nn.Conv2d, 3 → 64", 1.3,
         lambda: _turning(3, 16, 32, True)),
    Case("C4Conv2d, 4 × 16 → 4 × 16, k = 3, 32 × 32, batch 16", "nn.Conv2d, 64 → 64", 1.3,
         lambda: _turning(16, 16, 32, False)),
    Case("C4Conv2d, 4 × 64 → 4 × 64, k = 3, 8 × 8, batch 16", "nn.Conv2d, 256 → 256", 1.3,
         lambda: _turning(64, 64, 8, False)),
    Case("C4MaxPool2d, 64 channels, k = 2, 32 × 32, batch 16", "nn.MaxPool2d", 1.15,
         lambda: equal_pair(C4MaxPool2d(2), nn.MaxPool2d(2), torch.randn(16, 64, 32, 32))),
    Case("GroupPool, 4 × 16 channels, 32 × 32, batch 16", "nn.MaxPool3d over the copies", 1.15,
         lambda: equal_pair(GroupPool(), PoolOfCopies(), torch.randn(16, 64, 32, 32))),
)  # fmt: skip
