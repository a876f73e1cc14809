"""Molecules whose energy is a sum of harmonic bonds and angles, at its minimum: their Hessian is Σ k ∇x ∇xᵀ."""

import numpy as np
from rdkit import Chem
from rdkit.Chem import AllChem

from ffshare.model.coordinates import COORDINATES
from ffshare.molecules import GraphBatch, molecule_from_smiles
from ffshare.molecules.tuples import angle_atoms, angle_edges


def batch_of(*smiles):
    """Molecules whose hydrogens are atoms, so that they can be renumbered."""
    return GraphBatch.from_molecules([Chem.AddHs(molecule_from_smiles(text)) for text in smiles])


def sites_of(batch):
    """All bonds and angles."""
    return batch.bonds, angle_atoms(batch, angle_edges(batch))


def embedded(molecule, seed=7):
    """Some geometry of a molecule with explicit hydrogens [Å]."""
    copy = Chem.Mol(molecule)
    assert AllChem.EmbedMolecule(copy, randomSeed=seed) == 0
    return copy.GetConformer().GetPositions()


def hessian_of(coords, *terms):
    """Σ k ∇x ∇xᵀ over pairs of tuples of atoms, shape=(n, 2 or 3), and force constants, shape=(n,)."""
    hessian = np.zeros((coords.size, coords.size))
    for tuples, ks in terms:
        tuples = np.asarray(tuples)
        gradients = COORDINATES[tuples.shape[1]](coords[tuples].transpose(2, 1, 0)).gradients
        for number, (atoms, k) in enumerate(zip(tuples, ks, strict=True)):
            row = np.zeros(coords.shape)
            np.add.at(row, atoms, gradients[:, :, number])
            hessian += k * np.outer(row, row)
    return hessian


def random_hessian(rng, n_atoms):
    """A symmetric matrix whose blocks have nothing special, complex eigenvalues included."""
    matrix = rng.normal(size=(3 * n_atoms, 3 * n_atoms))
    return -300.0 * np.kron(np.ones((n_atoms, n_atoms)), np.eye(3)) + 60.0 * (matrix + matrix.T)


def random_rotation(rng):
    """A proper rotation."""
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return rotation * np.sign(np.linalg.det(rotation))


def rotated(hessian, rotation):
    """The Hessian after the molecule was turned."""
    turn = np.kron(np.eye(len(hessian) // 3), rotation)
    return turn @ hessian @ turn.T
