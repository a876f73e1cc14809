"""Keys: combinations of atom types, which of them mean the same, and how they are packed into numbers.

Types such as cc and cd come in pairs. Across a component of bonded pair atoms their signs say which bonds are double;
which atom starts with + is arbitrary, and the published tables give cc and cd other values all the same. So only the
relative signs inside one component mean anything. In *canonical* mode the keys that differ by flipping all atoms of a
component at once are one key, and the parameter is that of the first of them, in sorted order, that the table holds: a
line of the file, where their mean would be a number that stands nowhere. Components of one term flip independently. In
*antechamber* mode a key stands for itself alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

from ffshare.assign.atom_types.typed_atoms import TypedAtoms
from ffshare.molecules.ragged import IntArray

# Stands for any type in the keys of torsions.
ANY = "X"

Key = tuple[str, ...]


class Term(NamedTuple):
    """The types of the atoms of a term, as far as its parameter depends on them."""

    types: Key
    """Type of each atom; '' where it has none."""
    groups: tuple[int, ...]
    """Atoms of one component of pair atoms share a number; all others have their own."""

    def part(self, *places: int) -> "Term":
        """The term of some of its atoms.

        Args:
            *places: Places of the atoms, perhaps one twice.

        Returns:
            The smaller term; an atom that comes twice stands for two of one component.
        """
        return Term(tuple(self.types[at] for at in places), tuple(self.groups[at] for at in places))


def directed(types: Key) -> Key:
    """The types of a bond, angle or proper in the direction that sorts first.

    Args:
        types: Types in the order of the atoms.

    Returns:
        The same, perhaps from the other end.

    Example:
        >>> directed(("n", "ca", "ca"))
        ('ca', 'ca', 'n')
    """
    return min(types, types[::-1])


def of_improper(types: Key) -> Key:
    """The canonical key of an improper: the outer types that are not X, sorted, then the centre.

    Args:
        types: Four types, the centre third.

    Returns:
        One to four types.

    Example:
        >>> of_improper(("X", "X", "c", "o")), of_improper(("oh", "c3", "c", "o"))
        (('o', 'c'), ('c3', 'o', 'oh', 'c'))
    """
    first, second, centre, third = types
    return (*sorted(name for name in (first, second, third) if name != ANY), centre)


def general(types: Key) -> Key:
    """The key of a proper by its middle atoms, X-b-c-X.

    Args:
        types: Four types.

    Returns:
        The key in canonical direction.
    """
    return directed((ANY, types[1], types[2], ANY))


def improper_text(key: Key) -> str:
    """A canonical key of an improper as AMBER writes it, the centre third.

    Args:
        key: As `of_improper` makes it.

    Returns:
        Text.

    Example:
        >>> improper_text(("o", "c"))
        'X-X-c-o'
    """
    *outer, centre = key
    first, second, third = [ANY] * (3 - len(outer)) + outer
    return "-".join((first, second, centre, third))


class PairTypes:
    """Which types come in pairs, and which keys are therefore one."""

    def __init__(self, partners: Mapping[str, str], canonical: bool) -> None:
        """Pairs of types.

        Args:
            partners: Type of sign + to type of sign −.
            canonical: Whether flipping a component changes nothing; otherwise a key stands for itself alone.
        """
        self.canonical = canonical
        self._partner = {**partners, **{second: first for first, second in partners.items()}}

    def has_any(self, term: Term) -> bool:
        """Whether a term holds a pair type.

        Args:
            term: The term.

        Returns:
            Whether.
        """
        return not self._partner.keys().isdisjoint(term.types)

    def alike(self, term: Term, make: Callable[[Key], Key]) -> list[Key]:
        """The keys that mean the same as a term, its own among them.

        Args:
            term: The term.
            make: Makes the canonical key of types in the order of the atoms.

        Returns:
            Keys, sorted.

        Example:
            >>> term = Term(("ca", "cc", "nd"), (0, 1, 1))
            >>> PairTypes({"cc": "cd", "nc": "nd"}, canonical=True).alike(term, directed)
            [('ca', 'cc', 'nd'), ('ca', 'cd', 'nc')]
        """
        return next(self._levels(term, make)) if self.has_any(term) else [make(term.types)]

    def swapped(
        self, term: Term, make: Callable[[Key], Key], kept: tuple[tuple[int, int], ...] = ()
    ) -> list[list[Key]]:
        """The keys of a term with some of its pair types swapped, by how many.

        Args:
            term: The term.
            make: Makes the canonical key of types in the order of the atoms.
            kept: Bonds, as places in the term, whose kind must stay: of two pair atoms of one component that such a
                bond joins, both are swapped or none, since swapping one makes a double bond of a single one.

        Returns:
            Keys with one type swapped, with two, …; each list sorted, no key twice, none of `alike`.

        Example:
            >>> term = Term(("ca", "cc", "nd"), (0, 1, 1))
            >>> PairTypes({"cc": "cd", "nc": "nd"}, canonical=True).swapped(term, directed)
            [[('ca', 'cc', 'nc'), ('ca', 'cd', 'nd')]]
        """
        return [level for level in list(self._levels(term, make, kept))[1:] if level] if self.has_any(term) else []

    def _levels(
        self, term: Term, make: Callable[[Key], Key], kept: tuple[tuple[int, int], ...] = ()
    ) -> Iterator[list[Key]]:
        places = [at for at, name in enumerate(term.types) if name in self._partner]
        groups = tuple(term.groups[at] for at in places) if self.canonical else None
        joined = [
            (places.index(first), places.index(second))
            for first, second in kept
            if first in places
            and second in places
            and (not self.canonical or term.groups[first] == term.groups[second])
        ]
        seen: set[Key] = set()
        for flips in _flips(groups, len(places)):
            allowed = [flip for flip in flips if all(flip[first] == flip[second] for first, second in joined)]
            keys = {make(self._flipped(term.types, places, flip)) for flip in allowed} - seen
            seen |= keys
            yield sorted(keys)

    def _flipped(self, types: Key, places: Sequence[int], flip: Sequence[bool]) -> Key:
        changed = list(types)
        for at, is_flipped in zip(places, flip, strict=True):
            if is_flipped:
                changed[at] = self._partner[types[at]]
        return tuple(changed)


@cache
def _flips(groups: tuple[int, ...] | None, n_atoms: int) -> tuple[tuple[tuple[bool, ...], ...], ...]:
    """All ways to flip some pair atoms, by how many flips they are away from flipping whole groups (or none)."""
    ways = list(product((False, True), repeat=n_atoms))
    free = [
        way
        for way in ways
        if (not any(way) if groups is None else len({*zip(groups, way, strict=True)}) == len({*groups}))
    ]
    levels: list[list[tuple[bool, ...]]] = [[] for _ in range(n_atoms + 1)]
    for way in ways:
        levels[min(sum(map(bool.__ne__, way, whole)) for whole in free)].append(way)
    return tuple(tuple(level) for level in levels if level)


class TermCodes:
    """Terms as numbers: types and components of the atoms of a term, packed."""

    def __init__(self, names: Sequence[str], canonical: bool) -> None:
        """Codes over some types.

        Args:
            names: Types that the atoms index.
            canonical: Whether components tell terms apart.
        """
        self.names = tuple(names)
        self._named = ("", *names)  # code 0 is for no type
        self._bits = len(names).bit_length()
        self._canonical = canonical

    def pack(self, typed: TypedAtoms, atoms: IntArray) -> IntArray:
        """The code of each term.

        Args:
            typed: Types of the atoms of a batch.
            atoms: Atoms of each term, shape=(n, k), k at most 4.

        Returns:
            Codes, none negative, shape=(n,).
        """
        codes = np.zeros(len(atoms), dtype=np.int64)
        for column in atoms.T:
            codes = (codes << self._bits) | (typed.types[column] + 1)
        pairs = list(combinations(range(atoms.shape[1]), 2))
        codes <<= len(pairs)
        if self._canonical:
            components = typed.components[atoms]
            several = np.flatnonzero((components >= 0).sum(axis=1) > 1)
            components = components[several]
            for bit, (first, second) in enumerate(pairs):
                linked = (components[:, first] == components[:, second]) & (components[:, first] >= 0)
                codes[several] |= linked.astype(np.int64) << bit
        return codes

    def unpack(self, codes: IntArray, n_atoms: int) -> list[Term]:
        """The terms of codes.

        Args:
            codes: As `pack` made them, shape=(n,).
            n_atoms: Atoms of each term.

        Returns:
            Types and groups of each.
        """
        pairs = list(combinations(range(n_atoms), 2))
        groups = np.tile(np.arange(n_atoms), (len(codes), 1))
        for bit, (first, second) in enumerate(pairs):
            linked = (codes >> bit & 1).astype(bool)
            groups[linked, second] = np.minimum(groups[linked, second], groups[linked, first])
        shifts = len(pairs) + self._bits * np.arange(n_atoms)[::-1]
        types = (codes[:, None] >> shifts) & ((1 << self._bits) - 1)
        return [
            Term(tuple([self._named[name] for name in of_term]), tuple(group))
            for of_term, group in zip(types.tolist(), groups.tolist(), strict=True)
        ]
