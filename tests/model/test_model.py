"""Energies and forces of a batch: laws, then the same by plain loops."""

import numpy as np
import pytest
from rdkit import Chem

import ffshare
from ffshare.errors import InputError, SchemeError
from ffshare.model import Frames, Model, charges_by_name
from ffshare.molecules import GraphBatch
from tests.model import oracle
from tests.model.samples import VARIED, conformers, scheme_of

SECTIONS = ("Bonds", "Angles", "ProperTorsions", "ImproperTorsions", "vdW", "Electrostatics")


def model_of(batch, name="openff-2.2.1"):
    return Model.of(scheme_of(name).assign(batch), "gasteiger")


@pytest.fixture(scope="module")
def batch():
    return ffshare.from_smiles(*VARIED)


@pytest.fixture(scope="module")
def model(batch):
    return model_of(batch)


@pytest.fixture(scope="module")
def given(batch):
    return conformers(batch, n_conformers=3)


@pytest.mark.parametrize("section", SECTIONS)
def test_forces_are_those_of_finite_differences(model, batch, given, section):
    part, step = model.only([section]), 1e-5
    rng = np.random.default_rng(0)
    directions = [rng.normal(size=one.shape) for one in given]
    found = part.frames(given).by_molecule(part.forces(part.frames(given)))
    ahead, behind = (
        part.energies(part.frames([one + sign * step * way for one, way in zip(given, directions, strict=True)]))
        for sign in (1, -1)
    )
    for idx in range(batch.n_molecules):
        slope = -(ahead.of_molecule(idx) - behind.of_molecule(idx)) / (2 * step)
        along = np.sum(found[idx] * directions[idx], axis=(1, 2))
        np.testing.assert_allclose(along, slope, rtol=2e-6, atol=2e-5)


def test_forces_of_a_frame_exert_no_net_force_and_no_torque(model, given):
    frames = model.frames(given)
    for positions, forces in zip(given, frames.by_molecule(model.forces(frames)), strict=True):
        np.testing.assert_allclose(forces.sum(axis=1), 0, atol=1e-9)
        np.testing.assert_allclose(np.cross(positions, forces).sum(axis=1), 0, atol=1e-9)


def test_moving_and_turning_a_molecule_changes_nothing(model, given):
    rng = np.random.default_rng(2)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    moved = [one @ turn.T + rng.normal(size=3) for one in given]
    frames, turned = model.frames(given), model.frames(moved)
    np.testing.assert_allclose(model.energies(turned).total, model.energies(frames).total, rtol=1e-10, atol=1e-9)
    for after, before in zip(
        turned.by_molecule(model.forces(turned)), frames.by_molecule(model.forces(frames)), strict=True
    ):
        np.testing.assert_allclose(after, before @ turn.T, rtol=1e-8, atol=1e-7)


def test_renumbering_the_atoms_changes_no_energy_and_permutes_the_forces(model, batch, given):
    rng = np.random.default_rng(4)
    orders = [rng.permutation(int(n_atoms)) for n_atoms in np.diff(batch.atom_offsets)]
    renumbered = GraphBatch.from_molecules(
        [Chem.RenumberAtoms(batch.explicit_molecule(idx), order.tolist()) for idx, order in enumerate(orders)]
    )
    other = model_of(renumbered)
    frames = other.frames([one[:, order] for one, order in zip(given, orders, strict=True)])
    before, after = model.evaluate(model.frames(given)), other.evaluate(frames)
    for section in SECTIONS:
        np.testing.assert_allclose(
            after.energies.by_section[section], before.energies.by_section[section], rtol=1e-10, atol=1e-10
        )
    plain = model.frames(given).by_molecule(before.forces)
    for mine, theirs, order in zip(frames.by_molecule(after.forces), plain, orders, strict=True):
        np.testing.assert_allclose(mine, theirs[:, order], atol=1e-8)


def test_cutting_the_batch_changes_nothing(model, batch, given):
    whole = model.evaluate(model.frames(given))
    for idx in range(batch.n_molecules):
        alone = model_of(GraphBatch.from_molecules([batch.molecules[idx]]))
        found = alone.evaluate(alone.frames([given[idx]]))
        np.testing.assert_allclose(found.energies.total, whole.energies.of_molecule(idx), rtol=1e-13, atol=1e-12)
        expected = model.frames(given).by_molecule(whole.forces)[idx]
        np.testing.assert_allclose(alone.frames([given[idx]]).by_molecule(found.forces)[0], expected, atol=1e-11)


def test_cutting_the_frames_into_pieces_changes_nothing(monkeypatch, model, given):
    frames = model.frames(given)
    whole = model.evaluate(frames)
    for most_entries in (1, 150, 1000):
        monkeypatch.setattr("ffshare.model.model._MOST_ENTRIES", most_entries)
        pieces = model.evaluate(frames)
        np.testing.assert_allclose(pieces.energies.total, whole.energies.total, rtol=1e-13, atol=1e-12)
        np.testing.assert_allclose(pieces.forces, whole.forces, atol=1e-11)


@pytest.mark.parametrize("name", ["openff-2.2.1", "openff-1.0.0"])
def test_energies_by_section_are_those_of_plain_loops(batch, given, name):
    assignment = scheme_of(name).assign(batch)
    charges = charges_by_name(assignment, "gasteiger")
    model = Model.of(assignment, charges)
    found = model.energies(model.frames(given))
    for idx in range(batch.n_molecules):
        of_atoms = slice(*batch.atom_offsets[idx : idx + 2])
        for conformer, positions in enumerate(given[idx]):
            plain = oracle.energies(assignment, idx, positions, charges[of_atoms])
            frame = found.frame_offsets[idx] + conformer
            for section in SECTIONS:
                assert found.by_section[section][frame] == pytest.approx(plain[section], rel=1e-9, abs=1e-9), section


def test_the_total_is_the_sum_of_the_sections(model, given):
    energies = model.energies(model.frames(given))
    np.testing.assert_allclose(energies.total, sum(energies.by_section[section] for section in SECTIONS))


def test_without_charges_there_is_no_electrostatics(batch):
    model = Model.of(scheme_of("openff-2.2.1").assign(batch), None)
    assert tuple(model.interactions) == SECTIONS[:-1]


def test_a_batch_may_have_no_conformer_at_all(model, batch):
    found = model.evaluate(Frames.from_conformers(batch, conformers(batch, n_conformers=0)))
    assert found.energies.total.shape == (0,)
    assert found.forces.shape == (3, 0)


def test_frames_of_other_molecules_are_refused(model):
    other = ffshare.from_smiles("CC", "CCO")
    with pytest.raises(InputError, match="frames of 2 molecules are not those of the model's batch"):
        model.energies(Frames.from_conformers(other, conformers(other)))


def test_a_section_that_the_model_lacks_is_named(model):
    with pytest.raises(SchemeError, match="no section 'StretchBends'; it has Bonds, Angles"):
        model.only(["Bonds", "StretchBends"])


@pytest.mark.parametrize("charges", [[0.1, 0.2], [float("nan")] * 3])
def test_charges_are_finite_numbers_one_for_each_atom(charges):
    with pytest.raises(SchemeError, match="charges must be 3 finite numbers"):
        Model.of(scheme_of("openff-2.2.1").assign(ffshare.from_smiles("O")), charges)
