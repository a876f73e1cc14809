"""A convolution whose kernels share few parameters by hash; see `ffshare.nn.hashed` for the method.

A convolution already shares each weight over the image. Hashing shares once more, within and among the kernels; both
are sums of gradients, one inside the convolution and one in `Shared`.
"""

from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from ffshare.nn.hashed import Hashed, copy_bias, reset_bias
from ffshare.nn.init import fans

Size = int | tuple[int, int]


class HashedConv2d(Hashed):
    r"""A `torch.nn.Conv2d` whose weights share few parameters by a hash of their place.

    .. math::
        y = W \star x + b, \qquad W_{oikl} = \xi(o, i, k, l)\,\theta_{h(o, i, k, l)}

    Biases are never compressed.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Size of the kernel.
        stride: Step of the kernel.
        padding: Width of the border, or ``"same"`` or ``"valid"``.
        dilation: Distance between the places of the kernel.
        groups: Number of groups of channels that do not see each other.
        bias: Whether there is a bias.
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
        device: Device of the parameters.
        dtype: Type of the weight and the bias.
        compression: Free parameters for each weight. Above 1 there are more buckets than weights, which is of use only
            to study collisions.
        seed: Seed of the hash. Layers of one model take different ones, or their collisions repeat.
        signed: Whether weights have random signs, so that those of a bucket do not lean to one side.
        balanced: Whether the sizes of buckets differ by one at most: least collisions.

    Shape:
        - Input: :math:`(N, C_\text{in}, H, W)` or :math:`(C_\text{in}, H, W)`
        - Output: as of `torch.nn.Conv2d`

    Attributes:
        shared (Shared): owner of the parameters :math:`\theta`, ``shared.theta`` in the ``state_dict``. They start
            uniform between :math:`\pm 1/\sqrt{n}` with :math:`n` the number of inputs of one application, and so do
            the weights, as those of a `torch.nn.Conv2d` do.
        weight: the weight, :math:`(C_\text{out}, C_\text{in} / \text{groups}, k_H, k_W)`, expanded anew.
        bias: the bias, :math:`(C_\text{out})`.

    Example:
        >>> layer = HashedConv2d(16, 32, 3, padding="same", compression=1 / 16)
        >>> layer(torch.zeros(2, 16, 8, 8)).shape
        torch.Size([2, 32, 8, 8])
        >>> layer.shared.counts
        free=288, sites=4,608, rank=288
    """

    __constants__: ClassVar[tuple[str, ...]] = (
        *Hashed.__constants__,
        "dilation",
        "groups",
        "in_channels",
        "kernel_size",
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
        compression: float = 1 / 8,
        seed: int = 0,
        signed: bool = True,
        balanced: bool = False,
    ) -> None:
        # Torch's own layer, without memory, checks the arguments and brings them to one form.
        plain = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device="meta"
        )
        shape = tuple(plain.weight.shape)
        super().__init__(shape, compression, seed, signed, balanced, device=device, dtype=dtype)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size: tuple[int, int] = plain.kernel_size
        self.stride: tuple[int, int] = plain.stride
        self.padding: tuple[int, int] | str = plain.padding
        self.dilation: tuple[int, int] = plain.dilation
        self.groups = groups
        self.padding_mode = padding_mode
        self.bias = nn.Parameter(torch.empty(out_channels, device=device, dtype=dtype)) if bias else None
        reset_bias(self.bias, fans(shape)[0])

    def reset_parameters(self) -> None:
        """Draw θ and the bias from the distributions that `torch.nn.Conv2d` starts with."""
        self.shared.reset_parameters()
        reset_bias(self.bias, fans(self.shared.shapes[""])[0])

    def forward(self, input: Tensor) -> Tensor:
        """Outputs of the layer."""
        padding: tuple[int, int] | str = self.padding
        if self.padding_mode != "zeros":
            input = functional.pad(input, self.border, mode=self.padding_mode)
            padding = (0, 0)
        output: Tensor = functional.conv2d(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )
        return output

    @property
    def border(self) -> tuple[int, ...]:
        """Width of the border left, right, above and below, as `torch.nn.functional.pad` takes it."""
        if self.padding == "valid":
            return (0, 0, 0, 0)
        if isinstance(self.padding, str):
            total = [dilation * (size - 1) for dilation, size in zip(self.dilation, self.kernel_size, strict=True)]
            # An odd border is wider on the far side, as torch has it.
            return tuple(side for width in reversed(total) for side in (width // 2, width - width // 2))
        return tuple(width for width in reversed(self.padding) for _ in range(2))

    @classmethod
    def from_conv2d(
        cls,
        conv: nn.Conv2d,
        compression: float = 1 / 8,
        *,
        seed: int = 0,
        signed: bool = True,
        balanced: bool = False,
    ) -> Self:
        """The closest hashed layer: parameters are the averages of their buckets, the bias is copied.

        Args:
            conv: The layer to come close to, not changed.
            compression: As for the class, and so are the rest.
            seed: Seed of the hash.
            signed: Whether weights have random signs.
            balanced: Whether the sizes of buckets differ by one at most.

        Returns:
            The layer, on the device and of the type of the other.
        """
        layer = cls(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            conv.padding,
            conv.dilation,
            conv.groups,
            conv.bias is not None,
            conv.padding_mode,
            conv.weight.device,
            conv.weight.dtype,
            compression=compression,
            seed=seed,
            signed=signed,
            balanced=balanced,
        )
        layer.shared.tie_(conv.weight)
        copy_bias(conv.bias, layer.bias)
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
            self.in_channels,
            self.out_channels,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.bias is not None,
            self.padding_mode,
            device=weight.device,
            dtype=weight.dtype,
        )
        with torch.no_grad():
            conv.weight.copy_(weight)
        copy_bias(self.bias, conv.bias)
        return conv.train(self.training)

    def extra_repr(self) -> str:
        """Sizes, how the weight is hashed, and the counts of its parameters."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding!r}, dilation={self.dilation}, groups={self.groups}, bias={self.bias is not None}, "
            f"padding_mode={self.padding_mode!r}, {self.options}"
        )
