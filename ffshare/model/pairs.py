"""Pairs of atoms that van der Waals and electrostatic energies act on.

Within a molecule every pair interacts but those that one or two bonds divide; those that three bonds divide on the
shortest way (1-4 pairs) are scaled. There is no cut-off.
"""

import numpy as np
from numpy.typing import NDArray

from ffshare.model.terms import Terms
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray, offsets_of, ranks_in_rows
from ffshare.molecules.tuples import angle_atoms, angle_edges, proper_atoms, proper_edges
from ffshare.records import doc, freeze_arrays, record


@record
class Pairs:
    """The pairs of atoms of a batch that interact."""

    terms: Terms = doc("the pairs, the lower atom first, in the order of their atoms within a molecule")
    is_14: NDArray[np.bool_] = doc("whether three bonds divide the two, shape=(n_pairs,)")

    def __post_init__(self) -> None:
        freeze_arrays(self, is_14=np.bool_)


def interacting_pairs(batch: GraphBatch) -> Pairs:
    """The pairs of atoms that three bonds or more divide.

    Args:
        batch: The molecules.

    Returns:
        The pairs; two molecules do not interact.

    Example:
        >>> import ffshare
        >>> pairs = interacting_pairs(ffshare.from_smiles("CC"))
        >>> len(pairs.terms), int(pairs.is_14.sum())
        (9, 9)
    """
    # Atom a owns the pairs with the later atoms of its molecule.
    n_later = batch.atom_offsets[batch.atom_molecules + 1] - np.arange(batch.n_atoms) - 1
    starts = offsets_of(n_later)
    first = np.repeat(np.arange(batch.n_atoms), n_later)
    second = first + 1 + ranks_in_rows(n_later)

    def places(ends: IntArray) -> IntArray:
        low, high = ends.min(axis=1), ends.max(axis=1)
        found: IntArray = starts[low] + high - low - 1
        return found

    bonds_between = np.full(len(first), 4)
    bonds_between[places(proper_atoms(batch, proper_edges(batch))[:, [0, 3]])] = 3
    # In small rings two atoms are reached in several ways; the shortest counts.
    bonds_between[places(angle_atoms(batch, angle_edges(batch))[:, [0, 2]])] = 2
    bonds_between[places(batch.bonds)] = 1
    kept = bonds_between > 2
    atoms = np.stack([first[kept], second[kept]], axis=1)
    terms = Terms(form="length", atom_idxs=atoms, molecule_idxs=batch.atom_molecules[atoms[:, 0]])
    return Pairs(terms=terms, is_14=bonds_between[kept] == 3)
