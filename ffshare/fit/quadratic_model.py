"""What the objective of a fit looks like from where a block of its parameters is, and the steps that this proposes.

A step s of scaled parameters solves (H + λ diag H) s = -∇F among those that are free, see `ffshare.fit.solve`. The
model stands for as long as the parameters do: where a step is not taken, the next one needs another λ and nothing else.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from ffshare.fit.objective import Block, Objective
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record

# A pivot below this times the diagonal is rounding.
_LEAST_PIVOT = 1e-13


class Proposal(NamedTuple):
    """A step of one block and what the model says of it."""

    values: FloatArray
    """Where it ends, within the bounds, shape=(n,)."""
    promised: float
    """By how much F should fall there."""
    possible: float
    """By how much F should fall were there no bounds on the way: 0 at the optimum only."""
    damping: float
    """λ, more than asked for where the matrix needs it."""


@record
class QuadraticModel:
    """The quadratic model of the objective by the parameters of one block."""

    values: FloatArray = doc("where the parameters are, shape=(n,)")
    free: IntArray = doc("parameters that are not held at a bound, by their places, shape=(n_free,)")
    scales: FloatArray = doc("prior widths of these, shape=(n_free,)")
    lower: FloatArray = doc("their least values, shape=(n_free,)")
    upper: FloatArray = doc("their greatest values, shape=(n_free,)")
    gradient: FloatArray = doc("∇F by these, scaled, shape=(n_free,)")
    hessian: FloatArray = doc("H by these, scaled, shape=(n_free, n_free)")
    factor: FloatArray | None = doc("factor of the exact H; None: that of Gauss-Newton is used, and is not factored")

    @classmethod
    def of(
        cls, objective: Objective, block: Block, values: FloatArray, gradient: FloatArray, held: NDArray[np.bool_]
    ) -> "QuadraticModel":
        """The model with the exact curvature where that is positive, else with that of Gauss-Newton.

        Args:
            objective: The objective.
            block: The block.
            values: Where all parameters are.
            gradient: ∇F by all parameters.
            held: Whether each parameter is held at a bound.
        """
        own, is_free = values[block.idxs], ~held[block.idxs]
        free = np.flatnonzero(is_free)
        idxs = block.idxs[free]
        scales = objective.scales[idxs]
        hessian = block.hessian(own)
        # As a rule nothing is held, and there is nothing to pick.
        if len(free) < len(own):
            hessian = hessian[np.ix_(free, free)]
        hessian *= 2.0 * scales
        hessian *= scales[:, None]
        whole = is_free[block.springs.rest] & is_free[block.springs.stiff]
        rest, stiff = (np.searchsorted(free, places[whole]) for places in block.springs)
        coupling = 2.0 * block.coupling(own)[whole] * scales[rest] * scales[stiff]
        return cls(
            values=own,
            free=free,
            scales=scales,
            lower=objective.lower[idxs],
            upper=objective.upper[idxs],
            gradient=gradient[idxs] * scales,
            hessian=hessian,
            factor=_coupled(hessian, rest, stiff, coupling),
        )

    def proposal(self, damping: float) -> Proposal:
        """The step with the first λ from `damping` up for which it can be solved.

        Args:
            damping: The least λ.

        Returns:
            The step.
        """
        if not len(self.free):
            return Proposal(self.values, 0.0, 0.0, 0.0)
        factor = self.factor if damping == 0.0 and self.factor is not None else _factor(self.hessian, damping)
        while factor is None:
            # The least damping changes well-determined directions by a part in 10⁸, and lets the fit converge.
            damping = max(10.0 * damping, 1e-8)
            factor = _factor(self.hessian, damping)
        downhill, _ = linalg.lapack.dpotrs(factor, -self.gradient, lower=1)
        own, proposed = self.values[self.free], self.values.copy()
        proposed[self.free] = np.clip(own + downhill * self.scales, self.lower, self.upper)
        actual = (proposed[self.free] - own) / self.scales
        promised, possible = (-float(self.gradient @ s + 0.5 * s @ (self.hessian @ s)) for s in (actual, downhill))
        return Proposal(proposed, promised, possible, damping)


def _coupled(hessian: FloatArray, rest: IntArray, stiff: IntArray, coupling: FloatArray) -> FloatArray | None:
    """The factor of a curvature with the coupling of its springs; where it has none the curvature stays without."""
    diagonal, alone = np.diagonal(hessian), hessian[stiff, rest]
    coupled = alone + coupling
    # A matrix is positive only if it is so for each parameter and for each spring: those are quickly looked at.
    if not (len(hessian) and (diagonal > 0.0).all() and (diagonal[stiff] * diagonal[rest] > coupled**2).all()):
        return None
    hessian[stiff, rest] = hessian[rest, stiff] = coupled
    factor = _factor(hessian, 0.0)
    if factor is None:
        hessian[stiff, rest] = hessian[rest, stiff] = alone
    return factor


def _factor(hessian: FloatArray, damping: float) -> FloatArray | None:
    """The Cholesky factor of H + λ diag H where that is well above zero in all directions, else None."""
    diagonal = np.diagonal(hessian)
    # A parameter that nothing determines stays where it is.
    curved = np.where(diagonal > 0.0, diagonal, 1.0)
    damped = hessian.copy()
    np.fill_diagonal(damped, (1.0 + damping) * curved)
    # Transposed, since LAPACK takes columns for rows.
    factor, failed = linalg.lapack.dpotrf(damped.T, lower=1, overwrite_a=1, clean=0)
    is_firm = not failed and (np.diagonal(factor) ** 2 > _LEAST_PIVOT * curved).all()
    return factor if is_firm else None
