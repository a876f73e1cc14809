"""The slots of one section: what their functions give in the molecules of a piece, and where it goes.

Only slots that a column is tied to are taken. What those of a molecule give is laid out in rows with the frames last:
first their pulls, the slopes times the derivatives of the coordinate by the positions, by (slot, atom of the site,
axis), then their energies. Which rows an entry of a tying takes, and which coordinates of its molecule it pulls at, are
index arrays that are the same for all frames.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ffshare.model.basis import Basis
from ffshare.model.coordinates import FloatArray
from ffshare.model.frames import Piece
from ffshare.model.potentials import Response
from ffshare.model.terms import FORMS, Measured, Terms, measure
from ffshare.molecules.ragged import IntArray, offsets_of
from ffshare.records import doc, record


class Entries(NamedTuple):
    """The entries of a tying at the slots of one section, molecule after molecule, and what they take and give."""

    columns: IntArray
    """Columns of the design, shape=(n_entries,)."""
    coefs: FloatArray
    """Coefficients of the tying, shape=(n_entries,)."""
    molecules: IntArray
    """Molecules, shape=(n_entries,)."""
    atoms: IntArray
    """Atoms that the slot pulls at, counted from the first of its molecule, shape=(n_entries, k)."""
    energies: IntArray
    """The row of its energies among those of the section in its molecule, shape=(n_entries,)."""
    pulls: IntArray
    """The rows of its pulls, by atom and axis, shape=(n_entries, k, 3)."""


class Taken(NamedTuple):
    """The slots of one section that some column is tied to, molecule after molecule."""

    sites: IntArray
    """Their sites, counted from the first of their molecule, shape=(n,)."""
    names: IntArray
    """Which function of the basis each is, shape=(n,)."""
    offsets: IntArray
    """First slot of each molecule, and their number, shape=(n_molecules + 1,)."""
    rows: IntArray
    """Rows that those of each molecule fill, shape=(n_molecules,)."""


class Filled(NamedTuple):
    """The functions of one section in a piece of frames."""

    measured: Measured
    """The coordinates of its terms."""
    functions: Response
    """The functions of the basis."""
    offsets: IntArray
    """First entry of the terms of each molecule of the piece, and their number, shape=(n_molecules + 1,)."""

    def straight(self, molecule_idx: int, n_conformers: int) -> NDArray[np.bool_]:
        """Dihedrals of a molecule of the piece whose inner angle is almost straight, shape=(n_terms, n_conformers)."""
        return self.measured.straight[self._span(molecule_idx)].reshape(-1, n_conformers)

    def put(
        self,
        rows: FloatArray,
        molecule_idx: int,
        n_conformers: int,
        conformers: slice,
        slots: tuple[IntArray, IntArray],
        factors: FloatArray,
    ) -> None:
        """Write pulls and energies of some slots of one molecule of the piece.

        Args:
            rows: Where they go, shape=(n_rows, number of the conformers).
            molecule_idx: The molecule, counted from the first of the piece.
            n_conformers: Its conformers in the piece.
            conformers: Which of these are asked for.
            slots: Functions and sites of the slots.
            factors: What pulls are multiplied with, shape=(number of the conformers,).
        """
        span, (names, sites) = self._span(molecule_idx), slots

        def block(values: FloatArray) -> FloatArray:
            shape = (*values.shape[:-1], (span.stop - span.start) // n_conformers, n_conformers)
            of_sites: FloatArray = values[..., span].reshape(shape)[..., conformers]
            return of_sites

        gradients = block(self.measured.gradients)
        slopes = block(self.functions.slopes)[names, :, sites] * factors
        # By site first: what is picked then lies in memory as it is written.
        by_site = gradients.transpose(0, 3, 1, 2, 4)
        n_pulls = len(names) * 3 * by_site.shape[2]
        pulls = rows[:n_pulls].reshape(len(names), *by_site.shape[2:])
        np.multiply(by_site[0][sites], slopes[:, 0, None, None], out=pulls)
        for coordinate in range(1, len(by_site)):
            pulls += by_site[coordinate][sites] * slopes[:, coordinate, None, None]
        energies = block(self.functions.energies)[names, :, sites]
        np.sum(energies, axis=1, out=rows[n_pulls:])

    def _span(self, molecule_idx: int) -> slice:
        return slice(int(self.offsets[molecule_idx]), int(self.offsets[molecule_idx + 1]))


@record
class SectionSlots:
    """The slots of one section of a design."""

    section: str = doc("the section")
    terms: Terms = doc("its terms")
    basis: Basis = doc("functions of each term")
    first_slot: int = doc("its first slot among those of the design")

    @property
    def numbers_of_term(self) -> int:
        """About how many numbers a term takes in a frame: derivatives, with what they are made of, and functions."""
        orders = FORMS[self.terms.form]
        return len(orders) * (6 * len(orders[0]) + 2 * len(self.basis.names))

    def fill(self, piece: Piece) -> Filled:
        """The functions in a piece of frames."""
        terms = self.terms.within(piece)
        measured = measure(terms, piece.frames)
        first = self.terms.between(piece.molecules).start
        counts = terms.counts(piece.frames.n_molecules) * piece.frames.n_conformers
        return Filled(measured, self.basis(measured.values, measured.terms + first), offsets_of(counts))

    def entries(self, atom_offsets: IntArray, ties: sparse.csr_array) -> tuple[Taken, Entries]:
        """The slots that a tying needs, and its entries there.

        Args:
            atom_offsets: First atom of each molecule, and the number of atoms.
            ties: Columns → slots of the design.

        Returns:
            The slots, and the entries slot by slot.
        """
        n_names, n_molecules = len(self.basis.names), len(atom_offsets) - 1
        stop = self.first_slot + len(self.terms) * n_names
        pointers = ties.indptr[self.first_slot : stop + 1]
        found, counts = slice(int(pointers[0]), int(pointers[-1])), np.diff(pointers)
        slots = np.flatnonzero(counts)
        site, name = np.divmod(slots, max(n_names, 1))
        molecules = self.terms.molecule_idxs[site]
        n_taken = np.bincount(molecules, minlength=n_molecules)
        offsets = offsets_of(n_taken)
        places = np.repeat(np.arange(len(slots)), counts[slots])
        mine = molecules[places]
        rank, k = places - offsets[mine], self.terms.atom_idxs.shape[1]
        first_sites = offsets_of(self.terms.counts(n_molecules))
        return (
            Taken(site - first_sites[molecules], name, offsets, (3 * k + 1) * n_taken),
            Entries(
                columns=ties.indices[found].astype(np.int64),
                coefs=ties.data[found],
                molecules=mine,
                atoms=self.terms.atom_idxs[site[places]] - atom_offsets[mine][:, None],
                energies=3 * k * n_taken[mine] + rank,
                pulls=3 * k * rank[:, None, None] + np.arange(3 * k).reshape(k, 3),
            ),
        )
