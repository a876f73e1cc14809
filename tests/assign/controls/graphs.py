"""Carbon skeletons to try symmetry on, and what is equivalent in them by their automorphisms: slow and obvious.

An automorphism is a match of a molecule on itself. Two sites are equivalent if one of them carries one to the other.
"""

import random

import numpy as np
from rdkit import Chem

from ffshare.molecules import GraphBatch, tuples

# Symmetric molecules with names, most of them with classes that ranks of atoms alone do not tell apart.
NAMED = {
    "ethane": "CC",
    "neopentane": "CC(C)(C)C",
    "cyclohexane": "C1CCCCC1",
    "decalin": "C1CCC2CCCCC2C1",
    "bicyclopentyl": "C1CCCC1C1CCCC1",
    "naphthalene": "c1ccc2ccccc2c1",
    "biphenylene": "c1ccc2c(c1)c1ccccc12",
    "triphenylene": "c1ccc2c(c1)c1ccccc1c1ccccc12",
    "cubane": "C12C3C4C1C5C2C3C45",
    "cuneane": "C12C3C4C1C5C4C3C25",
    "prismane": "C12C3C1C1C2C31",
    "tetrahedrane": "C12C3C1C23",
    "adamantane": "C1C2CC3CC1CC(C2)C3",
    "norbornadiene": "C1C2C=CC1C=C2",
    "azobenzene": "c1ccccc1N=Nc1ccccc1",
    "tert-butylbenzene": "CC(C)(C)c1ccccc1",
    "sulfate": "[O-]S(=O)(=O)[O-]",
    "hexafluorophosphate": "F[P-](F)(F)(F)(F)F",
    "allene": "C=C=C",
    "hydrogen": "[H][H]",
    # Ten CH groups, of which marks that are not followed up tell two kinds too few.
    "cage": "C12C3C1C1C4C5C4C3C1C25",
}
SECTIONS = ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW")
MOST_AUTOMORPHISMS = 40_000


def skeleton(n_atoms, bonds):
    """A hydrocarbon of single bonds with implicit hydrogens."""
    molecule = Chem.RWMol()
    for _ in range(n_atoms):
        molecule.AddAtom(Chem.Atom(6))
    for first, second in bonds:
        molecule.AddBond(first, second, Chem.BondType.SINGLE)
    Chem.SanitizeMol(molecule)
    return molecule.GetMol()


def random_cage(n_atoms, seed):
    """A connected cage of CH groups, by pairing bond ends at random until it is one."""
    rng = random.Random(seed)
    while True:
        ends = [atom for atom in range(n_atoms) for _ in range(3)]
        rng.shuffle(ends)
        bonds = {tuple(sorted(pair)) for pair in zip(ends[::2], ends[1::2], strict=True)}
        if len(bonds) == 3 * n_atoms // 2 and all(first != second for first, second in bonds):
            molecule = skeleton(n_atoms, sorted(bonds))
            if len(Chem.GetMolFrags(molecule)) == 1:
                return molecule


def constitution(batch, molecule_idx):
    """A molecule with all hydrogens, without stereochemistry and isotopes."""
    molecule = Chem.RWMol(batch.explicit_molecule(molecule_idx))
    Chem.RemoveStereochemistry(molecule)
    for atom in molecule.GetAtoms():
        atom.SetIsotope(0)
    return molecule.GetMol()


def automorphisms(batch, molecule_idx):
    """All automorphisms of a molecule, shape=(n, n_atoms); None if there are too many."""
    molecule = constitution(batch, molecule_idx)
    found = molecule.GetSubstructMatches(molecule, uniquify=False, maxMatches=MOST_AUTOMORPHISMS)
    return None if len(found) >= MOST_AUTOMORPHISMS else np.array(found)


def all_sites(batch, section):
    """Every tuple of a section, whether a force field has rules for it or not."""
    listed = {
        "Bonds": lambda: tuples.bond_atoms(batch, batch.bond_edges[:, None]),
        "Angles": lambda: tuples.angle_atoms(batch, tuples.angle_edges(batch)),
        "ProperTorsions": lambda: tuples.proper_atoms(batch, tuples.proper_edges(batch)),
        "ImproperTorsions": lambda: tuples.improper_atoms(
            batch, tuples.improper_edges(batch, np.flatnonzero(batch.degrees >= 3))
        ),
        "vdW": lambda: np.arange(batch.n_atoms)[:, None],
    }
    return listed[section]()


def orbits(batch, molecule_idx, section, found):
    """The orbit of each site of a molecule under its automorphisms, by the first of its sites."""
    start = int(batch.atom_offsets[molecule_idx])
    atoms = all_sites(batch, section)
    atoms = atoms[batch.atom_molecules[atoms[:, 0]] == molecule_idx] - start
    images = found[:, atoms]
    if section == "ImproperTorsions":
        outer = np.sort(images[:, :, [0, 2, 3]], axis=2)
        images = np.stack([outer[:, :, 0], images[:, :, 1], outer[:, :, 1], outer[:, :, 2]], axis=2)
    elif section != "vdW":
        turned = images[:, :, 0] > images[:, :, -1]
        images = np.where(turned[:, :, None], images[:, :, ::-1], images)
    numbers = np.zeros(images.shape[:2], dtype=np.int64)
    for place in range(images.shape[2]):
        numbers = numbers * 1000 + images[:, :, place]
    return atoms + start, numbers.min(axis=0)


def same_partition(first, second):
    """Whether two labellings of the same things put the same ones together."""
    pairs = set(zip(first.tolist(), second.tolist(), strict=True))
    return len(pairs) == len(set(first.tolist())) == len(set(second.tolist()))


def batch_of(*molecules):
    return GraphBatch.from_molecules(list(molecules))
