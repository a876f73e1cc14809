"""The design of a linear fit: what every slot of a basis adds to the energies and forces of a molecule.

Each bonded site has a few slots (see `ffshare.model.basis`), numbered section by section, site by site, slot by slot:
the sites φ of a `LinearTying`. The energy of a frame is Σ φ_i f_i(q) and its forces are -Σ φ_i f_i'(q) B, with q the
internal coordinate of the site and B its derivatives by the positions. So a slot touches the forces of two to four
atoms only, and all slots of a site share one B: nothing bigger is stored. A tying φ = Aθ sums the columns of slots that
share a parameter as they are laid out, by one sparse product a molecule whose pattern is the same for all its frames:

    column_j = Σ_i A_ij f_i(q),    and for the forces    -Σ_i A_ij f_i'(q) B_i.

Columns stand frames last, so that the Gram matrix of a molecule is one product of a dense matrix with its transpose.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ffshare.errors import TyingError
from ffshare.model.basis import Basis
from ffshare.model.coordinates import FloatArray
from ffshare.model.frames import Frames
from ffshare.model.slots import SectionSlots
from ffshare.model.terms import Terms
from ffshare.molecules.ragged import IntArray, offsets_of
from ffshare.records import doc, record
from ffshare.tying import LinearTying

# Numbers in the force columns of a piece: some megabytes.
_MOST_NUMBERS = 1_000_000


@record
class MoleculeColumns:
    """Columns of one molecule in some of its conformers."""

    molecule_idx: int = doc("the molecule")
    conformers: slice = doc("the conformers, among those of the molecule")
    columns: IntArray = doc("which columns of the design: those that the molecule touches, ascending, shape=(n,)")
    energies: FloatArray = doc("energies by column, shape=(n, n_conformers)")
    forces: FloatArray = doc("forces by column, shape=(n, 3, n_atoms, n_conformers)")
    straight: Mapping[str, NDArray[np.bool_]] = doc(
        "by section: dihedrals whose inner angle is almost straight, shape=(n_terms of the molecule, n_conformers)"
    )


class _Sums(NamedTuple):
    """How the columns of one molecule are summed from the functions of its slots."""

    columns: IntArray
    """Columns of the design."""
    energies: sparse.csr_array
    """Functions → energies, shape=(n_columns, number of functions)."""
    forces: sparse.csr_array
    """Their pulls on atoms → forces, shape=(n_columns * 3 * n_atoms, number of values)."""


class Design:
    """Columns of a linear fit of bonded parameters."""

    def __init__(self, terms: Mapping[str, Terms], bases: Mapping[str, Basis], ties: LinearTying | None = None) -> None:
        """The design of some terms.

        Args:
            terms: Terms by section.
            bases: Basis of each of these sections; terms of other sections are left out.
            ties: Columns → slots; by default every slot is a column. Its offsets are no column: they belong to what is
                subtracted from the data.

        Raises:
            TyingError: The ties have another number of sites than there are slots.
        """
        self._parts: list[SectionSlots] = []
        n_slots = 0
        for section, basis in bases.items():
            if section in terms:
                self._parts.append(SectionSlots(section=section, terms=terms[section], basis=basis, first_slot=n_slots))
                n_slots += len(terms[section]) * len(basis.names)
        if ties is not None and ties.n_site != n_slots:
            raise TyingError(f"the ties have {ties.n_site} sites; this design has {n_slots} slots")
        self._ties = sparse.eye_array(n_slots, format="csr") if ties is None else sparse.csr_array(ties.matrix)
        self.n_slots, self.n_columns = n_slots, int(self._ties.shape[1])

    @property
    def slots(self) -> tuple[tuple[str, int, str], ...]:
        """Section, site and name of every slot, in order."""
        return tuple(
            (part.section, site, name)
            for part in self._parts
            for site in range(len(part.terms))
            for name in part.basis.names
        )

    def by_molecule(self, frames: Frames) -> Iterator[MoleculeColumns]:
        """The columns of every molecule that has a conformer.

        Args:
            frames: Conformers of the molecules.

        Yields:
            Molecule after molecule; one with many conformers comes in several parts, some conformers at a time.
        """
        if not self._parts:
            return
        n_atoms, n_slots = np.diff(frames.atom_offsets), np.ones(frames.n_molecules, dtype=np.int64)
        for part in self._parts:
            n_slots += part.terms.counts(frames.n_molecules) * len(part.basis.names)
        sums: tuple[int, _Sums] | None = None
        for piece in frames.pieces(_MOST_NUMBERS, 3 * n_atoms * n_slots):
            filled = [part.fill(piece) for part in self._parts]
            for idx in np.flatnonzero(piece.frames.n_conformers).tolist():
                molecule, n_conformers = piece.molecules.start + idx, int(piece.frames.n_conformers[idx])
                if sums is None or sums[0] != molecule:
                    sums = molecule, self._sums(molecule, frames.atom_offsets)
                blocks = [one.of_molecule(idx, n_conformers) for one in filled]
                first = piece.of_conformers.start or 0
                forces = sums[1].forces @ np.concatenate([block.pulls for block in blocks])
                yield MoleculeColumns(
                    molecule_idx=molecule,
                    conformers=slice(first, first + n_conformers),
                    columns=sums[1].columns,
                    energies=sums[1].energies @ np.concatenate([block.energies for block in blocks]),
                    forces=forces.reshape(-1, 3, int(n_atoms[molecule]), n_conformers),
                    straight={part.section: block.straight for part, block in zip(self._parts, blocks, strict=True)},
                )

    def _sums(self, molecule: int, atom_offsets: IntArray) -> _Sums:
        """Which slots of a molecule add to which of its columns."""
        first_atom, last_atom = atom_offsets[molecule : molecule + 2].tolist()
        n_coordinates = 3 * (last_atom - first_atom)
        found = [part.entries(molecule, first_atom, last_atom - first_atom, self._ties) for part in self._parts]
        columns, places = np.unique(np.concatenate([one.columns for one in found]), return_inverse=True)
        places_of_parts = np.split(places, np.cumsum([len(one.columns) for one in found])[:-1])
        functions = offsets_of(np.array([one.n_functions for one in found]))
        pulls = offsets_of(np.array([one.n_pulls for one in found]))
        energies = _summing(
            rows=places,
            columns=np.concatenate([one.functions + first for one, first in zip(found, functions, strict=False)]),
            coefs=np.concatenate([one.coefs for one in found]),
            shape=(len(columns), int(functions[-1])),
        )
        forces = _summing(
            rows=np.concatenate(
                [
                    (place[:, None] * n_coordinates + one.coordinates).ravel()
                    for place, one in zip(places_of_parts, found, strict=True)
                ]
            ),
            columns=np.concatenate([(one.pulls + first).ravel() for one, first in zip(found, pulls, strict=False)]),
            coefs=np.concatenate([np.repeat(-one.coefs, one.pulls.shape[1]) for one in found]),
            shape=(len(columns) * n_coordinates, int(pulls[-1])),
        )
        return _Sums(columns, energies, forces)


def _summing(rows: IntArray, columns: IntArray, coefs: FloatArray, shape: tuple[int, int]) -> sparse.csr_array:
    """A sparse matrix of some entries, made row by row without the checks that cost more than it does."""
    order = np.argsort(rows, kind="stable")
    pointers = offsets_of(np.bincount(rows, minlength=shape[0])).astype(np.int32)
    return sparse.csr_array((coefs[order], columns[order].astype(np.int32), pointers), shape=shape)
