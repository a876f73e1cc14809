"""Two graphs of elements and bonds laid over one another.

Atoms get colours: first their elements, then, round by round, their own colour and those of their neighbours. Graphs
whose colours differ are not the same; where they agree, atoms are placed one by one, each beside a neighbour that has
been placed, on an atom of its colour, and taken back where a bond does not fit. For molecules the first attempt nearly
always fits. Graphs exist for which any such search takes longer than anyone waits, so the attempts are counted.

Reference: Weisfeiler, Leman, Nauchno-Technicheskaya Informatsia, Ser. 2, 9, 12 (1968), for the colours.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from ffshare.errors import MoleculeError

MOST_ATTEMPTS = 200_000
_MOST_ROUNDS = 64

Bonds = Sequence[Sequence[int]]


def overlay(elements: Sequence[int], bonds: Bonds, others: Sequence[int], other_bonds: Bonds) -> list[int] | None:
    """The atom of another graph for each atom of a graph, so that elements and bonds agree.

    Args:
        elements: Atomic numbers.
        bonds: Pairs of atoms.
        others: Atomic numbers of the other graph.
        other_bonds: Its bonds.

    Returns:
        Indices into the other graph; of several ways the first that is found. None where the graphs are not the same.

    Raises:
        MoleculeError: Whether they are the same cannot be told in the attempts that are allowed.

    Example:
        >>> overlay([8, 1, 1], [(0, 1), (0, 2)], [1, 8, 1], [(1, 0), (1, 2)])
        [1, 0, 2]
    """
    if len(elements) != len(others) or len(bonds) != len(other_bonds):
        return None
    near, other_near = _neighbours(len(elements), bonds), _neighbours(len(others), other_bonds)
    colours, other_colours = _colours(elements, near, others, other_near)
    if Counter(colours) != Counter(other_colours):
        return None
    return _placed(near, colours, other_near, other_colours)


def _neighbours(n_atoms: int, bonds: Bonds) -> list[set[int]]:
    near: list[set[int]] = [set() for _ in range(n_atoms)]
    for first, second in bonds:
        near[first].add(second)
        near[second].add(first)
    return near


def _colours(
    elements: Sequence[int], near: list[set[int]], others: Sequence[int], other_near: list[set[int]]
) -> tuple[list[int], list[int]]:
    """Colours of the atoms of both graphs; equal numbers are equal colours."""
    colours = [*elements, *others]
    shift = len(elements)
    joint = [*map(sorted, near), *([shift + atom for atom in sorted(atoms)] for atoms in other_near)]
    for _ in range(_MOST_ROUNDS):
        known: dict[tuple[int, ...], int] = {}
        refined = [
            known.setdefault((colours[atom], *sorted(colours[other] for other in joint[atom])), len(known))
            for atom in range(len(colours))
        ]
        if len(known) == len(set(colours)):
            break
        colours = refined
    return colours[:shift], colours[shift:]


def _placed(
    near: list[set[int]], colours: list[int], other_near: list[set[int]], other_colours: list[int]
) -> list[int] | None:
    order, parents = _walk(near, colours)
    place = [-1] * len(near)
    taken: set[int] = set()

    def candidates(atom: int) -> Iterator[int]:
        parent = parents[atom]
        within = range(len(other_near)) if parent < 0 else sorted(other_near[place[parent]])
        return (other for other in within if other_colours[other] == colours[atom])

    if not order:
        return []
    n_attempts = 0
    # One row of candidates for each atom that has a place, and for the one that looks for its own.
    open_rows = [candidates(order[0])]
    while open_rows:
        atom = order[len(open_rows) - 1]
        needed = {place[other] for other in near[atom] if place[other] >= 0}
        for other in open_rows[-1]:
            n_attempts += 1
            if other not in taken and other_near[other] & taken == needed:
                place[atom] = other
                taken.add(other)
                break
        if place[atom] < 0:
            open_rows.pop()
            if open_rows:
                before = order[len(open_rows) - 1]
                taken.remove(place[before])
                place[before] = -1
        elif len(open_rows) == len(order):
            return place
        else:
            open_rows.append(candidates(order[len(open_rows)]))
        if n_attempts > MOST_ATTEMPTS:
            raise MoleculeError(
                f"which atom of the SMILES is which of the geometry cannot be told in {MOST_ATTEMPTS:,} attempts",
                "give a mapped SMILES in the order of the coordinates",
            )
    return None


def _walk(near: list[set[int]], colours: list[int]) -> tuple[list[int], list[int]]:
    """All atoms, each after one of its neighbours where that is possible, and that neighbour (−1: none)."""
    rare = Counter(colours)
    order: list[int] = []
    parents = [-1] * len(near)
    seen: set[int] = set()
    for start in sorted(range(len(near)), key=lambda atom: (rare[colours[atom]], atom)):
        if start in seen:
            continue
        seen.add(start)
        component = [start]
        for atom in component:  # grows while it is walked
            for other in sorted(near[atom] - seen):
                parents[other] = atom
                component.append(other)
            seen |= near[atom]
        order += component
    return order, parents
