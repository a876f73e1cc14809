"""Colour refinement: numbers for atoms and groups of atoms that do not depend on how atoms are numbered.

Every atom starts with a colour, a 64-bit key of what it is. A round gives it the key of its colour and of the bag of
its neighbours' colours, each with the bond that leads there,

    c'(a) = h(h(c(a)) + Σ_b h(h(c(b)) + order(a, b)))         (modulo 2^64, h: SplitMix64)

so that after r rounds equal colours mean equal surroundings up to r bonds. Once a round splits no class of atoms of a
connected part any further the part is stable, and its colours are those of that round, whatever else is in the batch.

Reference: Weisfeiler and Leman, A reduction of a graph to a canonical form, Nauchno-Technicheskaya Informatsiya 2
(1968) 12-16.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray, offsets_of, ranks_in_rows
from ffshare.records import doc, freeze_arrays, record
from ffshare.tying import splitmix64

Keys = NDArray[np.uint64]


@record
class Graph:
    """Nodes and their neighbours, as in `GraphBatch`: each bond is an edge in both directions."""

    row_offsets: IntArray = doc("first edge of each node, and the number of edges, shape=(n_nodes + 1,)")
    targets: IntArray = doc("node that an edge reaches, shape=(n_edges,)")
    orders: Keys = doc("what kind of bond an edge is, shape=(n_edges,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, row_offsets=np.int64, targets=np.int64, orders=np.uint64)

    @property
    def sources(self) -> IntArray:
        """Node that an edge leaves, shape=(n_edges,)."""
        return np.repeat(np.arange(len(self.row_offsets) - 1), np.diff(self.row_offsets))


def graph_of(batch: GraphBatch) -> Graph:
    """All atoms of a batch with their bonds."""
    return Graph(row_offsets=batch.row_offsets, targets=batch.targets, orders=batch.orders.astype(np.uint64))


def restricted(graph: Graph, kept: NDArray[np.bool_]) -> Graph:
    """The graph of some nodes, in their order, and of the edges between them.

    Args:
        graph: The graph.
        kept: Whether each node is kept, shape=(n_nodes,).

    Returns:
        A graph of kept.sum() nodes.
    """
    sources = graph.sources
    edges = kept[sources] & kept[graph.targets]
    places = np.cumsum(kept) - 1
    degrees = np.bincount(sources[edges], minlength=len(kept))[kept]
    return Graph(row_offsets=offsets_of(degrees), targets=places[graph.targets[edges]], orders=graph.orders[edges])


def reordered(graph: Graph, order: IntArray) -> Graph:
    """The graph with its nodes in another order.

    Args:
        graph: The graph.
        order: The nodes as they are to stand, shape=(n_nodes,).

    Returns:
        The graph whose node i is node order[i] of the given one.
    """
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    degrees = np.diff(graph.row_offsets)[order]
    edges = np.repeat(graph.row_offsets[order], degrees) + ranks_in_rows(degrees)
    return Graph(row_offsets=offsets_of(degrees), targets=places[graph.targets[edges]], orders=graph.orders[edges])


def runs(graph: Graph, starts: IntArray, counts: IntArray) -> Graph:
    """Runs of consecutive nodes side by side, each run a graph of its own, the same nodes perhaps several times.

    Args:
        graph: The graph.
        starts: First node of each run, which holds whole connected parts, shape=(n_runs,).
        counts: Number of nodes in each run, shape=(n_runs,).

    Returns:
        A graph of sum of counts nodes.
    """
    shifts = np.repeat(offsets_of(counts)[:-1] - starts, counts)
    nodes = np.arange(len(shifts)) - shifts
    degrees = np.diff(graph.row_offsets)[nodes]
    edges = np.repeat(graph.row_offsets[nodes], degrees) + ranks_in_rows(degrees)
    targets = graph.targets[edges] + np.repeat(shifts, degrees)
    return Graph(row_offsets=offsets_of(degrees), targets=targets, orders=graph.orders[edges])


def sequence_keys(columns: Iterable[NDArray[np.integer]]) -> Keys:
    """One key for the numbers in each row of some columns, their order told apart.

    Args:
        columns: Whole numbers, each of shape=(n,).

    Returns:
        Keys, shape=(n,).

    Example:
        >>> sequence_keys([np.array([1, 2]), np.array([2, 1])])
        array([18052532085852445535,  5252966289089180432], dtype=uint64)
    """
    first, *further = columns
    keys = splitmix64(first)
    for column in further:
        keys = splitmix64(keys + column.astype(np.uint64))
    return keys


def bag_keys(keys: Keys, rows: IntArray, n_rows: int) -> Keys:
    """One key for the keys in each row, whatever their order.

    Args:
        keys: Keys, shape=(n,).
        rows: Row of each, shape=(n,).
        n_rows: Number of rows.

    Returns:
        Keys, shape=(n_rows,).
    """
    sums = np.zeros(n_rows, dtype=np.uint64)
    np.add.at(sums, rows, splitmix64(keys))
    return splitmix64(sums)


def refined(colours: Keys, graph: Graph, n_rounds: int = 1) -> Keys:
    """The colours after some rounds.

    Args:
        colours: Colours of the nodes, shape=(n_nodes,).
        graph: Their bonds.
        n_rounds: How far to look, in bonds.

    Returns:
        New colours, shape=(n_nodes,).
    """
    for _ in range(n_rounds):
        own = splitmix64(colours)
        messages = splitmix64(own[graph.targets] + graph.orders)
        # Sums of rows as differences of running sums: modulo 2^64 nothing is lost.
        sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(messages)])
        colours = splitmix64(own + sums[graph.row_offsets[1:]] - sums[graph.row_offsets[:-1]])
    return colours


def stable_colours(colours: Keys, graph: Graph, parts: IntArray, n_parts: int) -> Keys:
    """The colours of the round after which the atoms of a part fall into no more classes.

    Args:
        colours: Colours to start with, shape=(n_nodes,).
        graph: The bonds.
        parts: Connected part of each node, shape=(n_nodes,).
        n_parts: Number of parts.

    Returns:
        Colours, shape=(n_nodes,).
    """
    found = n_classes(colours, parts, n_parts)
    while len(colours):
        following = refined(colours, graph)
        n_following = n_classes(following, parts, n_parts)
        growing = (n_following > found)[parts]
        if 2 * growing.sum() < len(growing):  # go on with the few that still change
            colours = colours.copy()
            colours[growing] = stable_colours(following[growing], restricted(graph, growing), parts[growing], n_parts)
            return colours
        colours, found = np.where(growing, following, colours), np.maximum(n_following, found)
    return colours


def class_sizes(colours: Keys, parts: IntArray) -> IntArray:
    """Number of nodes of the same part that have the colour of each node, shape=(n_nodes,)."""
    _, inverse, sizes = np.unique(sequence_keys([parts, colours]), return_inverse=True, return_counts=True)
    found: IntArray = sizes[inverse]
    return found


def n_classes(colours: Keys, parts: IntArray, n_parts: int) -> IntArray:
    """Number of colours in each part, shape=(n_parts,)."""
    _, firsts = np.unique(sequence_keys([parts, colours]), return_index=True)
    return np.bincount(parts[firsts], minlength=n_parts)
