"""Smooth maps from free parameters to sites, where a linear one will not do.

A `Parametrization` does for a nonlinear φ = f(θ) what a linear tying does for φ = Aθ + b. Its laws: with J = ∂φ/∂θ,

    pool(g, θ) = J(θ)ᵀ g,        expand(tie(expand(θ))) = expand(θ),

and `LinearTying` is one of them. `expand` and `pool` take NumPy arrays and torch tensors, flat or (elementwise maps,
linear ties and what is composed of them) with further axes; `jacobian` and `tie` are NumPy's alone.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from ffshare.errors import TyingError
from ffshare.tying.kernels import Array


class Parametrization(Protocol):
    """A map from free parameters θ to sites φ that is differentiable once.

    Laws: `pool(g, theta)` is the transpose of `jacobian(theta)` applied to g, and `expand(tie(phi))` is phi where phi
    comes from `expand`.
    """

    @property
    def n_free(self) -> int:
        """Number of free parameters."""
        ...

    @property
    def n_site(self) -> int:
        """Number of sites."""
        ...

    def expand(self, theta: Array) -> Array:
        """The sites, shape=(n_site,), that the free parameters, shape=(n_free,), make."""
        ...

    def pool(self, grad_phi: Array, theta: Array) -> Array:
        """The gradient by the free parameters, shape=(n_free,), of what has the given one by the sites."""
        ...

    def jacobian(self, theta: Array) -> sparse.csr_array:
        """The derivative of the sites by the free parameters at theta, shape=(n_site, n_free)."""
        ...

    def tie(self, phi: ArrayLike) -> NDArray[Any]:
        """Free parameters whose sites come close to given ones; which measure of closeness, each map says."""
        ...


@dataclass(frozen=True, slots=True)
class Compose:
    """One map after another: φ = outer(inner(θ)).

    `tie` goes back step by step. It is the closest fit where `outer` is invertible, in the measure of `inner`: the
    logarithms for ``Compose(Exp(n), tying)``, so that a shared value is the geometric mean.

    Attributes:
        outer: The map that comes last.
        inner: The map that comes first, with as many sites as the other has free parameters.

    Example:
        >>> from ffshare.tying import Exp, LinearTying
        >>> shared = Compose(Exp(3), LinearTying.groups([0, 0, 1]))
        >>> shared.expand(shared.tie([100.0, 400.0, 5.0])).round(9)
        array([200., 200.,   5.])
    """

    outer: Parametrization
    inner: Parametrization

    def __post_init__(self) -> None:
        if self.outer.n_free != self.inner.n_site:
            raise TyingError(
                f"the outer map has {self.outer.n_free} free parameters, but the inner one {self.inner.n_site} sites"
            )

    @property
    def n_free(self) -> int:
        """Number of free parameters, those of the inner map."""
        return self.inner.n_free

    @property
    def n_site(self) -> int:
        """Number of sites, those of the outer map."""
        return self.outer.n_site

    def expand(self, theta: Array) -> Array:
        """The sites of the outer map, shape=(n_site,), for theta of shape=(n_free,)."""
        return self.outer.expand(self.inner.expand(theta))

    def pool(self, grad_phi: Array, theta: Array) -> Array:
        """The gradient by the parameters of the inner map, shape=(n_free,), by the chain rule."""
        return self.inner.pool(self.outer.pool(grad_phi, self.inner.expand(theta)), theta)

    def jacobian(self, theta: Array) -> sparse.csr_array:
        """The product of the two derivatives, shape=(n_site, n_free)."""
        return sparse.csr_array(self.outer.jacobian(self.inner.expand(theta)) @ self.inner.jacobian(theta))

    def tie(self, phi: ArrayLike) -> NDArray[Any]:
        """The parameters of the inner map that come close to those that the outer map would take, shape=(n_free,)."""
        return self.inner.tie(self.outer.tie(phi))
