"""Reference data from a known force field, for the tests of `fit`."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDistGeom

import ffshare
from ffshare.fit import Background, Priors, ReferenceMolecule
from ffshare.fit.comparison.sites import CommonSites
from ffshare.fit.comparison.sums import SiteSums
from ffshare.fit.comparison.values import slot_values
from ffshare.fit.parameters import KINDS, Parameters
from ffshare.model import Frames, Model, rule_ties
from tests.fit.comparison.samples import COMMON, Parts, with_numbers
from tests.model.samples import scheme_of

SMALL = ("CCO", "CC(=O)OC", "CSC", "COC", "CC=O", "CCC(C)C", "CC#N")
# No angle of these is almost straight. Torsions along such an angle are left out of a fit, whatever the scheme, while
# data from a force field hold them: where a scheme gives them a barrier (one that shares at random does; force fields
# made by chemists take none there), no fit can find its truth.
STRAIGHTLESS = (*SMALL[:-1], "CC=C")


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


class OnCommonTerms(NamedTuple):
    """The labels of a scheme on the terms of a comparison, with exact data of some parameters."""

    parts: Parts
    truth: Any


def exact_on_common_terms(name, smiles, weights, seed=1):
    """Labels, and exact data of parameters that lie round the guesses that a comparison starts from."""
    batch = batch_of(smiles)
    behind, reference = exact("openff-2.2.1", smiles)
    sites = CommonSites.of(batch)
    labelled = COMMON.labelled(scheme_of(name).assign(batch), sites)
    bases = COMMON.bases([labelled])
    background = Background(assignment=behind, charges="gasteiger", sections=("vdW", "Electrostatics"))
    parameters = Parameters.of(labelled, tuple(bases))
    # Of the reference only the names of the molecules count.
    values = slot_values(sites, bases, reference)
    truth = _near(rule_ties(labelled, bases).tie(values.guess), parameters, seed)
    made = Parts((), sites, labelled, bases, background, None, values)
    molecules = reference_of(with_numbers(made, truth), coordinates_of(smiles))
    sums = SiteSums.of(labelled, bases, molecules, background, weights)
    return OnCommonTerms(made._replace(molecules=molecules, sums=sums), truth)


def _near(unknowns, parameters, seed):
    """Parameters of given unknowns (k and k·x0 of a spring), moved by a fifth of a prior width or so."""
    values = np.array(unknowns)
    rest = np.flatnonzero((parameters.partners >= 0) & (values[parameters.partners] > 0))
    values[rest] /= values[parameters.partners[rest]]
    moved = values + 0.2 * Priors().scales(parameters) * np.random.default_rng(seed).normal(size=len(values))
    stiff = np.isin(parameters.kinds, [KINDS.index("bond k"), KINDS.index("angle k")])
    return np.where(stiff, np.maximum(moved, 10.0), moved)
