"""Ties made of ties: composed, side by side, one after the other, and cut.

    A @ B        φ = A(Bθ + b_B) + b_A           ties of ties
    A | B        φ = (Aθ_1, Bθ_2)                independent parameters, the sites of both
    A.stack(B)   φ = (Aθ, Bθ)                    the same parameters, the sites of both
    A[sites]     φ = (Aθ)[sites]                 the same parameters, some sites

All of it happens once, when a model is put together: running the result costs what any other tying costs.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ffshare.errors import TyingError
from ffshare.tying.entries import Entries, Names


class Algebra(Entries):
    """Operations that make a tying of one or two others."""

    __slots__ = ()

    def __matmul__(self, inner: "Algebra") -> Self:
        """The composition: the sites of `inner` are the free parameters of this tying.

        Args:
            inner: The tying that comes first, with as many sites as this one has free parameters.

        Returns:
            The map θ → A(Bθ + b_B) + b_A, with the keys of `inner` and the labels of this tying. Entries that fall
            together become one.

        Raises:
            TyingError: The numbers differ.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> bonds = LinearTying.increments([(0, 1), (1, 2)])  # q = charge that moves along each bond
            >>> charges = bonds @ LinearTying.groups(["O-H", "O-H"])
            >>> charges.expand([0.4])
            array([ 0.4,  0. , -0.4])
        """
        if not isinstance(inner, Algebra):
            return NotImplemented
        if self.n_free != inner.n_site:
            raise TyingError(
                f"A @ B feeds the sites of B into A: A has {self.n_free} free parameters, B has {inner.n_site} sites"
            )
        offset = self.offset
        if inner.offset is not None:
            offset = self.matrix @ inner.offset + self.dense_offset
        return self._of_matrix(self.matrix @ inner.matrix, keys=inner.keys, labels=self.labels, offset=offset)

    def __or__(self, other: "Algebra") -> Self:
        """Two independent ties side by side: first all sites and parameters of this one, then those of the other.

        Args:
            other: The second tying.

        Returns:
            The tying of both. Parameters that are known by their number only are numbered on.

        Raises:
            TyingError: A parameter of one has the same key as a parameter of the other. `stack` shares them by
                position.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> both = LinearTying.groups(["C-H", "C-H"]) | LinearTying.groups(["C-C"])
            >>> both.keys, both.n_site
            (('C-H', 'C-C'), 3)
        """
        if not isinstance(other, Algebra):
            return NotImplemented
        return self._joined(other, shift=self.n_free, keys=_joined_keys(self, other))

    def stack(self, other: "Algebra") -> Self:
        """The same parameters at more sites: those of this tying, then those of the other.

        Args:
            other: A tying of the same free parameters: the same keys in the same order.

        Returns:
            The tying of all sites.

        Raises:
            TyingError: The keys differ.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> keys = ["C-C", "C-H"]
            >>> ethane = LinearTying.groups(["C-C", "C-H"], keys=keys)
            >>> ethane.stack(LinearTying.groups(["C-H"], keys=keys)).expand([310.0, 340.0])
            array([310., 340., 340.])
        """
        if self.keys is not other.keys and tuple(self.keys) != tuple(other.keys):
            pairs = zip(self.keys, other.keys, strict=False)
            first = next((i for i, (a, b) in enumerate(pairs) if a != b), min(self.n_free, other.n_free))
            raise TyingError(
                "stack shares the free parameters, so both ties need the same keys in the same order: "
                f"{self.n_free} keys here, {other.n_free} there, the first that differs is number {first}"
            )
        return self._joined(other, shift=0, keys=self.keys)

    def __getitem__(self, sites: Any) -> Self:
        """The tying of some of the sites; all free parameters stay.

        Args:
            sites: A slice, a site number, an array of numbers (repeats and any order allowed) or a mask.

        Returns:
            The tying of these sites, in this order.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> LinearTying.groups([0, 1, 1])[[2, 0, 0]].expand([5.0, 7.0])
            array([7., 5., 5.])
        """
        chosen = np.atleast_1d(np.arange(self.n_site)[sites])
        if chosen.ndim != 1:
            raise TyingError(f"sites are chosen by a slice or a flat array, got one of shape {chosen.shape}")
        pointers = self.row_pointers
        lengths = np.diff(pointers)[chosen]
        # Entry by entry: the place within its row, counted from where the row begins.
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        entries = np.repeat(pointers[chosen], lengths) + within
        labels = self.labels
        return type(self)(
            site=np.repeat(np.arange(len(chosen)), lengths),
            free=self.free[entries],
            coef=None if self.coef is None else self.coef[entries],
            n_site=len(chosen),
            n_free=self.n_free,
            offset=None if self.offset is None else self.offset[chosen],
            keys=self.keys,
            labels=None if labels is None else [labels[i] for i in chosen.tolist()],
        )

    def _joined(self, other: "Algebra", shift: int, keys: Names) -> Self:
        """The sites of both; the parameters of the other are numbered from `shift`."""
        no_labels = self.labels is None and other.labels is None
        return type(self)(
            site=np.concatenate((self.site, other.site + self.n_site)),
            free=np.concatenate((self.free, other.free + shift)),
            coef=_joined_floats(self.coef, self.nnz, other.coef, other.nnz, 1.0),
            n_site=self.n_site + other.n_site,
            n_free=len(keys),
            offset=_joined_floats(self.offset, self.n_site, other.offset, other.n_site, 0.0),
            keys=keys,
            labels=None if no_labels else [*_labels(self), *_labels(other)],
        )

    @classmethod
    def _of_matrix(
        cls, matrix: sparse.csr_array, *, keys: Names, labels: Names | None, offset: NDArray[np.float64] | None
    ) -> Self:
        """The tying of a sparse matrix, one entry for each of its entries that is not zero."""
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        n_site, n_free = matrix.shape
        return cls(
            site=np.repeat(np.arange(n_site), np.diff(matrix.indptr)),
            free=matrix.indices,
            coef=None if (matrix.data == 1.0).all() else matrix.data,
            n_site=n_site,
            n_free=n_free,
            offset=offset,
            keys=keys,
            labels=labels,
        )


def _labels(tying: Entries) -> Names:
    return range(tying.n_site) if tying.labels is None else tying.labels


def _joined_keys(first: Entries, second: Entries) -> Names:
    if isinstance(first.keys, range) and isinstance(second.keys, range):
        return range(first.n_free + second.n_free)
    return (*first.keys, *second.keys)


def _joined_floats(
    first: NDArray[np.float64] | None, n_first: int, second: NDArray[np.float64] | None, n_second: int, missing: float
) -> NDArray[np.float64] | None:
    if first is None and second is None:
        return None
    return np.concatenate(
        (
            np.full(n_first, missing) if first is None else first,
            np.full(n_second, missing) if second is None else second,
        )
    )
