r"""Squeeze-and-excitation shared across depth: one recalibration of the channels for all blocks of a network.

A squeeze-and-excitation block averages each channel over the image, and a small network of two layers makes a gate for
each channel from these averages. Shared across depth, that small network is one function of the channel statistics,
whatever the block: with B blocks its parameters are estimated from B times the data. For n observations a block, C
channels and a linear gate, the mean squared error falls by exactly (Bn - C - 1)/(n - C - 1) where the blocks follow one
law; where they differ, the shared function is wrong everywhere by as much as they do.

Between sharing all and nothing, what each depth may have for itself are the biases and a scale of the gate's argument,

    φ_t = μ + δ_t        (`LinearTying.shared_plus_deviation` over depth, for each entry),

with deviations δ that start at zero. There is one direction too many for each entry, and `Counts.rank` says so; weight
decay, or a penalty on `deviations`, settles it.

What is shared has the width of its blocks. A network that widens in stages takes one of these for each stage. Nothing
else is shared: batch statistics belong to one depth and stay outside.

Reference:
    Hu, Shen and Sun, Squeeze-and-excitation networks, CVPR 2018, arXiv:1709.01507; Huang et al., DIANet: Dense-and-
    implicit attention network, AAAI 2020, arXiv:1905.10671.
"""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from scipy import sparse
from torch import Tensor, nn

from ffshare.errors import TyingError
from ffshare.nn.channel_gates import SqueezeExciteAt, Weights, channel_gates, channels_times, weights_at
from ffshare.nn.shared import Shared, Site
from ffshare.tying import LinearTying


