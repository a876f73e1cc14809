"""What a linear tying consists of: entries, a constant, and names.

A tying feeds many sites from few free parameters, φ = Aθ + b. The matrix A is kept as flat arrays with one item for
each entry,

    A[site[e], free[e]] += coef[e],

so that applying it is a gather and a segment sum. The arrays cannot be written to, and an object never changes.
"""

import dataclasses
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from ffshare.errors import TyingError
from ffshare.records import doc, frozen_array, record

Names = Sequence[Hashable]


@record
class Entries:
    """The entries of a linear map from free parameters to sites, sorted by site."""

    site: NDArray[np.int64] = doc("site of each entry, rising, shape=(nnz,)")
    free: NDArray[np.int64] = doc("free parameter of each entry, shape=(nnz,)")
    n_site: int = doc("number of sites, those without an entry included")
    n_free: int = doc("number of free parameters, those without an entry included")
    coef: NDArray[np.float64] | None = doc("factor of each entry, shape=(nnz,); None: all 1", default=None)
    offset: NDArray[np.float64] | None = doc("constant b of each site, shape=(n_site,); None: all 0", default=None)
    keys: Names = doc("the user's name of each free parameter, all different; their numbers by default", default=())
    labels: Names | None = doc("the user's name of each site, repeats allowed; None: their numbers", default=None)
    rows: NDArray[np.int64] | None = doc("`site`; None where entry i is all that site i has", default=None, init=False)

    def __post_init__(self) -> None:
        for name in ("site", "free"):
            object.__setattr__(self, name, frozen_array(whole_numbers(name, getattr(self, name))))
        nnz = len(self.site)
        self._check_indices("site", self.site, nnz, self.n_site)
        self._check_indices("free", self.free, nnz, self.n_free)
        for name, n in (("coef", nnz), ("offset", self.n_site)):
            values = getattr(self, name)
            if values is None:
                continue
            values = frozen_array(values, np.float64)
            if values.shape != (n,):
                raise TyingError(f"{name} has shape {values.shape}, expected ({n},)")
            if not np.isfinite(values).all():
                raise TyingError(f"{name} holds a value that is not finite, first at {np.argmin(np.isfinite(values))}")
            object.__setattr__(self, name, values)
        if nnz and (self.site[1:] < self.site[:-1]).any():
            order = np.argsort(self.site, kind="stable")
            for name in ("site", "free", "coef"):
                if getattr(self, name) is not None:
                    object.__setattr__(self, name, frozen_array(getattr(self, name)[order]))
        gathers = nnz == self.n_site and bool((self.site == np.arange(nnz)).all())
        object.__setattr__(self, "rows", None if gathers else self.site)
        keys = names("keys", self.keys, self.n_free) if len(self.keys) else range(self.n_free)
        if not isinstance(keys, range) and len(set(keys)) != self.n_free:
            twice = Counter(keys).most_common(1)[0][0]
            raise TyingError(f"two free parameters have the key {twice!r}: rename one by relabel(keys=...)")
        object.__setattr__(self, "keys", keys)
        if self.labels is not None:
            object.__setattr__(self, "labels", names("labels", self.labels, self.n_site))

    def _check_indices(self, name: str, idxs: NDArray[np.int64], nnz: int, n: int) -> None:
        if n < 0:
            raise TyingError(f"n_{name} is {n}, expected 0 or more")
        if idxs.shape != (nnz,):
            raise TyingError(f"{name} has shape {idxs.shape}, expected ({nnz},): one index for each entry")
        if nnz and not 0 <= int(idxs.min()) <= int(idxs.max()) < n:
            raise TyingError(f"{name} runs from {idxs.min()} to {idxs.max()}, expected 0 to {n - 1}")

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself: it never changes, and a copy could be written to."""
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n_free={self.n_free}, n_site={self.n_site}, nnz={self.nnz})"

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return len(self.site)

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many entries use each free parameter, shape=(n_free,)."""
        return np.bincount(self.free, minlength=self.n_free)

    @property
    def row_pointers(self) -> NDArray[np.int64]:
        """Where the entries of each site begin, and where the last ones end, shape=(n_site + 1,)."""
        return np.concatenate(([0], np.cumsum(np.bincount(self.site, minlength=self.n_site))))

    @property
    def matrix(self) -> sparse.csr_array:
        """The matrix A, shape=(n_site, n_free), made anew at each call; equal places added up, zeros left out."""
        data = np.ones(self.nnz) if self.coef is None else self.coef.copy()
        matrix = sparse.csr_array((data, self.free.copy(), self.row_pointers), shape=(self.n_site, self.n_free))
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        return matrix

    @property
    def dense_offset(self) -> NDArray[np.float64]:
        """The constant b as an array, shape=(n_site,)."""
        return np.zeros(self.n_site) if self.offset is None else self.offset

    @property
    def is_seen(self) -> NDArray[np.bool_]:
        """Whether some site depends on each free parameter, shape=(n_free,)."""
        columns = self.free if self.coef is None else self.matrix.indices
        return np.bincount(columns, minlength=self.n_free) > 0

    def unseen(self) -> tuple[Hashable, ...]:
        """The keys of the free parameters that no site depends on.

        Returns:
            Keys, in the order of the parameters. Entries that cancel do not count as seeing.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> LinearTying.groups(["C-H", "C-H"], keys=["C-C", "C-H", "O-H"]).unseen()
            ('C-C', 'O-H')
        """
        return tuple(self.keys[i] for i in np.flatnonzero(~self.is_seen).tolist())

    def relabel(self, keys: Names | None = None, labels: Names | None = None) -> Self:
        """The same tying with other names.

        Args:
            keys: New names of the free parameters, all different, n_free of them; None keeps the old.
            labels: New names of the sites, n_site of them; None keeps the old.

        Returns:
            The renamed tying.

        Raises:
            TyingError: A wrong number of names, or a key twice.

        Example:
            >>> from ffshare.tying import LinearTying
            >>> LinearTying.identity(2).relabel(keys=["k", "length"]).keys
            ('k', 'length')
        """
        return dataclasses.replace(
            self,
            keys=self.keys if keys is None else names("keys", keys, self.n_free),
            labels=self.labels if labels is None else names("labels", labels, self.n_site),
        )


def whole_numbers(what: str, given: ArrayLike) -> NDArray[np.int64]:
    """The given indices as an array of whole numbers; nothing is rounded.

    Args:
        what: What they are, for the message.
        given: The indices, any shape.

    Returns:
        The indices, not copied where they already have the type.

    Raises:
        TyingError: They are not whole numbers.

    Example:
        >>> whole_numbers("site", [])
        array([], dtype=int64)
    """
    numbers = np.asarray(given)
    if numbers.dtype.kind not in "iu" and numbers.size:
        raise TyingError(f"{what} must be whole numbers, got {numbers.dtype}")
    return numbers.astype(np.int64, copy=False)


def names(what: str, given: Names, n: int) -> Names:
    """The given names as a sequence that does not change.

    Args:
        what: What they are, for the message.
        given: The names. A range stays one: numbers that name themselves take no memory.
        n: How many there must be.

    Returns:
        The names.

    Raises:
        TyingError: There are more or fewer.

    Example:
        >>> names("keys", ["k", "length"], 2)
        ('k', 'length')
    """
    if len(given) != n:
        raise TyingError(f"got {len(given)} {what}, expected {n}")
    return given if isinstance(given, range) else tuple(given)
