"""New geometries from old ones: relaxed, displaced along normal modes, turned about bonds, embedded."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import AllChem
from scipy.optimize import minimize

from ffshare.errors import MoleculeError

Coords = NDArray[np.float64]
EnergyAndGradient = Callable[[Coords], tuple[float, Coords]]
"""Energy [kcal/mol] and gradient [kcal/mol/Å] at a geometry [Å]."""

STARTS = 4
CONVERGED = 0.05  # largest component of the gradient [kcal/mol/Å]
STEP = 0.005  # of the differences that give the Hessian [Å]
SOFTEST = 10.0  # [kcal/mol/Å²]


def relaxed(energies: EnergyAndGradient, start: Coords, steps: int) -> Coords:
    """The geometry after some steps of L-BFGS, or where no gradient is left."""

    def function(flat: Coords) -> tuple[float, Coords]:
        energy, gradient = energies(flat.reshape(-1, 3))
        return energy, gradient.reshape(-1)

    options = {"maxiter": steps, "gtol": CONVERGED, "ftol": 0.0, "maxls": 30}
    found = minimize(function, start.reshape(-1), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x).reshape(-1, 3)


def hessian_of(energies: EnergyAndGradient, coords: Coords) -> Coords:
    """Second derivatives of the energy [kcal/mol/Å²] by central differences, shape=(3 n_atoms, 3 n_atoms)."""
    rows = []
    for step in np.eye(coords.size).reshape(-1, *coords.shape) * STEP:
        forward, backward = energies(coords + step)[1], energies(coords - step)[1]
        rows.append((forward - backward).reshape(-1) / (2 * STEP))
    return (np.array(rows) + np.array(rows).T) / 2


def thermal_modes(coords: Coords, hessian: Coords) -> Coords:
    """Displacements whose random sums, each times √(k_B T) and a standard normal number, are Boltzmann-distributed.

    Columns v_i / √λ_i of the Hessian's eigenvectors without the translations and rotations, shape=(3 n_atoms, n_modes).
    """
    centred = coords - coords.mean(axis=0)
    rigid = [np.tile(axis, (len(coords), 1)) for axis in np.eye(3)] + [np.cross(axis, centred) for axis in np.eye(3)]
    frame, sizes, _ = np.linalg.svd(np.array(rigid).reshape(6, -1).T, full_matrices=True)
    inner = frame[:, int(np.sum(sizes > 1e-6 * sizes[0])) :]  # a linear molecule has one rotation less
    eigenvalues, vectors = np.linalg.eigh(inner.T @ hessian @ inner)
    return (inner @ vectors) / np.sqrt(np.maximum(eigenvalues, SOFTEST))


def turned(coords: Coords, first: int, second: int, moved: Sequence[int], angle: float) -> Coords:
    """A geometry with some atoms turned about a bond."""
    axis = coords[second] - coords[first]
    axis = axis / np.linalg.norm(axis)
    arms = coords[list(moved)] - coords[first]
    along = np.outer(arms @ axis, axis)
    across = arms - along
    result = coords.copy()
    result[list(moved)] = coords[first] + along + np.cos(angle) * across + np.sin(angle) * np.cross(axis, across)
    return result


def rotors(mol: Chem.Mol) -> list[tuple[int, int, tuple[int, ...]]]:
    """Acyclic single bonds between atoms that are neither terminal nor linear, and the atoms of the smaller side."""
    pattern = Chem.MolFromSmarts("[!D1;!$(*#*);!$(*(=*)=*)]-;!@[!D1;!$(*#*);!$(*(=*)=*)]")
    found = []
    for first, second in mol.GetSubstructMatches(pattern):
        editable = Chem.RWMol(mol)
        editable.RemoveBond(first, second)
        sides = sorted(Chem.GetMolFrags(editable), key=lambda side: (len(side), side))
        fixed, near = (first, second) if second in sides[0] else (second, first)
        found.append((fixed, near, sides[0]))
    return found


def embedded(mol: Chem.Mol, seed: int) -> list[Coords]:
    """Starting geometries [Å]."""
    parameters = AllChem.ETKDGv3()
    parameters.randomSeed, parameters.pruneRmsThresh = seed, 0.5
    copy = Chem.Mol(mol)
    if not len(AllChem.EmbedMultipleConfs(copy, STARTS, parameters)):
        raise MoleculeError("RDKit embeds no conformer", "leave it out")
    return [np.asarray(conformer.GetPositions()) for conformer in copy.GetConformers()]


def is_isomer(mol: Chem.Mol, coords: Coords) -> bool:
    """Whether a geometry has the stereochemistry that a molecule defines."""
    found = Chem.Mol(mol)
    found.RemoveAllConformers()
    conformer = Chem.Conformer(found.GetNumAtoms())
    conformer.SetPositions(np.ascontiguousarray(coords))
    found.AddConformer(conformer)
    Chem.AssignStereochemistryFrom3D(found)
    return bool(found.HasSubstructMatch(mol, useChirality=True))