class SharedSqueezeExcite(nn.Module):
    r"""Gates of the channels, from one small network for all depths.

    .. math::
        s_t = \operatorname{mean}_\text{space}(x_t), \qquad
        y_t = x_t \odot \sigma\bigl(g_t \odot W_2 \max(W_1 s_t + b_{1t}, 0) + b_{2t}\bigr)

    with weights :math:`W` that are the same at all depths t; biases too, and :math:`g_t = 1`, unless ``deviation``.
    The first arguments are those of timm's ``SEModule``.

    Args:
        channels: Number of channels, at all depths.
        rd_ratio: Hidden channels over channels, where ``rd_channels`` does not say.
        rd_channels: Number of hidden channels.
        rd_divisor: Hidden channels from ``rd_ratio`` are rounded to a multiple of this.
        add_maxpool: Whether half of each average is replaced by half of the maximum.
        bias: Whether to add biases.
        act_layer: Class of the activation between the layers, without parameters.
        norm_layer: None; a normalisation keeps statistics of one depth and is not shared.
        gate_layer: Class of the gate.
        device: Device of the parameters.
        dtype: Type of the weights.
        depth: Number of depths that it serves. Default: any number, and it counts as one.
        deviation: Whether each depth has deviations of the biases and of the scale.

    Shape:
        - Input: :math:`(N, C, *)` with one or more axes of space.
        - Output: the same.

    Attributes:
        shared (Shared): all parameters, alone in the ``state_dict``; its places are named ``"fc1.weight.0"``,
            ``"fc2.weight.0"`` and ``"vector.0"``, biases and scale; the last part is the depth.
        deviations (Tensor): :math:`\delta_t`, of shape (depth, :math:`n`).

    Raises:
        TyingError: ``norm_layer`` is given, the activation has parameters, or there are deviations without a depth.

    Note:
        Biases start at zero, not at random, and with them all deviations.

    Examples:
        >>> excite = SharedSqueezeExcite(16, rd_channels=4, depth=6)
        >>> excite.shared.counts
        free=148, sites=888, rank=148
        >>> blocks = nn.Sequential(*(nn.Sequential(nn.Conv2d(16, 16, 3), excite.at(t)) for t in range(6)))
        >>> network = nn.ModuleDict({"excite": excite, "blocks": blocks})
        >>> sorted(name for name, _ in network.named_parameters() if "excite" in name)
        ['excite.shared.theta']
        >>> per_stage = nn.ModuleList(SharedSqueezeExcite(width, depth=6) for width in (16, 32, 64))
    """

    __constants__ = ("channels", "rd_channels", "add_maxpool", "depth", "deviation")

    def __init__(
        self,
        channels: int,
        rd_ratio: float = 1 / 16,
        rd_channels: int | None = None,
        rd_divisor: int = 8,
        add_maxpool: bool = False,
        bias: bool = True,
        act_layer: Callable[[], nn.Module] = nn.ReLU,
        norm_layer: None = None,
        gate_layer: Callable[[], nn.Module] = nn.Sigmoid,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        depth: int | None = None,
        deviation: bool = False,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.rd_channels = rd_channels or _rounded(channels * rd_ratio, rd_divisor)
        self.add_maxpool = add_maxpool
        self.depth = depth
        self.deviation = deviation
        self.act, self.gate = act_layer(), gate_layer()
        if norm_layer is not None:
            raise TyingError(
                "a normalisation keeps statistics of one depth, so it is not shared: put one in each block"
            )
        if any(True for layer in (self.act, self.gate) for _ in layer.parameters()):
            raise TyingError("the activation and the gate must have no parameters of their own")
        if (depth is None and deviation) or (depth is not None and depth < 1):
            raise TyingError(f"deviations need a depth, and a depth is 1 or more, got depth={depth}")
        n_depths = depth or 1
        shapes = {"fc1.weight": (self.rd_channels, channels), "fc2.weight": (channels, self.rd_channels)}
        self._sizes = {"fc1.bias": self.rd_channels, "fc2.bias": channels} if bias else {}
        self._sizes |= {"scale": channels} if deviation else {}
        vector = {"vector": (sum(self._sizes.values()),)}
        self._n_own = vector["vector"][0] if deviation else 0
        parts = (shapes, vector) if deviation else ({**shapes, **vector},)
        places = {f"{name}.{t}": each for part in parts for t in range(n_depths) for name, each in part.items()}
        tying = LinearTying.repeat(n_depths, sum(map(math.prod, parts[0].values())))
        if deviation:
            by_depth = LinearTying.shared_plus_deviation(range(n_depths))
            # The scale is one where its parameters are zero.
            offset = ([0.0] * (self._n_own - channels) + [1.0] * channels) * n_depths
            tying |= LinearTying.basis(sparse.kron(by_depth.matrix, sparse.eye_array(self._n_own)), offset=offset)
        self.shared = Shared(tying, places, device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw the weights as `torch.nn.Linear` does, by fan-in; biases and deviations are zero, scales one."""
        self.shared.reset_parameters()

    @property
    def deviations(self) -> Tensor:
        """What each depth has for itself, shape=(depth, n); n is 0 without deviations."""
        n_depths = self.depth or 1
        theta = self.shared.theta
        return theta[len(theta) - n_depths * self._n_own :].reshape(n_depths, self._n_own)

    def weights(self, depth: int = 0) -> Weights:
        """The weights of one depth by name, expanded anew.

        Args:
            depth: Number of the depth, from 0; any where the layer was given none.

        Returns:
            The weights: ``fc1.weight``, ``fc2.weight``, and those of the biases and the scale that there are.

        Raises:
            TyingError: There is no such depth.
        """
        return weights_at(self.sites(depth), self._sizes)

    def sites(self, depth: int = 0) -> dict[str, Site]:
        """References to the weights of one depth by name, with the argument and the error of `weights`."""
        if self.depth is not None and not 0 <= depth < self.depth:
            raise TyingError(f"there is no depth {depth}; there are 0 to {self.depth - 1}")
        place = 0 if self.depth is None else depth
        return {name: self.shared.site(f"{name}.{place}") for name in ("fc1.weight", "fc2.weight", "vector")}

    def forward(self, input: Tensor, depth: int = 0) -> Tensor:
        """The features with each channel times its gate.

        Args:
            input: Features, shape=(N, C, ...).
            depth: Number of the depth, from 0; any where the layer was given none.

        Returns:
            Features of the same shape.

        Raises:
            TyingError: There is no such depth, or the features have no axis of space.
        """
        return channels_times(input, self.gates(input, depth))

    def gates(self, input: Tensor, depth: int = 0) -> Tensor:
        """The gates for these features, shape=(N, C), with the arguments and errors of `forward`."""
        return channel_gates(input, self.weights(depth), self.act, self.gate, self.add_maxpool)

    def at(self, depth: int = 0) -> SqueezeExciteAt:
        """A module without parameters that recalibrates at one depth, to be put into its block.

        Args:
            depth: Number of the depth, from 0.

        Returns:
            The module. The network must register this layer, too, in one place.

        Raises:
            TyingError: There is no such depth.
        """
        return SqueezeExciteAt(depth, self.sites(depth), self._sizes, self.act, self.gate, self.add_maxpool)

    @classmethod
    def from_blocks(cls, blocks: Sequence[nn.Module], deviation: bool = False, **options: Any) -> Self:
        """The shared layer whose weights come closest to those of separate blocks: without deviations, their means.

        Args:
            blocks: A block for each depth, with ``fc1`` and ``fc2``, linear layers or convolutions of one pixel, as
                those of timm and torchvision have; they are not changed.
            deviation: Whether each depth has deviations; biases are then kept exactly.
            **options: Further arguments of the class: ``act_layer``, ``gate_layer``, ``add_maxpool``.

        Returns:
            The layer.

        Raises:
            TyingError: There is no block, or their shapes differ.
        """
        named = [
            {
                f"{fc}.{name}": each.flatten(1) if name == "weight" else each
                for fc in ("fc1", "fc2")
                for name, each in getattr(block, fc).named_parameters()
            }
            for block in blocks
        ]
        if len({tuple((name, each.shape) for name, each in weights.items()) for weights in named}) != 1:
            raise TyingError("expected a block or more, all with the same channels, hidden channels and biases")
        first = named[0]["fc1.weight"]
        layer = cls(
            first.shape[1],
            rd_channels=first.shape[0],
            bias="fc1.bias" in named[0],
            depth=len(named),
            deviation=deviation,
            device=first.device,
            dtype=first.dtype,
            **options,
        )
        unit = torch.ones(first.shape[1], dtype=first.dtype, device=first.device)
        for weights in named:
            weights["vector"] = torch.cat([weights.get(name, unit) for name in layer._sizes] or [unit[:0]])
        sites = []
        for place in layer.shared.shapes:
            name, _, depth = place.rpartition(".")
            sites.append(named[int(depth)][name].detach().reshape(-1))
        layer.shared.tie_(torch.cat(sites))
        return layer

    @torch.no_grad()
    def to_sequential(self, depth: int = 0) -> nn.Sequential:
        """Plain layers that make the gates of one depth from its averages, shape (N, C), with weights of their own.

        Args:
            depth: Number of the depth, from 0.

        Returns:
            Linear layer, activation, linear layer (with the scale in its weight), gate.

        Raises:
            TyingError: There is no such depth.
        """
        weights = self.weights(depth)
        if "scale" in weights:
            weights["fc2.weight"] = weights["fc2.weight"] * weights.pop("scale")[:, None]
        layers = []
        for fc in ("fc1", "fc2"):
            weight, bias = weights[f"{fc}.weight"], weights.get(f"{fc}.bias")
            layer = nn.Linear(
                weight.shape[1], weight.shape[0], bias is not None, device=weight.device, dtype=weight.dtype
            )
            layer.weight.copy_(weight)
            if bias is not None:
                layer.bias.copy_(bias)
            layers.append(layer)
        return nn.Sequential(layers[0], copy.deepcopy(self.act), layers[1], copy.deepcopy(self.gate))

    def extra_repr(self) -> str:
        """Sizes, depths and the counts."""
        return (
            f"{self.channels}, rd_channels={self.rd_channels}, depth={self.depth}, deviation={self.deviation}, "
            f"{self.shared.counts}"
        )


def _rounded(number: float, divisor: int) -> int:
    """The nearest multiple of a number, at least once."""
    return max(divisor, int(number + divisor / 2) // divisor * divisor)
