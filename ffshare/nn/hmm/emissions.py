"""What the states of a hidden Markov model emit: the contract, and Gaussians.

The parameters of an emission are arrays by class, in a dict by the name of their section: `means`, `covars`.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ffshare.errors import InputError, TyingError
from ffshare.nn.hmm.covariances import Covariance
from ffshare.nn.hmm.recursions import FloatArray
from ffshare.nn.hmm.starts import k_means
from ffshare.nn.hmm.ties import first_states, pooled
from ffshare.records import doc, record
from ffshare.tying import LinearTying

Theta = Mapping[str, FloatArray]

# What rounding makes of a variance, as a share of it.
_SLACK = 1e-9
_TOO_LARGE = 1e150


class Emission(Protocol):
    """What the states emit.

    Law: with the posterior probabilities of the states under θ, ``maximised(…)`` has the greatest expected
    log-likelihood of all values that respect the ties.
    """

    @property
    def ties(self) -> Mapping[str, LinearTying]:
        """The tying of the states of each section, that of the densities first."""

    def checked(self, observations: ArrayLike) -> NDArray[Any]:
        """The observations as an array with a row for each step.

        Raises:
            InputError: They cannot be used.
        """

    def checked_values(self, section: str, values: FloatArray) -> FloatArray:
        """Values of a section by class.

        Raises:
            InputError: They cannot be used.
        """

    def start(self, observations: NDArray[Any], rng: np.random.Generator) -> dict[str, FloatArray]:
        """Values to start from, by section."""

    def log_densities(self, observations: NDArray[Any], theta: Theta) -> FloatArray:
        """Log densities by class, shape=(n_classes, n_rows)."""

    def maximised(
        self, observations: NDArray[Any], posteriors: FloatArray, theta: Theta, sections: frozenset[str]
    ) -> dict[str, FloatArray]:
        """The best values of some sections, the others as they are in theta."""

    def sample(self, states: NDArray[np.int64], theta: Theta, rng: np.random.Generator) -> NDArray[Any]:
        """What states emit, a row for each, shape=(n_rows, n_features)."""

    def n_independent(self, section: str, theta: Theta) -> int:
        """How many numbers of one class are independent."""

    def n_numbers(self, section: str, theta: Theta) -> int:
        """How many numbers one class has."""

    def at_floor(self, theta: Theta) -> tuple[str, ...]:
        """Classes whose values are held where the likelihood would run away."""


@record
class GaussianEmission:
    """Gaussian densities; classes share means, and covariances are shared by the same classes or by more states."""

    ties: Mapping[str, LinearTying] = doc("the tying of the means and that of the covariances of the states")
    kind: Covariance = doc("kind of covariance")
    floor: float = doc("least variance along any direction, the square of the unit of the observations")

    def __post_init__(self) -> None:
        means, covars = self.ties["means"], self.ties["covars"]
        split = covars.free != covars.free[first_states(means)][means.free]
        if split.any():
            key = means.keys[means.free[int(np.argmax(split))]]
            raise TyingError(
                f"covariance_classes splits class {key!r}: states that share a mean must share its covariance, too"
            )
        if not self.floor > 0:
            raise InputError(f"min_covar is {self.floor}, expected a variance above 0")

    def checked(self, observations: ArrayLike) -> FloatArray:
        """The observations as real numbers, shape=(n_rows, n_features), see `Emission`."""
        rows = np.asarray(observations)
        if rows.dtype.kind not in "fiub":
            raise InputError(f"X must hold real numbers, got {rows.dtype}")
        if rows.ndim != 2 or not rows.size:
            raise InputError(
                f"X has shape {rows.shape}, expected (n_rows, n_features), both 1 or more: a row for each step, the "
                "sequences one after another; for one feature X.reshape(-1, 1)"
            )
        usable = (np.abs(rows) < _TOO_LARGE).all(axis=1)
        if not usable.all():
            raise InputError(
                f"X holds a value that is not finite, or too large to be squared, first in row {int(np.argmin(usable))}"
            )
        return rows.astype(np.float64)

    def checked_values(self, section: str, values: FloatArray) -> FloatArray:
        """Means, and covariances that are positive, see `Emission`."""
        if not np.isfinite(values).all():
            raise InputError(f"{section}_ holds a value that is not finite")
        if section == "means":
            if values.ndim != 2:
                raise InputError(
                    f"means_ must have shape (n_states, n_features), got a value of shape {values.shape[1:]}"
                )
            return values
        n_features = values.shape[-1] if values.ndim > 1 else 1
        expected = self.kind.shape(n_features)
        if values.shape[1:] != expected:
            raise InputError(f"covars_ has values of shape {values.shape[1:]}, expected {expected} for this covariance")
        if values.ndim == 3 and not np.allclose(values, values.mT, rtol=1e-9, atol=0.0):
            raise InputError("covars_ holds a matrix that is not symmetric")
        least = float(self.kind.least_variances(values).min())
        if not least >= self.floor * (1.0 - _SLACK):
            raise InputError(
                f"covars_ has a variance of {least:g} along some direction, below min_covar={self.floor:g}"
            )
        return values

    def start(self, observations: FloatArray, rng: np.random.Generator) -> dict[str, FloatArray]:
        """Means apart from each other, all with the covariance of all observations, see `Emission`."""
        n_rows = len(observations)
        deviations = observations - observations.mean(axis=0)
        overall = self.kind.scatter(deviations, np.full(n_rows, 1.0 / n_rows))
        covars = np.broadcast_to(overall, (self.ties["covars"].n_free, *overall.shape))
        means = k_means(observations, self.ties["means"].n_free, rng)
        return {"means": means, "covars": self.kind.floored(covars, self.floor)}

    def log_densities(self, observations: FloatArray, theta: Theta) -> FloatArray:
        """Log densities, once for each class, however many states it has, see `Emission`."""
        means, covars = theta["means"], theta["covars"]
        if means.shape[1] != observations.shape[1] or covars.shape[1:] != self.kind.shape(means.shape[1]):
            raise InputError(
                f"X has {observations.shape[1]} features, but means_ has {means.shape[1]} and a covariance of covars_ "
                f"has shape {covars.shape[1:]}"
            )
        covar_of = self._covar_of_class()
        with np.errstate(over="ignore"):
            return np.stack(
                [
                    self.kind.log_densities(observations - mean, covars[c])
                    for mean, c in zip(means, covar_of, strict=True)
                ]
            )

    def maximised(
        self, observations: FloatArray, posteriors: FloatArray, theta: Theta, sections: frozenset[str]
    ) -> dict[str, FloatArray]:
        """Pooled means, and pooled scatter about them, see `Emission`.

        With γ_tk the posterior probability of state k at step t and w_k = Σ_t γ_tk, state k alone would have

            m_k = Σ_t γ_tk x_t / w_k,    S_k = Σ_t γ_tk (x_t - m_k)(x_t - m_k)ᵀ / w_k,

        and the ties, A for the means and B for the covariances, make of them

            μ = A.tie(m, weight=w),    Σ = B.tie(S + (m - Aμ)(m - Aμ)ᵀ, weight=w).
        """
        weights = posteriors.sum(axis=0)
        shares = np.divide(posteriors, weights, out=np.zeros_like(posteriors), where=weights > 0)
        by_state = shares.T @ observations
        means, covars = theta["means"], theta["covars"]
        if "means" in sections:
            means = pooled(self.ties["means"], by_state, weights, means)
        if "covars" in sections:
            own = [
                self.kind.scatter(observations - mean, share) for mean, share in zip(by_state, shares.T, strict=True)
            ]
            shifts = self.kind.squares(by_state - self.ties["means"].expand(means))
            scatter = pooled(self.ties["covars"], np.stack(own) + shifts, weights, covars)
            covars = self.kind.floored(scatter, self.floor)
        return {"means": means, "covars": covars}

    def sample(self, states: NDArray[np.int64], theta: Theta, rng: np.random.Generator) -> FloatArray:
        """Normal random numbers, see `Emission`."""
        means = theta["means"][self.ties["means"].free[states]]
        drawn = self.kind.drawn(rng.normal(size=means.shape), theta["covars"], self.ties["covars"].free[states])
        return np.asarray(means + drawn)

    def n_independent(self, section: str, theta: Theta) -> int:
        """Numbers of one class that are independent, see `Emission`."""
        n_features = theta["means"].shape[1]
        return n_features if section == "means" else self.kind.n_free(n_features)

    def n_numbers(self, section: str, theta: Theta) -> int:
        """Numbers of one class; a symmetric matrix has those of a triangle, see `Emission`."""
        return self.n_independent(section, theta)

    def at_floor(self, theta: Theta) -> tuple[str, ...]:
        """Classes of covariances with a variance at the floor."""
        covars = theta["covars"]
        held = self.kind.least_variances(covars) <= self.floor * (1.0 + _SLACK)
        return tuple(str(self.ties["covars"].keys[i]) for i in np.flatnonzero(held).tolist())

    def _covar_of_class(self) -> NDArray[np.int64]:
        """Class of covariance of each class of means."""
        return np.asarray(self.ties["covars"].free[first_states(self.ties["means"])])
