"""RDKit molecules → plain arrays of their own atoms, bonds and rings.

This is the one place where the batch touches RDKit atoms, and fetching an atom costs more than all array work on it.
So bonds come as RDKit's adjacency matrix, hydrogens that are only implied are counted and not visited, and of the
atoms only those are fetched that are not plain
carbon: neutral, of valence four. The hydrogens of a plain carbon follow from its bonds.
"""

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np
from rdkit import Chem

from ffshare.molecules.prepare import MAY_BE_RADICAL
from ffshare.molecules.ragged import IntArray, offsets_of, ranks_in_rows
from ffshare.records import doc, record

_NOT_PLAIN_CARBON = Chem.MolFromSmarts("[!#6,!+0,!v4]")

_GETTERS: tuple[Callable[[Chem.Atom], int], ...] = (
    Chem.Atom.GetIdx,
    Chem.Atom.GetAtomicNum,
    Chem.Atom.GetFormalCharge,
    Chem.Atom.GetTotalNumHs,
    Chem.Atom.GetNumRadicalElectrons,
)

# Above this many atoms the adjacency matrix, whose size is the square, costs more than a walk over the bonds.
_LARGE = 200


@record
class Extracted:
    """Atoms, edges and rings of RDKit molecules, indices running over the atoms of all of them."""

    n_atoms: IntArray = doc("RDKit atoms of each molecule, shape=(n_molecules,)")
    atom_molecules: IntArray = doc("molecule of each atom, shape=(n_atoms,)")
    elements: IntArray = doc("atomic numbers, shape=(n_atoms,)")
    charges: IntArray = doc("formal charges [e], shape=(n_atoms,)")
    n_implied_hydrogens: IntArray = doc("hydrogens that are not atoms, shape=(n_atoms,)")
    sources: IntArray = doc("atom that an edge leaves, sorted, shape=(n_edges,)")
    targets: IntArray = doc("atom that an edge reaches, sorted within a source, shape=(n_edges,)")
    orders: IntArray = doc("twice the bond order, shape=(n_edges,)")
    ring_atoms: IntArray = doc("atoms of the SSSR rings, ring after ring, in the order round the ring")
    ring_sizes: IntArray = doc("size of each ring, shape=(n_rings,)")
    odd_molecules: IntArray = doc("molecules that need `mend`: dummies, radicals, bonds of odd kinds, shape=(n_odd,)")


def extract(molecules: Sequence[Chem.Mol]) -> Extracted:
    """The arrays of some molecules.

    Args:
        molecules: Sanitized RDKit molecules.

    Returns:
        Their atoms, edges and rings.
    """
    n_atoms: list[int] = []
    n_bonds: list[int] = []
    n_rings: list[int] = []
    ring_sizes: list[int] = []
    ring_atoms: list[int] = []
    n_special: list[int] = []
    special: dict[Callable[[Chem.Atom], int], list[int]] = {getter: [] for getter in _GETTERS}
    for molecule in molecules:
        n, bonds = molecule.GetNumAtoms(), molecule.GetNumBonds()
        rings = _sssr(molecule, bonds - n + 1)
        ring_sizes.extend(map(len, rings))
        ring_atoms.extend(chain.from_iterable(rings))
        not_plain = molecule.GetSubstructMatches(_NOT_PLAIN_CARBON, uniquify=False, maxMatches=n)
        # Only numbers are kept: a million live tuples and atoms would keep the garbage collector busy.
        atoms = [molecule.GetAtomWithIdx(idx) for (idx,) in not_plain]
        for getter, values in special.items():
            values.extend(map(getter, atoms))
        n_rings.append(len(rings))
        n_special.append(len(atoms))
        n_atoms.append(n)
        n_bonds.append(bonds)
    counts = np.array(n_atoms, dtype=np.int64)
    starts = np.cumsum(counts) - counts
    atom_molecules = np.repeat(np.arange(len(counts)), counts)
    sources, targets, orders = _edges(molecules, counts, starts)
    idxs, atomic_numbers, formal_charges, hydrogens, radicals = map(np.array, special.values())
    places = idxs.astype(np.int64) + np.repeat(starts, n_special)
    elements, charges = np.full(len(atom_molecules), 6), np.zeros(len(atom_molecules), dtype=np.int64)
    implied = _hydrogens_of_carbon(sources, orders, len(elements))
    elements[places] = atomic_numbers
    charges[places] = formal_charges
    implied[places] = hydrogens
    odd_atoms = places[(elements[places] == 0) | ((radicals > 0) & ~MAY_BE_RADICAL[elements[places]])]
    n_edges = np.bincount(atom_molecules[sources], minlength=len(counts))
    sizes = np.array(ring_sizes, dtype=np.int64)
    ring_places = np.array(ring_atoms, dtype=np.int64) + np.repeat(np.repeat(starts, n_rings), sizes)
    outside_rings = np.ones(len(elements), dtype=bool)
    outside_rings[ring_places] = False
    odd_atoms = np.concatenate([odd_atoms, sources[(orders == 3) & outside_rings[sources]]])
    odd_bonds = n_edges != 2 * np.array(n_bonds, dtype=np.int64)
    return Extracted(
        n_atoms=counts,
        atom_molecules=atom_molecules,
        elements=elements,
        charges=charges,
        n_implied_hydrogens=implied,
        sources=sources,
        targets=targets,
        orders=orders,
        ring_atoms=ring_places,
        ring_sizes=sizes,
        odd_molecules=np.union1d(atom_molecules[odd_atoms], np.flatnonzero(odd_bonds)),
    )


