"""The terms of a section: which atoms they act on, and the internal coordinates that these have in each frame.

A *form* says what a term measures of its atoms: one length, one angle or one dihedral, or, for an improper of SMIRNOFF,
three dihedrals. With the atoms of the improper (a, c, b, d), the centre c second, its three terms (the trefoil) are the
dihedrals c-a-b-d, c-b-d-a and c-d-a-b. They act on the same four atoms and share the barrier, so that they are one
term here with three coordinates.

Reference: SMIRNOFF specification 0.3, section ImproperTorsions.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ffshare.model.coordinates import COORDINATES, FloatArray
from ffshare.model.frames import Frames, Piece
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record

Orders = tuple[tuple[int, ...], ...]

FORMS: Mapping[str, Orders] = {
    "length": ((0, 1),),
    "angle": ((0, 1, 2),),
    "dihedral": ((0, 1, 2, 3),),
    "trefoil": ((1, 0, 2, 3), (1, 2, 3, 0), (1, 3, 0, 2)),
}
"""Name of a form to the orders in which it takes its atoms, one for each coordinate."""


@record
class Terms:
    """Places of a batch that energies act on, those of a molecule side by side."""

    form: str = doc("what is measured, one of `FORMS`")
    atom_idxs: IntArray = doc("atoms of the batch, shape=(n_terms, k)")
    molecule_idxs: IntArray = doc("molecule of each term, ascending, shape=(n_terms,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, atom_idxs=np.int64, molecule_idxs=np.int64)
        width = len(FORMS[self.form][0])
        if self.atom_idxs.shape != (len(self.molecule_idxs), width):
            raise ValueError(f"terms of form {self.form} need {width} atoms each, got {self.atom_idxs.shape}")
        if np.any(np.diff(self.molecule_idxs) < 0):
            raise ValueError("terms must stand in the order of their molecules")

    def __len__(self) -> int:
        return len(self.molecule_idxs)

    def counts(self, n_molecules: int) -> IntArray:
        """Number of terms of each molecule, shape=(n_molecules,)."""
        return np.bincount(self.molecule_idxs, minlength=n_molecules)

    def within(self, piece: Piece) -> "Terms":
        """The terms of the molecules of a piece, atoms and molecules counted from its first."""
        found = self.between(piece.molecules)
        return Terms(
            form=self.form,
            atom_idxs=self.atom_idxs[found] - piece.first_atom,
            molecule_idxs=self.molecule_idxs[found] - piece.molecules.start,
        )

    def between(self, molecules: slice) -> slice:
        """Where the terms of some consecutive molecules stand."""
        first, last = np.searchsorted(self.molecule_idxs, [molecules.start, molecules.stop]).tolist()
        return slice(first, last)


class Measured(NamedTuple):
    """The internal coordinates of terms in every frame; the entries of a term, one for each frame, side by side."""

    values: FloatArray
    """Lengths [Å] or angles [rad], shape=(n_coordinates, n_entries)."""
    gradients: FloatArray
    """Derivatives by the positions of the atoms of the terms, shape=(n_coordinates, k, 3, n_entries)."""
    straight: NDArray[np.bool_]
    """Whether an inner angle of a dihedral is almost straight, shape=(n_entries,)."""
    terms: IntArray
    """Term of each entry, shape=(n_entries,)."""
    of: tuple[Terms, Frames]
    """What was measured in what."""

    @property
    def frames(self) -> IntArray:
        """Frame of each entry, shape=(n_entries,)."""
        terms, frames = self.of
        return frames.entries(frames.frame_offsets[terms.molecule_idxs], terms.molecule_idxs)

    @property
    def points(self) -> IntArray:
        """Points of the atoms of each entry, shape=(k, n_entries)."""
        terms, frames = self.of
        return frames.entries(frames.point_offsets[terms.atom_idxs.T], terms.molecule_idxs)


def measure(terms: Terms, frames: Frames) -> Measured:
    """The internal coordinates of terms in every frame.

    Args:
        terms: The terms.
        frames: Conformers of their molecules.

    Returns:
        Values, derivatives, and what they belong to.

    Example:
        >>> import ffshare
        >>> batch = ffshare.from_smiles("[H][H]")
        >>> frames = Frames.from_conformers(batch, [[[[0, 0, 0], [0, 0, 0.7]], [[0, 0, 0], [0, 0, 0.8]]]])
        >>> measure(Terms(form="length", atom_idxs=batch.bonds, molecule_idxs=[0]), frames).values
        array([[0.7, 0.8]])
    """
    orders = FORMS[terms.form]
    positions = frames.positions(terms.atom_idxs.T, terms.molecule_idxs)
    if len(orders) == 1:
        (of_one,) = (COORDINATES[len(order)](positions) for order in orders)
        values, gradients, straight = of_one.values[None], of_one.gradients[None], of_one.straight
    else:
        found = [COORDINATES[len(order)](positions[:, list(order)]) for order in orders]
        values = np.stack([one.values for one in found])
        # Rows of the derivatives in the order of the atoms of the term.
        gradients = np.stack([one.gradients[np.argsort(order)] for one, order in zip(found, orders, strict=True)])
        straight = np.any([one.straight for one in found], axis=0)
    return Measured(
        values=values,
        gradients=gradients,
        straight=straight,
        terms=np.repeat(np.arange(len(terms)), frames.n_conformers[terms.molecule_idxs]),
        of=(terms, frames),
    )


def straight_frames(terms: Terms, frames: Frames, most_entries: int = 30_000) -> IntArray:
    """In how many frames each dihedral has an inner angle beyond `STRAIGHT_ANGLE`.

    What such a dihedral is worth there is hardly defined, and its derivatives grow without bound: a fit leaves it out.

    Args:
        terms: Terms of any form; those without a dihedral have none.
        frames: Conformers of their molecules.
        most_entries: Terms times frames that are looked at together.

    Returns:
        Number of frames of each term, shape=(n_terms,).
    """
    found = np.zeros(len(terms), dtype=np.int64)
    for piece in frames.pieces(most_entries, np.maximum(terms.counts(frames.n_molecules), 1)):
        measured = measure(terms.within(piece), piece.frames)
        where = terms.between(piece.molecules)
        found[where] += np.bincount(measured.terms[measured.straight], minlength=where.stop - where.start)
    return found
