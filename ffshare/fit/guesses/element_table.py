"""A fixed table of elements and bond orders: what to start from where no data speak. The same for every scheme.

* Bond: the length is a sum of covalent radii (`radii`) at the mean bond order (`bond_orders`), and k follows from
  elements, order and length by Gordy's rule (`stiffness`).
* Angle: the rest angle comes from the steric number of the centre and its rings (`rest_angles`), and k, after Schlegel,
  is 0.160 Hartree/rad² where an end is hydrogen and 0.250 elsewhere.
* Proper: no barrier.
* Improper: -1 kcal/mol (1 + cos 2φ) for a planar centre, which holds it in its plane; none elsewhere. With a phase of
  180° it would be +1, near the 1.1 that GAFF gives most planar centres. The three terms of a trefoil share it.

The values depend on the molecule only, not on the order of its atoms or on how its resonance was written.

Reference:
    H. B. Schlegel, Theor. Chim. Acta 66, 333 (1984), doi:10.1007/BF00554788.
"""

import numpy as np

from ffshare.errors import InputError
from ffshare.fit.guesses.bond_orders import mean_orders
from ffshare.fit.guesses.guesses import Guesses
from ffshare.fit.guesses.radii import bond_lengths
from ffshare.fit.guesses.rest_angles import planar_centres, rest_angles
from ffshare.fit.guesses.stiffness import gordy_k
from ffshare.fit.reference.atomic_units import HARTREE
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray

IMPROPER_BARRIER = -1.0
"""Barrier of planar centres for phase 0 [kcal/mol]: negative holds them in their plane."""

_ANGLE_K_OF_HYDROGEN, _ANGLE_K = 0.160 * HARTREE, 0.250 * HARTREE


def element_values(
    batch: GraphBatch, bonds: IntArray, angles: IntArray, propers: IntArray, impropers: IntArray
) -> Guesses:
    """Guesses from elements and bond orders alone; every site gets a value.

    Args:
        batch: The molecules.
        bonds: Atoms of the bonds, shape=(n_bonds, 2).
        angles: Atoms of the angles, the centre second, shape=(n_angles, 3).
        propers: Atoms of the propers, shape=(n_propers, 4).
        impropers: Atoms of the impropers, the centre second, shape=(n_impropers, 4).

    Returns:
        The guesses.

    Raises:
        InputError: Two atoms of a bond are not bonded.

    Example:
        >>> from ffshare.molecules import from_smiles
        >>> none = np.zeros((0, 4), dtype=int)
        >>> found = element_values(from_smiles("O"), np.array([[0, 1]]), np.array([[1, 0, 2]]), none, none)
        >>> found.bond_length, found.bond_k.round(), np.degrees(found.angle).round(1)
        (array([0.95]), array([1228.]), array([109.5]))
    """
    bonds, angles = np.asarray(bonds, dtype=np.int64).reshape(-1, 2), np.asarray(angles, dtype=np.int64).reshape(-1, 3)
    impropers = np.asarray(impropers, dtype=np.int64).reshape(-1, 4)
    elements, orders = batch.elements[bonds], mean_orders(batch)[_edges(batch, bonds)]
    lengths = bond_lengths(elements, orders)
    ends_in_hydrogen = (batch.elements[angles[:, [0, 2]]] == 1).any(axis=1)
    return Guesses(
        bond_k=gordy_k(elements, orders, lengths),
        bond_length=lengths,
        angle_k=np.where(ends_in_hydrogen, _ANGLE_K_OF_HYDROGEN, _ANGLE_K),
        angle=rest_angles(batch, angles),
        proper_k=np.zeros(len(propers)),
        improper_k=np.where(planar_centres(batch)[impropers[:, 1]], IMPROPER_BARRIER, 0.0),
    )


def _edges(batch: GraphBatch, bonds: IntArray) -> IntArray:
    edges = batch.find_edges(bonds[:, 0], bonds[:, 1])
    if (edges < 0).any():
        bond = bonds[int(np.flatnonzero(edges < 0)[0])]
        raise InputError(f"atoms {bond.tolist()} of the batch are not bonded; give the bonds of this batch")
    return edges
