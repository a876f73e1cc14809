"""A case of the benchmark: two sides that compute the same kind of thing, looked at before they are timed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Action = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """A contender and what it is measured against."""

    name: str
    against: str
    limit: float | None
    make: Callable[[], tuple[Action, Action]]


def training_step(module: nn.Module, *inputs: Tensor, **named: Any) -> Action:
    """Forward and backward of a module, gradients by its parameters and by floating inputs."""
    given = [each.clone().requires_grad_() if each.is_floating_point() else each for each in inputs]
    wanted = [each for each in (*module.parameters(), *given) if each.requires_grad]

    # As a loss would send it: one number repeated is a stride of zero, which torch treats in its own ways.
    gradient = torch.randn_like(output(module(*given, **named)))

    def step() -> object:
        return torch.autograd.grad(output(module(*given, **named)), wanted, gradient)

    return step


def pair(contender: nn.Module, standard: nn.Module, *inputs: Tensor, **named: Any) -> tuple[Action, Action]:
    """The training steps of both, after a look at the shapes of what they put out."""
    found, expected = (output(module(*inputs, **named)).shape for module in (contender, standard))
    if found != expected:
        raise SystemExit(f"{contender} gives {found}, {standard} {expected}")
    return training_step(contender, *inputs, **named), training_step(standard, *inputs, **named)


def equal_pair(contender: nn.Module, standard: nn.Module, *inputs: Tensor, **named: Any) -> tuple[Action, Action]:
    """The training steps of both, after a look at the values that they put out where nothing is dropped."""
    with torch.no_grad():
        found, expected = (output(module.eval()(*inputs, **named)) for module in (contender, standard))
    same(found, expected)
    return training_step(contender.train(), *inputs, **named), training_step(standard.train(), *inputs, **named)


def same(found: Any, expected: Any) -> None:
    """Stop where two results differ by more than rounding."""
    try:
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    except AssertionError as error:
        raise SystemExit(f"the sides disagree: {error}") from error


def output(given: Tensor | tuple[Tensor, ...]) -> Tensor:
    """What comes first of what a module gives."""
    return given[0] if isinstance(given, tuple) else given
