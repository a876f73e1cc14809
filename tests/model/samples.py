"""Molecules with conformers for the tests of `model`."""

from functools import cache

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDistGeom

import ffshare
from ffshare.assign import COMPLETE_SECTIONS
from ffshare.data_files import data_directory
from ffshare.molecules import GraphBatch

# Torsions with phases of 90°, 270° and 320°.
ODD_PHASES = ("NCc1cccs1", "NC1(C(=O)O)CC1", "CS(=O)(=O)n1cccn1")
# Between them: rings of three to six, an amide, a nitrile, charges, sulfur, halogens, an atom alone, odd phases.
VARIED = (
    "CCO",
    "C1CC1C(=O)NC",
    "C1CCC1O",
    "c1ccc(Cl)nc1C",
    "CC#N",
    "CC(=O)[O-]",
    "C[NH3+]",
    "CS(=O)(=O)NC",
    "NC(=O)c1ccsc1",
    "[Na+]",
    "O=C1CCN1",
    "CC(F)=CBr",
    *ODD_PHASES,
)

_SETTINGS = (rdDistGeom.ETKDGv3(), rdDistGeom.EmbedParameters())
for _setting in _SETTINGS:
    _setting.randomSeed = 7
    _setting.useRandomCoords = True


@cache
def scheme_of(*names):
    """A scheme, compiled once for all tests."""
    return ffshare.load_scheme(*names)


@cache
def shipped(n_heavy_least=1, n_heavy_most=99):
    """The drugs and fragments that ship with ffshare, of some size, as RDKit molecules with names."""
    found = []
    for name in ("fragments.smi", "drugs.smi"):
        batch = ffshare.read(data_directory("molecules") / name)
        found += [
            (molecule, name)
            for molecule, name in zip(batch.molecules, batch.names, strict=True)
            if n_heavy_least <= molecule.GetNumHeavyAtoms() <= n_heavy_most
        ]
    return tuple(found)


def covered(molecules, *names):
    """Those of some molecules for which schemes have a rule at every site."""
    batch = batch_of(molecules)
    missing = set()
    for name in names:
        assignment = scheme_of(name).assign(batch)
        for section in COMPLETE_SECTIONS:
            sites = assignment.sites[section]
            missing |= set(sites.molecule_idxs[sites.rule_idxs < 0].tolist())
    return [molecule for idx, molecule in enumerate(molecules) if idx not in missing]


def batch_of(molecules):
    """Pairs of molecule and name as a batch."""
    return GraphBatch.from_molecules([molecule for molecule, _ in molecules], [name for _, name in molecules])


def conformers(batch, n_conformers=2, scale=0.05, seed=0):
    """Conformers of each molecule with the same noise on every atom [Å], list of (n_conformers, n_atoms, 3)."""
    rng = np.random.default_rng(seed)
    found = []
    for idx in range(batch.n_molecules):
        molecule = Chem.Mol(batch.explicit_molecule(idx))
        # Cumulated bonds of sulfur only come out without knowledge of what molecules look like.
        attempts = (rdDistGeom.EmbedMolecule(molecule, setting) for setting in _SETTINGS)
        assert any(conformer == 0 for conformer in attempts), f"no conformer of {batch.names[idx]}"
        positions = molecule.GetConformer().GetPositions()
        found.append(positions + rng.normal(scale=scale, size=(n_conformers, *positions.shape)))
    return found
