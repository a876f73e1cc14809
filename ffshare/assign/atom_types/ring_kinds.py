"""Kinds of rings, AR1 to AR5 in the terms of GAFF: how planar and how aromatic, judged from the graph alone.

Every atom of a ring has a score for its element and number of neighbours; t is the sum over a ring of k atoms. The
first of these that holds is the kind of the ring:

==== ====================================================================================================
AR5  t = −2k: saturated carbon all round
AR4  some score is negative: an atom that cannot be planar
AR3  k ≤ t ≤ 2k, and a ring atom has a double bond to an atom that is in no ring (pyridone, quinone)
AR1  k = 6, t = 12, and every nitrogen and phosphorus of the ring has a double bond (benzene, pyridine)
AR2  t ≥ k + 3: other planar rings (pyrrole, furan, imidazole)
AR4  the rest
==== ====================================================================================================
"""

import numpy as np

from ffshare.assign.atom_types.rings import BoolArray, Rings
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray

_MOST_NEIGHBOURS = 7
_CARBON, _NITROGEN, _OXYGEN, _PHOSPHORUS, _SULFUR = 6, 7, 8, 15, 16

# Score by element and number of neighbours (the last column: that many or more).
_SCORES = np.zeros((256, _MOST_NEIGHBOURS + 1), dtype=np.int64)
_SCORES[_CARBON, 3], _SCORES[_CARBON, 4] = 2, -2
_SCORES[_NITROGEN, :4] = 2
_SCORES[_OXYGEN, 2] = 1
_SCORES[_SULFUR, 2], _SCORES[_SULFUR, 3:5] = 1, -1
_SCORES[_PHOSPHORUS, 2], _SCORES[_PHOSPHORUS, 3], _SCORES[_PHOSPHORUS, 4:] = 2, 1, -1


def ring_kinds(batch: GraphBatch, rings: Rings, double: BoolArray) -> IntArray:
    """Kind of each ring: 1 for AR1 to 5 for AR5.

    Args:
        batch: The molecules.
        rings: Their rings.
        double: Whether an edge is a double bond, delocalised ones left out, shape=(n_edges,).

    Returns:
        Kinds, shape=(n_rings,).

    Example:
        >>> from ffshare.assign.atom_types.rings import perceive_rings
        >>> from ffshare.molecules import from_smiles
        >>> batch = from_smiles("O=C1C=CNC=C1", "c1cc[nH]c1", "C1CCCCC1", "C1CCCCO1")
        >>> ring_kinds(batch, perceive_rings(batch), batch.orders == 4).tolist()
        [3, 2, 5, 4]
    """
    scores = _SCORES[batch.elements, np.minimum(batch.degrees, _MOST_NEIGHBOURS)][rings.atoms]
    total, size = rings.sums(scores), rings.sizes
    in_ring, has_double, has_double_outside = np.zeros((3, batch.n_atoms), dtype=bool)
    in_ring[rings.atoms] = True
    edges = np.flatnonzero(double)
    has_double[batch.sources[edges]] = True
    has_double_outside[batch.sources[edges[~in_ring[batch.targets[edges]]]]] = True
    elements = batch.elements[rings.atoms]
    lacks_double = ((elements == _NITROGEN) | (elements == _PHOSPHORUS)) & ~has_double[rings.atoms]
    return np.select(
        [
            total == -2 * size,
            rings.sums(scores < 0) > 0,
            (size <= total) & (total <= 2 * size) & (rings.sums(has_double_outside[rings.atoms]) > 0),
            (size == 6) & (total == 12) & (rings.sums(lacks_double) == 0),
            total >= size + 3,
        ],
        [5, 4, 3, 1, 2],
        default=4,
    )
