"""The objective of a fit as a function of the parameters, from sums alone.

With u(p) the unknowns of the parameters p (see `ffshare.fit.parameters`),

    F(p) = uᵀGu - 2 bᵀu + c + s Σ ((p - m)/w)² + pᵀLp,
    ½ ∇F = Jᵀ(Gu - b) + s (p - m)/w² + Lp,       J = ∂u/∂p,
    ½ H  = JᵀGJ + s diag(1/w²) + L               (Gauss-Newton).

What Gauss-Newton leaves out is (Gu - b)_j for each pair of a k and its rest value x0, j the unknown k·x0. But
k (Gu - b)_j is the derivative by x0, which is zero at the optimum, priors aside: so Gauss-Newton converges
quadratically here, however large the residuals are. Where k is small and a prior holds x0 against the data it is not
zero; that term is at hand, and is taken in (`Block.coupling`) wherever the curvature stays positive with it.

Everything is in *scaled* parameters x = p/w, and falls apart into blocks of parameters that no molecule, prior or
tie connects.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ffshare.fit.parameters import Parameters
from ffshare.fit.priors import NO_SOFT_TIES, Priors, SoftTies, bounds
from ffshare.fit.springs import Springs
from ffshare.fit.statistics import NormalEquations
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record


@record
class Block:
    """Parameters that hang together, with their part of the objective."""

    idxs: IntArray = doc("the parameters, ascending, shape=(n,)")
    springs: Springs = doc("springs, by their places in the block")
    gram: FloatArray = doc("G, shape=(n, n)")
    vector: FloatArray = doc("b, shape=(n,)")
    penalty: sparse.csr_array = doc("of p: s diag(1/w²) + L, shape=(n, n)")
    pull: FloatArray = doc("s m/w², shape=(n,)")

    def slope(self, values: FloatArray) -> FloatArray:
        """Gu - b, what the data pull at the unknowns, shape=(n,)."""
        found: FloatArray = self.gram @ self.springs.unknowns(values) - self.vector
        return found

    def gradient(self, values: FloatArray) -> FloatArray:
        """½ ∇F, shape=(n,)."""
        found: FloatArray = self.springs.pulled(self.slope(values), values) + self.penalty @ values - self.pull
        return found

    def data_hessian(self, values: FloatArray) -> FloatArray:
        """JᵀGJ, shape=(n, n)."""
        return self.springs.curvature(self.gram, values)

    def hessian(self, values: FloatArray) -> FloatArray:
        """½ H of Gauss-Newton, shape=(n, n)."""
        found, penalty = self.data_hessian(values), self.penalty.tocoo()
        found[penalty.coords] += penalty.data
        return found

    def coupling(self, values: FloatArray) -> FloatArray:
        """What Gauss-Newton leaves out, between the two parameters of each spring, shape=(n_springs,)."""
        return self.slope(values)[self.springs.rest]

    def rounding(self, values: FloatArray) -> FloatArray:
        """The diagonal of |J|ᵀ|G||J|, of the absolute values that `data_hessian` adds up, shape=(n,)."""
        return self.springs.diagonal(np.abs(self.gram), np.abs(values))

    def change(self, before: FloatArray, after: FloatArray) -> float:
        """F(after) - F(before), without the cancellation that the difference of two values has."""
        u, v = self.springs.unknowns(before), self.springs.unknowns(after)
        data = (v - u) @ (self.gram @ (u + v) - 2.0 * self.vector)
        prior = (after - before) @ (self.penalty @ (before + after) - 2.0 * self.pull)
        return float(data + prior)


@record
class Objective:
    """The objective of a fit."""

    parameters: Parameters = doc("the parameters that the fit moves or might move")
    equations: NormalEquations = doc("sums by their unknowns")
    means: FloatArray = doc("prior means, shape=(n,)")
    scales: FloatArray = doc("prior widths, shape=(n,)")
    penalty: sparse.csr_array = doc("s diag(1/w²) + L, shape=(n, n)")
    strength: float = doc("factor of the prior, s")
    lower: FloatArray = doc("least values, shape=(n,)")
    upper: FloatArray = doc("greatest values, shape=(n,)")
    blocks: tuple[Block, ...] = doc("what hangs together")

    def __post_init__(self) -> None:
        freeze_arrays(self, **dict.fromkeys(("means", "scales", "lower", "upper"), np.float64))

    @classmethod
    def of(
        cls,
        parameters: Parameters,
        equations: NormalEquations,
        means: FloatArray,
        priors: Priors,
        soft_ties: SoftTies = NO_SOFT_TIES,
        fixed: NDArray[np.bool_] | None = None,
    ) -> "Objective":
        """The objective of some parameters.

        Args:
            parameters: The parameters.
            equations: Sums by their unknowns, as many.
            means: Prior means, shape=(n,).
            priors: Prior widths.
            soft_ties: Pairs that are drawn together.
            fixed: Parameters that stay at their prior mean, shape=(n,); by default none.

        Returns:
            The objective.
        """
        scales = priors.scales(parameters)
        penalty = sparse.csr_array(
            sparse.diags_array(priors.strength / scales**2) + soft_ties.matrix(parameters, scales)
        )
        lower, upper = bounds(parameters, scales, means)
        if fixed is not None:
            lower, upper = np.where(fixed, means, lower), np.where(fixed, means, upper)
        return cls(
            parameters=parameters,
            equations=equations,
            means=means,
            scales=scales,
            penalty=penalty,
            strength=priors.strength,
            lower=lower,
            upper=upper,
            blocks=_blocks(parameters, equations, penalty, priors.strength * means / scales**2),
        )

    def value(self, values: FloatArray) -> float:
        """F at some parameters.

        Args:
            values: Parameters, shape=(n,).

        Returns:
            The objective, to the rounding of c.
        """
        away = values - self.means
        soft = values @ (self.penalty @ values) - self.strength * ((values / self.scales) ** 2).sum()
        return float(self.squared_residuals(values) + self.strength * ((away / self.scales) ** 2).sum() + soft)

    def squared_residuals(self, values: FloatArray) -> float:
        """The part of the objective that is from the data: the sum of the squares of the residuals over their errors.

        Args:
            values: Parameters, shape=(n,).
        """
        return self.equations.squared_residuals(self.parameters.unknowns(values))

    def gradient(self, values: FloatArray) -> FloatArray:
        """∇F at some parameters.

        Args:
            values: Parameters, shape=(n,).

        Returns:
            The gradient, shape=(n,).
        """
        found = np.zeros(len(self.parameters))
        for block in self.blocks:
            found[block.idxs] = 2.0 * block.gradient(values[block.idxs])
        return found

    def change(self, before: FloatArray, after: FloatArray) -> float:
        """F(after) - F(before), computed without cancellation.

        Args:
            before: Parameters, shape=(n,).
            after: Parameters, shape=(n,).
        """
        return sum(block.change(before[block.idxs], after[block.idxs]) for block in self.blocks)


def _blocks(
    parameters: Parameters, equations: NormalEquations, penalty: sparse.csr_array, pull: FloatArray
) -> tuple[Block, ...]:
    """The parameters cut into those that hang together."""
    n = len(parameters)
    rest = np.flatnonzero(parameters.partners >= 0)
    pairs = sparse.csr_array(sparse.coo_array((np.ones(len(rest)), (rest, parameters.partners[rest])), shape=(n, n)))
    graph = abs(equations.matrix) + abs(penalty) + pairs
    count, member = sparse.csgraph.connected_components(graph, directed=False)
    order = np.argsort(member, kind="stable")
    # Of no parameters there is no block, and not an empty one.
    found: Sequence[IntArray] = np.split(order, np.cumsum(np.bincount(member, minlength=count))[:-1]) if n else []
    # Blocks side by side, so that each is cut out of one stretch of rows.
    sorted_gram, sorted_penalty = (sparse.csr_array(m[order][:, order]) for m in (equations.matrix, penalty))
    blocks, first = [], 0
    for idxs in found:
        where = slice(first, first + len(idxs))
        first = where.stop
        blocks.append(
            Block(
                idxs=idxs,
                springs=Springs.among(parameters.partners, idxs),
                gram=sorted_gram[where, where].toarray(),
                vector=equations.vector[idxs],
                penalty=sorted_penalty[where, where],
                pull=pull[idxs],
            )
        )
    return tuple(blocks)
