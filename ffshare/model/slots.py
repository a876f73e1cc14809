"""The slots of one section: what their functions give in the molecules of a piece, and where it goes.

The functions of a molecule are laid out as blocks with the frames last: energies by (function, site), and pulls, the
slopes times the derivatives of the coordinate by the positions, by (function, atom of the site, axis, site). Where an
entry of a tying finds its part of them, and which coordinates of the molecule it pulls at, are index arrays that are
the same for all frames.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ffshare.model.basis import Basis
from ffshare.model.coordinates import FloatArray
from ffshare.model.frames import Piece
from ffshare.model.potentials import Response
from ffshare.model.terms import Measured, Terms, measure
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record


class Entries(NamedTuple):
    """The entries of a tying at the slots of one section of one molecule, and what they take and give."""

    columns: IntArray
    """Columns of the design, shape=(n_entries,)."""
    coefs: FloatArray
    """Coefficients of the tying, shape=(n_entries,)."""
    functions: IntArray
    """Where the energies of the slot stand, function by function, site by site, shape=(n_entries,)."""
    pulls: IntArray
    """Where its pulls stand, by function, atom, axis and site, shape=(n_entries, 3k)."""
    coordinates: IntArray
    """The coordinates of the molecule that they pull at, axis by axis, atom by atom, shape=(n_entries, 3k)."""
    n_functions: int
    """How many energies there are."""
    n_pulls: int
    """How many pulls there are."""


class Block(NamedTuple):
    """What the functions of one section give in one molecule."""

    energies: FloatArray
    """Energies, shape=(n_functions, n_conformers)."""
    pulls: FloatArray
    """Derivatives of the energies by the positions, shape=(n_pulls, n_conformers)."""
    straight: NDArray[np.bool_]
    """Dihedrals whose inner angle is almost straight, shape=(n_terms, n_conformers)."""


class Filled(NamedTuple):
    """The functions of one section in a piece of frames."""

    terms: Terms
    """Its terms, counted from the first molecule of the piece."""
    measured: Measured
    """Their coordinates."""
    functions: Response
    """The functions of the basis."""

    def of_molecule(self, molecule_idx: int, n_conformers: int) -> Block:
        """The part of one molecule of the piece."""
        where = self.terms.between(slice(molecule_idx, molecule_idx + 1))
        span = slice(*np.searchsorted(self.measured.terms, [where.start, where.stop]).tolist())
        slopes, gradients = self.functions.slopes[..., span], self.measured.gradients[..., span]
        pulls = slopes[:, 0, None, None] * gradients[0]
        for coordinate in range(1, len(gradients)):
            pulls += slopes[:, coordinate, None, None] * gradients[coordinate]
        return Block(
            energies=self.functions.energies[..., span].sum(axis=1).reshape(-1, n_conformers),
            pulls=pulls.reshape(-1, n_conformers),
            straight=self.measured.straight[span].reshape(-1, n_conformers),
        )


@record
class SectionSlots:
    """The slots of one section of a design."""

    section: str = doc("the section")
    terms: Terms = doc("its terms")
    basis: Basis = doc("functions of each term")
    first_slot: int = doc("its first slot among those of the design")

    def fill(self, piece: Piece) -> Filled:
        """The functions in a piece of frames."""
        terms = self.terms.within(piece)
        measured = measure(terms, piece.frames)
        first = self.terms.between(piece.molecules).start
        return Filled(terms, measured, self.basis(measured.values, measured.terms + first))

    def entries(self, molecule_idx: int, first_atom: int, n_atoms: int, ties: sparse.csr_array) -> Entries:
        """The entries of a tying at the slots of one molecule.

        Args:
            molecule_idx: The molecule.
            first_atom: Its first atom.
            n_atoms: Number of its atoms.
            ties: Columns → slots of the design.

        Returns:
            The entries, slot by slot.
        """
        where = self.terms.between(slice(molecule_idx, molecule_idx + 1))
        n_sites, n_names = where.stop - where.start, len(self.basis.names)
        start, stop = self.first_slot + where.start * n_names, self.first_slot + where.stop * n_names
        pointers = ties.indptr[start : stop + 1]
        found = slice(int(pointers[0]), int(pointers[-1]))
        site, name = np.divmod(np.repeat(np.arange(stop - start), np.diff(pointers)), max(n_names, 1))
        atoms = self.terms.atom_idxs[where][site] - first_atom
        k = atoms.shape[1]
        place, axis = np.repeat(np.arange(k), 3), np.tile(np.arange(3), k)
        return Entries(
            columns=ties.indices[found].astype(np.int64),
            coefs=ties.data[found],
            functions=name * n_sites + site,
            pulls=((name[:, None] * k + place) * 3 + axis) * n_sites + site[:, None],
            coordinates=axis * n_atoms + atoms[:, place],
            n_functions=n_names * n_sites,
            n_pulls=n_names * k * 3 * n_sites,
        )
