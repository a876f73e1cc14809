"""What squeeze-and-excitation computes, given its weights: the gates of the channels, and a module for one depth."""

from torch import Tensor, nn
from torch.nn import functional

from ffshare.errors import TyingError
from ffshare.nn.shared import Site

Weights = dict[str, Tensor]
"""The weights of one depth by name: fc1.weight, fc2.weight, and fc1.bias, fc2.bias, scale where there are such."""


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
    squeezed = pixels.mean(2)
    if add_maxpool:
        squeezed = (squeezed + pixels.amax(2)) / 2
    hidden = act(functional.linear(squeezed, weights["fc1.weight"], weights.get("fc1.bias")))
    argument = functional.linear(hidden, weights["fc2.weight"])
    if "scale" in weights:
        argument = argument * weights["scale"]
    if "fc2.bias" in weights:
        argument = argument + weights["fc2.bias"]
    return gate(argument)


def channels_times(input: Tensor, gates: Tensor) -> Tensor:
    """Features, shape=(N, C, ...), each channel times its gate, shape=(N, C)."""
    return input * gates.reshape(*gates.shape, *(1,) * (input.dim() - 2))


class SqueezeExciteAt(nn.Module):
    """A `SharedSqueezeExcite` at one depth, made by its ``at``: it refers to the weights and has none.

    The network registers the owner of the weights elsewhere, once.

    Args:
        depth: Number of the depth.
        sites: References to the weights by name.
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
        self, depth: int, sites: dict[str, Site], act: nn.Module, gate: nn.Module, add_maxpool: bool = False
    ) -> None:
        super().__init__()
        self.depth = depth
        self.sites = sites
        self.act, self.gate = act, gate
        self.add_maxpool = add_maxpool

    def forward(self, input: Tensor) -> Tensor:
        """The features with each channel times its gate, shape=(N, C, ...)."""
        return channels_times(input, self.gates(input))

    def gates(self, input: Tensor) -> Tensor:
        """The gates for these features, shape=(N, C)."""
        weights = {name: site() for name, site in self.sites.items()}
        return channel_gates(input, weights, self.act, self.gate, self.add_maxpool)

    def extra_repr(self) -> str:
        """The depth; what is shared counts where it is registered."""
        return f"depth={self.depth}"
