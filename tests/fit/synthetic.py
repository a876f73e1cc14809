"""Reference data from a known force field, for the tests of `fit`."""

from functools import cache

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDistGeom

import ffshare
from ffshare.fit import ReferenceMolecule
from ffshare.model import Frames, Model
from tests.model.samples import scheme_of

SMALL = ("CCO", "CC(=O)OC", "CSC", "COC", "CC=O", "CCC(C)C", "CC#N")


@cache
def batch_of(smiles=SMALL):
    return ffshare.from_smiles(*smiles)


@cache
def assignment_of(name, smiles=SMALL):
    return scheme_of(name).assign(batch_of(smiles))


@cache
def coordinates_of(smiles=SMALL, n_conformers=12, scale=0.06, seed=0):
    """Embedded conformers with noise on every atom [Å]."""
    batch, rng = batch_of(smiles), np.random.default_rng(seed)
    found = []
    for idx in range(batch.n_molecules):
        molecule = Chem.Mol(batch.explicit_molecule(idx))
        setting = rdDistGeom.ETKDGv3()
        setting.randomSeed = 7
        rdDistGeom.EmbedMultipleConfs(molecule, n_conformers, setting)
        positions = np.array([each.GetPositions() for each in molecule.GetConformers()])
        assert len(positions) == n_conformers
        found.append(positions + rng.normal(scale=scale, size=positions.shape))
    return tuple(found)


def reference_of(assignment, coordinates, energy_noise=0.0, force_noise=0.0, seed=0, without=None):
    """What a force field gives at some conformers, with noise."""
    model = Model.of(assignment, "gasteiger")
    frames = Frames.from_conformers(assignment.batch, coordinates)
    found = model.evaluate(frames)
    rng = np.random.default_rng(seed)
    molecules = []
    for idx, (positions, forces) in enumerate(zip(coordinates, frames.by_molecule(found.forces), strict=True)):
        energies = found.energies.of_molecule(idx)
        molecules.append(
            ReferenceMolecule(
                smiles=f"molecule {idx}",
                coords=positions,
                energies=energies + rng.normal(scale=energy_noise, size=energies.shape) + 1000.0 * idx,
                forces=forces + rng.normal(scale=force_noise, size=forces.shape),
                level="synthetic",
            )
        )
    return tuple(molecules)


@cache
def exact(name, smiles=SMALL):
    """An assignment and exact data of it."""
    assignment = assignment_of(name, smiles)
    return assignment, reference_of(assignment, coordinates_of(smiles))
