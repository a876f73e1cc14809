"""Molecules held together by springs: reference data whose energies and forces belong together, without chemistry."""

import numpy as np
from rdkit import Chem
from rdkit.Chem import AllChem

from ffshare.fit import ReferenceMolecule
from ffshare.molecules import from_smiles, mapped_smiles

STIFFNESS = 700.0
ANGLE_STIFFNESS = 150.0


def springs(smiles):
    """Pairs of atoms one and two bonds apart, and the force constant of each [kcal/mol/Å²]."""
    graph = from_smiles(smiles)
    bonded = np.zeros((graph.n_atoms, graph.n_atoms), dtype=bool)
    bonded[graph.sources, graph.targets] = True
    near = np.triu((bonded.astype(int) @ bonded > 0) & ~bonded, k=1)
    pairs = np.concatenate([np.argwhere(np.triu(bonded)), np.argwhere(near)])
    return pairs, np.where(np.arange(len(pairs)) < graph.n_bonds, STIFFNESS, ANGLE_STIFFNESS)


def geometry(smiles, seed=1):
    """A geometry [Å] in the order of the atoms of `from_smiles`."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=seed) == 0
    return np.array(mol.GetConformer().GetPositions())


def spring_molecule(smiles, n_conformers=8, seed=0, size=0.05, level="springs"):
    """Conformers displaced at random, with the energies and forces of springs, turned and moved at random."""
    rng = np.random.default_rng(seed)
    rest = geometry(smiles)
    pairs, constants = springs(smiles)
    first, second = pairs.T
    lengths = np.linalg.norm(rest[first] - rest[second], axis=1)
    coords = rest + rng.normal(scale=size, size=(n_conformers, *rest.shape))
    arms = coords[:, first] - coords[:, second]
    distances = np.linalg.norm(arms, axis=2)
    energies = np.sum(constants * (distances - lengths) ** 2, axis=1) / 2
    pulls = -(constants * (distances - lengths) / distances)[..., None] * arms
    forces = np.zeros_like(coords)
    for number, (one, other) in enumerate(pairs):
        forces[:, one] += pulls[:, number]
        forces[:, other] -= pulls[:, number]
    turns = np.linalg.qr(rng.normal(size=(n_conformers, 3, 3)))[0]
    turns *= np.linalg.det(turns)[:, None, None]
    return ReferenceMolecule(
        smiles=mapped_smiles(from_smiles(smiles), 0).smiles,
        coords=np.einsum("cij,caj->cai", turns, coords) + rng.normal(size=(n_conformers, 1, 3)),
        energies=energies - 1000.0,
        forces=np.einsum("cij,caj->cai", turns, forces),
        level=level,
    )


def assert_same(found, expected, tolerance=0.0):
    """Two reference molecules hold the same."""
    assert found.smiles == expected.smiles
    assert found.level == expected.level
    np.testing.assert_allclose(found.coords, expected.coords, rtol=0, atol=tolerance)
    np.testing.assert_allclose(found.energies, expected.energies, rtol=0, atol=tolerance)
    assert (found.forces is None) == (expected.forces is None)
    if expected.forces is not None:
        np.testing.assert_allclose(found.forces, expected.forces, rtol=0, atol=tolerance)
