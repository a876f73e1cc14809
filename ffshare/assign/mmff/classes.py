"""The classes of bonds, angles and torsions, on which MMFF94's rows depend besides the types.

* A bond is of class 1 if it is single although both of its types make multiple bonds (butadiene, biphenyl); else 0.
* The class of an angle is the sum of the classes of its bonds; in a three-membered ring it is 3, 5, 6 for the sums 0,
  1, 2; in a four-membered ring 4, 7, 8.
* The class of a torsion is that of its central bond, or 2 if that is a single bond of class 0 beside a bond of class 1.
  In a four-membered ring it is 4, in a five-membered ring with at least one sp³ carbon (type 1) 5; then the class that
  it would have had outside the ring is its *second* class, tried where the first has no row.

A ring is any cycle of bonds here, whether or not it stands in the SSSR.

Reference: T. A. Halgren, J. Comput. Chem. 17, 553 (1996), appendix A, and 17, 616 (1996); the second class is RDKit's,
from the validation suite of MMFF94.
"""

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.mmff.atom_types import AtomTypes
from ffshare.assign.mmff.typing import TypedBatch
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray

SP3_CARBON = 1
_SINGLE = 2
# Class of an angle by ring size and sum of bond classes.
_ANGLE_CLASSES = np.array([[0, 1, 2], [3, 5, 6], [4, 7, 8]])


def bond_classes(batch: GraphBatch, typed: TypedBatch, types: AtomTypes) -> IntArray:
    """The class of the bond of each edge.

    Args:
        batch: The molecules.
        typed: Their types and bond orders.
        types: Properties of the types.

    Returns:
        0 or 1, shape=(n_edges,).
    """
    first, second = typed.types[batch.sources], typed.types[batch.targets]
    is_one = (typed.orders == _SINGLE) & may_be_class_one(first, second, types)
    classes: IntArray = is_one.astype(np.int64)
    return classes


def may_be_class_one(first: IntArray, second: IntArray, types: AtomTypes) -> NDArray[np.bool_]:
    """Whether a single bond between two types is of class 1.

    Args:
        first: Types, any shape.
        second: Types, same shape.
        types: Their properties.

    Returns:
        For each pair, same shape.
    """
    both_sbmb = types.sbmb[first] & types.sbmb[second]
    both_aromatic: NDArray[np.bool_] = types.aromatic[first] & types.aromatic[second]
    return both_sbmb | both_aromatic


def angle_classes(batch: GraphBatch, edges: IntArray, of_bonds: IntArray) -> IntArray:
    """The class of each angle.

    Args:
        batch: The molecules.
        edges: Edges that leave the centre, shape=(n_angles, 2).
        of_bonds: Class of each edge.

    Returns:
        Classes 0 to 8, shape=(n_angles,).
    """
    rings = np.zeros(len(edges), dtype=np.int64)
    ringed = np.flatnonzero(batch.in_ring[edges].all(axis=1))
    first, last = batch.targets[edges[ringed]].T
    centre = batch.sources[edges[ringed, 0]]
    rings[ringed[_share_neighbour(batch, first, last, centre, centre)]] = 2
    rings[ringed[batch.find_edges(first, last) >= 0]] = 1
    classes: IntArray = _ANGLE_CLASSES[rings, of_bonds[edges].sum(axis=1)]
    return classes


def torsion_classes(
    batch: GraphBatch, edges: IntArray, of_bonds: IntArray, typed: TypedBatch
) -> tuple[IntArray, IntArray]:
    """The class of each torsion a–b–c–d, and its second class.

    Args:
        batch: The molecules.
        edges: Edges b→a, b→c and c→d, shape=(n_torsions, 3).
        of_bonds: Class of each edge.
        typed: Types and bond orders.

    Returns:
        Classes 0, 1, 2, 4 or 5, and second classes 0, 1 or 2, shape=(n_torsions,) each.
    """
    outer, central, other = of_bonds[edges].T
    beside = (central == 0) & (typed.orders[edges[:, 1]] == _SINGLE) & ((outer == 1) | (other == 1))
    classes = np.where(beside, 2, central)
    second = np.zeros(len(edges), dtype=np.int64)
    ringed = np.flatnonzero(batch.in_ring[edges].all(axis=1))
    a, d = batch.targets[edges[ringed][:, [0, 2]]].T
    b, c = batch.sources[edges[ringed, 0]], batch.sources[edges[ringed, 2]]
    closed = batch.find_edges(a, d) >= 0
    # Two fused three-membered rings make a cycle of four atoms too.
    crossed = (batch.find_edges(a, c) >= 0) | (batch.find_edges(b, d) >= 0)
    has_sp3 = np.any(typed.types[np.stack([a, b, c, d])] == SP3_CARBON, axis=0)
    for chosen, ring_class in (
        (closed & ~crossed, 4),
        (~closed & has_sp3 & _share_neighbour(batch, a, d, b, c), 5),
    ):
        places = ringed[chosen]
        second[places] = classes[places]
        classes[places] = ring_class
    return classes, second


def _share_neighbour(
    batch: GraphBatch, first: IntArray, last: IntArray, but_of_first: IntArray, but_of_last: IntArray
) -> NDArray[np.bool_]:
    """Whether two atoms have a neighbour in common, leaving aside one neighbour of each."""
    shared = np.zeros(len(first), dtype=bool)
    if not len(first):
        return shared
    for rank in range(int(batch.degrees[first].max())):
        has_rank = rank < batch.degrees[first]
        neighbours = batch.targets[np.where(has_rank, batch.row_offsets[first] + rank, 0)]
        chosen = np.flatnonzero(has_rank & (neighbours != but_of_first) & (neighbours != but_of_last))
        shared[chosen] |= batch.find_edges(neighbours[chosen], last[chosen]) >= 0
    return shared
