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

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ffshare.errors import TyingError
from ffshare.model.basis import Basis
from ffshare.model.coordinates import FloatArray
from ffshare.model.frames import Frames
from ffshare.model.layout import Layout, Pairs
from ffshare.model.slots import Filled, SectionSlots
from ffshare.model.terms import Terms
from ffshare.molecules.ragged import IntArray, offsets_of
from ffshare.records import doc, record
from ffshare.tying import LinearTying

# Numbers of the coordinates and functions of a piece, and of the columns of a part of it: some megabytes.
_MOST_FILLED, _MOST_NUMBERS = 1_000_000, 1_000_000


@record
class MoleculeColumns:
    """Columns of one molecule in some of its conformers."""

    molecule_idx: int = doc("the molecule")
    conformers: slice = doc("the conformers, among those of the molecule")
    columns: IntArray = doc("which columns of the design: those that the molecule touches, ascending, shape=(n,)")
    energies: FloatArray = doc("energies by column, shape=(n, n_conformers)")
    pairs: Pairs | None = doc("columns and the atoms that they touch, where these are few; else None")
    pulled: FloatArray = doc(
        "forces, shape=(n_pairs, 3, n_conformers), or, where there are no pairs, shape=(n, 3, n_atoms, n_conformers)"
    )
    straight: Mapping[str, NDArray[np.bool_]] = doc(
        "by section: dihedrals whose inner angle is almost straight, shape=(n_terms of the molecule, n_conformers)"
    )

    @property
    def forces(self) -> FloatArray:
        """Forces by column, shape=(n, 3, n_atoms, n_conformers)."""
        if self.pairs is None:
            return self.pulled
        forces = np.zeros((len(self.columns), 3, len(self.pairs.offsets) - 1, self.pulled.shape[2]))
        forces[self.pairs.columns, :, self.pairs.atoms] = self.pulled
        return forces


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

    def by_molecule(self, frames: Frames, force_factors: FloatArray | None = None) -> Iterator[MoleculeColumns]:
        """The columns of every molecule that has a conformer.

        Args:
            frames: Conformers of the molecules.
            force_factors: What the forces of each frame are multiplied with, shape=(n_frames,); by default 1. Cheaper
                here than afterwards.

        Yields:
            Molecule after molecule; one with many conformers comes in several parts, some conformers at a time.
        """
        if not self._parts:
            return
        layout = Layout.of(self._parts, self._ties, frames.atom_offsets)
        factors = np.ones(len(frames)) if force_factors is None else force_factors
        work = np.ones(frames.n_molecules, dtype=np.int64)
        for part in self._parts:
            work += part.terms.counts(frames.n_molecules) * part.numbers_of_term
        current, sums = -1, sparse.csr_array((0, 0))
        for piece in frames.pieces(_MOST_FILLED, work):
            filled = {part.section: part.fill(piece) for part in self._parts}
            of_piece = factors[piece.of_frames]
            for idx in np.flatnonzero(piece.frames.n_conformers).tolist():
                molecule = piece.molecules.start + idx
                if molecule != current:
                    current, sums = molecule, layout.sums_of(molecule)
                of_molecule = of_piece[piece.frames.frame_offsets[idx] : piece.frames.frame_offsets[idx + 1]]
                first = piece.of_conformers.start or 0
                yield from _columns(layout, sums, filled, (idx, molecule), first, of_molecule)


def _columns(
    layout: Layout,
    sums: sparse.csr_array,
    filled: Mapping[str, Filled],
    numbers: tuple[int, int],
    first_conformer: int,
    factors: FloatArray,
) -> Iterator[MoleculeColumns]:
    """The columns of a molecule, some conformers at a time; its numbers are those in the piece and in the design."""
    idx, molecule = numbers
    columns, pairs, rows = layout.columns_of(molecule), layout.pairs_of(molecule), layout.rows_of(molecule)
    slots = [layout.slots_of(section, molecule) for section in range(len(filled))]
    starts, n_forces = offsets_of(np.array(rows)).tolist(), sums.shape[0] - len(columns)
    n_atoms = int(layout.atom_offsets[molecule + 1] - layout.atom_offsets[molecule])
    shape = (len(columns), 3, n_atoms) if pairs is None else (len(pairs.atoms), 3)
    step = max(1, _MOST_NUMBERS // max(1, sums.shape[0]))
    for first in range(0, len(factors), step):
        where = slice(first, min(first + step, len(factors)))
        values = np.empty((starts[-1], where.stop - where.start))
        for one, of_section, start, stop in zip(filled.values(), slots, starts, starts[1:], strict=False):
            one.put(values[start:stop], idx, len(factors), where, of_section, factors[where])
        summed = sums @ values
        yield MoleculeColumns(
            molecule_idx=molecule,
            conformers=slice(first_conformer + where.start, first_conformer + where.stop),
            columns=columns,
            energies=summed[n_forces:],
            pairs=pairs,
            pulled=summed[:n_forces].reshape(*shape, values.shape[1]),
            straight={name: one.straight(idx, len(factors))[:, where] for name, one in filled.items()},
        )
