"""Ties by sharing: a site takes one free parameter, perhaps times a factor, or is fixed.

These are the hard ties of the field: rules and atom types (`groups`), the terms of a rule with their `idivf`
(`index`), time steps (`repeat`), symmetry (`orbit`), chance (`hashed`). Their columns are orthogonal, so least
squares is a mean over each group and the rank is the number of parameters that some site uses.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from ffshare.errors import TyingError
from ffshare.tying.algebra import Algebra
from ffshare.tying.entries import Names, whole_numbers
from ffshare.tying.hashing import buckets, signs, splitmix64
from ffshare.tying.labels import FIXED, codes

Generator = Callable[[NDArray[np.int64]], NDArray[np.int64]] | ArrayLike


class Sharing(Algebra):
    """Constructors of ties with at most one parameter a site."""

    __slots__ = ()

    @classmethod
    def groups(
        cls,
        labels: Iterable[Hashable | None] | NDArray[np.integer],
        keys: Names | None = None,
        offset: ArrayLike | None = None,
    ) -> Self:
        """Sites with the same label share a parameter: φ_i = θ_label(i).

        Args:
            labels: A label for each site: whole numbers that number the parameters (-1 or None: fixed), or names of any
                hashable kind (None: fixed), shape=(n_site,).
            keys: The parameters in their order, used or not. By default the names in order of first appearance, or the
                numbers 0 to the largest.
            offset: Constant added to each site, and so the value of a fixed site, shape=(n_site,); 0 by default.

        Returns:
            The tying.

        Raises:
            TyingError: A label is not among the keys or is not a number from -1 up.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> bonds = LinearTying.groups(["C-C", "C-H", None, "C-H"])
            >>> bonds.expand([310.0, 340.0])
            array([310., 340.,   0., 340.])
            >>> bonds.pool([1.0, 2.0, 4.0, 8.0])
            array([ 1., 10.])
        """
        numbers, keys = codes(labels, keys)
        return cls._shared(numbers, keys, None, offset)

    @classmethod
    def index(
        cls,
        idx: ArrayLike,
        scale: ArrayLike | None = None,
        keys: Names | None = None,
        offset: ArrayLike | None = None,
    ) -> Self:
        """Each site takes the parameter with its number, times a factor: φ_i = scale_i · θ_idx(i).

        Args:
            idx: Parameter of each site, -1 for a fixed site, shape=(n_site,).
            scale: Factor of each site (1 / idivf, the third of a trefoil improper), shape=(n_site,); 1 by default.
            keys: The parameters in their order; by default the numbers 0 to the largest.
            offset: Constant added to each site, shape=(n_site,); 0 by default.

        Returns:
            The tying.

        Raises:
            TyingError: The numbers are not whole, or one is out of range.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> LinearTying.index([1, 0, 1], scale=[0.5, 1.0, 0.25]).expand([8.0, 4.0])
            array([2., 8., 1.])
        """
        numbers, keys = codes(whole_numbers("idx", idx), keys)
        return cls._shared(numbers, keys, scale, offset)

    @classmethod
    def identity(cls, n: int) -> Self:
        """Nothing is shared: φ = θ.

        Args:
            n: Number of sites and of free parameters.

        Returns:
            The tying.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> LinearTying.identity(3)
            LinearTying(n_free=3, n_site=3, nnz=3)
        """
        return cls._shared(np.arange(n), range(n), None, None)

    @classmethod
    def repeat(cls, times: int, n_free: int = 1) -> Self:
        """The same parameters again and again, as at each step of a recurrent network: φ = (θ, θ, …, θ).

        Args:
            times: How often.
            n_free: Number of free parameters; one by default.

        Returns:
            The tying, with times · n_free sites.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> LinearTying.repeat(2, n_free=3).expand([1.0, 2.0, 3.0])
            array([1., 2., 3., 1., 2., 3.])
        """
        return cls._shared(np.tile(np.arange(n_free), times), range(n_free), None, None)

    @classmethod
    def fixed(cls, values: ArrayLike) -> Self:
        """Sites that nothing moves: φ = b.

        Args:
            values: Their values, shape=(n_site,).

        Returns:
            The tying, without free parameters.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> (LinearTying.identity(1) | LinearTying.fixed([1.5])).expand([4.0])
            array([4. , 1.5])
        """
        constants = np.array(values, dtype=np.float64)
        return cls._shared(np.full(constants.size, FIXED), (), None, constants)

    @classmethod
    def orbit(cls, shape: int | Sequence[int], generators: Iterable[Generator]) -> Self:
        """Entries of an array that a symmetry exchanges share a parameter.

        Args:
            shape: Shape of the array; its entries in C order are the sites.
            generators: Permutations of the entries that generate the group: functions that move the entries of an array
                of this shape (`numpy.rot90`), or flat arrays of site numbers.

        Returns:
            The tying, one parameter for each orbit; its key is the place of the first entry of the orbit.

        Raises:
            TyingError: A generator is not a permutation of the entries.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> kernel = LinearTying.orbit((3, 3), [np.rot90])
            >>> kernel.keys
            ((0, 0), (0, 1), (1, 1))
            >>> kernel.expand([1.0, 2.0, 5.0]).reshape(3, 3)
            array([[1., 2., 1.],
                   [2., 5., 2.],
                   [1., 2., 1.]])
        """
        sites = np.arange(np.prod(shape, dtype=np.int64)).reshape(shape)
        moved = [np.asarray(g(sites) if callable(g) else g) for g in generators]
        for number, images in enumerate(moved):
            if images.shape not in (sites.shape, (sites.size,)) or not np.array_equal(
                np.sort(images, None), sites.ravel()
            ):
                raise TyingError(f"generator {number} does not permute the entries of an array of shape {sites.shape}")
        ends = np.concatenate([images.ravel() for images in moved] or [sites.ravel()])
        starts = np.tile(sites.ravel(), max(len(moved), 1))
        graph = sparse.coo_array((np.ones(len(ends), dtype=np.int8), (starts, ends)), shape=(sites.size,) * 2)
        component = sparse.csgraph.connected_components(graph, directed=False)[1]
        _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
        firsts, numbers = np.unique(first[inverse], return_inverse=True)
        places = zip(*(axis.tolist() for axis in np.unravel_index(firsts, sites.shape)), strict=True)
        return cls._shared(numbers.astype(np.int64), tuple(places), None, None)

    @classmethod
    def hashed(cls, n: int, k: int, seed: int = 0, *, signed: bool = False, balanced: bool = False) -> Self:
        """Chance shares: site i takes the parameter of its hash bucket, φ_i = ξ_i · θ_bucket(i).

        Random buckets lose information even where there are as many as sites (a share 1/e of the variance at n = k);
        balanced buckets, which deal out the sites in a random order, do not.

        Args:
            n: Number of sites.
            k: Number of free parameters (buckets).
            seed: Another seed gives an independent placing.
            signed: Whether each site also has a random sign ξ.
            balanced: Whether the sizes of buckets differ by one at most.

        Returns:
            The tying. The same arguments give the same tying everywhere.

        Raises:
            TyingError: There is no bucket for the sites.

        Reference:
            Chen et al., Compressing neural networks with the hashing trick, ICML 2015, arXiv:1504.04788.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> LinearTying.hashed(1000, 10, balanced=True).counts
            array([100, 100, 100, 100, 100, 100, 100, 100, 100, 100])
        """
        if k < 1 and n:
            raise TyingError(f"{n} sites need at least one bucket, got {k}")
        sites = np.arange(n)
        numbers = np.empty(n, dtype=np.int64)
        if balanced:
            # The sites in the order of their hashes are dealt out like cards.
            numbers[np.argsort(splitmix64(sites, seed), kind="stable")] = sites % max(k, 1)
        else:
            numbers[:] = buckets(sites, max(k, 1), seed)
        return cls._shared(numbers, range(k), signs(sites, seed) if signed else None, None)

    @classmethod
    def _shared(cls, numbers: NDArray[np.int64], keys: Names, scale: Any, offset: Any) -> Self:
        """Site i takes parameter numbers[i] times scale[i]; a negative number is a fixed site."""
        n_site = len(numbers)
        factors = None if scale is None else np.array(scale, dtype=np.float64)
        if factors is not None and factors.shape != (n_site,):
            raise TyingError(f"scale has shape {factors.shape}, expected ({n_site},): one factor for each site")
        site = np.flatnonzero(numbers != FIXED)
        tied = slice(None) if len(site) == n_site else site
        return cls(
            site=site,
            free=numbers[tied],
            coef=None if factors is None else factors[tied],
            n_site=n_site,
            n_free=len(keys),
            offset=None if offset is None else np.array(offset, dtype=np.float64),
            keys=keys,
        )
