"""Rest angles from the neighbours of the centre: how many pairs of electrons stand round it, and which rings it is in.

The steric number of an atom is that of its neighbours and lone pairs. A lone pair of nitrogen or carbon beside a double
bond takes part in it and does not count, as in amides and anilines. Angles are then

    180° (2),  120° (3),  109.5° (4),  90° (5 and more),

where five and six around a centre make right angles most often. Within rings of 3, 4 and 5 atoms the angle is that of
the regular polygon: 60°, 90°, 108°. At a centre with three neighbours in a plane the angles add up to 360°: those
outside rings of up to 6 atoms share what the rings leave.

A centre with three neighbours and the steric number 3 is *planar*.
"""

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.atom_types.kekule import kekule_orders
from ffshare.assign.atom_types.rings import perceive_rings
from ffshare.model.coordinates import FloatArray
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray, ranks_in_rows
from ffshare.molecules.tuples import angle_atoms, angle_edges

_CARBON, _NITROGEN = 6, 7
_TETRAHEDRON = float(np.arccos(-1.0 / 3.0))
# By steric number, which is at least the number of neighbours.
_ANGLES = np.array([np.pi, np.pi, np.pi, 2 * np.pi / 3, _TETRAHEDRON, np.pi / 2])
_LARGEST_RING = 6
# Beyond these an angle is no rest of 360° but a sign of a cage.
_LEAST_REST, _MOST_REST = np.pi / 2, 5 * np.pi / 6


def steric_numbers(batch: GraphBatch) -> IntArray:
    """Neighbours and lone pairs round each atom, without lone pairs that conjugate.

    Lone pairs are counted in groups 13 to 18; of other elements only neighbours count.

    Args:
        batch: The molecules.

    Returns:
        Numbers, shape=(n_atoms,).

    Example:
        >>> from ffshare.molecules import from_smiles
        >>> steric_numbers(from_smiles("CC(=O)NCC#N"))[:7].tolist()
        [4, 3, 3, 3, 4, 2, 2]
    """
    orders = kekule_orders(batch, perceive_rings(batch), careful=np.zeros(batch.n_molecules, dtype=bool))
    bonds = np.bincount(batch.sources, weights=orders, minlength=batch.n_atoms)
    outer = _OUTER_ELECTRONS[batch.elements] - batch.charges - bonds
    lone_pairs = np.maximum(outer // 2, 0).astype(np.int64)
    light = np.isin(batch.elements, (_CARBON, _NITROGEN))
    multiple = np.bincount(batch.sources[orders > 1], minlength=batch.n_atoms) > 0
    beside = np.bincount(batch.sources[(multiple & light)[batch.targets]], minlength=batch.n_atoms) > 0
    conjugates = light & ~multiple & beside & (lone_pairs > 0)
    numbers: IntArray = batch.degrees + lone_pairs - conjugates
    return numbers


def planar_centres(batch: GraphBatch) -> NDArray[np.bool_]:
    """Whether each atom has three neighbours in a plane with it, shape=(n_atoms,)."""
    return _planar(batch, steric_numbers(batch))


def rest_angles(batch: GraphBatch, angles: IntArray) -> FloatArray:
    """Rest angles by the rules above [rad].

    Args:
        batch: The molecules.
        angles: Atoms of the angles, the centre second, shape=(n, 3).

    Returns:
        Angles, shape=(n,).

    Example:
        >>> from ffshare.molecules import from_smiles
        >>> angles = np.array([[1, 0, 2], [1, 0, 3], [3, 0, 4]])
        >>> np.degrees(rest_angles(from_smiles("C1CC1"), angles)).round(1)
        array([ 60. , 109.5, 109.5])
    """
    numbers = steric_numbers(batch)
    found: FloatArray = _ANGLES[np.minimum(numbers[angles[:, 1]], len(_ANGLES) - 1)]
    sizes = smallest_rings(batch, angles)
    within = (sizes > 0) & (sizes < _LARGEST_RING)
    found[within] = _polygon(sizes[within])
    # What rings leave of 360° at planar centres, from all angles of the batch.
    every = angle_atoms(batch, angle_edges(batch))
    every = every[_planar(batch, numbers)[every[:, 1]]]
    all_sizes = smallest_rings(batch, every)
    ringed = all_sizes > 0
    taken = np.bincount(every[ringed, 1], weights=_polygon(all_sizes[ringed]), minlength=batch.n_atoms)
    n_ringed = np.bincount(every[ringed, 1], minlength=batch.n_atoms)
    rests = (2 * np.pi - taken) / np.maximum(3 - n_ringed, 1)
    usable = (n_ringed > 0) & (rests >= _LEAST_REST) & (rests <= _MOST_REST)
    outside = usable[angles[:, 1]] & (sizes == 0)
    found[outside] = rests[angles[outside, 1]]
    return found


def smallest_rings(batch: GraphBatch, angles: IntArray) -> IntArray:
    """Size of the smallest ring through the three atoms of each angle, 0 where it has more than 6 atoms or none is.

    Args:
        batch: The molecules.
        angles: Atoms of the angles, the centre second, shape=(n, 3).

    Returns:
        Sizes, shape=(n,).
    """
    sizes = np.zeros(len(angles), dtype=np.int64)
    # Walk from one end, round the centre, until the other end is met.
    numbers = np.flatnonzero((batch.n_ring_bonds[angles] > 1).all(axis=1))
    atoms = angles[numbers, 0]
    for size in range(3, _LARGEST_RING + 1):
        counts = batch.degrees[atoms]
        edges = np.repeat(batch.row_offsets[atoms], counts) + ranks_in_rows(counts)
        numbers, atoms = np.repeat(numbers, counts), batch.targets[edges]
        kept = (atoms != angles[numbers, 1]) & batch.in_ring[edges] & (sizes[numbers] == 0)
        steps = np.unique(np.stack([numbers[kept], atoms[kept]]), axis=1)
        numbers, atoms = steps[0], steps[1]
        sizes[numbers[atoms == angles[numbers, 2]]] = size
    return sizes


def _planar(batch: GraphBatch, numbers: IntArray) -> NDArray[np.bool_]:
    planar: NDArray[np.bool_] = (batch.degrees == 3) & (numbers == 3)
    return planar


def _polygon(sizes: IntArray) -> FloatArray:
    return np.pi * (1.0 - 2.0 / sizes)


def _outer_electrons() -> IntArray:
    """Valence electrons of the elements of groups 13 to 18, 0 of others, by atomic number, shape=(119,)."""
    counts = np.zeros(119, dtype=np.int64)
    for first, last in ((5, 10), (13, 18), (31, 36), (49, 54), (81, 86), (113, 118)):
        counts[first : last + 1] = np.arange(3, 9)
    return counts


_OUTER_ELECTRONS = _outer_electrons()
