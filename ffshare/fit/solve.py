"""Minimise the objective of a fit: Levenberg-Marquardt steps within bounds, on stored sums.

A step s from the parameters p solves, among those that are not held at a bound,

    (H + λ diag H) s = -∇F,

with H of Gauss-Newton, or the exact one where that is positive (see `ffshare.fit.objective`), and ends at the nearest
point within the bounds. A parameter is held where it is at a bound and the gradient pushes it outward. A step that
lowers F by a fair part of what the quadratic model promises is taken, and λ falls, down to zero; else λ grows. Blocks
of parameters that nothing connects each have their own λ, and rest once they have converged. No step needs another look
at the data.

The fit has converged when steps without damping promise less than `tolerance` times F + 1, in units of the objective:
a parameter is then nearer to the optimum than its standard error by orders of magnitude.

Reference:
    Kanzow, Yamashita and Fukushima, J. Comput. Appl. Math. 172, 375 (2004), for projected Levenberg-Marquardt.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ffshare.fit.objective import Block, Objective
from ffshare.fit.quadratic_model import Proposal, QuadraticModel
from ffshare.model.coordinates import FloatArray
from ffshare.records import doc, freeze_arrays, record

CONVERGED, TOO_MANY_STEPS, STALLED, NOT_FINITE = "converged", "too many steps", "stalled", "not finite"

ADVICE: Mapping[str, str] = {
    CONVERGED: "",
    TOO_MANY_STEPS: "give more steps, or narrower priors if a parameter runs away (see the history and the flags)",
    STALLED: (
        "no step lowers the objective any more, though the gradient is not zero: the sums are too ill-conditioned; "
        "give priors, or fix parameters that the identifiability table says are not determined"
    ),
    NOT_FINITE: "the sums hold values that are not finite: check the reference data and the parameters fitted to them",
}
"""What to do, by status."""

_LEAST_DAMPING, _MOST_DAMPING = 1e-6, 1e12


@record
class SolverSettings:
    """When to stop."""

    max_steps: int = doc("most steps tried", default=100)
    tolerance: float = doc("what a step must promise, over F + 1", default=1e-12)


@record
class Step:
    """One round of steps, one in each block that has not converged."""

    number: int = doc("from 0: where the fit starts")
    objective: float = doc("F after it")
    gradient_norm: float = doc("|∇F| in scaled parameters before it, those held at a bound left out")
    damping: float = doc("the greatest λ of all blocks")
    promised: float = doc("by how much F should fall")
    n_open: int = doc("blocks that had not converged")
    n_taken: int = doc("blocks whose step was taken")
    n_at_bounds: int = doc("parameters held at a bound before it")


@record
class Solution:
    """Where a fit ended, and how it got there."""

    values: FloatArray = doc("parameters, shape=(n,)")
    held: NDArray[np.bool_] = doc("whether each is held at a bound, shape=(n,)")
    objective: float = doc("F")
    status: str = doc("a key of `ADVICE`")
    advice: str = doc("what to do where it did not converge")
    history: tuple[Step, ...] = doc("every step tried")

    def __post_init__(self) -> None:
        freeze_arrays(self, values=np.float64, held=np.bool_)


def solve(objective: Objective, start: FloatArray, settings: SolverSettings | None = None) -> Solution:
    """The parameters with the least objective.

    Args:
        objective: The objective.
        start: Where to start, shape=(n,).
        settings: When to stop.

    Returns:
        The solution. A fit that does not converge gives where it got to, its status and advice.
    """
    limits = SolverSettings() if settings is None else settings
    values = np.clip(start, objective.lower, objective.upper)
    current = objective.value(values)
    dampings = [0.0] * len(objective.blocks)
    still_open = list(range(len(objective.blocks)))
    models: dict[int, QuadraticModel] = {}
    history: list[Step] = []
    status = TOO_MANY_STEPS
    gradient = objective.gradient(values)
    for number in range(limits.max_steps + 1):
        held = _held(objective, values, gradient)
        norm = float(np.linalg.norm((gradient * objective.scales)[~held]))
        if not (np.isfinite(norm) and np.isfinite(current)):
            status = NOT_FINITE
            break
        least = limits.tolerance * (1.0 + max(current, 0.0)) / max(len(objective.blocks), 1)
        for i in still_open:
            # That of a block whose last step was not taken still holds.
            if i not in models:
                models[i] = QuadraticModel.of(objective, objective.blocks[i], values, gradient, held)
        proposals = [models[i].proposal(dampings[i]) for i in still_open]
        is_done = [
            _is_at_rest(models[i], proposal, dampings[i], least)
            for i, proposal in zip(still_open, proposals, strict=True)
        ]
        may_step = number < limits.max_steps
        n_taken = 0
        for i, proposal, done in zip(still_open, proposals, is_done, strict=True):
            taken = False
            if may_step and not done:
                taken, dampings[i] = _try(objective.blocks[i], values, proposal)
                n_taken += taken
            if taken or done:
                del models[i]
        if n_taken:
            current, gradient = objective.value(values), objective.gradient(values)
        history.append(
            Step(
                number=number,
                objective=current,
                gradient_norm=norm,
                damping=max((each.damping for each in proposals), default=0.0),
                promised=sum(each.promised for each in proposals),
                n_open=len(still_open) - sum(is_done),
                n_taken=n_taken,
                n_at_bounds=int(held.sum()),
            )
        )
        still_open = [i for i, done in zip(still_open, is_done, strict=True) if not done]
        stalled = [i for i in still_open if dampings[i] > _MOST_DAMPING]
        if not still_open or stalled:
            status = STALLED if stalled else CONVERGED
            break
    return Solution(
        values=values,
        held=_held(objective, values, gradient),
        objective=current,
        status=status,
        advice=ADVICE[status],
        history=tuple(history),
    )


def _is_at_rest(model: QuadraticModel, proposal: Proposal, damping: float, least: float) -> bool:
    """Whether a block has nothing to win, neither by the step that is proposed nor by one that is not damped."""
    if proposal.possible > least:
        return False
    undamped = model.proposal(0.0) if damping else proposal
    return undamped.damping <= _LEAST_DAMPING and undamped.possible <= least


def _held(objective: Objective, values: FloatArray, gradient: FloatArray) -> NDArray[np.bool_]:
    """Whether each parameter is at a bound and pushed outward, shape=(n,)."""
    found: NDArray[np.bool_] = ((values <= objective.lower) & (gradient >= 0.0)) | (
        (values >= objective.upper) & (gradient <= 0.0)
    )
    return found


def _try(block: Block, values: FloatArray, proposal: Proposal) -> tuple[bool, float]:
    """Take the step of a block if it lowers the objective by enough, and the next λ."""
    change = block.change(values[block.idxs], proposal.values)
    # What is cut off at the bounds may leave a step that promises nothing.
    if proposal.promised > 0.0 and change < -1e-4 * proposal.promised:
        values[block.idxs] = proposal.values
        if -change < 0.5 * proposal.promised:
            return True, proposal.damping
        return True, 0.1 * proposal.damping if proposal.damping > 10.0 * _LEAST_DAMPING else 0.0
    return False, max(10.0 * proposal.damping, 1e-3)
