"""The numbers of a term as RDKit's getters give them: those of the row that RDKit took, or of an empirical rule.

Each getter takes RDKit's properties, the molecule and the atoms of a term in the order of its types, and gives the
numbers of a row as published, or None where RDKit has no such term.
"""

from collections.abc import Callable, Mapping
from typing import Any

from rdkit import Chem

Numbers = tuple[float, ...]
Getter = Callable[[Any, Chem.Mol, list[int]], Numbers | None]


# RDKit gives the class of the term first.
def _bond(properties: Any, molecule: Chem.Mol, atoms: list[int]) -> Numbers | None:
    found = properties.GetMMFFBondStretchParams(molecule, *atoms)
    return None if found is None else tuple(found[1:])


def _angle(properties: Any, molecule: Chem.Mol, atoms: list[int]) -> Numbers | None:
    found = properties.GetMMFFAngleBendParams(molecule, *atoms)
    return None if found is None else tuple(found[1:])


def _stretch_bend(properties: Any, molecule: Chem.Mol, atoms: list[int]) -> Numbers | None:
    found = properties.GetMMFFStretchBendParams(molecule, *atoms)
    # The number of the other bond belongs to the term that begins at the other end.
    return None if found is None else (found[1],)


def _torsion(properties: Any, molecule: Chem.Mol, atoms: list[int]) -> Numbers | None:
    found = properties.GetMMFFTorsionParams(molecule, *atoms)
    return None if found is None else tuple(found[1:])


def _out_of_plane(properties: Any, molecule: Chem.Mol, atoms: list[int]) -> Numbers | None:
    found = properties.GetMMFFOopBendParams(molecule, *atoms)
    return None if found is None else (found,)


GETTERS: Mapping[str, Getter] = {
    "Bonds": _bond,
    "Angles": _angle,
    "StretchBends": _stretch_bend,
    "ProperTorsions": _torsion,
    "ImproperTorsions": _out_of_plane,
}
