"""Rows of a linear least-squares problem: reference energies and forces, molecule by molecule, each over its error.

Energies of a molecule are known up to a constant c. The best c is part of the fit of any parameters, so that it goes
out beforehand: with precisions w of the conformers, energies and columns alike are less their weighted mean,

    e_i → √w_i (e_i - Σ w_j e_j / Σ w_j),

which is what remains of the residuals when c is chosen best. A force component is multiplied by √w of its conformer.

A torsion with an inner angle that is almost straight in any conformer of a molecule means little there, and its
derivatives grow without bound. It is left out of all rows of the molecule and listed, see `ffshare.fit.straight`.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from ffshare.errors import InputError
from ffshare.fit.parts import part_of, sites_of
from ffshare.fit.problem import FitProblem
from ffshare.fit.reference import ReferenceMolecule
from ffshare.fit.straight import LeftOut, left_out, straight_counts
from ffshare.fit.weights import Precisions
from ffshare.model import Design, Frames, MoleculeColumns, bonded_terms
from ffshare.model.coordinates import FloatArray
from ffshare.model.terms import Terms
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, record
from ffshare.tying import LinearTying


class Rows(NamedTuple):
    """Some rows of one molecule."""

    number: int
    """The molecule, among those of the chunk."""
    columns: IntArray
    """Columns that it touches, ascending, shape=(n,)."""
    values: FloatArray
    """The rows by column, over their errors, shape=(n, n_rows)."""
    targets: FloatArray
    """What they should add up to, shape=(n_rows,)."""
    n_residuals: int
    """How many numbers were compared: energies count one less, for their constant."""
    n_clashes: int
    """Conformers of the whole molecule that are left out."""


@record
class Chunk:
    """Some molecules of a problem, with their reference data, less the background."""

    molecule_idxs: IntArray = doc("molecules of the batch of the problem, ascending, shape=(n,)")
    molecules: tuple[ReferenceMolecule, ...] = doc("their reference data")
    problem: FitProblem = doc("what is fitted")
    terms: Mapping[str, Terms] = doc("their terms by fitted section")
    slots: IntArray = doc("slots of the problem that are theirs, shape=(n_slots of the chunk,)")
    frames: Frames = doc("their conformers")

    @classmethod
    def of(cls, problem: FitProblem, molecule_idxs: IntArray, molecules: Sequence[ReferenceMolecule]) -> "Chunk":
        """The chunk of some molecules.

        Args:
            problem: The problem.
            molecule_idxs: Molecules of its batch, none of them skipped, ascending.
            molecules: Reference data of each.

        Returns:
            The chunk.

        Raises:
            InputError: The reference data are those of other molecules.
        """
        part = part_of(problem.assignment, molecule_idxs)
        for number, molecule in enumerate(molecules):
            n_atoms = int(np.diff(part.batch.atom_offsets)[number])
            if molecule.n_atoms != n_atoms:
                raise InputError(
                    f"molecule {int(molecule_idxs[number])} has {n_atoms} atoms, its reference data "
                    f"{molecule.n_atoms}; the batch must be that of the reference data, in the same order"
                )
        found, starts = sites_of(problem.assignment.sites, molecule_idxs), problem.slot_offsets
        widths = [len(basis.names) for basis in problem.bases.values()]
        slots = [
            (start + width * found[section][:, None] + np.arange(width)).ravel()
            for section, start, width in zip(problem.bases, starts.tolist(), widths, strict=False)
        ]
        terms = bonded_terms(part)
        return cls(
            molecule_idxs=molecule_idxs,
            molecules=tuple(molecules),
            problem=problem,
            terms={section: terms[section] for section in problem.bases},
            slots=np.concatenate(slots),
            frames=Frames.from_conformers(part.batch, [molecule.coords for molecule in molecules]),
        )

    def straight(self) -> dict[str, IntArray]:
        """In how many conformers each torsion is almost straight, by section, shape=(n_terms,) each."""
        return straight_counts(self.terms, self.frames)

    def left_out(self, straight: Mapping[str, IntArray]) -> tuple[LeftOut, ...]:
        """The torsions that are left out, as records."""
        return left_out(straight, self.terms, self.frames, self.molecule_idxs)

    def rows(self, straight: Mapping[str, IntArray]) -> Iterator[Rows]:
        """The rows, molecule after molecule, those of the forces first.

        Args:
            straight: Torsions to leave out: those with a count above 0.

        Yields:
            Rows; a molecule with many conformers comes in several parts.
        """
        background = self.problem.background.evaluate(self.molecule_idxs, self.frames, self.problem.sections)
        design = Design(self.terms, self.problem.bases, self._ties(straight))
        for number, parts in groupby(design.by_molecule(self.frames), key=lambda part: part.molecule_idx):
            molecule = self.molecules[number]
            below = background.energies.of_molecule(number)
            precisions = self.problem.weights.of(molecule, below)
            behind = self.frames.block(background.forces, number)
            energies = []
            for part in parts:
                energies.append(part.energies)
                if molecule.forces is not None and np.isfinite(self.problem.weights.force):
                    yield _force_rows(part, molecule.forces, behind, precisions)
            if np.isfinite(self.problem.weights.energy):
                target = molecule.energies - below
                yield _energy_rows(number, part.columns, np.concatenate(energies, axis=1), target, precisions)

    def _ties(self, straight: Mapping[str, IntArray]) -> LinearTying:
        """Columns of the problem → slots of the chunk, nothing for torsions that are left out."""
        out = [np.repeat(straight[section] > 0, len(basis.names)) for section, basis in self.problem.bases.items()]
        matrix = self.problem.ties[self.slots].tocoo()
        rows, columns = matrix.coords
        kept = ~np.concatenate(out)[rows]
        return LinearTying(
            site=rows[kept], free=columns[kept], coef=matrix.data[kept], n_site=matrix.shape[0], n_free=matrix.shape[1]
        )


def _force_rows(part: MoleculeColumns, forces: FloatArray, behind: FloatArray, precisions: Precisions) -> Rows:
    roots = np.sqrt(precisions.forces[part.conformers])
    target = forces[part.conformers].transpose(2, 1, 0) - behind[:, :, part.conformers]
    values = part.forces * roots
    return Rows(
        number=part.molecule_idx,
        columns=part.columns,
        values=values.reshape(len(part.columns), target.size),
        targets=(target * roots).ravel(),
        n_residuals=3 * target.shape[1] * int(precisions.counted[part.conformers].sum()),
        n_clashes=int((~precisions.counted).sum()),
    )


def _energy_rows(
    number: int, columns: IntArray, energies: FloatArray, target: FloatArray, precisions: Precisions
) -> Rows:
    weights = precisions.energies
    roots = np.sqrt(weights)
    shares = weights / weights.sum()
    return Rows(
        number=number,
        columns=columns,
        values=(energies - (energies @ shares)[:, None]) * roots,
        targets=(target - target @ shares) * roots,
        n_residuals=int(precisions.counted.sum()) - 1,
        n_clashes=int((~precisions.counted).sum()),
    )
