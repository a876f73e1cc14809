"""MMFF94 atom types and bond orders of a batch, as RDKit perceives them.

RDKit types one molecule at a time, hydrogens explicit. It perceives MMFF94's own aromaticity first, ring by ring, and
leaves the other bonds as its Kekulé structure has them: in an azulene, whose rings have five and seven members, which
bonds are double depends on the order of the atoms, and with it their class. Such a molecule (bonds that are aromatic in
the batch and not to MMFF94) is typed once more from its canonical SMILES, so that the order of its atoms no longer
tells. If even that makes one of two bonds single and the other double that symmetry makes the same, as in azulene
itself, nothing can choose: both are aromatic then, and of class 0. (Types that differ so, as in 1,3-diazaazulene, stay
as they are: they are right up to the symmetry of the molecule.)

Reference: T. A. Halgren, J. Comput. Chem. 17, 490 (1996), for the types; P. Tosco, N. Stiefl, G. Landrum,
J. Cheminform. 6, 37 (2014), for RDKit's.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

from ffshare.molecules import GraphBatch, silenced
from ffshare.molecules.ragged import IntArray, ranks_in_rows
from ffshare.records import doc, freeze_arrays, record

# Above this many atoms a walk over the bonds is cheaper than the adjacency matrix.
_LARGE = 200
_AROMATIC = 3


@record
class TypedMolecule:
    """One molecule as RDKit's getters take it: what was typed, and what typing found."""

    molecule: Chem.Mol = doc("RDKit molecule with explicit hydrogens, bond orders as MMFF94 has them")
    properties: Any = doc("RDKit's MMFFMolProperties")
    places: IntArray | None = doc("atom of this molecule by atom of the batch's, where they differ", default=None)

    def atoms(self, local_idxs: Sequence[int]) -> list[int]:
        """Atoms of this molecule from atoms of the molecule in the batch."""
        return list(local_idxs) if self.places is None else self.places[list(local_idxs)].tolist()


@record
class TypedBatch:
    """Types and bond orders of all molecules of a batch."""

    types: IntArray = doc("MMFF94 type of each atom, 0 in molecules that cannot be typed, shape=(n_atoms,)")
    orders: IntArray = doc("twice the bond order of each edge, 3 where MMFF94 sees it as aromatic, shape=(n_edges,)")
    molecules: tuple[TypedMolecule | None, ...] = doc("what was typed; None where an atom has no type")

    def __post_init__(self) -> None:
        freeze_arrays(self, types=np.int64, orders=np.int64)

    @property
    def is_typed(self) -> NDArray[np.bool_]:
        """Whether all atoms of a molecule have a type, shape=(n_molecules,)."""
        return np.array([molecule is not None for molecule in self.molecules], dtype=bool)


def type_batch(batch: GraphBatch, variant: str) -> TypedBatch:
    """The MMFF94 types of a batch.

    Args:
        batch: The molecules.
        variant: ``MMFF94`` or ``MMFF94s``, as RDKit calls it. Types are the same, parameters are not.

    Returns:
        Types and bond orders.

    Example:
        >>> import ffshare
        >>> type_batch(ffshare.from_smiles("CO"), "MMFF94").types.tolist()
        [1, 6, 5, 5, 5, 21]
    """
    typed = [
        _typed(Chem.AddHs(molecule), variant, with_rings=has_choice)
        for molecule, has_choice in zip(batch.molecules, _has_choice_of_rings(batch).tolist(), strict=True)
    ]
    orders = _orders(batch, typed)
    unsettled = np.unique(batch.atom_molecules[batch.sources[(batch.orders == _AROMATIC) & (orders != _AROMATIC)]])
    again = [idx for idx in unsettled.tolist() if typed[idx] is not None]
    if again:
        for idx in again:
            typed[idx] = _typed_from_smiles(batch.explicit_molecule(idx), variant) or typed[idx]
        orders = _orders(batch, typed)
    types: list[int] = []
    for found, n_atoms in zip(typed, np.diff(batch.atom_offsets).tolist(), strict=True):
        types += [0] * n_atoms if found is None else map(found.properties.GetMMFFAtomType, found.atoms(range(n_atoms)))
    return TypedBatch(types=np.array(types, dtype=np.int64), orders=orders, molecules=tuple(typed))


