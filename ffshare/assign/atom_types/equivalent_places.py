"""Molecules in which a charge or double bonds stand at one of several equivalent places.

No rule can choose there: the two carbonyl groups of an acetylacetonate, or the bonds of pentalene, are the same until
one is chosen, and what is chosen hangs on how ties between equal atoms are broken.
"""

from collections import defaultdict

import numpy as np

from ffshare.assign.atom_types.kekule import canonical_ranks, skeleton
from ffshare.assign.atom_types.resonance import may_move
from ffshare.assign.atom_types.rings import BoolArray, Rings
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray

_NITROGEN = 7
_AROMATIC_SINGLE, _AROMATIC_DOUBLE = 7, 8


def arbitrary_molecules(batch: GraphBatch, rings: Rings, ring_kinds: IntArray, types: IntArray) -> tuple[int, ...]:
    """Molecules with equivalent bonds of unlike types.

    Only those are looked at in which charges may have moved or a ring of alternating bonds is not AR1. Bonds are
    equivalent by symmetry of the graph without charges and bond orders. What does not change the types of atoms is not
    counted: types 7 and 8 within AR1 rings, bonds to terminal atoms that share their neighbour, as in sulfonyl groups,
    and bonds to nitrogen with three neighbours, as in guanidinium.

    Args:
        batch: The molecules.
        rings: Their rings.
        ring_kinds: Kind of each ring, 1 for AR1, shape=(n_rings,).
        types: AMBER bond type of each edge, shape=(n_edges,).

    Returns:
        Their indices, ascending.

    Example:
        >>> from ffshare.assign.atom_types.annotate import annotate
        >>> from ffshare.molecules import from_smiles
        >>> annotate(from_smiles("CC(=O)C=C(C)[O-]", "C1=CC2=CC=CC2=C1", "CC(=O)C=C(CC)[O-]", "c1ccccc1")).arbitrary
        (0, 1)
    """
    looked_at = may_move(batch)
    double = np.isin(types, (2, _AROMATIC_DOUBLE)) & batch.in_ring
    has_double = np.zeros(batch.n_atoms, dtype=bool)
    has_double[batch.sources[double]] = True
    alternating = (rings.sums(has_double[rings.atoms]) == rings.sizes) & (ring_kinds != 1)
    looked_at[batch.atom_molecules[rings.atoms[rings.offsets[:-1][alternating]]]] = True
    if not looked_at.any():
        return ()
    in_ar1 = rings.holds_edges(ring_kinds == 1, batch)
    kinds = np.where(in_ar1 & np.isin(types, (_AROMATIC_SINGLE, _AROMATIC_DOUBLE)), _AROMATIC_SINGLE, types)
    held_back = (batch.elements == _NITROGEN) & (batch.degrees == 3)
    counted = ~(held_back[batch.sources] | held_back[batch.targets] | (batch.elements[batch.targets] == 1))
    return tuple(idx for idx in np.flatnonzero(looked_at).tolist() if _is_arbitrary(batch, idx, kinds, counted))


def _is_arbitrary(batch: GraphBatch, molecule_idx: int, kinds: IntArray, counted: BoolArray) -> bool:
    classes = canonical_ranks(skeleton(batch.molecules[molecule_idx]), break_ties=False)
    start = int(batch.atom_offsets[molecule_idx])
    first, end = batch.row_offsets[batch.atom_offsets[molecule_idx : molecule_idx + 2]].tolist()
    found: dict[tuple[int, int], set[tuple[int, ...]]] = defaultdict(set)
    at_ends: dict[tuple[int, int], list[int]] = defaultdict(list)
    for edge in (first + np.flatnonzero(counted[first:end])).tolist():
        source, target = int(batch.sources[edge]) - start, int(batch.targets[edge]) - start
        if batch.degrees[start + target] == 1:
            at_ends[source, classes[target]].append(int(kinds[edge]))
        elif batch.degrees[start + source] > 1:
            found[classes[source], classes[target]].add((int(kinds[edge]),))
    for (source, of_target), of_bonds in at_ends.items():
        found[classes[source], of_target].add(tuple(sorted(of_bonds)))
    return any(len(values) > 1 for values in found.values())
