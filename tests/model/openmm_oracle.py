"""Energies and forces of single molecules from OpenMM, through openff-toolkit and Interchange, section by section."""

import itertools

import numpy as np
import openmm
from openff.interchange import Interchange
from openff.toolkit import ForceField, Molecule
from openff.units import Quantity
from rdkit import Chem

ANGSTROM, KCAL = 0.1, 4.184  # in nm and kJ/mol
FORCE = KCAL / ANGSTROM


def openff_molecule(batch, idx, charges):
    """A molecule of a batch, its charges preset."""
    molecule = Molecule.from_rdkit(
        Chem.Mol(batch.explicit_molecule(idx)), allow_undefined_stereo=True, hydrogens_are_explicit=True
    )
    molecule.partial_charges = Quantity(np.array(charges), "elementary_charge")
    return molecule


def openmm_system(force_field: ForceField, molecule: Molecule) -> openmm.System:
    """The System of a molecule in vacuum without a cut-off, with the charges that it carries."""
    interchange = Interchange.from_smirnoff(force_field, molecule.to_topology(), charge_from_molecules=[molecule])
    return interchange.to_openmm(combine_nonbonded_forces=True, add_constrained_forces=False)


def by_section(system: openmm.System, conformers):
    """Energies [kcal/mol] and forces [kcal/mol/Å] of each section of a System.

    Returns:
        Section to (energies, shape=(n_conformers,), and forces, shape=(n_conformers, n_atoms, 3)).
    """
    forces = {type(force).__name__: force for force in system.getForces()}
    nonbonded = forces["NonbondedForce"]
    bonded_pairs = {
        frozenset(forces["HarmonicBondForce"].getBondParameters(idx)[:2])
        for idx in range(forces["HarmonicBondForce"].getNumBonds())
    }
    sections = {
        "Bonds": openmm.XmlSerializer.clone(forces["HarmonicBondForce"]),
        "Angles": openmm.XmlSerializer.clone(forces["HarmonicAngleForce"]),
        "ProperTorsions": openmm.PeriodicTorsionForce(),
        "ImproperTorsions": openmm.PeriodicTorsionForce(),
        "vdW": openmm.XmlSerializer.clone(nonbonded),
        "Electrostatics": openmm.XmlSerializer.clone(nonbonded),
    }
    torsions = forces["PeriodicTorsionForce"]
    for idx in range(torsions.getNumTorsions()):
        atoms = torsions.getTorsionParameters(idx)[:4]
        path = all(frozenset(pair) in bonded_pairs for pair in itertools.pairwise(atoms))
        name = "ProperTorsions" if path else "ImproperTorsions"
        sections[name].addTorsion(*torsions.getTorsionParameters(idx))
    for name in ("vdW", "Electrostatics"):
        force = sections[name]
        force.setNonbondedMethod(openmm.NonbondedForce.NoCutoff)
        for idx in range(force.getNumParticles()):
            charge, sigma, epsilon = force.getParticleParameters(idx)
            force.setParticleParameters(idx, *((0.0, sigma, epsilon) if name == "vdW" else (charge, 1.0, 0.0)))
        for idx in range(force.getNumExceptions()):
            first, second, product, sigma, epsilon = force.getExceptionParameters(idx)
            kept = (0.0, sigma, epsilon) if name == "vdW" else (product, 1.0, 0.0)
            force.setExceptionParameters(idx, first, second, *kept)
    return {name: evaluated(system.getNumParticles(), force, conformers) for name, force in sections.items()}


def evaluated(n_atoms, force, conformers):
    system = openmm.System()
    for _ in range(n_atoms):
        system.addParticle(1.0)
    system.addForce(force)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    energies, forces = [], []
    for positions in conformers:
        context.setPositions(np.asarray(positions) * ANGSTROM)
        state = context.getState(getEnergy=True, getForces=True)
        energies.append(state.getPotentialEnergy()._value / KCAL)
        forces.append(state.getForces(asNumpy=True)._value / FORCE)
    return np.array(energies), np.array(forces)
