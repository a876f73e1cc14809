"""A matrix of low rank as a map from its factors.

The product UV is smooth but not linear in (U, V), and many factors have the same product: what is free, what is a
site and what is identifiable are three different numbers, h(m + n), mn and h(m + n - h).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from ffshare.errors import TyingError
from ffshare.tying.kernels import Array, long_array, namespace


@dataclass(frozen=True, slots=True)
class LowRank:
    """A matrix of low rank from its two factors: φ = UV, with θ = (U, V), both flat in C order.

    U is (m, h), V is (h, n), and φ the flat matrix. UV = (UG)(G⁻¹V) for every invertible G, so of the h(m + n)
    parameters only h(m + n - h) are identifiable: the rank of the Jacobian.

    Attributes:
        m: Rows of the matrix.
        n: Columns of the matrix.
        h: Rank of the matrix.

    Reference:
        Eckart and Young, Psychometrika 1, 211 (1936), DOI 10.1007/BF02288367 (the closest matrix of rank h).

    Example:
        >>> tie = LowRank(3, 2, 1)
        >>> tie.expand([1.0, 2.0, 3.0, 10.0, 20.0]).reshape(3, 2)
        array([[10., 20.],
               [20., 40.],
               [30., 60.]])
    """

    m: int
    n: int
    h: int

    def __post_init__(self) -> None:
        if not 0 < self.h <= min(self.m, self.n):
            raise TyingError(
                f"rank h is {self.h}, expected 1 to {min(self.m, self.n)} for a {self.m} × {self.n} matrix"
            )

    @property
    def n_free(self) -> int:
        """Number of free parameters, h(m + n)."""
        return self.h * (self.m + self.n)

    @property
    def n_site(self) -> int:
        """Number of sites, mn."""
        return self.m * self.n

    @property
    def rank(self) -> int:
        """Rank of the Jacobian where both factors have full rank, h(m + n - h): what is identifiable."""
        return self.h * (self.m + self.n - self.h)

    def factors(self, theta: Array) -> tuple[Array, Array]:
        """The factors U, shape=(m, h), and V, shape=(h, n), in theta, shape=(n_free,)."""
        theta = long_array("theta", theta, self.n_free, flat=True)
        cut = self.m * self.h
        return theta[:cut].reshape(self.m, self.h), theta[cut:].reshape(self.h, self.n)

    def expand(self, theta: Array) -> Array:
        """The flat matrix UV, shape=(n_site,), for theta of shape=(n_free,)."""
        u, v = self.factors(theta)
        return (u @ v).reshape(-1)

    def pool(self, grad_phi: Array, theta: Array) -> Array:
        """The gradient by the factors: (G Vᵀ, Uᵀ G), flat, with G the gradient by the matrix; shape=(n_free,)."""
        u, v = self.factors(theta)
        grad = long_array("grad_phi", grad_phi, self.n_site, flat=True).reshape(self.m, self.n)
        return namespace(grad).concatenate(((grad @ v.T).reshape(-1), (u.T @ grad).reshape(-1)))

    def jacobian(self, theta: Array) -> sparse.csr_array:
        """The derivative of the flat matrix by the factors, shape=(n_site, n_free), for theta of shape=(n_free,)."""
        u, v = self.factors(theta)
        by_u = sparse.kron(sparse.eye_array(self.m), sparse.csr_array(v.T))
        by_v = sparse.kron(sparse.csr_array(u), sparse.eye_array(self.n))
        return sparse.csr_array(sparse.hstack((by_u, by_v)))

    def tie(self, phi: ArrayLike) -> NDArray[Any]:
        """The factors of the closest matrix of rank h (Frobenius norm): U√s and √sVᵀ of the h largest singular values.

        Args:
            phi: The matrix, flat or as it is, shape=(n_site,) or (m, n).

        Returns:
            θ, shape=(n_free,).
        """
        matrix = long_array("phi", np.asarray(phi).reshape(-1), self.n_site, flat=True).reshape(self.m, self.n)
        u, s, vh = np.linalg.svd(matrix, full_matrices=False)
        root = np.sqrt(s[: self.h])
        return np.concatenate(((u[:, : self.h] * root).ravel(), (root[:, None] * vh[: self.h]).ravel()))
