"""Standard errors of fitted parameters, and how much of each is from the data.

With H = A + P the curvature of half the objective at the solution (A of the data, P of priors and soft ties) and
C = H⁻¹, the covariance of the parameters is

    nominal      C (s² A + P) C      residuals err independently, by s times what the weights say
    clustered    C (M + P) C,        M = g/(g-1) Σ_m v_m v_mᵀ,  v_m = Jᵀ(b_m - G_m u)

where the sum is over molecules, v_m is what molecule m pulls at the parameters, and g is their number. The second
assumes nothing of how residuals within a molecule hang together; misfit of a model does hang together there, so that
nominal errors of a fit to quantum chemistry are far too small. A prior counts as one more observation with the error
that its width says: what it says is kept, and is never mistaken for certainty. With s = 1 the nominal covariance is C.

Few molecules say little about how molecules scatter. The clustered error of a parameter that fewer than `FEW_MOLECULES`
determine (counted by how evenly they do) is never less than the nominal one.

Reference:
    Liang and Zeger, Biometrika 73, 13 (1986); Cameron and Miller, J. Human Resources 50, 317 (2015); for the number of
    unequal clusters, Carter, Schnepel and Steigerwald, Rev. Econ. Stat. 99, 698 (2017).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from ffshare.fit.objective import Block, Objective
from ffshare.fit.springs import Springs
from ffshare.fit.statistics import MoleculeStatistics
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray, offsets_of
from ffshare.records import doc, freeze_arrays, record

FEW_MOLECULES = 10
"""Where fewer molecules than this determine a parameter, ± 1.96 clustered errors cover it less than 90 % of the time.

