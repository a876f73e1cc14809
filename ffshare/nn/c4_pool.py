"""Pooling that turns with its input, and the odd sizes where it does not.

Windows of size k that step by s over an image of n rows, with p rows of border on either side, leave

    r = (n + 2p - d(k - 1) - 1) mod s

rows over (d is the distance between places of a window). They are left at one side. Where r is not 0, the places of the
windows are not those of the turned image, and the layer does not turn with its input, exact as its kernels may be: the
usual halving, k = s = 2, breaks on every odd size. A border of one row at one side breaks it as well. What helps is an
odd window: k = 3, s = 2 fits all odd sizes.

`check_grid` raises there; the layers of this module and `ffshare.nn.c4.C4Conv2d` call it.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ffshare.errors import TyingError

N_TURNS = 4


class GroupPool(nn.Module):
    r"""What does not depend on the orientation: the greatest, or the mean, of the four copies of each channel.

    .. math::
        y_c(p) = \max_{r} x_{c, r}(p)

    What comes out is one plain image for each channel, which turns with the input. With a mean over all places after
    it, nothing turns any more.

    Args:
        mode: ``"max"`` or ``"mean"``.

    Shape:
        - Input: :math:`(N, 4C, H, W)` or :math:`(4C, H, W)`, the copies of a channel next to each other
        - Output: :math:`(N, C, H, W)` or :math:`(C, H, W)`

    Raises:
        TyingError: The mode is unknown.

    Example:
        >>> import torch
        >>> GroupPool()(torch.tensor([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]).reshape(8, 1, 1)).flatten()
        tensor([4., 9.])
    """

    def __init__(self, mode: str = "max") -> None:
        super().__init__()
        if mode not in ("max", "mean"):
            raise TyingError(f"mode is {mode!r}, expected 'max' or 'mean'")
        self.mode = mode

    def forward(self, input: Tensor) -> Tensor:
        """One plane for each channel."""
        copies = input.unflatten(-3, (-1, N_TURNS))
        pooled: Tensor = copies.amax(dim=-3) if self.mode == "max" else copies.mean(dim=-3)
        return pooled

    def extra_repr(self) -> str:
        """The mode."""
        return f"mode={self.mode!r}"


class C4MaxPool2d(nn.MaxPool2d):
    """A `torch.nn.MaxPool2d` that refuses sizes where it would not turn with its input.

    It takes the same arguments and has the same shapes.

    Raises:
        TyingError: When called: windows leave rows over at one side, or are not square.

    Example:
        >>> import torch
        >>> C4MaxPool2d(2)(torch.zeros(1, 4, 8, 8)).shape
        torch.Size([1, 4, 4, 4])
        >>> C4MaxPool2d(2)(torch.zeros(1, 4, 9, 9))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ffshare.errors.TyingError: C4MaxPool2d: windows of 2 with stride 2 and padding 0 leave 1 of 9 rows over, ...
    """

    def forward(self, input: Tensor) -> Tensor:
        """The greatest value of each window."""
        check_grid(self, input.shape[-2:])
        return super().forward(input)


class C4AvgPool2d(nn.AvgPool2d):
    """A `torch.nn.AvgPool2d` that refuses sizes where it would not turn with its input, as `C4MaxPool2d` does."""

    def forward(self, input: Tensor) -> Tensor:
        """The mean of each window."""
        check_grid(self, input.shape[-2:])
        return super().forward(input)


def check_grid(module: nn.Module, image: Sequence[int]) -> None:
    """Raise where the windows of a module do not lie on an image as on the turned image.

    Args:
        module: Anything with the ``kernel_size``, ``stride`` and ``padding`` of a `torch.nn.Conv2d` or a
            `torch.nn.MaxPool2d`.
        image: Height and width.

    Raises:
        TyingError: Windows leave rows over at one side, or are not square.

    Example:
        >>> check_grid(nn.Conv2d(1, 1, 3, stride=2, padding=1), (15, 15))
    """
    kernel_size, stride, dilation = (one_number(name, getattr(module, name, 1)) for name in SQUARE)
    padding = border("padding", getattr(module, "padding", 0), kernel_size, dilation)
    for size in image:
        left = _left_over(size, kernel_size, stride, padding, dilation)
        if left:
            window = _window_that_fits(size, kernel_size, stride, padding, dilation)
            raise TyingError(
                f"{type(module).__name__}: windows of {kernel_size} with stride {stride} and padding {padding} leave "
                f"{left} of {size} rows over, at one side only, so that the output does not turn with the input; "
                f"inputs of {size - left} or {size + stride - left} fit{window}"
            )


SQUARE = ("kernel_size", "stride", "dilation")
"""What must be the same along both axes, beside the padding."""


def one_number(name: str, value: Any) -> int:
    """What is the same along both axes.

    Args:
        name: What it is, for the message.
        value: A number, or one for each axis.

    Returns:
        The number.

    Raises:
        TyingError: The axes differ.

    Example:
        >>> one_number("stride", (2, 2))
        2
    """
    if isinstance(value, int):
        return value
    first, *rest = value
    if any(other != first for other in rest):
        raise TyingError(f"{name} is {tuple(value)}: what turns by quarter turns needs one number for both axes")
    return int(first)


def border(name: str, value: Any, kernel_size: int, dilation: int) -> int:
    """Width of the border on each of the four sides.

    Args:
        name: What it is, for the message.
        value: A number, one for each axis, ``"same"`` or ``"valid"``.
        kernel_size: Size of the window.
        dilation: Distance between its places.

    Returns:
        The width.

    Raises:
        TyingError: The axes differ, or ``"same"`` asks for one row more on one side than on the other.
    """
    if value == "valid":
        return 0
    if value != "same":
        return one_number(name, value)
    width, odd = divmod(dilation * (kernel_size - 1), 2)
    if odd:
        raise TyingError(
            f"{name}='same' with an even kernel_size of {kernel_size} is one row wider on one side, so that the output "
            "does not turn with the input: use an odd kernel_size, or a number"
        )
    return width


def _left_over(size: int, kernel_size: int, stride: int, padding: int, dilation: int) -> int:
    """Rows that no window reaches because another step would not fit."""
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) % stride


def _window_that_fits(size: int, kernel_size: int, stride: int, padding: int, dilation: int) -> str:
    """Words for the window nearest to the given one that leaves nothing over; none where there is none."""
    for wider in (kernel_size, kernel_size + 1):
        for border_width in range(padding, padding + stride):
            # Torch pools with borders of at most half a window.
            is_allowed = border_width == padding or 2 * border_width <= wider
            if is_allowed and not _left_over(size, wider, stride, border_width, dilation):
                return f", and so does kernel_size={wider}, padding={border_width}"
    return ""
