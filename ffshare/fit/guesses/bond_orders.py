"""Bond orders in which equivalent bonds are alike, whatever Kekulé structure or charges were written.

Aromatic and delocalised bonds, such as those of a carboxylate or a nitro group, have the order 1.5. The others have
that of the resonance form that atom typing settles on. What is left to choice there is averaged out: bonds that are
equivalent in the graph without charges and bond orders (as the three C-N bonds of guanidinium, both C-O bonds of
acetylacetonate, all bonds of pentalene) get their mean. The price: the bonds of cyclooctatetraene, which do alternate,
get their mean, too.
"""

import numpy as np

from ffshare.assign.atom_types.bond_types import (
    AROMATIC_DOUBLE,
    AROMATIC_SINGLE,
    DELOCALISED,
    DOUBLE,
    SINGLE,
    TRIPLE,
    bond_types,
)
from ffshare.assign.atom_types.rings import perceive_rings
from ffshare.assign.controls.refine import Graph, Keys, sequence_keys, stable_colours
from ffshare.model.coordinates import FloatArray
from ffshare.molecules import GraphBatch

_AROMATIC = 1.5
_ORDERS = {
    SINGLE: 1.0,
    DOUBLE: 2.0,
    TRIPLE: 3.0,
    AROMATIC_SINGLE: _AROMATIC,
    AROMATIC_DOUBLE: _AROMATIC,
    DELOCALISED: _AROMATIC,
}


def mean_orders(batch: GraphBatch) -> FloatArray:
    """The bond order of each edge, the mean over equivalent bonds.

    Args:
        batch: The molecules.

    Returns:
        Orders, shape=(n_edges,).

    Example:
        >>> from ffshare.molecules import from_smiles
        >>> batch = from_smiles("NC(N)=[NH2+]")
        >>> mean_orders(batch)[batch.sources == 1].round(3)
        array([1.333, 1.333, 1.333])
    """
    if not len(batch.sources):
        return np.zeros(0)
    of_type = np.zeros(1 + max(_ORDERS))
    of_type[list(_ORDERS)] = list(_ORDERS.values())
    orders = of_type[bond_types(batch, perceive_rings(batch))]
    orders[batch.orders == 3] = _AROMATIC
    colours = skeleton_colours(batch)
    ends = np.sort(colours[np.stack([batch.sources, batch.targets])], axis=0)
    keys = sequence_keys([batch.atom_molecules[batch.sources], *ends])
    classes = np.unique(keys, return_inverse=True)[1]
    means: FloatArray = (np.bincount(classes, weights=orders) / np.bincount(classes))[classes]
    return means


def skeleton_colours(batch: GraphBatch) -> Keys:
    """Colours of the atoms: alike for those that can be exchanged in the graph of elements without charges and orders.

    Args:
        batch: The molecules.

    Returns:
        Keys, to be compared within a molecule, shape=(n_atoms,).
    """
    alike = np.zeros(len(batch.targets), dtype=np.uint64)
    graph = Graph(row_offsets=batch.row_offsets, targets=batch.targets, orders=alike)
    return stable_colours(sequence_keys([batch.elements]), graph, batch.atom_molecules, batch.n_molecules)
