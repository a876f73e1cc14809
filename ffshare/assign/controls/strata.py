"""Strata: sites of the same elements and bond orders, and wider ones where that is too fine.

A site is described at four levels, each wider than the one before:

0. the elements of all its atoms and the orders of all its bonds: ``H-C-O:2-2``;
1. of the elements only those of inner atoms, which have two bonds of the site: ``X-C-X:2-2``;
2. of the bonds too only those between inner atoms, as in a proper ``X-C-N-X:~-2-~``;
3. nothing: ``X-X-X:~-~``.

Orders are written twice, 3 is an aromatic bond. A site is read from the end that comes first by atomic number; the
outer atoms of an improper stand in any order, its centre second.
"""

import numpy as np
from rdkit import Chem

from ffshare.assign.controls.orient import bond_orders, first_rows
from ffshare.assign.controls.refine import Keys, sequence_keys
from ffshare.assign.shapes import SHAPES
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record

N_LEVELS = 4
# Places of inner atoms, those with two or more bonds of the site.
_INNER = {"Bonds": (), "Angles": (1,), "ProperTorsions": (1, 2), "ImproperTorsions": (1,), "vdW": ()}


@record
class Strata:
    """The strata of some sites at one level."""

    keys: Keys = doc("key of the stratum of each site, shape=(n_sites,)")
    rows: Keys = doc("elements and orders of each site as it is read, 0 where they do not count, shape=(n_sites, m)")
    section: str = doc("section of the sites")

    def __post_init__(self) -> None:
        freeze_arrays(self, keys=np.uint64, rows=np.uint64)

    def name(self, site: int) -> str:
        """The stratum of a site in words, such as ``H-C:2``."""
        n_atoms = SHAPES[self.section].n_tags
        numbers = self.rows[site].tolist()
        symbol = Chem.GetPeriodicTable().GetElementSymbol
        atoms = "-".join(symbol(number) if number else "X" for number in numbers[:n_atoms])
        orders = "-".join(str(number) if number else "~" for number in numbers[n_atoms:])
        return f"{atoms}:{orders}" if orders else atoms


def strata(batch: GraphBatch, atoms: IntArray, section: str, level: int) -> Strata:
    """The strata of some sites.

    Args:
        batch: The molecules.
        atoms: Atoms of the sites, shape=(n_sites, k).
        section: Their section.
        level: How wide the strata are, 0 to 3.

    Returns:
        The stratum of each site.

    Example:
        >>> from ffshare.molecules import from_smiles
        >>> batch = from_smiles("CO")
        >>> [strata(batch, np.array([[2, 0, 1]]), "Angles", level).name(0) for level in range(N_LEVELS)]
        ['H-C-O:2-2', 'X-C-X:2-2', 'X-C-X:~-~', 'X-X-X:~-~']
    """
    skeleton, inner = SHAPES[section].skeleton, _INNER[section]
    elements, orders = batch.elements[atoms], bond_orders(batch, atoms, section)
    for place in range(atoms.shape[1]):
        if level == 3 or (level > 0 and place not in inner):
            elements[:, place] = 0
    for i, j in skeleton:
        if level == 3 or (level == 2 and not {i, j} <= set(inner)):
            orders[:, i, j] = orders[:, j, i] = 0
    return _of_rows(first_rows(section, elements, orders, skeleton), section, level)


def everything(section: str) -> Strata:
    """The widest stratum of a section, as that of one site."""
    shape = SHAPES[section]
    return _of_rows(np.zeros((1, shape.n_tags + len(shape.skeleton)), dtype=np.uint64), section, N_LEVELS - 1)


def _of_rows(rows: Keys, section: str, level: int) -> Strata:
    return Strata(keys=sequence_keys([np.full(len(rows), level), *rows.T]), rows=rows, section=section)
