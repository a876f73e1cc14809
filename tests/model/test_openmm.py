"""Energies and forces are those of OpenMM with the System that openff-toolkit and Interchange make."""

import math
from functools import cache

import numpy as np
import pytest

import ffshare
from ffshare.model import Model, charges_by_name
from ffshare.model.coordinates import angles, dihedrals
from ffshare.model.potentials import Cosines, Harmonic
from tests.model.samples import ODD_PHASES, batch_of, conformers, covered, scheme_of, shipped

pytest.importorskip("openmm", reason="openmm is not installed")
pytest.importorskip("openff.interchange", reason="openff-interchange is not installed")

FORCE_FIELDS = ("openff_unconstrained-1.3.1", "openff_unconstrained-2.2.1", "openff_unconstrained-2.3.0")
RELATIVE_ENERGY, FORCE_TOLERANCE = 1e-6, 1e-5


@cache
def openff_force_field(name):
    from openff.toolkit import ForceField  # slow to import

    return ForceField(f"{name}.offxml")


def compare(name, molecules):
    from tests.model.openmm_oracle import by_section, openff_molecule, openmm_system

    batch = batch_of(molecules)
    assignment = scheme_of(name).assign(batch)
    charges = charges_by_name(assignment, "gasteiger")
    model = Model.of(assignment, charges)
    given = conformers(batch)
    frames = model.frames(given)
    found = {section: model.only([section]).evaluate(frames) for section in model.interactions}
    assert set(found) == {"Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW", "Electrostatics"}
    for idx in range(batch.n_molecules):
        of_atoms = slice(*batch.atom_offsets[idx : idx + 2])
        molecule = openff_molecule(batch, idx, charges[of_atoms])
        theirs = by_section(openmm_system(openff_force_field(name), molecule), given[idx])
        for section, (energies, forces) in theirs.items():
            ours = found[section]
            where = f"{name} {batch.names[idx]} {section}"
            np.testing.assert_allclose(
                ours.energies.of_molecule(idx), energies, rtol=RELATIVE_ENERGY, atol=1e-9, err_msg=where
            )
            np.testing.assert_allclose(
                frames.by_molecule(ours.forces)[idx], forces, rtol=0, atol=FORCE_TOLERANCE, err_msg=where
            )


@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_a_dozen_molecules_have_the_energies_and_forces_of_openmm_section_by_section(name):
    molecules = covered(shipped(2, 12), *FORCE_FIELDS)
    odd = ffshare.from_smiles(*ODD_PHASES)
    compare(name, [*molecules[5 :: len(molecules) // 9], *zip(odd.molecules, ODD_PHASES, strict=True)])


@pytest.mark.full
@pytest.mark.parametrize("name", FORCE_FIELDS)
def test_a_hundred_shipped_molecules_have_the_energies_and_forces_of_openmm(name):
    molecules = covered(shipped(1, 30), *FORCE_FIELDS)
    compare(name, molecules[:: len(molecules) // 100])


@pytest.mark.parametrize("degrees", [0.1, 60.0, 120.0, 175.0, 179.0, 179.9])
def test_an_angle_and_a_torsion_about_it_are_those_of_openmm_up_to_almost_a_straight_line(degrees):
    import openmm  # optional

    from tests.model.openmm_oracle import KCAL, evaluated

    theta = math.radians(degrees)
    positions = np.array([[1.3 * math.cos(theta), 1.3 * math.sin(theta), 0], [0, 0, 0], [1.4, 0, 0], [1.8, 0.3, 1.2]])
    bend, torsion = openmm.HarmonicAngleForce(), openmm.PeriodicTorsionForce()
    bend.addAngle(0, 1, 2, math.radians(110), 100 * KCAL)
    torsion.addTorsion(0, 1, 2, 3, 3, math.radians(90), 1.5 * KCAL)
    springs = Harmonic(force_constants=[100.0], rest_values=[math.radians(110)])
    waves = Cosines(barriers=[[1.5]], periodicities=[[3]], phases=[[math.radians(90)]])
    for force, measured, potential, atoms in (
        (bend, angles, springs, [0, 1, 2]),
        (torsion, dihedrals, waves, [0, 1, 2, 3]),
    ):
        (energy,), (forces,) = evaluated(4, force, [positions])
        found = measured(positions[atoms].T[:, :, None])
        response = potential(found.values[None], np.array([0]))
        assert response.energies[0, 0] == pytest.approx(energy, rel=RELATIVE_ENERGY, abs=1e-9)
        pulls = -response.slopes[0, 0] * found.gradients[:, :, 0]
        np.testing.assert_allclose(pulls, forces[atoms], rtol=1e-7, atol=FORCE_TOLERANCE)
