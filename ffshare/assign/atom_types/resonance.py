"""The resonance form that typing sees: as few formal charges as can be, and those on the atoms that hold them best.

Bond types are looked at without charges, so ways to write one molecule that differ in its charges should give one set
of bond orders:

1. Phosphorus, sulfur and selenium beside a negative atom share a double bond with it, as in ``CS(=O)C`` for
   ``C[S+]([O-])C``; also where a record leaves out the positive charge. Nitrogen keeps its charges.
2. A negative and a positive atom of one conjugated system cancel: ``C[n+]1ccccc1[O-]`` becomes the pyridone.
3. A negative charge moves from carbon or nitrogen to where it costs less, without breaking an aromatic ring. Best is
   a terminal O or S of carbon, then another terminal O or S, then a double bond to N⁺ beside it (ylides), the nitrogen
   of a nitrile, nitrogen with two neighbours, other nitrogen. So an imide anion is O⁻ with C=N, and an azide N⁻–N≡N.

4. What is left are ways to write one molecule that no rule of charges tells apart, as an azolate with its charge on
   one nitrogen or another, a pyridinium or the iminium of a dihydropyridine. Negative charges, and positive ones of
   N with three neighbours and of O and S with two, move to where most rings are AR1, then fewest AR3, then charges
   cost least, then by an order of atoms that knows nothing of charges and double bonds (see `charge_paths`).

In steps 2 and 3, of ends that are as good, the nearest wins, then that order. Molecules with charges that may move are
few; each is looked at by itself.
"""

import numpy as np

from ffshare.assign.atom_types.charge_paths import ChargedMolecule, PlanarRing
from ffshare.assign.atom_types.ring_kinds import ring_kinds
from ffshare.assign.atom_types.rings import BoolArray, Rings
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray

_CARBON, _NITROGEN, _OXYGEN, _PHOSPHORUS, _SULFUR, _SELENIUM = 6, 7, 8, 15, 16, 34
# Valence of an atom with four neighbours, where its double bonds may be written as charges.
_FULL_VALENCE = {_PHOSPHORUS: 5, _SULFUR: 6, _SELENIUM: 6}


def may_move(batch: GraphBatch) -> BoolArray:
    """Whether a molecule holds charges that may have to move.

    Args:
        batch: The molecules.

    Returns:
        True where carbon or nitrogen is negative, or another atom is, beside one with a double bond that leads on, or
        where an atom with a double bond is positive and has no negative neighbour, shape=(n_molecules,).

    Example:
        >>> from ffshare.molecules import from_smiles
        >>> may_move(from_smiles("CC(=O)[O-]", "CC(=O)[N-]C", "C[n+]1ccccc1[O-]", "[O-][n+]1ccccc1")).tolist()
        [False, True, True, True]
    """
    charged = np.flatnonzero(batch.charges)
    negative, positive = charged[batch.charges[charged] < 0], charged[batch.charges[charged] > 0]
    found = np.zeros(batch.n_molecules, dtype=bool)
    by_itself = np.isin(batch.elements[negative], (_CARBON, _NITROGEN))
    found[batch.atom_molecules[negative[by_itself]]] = True
    # Bonds to terminal O and S do not lead on, so a carboxylate's charge goes nowhere.
    leads_on = (batch.orders > 2) & ~((batch.degrees == 1) & np.isin(batch.elements, (_OXYGEN, _SULFUR)))[batch.targets]
    found[batch.atom_molecules[negative[_beside(batch, batch.sources[leads_on])[negative]]]] = True
    doubly = np.zeros(batch.n_atoms, dtype=bool)
    doubly[batch.sources[batch.orders > 2]] = True
    found[batch.atom_molecules[positive[~_beside(batch, negative)[positive] & doubly[positive]]]] = True
    return found


def _beside(batch: GraphBatch, atoms: IntArray) -> BoolArray:
    """Whether each atom is a neighbour of some of the given ones."""
    found, given = np.zeros((2, batch.n_atoms), dtype=bool)
    given[atoms] = True
    found[batch.sources[given[batch.targets]]] = True
    return found


