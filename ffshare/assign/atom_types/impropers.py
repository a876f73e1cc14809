"""Impropers of atom-typed force fields: which atoms get one, and in what order their neighbours stand.

An atom with three neighbours whose type is kept planar gets an improper. AMBER writes it a-b-K-c with the centre K
third, and measures the dihedral of those four in that order. It depends on which neighbour is b, next to the centre,
and not on which of the two others is a: swapping them turns the sign of the dihedral, and the energy is even in it
(periodicity 2, phase 180°). Sites hold the centre second, (c, K, b, a), the same dihedral read from its other end.

*antechamber* mode sorts the neighbours by the name of their type, those of one type by their number: b is the middle
one. So parmchk2 writes its lines, and tleap reads them. (Where a row of the table itself fits, tleap takes the order of
the row for the first such centre of a molecule, and this one for the next.)

In *canonical* mode the number of an atom decides nothing. Neighbours are sorted by base type, the pair types of one
name being one. Where the middle one shares its base type with another, each of them in turn is b, in a site of its own
that takes an equal share of the barrier: the energy is the mean over what antechamber's order could have been.
"""

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.atom_types.typed_atoms import TypedAtoms
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record

# For each neighbour that may stand next to the centre, the other two.
_OTHERS = np.array([[1, 2], [0, 2], [0, 1]])


@record
class Impropers:
    """The impropers of a batch: centres with their neighbours in order."""

    atoms: IntArray = doc("AMBER's order a, b, K, c, the neighbours sorted, shape=(n_centres, 4)")
    sites: IntArray = doc("atoms of each site, (c, K, b, a), shape=(n_sites, 4)")
    centres: IntArray = doc("row of `atoms` that each site belongs to, ascending, shape=(n_sites,)")
    weights: NDArray[np.float64] = doc("share of the barrier that each site takes, shape=(n_sites,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, atoms=np.int64, sites=np.int64, centres=np.int64, weights=np.float64)


def find_impropers(batch: GraphBatch, typed: TypedAtoms, planar: NDArray[np.bool_], canonical: bool) -> Impropers:
    """The impropers of a batch.

    Args:
        batch: The molecules.
        typed: Types of their atoms.
        planar: Whether each type is kept planar, and a last entry for atoms without a type, shape=(n_types + 1,).
        canonical: Whether the numbers of atoms may decide nothing.

    Returns:
        One centre for each planar atom with three typed neighbours, ascending.
    """
    centres = np.flatnonzero((batch.degrees == 3) & planar[typed.types])
    neighbours = batch.targets[batch.row_offsets[centres][:, None] + np.arange(3)]
    typed_rows = np.all(typed.types[neighbours] >= 0, axis=1)
    centres, neighbours = centres[typed_rows], neighbours[typed_rows]
    # Neighbours ascend, so a stable sort leaves those of one type in the order of their numbers.
    names = (typed.base_types if canonical else typed.types)[neighbours]
    order = np.argsort(names, axis=1, kind="stable")
    neighbours, names = np.take_along_axis(neighbours, order, axis=1), np.take_along_axis(names, order, axis=1)
    atoms = np.column_stack([neighbours[:, :2], centres, neighbours[:, 2]])
    next_to_centre = names == names[:, 1:2] if canonical else np.tile([False, True, False], (len(centres), 1))
    rows, chosen = np.nonzero(next_to_centre)
    first, last = _OTHERS[chosen].T
    return Impropers(
        atoms=atoms,
        sites=np.column_stack(
            [neighbours[rows, last], centres[rows], neighbours[rows, chosen], neighbours[rows, first]]
        ),
        centres=rows,
        weights=1.0 / next_to_centre.sum(axis=1)[rows],
    )
