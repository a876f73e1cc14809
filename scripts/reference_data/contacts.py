"""Conformers in which atoms nearly touch, as turns about bonds with nothing else relaxed leave them.

A contact is a pair of atoms more than three bonds apart whose distance is under `NEAREST` times the sum of their van
der Waals radii. At two thirds of that sum the Lennard-Jones term of openff-2.2.1 is near 40 kcal/mol (25 for H–H, 33
for C–H, 47 for O–H and 51 for C–C) and doubles every 0.1 Å, while a whole conformer is at most 40 kcal/mol above the
lowest of its molecule: there r⁻¹² is far steeper than the repulsion that quantum chemistry finds, and a fit of valence
terms would learn little but the difference.

A hydrogen on N, O, F, S or Cl may be that near to an N, O, F, S, Cl, Br or I: that is a hydrogen bond, which many of
the lowest conformers have, down to 1.6 Å between H and O, 0.59 times the sum.

Reference: radii of Bondi, J. Phys. Chem. 68, 441 (1964), doi:10.1021/j100785a001.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

from ffshare.molecules import GraphBatch

NEAREST = 2 / 3
FARTHEST_BONDED = 3  # bonds between atoms whose distance valence terms or their exceptions rule
RADII = {1: 1.20, 6: 1.70, 7: 1.55, 8: 1.52, 9: 1.47, 15: 1.80, 16: 1.80, 17: 1.75, 35: 1.85, 53: 1.98}  # [Å]
OTHER_RADIUS = 2.0  # a heuristic, for elements that Bondi does not give [Å]
DONORS = (7, 8, 9, 16, 17)
ACCEPTORS = (7, 8, 9, 16, 17, 35, 53)


def contact_limits(graph: GraphBatch) -> NDArray[np.float64]:
    """Distance under which two atoms are in contact [Å], 0 for pairs that never are, shape=(n_atoms, n_atoms)."""
    first, second = graph.bonds.T
    bonded = np.zeros((graph.n_atoms, graph.n_atoms), dtype=bool)
    bonded[first, second] = bonded[second, first] = True
    far = shortest_path(bonded, directed=False, unweighted=True) > FARTHEST_BONDED
    donors, acceptors = np.isin(graph.elements, DONORS), np.isin(graph.elements, ACCEPTORS)
    polar = (graph.elements == 1) & (bonded & donors).any(axis=1)
    hydrogen_bond = np.outer(polar, acceptors)
    radii = np.array([RADII.get(int(element), OTHER_RADIUS) for element in graph.elements])
    return np.where(far & ~(hydrogen_bond | hydrogen_bond.T), NEAREST * (radii[:, None] + radii), 0.0)


def in_contact(graph: GraphBatch, coords: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Conformers of one molecule with a contact, from their coordinates [Å], shape=(n_conformers,)."""
    first, second = np.nonzero(np.triu(contact_limits(graph)))
    distances = np.linalg.norm(coords[:, first] - coords[:, second], axis=2)
    return np.asarray((distances < contact_limits(graph)[first, second]).any(axis=1))
