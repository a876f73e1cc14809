"""Maps onto positive numbers, for force constants and well depths that must not change sign.

Both work element by element and are invertible, so every positive φ has its θ. Compose them with a tying to share
positive
parameters: ``Compose(Exp(n_site), tying)`` or ``Compose(tying, Exp(n_free))``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from ffshare.errors import TyingError
from ffshare.tying.kernels import Array, long_array, namespace


@dataclass(frozen=True, slots=True)
class Elementwise:
    """As many sites as free parameters, each site a function of its own parameter.

    Attributes:
        n: Number of parameters and sites.
    """

    n: int

    @property
    def n_free(self) -> int:
        """Number of free parameters."""
        return self.n

    @property
    def n_site(self) -> int:
        """Number of sites."""
        return self.n


class Exp(Elementwise):
    """Positive numbers by the exponential function, φ = e^θ: a step in θ is a relative change of φ.

    Attributes:
        n: Number of parameters and sites.

    Example:
        >>> Exp(2).expand([0.0, np.log(300.0)]).round(9)
        array([  1., 300.])
    """

    __slots__ = ()

    def expand(self, theta: Array) -> Array:
        """The positive numbers e^θ, shape=(n, ...), for theta of shape=(n, ...)."""
        theta = long_array("theta", theta, self.n)
        return namespace(theta).exp(theta)

    def pool(self, grad_phi: Array, theta: Array) -> Array:
        """The gradient by θ: g e^θ, shape=(n, ...)."""
        return long_array("grad_phi", grad_phi, self.n) * self.expand(theta)

    def jacobian(self, theta: Array) -> sparse.csr_array:
        """The diagonal matrix of e^θ, shape=(n, n), for theta of shape=(n,)."""
        return _diagonal(self.expand(theta))

    def tie(self, phi: ArrayLike) -> NDArray[Any]:
        """The logarithms of positive numbers, exactly, shape=(n, ...).

        Args:
            phi: Positive numbers, shape=(n, ...).

        Returns:
            θ, shape=(n, ...).

        Raises:
            TyingError: A number is not positive.
        """
        return np.asarray(np.log(_positive(phi, self.n)))


class Softplus(Elementwise):
    """Positive numbers that follow θ where it is large, φ = ln(1 + e^θ).

    Attributes:
        n: Number of parameters and sites.

    Example:
        >>> Softplus(2).expand([0.0, 300.0]).round(6)
        array([  0.693147, 300.      ])
    """

    __slots__ = ()

    def expand(self, theta: Array) -> Array:
        """The positive numbers ln(1 + e^θ), shape=(n, ...), for theta of shape=(n, ...)."""
        return _softplus(long_array("theta", theta, self.n))

    def pool(self, grad_phi: Array, theta: Array) -> Array:
        """The gradient by θ: g / (1 + e^-θ), shape=(n, ...)."""
        return long_array("grad_phi", grad_phi, self.n) * _sigmoid(long_array("theta", theta, self.n))

    def jacobian(self, theta: Array) -> sparse.csr_array:
        """The diagonal matrix of 1 / (1 + e^-θ), shape=(n, n), for theta of shape=(n,)."""
        return _diagonal(_sigmoid(long_array("theta", theta, self.n)))

    def tie(self, phi: ArrayLike) -> NDArray[Any]:
        """The θ of positive numbers, ln(e^φ - 1), exactly, shape=(n, ...).

        Args:
            phi: Positive numbers, shape=(n, ...).

        Returns:
            θ, shape=(n, ...).

        Raises:
            TyingError: A number is not positive.
        """
        sites = _positive(phi, self.n)
        return np.asarray(sites + np.log(-np.expm1(-sites)))


def _softplus(theta: Array) -> Array:
    # ln(e^θ + e^0), which neither overflows nor has a kink at 0 for automatic differentiation.
    xp = namespace(theta)
    return xp.logaddexp(theta, xp.zeros_like(theta))


def _sigmoid(theta: Array) -> Array:
    # 1 / (1 + e^-θ) without overflow for a large negative θ.
    return namespace(theta).exp(-_softplus(-theta))


def _diagonal(values: NDArray[Any]) -> sparse.csr_array:
    return sparse.csr_array(sparse.diags_array(values))


def _positive(phi: ArrayLike, n: int) -> NDArray[Any]:
    sites = np.asarray(long_array("phi", phi, n))
    if not (sites > 0).all():
        raise TyingError(f"phi holds {sites.min()}: the map reaches only numbers above 0")
    return sites
