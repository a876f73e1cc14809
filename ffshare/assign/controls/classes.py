"""Symmetry classes of sites: which sites of a molecule are equivalent.

Two sites of equal molecules are of one class if their atoms can be read in orders in which

1. the atoms have the same ranks (`Symmetry.ranks`), and
2. each atom lies to each other one as in the other site (`Symmetry.lie_of`).

Ranks alone would not do: in cubane all carbons have one rank, but a path of four may go round a face or not. The name
of a class is the ranks with hyphens between, read from the end where they are lower (``1-3-2``; of an improper the
outer atoms ascend and the centre stands second), and ``/1``, ``/2``, … where several classes have the same ranks.
"""

from itertools import permutations

import numpy as np

from ffshare.assign.controls.orient import first_rows
from ffshare.assign.controls.refine import Keys, sequence_keys
from ffshare.assign.controls.symmetry import Symmetry
from ffshare.molecules.ragged import IntArray
from ffshare.records import doc, freeze_arrays, record


@record
class SiteClasses:
    """The symmetry classes of the sites of one section of a batch."""

    site_classes: IntArray = doc("class of each site, shape=(n_sites,)")
    keys: Keys = doc("key of each class: of the molecule, the ranks and how the atoms lie, shape=(n_classes,)")
    names: tuple[str, ...] = doc("molecule key and class, ``<16 hexadecimal digits>:<class>``, n_classes of them")

    def __post_init__(self) -> None:
        freeze_arrays(self, site_classes=np.int64, keys=np.uint64)


def site_classes(found: Symmetry, atoms: IntArray, section: str) -> SiteClasses:
    """The symmetry classes of some sites.

    Args:
        found: Symmetry of the batch.
        atoms: Atoms of all sites of a section in the batch, shape=(n_sites, k).
        section: The section.

    Returns:
        Their classes. Equal molecules have the same ones.

    Example:
        >>> from ffshare.assign.controls.symmetry import symmetry
        >>> from ffshare.molecules import from_smiles
        >>> batch = from_smiles("CC")
        >>> site_classes(symmetry(batch), batch.bonds, "Bonds").names
        ('b8ee69b8aeb1511d:1-1', 'b8ee69b8aeb1511d:1-2')
    """
    positions = list(permutations(range(atoms.shape[1]), 2))
    lies = np.zeros((*atoms.shape, atoms.shape[1]), dtype=np.uint64)
    for i, j in positions:
        lies[:, i, j] = found.lie_of(atoms[:, i], marked=atoms[:, j])
    rows = first_rows(section, found.ranks[atoms], lies, positions)
    molecules = found.molecule_keys[found.molecules[atoms[:, 0]]]
    keys, firsts, numbers = np.unique(sequence_keys([molecules, *rows.T]), return_index=True, return_inverse=True)
    ranks = rows[firsts, : atoms.shape[1]]
    return SiteClasses(site_classes=numbers, keys=keys, names=_names(molecules[firsts], ranks, keys))


def _names(molecules: Keys, ranks: Keys, keys: Keys) -> tuple[str, ...]:
    """Names of classes, given in the order of their keys."""
    _, alike, counts = np.unique(sequence_keys([molecules, *ranks.T]), return_inverse=True, return_counts=True)
    order = np.argsort(alike, kind="stable")
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    suffixes = np.where(counts[alike] > 1, numbers, 0)
    return tuple(
        f"{molecule:016x}:{'-'.join(map(str, row))}" + (f"/{suffix}" if suffix else "")
        for molecule, row, suffix in zip(molecules.tolist(), ranks.tolist(), suffixes.tolist(), strict=True)
    )
