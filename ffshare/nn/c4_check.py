"""Whether a module turns with its input: measured, for any module, whatever it is made of."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from ffshare.errors import TyingError
from ffshare.nn.c4 import C4Conv2d
from ffshare.nn.c4_pool import N_TURNS, check_grid

TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-4}
"""Rounding that a deep network may add up to; wider for narrower types."""

WINDOWED = (C4Conv2d, nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
"""Modules whose windows may leave rows over."""


def turn(images: Tensor, times: int = 1, *, regular: bool = False) -> Tensor:
    """Images turned by quarter turns, against the clock.

    Args:
        images: Images, or the four copies of each channel next to each other, shape=(..., C, H, W).
        times: How many quarter turns.
        regular: Whether channels are copies, which then move on: the regular representation.

    Returns:
        The turned images.

    Example:
        >>> turn(torch.tensor([[[1, 2], [3, 4]]]))
        tensor([[[2, 4],
                 [1, 3]]])
        >>> turn(torch.arange(4).reshape(4, 1, 1), regular=True).flatten()
        tensor([3, 0, 1, 2])
    """
    if regular:
        images = images.unflatten(-3, (-1, N_TURNS)).roll(times, -3).flatten(-4, -3)
    return images.rot90(times, (-2, -1))


def check_equivariance(
    module: nn.Module,
    *input_shape: int,
    regular_input: bool = False,
    regular_output: bool = False,
    tolerance: float | None = None,
    seed: int = 0,
) -> float:
    r"""The error of a module in turning with its input, which must be that of rounding.

    .. math::
        \max_{k = 1, 2, 3} \frac{\max | f(R^k x) - R^k f(x) |}{\max | f(x) |}

    with a random :math:`x`. An output with as many axes as the input is images; any other, as class scores, must not
    change at all. The module is looked at as in evaluation, and left as it was.

    Args:
        module: The module f.
        input_shape: Shape of its input, (N, C, H, W).
        regular_input: Whether the input is the four copies of each channel, and not plain images.
        regular_output: Whether the output is, as that of `C4Conv2d`.
        tolerance: The error allowed, infinite to measure only. Default: 1e-10 for float64, 1e-4 for float32.
        seed: Seed of the input.

    Returns:
        The error.

    Raises:
        TyingError: The error is above the tolerance; the message names layers whose windows leave rows over.

    Example:
        >>> layer = C4Conv2d(1, 2, 3, lift=True, dtype=torch.float64)
        >>> check_equivariance(layer, 1, 1, 8, 8, regular_output=True) < 1e-14
        True
        >>> check_equivariance(torch.nn.MaxPool2d(2), 1, 1, 7, 7)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ffshare.errors.TyingError: ... leave 1 of 7 rows over, at one side only, ...
    """
    like = next((each for each in module.parameters() if each.is_floating_point()), torch.empty(0))
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(input_shape, dtype=torch.float64, generator=generator).to(like)
    with _watched(module) as faults, torch.no_grad():
        output = module(images)
        turned = [module(turn(images, k, regular=regular_input)) for k in range(1, N_TURNS)]
    is_image = output.ndim == len(input_shape)
    expected = [turn(output, k, regular=regular_output) if is_image else output for k in range(1, N_TURNS)]
    if any(a.shape != b.shape for a, b in zip(turned, expected, strict=True)):
        error = float("inf")
    else:
        largest = max(float((a - b).abs().max()) for a, b in zip(turned, expected, strict=True))
        error = largest / (float(output.abs().max()) or 1.0)
    allowed = TOLERANCES.get(like.dtype, 0.1) if tolerance is None else tolerance
    if not error <= allowed:
        reasons = ". ".join(dict.fromkeys(faults)) or (
            "No windows leave rows over: look for a layer that treats orientations differently, as a plain Conv2d, "
            "BatchNorm2d on copies, and Flatten do"
        )
        raise TyingError(
            f"the module does not turn with its input of {' × '.join(map(str, input_shape[-2:]))}: error {error:.2g} "
            f"of the largest output, expected at most {allowed:g}. {reasons}"
        )
    return error


@contextmanager
def _watched(module: nn.Module) -> Iterator[list[str]]:
    """Run a module as in evaluation, and list where windows leave rows over; all is as it was after the block."""
    faults: list[str] = []

    def note(name: str, each: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        try:
            check_grid(each, inputs[0].shape[-2:])
        except TyingError as error:
            faults.append(f"{name or 'The module itself'}: {error}")

    hooks = [
        each.register_forward_pre_hook(partial(note, name))
        for name, each in module.named_modules()
        if isinstance(each, WINDOWED)
    ]
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        yield faults
    finally:
        for hook in hooks:
            hook.remove()
        for each, training in modes:
            each.training = training