def _has_choice_of_rings(batch: GraphBatch) -> NDArray[np.bool_]:
    """Molecules in which another ring might as well stand in the SSSR, so that the choice may depend on atom order.

    Where rings share single bonds only and no atom is in three of them, the outline of several of them together is
    longer than any of them, so that it can take the place of none.
    """
    is_doubtful = (batch.n_rings > 2) | ((batch.n_rings > 1) & (batch.n_ring_bonds == 2))
    return np.bincount(batch.atom_molecules[is_doubtful], minlength=batch.n_molecules) > 0


def _typed(
    molecule: Chem.Mol, variant: str, with_rings: bool = True, places: IntArray | None = None
) -> TypedMolecule | None:
    if with_rings or not _knows_rings(molecule):
        Chem.GetSymmSSSR(molecule)  # all rings that might stand in the SSSR
    # Kekulizes the molecule in place and marks what MMFF94 sees as aromatic.
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(molecule, mmffVariant=variant)
    return None if properties is None else TypedMolecule(molecule=molecule, properties=properties, places=places)


def _knows_rings(molecule: Chem.Mol) -> bool:
    try:
        with silenced():
            molecule.GetRingInfo().NumRings()
    except RuntimeError:  # RDKit's only way to say that rings were never looked for
        return False
    return True


def _typed_from_smiles(molecule: Chem.Mol, variant: str) -> TypedMolecule | None:
    plain = Chem.Mol(molecule)
    reading: Any = Chem.SmilesParserParams()
    reading.removeHs = False
    canonical: Chem.Mol | None = Chem.MolFromSmiles(Chem.MolToSmiles(plain), reading)
    if canonical is None:  # valences that the batch lets pass and SMILES do not
        return None
    # Atom i of the canonical molecule is atom order[i] of the one that was written.
    order = np.array(list(plain.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"]))
    typed = _typed(canonical, variant, places=np.argsort(order))
    if typed is not None:
        _level_equal_bonds(canonical, np.array(Chem.CanonicalRankAtoms(molecule, breakTies=False))[order])
    return typed


def _level_equal_bonds(molecule: Chem.Mol, ranks: IntArray) -> None:
    """Makes bonds aromatic that differ in order although the ranks of their atoms do not."""
    bonds_of: dict[tuple[int, int], list[Chem.Bond]] = {}
    for bond in molecule.GetBonds():
        first, second = sorted((int(ranks[bond.GetBeginAtomIdx()]), int(ranks[bond.GetEndAtomIdx()])))
        bonds_of.setdefault((first, second), []).append(bond)
    for bonds in bonds_of.values():
        if len({bond.GetBondType() for bond in bonds}) > 1:
            for bond in bonds:
                bond.SetBondType(Chem.BondType.AROMATIC)
                bond.SetIsAromatic(True)


def _orders(batch: GraphBatch, typed: Sequence[TypedMolecule | None]) -> IntArray:
    """Twice the bond order of each edge: that of the typed molecule, or of the batch where there is none."""
    orders = batch.orders.copy()
    n_atoms = np.diff(batch.atom_offsets)
    is_typed = np.array([found is not None for found in typed], dtype=bool)
    by_matrix = np.flatnonzero(is_typed & (n_atoms <= _LARGE))
    matrices = [np.zeros(0)]
    for idx in by_matrix.tolist():
        found = typed[idx]
        assert found is not None
        matrix = Chem.GetAdjacencyMatrix(found.molecule, True, 0, True)
        matrices.append((matrix if found.places is None else matrix[np.ix_(found.places, found.places)]).ravel())
    first_edges = batch.row_offsets[batch.atom_offsets]
    n_edges = np.diff(first_edges)[by_matrix]
    edges = np.repeat(first_edges[by_matrix], n_edges) + ranks_in_rows(n_edges)
    starts = np.cumsum(n_atoms[by_matrix] ** 2) - n_atoms[by_matrix] ** 2
    rows = batch.local_idxs(batch.sources[edges]) * np.repeat(n_atoms[by_matrix], n_edges)
    places = np.repeat(starts, n_edges) + rows + batch.local_idxs(batch.targets[edges])
    orders[edges] = 2 * np.concatenate(matrices)[places]
    for idx in np.flatnonzero(is_typed & (n_atoms > _LARGE)).tolist():
        found = typed[idx]
        assert found is not None
        for edge in range(int(first_edges[idx]), int(first_edges[idx + 1])):
            pair = found.atoms(batch.local_idxs(np.array([batch.sources[edge], batch.targets[edge]])).tolist())
            orders[edge] = int(2 * found.molecule.GetBondBetweenAtoms(*pair).GetBondTypeAsDouble())
    return orders
