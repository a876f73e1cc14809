"""Rows of a linear least-squares problem: reference energies and forces, molecule by molecule, each over its error.

Energies of a molecule are known up to a constant c. The best c is part of the fit of any parameters, so that it goes
out beforehand: with precisions w of the conformers, energies and columns alike are less their weighted mean,

    e_i → √w_i (e_i - Σ w_j e_j / Σ w_j),

which is what remains of the residuals when c is chosen best. A force component is multiplied by √w of its conformer.

A torsion with an inner angle that is almost straight in any conformer of a molecule means little there, and its
derivatives grow without bound. It is left out of all rows of the molecule and listed, see `ffshare.fit.straight`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np

from ffshare.assign.sites import Sites
from ffshare.errors import InputError
from ffshare.fit.parts import sites_of
from ffshare.fit.problem import FitProblem
from ffshare.fit.reference import ReferenceMolecule
from ffshare.fit.straight import LeftOut, left_out, straight_counts
from ffshare.fit.weights import Precisions
from ffshare.model import Design, Frames, MoleculeColumns, bonded_terms
from ffshare.model.coordinates import FloatArray
from ffshare.model.terms import Terms
from ffshare.molecules.ragged import IntArray, offsets_of
from ffshare.records import doc, record
from ffshare.tying import LinearTying


class RowGroup(NamedTuple):
    """Rows in which only some columns are not zero, such as the forces on one atom."""

    places: IntArray | None
    """These columns, by their place among those of the molecule, shape=(k,); None: all of them."""
    values: FloatArray
    """The rows by these columns, over their errors, shape=(k, n_rows)."""
    targets: FloatArray
    """What they should add up to, shape=(n_rows,)."""


class Rows(NamedTuple):
    """Some rows of one molecule."""

    number: int
    """The molecule, among those of the chunk."""
    columns: IntArray
    """Columns that it touches, ascending, shape=(n,)."""
    groups: tuple[RowGroup, ...]
    """The rows."""
    n_residuals: int
    """How many numbers were compared: energies count one less, for their constant."""
    n_clashes: int
    """Conformers of the whole molecule that are left out."""

    @property
    def values(self) -> FloatArray:
        """All rows by all columns, over their errors, shape=(n, n_rows)."""
        values = np.zeros((len(self.columns), sum(len(group.targets) for group in self.groups)))
        first = 0
        for group in self.groups:
            where = slice(first, first + len(group.targets))
            values[slice(None) if group.places is None else group.places, where] = group.values
            first = where.stop
        return values

    @property
    def targets(self) -> FloatArray:
        """What they should add up to, shape=(n_rows,)."""
        return np.concatenate([group.targets for group in self.groups])


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
        batch, sites = problem.assignment.batch, problem.assignment.sites
        sizes = np.diff(batch.atom_offsets)[molecule_idxs]
        for number, (molecule, n_atoms) in enumerate(zip(molecules, sizes.tolist(), strict=True)):
            if molecule.n_atoms != n_atoms:
                raise InputError(
                    f"molecule {int(molecule_idxs[number])} has {n_atoms} atoms, its reference data "
                    f"{molecule.n_atoms}; the batch must be that of the reference data, in the same order"
                )
        found, starts = sites_of({name: sites[name] for name in problem.bases}, molecule_idxs), problem.slot_offsets
        widths = [len(basis.names) for basis in problem.bases.values()]
        slots = [
            (start + width * found[section][:, None] + np.arange(width)).ravel()
            for section, start, width in zip(problem.bases, starts.tolist(), widths, strict=False)
        ]
        return cls(
            molecule_idxs=molecule_idxs,
            molecules=tuple(molecules),
            problem=problem,
            terms=_terms(problem, molecule_idxs, found, offsets_of(sizes)),
            slots=np.concatenate(slots),
            frames=Frames.from_some(batch, molecule_idxs, [molecule.coords for molecule in molecules]),
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
        below = np.split(background.energies.total, self.frames.frame_offsets[1:-1])
        precisions = list(map(self.problem.weights.of, self.molecules, below))
        roots = np.sqrt(np.concatenate([np.zeros(0), *(each.forces for each in precisions)]))
        design = Design(self.terms, self.problem.bases, self._ties(straight))
        parts_of_all = design.by_molecule(self.frames, roots)
        for number, parts in groupby(parts_of_all, key=lambda part: part.molecule_idx):
            molecule = self.molecules[number]
            behind = self.frames.block(background.forces, number)
            energies = []
            for part in parts:
                energies.append(part.energies)
                if molecule.forces is not None and np.isfinite(self.problem.weights.force):
                    yield _force_rows(part, molecule.forces, behind, precisions[number])
            if np.isfinite(self.problem.weights.energy):
                target = molecule.energies - below[number]
                yield _energy_rows(number, part.columns, np.concatenate(energies, axis=1), target, precisions[number])

    def _ties(self, straight: Mapping[str, IntArray]) -> LinearTying:
        """Columns of the problem → slots of the chunk, nothing for torsions that are left out."""
        out = [np.repeat(straight[section] > 0, len(basis.names)) for section, basis in self.problem.bases.items()]
        matrix = self.problem.ties[self.slots].tocoo()
        rows, columns = matrix.coords
        kept = ~np.concatenate(out)[rows]
        return LinearTying(
            site=rows[kept], free=columns[kept], coef=matrix.data[kept], n_site=matrix.shape[0], n_free=matrix.shape[1]
        )


def _terms(
    problem: FitProblem, molecule_idxs: IntArray, found: Mapping[str, IntArray], atom_offsets: IntArray
) -> dict[str, Terms]:
    """The fitted terms of some molecules, atoms and molecules counted from the first."""
    whole = problem.assignment
    sites = {
        section: Sites(
            atom_idxs=whole.sites[section].atom_idxs[chosen],
            molecule_idxs=whole.sites[section].molecule_idxs[chosen],
            rule_idxs=whole.sites[section].rule_idxs[chosen],
        )
        for section, chosen in found.items()
    }
    terms = {}
    for section, each in bonded_terms(replace(whole, sites=sites)).items():
        numbers = np.searchsorted(molecule_idxs, each.molecule_idxs)
        shifts = atom_offsets[numbers] - whole.batch.atom_offsets[each.molecule_idxs]
        terms[section] = replace(each, atom_idxs=each.atom_idxs + shifts[:, None], molecule_idxs=numbers)
    return {section: terms[section] for section in problem.bases}


def _force_rows(part: MoleculeColumns, forces: FloatArray, behind: FloatArray, precisions: Precisions) -> Rows:
    """Rows of forces, whose columns come with the roots of the precisions in them."""
    roots = np.sqrt(precisions.forces[part.conformers])
    target = (forces[part.conformers].transpose(2, 1, 0) - behind[:, :, part.conformers]) * roots
    if part.pairs is None:
        groups = [RowGroup(None, part.pulled.reshape(len(part.columns), target.size), target.ravel())]
    else:
        bounds = part.pairs.offsets.tolist()
        groups = [
            RowGroup(
                part.pairs.columns[first:last],
                part.pulled[first:last].reshape(last - first, target[:, atom].size),
                target[:, atom].ravel(),
            )
            for atom, (first, last) in enumerate(pairwise(bounds))
        ]
    return Rows(
        number=part.molecule_idx,
        columns=part.columns,
        groups=tuple(groups),
        n_residuals=3 * target.shape[1] * int(precisions.counted[part.conformers].sum()),
        n_clashes=int((~precisions.counted).sum()),
    )


def _energy_rows(
    number: int, columns: IntArray, energies: FloatArray, target: FloatArray, precisions: Precisions
) -> Rows:
    weights = precisions.energies
    roots = np.sqrt(weights)
    shares = weights / weights.sum()
    values = (energies - (energies @ shares)[:, None]) * roots
    return Rows(
        number=number,
        columns=columns,
        groups=(RowGroup(None, values, (target - target @ shares) * roots),),
        n_residuals=int(precisions.counted.sum()) - 1,
        n_clashes=int((~precisions.counted).sum()),
    )
