"""Energies and forces of the conformers of a batch: `Model`.

The energy of a molecule in vacuum is the sum of its sections: harmonic bonds and angles, cosines of propers and
impropers, Lennard-Jones and Coulomb between all pairs of atoms that three bonds or more divide, without a cut-off. The
force on an atom is minus the derivative: with B the derivatives of the internal coordinates q,

    F = -Σ_terms (dE/dq) B.

Frames are worked through in pieces that fit the cache of a processor, whatever their number.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ffshare.assign import Assignment
from ffshare.errors import InputError, SchemeError
from ffshare.model.charges import charges_by_name
from ffshare.model.coordinates import FloatArray
from ffshare.model.frames import Frames, Piece
from ffshare.model.interactions import Interaction, interactions
from ffshare.model.pairs import interacting_pairs
from ffshare.model.terms import Measured, measure
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record

# Terms times frames of a piece: some megabytes of arrays at once.
_MOST_ENTRIES = 30_000


@record
class Energies:
    """Energies of frames."""

    by_section: Mapping[str, FloatArray] = doc("energies by section [kcal/mol], shape=(n_frames,) each")
    frame_offsets: IntArray = doc("first frame of each molecule, and their number, shape=(n_molecules + 1,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, frame_offsets=np.int64)

    @property
    def total(self) -> FloatArray:
        """Sum of all sections [kcal/mol], shape=(n_frames,)."""
        total = np.zeros(int(self.frame_offsets[-1]))
        for energies in self.by_section.values():
            total += energies
        return total

    def of_molecule(self, molecule_idx: int) -> FloatArray:
        """Total energies of the conformers of one molecule [kcal/mol], shape=(n_conformers,)."""
        first, last = self.frame_offsets[molecule_idx : molecule_idx + 2]
        return self.total[first:last]


@record
class Evaluation:
    """Energies and forces of frames."""

    energies: Energies = doc("energies")
    forces: FloatArray = doc("forces at the points of the frames [kcal/mol/Å], shape=(3, n_points)")


@record
class Model:
    """A force field at work on the molecules of a batch.

    Law: energies and forces do not change when atoms are renumbered, molecules shuffled, or the batch or its frames cut
    differently, and the forces of a frame exert no net force and no torque.
    """

    batch: GraphBatch = doc("the molecules")
    interactions: Mapping[str, Interaction] = doc("what acts in them, by section")

    @classmethod
    def of(cls, assignment: Assignment, charges: ArrayLike | str | None) -> "Model":
        """The model of an assignment.

        Args:
            assignment: Molecules with a rule for every term.
            charges: Charges of the atoms [e], shape=(n_atoms,); or the name of a method of `charges_by_name`; or None
                for no electrostatics.

        Returns:
            The model.

        Raises:
            SchemeError: A site has no rule or a rule no value, or the scheme has terms that the model does not know.
            MoleculeError: The method gives no charges for a molecule.
            MissingDependencyError: The method needs a package that is not installed.

        Example:
            >>> import ffshare
            >>> water = ffshare.load_scheme("openff-2.2.1").assign(ffshare.from_smiles("O"))
            >>> model = Model.of(water, charges="library")
            >>> energies = model.energies(model.frames([[[0, 0, 0], [1.1, 0, 0], [-0.24, 0.93, 0]]]))
            >>> {section: round(float(values[0]), 2) for section, values in energies.by_section.items() if values[0]}
            {'Bonds': 8.48, 'Angles': 2.57}
        """
        batch = assignment.batch
        given = charges_by_name(assignment, charges) if isinstance(charges, str) else charges
        values = None if given is None else np.asarray(given, dtype=np.float64)
        if values is not None and (values.shape != (batch.n_atoms,) or not np.isfinite(values).all()):
            raise SchemeError(f"charges must be {batch.n_atoms} finite numbers, got an array of shape {values.shape}")
        return cls(batch=batch, interactions=interactions(assignment, interacting_pairs(batch), values))

    def only(self, sections: Sequence[str]) -> "Model":
        """The model with some of its sections.

        Args:
            sections: Names of sections.

        Returns:
            The smaller model.

        Raises:
            SchemeError: It has no such section.
        """
        unknown = [section for section in sections if section not in self.interactions]
        if unknown:
            raise SchemeError(f"the model has no section {unknown[0]!r}; it has {', '.join(self.interactions)}")
        return dataclasses.replace(self, interactions={name: self.interactions[name] for name in sections})

    def frames(self, conformers: Sequence[ArrayLike]) -> Frames:
        """Conformers of its molecules as frames, see `Frames.from_conformers`."""
        return Frames.from_conformers(self.batch, conformers)

    def energies(self, frames: Frames) -> Energies:
        """Energies of frames.

        Args:
            frames: Conformers of the molecules of the batch.

        Returns:
            Energies by section [kcal/mol].

        Raises:
            InputError: The frames are those of other molecules.
        """
        return self.evaluate(frames).energies

    def forces(self, frames: Frames) -> FloatArray:
        """Forces of frames.

        Args:
            frames: Conformers of the molecules of the batch.

        Returns:
            Forces at the points of the frames [kcal/mol/Å], shape=(3, n_points); `Frames.by_molecule` gives them
            molecule by molecule.

        Raises:
            InputError: The frames are those of other molecules.
        """
        return self.evaluate(frames).forces

    def evaluate(self, frames: Frames) -> Evaluation:
        """Energies and forces of frames; both cost hardly more than one.

        Args:
            frames: Conformers of the molecules of the batch.

        Returns:
            Energies and forces.

        Raises:
            InputError: The frames are those of other molecules.
        """
        if not np.array_equal(frames.atom_offsets, self.batch.atom_offsets):
            raise InputError(f"frames of {frames.n_molecules} molecules are not those of the model's batch")
        energies = {section: np.zeros(len(frames)) for section in self.interactions}
        forces = np.zeros_like(frames.coordinates)
        n_terms = np.ones(self.batch.n_molecules, dtype=np.int64)
        for interaction in self.interactions.values():
            n_terms += interaction.terms.counts(self.batch.n_molecules)
        for piece in frames.pieces(_MOST_ENTRIES, n_terms):
            of_piece = np.zeros_like(piece.frames.coordinates)
            measured: tuple[object, Measured] | None = None
            for section, interaction in self.interactions.items():
                # Two sections that act on the same pairs measure them once.
                if measured is None or measured[0] is not interaction.terms:
                    measured = interaction.terms, measure(interaction.terms.within(piece), piece.frames)
                energies[section][piece.of_frames] = _add(interaction, measured[1], piece, of_piece)
            frames.put(forces, piece, of_piece)
        found = Energies(by_section=energies, frame_offsets=frames.frame_offsets)
        return Evaluation(energies=found, forces=forces)


def _add(interaction: Interaction, measured: Measured, piece: Piece, forces: FloatArray) -> FloatArray:
    """Energies of one interaction in the frames of a piece; its forces are added to those given."""
    first = interaction.terms.between(piece.molecules).start
    response = interaction.potential(measured.values, measured.terms + first)
    n_points = forces.shape[1]
    pulls = (measured.gradients * response.slopes[:, None, None]).sum(axis=0)
    points = measured.points.ravel()
    for axis in range(3):
        forces[axis] -= np.bincount(points, weights=pulls[:, axis].ravel(), minlength=n_points)
    energies = response.energies.sum(axis=0)
    return np.bincount(measured.frames, weights=energies, minlength=len(piece.frames)).astype(np.float64, copy=False)
