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

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from ffshare.fit.objective import Block, Objective
from ffshare.fit.sparse_rows import rows_of
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


class _Scatter(NamedTuple):
    """How molecules pull at the parameters."""

    pulls: sparse.csr_array
    """M, shape=(n, n)."""
    n_molecules: FloatArray


def uncertainty(
    objective: Objective,
    values: FloatArray,
    held: NDArray[np.bool_],
    molecules: Iterable[MoleculeStatistics],
    columns: IntArray,
    repeated: frozenset[str] = frozenset(),
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
        repeated: Clusters of which there are several records.
        noise: s; by default what the residuals say.
        clustered: Whether the covariance is the clustered one.

    Returns:
        The errors.
    """
    curvatures = [_curvature(objective, block, values, held) for block in objective.blocks]
    squares = objective.squared_residuals(values)
    n_used = sum(float(np.sum(each.covariance * each.data)) for each in curvatures)
    found = float(np.sqrt(squares / max(objective.equations.n_residuals - n_used, 1.0)))
    scale = found if noise is None else noise
    scatter = _scatter(objective, values, molecules, columns, repeated)
    n = len(values)
    errors = np.full((2, n), np.nan)
    shares = np.zeros(n)
    entries: list[tuple[FloatArray, IntArray, IntArray]] = []
    for each in curvatures:
        pulls = scatter.pulls[each.idxs][:, each.idxs].toarray()
        # Of the one that is not asked for only the diagonal is made.
        nominal, robust = (
            each.covariance @ middle for middle in (scale**2 * each.data + each.prior, pulls + each.prior)
        )
        variances = [(half * each.covariance).sum(axis=1) for half in (nominal, robust)]
        errors[:, each.idxs] = np.sqrt(np.maximum(variances, 0.0))
        errors[:, each.idxs[each.loose]] = np.nan
        shares[each.idxs] = each.shares
        chosen = (robust if clustered else nominal) @ each.covariance
        entries.append((chosen.ravel(), np.repeat(each.idxs, len(each.idxs)), np.tile(each.idxs, len(each.idxs))))
    few = scatter.n_molecules < FEW_MOLECULES
    errors[1, few] = np.fmax(errors[0, few], errors[1, few])
    data, rows, places = (
        (np.concatenate(parts) for parts in zip(*entries, strict=True)) if entries else (np.zeros(0),) * 3
    )
    covariance = sparse.coo_array((data, (rows.astype(int), places.astype(int))), shape=(n, n))
    # Blocks do not overlap: there is nothing to add up.
    covariance.has_canonical_format = True
    return Uncertainty(
        nominal=errors[0],
        clustered=errors[1],
        data_shares=shares,
        n_molecules=scatter.n_molecules,
        noise=found,
        covariance=sparse.csr_array(covariance),
    )


class _Curvature(NamedTuple):
    """The free parameters of a block and how sharply they are determined."""

    idxs: IntArray
    covariance: FloatArray
    data: FloatArray
    prior: FloatArray
    shares: FloatArray
    loose: NDArray[np.bool_]
    """Parameters of which a direction has no curvature."""


def _curvature(objective: Objective, block: Block, values: FloatArray, held: NDArray[np.bool_]) -> _Curvature:
    free = np.flatnonzero(~held[block.idxs])
    idxs = block.idxs[free]
    within = np.ix_(free, free)
    data, prior = block.data_hessian(values[block.idxs])[within], block.penalty[within]
    scales = objective.scales[idxs]
    covariance, loose = _inverse((data + prior) * np.outer(scales, scales))
    covariance *= np.outer(scales, scales)
    before, _ = _inverse(prior * np.outer(scales, scales))
    variances = np.diagonal(before) * scales**2
    without = variances <= 0.0
    shares = 1.0 - np.diagonal(covariance) / np.where(without, 1.0, variances)
    shares = np.where(without, np.where(loose, 0.0, 1.0), np.clip(shares, 0.0, 1.0))
    return _Curvature(idxs, covariance, data, prior, shares, loose)


def _inverse(matrix: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """The inverse of a symmetric matrix where it has one, and the parameters that take part in the rest."""
    n = len(matrix)
    if not n:
        return matrix.copy(), np.zeros(0, dtype=bool)
    diagonal = np.diagonal(matrix)
    if np.count_nonzero(matrix) == np.count_nonzero(diagonal):
        alone = diagonal <= _LEAST_CURVATURE * max(float(diagonal.max()), 0.0)
        return np.diag(np.divide(1.0, diagonal, out=np.zeros(n), where=~alone)), alone
    factor, failed = linalg.lapack.dpotrf(matrix, lower=1)
    if not failed:
        inverse, _ = linalg.lapack.dpotri(factor, lower=1)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        # The norms are no less than the largest eigenvalues of both.
        if np.linalg.norm(matrix) * np.linalg.norm(inverse) < 1.0 / _LEAST_CURVATURE:
            return inverse, np.zeros(n, dtype=bool)
    eigenvalues, vectors = linalg.eigh(matrix)
    good = eigenvalues > _LEAST_CURVATURE * max(float(eigenvalues[-1]), 0.0)
    kept = vectors[:, good]
    loose = (vectors[:, ~good] ** 2).sum(axis=1) > 1e-6
    return (kept / eigenvalues[good]) @ kept.T, loose


def _scatter(
    objective: Objective,
    values: FloatArray,
    molecules: Iterable[MoleculeStatistics],
    columns: IntArray,
    repeated: frozenset[str],
) -> _Scatter:
    """M, and by how many molecules each parameter is determined."""
    n = len(values)
    unknowns, jacobian = objective.parameters.unknowns(values), objective.parameters.jacobian(values)
    sums, squares = np.zeros(n), np.zeros(n)
    pulls, places = [np.zeros(0)], [np.zeros(0, dtype=np.int64)]
    for one in _clusters(molecules, columns, unknowns, repeated):
        # No row of the derivatives is empty.
        _, touched, dense = rows_of(jacobian, one.columns)
        amount = (dense * (one.matrix @ dense)).sum(axis=0)
        sums[touched] += amount
        squares[touched] += amount**2
        pulls.append(dense.T @ one.vector)
        places.append(touched)
    n_clusters = len(pulls) - 1
    pointers = offsets_of(np.array([len(each) for each in places[1:]], dtype=np.int64))
    rows = sparse.csr_array((np.concatenate(pulls), np.concatenate(places), pointers), shape=(n_clusters, n))
    total = sparse.csr_array(rows.T @ rows)
    if n_clusters > 1:
        total = total * (n_clusters / (n_clusters - 1.0))
    counts = np.divide(sums**2, squares, out=np.zeros(n), where=squares > 0.0)
    return _Scatter(total, counts)


def _clusters(
    molecules: Iterable[MoleculeStatistics], columns: IntArray, unknowns: FloatArray, repeated: frozenset[str]
) -> Iterator[MoleculeStatistics]:
    """One record a molecule, by the parameters' columns, with its pull at the unknowns for its vector.

    Records of a molecule that comes several times wait for one another.
    """
    waiting: dict[str, MoleculeStatistics] = {}

    def numbered() -> Iterator[MoleculeStatistics]:
        for each in molecules:
            places = np.searchsorted(columns, each.columns)
            if len(columns) and np.array_equal(columns[np.minimum(places, len(columns) - 1)], each.columns):
                score = each.vector - each.matrix @ unknowns[places]
                yield replace(each, columns=places, vector=score)
            else:
                kept = np.isin(each.columns, columns)
                some = replace(
                    each,
                    columns=np.searchsorted(columns, each.columns[kept]),
                    matrix=each.matrix[np.ix_(kept, kept)],
                    vector=each.vector[kept],
                )
                yield replace(some, vector=some.score(unknowns))

    for each in numbered():
        if each.cluster in repeated:
            waiting[each.cluster] = _joined(waiting[each.cluster], each) if each.cluster in waiting else each
        else:
            yield each
    yield from chain(waiting.values())


def _joined(first: MoleculeStatistics, second: MoleculeStatistics) -> MoleculeStatistics:
    columns = np.union1d(first.columns, second.columns)
    matrix, vector = np.zeros((len(columns), len(columns))), np.zeros(len(columns))
    for each in (first, second):
        places = np.searchsorted(columns, each.columns)
        matrix[np.ix_(places, places)] += each.matrix
        vector[places] += each.vector
    return replace(first, columns=columns, matrix=matrix, vector=vector)
