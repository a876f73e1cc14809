"""The resonance form that typing sees: as few formal charges as can be, and those on the atoms that hold them best.

Bond types are looked at without charges, so ways to write one molecule that differ in its charges should give one set
of bond orders:

1. Phosphorus, sulfur and selenium beside a negative atom share a double bond with it, as in ``CS(=O)C`` for
   ``C[S+]([O-])C``; also where a record leaves out the positive charge. Nitrogen keeps its charges.
2. A negative and a positive atom of one conjugated system cancel: ``C[n+]1ccccc1[O-]`` becomes the pyridone.
3. A negative charge moves from carbon or nitrogen to where it costs less, without breaking an aromatic ring. Best is
   a terminal O or S of carbon, then another terminal O or S, then a double bond to N⁺ beside it (ylides), the nitrogen
   of a nitrile, nitrogen with two neighbours, other nitrogen. So an imide anion is O⁻ with C=N, and an azide N⁻–N≡N.

Charges move along alternating paths: the first bond gains an order, the second loses one, and so on. Of ends that are
as good, the nearest wins, then RDKit's canonical order of atoms. Between sites that are as good as the one it was
written on a charge stays, and so does every positive charge that nothing cancels (amidinium, cyanine dyes). Molecules
with charges that may move are few; each is looked at by itself.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import compress, pairwise

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from ffshare.assign.atom_types.kekule import canonical_ranks
from ffshare.assign.atom_types.rings import BoolArray
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray

# Atoms of the longest path that a charge takes: a bound on the work, beyond common dyes.
_LONGEST = 21
_CARBON, _NITROGEN, _OXYGEN, _PHOSPHORUS, _SULFUR, _SELENIUM = 6, 7, 8, 15, 16, 34
# Valence of an atom with four neighbours, where its double bonds may be written as charges.
_FULL_VALENCE = {_PHOSPHORUS: 5, _SULFUR: 6, _SELENIUM: 6}


def may_move(batch: GraphBatch) -> BoolArray:
    """Whether a molecule holds charges that may have to move.

    Args:
        batch: The molecules.

    Returns:
        True where carbon or nitrogen is negative, or another atom is, beside an atom with a double bond, while a third
        with a double bond is positive; neighbours of opposite charges do not count, shape=(n_molecules,).

    Example:
        >>> from ffshare.molecules import from_smiles
        >>> may_move(from_smiles("CC(=O)[O-]", "CC(=O)[N-]C", "C[n+]1ccccc1[O-]", "[O-][n+]1ccccc1")).tolist()
        [False, True, True, False]
    """
    charged = np.flatnonzero(batch.charges)
    negative, positive = charged[batch.charges[charged] < 0], charged[batch.charges[charged] > 0]
    holds = np.zeros((3, batch.n_molecules), dtype=bool)
    by_itself = np.isin(batch.elements[negative], (_CARBON, _NITROGEN))
    holds[0, batch.atom_molecules[negative[by_itself]]] = True
    # Bonds to terminal O and S do not lead on, so a carboxylate's charge goes nowhere.
    leads_on = (batch.orders > 2) & ~((batch.degrees == 1) & np.isin(batch.elements, (_OXYGEN, _SULFUR)))[batch.targets]
    leaves = ~_beside(batch, positive)[negative] & _beside(batch, batch.sources[leads_on])[negative]
    holds[1, batch.atom_molecules[negative[leaves]]] = True
    doubly = np.zeros(batch.n_atoms, dtype=bool)
    doubly[batch.sources[batch.orders > 2]] = True
    arrives = ~_beside(batch, negative)[positive] & doubly[positive]
    holds[2, batch.atom_molecules[positive[arrives]]] = True
    found: BoolArray = holds[0] | (holds[1] & holds[2])
    return found


def _beside(batch: GraphBatch, atoms: IntArray) -> BoolArray:
    """Whether each atom is a neighbour of some of the given ones."""
    found, given = np.zeros((2, batch.n_atoms), dtype=bool)
    given[atoms] = True
    found[batch.sources[given[batch.targets]]] = True
    return found


def settle(batch: GraphBatch, orders: IntArray, moving: BoolArray, barred: BoolArray) -> IntArray:
    """Bond orders of the resonance form that typing sees.

    Args:
        batch: The molecules.
        orders: Order of each edge in a Kekulé structure, 1 to 3, shape=(n_edges,).
        moving: Molecules whose charges may move, see `may_move`, shape=(n_molecules,).
        barred: Bonds of aromatic rings, which step 3 does not change, shape=(n_edges,).

    Returns:
        Orders, shape=(n_edges,).

    Example:
        >>> from ffshare.molecules import from_smiles
        >>> batch = from_smiles("C[S+]([O-])C")
        >>> orders = settle(batch, batch.orders // 2, may_move(batch), barred=batch.orders == 3)
        >>> orders[batch.sources == 1].tolist()
        [1, 2, 1]
    """
    orders, charges = orders.copy(), batch.charges.copy()
    _share_with_negative(batch, orders, charges)
    for molecule_idx in np.flatnonzero(moving).tolist():
        first, end = batch.atom_offsets[molecule_idx : molecule_idx + 2].tolist()
        edges = slice(int(batch.row_offsets[first]), int(batch.row_offsets[end]))
        molecule = _Molecule(
            batch.molecules[molecule_idx],
            elements=batch.elements[first:end].tolist(),
            charges=charges[first:end].tolist(),
            bonds=list(
                zip((batch.sources[edges] - first).tolist(), (batch.targets[edges] - first).tolist(), strict=True)
            ),
            orders=orders[edges].tolist(),
            barred=barred[edges].tolist(),
        )
        orders[edges] = molecule.settled_orders()
    return orders


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


_Path = tuple[int, ...]


class _Molecule:
    """One molecule whose charges may move; atoms are numbered within it."""

    def __init__(
        self,
        molecule: Chem.Mol,
        *,
        elements: list[int],
        charges: list[int],
        bonds: list[tuple[int, int]],
        orders: list[int],
        barred: list[bool],
    ) -> None:
        self._molecule, self._elements, self._charges = molecule, elements, charges
        self._orders = dict(zip(bonds, orders, strict=True))
        self._barred = frozenset(compress(bonds, barred))
        self._neighbours: list[list[int]] = [[] for _ in elements]
        for source, target in self._orders:
            self._neighbours[source].append(target)

    def settled_orders(self) -> list[int]:
        """Steps 2 and 3: the orders of the bonds, as they were given."""
        negative = [atom for atom, charge in enumerate(self._charges) if charge < 0]
        for better in (self._cancelling, self._cheaper):
            for source in sorted(negative, key=self._ranks.__getitem__):
                self._move(better(source))
        return list(self._orders.values())

    @cached_property
    def _ranks(self) -> list[int]:
        return canonical_ranks(self._molecule)

    @cached_property
    def _distances(self) -> NDArray[np.float64]:
        found: NDArray[np.float64] = Chem.GetDistanceMatrix(self._molecule)
        return found

    def _move(self, paths: Iterable[_Path]) -> None:
        """Take the charge of the first atom of the best path to its end."""
        path = min(paths, key=self._badness, default=())
        for place, bond in enumerate(pairwise(path)):
            self._orders[bond] += 1 if place % 2 == 0 else -1
            self._orders[bond[::-1]] = self._orders[bond]
        if path:
            self._charges[path[0]] += 1
            self._charges[path[-1]] -= 1

    def _badness(self, path: _Path) -> tuple[int, ...]:
        """The order of preference: cost of a charge at the end, then distance, then canonical order."""
        first, last = path[0], path[-1]
        return self._cost(last), int(self._distances[first, last]), *(self._ranks[atom] for atom in reversed(path))

    def _cancelling(self, source: int) -> list[_Path]:
        """Paths to positive atoms whose charge is not bound by a neighbour."""
        if self._is_beside(source, positive=True):
            return []
        paths = self._alternating((source,), frozenset())
        return [path for path in paths if self._charges[path[-1]] > 0 and not self._is_beside(path[-1], positive=False)]

    def _cheaper(self, source: int) -> list[_Path]:
        """Paths from carbon or nitrogen to where its negative charge costs less."""
        if self._charges[source] == 0 or self._elements[source] not in (_CARBON, _NITROGEN):
            return []
        paths = [path for path in self._alternating((source,), self._barred) if self._charges[path[-1]] == 0]
        paths += [(source, other) for other in self._neighbours[source] if self._is_ylide_nitrogen(other)]
        return [path for path in paths if self._cost(path[-1]) < self._cost(source)]

    def _is_ylide_nitrogen(self, atom: int) -> bool:
        return self._charges[atom] > 0 and self._elements[atom] == _NITROGEN and len(self._neighbours[atom]) == 3

    def _alternating(self, path: _Path, barred: frozenset[tuple[int, int]]) -> Iterator[_Path]:
        """Continuations of a path on which bonds can gain and lose an order in turn, those that end with a loss."""
        last = path[-1]
        most = 2 if len(path) == 1 and len(self._neighbours[last]) == 1 else 1
        for middle in self._neighbours[last]:
            if self._orders[last, middle] > most or middle in path or (last, middle) in barred:
                continue
            for end in self._neighbours[middle]:
                if self._orders[middle, end] > 1 and end not in path and (middle, end) not in barred:
                    longer = (*path, middle, end)
                    yield longer
                    if len(longer) < _LONGEST:
                        yield from self._alternating(longer, barred)

    def _is_beside(self, atom: int, *, positive: bool) -> bool:
        return any((self._charges[other] > 0) == positive and self._charges[other] for other in self._neighbours[atom])

    def _cost(self, atom: int) -> int:
        """Cost of a negative charge that comes to an atom: a rank that orders the sites, and means nothing else."""
        element, neighbours = self._elements[atom], self._neighbours[atom]
        at_end_of_carbon = len(neighbours) == 1 and self._elements[neighbours[0]] == _CARBON
        if element in (_OXYGEN, _SULFUR) and len(neighbours) == 1:
            return 0 if at_end_of_carbon else 1
        if self._charges[atom] > 0:
            return 2
        if element == _NITROGEN:
            return 3 if at_end_of_carbon else 4 if len(neighbours) == 2 else 5
        return 6
