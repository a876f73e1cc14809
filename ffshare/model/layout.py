"""How the columns of a design are summed from the functions of its slots: one sparse matrix a molecule.

Its rows are the forces of each column and then the energies of each column; its columns are the rows that the slots of
the molecule fill (see `ffshare.model.slots`). Where columns touch most of the atoms, the forces stand column by column,
axis by axis, atom by atom. Where they touch few, as slots do, which touch two to four, only those that are touched
stand there, *pair* by pair: atom by atom, column by column, axis by axis. The matrices of all molecules are made at
once, since each is small.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ffshare.model.slots import SectionSlots, Taken
from ffshare.molecules.ragged import IntArray, offsets_of
from ffshare.records import doc, record

# Pairs where columns touch less than this share of the atoms, and are not few.
_MOST_TOUCHED, _LEAST_COLUMNS = 0.5, 100


class Pairs(NamedTuple):
    """The atoms that the columns of one molecule touch, atom by atom."""

    atoms: IntArray
    """shape=(n_pairs,)."""
    columns: IntArray
    """Columns, by their place among those of the molecule, shape=(n_pairs,)."""
    offsets: IntArray
    """First pair of each atom, and their number, shape=(n_atoms + 1,)."""


@record
class Layout:
    """Where the functions of the slots of every molecule go."""

    taken: tuple[Taken, ...] = doc("slots that are needed, section by section")
    columns: IntArray = doc("columns that the molecules touch, molecule after molecule, ascending in each")
    column_offsets: IntArray = doc("the first of each molecule, and their number, shape=(n_molecules + 1,)")
    pairs: Pairs = doc("atoms that columns touch, molecule after molecule; offsets by atom of the design")
    atom_offsets: IntArray = doc("first atom of each molecule, and their number, shape=(n_molecules + 1,)")
    paired: NDArray[np.bool_] = doc("whether the forces of a molecule stand pair by pair, shape=(n_molecules,)")
    sums: sparse.csr_array = doc("the matrices, one below the other")
    row_offsets: IntArray = doc("the first row of each molecule, and their number, shape=(n_molecules + 1,)")

    @classmethod
    def of(cls, parts: Sequence[SectionSlots], ties: sparse.csr_array, atom_offsets: IntArray) -> "Layout":
        """The layout of the slots of some sections.

        Args:
            parts: The sections.
            ties: Columns → slots.
            atom_offsets: First atom of each molecule, and the number of atoms.

        Returns:
            The layout.
        """
        taken, found = zip(*(part.entries(atom_offsets, ties) for part in parts), strict=True)
        n_atoms, n_columns = np.diff(atom_offsets), max(int(ties.shape[1]), 1)
        molecules = np.concatenate([each.molecules for each in found])
        codes, places = np.unique(
            molecules * n_columns + np.concatenate([each.columns for each in found]), return_inverse=True
        )
        of_molecule, columns = np.divmod(codes, n_columns)
        counts = np.bincount(of_molecule, minlength=len(n_atoms))
        column_offsets = offsets_of(counts)
        ranks = np.split(places - column_offsets[molecules], np.cumsum([len(each.columns) for each in found])[:-1])
        # Every column with every atom of its molecule, column by column.
        cell_offsets = offsets_of(counts * n_atoms)
        cells = [
            cell_offsets[each.molecules][:, None] + rank[:, None] * n_atoms[each.molecules][:, None] + each.atoms
            for each, rank in zip(found, ranks, strict=True)
        ]
        pairs, numbers = _pairs(cells, cell_offsets, n_atoms, atom_offsets)
        n_pairs = np.diff(pairs.offsets[atom_offsets])
        paired = (counts >= _LEAST_COLUMNS) & (n_pairs <= _MOST_TOUCHED * counts * n_atoms)
        n_forces = 3 * np.where(paired, n_pairs, counts * n_atoms)
        row_offsets = offsets_of(n_forces + counts)
        rows, taking, coefs = [], [], []
        filled = np.zeros(len(n_atoms), dtype=np.int64)
        for section, each, rank, cell in zip(taken, found, ranks, cells, strict=True):
            mine, k, axes = each.molecules, each.atoms.shape[1], np.arange(3)
            plain = (3 * n_atoms[mine] * rank)[:, None, None] + axes * n_atoms[mine][:, None, None]
            pulled = np.where(
                paired[mine][:, None, None], 3 * numbers[cell][:, :, None] + axes, plain + each.atoms[:, :, None]
            )
            above = filled[mine]
            rows += [(row_offsets[mine][:, None, None] + pulled).ravel(), row_offsets[mine] + n_forces[mine] + rank]
            taking += [(each.pulls + above[:, None, None]).ravel(), each.energies + above]
            coefs += [np.repeat(-each.coefs, 3 * k), each.coefs]
            filled += section.rows
        shape = (int(row_offsets[-1]), int(filled.max(initial=0)))
        sums = sparse.coo_array((np.concatenate(coefs), (np.concatenate(rows), np.concatenate(taking))), shape=shape)
        # No slot feeds a column twice: there is nothing to add up, and nothing to sort for it.
        sums.has_canonical_format = True
        return cls(
            taken=taken,
            columns=columns,
            column_offsets=column_offsets,
            pairs=pairs,
            atom_offsets=atom_offsets,
            paired=paired,
            sums=sparse.csr_array(sums),
            row_offsets=row_offsets,
        )

    def columns_of(self, molecule_idx: int) -> IntArray:
        """Columns that a molecule touches, ascending, shape=(n,)."""
        first, last = self.column_offsets[molecule_idx : molecule_idx + 2]
        return self.columns[first:last]

    def pairs_of(self, molecule_idx: int) -> Pairs | None:
        """The atoms that its columns touch, where its forces stand pair by pair."""
        if not self.paired[molecule_idx]:
            return None
        first, last = self.atom_offsets[molecule_idx : molecule_idx + 2].tolist()
        offsets = self.pairs.offsets[first : last + 1]
        where = slice(int(offsets[0]), int(offsets[-1]))
        return Pairs(self.pairs.atoms[where], self.pairs.columns[where], offsets - offsets[0])

    def rows_of(self, molecule_idx: int) -> tuple[int, ...]:
        """How many rows each section fills."""
        return tuple(int(section.rows[molecule_idx]) for section in self.taken)

    def slots_of(self, section: int, molecule_idx: int) -> tuple[IntArray, IntArray]:
        """Functions and sites of the slots of a section that are needed in a molecule."""
        taken = self.taken[section]
        where = slice(int(taken.offsets[molecule_idx]), int(taken.offsets[molecule_idx + 1]))
        return taken.names[where], taken.sites[where]

    def sums_of(self, molecule_idx: int) -> sparse.csr_array:
        """The matrix of a molecule, shape=(n_columns * (3 * n_atoms + 1), number of rows of its slots)."""
        first, last = self.row_offsets[molecule_idx : molecule_idx + 2].tolist()
        pointers = self.sums.indptr[first : last + 1]
        where = slice(int(pointers[0]), int(pointers[-1]))
        return sparse.csr_array(
            (self.sums.data[where], self.sums.indices[where], pointers - pointers[0]),
            shape=(last - first, sum(self.rows_of(molecule_idx))),
        )


def _pairs(
    cells: Sequence[IntArray], cell_offsets: IntArray, n_atoms: IntArray, atom_offsets: IntArray
) -> tuple[Pairs, IntArray]:
    """The cells that any entry touches, as pairs, and the number of each cell among the pairs of its molecule."""
    touched = np.zeros(int(cell_offsets[-1]), dtype=np.bool_)
    for each in cells:
        touched[each] = True
    found = np.flatnonzero(touched)
    molecules = np.searchsorted(cell_offsets, found, side="right") - 1
    columns, atoms = np.divmod(found - cell_offsets[molecules], n_atoms[molecules])
    # Cells stand by molecule and column: those of an atom keep that order.
    of_design = atom_offsets[molecules] + atoms
    order = np.argsort(of_design, kind="stable")
    offsets = offsets_of(np.bincount(of_design, minlength=int(atom_offsets[-1])))
    numbers = np.zeros(len(touched), dtype=np.int64)
    numbers[found[order]] = np.arange(len(order)) - offsets[atom_offsets[molecules[order]]]
    return Pairs(atoms[order], columns[order], offsets), numbers
