"""Which atoms and which pairs of atoms of a molecule are equivalent, and a key that names the molecule.

A molecule here is a connected part: of a salt each ion is one. Stereochemistry and isotopes do not count; elements,
charges and bonds (orders as read, aromatic ones alike) do.

Stable colours (`refine`) tell most inequivalent atoms apart, yet not all: they see neither which way round a ring goes
nor decalin from bicyclopentyl. So each atom is *marked* in turn, and refinement runs again for `N_ROUNDS` rounds. The
bag of colours that follow is the atom's own new colour, and the colour of each other atom says how it lies to the
marked one: of the ring carbons of naphthalene that are three bonds from C1, C4 and C5 then differ.

Atoms with a stable colour of their own cannot be exchanged for another, and all atoms of a class are bonded to such
an atom or none is. So they are left out, the rest falls apart into small fragments, which permute independently, and
marks are needed within fragments only: in a drug for the sides of its phenyl rings.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ffshare.assign.controls.refine import (
    Graph,
    Keys,
    bag_keys,
    class_sizes,
    graph_of,
    n_classes,
    refined,
    reordered,
    restricted,
    runs,
    sequence_keys,
    stable_colours,
)
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray, offsets_of, ranks_in_rows
from ffshare.records import doc, freeze_arrays, record

# How far the news of a mark travels, in bonds: once round a ring of 32.
N_ROUNDS = 16
# A fragment of so many atoms that can all be exchanged is a symmetric polymer; its atoms are not marked.
_MOST_MARKED = 1000
# Marked copies are worked on so many atoms at a time, to bound memory.
_ATOMS_AT_A_TIME = 500_000


@record
class Symmetry:
    """Equivalence of the atoms of a batch, connected molecule by connected molecule.

    Law: renumbering atoms permutes `ranks` and `colours` with them and changes no entry, nor what `lie_of` says.
    Equivalent atoms are never told apart. Others could be taken for equivalent only if marks and refinement did not see
    the difference, which no molecule is known to show but a symmetric polymer of more than a thousand atoms.
    """

    molecules: IntArray = doc("connected molecule of each atom, shape=(n_atoms,)")
    molecule_keys: Keys = doc("key of each connected molecule, equal for equal ones, shape=(n_connected,)")
    ranks: IntArray = doc("class of each atom in its molecule, from 1, hydrogens last, shape=(n_atoms,)")
    colours: Keys = doc("key of the class of each atom, shape=(n_atoms,)")
    fragments: IntArray = doc("fragment of exchangeable atoms that holds the atom, −1: none, shape=(n_atoms,)")
    row_starts: IntArray = doc("where the pairs of an atom with its fragment start, shape=(n_atoms,)")
    places: IntArray = doc("place of an atom in its fragment, shape=(n_atoms,)")
    pair_colours: Keys = doc("colours of the atoms of a fragment for each of its atoms marked")

    def __post_init__(self) -> None:
        integers = dict.fromkeys(("molecules", "ranks", "fragments", "row_starts", "places"), np.int64)
        freeze_arrays(self, **integers, molecule_keys=np.uint64, colours=np.uint64, pair_colours=np.uint64)

    def lie_of(self, atoms: IntArray, marked: IntArray) -> Keys:
        """How some atoms lie to others of their molecule.

        Args:
            atoms: Atoms, any shape.
            marked: Other atoms, to which they lie, same shape.

        Returns:
            Keys of the same shape: two atoms have the same one if they can be exchanged while the marked one stays.
        """
        together = (self.fragments[atoms] == self.fragments[marked]) & (self.fragments[atoms] >= 0)
        found = self.colours[atoms]
        found[together] = self.pair_colours[self.row_starts[marked[together]] + self.places[atoms[together]]]
        return found


def symmetry(batch: GraphBatch) -> Symmetry:
    """The equivalence of the atoms of a batch.

    Args:
        batch: The molecules.

    Returns:
        Their symmetry.

    Example:
        >>> from ffshare.molecules import from_smiles
        >>> found = symmetry(from_smiles("CCO", "OCC"))
        >>> found.ranks.tolist()
        [2, 1, 3, 4, 4, 4, 5, 5, 6, 3, 1, 2, 6, 5, 5, 4, 4, 4]
    """
    graph = graph_of(batch)
    n_molecules, molecules = _parts(graph)
    colours = _closed_colours(sequence_keys([batch.elements, batch.charges]), graph, molecules, n_molecules)
    marked = _marked(colours, graph, molecules)
    return Symmetry(
        molecules=molecules,
        molecule_keys=bag_keys(colours, molecules, n_molecules),
        ranks=_ranks(molecules, batch.elements == 1, colours),
        colours=colours,
        fragments=_spread(batch.n_atoms, marked.atoms, marked.fragments, otherwise=-1),
        row_starts=_spread(batch.n_atoms, marked.atoms, offsets_of(marked.rows)[:-1]),
        places=_spread(batch.n_atoms, marked.atoms, ranks_in_rows(marked.sizes)),
        pair_colours=marked.colours,
    )


def molecule_keys(batch: GraphBatch) -> list[str]:
    """The key of each connected molecule of a batch, in the order of their first atoms.

    Args:
        batch: The molecules.

    Returns:
        Keys of 16 hexadecimal digits, as they stand before the colon in the ids of `UntiedScheme`.

    Example:
        >>> from ffshare.molecules import from_smiles
        >>> molecule_keys(from_smiles("CCO", "OCC", "[Na+].[Cl-]"))
        ['7d2be826277b8011', '7d2be826277b8011', 'd3faf4177d6693e4', 'faa4045dfe344411']
    """
    return [f"{key:016x}" for key in symmetry(batch).molecule_keys.tolist()]


def _parts(graph: Graph) -> tuple[int, IntArray]:
    n_nodes = len(graph.row_offsets) - 1
    if not n_nodes:
        return 0, np.zeros(0, dtype=np.int64)
    matrix = sparse.csr_array(
        (np.ones(len(graph.targets), dtype=np.int8), graph.targets, graph.row_offsets), shape=(n_nodes, n_nodes)
    )
    n_parts, parts = connected_components(matrix, directed=False)
    return int(n_parts), parts.astype(np.int64)


@record
class _Marked:
    """Fragments of exchangeable atoms, and how their atoms lie to each other."""

    atoms: IntArray = doc("the atoms, fragment after fragment, shape=(n,)")
    fragments: IntArray = doc("fragment of each, ascending, shape=(n,)")
    sizes: IntArray = doc("number of atoms of each fragment, shape=(n_fragments,)")
    colours: Keys = doc("colours of the atoms of its fragment while each atom is marked, one row after another")

    @property
    def rows(self) -> IntArray:
        """Length of the row of each atom, shape=(n,)."""
        return self.sizes[self.fragments]


def _closed_colours(colours: Keys, graph: Graph, molecules: IntArray, n_molecules: int) -> Keys:
    """Colours that neither refinement nor marks split further."""
    colours = stable_colours(colours, graph, molecules, n_molecules)
    marked = _marked(colours, graph, molecules)
    bags = np.zeros(len(colours), dtype=np.uint64)
    bags[marked.atoms] = bag_keys(marked.colours, np.repeat(np.arange(len(marked.rows)), marked.rows), len(marked.rows))
    further = sequence_keys([colours, bags])
    n_before, n_after = (n_classes(found, molecules, n_molecules) for found in (colours, further))
    growing = (n_after > n_before)[molecules]
    if growing.any():
        further[growing] = _closed_colours(
            further[growing], restricted(graph, growing), molecules[growing], n_molecules
        )
    return further


def _marked(colours: Keys, graph: Graph, molecules: IntArray) -> _Marked:
    """The colours that follow where each exchangeable atom in turn is marked."""
    kept = class_sizes(colours, molecules) > 1
    exchangeable = np.flatnonzero(kept)
    n_fragments, fragments = _parts(restricted(graph, kept))
    sizes = np.bincount(fragments, minlength=n_fragments)
    chosen = (sizes[fragments] > 1) & (sizes[fragments] <= _MOST_MARKED)
    kept[exchangeable[~chosen]] = False
    # In the order of their fragments, so that each is a run of atoms.
    order = np.argsort(fragments[chosen], kind="stable")
    atoms = exchangeable[chosen][order]
    _, numbers, sizes = np.unique(fragments[chosen][order], return_inverse=True, return_counts=True)
    found = _marked_colours(colours[atoms], reordered(restricted(graph, kept), order), numbers, sizes)
    return _Marked(atoms=atoms, fragments=numbers, sizes=sizes, colours=found)


def _marked_colours(colours: Keys, graph: Graph, fragments: IntArray, sizes: IntArray) -> Keys:
    """For each node in turn the colours of the nodes of its fragment while it is marked, one row after another."""
    starts, counts = offsets_of(sizes)[fragments], sizes[fragments]
    ends = offsets_of(counts)
    found = [np.zeros(0, dtype=np.uint64)]
    first = 0
    while first < len(counts):
        last = max(first + 1, int(np.searchsorted(ends, ends[first] + _ATOMS_AT_A_TIME, side="right")) - 1)
        lengths, firsts = counts[first:last], starts[first:last]
        nodes = np.repeat(firsts, lengths) + ranks_in_rows(lengths)
        is_marked = nodes == np.repeat(np.arange(first, last), lengths)
        begun = colours[nodes] + is_marked.astype(np.uint64)
        found.append(refined(begun, runs(graph, firsts, lengths), N_ROUNDS))
        first = last
    return np.concatenate(found)


def _ranks(molecules: IntArray, last: IntArray, colours: Keys) -> IntArray:
    """Number of each atom's class among those of its molecule, from 1."""
    order = np.lexsort((colours, last, molecules))
    new_molecule = np.diff(molecules[order], prepend=-1) != 0
    new_class = new_molecule | (np.diff(colours[order], prepend=np.uint64(0)) != 0)
    numbers = np.cumsum(new_class)
    firsts = numbers[new_molecule]
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = numbers - np.repeat(firsts, np.diff(np.flatnonzero(np.append(new_molecule, True)))) + 1
    return ranks


def _spread(n_atoms: int, atoms: IntArray, values: IntArray, otherwise: int = 0) -> IntArray:
    spread_out = np.full(n_atoms, otherwise, dtype=np.int64)
    spread_out[atoms] = values
    return spread_out
