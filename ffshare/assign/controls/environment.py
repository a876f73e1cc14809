"""The surroundings of a site up to two bonds, as one key.

An atom's surroundings are its colour after two rounds of refinement, from element, charge, number of bonds and of
hydrogens; those of a site are the colours of its atoms and the bonds between them, read from the end that comes first.
Unlike symmetry classes they are the same in other molecules.
"""

from ffshare.assign.controls.orient import bond_orders, first_rows
from ffshare.assign.controls.refine import Keys, graph_of, refined, sequence_keys
from ffshare.assign.shapes import SHAPES
from ffshare.molecules import GraphBatch
from ffshare.molecules.ragged import IntArray

RADIUS = 2


def atom_environments(batch: GraphBatch) -> Keys:
    """Key of the surroundings of each atom.

    Args:
        batch: The molecules.

    Returns:
        Keys, shape=(n_atoms,).
    """
    colours = sequence_keys([batch.elements, batch.charges, batch.degrees, batch.n_hydrogens])
    return refined(colours, graph_of(batch), RADIUS)


def site_environments(batch: GraphBatch, environments: Keys, atoms: IntArray, section: str) -> Keys:
    """Key of the surroundings of each site.

    Args:
        batch: The molecules.
        environments: Keys of the surroundings of the atoms.
        atoms: Atoms of the sites, shape=(n_sites, k).
        section: Their section.

    Returns:
        Keys, shape=(n_sites,).
    """
    orders = bond_orders(batch, atoms, section)
    return sequence_keys([*first_rows(section, environments[atoms], orders, SHAPES[section].skeleton).T])
