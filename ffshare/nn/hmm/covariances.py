"""Kinds of covariance of Gaussian emissions: one variance, one a feature, or a full matrix.

    log N(x; μ, Σ) = -½ (d log 2π + log|Σ| + (x - μ)ᵀ Σ⁻¹ (x - μ))

Law of every kind: of all covariances of that kind that are nowhere below a floor, `floored` of the observed scatter
about the mean has the greatest likelihood. A step that uses it never lowers the likelihood, floor or not.
"""

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from ffshare.errors import InputError
from ffshare.nn.hmm.recursions import FloatArray


class Covariance(Protocol):
    """A kind of covariance. Values of one state have shape ``shape``."""

    def shape(self, n_features: int) -> tuple[int, ...]:
        """Shape of the values of one state."""

    def n_free(self, n_features: int) -> int:
        """How many numbers of them are independent."""

    def log_densities(self, deviations: FloatArray, covariance: FloatArray) -> FloatArray:
        """Log densities of x - μ, shape=(n_rows, n_features), under one covariance, shape=(n_rows,)."""

    def scatter(self, deviations: FloatArray, shares: FloatArray) -> FloatArray:
        """The mean of the squares of x - μ, shape=(n_rows, n_features), weighted with shares that sum to 1."""

    def squares(self, shifts: FloatArray) -> FloatArray:
        """The squares of some vectors, shape=(n, n_features), as this kind has them, shape=(n, ...)."""

    def floored(self, covariances: FloatArray, floor: float) -> FloatArray:
        """Covariances of which no variance, along any direction, is below the floor, shape=(n, ...)."""

    def least_variances(self, covariances: FloatArray) -> FloatArray:
        """The least variance of each along any direction, shape=(n,)."""

    def drawn(self, normal: FloatArray, covariances: FloatArray, of: NDArray[np.int64]) -> FloatArray:
        """Standard normal numbers, shape=(n, n_features), made deviations of covariance ``of[i]``."""


class Spherical:
    """One variance for all features."""

    def shape(self, n_features: int) -> tuple[int, ...]:
        """See `Covariance`."""
        return ()

    def n_free(self, n_features: int) -> int:
        """See `Covariance`."""
        return 1

    def log_densities(self, deviations: FloatArray, covariance: FloatArray) -> FloatArray:
        """See `Covariance`."""
        return Diagonal().log_densities(deviations, np.broadcast_to(covariance, deviations.shape[1:]))

    def scatter(self, deviations: FloatArray, shares: FloatArray) -> FloatArray:
        """See `Covariance`."""
        return np.asarray((shares @ deviations**2).mean())

    def squares(self, shifts: FloatArray) -> FloatArray:
        """See `Covariance`."""
        return np.asarray((shifts**2).mean(axis=1))

    def floored(self, covariances: FloatArray, floor: float) -> FloatArray:
        """See `Covariance`."""
        return np.maximum(covariances, floor)

    def least_variances(self, covariances: FloatArray) -> FloatArray:
        """See `Covariance`."""
        return covariances

    def drawn(self, normal: FloatArray, covariances: FloatArray, of: NDArray[np.int64]) -> FloatArray:
        """See `Covariance`."""
        return normal * np.sqrt(covariances)[of, None]


class Diagonal:
    """A variance for each feature."""

    def shape(self, n_features: int) -> tuple[int, ...]:
        """See `Covariance`."""
        return (n_features,)

    def n_free(self, n_features: int) -> int:
        """See `Covariance`."""
        return n_features

    def log_densities(self, deviations: FloatArray, covariance: FloatArray) -> FloatArray:
        """See `Covariance`."""
        constant = len(covariance) * math.log(2 * math.pi) + np.log(covariance).sum()
        return np.asarray(-0.5 * (constant + deviations**2 @ (1.0 / covariance)))

    def scatter(self, deviations: FloatArray, shares: FloatArray) -> FloatArray:
        """See `Covariance`."""
        return np.asarray(shares @ deviations**2)

    def squares(self, shifts: FloatArray) -> FloatArray:
        """See `Covariance`."""
        return np.asarray(shifts**2)

    def floored(self, covariances: FloatArray, floor: float) -> FloatArray:
        """See `Covariance`."""
        return np.maximum(covariances, floor)

    def least_variances(self, covariances: FloatArray) -> FloatArray:
        """See `Covariance`."""
        return np.asarray(covariances.min(axis=1))

    def drawn(self, normal: FloatArray, covariances: FloatArray, of: NDArray[np.int64]) -> FloatArray:
        """See `Covariance`."""
        return normal * np.sqrt(covariances)[of]


class Full:
    """A matrix."""

    def shape(self, n_features: int) -> tuple[int, ...]:
        """See `Covariance`."""
        return (n_features, n_features)

    def n_free(self, n_features: int) -> int:
        """See `Covariance`."""
        return n_features * (n_features + 1) // 2

    def log_densities(self, deviations: FloatArray, covariance: FloatArray) -> FloatArray:
        """See `Covariance`."""
        factor = linalg.cholesky(covariance, lower=True)
        constant = len(covariance) * math.log(2 * math.pi) + 2 * np.log(np.diag(factor)).sum()
        whitened = linalg.solve_triangular(factor, deviations.T, lower=True)
        return np.asarray(-0.5 * (constant + (whitened**2).sum(axis=0)))

    def scatter(self, deviations: FloatArray, shares: FloatArray) -> FloatArray:
        """See `Covariance`."""
        return np.asarray((deviations * shares[:, None]).T @ deviations)

    def squares(self, shifts: FloatArray) -> FloatArray:
        """See `Covariance`."""
        return np.asarray(shifts[:, :, None] * shifts[:, None, :])

    def floored(self, covariances: FloatArray, floor: float) -> FloatArray:
        """See `Covariance`."""
        symmetric = (covariances + covariances.mT) / 2
        values, vectors = np.linalg.eigh(symmetric)
        raised = (vectors * np.maximum(values, floor)[:, None, :]) @ vectors.mT
        raised = (raised + raised.mT) / 2
        # Matrices above the floor stay as they are, to the last bit.
        return np.where(values.min(axis=1)[:, None, None] < floor, raised, symmetric)

    def least_variances(self, covariances: FloatArray) -> FloatArray:
        """See `Covariance`."""
        return np.asarray(np.linalg.eigvalsh(covariances)[:, 0])

    def drawn(self, normal: FloatArray, covariances: FloatArray, of: NDArray[np.int64]) -> FloatArray:
        """See `Covariance`."""
        return np.asarray(np.einsum("nij,nj->ni", np.linalg.cholesky(covariances)[of], normal))


COVARIANCES: Mapping[str, Covariance] = {"spherical": Spherical(), "diag": Diagonal(), "full": Full()}
"""Kinds of covariance, by the names that scikit-learn and hmmlearn use."""


def covariance_of(name: str) -> Covariance:
    """The kind of that name.

    Args:
        name: A key of `COVARIANCES`.

    Returns:
        The kind.

    Raises:
        InputError: There is none.
    """
    if name == "tied":
        raise InputError("one covariance for all states is covariance='full' with covariance_classes=[0] * n_states")
    if name not in COVARIANCES:
        raise InputError(f"covariance is {name!r}, expected one of {', '.join(map(repr, COVARIANCES))}")
    return COVARIANCES[name]
