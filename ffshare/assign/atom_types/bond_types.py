"""AMBER bond types of all edges.

1, 2, 3 are single, double and triple bonds; 7 and 8 single and double bonds of aromatic rings; 9 are delocalised bonds.
They follow from one Kekulé structure, which depends neither on the order of the atoms nor on the Kekulé structure that
was read, nor on where charges were written (see `kekule` and `resonance`).

Type 9 joins a terminal O or S to an atom that has several of them (carboxylate, nitro, phosphate, sulfonate), or by a
single bond (phenolate, amine oxide). Types 7 and 8 are bonds of rings of five or six aromatic atoms (AR1 or AR2) whose
two ends share AR1 or share AR2. A ring of five that is fused to a ring of six does not count as AR2 where the atom in
both has aromatic rings enough: so the bonds of the small ring of indole stay 1 and 2.
"""

import numpy as np

from ffshare.assign.atom_types.kekule import kekule_orders
from ffshare.assign.atom_types.resonance import may_move, settle
from ffshare.assign.atom_types.ring_kinds import ring_kinds
from ffshare.assign.atom_types.rings import BoolArray, Rings
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray

SINGLE, DOUBLE, TRIPLE, AROMATIC_SINGLE, AROMATIC_DOUBLE, DELOCALISED = 1, 2, 3, 7, 8, 9

_MOST_NEIGHBOURS = 5
_CARBON, _NITROGEN, _OXYGEN, _PHOSPHORUS, _SULFUR = 6, 7, 8, 15, 16

# Terminal O and S that make the bonds to them delocalised, by element and number of neighbours; 9: never.
_FEWEST_TERMINAL = np.full((256, _MOST_NEIGHBOURS + 1), 9)
_FEWEST_TERMINAL[_CARBON, 3] = _FEWEST_TERMINAL[_PHOSPHORUS, 4] = 2
_FEWEST_TERMINAL[_NITROGEN] = _FEWEST_TERMINAL[_SULFUR, :4] = 2
_FEWEST_TERMINAL[_SULFUR, 4] = 3


def bond_types(batch: GraphBatch, rings: Rings) -> IntArray:
    """AMBER bond type of each edge.

    Args:
        batch: The molecules.
        rings: Their rings.

    Returns:
        Types, shape=(n_edges,).

    Example:
        >>> from ffshare.assign.atom_types.rings import perceive_rings
        >>> from ffshare.molecules import from_smiles
        >>> batch = from_smiles("CC(=O)[O-]")
        >>> types = bond_types(batch, perceive_rings(batch))
        >>> types[batch.sources == 1].tolist()
        [1, 9, 9]
    """
    moving = may_move(batch)
    types = settle(batch, kekule_orders(batch, rings, careful=moving), moving, rings)
    types[_delocalised(batch, types)] = DELOCALISED
    in_aromatic = _in_aromatic(batch, rings, ring_kinds(batch, rings, types == DOUBLE))
    types[in_aromatic & (types == SINGLE)] = AROMATIC_SINGLE
    types[in_aromatic & (types == DOUBLE)] = AROMATIC_DOUBLE
    return types


def is_double(types: IntArray) -> BoolArray:
    """Whether bonds are double ones, in aromatic rings or not.

    Args:
        types: AMBER bond types, any shape.

    Returns:
        True for the types 2 and 8, same shape.
    """
    found: BoolArray = (types == DOUBLE) | (types == AROMATIC_DOUBLE)
    return found


def _delocalised(batch: GraphBatch, orders: IntArray) -> BoolArray:
    is_terminal = (batch.degrees == 1) & ((batch.elements == _OXYGEN) | (batch.elements == _SULFUR))
    edges = np.flatnonzero(is_terminal[batch.targets])
    centres = batch.sources[edges]
    fewest = _FEWEST_TERMINAL[batch.elements[centres], np.minimum(batch.degrees[centres], _MOST_NEIGHBOURS)]
    several = np.bincount(centres, minlength=batch.n_atoms)[centres] >= fewest
    edges = edges[several | (orders[edges] == SINGLE)]
    found = np.zeros(len(orders), dtype=bool)
    found[edges] = found[batch.reverses[edges]] = True
    return found


def _in_aromatic(batch: GraphBatch, rings: Rings, kinds: IntArray) -> BoolArray:
    """Whether each edge belongs to the bonds of types 7 and 8."""
    n_ar1 = rings.counts(kinds == 1, batch.n_atoms)
    n_ar2 = rings.counts(kinds == 2, batch.n_atoms)
    # The "indole" rule.
    fused = (rings.counts(rings.sizes == 6, batch.n_atoms) > 0) & (n_ar1 + n_ar2 >= 2)
    n_ar2 -= rings.counts((rings.sizes == 5) & (rings.sums(fused[rings.atoms]) > 0), batch.n_atoms)
    is_aromatic = (n_ar1 > 0) | (n_ar2 > 0)
    small = (rings.sizes == 5) | (rings.sizes == 6)
    found = rings.holds_edges(small & (rings.sums(is_aromatic[rings.atoms]) == rings.sizes), batch)
    shared = (n_ar1[batch.sources] > 0) & (n_ar1[batch.targets] > 0)
    shared |= (n_ar2[batch.sources] > 0) & (n_ar2[batch.targets] > 0)
    answer: BoolArray = found & shared
    return answer