def _hydrogens_of_carbon(sources: IntArray, orders: IntArray, n_atoms: int) -> IntArray:
    """Hydrogens that each atom would imply if it were a neutral carbon of valence four."""
    aromatic = np.bincount(sources[orders == 3], minlength=n_atoms) > 0
    bond_sums = np.bincount(sources, weights=orders, minlength=n_atoms) / 2
    # An aromatic carbon has three neighbours, whichever of its bonds is the double one.
    return np.where(aromatic, 3 - np.bincount(sources, minlength=n_atoms), 4 - bond_sums).astype(np.int64)


def _sssr(molecule: Chem.Mol, fewest: int) -> tuple[tuple[int, ...], ...]:
    """The rings of the SSSR.

    Sanitizing leaves the symmetrized set, which has more rings than the cyclomatic number where rings of one size
    can stand in for each other; openff-toolkit then matches against the plain SSSR, and so do we.
    """
    rings: tuple[tuple[int, ...], ...] = molecule.GetRingInfo().AtomRings()
    if len(rings) > fewest:
        Chem.GetSSSR(molecule)
        rings = molecule.GetRingInfo().AtomRings()
    return rings


def _edges(molecules: Sequence[Chem.Mol], counts: IntArray, starts: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Sources, targets and doubled orders of the edges of all molecules, sorted."""
    small = counts <= _LARGE
    matrices = [
        Chem.GetAdjacencyMatrix(molecule, True, 0, True).ravel()
        for molecule, is_small in zip(molecules, small.tolist(), strict=True)
        if is_small
    ]
    entries = np.concatenate(matrices) if matrices else np.zeros(0)
    places = np.flatnonzero(entries)
    # One matrix row an atom: the flat place gives the row, and the rest within the row is the neighbour.
    row_lengths = np.repeat(counts[small], counts[small])
    rows = offsets_of(row_lengths)
    sources = np.repeat(np.arange(len(row_lengths)), row_lengths)[places]
    small_atoms = np.repeat(starts[small], counts[small]) + ranks_in_rows(counts[small])
    targets = places - rows[sources] + np.repeat(starts[small], counts[small])[sources]
    edges = [(small_atoms[sources], targets, (2 * entries[places]).astype(np.int64))]
    edges += [_walked_edges(molecules[idx], int(starts[idx])) for idx in np.flatnonzero(~small).tolist()]
    joined = [np.concatenate(parts) for parts in zip(*edges, strict=True)]
    if len(edges) > 1:
        order = np.lexsort((joined[1], joined[0]))
        joined = [part[order] for part in joined]
    return joined[0], joined[1], joined[2]


def _walked_edges(molecule: Chem.Mol, start: int) -> tuple[IntArray, IntArray, IntArray]:
    bonds = [
        (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), bond.GetBondTypeAsDouble())
        for bond in molecule.GetBonds()
        if bond.GetBondType() != Chem.BondType.DATIVE and bond.GetBondTypeAsDouble() > 0
    ]
    table = np.array(bonds, dtype=np.float64).reshape(-1, 3)
    first, second = table[:, 0].astype(np.int64) + start, table[:, 1].astype(np.int64) + start
    orders = (2 * table[:, 2]).astype(np.int64)
    return np.concatenate([first, second]), np.concatenate([second, first]), np.concatenate([orders, orders])