def settle(batch: GraphBatch, orders: IntArray, moving: BoolArray, rings: Rings) -> IntArray:
    """Bond orders of the resonance form that typing sees.

    Args:
        batch: The molecules.
        orders: Order of each edge in a Kekulé structure, 1 to 3, shape=(n_edges,).
        moving: Molecules whose charges may move, see `may_move`, shape=(n_molecules,).
        rings: Their rings. Step 3 does not change the bonds of aromatic ones.

    Returns:
        Orders, shape=(n_edges,).

    Example:
        >>> from ffshare.assign.atom_types.rings import perceive_rings
        >>> from ffshare.molecules import from_smiles
        >>> batch = from_smiles("C[S+]([O-])C")
        >>> orders = settle(batch, batch.orders // 2, may_move(batch), perceive_rings(batch))
        >>> orders[batch.sources == 1].tolist()
        [1, 2, 1]
    """
    orders, charges = orders.copy(), batch.charges.copy()
    _share_with_negative(batch, orders, charges)
    if not moving.any():
        return orders
    barred = rings.holds_edges(ring_kinds(batch, rings, orders == 2) <= 2, batch)
    planar, in_ring = _planar_rings(batch, rings, moving), np.zeros(batch.n_atoms, dtype=bool)
    in_ring[rings.atoms] = True
    for molecule_idx in np.flatnonzero(moving).tolist():
        first, end = batch.atom_offsets[molecule_idx : molecule_idx + 2].tolist()
        edges = slice(int(batch.row_offsets[first]), int(batch.row_offsets[end]))
        molecule = ChargedMolecule(
            batch.molecules[molecule_idx],
            elements=batch.elements[first:end].tolist(),
            charges=charges[first:end].tolist(),
            bonds=list(
                zip((batch.sources[edges] - first).tolist(), (batch.targets[edges] - first).tolist(), strict=True)
            ),
            orders=orders[edges].tolist(),
            barred=barred[edges].tolist(),
            rings=planar[molecule_idx],
            in_ring=in_ring[first:end].tolist(),
        )
        orders[edges] = molecule.settled_orders()
    return orders


def _planar_rings(batch: GraphBatch, rings: Rings, moving: BoolArray) -> list[list[PlanarRing]]:
    """Rings of the moving molecules that may be AR1 or AR3, for each molecule, as atoms numbered within it."""
    # Were all bonds double, every ring that can would be AR3; were only ring bonds, every ring that can would be AR1.
    may_be_ar3 = ring_kinds(batch, rings, np.ones(len(batch.sources), dtype=bool)) == 3
    may_be_ar1 = ring_kinds(batch, rings, batch.in_ring) == 1
    molecules = batch.atom_molecules[rings.atoms[rings.offsets[:-1]]]
    local = batch.local_idxs(rings.atoms)
    found: list[list[PlanarRing]] = [[] for _ in range(batch.n_molecules)]
    for ring in np.flatnonzero(moving[molecules] & (may_be_ar1 | may_be_ar3)).tolist():
        atoms = tuple(local[rings.offsets[ring] : rings.offsets[ring + 1]].tolist())
        found[molecules[ring]].append(PlanarRing(atoms=atoms, may_be_ar1=bool(may_be_ar1[ring])))
    return found


def _share_with_negative(batch: GraphBatch, orders: IntArray, charges: IntArray) -> None:
    """Step 1, for all molecules at once; changes the arrays."""
    is_centre = np.isin(batch.elements, list(_FULL_VALENCE))
    candidates = np.flatnonzero(is_centre[batch.sources] & (charges[batch.targets] < 0))
    if not len(candidates):
        return
    # Carbon before nitrogen before oxygen, where several wait.
    candidates = candidates[np.argsort(batch.elements[batch.targets[candidates]], kind="stable")]
    full = np.zeros(batch.n_atoms, dtype=np.int64)
    for element, valence in _FULL_VALENCE.items():
        full[(batch.elements == element) & (batch.degrees == 4)] = valence
    while True:
        lacks = np.bincount(batch.sources, weights=orders, minlength=batch.n_atoms) < full
        wanted = (lacks | (charges > 0))[batch.sources[candidates]] & (charges[batch.targets[candidates]] < 0)
        edges = candidates[wanted & (orders[candidates] < 3)]
        # One bond of each atom at a time.
        edges = edges[np.unique(batch.sources[edges], return_index=True)[1]]
        edges = edges[np.unique(batch.targets[edges], return_index=True)[1]]
        if not len(edges):
            return
        orders[edges] += 1
        orders[batch.reverses[edges]] += 1
        charges[batch.targets[edges]] += 1
        charges[batch.sources[edges]] -= charges[batch.sources[edges]] > 0
