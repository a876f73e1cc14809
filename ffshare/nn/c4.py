r"""Convolutions that turn with their input: kernels shared over the four quarter turns.

A convolution commutes with shifts because it shares its kernel over all places. Sharing it once more, over the group C4
of quarter turns R, makes it commute with those. A first layer lifts the image to four copies, one for each orientation
r of the kernel; layers after it map copies to copies (the regular representation):

    lift:    W_(o, r), i      = R^r ψ_oi
    group:   W_(o, r), (i, s) = R^r ψ_oi,(s - r mod 4)

Each free weight ψ feeds four entries of the expanded kernel, so that the map from one to the other is one
`LinearTying.index`, and the layer is a plain convolution with that kernel. Turning the input turns the output and
moves its copies on by one,

    f(Rx)_(o, r) = R f(x)_(o, r - 1),

exactly, whatever the weights are, before training and after it. Biases are shared by the four copies of a channel.
`GroupPool` takes the greatest of four copies, and a mean over all places then leaves what does not change at all.

It holds where windows lie on the turned image as on the image: see `ffshare.nn.c4_pool` for odd sizes. Layers that
treat the copies of a channel differently break it, too: `torch.nn.BatchNorm2d` has statistics and factors for each copy
(use `torch.nn.BatchNorm3d` on copies as a third axis, or `torch.nn.GroupNorm` with ``affine=False`` and no channel
split), and a `torch.nn.Linear` must not see places.

Reference:
    Cohen and Welling, Group equivariant convolutional networks, ICML 2016, arXiv:1602.07576.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ffshare.errors import TyingError
from ffshare.nn.c4_pool import N_TURNS, SQUARE, border, check_grid, one_number
from ffshare.nn.hashed import copy_bias, reset_bias
from ffshare.nn.init import fans
from ffshare.nn.shared import Shared
from ffshare.tying import LinearTying
from ffshare.tying.sharing import Generator

Size = int | tuple[int, int]


def orbit_tying(shape: int | Sequence[int], generators: Iterable[Generator]) -> LinearTying:
    """Weights that a symmetry exchanges share a parameter: the invariant weights of any permutation group.

    It is `LinearTying.orbit`, with the same arguments, result and errors.

    Args:
        shape: Shape of the weight.
        generators: Permutations of its entries that generate the group: functions that move the entries of an array
            of this shape, or flat arrays of entry numbers.

    Returns:
        The tying, one parameter for each orbit.

    Example:
        >>> orbit_tying((8, 8), [np.rot90]).n_free, orbit_tying((5, 5), [np.rot90]).n_free
        (16, 7)
        >>> orbit_tying((8, 8), [np.rot90, np.fliplr]).n_free
        10
    """
    return LinearTying.orbit(shape, generators)


class C4Conv2d(nn.Module):
    r"""A `torch.nn.Conv2d` that turns with its input: one free kernel in four orientations.

    .. math::
        y_{o, r} = b_o + \sum_{i, s} R^r \psi_{o, i, s - r} \star x_{i, s}

    Args:
        in_channels: Channels of the input, each a plain image where ``lift`` and four copies otherwise.
        out_channels: Channels of the output, each of four copies.
        kernel_size: Size of the kernel, square as all that follows.
        stride: Step of the kernel.
        padding: Width of the border, or ``"same"`` or ``"valid"``.
        dilation: Distance between the places of the kernel.
        groups: Number of groups of channels that do not see each other.
        bias: Whether there is a bias, one for each channel.
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
        device: Device of the parameters.
        dtype: Type of the weight and the bias.
        lift: Whether the input is a plain image: for the first layer.

    Shape:
        - Input: :math:`(N, 4C_\text{in}, H, W)`, the copies of a channel next to each other, or
          :math:`(N, C_\text{in}, H, W)` where ``lift``; without :math:`N`, too
        - Output: :math:`(N, 4C_\text{out}, H', W')`, sizes as of `torch.nn.Conv2d`

    Attributes:
        shared (Shared): owner of the free kernels :math:`\psi`, ``shared.theta`` in the ``state_dict``. They start
            uniform between :math:`\pm 1/\sqrt{n}` with :math:`n` the number of inputs of one application, and so do
            the weights, as those of a `torch.nn.Conv2d` of the expanded size do.
        shared_bias (Shared): owner of the biases, or None.
        weight: the weight, :math:`(4C_\text{out}, 4C_\text{in} / \text{groups}, k, k)`, expanded anew.
        bias: the bias, :math:`(4C_\text{out})`, expanded anew.

    Raises:
        TyingError: An argument differs between the axes, or ``"same"`` needs an uneven border; when called, windows
            leave rows over at one side (see `ffshare.nn.c4_pool`).

    Example:
        >>> first, second = C4Conv2d(1, 8, 3, padding=1, lift=True), C4Conv2d(8, 16, 3, padding=1)
        >>> second(first(torch.zeros(2, 1, 16, 16))).shape
        torch.Size([2, 64, 16, 16])
        >>> second.shared.counts
        free=4,608, sites=18,432, rank=4,608
    """

    __constants__: ClassVar[tuple[str, ...]] = (
        "dilation",
        "groups",
        "in_channels",
        "kernel_size",
        "lift",
        "out_channels",
        "padding",
        "padding_mode",
        "stride",
    )

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        lift: bool = False,
    ) -> None:
        super().__init__()
        # Torch's own layer, without memory, checks the arguments and brings them to one form.
        plain = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device="meta"
        )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size: tuple[int, int] = plain.kernel_size
        self.stride: tuple[int, int] = plain.stride
        self.padding: tuple[int, int] | str = plain.padding
        self.dilation: tuple[int, int] = plain.dilation
        self.groups = groups
        self.padding_mode = padding_mode
        self.lift = lift
        size, _, dilated = (one_number(name, getattr(self, name)) for name in SQUARE)
        self._border = border("padding", self.padding, size, dilated)
        copies = 1 if lift else N_TURNS
        n_in = in_channels // groups
        self.shared = Shared(
            _turned(out_channels, n_in, copies, size),
            (N_TURNS * out_channels, copies * n_in, size, size),
            device=device,
            dtype=dtype,
        )
        self.shared_bias = (
            Shared(LinearTying.index(np.repeat(np.arange(out_channels), N_TURNS)), device=device, dtype=dtype)
            if bias
            else None
        )
        self._reset_bias()

    @property
    def weight(self) -> Tensor:
        """The whole weight, expanded anew."""
        weight: Tensor = self.shared()
        return weight

    @property
    def bias(self) -> Tensor | None:
        """The whole bias, expanded anew."""
        return None if self.shared_bias is None else self.shared_bias()

    def reset_parameters(self) -> None:
        """Draw kernels and biases from the distributions that `torch.nn.Conv2d` starts with."""
        self.shared.reset_parameters()
        self._reset_bias()

    def forward(self, input: Tensor) -> Tensor:
        """Outputs of the layer."""
        check_grid(self, input.shape[-2:])
        padding = self._border
        if padding and self.padding_mode != "zeros":
            input = functional.pad(input, (padding,) * 4, mode=self.padding_mode)
            padding = 0
        output: Tensor = functional.conv2d(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )
        return output

    @classmethod
    def from_conv2d(cls, conv: nn.Conv2d, *, lift: bool = False) -> Self:
        """The closest layer that turns with its input: parameters are the averages of what they feed.

        Args:
            conv: The layer to come close to, not changed.
            lift: Whether its input is a plain image.

        Returns:
            The layer, on the device and of the type of the other.

        Raises:
            TyingError: Channels do not come in fours, or an argument differs between the axes.
        """
        copies = 1 if lift else N_TURNS
        n_in, left_in = divmod(conv.in_channels, copies)
        n_out, left_out = divmod(conv.out_channels, N_TURNS)
        if left_in or left_out:
            raise TyingError(
                f"a layer from {conv.in_channels} to {conv.out_channels} channels has no four copies of each: expected "
                f"multiples of {copies} and {N_TURNS}"
            )
        layer = cls(
            n_in,
            n_out,
            conv.kernel_size,
            conv.stride,
            conv.padding,
            conv.dilation,
            conv.groups,
            conv.bias is not None,
            conv.padding_mode,
            conv.weight.device,
            conv.weight.dtype,
            lift=lift,
        )
        layer.shared.tie_(conv.weight)
        if layer.shared_bias is not None:
            layer.shared_bias.tie_(conv.bias)
        layer.train(conv.training)
        return layer

    def to_conv2d(self) -> nn.Conv2d:
        """The plain layer with the same weight and bias, which computes exactly the same.

        Returns:
            The layer, which shares nothing but over the image, and nothing with this one.
        """
        weight = self.weight.detach()
        conv = nn.utils.skip_init(
            nn.Conv2d,
            weight.shape[1] * self.groups,
            weight.shape[0],
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.shared_bias is not None,
            self.padding_mode,
            device=weight.device,
            dtype=weight.dtype,
        )
        with torch.no_grad():
            conv.weight.copy_(weight)
        copy_bias(self.bias, conv.bias)
        return conv.train(self.training)

    def export(self) -> nn.Conv2d:
        """The plain layer, by the name under which libraries of such layers have it: `to_conv2d`."""
        return self.to_conv2d()

    def extra_repr(self) -> str:
        """Sizes, and the counts of the kernels."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding!r}, dilation={self.dilation}, groups={self.groups}, "
            f"bias={self.shared_bias is not None}, padding_mode={self.padding_mode!r}, lift={self.lift}, "
            f"{self.shared.counts}"
        )

    def _reset_bias(self) -> None:
        reset_bias(None if self.shared_bias is None else self.shared_bias.theta, fans(self.shared.shapes[""])[0])


def _turned(n_out: int, n_in: int, copies: int, size: int) -> LinearTying:
    """The free kernel ψ of each pair of channels, at its four orientations.

    Sites are ordered as a weight is: output channel and orientation, input channel and copy, place. A turned kernel
    also reads the copies of its input from one further on.
    """
    own = np.arange(n_out * n_in * copies * size**2).reshape(n_out, n_in, copies, size, size)
    turned = [np.rot90(np.roll(own, r, axis=2), r, axes=(3, 4)) for r in range(N_TURNS)]
    return LinearTying.index(np.stack(turned, axis=1).ravel())