From n molecules of equal weight such an error is too small by √((n - 1)/n), and is itself as uncertain as a standard
deviation of n numbers, so that the interval covers P(|t| < 1.96 √((n - 1)/n)), t with n - 1 degrees of freedom: 85 %
for n = 5, 90 % for 10, 93 % for 20, 94 % for 50. It is no bound above which all is well: Cameron and Miller call 20 to
50 clusters few, and more where they are unequal. Unequal ones are counted by how evenly they determine the parameter,
(Σa)²/Σa². Many parameters of a scheme are from few molecules by this, since most rules occur in a handful of them.
"""

# Directions whose curvature is below this over the largest have no error.
_LEAST_CURVATURE = 1e-13


@record
class Uncertainty:
    """Standard errors of the parameters of an objective."""

    nominal: FloatArray = doc("nominal errors [unit of the parameter], NaN where there is none, shape=(n,)")
    clustered: FloatArray = doc("errors clustered by molecule, likewise, shape=(n,)")
    data_shares: FloatArray = doc(
        "share of the data in the precision: 1 - (variance after) / (variance before), shape=(n,)"
    )
    n_molecules: FloatArray = doc("how many molecules determine each: (Σ a_m)² / Σ a_m², shape=(n,)")
    noise: float = doc("s: root of the mean of the squared residuals over their errors")
    covariance: sparse.csr_array = doc(
        "clustered covariance, or the nominal one where that was asked for, shape=(n, n)"
    )

    def __post_init__(self) -> None:
        freeze_arrays(self, **dict.fromkeys(("nominal", "clustered", "data_shares", "n_molecules"), np.float64))


def uncertainty(
    objective: Objective,
    values: FloatArray,
    held: NDArray[np.bool_],
    molecules: Iterable[MoleculeStatistics],
    columns: IntArray,
    noise: float | None = None,
    clustered: bool = True,
) -> Uncertainty:
    """Standard errors at a solution.

    Args:
        objective: The objective.
        values: The solution, shape=(n,).
        held: Parameters that are held fast, which have no error, shape=(n,).
        molecules: Sums molecule by molecule.
        columns: Columns of those sums that the parameters are, ascending, shape=(n,).
        noise: s; by default what the residuals say.
        clustered: Whether the covariance is the clustered one.

    Returns:
        The errors.
    """
    curvatures = [_curvature(objective, block, values, held) for block in objective.blocks]
    squares = objective.squared_residuals(values)
    n_used = sum(each.n_used for each in curvatures)
    found = float(np.sqrt(squares / max(objective.equations.n_residuals - n_used, 1.0)))
    scale = found**2 if noise is None else noise**2
    scatter = _scatter(objective, values, molecules, columns)
    n = len(values)
    errors, shares = np.full((2, n), np.nan), np.zeros(n)
    covariances = []
    for each in curvatures:
        inverse, pulls = each.inverse, scatter.pulls[each.idxs][:, each.idxs].toarray()
        of_prior = each.prior @ inverse
        of_pulls = (pulls + each.prior) @ inverse
        # Of the data no product is made: C (s²A + P) C is s² C + (1 - s²) C P C, since C (A + P) C is C.
        variances = (
            scale * np.diagonal(inverse) + (1.0 - scale) * (inverse * of_prior).sum(axis=0),
            (inverse * of_pulls).sum(axis=0),
        )
        errors[:, each.idxs] = np.sqrt(np.maximum(variances, 0.0))
        errors[:, each.idxs[each.loose]] = np.nan
        shares[each.idxs] = each.shares
        covariances.append(inverse @ of_pulls if clustered else scale * inverse + (1.0 - scale) * (inverse @ of_prior))
    few = scatter.n_molecules < FEW_MOLECULES
    errors[1, few] = np.fmax(errors[0, few], errors[1, few])
    return Uncertainty(
        nominal=errors[0],
        clustered=errors[1],
        data_shares=shares,
        n_molecules=scatter.n_molecules,
        noise=found,
        covariance=_side_by_side([each.idxs for each in curvatures], covariances, n),
    )


class _Curvature(NamedTuple):
    """The free parameters of a block and how sharply they are determined."""

    idxs: IntArray
    inverse: FloatArray
    """C, shape=(n, n)."""
    prior: sparse.csr_array
    """P, shape=(n, n)."""
    n_used: float
    """How many residuals the data spend on them: the trace of CA."""
    shares: FloatArray
    loose: NDArray[np.bool_]
    """Parameters of which a direction has no curvature."""


def _curvature(objective: Objective, block: Block, values: FloatArray, held: NDArray[np.bool_]) -> _Curvature:
    free = np.flatnonzero(~held[block.idxs])
    hessian, prior = block.hessian(values[block.idxs]), block.penalty
    # As a rule nothing is held, and there is nothing to pick.
    if len(free) < len(hessian):
        hessian, prior = (matrix[free][:, free] for matrix in (hessian, prior))
    idxs = block.idxs[free]
    scales = objective.scales[idxs]
    hessian *= scales
    hessian *= scales[:, None]
    inverse, loose = _inverse(hessian)
    # The trace of CH, which is 1 for each direction that has a curvature.
    n_used = float(np.vdot(inverse, hessian))
    inverse *= scales
    inverse *= scales[:, None]
    n_used -= float((inverse * prior).sum())
    before, _ = _inverse(prior.toarray() * np.outer(scales, scales))
    variances = np.diagonal(before) * scales**2
    without = variances <= 0.0
    shares = 1.0 - np.diagonal(inverse) / np.where(without, 1.0, variances)
    shares = np.where(without, np.where(loose, 0.0, 1.0), np.clip(shares, 0.0, 1.0))
    return _Curvature(idxs, inverse, prior, n_used, shares, loose)


def _inverse(matrix: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """The inverse of a symmetric matrix where it has one, and the parameters that take part in the rest."""
    n = len(matrix)
    if not n:
        return matrix.copy(), np.zeros(0, dtype=bool)
    diagonal = np.diagonal(matrix)
    if np.count_nonzero(matrix) == np.count_nonzero(diagonal):
        alone = diagonal <= _LEAST_CURVATURE * max(float(diagonal.max()), 0.0)
        return np.diag(np.divide(1.0, diagonal, out=np.zeros(n), where=~alone)), alone
    # Transposed, since LAPACK takes columns for rows.
    factor, failed = linalg.lapack.dpotrf(matrix.T)
    if not failed:
        half, _ = linalg.lapack.dpotri(factor, overwrite_c=1)
        inverse = np.where(np.tri(n, dtype=bool), half.T, half)
        # The norms are no less than the largest eigenvalues of both.
        if np.linalg.norm(matrix) * np.linalg.norm(inverse) < 1.0 / _LEAST_CURVATURE:
            return inverse, np.zeros(n, dtype=bool)
    eigenvalues, vectors = linalg.eigh(matrix)
    good = eigenvalues > _LEAST_CURVATURE * max(float(eigenvalues[-1]), 0.0)
    kept = vectors[:, good]
    loose = (vectors[:, ~good] ** 2).sum(axis=1) > 1e-6
    return (kept / eigenvalues[good]) @ kept.T, loose


def _side_by_side(idxs: Sequence[IntArray], blocks: Sequence[FloatArray], n: int) -> sparse.csr_array:
    """A matrix of blocks that do not overlap, from the rows and columns of each, shape=(n, n)."""
    lengths = np.zeros(n, dtype=np.int64)
    for own in idxs:
        lengths[own] = len(own)
    pointers = offsets_of(lengths)
    data, columns = np.zeros(pointers[-1]), np.zeros(pointers[-1], dtype=np.int64)
    for own, block in zip(idxs, blocks, strict=True):
        places = pointers[own][:, None] + np.arange(len(own))
        data[places], columns[places] = block, own
    return sparse.csr_array((data, columns, pointers), shape=(n, n))


class _Scatter(NamedTuple):
    """How molecules pull at the parameters."""

    pulls: sparse.csr_array
    """M, shape=(n, n)."""
    n_molecules: FloatArray
    """By how many molecules each parameter is determined, shape=(n,)."""


def _scatter(
    objective: Objective, values: FloatArray, molecules: Iterable[MoleculeStatistics], columns: IntArray
) -> _Scatter:
    """How molecules pull at the parameters; records of one molecule pull together."""
    partners, unknowns = objective.parameters.partners, objective.parameters.unknowns(values)
    # What lies behind the last column is none.
    known = np.append(columns, -1)
    numbers: dict[str, int] = {}
    rows, places, pulls, amounts = [], [np.zeros(0, dtype=np.int64)], [np.zeros(0)], [np.zeros(0)]
    for each in molecules:
        rows.append(numbers.setdefault(each.cluster, len(numbers)))
        mine, matrix, vector = np.searchsorted(columns, each.columns), each.matrix, each.vector
        kept = known[mine] == each.columns
        if not kept.all():
            mine, matrix, vector = mine[kept], matrix[np.ix_(kept, kept)], vector[kept]
        springs, own = Springs.among(partners, mine), values[mine]
        places.append(mine)
        pulls.append(springs.pulled(vector - matrix @ unknowns[mine], own))
        amounts.append(springs.diagonal(matrix, own))
    where = np.repeat(rows, [len(each) for each in places[1:]]).astype(np.int64), np.concatenate(places)
    by_molecule, weights = (
        sparse.csr_array(sparse.coo_array((np.concatenate(parts), where), shape=(len(numbers), len(values))))
        for parts in (pulls, amounts)
    )
    total = sparse.csr_array(by_molecule.T @ by_molecule)
    if len(numbers) > 1:
        total = total * (len(numbers) / (len(numbers) - 1.0))
    squares = (weights**2).sum(axis=0)
    return _Scatter(total, np.divide(weights.sum(axis=0) ** 2, squares, out=np.zeros(len(values)), where=squares > 0.0))
