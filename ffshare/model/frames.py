"""Conformers of the molecules of a batch as one flat array: `Frames`.

A molecule brings any number of conformers, which are its *frames*. Coordinates are flat, components first:

* a *point* is one atom in one frame; the points of an atom, one for each frame of its molecule, stand side by side;
* so the coordinates of a molecule with n atoms and F frames are one block of shape (3, n, F), frames last;
* a term (a bond, a pair, …) likewise has one *entry* a frame, side by side, and what the terms of a molecule have is a
  block of shape (n_terms, F).

Everything is then a gather, arithmetic on long contiguous runs, and a sum by index, for all molecules at once, however
many conformers each has; and the block of one molecule is a view that needs no copy.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ffshare.errors import InputError
from ffshare.model.coordinates import FloatArray
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray, offsets_of
from ffshare.records import doc, freeze_arrays, record


@record
class Frames:
    """Conformers of the molecules of a batch."""

    coordinates: FloatArray = doc("positions [Å], frames last within a molecule, shape=(3, n_points)")
    n_conformers: IntArray = doc("conformers of each molecule, shape=(n_molecules,)")
    atom_offsets: IntArray = doc("first atom of each molecule, and the number of atoms, shape=(n_molecules + 1,)")
    point_offsets: IntArray = doc("first point of each atom, and the number of points, shape=(n_atoms + 1,)")
    frame_offsets: IntArray = doc("first frame of each molecule, and the number of frames, shape=(n_molecules + 1,)")

    def __post_init__(self) -> None:
        offsets = ("n_conformers", "atom_offsets", "point_offsets", "frame_offsets")
        freeze_arrays(self, coordinates=np.float64, **dict.fromkeys(offsets, np.int64))

    @classmethod
    def from_conformers(cls, batch: GraphBatch, conformers: Sequence[ArrayLike]) -> "Frames":
        """The frames of some conformers.

        Args:
            batch: The molecules.
            conformers: Positions [Å] of each molecule in the order of its atoms in the batch, any number of
                conformers, none included: shape=(n_conformers, n_atoms, 3), or (n_atoms, 3) for one.

        Returns:
            The frames.

        Raises:
            InputError: There are not as many arrays as molecules, or one has another shape or a value that is not
                finite.

        Example:
            >>> import ffshare
            >>> batch = ffshare.from_smiles("O")
            >>> Frames.from_conformers(batch, [[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]])
            Frames(1 frames of 1 molecules)
        """
        if len(conformers) != batch.n_molecules:
            raise InputError(f"got conformers of {len(conformers)} molecules for a batch of {batch.n_molecules}")
        return cls.from_some(batch, np.arange(batch.n_molecules), conformers)

    @classmethod
    def from_some(cls, batch: GraphBatch, molecule_idxs: IntArray, conformers: Sequence[ArrayLike]) -> "Frames":
        """The frames of some conformers of some molecules of a batch, molecules and atoms counted from the first.

        Args:
            batch: The molecules.
            molecule_idxs: Which of them, shape=(n,).
            conformers: Positions [Å] of each of these, as for `from_conformers`.

        Returns:
            The frames.

        Raises:
            InputError: An array has another shape than it should, or a value that is not finite.
        """
        blocks = [
            _block(batch, idx, np.asarray(given, dtype=np.float64))
            for idx, given in zip(molecule_idxs.tolist(), conformers, strict=True)
        ]
        counts = np.array([block.shape[2] for block in blocks], dtype=np.int64)
        flat = [block.reshape(3, -1) for block in blocks]
        n_atoms = np.diff(batch.atom_offsets)[molecule_idxs]
        return cls._of(np.concatenate([np.zeros((3, 0)), *flat], axis=1), counts, offsets_of(n_atoms))

    @classmethod
    def _of(cls, coordinates: FloatArray, n_conformers: IntArray, atom_offsets: IntArray) -> "Frames":
        return cls(
            coordinates=coordinates,
            n_conformers=n_conformers,
            atom_offsets=atom_offsets,
            point_offsets=offsets_of(np.repeat(n_conformers, np.diff(atom_offsets))),
            frame_offsets=offsets_of(n_conformers),
        )

    def __len__(self) -> int:
        return int(self.frame_offsets[-1])

    def __repr__(self) -> str:
        return f"Frames({len(self)} frames of {self.n_molecules} molecules)"

    @property
    def n_molecules(self) -> int:
        """Number of molecules, those without a conformer included."""
        return len(self.n_conformers)

    @property
    def molecule_idxs(self) -> IntArray:
        """Molecule of each frame, shape=(n_frames,)."""
        return np.repeat(np.arange(self.n_molecules), self.n_conformers)

    def positions(self, atoms: IntArray, molecule_idxs: IntArray) -> FloatArray:
        """Positions of some atoms in every frame of their molecule.

        Args:
            atoms: Atoms, a row for each place of a term, shape=(k, n_terms).
            molecule_idxs: Molecule of each term, shape=(n_terms,).

        Returns:
            Positions [Å], the frames of a term side by side, shape=(3, k, n_entries).
        """
        counts = self.n_conformers[molecule_idxs]
        if len(counts) and counts[0] and np.all(self.n_conformers == counts[0]):
            # Whole runs are copied where every atom has as many points.
            runs = self.coordinates.reshape(3, -1, int(counts[0]))
            return runs.take(atoms, axis=1).reshape(3, len(atoms), int(counts.sum()))
        return self.coordinates.take(self.entries(self.point_offsets[atoms], molecule_idxs), axis=1)

    def entries(self, starts: IntArray, molecule_idxs: IntArray) -> IntArray:
        """Numbers that count up from a start in the frames of a molecule: `starts` and those that follow.

        Args:
            starts: The first of each, such as the first point of an atom, shape=(..., n).
            molecule_idxs: Molecule of each, shape=(n,).

        Returns:
            The numbers, those of a start side by side, shape=(..., n_entries).
        """
        counts = self.n_conformers[molecule_idxs]
        ranks: IntArray = np.arange(counts.sum()) - np.repeat(offsets_of(counts)[:-1], counts)
        return np.repeat(starts, counts, axis=-1) + ranks

    def by_molecule(self, points: FloatArray) -> list[FloatArray]:
        """Vectors at the points, such as forces, molecule by molecule.

        Args:
            points: shape=(3, n_points).

        Returns:
            For each molecule an array in the order of what a user gives, shape=(n_conformers, n_atoms, 3).
        """
        return [self.block(points, idx).transpose(2, 1, 0) for idx in range(self.n_molecules)]

    def block(self, points: FloatArray, molecule_idx: int) -> FloatArray:
        """The part of one molecule of an array over the points, a view.

        Args:
            points: shape=(3, n_points).
            molecule_idx: The molecule.

        Returns:
            shape=(3, n_atoms, n_conformers).
        """
        first, last = self.atom_offsets[molecule_idx : molecule_idx + 2]
        count = int(self.n_conformers[molecule_idx])
        return points[:, self.point_offsets[first] : self.point_offsets[last]].reshape(3, last - first, count)

    def pieces(self, most_entries: int, n_terms: IntArray) -> Iterator["Piece"]:
        """The frames cut into pieces of bounded work, in order.

        Args:
            most_entries: Terms times frames of a piece, unless one frame alone has more.
            n_terms: Terms of each molecule, shape=(n_molecules,).

        Yields:
            Pieces of whole molecules, and of a molecule with many conformers some at a time; together all frames.
        """
        work = offsets_of(n_terms * self.n_conformers)
        first = 0
        while first < self.n_molecules:
            # As many molecules as stay within the bound, and at least one.
            last = max(first + 1, int(np.searchsorted(work, work[first] + most_entries, side="right")) - 1)
            if work[last] - work[first] <= most_entries:
                yield self._piece(first, last, 0, -1)
            else:
                step = max(1, most_entries // int(n_terms[first]))
                for start in range(0, int(self.n_conformers[first]), step):
                    yield self._piece(first, last, start, start + step)
            first = last

    def _piece(self, first: int, last: int, start: int, stop: int) -> "Piece":
        """Molecules first to last, and of a single one the conformers start to stop; all where stop is −1."""
        atoms = slice(int(self.atom_offsets[first]), int(self.atom_offsets[last]))
        points = slice(int(self.point_offsets[atoms.start]), int(self.point_offsets[atoms.stop]))
        frames = slice(int(self.frame_offsets[first]), int(self.frame_offsets[last]))
        coordinates, counts = self.coordinates[:, points], self.n_conformers[first:last]
        if stop >= 0:
            stop = min(stop, int(counts[0]))
            coordinates = self.block(self.coordinates, first)[:, :, start:stop].reshape(3, -1)
            frames, counts = slice(frames.start + start, frames.start + stop), np.array([stop - start])
        return Piece(
            frames=Frames._of(coordinates, counts, self.atom_offsets[first : last + 1] - atoms.start),
            molecules=slice(first, last),
            first_atom=atoms.start,
            of_frames=frames,
            of_conformers=slice(start, stop) if stop >= 0 else slice(None),
        )

    def put(self, points: FloatArray, piece: "Piece", values: FloatArray) -> None:
        """Write what was computed for a piece to its place in an array over all points.

        Args:
            points: The array, shape=(3, n_points).
            piece: The piece.
            values: Vectors at its points, shape=(3, n_points of the piece).
        """
        if piece.of_conformers == slice(None):
            first, last = piece.first_atom, piece.first_atom + int(piece.frames.atom_offsets[-1])
            points[:, self.point_offsets[first] : self.point_offsets[last]] = values
        else:
            block = self.block(points, piece.molecules.start)
            block[:, :, piece.of_conformers] = piece.frames.block(values, 0)


@record
class Piece:
    """Some molecules of some frames, or some conformers of one molecule."""

    frames: Frames = doc("the piece as frames of its own, molecules and atoms counted from its first")
    molecules: slice = doc("its molecules among all")
    first_atom: int = doc("its first atom among all")
    of_frames: slice = doc("its frames among all")
    of_conformers: slice = doc("its conformers, where they are only some of a single molecule's")


def _block(batch: GraphBatch, molecule_idx: int, given: FloatArray) -> FloatArray:
    """Conformers of one molecule as (3, n_atoms, n_conformers)."""
    n_atoms = int(batch.atom_offsets[molecule_idx + 1] - batch.atom_offsets[molecule_idx])
    conformers = given[None] if given.ndim == 2 else given
    if conformers.ndim != 3 or conformers.shape[1:] != (n_atoms, 3):
        where = f"molecule {molecule_idx} {batch.names[molecule_idx]}".rstrip()
        raise InputError(f"conformers of {where} have shape {given.shape}, expected (n_conformers, {n_atoms}, 3)")
    if not np.isfinite(conformers).all():
        where = f"molecule {molecule_idx} {batch.names[molecule_idx]}".rstrip()
        raise InputError(f"conformers of {where} hold coordinates that are not finite")
    return conformers.transpose(2, 1, 0)
