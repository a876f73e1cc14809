"""The linear tying: free parameters to sites and back.

A model has few free parameters θ and many sites φ = Aθ + b: the force constants of all bonds of a molecule set, the
entries of a weight matrix. Whatever the model does with the sites, what it learns there comes home through the
transpose,

    dL/dθ = Aᵀ dL/dφ        (a shared parameter's gradient is the sum over its sites)
    H_θ   = Aᵀ H_φ A,

and what the data can tell of θ is the rank of J A, with J the derivative of the data by the sites. Three numbers
describe a
tying: how many parameters are free, how many sites they feed, and how many independent directions reach the sites.

Reference:
    Koller and Friedman, Probabilistic Graphical Models, MIT Press 2009, chapter 17 (shared parameters).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from ffshare.errors import TyingError
from ffshare.tying import blocks
from ffshare.tying.kernels import Array, add, long_array, multiply_accumulate, namespace, segment_sum
from ffshare.tying.sharing import Sharing
from ffshare.tying.signed import Signed


class LinearTying(Sharing, Signed):
    """A map φ = Aθ + b from free parameters to the sites that they feed.

    `expand` and `pool` take NumPy arrays and torch tensors, with any further axes after the first, and give back the
    same kind and type. Law: the dot products ⟨expand(θ) - b, g⟩ and ⟨θ, pool(g)⟩ are equal for all θ and g.

    Example:
        >>> bonds = LinearTying.groups(["C-H", "C-C", "C-H"])
        >>> bonds
        LinearTying(n_free=2, n_site=3, nnz=3)
        >>> bonds.expand([340.0, 310.0])
        array([340., 310., 340.])
        >>> bonds.pool([0.5, 1.0, 2.0])
        array([2.5, 1. ])
        >>> bonds.tie([339.0, 310.0, 343.0])
        array([341., 310.])
        >>> bonds.keys, bonds.counts
        (('C-H', 'C-C'), array([2, 1]))
    """

    __slots__ = ()

    def expand(self, theta: Array) -> Array:
        """The sites that the free parameters make: φ = Aθ + b.

        Args:
            theta: Free parameters, shape=(n_free, ...).

        Returns:
            Sites, shape=(n_site, ...).

        Raises:
            TyingError: The first axis is not n_free long.
        """
        theta = long_array("theta", theta, self.n_free)
        phi = multiply_accumulate(self.rows, self.free, self.coef, theta, self.n_site)
        return phi if self.offset is None else add(phi, self.offset)

    def pool(self, grad_phi: Array, theta: Array | None = None) -> Array:
        """What the sites learned, summed into the free parameters: Aᵀg.

        Args:
            grad_phi: A gradient, or anything else that adds up, by the sites, shape=(n_site, ...).
            theta: Where the derivative is taken; not used, as it is the same everywhere.

        Returns:
            The same by the free parameters, shape=(n_free, ...); 0 for one that no site uses.

        Raises:
            TyingError: The first axis is not n_site long.
        """
        grad_phi = long_array("grad_phi", grad_phi, self.n_site)
        return multiply_accumulate(self.free, self.rows, self.coef, grad_phi, self.n_free)

    def jacobian(self, theta: Array | None = None) -> sparse.csr_array:
        """The derivative of the sites by the free parameters: A.

        Args:
            theta: Where the derivative is taken; not used, as it is the same everywhere.

        Returns:
            The matrix, shape=(n_site, n_free).
        """
        return self.matrix

    def tie(self, phi: ArrayLike, weight: ArrayLike | None = None) -> NDArray[Any]:
        """The free parameters whose sites come closest to given ones.

            θ = argmin Σ_i weight_i (Aθ + b - φ)_i²,   the shortest such θ where there are several

        With one parameter a site this is the weighted mean of each group.

        Args:
            phi: Sites to come close to, shape=(n_site, ...).
            weight: Weight of each site, 0 or more, shape=(n_site,); 1 by default. Sites of weight 0 are ignored.

        Returns:
            Free parameters, shape=(n_free, ...); 0 for one that no site (of weight above 0) sees.

        Raises:
            TyingError: A shape or weight is wrong, or phi is a tensor.

        Example:
            >>> LinearTying.groups([0, 0, 0]).tie([1.0, 2.0, 6.0], weight=[1.0, 1.0, 2.0])
            array([3.75])
        """
        if namespace(phi) is not np:
            raise TyingError("tie solves with NumPy: pass phi.detach().cpu().numpy()")
        sites = long_array("phi", phi, self.n_site)
        weights = np.ones(self.n_site) if weight is None else np.asarray(weight, dtype=np.float64)
        if weights.shape != (self.n_site,) or not (np.isfinite(weights) & (weights >= 0)).all():
            raise TyingError(f"weight must hold {self.n_site} finite numbers from 0 up, one for each site")
        # The width is spelled out: with no site, -1 would not say it.
        columns = sites.reshape(self.n_site, math.prod(sites.shape[1:])).astype(np.float64)
        # A site without weight may hold anything, NaN for a missing value included.
        target = np.where(weights[:, None] > 0, columns - self.dense_offset[:, None], 0.0)
        pooled = self._pooled_mean(target, weights) if self._one_a_site else self._least_squares(target, weights)
        return pooled.reshape(self.n_free, *sites.shape[1:]).astype(sites.dtype, copy=False)

    def hessian(self, hessian: Any) -> Any:
        """A matrix of second derivatives by the sites, pooled to the free parameters: AᵀHA.

        Args:
            hessian: H, dense, sparse or a scipy `LinearOperator`, shape=(n_site, n_site).

        Returns:
            The pooled matrix of the same kind, shape=(n_free, n_free).

        Raises:
            TyingError: H has another shape.

        Example:
            >>> LinearTying.groups([0, 0, 1]).hessian(np.diag([1.0, 2.0, 4.0]))
            array([[3., 0.],
                   [0., 4.]])
        """
        is_operator = hasattr(hessian, "matvec")
        site_hessian = hessian if is_operator or sparse.issparse(hessian) else np.asarray(hessian)
        if site_hessian.shape != (self.n_site, self.n_site):
            raise TyingError(f"hessian has shape {site_hessian.shape}, expected ({self.n_site}, {self.n_site})")
        matrix = self.matrix
        if is_operator:
            return sparse.linalg.aslinearoperator(matrix.T) @ site_hessian @ sparse.linalg.aslinearoperator(matrix)
        return matrix.T @ site_hessian @ matrix

    def rank(self, jacobian: Any = None, rtol: float | None = None) -> int:
        """The number of independent directions of θ that reach the sites or, through a Jacobian, the data.

        Without a Jacobian it is the rank of A, exact where a site has one parameter; with one, the rank of J A: how
        many numbers the data identify.

        Args:
            jacobian: Derivative J of the data by the sites, dense, sparse or a scipy `LinearOperator`,
                shape=(n_data, n_site).
            rtol: Singular values below this times the largest count as zero; machine epsilon (of the type of J) times
                the longer side of the matrix by default. Without a Jacobian the largest is that of each independent
                block of A, so that the parameters' scales do not matter.

        Returns:
            The rank.

        Raises:
            TyingError: J has not n_site columns, or holds a value that is not finite.

        Example:
            >>> tying = LinearTying.identity(3)
            >>> tying.rank(), tying.rank(np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0]]))
            (3, 1)
        """
        if jacobian is None and self._one_a_site:
            return int(self.is_seen.sum())
        matrix, tolerance = self._reach(jacobian, rtol)
        return blocks.rank(matrix, tolerance, by_block=jacobian is None)

    def nullspace(self, jacobian: Any = None, rtol: float | None = None) -> sparse.csc_array:
        """The directions of θ that change no site or, through a Jacobian, no data.

        Row i belongs to ``keys[i]``: the entries of a column name the parameters that only count together.

        Args:
            jacobian: Derivative J of the data by the sites, as `rank` takes it, shape=(n_data, n_site).
            rtol: As for `rank`.

        Returns:
            An orthonormal basis as sparse columns, each within parameters that hang together,
            shape=(n_free, n_free - rank).

        Raises:
            TyingError: J has not n_site columns, or holds a value that is not finite.

        Example:
            >>> tasks = LinearTying.shared_plus_deviation(["a", "b"])
            >>> direction = tasks.nullspace().toarray()[:, 0]
            >>> [(key, round(float(x / direction[0]), 12)) for key, x in zip(tasks.keys, direction)]
            [('shared', 1.0), (('deviation', 'a'), -1.0), (('deviation', 'b'), -1.0)]
        """
        matrix, tolerance = self._reach(jacobian, rtol)
        return blocks.null_space(matrix, tolerance, by_block=jacobian is None)

    @property
    def _one_a_site(self) -> bool:
        """Whether no site has two entries, so that the columns of A are orthogonal."""
        return self.rows is None or not (self.site[1:] == self.site[:-1]).any()

    def _pooled_mean(self, target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Least squares where AᵀWA is diagonal."""
        squares = None if self.coef is None else self.coef**2
        right = multiply_accumulate(self.free, self.rows, self.coef, weights[:, None] * target, self.n_free)
        diagonal = multiply_accumulate(self.free, self.rows, squares, weights, self.n_free)[:, None]
        return _ratio(right, diagonal)

    def _least_squares(self, target: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Least squares where sites combine parameters; sites of the same combination count as their weighted mean."""
        distinct, member = blocks.distinct_rows(self.matrix)
        n_distinct = distinct.shape[0]
        total = segment_sum(weights, member, n_distinct)[:, None]
        sums = segment_sum(weights[:, None] * target, member, n_distinct)
        root = np.sqrt(total)
        scaled = sparse.csr_array(sparse.diags_array(root[:, 0]) @ distinct)
        scaled.eliminate_zeros()
        return blocks.least_squares(scaled, root * _ratio(sums, total), blocks.default_rtol(scaled.shape, root.dtype))

    def _reach(self, jacobian: Any, rtol: float | None) -> tuple[sparse.csr_array, float]:
        """A (its distinct rows) or J A, and the tolerance of its singular values."""
        if jacobian is None:
            reach, dtype = blocks.distinct_rows(self.matrix)[0], np.dtype(np.float64)
        else:
            reach = sparse.csr_array(self._product(jacobian))
            reach.eliminate_zeros()
            if not np.isfinite(reach.data).all():
                raise TyingError("the Jacobian holds a value that is not finite")
            kind = getattr(jacobian, "dtype", None)
            dtype = kind if isinstance(kind, np.dtype) and kind.kind == "f" else np.dtype(np.float64)
        return reach, blocks.default_rtol(reach.shape, dtype) if rtol is None else rtol

    def _product(self, jacobian: Any) -> Any:
        """The matrix J A, dense or sparse."""
        matrix = self.matrix
        if hasattr(jacobian, "matmat"):
            operator, columns = _columns_match(jacobian, self.n_site), matrix.tocsc()
            # Some columns at a time: an operator takes dense ones, and all of A may be too much.
            chunks = [operator.matmat(columns[:, k : k + 256].toarray()) for k in range(0, self.n_free, 256)]
            return np.hstack(chunks) if chunks else np.zeros((operator.shape[0], 0))
        dense_or_sparse = jacobian if sparse.issparse(jacobian) else np.asarray(jacobian)
        return _columns_match(dense_or_sparse, self.n_site) @ matrix


def _columns_match(jacobian: Any, n_site: int) -> Any:
    """The Jacobian, if it has a column for each site."""
    if len(jacobian.shape) != 2 or jacobian.shape[1] != n_site:
        raise TyingError(f"jacobian has shape {jacobian.shape}, expected (n_data, {n_site}): a column for each site")
    return jacobian


def _ratio(numerators: NDArray[np.float64], denominators: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quotients, 0 where the denominator is."""
    return np.asarray(np.divide(numerators, denominators, out=np.zeros_like(numerators), where=denominators > 0))
