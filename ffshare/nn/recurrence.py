"""A cell of a recurrent network applied again and again, with whatever parameters it is given."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

State = Any
"""A tensor, or a tuple of tensors of which the first is the output."""


class Recurrence(nn.Module):
    """A cell applied again and again."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, inputs: Sequence[Tensor], state: State, given: Sequence[State]) -> tuple[list[Tensor], State]:
        """Outputs and last state; a step starts from a given state where there is one."""
        outputs = []
        for step, x in enumerate(inputs):
            state = self.cell(x, given[step] if given else state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return outputs, state


def by_step(states: State, axis: int) -> Iterator[State]:
    """The state before each step."""
    if isinstance(states, tuple):
        return zip(*(each.unbind(axis) for each in states), strict=True)
    return iter(states.unbind(axis))
