"""One row of numbers for a site, whichever way round its atoms are listed.

A bond, an angle and a proper can be read from either end, an improper has its outer atoms in any order, so that all
ways to take the dihedral of one centre are one. A row holds numbers of the atoms and of some pairs of atoms in the
order in which they are read; of all orders the one counts whose row comes first.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ffshare.assign.controls.refine import Keys
from ffshare.assign.shapes import SHAPES
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray

# The sections whose sites a control relabels. Constraints, charges, virtual sites and cross terms are not fitted with
# the rest in a comparison of schemes; they are left out.
SECTIONS = ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW")


def centre_second(batch: GraphBatch, atoms: IntArray, section: str) -> IntArray:
    """Atoms of sites as SMIRNOFF lists them: of an improper the centre second. AMBER lists it third.

    Args:
        batch: The molecules.
        atoms: Atoms of the sites, shape=(n_sites, k).
        section: Their section.

    Returns:
        The atoms, those of an improper perhaps with two of them exchanged.
    """
    if section != "ImproperTorsions":
        return atoms
    turned = atoms.copy()
    left = np.ones(len(atoms), dtype=bool)
    for place in (1, 2, 0, 3):
        others = [other for other in range(4) if other != place]
        bonded = [batch.find_edges(atoms[:, place], atoms[:, other]) >= 0 for other in others]
        found = left & np.logical_and.reduce(bonded)
        turned[found, 1], turned[found, place] = atoms[found, place], atoms[found, 1]
        left &= ~found
    return turned


def first_rows(
    section: str, nodes: NDArray[np.integer], pairs: NDArray[np.integer], positions: Sequence[tuple[int, int]]
) -> Keys:
    """The row of each site that comes first.

    Args:
        section: One of `SECTIONS`.
        nodes: Numbers ≥ 0 of the atoms of each site, shape=(n_sites, k).
        pairs: Numbers ≥ 0 of pairs of them, shape=(n_sites, k, k).
        positions: Which pairs stand in the row behind the atoms.

    Returns:
        Rows, shape=(n_sites, k + len(positions)).

    Example:
        >>> first_rows("Angles", np.array([[8, 6, 1]]), np.array([[[0, 4, 0], [4, 0, 2], [0, 2, 0]]]), [(0, 1), (1, 2)])
        array([[1, 6, 8, 2, 4]], dtype=uint64)
    """
    best: Keys | None = None
    for order in SHAPES[section].orders:
        read = [nodes[:, place] for place in order] + [pairs[:, order[i], order[j]] for i, j in positions]
        rows = np.stack(read, axis=1).astype(np.uint64)
        best = rows if best is None else np.where(_comes_before(rows, best)[:, None], rows, best)
    assert best is not None
    return best


def bond_orders(batch: GraphBatch, atoms: IntArray, section: str) -> IntArray:
    """Twice the orders of the bonds along each site, 3 for aromatic ones, 0 between other atoms.

    Args:
        batch: The molecules.
        atoms: Atoms of the sites, shape=(n_sites, k).
        section: One of `SECTIONS`.

    Returns:
        Orders, shape=(n_sites, k, k).
    """
    found = np.zeros((*atoms.shape, atoms.shape[1]), dtype=np.int64)
    for i, j in SHAPES[section].skeleton:
        edges = batch.find_edges(atoms[:, i], atoms[:, j])
        found[:, i, j] = found[:, j, i] = np.where(edges < 0, 0, batch.orders[edges])
    return found


def _comes_before(rows: Keys, others: Keys) -> NDArray[np.bool_]:
    places = np.argmax(rows != others, axis=1)[:, None]
    first, second = np.take_along_axis(rows, places, axis=1), np.take_along_axis(others, places, axis=1)
    found: NDArray[np.bool_] = (first < second)[:, 0]
    return found
