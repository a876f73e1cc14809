"""What a least-squares fit needs of its data: sums that pool over molecules.

With J the rows of a molecule over their errors and t their targets, a fit of any parameters of the columns needs

    G = JᵀJ,    b = Jᵀt,    c = tᵀt,    and the number of residuals n

of it and nothing more: |J u - t|² = uᵀGu - 2 bᵀu + c. They add up over molecules, and a tying u = Aθ pools them as
AᵀGA and Aᵀb. A molecule touches few columns, so that its own are a small dense matrix (`MoleculeStatistics`); the sum
over molecules (`NormalEquations`) is sparse where a scheme shares little.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

import numpy as np
from scipy import sparse

from ffshare.errors import TyingError
from ffshare.fit.residuals import Chunk, Rows
from ffshare.fit.sparse_rows import rows_of
from ffshare.model.coordinates import FloatArray
from ffshare.molecules.ragged import IntArray, offsets_of
from ffshare.records import doc, freeze_arrays, record

# Molecules whose matrices are added up at once; always the same, so that sums are the same to the last bit.
_AT_ONCE = 64

# Columns up to which the sum of the matrices is made in a dense one.
_MOST_DENSE = 1500


@record
class MoleculeStatistics:
    """The sums of one molecule."""

    molecule_idx: int = doc("molecule of the batch")
    cluster: str = doc("what is one molecule for standard errors: its mapped SMILES")
    columns: IntArray = doc("columns that it touches, ascending, shape=(n,)")
    matrix: FloatArray = doc("G, shape=(n, n)")
    vector: FloatArray = doc("b, shape=(n,)")
    sum_squares: float = doc("c")
    n_residuals: int = doc("residuals; the energies of a molecule count one less than there are, for their constant")
    n_clashes: int = doc("conformers that are left out, see `ffshare.fit.weights`", default=0)

    def __post_init__(self) -> None:
        freeze_arrays(self, columns=np.int64, matrix=np.float64, vector=np.float64)

    def tied(self, ties: sparse.csr_array) -> "MoleculeStatistics":
        """The sums by the free parameters of a tying: AᵀGA and Aᵀb.

        Args:
            ties: Free parameters → columns, shape=(n_columns, n_free).

        Returns:
            The pooled sums.
        """
        used, free, dense = rows_of(ties, self.columns)
        matrix = self.matrix.take(used, axis=0).take(used, axis=1)
        return MoleculeStatistics(
            molecule_idx=self.molecule_idx,
            cluster=self.cluster,
            columns=free,
            matrix=dense.T @ matrix @ dense,
            vector=dense.T @ self.vector[used],
            sum_squares=self.sum_squares,
            n_residuals=self.n_residuals,
            n_clashes=self.n_clashes,
        )


@record
class NormalEquations:
    """The sums of many molecules."""

    matrix: sparse.csr_array = doc("G, shape=(n_columns, n_columns)")
    vector: FloatArray = doc("b, shape=(n_columns,)")
    sum_squares: float = doc("c")
    n_residuals: int = doc("residuals")
    n_molecules: int = doc("molecules")
    n_touching: IntArray = doc("molecules that touch each column, shape=(n_columns,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, vector=np.float64, n_touching=np.int64)

    def __repr__(self) -> str:
        touched = f"{len(self.touched)} of {self.n_columns} columns touched"
        return f"NormalEquations({self.n_molecules} molecules, {self.n_residuals} residuals, {touched})"

    @classmethod
    def zero(cls, n_columns: int) -> "NormalEquations":
        """The sums of no molecule."""
        return cls(
            matrix=sparse.csr_array((n_columns, n_columns)),
            vector=np.zeros(n_columns),
            sum_squares=0.0,
            n_residuals=0,
            n_molecules=0,
            n_touching=np.zeros(n_columns, dtype=np.int64),
        )

    @classmethod
    def of(cls, statistics: Iterable[MoleculeStatistics], n_columns: int) -> "NormalEquations":
        """The sums of some molecules, added in their order.

        Args:
            statistics: Sums molecule by molecule.
            n_columns: Number of columns.

        Returns:
            The sums. Law: those of two halves add up to those of the whole, to rounding.
        """
        if n_columns <= _MOST_DENSE:
            return cls._of_few_columns(statistics, n_columns)
        total, waiting = cls.zero(n_columns), []
        for each in statistics:
            waiting.append(each)
            if len(waiting) == _AT_ONCE:
                total, waiting = total + cls._of_few(waiting, n_columns), []
        return total + cls._of_few(waiting, n_columns) if waiting else total

    @classmethod
    def _of_few_columns(cls, statistics: Iterable[MoleculeStatistics], n_columns: int) -> "NormalEquations":
        """The sums where the whole matrix has room in memory."""
        matrix, linked = np.zeros(n_columns**2), np.zeros(n_columns**2, dtype=np.bool_)
        vector, n_touching = np.zeros(n_columns), np.zeros(n_columns, dtype=np.int64)
        sum_squares, n_residuals, n_molecules = 0.0, 0, 0
        for each in statistics:
            places = (each.columns[:, None] * n_columns + each.columns).ravel()
            matrix[places] += each.matrix.ravel()
            linked[places] = True
            vector[each.columns] += each.vector
            n_touching[each.columns] += 1
            sum_squares += each.sum_squares
            n_residuals += each.n_residuals
            n_molecules += 1
        rows, columns = np.divmod(np.flatnonzero(linked), max(n_columns, 1))
        pointers = offsets_of(np.bincount(rows, minlength=n_columns))
        return cls(
            matrix=sparse.csr_array((matrix[linked], columns, pointers), shape=(n_columns, n_columns)),
            vector=vector,
            sum_squares=sum_squares,
            n_residuals=n_residuals,
            n_molecules=n_molecules,
            n_touching=n_touching,
        )

    @classmethod
    def _of_few(cls, few: list[MoleculeStatistics], n_columns: int) -> "NormalEquations":
        rows = np.concatenate([np.repeat(each.columns, len(each.columns)) for each in few])
        columns = np.concatenate([np.tile(each.columns, len(each.columns)) for each in few])
        data = np.concatenate([each.matrix.ravel() for each in few])
        touched = np.concatenate([each.columns for each in few])
        vectors = np.concatenate([each.vector for each in few])
        return cls(
            matrix=sparse.csr_array(sparse.coo_array((data, (rows, columns)), shape=(n_columns, n_columns))),
            vector=np.bincount(touched, weights=vectors, minlength=n_columns).astype(np.float64),
            sum_squares=float(sum(each.sum_squares for each in few)),
            n_residuals=sum(each.n_residuals for each in few),
            n_molecules=len(few),
            n_touching=np.bincount(touched, minlength=n_columns),
        )

    def __add__(self, other: "NormalEquations") -> "NormalEquations":
        if self.n_columns != other.n_columns:
            raise TyingError(f"sums by {self.n_columns} and by {other.n_columns} columns do not add up")
        return NormalEquations(
            matrix=sparse.csr_array(self.matrix + other.matrix),
            vector=self.vector + other.vector,
            sum_squares=self.sum_squares + other.sum_squares,
            n_residuals=self.n_residuals + other.n_residuals,
            n_molecules=self.n_molecules + other.n_molecules,
            n_touching=self.n_touching + other.n_touching,
        )

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self.vector)

    @property
    def touched(self) -> IntArray:
        """Columns that any molecule touches, ascending."""
        return np.flatnonzero(self.n_touching)

    def squared_residuals(self, unknowns: FloatArray) -> float:
        """The sum of the squares of the residuals over their errors, uᵀGu - 2bᵀu + c, at least 0.

        Args:
            unknowns: u, shape=(n_columns,).
        """
        found = unknowns @ (self.matrix @ unknowns) - 2.0 * (self.vector @ unknowns) + self.sum_squares
        return float(max(found, 0.0))

    def part(self, columns: IntArray) -> "NormalEquations":
        """The sums by some of the columns, as if the unknowns of the others were zero.

        Args:
            columns: Columns, shape=(n,).

        Returns:
            The sums by these, in this order.
        """
        return replace(
            self,
            matrix=sparse.csr_array(self.matrix[columns][:, columns]),
            vector=self.vector[columns],
            n_touching=self.n_touching[columns],
        )


def molecule_statistics(chunk: Chunk, straight: dict[str, IntArray] | None = None) -> Iterator[MoleculeStatistics]:
    """The sums of every molecule of a chunk.

    Args:
        chunk: Molecules with their reference data.
        straight: What to leave out; by default what `Chunk.straight` finds.

    Yields:
        One record a molecule that has a row, in their order; also for one that no column touches.
    """
    counts = chunk.straight() if straight is None else straight
    for number, parts in groupby(chunk.rows(counts), key=lambda rows: rows.number):
        yield _summed(chunk, number, parts)


def _summed(chunk: Chunk, number: int, parts: Iterable[Rows]) -> MoleculeStatistics:
    """The sums of one molecule, part after part."""
    columns, matrix, vector = np.zeros(0, dtype=np.int64), np.zeros((0, 0)), np.zeros(0)
    sum_squares, n_residuals, n_clashes = 0.0, 0, 0
    # Products of the columns that touch an atom, which are put in their places at the end.
    apart: dict[int, tuple[IntArray, FloatArray]] = {}
    for rows in parts:
        if len(columns) != len(rows.columns):
            columns, n = rows.columns, len(rows.columns)
            matrix, vector = np.zeros((n, n)), np.zeros(n)
        for idx, group in enumerate(rows.groups):
            product, pulled = group.values @ group.values.T, group.values @ group.targets
            if group.places is None:
                matrix += product
                vector += pulled
            else:
                vector[group.places] += pulled
                apart[idx] = group.places, apart[idx][1] + product if idx in apart else product
            sum_squares += float(group.targets @ group.targets)
        n_residuals += rows.n_residuals
        n_clashes = rows.n_clashes
    flat = matrix.reshape(-1)
    for places, product in apart.values():
        flat[(places[:, None] * len(columns) + places).ravel()] += product.ravel()
    return MoleculeStatistics(
        molecule_idx=int(chunk.molecule_idxs[number]),
        cluster=chunk.molecules[number].smiles,
        columns=columns,
        matrix=matrix,
        vector=vector,
        sum_squares=sum_squares,
        n_residuals=n_residuals,
        n_clashes=n_clashes,
    )
