"""Substructure matching by joining arrays: all molecules of a batch at once.

A pattern is a small graph. Start from the edges that fit its rarest bond, then follow its other bonds: every row of
atoms placed so far is repeated for each neighbour of one of them, and rows whose bond or atom is not what the query
asks, or that would use an atom twice, are dropped. A ring closes by looking up the edge between two placed atoms.
Further components start from all atoms of the same molecule that fit.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray, ranks_in_rows
from ffshare.records import doc, record
from ffshare.smirks.arms import ArmTable
from ffshare.smirks.pattern import Pattern

# Rows that one step works on at a time: bounds the memory of patterns with very many partial matches.
_CHUNK = 1 << 16


@record
class Truth:
    """What queries say of classes. Row −1 stands for a query that no class decides; it is True everywhere."""

    rows: Mapping[str, int] = doc("row of each query, by its key")
    matrix: NDArray[np.bool_] = doc("answers, shape=(n_queries + 1, n_classes)")

    def of(self, key: str) -> NDArray[np.bool_]:
        """Answers of one query for every class, shape=(n_classes,)."""
        answers: NDArray[np.bool_] = self.matrix[self.rows.get(key, -1)]
        return answers


@record
class Classes:
    """The classes of the atoms and edges of one batch, and what the queries say of them."""

    atoms: IntArray = doc("class of each atom, shape=(n_atoms,)")
    edges: IntArray = doc("class of each edge, shape=(n_edges,)")
    arms: IntArray = doc("arm of each edge, shape=(n_edges,)")
    arm_table: ArmTable = doc("what the arms are")
    arm_counts: IntArray = doc("edges of the batch on each arm, shape=(n_arms,)")
    atom_truth: Truth = doc("answers of the atom queries")
    bond_truth: Truth = doc("answers of the bond queries")
    fits: dict[tuple[str, str, str], NDArray[np.bool_]] = doc("cache of `arms_that_fit`", default_factory=dict)

    def arms_that_fit(self, source: str, bond: str, target: str) -> NDArray[np.bool_]:
        """Which arms satisfy the queries of a bond and of the atoms at its ends.

        Args:
            source: Key of the query of the source.
            bond: Key of the query of the bond.
            target: Key of the query of the target.

        Returns:
            A truth value for each arm, shape=(n_arms,).
        """
        fit = self.fits.get((source, bond, target))
        if fit is None:
            table = self.arm_table
            fit = self.atom_truth.of(source)[table.sources] & self.atom_truth.of(target)[table.targets]
            fit &= self.bond_truth.of(bond)[table.bonds]
            self.fits[source, bond, target] = fit
        return fit


@record
class _Step:
    """One bond of the pattern to follow, or one further component to start."""

    target: int = doc("atom of the pattern to place")
    source: int = doc("placed atom of the pattern; −1 starts a component", default=-1)
    bond: str = doc("key of the bond's query", default="")
    closes: bool = doc("whether the target is placed already, so that the bond closes a ring", default=False)


def join(pattern: Pattern, batch: GraphBatch, classes: Classes) -> IntArray:
    """All matches of a pattern in a batch, stereochemistry aside.

    Args:
        pattern: The pattern.
        batch: The molecules.
        classes: Their classes, by a classifier that knows the pattern.

    Returns:
        An atom of the batch for each atom of the pattern, one row a match, shape=(n_matches, n_pattern_atoms). Every
        permutation of equivalent atoms is a match of its own.
    """
    placed, rows = _start(pattern, batch, classes)
    steps = _plan(pattern, placed, (placed,))
    order = [*placed, *(step.target for step in steps if not step.closes)]
    found = [_grow(pattern, chunk, placed, steps, batch, classes)[0] for chunk in _chunks(rows)]
    matches = np.empty((sum(map(len, found)), len(pattern.atoms)), dtype=np.int64)
    matches[:, order] = np.concatenate(found)
    return matches


def extendable(
    pattern: Pattern,
    batch: GraphBatch,
    classes: Classes,
    seeds: IntArray,
    checked: tuple[tuple[int, int], ...] = (),
) -> NDArray[np.bool_]:
    """Which choices of the tagged atoms belong to a match, stereochemistry aside.

    Args:
        pattern: A pattern with tags.
        batch: The molecules.
        classes: Their classes, by a classifier that knows the pattern.
        seeds: Distinct atoms of one molecule for the tagged atoms in the order of the tags, shape=(n_seeds, n_tags).
        checked: Pairs of tags, from 0, whose bonds are known to fit in every row; with any, so are all tagged atoms.

    Returns:
        Whether some match holds each row, shape=(n_seeds,).
    """
    possible = np.ones(len(seeds), dtype=bool)
    for column, atom in enumerate(() if checked else pattern.tagged):
        possible &= classes.atom_truth.of(pattern.atoms[atom].key)[classes.atoms[seeds[:, column]]]
    chosen = np.flatnonzero(possible)
    steps = _plan(pattern, pattern.tagged, tuple((pattern.tagged[one], pattern.tagged[two]) for one, two in checked))
    held = np.zeros(len(seeds), dtype=bool)
    for chunk in _chunks(chosen):
        held[chunk[_grow(pattern, seeds[chunk], pattern.tagged, steps, batch, classes)[1]]] = True
    return held


def _start(pattern: Pattern, batch: GraphBatch, classes: Classes) -> tuple[tuple[int, ...], IntArray]:
    """The atoms of the pattern to place first and their choices: the two ends of its rarest bond."""
    if not pattern.bonds:
        return (0,), np.flatnonzero(classes.atom_truth.of(pattern.atoms[0].key)[classes.atoms])[:, None]
    fits = [
        classes.arms_that_fit(pattern.atoms[first].key, bond, pattern.atoms[second].key)
        for first, second, bond in pattern.bonds
    ]
    counts = [int(classes.arm_counts[fit].sum()) for fit in fits]
    rarest = counts.index(min(counts))
    edges = np.flatnonzero(fits[rarest][classes.arms]) if counts[rarest] else np.zeros(0, dtype=np.int64)
    return pattern.bonds[rarest][:2], np.stack([batch.sources[edges], batch.targets[edges]], axis=1)


def _chunks(rows: IntArray) -> list[IntArray]:
    return np.array_split(rows, max(1, -(-len(rows) // _CHUNK)))


def _grow(
    pattern: Pattern,
    rows: IntArray,
    placed: tuple[int, ...],
    steps: Sequence[_Step],
    batch: GraphBatch,
    classes: Classes,
) -> tuple[IntArray, IntArray]:
    """Rows with all atoms of the pattern placed, in the order of placing, and the row that each grew from."""
    column_of = {atom: column for column, atom in enumerate(placed)}
    origins = np.arange(len(rows))
    for step in steps:
        if not len(rows):
            return np.zeros((0, len(pattern.atoms)), dtype=np.int64), origins
        target = pattern.atoms[step.target].key
        if step.source < 0:
            repeats, atoms = _same_molecule(rows[:, 0], classes.atom_truth.of(target), batch, classes)
        else:
            fits = classes.arms_that_fit(pattern.atoms[step.source].key, step.bond, target)
            sources = rows[:, column_of[step.source]]
            if step.closes:
                edges = batch.find_edges(sources, rows[:, column_of[step.target]])
                kept = np.flatnonzero((edges >= 0) & fits[classes.arms[edges]])
                rows, origins = rows[kept], origins[kept]
                continue
            repeats, atoms = _neighbors(sources, fits, batch, classes)
        grown = rows[repeats]
        distinct = np.flatnonzero((grown != atoms[:, None]).all(axis=1))
        rows = np.concatenate([grown[distinct], atoms[distinct, None]], axis=1)
        origins = origins[repeats[distinct]]
        column_of[step.target] = len(column_of)
    return rows, origins


def _neighbors(
    sources: IntArray, fits: NDArray[np.bool_], batch: GraphBatch, classes: Classes
) -> tuple[IntArray, IntArray]:
    """Row and atom of each neighbour of the source of each row that an arm that fits leads to."""
    counts = batch.degrees[sources]
    repeats = np.repeat(np.arange(len(sources)), counts)
    ends = np.cumsum(counts)
    edges = np.arange(len(repeats)) + np.repeat(batch.row_offsets[sources] + counts - ends, counts)
    kept = np.flatnonzero(fits[classes.arms[edges]])
    return repeats[kept], batch.targets[edges[kept]]


def _same_molecule(
    atoms: IntArray, fits: NDArray[np.bool_], batch: GraphBatch, classes: Classes
) -> tuple[IntArray, IntArray]:
    """Row and atom of each fitting atom in the molecule of each row."""
    candidates = np.flatnonzero(fits[classes.atoms])
    molecules = batch.atom_molecules[atoms]
    starts = np.searchsorted(candidates, batch.atom_offsets[molecules])
    counts = np.searchsorted(candidates, batch.atom_offsets[molecules + 1]) - starts
    picked = np.repeat(starts, counts) + ranks_in_rows(counts)
    return np.repeat(np.arange(len(atoms)), counts), candidates[picked]


@lru_cache(maxsize=1 << 15)
def _plan(pattern: Pattern, placed: tuple[int, ...], done: tuple[tuple[int, ...], ...]) -> tuple[_Step, ...]:
    """The order in which to follow the bonds of a pattern: rings close as soon as both ends are placed.

    Args:
        pattern: The pattern.
        placed: Its atoms that are placed.
        done: Pairs of these whose bonds are known to fit.
    """
    fitted = set(map(frozenset, done))
    waiting = [bond for bond in pattern.bonds if frozenset(bond[:2]) not in fitted]
    known = set(placed)
    steps: list[_Step] = []
    while True:
        closing = [bond for bond in waiting if bond[0] in known and bond[1] in known]
        growing = [bond for bond in waiting if (bond[0] in known) != (bond[1] in known)]
        if closing:
            first, second, key = closing[0]
            steps.append(_Step(source=first, target=second, bond=key, closes=True))
            waiting.remove(closing[0])
        elif growing:
            first, second, key = growing[0]
            source, target = (first, second) if first in known else (second, first)
            steps.append(_Step(source=source, target=target, bond=key))
            known.add(target)
            waiting.remove(growing[0])
        elif len(known) < len(pattern.atoms):
            target = next(atom for atom in range(len(pattern.atoms)) if atom not in known)
            steps.append(_Step(target=target))
            known.add(target)
        else:
            return tuple(steps)
