"""The rings that GAFF counts: every chordless cycle of 3 to 10 atoms that can be part of a planar or saturated ring.

A cycle has a chord when two of its atoms are bonded to each other outside it. Chordless cycles do not depend on the
order of the atoms, and there may be more of them than an SSSR has: norbornane has two rings of five and one of six.

**Most ring systems need no search.** Call two SSSR rings connected when they share a bond; the rings of one connected
component are those of one 2-connected block of the graph. Draw each ring and each shared bond as a node, and a line
between a ring and each shared bond in it. *If that drawing is a tree, the chordless cycles of the block are its SSSR
rings.* For build the block ring by ring along the tree. A new ring of k atoms shares one bond with what stands, and
s ≥ 2 atoms. It brings k − 1 bonds and k − s atoms, so s − 1 to the cyclomatic number. As many rings as the cyclomatic
number are all there are, so s = 2: the new ring is glued on along one bond, which stays. A cycle with atoms on both
sides of the glue passes through both ends of that bond; then the bond is its chord. So every chordless cycle lies on
one side, and the claim follows by induction. A connected drawing is a tree if it has one line less than nodes.

**The others** (bridged, and three rings round an atom) are searched: chordless paths grow from their lowest atom, all
systems of a batch at once, and are given up when the way back is too long. Whatever the cage, the work is bounded by
the number of atoms times a constant: an atom with four neighbours, like all round it, has 4·3⁴ paths of five bonds,
where the way back begins to bind. Starts are taken in portions, to bound memory.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray, offsets_of, ranks_in_rows
from ffshare.records import doc, freeze_arrays, record

BoolArray = NDArray[np.bool_]

SMALLEST, LARGEST = 3, 10

# Paths that grow at a time: a bound on memory, not on the result.
_PORTION = 5000


@record
class Rings:
    """Chordless cycles of a batch."""

    atoms: IntArray = doc("atoms, ring after ring, in the order round the ring")
    edges: IntArray = doc("edge from each of `atoms` to the next of its ring, from the last to the first")
    offsets: IntArray = doc("start of each ring in `atoms`, and the end, shape=(n_rings + 1,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, atoms=np.int64, edges=np.int64, offsets=np.int64)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def sizes(self) -> IntArray:
        """Number of atoms of each ring, shape=(n_rings,)."""
        return np.diff(self.offsets)

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """The value of its ring for each of `atoms`.

        Args:
            values: One value a ring, shape=(n_rings,).

        Returns:
            One value for each of `atoms`.
        """
        return np.repeat(values, self.sizes)

    def sums(self, values: NDArray[Any]) -> IntArray:
        """Sum over the atoms of each ring.

        Args:
            values: One value for each of `atoms`.

        Returns:
            Sums, shape=(n_rings,).
        """
        if not len(self):
            return np.zeros(0, dtype=np.int64)
        return np.add.reduceat(values.astype(np.int64), self.offsets[:-1])

    def counts(self, wanted: BoolArray, n_atoms: int) -> IntArray:
        """Number of wanted rings through each atom.

        Args:
            wanted: Whether a ring counts, shape=(n_rings,).
            n_atoms: Atoms of the batch.

        Returns:
            Counts, shape=(n_atoms,).
        """
        return np.bincount(self.atoms[self.spread(wanted)], minlength=n_atoms)

    def holds_edges(self, wanted: BoolArray, batch: GraphBatch) -> BoolArray:
        """Whether the bond of each edge lies in a wanted ring.

        Args:
            wanted: Whether a ring counts, shape=(n_rings,).
            batch: The molecules.

        Returns:
            True for both edges of such bonds, shape=(n_edges,).
        """
        found = np.zeros(len(batch.targets), dtype=bool)
        edges = self.edges[self.spread(wanted)]
        found[edges] = found[batch.reverses[edges]] = True
        return found


def perceive_rings(batch: GraphBatch) -> Rings:
    """All chordless cycles of 3 to 10 atoms over carbon with at least 3 neighbours, O and S with at least 2, N and P.

    Args:
        batch: The molecules.

    Returns:
        The rings, in no order that means anything.

    Example:
        >>> from ffshare.molecules import from_smiles
        >>> sorted(perceive_rings(from_smiles("C1CC2CC1CC2")).sizes.tolist())
        [5, 5, 6]
    """
    eligible = _eligible(batch)
    given = _rings(batch, batch.ring_atoms, batch.ring_offsets)
    if not len(given):
        return given
    bonds = np.minimum(given.edges, batch.reverses[given.edges])
    needs_search = _not_a_tree(given, bonds, len(batch.targets))
    kept = ~needs_search & (given.sums(~eligible[given.atoms]) == 0) & (given.sizes <= LARGEST)
    atoms, sizes = [given.atoms[given.spread(kept)]], [given.sizes[kept]]
    if needs_search.any():
        searched = np.unique(bonds[given.spread(needs_search)])
        ends = np.stack([batch.sources[searched], batch.targets[searched]], axis=1)
        for cycles in _searched(ends[eligible[ends].all(axis=1)]):
            atoms.append(cycles.ravel())
            sizes.append(np.full(len(cycles), cycles.shape[1]))
    return _rings(batch, np.concatenate(atoms), offsets_of(np.concatenate(sizes)))


def _rings(batch: GraphBatch, atoms: IntArray, offsets: IntArray) -> Rings:
    following = np.roll(atoms, -1)
    following[offsets[1:] - 1] = atoms[offsets[:-1]]
    return Rings(atoms=atoms, edges=batch.find_edges(atoms, following), offsets=offsets)


def _eligible(batch: GraphBatch) -> BoolArray:
    fewest = np.full(256, 127)
    fewest[[6, 7, 8, 15, 16]] = 3, 0, 2, 0, 2
    found: BoolArray = batch.degrees >= fewest[batch.elements]
    return found


def _not_a_tree(rings: Rings, bonds: IntArray, n_edges: int) -> BoolArray:
    """Whether the component of each ring is no tree of rings and shared bonds."""
    is_shared = np.bincount(bonds, minlength=n_edges)[bonds] > 1
    if not is_shared.any():
        return np.zeros(len(rings), dtype=bool)
    shared, bond_nodes = np.unique(bonds[is_shared], return_inverse=True)
    ring_nodes = rings.spread(np.arange(len(rings)))[is_shared]
    n_nodes = len(rings) + len(shared)
    lines = (np.ones(len(ring_nodes)), (ring_nodes, bond_nodes + len(rings)))
    graph = sparse.coo_array(lines, shape=(n_nodes, n_nodes)).tocsr()
    n_components, component = sparse.csgraph.connected_components(graph, directed=False)
    n_nodes_of = np.bincount(component, minlength=n_components)
    n_lines_of = np.bincount(component[ring_nodes], minlength=n_components)
    found: BoolArray = (n_lines_of != n_nodes_of - 1)[component[: len(rings)]]
    return found


class _Systems:
    """The graph to be searched: atoms numbered anew, neighbours, and distances within each connected part."""

    def __init__(self, bonds: IntArray) -> None:
        self.atoms, ends = np.unique(bonds, return_inverse=True)
        n_atoms, ends = len(self.atoms), ends.reshape(-1, 2)
        both_ways = np.concatenate([ends, ends[:, ::-1]])
        both_ways = both_ways[np.lexsort((both_ways[:, 1], both_ways[:, 0]))]
        self.sources, self.targets = both_ways[:, 0], both_ways[:, 1]
        self.degrees = np.bincount(self.sources, minlength=n_atoms)
        self.row_offsets = offsets_of(self.degrees)
        ones = np.ones(len(self.sources), dtype=np.int8)
        graph = sparse.coo_array((ones, (self.sources, self.targets)), shape=(n_atoms, n_atoms)).tocsr()
        component = sparse.csgraph.connected_components(graph, directed=False)[1]
        self._distances = self._all_distances(component)

    def _all_distances(self, component: IntArray) -> NDArray[np.int8]:
        """Distances in bonds up to half a ring, more than any ring beyond: a square for each component, all in one."""
        order = np.argsort(component, kind="stable")
        sizes = np.bincount(component)
        self._ranks = np.empty(len(component), dtype=np.int64)
        self._ranks[order] = ranks_in_rows(sizes)
        self._squares = (offsets_of(sizes**2)[:-1])[component]
        self._sizes = sizes[component]
        distances = np.full(int((sizes**2).sum()), LARGEST + 1, dtype=np.int8)
        first = last = np.arange(len(component))
        distances[self._places(first, last)] = 0
        for distance in range(1, LARGEST // 2 + 1):
            first, last = np.repeat(first, self.degrees[last]), self.neighbours(last)
            places, unique = np.unique(self._places(first, last), return_index=True)
            unique = unique[distances[places] > LARGEST]
            first, last = first[unique], last[unique]
            distances[self._places(first, last)] = distance
        return distances

    def _places(self, first: IntArray, second: IntArray) -> IntArray:
        found: IntArray = self._squares[first] + self._ranks[first] * self._sizes[first] + self._ranks[second]
        return found

    def distances(self, first: IntArray, second: IntArray) -> NDArray[np.int8]:
        """Bonds between pairs of atoms of one component."""
        return self._distances[self._places(first, second)]

    def neighbours(self, atoms: IntArray) -> IntArray:
        """The neighbours of all given atoms, one after another."""
        degrees = self.degrees[atoms]
        found: IntArray = self.targets[np.repeat(self.row_offsets[atoms], degrees) + ranks_in_rows(degrees)]
        return found


def _searched(bonds: IntArray) -> list[IntArray]:
    """Chordless cycles of a graph given by its bonds, shape=(n_cycles, size) for each portion and size."""
    if not len(bonds):
        return []
    systems = _Systems(bonds)
    is_start = systems.sources < systems.targets
    starts = np.stack([systems.sources[is_start], systems.targets[is_start]], axis=1)
    found = []
    for begin in range(0, len(starts), _PORTION):
        paths = starts[begin : begin + _PORTION]
        while len(paths) and paths.shape[1] < LARGEST:
            paths, cycles = _grown(systems, paths)
            found.append(systems.atoms[cycles])
    return found


def _grown(systems: _Systems, paths: IntArray) -> tuple[IntArray, IntArray]:
    """Chordless paths one atom longer, and the cycles that this atom closes.

    The first atom of a path is its lowest; of the two ways round a cycle the one with the lower second atom is kept.
    """
    added = systems.neighbours(paths[:, -1])
    paths = np.repeat(paths, systems.degrees[paths[:, -1]], axis=0)
    chordless = (systems.distances(paths[:, 1:-1], added[:, None]) > 1).all(axis=1)
    allowed = chordless & (added > paths[:, 0])
    paths, added = paths[allowed], added[allowed]
    back = systems.distances(paths[:, 0], added)
    paths = np.concatenate([paths, added[:, None]], axis=1)
    closes = (back == 1) & (paths[:, 1] < added)
    goes_on = (back > 1) & (back <= LARGEST - paths.shape[1] + 1)
    return paths[goes_on], paths[closes]
