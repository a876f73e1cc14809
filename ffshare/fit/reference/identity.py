"""Which atom is which: SMILES and coordinates in one order of atoms.

Files with mapped SMILES say it. Others give a SMILES and a geometry: bonds are then read off the geometry (two atoms
nearer than 1.25 times the sum of their covalent radii are bonded) and the graph of elements and bonds is laid over that
of the SMILES (see `overlay`). Bond orders, charges and stereochemistry are not compared; of several ways to lay it
the first is taken.
These ways are symmetries of the graph, so a force field gives the same energies for all.

Reference: covalent radii of RDKit's periodic table, which are those of Cordero et al., Dalton Trans. 2008, 2832,
doi:10.1039/b801115j.
"""

import functools
import re

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from scipy.spatial.distance import cdist

from ffshare.errors import MoleculeError
from ffshare.fit.reference.overlay import overlay
from ffshare.molecules import GraphBatch, mapped_smiles, molecule_from_molblock, molecule_from_smiles, silenced
from ffshare.molecules.sources import LONGEST_LINE
from ffshare.records import doc, record

# Heuristic: the longest usual bond is 1.1 times the sum of the radii, the nearest atoms without a bond 1.3 times.
_BONDED = 1.25
_MOST_STATED = 100_000
# The number of atoms stands two lines below the heading.
_MOL2_COUNTS = re.compile(r"@<TRIPOS>MOLECULE[^\n]*\n[^\n]*\n[ \t]*(\d{1,20})")


@record
class Identified:
    """A molecule whose atoms stand in the order of the coordinates."""

    smiles: str = doc("mapped SMILES")
    graph: GraphBatch = doc("batch of this one molecule")


@functools.cache
def covalent_radii() -> NDArray[np.float64]:
    """Covalent radius of every element [Å], by atomic number, shape=(119,)."""
    table = Chem.GetPeriodicTable()
    return np.array([table.GetRcovalent(number) for number in range(119)])


@functools.cache
def atomic_number(symbol: str) -> int:
    """The atomic number of an element's symbol, case ignored.

    Args:
        symbol: Such as Cl or CL.

    Returns:
        The number.

    Raises:
        MoleculeError: No element has that symbol.
    """
    try:
        with silenced():
            number: int = Chem.GetPeriodicTable().GetAtomicNumber(symbol.strip().capitalize())
    except (RuntimeError, ValueError):  # ValueError: half a character of UTF-16
        number = 0
    if number < 1:
        raise MoleculeError(f"{symbol!r} is no symbol of an element", "correct the record")
    return number


def identify(smiles: str, elements: NDArray[np.int64] | None, coords: NDArray[np.float64]) -> Identified:
    """The molecule of a SMILES with its atoms in the order of a geometry.

    Args:
        smiles: SMILES; one that maps every atom, hydrogens included, gives the order.
        elements: Atomic numbers in the order of the coordinates, shape=(n_atoms,); None: the SMILES gives the order.
        coords: Some geometry [Å], shape=(n_atoms, 3).

    Returns:
        The molecule.

    Raises:
        MoleculeError: The SMILES cannot be used or is not of these elements, or the geometry has other bonds.
    """
    with silenced():
        if is_fully_mapped(smiles):
            graph = GraphBatch.from_molecules([molecule_from_smiles(smiles)])
            if elements is not None and not np.array_equal(graph.elements, elements):
                raise MoleculeError(
                    f"the mapped SMILES has the elements {_shown(graph.elements)}, the coordinates those of "
                    f"{_shown(elements)}",
                    "give the mapped SMILES in the order of the coordinates",
                )
            return Identified(smiles=smiles, graph=graph)
        if elements is None:
            raise MoleculeError(
                "the SMILES does not map every atom, hydrogens included, so the order of the atoms is not known",
                "give a mapped SMILES with map numbers 1 to n",
            )
        explicit = Chem.AddHs(molecule_from_smiles(smiles))
        order = _order(explicit, elements, coords)
        graph = GraphBatch.from_molecules([Chem.RenumberAtoms(explicit, order)])
        return Identified(smiles=mapped_smiles(graph, 0).smiles, graph=graph)


