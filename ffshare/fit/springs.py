"""The derivatives of the unknowns by the parameters, J = ∂u/∂p, and what is made with them.

An unknown is its parameter, but for the rest value x0 of a spring, whose unknown is k·x0 (see
`ffshare.fit.parameters`). A row of J has a single number or, for a rest value, two: k at x0 itself, and x0 at k. So
products with J are scaled rows and columns, to which some others are added; nothing is multiplied out.
"""

from typing import NamedTuple

import numpy as np

from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray


class Springs(NamedTuple):
    """The springs among some parameters."""

    rest: IntArray
    """Rest values, by their place among the parameters, shape=(n_springs,)."""
    stiff: IntArray
    """The force constant of each, by its place, shape=(n_springs,)."""

    @classmethod
    def among(cls, partners: IntArray, chosen: IntArray) -> "Springs":
        """The springs among some of the parameters.

        Args:
            partners: Of each rest value its force constant, else −1, see `Parameters`, shape=(n,).
            chosen: Parameters, ascending, a rest value only with its force constant, shape=(n_chosen,).

        Returns:
            Their places among those chosen.

        Example:
            >>> Springs.among(np.array([-1, -1, 0, 1, -1]), np.array([1, 3, 4]))
            Springs(rest=array([1]), stiff=array([0]))
        """
        mine = partners[chosen]
        (rest,) = (mine >= 0).nonzero()
        return cls(rest, np.searchsorted(chosen, mine[rest]))

    def unknowns(self, values: FloatArray) -> FloatArray:
        """The unknowns u of parameters, shape=(n,)."""
        found = np.array(values, dtype=np.float64)
        found[self.rest] *= values[self.stiff]
        return found

    def pulled(self, vector: FloatArray, values: FloatArray) -> FloatArray:
        """What pulls at the unknowns as it pulls at the parameters, Jᵀv, shape=(n,)."""
        found = vector.copy()
        found[self.rest] *= values[self.stiff]
        found[self.stiff] += vector[self.rest] * values[self.rest]
        return found

    def curvature(self, gram: FloatArray, values: FloatArray) -> FloatArray:
        """The curvature by the parameters, JᵀGJ, symmetric to rounding, from that by the unknowns, G, shape=(n, n)."""
        own = np.ones(len(values))
        own[self.rest] = values[self.stiff]
        at_rest = values[self.rest]
        found = gram * own
        found[:, self.stiff] += gram[:, self.rest] * at_rest
        beside = found[self.rest] * at_rest[:, None]
        found *= own[:, None]
        found[self.stiff] += beside
        return found

    def diagonal(self, gram: FloatArray, values: FloatArray) -> FloatArray:
        """The diagonal of JᵀGJ, shape=(n,)."""
        alone = np.diagonal(gram)
        found = alone.copy()
        found[self.rest] *= values[self.stiff] ** 2
        at_rest = values[self.rest]
        found[self.stiff] += at_rest * (2.0 * gram[self.stiff, self.rest] + at_rest * alone[self.rest])
        return found
