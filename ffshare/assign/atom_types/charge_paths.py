"""Charges of one molecule, moved along alternating paths to where they cost least.

On the way from its start to its end the first bond of a path gains an order, the second loses one, and so on; the
charge of the start rises by one, that of the end falls by one. So a negative charge leaves the start of a path, and a
positive one leaves its end. Which ends can be reached does not depend on the Kekulé structure: two structures that
differ in one charge differ by such a path, and by rings of alternating bonds.

A move is better the more AR1 rings it makes, then the fewer quinoid (AR3) rings, then the less the charges cost, then
the lower a negative charge and the higher a positive one ranks in the canonical order of the *skeleton*: the molecule
without charges and bond orders, which is the same however it was written. Charges move one by one until no move is
better; then the rings get the Kekulé structure whose double bonds come first in the order of the skeleton.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import compress, islice, pairwise

from rdkit import Chem

from ffshare.assign.atom_types.kekule import canonical_ranks, skeleton
from ffshare.records import doc, record

# Atoms of the longest path that a charge takes, and paths tried from one atom: bounds on the work, beyond common dyes.
_LONGEST = 21
_MOST_PATHS = 5000
_CARBON, _NITROGEN, _OXYGEN, _SULFUR = 6, 7, 8, 16
# Elements and numbers of neighbours of atoms that hold positive charges, and what a charge costs there.
_CATIONS = {(_NITROGEN, 3): 0, (_SULFUR, 2): 1, (_OXYGEN, 2): 2, (_NITROGEN, 2): 3}

_NO_GAIN = (0, 0, 0, 0)

_Path = tuple[int, ...]
_Bond = tuple[int, int]


@record
class PlanarRing:
    """A ring that may be aromatic or quinoid, which depends on its double bonds."""

    atoms: tuple[int, ...] = doc("its atoms")
    may_be_ar1: bool = doc("whether it can be AR1")


class ChargedMolecule:
    """One molecule whose charges may move; atoms are numbered within it.

    Args:
        molecule: The RDKit molecule; hydrogens may be implicit.
        elements: Atomic number of each atom.
        charges: Formal charge of each atom.
        bonds: The atoms of each edge; each bond is two edges.
        orders: Order of each edge.
        barred: Whether negative charges may not pass an edge in step 3.
        rings: Its planar rings.
        in_ring: Whether each atom is in any ring.
    """

    def __init__(
        self,
        molecule: Chem.Mol,
        *,
        elements: list[int],
        charges: list[int],
        bonds: list[_Bond],
        orders: list[int],
        barred: list[bool],
        rings: list[PlanarRing],
        in_ring: list[bool],
    ) -> None:
        self._molecule, self._elements, self._charges, self._in_ring = molecule, elements, charges, in_ring
        self._orders = dict(zip(bonds, orders, strict=True))
        self._barred = frozenset(compress(bonds, barred))
        self._neighbours: list[list[int]] = [[] for _ in elements]
        for source, target in self._orders:
            self._neighbours[source].append(target)
        self._rings: dict[int, list[PlanarRing]] = defaultdict(list)
        for ring in rings:
            for atom in ring.atoms:
                self._rings[atom].append(ring)

    def settled_orders(self) -> list[int]:
        """Orders of the edges, as they were given, once charges are where they cost least."""
        negative = [atom for atom, charge in enumerate(self._charges) if charge < 0]
        for better in (self._cancelling, self._cheaper):
            for source in sorted(negative, key=self._ranks.__getitem__):
                paths = list(better(source))
                if paths:
                    distances = self._distances(source)
                    self._move(min(paths, key=lambda path: self._badness(path, distances)))
        self._settle()
        self._order_rings()
        return list(self._orders.values())

    @cached_property
    def _ranks(self) -> list[int]:
        return canonical_ranks(skeleton(self._molecule))

    @cached_property
    def _classes(self) -> list[int]:
        """Ranks that symmetry makes equal: between equivalent places a charge stays where it was written."""
        return canonical_ranks(skeleton(self._molecule), break_ties=False)

    def _distances(self, source: int) -> dict[int, int]:
        """Bonds from an atom to those that a path can reach."""
        found, border = {source: 0}, [source]
        for distance in range(1, _LONGEST):
            border = [other for atom in border for other in self._neighbours[atom] if other not in found]
            found.update(dict.fromkeys(border, distance))
            border = list(dict.fromkeys(border))
        return found

    def _flip(self, path: _Path, sign: int = 1) -> None:
        """Change the orders along a path, but no charges."""
        for place, bond in enumerate(pairwise(path)):
            self._orders[bond] += sign if place % 2 == 0 else -sign
            self._orders[bond[::-1]] = self._orders[bond]

    def _move(self, path: _Path) -> None:
        self._flip(path)
        self._charges[path[0]] += 1
        self._charges[path[-1]] -= 1

    def _badness(self, path: _Path, distances: dict[int, int]) -> tuple[int, ...]:
        """The order of preference: cost of a charge at the end, then distance, then canonical order."""
        return self._cost(path[-1]), distances[path[-1]], *(self._ranks[atom] for atom in reversed(path))

    def _cancelling(self, source: int) -> list[_Path]:
        """Paths to positive atoms whose charge is not bound by a neighbour."""
        if self._is_beside(source, positive=True):
            return []
        paths = self._paths(source, frozenset())
        return [path for path in paths if self._charges[path[-1]] > 0 and not self._is_beside(path[-1], positive=False)]

    def _cheaper(self, source: int) -> list[_Path]:
        """Paths from carbon or nitrogen to where its negative charge costs less."""
        if self._charges[source] == 0 or self._elements[source] not in (_CARBON, _NITROGEN):
            return []
        paths = [path for path in self._paths(source, self._barred) if self._charges[path[-1]] == 0]
        paths += [(source, other) for other in self._neighbours[source] if self._is_ylide_nitrogen(other)]
        return [path for path in paths if self._cost(path[-1]) < self._cost(source)]

    def _is_ylide_nitrogen(self, atom: int) -> bool:
        return self._charges[atom] > 0 and self._elements[atom] == _NITROGEN and len(self._neighbours[atom]) == 3

    def _settle(self) -> None:
        """Step 4: one better move after another."""
        has_positive = any(self._holds_positive(atom) for atom in range(len(self._elements)))
        moved = True
        while moved:
            moved = False
            starts = [
                atom
                for atom, charge in enumerate(self._charges)
                if charge < 0 or (has_positive and charge == 0 and self._may_be_positive(atom))
            ]
            for start in sorted(starts, key=self._ranks.__getitem__):
                negative = self._charges[start] < 0
                allowed = self._may_be_negative if negative else self._holds_positive
                paths = (path for path in self._paths(start, frozenset()) if allowed(path[-1]))
                gain, path = min(((self._gain(path, negative), path) for path in paths), default=(_NO_GAIN, ()))
                if gain[: len(_NO_GAIN)] < _NO_GAIN:
                    self._move(path)
                    moved = True

    def _gain(self, path: _Path, negative: bool) -> tuple[int, ...]:
        """How much worse a move makes things, better below zero; then an order of paths that lead to one end."""
        first, last = path[0], path[-1]
        rings = {id(ring): ring for atom in path for ring in self._rings[atom]}.values()
        before = self._aromaticity(rings)
        self._flip(path)
        after = self._aromaticity(rings)
        self._flip(path, -1)
        came, went = (last, first) if negative else (first, last)
        cost = self._cost if negative else self._positive_cost
        return (
            *(old - new for old, new in zip(before, after, strict=True)),
            cost(came) - cost(went),
            self._classes[last] - self._classes[first],
            *(self._ranks[atom] for atom in path),
        )

    def _aromaticity(self, rings: Iterable[PlanarRing]) -> tuple[int, int]:
        """Number of AR1 rings, and minus the number of quinoid ones."""
        n_ar1 = n_quinoid = 0
        for ring in rings:
            quinoid = any(
                self._orders[atom, other] == 2 and not self._in_ring[other]
                for atom in ring.atoms
                for other in self._neighbours[atom]
            )
            n_quinoid += quinoid
            n_ar1 += ring.may_be_ar1 and not quinoid and all(self._has_double(atom) for atom in ring.atoms)
        return n_ar1, -n_quinoid

    def _has_double(self, atom: int) -> bool:
        return any(self._orders[atom, other] == 2 for other in self._neighbours[atom])

    def _may_be_positive(self, atom: int) -> bool:
        """Whether an atom has a lone pair that a double bond can use: N with three neighbours, O and S of rings."""
        return (
            (self._elements[atom], len(self._neighbours[atom])) in _CATIONS
            and (self._elements[atom] == _NITROGEN or self._in_ring[atom])
            and not self._has_double(atom)
            and not any(self._charges[other] for other in self._neighbours[atom])
        )

    def _holds_positive(self, atom: int) -> bool:
        return (
            self._charges[atom] > 0
            and (self._elements[atom], len(self._neighbours[atom])) in _CATIONS
            and not self._is_beside(atom, positive=False)
        )

    def _positive_cost(self, atom: int) -> int:
        return _CATIONS[self._elements[atom], len(self._neighbours[atom])]

    def _may_be_negative(self, atom: int) -> bool:
        at_end = len(self._neighbours[atom]) == 1
        return self._charges[atom] == 0 and (
            self._elements[atom] in (_CARBON, _NITROGEN, _OXYGEN) or (self._elements[atom] == _SULFUR and at_end)
        )

    def _paths(self, source: int, barred: frozenset[_Bond]) -> Iterator[_Path]:
        return islice(self._alternating((source,), barred), _MOST_PATHS)

    def _alternating(self, path: _Path, barred: frozenset[_Bond]) -> Iterator[_Path]:
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

    def _order_rings(self) -> None:
        """Turn rings of alternating bonds until the double bonds come first in the order of the skeleton."""
        partners = {
            first: second
            for (first, second), order in self._orders.items()
            if order == 2
            and sum(self._orders[first, other] > 1 for other in self._neighbours[first]) == 1
            and sum(self._orders[second, other] > 1 for other in self._neighbours[second]) == 1
        }
        done: set[int] = set()
        for atom in sorted(partners, key=self._ranks.__getitem__):
            if atom in done or not self._in_ring[atom]:
                continue
            earlier = [
                other
                for other in self._neighbours[atom]
                if other in partners and other not in done and self._ranks[other] < self._ranks[partners[atom]]
            ]
            for other in sorted(earlier, key=self._ranks.__getitem__):
                path = self._back((atom, other), partners, done)
                if path:
                    self._flip((*path, atom))
                    for first, second in zip(path[::2], path[1::2], strict=True):
                        partners[first], partners[second] = second, first
                    break
            done |= {atom, partners[atom]}

    def _back(self, path: _Path, partners: dict[int, int], done: set[int]) -> _Path:
        """A path that begins like the given one and ends at the partner of its first atom; none: empty."""
        goal = partners[path[0]]
        stack, n_tried = [path], 0
        while stack and n_tried < _MOST_PATHS:
            path, n_tried = stack.pop(), n_tried + 1
            last = partners[path[-1]]
            for other in self._neighbours[last]:
                if other == goal:
                    return (*path, last, goal)
                if other in partners and other not in done and other not in path and partners[other] not in path:
                    stack.append((*path, last, other))
        return ()