def is_fully_mapped(smiles: str) -> bool:
    """Whether a SMILES numbers all atoms, hydrogens included, 1 to n.

    Args:
        smiles: Any text.

    Returns:
        The answer; False for what is no SMILES.

    Example:
        >>> is_fully_mapped("[O:1]([H:2])[H:3]"), is_fully_mapped("[OH2:1]")
        (True, False)
    """
    if len(smiles) > LONGEST_LINE or not smiles.isascii():
        return False
    molecule: Chem.Mol | None = Chem.MolFromSmiles(smiles, sanitize=False)
    if molecule is None:
        return False
    molecule.UpdatePropertyCache(strict=False)
    numbers = [atom.GetAtomMapNum() for atom in molecule.GetAtoms()]
    n_hydrogens = sum(atom.GetTotalNumHs() for atom in molecule.GetAtoms())
    return n_hydrogens == 0 and sorted(numbers) == list(range(1, len(numbers) + 1))


def canonical_smiles(smiles: str) -> str:
    """The canonical SMILES of a mapped one, without map numbers: the same for every order of the atoms.

    Args:
        smiles: A SMILES that `identify` has taken.

    Returns:
        The SMILES.

    Example:
        >>> canonical_smiles("[H:1][O:3][H:2]")
        'O'
    """
    text: str = Chem.MolToSmiles(Chem.RemoveHs(molecule_from_smiles(smiles), sanitize=False))
    return text


def smiles_of_mol2(text: str) -> str:
    """The mapped SMILES of a MOL2 file with Tripos atom types, atoms in its order.

    Args:
        text: The file.

    Returns:
        The SMILES.

    Raises:
        MoleculeError: RDKit cannot read it.
    """
    advice = "give the molecule as a mapped SMILES"
    # RDKit makes room for as many atoms as the file says.
    if any(int(number) > _MOST_STATED for number in _MOL2_COUNTS.findall(text)):
        raise MoleculeError(f"the MOL2 file states more than {_MOST_STATED:,} atoms", advice)
    with silenced():
        try:
            molecule = Chem.MolFromMol2Block(text, removeHs=False)
        except (RuntimeError, ValueError):
            molecule = None
        if molecule is None:
            raise MoleculeError("the MOL2 file cannot be read", advice)
        return smiles_of_molblock(Chem.MolToMolBlock(molecule))


def smiles_of_molblock(text: str) -> str:
    """The mapped SMILES of a MOL or SD record, atoms in its order.

    Args:
        text: The record.

    Returns:
        The SMILES.

    Raises:
        MoleculeError: It cannot be used, or lacks hydrogens.
    """
    with silenced():
        graph = GraphBatch.from_molecules([molecule_from_molblock(text)])
    if graph.n_atoms != graph.molecules[0].GetNumAtoms():
        raise MoleculeError("the molecule lacks hydrogens", "give all hydrogens, in the order of the coordinates")
    return mapped_smiles(graph, 0).smiles


def _order(explicit: Chem.Mol, elements: NDArray[np.int64], coords: NDArray[np.float64]) -> list[int]:
    """For each atom of the coordinates the atom of the molecule that it is."""
    numbers = np.array([atom.GetAtomicNum() for atom in explicit.GetAtoms()])
    if not np.array_equal(np.sort(numbers), np.sort(elements)):
        raise MoleculeError(
            f"the SMILES has the atoms {_shown(np.sort(numbers))}, the coordinates {_shown(np.sort(elements))}",
            "give the SMILES of this molecule",
        )
    distances = cdist(coords, coords)
    radii = covalent_radii()[elements]
    bonded = np.argwhere(np.triu(distances < _BONDED * (radii[:, None] + radii[None]), k=1))
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in explicit.GetBonds()]
    match = overlay(numbers.tolist(), bonds, elements.tolist(), bonded.tolist())
    if match is None:
        raise MoleculeError(
            f"the bonds of the geometry ({len(bonded)} pairs of near atoms) are not those of the SMILES ({len(bonds)})",
            "give the SMILES of this molecule, or a mapped one if the geometry is far from equilibrium; check the unit "
            "of length",
        )
    order = [0] * len(match)
    for atom, place in enumerate(match):
        order[place] = atom
    return order


def symbols(elements: NDArray[np.int64]) -> list[str]:
    """The symbols of elements given by atomic number, shape=(n,)."""
    return [Chem.GetPeriodicTable().GetElementSymbol(number) for number in elements.tolist()]


def _shown(elements: NDArray[np.int64]) -> str:
    return "-".join(symbols(elements[:12])) + ("-…" if len(elements) > 12 else "")
