"""What squeeze-and-excitation computes, given its weights: the gates of the channels, and a module for one depth."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from ffshare.errors import TyingError
from ffshare.nn.shared import Site

Weights = dict[str, Tensor]
"""The weights of one depth by name: fc1.weight, fc2.weight, and fc1.bias, fc2.bias, scale where there are such."""


def weights_at(sites: Mapping[str, Site], sizes: Mapping[str, int]) -> Weights:
    """The weights of one depth, expanded anew.

    Args:
        sites: Where they lie: the matrices by name, and "vector", biases and scale one after the other, so that these
            are expanded at once.
        sizes: Lengths of biases and scale by name, in their order.

    Returns:
        The weights.
    """
    weights = {name: site() for name, site in sites.items()}
    vectors = weights.pop("vector").split(list(sizes.values()))
    return weights | dict(zip(sizes, vectors, strict=True))


def channel_gates(input: Tensor, weights: Weights, act: nn.Module, gate: nn.Module, add_maxpool: bool) -> Tensor:
    """The gates of squeeze-and-excitation.

    Args:
        input: Features, shape=(N, C, ...).
        weights: The weights.
        act: Between the layers.
        gate: After them.
        add_maxpool: Whether half of each average is replaced by half of the maximum.

    Returns:
        A gate for each channel, shape=(N, C).

    Raises:
        TyingError: The features have no axis of space.
    """
    if input.dim() < 3:
        raise TyingError(f"expected features of shape (N, C, ...) with an axis of space, got {tuple(input.shape)}")
    pixels = input.flatten(2)
    # The mean as a sum: its gradient is a view of one number a channel, that of `mean` an image. Half precision may be
    # too narrow for the sum.
    kind = torch.promote_types(input.dtype, torch.float32)
    squeezed = (pixels.sum(2, dtype=kind) / pixels.shape[2]).to(input.dtype)
    if add_maxpool:
        squeezed = (squeezed + pixels.amax(2)) / 2
    hidden = act(functional.linear(squeezed, weights["fc1.weight"], weights.get("fc1.bias")))
    weight, bias, scale = (weights.get(name) for name in ("fc2.weight", "fc2.bias", "scale"))
    if scale is None:
        return gate(functional.linear(hidden, weight, bias))
    argument = functional.linear(hidden, weight)
    return gate(argument * scale if bias is None else torch.addcmul(bias, argument, scale))


def channels_times(input: Tensor, gates: Tensor) -> Tensor:
    """Features, shape=(N, C, ...), each channel times its gate, shape=(N, C)."""
    return input * gates.reshape(*gates.shape, *(1,) * (input.dim() - 2))


class SqueezeExciteAt(nn.Module):
    """A `SharedSqueezeExcite` at one depth, made by its ``at``: it refers to the weights and has none.

    The network registers the owner of the weights elsewhere, once.

    Args:
        depth: Number of the depth.
        sites: References to the weights, as `weights_at` takes them.
        sizes: Lengths of biases and scale, as `weights_at` takes them.
        act: The activation, without parameters.
        gate: The gate, without parameters.
        add_maxpool: Whether half of each average is replaced by half of the maximum.

    Shape:
        - Input: :math:`(N, C, *)` with one or more axes of space.
        - Output: the same.

    Example:
        >>> from ffshare.nn.squeeze_excite import SharedSqueezeExcite
        >>> excite = SharedSqueezeExcite(8)
        >>> block = nn.Sequential(nn.Conv2d(3, 8, 3), excite.at(2))
        >>> block
        Sequential(
          (0): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))
          (1): SqueezeExciteAt(
            depth=2
            (act): ReLU()
            (gate): Sigmoid()
          )
        )
    """

    def __init__(
        self,
        depth: int,
        sites: dict[str, Site],
        sizes: dict[str, int],
        act: nn.Module,
        gate: nn.Module,
        add_maxpool: bool = False,
    ) -> None:
        super().__init__()
        self.depth = depth
        self.sites, self.sizes = sites, sizes
        self.act, self.gate = act, gate
        self.add_maxpool = add_maxpool

    def forward(self, input: Tensor) -> Tensor:
        """The features with each channel times its gate, shape=(N, C, ...)."""
        return channels_times(input, self.gates(input))

    def gates(self, input: Tensor) -> Tensor:
        """The gates for these features, shape=(N, C)."""
        return channel_gates(input, weights_at(self.sites, self.sizes), self.act, self.gate, self.add_maxpool)

    def extra_repr(self) -> str:
        """The depth; what is shared counts where it is registered."""
        return f"depth={self.depth}"
