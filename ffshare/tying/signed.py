"""Ties that combine parameters: several to a site, with factors of either sign.

Charges need them: an increment moves charge from one atom to its neighbour, a molecule must stay neutral. Their
columns need not be independent, and where they are not the rank says so: `neutral` loses one for each group,
`shared_plus_deviation` one in all. Such a direction needs a prior, or a soft tie.
"""

from collections.abc import Hashable, Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from ffshare.errors import TyingError
from ffshare.tying.algebra import Algebra
from ffshare.tying.entries import Names, whole_numbers
from ffshare.tying.labels import FIXED, codes


class Signed(Algebra):
    """Constructors of ties with several parameters a site."""

    __slots__ = ()

    @classmethod
    def basis(
        cls, basis: ArrayLike | sparse.sparray, keys: Names | None = None, offset: ArrayLike | None = None
    ) -> Self:
        """Sites in the span of given vectors: φ = Bθ.

        Args:
            basis: The vectors as columns, dense or sparse, shape=(n_site, n_free).
            keys: Names of the vectors; their numbers by default.
            offset: Constant added to each site, shape=(n_site,); 0 by default.

        Returns:
            The tying, with an entry wherever B is not zero.

        Raises:
            TyingError: B is not a matrix, or the number of keys differs.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> line = LinearTying.basis([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], keys=["intercept", "slope"])
            >>> line.tie([1.0, 3.0, 5.0]).round(12)
            array([1., 2.])
        """
        dense_or_sparse: Any = basis if sparse.issparse(basis) else np.asarray(basis, dtype=np.float64)
        if dense_or_sparse.ndim != 2:
            raise TyingError(f"basis has shape {dense_or_sparse.shape}, expected (n_site, n_free)")
        matrix = sparse.csr_array(dense_or_sparse, dtype=np.float64, copy=True)
        return cls._of_matrix(
            matrix,
            keys=range(matrix.shape[1]) if keys is None else keys,
            labels=None,
            offset=None if offset is None else np.array(offset, dtype=np.float64),
        )

    @classmethod
    def increments(cls, pairs: ArrayLike, n_site: int | None = None, keys: Names | None = None) -> Self:
        """Each parameter is taken from one site and given to another: φ_a += θ_p and φ_b -= θ_p for pair p = (a, b).

        The sites always sum to zero. Bond charge increments that several bonds share are
        ``increments(bonds) @ groups(types)``.

        Args:
            pairs: Sites a and b of each parameter, shape=(n_free, 2).
            n_site: Number of sites; the largest in the pairs plus 1 by default.
            keys: Names of the pairs; their numbers by default.

        Returns:
            The tying.

        Raises:
            TyingError: A pair joins a site with itself, or a site is out of range.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> LinearTying.increments([(0, 1), (2, 1)]).expand([0.5, 0.25])
            array([ 0.5 , -0.75,  0.25])
        """
        sites = whole_numbers("pairs", pairs)
        sites = sites.reshape(0, 2) if sites.size == 0 else sites
        if sites.ndim != 2 or sites.shape[1] != 2:
            raise TyingError(f"pairs have shape {sites.shape}, expected (n_free, 2)")
        loops = np.flatnonzero(sites[:, 0] == sites[:, 1])
        if len(loops):
            raise TyingError(f"pair {loops[0]} joins site {sites[loops[0], 0]} with itself")
        return cls(
            site=sites.flatten(),
            free=np.repeat(np.arange(len(sites)), 2),
            coef=np.tile([1.0, -1.0], len(sites)),
            n_site=int(sites.max(initial=-1)) + 1 if n_site is None else n_site,
            n_free=len(sites),
            keys=range(len(sites)) if keys is None else keys,
        )

    @classmethod
    def neutral(cls, groups: Iterable[Hashable | None] | NDArray[np.integer], total: ArrayLike | None = None) -> Self:
        """Sites of a group sum to a given total: φ_i = θ_i - mean of θ over the group + total / size of the group.

        Every set of values with these sums is reached, and a constant added to all parameters of a group changes
        nothing: the rank is the number of parameters less the number of groups.

        Args:
            groups: Group (molecule) of each site; -1 or None: the site is fixed at 0, shape=(n_site,).
            total: Sum of each group, in the order of numbers or of first appearance, shape=(n_groups,); 0 by default.

        Returns:
            The tying, one parameter for each site in a group; its key is the number of the site.

        Raises:
            TyingError: The number of totals is not that of the groups.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> water = LinearTying.neutral(["water"] * 3)
            >>> water.expand([-0.6, 0.3, 0.6])
            array([-0.7,  0.2,  0.5])
            >>> water.n_free, water.rank()
            (3, 2)
        """
        numbers, group_keys = codes(groups)
        inside = np.flatnonzero(numbers != FIXED)
        group = numbers[inside]
        sizes = np.bincount(group, minlength=len(group_keys))
        size = sizes[group]
        order = np.argsort(group, kind="stable")
        first = (np.cumsum(sizes) - sizes)[group]
        # Row i has one entry for each member of the group of i.
        row = np.repeat(np.arange(len(inside)), size)
        member = order[np.repeat(first - (np.cumsum(size) - size), size) + np.arange(size.sum())]
        coef = (row == member) - 1.0 / size[row]
        offset = None
        if total is not None:
            totals = np.asarray(total, dtype=np.float64)
            if totals.shape != (len(group_keys),):
                raise TyingError(f"total has shape {totals.shape}, expected ({len(group_keys)},): one for each group")
            offset = np.zeros(len(numbers))
            offset[inside] = totals[group] / size
        return cls(
            site=inside[row],
            free=member,
            coef=coef,
            n_site=len(numbers),
            n_free=len(inside),
            offset=offset,
            keys=range(len(numbers)) if len(inside) == len(numbers) else inside.tolist(),
        )

    @classmethod
    def shared_plus_deviation(
        cls, labels: Iterable[Hashable | None] | NDArray[np.integer], keys: Names | None = None
    ) -> Self:
        """One value for all plus a deviation for each label: φ_i = μ + δ_label(i).

        One parameter too many: μ can rise where all δ fall, and the rank is the number of labels in use. A penalty on
        the deviations settles it and leads from complete sharing to none.

        Args:
            labels: A label for each site, as `groups` takes them; -1 or None: the site is fixed at 0, shape=(n_site,).
            keys: The labels in their order, used or not.

        Returns:
            The tying; the keys of its parameters are "shared" and ("deviation", label).

        Raises:
            TyingError: A label is not among the keys or is not a number from -1 up.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> tasks = LinearTying.shared_plus_deviation(["a", "b", "a"])
            >>> tasks.expand([10.0, 1.0, -2.0])
            array([11.,  8., 11.])
            >>> tasks.n_free, tasks.rank()
            (3, 2)
        """
        numbers, label_keys = codes(labels, keys)
        inside = np.flatnonzero(numbers != FIXED)
        free = np.zeros((len(inside), 2), dtype=np.int64)
        free[:, 1] = numbers[inside] + 1
        return cls(
            site=np.repeat(inside, 2),
            free=free.ravel(),
            n_site=len(numbers),
            n_free=1 + len(label_keys),
            keys=("shared", *(("deviation", key) for key in label_keys)),
        )
