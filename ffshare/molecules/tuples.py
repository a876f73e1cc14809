"""The bonded tuples of a batch: angles, proper torsions, impropers, as edges and as atoms.

Every tuple hangs on edges that leave its inner atoms: an angle a–b–c on (b→a, b→c), a proper a–b–c–d on (b→a, c→d) and
the bond b–c, an improper on three edges of its centre. Tuples come once, in SMIRNOFF's canonical order: the first atom
of a bond, an angle or a proper is the lower one; the outer atoms of an improper ascend and its centre stands second.
"""

import numpy as np

from ffshare.molecules.graph import GraphBatch
from ffshare.molecules.ragged import IntArray, ranks_in_rows


def angle_edges(batch: GraphBatch) -> IntArray:
    """The two edges of each angle, which leave the central atom.

    Args:
        batch: The molecules.

    Returns:
        Edges to the lower and to the higher outer atom, shape=(n_angles, 2).

    Example:
        >>> from ffshare.molecules import molecule_from_smiles
        >>> batch = GraphBatch.from_molecules([molecule_from_smiles("O")])
        >>> angle_atoms(batch, angle_edges(batch)).tolist()
        [[1, 0, 2]]
    """
    edges = np.arange(len(batch.targets))
    n_following = batch.row_offsets[batch.sources + 1] - edges - 1
    first = np.repeat(edges, n_following)
    return np.stack([first, first + 1 + ranks_in_rows(n_following)], axis=1)


def proper_edges(batch: GraphBatch) -> IntArray:
    """The three edges of each proper torsion a–b–c–d.

    Args:
        batch: The molecules.

    Returns:
        Edges b→a, b→c and c→d with a < d, shape=(n_propers, 3). The path never closes: a and d differ.
    """
    degrees, central = batch.degrees, batch.bond_edges
    b, c = batch.sources[central], batch.targets[central]
    n_b, n_c = degrees[b] - 1, degrees[c] - 1
    counts = n_b * n_c
    ranks = ranks_in_rows(counts)
    rank_b, rank_c = np.divmod(ranks, np.repeat(n_c, counts)) if len(ranks) else (ranks, ranks)
    to_c, to_b = np.repeat(central, counts), np.repeat(batch.reverses[central], counts)
    # Skip the edge of the central bond itself in each of the two rows.
    to_a = np.repeat(batch.row_offsets[b], counts) + rank_b
    to_a += to_a >= to_c
    to_d = np.repeat(batch.row_offsets[c], counts) + rank_c
    to_d += to_d >= to_b
    a, d = batch.targets[to_a], batch.targets[to_d]
    turned = a > d
    edges = np.stack(
        [np.where(turned, to_d, to_a), np.where(turned, to_b, to_c), np.where(turned, to_a, to_d)],
        axis=1,
    )
    open_paths: IntArray = edges[a != d]
    return open_paths


def improper_edges(batch: GraphBatch, centres: IntArray) -> IntArray:
    """The three edges of each way to choose three neighbours of a centre.

    Args:
        batch: The molecules.
        centres: Atoms to take as centres, shape=(n,).

    Returns:
        Edges that leave the centre, their targets ascending, shape=(n_impropers, 3).
    """
    counts = batch.degrees[centres]
    edges = np.repeat(batch.row_offsets[centres], counts) + ranks_in_rows(counts)
    ends = np.repeat(batch.row_offsets[centres + 1], counts)
    n_second = ends - edges - 1
    first, ends = np.repeat(edges, n_second), np.repeat(ends, n_second)
    second = first + 1 + ranks_in_rows(n_second)
    n_third = ends - second - 1
    third = np.repeat(second, n_third) + 1 + ranks_in_rows(n_third)
    return np.stack([np.repeat(first, n_third), np.repeat(second, n_third), third], axis=1)


def bond_atoms(batch: GraphBatch, edges: IntArray) -> IntArray:
    """Atoms of bonds given by their edges, shape=(n, 2) from shape=(n, 1)."""
    return np.stack([batch.sources[edges[:, 0]], batch.targets[edges[:, 0]]], axis=1)


def angle_atoms(batch: GraphBatch, edges: IntArray) -> IntArray:
    """Atoms of angles given by their edges, shape=(n, 3) from shape=(n, 2)."""
    return np.stack([batch.targets[edges[:, 0]], batch.sources[edges[:, 0]], batch.targets[edges[:, 1]]], axis=1)


def proper_atoms(batch: GraphBatch, edges: IntArray) -> IntArray:
    """Atoms of proper torsions given by their edges, shape=(n, 4) from shape=(n, 3)."""
    sources, targets = batch.sources[edges], batch.targets[edges]
    return np.stack([targets[:, 0], sources[:, 0], targets[:, 1], targets[:, 2]], axis=1)


def improper_atoms(batch: GraphBatch, edges: IntArray) -> IntArray:
    """Atoms of impropers given by their edges, the centre second, shape=(n, 4) from shape=(n, 3)."""
    targets = batch.targets[edges]
    return np.stack([targets[:, 0], batch.sources[edges[:, 0]], targets[:, 1], targets[:, 2]], axis=1)
