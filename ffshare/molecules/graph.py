"""Many molecules as flat arrays: `GraphBatch`.

Atoms of all molecules stand one after another, those of molecule i at ``atom_offsets[i]:atom_offsets[i + 1]``. Bonds
are held once in `bonds` and twice as *edges*, one in each direction, sorted by source and target, so that the
neighbours of atom a are ``targets[row_offsets[a]:row_offsets[a + 1]]``. All hydrogens are atoms; those that an RDKit
molecule only implies follow its own atoms in the order in which RDKit's `AddHs` would append them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from ffshare.molecules.entries import Failure
from ffshare.molecules.extract import Extracted, extract
from ffshare.molecules.prepare import mend
from ffshare.molecules.ragged import IntArray, offsets_of, ranks_in_rows
from ffshare.records import doc, freeze_arrays, record


@record
class GraphBatch:
    """Molecules with explicit hydrogens and MDL aromaticity as arrays. Picklable.

    Rings are those of RDKit's SSSR. Fields that few patterns ask for (valence, isotope, hybridization) are not held:
    ask `explicit_molecule` for them.
    """

    molecules: tuple[Chem.Mol, ...] = doc("RDKit molecules the batch was made from, hydrogens perhaps implicit")
    names: tuple[str, ...] = doc("names of the molecules, '' where they have none")
    input_idxs: IntArray = doc("position of each molecule in the user's input, shape=(n_molecules,)")
    atom_offsets: IntArray = doc("first atom of each molecule, and the number of atoms, shape=(n_molecules + 1,)")
    atom_molecules: IntArray = doc("molecule of each atom, shape=(n_atoms,)")
    elements: NDArray[np.int64] = doc("atomic numbers, shape=(n_atoms,)")
    charges: NDArray[np.int64] = doc("formal charges [e], shape=(n_atoms,)")
    aromatic: NDArray[np.bool_] = doc("MDL aromaticity, shape=(n_atoms,)")
    n_hydrogens: IntArray = doc("hydrogen neighbours, shape=(n_atoms,)")
    n_rings: IntArray = doc("SSSR rings through the atom, shape=(n_atoms,)")
    min_ring_sizes: IntArray = doc("size of the smallest SSSR ring through the atom, 0 outside rings, shape=(n_atoms,)")
    n_ring_bonds: IntArray = doc("ring bonds of the atom, shape=(n_atoms,)")
    row_offsets: IntArray = doc("first edge of each atom, and the number of edges, shape=(n_atoms + 1,)")
    sources: IntArray = doc("atom that an edge leaves, sorted, shape=(n_edges,)")
    targets: IntArray = doc("atom that an edge reaches, sorted within a source, shape=(n_edges,)")
    reverses: IntArray = doc("the edge of the same bond in the other direction, shape=(n_edges,)")
    orders: IntArray = doc("twice the bond order, 3 for an aromatic bond, shape=(n_edges,)")
    in_ring: NDArray[np.bool_] = doc("whether the bond of the edge is in a ring, shape=(n_edges,)")
    ring_atoms: IntArray = doc("atoms of the SSSR rings, ring after ring, in the order round the ring")
    ring_offsets: IntArray = doc("start of each ring in ring_atoms, and the end, shape=(number of rings + 1,)")
    bond_edges: IntArray = doc("edge from the lower to the higher atom of each bond, shape=(n_bonds,)")
    degrees: IntArray = doc("number of neighbours of each atom, shape=(n_atoms,)")
    failures: tuple[Failure, ...] = doc("inputs of the same part of the file that gave no molecule", default=())
    explicit: dict[int, Chem.Mol] = doc("cache of `explicit_molecule`", repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        integers = (
            "input_idxs atom_offsets atom_molecules elements charges n_hydrogens n_rings min_ring_sizes n_ring_bonds "
            "degrees row_offsets sources targets reverses orders ring_atoms ring_offsets bond_edges"
        )
        freeze_arrays(self, **dict.fromkeys(integers.split(), np.int64), aromatic=np.bool_, in_ring=np.bool_)

    @classmethod
    def from_molecules(
        cls,
        molecules: Sequence[Chem.Mol],
        names: Sequence[str] | None = None,
        input_idxs: Sequence[int] | None = None,
        failures: Sequence[Failure] = (),
    ) -> "GraphBatch":
        """The batch of some RDKit molecules that were read by `ffshare.molecules`.

        Args:
            molecules: Sanitized molecules with MDL aromaticity, as `molecule_from_smiles` makes them.
            names: A name for each; '' by default.
            input_idxs: Position of each in the user's input; 0, 1, … by default.
            failures: Inputs that gave no molecule.

        Returns:
            The batch.

        Raises:
            MoleculeError: A molecule holds dummy atoms, unpaired electrons or bonds of no order.

        Example:
            >>> from ffshare.molecules import molecule_from_smiles
            >>> batch = GraphBatch.from_molecules([molecule_from_smiles("CO")])
            >>> batch.n_atoms, batch.n_bonds, batch.elements.tolist()
            (6, 5, [6, 8, 1, 1, 1, 1])
        """
        molecules = list(molecules)
        extracted = extract(molecules)
        if len(extracted.odd_molecules):
            for idx in extracted.odd_molecules.tolist():
                molecules[idx] = mend(molecules[idx])
            extracted = extract(molecules)
        return cls(
            molecules=tuple(molecules),
            names=tuple(names) if names is not None else ("",) * len(molecules),
            input_idxs=np.arange(len(molecules)) if input_idxs is None else np.asarray(input_idxs),
            failures=tuple(failures),
            **_arrays(extracted),
        )

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} inputs failed" if self.failures else ""
        return f"GraphBatch({self.n_molecules} molecules, {self.n_atoms} atoms, {self.n_bonds} bonds{failed})"

    @property
    def n_molecules(self) -> int:
        """Number of molecules."""
        return len(self.molecules)

    @property
    def n_atoms(self) -> int:
        """Number of atoms, hydrogens included."""
        return len(self.elements)

    @property
    def n_bonds(self) -> int:
        """Number of bonds."""
        return len(self.bond_edges)

    @property
    def bonds(self) -> IntArray:
        """Atoms of each bond, the lower one first, shape=(n_bonds, 2)."""
        return np.stack([self.sources[self.bond_edges], self.targets[self.bond_edges]], axis=1)

    def local_idxs(self, atoms: IntArray) -> IntArray:
        """Indices of atoms within their molecules.

        Args:
            atoms: Indices into the atoms of the batch, any shape.

        Returns:
            Indices from 0 within each molecule, same shape.
        """
        return atoms - self.atom_offsets[self.atom_molecules[atoms]]

    def find_edges(self, sources: IntArray, targets: IntArray) -> IntArray:
        """The edge between each pair of atoms.

        Args:
            sources: Atoms that the edges leave, shape=(n,).
            targets: Atoms that they reach, shape=(n,).

        Returns:
            Index of the edge, or −1 where the two are not bonded, shape=(n,).
        """
        found = np.full(len(sources), -1, dtype=np.int64)
        if not len(sources) or not len(self.targets):
            return found
        starts, degrees = self.row_offsets[sources], self.degrees[sources]
        last = len(self.targets) - 1
        for rank in range(int(degrees.max())):
            edges = np.minimum(starts + rank, last)
            hit = (rank < degrees) & (self.targets[edges] == targets)
            found[hit] = edges[hit]
        return found

    def explicit_molecule(self, molecule_idx: int) -> Chem.Mol:
        """One molecule as RDKit sees it when it matches: explicit hydrogens, SSSR rings, cleaned stereochemistry.

        Atom i of it is atom ``atom_offsets[molecule_idx] + i`` of the batch.

        Args:
            molecule_idx: Index into the molecules of the batch.

        Returns:
            An RDKit molecule; do not change it.
        """
        molecule = self.explicit.get(molecule_idx)
        if molecule is None:
            molecule = Chem.AddHs(self.molecules[molecule_idx])
            Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)
            Chem.GetSSSR(molecule)
            self.explicit[molecule_idx] = molecule
        return molecule


def _arrays(given: Extracted) -> dict[str, Any]:
    """The arrays of a batch from those of its RDKit atoms, implied hydrogens appended to each molecule."""
    n_given, n_implied = len(given.elements), given.n_implied_hydrogens
    n_molecules = len(given.n_atoms)
    implied_of = np.bincount(given.atom_molecules, weights=n_implied, minlength=n_molecules).astype(np.int64)
    atom_offsets = offsets_of(given.n_atoms + implied_of)
    n_atoms = int(atom_offsets[-1])
    # Where the given atoms and the implied hydrogens stand among all atoms.
    places = atom_offsets[given.atom_molecules] + ranks_in_rows(given.n_atoms)
    parents = np.repeat(places, n_implied)
    hydrogens = np.repeat(atom_offsets[:-1] + given.n_atoms, implied_of) + ranks_in_rows(implied_of)

    def spread(values: IntArray, of_hydrogens: int = 0) -> IntArray:
        spread_out = np.full(n_atoms, of_hydrogens, dtype=np.int64)
        spread_out[places] = values
        return spread_out

    elements = spread(given.elements, of_hydrogens=1)
    given_degrees = np.bincount(given.sources, minlength=n_given)
    degrees = spread(given_degrees + n_implied, of_hydrogens=1)
    row_offsets = offsets_of(degrees)
    # An edge's place: the start of its source's row and its rank there. Implied hydrogens come last in a row.
    edge_places = row_offsets[places[given.sources]] + ranks_in_rows(given_degrees)
    to_hydrogen = row_offsets[parents] + np.repeat(given_degrees, n_implied) + ranks_in_rows(n_implied)
    from_hydrogen = row_offsets[hydrogens]
    n_edges = int(row_offsets[-1])
    sources = np.repeat(np.arange(n_atoms), degrees)
    targets, orders = np.empty(n_edges, dtype=np.int64), np.full(n_edges, 2, dtype=np.int64)
    targets[edge_places], orders[edge_places] = places[given.targets], given.orders
    targets[to_hydrogen], targets[from_hydrogen] = hydrogens, parents
    # Edges are sorted by (source, target), so sorting them by target alone, stably, lists every edge's reverse.
    reverses = np.argsort(targets, kind="stable")
    aromatic = np.zeros(n_atoms, dtype=bool)
    aromatic[sources[orders == 3]] = True
    rings = _ring_arrays(places[given.ring_atoms], given.ring_sizes, row_offsets, targets)
    return {
        "atom_offsets": atom_offsets,
        "atom_molecules": np.repeat(np.arange(n_molecules), np.diff(atom_offsets)),
        "elements": elements,
        "charges": spread(given.charges),
        "aromatic": aromatic,
        "n_hydrogens": np.bincount(sources[elements[targets] == 1], minlength=n_atoms),
        "degrees": degrees,
        "row_offsets": row_offsets,
        "sources": sources,
        "targets": targets,
        "reverses": reverses,
        "orders": orders,
        "bond_edges": np.flatnonzero(sources < targets),
        "n_ring_bonds": np.bincount(sources[rings["in_ring"]], minlength=n_atoms),
        **rings,
    }


def _ring_arrays(ring_atoms: IntArray, sizes: IntArray, row_offsets: IntArray, targets: IntArray) -> dict[str, Any]:
    n_atoms = len(row_offsets) - 1
    min_sizes = np.full(n_atoms, np.iinfo(np.int64).max)
    np.minimum.at(min_sizes, ring_atoms, np.repeat(sizes, sizes))
    min_sizes[min_sizes == np.iinfo(np.int64).max] = 0
    in_ring = np.zeros(len(targets), dtype=bool)
    if len(ring_atoms):
        # The bonds of a ring join each atom with the next, the last with the first.
        ends = np.cumsum(sizes) - 1
        following = np.append(ring_atoms[1:], 0)
        following[ends] = ring_atoms[ends - sizes + 1]
        both_ways = (np.concatenate([ring_atoms, following]), np.concatenate([following, ring_atoms]))
        starts, row_ends = row_offsets[both_ways[0]], row_offsets[both_ways[0] + 1]
        for rank in range(int((row_ends - starts).max())):
            edges = np.minimum(starts + rank, row_ends - 1)
            in_ring[edges[targets[edges] == both_ways[1]]] = True
    return {
        "ring_atoms": ring_atoms,
        "ring_offsets": offsets_of(sizes),
        "n_rings": np.bincount(ring_atoms, minlength=n_atoms),
        "min_ring_sizes": min_sizes,
        "in_ring": in_ring,
    }
